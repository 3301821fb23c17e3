"""Telling the listener what was committed: at least once, in order, and at nobody's expense (law S2)."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
from typing import Any

import attrs
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Conflict,
    Engine,
    Event,
    InvalidInput,
    ManualClock,
    MemoryStore,
    Resource,
    Sequence,
    SQLiteStore,
    Step,
    StoreError,
    Subject,
)

MAIL = Sequence("Mail", [Step(AutomatedEmail(1))])
LEAD = Resource("lead", 1)


class BusyStore(MemoryStore):
    """A store that refuses after some more transactions, as one does while somebody else is writing for too long."""

    left = 1_000

    def transaction(self, connection=None, *, write=True):
        self.left -= 1
        if self.left < 0:
            raise Conflict("another connection is writing; nothing was stored, so try again")
        return super().transaction(connection, write=write)


@pytest.fixture
def clock():
    return ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))


def test_a_verb_that_is_committed_does_not_fail_for_the_listener(clock):
    """The enrollment is stored; whoever were told to try again would enroll twice. The listener is told later."""
    heard: list[Event] = []
    store = BusyStore()
    engine = Engine(store, clock=clock, listener=heard.append)
    store.left = 1
    id = engine.enroll(MAIL, LEAD).id
    assert heard == []
    store.left = 1_000
    engine.block(id)
    assert [event.type for event in heard] == ["enrolled", "blocked"]


def test_what_is_committed_while_another_thread_feeds_is_told_by_that_thread(clock):
    """It looks once more after its last look, so no event waits for a verb that may never come."""
    heard: list[Event] = []
    store, looked, go_on = MemoryStore(), threading.Event(), threading.Event()
    engine = Engine(store, clock=clock, listener=heard.append)
    feed: Any = engine._feed
    tell = feed._tell
    pauses = [looked]

    def tell_and_pause():
        tell()
        if pauses:
            pauses.pop().set()
            assert go_on.wait(10)

    feed._tell = tell_and_pause
    thread = threading.Thread(target=lambda: engine.enroll(MAIL, LEAD))
    thread.start()
    assert looked.wait(10)
    engine.enroll(MAIL, Resource("lead", 2))
    go_on.set()
    thread.join(10)
    assert [event.enrollment_id for event in heard] == [1, 2]


# What happens while a listener is being told: nothing, it dies, or it takes so many seconds (also on a clock that is
# set back), and meanwhile another engine commits something.
DURING = (
    st.none() | st.just("dies") | st.tuples(st.sampled_from([0, 0, 30, 50, 119, 121, 300, -300]), st.integers(0, 2))
)
ACTIONS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 10, 200, -500])), min_size=1, max_size=6)


@given(actions=ACTIONS, during=st.lists(DURING, max_size=8))
def test_engines_that_share_a_name_miss_nothing(actions, during):
    """However they interleave, hang and die: each event is told, in order, and once if nobody dies or hangs (S2)."""
    clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
    store, heard, reactions = MemoryStore(), list[int](), list(during)
    engines: list[Engine] = []

    def enroll(by):
        engines[by].enroll(MAIL, Resource("lead", len(told()) + 1))

    def told():
        return engines[0].events(limit=10_000).events

    def listen(event):
        heard.append(event.cursor)
        reaction = reactions.pop(0) if reactions else None
        if reaction == "dies":
            raise KeyboardInterrupt
        if reaction is not None:
            clock.move(seconds=reaction[0])
            enroll(reaction[1])

    engines += [Engine(store, clock=clock, listener=listen, listener_name="crm") for _ in range(3)]
    for by, passing in actions:
        clock.move(seconds=passing)
        with contextlib.suppress(KeyboardInterrupt):
            enroll(by)
    reactions.clear()
    clock.move(hours=24)
    engines[0].tick()

    events = [event.cursor for event in told()]
    assert list(dict.fromkeys(heard)) == events
    if all(each is None or (each != "dies" and abs(each[0]) <= 50) for each in during):
        assert heard == events


def test_processes_that_share_a_name_tell_everything_once(tmp_path):
    """Two that commit at the same time tell each event once, in order, and leave none for a later verb (S2)."""
    heard: list[int] = []
    start = threading.Barrier(2)

    def work(first):
        store = SQLiteStore(tmp_path / "crm.db", busy_timeout=60)
        engine = Engine(store, listener=lambda event: heard.append(event.cursor), listener_name="crm")
        start.wait(60)
        for i in range(25):
            engine.enroll(MAIL, Resource("lead", first + i))
        store.close()

    SQLiteStore(tmp_path / "crm.db").close()
    threads = [threading.Thread(target=work, args=(first,)) for first in (100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert heard == list(range(1, 51))


DYING = """
import os, signal, sys
from sequencer import *

def listen(event):
    print(event.cursor, flush=True)
    if event.cursor == 3:
        os.kill(os.getpid(), signal.SIGKILL)

import pendulum
clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
engine = Engine(SQLiteStore(sys.argv[1]), clock=clock, listener=listen, lease=120)
engine.enroll_many(Sequence("Mail", [Step(AutomatedEmail(1))]), [Resource("lead", n) for n in range(5)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
def test_a_process_that_is_killed_while_telling_costs_a_lease(tmp_path, clock):
    """What it had begun to tell is told again, in order, by the next one, once its lease has run out (S2, S3)."""
    path = tmp_path / "crm.db"
    done = subprocess.run([sys.executable, "-c", DYING, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.split()) == (-9, ["1", "2", "3"]), done.stderr

    heard: list[int | None] = []
    store = SQLiteStore(path)
    engine = Engine(store, clock=clock, listener=lambda event: heard.append(event.cursor), lease=120)
    engine.block(5)
    assert heard == []
    clock.move(seconds=120)
    engine.resume(5)
    assert heard == [1, 2, 3, 4, 5, 6, 7]
    store.close()


def test_a_joined_verb_is_told_after_the_callers_commit(tmp_path, clock):
    """Its events are told with the next verb or tick; those of a transaction that was rolled back never (S1, S2)."""
    heard: list[int] = []
    store = SQLiteStore(tmp_path / "crm.db")
    engine = Engine(store, clock=clock, listener=lambda event: heard.append(event.enrollment_id))
    connection = sqlite3.connect(tmp_path / "crm.db")
    kept = engine.enroll(MAIL, LEAD, connection=connection)
    assert heard == []
    connection.commit()
    engine.enroll(MAIL, Resource("lead", 2), connection=connection)
    connection.rollback()
    assert heard == []
    engine.tick(limit=1)
    assert heard[0] == kept.id
    assert set(heard) == {kept.id}
    connection.close()
    store.close()


def test_a_listener_knows_whose_an_event_is(clock):
    """Events name account, sequence, resource and actor by the host's own ids, and nobody's address (S7, S8)."""
    heard: list[Event] = []
    engine = Engine(MemoryStore(), clock=clock, listener=heard.append)
    lead = Resource("lead", "42", email="ada@example.com", fields={"name": "Ada"})
    id = engine.account("acme").enroll(MAIL, lead, actor_id=7).id
    engine.enroll(MAIL, LEAD)
    engine.account("acme").reassign(lead, actor_id=8)

    assert [event.subject for event in heard] == [
        Subject("acme", "Mail", 1, "lead", "42", 7),
        Subject(None, "Mail", 1, "lead", 1, None),
        Subject("acme", "Mail", 1, "lead", "42", 8),
    ]
    assert [event.cursor for event in heard] == [1, 2, 3]
    history = engine.account("acme").history(id)
    assert [event.subject for event in history] == 2 * [Subject("acme", "Mail", 1, "lead", "42", 8)]
    assert list(history) == [heard[0], heard[2]]
    assert not any("ada" in str(attrs.asdict(event)).casefold() for event in heard)


@given(accounts=st.lists(st.sampled_from([None, "acme", 7, "7"]), max_size=12), limit=st.integers(1, 5))
def test_everything_can_be_asked_for(accounts, limit):
    """Page after page, an engine is shown every event once, in order; one bound to an account just its own (S7)."""
    engine = Engine(MemoryStore(), clock=ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC")))
    for account in accounts:
        of = engine if account is None else engine.account(account)
        of.suppress("x@example.com")
        of.enroll(MAIL, Resource("lead", len(of.enrollments(limit=100)) + 1))

    def read(of):
        page = of.events(limit=limit)
        yield from page.events
        while page.more:
            page = of.events(after=page.cursor, limit=limit)
            yield from page.events

    assert [event.subject.account for event in read(engine)] == accounts
    for own in ("acme", 7, "7"):
        found = list(read(engine.account(own)))
        assert [event.enrollment_id for event in found] == [
            id for id, account in enumerate(accounts, 1) if account == own
        ]


def test_no_event_is_passed_over(tmp_path, clock):
    """One that cannot be read holds up those behind it until it can be, and nothing is missed (S2, S5)."""
    heard: list[int | None] = []
    store = SQLiteStore(tmp_path / "crm.db")
    engine = Engine(store, clock=clock)
    for number in range(5):
        engine.enroll(MAIL, Resource("lead", number))
    with store.transaction() as transaction:
        transaction.set_cursor("crm", 0)
    listening = Engine(store, clock=clock, listener=lambda event: heard.append(event.cursor), listener_name="crm")

    def write(body):
        with contextlib.closing(sqlite3.connect(tmp_path / "crm.db")) as connection, connection:
            ((before,),) = connection.execute("SELECT body FROM sequencer_events WHERE id = 3")
            connection.execute("UPDATE sequencer_events SET body = ? WHERE id = 3", (body,))
        return before

    before = write("[99,null]")
    listening.block(1)
    assert heard == [1, 2]
    assert [event.cursor for event in engine.events().events] == [1, 2]
    with pytest.raises(StoreError):
        engine.events(after=2)
    write(before)
    listening.resume(1)
    assert heard == [1, 2, 3, 4, 5, 6, 7]
    store.close()


def test_a_page_after_the_last_event_is_empty(clock):
    """Its cursor stays where it was, so that asking again goes on there."""
    engine = Engine(MemoryStore(), clock=clock)
    engine.enroll(MAIL, LEAD)
    page = engine.events(limit=1)
    assert (len(page.events), page.cursor, page.more) == (1, 1, True)
    page = engine.events(after=page.cursor)
    assert (page.events, page.cursor, page.more) == ((), 1, False)
    for bad in ({"after": -1}, {"after": "1"}, {"limit": 0}, {"limit": 10_001}):
        with pytest.raises(InvalidInput):
            engine.events(**bad)


@pytest.mark.parametrize("actor_id", [True, 1.5, object()])
def test_an_actor_that_is_no_id_is_refused_by_every_verb(clock, actor_id):
    """S6: it would be stored as its text, and the history would replay to something else."""
    engine = Engine(MemoryStore(), clock=clock)
    id = engine.enroll(MAIL, LEAD).id
    for verb in (
        lambda: engine.finish(id, actor_id=actor_id),
        lambda: engine.finish_ongoing(LEAD, actor_id=actor_id),
        lambda: engine.delete_sequence(MAIL, actor_id=actor_id),
        lambda: engine.reassign(LEAD, actor_id=actor_id),
    ):
        with pytest.raises(InvalidInput, match="actor_id"):
            verb()
    assert engine.get(id).state.value == "active"
