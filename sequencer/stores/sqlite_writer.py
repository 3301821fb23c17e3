"""The threads of a process that write in SQLite, on one connection: who waits for the disk waits together.

SQLite lets one connection write at a time, and each commit waits for the disk. So the threads take turns at one
connection, and a turn that ends while the next thread waits already leaves the transaction open for that one: its turn
is a savepoint in there. The commit comes with the last of them, or when the first has waited long enough, and is
everybody's: until then nobody's block has ended. Who is alone begins and commits as ever.

- A block that raises takes back its own savepoint; the others do not notice. It has seen what they wrote, so its error
  waits for the commit as well: `AlreadyEnrolled` must not name what is not stored in the end.
- A commit that fails, or a transaction that SQLite has rolled back by itself (a disk that is full), is an error for
  everybody in it. Nobody is told that something is stored before it is, and nobody that it is not when it is.
- A block in which somebody else's code runs goes on in nobody's open transaction: that code may wait for a thread that
  has finished, and neither would ever end.
- At any moment the one whose turn it is answers for what others have finished. Whatever interrupts it, they are
  committed or passed on before it leaves.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from types import TracebackType

from sequencer.core.errors import Busy, Misuse, SequencerError, StoreError
from sequencer.stores.connections import Connections, Held
from sequencer.stores.database import Known
from sequencer.stores.sqlite_database import SQLiteDatabase, rolled_back, translated
from sequencer.stores.sqlite_log import Log
from sequencer.stores.transaction import StoreTransaction

__all__ = ["SharedTransaction", "Writer"]

LONGEST = 0.02
"""After so many seconds an open transaction is passed on to nobody else: the first in it has waited long enough."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.005
# What a turn has in the transaction that is open: nothing that may stay, a savepoint, or what is to be committed.
_NOTHING, _SAVEPOINT, _MERGED = range(3)
_COMMITTED = object()
# SQLite says by a `MemoryError` that it has no memory left; it may have rolled everything back by then.
_FAILED = (sqlite3.Error, MemoryError)


class Turn:
    """A thread's turn to write, and what became of it."""

    __slots__ = ("alone", "called", "ended", "forgets", "outcome", "part", "until")

    def __init__(self, patience: float, *, alone: bool) -> None:
        self.until = time.monotonic() + patience
        # Nobody who has finished waits for this one's end.
        self.alone = alone
        self.part = _NOTHING
        # Whether the log is to be emptied of what was there before, also if it is interrupted.
        self.forgets = False
        # Rung when it is its turn, and when the transaction in which it has finished has ended.
        self.called: threading.Lock | None = None
        self.ended: threading.Lock | None = None
        self.outcome: object = None


def _bell() -> threading.Lock:
    bell = threading.Lock()
    bell.acquire()
    return bell


def _ring(bell: threading.Lock | None) -> None:
    # Who was interrupted rings once more, which does no harm.
    if bell is not None and bell.locked():
        bell.release()


class Writer:
    """The one connection of a process on which its threads write, in turn; opened when it is first needed."""

    def __init__(self, connections: Connections[sqlite3.Connection], log: Log, patience: float) -> None:
        self._connections = connections
        self._log = log
        self._patience = patience
        self._held: Held[sqlite3.Connection] | None = None
        # Held for moments only, while it is decided whose turn it is.
        self._mutex = threading.RLock()
        self._owner: Turn | None = None
        self._queue: deque[Turn] = deque()
        # Of the transaction that is open: since when it is, who has finished in it, and how it ends.
        self._begun = 0.0
        self._finished: list[Turn] = []
        self._committing = False
        self._outcome: object = None
        self._closed = False

    def close(self) -> None:
        """Close the connection: at once, or when the turn has ended that is under way. Who waits is refused."""
        with self._mutex:
            self._closed = True
            if self._owner is None:
                self._close()

    def _close(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, to be used by whose turn it is."""
        if self._held is None:
            held = self._connections.made()
            try:
                # For others' transactions one thread waits for all, and in its own way.
                held.connection.execute("PRAGMA busy_timeout = 0")
                # What a savepoint may have to restore is kept in a temporary file otherwise: with pages of the database
                # in it, and where there may be no room for it.
                held.connection.execute("PRAGMA temp_store = MEMORY")
            except _FAILED as error:
                raise translated(error) from error
            self._held = held
        return self._held.connection

    def turn(self, *, alone: bool) -> Turn:
        """A turn, still to be taken."""
        return Turn(self._patience, alone=alone)

    def take(self, turn: Turn) -> None:
        """Wait for the turn, and begin it. Raises `Busy` when there is no more patience."""
        with self._mutex:
            if self._owner is not None:
                turn.called = _bell()
                self._queue.append(turn)
            # The garbage collector may just have ended a block that nobody has left, in this very thread.
            if self._owner is None:
                self._owner, turn.called = turn, None
        while turn.called is not None:
            called = turn.called.acquire(timeout=max(turn.until - time.monotonic(), 0))
            with self._mutex:
                if self._owner is turn:
                    break
            if not called:
                raise Busy("another thread is writing; nothing was stored, so try again (or raise `busy_timeout`)")
        self._begin(turn)

    def _begin(self, turn: Turn) -> None:
        self._drop(turn)
        if self._closed:
            raise StoreError("the store is closed")
        if self._finished:
            turn.part = _SAVEPOINT
            self._run("SAVEPOINT turn")
            return
        connection = self.connection
        if self._is_begun():
            # What a disk that failed has not let anybody end.
            self._run("ROLLBACK")
        pause = _SHORTEST_PAUSE
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except _FAILED as error:
                if not _is_busy(error) or time.monotonic() >= turn.until:
                    raise translated(error) from error
            # Another process is writing, or a connection of the host's. SQLite would ask ever less often whether that
            # is over, too seldom to come in between others who begin anew at once.
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._begun = time.monotonic()

    def end(self, turn: Turn, error: BaseException | None = None, *, forgets: bool = False) -> None:
        """Commit, or pass the open transaction on to who waits: returns when all of it is committed, or raises.

        With an `error` of the turn's own, what it has written is taken back. If it `forgets`, the log is emptied of
        what was there before; see `Log`.
        """
        if error is None:
            if not self._is_begun():
                # An error was kept in. Who comes next would open another transaction, and commit that.
                raise rolled_back()
            if turn.part == _SAVEPOINT:
                self._run("RELEASE turn")
            turn.part, turn.forgets = _MERGED, forgets
        lost = error is not None and self._take_back(turn, error)
        waits = not lost and (error is None or isinstance(error, Exception))
        if not turn.forgets and self._pass_on(turn, waits=waits):
            if waits:
                assert turn.ended is not None
                turn.ended.acquire()
                _tell(turn.outcome)
            return
        outcome = self._commit(turn)
        if waits:
            _tell(outcome)

    def leave(self, turn: Turn, error: BaseException | None) -> None:
        """Whatever interrupted the turn, or prevented it: what others have finished is committed, and they go on."""
        self._drop(turn)
        if self._owner is turn:
            if turn.part != _MERGED and not self._committing:
                self._take_back(turn, error)
            self._commit(turn)

    def _drop(self, turn: Turn) -> None:
        with self._mutex:
            if turn in self._queue:
                self._queue.remove(turn)

    def _pass_on(self, turn: Turn, *, waits: bool) -> bool:
        """Leave the open transaction to who is next, if somebody waits and there is one."""
        with self._mutex:
            if not self._queue or not self._is_open(turn) or time.monotonic() - self._begun > LONGEST:
                return False
            if self._queue[0].alone:
                return False
            if waits:
                turn.ended = _bell()
                self._finished.append(turn)
            self._call_next(turn)
            return True

    def _is_open(self, turn: Turn) -> bool:
        """Whether there is something to commit."""
        return self._outcome is None and (turn.part == _MERGED or bool(self._finished))

    def _take_back(self, turn: Turn, error: BaseException | None) -> bool:
        """Undo what the turn has written; true if that is all that there was, or nothing is left of the others'."""
        lost = not self._finished or not self._is_begun()
        if not lost and turn.part == _SAVEPOINT:
            try:
                self._run("ROLLBACK TO turn")
                self._run("RELEASE turn")
            except StoreError as wrong:
                # Where there is none, nothing was written yet.
                lost = "no such savepoint" not in str(wrong)
                error = wrong
        turn.part = _NOTHING
        if lost:
            said = f": {error}" if isinstance(error, StoreError) else ""
            self._outcome = StoreError(f"nothing was stored: what another thread did in the same commit failed{said}")
        return lost

    def _commit(self, turn: Turn) -> object:
        """Commit if there is anything to, tell those who have finished, and call the next; what became of it."""
        if self._is_open(turn):
            self._outcome = self._committed()
        outcome = self._outcome
        if outcome is not _COMMITTED and self._is_begun():
            with suppress(SequencerError):
                self._run("ROLLBACK")
        while self._finished:
            finished = self._finished[-1]
            finished.outcome = outcome
            _ring(finished.ended)
            self._finished.pop()
        if outcome is _COMMITTED:
            self._log.committed(self.connection, forgets=turn.forgets)
        with self._mutex:
            self._committing, self._outcome = False, None
            self._call_next(turn)
        return outcome

    def _committed(self) -> object:
        if self._committing and not self._is_begun():
            return _COMMITTED  # and interrupted directly after that
        self._committing = True
        try:
            self.connection.execute("COMMIT")
        except _FAILED as error:
            # First of all: who is interrupted from here on finds no transaction, and it was not committed.
            self._committing = False
            return translated(error)
        return _COMMITTED

    def _call_next(self, turn: Turn) -> None:
        if self._owner is turn:
            following = self._queue[0] if self._queue else None
            if following is not None:
                _ring(following.called)
            self._owner = following
            if following is None and self._closed:
                self._close()

    def _is_begun(self) -> bool:
        try:
            return self._held is not None and self._held.connection.in_transaction
        except sqlite3.ProgrammingError:
            return False  # closed by now

    def _run(self, statement: str) -> None:
        try:
            self.connection.execute(statement)
        except _FAILED as error:
            raise translated(error) from error


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _tell(outcome: object) -> None:
    if outcome is not _COMMITTED:
        assert isinstance(outcome, SequencerError)
        raise type(outcome)(str(outcome)) from outcome


class SharedTransaction:
    """A transaction of the store's own that may share its commit with those of other threads."""

    alone = False
    """Whether it goes on in nobody's open transaction; see `sequencer.engine.storage.shared_with_nobody`."""
    _turn: Turn | None = None
    _database: SQLiteDatabase | None = None

    def __init__(self, writer: Writer, held: Held[sqlite3.Connection], known: Known) -> None:
        self._writer = writer
        # The connection on which this thread reads, which says whether it is in a block already.
        self._held = held
        self._known = known

    def __enter__(self) -> StoreTransaction:
        held = self._held
        if held.open:
            raise Misuse("a transaction of this store is open in this thread already; go on in that one")
        writer = self._writer
        self._turn = turn = writer.turn(alone=self.alone)
        try:
            held.open = True
            writer.take(turn)
            self._database = SQLiteDatabase(writer.connection)
            self._transaction = StoreTransaction(self._database, self._known, behind=True)
        except BaseException as error:
            self._leave(turn, error)
            raise
        return self._transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_inherited():
            self._turn = None
            if error is None:
                raise Misuse("this block is of the process that this one was forked from, and can only end there")
            return
        failed = error
        try:
            turn = self._turn
            assert turn is not None
            try:
                if error is None:
                    self._transaction.write()
            except Exception as wrong:  # noqa: BLE001 - it is raised below, when it is known what it was about
                failed = wrong
            finally:
                self._close()
            self._writer.end(turn, failed, forgets=self._transaction.forgets)
            if failed is None:
                self._known.versions.update(self._transaction.versions)
            elif error is None:
                raise failed
        finally:
            self._leave(self._turn, failed)

    def _is_inherited(self) -> bool:
        # Its transaction is on a connection that is not to be used here, for which others may be waiting there.
        return self._held.pid != os.getpid()

    def _close(self) -> None:
        # While it is this one's turn: at its end a cursor resets its last statement, which by then may be under way for
        # another, from the connection's cache. And nobody can write with it in another's block.
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.cursor.close()

    def _leave(self, turn: Turn | None, error: BaseException | None) -> None:
        if turn is not None:
            self._writer.leave(turn, error)
            self._held.open = False
            self._turn = None

    def __del__(self) -> None:
        # Interrupted before anything of its end had begun, or in the midst of it: then this is the end.
        if self._turn is not None and not self._is_inherited():
            self._close()
            self._leave(self._turn, None)
