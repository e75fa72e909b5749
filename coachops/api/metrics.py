"""Figures of this process in Prometheus' text format: requests by route, sign-ins, kernels.

Labels are route templates, never addresses as typed: those may hold ids or tokens.
"""

from __future__ import annotations

from collections import defaultdict

from starlette.types import Scope

BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency histogram, in seconds."""


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
        lines = [
            "# HELP coachops_http_requests_total Requests answered by this process.",
            "# TYPE coachops_http_requests_total counter",
        ]
        for (method, route, status), count in sorted(self._counts.items()):
            labels = f'method="{method}",route="{_escaped(route)}",status="{status}"'
            lines.append(f"coachops_http_requests_total{{{labels}}} {count}")
        lines += [
            "# HELP coachops_http_request_seconds Time to answer, by route.",
            "# TYPE coachops_http_request_seconds histogram",
        ]
        for route, buckets in sorted(self._buckets.items()):
            name = _escaped(route)
            running = 0
            for bound, count in zip((*BUCKETS, "+Inf"), buckets, strict=True):
                running += count
                lines.append(
                    f'coachops_http_request_seconds_bucket{{route="{name}",le="{bound}"}} {running}'
                )
            lines.append(
                f'coachops_http_request_seconds_sum{{route="{name}"}} {self._seconds[route]:.6f}'
            )
            lines.append(f'coachops_http_request_seconds_count{{route="{name}"}} {running}')
        return lines


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def gauge(name: str, text: str, value: float) -> list[str]:
    """One gauge."""
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
