"""The fault matrix: what is injected and how it must end. `make faults` prints it with results.

A test claims rows with `@pytest.mark.faults(1, 2)`, wherever it stands; a row without a passed test
counts as not survived.
"""

from __future__ import annotations

MATRIX: dict[int, tuple[str, str]] = {
    1: ("kill -9 of the primary database", "writes wait, then succeed; none lost"),
    2: ("standby lags, then failover, synchronous", "as 1"),
    3: ("standby lags, then failover, asynchronous", "the loss is counted and shown as RPO > 0"),
    4: ("a wait for the standby is cancelled", "COACH-DB-004, never acknowledged falsely"),
    5: ("the answer of a COMMIT is lost", "one row only"),
    6: ("both database servers down", "503 with Retry-After; what was shown stays; nothing lost"),
    7: ("the old primary returns", "it is not written to"),
    8: ("the connection pool is exhausted", "COACH-DB-003 within its limit"),
    9: ("the database host swallows packets", "fails within its limit"),
    10: ("SQLite is locked by another process", "waits, then COACH-DB-002"),
    11: ("the disk is full", "a clear error; the database is intact"),
    12: ("a page of SQLite is corrupted", "refuses to start and names the restore command"),
    13: ("kill -9 in the middle of writing", "integrity holds; acknowledged rows are there"),
    14: ("AI: 429 with Retry-After 1", "success later"),
    15: ("AI: Retry-After 600", "the job is rescheduled"),
    16: ("AI: quota used up", "no retry; says billing"),
    17: ("AI: every call fails for minutes", "a labelled stand-in; the budget is kept"),
    18: ("AI: no answer", "ends at the deadline"),
    19: ("AI: one byte at a time", "ends at the deadline"),
    20: ("AI: body cut off", "tried again"),
    21: ("AI: 200 with a web page", "COACH-AI-004"),
    22: ("AI: malformed JSON", "COACH-AI-005"),
    23: ("AI: answer cut by length", "asked for in parts; no half answer kept"),
    24: ("AI: stream cut", "thrown away and tried again"),
    25: ("AI: the context is too long", "asked for in parts"),
    26: ("AI: the key is refused", "no retry; names the setting"),
    27: ("a worker is killed at item 37 of 100", "the rest is done; no paid call repeated"),
    28: ("a notebook fails inside a batch of reports", "the others are delivered"),
    29: ("transcript in UTF-16, cp1252, with BOM", "imported"),
    30: ("transcript with NUL, control and bidi characters", "cleaned; the original is kept"),
    31: ("a cue with impossible times", "quarantined with its line; the others imported"),
    32: ("a cue text with an arrow", "every arrow line parsed or reported"),
    33: ("zip bomb as DOCX", "refused at once"),
    34: ("XML entity bomb", "refused"),
    35: ("a cell that is a formula", "escaped; the value round-trips"),
    36: ("<script> in a name", "inert on every page"),
    37: ("prompt injection in a transcript", "result and recipients unchanged; flagged"),
    38: ("the same upload many times at once", "one record"),
    39: ("the clock jumps a day", "breakers, tokens and jobs stay sane"),
    40: ("a byte of a backup is flipped", "the drill fails and says so"),
    41: ("a backup is killed half-way", "never listed as good"),
    42: ("point-in-time recovery after a DELETE", "the digest is equal"),
    43: ("the backup key is lost", "the drill is red before the disaster"),
    44: ("an audit row is edited", "the break is located"),
    45: ("a token is expired, revoked, of another scope", "401 or 403 as problem+json"),
}
"""Number -> (what is injected, how it must end)."""
