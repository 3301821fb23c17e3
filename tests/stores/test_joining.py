"""Joined to the caller's connection: savepoints only, and the commit is the caller's (S1)."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from sequencer.core.errors import Busy, Conflict, InvalidInput, Misuse
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.workbench import NOW, begin, begun, failing, sequence_named

# How a caller may hold a connection: its isolation level, and whether a transaction is open on it already.
MODES = {
    "the driver's default": ("", False),
    "the driver's default, something written": ("", True),
    "immediate": ("IMMEDIATE", False),
    "no implicit transactions, begun by hand": (None, True),
}


def dictionary(cursor, row):
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "crm.db"


@pytest.fixture
def store(path):
    store = SQLiteStore(path, busy_timeout=0.2)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE leads (id INTEGER PRIMARY KEY, name TEXT)")
    connection.close()
    yield store
    store.close()


@pytest.fixture(params=[None, sqlite3.Row, dictionary], ids=["tuples", "Row", "dict"])
def connect(request, path):
    """Makes the caller's connections, with each kind of rows."""
    made = []

    def connect(isolation_level):
        connection = sqlite3.connect(path, isolation_level=isolation_level, timeout=0.2)
        connection.row_factory = request.param
        made.append(connection)
        return connection

    yield connect
    for each in made:
        each.close()


def caller(connect, mode):
    isolation_level, begun_already = MODES[mode]
    connection = connect(isolation_level)
    if begun_already:
        if isolation_level is None:
            connection.execute("BEGIN")
        connection.execute("INSERT INTO leads (name) VALUES ('Ada')")
    return connection


def end(connection, how):
    if connection.isolation_level is None:
        connection.execute(how.upper())
    else:
        getattr(connection, how)()


def ids(store):
    with store.transaction() as transaction:
        return [each.id for each in transaction.enrollments(None)]


def leads(store):
    with store.transaction() as transaction:
        return transaction._database.cursor.execute("SELECT count(*) FROM leads").fetchone()[0]


@pytest.mark.parametrize("mode", MODES)
def test_the_caller_commits(store, connect, mode):
    """What is written on the caller's connection is there for others once the caller commits, and not before."""
    connection = caller(connect, mode)
    with store.transaction(connection) as transaction:
        enrollment = begin(store, transaction)

    assert connection.in_transaction
    with store.transaction(write=False) as transaction:
        assert transaction.enrollments(None) == []
    end(connection, "commit")

    assert not connection.in_transaction
    assert ids(store) == [enrollment.id]


@pytest.mark.parametrize("mode", MODES)
def test_the_caller_rolls_back(store, connect, mode):
    """What is written on the caller's connection is gone with the caller's rollback."""
    connection = caller(connect, mode)
    with store.transaction(connection) as transaction:
        begin(store, transaction)
    end(connection, "rollback")

    assert ids(store) == []
    assert leads(store) == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_leaves_the_callers_transaction_usable(store, connect, mode):
    """After an error inside the block, only the block is undone; the caller goes on and commits."""
    connection = caller(connect, mode)
    before = connection.in_transaction
    with failing(store, connection) as transaction:
        begin(store, transaction)

    assert connection.in_transaction is before
    connection.execute("INSERT INTO leads (name) VALUES ('Bob')")
    with store.transaction(connection) as transaction:
        second = begin(store, transaction)
    end(connection, "commit")

    assert ids(store) == [second.id]
    assert leads(store) == 1 + before


@pytest.mark.parametrize("mode", MODES)
def test_nested_and_one_after_another(store, connect, mode):
    """Blocks inside and after one another share the caller's transaction, and each failure undoes its own block."""
    connection = caller(connect, mode)
    with store.transaction(connection) as outer:
        first = begin(store, outer, 1)
        with failing(store, connection) as inner:
            assert inner.get(first.id).enrollment == first
            begin(store, inner, 2)
        with store.transaction(connection) as inner:
            third = begin(store, inner, 3)
        assert outer.get(third.id).enrollment == third
    with store.transaction(connection) as transaction:
        fourth = begin(store, transaction, 4)
    end(connection, "commit")

    assert ids(store) == [first.id, third.id, fourth.id]


def test_a_connection_that_commits_by_itself(store, connect):
    """Where nothing is open on a connection without implicit transactions, the block is the transaction."""
    connection = connect(None)
    with store.transaction(connection) as transaction:
        enrollment = begin(store, transaction)
    assert not connection.in_transaction
    assert ids(store) == [enrollment.id]

    with failing(store, connection) as transaction:
        begin(store, transaction, 2)
    assert not connection.in_transaction
    assert ids(store) == [enrollment.id]


@pytest.mark.parametrize("isolation_level", ["", None])
def test_reading_leaves_nothing_open(store, connect, isolation_level):
    """A block that has written nothing leaves a connection as it was, so that it holds up no writer."""
    enrollment = begun(store)
    connection = connect(isolation_level)
    for write in (True, False):
        with store.transaction(connection, write=write) as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment
        assert not connection.in_transaction

    begun(store, 43)


@pytest.mark.parametrize("mode", MODES)
def test_savepoints_only(store, connect, mode):
    """On the caller's connection the store runs savepoints, queries and changes, and nothing else."""
    connection = caller(connect, mode)
    ran: list[str] = []
    connection.set_trace_callback(ran.append)
    with store.transaction(connection) as transaction:
        begin(store, transaction)
    with failing(store, connection) as transaction:
        begin(store, transaction, 2)
    connection.set_trace_callback(None)
    end(connection, "commit")

    allowed = {"SAVEPOINT", "RELEASE", "ROLLBACK TO", "SELECT", "INSERT", "UPDATE", "DELETE"}
    verbs = {statement.split()[0] for statement in ran if not statement.startswith(("ROLLBACK TO", "--"))}
    assert verbs <= allowed
    assert "SAVEPOINT" in verbs


def test_the_connection_keeps_its_habits(store, connect):
    """The caller's connection gives rows as before, also between and after the store's blocks."""
    connection = connect("")
    before = connection.execute("SELECT 1 AS one").fetchone()
    with store.transaction(connection) as transaction:
        begin(store, transaction)
        during = connection.execute("SELECT 1 AS one").fetchone()
    connection.rollback()

    assert type(before) is type(during) is type(connection.execute("SELECT 1 AS one").fetchone())


def test_a_version_that_the_caller_rolled_back_is_not_remembered(store, connect):
    """A version made on a connection that rolled back is forgotten, also when its id is given out again."""
    connection = connect("")
    with store.transaction(connection) as transaction:
        lost = transaction.save_version(None, sequence_named(mails=5), NOW)
        assert transaction.current_version(None, "outreach") == lost
    connection.rollback()
    with store.transaction() as transaction:
        assert transaction.current_version(None, "outreach") is None

    enrollment = begun(store, sequence=sequence_named(mails=1))

    assert enrollment.version.id == lost.id
    with store.transaction() as transaction:
        assert len(transaction.get(enrollment.id).enrollment.steps) == 2
    with store.transaction(connection) as transaction:
        assert len(transaction.get(enrollment.id).enrollment.steps) == 2


def test_another_writer_is_a_conflict(store, connect):
    """Where somebody else is writing and does not finish in time, that is a conflict, and nothing is stored."""
    connection = connect("")
    connection.execute("INSERT INTO leads (name) VALUES ('Ada')")
    other = connect("")
    for joined in (None, other):
        with pytest.raises(Conflict, match="try again"), store.transaction(joined):
            pytest.fail("the block must not begin")
    connection.rollback()
    assert not other.in_transaction

    assert begun(store).id == 1


def test_who_would_wait_for_itself_is_told_at_once(store, connect):
    """In a block on the caller's connection one of the store's own is refused at once; a read or a thread is not."""
    connection = connect("")
    with store.transaction(connection) as transaction:
        begin(store, transaction, 1)
        with pytest.raises(Misuse, match="connection="), store.transaction():
            pass
        with store.transaction(write=False) as reading:
            assert reading.enrollments(None) == []
        with store.transaction(connection) as nested, ThreadPoolExecutor(1) as another:
            begin(store, nested, 2)
            with pytest.raises(Busy):
                another.submit(begun, store, 3).result()
    connection.commit()
    with pytest.raises(Conflict), store.transaction(connection):
        raise Conflict
    with store.transaction() as transaction:
        assert len(transaction.enrollments(None)) == 2


def test_a_snapshot_that_has_grown_old_is_a_conflict(store, connect):
    """A caller's transaction that has read before somebody else wrote cannot write any more: no waiting helps."""
    connection = connect(None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM leads").fetchall()
    begun(store)
    with pytest.raises(Conflict, match="begin it again") as caught, store.transaction(connection) as transaction:
        begin(store, transaction, 2)
    assert not isinstance(caught.value, Busy)

    connection.execute("SELECT count(*) FROM leads").fetchall()
    connection.execute("ROLLBACK")


def test_another_database_is_refused(store, tmp_path):
    """A connection to another database is refused, whether that is a store or not."""
    SQLiteStore(tmp_path / "other.db").close()
    for name in ("other.db", "empty.db"):
        connection = sqlite3.connect(tmp_path / name)
        with pytest.raises(InvalidInput, match="another database"), store.transaction(connection):
            pytest.fail("the block must not begin")
        connection.close()


@pytest.mark.parametrize("broken", [42, "crm.db", object()])
def test_what_is_no_connection(store, broken):
    """What is no connection is refused, and the message says what may be given."""
    with pytest.raises(InvalidInput, match="one of Django or a Session"), store.transaction(broken):
        pytest.fail("the block must not begin")


def test_a_connection_that_gives_bytes(store, path):
    """A connection whose text comes as bytes is refused, rather than misread."""
    connection = sqlite3.connect(path)
    connection.text_factory = bytes
    with pytest.raises(InvalidInput, match="text_factory"), store.transaction(connection):
        pytest.fail("the block must not begin")
    connection.close()


def test_converters_of_the_host_catch_nothing(store, path):
    """Converters that the host has registered for its own types, and for declared names, touch no column of ours."""
    sqlite3.register_converter("timestamp", lambda value: pytest.fail(f"converted {value!r}"))
    sqlite3.register_converter("date", lambda value: pytest.fail(f"converted {value!r}"))
    enrollment = begun(store)
    connection = sqlite3.connect(path, detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES)
    with store.transaction(connection) as transaction:
        assert transaction.get(enrollment.id).enrollment == enrollment
    types = connection.execute(
        "SELECT DISTINCT upper(c.type) FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.name LIKE 'sequencer%'"
    ).fetchall()
    connection.close()

    assert {name for (name,) in types} == {"INTEGER", "TEXT"}
