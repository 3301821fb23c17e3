"""A Django project for the tests: one model, and the databases that they ask for, SQLite files and PostgreSQL schemas.

Settings are made once for a process; a database is added under a new alias for each test that asks.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import django
import psycopg
from django.conf import settings
from psycopg import sql

from tests import postgres

KINDS = ["sqlite", "postgres"]
_numbers = itertools.count(1)

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["tests.hosts.crm", "sequencer.adapters.django"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        TIME_ZONE="America/New_York",
    )
    django.setup()

from django.db import connections  # noqa: E402 - once there are settings

from tests.hosts.crm.models import Lead  # noqa: E402

__all__ = ["KINDS", "Database", "Lead"]


with connections["default"].schema_editor() as _editor:
    _editor.create_model(Lead)


class Database:
    """A new database with the project's own tables: its alias, and a connection to it past Django."""

    def __init__(self, kind: str, folder: Path, **options: Any) -> None:
        self.alias = f"{kind}-{next(_numbers)}"
        self.kind = kind
        self.schema = "public"
        if kind == "sqlite":
            self.path = folder / f"{self.alias}.db"
            given: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": self.path}
        else:
            self.schema = postgres.new_schema()
            with postgres.connect(autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self.schema)))
            parts = psycopg.conninfo.conninfo_to_dict(postgres.server())
            named = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
            path = f'"{self.schema}"'.replace(" ", "\\ ")
            given = {
                "ENGINE": "django.db.backends.postgresql",
                **{name: str(parts.get(part) or "") for name, part in named.items()},
                "OPTIONS": {"options": f"-c search_path={path}"},
            }
        given["OPTIONS"] = {**given.get("OPTIONS", {}), **options}
        connections.settings[self.alias] = {**connections.settings["default"], **given}
        with connections[self.alias].schema_editor() as editor:
            editor.create_model(Lead)

    def connect(self) -> Any:
        """A connection that knows nothing of Django."""
        if self.kind == "sqlite":
            import sqlite3

            return sqlite3.connect(self.path, timeout=0.2)
        connection = postgres.connect()
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(self.schema)))
        connection.commit()
        return connection

    def count(self, table: str) -> int:
        """How many rows of a table somebody else sees; 0 where there is no such table."""
        connection = self.connect()
        try:
            if not self.has(table, connection):
                return 0
            ((rows,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
            return int(rows)
        finally:
            connection.close()

    def has(self, table: str, connection: Any = None) -> bool:
        """Whether somebody else sees such a table."""
        if connection is None:
            connection = self.connect()
            try:
                return self.has(table, connection)
            finally:
                connection.close()
        if self.kind == "sqlite":
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
        else:
            found = connection.execute("SELECT 1 WHERE to_regclass(%s) IS NOT NULL", (table,))
        return found.fetchone() is not None

    def close(self) -> None:
        """Close the connection of this thread, and forget the alias."""
        connections[self.alias].close()
        del connections[self.alias]
        del connections.settings[self.alias]
