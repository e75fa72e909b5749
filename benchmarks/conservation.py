"""Cues lost silently, over real dialogues in five formats; and what files made to harm cost.

A cue is lost silently when it is neither imported nor reported. Bombs are read in processes of their
own; their peer is the limit that the fault runs set.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> list[dict[str, object]]:
    """The figures of reading."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' files are used
    return [*_lost(), *_bombs()]


def _lost() -> list[dict[str, object]]:
    from coachops.coaching.transcripts import read
    from tests.conftest import ANNOMI
    from tests.faults.test_validation_files import forms_of

    counted = lost = different = 0
    for path in sorted(ANNOMI.glob("*.vtt")):
        first = read(path.read_bytes(), path.name)
        told = [(cue.speaker_label, cue.text) for cue in first.cues]
        for name, form in {path.name: path.read_bytes(), **forms_of(path.read_bytes())}.items():
            found = read(form, name)
            counted += len(told)
            lost += max(0, len(told) - found.candidates)
            different += told != [(cue.speaker_label, cue.text) for cue in found.cues]
    note = f"of {counted} in WebVTT, SRT, text, JSON and DOCX; {different} files differ"
    return [{"name": "cues lost silently", "value": lost, "unit": "cues", "note": note}]


def _bombs() -> list[dict[str, object]]:
    from tests.faults.test_validation_files import BOMBS, OTHERS, XML_BOMBS, cost

    worst = (0.0, "")
    most = (0, "")
    kinds = {**BOMBS, **XML_BOMBS, **OTHERS}
    for kind, (make, _) in kinds.items():
        ending = "json" if "json" in kind else "txt" if kind in OTHERS else "docx"
        _, seconds, megabytes = cost(make(), f"a.{ending}")
        worst = max(worst, (seconds, kind))
        most = max(most, (megabytes, kind))
    return [
        {
            "name": f"slowest of {len(kinds)} bombs",
            "value": worst[0],
            "unit": "s CPU",
            "note": worst[1],
        },
        {
            "name": f"hungriest of {len(kinds)} bombs",
            "value": most[0],
            "unit": "MB",
            "note": most[1],
        },
    ]
