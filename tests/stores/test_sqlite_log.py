"""The log of an SQLite file after something was erased: emptied, if not at once then as soon as it can be (S8)."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing

import pytest

from sequencer.stores import sqlite_log
from sequencer.stores.sqlite import SQLiteStore
from sequencer.stores.sqlite_writer import Writer
from sequencer.testing.contracts.workbench import NOW, begun


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture(params=["shared", "own"])
def store(request, path):
    """A store whose threads share a writer, and one whose transactions are each by itself."""
    how = {
        "shared": lambda: SQLiteStore(path, busy_timeout=0.05),
        "own": lambda: SQLiteStore(connect=lambda: sqlite3.connect(path), busy_timeout=0.05),
    }
    with closing(how[request.param]()) as store:
        yield store


@pytest.fixture
def soon(monkeypatch):
    """It is tried again after every block."""
    monkeypatch.setattr(sqlite_log, "AGAIN", 0.0)


def writing(store):
    """The connection that the store writes with in this thread."""
    return store._connections.own().connection if not store._writers else store._writer(store._writers).connection


def lovelace(store):
    return begun(store, email="ada.lovelace@example.com").resource


def erase(store, resource):
    with store.transaction() as transaction:
        return transaction.erase(None, resource)


def write(store, name="somebody"):
    with store.transaction() as transaction:
        transaction.suppress(None, f"{name}@example.com", NOW, "manual")


def lies_in(path):
    """In which files of the store the erased text is."""
    return [each.name for each in path.parent.iterdir() if b"lovelace" in each.read_bytes()]


def warnings_of(caplog):
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_log_that_is_held_up_is_emptied_later(store, path, soon, caplog):
    """While somebody reads what was there before, what was erased lies in the log, as is said; then it goes (S8)."""
    resource = lovelace(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sequencer_enrollments").fetchall()
        assert erase(store, resource) == 1
        write(store)
        assert "store.db-wal" in lies_in(path)
        (record,) = warnings_of(caplog)
        assert "others read what was there before" in record.getMessage()

    write(store, "another")
    assert lies_in(path) == []
    assert warnings_of(caplog) == [record]


def test_an_error_of_the_log_is_none_of_the_block(store, path, soon, caplog):
    """Where the log cannot be emptied after the commit, nothing is raised: it is stored; what is left to do is done."""
    resource, connection = lovelace(store), writing(store)
    connection.set_authorizer(
        lambda _, name, *__: sqlite3.SQLITE_DENY if name == "wal_checkpoint" else sqlite3.SQLITE_OK
    )
    assert erase(store, resource) == 1
    write(store)
    assert "store.db-wal" in lies_in(path)
    (record,) = warnings_of(caplog)
    assert "not authorized" in record.getMessage()
    assert "stored" in record.getMessage()
    assert "lovelace" not in f"{vars(record)}"

    connection.set_authorizer(None)
    with store.transaction(write=False) as transaction:
        assert [each.resource.email for each in transaction.enrollments(None)] == [None]
    assert lies_in(path) == []


def test_who_is_interrupted_while_it_commits_empties_the_log(path, monkeypatch):
    """Where a thread is struck, as by Ctrl-C, when what it erased has just been committed, the log is emptied (S8)."""
    commit = Writer._committed
    struck: list[object] = []

    def committed(self):
        outcome = commit(self)
        if not struck:
            struck.append(outcome)
            raise KeyboardInterrupt
        return outcome

    with closing(SQLiteStore(path)) as store:
        resource = lovelace(store)
        monkeypatch.setattr(Writer, "_committed", committed)
        with pytest.raises(KeyboardInterrupt):
            erase(store, resource)
        assert struck
        assert lies_in(path) == []


def test_it_is_tried_again_now_and_then_only(store, path, monkeypatch):
    """A log that is held up costs the blocks after it a try a second, without a wait; one that is empty, nothing."""
    statements: list[str] = []
    tried = lambda: sum("wal_checkpoint" in each for each in statements)  # noqa: E731
    resource, connection = lovelace(store), writing(store)
    connection.set_trace_callback(statements.append)
    monkeypatch.setattr(sqlite_log, "AGAIN", 3600.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sequencer_enrollments").fetchall()
        erase(store, resource)
        assert tried() == 1
        for n in range(5):
            write(store, f"{n}")
        assert tried() == 1
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (0 if store._writers else 50,)
    erase(store, resource)
    monkeypatch.setattr(sqlite_log, "AGAIN", 0.0)
    write(store, "more")
    assert tried() == 2
    connection.set_trace_callback(None)
