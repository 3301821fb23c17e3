"""SQLite rolls a transaction back by itself, and somebody keeps that error in: the block stores nothing (S2).

What goes wrong is real: a disk without room, a statement that is interrupted. After either, SQLite commits statement by
statement, unless somebody sees to it; and the driver may begin a transaction anew.
"""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Engine, ManualClock, RecordingMailer, Resource
from sequencer.core.errors import SequencerError, StoreError
from sequencer.stores.sqlite import SQLiteStore
from sequencer.stores.transaction import StoreTransaction
from sequencer.testing.contracts.workbench import NOW, begin, begun, sequence_named

NAMES = itertools.count(1)
STEPS = st.lists(st.sampled_from(["suppress", "enroll", "read", "host"]), max_size=4)
# How a host may hold a connection: its isolation level, and whether a transaction is open on it already.
JOINED = {"implicit": ("", False), "implicit, begun": ("", True), "by itself": (None, False), "by hand": (None, True)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("rolled_back") / "store.db"
    with closing(SQLiteStore(path)), closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE leads (name TEXT)")
    return path


@pytest.fixture(scope="module")
def stores(path):
    """The ways in which a block of the store's own is a transaction: with a writer that threads share, and without."""
    own = SQLiteStore(connect=lambda: sqlite3.connect(path, check_same_thread=False))
    with closing(SQLiteStore(path)) as shared, closing(own):
        yield {"shared": shared, "own": own}


def interrupt(connection, write):
    connection.set_progress_handler(lambda: 1, 1)
    try:
        write()
    finally:
        connection.set_progress_handler(None, 0)


def fill(connection, write):
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    try:
        while True:
            write()
    finally:
        connection.execute(f"PRAGMA max_page_count = {2**30}").fetchall()


STRIKES = {"interrupted": interrupt, "full": fill}


def strike(transaction, how):
    """SQLite rolls the transaction back, and that error is kept in."""
    connection = transaction._database.cursor.connection
    with pytest.raises(StoreError):
        # Not what is collected by then: that is written later.
        STRIKES[how](connection, lambda: transaction._at_once.run("add_meta", f"{next(NAMES)}", "x" * 100))
    assert not connection.in_transaction


def suppressed(transaction):
    assert transaction.suppress("rolled back", f"{next(NAMES)}@example.com", NOW, "manual")


def act(store, transaction, step):
    connection = transaction._database.cursor.connection
    if step == "suppress":
        suppressed(transaction)
    elif step == "enroll":
        begin(store, transaction, next(NAMES), email=None, account="rolled back")
    elif step == "read":
        transaction.enrollments("rolled back")
    else:
        connection.cursor().execute("INSERT INTO leads VALUES ('Ada')")


def stored(path):
    """What is there of ours."""
    tables = ("meta", "suppressions", "enrollments", "events", "sequences", "versions")
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT count(*) FROM sequencer_{table}").fetchone() for table in tables]


@given(STEPS, st.sampled_from(sorted(STRIKES)), STEPS, st.sampled_from(["shared", "own", *JOINED]))
def test_after_a_rollback_that_was_kept_in_nothing_is_stored(path, stores, before, how, after, kind):
    """Whatever a block did before SQLite rolled it back and does after that, it raises, and nothing of it is stored."""
    found = stored(path)
    joined = sqlite3.connect(path, isolation_level=JOINED[kind][0]) if kind in JOINED else None
    store = stores[kind if joined is None else "own"]
    if joined is not None and JOINED[kind][1]:
        joined.execute("BEGIN")

    def block():
        with store.transaction(joined) as transaction:
            for step in before:
                act(store, transaction, step)
            strike(transaction, how)
            for step in after:
                # Who keeps one error in may do so with those that follow.
                with suppress(SequencerError):
                    act(store, transaction, step)

    with pytest.raises(StoreError, match="nothing was stored"):
        block()
    if joined is not None:
        joined.commit()
        joined.close()
    assert stored(path) == found


@pytest.mark.parametrize("how", STRIKES)
@pytest.mark.parametrize("kind", ["shared", "own"])
def test_a_claim_that_keeps_it_in_claims_nothing(path, stores, kind, how, monkeypatch):
    """A worker whose claim leaves out what it cannot read has claimed nothing where SQLite rolled back over that."""
    store = stores[kind]
    mailer, account = RecordingMailer(), f"claims {kind} {how}"
    engine = Engine(store, mailer=mailer, clock=ManualClock(NOW)).account(account)
    for n in range(3):
        engine.enroll(sequence_named(mails=1), Resource("lead", n, email=f"{n}@example.com"), actor_id=1)
    before, read = stored(path), StoreTransaction._version
    store._known.versions.clear()

    def version(self, id):
        if not monkeypatch.undone:
            strike(self, how)
            raise StoreError("the version cannot be read")
        return read(self, id)

    monkeypatch.undone = False
    monkeypatch.setattr(StoreTransaction, "_version", version)
    with pytest.raises(StoreError, match="nothing was stored"):
        engine.tick()
    assert (stored(path), mailer.sent) == (before, [])

    monkeypatch.undone = True
    assert engine.tick().handed_over == 3


def test_a_joined_block_that_is_begun_anew_by_the_host(path, stores):
    """On a connection whose driver begins by itself, what the host writes after it does not make it whole again."""
    found = stored(path)
    with closing(sqlite3.connect(path)) as connection:

        def block():
            with stores["own"].transaction(connection) as joined:
                begin(stores["own"], joined, next(NAMES), email=None)
                strike(joined, "interrupted")
                connection.execute("INSERT INTO leads VALUES ('Ada')")
                assert connection.in_transaction
                with suppress(SequencerError):
                    suppressed(joined)

        with pytest.raises(StoreError, match="nothing was stored"):
            block()
        connection.commit()
    assert stored(path) == found


def test_what_is_kept_in_of_another_kind_costs_nothing(path, stores):
    """An error that leaves the transaction as it is, kept in, leaves the block as it is."""
    for store in stores.values():
        with store.transaction() as transaction:
            first = begin(store, transaction, next(NAMES), email=None)
            with pytest.raises(SequencerError):
                transaction.suppress("rolled back", "\ud800", NOW, "manual")
            suppressed(transaction)
        with store.transaction(write=False) as transaction:
            assert transaction.get(first.id) is not None
    assert begun(stores["own"], next(NAMES), email=None).id > first.id
