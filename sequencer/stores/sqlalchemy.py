"""A store in a database that the host reaches with SQLAlchemy, through the host's own pool of connections.

What the engine does by itself is a transaction on a connection of the pool. What belongs to a transaction of the host's
is told so: every verb takes `connection=session`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sequencer.core.errors import InvalidInput, Misuse
from sequencer.engine.storage import Transaction
from sequencer.stores.framework import FrameworkStore
from sequencer.stores.hosted import driver_connection

try:
    from sqlalchemy import Engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.orm import sessionmaker
except ModuleNotFoundError as error:  # pragma: no cover - the extra is there in every test
    raise ModuleNotFoundError(
        "SQLAlchemyStore needs SQLAlchemy 2: pip install 'sequencer[sqlalchemy]'", name="sqlalchemy"
    ) from error

__all__ = ["SQLAlchemyStore"]


class SQLAlchemyStore(FrameworkStore):
    """Enrollments in a database of SQLAlchemy's: SQLite, or PostgreSQL with psycopg 3 (`postgresql+psycopg://`).

    `bind` is the `Engine`, or a `sessionmaker` whose sessions lead there. In PostgreSQL, `schema` is the schema that
    the tables live in. A database without the store's tables gets them; tables that this release does not run on are
    refused with `SchemaMismatch`, unless `check=False`, which is for `migrate`.

    It may be used from any thread, as far as the pool may. How long to wait for other transactions, how durable a
    commit is, and the rest of a connection's habits are as the host has set them up.
    """

    def __init__(self, bind: Engine | sessionmaker[Any], *, schema: str = "public", check: bool = True) -> None:
        if not isinstance(bind, (Engine, sessionmaker)):
            raise InvalidInput(
                f"needs a SQLAlchemy Engine or sessionmaker, got {bind!r}; a session is for connection=, an engine of "
                "asyncio cannot be used",
                path="bind",
                code="invalid_type",
            )
        self.bind = bind
        self.schema = schema
        self._threads = threading.local()
        if check:
            # Later is too late: in SQLite nobody makes tables while a transaction of the host's writes.
            with self.transaction(write=False):
                pass

    def __repr__(self) -> str:
        schema = "" if self.schema == "public" else f", schema={self.schema!r}"
        return f"SQLAlchemyStore({self.bind!r}{schema})"

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction on a connection of the pool, or a part of the one on `connection`.

        One that writes is refused within another of this thread that would hold it up for ever; one that reads is not.
        """
        block = super().transaction(connection, write=write)
        return self._writing(block, joined=connection is not None) if write else block

    @contextmanager
    def _writing(self, block: AbstractContextManager[Transaction], *, joined: bool) -> Iterator[Transaction]:
        # Of each block of this thread that writes, whether it is a part of the host's transaction.
        blocks: list[bool] = vars(self._threads).setdefault("blocks", [])
        if not joined and blocks and self._is_apart_from(blocks):
            raise Misuse(
                "a transaction of this store is open in this thread already, and another one would wait for it in "
                "vain; go on in that one: with what `together` gave, or with `connection=`"
            )
        blocks.append(joined)
        try:
            with block as transaction:
                yield transaction
        finally:
            blocks.pop()

    def _is_apart_from(self, blocks: list[bool]) -> bool:
        """Whether a transaction of the store's own would wait for one of these."""
        if not isinstance(self.bind, Engine):
            with self.bind() as session:
                if not isinstance(session.get_bind(), Engine):
                    return False  # all of them are on one connection, as in a test that rolls everything back
        # In PostgreSQL another transaction may go its own way beside the host's, though not beside one of the engine's.
        return not all(blocks) or self._kind() == "sqlite"

    def _kind(self) -> str:
        if isinstance(self.bind, Engine):
            return self.bind.dialect.name
        with self.bind() as session:
            kind: str = session.get_bind().dialect.name
            return kind

    @contextmanager
    def _inside(self) -> Iterator[Any]:
        try:
            with self.bind.begin() as begun:
                yield driver_connection(begun)
        except SQLAlchemyError as error:
            # Only an error of the driver's has one behind it; that the pool is exhausted is SQLAlchemy's own.
            raise self._translated(error, getattr(error, "orig", None)) from error
