"""A store in memory: the same transactions on encoded rows, gone with the process.

It stores what any other store does, rows in the stored form, so nothing that works with it can rely on living objects;
and it undoes a transaction that fails, from a journal.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import InvalidInput, Misuse
from sequencer.engine.storage import Looks, Transaction
from sequencer.stores.codec import Row
from sequencer.stores.database import Known, OneWriter
from sequencer.stores.looks import EachInTurn
from sequencer.stores.tables import Tables
from sequencer.stores.transaction import StoreTransaction

__all__ = ["MemoryStore"]


class _Database(OneWriter):
    """Answers the named statements from the tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def rows(self, name: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        found: list[Row] = getattr(self._tables, name)(*values)
        return found

    def row(self, name: str, *values: Any) -> Row | None:
        """The first row of a query."""
        rows = self.rows(name, *values)
        return rows[0] if rows else None

    def rows_about(self, name: str, several: Several[str] | Several[int], *values: Any) -> list[Row]:
        """All rows of a query about several things at once."""
        return self.rows(name, several, *values)

    def run(self, name: str, *values: Any) -> int:
        """How many rows a statement changed."""
        changed: int = getattr(self._tables, name)(*values)
        return changed

    add = run

    def many(self, name: str, rows: Iterable[Row]) -> None:
        """The same statement for many rows."""
        statement = getattr(self._tables, name)
        for row in rows:
            statement(*row)


class MemoryStore:
    """Enrollments in memory. It may be used from any thread; transactions take turns.

    `connection` is None, or the transaction of a block that is open in this thread, which is then joined: an error
    inside the inner block undoes that block only.
    """

    def __init__(self) -> None:
        self.origin = secrets.token_hex(8)
        """The store's random id, made when it was created."""
        self._known = Known(self.origin, secrets.token_bytes(32))
        self._tables = Tables()
        self._database = _Database(self._tables)
        self._lock = threading.RLock()
        self._open: StoreTransaction | None = None

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the store's own, or a part of one that is open."""
        return self._own() if connection is None else self._joined(connection)

    def looking(self, claims: Several[tuple[Enrollment, int]]) -> Looks:
        """Fresh looks at claims."""
        return EachInTurn(partial(self.transaction, write=False))

    @contextmanager
    def _own(self) -> Iterator[StoreTransaction]:
        with self._lock:
            if self._open is not None:
                raise Misuse("a transaction of this store is open in this thread already; go on in that one")
            self._open = transaction = StoreTransaction(self._database, self._known)
            try:
                yield transaction
                self._known.versions.update(transaction.versions)
            except BaseException:
                self._tables.undo(0)
                raise
            finally:
                self._tables.keep()
                self._open = None

    @contextmanager
    def _joined(self, connection: Any) -> Iterator[StoreTransaction]:
        with self._lock:
            transaction = self._open
            if transaction is None or connection is not transaction:
                raise InvalidInput(
                    f"a store in memory has no connections, got {connection!r}; leave it out, or pass the "
                    "transaction of a block that is open",
                    path="connection",
                    code="invalid_type",
                )
            mark, versions = self._tables.mark(), dict(transaction.versions)
            try:
                yield transaction
            except BaseException:
                self._tables.undo(mark)
                transaction.versions = versions
                raise

    def close(self) -> None:
        """Nothing is held open."""
