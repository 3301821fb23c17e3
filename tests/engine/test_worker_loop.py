"""The worker's loop: it outlives a database that is restarted, and says at once what was never right."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest

from sequencer import (
    AutomatedEmail,
    Conflict,
    Engine,
    MemoryStore,
    RecordingMailer,
    Resource,
    SchemaMismatch,
    Sequence,
    SQLiteStore,
    Step,
    StoreError,
)

MAIL = Sequence("Mail", [Step(AutomatedEmail(1))])


class Failing(MemoryStore):
    """A store that raises what is in `errors`, one at each transaction, and works again when there are no more."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception] = []

    def transaction(self, connection=None, *, write=True):
        if self.errors:
            raise self.errors.pop(0)
        return super().transaction(connection, write=write)


def passes(engine: Engine, store: Failing, *errors: Exception, most: int = 3) -> list[int]:
    """How much each pass of a loop handed over, with these errors after the first pass."""
    stop, done = threading.Event(), []

    def each(report):
        done.append(report.handed_over)
        if len(done) == 1:
            engine.enroll(MAIL, Resource("lead", 1, email="ada@example.com"))
            store.errors += errors
        if len(done) == most:
            stop.set()

    engine.run(stop=stop, poll=0.001, each=each)
    return done


@pytest.mark.parametrize("error", [StoreError("the server is gone"), Conflict("busy")], ids=repr)
def test_a_store_that_comes_back_is_used_again(error):
    """A pass that the store breaks off ends no worker: the mail goes out when the store is there again."""
    store = Failing()
    engine = Engine(store, mailer=RecordingMailer())

    assert passes(engine, store, error, error, error) == [0, 1, 0]
    assert store.errors == []


def test_a_schema_that_is_not_ours_ends_the_loop():
    """A store that somebody has migrated beyond this release is no store that comes back."""
    store = Failing()
    engine = Engine(store)

    with pytest.raises(SchemaMismatch):
        passes(engine, store, SchemaMismatch(9, (1, 2)))


def test_a_store_that_was_never_there_is_an_error():
    """What is wrong at the first pass was wired wrongly, and shows at once."""
    store = Failing()
    store.errors.append(StoreError("no such host"))

    with pytest.raises(StoreError, match="no such host"):
        Engine(store).run(until=None)


def test_an_error_of_the_host_ends_the_loop():
    """What the host's own callback raises is no affair of the store's, and is not swallowed."""

    def each(report):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Engine(MemoryStore()).run(each=each)


def test_a_stop_is_not_kept_waiting_by_a_store_that_is_gone():
    """The waits grow while the store fails, and a stop that comes meanwhile ends the loop at once."""
    store, stop = Failing(), threading.Event()
    engine = Engine(store)
    begun = time.monotonic()

    def each(report):
        store.errors += [StoreError("gone")] * 1_000
        threading.Timer(0.05, stop.set).start()

    engine.run(stop=stop, poll=30, each=each)

    assert time.monotonic() - begun < 20
    assert store.errors


def test_a_file_that_another_process_has_locked_is_waited_for(tmp_path):
    """A writer that holds an SQLite file for longer than the busy time-out holds up the worker, and no more."""
    store = SQLiteStore(tmp_path / "crm.db", busy_timeout=0.01)
    mailer, stop = RecordingMailer(), threading.Event()
    engine = Engine(store, mailer=mailer)
    engine.enroll(MAIL, Resource("lead", 1, email="ada@example.com"))
    other = sqlite3.connect(tmp_path / "crm.db", isolation_level=None, check_same_thread=False)
    reports = []

    def each(report):
        reports.append(report)
        if len(reports) == 1:
            engine.enroll(MAIL, Resource("lead", 2, email="bob@example.com"))
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(0.2, other.rollback).start()
        elif len(mailer.calls) == 2:
            stop.set()

    engine.run(stop=stop, poll=0.01, each=each)
    other.close()

    assert [call.email.to for call in mailer.calls] == ["ada@example.com", "bob@example.com"]
