"""The named statements on a connection of SQLite, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from collections.abc import Sequence as Several
from typing import Any

from sequencer.core.errors import Busy, Conflict, InvalidInput, SequencerError, StoreError
from sequencer.stores.codec import COLUMNS, Row, encoder
from sequencer.stores.database import OneWriter
from sequencer.stores.records_codec import TASK_COLUMNS
from sequencer.stores.statements import read

__all__ = ["SQLiteDatabase", "rolled_back", "translated"]

_dumps = encoder()
_SQL = read("sqlite.sql", row=", ".join(COLUMNS), task=", ".join(TASK_COLUMNS))
# Beside its own errors the driver raises these: without memory, for numbers beyond 64 bits, and for broken text.
_REFUSED = (sqlite3.Error, MemoryError, OverflowError, UnicodeEncodeError)


def translated(error: Exception) -> SequencerError:
    """What an error of SQLite means to who uses the store."""
    text = str(error)
    if isinstance(error, MemoryError):
        return StoreError("SQLite: out of memory")
    if not isinstance(error, sqlite3.Error):
        return InvalidInput(f"SQLite cannot hold it: {text}", code="out_of_range")
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY_SNAPSHOT:
        # Nobody was waited for: however often it is tried, this transaction cannot write any more.
        return Conflict(
            f"{text}: somebody else has written since your transaction began to read; nothing was stored, so begin it "
            "again (or write first)"
        )
    if isinstance(error, sqlite3.OperationalError) and ("locked" in text or "busy" in text):
        return Busy(
            f"{text}: another connection is writing; nothing was stored, so try again (or raise `busy_timeout`). If it "
            "is your own, with its transaction open, pass it as connection="
        )
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"{text}: somebody else has stored it; nothing was stored, so read again and decide anew")
    return StoreError(f"SQLite: {text}")


def rolled_back() -> StoreError:
    """For a block whose transaction is gone before its end, since an error was kept in that SQLite meets so."""
    return StoreError(
        "nothing was stored: SQLite has rolled the transaction back by itself, as it does where the disk is full or "
        "fails, where there is no memory, or when it is interrupted; see to that, and begin again"
    )


class SQLiteDatabase(OneWriter):
    """Runs the named statements on a cursor of its own, which gives plain tuples whatever the connection gives.

    It writes in a transaction only. After some errors SQLite rolls everything back by itself, and commits what comes
    then statement by statement; so whoever keeps such an error in can write no more (S2).
    """

    __slots__ = ("_connection", "_lost", "cursor")

    def __init__(self, connection: sqlite3.Connection) -> None:
        try:
            self.cursor = connection.cursor()
        except sqlite3.Error as error:
            raise translated(error) from error
        self.cursor.row_factory = None
        self._connection = connection
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the transaction is gone in which this one was to write."""
        if not self._lost:
            try:
                self._lost = not self._connection.in_transaction
            except sqlite3.ProgrammingError:
                self._lost = True  # closed by now
        return self._lost

    def _refused(self, error: Exception) -> SequencerError:
        # Looked at now: by the next statement, the host may have begun another transaction on its connection.
        self._lost = self.lost
        return translated(error)

    def rows(self, name: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        try:
            return self.cursor.execute(_SQL[name], values).fetchall()
        except _REFUSED as error:
            raise self._refused(error) from error

    def row(self, name: str, *values: Any) -> Row | None:
        """The first row of a query."""
        rows = self.rows(name, *values)
        return rows[0] if rows else None

    def rows_about(self, name: str, several: Several[str] | Several[int], *values: Any) -> list[Row]:
        """All rows of a query about several things at once."""
        return self.rows(name, _dumps(several), *values)

    def run(self, name: str, *values: Any) -> int:
        """How many rows a statement changed."""
        try:
            if self._connection.in_transaction and not self._lost:
                return self.cursor.execute(_SQL[name], values).rowcount
        except _REFUSED as error:
            raise self._refused(error) from error
        raise rolled_back()

    def add(self, name: str, *values: Any) -> int:
        """The id that an insertion gave."""
        self.run(name, *values)
        assert self.cursor.lastrowid is not None
        return self.cursor.lastrowid

    def many(self, name: str, rows: Iterable[Row]) -> None:
        """The same statement for many rows."""
        try:
            if self._connection.in_transaction and not self._lost:
                self.cursor.executemany(_SQL[name], rows)
                return
        except _REFUSED as error:
            raise self._refused(error) from error
        raise rolled_back()

    def control(self, statement: str) -> list[Row]:
        """BEGIN, COMMIT, SAVEPOINT, PRAGMA and the like."""
        try:
            return self.cursor.execute(statement).fetchall()
        except (sqlite3.Error, MemoryError) as error:
            raise translated(error) from error
