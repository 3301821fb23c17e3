"""Strategies for what runs: people, enrollments in every situation that can be reached, and what may be said to them.

Enrollments are made by the core's own `enroll` and `advance`, so that each is one that could stand in a store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

import attrs
from hypothesis import strategies as st
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.events import Event
from sequencer.core.instants import to_instant
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task
from sequencer.core.signals import (
    OUTSIDE,
    Block,
    CompleteTask,
    Due,
    EmailFailed,
    EmailPending,
    EmailSent,
    Finish,
    Handling,
    Reassign,
    Resume,
    Signal,
    Skip,
    Start,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskFailed,
    Withdraw,
)
from sequencer.testing.strategies.asked import to_bounds, to_strategy
from sequencer.testing.strategies.definitions import policies
from sequencer.testing.strategies.texts import identifiers, lines, metadata
from sequencer.testing.strategies.timing import MONDAY, calendars, delays, starts, zones

__all__ = ["enrollments", "histories", "reports", "resources", "signals"]

_STATES = ("active", "blocked", "finished")
_MOST = 2**63 - 1


@cache
def resources() -> st.SearchStrategy[Resource]:
    """Somebody to enroll: a type and an id, with or without an address, merge fields and a zone of their own."""
    addresses = st.sampled_from([None, "ada@example.com", "Ada@Example.com ", "jörg@bücher.example", "o'neil+x@a.co"])
    return st.builds(
        Resource,
        st.just("lead") | lines(max_size=64),
        identifiers(),
        email=addresses,
        fields=metadata(),
        timezone=st.none() | zones(),
    )


# -- what may be said -----------------------------------------------------------------------------------------


def signals(*, enrollment: Enrollment | None = None, now: datetime | None = None) -> st.SearchStrategy[Signal]:
    """Something that may be said to an enrollment: requests, answers of ports, reports from outside.

    With an `enrollment`, what fits it: the keys and attempts of its steps, often of the one that is outstanding, and
    ids of its tasks; what the worker says, too. Without one, reports about enrollment 1, and requests. Instants are
    relative to `now` (default: when the enrollment last changed). Nothing says that it is allowed: a request may raise
    `IllegalTransition`.
    """
    if enrollment is not None and not isinstance(enrollment, Enrollment):
        raise InvalidInput(f"needs an Enrollment, got {enrollment!r}", path="enrollment", code="invalid_type")
    moment = None if now is None else to_instant(now, "now")
    if enrollment is None:
        return st.one_of(_reports(1, moment or MONDAY), _requests(moment or MONDAY))
    return _fitting(enrollment, moment or _last_changed(enrollment))


def _last_changed(enrollment: Enrollment) -> DateTime:
    assert enrollment.updated_at is not None, "whoever was enrolled was so at some time"
    return enrollment.updated_at


# Most kinds of reports end an enrollment, so that each of these is said less often than one that does not.
_KINDS = st.sampled_from(["opened", "clicked", "soft_bounced", "bounced", "bounced", "out_of_office", *OUTSIDE])
_AWAY, _AGO = st.integers(0, 14), st.sampled_from([None, timedelta(hours=1)])
_GAPS = st.sampled_from([timedelta(0), timedelta(microseconds=7), timedelta(hours=1), timedelta(days=4)])
_WORDS, _PERHAPS, _BOTH = lines(), st.none() | lines(), st.booleans()
_TIMELINES, _IDS, _BACK = st.sampled_from(["shift", "keep", "restart"]), identifiers(), st.integers(0, 200)
_SIMPLE = st.sampled_from(
    [Skip(), Skip(), Block(), Block(), Finish(actor_id=3), Finish("converted"), Reassign("9"), Reassign(None)]
)
_SAYS = st.sampled_from(
    ["due", "answer", "due", "answer", "answer", "answer", "start", "withdraw", "ask", "ask", "report"]
)
_MAIL_SAYS = st.sampled_from(["sent", "pending", "failed"])
_TASK_SAYS = st.sampled_from(["created", "failed", "completed", "deleted", "cancelled", "complete"])


@st.composite
def _reports(draw: st.DrawFn, enrollment_id: int, now: DateTime) -> Signal:
    kind, days = draw(_KINDS), draw(_AWAY)
    # The same key comes again with the same content, as providers do it.
    named: dict[str, Any] = {"key": f"{kind} {days}", "enrollment_id": enrollment_id, "at": _earlier(draw, now)}
    if kind == "out_of_office" and days:
        named["until"] = now + timedelta(days=days)
    made: Signal = OUTSIDE[kind](**named)
    return made


def reports(kind: type[Any]) -> st.SearchStrategy[Any]:
    """A report or an answer of this type: about an enrollment, or by the key of a mail or a task."""
    names = {each.name for each in attrs.fields(kind)}
    fields: dict[str, st.SearchStrategy[Any]] = {"key": lines(), "at": st.none() | starts()}
    if "enrollment_id" in names:
        return st.builds(kind, enrollment_id=st.integers(1, _MOST), **fields)
    fields |= {
        "effect_key": lines(),
        "attempt": st.none() | st.integers(1, 5),
        "message_id": _PERHAPS,
        "provider_id": _PERHAPS,
        "task_id": identifiers(),
        "permanent": _BOTH,
        "detail": lines(),
    }
    return st.builds(kind, **{name: each for name, each in fields.items() if name in names})


@st.composite
def _requests(draw: st.DrawFn, now: DateTime) -> Signal:
    if draw(_BOTH):
        simple: Any = draw(_SIMPLE)
        return cast("Signal", simple)
    if draw(_BOTH):
        return Block("out_of_office", now + timedelta(days=3))
    return Resume(draw(_TIMELINES), draw(_BOTH))


def _earlier(draw: st.DrawFn, now: DateTime) -> DateTime | None:
    ago = draw(_AGO)
    return None if ago is None else now - ago


@st.composite
def _fitting(draw: st.DrawFn, enrollment: Enrollment, now: DateTime) -> Signal:
    # The current step comes first, so that examples shrink towards what is said about it.
    last = min(enrollment.position, len(enrollment.steps) - 1)
    step = enrollment.steps[last - min(last, draw(_BACK))] if draw(_BOTH) else enrollment.steps[last]
    key = enrollment.key_of(step)
    says = draw(_SAYS)
    if says == "due":
        email, task = (Handling(draw(_BOTH), draw(_BOTH)) for _ in range(2))
        return Due(email, task)
    if says == "ask":
        return draw(_requests(now))
    if says == "report":
        return draw(_reports(enrollment.id, now))
    attempt = draw(st.sampled_from([step.attempt, step.attempt, 1, None]))
    if says == "start":
        return Start(key, attempt or 0)
    if says == "withdraw":
        return Withdraw(key, attempt or 0)
    answer: dict[str, Any] = {"effect_key": key, "attempt": attempt}
    return _mail_answer(draw, answer, now) if step.step.is_email else _task_answer(draw, answer, step, now)


def _mail_answer(draw: st.DrawFn, answer: dict[str, Any], now: DateTime) -> Signal:
    says = draw(_MAIL_SAYS)
    if says == "sent":
        return EmailSent(**answer, message_id="<a@b>", provider_id=draw(_PERHAPS), at=_earlier(draw, now))
    if says == "pending":
        return EmailPending(**answer, provider_id="p-1")
    return EmailFailed(**answer, permanent=draw(_BOTH), recipient_fault=draw(_BOTH), detail=draw(_WORDS))


def _task_answer(draw: st.DrawFn, answer: dict[str, Any], step: EnrollmentStep, now: DateTime) -> Signal:
    says = draw(_TASK_SAYS)
    if says == "failed":
        return TaskFailed(**answer, permanent=draw(_BOTH))
    if says == "complete":
        return CompleteTask(step.position)
    id = (step.task_id or 1) if draw(_BOTH) else draw(_IDS)
    if says == "created":
        return TaskCreated(**answer, task_id=id)
    if says == "completed":
        return TaskCompleted(task_id=id, at=_earlier(draw, now))
    if says == "deleted":
        return TaskDeleted(task_id=id)
    return TaskCancelled(task_id=id, done=draw(_BOTH))


# -- who is enrolled ------------------------------------------------------------------------------------------


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    sequences: st.SearchStrategy[Sequence] | None = None,
    max_signals: int = 14,
    through: Callable[[Enrollment], Enrollment] | None = None,
) -> tuple[Enrollment, tuple[Event, ...]]:
    """An enrollment that has lived through up to `max_signals` signals, and all its events. In any of `sequences`.

    `replay` makes the same enrollment of the events. `through` is what the enrollment is passed through now and then,
    such as a store's codec, there and back. Shrinks towards one that has just begun.
    """
    to_bounds(0, max_signals, ("max_signals", "max_signals"), (0, 1000))
    sequence = draw(to_strategy(sequences, _SEQUENCES, "sequences"))
    version = SequenceVersion(draw(st.integers(1, _MOST)), sequence.key, 1, sequence, draw(st.integers(1, _MOST)))
    now = draw(starts(near=sequence))
    resource = draw(resources())
    decision = enroll(
        version,
        resource,
        now,
        id=draw(st.integers(1, _MOST)),
        origin="0123456789abcdef",
        account=draw(st.none() | identifiers()),
        actor_id=draw(st.none() | identifiers()),
        timezone=draw(st.just(sequence.calendar.timezone) | zones()),
        tzdata="2026a",
        start_at=draw(st.sampled_from([None, now + timedelta(days=2, microseconds=1)])),
        idempotency_key=draw(st.none() | lines()),
    )
    enrollment, events = decision.enrollment, list(decision.events)
    for _ in range(draw(st.integers(0, max_signals))):
        now += draw(_GAPS)
        if draw(_BOTH) and enrollment.wake_at is not None:
            now = max(now, enrollment.wake_at)
        try:
            decision = advance(enrollment, draw(signals(enrollment=enrollment, now=now)), now)
        except (IllegalTransition, InvalidInput):
            continue
        enrollment = decision.enrollment
        events += decision.events
        if through is not None and draw(st.booleans()):
            enrollment = through(enrollment)
    return enrollment, tuple(events)


def enrollments(
    *,
    sequences: st.SearchStrategy[Sequence] | None = None,
    states: st.SearchStrategy[str] | None = None,
    max_signals: int = 14,
) -> st.SearchStrategy[Enrollment]:
    """An enrollment in one of `sequences` (default: short ones), in any situation that it can come into.

    Active, blocked or finished, with steps in every status, retries, late answers, tasks to take off a board. `states`
    gives the state that it is to be in. Shrinks towards one that has just begun, or was just blocked or finished.
    """
    lived = histories(sequences=sequences, max_signals=max_signals).map(lambda pair: pair[0])
    if states is None:
        return lived
    return st.tuples(lived, to_strategy(states, st.nothing(), "states")).map(lambda pair: _brought_to(*pair))


def _brought_to(enrollment: Enrollment, state: str) -> Enrollment:
    """The enrollment, brought into a state by somebody where it is in another one; what is over is begun anew."""
    if state not in _STATES:
        raise InvalidInput(f"must be one of {', '.join(_STATES)}, got {state!r}", path="states")
    now = _last_changed(enrollment)
    if enrollment.is_finished and state != "finished":
        enrollment = enroll(
            enrollment.version,
            enrollment.resource,
            now,
            id=enrollment.id,
            origin=enrollment.origin,
            account=enrollment.account,
            actor_id=enrollment.actor_id,
            timezone=enrollment.timezone,
            tzdata=enrollment.tzdata,
        ).enrollment
    if enrollment.state != state:
        request: Signal = Finish() if state == "finished" else Block() if state == "blocked" else Resume()
        enrollment = advance(enrollment, request, now).enrollment
    return enrollment


# Short and plain: stories with long delays are mostly about waiting, and what texts say is of no account in them.
_SPANS = delays(max_hours=480, max_weekdays=30)
_SEQUENCES = st.builds(
    Sequence,
    st.just("Any"),
    st.lists(
        st.builds(
            Step,
            st.builds(AutomatedEmail, st.integers(0, 9), is_reply=st.booleans())
            | st.builds(Task, st.just("Call"), due_after=_SPANS, skip_after=st.none() | _SPANS),
            _SPANS,
        ),
        min_size=1,
        max_size=5,
    ),
    calendar=calendars(),
    policy=policies(),
)
