"""A store in the transactions of a host's framework: which store that is, follows from the framework's database."""

from __future__ import annotations

from collections.abc import Sequence as Several
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import SequencerError, StoreError
from sequencer.engine.storage import Looks, Transaction

if TYPE_CHECKING:
    from sequencer.stores.postgres import PostgresStore
    from sequencer.stores.sqlite import SQLiteStore

__all__ = ["FrameworkStore"]


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

    def looking(self, claims: Several[tuple[Enrollment, int]]) -> Looks:
        """Fresh looks at claims, each in a transaction of the host's."""
        return self._store.looking(claims)

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
