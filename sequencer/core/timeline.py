"""Estimates: when each step will run, and why (laws T6 to T10).

One function, `estimate`, computes the instant of one step: the later of base + delay and `not_before`, moved to where
a step of its kind may run. A plan chains it over the steps of a sequence; the timeline of an enrollment chains it from
the current step's stored estimate. Reasons come out of the same computation, never out of a second one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, overload

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Enrollment, EnrollmentStep, changed, initial_steps
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import later_by, to_instant, to_iso, to_local_iso, to_zone
from sequencer.core.sequence import Sequence, SequenceVersion, Step, Task
from sequencer.core.statuses import ACTIVE, BLOCKED, CANCELLED, FINISHED, IN_PROGRESS, PENDING, REQUESTED

__all__ = [
    "ANSWER_WITHIN",
    "PlannedStep",
    "Timeline",
    "answer_due",
    "base_of",
    "due_at",
    "estimate",
    "explain_current",
    "explain_following",
    "following",
    "is_due",
    "is_paced",
    "next_wake",
    "opens_at",
    "overdue_at",
    "plan",
    "projected",
    "seen_at",
    "skipped_after",
    "skipped_at",
]

_MAIL_TOLERANCE = Hours(1)

_NOT_BEFORE = {
    "shift": "what was left of the delay is waited out after the resume",
    "keep": "resumed; the planned instant stays if it is still ahead",
    "restart": "resumed with the whole delay again",
    "retry": "the pause before another attempt",
    "retried_by_person": "retried by a person, at the next open moment",
    "cap": "a cap of the sender",
    "catch_up": "spread out after downtime",
    "moved": "moved to this version of its sequence then",
}


def estimate(
    calendar: Calendar,
    step: Step,
    base: DateTime,
    not_before: DateTime | None = None,
    *,
    reasons: list[str] | None = None,
    not_before_reason: str | None = None,
) -> DateTime:
    """When a step runs whose delay counts from `base` (T7). Raises `InvalidInput` beyond the year 9000 (T11)."""
    at = calendar.after(base, step.after, reasons)
    if not_before is not None and not_before > at:
        at = not_before
        if reasons is not None:
            # What put it off may say more than its name, as `cap: at most 300 mails in 24 hours`.
            name, _, detail = (not_before_reason or "deferred").partition(": ")
            why = f"{_NOT_BEFORE.get(name, name)}{f' ({detail})' if detail else ''}"
            reasons.append(f"not before {_read(at, calendar.timezone)}: {why}")
    elif calendar.is_open_after(step.after, email=step.is_email):
        return at
    return calendar.next_open(at, email=step.is_email, reasons=reasons)


def _read(at: DateTime, timezone: str) -> str:
    """An instant as a reason shows it: on the zone's clock, in whole seconds."""
    return to_local_iso(at.replace(microsecond=0), timezone)


# -- plans ----------------------------------------------------------------------------------------------------


@attrs.frozen(slots=False)
class PlannedStep:
    """A step of a plan: when it would run if each step before it ran when planned, and why (T10). UTC."""

    position: int
    step: Step
    estimated_execute_at: DateTime
    timezone: str
    reasons: tuple[str, ...] = ()
    done_at: DateTime | None = None
    """When it is over, where that was said to be at another moment than planned."""

    @property
    def over_at(self) -> DateTime:
        """When it is over, from where the next step counts: as planned, unless `done_at` says otherwise."""
        return self.done_at or self.estimated_execute_at

    @property
    def local(self) -> DateTime:
        """The estimate on the zone's clock, for showing it to people."""
        return to_zone(self.estimated_execute_at, self.timezone)

    def __str__(self) -> str:
        kind = "mail" if self.step.is_email else "task"
        done = f", done {to_zone(self.done_at, self.timezone):%a %Y-%m-%d %H:%M %Z}" if self.done_at else ""
        return f"step {self.position} ({kind}): {self.local:%a %Y-%m-%d %H:%M %Z}, {self.step.after} after{done}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `plan --json`."""
        return {
            "position": self.position,
            "action_type": self.step.action.action_type,
            "delay_from_previous_step": self.step.after.n,
            "delay_from_previous_step_unit": self.step.after.unit,
            "estimated_execute_at": to_iso(self.estimated_execute_at),
            "local": to_local_iso(self.estimated_execute_at, self.timezone),
            **({"done_at": to_iso(self.done_at)} if self.done_at else {}),
            "reasons": list(self.reasons),
        }


@attrs.frozen
class Timeline:
    """The planned steps of one enrollment, in order; a sequence of `PlannedStep`."""

    name: str
    timezone: str
    started_at: DateTime
    steps: tuple[PlannedStep, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[PlannedStep]:
        return iter(self.steps)

    @overload
    def __getitem__(self, at: int) -> PlannedStep: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[PlannedStep, ...]: ...
    def __getitem__(self, at: int | slice) -> PlannedStep | tuple[PlannedStep, ...]:
        return self.steps[at]

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `plan --json`."""
        return {
            "name": self.name,
            "timezone": self.timezone,
            "started_at": to_iso(self.started_at),
            "steps": [step.to_dict() for step in self.steps],
        }


def plan(
    sequence: Sequence,
    start: datetime,
    *,
    timezone: str | None = None,
    reasons: bool = True,
    done: Mapping[int, datetime] | None = None,
) -> Timeline:
    """The timeline of an enrollment that starts at an instant, on the clock of `timezone` (default: the sequence's).

    `start` is any aware datetime; `reasons=False` leaves the explanations out. `done` says of tasks, by position, when
    they are completed: an aware datetime, not before the task's estimate, nor after its `skip_after`; the step after it
    counts from there. Others are done when planned. Raises `InvalidInput` for a naive datetime, an unknown zone, a
    `done` that is no task's, too early or too late, and a timeline that leaves the years 1970 to 9000 (T6, T11).
    """
    calendar = sequence.calendar if timezone is None else sequence.calendar.in_zone(timezone)
    started_at = base = to_instant(start, "start")
    done_at = _done_at(sequence, done or {})
    planned = []
    why: list[str] | None = None
    for position, step in enumerate(sequence.steps):
        if reasons:
            origin = "the start" if position == 0 else f"step {position - 1}"
            why = [f"counts from {origin}, {_read(base, calendar.timezone)}"]
        at = base = estimate(calendar, step, base, reasons=why)
        done_then = done_at.get(position)
        if done_then is not None:
            if done_then < at:
                message = f"{to_iso(done_then)} is before the task is there, at {to_iso(at)}"
                raise InvalidInput(message, path=f"done[{position}]", code="out_of_order")
            skipped = skipped_after(calendar, step, at)
            if skipped is not None and done_then > skipped:
                message = f"{to_iso(done_then)} is after the task is skipped by itself, at {to_iso(skipped)}"
                raise InvalidInput(message, path=f"done[{position}]", code="out_of_order")
            base = done_then
        planned.append(PlannedStep(position, step, at, calendar.timezone, tuple(why or ()), done_then))
    return Timeline(sequence.name, calendar.timezone, started_at, tuple(planned))


def _done_at(sequence: Sequence, done: Mapping[int, datetime]) -> dict[int, DateTime]:
    for position in done:
        known = isinstance(position, int) and 0 <= position < len(sequence.steps)
        if not known or sequence.steps[position].is_email:
            tasks = ", ".join(str(i) for i, step in enumerate(sequence.steps) if not step.is_email) or "there are none"
            message = f"step {position!r} is no task; only when tasks are done can be said ({tasks})"
            raise InvalidInput(message, path="done", code="invalid_value")
    return {position: to_instant(at, f"done[{position}]") for position, at in done.items()}


# -- enrollments ----------------------------------------------------------------------------------------------


def base_of(enrollment: Enrollment, position: int, now: DateTime) -> DateTime:
    """What the delay of a step counts from (T6); what was executed, or enrolled, in the future reads as now (E6)."""
    over_at = enrollment.steps[position].base_at
    if over_at is None:
        if position == 0:
            # Who asked for a later start gets it; else the start is when it was enrolled, and that is the past.
            at_once = enrollment.started_at == enrollment.created_at
            return min(enrollment.started_at, now) if at_once else enrollment.started_at
        before = enrollment.steps[position - 1]
        over_at = before.executed_at or before.skipped_at
    assert over_at is not None, "the step before the current one is over"
    return min(over_at, now)


_FOLLOWING = "_following_steps"
# Some kilobytes each, beside each version that a store has read: a host may have thousands of those.
_MOST_FOLLOWING = 128


def following(version: SequenceVersion, timezone: str, position: int, at: DateTime) -> tuple[EnrollmentStep, ...]:
    """The steps after a position, untouched, with their estimates, if the step at that position is over at `at`.

    At -1 they are all steps, from a start on. Computed once for all enrollments of a version that ask the same: many
    begin at the same instant, and whoever reads one that has just begun asks for the rest of what its beginning has.
    """
    known: dict[Any, tuple[EnrollmentStep, ...]] = version.__dict__.setdefault(_FOLLOWING, {})
    asked = (timezone, position, at)
    found = known.get(asked)
    if found is None:
        calendar, steps = version.calendar_in(timezone), []
        for step in initial_steps(version)[position + 1 :]:
            at = estimate(calendar, step.step, at)
            steps.append(changed(step, {"estimated_execute_at": at}))
        if len(known) >= _MOST_FOLLOWING:
            known.clear()
        found = known[asked] = tuple(steps)
        if position < 0:
            known[timezone, 0, found[0].estimated_execute_at] = found[1:]
    return found


def _ahead(enrollment: Enrollment, now: DateTime) -> tuple[EnrollmentStep, ...]:
    """The steps after the current one as of now, untouched, with their estimates; none where they have none."""
    over_at = _over_at(enrollment, now)
    return () if over_at is None else following(enrollment.version, enrollment.timezone, enrollment.position, over_at)


def _over_at(enrollment: Enrollment, now: DateTime) -> DateTime | None:
    """When the current step is reckoned to be over; None where the steps after it have no estimates (T6, T7)."""
    current = enrollment.current
    if current is None or current.estimated_execute_at is None or enrollment.state is not ACTIVE:
        return None
    # It will be over no earlier than now, at a moment when a step of its kind may run.
    at = current.estimated_execute_at
    return at if now <= at else enrollment.calendar.next_open(now, email=current.step.is_email)


def projected(enrollment: Enrollment, now: DateTime) -> tuple[DateTime | None, ...]:
    """For each step its estimate as of now: stored where it is, derived after the current one, None where none."""
    estimates = [step.estimated_execute_at for step in enrollment.steps]
    for step in _ahead(enrollment, now):
        estimates[step.position] = step.estimated_execute_at
    return tuple(estimates)


ANSWER_WITHIN = Hours(72)
"""How long a mailer that answers later has for it; then the step is parked as `outcome_unknown`."""


def next_wake(enrollment: Enrollment, now: DateTime) -> DateTime | None:
    """When the engine has to look at the enrollment next; None when only a report or a request can move it."""
    state, position, steps = enrollment.state, enrollment.position, enrollment.steps
    current = steps[position] if position < len(steps) else None
    status = None if current is None else current.status
    at: DateTime | None = None
    if state is FINISHED:
        at = min((answer_due(step, now) for step in enrollment.outstanding), default=None)
    elif status is REQUESTED:
        at = answer_due(current, now)  # type: ignore[arg-type]
    elif state is ACTIVE:
        if status is PENDING:
            at = opens_at(enrollment, now)
        elif status is IN_PROGRESS:
            at = skipped_at(enrollment)
    if state is BLOCKED:
        at = _sooner(at, enrollment.blocked_until)
    for step in steps[: position + 1]:
        if step.cancel_task:
            at = _sooner(at, step.cancel_after or now)
    return at


def _sooner(one: DateTime | None, other: DateTime | None) -> DateTime | None:
    """The earlier of two instants, of which either may be None for never."""
    if one is None or other is None:
        return one or other
    return min(one, other)


def opens_at(enrollment: Enrollment, now: DateTime) -> DateTime:
    """When the pending current step becomes due, seen from now: a mail also needs the calendar to be open (T9).

    A mail that found it closed is due as soon as it opens, whenever it was looked at: of a day without windows at its
    beginning.
    """
    current = enrollment.steps[enrollment.position]
    at = current.estimated_execute_at
    assert at is not None, "a current step has an estimate"
    if at >= now or not current.step.is_email:
        return at
    return enrollment.calendar.opens(now, email=True)


def skipped_at(enrollment: Enrollment) -> DateTime | None:
    """When the current task is passed over by itself (L4); None where nobody asked for that."""
    current = enrollment.steps[enrollment.position]
    at = current.estimated_execute_at
    return None if at is None else skipped_after(enrollment.calendar, current.step, at)


def skipped_after(calendar: Calendar, step: Step, at: DateTime) -> DateTime | None:
    """When a step that comes at an instant is passed over by itself (L4); None where nobody asked for that."""
    action = step.action
    if not isinstance(action, Task) or action.skip_after is None:
        return None
    return calendar.wait_ends(at, action.skip_after)


def is_due(enrollment: Enrollment, now: DateTime) -> bool:
    """Whether the current step's estimate has come, and for a mail the calendar is open (T9)."""
    return opens_at(enrollment, now) <= now


def is_paced(step: EnrollmentStep) -> bool:
    """Whether a cap or a catch-up has put it off (E5, E7)."""
    return (step.not_before_reason or "").partition(":")[0] in ("cap", "catch_up")


def answer_due(step: EnrollmentStep, now: DateTime) -> DateTime:
    """When a step that was handed over has to be looked at again, if no answer comes before."""
    # While a worker hands the step over, its lease keeps others away. Without one it was left behind: look at once.
    return later_by(step.requested_at, ANSWER_WITHIN.timedelta) if step.awaits_report and step.requested_at else now


def overdue_at(enrollment: Enrollment, step: EnrollmentStep) -> DateTime | None:
    """The instant after which the step counts as overdue (T9); None where it has no estimate."""
    if step.estimated_execute_at is None:
        return None
    return due_at(enrollment.calendar, step.step, step.estimated_execute_at)


def due_at(calendar: Calendar, step: Step, estimated_execute_at: DateTime) -> DateTime:
    """A step's estimate plus its tolerance: an hour for mails, `due_after` for tasks (T9)."""
    action = step.action
    return calendar.wait_ends(estimated_execute_at, action.due_after if isinstance(action, Task) else _MAIL_TOLERANCE)


def seen_at(enrollment: Enrollment, now: DateTime) -> Enrollment:
    """The enrollment as a reader should see it: with the derived estimates, and what is overdue, as of now."""
    current = enrollment.current
    if enrollment.is_finished or current is None:
        return enrollment
    if current.estimated_execute_at is not None and now > current.estimated_execute_at:
        limit = overdue_at(enrollment, current)
        if limit is not None and now > limit:
            current = changed(current, {"overdue": True})
    after = current.position + 1
    steps, ahead = enrollment.steps[after:], _ahead(enrollment, now)
    if steps == initial_steps(enrollment.version)[after:]:
        steps = ahead or steps
    elif ahead:
        steps = tuple(
            changed(step, {"estimated_execute_at": planned.estimated_execute_at})
            for step, planned in zip(steps, ahead, strict=True)
        )
    return changed(enrollment, {"steps": (*enrollment.steps[: current.position], current, *steps)})


def explain_current(enrollment: Enrollment, now: DateTime) -> tuple[str, ...]:
    """The reasons behind the current step's estimate, in the order applied (T10)."""
    step = enrollment.current
    if step is None or step.status is CANCELLED:
        return ()
    base = base_of(enrollment, step.position, now)
    origin = "the start of the enrollment" if step.position == 0 else f"the end of step {step.position - 1}"
    if step.base_at is not None:
        origin = "the end of what was over last when it was moved to this version"
    reasons = [f"counts from {origin}, {_read(base, enrollment.timezone)}"]
    estimate(
        enrollment.calendar,
        step.step,
        base,
        step.not_before,
        reasons=reasons,
        not_before_reason=step.not_before_reason,
    )
    return tuple(reasons)


def explain_following(enrollment: Enrollment, now: DateTime) -> tuple[tuple[str, ...], ...]:
    """The reasons behind the estimate of each step after the current one; none where those have no estimates (T10)."""
    at, explained = _over_at(enrollment, now), []
    if at is not None:
        for step in enrollment.steps[enrollment.position + 1 :]:
            reasons = [f"counts from the end of step {step.position - 1}, {_read(at, enrollment.timezone)}"]
            at = estimate(enrollment.calendar, step.step, at, reasons=reasons)
            explained.append(tuple(reasons))
    return tuple(explained)
