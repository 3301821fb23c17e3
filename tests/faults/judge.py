"""The judge: reads what the mailer and the board have written down and what is stored in the end, and counts.

It knows the laws and none of the engine: values, tables written by hand, and arithmetic. Whether a history gives the
stored enrollment is asked of `replay`, since that is what is promised.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.events import Event, replay
from sequencer.testing.laws import EMAIL_EDGES, OVER, STATE_EDGES, TASK_EDGES
from tests.faults.tally import Tally

__all__ = ["Departure", "Evidence", "Look", "judge"]


@attrs.frozen
class Look:
    """How the store had the enrollment when a call began."""

    state: str
    current: int | None
    status: str | None
    estimate: datetime | None


@attrs.frozen
class Departure:
    """A mail that left, or a task that was created, as the port itself wrote it down. `at` is the clock's then.

    `look` is how the store had the enrollment when the call began, for a port that recognises keys: there the look is
    the start mark. For the others it is None, and there must be a start mark in the history for each departure (E3).
    """

    id: int
    position: int
    key: str
    at: datetime | None = None
    look: Look | None = None


@attrs.define
class Evidence:
    """What is left after a run.

    `log` has every departure, in the order in which they happened, mails and tasks. `by_hand` are the enrollments that
    somebody ended or skipped on purpose, `waits_for` the reasons that an enrollment may be blocked for in the end;
    `parked_at_most` is how many calls were in flight when something died, `unmarked` of how many start marks the store
    said that it had kept them, and had not. `steady` says that the clock only went forward. `embedded` says that tasks
    are on the embedded board, so that not the log but `tasks`, pairs of (enrollment, position), has them. `once_each`
    says that nobody was to be enrolled twice, `deleted` has the tasks that people took off the board, which may be
    put there again, and `is_open` whether a mail may leave at an instant.
    """

    enrolled: Collection[int]
    enrollments: Mapping[int, Enrollment]
    histories: Mapping[int, Sequence[Event]]
    log: Sequence[Departure]
    tasks: Sequence[tuple[int, int]] = ()
    embedded: bool = True
    by_hand: Collection[int] = ()
    waits_for: Collection[str] = ("outcome_unknown",)
    parked_at_most: int = 0
    unmarked: int = 0
    steady: bool = True
    claimed: Collection[int] = ()
    once_each: bool = True
    deleted: Sequence[tuple[int, int]] = ()
    problems: Sequence[str] = ()
    is_open: Callable[[Enrollment, datetime], bool] | None = None


def judge(evidence: Evidence) -> Tally:
    """Count what is wrong."""
    tally = Tally()
    for problem in evidence.problems:
        tally.found("corrupt", problem)
    for id in evidence.enrolled:
        if id not in evidence.enrollments:
            tally.found("lost", f"enrollment {id} was returned and is gone")
    _doubled(evidence, tally)
    _marked(evidence, tally)
    _in_order(evidence, tally)
    parked = 0
    for enrollment in evidence.enrollments.values():
        _ended(enrollment, evidence, tally)
        _history(enrollment, evidence.histories.get(enrollment.id, ()), evidence.embedded, tally)
        parked += enrollment.blocked_reason == "outcome_unknown"
    if parked > evidence.parked_at_most:
        tally.found("stuck", f"{parked} are left to a person, {evidence.parked_at_most} were in flight",
                    parked - evidence.parked_at_most)  # fmt: skip
    return tally


def _doubled(evidence: Evidence, tally: Tally) -> None:
    departed = Counter((each.id, each.position) for each in evidence.log)
    departed.update(evidence.tasks)
    departed.subtract(evidence.deleted)
    for place, times in departed.items():
        if times > 1:
            tally.found("doubled", f"enrollment {place[0]}, step {place[1]} went out {times} times", times - 1)
    if evidence.once_each:
        people = Counter((each.version.key, _who(each.resource)) for each in evidence.enrollments.values())
        for person, times in people.items():
            if times > 1:
                tally.found("doubled", f"{person} is enrolled {times} times", times - 1)


def _marked(evidence: Evidence, tally: Tally) -> None:
    """Whether each call of a port that cannot tell a repeat had a start mark of its own."""
    unmarked = Counter((each.id, each.position) for each in evidence.log if each.look is None)
    for history in evidence.histories.values():
        for event in history:
            if event.type == "hand_over_started":
                unmarked[event.enrollment_id, event.position or 0] -= 1
    excess = [f"enrollment {id}, step {position}" for (id, position), times in unmarked.items() for _ in range(times)]
    for each in excess[evidence.unmarked :]:
        tally.found("out_of_order", f"{each} went out without a start mark")


def _who(resource: Resource) -> tuple[str, type, Any]:
    return (resource.type, type(resource.id), resource.id)


def _in_order(evidence: Evidence, tally: Tally) -> None:
    before: dict[int, Departure] = {}
    for each in evidence.log:
        enrollment, look = evidence.enrollments.get(each.id), each.look
        if enrollment is None:
            tally.found("corrupt", f"{each.key} went out, and enrollment {each.id} is not there")
            continue
        if look is not None:
            if look.state != "active" or look.current != each.position or look.status != "requested":
                tally.found("out_of_order", f"{each.key} went out while the store had {look}")
            if look.estimate is None or each.at is None or each.at < look.estimate:
                tally.found("early", f"{each.key} went out at {each.at}, and was planned for {look.estimate}")
        email = enrollment.steps[each.position].step.is_email
        if email and evidence.is_open is not None and each.at is not None and not evidence.is_open(enrollment, each.at):
            tally.found("early", f"{each.key} went out at {each.at}, when the calendar was closed")
        last = before.get(each.id)
        if last is not None:
            if last.position > each.position:
                tally.found("out_of_order", f"{each.key} went out after step {last.position}")
            elif last.position < each.position and evidence.steady and last.at is not None and each.at is not None:
                least = _least_between(enrollment, last.position, each.position)
                if each.at < last.at + least:
                    tally.found("early", f"{each.key} went out {each.at - last.at} after step {last.position}, "
                                f"not {least}")  # fmt: skip
        if last is None or last.position <= each.position:
            before[each.id] = each


def _least_between(enrollment: Enrollment, one: int, other: int) -> timedelta:
    """What lies at least between two steps: their delays in hours, and nothing where working days are counted."""
    between = enrollment.version.sequence.steps[one + 1 : other + 1]
    return timedelta(hours=sum(float(step.after.n) for step in between if step.after.unit == "hours"))


def _ended(enrollment: Enrollment, evidence: Evidence, tally: Tally) -> None:
    """Whether it has come to an end, or says what it waits for; and whether what it says of itself is true."""
    id, state = enrollment.id, enrollment.state.value
    if state == "active" or id in evidence.claimed:
        tally.found("stuck", f"enrollment {id} is {state}, {[step.status.value for step in enrollment.steps]}")
    elif state == "blocked" and enrollment.blocked_reason not in evidence.waits_for:
        tally.found("stuck", f"enrollment {id} is blocked: {enrollment.blocked_reason}")
    if id not in evidence.enrolled:
        return
    log = {(each.id, each.position) for each in evidence.log}
    if evidence.embedded:
        log |= set(evidence.tasks)
    for step in enrollment.steps:
        status, out = step.status.value, (id, step.position) in log
        if status == "completed" and not out:
            tally.found("lost", f"enrollment {id}, step {step.position} is completed, and nothing went out")
        if id in evidence.by_hand:
            continue
        if status == "cancelled" or (status == "skipped" and step.step.is_email):
            tally.found("lost", f"enrollment {id}, step {step.position} is {status}, and nobody asked for it")
        unknown = state == "blocked" and enrollment.blocked_reason in evidence.waits_for
        if out and status in ("pending", "failed") and not unknown:
            tally.found("lost", f"enrollment {id}, step {step.position} went out, and is {status}")


def _history(enrollment: Enrollment, history: Sequence[Event], embedded: bool, tally: Tally) -> None:
    """Whether the history is whole, gives the stored enrollment, and went only ways that there are, in order."""
    id = enrollment.id
    if [event.number for event in history] != list(range(1, enrollment.revision + 1)):
        tally.found("corrupt", f"the history of {id} has gaps: {[event.number for event in history]}")
        return
    resource = enrollment.resource
    stored = attrs.evolve(enrollment, resource=Resource(resource.type, resource.id))
    if replay(enrollment.version, history) != stored:
        tally.found("corrupt", f"the history of {id} gives another enrollment than the stored one")
    statuses = ["pending"] * len(enrollment.steps)
    estimates: dict[int, Any] = defaultdict(lambda: None)
    state = "active"
    for event in history:
        was = state
        state = str(getattr(event.own.get("state", state), "value", event.own.get("state", state)))
        if state != was and state not in STATE_EDGES[was]:
            tally.found("corrupt", f"enrollment {id} went from {was} to {state}")
        for position, fields in sorted(event.steps.items()):
            old = statuses[position]
            new = str(getattr(fields.get("status", old), "value", fields.get("status", old)))
            edges = EMAIL_EDGES if enrollment.steps[position].step.is_email else TASK_EDGES
            if new != old and new not in edges[old]:
                tally.found("corrupt", f"enrollment {id}, step {position} went from {old} to {new}")
            if old != "requested" and new == "requested":
                _begun(id, event, position, was, statuses, estimates[position], tally)
            if embedded and event.type == "task_created" and was != "active":
                tally.found("out_of_order", f"enrollment {id}, step {position}: a task put on the board while {was}")
            if event.type == "hand_over_started":
                _begun(id, event, position, was, statuses, estimates[position], tally)
            statuses[position] = new
            if "estimated_execute_at" in fields:
                estimates[position] = fields["estimated_execute_at"]


def _begun(id: int, event: Event, position: int, state: str, statuses: list[str], estimate: Any, tally: Tally) -> None:
    """Asked for, or marked: only what is active and current and has come due."""
    if state != "active" or any(each not in OVER for each in statuses[:position]):
        tally.found("out_of_order", f"enrollment {id}, step {position}: {event.type} while {state}, {statuses}")
    if estimate is None or event.at < estimate:
        tally.found("early", f"enrollment {id}, step {position}: {event.type} at {event.at}, planned for {estimate}")
