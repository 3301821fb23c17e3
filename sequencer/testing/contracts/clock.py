"""What every clock keeps to that an engine is given (law E6). A clock's own test says how the clock is made."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.enrollment import Resource
from sequencer.core.instants import to_instant
from sequencer.core.sequence import Sequence, Step, Task
from sequencer.engine.engine import Engine
from sequencer.stores.memory import MemoryStore
from sequencer.testing.contracts.threads import call_at_once

__all__ = ["ClockContract"]

READINGS = 1000


class ClockContract:
    """The contract of clocks. An engine survives one that jumps back; people who read its histories may not.

    Every test gets a clock of its own from `make`. A clock that has `set` is a manual one, and tried as such.
    """

    def make(self) -> Any:
        """A new clock."""
        raise NotImplementedError(f"{type(self).__name__}.make says how a clock is made")

    @pytest.fixture
    def clock(self) -> Any:
        """The clock of one test."""
        return self.make()

    def test_it_shows_an_instant(self, clock: Any) -> None:
        """What it shows is an aware point in time, in the years that the engine knows (T11)."""
        shown = clock.now()

        assert isinstance(shown, datetime), f"a clock shows a datetime, not {shown!r}"
        assert shown.utcoffset() is not None, f"{shown!r} has no zone: nobody can say which instant it is"
        to_instant(shown, "clock.now()")

    def test_it_does_not_run_back(self, clock: Any) -> None:
        """Of a thousand readings none is before the one before it."""
        readings = [to_instant(clock.now()) for _ in range(READINGS)]

        for number, (one, other) in enumerate(itertools.pairwise(readings), start=1):
            assert one <= other, f"reading {number} was {one}, and the next one {other}: the clock ran back"

    def test_all_threads_read_one_clock(self, clock: Any) -> None:
        """Readings of several threads, in the order in which they were made, do not run back either."""
        lock, readings = threading.Lock(), list[datetime]()

        def read() -> None:
            for _ in range(READINGS // 4):
                with lock:
                    readings.append(to_instant(clock.now()))

        call_at_once([read] * 4)

        assert readings == sorted(readings), "a thread has read an earlier time than another one before it"

    def test_it_shows_what_it_was_set_to(self, clock: Any) -> None:
        """A clock that can be set shows that very instant then, also an earlier one, and stands still."""
        now = clock.now()
        if hasattr(clock, "set"):
            for hours in (1, 48, -72):
                clock.set(now + timedelta(hours=hours))
                assert clock.now() == clock.now() == now + timedelta(hours=hours)
        else:
            assert clock.now() >= now

    def test_an_engine_tells_what_happened_in_order(self, clock: Any) -> None:
        """What an engine does by this clock is told with instants that do not go back, and nothing is early (E6)."""
        engine = Engine(MemoryStore(), clock=clock)
        always = Calendar("UTC", working_days=WEEKDAYS)
        sequence = Sequence("Contract", [Step(Task(f"Task {n}")) for n in range(5)], calendar=always)
        id = engine.enroll(sequence, Resource("lead", 1)).id
        for _ in sequence.steps:
            engine.tick()
            for task in engine.tasks():
                engine.complete_task(task.id)

        instants = [event.at for event in engine.history(id)]
        assert instants == sorted(instants), f"what happened later is told to have been earlier:\n{engine.explain(id)}"
        assert engine.get(id).state == "finished", engine.explain(id)
