"""Driving the core by hand: an enrollment, the signals given to it, and what must hold after each of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.effects import Effect
from sequencer.core.enrollment import EnrollmentStep, Resource
from sequencer.core.events import Event, replay
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.policy import Policy
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task
from sequencer.core.signals import (
    Due,
    EmailFailed,
    EmailPending,
    EmailSent,
    Handling,
    Start,
    TaskCreated,
    Withdraw,
)
from sequencer.testing.laws import check_decision, impersonal

NOW = Hours(0)
MONDAY = pendulum.datetime(2026, 3, 2, 9, 0, tz="UTC")

PLAIN = Due(Handling(), Handling(deduplicates=True))
KNOWS_KEYS = Due(Handling(deduplicates=True), Handling(deduplicates=True))
AT_LEAST_ONCE = Due(Handling(at_least_once=True), Handling(at_least_once=True))
FORGETS_KEYS = Due(Handling(), Handling())


def mail(after: Any = NOW, **fields: Any) -> Step:
    return Step(AutomatedEmail(1, **fields), after)


def task(after: Any = NOW, **fields: Any) -> Step:
    return Step(Task("Call", **fields), after)


def version_of(*steps: Step, policy: Policy | None = None, calendar: Calendar | None = None) -> SequenceVersion:
    sequence = Sequence("Outreach", steps, calendar=calendar or Calendar("UTC"), policy=policy or Policy())
    return SequenceVersion(1, "Outreach", 1, sequence, 1)


class Run:
    """An enrollment, its whole history, the clock, and the effects of the last decision."""

    def __init__(self, *steps: Step, at: Any = MONDAY, handling: Due = PLAIN, timezone: str = "UTC", **rest: Any):
        self.handling = handling
        self.now = at
        self.version = version_of(*steps, policy=rest.pop("policy", None), calendar=rest.pop("calendar", None))
        decision = enroll(
            self.version,
            Resource("lead", 42, email="ada@example.com"),
            at,
            id=7,
            origin="store",
            account=None,
            actor_id=1,
            timezone=timezone,
            tzdata="2026a",
            **rest,
        )
        self.enrollment = decision.enrollment
        self.history: list[Event] = list(decision.events)
        self.effects: tuple[Effect, ...] = decision.effects
        self.new: tuple[Event, ...] = decision.events

    # -- looking

    def __getitem__(self, position: int) -> EnrollmentStep:
        return self.enrollment.steps[position]

    @property
    def state(self) -> str:
        return self.enrollment.state.value

    @property
    def statuses(self) -> list[str]:
        return [step.status.value for step in self.enrollment.steps]

    @property
    def why(self) -> str | None:
        return self.enrollment.blocked_reason

    @property
    def told(self) -> list[str]:
        """The types of the events of the last decision."""
        return [event.type for event in self.new]

    def key(self, position: int = 0) -> str:
        return self.enrollment.key_of(self[position])

    # -- driving

    def at(self, instant: Any) -> Run:
        self.now = instant
        return self

    def later(self, **span: float) -> Run:
        self.now = self.now + timedelta(**span)
        return self

    def do(self, signal: Any) -> Run:
        before = self.enrollment
        decision = advance(before, signal, self.now)
        check_decision(before, decision.enrollment, decision.events)
        self.enrollment, self.effects, self.new = decision.enrollment, decision.effects, decision.events
        self.history += decision.events
        assert replay(self.version, self.history) == impersonal(self.enrollment)
        return self

    def due(self) -> Run:
        return self.do(self.handling)

    def hand_over(self) -> Run:
        """Due, and the start mark, at the estimate of the current step if that is ahead."""
        current = self.enrollment.current
        assert current is not None
        assert current.estimated_execute_at is not None
        self.now = max(self.now, current.estimated_execute_at)
        self.due()
        return self.do(Start(self.key(current.position), self[current.position].attempt))

    def accept(self, position: int | None = None, **fields: Any) -> Run:
        at = self.enrollment.position if position is None else position
        kind: Any = EmailSent if self[at].step.is_email else TaskCreated
        extra = {"message_id": f"<{at}>"} if kind is EmailSent else {"task_id": f"task-{at}"}
        return self.do(kind(effect_key=self.key(at), attempt=self[at].attempt, **{**extra, **fields}))

    def pend(self, provider_id: str = "p-1") -> Run:
        at = self.enrollment.position
        return self.do(EmailPending(effect_key=self.key(at), attempt=self[at].attempt, provider_id=provider_id))

    def refuse(self, **fields: Any) -> Run:
        at = self.enrollment.position
        return self.do(EmailFailed(effect_key=self.key(at), attempt=self[at].attempt, **fields))

    def withdraw(self) -> Run:
        at = self.enrollment.position
        return self.do(Withdraw(self.key(at), self[at].attempt))
