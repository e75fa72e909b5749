"""The change feed for followers: pages after a cursor, digests to compare, the hand-over from a bulk.

Invariants: what a follower may not see is in no page, not even as a key it never had; a follower that
reads on ends equal to the database, proved by the digest; cursors of another filter, database or
history are refused. Rows are encoded as the JSON Lines format does.
"""

from coachops.export.feed.cursor import Cursor
from coachops.export.feed.digests import BUCKETS, Bucket, FeedDigest, bucket_of, digest
from coachops.export.feed.handing import Handoff, handoff
from coachops.export.feed.pages import MOST, Page, page, resume
from coachops.export.feed.selecting import Seen, seen_by

__all__ = [
    "BUCKETS",
    "MOST",
    "Bucket",
    "Cursor",
    "FeedDigest",
    "Handoff",
    "Page",
    "Seen",
    "bucket_of",
    "digest",
    "handoff",
    "page",
    "resume",
    "seen_by",
]
