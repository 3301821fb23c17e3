"""A store in PostgreSQL: for many workers on many machines, in a schema of its own or beside the host's tables.

A transaction of the store's own is one in READ COMMITTED. What it reads of enrollments it locks, so that nothing which
was read in it can change before it writes; whoever claims what is due passes over what is locked (SKIP LOCKED), and so
never waits for another worker. What cannot be locked since it is not there yet (a person who is not enrolled so far, a
key that was not used) is locked by name, with advisory locks that end with the transaction.

Joined to the caller's connection, the store uses savepoints only. On a connection in autocommit mode with no
transaction open there is none to join, and the block is a transaction by itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Several
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from importlib.metadata import version as release_of
from typing import Any

from sequencer.core.errors import Conflict, InvalidInput, SchemaMismatch, SequencerError, StoreError
from sequencer.engine.storage import Transaction
from sequencer.stores.codec import COLUMNS, Row
from sequencer.stores.connections import Connections, Held
from sequencer.stores.records import Known
from sequencer.stores.records_codec import TASK_COLUMNS
from sequencer.stores.statements import log_migrations, migrations, read, split
from sequencer.stores.transaction import StoreTransaction

try:
    import psycopg
    from psycopg import errors, sql
    from psycopg.pq import TransactionStatus
    from psycopg.rows import tuple_row
    from psycopg.types.numeric import Int8Dumper
except ModuleNotFoundError as error:  # pragma: no cover - the extra is there in every test
    raise ModuleNotFoundError(
        "PostgresStore needs psycopg 3: pip install 'sequencer[postgres]'", name="psycopg"
    ) from error

__all__ = ["SCHEMA", "PostgresStore"]

SCHEMA = len(migrations("postgres"))
"""The schema that this release makes."""
SUPPORTED = (SCHEMA - 1, SCHEMA)
"""The schemas that this release runs on: its own, and the one before it."""
_COUNTS_MAILS = 2  # from this schema on there is a table for what caps count

# What these read is locked by a transaction that may write.
_LOCKING = (
    "get", "ongoing_of_resource", "ongoing_of_address", "ongoing_of_sequence", "ongoing_of_account", "blocked",
    "blocked_of_sequence", "in_other_versions",
)  # fmt: skip
# These read the feed only as far as it is settled, which is found out by a statement before them.
_SETTLED = frozenset({"events_after", "last_event"})
_COPIED = frozenset({"insert", "add_event"})
# Fewer rows than these are sent one after another: a copy and its end are three messages.
_FEW = 8
_AGAIN = (
    errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable, errors.IntegrityError,
    errors.QueryCanceled,
)  # fmt: skip


def translated(error: Exception) -> SequencerError:
    """What an error of PostgreSQL or its driver means to who uses the store."""
    text = " ".join(str(error).split())
    if isinstance(error, (errors.DataError, UnicodeEncodeError, OverflowError)):
        return InvalidInput(f"PostgreSQL cannot hold it: {text}", code="out_of_range")
    if isinstance(error, errors.LockNotAvailable):
        return Conflict(
            f"{text}: another transaction is writing; nothing was stored, so try again (or raise `lock_timeout`). If "
            "it is your own, pass its connection as connection="
        )
    if isinstance(error, _AGAIN):
        return Conflict(f"{text}: somebody else was faster; nothing was stored, so read again and decide anew")
    return StoreError(f"PostgreSQL: {text}")


def _key(name: str) -> int:
    """The number by which an advisory lock is known."""
    hashed = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "big", signed=True)


def _feed_class(origin: str) -> int:
    """The first of the two keys of the locks that the writers of events hold."""
    return _key(f"{origin} feed") % 2**31


def _statements(schema: str) -> tuple[dict[str, str], dict[str, str]]:
    """The named statements for a schema: as they are, and those that lock what they read."""
    named = {
        name: text.replace("{schema}", schema)
        for name, text in read(
            "postgres.sql", schema="{schema}", row=", ".join(COLUMNS), task=", ".join(TASK_COLUMNS)
        ).items()
    }
    return named, {**named, **{name: f"{named[name]}\nFOR UPDATE" for name in _LOCKING}}


class PostgresDatabase:
    """Runs the named statements on a cursor of its own, which gives plain tuples whatever the connection gives."""

    __slots__ = ("_domain", "_sql", "cursor")

    def __init__(self, connection: psycopg.Connection[Any], named: dict[str, str], domain: str) -> None:
        self.cursor = psycopg.RawCursor(connection, row_factory=tuple_row)
        # One type for all integers, so that a statement is prepared once and not for each size of number.
        self.cursor.adapters.register_dumper(int, Int8Dumper)
        self._sql = named
        self._domain = domain

    def _execute(self, name: str, values: tuple[Any, ...]) -> psycopg.RawCursor[Row]:
        if name in _SETTLED:
            values = (*values, self._settled())
        try:
            return self.cursor.execute(self._sql[name].encode(), values)
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise translated(error) from error

    def rows(self, name: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        return self._execute(name, values).fetchall()

    def row(self, name: str, *values: Any) -> Row | None:
        """The first row of a query."""
        rows = self.rows(name, *values)
        return rows[0] if rows else None

    def run(self, name: str, *values: Any) -> int:
        """How many rows a statement changed."""
        return self._execute(name, values).rowcount

    def add(self, name: str, *values: Any) -> int:
        """The id that an insertion gave."""
        ((id,),) = self.rows(name, *values)
        return int(id)

    def many(self, name: str, rows: Iterable[Row]) -> None:
        """The same statement for many rows: copied, as arrays, or sent in one go."""
        rows = list(rows)
        if not rows:
            return
        bulk = self._sql.get(f"{name}_many")
        try:
            if bulk is None or (name in _COPIED and len(rows) < _FEW):
                self.cursor.executemany(self._sql[name].encode(), rows)
            elif name in _COPIED:
                with self.cursor.copy(bulk.encode()) as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                self.cursor.execute(bulk.encode(), [list(column) for column in zip(*rows, strict=True)])
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise translated(error) from error

    def stored(self, name: str, rows: Iterable[Row]) -> set[int]:
        """The ids of the rows that a statement changed."""
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        return {id for (id,) in self.rows(f"{name}_many", *columns)} if columns else set()

    def new_ids(self, count: int) -> Several[int]:
        """So many ids for new enrollments."""
        return [id for (id,) in self.rows("new_ids", count)]

    def lock(self, names: Several[str], within: str | None) -> None:
        """Wait until nobody else holds one of these names, or all `within`."""
        if within is not None:
            self.rows("lock_within" if names else "lock", [self._number(within)])
        if names:
            # Everybody takes them in the same order.
            self.rows("lock", sorted(map(self._number, names)))

    def _number(self, name: str) -> int:
        return _key(f"{self._domain} {name}")

    def _settled(self) -> int:
        ((settled,),) = self.rows("settled", _feed_class(self._domain))
        return int(settled)

    def control(self, statement: str) -> None:
        """BEGIN, COMMIT, SAVEPOINT and the like."""
        try:
            self.cursor.execute(statement.encode())
        except psycopg.Error as error:
            raise translated(error) from error


class PostgresStore:
    """Enrollments in PostgreSQL, version 14 or later.

    `dsn` is a connection string or URL; or `connect` is a callable that makes a new psycopg connection. `schema` is the
    PostgreSQL schema that the tables live in, made if it is not there. One without the store's tables gets them; tables
    that this release does not run on are refused with `SchemaMismatch`, unless `check=False`, which is for `migrate`.
    `lock_timeout` is how many seconds to wait for another transaction.

    It may be used from any thread: each has a connection of its own. A connection that broke is replaced.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        connect: Callable[[], psycopg.Connection[Any]] | None = None,
        schema: str = "public",
        lock_timeout: float = 5.0,
        check: bool = True,
    ) -> None:
        if (not dsn) is (connect is None):
            raise InvalidInput("give a connection string, or connect=, a callable that makes a connection", path="dsn")
        if (
            not isinstance(schema, str)
            or not 1 <= len(schema.encode("utf-8", "replace")) <= 63
            or set(schema) & set("\0'")
        ):
            raise InvalidInput(f"needs the name of a schema, got {schema!r}", path="schema", code="invalid_value")
        self._dsn = dsn
        self._connect = connect
        self.schema = schema
        self._quoted = sql.Identifier(schema).as_string(None)
        self._reading, self._writing = _statements(self._quoted)
        self._connections = Connections(partial(_opened, dsn, connect, lock_timeout, repr(self)))
        self._preparing = threading.Lock()
        self._known: Known | None = None
        if check:
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def __repr__(self) -> str:
        schema = "" if self.schema == "public" else f", schema={self.schema!r}"
        if self._connect is not None:
            return f"PostgresStore(connect={self._connect!r}{schema})"
        # A connection string may hold a password.
        return f"PostgresStore({_without_password(self._dsn or '')!r}{schema})"

    @property
    def origin(self) -> str:
        """The store's random id, made when it was created."""
        return self._knows().origin

    def _knows(self) -> Known:
        # A schema that caps are still missing in may have been migrated since, by another process.
        if self._known is None or not self._known.counts_mails:
            self._prepare()
        assert self._known is not None
        return self._known

    def close(self) -> None:
        """Give back what the store holds open."""
        self._connections.close()

    # -- connections -------------------------------------------------------------------------------------------

    def _database(self, connection: psycopg.Connection[Any], *, write: bool) -> PostgresDatabase:
        domain = "sequencer" if self._known is None else self._known.origin
        return PostgresDatabase(connection, self._writing if write else self._reading, domain)

    def _begun(self, *, write: bool) -> tuple[Held[psycopg.Connection[Any]], PostgresDatabase]:
        """The connection of this thread, with a transaction on it; a new one, if the server has gone away meanwhile."""
        held = self._connections.own()
        if held.open:
            raise StoreError("a transaction of this store is open in this thread already; go on in that one")
        if held.connection.closed:
            held = self._connections.renewed()
        database = self._database(held.connection, write=write)
        if not write:
            # Each statement sees what is committed by then: a block that only reads needs no transaction for that.
            return held, database
        try:
            database.control(self._begin("BEGIN"))
        except StoreError:
            if not held.connection.closed:
                raise
            held = self._connections.renewed()
            database = self._database(held.connection, write=write)
            database.control(self._begin("BEGIN"))
        return held, database

    def _begin(self, statement: str) -> str:
        """The beginning of a transaction that may write events, which the readers of the feed must know of."""
        # In one message, which can have no values beside it.
        announced = self._writing["announce"].replace("$1", str(_feed_class(self._knows().origin)))
        return f"{statement}; {announced}"

    # -- transactions ------------------------------------------------------------------------------------------

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the store's own, or a part of the caller's."""
        return self._own(write=write) if connection is None else self._joined(connection, write=write)

    @contextmanager
    def _own(self, *, write: bool) -> Iterator[StoreTransaction]:
        known = self._knows()
        held, database = self._begun(write=write)
        held.open = True
        try:
            transaction = StoreTransaction(database, known, behind=True)
            yield transaction
            transaction.write()
            if write:
                database.control("COMMIT")
            known.versions.update(transaction.versions)
        finally:
            held.open = False
            if write and held.connection.info.transaction_status != TransactionStatus.IDLE:
                # A connection that cannot even roll back is broken; the server has rolled back for it.
                with suppress(psycopg.Error):
                    held.connection.rollback()

    @contextmanager
    def _joined(self, connection: Any, *, write: bool) -> Iterator[StoreTransaction]:
        if not isinstance(connection, psycopg.Connection):
            raise InvalidInput(
                f"needs a psycopg connection, got {connection!r}; Django's is `connection.connection`, SQLAlchemy's "
                "`session.connection().connection.driver_connection`",
                path="connection",
                code="invalid_type",
            )
        known = self._knows()
        database = self._database(connection, write=write)
        status = connection.info.transaction_status
        if status == TransactionStatus.INERROR:
            raise StoreError("the caller's transaction has failed already; roll it back first")
        alone = status == TransactionStatus.IDLE and connection.autocommit
        begin, end, undo = _ALONE if alone else _SAVEPOINT
        database.control(self._begin(begin) if write else begin)
        try:
            self._refuse_another(database, known)
            yield StoreTransaction(database, known)
        except BaseException:
            if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                for statement in undo:
                    database.control(statement)
            raise
        database.control(end)

    def _refuse_another(self, database: PostgresDatabase, known: Known) -> None:
        try:
            found = database.rows("get_meta", "origin")
        except StoreError as error:
            if not isinstance(error.__cause__, errors.UndefinedTable):
                raise
            found = []
        if found != [(known.origin,)]:
            raise InvalidInput("it is connected to another database than the store", path="connection")

    # -- the schema --------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        with self._preparing:
            held = self._connections.own()
            database = self._database(held.connection, write=False)
            if self._schema(database) == 0 and not self._has_tables(database):
                self.migrate()
            found = self._schema(database)
            if found not in SUPPORTED:
                raise SchemaMismatch(found, SUPPORTED)
            if self._known is not None:
                self._known.counts_mails = found >= _COUNTS_MAILS
                return
            ((origin,),), ((secret,),) = database.rows("get_meta", "origin"), database.rows("get_meta", "secret")
            self._known = Known(origin, bytes.fromhex(secret), counts_mails=found >= _COUNTS_MAILS)

    def _schema(self, database: PostgresDatabase) -> int:
        if database.rows("schema_table", self.schema) == [(0,)]:
            return 0
        ((found,),) = database.rows("schema_version")
        return int(found)

    def _has_tables(self, database: PostgresDatabase) -> bool:
        return database.rows("our_tables", self.schema) != [(0,)]

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Bring the schema up to this release's; returns the SQL of each migration that was (or would be) applied.

        Everything is one transaction, and only one process does it at a time. The SQL is complete: who runs migrations
        with tools of their own runs exactly that. Raises `SchemaMismatch` for a schema that is newer than this release.
        """
        database = self._database(self._connections.own().connection, write=True)
        database.control("BEGIN")
        try:
            database.lock([f"migrate {self.schema}"], None)
            found = self._schema(database)
            if found > SCHEMA or (found == 0 and self._has_tables(database)):
                raise SchemaMismatch(found, SUPPORTED)
            scripts = [self._script(number) for number in range(found, SCHEMA)]
            for script in scripts if not dry_run else ():
                for statement in split(script):
                    database.control(statement)
            database.control("COMMIT")
        except BaseException:
            with suppress(SequencerError):
                database.control("ROLLBACK")
            raise
        if not dry_run:
            log_migrations(migrations("postgres")[found:])
        return scripts

    def _script(self, number: int) -> str:
        """The whole SQL of a migration, with what notes that it was applied."""
        migration = migrations("postgres")[number]
        create = "" if number or self.schema == "public" else f"CREATE SCHEMA IF NOT EXISTS {self._quoted};\n\n"
        noted = f"{migration.version}, {_text(migration.name)}, {_text(release_of('sequencer'))}"
        note = f"INSERT INTO {self._quoted}.sequencer_migrations (version, name, release) VALUES ({noted});\n"  # noqa: S608
        return f"{create}{migration.sql.replace('{schema}', self._quoted)}\n{note}"


def _opened(
    dsn: str | None, connect: Callable[[], psycopg.Connection[Any]] | None, lock_timeout: float, shown: str
) -> psycopg.Connection[Any]:
    try:
        connection = psycopg.connect(dsn or "") if connect is None else connect()
    except psycopg.Error as error:
        raise StoreError(f"cannot open {shown}: {' '.join(str(error).split())}") from error
    try:
        connection.autocommit = True
        for name, value in (
            ("lock_timeout", f"{max(1, round(lock_timeout * 1000))}ms"),
            ("default_transaction_isolation", "read committed"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        # Durable means durable, whatever the server or the database is set to.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.Error):
            raise translated(error) from error
        raise
    return connection


_ALONE = ("BEGIN", "COMMIT", ("ROLLBACK",))
_SAVEPOINT = ("SAVEPOINT sequencer", "RELEASE sequencer", ("ROLLBACK TO sequencer", "RELEASE sequencer"))


def _text(value: str) -> str:
    return sql.Literal(value).as_string(None)


def _without_password(dsn: str) -> str:
    try:
        parts = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        return "..."
    parts.pop("password", None)
    return psycopg.conninfo.make_conninfo("", **parts)
