"""Counterexamples through the engine itself: what really happens to somebody who is enrolled just so.

Nothing of `sequencer.design` has a say here: there is a store in memory, a mailer that records, the engine's own task
board, and a clock that is set from one due moment to the next.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from pendulum import DateTime

from sequencer import Engine, ManualClock, MemoryStore, RecordingMailer, Resource, Sequence
from sequencer.core.enrollment import Enrollment
from sequencer.core.signals import OUTSIDE
from sequencer.core.timeline import PlannedStep, Timeline
from sequencer.design import Counterexample

__all__ = ["replay", "report"]

ADA = Resource("lead", 42, email="ada@example.com", fields={"first_name": "Ada"})


@attrs.frozen
class _World:
    """An engine on a clock that is set by hand, and one enrollment in it."""

    engine: Engine
    clock: ManualClock
    id: int

    @property
    def enrollment(self) -> Enrollment:
        """The enrollment as of now."""
        return self.engine.get(self.id)

    def go_on(self, done: Mapping[int, DateTime], *, before: int | None = None) -> None:
        """Run to the end, or until a step is the next; each task is completed when it comes, or when `done` says."""
        while before is None or self.enrollment.position < before:
            next_due_at = self.engine.tick().next_due_at
            tasks = self.engine.tasks()
            if tasks:
                (task,) = tasks
                self.engine.run_until(done.get(task.position, self.clock.now()))
                # It may have been passed over before that.
                if self.engine.tasks() == tasks:
                    self.engine.complete_task(task.id)
            elif next_due_at is None:
                return
            else:
                self.clock.set(next_due_at)


def _enrolled(sequence: Sequence, case: Counterexample) -> _World:
    clock = ManualClock(case.start)
    engine = Engine(store=MemoryStore(), mailer=RecordingMailer(), clock=clock)
    return _World(engine, clock, engine.enroll(sequence, ADA, timezone=case.timezone).id)


def replay(sequence: Sequence, case: Counterexample) -> Timeline:
    """What the engine does with the enrollment of a counterexample: when each step came, and when it was over."""
    world = _enrolled(sequence, case)
    world.go_on(case.done)
    enrollment = world.enrollment
    assert enrollment.is_finished, "every step is over"
    steps = []
    for step in enrollment.steps:
        over_at = step.executed_at or step.skipped_at
        came_at = over_at if step.step.is_email else step.requested_at
        assert came_at is not None, "every step came"
        steps.append(PlannedStep(step.position, step.step, came_at, enrollment.timezone, done_at=over_at))
    return Timeline(sequence.name, enrollment.timezone, enrollment.started_at, tuple(steps))


def report(sequence: Sequence, case: Counterexample) -> tuple[Enrollment, Enrollment]:
    """The enrollment after the report that a counterexample to `stops_on` names, before that step, and at its end.

    Where it is only blocked until somebody resumes it, somebody does.
    """
    world = _enrolled(sequence, case)
    world.go_on({}, before=case.before_step)
    assert case.reported is not None, "there is a report"
    world.engine.handle(OUTSIDE[case.reported](key="report", enrollment_id=world.id))
    after = world.enrollment
    if after.blocked_reason is not None and after.blocked_until is None:
        world.engine.resume(world.id)
    world.go_on({})
    return after, world.enrollment
