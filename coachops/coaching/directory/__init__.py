"""Coaches, clients, engagements and sessions kept in step by external id.

Other systems write rows one by one (`inbound`) or many at once (`batch`), a roster file writes them
by the same fields and helpers (`model`, `writing`); a coach leaves by `leaving`. Nothing is overwritten silently: what was
changed here since a source's last write is a conflict that names the fields.
To add a field: its line in `model`, its value in `reading`, and `inbound` where it needs a rule.
"""
