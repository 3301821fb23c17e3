"""What the stores with tables have in common: how they come to know those, on their own connections or the host's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from collections.abc import Sequence as Several
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import SchemaMismatch
from sequencer.engine.storage import Looks, Transaction
from sequencer.stores.codec import Row
from sequencer.stores.connections import Connections
from sequencer.stores.database import Known
from sequencer.stores.hosted import AnotherDatabase, Inside
from sequencer.stores.looks import EachInTurn
from sequencer.stores.transaction import StoreTransaction

__all__ = ["TabledStore"]


class _Rows(Protocol):
    def rows(self, name: str, *values: Any) -> list[Row]: ...


class TabledStore:
    """A store with tables. Its kind says how to reach them, how to make them, and how to join a connection."""

    _connections: Connections[Any]

    def __init__(self, inside: Inside | None, *where: str) -> None:
        self._inside = inside
        self._where = where
        self._known: Known | None = None
        self._preparing = threading.Lock()

    def _supported(self) -> tuple[int, ...]:
        """The schemas that this release runs on."""
        raise NotImplementedError

    def _using(self, connection: Any = None) -> AbstractContextManager[Any]:
        """A connection for the schema: the one at hand, one of the host's in its transaction, or the store's own."""
        raise NotImplementedError

    def _migrate(self, database: Any, *, dry_run: bool = False) -> list[str]:
        raise NotImplementedError

    def _joined(self, connection: Any, known: Known | None, *, write: bool) -> AbstractContextManager[StoreTransaction]:
        """A part of the transaction on a connection. Raises `AnotherDatabase` where the tables are not those known."""
        raise NotImplementedError

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the store's own, or a part of the caller's."""
        raise NotImplementedError

    def looking(self, claims: Several[tuple[Enrollment, int]]) -> Looks:
        """Fresh looks at claims, which will be asked about in this order."""
        return EachInTurn(partial(self.transaction, write=False))

    @property
    def origin(self) -> str:
        """The store's random id, made when it was created."""
        return self._knows().origin

    def close(self) -> None:
        """Give back what the store holds open."""
        self._connections.close()

    def _check(self) -> None:
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _knows(self) -> Known:
        # One that is still the schema before may have been migrated since, by another process.
        if self._known is None or not self._known.is_current:
            return self._prepare()
        return self._known

    def _prepare(self, connection: Any = None) -> Known:
        """Know the tables, made if there are none: on a connection of the host's that is at hand, or on another."""
        with self._preparing, self._using(connection) as database:
            if self._schema(database) == 0 and not self._has_tables(database):
                self._migrate(database)
            found = self._schema(database)
            if found not in self._supported():
                raise SchemaMismatch(found, self._supported())
            ((origin,),), ((secret,),) = database.rows("get_meta", "origin"), database.rows("get_meta", "secret")
            is_current = found == self._supported()[-1]
            if self._known is not None and self._known.origin == origin:
                self._known.is_current = is_current
            else:
                self._known = Known(origin, bytes.fromhex(secret), is_current=is_current)
            return self._known

    def _schema(self, database: _Rows) -> int:
        if database.rows("schema_table", *self._where) == [(0,)]:
            return 0
        ((found,),) = database.rows("schema_version")
        return int(found)

    def _has_tables(self, database: _Rows) -> bool:
        return database.rows("our_tables", *self._where) != [(0,)]

    @contextmanager
    def _hosted(self, connection: Any, *, write: bool) -> Iterator[StoreTransaction]:
        """A part of the host's transaction: of the one on `connection`, or of one that begins here."""
        with ExitStack() as stack:
            own = None
            if connection is None and self._inside is not None:
                connection = own = stack.enter_context(self._inside())
            try:
                transaction = stack.enter_context(self._joined(connection, self._known, write=write))
            except AnotherDatabase:
                # Nothing is known yet; or what is behind a name of the host's has changed, as it does in its tests.
                transaction = stack.enter_context(self._joined(connection, self._prepare(own), write=write))
            if self._known is not None and not self._known.is_current:
                self._prepare(own)  # it may have been migrated since, by another process
            yield transaction
