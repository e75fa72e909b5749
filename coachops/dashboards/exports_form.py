"""Composing an export: what, of when and whom, in which form; in words that say what each is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from coachops.dashboards.components import (
    Area,
    CheckField,
    Element,
    area,
    button,
    card,
    checkbox,
    date_input,
    details,
    html,
    select,
)
from coachops.dashboards.exports_people import PeoplePicker
from coachops.dashboards.overview_parts import counted
from coachops.export import DATASETS, FORMATS

if TYPE_CHECKING:
    from coachops.dashboards.exports import ExportsPage

USE: Final[dict[str, tuple[str, str]]] = {
    "csv": ("CSV", "For Excel, Power BI and most programs."),
    "jsonl": ("JSON Lines", "A row a line: for programs and data lakes."),
    "json": ("JSON", "A document per table, with its schema version."),
    "parquet": ("Parquet", "Smallest and fastest: DuckDB, Spark, pandas."),
}
"""Format -> its name and what it is for."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "People": ("coaches", "clients", "engagements", "consents"),
    "Sessions": ("sessions", "transcripts", "utterances"),
    "Findings": ("analyses", "insights", "goals", "goal_ratings", "action_items"),
    "Letters and use": ("messages", "feedback", "activity", "audit_events", "tickets"),
}
"""How the datasets stand in the form; one that is in no group stands in the last."""

PROFILES: Final = (
    ("For programs: exact values", "lossless"),
    ("For Excel: opens well, no formulas", "excel"),
)
PRIVACY: Final = (
    ("Names and words included", "full"),
    ("Pseudonyms only, no words", "pseudonymous"),
)
COMPRESSION: Final = (
    ("None: opens everywhere", "none"),
    ("gzip: smaller, widely read", "gzip"),
    ("zstd: smallest, for newer programs", "zstd"),
)


class Composer:
    """The form of a new export."""

    def __init__(self, page: ExportsPage) -> None:
        self._page = page
        database, actor = page.services.database, page.actor
        self.datasets: dict[str, CheckField] = {
            name: checkbox(_title(name), value=True, help=_short(dataset.description))
            for name, dataset in DATASETS.items()
        }
        self.formats: dict[str, CheckField] = {
            name: checkbox(USE[name][0], value=name == "csv", help=USE[name][1])
            for name in USE
            if name in FORMATS
        }
        self.since = date_input("From", help="First day.")
        self.until = date_input("Until", help="Day after the last.")
        self.coaches = PeoplePicker(database, actor, "coach")
        self.clients = PeoplePicker(database, actor, "client")
        self.profile = select("CSV is made", PROFILES)
        self.privacy = select(
            "Privacy",
            PRIVACY,
            help="Pseudonyms stay the same from export to export, so figures still join.",
        )
        self.compression = select("Compression", COMPRESSION)
        self.messages: Area = area()
        self._summary = Element(classes="ex-summary")
        self._chosen = Element(classes="ex-chosen")
        self._profile_place = Element(children=[self.profile], classes="ov-maybe")
        for box in (*self.datasets.values(), *self.formats.values()):
            box.on_change(lambda _: self._changed())
        people = [self.clients.widget]
        if actor.role != "coach":
            people.insert(0, self.coaches.widget)
        self.widget = card(
            "New export",
            [
                _part("What", [self._chosen, self._datasets()]),
                _part(
                    "As",
                    [
                        Element(children=list(self.formats.values()), classes="ex-formats"),
                        self._profile_place,
                    ],
                ),
                _part("When", [Element(children=[self.since, self.until], classes="ex-days")]),
                _part("Who", people),
                _part("How", [self.privacy, self.compression], last=True),
                self.messages,
                self._summary,
                button(
                    "Start the export",
                    self.start,
                    "primary",
                    area=self.messages,
                    busy_label="Starting…",
                ),
                Element(page.guide()),
            ],
        )
        self._changed()

    def start(self) -> None:
        """Ask for what is chosen; what cannot be is said beside the button."""
        self._page.start(
            datasets=self._names(),
            formats=[name for name, box in self.formats.items() if box.data],
            since=self.since.data,
            until=self.until.data,
            coaches=self.coaches.ids,
            clients=self.clients.ids,
            csv_profile=self.profile.data or "lossless",
            privacy=None if self.privacy.data == "full" else self.privacy.data,
            compression=self.compression.data or "none",
        )

    def _names(self) -> list[str]:
        chosen = [name for name, box in self.datasets.items() if box.data]
        return [] if len(chosen) == len(self.datasets) else chosen

    def _datasets(self) -> Element:
        grouped = {name for names in GROUPS.values() for name in names}
        parts: list[Any] = [
            Element(
                children=[
                    button("All", lambda: self._choose_all(chosen=True), "quiet"),
                    button("None", lambda: self._choose_all(chosen=False), "quiet"),
                ],
                classes="ex-all",
            )
        ]
        for title, names in GROUPS.items():
            others = [name for name in DATASETS if name not in grouped]
            wanted = [*names, *(others if title == list(GROUPS)[-1] else [])]
            boxes = [self.datasets[name] for name in wanted if name in self.datasets]
            parts.append(
                Element(
                    html(
                        '<p class="ex-group-title">{}</p><div class="ex-boxes" data-slot="body"></div>',
                        title,
                    ),
                    boxes,
                    classes="ex-group",
                    attributes={"role": "group", "aria-label": title},
                )
            )
        return details("Choose tables", parts)

    def _choose_all(self, *, chosen: bool) -> None:
        for box in self.datasets.values():
            box.data = chosen
        self._changed()

    def _changed(self) -> None:
        chosen = sum(box.data for box in self.datasets.values())
        whole = len(self.datasets)
        self._chosen.set_content(
            html(
                "<p><strong>{}</strong></p>",
                f"All {whole} tables"
                if chosen == whole
                else f"{counted(chosen, 'table')} of {whole}",
            )
        )
        shown = (self.profile,) if self.formats["csv"].data else ()
        if self._profile_place.children != shown:
            self._profile_place.children = shown


def _part(title: str, children: list[Any], *, last: bool = False) -> Element:
    return Element(
        html(
            '<h3 class="ex-part-title">{}</h3><div class="co-stack" data-slot="body"></div>', title
        ),
        children,
        tag="section",
        classes="ex-part ex-last" if last else "ex-part",
    )


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _short(description: str) -> str:
    """The first statement of a dataset's description."""
    return (
        description.split(";", maxsplit=1)[0]
        .split(". ", maxsplit=1)[0]
        .split(": ", maxsplit=1)[0]
        .rstrip(".")
        + "."
    )
