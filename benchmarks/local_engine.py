"""How well and how fast the offline engine works, each figure beside a peer measured in the same run.

- Macro-F1 over four coach behaviours on the AnnoMI dialogues in `COACHOPS_ANNOMI_DIR` (default
  `../shared/data/annomi`), against always naming the commonest class. The interval comes from drawing
  whole dialogues with replacement, fixed seed. Left out where the data is absent.
- Talk share against a count written without the package.
- Words per second on one million words, against splitting the same text into words by `re.findall`.

Run `python benchmarks/local_engine.py [--json]`.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coachops.ai.counts import talk_share
from coachops.ai.providers.local import VERSION, analyse, classify
from coachops.ai.types import AnalysisRequest, Speaker, Utterance

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("question", "reflection", "input", "other")
SEED = 20261123
RESAMPLES = 1000
WORDS = 1_000_000
_CUE = re.compile(r"<v (Coach|Client)>(.*?)(?:</v>)?$", re.DOTALL)

# Written for this benchmark: used for speed where the annotated dialogues are absent.
_TALK = (
    ("coach", "Hi, good to see you again. What would you like to focus on today?"),
    (
        "client",
        "I'd like to talk about the handover, because the quarterly reports eat my evenings.",
    ),
    ("coach", "So the reports take the time that you wanted to keep for your family."),
    ("client", "Exactly. And I never ask the team, um, I just do them myself, you know."),
    ("coach", "Mm-hmm."),
    ("client", "I guess it's easier, but it's not going to get better if I go on like this."),
    ("coach", "One option would be to ask one colleague to take the first report for a month."),
    ("client", "Okay. I'll ask Priya on Monday and I'll write down what she needs by Friday."),
    ("coach", "That sounds like a clear step. How confident are you, on a scale of 1 to 10?"),
    ("client", "Maybe a seven. The deadline worries me a little."),
)

Dialogue = list[tuple[Utterance, str]]


def annomi_directory() -> Path:
    """Where the annotated dialogues are looked for."""
    return Path(os.environ.get("COACHOPS_ANNOMI_DIR", ROOT.parent / "shared" / "data" / "annomi"))


def load_annomi() -> dict[str, Dialogue]:
    """The annotated dialogues: utterances with the experts' behaviour; empty where absent."""
    directory = annomi_directory()
    labels = directory / "labels.csv"
    if not labels.is_file():
        return {}
    with labels.open(encoding="utf-8", newline="") as file:
        by_cue = {(row["transcript"], int(row["cue"])): row for row in csv.DictReader(file)}
    found: dict[str, Dialogue] = {}
    for path in sorted(directory.glob("*.vtt")):
        dialogue: Dialogue = []
        for block in path.read_text(encoding="utf-8").split("\n\n")[1:]:
            lines = block.strip().split("\n")
            if len(lines) < 3:
                continue
            spoken = _CUE.match(" ".join(lines[2:]))
            if spoken is None:
                raise ValueError(f"{path.name}: cue {lines[0]} has no voice tag")
            row = by_cue[path.stem, int(lines[0])]
            utterance = Utterance(
                position=int(lines[0]), speaker=Speaker(row["speaker"]), text=spoken[2]
            )
            dialogue.append((utterance, row["coach_behaviour"].replace("therapist_input", "input")))
        found[path.stem] = dialogue
    return found


def label_pairs(dialogue: Dialogue) -> list[tuple[str, str]]:
    """Expert's and engine's behaviour of each coach utterance."""
    named = {each.position: each.behaviour.value for each in classify([u for u, _ in dialogue])}
    return [(gold, named[u.position]) for u, gold in dialogue if u.speaker is Speaker.COACH]


def f1_by_class(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """F1 of each of the four behaviours; 0 where a class never occurs or is never hit."""
    counts = Counter(pairs)
    scores = {}
    for name in CLASSES:
        hit = counts[name, name]
        gold = sum(n for (expert, _), n in counts.items() if expert == name)
        said = sum(n for (_, engine), n in counts.items() if engine == name)
        scores[name] = 2 * hit / (gold + said) if gold + said else 0.0
    return scores


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Mean of the F1 of the four behaviours."""
    return sum(f1_by_class(pairs).values()) / len(CLASSES)


def _interval(by_dialogue: list[list[tuple[str, str]]]) -> tuple[float, float]:
    """95 % bootstrap interval of the macro-F1, drawing whole dialogues."""
    draw = random.Random(SEED)  # noqa: S311 resampling, no secret
    scores = sorted(
        macro_f1([pair for each in draw.choices(by_dialogue, k=len(by_dialogue)) for pair in each])
        for _ in range(RESAMPLES)
    )
    return scores[int(0.025 * RESAMPLES)], scores[int(0.975 * RESAMPLES) - 1]


def _row(
    name: str, value: float, unit: str, peer: float | None = None, note: str = ""
) -> dict[str, Any]:
    ratio = value / peer if peer else None
    return {"name": name, "value": value, "unit": unit, "peer": peer, "ratio": ratio, "note": note}


def _behaviour_rows(dialogues: dict[str, Dialogue]) -> list[dict[str, Any]]:
    by_dialogue = [label_pairs(each) for each in dialogues.values()]
    pairs = [pair for each in by_dialogue for pair in each]
    commonest = Counter(gold for gold, _ in pairs).most_common(1)[0][0]
    baseline = macro_f1([(gold, commonest) for gold, _ in pairs])
    low, high = _interval(by_dialogue)
    note = (
        f"{len(pairs)} coach turns in {len(dialogues)} dialogues; 95 % interval {low:.3f} to "
        f"{high:.3f} by dialogue; peer names always '{commonest}'; engine {VERSION}"
    )
    rows = [_row("macro_f1", macro_f1(pairs), "F1", baseline, note)]
    for half, start in (("odd", 0), ("even", 1)):
        part = [pair for each in by_dialogue[start::2] for pair in each]
        what = (
            "the rules were written on these" if half == "odd" else "only the score was looked at"
        )
        rows.append(_row(f"macro_f1_{half}_dialogues", macro_f1(part), "F1", note=what))
    rows += [_row(f"f1_{name}", score, "F1") for name, score in f1_by_class(pairs).items()]
    return rows


def _words_by_hand(text: str) -> int:
    """Words without the package: walk the characters and count the runs."""
    words, depth, inside = 0, 0, False
    for n, char in enumerate(text):
        if char == "[" and "]" in text[n:]:
            depth, inside = 1, False
        elif char == "]" and depth:
            depth = 0
        elif depth:
            continue
        elif char.isalnum():
            words += not inside
            inside = True
        elif char in "'\u2019-" and inside and n + 1 < len(text) and text[n + 1].isalnum():
            continue
        else:
            inside = False
    return words


def _talk_share_row(utterances: Sequence[Utterance]) -> dict[str, Any]:
    counted = talk_share(utterances)
    coach = sum(_words_by_hand(u.text) for u in utterances if u.speaker is Speaker.COACH)
    client = sum(_words_by_hand(u.text) for u in utterances if u.speaker is Speaker.CLIENT)
    off = abs(counted.coach_words - coach) + abs(counted.client_words - client)
    note = f"coach {counted.coach_words}, client {counted.client_words} words; walked by hand {coach}, {client}"
    return _row("talk_share_words_off", float(off), "words", None, note)


def _long_session(source: Sequence[tuple[Speaker, str]], words: int) -> tuple[Utterance, ...]:
    utterances: list[Utterance] = []
    total = 0
    while total < words:
        speaker, text = source[len(utterances) % len(source)]
        utterances.append(Utterance(position=len(utterances) + 1, speaker=speaker, text=text))
        total += len(text.split())
    return tuple(utterances)


def _speed_rows(source: Sequence[tuple[Speaker, str]], what: str) -> list[dict[str, Any]]:
    utterances = _long_session(source, WORDS)
    request = AnalysisRequest(utterances=utterances, session_date=dt.date(2026, 11, 23))
    texts = [each.text for each in utterances]
    started = time.perf_counter()
    tokens = sum(len(re.findall(r"\w+", text)) for text in texts)
    peer_seconds = time.perf_counter() - started
    started = time.perf_counter()
    analyse(request)
    seconds = time.perf_counter() - started
    words = sum(len(text.split()) for text in texts)
    return [
        _row(
            "seconds_per_million_words",
            seconds * 1e6 / words,
            "s",
            peer_seconds * 1e6 / words,
            f"{what}; limit 30 s",
        ),
        _row(
            "words_per_second",
            words / seconds,
            "words/s",
            words / peer_seconds,
            rf"peer: re.findall(r'\w+') of the same text, {tokens} tokens",
        ),
    ]


def main() -> list[dict[str, Any]]:
    """All rows: name, value, unit, peer, ratio (value by peer), note."""
    dialogues = load_annomi()
    rows = _behaviour_rows(dialogues) if dialogues else []
    if dialogues:
        utterances = [u for each in dialogues.values() for u, _ in each]
        source = [(u.speaker, u.text) for u in utterances]
        what = "the AnnoMI dialogues, repeated"
    else:
        source = [(Speaker(speaker), text) for speaker, text in _TALK]
        utterances = list(_long_session(source, 10_000))
        what = "a written dialogue, repeated"
    return [*rows, _talk_share_row(utterances), *_speed_rows(source, what)]


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        peer = "" if row["peer"] is None else f"{row['peer']:14,.3f}"
        ratio = "" if row["ratio"] is None else f"x{row['ratio']:.2f}"
        print(
            f"{row['name']:28}{row['value']:14,.3f} {row['unit']:8}{peer:>14} {ratio:>7}  {row['note']}"
        )


if __name__ == "__main__":
    result = main()
    if "--json" in sys.argv[1:]:
        print(json.dumps(result, indent=2))
    else:
        _print_table(result)
