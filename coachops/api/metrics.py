"""Figures in Prometheus' text format. `METRICS` is the one list of them: also the guide's page.

Labels are route templates, never addresses as typed: those may hold ids or tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency histogram, in seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is: its type as Prometheus knows it, what it tells, the names of its labels."""

    kind: str
    text: str
    labels: tuple[str, ...] = ()


_REQUESTS, _SECONDS = "coachops_http_requests_total", "coachops_http_request_seconds"
METRICS: dict[str, Metric] = {
    _REQUESTS: Metric(
        "counter", "Requests answered by this process.", ("method", "route", "status")
    ),
    _SECONDS: Metric("histogram", "Time to answer, by route.", ("route",)),
    "coachops_database_up": Metric("gauge", "Whether the database answers."),
    "coachops_users_signed_in": Metric("gauge", "Users with a sign-in."),
    "coachops_kernels_bound": Metric("gauge", "Kernels bound to a sign-in."),
    "coachops_kernels_connected": Metric("gauge", "Kernels with an open page."),
    "coachops_workers_alive": Metric("gauge", "Workers that gave a sign of life."),
    "coachops_jobs_waiting": Metric("gauge", "Jobs that could begin now."),
    "coachops_jobs_oldest_waiting_seconds": Metric("gauge", "Age of the oldest of them."),
    "coachops_jobs_running": Metric("gauge", "Jobs that were begun."),
    "coachops_jobs_failed": Metric("gauge", "Jobs that failed within a day."),
    "coachops_jobs_stuck": Metric("gauge", "Whether work waits and does not move."),
    "coachops_webhooks_off": Metric("gauge", "Webhooks that are switched off."),
    "coachops_webhook_deliveries_waiting": Metric("gauge", "Deliveries of webhooks on their way."),
    "coachops_webhook_deliveries_oldest_waiting_seconds": Metric(
        "gauge", "Age of the oldest of them."
    ),
    "coachops_webhook_deliveries": Metric(
        "gauge", "Deliveries that ended within a day, by what became of them.", ("outcome",)
    ),
}
"""Name -> what it is."""


class RequestFigures:
    """Counts requests; used from the event loop only, so it needs no lock."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)

    def add(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answered request; status 0 (no answer began) counts as 499."""
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._counts[method, route, status or 499] += 1
        self._seconds[route] += seconds
        place = next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        self._buckets[route][place] += 1

    def lines(self) -> list[str]:
        """The figures, one sample a line."""
        lines = _head(_REQUESTS)
        for (method, route, status), count in sorted(self._counts.items()):
            labels = f'method="{method}",route="{_escaped(route)}",status="{status}"'
            lines.append(f"{_REQUESTS}{{{labels}}} {count}")
        lines += _head(_SECONDS)
        for route, buckets in sorted(self._buckets.items()):
            name = _escaped(route)
            running = 0
            for bound, count in zip((*BUCKETS, "+Inf"), buckets, strict=True):
                running += count
                lines.append(f'{_SECONDS}_bucket{{route="{name}",le="{bound}"}} {running}')
            lines.append(f'{_SECONDS}_sum{{route="{name}"}} {self._seconds[route]:.6f}')
            lines.append(f'{_SECONDS}_count{{route="{name}"}} {running}')
        return lines


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def gauge(name: str, value: float) -> list[str]:
    """A gauge of `METRICS` without labels."""
    return [*_head(name), f"{name} {value}"]


def gauges(name: str, values: Mapping[str, float]) -> list[str]:
    """A gauge of `METRICS` with one label, by the label's values."""
    (label,) = METRICS[name].labels
    return _head(name) + [
        f'{name}{{{label}="{_escaped(each)}"}} {value}' for each, value in values.items()
    ]


def metrics_markdown() -> str:
    """The guide's page."""
    lines = [
        "# Metrics\n",
        "`GET /metrics` answers in the text format of Prometheus. It holds counts only; figures of a "
        "database that is away are left out.\n",
        "| name | type | labels | tells |",
        "|---|---|---|---|",
    ]
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{each}`" for each in metric.labels)
        lines.append(f"| `{name}` | {metric.kind} | {labels} | {metric.text} |")
    return "\n".join(lines) + "\n"


def _head(name: str) -> list[str]:
    metric = METRICS[name]
    return [f"# HELP {name} {metric.text}", f"# TYPE {name} {metric.kind}"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
