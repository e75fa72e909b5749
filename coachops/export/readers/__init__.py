"""Reading datasets as typed record batches, in constant memory.

`postgres` receives COPY in its binary form and `copy_binary` decodes it; `sqlite` reads a file with
a second SQLite library, in processes of its own; `plain` reads within a transaction that is open
already, on both databases. Invariants: types come from the registry and never from data; rows come
in the dataset's order; a value that no format can hold is refused and its row named.
"""

from coachops.export.readers.plain import read_batches

__all__ = ["read_batches"]
