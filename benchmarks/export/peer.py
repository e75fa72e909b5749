"""One peer in a process of its own; prints what it took as JSON. Runs in `benchmarks/peers`.

peer.py NAME DATABASE OUT ROWS, where DATABASE is the file of SQLite or the port of PostgreSQL
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

COLUMNS = (
    "u.id, u.transcript_id, t.source_name, u.position, u.speaker, u.start_ms, u.end_ms, u.text, "
    "CASE WHEN u.speaker = 'coach' THEN u.behaviour END AS behaviour"
)
ORDER = "ORDER BY u.transcript_id, u.position"


def select(schema: str = "") -> str:
    """The rows of the dataset, as anybody would ask for them."""
    return (
        f"SELECT {COLUMNS} FROM {schema}utterances u JOIN {schema}transcripts t "  # noqa: S608 our own
        "ON t.id = u.transcript_id WHERE NOT u.is_cut"
    )


def duckdb_parquet(kind: str, where: str, out: str, _rows: int) -> Any:
    """DuckDB's scanner into Parquet with zstd; it gives no order unless it is asked to sort."""
    import duckdb

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute("SET threads = 2")
    package = __import__(f"duckdb_extension_{kind}_scanner")
    extension = f"extensions/v{duckdb.__version__}/{kind}_scanner.duckdb_extension"
    connection.execute(f"LOAD '{Path(package.__file__).parent / extension}'")
    address = where if kind == "sqlite" else f"host=127.0.0.1 port={where} user=coachops"
    address += "" if kind == "sqlite" else " dbname=coachops"
    connection.execute(f"ATTACH '{address}' AS source (TYPE {kind}, READ_ONLY)")

    def work() -> None:
        connection.execute(
            f"COPY ({select('source.')}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )

    return work


def pandas_frame(kind: str, where: str, out: str, rows: int) -> Any:
    """`read_sql` in chunks, then pandas' own writer."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    import sqlalchemy as sa

    url = f"sqlite:///{where}"
    if kind == "postgres":
        url = f"postgresql+psycopg://coachops@127.0.0.1:{where}/coachops"
    engine = sa.create_engine(url)
    query = f"{select()} {ORDER} LIMIT {rows}"

    def work() -> None:
        with engine.connect().execution_options(stream_results=True) as connection:
            chunks = pd.read_sql(sa.text(query), connection, chunksize=50_000)
            if out.endswith(".parquet"):
                writer = None
                for chunk in chunks:
                    for name in ("id", "transcript_id"):
                        chunk[name] = chunk[name].astype(str)
                    for name in ("start_ms", "end_ms"):
                        chunk[name] = chunk[name].astype("Int64")
                    table = pa.Table.from_pandas(chunk, preserve_index=False)
                    writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
                    writer.write_table(table)
                if writer is not None:
                    writer.close()
                return
            with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123 as people write it
                for number, chunk in enumerate(chunks):
                    if out.endswith(".csv"):
                        chunk.to_csv(file, index=False, header=number == 0)
                    else:
                        chunk["id"] = chunk["id"].astype(str)
                        chunk["transcript_id"] = chunk["transcript_id"].astype(str)
                        chunk.to_json(file, orient="records", lines=True, force_ascii=False)

    return work


def main(arguments: list[str]) -> None:
    """Run the peer and print the figures."""
    name, where, out, rows = arguments
    tool, kind = name.split("-")[:2]
    made = {"duckdb": duckdb_parquet, "pandas": pandas_frame}[tool]
    work = made(kind, where, out, int(rows))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    wall, cpu = time.perf_counter(), usage.ru_utime + usage.ru_stime
    work()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "wall": time.perf_counter() - wall,
        "cpu": usage.ru_utime + usage.ru_stime - cpu,
        "rows": int(rows),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
