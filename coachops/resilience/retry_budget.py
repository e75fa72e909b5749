"""How many retries a service is spared: a bucket of tokens that first tries fill.

With `ratio` 0.1 there are at most 1.1 requests for a call over any long stretch, plus the bucket's
content, however many processes call. A trickle by time lets small installations retry again after
an outage. (The retry budget of Finagle, and "Handling Overload" in Google's SRE book, 2016.)
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is in it, and when the trickle was last added."""

    tokens: float
    filled_at: dt.datetime


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """The policy.

    Attributes:
        ratio: tokens that a first try adds; a retry takes one.
        size: of the bucket, which starts full.
        per_minute: tokens of the trickle.
    """

    ratio: float = 0.1
    size: float = 10.0
    per_minute: float = 1.0

    def fresh(self, now: dt.datetime) -> Bucket:
        """A full bucket."""
        return Bucket(self.size, now)

    def first_try(self, bucket: Bucket, now: dt.datetime) -> Bucket:
        """After a first try."""
        return Bucket(min(self.size, self._filled(bucket, now) + self.ratio), now)

    def retry(self, bucket: Bucket, now: dt.datetime) -> tuple[bool, Bucket]:
        """Whether a retry may be made, and what is left."""
        tokens = self._filled(bucket, now)
        granted = tokens > 1 - 1e-6  # ten tenths are one
        return granted, Bucket(max(0.0, tokens - 1) if granted else tokens, now)

    def _filled(self, bucket: Bucket, now: dt.datetime) -> float:
        minutes = max(0.0, (now - bucket.filled_at).total_seconds() / 60)  # a clock set back: 0
        return min(self.size, bucket.tokens + minutes * self.per_minute)
