"""A store in an SQLite file: of its own, inside the host's own database file, or in memory.

Durable means durable: WAL with `synchronous=FULL`, since NORMAL may lose the last commits with the power. A transaction
of the store's own begins with the write lock, so that nothing which was read in it can change before it writes. The
threads of a process share commits (`sequencer.stores.sqlite_writer`), where the connections are the store's own making.

Joined to the caller's connection, the store uses savepoints only. Where no transaction is open there, the savepoint is
the transaction: with a connection that commits by itself (`isolation_level=None`) it is released, and so committed, at
the end of the block; with a connection in the driver's usual mode it is left open if anything was written, as after
any other statement of the caller's, and the caller's `commit()` or `rollback()` decides.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Several
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.metadata import version as release_of
from types import TracebackType
from typing import Any

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import InvalidInput, Misuse, SchemaMismatch, StoreError
from sequencer.engine.storage import Looks, Transaction
from sequencer.stores.codec import Row
from sequencer.stores.connections import Connections, Held
from sequencer.stores.database import Known
from sequencer.stores.examination import Examination, examined
from sequencer.stores.hosted import AnotherDatabase, Inside, driver_connection
from sequencer.stores.sqlite_database import SQLiteDatabase, rolled_back, translated
from sequencer.stores.sqlite_log import Log
from sequencer.stores.sqlite_looks import LooksAhead
from sequencer.stores.sqlite_writer import SharedTransaction, Writer
from sequencer.stores.statements import log_migrations, migrations, split
from sequencer.stores.tabled import TabledStore
from sequencer.stores.transaction import StoreTransaction

__all__ = ["SCHEMA", "SQLiteStore"]

SCHEMA = len(migrations("sqlite"))
"""The schema that this release makes."""
SUPPORTED = tuple(number for number in (SCHEMA - 1, SCHEMA) if number > 0)
"""The schemas that this release runs on: its own, and the one before it."""
_SETTINGS = ("journal_mode", "synchronous")
_SYNCHRONOUS = {0: "off", 1: "normal", 2: "full", 3: "extra"}


class SQLiteStore(TabledStore):
    """Enrollments in SQLite.

    `path` is a file's, made if it is not there, or ":memory:"; or `connect` is a callable that makes a new connection
    to it. A database without the store's tables gets them; one with a schema that this release does not run on is
    refused with `SchemaMismatch`, unless `check=False`, which is for `migrate`. `busy_timeout` is how many seconds to
    wait for another writer.

    Or `inside` is a callable that gives a context, in which there is a connection with a transaction of the host's,
    which ends with it. Every transaction of the store's is a part of such a one then, and nothing is done before.

    It may be used from any thread: each has a connection of its own, to ":memory:" they share one, in turn. With a path
    all threads of a process write on one more connection, in turn, and who waits for the disk waits together: a block
    returns when what it wrote is committed, perhaps with blocks of other threads. If that commit fails, each of them
    raises, and nothing of them is stored.
    """

    translated = staticmethod(translated)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        connect: Callable[[], sqlite3.Connection] | None = None,
        busy_timeout: float = 5.0,
        check: bool = True,
        inside: Inside | None = None,
    ) -> None:
        if (path, connect, inside).count(None) != 2 or path in ("", b""):
            raise InvalidInput("give a path, or connect=, a callable that makes a connection", path="path")
        if isinstance(path, str) and re.match(r"[A-Za-z][A-Za-z0-9+.\-]+://", path):
            # Not shown: it may hold a password.
            message = "needs the path of a file, and got a URL; PostgresStore takes one, SQLAlchemyStore an engine"
            raise InvalidInput(message, path="path")
        super().__init__(inside)
        self._path = None if path is None else os.fspath(path)
        self._connect = connect
        self._connections = Connections(
            partial(_opened, self._path, connect, busy_timeout, repr(self)), shared=self._path == ":memory:"
        )
        # One for each process; on connections of another's making a thread writes on its own, as it reads.
        self._writers: dict[int, Writer] | None = None if path is None or self._path == ":memory:" else {}
        self._busy_timeout = busy_timeout
        self._threads = threading.local()
        self._log = Log(busy_timeout)
        if check and inside is None:
            self._check()

    def __repr__(self) -> str:
        if self._inside is not None:
            return f"SQLiteStore(inside={self._inside!r})"
        return f"SQLiteStore({self._path!r})" if self._connect is None else f"SQLiteStore(connect={self._connect!r})"

    def _supported(self) -> tuple[int, ...]:
        return SUPPORTED

    # -- transactions ------------------------------------------------------------------------------------------

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the store's own, or a part of the caller's.

        With `write=False` a block that only reads waits for no writer.
        """
        if self._inside is not None:
            return self._hosted(connection, write=write)
        if connection is None:
            held, known = self._connections.own(), self._knows()
            if write and vars(self._threads).get(_joined_here()):
                raise Misuse(
                    "a transaction on a connection of the caller's is open in this thread already, and another one "
                    "would wait for it in vain; go on in that one: with what `together` gave, or with `connection=`"
                )
            if write and self._writers is not None:
                return SharedTransaction(self._writer(self._writers), held, known)
            return _OwnTransaction(held, known, self._log, write=write)
        joined = self._joined(connection, self._knows(), write=write)
        return self._noted(joined) if write else joined

    @contextmanager
    def _noted(self, block: AbstractContextManager[Transaction]) -> Iterator[Transaction]:
        # A thread that writes on the host's connection would wait in vain on one of the store's.
        threads, here = vars(self._threads), _joined_here()
        with block as transaction:
            threads[here] = threads.get(here, 0) + 1
            try:
                yield transaction
            finally:
                threads[here] -= 1

    def _writer(self, writers: dict[int, Writer]) -> Writer:
        # One that was there before a fork is neither used nor closed after it.
        pid = os.getpid()
        return writers.get(pid) or writers.setdefault(pid, Writer(self._connections, self._log, self._busy_timeout))

    def close(self) -> None:
        """Give back what the store holds open. A block that is under way comes to its end."""
        super().close()
        writer = None if self._writers is None else self._writers.get(os.getpid())
        if writer is not None:
            writer.close()

    def looking(self, claims: Several[tuple[Enrollment, int]]) -> Looks:
        """Fresh looks at claims; in a transaction of the host's, one after another."""
        return super().looking(claims) if self._inside else LooksAhead(self._connections, self._knows(), claims)

    def _joined(self, connection: Any, known: Known | None, *, write: bool) -> _JoinedTransaction:
        return _JoinedTransaction(driver_connection(connection), known, write=write)

    @contextmanager
    def _using(self, connection: Any = None) -> Iterator[SQLiteDatabase]:
        """A connection for the schema: the one at hand, one of the host's in its transaction, or the store's own."""
        if connection is not None:
            yield SQLiteDatabase(connection)
        elif self._inside is not None:
            with self._inside() as begun:
                yield SQLiteDatabase(begun)
        else:
            held = self._connections.own()
            with held.lock:
                yield SQLiteDatabase(held.connection)

    def examine(self) -> Examination:
        """What is in the store, for who looks after it."""
        self._knows()
        with self._using() as database:
            settings = {name: database.cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in _SETTINGS}
            settings["synchronous"] = _SYNCHRONOUS.get(settings["synchronous"], settings["synchronous"])
            shown = {name.replace("_", " "): str(value) for name, value in settings.items()}
            return examined(database, shown)

    # -- the schema --------------------------------------------------------------------------------------------

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Bring the schema up to this release's; returns the SQL of each migration that was (or would be) applied.

        Raises `SchemaMismatch` for a schema that is newer than this release.
        """
        with self._using() as database:
            return self._migrate(database, dry_run=dry_run)

    def _migrate(self, database: SQLiteDatabase, *, dry_run: bool = False) -> list[str]:
        # All in one transaction, so that there is never half a schema, and two processes do not both make one.
        begin, end, undo = _WHOLE if self._inside is None else _PART
        database.control(begin)
        try:
            found = self._schema(database)
            if found > SCHEMA or (found == 0 and self._has_tables(database)):
                raise SchemaMismatch(found, SUPPORTED)
            applied = migrations("sqlite")[found:]
            if not dry_run:
                for migration in applied:
                    for statement in split(migration.sql):
                        database.control(statement)
                    database.run("add_migration", migration.version, migration.name, release_of("sequencer"))
                if found == 0:
                    database.run("add_meta", "origin", secrets.token_hex(8))
                    database.run("add_meta", "secret", secrets.token_hex(32))
            database.control(end)
        except BaseException:
            for statement in undo if database.cursor.connection.in_transaction else ():
                database.control(statement)
            raise
        if not dry_run:
            log_migrations(applied)
        return [migration.sql for migration in applied]


def _joined_here() -> str:
    """Under which name a thread notes its blocks on connections of the caller's: those before a fork are another's."""
    return f"joined in {os.getpid()}"


_WHOLE = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_PART = ("SAVEPOINT sequencer", "RELEASE sequencer", ("ROLLBACK TO sequencer", "RELEASE sequencer"))


def _opened(
    path: Any, connect: Callable[[], sqlite3.Connection] | None, busy_timeout: float, shown: str
) -> sqlite3.Connection:
    try:
        if connect is not None:
            connection = connect()
        else:
            connection = sqlite3.connect(path, timeout=busy_timeout, check_same_thread=False, cached_statements=256)
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {shown}: {error}") from error
    try:
        if getattr(connection, "autocommit", -1) != -1:  # from Python 3.12 on; -1 is the legacy mode
            connection.autocommit = True  # type: ignore[attr-defined]
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.row_factory = None
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -32768")  # at most 32 MiB: what is due lies all over the file
        cursor.execute("PRAGMA wal_autocheckpoint = 8000")  # 32 MiB: a page that changes often is moved once
        cursor.execute("PRAGMA secure_delete = ON")  # what was erased is overwritten
        cursor.execute("PRAGMA fullfsync = ON")  # on a Mac an ordinary sync does not reach the disk
    except sqlite3.Error as error:
        connection.close()
        raise translated(error) from error
    return connection


class _OwnTransaction:
    """A transaction of the store's own."""

    def __init__(self, held: Held[sqlite3.Connection], known: Known, log: Log, *, write: bool) -> None:
        self._held = held
        self._known = known
        self._log = log
        self._begin = "BEGIN IMMEDIATE" if write else "BEGIN"

    def __enter__(self) -> StoreTransaction:
        held = self._held
        held.lock.acquire()
        try:
            if held.open:
                raise Misuse("a transaction of this store is open in this thread already; go on in that one")
            self._database = SQLiteDatabase(held.connection)
            if held.connection.in_transaction:
                # What a disk that failed has not let anybody end.
                self._database.control("ROLLBACK")
            self._database.control(self._begin)
            held.open = True
        except BaseException:
            held.lock.release()
            raise
        self._transaction = StoreTransaction(self._database, self._known, behind=True)
        return self._transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held = self._held
        try:
            if kind is None:
                self._transaction.write()
                if self._database.lost:
                    raise rolled_back()
                self._database.control("COMMIT")
                self._known.versions.update(self._transaction.versions)
                self._log.committed(held.connection, forgets=self._transaction.forgets)
        finally:
            try:
                if held.connection.in_transaction:
                    self._database.control("ROLLBACK")
            finally:
                held.open = False
                held.lock.release()


class _JoinedTransaction:
    """A part of the caller's transaction: savepoints only."""

    def __init__(self, connection: Any, known: Known | None, *, write: bool) -> None:
        if not isinstance(getattr(connection, "in_transaction", None), bool) or not hasattr(connection, "cursor"):
            raise InvalidInput(
                f"needs an sqlite3 connection, or one of Django or a Session or Connection of SQLAlchemy that has one "
                f"underneath, got {connection!r}",
                path="connection",
                code="invalid_type",
            )
        if connection.text_factory is not str:
            raise InvalidInput("its text_factory must be str", path="connection", code="invalid_value")
        self._connection = connection
        self._known = known
        self._write = write

    def __enter__(self) -> StoreTransaction:
        connection = self._connection
        self._database = database = SQLiteDatabase(connection)
        self._alone = not connection.in_transaction
        self._before = connection.total_changes
        self._name = f"sequencer_{secrets.token_hex(4)}"
        database.control(f"SAVEPOINT {self._name}")
        try:
            # First of all, since a transaction that has only read so far cannot wait for somebody who is writing.
            if self._write:
                self._ours("take_write_lock")
            known = self._known
            if known is None or self._ours("get_meta", "origin") != [(known.origin,)]:
                raise AnotherDatabase
        except BaseException:
            self._undo()
            raise
        return StoreTransaction(database, known)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()
        elif self._database.lost:
            raise rolled_back()
        elif not self._alone or _commits_itself(self._connection) or self._connection.total_changes == self._before:
            self._database.control(f"RELEASE {self._name}")

    def _ours(self, name: str, *values: Any) -> list[Row]:
        try:
            return self._database.rows(name, *values)
        except StoreError as error:
            if "no such table" in str(error):
                raise AnotherDatabase from None
            raise

    def _undo(self) -> None:
        # Some errors (a full disk) make SQLite roll the whole transaction back by itself.
        if not self._database.lost:
            self._database.control(f"ROLLBACK TO {self._name}")
            self._database.control(f"RELEASE {self._name}")


def _commits_itself(connection: Any) -> bool:
    """Whether a statement outside of a transaction is committed at once, rather than by the caller's `commit()`."""
    autocommit = getattr(connection, "autocommit", -1)  # from Python 3.12 on; -1 is the legacy mode
    return connection.isolation_level is None if autocommit == -1 else bool(autocommit)
