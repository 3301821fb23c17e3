"""The stage in PostgreSQL: a schema in a real server, which each stage of a process finds as empty as a new one.

It is there as soon as the store is (`sequencer.stores.postgres`), with the server that its own tests use.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from sequencer.engine.storage import Store
from tests.faults.stages import SECRET, STAGES, Stage

__all__ = ["PostgresStage"]

psycopg: Any = import_module("psycopg")
conninfo: Any = import_module("psycopg.conninfo")
sql: Any = import_module("psycopg.sql")

_schemas: dict[str, str] = {}


class PostgresStage(Stage):
    """A schema of this process's own, with nothing in it."""

    name = "postgres"

    def __init__(self, folder: Path, dsn: str | None = None) -> None:
        super().__init__(folder)
        servers = import_module("tests.postgres")
        dsn = dsn or servers.server()
        assert dsn is not None
        # By its name its connections are told from those of others.
        self.application = f"faults {os.getpid()}"
        self.dsn = conninfo.make_conninfo(dsn, application_name=self.application)
        known = dsn in _schemas
        self.schema = _schemas.setdefault(dsn, _schemas.get(dsn) or servers.new_schema())
        self.address = f"postgres:{self.schema}:{self.dsn}"
        if known:
            _emptied(self.dsn, self.schema)

    def store(self) -> Store:
        self._stores.append(_store(self.dsn, self.schema))
        return self._stores[-1]

    @staticmethod
    def opened(where: str) -> Store:
        """The store at what stands behind the colon of an address."""
        schema, _, dsn = where.partition(":")
        return _store(dsn, schema)

    def store_with(self, origin: str) -> Any:
        store: Any = self.store()
        meta = sql.Identifier(self.schema, "sequencer_meta")
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for name, value in (("origin", origin), ("secret", SECRET.hex())):
                connection.execute(sql.SQL("UPDATE {} SET value = %s WHERE name = %s").format(meta), (value, name))
        store._known = None
        return store


def _store(dsn: str, schema: str) -> Store:
    made: Store = import_module("sequencer.stores.postgres").PostgresStore(dsn, schema=schema, lock_timeout=20)
    return made


def _emptied(dsn: str, schema: str) -> None:
    """Without a row, and with ids from 1 on again."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        named = connection.execute(
            "SELECT c.relkind::text, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'S')",
            (schema,),
        ).fetchall()
        kept = ("sequencer_migrations", "sequencer_meta")
        tables = [sql.Identifier(schema, name) for kind, name in named if kind == "r" and name not in kept]
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))
        for kind, name in named:
            if kind == "S":
                connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(schema, name)))


STAGES["postgres"] = PostgresStage
