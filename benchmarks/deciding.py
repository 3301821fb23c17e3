"""A status change by table, and a whole decision, beside one trigger through `transitions`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from transitions import Machine

from benchmarks.measuring import Figure, Question, in_turn
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.effects import CancelTask
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.instants import to_instant
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task
from sequencer.core.signals import Due, EmailSent, Handling, Signal, TaskCompleted, TaskCreated
from sequencer.core.statuses import EMAIL, EMAIL_STATUSES, EMAIL_TABLE, StepStatus, step

_TIMES = 2000


class _Model:
    request: Any
    retry: Any


def _triggering() -> Any:
    """A model that goes to and fro through the library: two triggers a turn."""
    model = _Model()
    Machine(
        model=model,
        states=list(EMAIL_STATUSES),
        initial=StepStatus.PENDING,
        auto_transitions=False,
        transitions=[{"trigger": trigger, "source": source, "dest": dest} for trigger, source, dest in EMAIL],
    )

    def turn() -> None:
        for _ in range(_TIMES // 2):
            model.request()
            model.retry()

    return turn


def measure_table() -> Figure:
    """The look-up with its typed error, beside the trigger."""

    def look_up() -> None:
        for _ in range(_TIMES // 2):
            step(EMAIL_TABLE, StepStatus.PENDING, "request")
            step(EMAIL_TABLE, StepStatus.REQUESTED, "retry")

    ratio, detail = in_turn(look_up, _triggering())
    return Figure(ratio, {"changes": _TIMES, **detail})


def six_steps() -> Sequence:
    """Four mails and two tasks."""
    mail, task = AutomatedEmail(1), Task("Call")
    return Sequence(
        "Six steps",
        [
            Step(mail),
            Step(task, Hours(4)),
            Step(mail, Weekdays(1)),
            Step(mail, Weekdays(3)),
            Step(task, Weekdays(2)),
            Step(mail, Weekdays(5)),
        ],
        calendar=Calendar("Europe/Warsaw"),
    )


def walk() -> list[tuple[Enrollment, Signal, Any]]:
    """Every decision of an enrollment in six steps from the first to the last: (enrollment, signal, now)."""
    sequence = six_steps()
    version = SequenceVersion(1, sequence.key, 1, sequence, 1)
    now = to_instant(datetime(2026, 3, 27, 15, 30, tzinfo=UTC))
    enrollment = enroll(
        version,
        Resource("lead", 42),
        now,
        id=1,
        origin="benchmark",
        account=None,
        actor_id=7,
        timezone="Europe/Warsaw",
        tzdata="2026a",
    ).enrollment
    due = Due(email=Handling(deduplicates=True))
    walked: list[tuple[Enrollment, Signal, Any]] = []
    while not enrollment.is_finished:
        now = max(now, enrollment.wake_at or now)
        walked.append((enrollment, due, now))
        decision = advance(enrollment, due, now)
        (effect,) = decision.effects
        assert not isinstance(effect, CancelTask)
        signals: list[Signal] = [EmailSent(effect_key=effect.key, attempt=1, message_id="m")]
        if enrollment.current is not None and not enrollment.current.step.is_email:
            signals = [TaskCreated(effect_key=effect.key, attempt=1, task_id=5), TaskCompleted(task_id=5)]
        enrollment = decision.enrollment
        for signal in signals:
            walked.append((enrollment, signal, now))
            enrollment = advance(enrollment, signal, now).enrollment
    return walked


def measure_advance() -> Figure:
    """The mean over every decision of an enrollment's life, beside one trigger."""
    walked = walk()
    rounds = _TIMES // len(walked)

    def decide() -> None:
        for _ in range(rounds):
            for enrollment, signal, now in walked:
                advance(enrollment, signal, now)

    ratio, detail = in_turn(decide, _triggering())
    # Both do about the same number of things, not exactly.
    return Figure(ratio * _TIMES / (rounds * len(walked)), {"decisions": rounds * len(walked), **detail})


QUESTIONS = (
    Question("table", "a status change by table beside a trigger through transitions, times", 1 / 25, measure_table),
    Question("advance", "a whole decision beside a trigger through transitions, times", 2, measure_advance),
)
