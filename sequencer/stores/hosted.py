"""Stores in the host's own transactions: the driver's connection under what a host has, and where to begin a new one.

What Django, SQLAlchemy and others hand out wraps a connection of the driver. It is looked for by what it offers, so
that nothing of theirs is imported here. The other way round, a store that is given `inside=` has no connections of its
own: each of its transactions is a part of one that the host's framework begins and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from sequencer.core.errors import InvalidInput, SequencerError, StoreError
from sequencer.engine.storage import Transaction

if TYPE_CHECKING:
    from sequencer.stores.postgres import PostgresStore
    from sequencer.stores.sqlite import SQLiteStore

__all__ = ["AnotherDatabase", "FrameworkStore", "Inside", "driver_connection"]

Inside: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Begins a transaction of the host's and gives the connection; commits it at the end of the block, or rolls it back."""


class AnotherDatabase(InvalidInput):
    """The connection does not lead to where the store's own tables are."""

    def __init__(self) -> None:
        super().__init__("it is connected to another database than the store", path="connection")


def driver_connection(given: Any) -> Any:
    """The driver's connection underneath a Django connection or a SQLAlchemy `Session` or `Connection`; or as given.

    A session's transaction begins by that, if it has not. Nothing is flushed: the store reads only its own tables.
    """
    if hasattr(given, "sync_session") or hasattr(given, "sync_connection"):
        return given  # of asyncio, which no store can wait for; what it is given says so
    if hasattr(given, "ensure_connection"):
        given.ensure_connection()
        given.validate_no_broken_transaction()
        return given.connection
    if hasattr(given, "get_bind"):
        given = given.connection()
    return getattr(getattr(given, "connection", None), "driver_connection", given)


class FrameworkStore:
    """What stores in the transactions of a framework have in common: all is done by the store of the database's kind.

    A framework's own says what kind that is, and how to be inside a transaction.
    """

    schema = "public"

    def _kind(self) -> str:
        """The kind of the database: "sqlite", "postgresql", or what no store is for."""
        raise NotImplementedError

    def _inside(self) -> AbstractContextManager[Any]:
        """A transaction of the host's, with the connection; see `Inside`."""
        raise NotImplementedError

    @cached_property
    def _store(self) -> SQLiteStore | PostgresStore:
        kind = self._kind()
        if kind == "sqlite":
            from sequencer.stores.sqlite import SQLiteStore

            return SQLiteStore(inside=self._inside)
        if kind == "postgresql":
            from sequencer.stores.postgres import PostgresStore

            return PostgresStore(inside=self._inside, schema=self.schema)
        raise StoreError(f"{self!r} is {kind}, and a store needs SQLite or PostgreSQL: give the engine one of those")

    @property
    def origin(self) -> str:
        """The store's random id, made when it was created."""
        return self._store.origin

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the host's, or a part of the one on `connection`."""
        return self._store.transaction(connection, write=write)

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Bring the schema up to this release's; returns the SQL of each migration that was (or would be) applied.

        Raises `SchemaMismatch` for a schema that is newer than this release.
        """
        return self._store.migrate(dry_run=dry_run)

    def close(self) -> None:
        """Nothing is held open: the connections are the host's."""

    def _translated(self, error: Exception, cause: BaseException | None) -> SequencerError:
        """What a framework's error at the beginning or the end of a transaction means, with the driver's behind it."""
        return self._store.translated(cause) if isinstance(cause, Exception) else StoreError(str(error))
