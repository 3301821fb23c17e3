"""Joined to a caller's connection to PostgreSQL: savepoints only, whatever its habits, and never on old news."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import ExitStack
from datetime import timedelta

import psycopg
import pytest
from psycopg.adapt import Dumper, Loader
from psycopg.rows import class_row, dict_row, namedtuple_row, scalar_row

from sequencer import AlreadyEnrolled, Engine, ManualClock, Policy
from sequencer.core.errors import Conflict, InvalidInput, StoreError
from sequencer.stores.postgres import PostgresStore
from sequencer.testing.contracts.workbench import NOW, begin, begun, failing
from tests import postgres
from tests.engine.sequences import lead, mails

READ_COMMITTED = psycopg.IsolationLevel.READ_COMMITTED
SNAPSHOTS = (psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE)
# How a caller may hold a connection: whether it commits by itself, and how its transaction was begun.
MODES = {
    "the driver's default": (False, None),
    "something read before": (False, "SELECT 1"),
    "begun by hand": (True, "BEGIN"),
    "connection.transaction()": (True, "transaction"),
    "connection.transaction() in the driver's default": (False, "transaction"),
    "a savepoint of the same name": (False, "SAVEPOINT sequencer"),
}


class _Never(Loader):
    def load(self, data):
        pytest.fail("a loader of the host's was asked")


class _Wrong(Dumper):
    def dump(self, obj):
        return b"wrong"


def _odd_types(connection):
    for name in ("int8", "int4", "text", "bool"):
        connection.adapters.register_loader(name, _Never)
    for kind in (int, str, bool, list):
        connection.adapters.register_dumper(kind, _Wrong)


def _nothing(connection):
    pass


HABITS = {
    "tuples": ({}, _nothing),
    "dictionaries": ({"row_factory": dict_row}, _nothing),
    "named tuples": ({"row_factory": namedtuple_row}, _nothing),
    "objects": ({"row_factory": class_row(dict)}, _nothing),
    "scalars": ({"row_factory": scalar_row}, _nothing),
    "no prepared statements": ({"prepare_threshold": None}, _nothing),
    "values in the text": ({"cursor_factory": psycopg.ClientCursor}, _nothing),
    "types of its own": ({}, _odd_types),
}


@pytest.fixture
def store():
    store = postgres.new_store(lock_timeout=0.2)
    yield store
    store.close()


class Caller:
    """A host's connection, with a transaction that was begun in one of the modes."""

    def __init__(self, mode="the driver's default", habit="tuples", isolation=None):
        (autocommit, begun_by), (options, prepare) = MODES[mode], HABITS[habit]
        self.connection = postgres.connect(autocommit=autocommit, **options)
        self.connection.isolation_level = isolation
        prepare(self.connection)
        self._stack = ExitStack()
        self._inside = begun_by == "transaction"
        if self._inside:
            self._stack.enter_context(self.connection.transaction())
        elif begun_by is not None:
            self.connection.execute(begun_by)

    def end(self, how):
        if self._inside:
            error = None if how == "COMMIT" else psycopg.Rollback()
            self._stack.__exit__(error and type(error), error, None)
        else:
            self.connection.execute(how)
        assert self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        self.connection.close()


def ids(store):
    with store.transaction() as transaction:
        return [each.id for each in transaction.enrollments(None)]


# -- whose transaction it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "habit"),
    [*((mode, "tuples") for mode in MODES), *(("the driver's default", habit) for habit in list(HABITS)[1:])],
)
def test_the_caller_decides(store, mode, habit):
    """Blocks in any mode of the caller's are undone alone when they fail, and kept or not as the caller ends (S1)."""
    caller = Caller(mode, habit)
    with store.transaction(caller.connection) as outer:
        first = begin(store, outer, 1)
        with failing(store, caller.connection) as inner:
            assert inner.get(first.id).enrollment == first
            begin(store, inner, 2)
        with store.transaction(caller.connection) as inner:
            third = begin(store, inner, 3)
        assert outer.get(third.id).enrollment == third
    with failing(store, caller.connection) as transaction:
        begin(store, transaction, 4)
    assert ids(store) == []
    caller.end("COMMIT")
    assert ids(store) == [first.id, third.id]

    caller = Caller(mode, habit)
    with store.transaction(caller.connection) as transaction:
        begin(store, transaction, 5)
    caller.end("ROLLBACK")
    assert ids(store) == [first.id, third.id]


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_leaves_the_callers_transaction_usable(store, mode):
    """An error of the database inside a block, too, leaves what the caller did before, and lets the caller go on."""
    caller = Caller(mode)
    caller.connection.execute("CREATE TEMPORARY TABLE leads (id INTEGER PRIMARY KEY) ON COMMIT PRESERVE ROWS")
    caller.connection.execute("INSERT INTO leads VALUES (1)")
    with pytest.raises(Conflict, match="duplicate"), store.transaction(caller.connection) as transaction:
        transaction.insert([(begin(store, transaction), ())])
    with pytest.raises(InvalidInput, match="NUL"), store.transaction(caller.connection) as transaction:
        transaction.current_version(None, "a\0b")
    caller.connection.execute("INSERT INTO leads VALUES (2)")
    assert len(caller.connection.execute("SELECT id FROM leads").fetchall()) == 2
    caller.end("COMMIT")
    assert ids(store) == []


def test_the_callers_own_savepoint(store):
    """Savepoints of the caller's that have the name of the store's are where they were, before and after a block."""
    with postgres.connect() as connection:
        with store.transaction(connection) as transaction:
            kept = begin(store, transaction, 1)
        connection.execute("SAVEPOINT sequencer")
        with store.transaction(connection) as transaction:
            begin(store, transaction, 2)
        with failing(store, connection) as transaction:
            begin(store, transaction, 3)
        connection.execute("ROLLBACK TO sequencer")
        connection.execute("RELEASE sequencer")
    assert ids(store) == [kept.id]


def test_a_connection_that_commits_by_itself(store):
    """Where nothing is open on a connection in autocommit mode, the block is the transaction."""
    with postgres.connect(autocommit=True) as connection:
        for isolation in ("read committed", "repeatable read", "serializable"):
            connection.execute(f"SET default_transaction_isolation = '{isolation}'")
            with failing(store, connection) as transaction:
                begin(store, transaction, 1)
            with store.transaction(connection) as transaction:
                begin(store, transaction, isolation)
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert len(ids(store)) == 3


# -- what cannot be joined ------------------------------------------------------------------------------------


def test_what_is_no_connection(store):
    """What is no connection of psycopg's is refused by its type: its text may hold a password."""
    asynchronous = asyncio.run(psycopg.AsyncConnection.connect(postgres.server()))
    for each in (42, "postgresql://ada:secret@localhost/crm", sqlite3.connect(":memory:"), asynchronous):
        with pytest.raises(InvalidInput, match="one of Django or a Session") as caught, store.transaction(each):
            pytest.fail("the block must not begin")
        assert "secret" not in str(caught.value)
    asyncio.run(asynchronous.close())


def test_a_closed_connection(store):
    """A connection that is closed, by the host or by the server, is refused, and the store goes on."""
    connection = postgres.connect()
    connection.close()
    with pytest.raises(StoreError, match="closed"), store.transaction(connection):
        pytest.fail("the block must not begin")
    connection = postgres.connect()
    with postgres.connect(autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    with pytest.raises(StoreError, match="terminat"), store.transaction(connection):
        pytest.fail("the block must not begin")
    begun(store)


def test_a_connection_that_breaks_inside(store):
    """A connection that breaks inside the block leaves nothing, and the error says so."""
    connection = postgres.connect()

    def work():
        with store.transaction(connection) as transaction:
            begin(store, transaction)
            with postgres.connect(autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            begin(store, transaction, 2)

    with pytest.raises(StoreError, match="terminat"):
        work()
    assert ids(store) == []


def test_a_transaction_that_has_failed(store):
    """A transaction of the caller's that has failed already is refused with what to do, and stays the caller's."""
    with postgres.connect() as connection:
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1 / 0")
        with pytest.raises(StoreError, match="roll it back first"), store.transaction(connection):
            pytest.fail("the block must not begin")
        connection.rollback()
        with store.transaction(connection) as transaction:
            begin(store, transaction)
    assert len(ids(store)) == 1


@pytest.mark.parametrize("kind", ["own", "by itself", "begun"])
def test_an_error_that_was_kept_in(store, kind):
    """Where the server has refused a statement of a block and that was kept in, the block says that nothing is stored.

    It would take the COMMIT for a ROLLBACK, and find nothing wrong with it.
    """

    def block(connection):
        with store.transaction(connection) as transaction:
            begin(store, transaction)
            with pytest.raises(psycopg.Error):
                transaction._database.cursor.execute(b"SELECT 1 / 0")

    refused = pytest.raises(StoreError, match="nothing was stored")
    with postgres.connect(autocommit=kind == "by itself") as connection, refused:
        block(None if kind == "own" else connection)
    assert ids(store) == []


def test_another_database(store):
    """A connection to another database is refused, whether there is a store of that schema in it or not."""
    with postgres.new_database() as dsn, psycopg.connect(dsn) as connection:
        for _ in range(2):
            with pytest.raises(InvalidInput, match="another database"), store.transaction(connection):
                pytest.fail("the block must not begin")
            assert connection.execute("SELECT 1").fetchone() == (1,)
            PostgresStore(dsn, schema=store.schema).close()


def test_pipeline_mode(store):
    """A connection in pipeline mode is refused; the pipeline of the caller goes on."""
    with postgres.connect() as connection:
        with connection.pipeline():
            cursor = connection.execute("SELECT 1")
            with pytest.raises(InvalidInput, match=r"outside of `connection\.pipeline"), store.transaction(connection):
                pytest.fail("the block must not begin")
            assert cursor.fetchone() == (1,)
        with store.transaction(connection) as transaction:
            begin(store, transaction)
    assert len(ids(store)) == 1


def test_another_encoding(store):
    """A connection that does not speak UTF-8 is refused, rather than misread."""
    with postgres.connect(client_encoding="latin1") as connection:
        with pytest.raises(InvalidInput, match="client_encoding is LATIN1"), store.transaction(connection):
            pytest.fail("the block must not begin")
        assert connection.execute("SELECT 'ä'").fetchone() == ("ä",)


def test_a_transaction_that_may_only_read(store):
    """In a read-only transaction reading works, and writing is refused with the reason."""
    enrollment = begun(store)
    with postgres.connect() as connection:
        connection.read_only = True
        with store.transaction(connection, write=False) as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment
        with pytest.raises(StoreError, match="read-only"), store.transaction(connection) as transaction:
            begin(store, transaction, 2)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_who_waits_for_the_callers_own_lock(store):
    """A lock that the caller holds elsewhere is a conflict after `lock_timeout`, and the message says what to do."""
    enrollment = begun(store)
    with postgres.connect() as connection, store.transaction(connection) as transaction:
        transaction.get(enrollment.id)
        with pytest.raises(Conflict, match=r"lock_timeout.*connection="), store.transaction() as other:
            other.get(enrollment.id)


# -- snapshots ------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(store):
    return Engine(store, clock=ManualClock(NOW))


@pytest.fixture(params=SNAPSHOTS, ids=lambda level: level.name)
def snapshot(request, engine):
    """A caller's connection whose transaction has taken its snapshot."""
    engine.save(mails())
    with postgres.connect() as connection:
        connection.isolation_level = request.param
        connection.execute("SELECT 1")
        yield connection


def _same_resource(engine):
    engine.enroll(mails(), lead(1, "grace@example.com"))


def _same_address(engine):
    engine.enroll(mails(), lead(2))


def _address_that_moved(engine):
    engine.update_person(lead(3))


def _enrolled_and_finished(engine):
    engine.finish(engine.enroll(mails(), lead()).id)


@pytest.mark.parametrize("meanwhile", [_same_resource, _same_address, _address_that_moved, _enrolled_and_finished])
@pytest.mark.parametrize("isolation", SNAPSHOTS, ids=lambda level: level.name)
def test_who_was_enrolled_since_the_snapshot(engine, meanwhile, isolation):
    """In a snapshot that does not show who was enrolled since, enrolling is a conflict, never a second enrollment."""
    sequence = mails(policy=Policy(reenroll_after=30))
    engine.enroll(sequence, lead(3, "charles@example.com"))
    with postgres.connect() as connection:
        connection.isolation_level = isolation
        connection.execute("SELECT 1")
        meanwhile(engine)
        with pytest.raises((Conflict, AlreadyEnrolled)):
            engine.enroll(sequence, lead(), connection=connection)
        connection.rollback()
        with pytest.raises(AlreadyEnrolled):
            engine.enroll(sequence, lead(), connection=connection)


def test_what_was_changed_since_the_snapshot(engine, snapshot):
    """In a snapshot that shows an enrollment as it was, a verb is a conflict, and nothing is written over."""
    enrollment = engine.enroll(mails(), lead())
    other = engine.enroll(mails(), lead(2, "grace@example.com"))
    snapshot.rollback()
    snapshot.execute("SELECT 1")
    engine.block(enrollment.id)
    for verb in (engine.finish, engine.skip, engine.block):
        with pytest.raises(Conflict, match="nothing was stored"):
            verb(enrollment.id, connection=snapshot)
    assert engine.block(other.id, connection=snapshot).changed
    snapshot.commit()
    assert [engine.get(id).state.value for id in (enrollment.id, other.id)] == ["blocked", "blocked"]
    assert engine.get(enrollment.id, connection=snapshot).blocked_reason == "paused"


def test_in_a_snapshot_ones_own_changes_count(engine, snapshot):
    """In a snapshot the caller's own changes are no news of somebody else's: finish, and enroll again."""
    first = engine.enroll(mails(), lead())
    snapshot.rollback()
    snapshot.execute("SELECT 1")
    with pytest.raises(AlreadyEnrolled):
        engine.enroll(mails(), lead(), connection=snapshot)
    engine.finish(first.id, connection=snapshot)
    second = engine.enroll(mails(), lead(), connection=snapshot)
    with pytest.raises(AlreadyEnrolled):
        engine.enroll(mails(), lead(), connection=snapshot)
    snapshot.commit()
    assert [each.id for each in engine.enrollments(state="active")] == [second.id]


def test_a_sequence_that_was_saved_since_the_snapshot(engine, snapshot):
    """In a snapshot that does not show a version which was made since, saving is a conflict, or the same version."""
    sequence = mails(count=3)
    version = engine.save(sequence)
    with pytest.raises(Conflict):
        engine.save(sequence, connection=snapshot)
    snapshot.rollback()
    assert engine.save(sequence, connection=snapshot) == version


def test_events_are_not_read_from_a_snapshot(engine, snapshot):
    """The feed is refused in a snapshot, where an event could be passed over, and read in READ COMMITTED."""
    engine.enroll(mails(), lead())
    with pytest.raises(InvalidInput, match="READ COMMITTED"):
        engine.events(connection=snapshot)
    snapshot.rollback()
    snapshot.isolation_level = READ_COMMITTED
    assert [event.type for event in engine.events(connection=snapshot).events] == ["enrolled"]


@pytest.mark.parametrize("isolation", [READ_COMMITTED, *SNAPSHOTS], ids=lambda level: level.name)
def test_the_whole_life_on_the_callers_connection(engine, isolation):
    """Every verb and read works on a connection of any isolation while nobody else is at work."""
    with postgres.connect() as connection:
        connection.isolation_level = isolation
        on = {"connection": connection}
        id = engine.enroll(mails(), lead(), idempotency_key="k", start_at=NOW + timedelta(days=1), **on).id
        assert engine.enroll(mails(), lead(), idempotency_key="k", **on).id == id
        engine.block(id, **on)
        engine.resume(id, **on)
        engine.skip(id, **on)
        engine.update_person(lead(email="countess@example.com"), **on)
        engine.suppress("else@example.com", **on)
        engine.finish_ongoing(lead(), **on)
        assert engine.statistics(mails(), **on).to_dict()["finished"]
        assert len(engine.history(id, **on)) >= 5
        connection.commit()
    assert engine.get(id).state.value == "finished"
