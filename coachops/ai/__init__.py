"""The AI layer: one gateway in front of engines that return the same typed result.

Invariants: everything that leaves the machine passes `gateway` (logged by host, size and digest,
names replaced by placeholders); engines propose and `coaching.citations` checks; counts come from
`counts`, never from a model; `openai` is imported by `providers.openai` alone, at the first call.
To add an engine: a package in `providers/` with `analyse`, and its row in `gateway`.
"""
