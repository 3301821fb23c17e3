"""What `explain` says agrees with what the engine will do."""

from __future__ import annotations

import pendulum

from sequencer import Calendar, Engine, Hours, ManualClock, MemoryStore, OutOfOffice, Resource, Sequence, Step, Task

MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="Europe/Warsaw")


def test_a_blocked_step_is_not_called_due():
    """While an enrollment is blocked its current step has been planned; only the resume says when it is due."""
    engine = Engine(store=MemoryStore(), clock=ManualClock(MONDAY))
    calls = Sequence("Calls", [Step(Task("Call"), after=Hours(24))], calendar=Calendar("Europe/Warsaw"))
    enrollment = engine.enroll(calls, Resource("lead", 1))
    assert "is due on Tue 2026-03-03 09:00" in str(engine.explain(enrollment.id))

    engine.handle(OutOfOffice(key="away", enrollment_id=enrollment.id, until=pendulum.date(2026, 3, 16)))

    said = str(engine.explain(enrollment.id))
    assert "is due on" not in said
    assert "was planned for Tue 2026-03-03 09:00" in said
    assert "resumes by itself on Mon 2026-03-16 00:00" in said
