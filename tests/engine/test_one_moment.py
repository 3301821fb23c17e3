"""A verb reads the clock once: what it does to many, it does to all of them at the same moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sequencer import Engine, MemoryStore, Resource
from sequencer.testing.contracts.workbench import NOW
from tests.engine.sequences import tasks

LEAD = Resource("lead", 1)


class GoingOn:
    """A clock that is a second later whenever it is read."""

    def __init__(self):
        self.read = 0

    def now(self):
        self.read += 1
        return NOW + timedelta(seconds=self.read)


def blocked(engine):
    for enrollment in engine.enrollments():
        engine.block(enrollment.id)


@pytest.mark.parametrize(
    ("prepare", "verb", "event"),
    [
        (None, lambda engine: engine.finish_ongoing(LEAD, idempotency_key="k"), "finished"),
        (None, lambda engine: engine.reassign(LEAD, actor_id=8), "reassigned"),
        (None, lambda engine: engine.erase(LEAD), "finished"),
        (None, lambda engine: engine.delete_sequence("a"), "finished"),
        (blocked, lambda engine: engine.resume_blocked("paused"), "resumed"),
    ],
    ids=["finish_ongoing", "reassign", "erase", "delete_sequence", "resume_blocked"],
)
def test_what_is_done_to_many_is_done_at_one_moment(prepare, verb, event):
    """Whoever is concerned by one verb has it in the history at one and the same instant (L8)."""
    clock = GoingOn()
    engine = Engine(store=MemoryStore(), clock=clock)
    for key in "ab":
        engine.enroll(tasks(key), LEAD)
        engine.enroll(tasks(key), Resource("lead", 2))
    if prepare is not None:
        prepare(engine)
    before = clock.read
    verb(engine)

    assert clock.read == before + 1
    moments = [each.at for each in engine.events().events if each.type == event]
    assert len(moments) > 1
    assert set(moments) == {NOW + timedelta(seconds=clock.read)}
