"""The stage in PostgreSQL: a schema in a real server, which each stage of a process finds as empty as a new one.

The server is the one that the store's own tests use.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sequencer.engine.storage import Store
from sequencer.stores.postgres import SCHEMA, PostgresDatabase, PostgresStore
from tests import postgres
from tests.faults.stages import SECRET, Stage

__all__ = ["PostgresStage"]

_schemas: dict[str, str] = {}


class PostgresStage(Stage):
    """A schema of this process's own, with nothing in it."""

    name = "postgres"

    def __init__(self, folder: Path, dsn: str | None = None) -> None:
        super().__init__(folder)
        dsn = dsn or postgres.server()
        # By its name its connections are told from those of others.
        self.application = f"faults {os.getpid()}"
        self.dsn = make_conninfo(dsn, application_name=self.application)
        known = dsn in _schemas
        self.schema = _schemas.setdefault(dsn, _schemas.get(dsn) or postgres.new_schema())
        self.address = f"postgres:{self.schema}:{self.dsn}"
        if known:
            _emptied(self.dsn, self.schema)

    def store(self) -> Store:
        self._stores.append(_store(self.dsn, self.schema))
        return self._stores[-1]

    @staticmethod
    def opened(where: str, *, check: bool, step: Callable[[str], None] | None) -> Any:
        """The store at what stands behind the colon of an address."""
        schema, _, dsn = where.partition(":")
        if step is not None:
            _watch(step)
        return _store(dsn, schema, check=check)

    def at_schema(self, schema: int) -> None:
        script = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema))
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(script)
            unmade = _store(self.dsn, self.schema, check=False)
            connection.execute("\n".join(unmade.migrate(dry_run=True)[:schema]).encode())
            unmade.close()

    def schema_found(self) -> int:
        try:
            return int(self._rows("SELECT max(version) FROM {}.sequencer_migrations")[0][0] or 0)
        except psycopg.errors.UndefinedTable:
            return 0

    def note_schema(self, schema: int) -> None:
        self._rows(f"INSERT INTO {{}}.sequencer_migrations VALUES ({schema}, 'of the future', 'after') RETURNING 1")

    def contents(self) -> Any:
        return {name: self._rows(f"SELECT * FROM {{}}.{name} AS t ORDER BY t") for name in self.tables()}

    def tables(self) -> list[str]:
        """The names of all tables, in order."""
        return [
            name for (name,) in self._rows("SELECT tablename FROM pg_tables WHERE schemaname = {:L} ORDER BY tablename")
        ]

    def run(self, *statements: str) -> None:
        """Each of these, in which `{}` is the schema; from outside, as the server's own administrator."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for each in statements:
                connection.execute(self._written(each))

    def _rows(self, statement: str) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            rows: list[Any] = connection.execute(self._written(statement)).fetchall()
            return rows

    def _written(self, statement: str) -> bytes:
        text = statement.replace("{:L}", sql.Literal(self.schema).as_string(None))
        return text.replace("{}", sql.Identifier(self.schema).as_string(None)).encode()

    def store_with(self, origin: str) -> Any:
        store: Any = self.store()
        meta = sql.Identifier(self.schema, "sequencer_meta")
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for name, value in (("origin", origin), ("secret", SECRET.hex())):
                connection.execute(sql.SQL("UPDATE {} SET value = %s WHERE name = %s").format(meta), (value, name))
        store._known = None
        return store


def _store(dsn: str, schema: str, *, check: bool = True) -> Any:
    return PostgresStore(dsn, schema=schema, lock_timeout=20, check=check)


def _watch(step: Callable[[str], None]) -> None:
    """From now on each statement of a migration in this process is told before it is run."""
    database: Any = PostgresDatabase
    control = database.control

    def told(self: Any, statement: str) -> None:
        step(statement)
        control(self, statement)

    database.control = told


def _emptied(dsn: str, schema: str) -> None:
    """Without a row, and with ids from 1 on again."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        named = connection.execute(
            "SELECT c.relkind::text, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'S')",
            (schema,),
        ).fetchall()
        migrated = sql.Identifier(schema, "sequencer_migrations")
        newest = sql.SQL("SELECT max(version) FROM {}").format(migrated)
        if not named or connection.execute(newest).fetchone() != (SCHEMA,):
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
            return
        kept = ("sequencer_migrations", "sequencer_meta")
        tables = [sql.Identifier(schema, name) for kind, name in named if kind == "r" and name not in kept]
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
        for kind, name in named:
            if kind == "S":
                connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(schema, name)))
