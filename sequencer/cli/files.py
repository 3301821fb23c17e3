"""The files that commands are given: definitions, and the one that a store is in."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sequencer.cli.options import Refusal, identifier
from sequencer.core.sequence import Sequence
from sequencer.engine.engine import Engine

__all__ = ["connected", "of_account", "opened", "read_definition", "store_file"]

_SQLITE = b"SQLite format 3\0"


def read_definition(path: str) -> Sequence:
    """The sequence in a definition file."""
    from sequencer.definitions import load

    return load(path)


def store_file(name: str, *, create: bool = False) -> Path:
    """The path of a store's file; unless it is to be created, it is there already and holds a store."""
    path = Path(name)
    try:
        if path.is_dir():
            raise Refusal(f"{name} is a folder; --db names a file")
        if not path.exists():
            if not create:
                raise Refusal(f"there is no file {name}; `sequencer enroll` makes one")
            if not path.absolute().parent.is_dir():
                raise Refusal(f"there is no folder {path.parent} to make {path.name} in")
            return path
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE))
    except ValueError as error:  # a NUL in the name
        raise Refusal(f"{name!r} is no file name: {error}") from None
    if begins and begins != _SQLITE:
        raise Refusal(f"{name} is no SQLite file; it begins with {begins[:12]!r}")
    if not begins and not create:
        raise Refusal(f"{name} is empty; `sequencer enroll` makes a store of it")
    if not create and not _holds_store(path):
        # The store would put its tables into any database, which is right for `enroll` and a surprise for `list`.
        raise Refusal(f"{name} is an SQLite file, but holds no store; `sequencer enroll` makes one in it")
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
    """An engine on the store that `--db` names, for `--account` if that is given. `parts` are its other arguments."""
    from sequencer.stores.sqlite import SQLiteStore

    path = store_file(arguments.db, create=create)
    with closing(SQLiteStore(str(path))) as store:
        yield of_account(Engine(store=store, **parts), arguments.account)


def of_account(engine: Engine, account: str | None) -> Engine:
    """The engine for the account that was typed."""
    return engine if account is None else engine.account(identifier(account, "--account"))
