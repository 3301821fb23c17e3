"""Where a store is: what `--db` names, a file or a database of PostgreSQL."""

from __future__ import annotations

import argparse
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs

from sequencer.cli.elsewhere import redirected
from sequencer.cli.options import Refusal, identifier
from sequencer.core.errors import InvalidInput, NotFound, SchemaMismatch
from sequencer.engine.engine import Engine
from sequencer.engine.storage import Store
from sequencer.stores.examination import Examination
from sequencer.stores.sqlite import SCHEMA, SUPPORTED, SQLiteStore

__all__ = ["Place", "SQLStore", "connected", "of_account", "opened", "place_of"]

_SQLITE = b"SQLite format 3\0"
_URLS = ("postgresql://", "postgres://")
_LIBPQ = re.compile(r"\s*(host|hostaddr|port|dbname|user|password|service)\s*=")


class SQLStore(Store, Protocol):
    """A store with tables."""

    def examine(self) -> Examination:
        """What is in it."""
        ...

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Bring its tables up to this release."""
        ...


@attrs.frozen
class Place:
    """Where a store is. `shown` names it without a password; `path` is that of a file, and None in PostgreSQL."""

    shown: str
    path: Path | None = None
    url: str = attrs.field(default="", repr=False)
    schema: str = "public"

    def store(self, *, check: bool = True) -> SQLStore:
        """The store there."""
        if self.path is not None:
            return SQLiteStore(str(self.path), check=check)
        from sequencer.stores.postgres import PostgresStore

        return PostgresStore(self.url, schema=self.schema, check=check)

    @property
    def is_new(self) -> bool:
        """Whether there is no store yet."""
        if self.path is None:
            return self.schemas()[0] == 0
        return not self.path.exists() or not self.path.stat().st_size or not _holds_store(self.path)

    def schemas(self) -> tuple[int, int, tuple[int, ...]]:
        """The version of the tables that are there (0: there are none), that of this release, and what it runs on."""
        newest, supported = SCHEMA, SUPPORTED
        if self.path is None:
            from sequencer.stores import postgres

            newest, supported = postgres.SCHEMA, postgres.SUPPORTED
        with closing(self.store(check=False)) as store:
            try:
                return newest - len(store.migrate(dry_run=True)), newest, supported
            except SchemaMismatch as error:
                return error.found, newest, supported


def place_of(arguments: argparse.Namespace, *, create: bool = False, maker: str = "enroll") -> Place:
    """What `--db` names; unless it is to be created, it is there already and holds a store.

    `maker` is the command to name that would make it.
    """
    if arguments.db.startswith(_URLS):
        return _database(arguments.db, "public" if arguments.schema is None else arguments.schema, maker, create=create)
    if _LIBPQ.match(arguments.db):
        # It may hold a password, and would be the name of a new file.
        raise Refusal("--db names a file, or a database as postgresql://USER@HOST/DATABASE (?OPTION=VALUE&...)")
    if arguments.schema is not None:
        raise Refusal("--schema is for PostgreSQL; --db names a file")
    return Place(arguments.db, _file(arguments.db, maker, create=create))


def _database(url: str, schema: str, maker: str, *, create: bool) -> Place:
    try:
        from sequencer.stores.postgres import PostgresStore
        from sequencer.stores.postgres_connections import shown

        # Made once to have the arguments looked at; it opens nothing yet.
        PostgresStore(url, schema=schema, check=False)
        place = Place(f"{shown(url)}, schema {schema!r}", url=url, schema=schema)
    except ModuleNotFoundError as error:
        raise Refusal(f"{error}; --db names a database of PostgreSQL") from None
    except InvalidInput as error:
        raise Refusal(f"--{'db' if error.path == 'dsn' else error.path} {error.message}") from None
    if not create and place.schemas()[0] == 0:
        # The store would make its tables, which is right for `enroll` and a surprise for `list`.
        raise Refusal(f"there is no store in {place.shown}; `sequencer {maker}` makes one")
    return place


def _file(name: str, maker: str, *, create: bool) -> Path:
    """The path of a store's file; unless it is to be created, it is there already and holds a store."""
    path = Path(name)
    try:
        if path.is_dir():
            raise Refusal(f"{name} is a folder; --db names a file")
        if not path.exists():
            if not create:
                raise Refusal(f"there is no file {name}; `sequencer {maker}` makes one")
            if not path.absolute().parent.is_dir():
                raise Refusal(f"there is no folder {path.parent} to make {path.name} in")
            return path
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE))
    except ValueError as error:  # a NUL in the name
        raise Refusal(f"{name!r} is no file name: {error}") from None
    if begins and begins != _SQLITE:
        raise Refusal(f"{name} is no SQLite file; it begins with {begins[:12].decode('latin-1')!a}")
    if not begins and not create:
        raise Refusal(f"{name} is empty; `sequencer {maker}` makes a store of it")
    if not create and not _holds_store(path):
        # The store would put its tables into any database, which is right for `enroll` and a surprise for `list`.
        raise Refusal(f"{name} is an SQLite file, but holds no store; `sequencer {maker}` makes one in it")
    return path


def _holds_store(path: Path) -> bool:
    try:
        with closing(connected(path)) as connection:
            found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sequencer_migrations'")
            return bool(found.fetchone()[0])
    except sqlite3.OperationalError:
        return True  # locked, or not to be opened: the store will say so
    except sqlite3.DatabaseError as error:
        raise Refusal(f"{path} cannot be read as an SQLite file: {error}") from None


def connected(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there, for looking at what the store's own doors do not show."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def opened(arguments: argparse.Namespace, *, create: bool = False, **parts: Any) -> Iterator[Engine]:
    """An engine on the store that `--db` names, for `--account` if that is given. `parts` are its other arguments.

    What is not found is refused, and the refusal says where it is, where that may be said.
    """
    with closing(place_of(arguments, create=create).store()) as store:
        engine = of_account(Engine(store=store, **parts), arguments.account)
        try:
            yield engine
        except NotFound as error:
            raise redirected(error, engine, arguments) from None


def of_account(engine: Engine, account: str | None) -> Engine:
    """The engine for the account that was typed."""
    return engine if account is None else engine.account(identifier(account, "--account"))
