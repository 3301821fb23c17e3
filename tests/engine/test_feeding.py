"""Telling the listener what was committed: at least once, in order, and at nobody's expense (law S2)."""

from __future__ import annotations

import threading

import pendulum
import pytest

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
    Step,
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
    tell = engine._tell
    pauses = [looked]

    def tell_and_pause(listener):
        tell(listener)
        if pauses:
            pauses.pop().set()
            assert go_on.wait(10)

    engine._tell = tell_and_pause  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: engine.enroll(MAIL, LEAD))
    thread.start()
    assert looked.wait(10)
    engine.enroll(MAIL, Resource("lead", 2))
    go_on.set()
    thread.join(10)
    assert [event.enrollment_id for event in heard] == [1, 2]


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
