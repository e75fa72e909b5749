"""Databases of PostgreSQL that one test after another gets, each empty and as if it were new.

To copy the template is to make some 600 files, and to drop the copy is to delete them: ext4 looks
through all files deleted a moment ago before it makes one, so that each test waited half a second and
more. Here a database goes back to where it was: the rows of the template, its sequences, a new name
(who still knows the old one finds nothing there). One whose schema, rights or settings are not the
template's any more is dropped.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tests.support.postgres import PostgresServer, alone

_FINGERPRINT = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
    SELECT format('database %s %s %s %s %s', datacl, dattablespace, datconnlimit, datallowconn, datdba)
    FROM pg_database WHERE datname = current_database()
  UNION ALL SELECT format('setting %s %s', setrole, setconfig) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL SELECT format('schema %s %s', nspname, nspacl) FROM pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT format('relation %s %s %s %s %s %s %s %s', n.nspname, relname, relkind, relacl, relowner,
                          relrowsecurity, reloptions, reltablespace, reltuples > 0)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE n.nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT format('column %s %s %s %s %s %s %s %s%s', attrelid, attnum, attname,
                          format_type(atttypid, atttypmod), attnotnull, attacl,
                          pg_get_expr(adbin, adrelid), attidentity, attgenerated)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid >= 16384 AND attnum > 0
  UNION ALL SELECT format('trigger %s %s %s', tgname, tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger
  UNION ALL SELECT format('policy %s %s', polrelid, polname) FROM pg_policy
  UNION ALL SELECT format('view %s %s', viewname, definition) FROM pg_views WHERE schemaname = 'public'
  UNION ALL SELECT format('type %s %s', typname, typtype) FROM pg_type WHERE oid >= 16384
  UNION ALL SELECT format('function %s %s %s %s', pronamespace, proname, md5(prosrc), proacl)
    FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT format('constraint %s %s %s %s', conrelid, conname, convalidated,
                          pg_get_constraintdef(oid))
    FROM pg_constraint WHERE oid >= 16384
  UNION ALL SELECT format('index %s %s', indisvalid, pg_get_indexdef(indexrelid))
    FROM pg_index WHERE indexrelid >= 16384
  UNION ALL SELECT format('extension %s', extname) FROM pg_extension
  UNION ALL SELECT format('publication %s', pubname) FROM pg_publication
) all_lines(line)
"""
_TABLES = """
SELECT c.oid::regclass::text, pg_relation_size(c.oid) FROM pg_class c
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1
"""
_SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), last_value, start_value FROM pg_sequences ORDER BY 1
"""
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid()
"""
_LARGE = 128 * 1024
"""Bytes from which a table is emptied by new files: deleted rows would slow down later tests."""


@dataclass(frozen=True, slots=True)
class _State:
    """What a database is when it is new."""

    fingerprint: str
    rows: dict[str, bytes]
    sequences: dict[str, tuple[int, bool]]


class Copies:
    """Copies of a template of a server. `take` gives one, `give_back` gets it again."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server, self._template = server, template
        self._free: list[str] = []
        self._state: _State | None = None
        self._named, self._mine = 0, secrets.token_hex(4)

    def take(self) -> str:
        """The SQLAlchemy URL of a database that is as the template is."""
        if self._free:
            return self._server.url(self._free.pop())
        url = self._server.create(template=self._template)
        if self._state is None:
            with self._server.connect(url.rpartition("/")[2]) as connection:
                self._state = _seen(connection)
        return url

    def give_back(self, url: str) -> None:
        """Make it new again, whoever is still connected; drop it where that cannot be done."""
        name = url.rpartition("/")[2]
        state = self._state
        with self._server.connect() as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if state is None or found.fetchone() is None:
                return
            self._named += 1
            fresh = f"{self._template}_{self._mine}_{self._named}"

            def rename() -> None:
                connection.execute(_TERMINATE, [name])
                connection.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier(name), sql.Identifier(fresh)
                    )
                )

            try:
                alone(rename)
            except (psycopg.Error, AssertionError):
                self._server.drop(url)
                return
        if self._restored(fresh, state):
            self._free.append(fresh)
        else:
            self._server.drop(self._server.url(fresh))

    def _restored(self, name: str, state: _State) -> bool:
        """Whether the database could be put back into the state."""
        try:
            with self._server.connect(name) as connection:
                return _restore(connection, state)
        except psycopg.Error:
            return False


def _seen(connection: psycopg.Connection) -> _State:
    rows = {}
    for table, _ in connection.execute(_TABLES).fetchall():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
            if data := b"".join(map(bytes, copy)):
                rows[table] = data
    return _State(_fingerprint(connection), rows, _sequences(connection))


def _restore(connection: psycopg.Connection, state: _State) -> bool:
    if _fingerprint(connection) != state.fingerprint:
        return False
    tables = connection.execute(_TABLES).fetchall()
    large = [name for name, size in tables if size >= _LARGE]
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")  # no trigger, no check
        emptied = [f"DELETE FROM {name}" for name, size in tables if 0 < size < _LARGE]  # noqa: S608
        if large:
            emptied.append(f"TRUNCATE {', '.join(large)} CASCADE")
        if emptied:
            connection.execute(";".join(emptied))
        for table, data in state.rows.items():
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(data)
        now = _sequences(connection)
        for name, (value, called) in state.sequences.items():
            if now[name] != (value, called):
                connection.execute("SELECT setval(%s, %s, %s)", [name, value, called])
    return True


def _fingerprint(connection: psycopg.Connection) -> str:
    row = connection.execute(_FINGERPRINT).fetchone()
    assert row is not None
    return str(row[0])


def _sequences(connection: psycopg.Connection) -> dict[str, tuple[int, bool]]:
    """Name of each sequence -> value, and whether it was given out."""
    return {
        name: (start if last is None else last, last is not None)
        for name, last, start in connection.execute(_SEQUENCES)
    }
