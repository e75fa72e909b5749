"""Choosing coaches or clients by a few letters of their name; the chosen ones stand as chips."""

from __future__ import annotations

from coachops.coaching.lookup import Person, look_up
from coachops.core.actor import Actor
from coachops.dashboards.components import Element, button, html, row, text_input
from coachops.db import Database


class PeoplePicker:
    """Everybody, until somebody is chosen.

    Parameters:
        kind: `coach` or `client`.
    """

    def __init__(self, database: Database, actor: Actor, kind: str) -> None:
        self._database, self._actor, self._kind = database, actor, kind
        self.chosen: dict[str, Person] = {}
        self.search = text_input(
            "Coaches" if kind == "coach" else "Clients",
            help=f"Empty: every {kind}{' of yours' if actor.role == 'coach' else ''}.",
            placeholder="Name, e-mail or id",
            max_length=200,
        )
        self.search.on_submit(self.look)
        self.found = Element(classes="ex-chips ov-maybe")
        self.chips = Element(classes="ex-chips ov-maybe")
        self.widget = Element(
            children=[
                row(
                    [
                        self.search,
                        button("Add", self.look, description=f"the {kind} that is typed in"),
                    ]
                ),
                self.found,
                self.chips,
            ],
            classes="co-stack ex-people",
        )

    @property
    def ids(self) -> list[str]:
        """The ids of the chosen people."""
        return list(self.chosen)

    def look(self) -> None:
        """Choose who is meant; of several, offer them."""
        words = self.search.data.strip()
        if not words:
            self.search.error = "Type some letters of the name first."
            return
        people = look_up(self._database, self._actor, self._kind, words)
        if not people:
            self.found.children = ()
            self.search.error = f"There is no {self._kind} like that. Try fewer letters."
        elif len(people) == 1:
            self.choose(people[0])
        else:
            self.search.error = ""
            self.found.children = [self._offer(person) for person in people]

    def choose(self, person: Person) -> None:
        """Take a person in."""
        self.chosen[str(person.id)] = person
        self.search.data, self.search.error = "", ""
        self.found.children = ()
        self._show()

    def clear(self) -> None:
        """Everybody again."""
        self.chosen.clear()
        self._show()

    def _drop(self, ref: str) -> None:
        self.chosen.pop(ref, None)
        self._show()

    def _offer(self, person: Person) -> object:
        return button(f"{person.name} ({person.external_id})", lambda: self.choose(person), "quiet")

    def _show(self) -> None:
        chips = []
        for ref, person in self.chosen.items():
            chip = Element(
                html(
                    '<span class="ex-chip">{}<button type="button" class="ex-chip-x" '
                    'data-event="drop" data-value="{}"><span aria-hidden="true">&times;</span>'
                    '<span class="co-hidden">Take {} out</span></button></span>',
                    person.name,
                    ref,
                    person.name,
                )
            )
            chip.on_action(lambda _, value: self._drop(value), [("drop", ref)])
            chips.append(chip)
        self.chips.children = chips
