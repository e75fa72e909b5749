"""Goals."""

from coachops.dashboards.components import card, paragraph


class GoalsCard:
    def __init__(self, view):
        self.element = card("Goals", [paragraph("x")])
