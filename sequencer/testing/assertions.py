"""Assertions for a host's own tests, whose failure shows the timeline: what is planned, what happened, and why.

Each says one thing about one thing: a plan, a state, a history, the mails that left. They raise
`AssertionError` with the whole story in it, and need neither pytest nor Hypothesis.

An instant is an aware datetime, or a text like "2026-03-30 14:30", which is local time in the zone that is meant, or
has an offset of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import EllipsisType
from typing import Any
from zoneinfo import ZoneInfo

from pendulum import DateTime

from sequencer.adapters.recording import RecordingMailer, SentEmail
from sequencer.core.enrollment import fold_address
from sequencer.core.errors import InvalidInput
from sequencer.core.events import Event
from sequencer.core.instants import to_instant, to_zone
from sequencer.core.sequence import Sequence as Definition
from sequencer.core.timeline import Timeline, plan
from sequencer.design import Counterexample, broken
from sequencer.engine.engine import Engine

__all__ = ["assert_expected", "assert_history", "assert_plan", "assert_sent", "assert_state"]

Instant = datetime | str


# -- before anything runs -------------------------------------------------------------------------------------


def assert_plan(
    sequence: Definition,
    *,
    start: Instant,
    is_at: Sequence[Instant | None],
    timezone: str | None = None,
    done: Mapping[int, Instant] | None = None,
) -> Timeline:
    """The steps of a sequence are planned for these instants, one for each step; None where it does not matter.

    `start`, `timezone` and `done` are those of `plan`, which is returned. A failure shows the plan with its reasons.
    """
    zone = timezone or sequence.calendar.timezone
    timeline = _planned(sequence, start, zone, done)
    wanted = [None if each is None else _to_instant(each, zone, f"is_at[{i}]") for i, each in enumerate(is_at)]
    wrong = {
        step.position
        for step, at in zip(timeline, wanted, strict=False)
        if at is not None and at != step.estimated_execute_at
    }
    problems = [f"step {i} is at {timeline[i].local:{_SHOWN}}, not {_show(wanted[i], zone)}" for i in sorted(wrong)]
    if len(wanted) != len(timeline):
        problems.append(f"it has {len(timeline)} steps, not {len(wanted)}")
    if problems:
        raise AssertionError(
            f"the plan of {sequence.name!r} is another one: {'; '.join(problems)}.\n{_told(timeline, wrong)}"
        )
    return timeline


def assert_expected(
    sequence: Definition,
    expect: Mapping[str, Any],
    *,
    start: Instant,
    timezone: str | None = None,
    done: Mapping[int, Instant] | None = None,
) -> None:
    """Assert that an enrollment keeps an expectation, which is said as in a file: `{"max_duration": {"weekdays": 30}}`.

    It starts at an instant, on the clock of `timezone` (default: the sequence's); `done` says of tasks, by
    position, when they are completed (default: when planned). The `AssertionError` has the timeline with the reasons.
    Raises `DefinitionError` for what is no expectation, and what `plan` raises.
    """
    __tracebackhide__ = True
    zone = timezone or sequence.calendar.timezone
    began, over = _to_instant(start, zone, "start"), _to_instants(done, zone)
    sentence = broken(sequence, expect, began, timezone=zone, done=over)
    if sentence is not None:
        timeline = plan(sequence, began, timezone=zone, done=over)
        raise AssertionError(str(Counterexample(expect, began, timeline.timezone, over, timeline, sentence)))


# -- what an engine has done ----------------------------------------------------------------------------------


def assert_state(
    engine: Engine, id: int, state: str, *, reason: str | None = None, position: int | None = None
) -> None:
    """An enrollment is `active`, `blocked` or `finished`; for that `reason`, and at that step, where they are given.

    A failure shows what the engine's `explain` says.
    """
    seen = engine.get(id)
    why = seen.blocked_reason if seen.state == "blocked" else seen.finished_reason
    found = [f"it is {seen.state}"] if seen.state != state else []
    if reason is not None and why != reason:
        found.append(f"its reason is {why!r}, not {reason!r}")
    if position is not None and seen.current_step_position != position:
        found.append(f"its current step is {seen.current_step_position}, not {position}")
    if found:
        raise AssertionError(f"enrollment {id} is not {state}: {'; '.join(found)}.\n{engine.explain(id)}")


def assert_history(engine: Engine, id: int, happened: Iterable[str | tuple[str, int] | EllipsisType]) -> None:
    """What has happened to an enrollment is this, in this order: types of events, or pairs with a step's position.

    `...` stands for any events, or none. A failure shows the history, and what the engine's `explain` says.
    """
    history, wanted = engine.history(id), list(happened)
    missed = _first_missed(history, wanted, _is_event)
    if missed is not None:
        zone = engine.get(id).timezone
        lines = [f"  {_show(event.at, zone)}  {_event(event)}" for event in history]
        raise AssertionError(
            f"the history of enrollment {id} is another one: {_missing(missed, wanted, history, _event)}.\n"
            f"{chr(10).join(lines)}\n{engine.explain(id)}"
        )


def assert_sent(mailer: RecordingMailer, mails: Iterable[str | Mapping[str, Any] | EllipsisType]) -> None:
    """The mails that have left are these, in this order: addresses, or mappings of fields of `Email` such as `subject`.

    `...` stands for any mails, or none. A failure shows all that left, and when.
    """
    wanted = list(mails)
    missed = _first_missed(mailer.sent, wanted, _is_mail)
    if missed is not None:
        lines = [f"  {_mail(each)}" for each in mailer.sent] or ["  (no mail has left)"]
        raise AssertionError(
            f"other mails have left: {_missing(missed, wanted, mailer.sent, _mail)}.\n{chr(10).join(lines)}"
        )


# -- comparing ------------------------------------------------------------------------------------------------


def _first_missed(
    found: Sequence[Any], wanted: Sequence[Any], fits: Callable[[Any, Any], bool]
) -> tuple[int, int] | None:
    """Where, in what was wanted and in what was found, the two part for good; None if one is the other."""
    furthest = (0, 0)
    # How much of what is wanted can have been seen before what is found at this place: several numbers, with gaps.
    seen = _past_gaps({0}, wanted)
    for at, each in enumerate(found):
        furthest = max(furthest, (max(seen), at))
        stay = {n for n in seen if n < len(wanted) and wanted[n] is ...}
        go_on = {n + 1 for n in seen - stay if n < len(wanted) and fits(each, wanted[n])}
        seen = _past_gaps(stay | go_on, wanted)
        if not seen:
            return furthest
    return None if len(wanted) in seen else (max(seen), len(found))


def _past_gaps(seen: set[int], wanted: Sequence[Any]) -> set[int]:
    """The numbers, and those that lie behind a gap, which may be of nothing."""
    past = set(seen)
    for n in range(len(wanted)):
        if n in past and wanted[n] is ...:
            past.add(n + 1)
    return past


def _missing(missed: tuple[int, int], wanted: Sequence[Any], found: Sequence[Any], told: Callable[[Any], str]) -> str:
    n, at = missed
    then = f"then comes {told(found[at])}" if at < len(found) else "nothing comes then"
    if n < len(wanted):
        return f"number {n} of what was expected is {wanted[n]!r}, and {then}"
    return f"no more was expected after number {n - 1}, and {then}"


def _is_event(event: Event, wanted: Any) -> bool:
    kind, position = wanted if isinstance(wanted, tuple) else (wanted, event.position)
    return bool(event.type == kind and event.position == position)


def _event(event: Event) -> str:
    return event.type if event.position is None else f"{event.type} (step {event.position})"


def _is_mail(sent: SentEmail, wanted: Any) -> bool:
    if isinstance(wanted, str):
        wanted = {"to": wanted}
    for name, value in wanted.items():
        if not hasattr(sent.email, name):
            raise InvalidInput(f"a mail has no {name!r}; see sequencer.Email", path="mails", code="unknown_key")
        if name == "to" and fold_address(sent.to) == fold_address(value):
            continue
        if getattr(sent.email, name) != value:
            return False
    return True


def _mail(sent: SentEmail) -> str:
    email = sent.email
    subject = f"template {email.template_id}" if email.subject is None else repr(email.subject)
    at = "" if email.at is None else f"{_show(email.at, 'UTC')}  "
    return (
        f"{at}to {email.to}: {subject} ({email.sequence_name}, enrollment {email.enrollment_id}, step {email.position})"
    )


# -- instants -------------------------------------------------------------------------------------------------

_SHOWN = "%a %Y-%m-%d %H:%M:%S %Z"


def _to_instant(value: Instant, zone: str, path: str) -> DateTime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput(f'needs a time like "2026-03-30 14:30", got {value!r}', path=path) from None
        if value.tzinfo is None:
            value = value.replace(tzinfo=ZoneInfo(zone))
    return to_instant(value, path)


def _to_instants(done: Mapping[int, Instant] | None, zone: str) -> dict[int, DateTime]:
    return {position: _to_instant(at, zone, f"done[{position}]") for position, at in (done or {}).items()}


def _planned(sequence: Definition, start: Instant, zone: str, done: Mapping[int, Instant] | None) -> Timeline:
    return plan(sequence, _to_instant(start, zone, "start"), timezone=zone, done=_to_instants(done, zone))


def _show(at: DateTime | None, zone: str) -> str:
    return "" if at is None else f"{to_zone(at, zone):{_SHOWN}}"


def _told(timeline: Timeline, wrong: Iterable[int]) -> str:
    lines = [f"Enrolled {_show(timeline.started_at, timeline.timezone)} in {timeline.timezone}:"]
    for step in timeline:
        lines.append(f"{'> ' if step.position in wrong else '  '}{step}")
        lines += [f"    - {reason}" for reason in step.reasons]
    return "\n".join(lines)
