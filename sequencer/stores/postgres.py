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
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Several
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from importlib.metadata import version as release_of
from typing import Any

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import Conflict, InvalidInput, Misuse, SchemaMismatch, SequencerError, StoreError
from sequencer.core.instants import from_microseconds, to_iso
from sequencer.engine.storage import Looks, Transaction
from sequencer.stores.codec import COLUMNS, Row
from sequencer.stores.connections import Connections, Held
from sequencer.stores.database import Known
from sequencer.stores.examination import Examination, examined
from sequencer.stores.hosted import AnotherDatabase, Inside, driver_connection
from sequencer.stores.records_codec import TASK_COLUMNS
from sequencer.stores.statements import log_migrations, migrations, read, split
from sequencer.stores.tabled import TabledStore
from sequencer.stores.transaction import StoreTransaction

try:
    import psycopg
    from psycopg import errors, sql
    from psycopg.pq import TransactionStatus
    from psycopg.rows import tuple_row

    from sequencer.stores.postgres_connections import ADAPTERS, opened, refuse_unfit, shown, translated
    from sequencer.stores.postgres_looks import PreparedLooks
except ModuleNotFoundError as error:  # pragma: no cover - the extra is there in every test
    raise ModuleNotFoundError(
        "PostgresStore needs psycopg 3: pip install 'sequencer[postgres]'", name="psycopg"
    ) from error

__all__ = ["SCHEMA", "PostgresStore"]

SCHEMA = len(migrations("postgres"))
"""The schema that this release makes."""
SUPPORTED = (SCHEMA - 1, SCHEMA)
"""The schemas that this release runs on: its own, and the one before it."""

# What these read is locked by a transaction that may write.
_LOCKING = (
    "get", "ongoing_of_resource", "ongoing_of_address", "ongoing_of_sequence", "ongoing_of_account", "blocked",
    "blocked_of_sequence", "in_other_versions",
)  # fmt: skip
# What these read stays as it is, deleted or not, until a transaction that may write has ended.
_SHARING = ("find_sequence", "listed_of_ids")
# These read the feed only as far as it is settled, which is found out by a statement before them.
_SETTLED = frozenset({"events_after", "last_event"})
_COPIED = frozenset({"insert", "add_event"})
# Fewer rows than these are sent one after another: a copy and its end are three messages.
_FEW = 8
# What these do not find is not there, and something is decided on that: see `_look_afresh`.
_ABSENT = frozenset({
    "ongoing_of_resource", "ongoing_of_address", "ongoing_of_resources", "ongoing_of_addresses",
    "last_finished_of_resources", "last_finished_of_addresses",
})  # fmt: skip


def _arrays(rows: Iterable[Row]) -> list[str]:
    """Many rows as an array for each column, in PostgreSQL's notation: psycopg's own way takes ten times as long."""
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(values: Iterable[Any]) -> str:
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'
    return "NULL" if value is None else str(value)


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
    locking = {**dict.fromkeys(_LOCKING, "UPDATE"), **dict.fromkeys(_SHARING, "KEY SHARE")}
    return named, {**named, **{name: f"{named[name]}\nFOR {lock}" for name, lock in locking.items()}}


class _Cursor(psycopg.RawCursor[Row]):
    """A cursor that gives plain tuples of plain values, whatever the connection gives."""

    adapters = property(lambda _: ADAPTERS)


class PostgresDatabase:
    """Runs the named statements on a cursor of its own.

    `afresh` is for a transaction that works on a snapshot: what sees what was committed since.
    """

    __slots__ = ("_domain", "_sql", "afresh", "cursor")

    def __init__(self, connection: psycopg.Connection[Any], named: dict[str, str], domain: str) -> None:
        self.cursor = _Cursor(connection, row_factory=tuple_row)
        self.afresh: Callable[[], PostgresDatabase] | None = None
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
        found = self._execute(name, values).fetchall()
        if self.afresh is not None and name in _ABSENT:
            self._look_afresh(self.afresh(), name, values, {row[0] for row in found})
        return found

    def _look_afresh(self, now: PostgresDatabase, name: str, values: tuple[Any, ...], seen: set[int]) -> None:
        """Raise `Conflict` where somebody else has enrolled since the snapshot of this transaction was taken."""
        for id, *_ in now.rows(name, *values):
            # One that looks different by now cannot be locked, unless it was changed in this very transaction.
            if id not in seen and not self._execute("get", (id, None)).fetchall():
                raise Conflict(
                    f"enrollment {id} was made after the snapshot of your transaction was taken; nothing "
                    "was stored, so roll back and begin again"
                )

    def row(self, name: str, *values: Any) -> Row | None:
        """The first row of a query."""
        rows = self.rows(name, *values)
        return rows[0] if rows else None

    def each(self, name: str, rows: Iterable[Row]) -> list[list[Row]]:
        """The rows of a query for each of many values, which are sent in one go."""
        rows = list(rows)
        if not rows:
            return []
        try:
            self.cursor.executemany(self._sql[name].encode(), rows, returning=True)
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise translated(error) from error
        found = [self.cursor.fetchall()]
        while self.cursor.nextset():
            found.append(self.cursor.fetchall())
        return found

    def rows_about(self, name: str, several: Several[str] | Several[int], *values: Any) -> list[Row]:
        """All rows of a query about several things at once."""
        return self.rows(name, _array(several), *values)

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
                self.cursor.execute(bulk.encode(), _arrays(rows))
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise translated(error) from error

    def stored(self, name: str, rows: Iterable[Row]) -> set[int]:
        """The ids of the rows that a statement changed."""
        columns = _arrays(rows)
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
        ((settled, safe),) = self.rows("settled", _feed_class(self._domain))
        if not safe:
            raise InvalidInput(
                "events cannot be read from a snapshot (REPEATABLE READ, SERIALIZABLE) or from a standby server, where "
                "some would be passed over; use READ COMMITTED on the primary",
                path="connection",
                code="invalid_value",
            )
        return int(settled)

    def control(self, statement: str) -> None:
        """BEGIN, COMMIT, SAVEPOINT and the like."""
        try:
            self.cursor.execute(statement.encode())
        except psycopg.Error as error:
            raise translated(error) from error


class PostgresStore(TabledStore):
    """Enrollments in PostgreSQL, version 14 or later.

    `dsn` is a connection string or URL; or `connect` is a callable that makes a new psycopg connection. `schema` is the
    PostgreSQL schema that the tables live in, made if it is not there. One without the store's tables gets them; tables
    that this release does not run on are refused with `SchemaMismatch`, unless `check=False`, which is for `migrate`.
    `lock_timeout` is how many seconds to wait for another transaction.

    Or `inside` is a callable that gives a context, in which there is a connection with a transaction of the host's,
    which ends with it. Every transaction of the store's is a part of such a one then, and nothing is done before.

    It may be used from any thread: each has a connection of its own. A connection that broke is replaced.
    """

    translated = staticmethod(translated)

    def __init__(
        self,
        dsn: str | None = None,
        *,
        connect: Callable[[], psycopg.Connection[Any]] | None = None,
        schema: str = "public",
        lock_timeout: float = 5.0,
        check: bool = True,
        inside: Inside | None = None,
    ) -> None:
        if (dsn or None, connect, inside).count(None) != 2:
            raise InvalidInput("give a connection string, or connect=, a callable that makes a connection", path="dsn")
        _check_schema(schema)
        super().__init__(inside, schema)
        self._shown = None if dsn is None else shown(dsn)
        self._connect = connect
        self.schema = schema
        self._quoted = sql.Identifier(schema).as_string(None)
        self._reading, self._writing = _statements(self._quoted)
        self._connections = Connections(partial(opened, dsn, connect, lock_timeout, repr(self)))
        if check and inside is None:
            self._check()

    def __repr__(self) -> str:
        schema = "" if self.schema == "public" else f", schema={self.schema!r}"
        # Neither a connection string nor the arguments of a callable: there may be a password in them.
        way, given = ("connect", self._connect) if self._inside is None else ("inside", self._inside)
        name = getattr(given, "__qualname__", type(given).__name__)
        return f"PostgresStore({f'{way}={name}' if self._shown is None else repr(self._shown)}{schema})"

    def _supported(self) -> tuple[int, ...]:
        return SUPPORTED

    # -- connections -------------------------------------------------------------------------------------------

    def _database(self, connection: psycopg.Connection[Any], *, write: bool) -> PostgresDatabase:
        domain = "" if self._known is None else self._known.origin
        return PostgresDatabase(connection, self._writing if write else self._reading, domain)

    def _own_connection(self) -> Held[psycopg.Connection[Any]]:
        held = self._connections.own()
        return self._connections.renewed() if held.connection.closed else held

    def _reader(self) -> PostgresDatabase:
        return self._database(self._own_connection().connection, write=False)

    def _begun(self, *, write: bool) -> tuple[Held[psycopg.Connection[Any]], PostgresDatabase]:
        """The connection of this thread, with a transaction on it; a new one, if the server has gone away meanwhile."""
        held = self._own_connection()
        if held.open:
            raise Misuse("a transaction of this store is open in this thread already; go on in that one")
        database = self._database(held.connection, write=write)
        if not write:
            # Each statement sees what is committed by then: a block that only reads needs no transaction for that.
            return held, database
        try:
            database.control(self._begin())
        except StoreError:
            if not held.connection.closed:
                raise
            held = self._connections.renewed()
            database = self._database(held.connection, write=write)
            database.control(self._begin())
        return held, database

    def _begin(self) -> str:
        """The beginning of a transaction that may write events, which the readers of the feed must know of."""
        # In one message, which can have no values beside it. The isolation is named, since behind a pooler the session
        # may be another one than that which was set up: in a snapshot, what locks are taken for would not be seen.
        announced = self._writing["announce"].replace("$1", str(_feed_class(self._knows().origin)), 1)
        return f"{_ALONE[0]}; {announced}"

    # -- transactions ------------------------------------------------------------------------------------------

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the store's own, or a part of the caller's."""
        if self._inside is not None:
            return self._hosted(connection, write=write)
        if connection is None:
            return self._own(write=write)
        return self._joined(connection, self._knows(), write=write)

    def looking(self, claims: Several[tuple[Enrollment, int]]) -> Looks:
        """Fresh looks at claims; in a transaction of the host's, one after another."""
        ordinary = super().looking(claims)
        if self._inside is not None:
            return ordinary
        return PreparedLooks(self._own_connection, self._reading["look"], self._knows(), ordinary)

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
                _refuse_failed(held.connection)
                database.control("COMMIT")
            known.versions.update(transaction.versions)
        finally:
            held.open = False
            if write and held.connection.info.transaction_status != TransactionStatus.IDLE:
                try:
                    held.connection.rollback()
                except psycopg.Error:
                    # It is broken. The server rolls back for it, and the next one takes its place.
                    held.connection.close()

    @contextmanager
    def _joined(self, connection: Any, known: Known | None, *, write: bool) -> Iterator[StoreTransaction]:
        connection = driver_connection(connection)
        refuse_unfit(connection)
        if known is None:
            raise AnotherDatabase
        database = self._database(connection, write=write)
        status = connection.info.transaction_status
        if status == TransactionStatus.INERROR:
            raise StoreError("the caller's transaction has failed already; roll it back first")
        begin, end, undo = _brackets(connection)
        database.control(begin)
        try:
            isolation = self._isolation(database, known, write=write)
            if isolation != "read committed" and write:
                database.afresh = self._fresh_reader(isolation)
            yield StoreTransaction(database, known)
            _refuse_failed(connection)
        except BaseException:
            if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                for statement in undo:
                    database.control(statement)
            raise
        database.control(end)

    @staticmethod
    def _isolation(database: PostgresDatabase, known: Known, *, write: bool) -> str:
        """How the caller's transaction is isolated. Raises `InvalidInput` where it is on another store's database."""
        try:
            found = database.row("joined_to_write", _feed_class(known.origin)) if write else database.row("joined")
        except StoreError as error:
            if not isinstance(error.__cause__, errors.UndefinedTable):
                raise
            found = None
        if found is None or found[0] != known.origin:
            raise AnotherDatabase
        return str(found[1])

    def examine(self) -> Examination:
        """What is in the store, for who looks after it."""
        feed = _feed_class(self._knows().origin)
        with self._using() as database:
            ((version, encoding, synchronous, size, oldest),) = database.rows("server", self.schema, feed)
            settings = {
                "server": f"PostgreSQL {version}, {encoding}",
                "size": f"{size:,} bytes".replace(",", " "),
                "synchronous commit": synchronous,
                "oldest writer": "none" if oldest is None else f"since {to_iso(from_microseconds(oldest))}",
            }
            return examined(database, settings)

    def _fresh_reader(self, isolation: str) -> Callable[[], PostgresDatabase]:
        if self._inside is not None:
            raise InvalidInput(
                f"is in a transaction that is {isolation.upper()}, in which a store without connections of its own "
                "cannot see who was enrolled since it began; needs READ COMMITTED, PostgreSQL's default",
                path="connection",
                code="invalid_value",
            )
        return self._reader

    # -- the schema --------------------------------------------------------------------------------------------

    @contextmanager
    def _using(self, connection: Any = None) -> Iterator[PostgresDatabase]:
        """A connection for the schema: the one at hand, one of the host's in its transaction, or the store's own."""
        if connection is not None:
            yield self._database(connection, write=False)
        elif self._inside is not None:
            with self._inside() as begun:
                yield self._database(begun, write=False)
        else:
            yield self._reader()

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Bring the schema up to this release's; returns the SQL of each migration that was (or would be) applied.

        Everything is one transaction, and only one process does it at a time. The SQL is complete: who runs migrations
        with tools of their own runs exactly that. Raises `SchemaMismatch` for a schema that is newer than this release.
        """
        if self._inside is None and self._own_connection().open:
            raise Misuse("a transaction of this store is open in this thread; end it before migrating")
        with self._using() as database:
            return self._migrate(database, dry_run=dry_run)

    def _migrate(self, database: PostgresDatabase, *, dry_run: bool = False) -> list[str]:
        begin, end, undo = _brackets(database.cursor.connection)
        database.control(begin)
        try:
            # Not by `lock`, whose names are apart for each store: some of those who migrate do not know which it is.
            database.rows("lock", [_key(f"sequencer migrate {self.schema}")])
            found = self._schema(database)
            if found > SCHEMA or (found == 0 and self._has_tables(database)):
                raise SchemaMismatch(found, SUPPORTED)
            scripts = [self._script(number) for number in range(found, SCHEMA)]
            if found == 0 and database.row("has_schema", self.schema) is None:
                # Only then, since it asks for more rights, also where there is nothing to do.
                scripts[0] = f"CREATE SCHEMA {self._quoted};\n\n{scripts[0]}"
            for script in scripts if not dry_run else ():
                for statement in split(script):
                    database.control(statement)
            database.control(end)
        except BaseException:
            with suppress(SequencerError):
                for statement in undo:
                    database.control(statement)
            raise
        if not dry_run:
            log_migrations(migrations("postgres")[found:])
        return scripts

    def _script(self, number: int) -> str:
        """The whole SQL of a migration, with what notes that it was applied."""
        migration = migrations("postgres")[number]
        noted = f"{migration.version}, {_text(migration.name)}, {_text(release_of('sequencer'))}"
        note = f"INSERT INTO {self._quoted}.sequencer_migrations (version, name, release) VALUES ({noted});\n"  # noqa: S608
        return f"{migration.sql.replace('{schema}', self._quoted)}\n{note}"


_ALONE = ("BEGIN ISOLATION LEVEL READ COMMITTED", "COMMIT", ("ROLLBACK",))
_SAVEPOINT = ("SAVEPOINT sequencer", "RELEASE sequencer", ("ROLLBACK TO sequencer", "RELEASE sequencer"))


def _refuse_failed(connection: psycopg.Connection[Any]) -> None:
    """Refuse to commit where a statement has failed and that was kept in: the server would roll back without a word."""
    if connection.info.transaction_status == TransactionStatus.INERROR:
        raise StoreError("nothing was stored: the server has refused a statement of this block; begin again")


def _brackets(connection: psycopg.Connection[Any]) -> tuple[str, str, tuple[str, ...]]:
    """How to begin, end and undo: a transaction where none is open and none begins by itself, else a savepoint."""
    alone = connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE
    return _ALONE if alone else _SAVEPOINT


def _text(value: str) -> str:
    return sql.Literal(value).as_string(None)


def _check_schema(schema: Any) -> None:
    try:
        long = not isinstance(schema, str) or not 1 <= len(schema.encode()) <= 63
    except UnicodeEncodeError:
        long = True
    if long or "'" in schema or not schema.isprintable():
        raise InvalidInput(
            "needs the name of a schema: 1 to 63 bytes of UTF-8, without apostrophes, line breaks and the like, got "
            f"{schema!r}",
            path="schema",
            code="invalid_value",
        )
