"""What each expectation requires of a timeline: the meaning of the vocabulary of `expect`, and the only one there is.

An expectation asks for one or more `Requirement`s, each about a moment or two of a timeline. A requirement also says
where what it makes of them may turn: between two such instants, on a piece of starts, it compares moments that go
straight, so that the two ends of the piece tell of all between. Replays, drawn cases and the sweep over whole years ask
the same functions.

| expectation | what is compared |
|---|---|
| `min_between_emails`, `max_between_emails` | each mail with the mail before it |
| `min_between_steps`, `max_between_steps` | each step with the moment when the step before it was over |
| `min_duration`, `max_duration` | the end of the last step with the start |
| `first_touch_within` | the first step with the first open moment (T5) since the start |
| `max_emails` | each mail with the one so many before it: on the wall, they must be so many days apart |
| `no_email_on`, `no_task_on`, `local_hours` | the local date and time of each mail, or of each task when it comes |
| `ends_by` | the local date on which the last step is over |

A duration in hours is elapsed time; one in weekdays keeps the clock time and counts the calendar's working days (T1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import attrs

from sequencer.core.days import WEEKDAYS
from sequencer.core.delays import Delay, delay_of
from sequencer.core.matching import step_called
from sequencer.core.sequence import Sequence, Step
from sequencer.design.deciding.ground import DAY, HOUR, MINUTE, SECOND, Edges, Ground, clock_reading, day_number

__all__ = ["Requirement", "at", "duration", "over", "requirements"]

START = 0


def at(position: int) -> int:
    """Which of a timeline's moments is that when a step comes."""
    return 2 * position + 1


def over(position: int) -> int:
    """Which of a timeline's moments is that when a step is over."""
    return 2 * position + 2


def _those_that_turn(turns: Iterable[tuple[int, Edges | None]]) -> tuple[tuple[int, Edges], ...]:
    return tuple((moment, edges) for moment, edges in turns if edges is not None)


@attrs.frozen(eq=False)
class Requirement:
    """One thing that must hold of every timeline on a ground.

    It is about the moments `of` a timeline, one or two (0 is the start; see `Piece`). `broken` is given these, in
    microseconds, and tells whether they break it; `tell` says how. `turns` are moments with the instants at which what
    it makes of them may turn.
    """

    of: tuple[int, ...]
    broken: Callable[..., bool]
    tell: Callable[..., str]
    turns: tuple[tuple[int, Edges], ...] = attrs.field(default=(), converter=_those_that_turn)

    @property
    def last_step(self) -> int:
        """The position of the last step that it is about."""
        return (max(self.of) - 1) // 2

    def is_broken_by(self, moments: tuple[int, ...]) -> bool:
        """Whether a timeline, given as its moments, breaks it."""
        return self.broken(*[moments[i] for i in self.of])

    def told_of(self, moments: tuple[int, ...]) -> str:
        """How a timeline breaks it."""
        return self.tell(*[moments[i] for i in self.of])


def requirements(sequence: Sequence, expectation: Mapping[str, Any], ground: Ground) -> tuple[Requirement, ...]:
    """What one expectation, like `{"max_duration": {"weekdays": 30}}`, requires of a sequence's timelines on a ground.

    `stops_on` requires nothing of timelines, since nothing happens to people in them.
    """
    ((kind, value),) = expectation.items()
    return tuple(_KINDS[kind](_Told(sequence, ground), value)) if kind in _KINDS else ()


def duration(value: Mapping[str, Any]) -> Delay:
    """A duration as documents write it, as a delay."""
    ((unit, n),) = value.items()
    return delay_of(n, unit)


# -- how it is told -------------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class _Told:
    """A sequence on a ground, in words."""

    sequence: Sequence
    ground: Ground

    @property
    def emails(self) -> list[int]:
        return [position for position, step in enumerate(self.sequence.steps) if step.is_email]

    def step(self, position: int) -> str:
        return step_called(self.sequence, position)

    def comes(self, position: int) -> str:
        return f"{self.step(position)} {'leaves' if self.sequence.steps[position].is_email else 'comes'}"

    def ends(self) -> str:
        return f"the sequence ends with {self.step(len(self.sequence.steps) - 1)}"

    def clock(self, instant: int) -> str:
        local = self.ground.local(instant)
        seconds = ":%S" if local.second or local.microsecond else ""
        return f"{local:%a %Y-%m-%d %H:%M{seconds} %Z}"

    def moment(self, moment: int, instant: int) -> str:
        """A moment of a timeline that another one is compared with."""
        if moment == START:
            return f"the start on {self.clock(instant)}"
        position, is_over = divmod(moment - 1, 2)
        done = " is done" if is_over and not self.sequence.steps[position].is_email else ""
        return f"{self.step(position)}{done} on {self.clock(instant)}"


def _span(microseconds: int) -> str:
    """An elapsed time in the two greatest of its units."""
    if microseconds == 0:
        return "no time"
    parts, rest = [], abs(microseconds)
    for name, size in (("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", SECOND)):
        n, rest = divmod(rest, size)
        if n:
            parts.append(f"{n} {name}{'' if n == 1 else 's'}")
    return " ".join(parts[:2]) or f"{abs(microseconds)} microseconds"


# -- durations between two moments ----------------------------------------------------------------------------


def _apart(told: _Told, earlier: int, later: int, value: Mapping[str, Any], what: str, *, least: bool) -> Requirement:
    """That two moments of a timeline are at least, or at most, so long apart."""
    delay, ground = duration(value), told.ground
    after = ground.after(delay)

    def too_soon(first: int, second: int) -> bool:
        return second < after(first)

    def too_late(first: int, second: int) -> bool:
        return second > after(first)

    def tell(first: int, second: int) -> str:
        wanted = f"at {'least' if least else 'most'} {delay}"
        if delay.unit == "weekdays":
            wanted += f", which is {'not before' if least else 'by'} {told.clock(after(first))}"
        return (
            f"{what} on {told.clock(second)}, {_span(second - first)} after {told.moment(earlier, first)}; "
            f"expected: {wanted}"
        )

    turns = ((earlier, ground.turns_after(delay)),)
    return Requirement((earlier, later), too_soon if least else too_late, tell, turns)


def _between_emails(told: _Told, value: Mapping[str, Any], *, least: bool) -> Iterable[Requirement]:
    for earlier, later in pairwise(told.emails):
        yield _apart(told, at(earlier), at(later), value, told.comes(later), least=least)


def _between_steps(told: _Told, value: Mapping[str, Any], *, least: bool) -> Iterable[Requirement]:
    for later in range(1, len(told.sequence.steps)):
        yield _apart(told, over(later - 1), at(later), value, told.comes(later), least=least)


def _whole(told: _Told, value: Mapping[str, Any], *, least: bool) -> Iterable[Requirement]:
    yield _apart(told, START, over(len(told.sequence.steps) - 1), value, told.ends(), least=least)


def _first_touch(told: _Told, value: Mapping[str, Any]) -> Iterable[Requirement]:
    delay, email, ground = duration(value), told.sequence.steps[0].is_email, told.ground
    after, next_open = ground.after(delay), ground.next_open(email=email)

    def tell(start: int, first: int) -> str:
        opened = next_open(start)
        return (
            f"{told.comes(0)} on {told.clock(first)}, {_span(first - opened)} after the first open moment, "
            f"{told.clock(opened)}; expected: within {delay}"
        )

    turns = ((START, ground.turns_open(email=email)), (START, ground.turns_after(delay)))
    yield Requirement((START, at(0)), lambda start, first: first > after(next_open(start)), tell, turns)


# -- how many mails -------------------------------------------------------------------------------------------


def _max_emails(told: _Told, value: Mapping[str, Any]) -> Iterable[Requirement]:
    count, days, emails = value["count"], value["days"], told.emails
    expected = f"expected: at most {count} in any {'day' if days == 1 else f'{days} days'}"
    for first, last in zip(emails, emails[count:], strict=False):
        yield _too_many(told, first, last, count + 1, days, expected)


def _too_many(told: _Told, first: int, last: int, n: int, days: int, expected: str) -> Requirement:
    wall, changes = told.ground.wall, told.ground.readings()

    def tell(earlier: int, later: int) -> str:
        if first == last:
            return f"{told.comes(first)} on {told.clock(earlier)}; {expected}"
        return (
            f"{n} mails leave from {told.step(first)} on {told.clock(earlier)} to {told.step(last)} on "
            f"{told.clock(later)}; {expected}"
        )

    return Requirement(
        (at(first), at(last)),
        lambda earlier, later: wall(later) - wall(earlier) < days * DAY,
        tell,
        ((at(first), changes), (at(last), changes)),
    )


# -- dates and clock times ------------------------------------------------------------------------------------


def _never_on(told: _Told, value: Mapping[str, Any], *, of: Callable[[Step], bool]) -> Iterable[Requirement]:
    since, until = clock_reading(value.get("from", "00:00")), clock_reading(value.get("to", "24:00"))
    weekdays = {WEEKDAYS.index(day) for day in value.get("days", ())}
    dates = {day_number(date.fromisoformat(day)) for day in value.get("dates", ())}
    every_day = not weekdays and not dates

    def hit(wall: int) -> bool:
        day, clock = divmod(wall, DAY)
        return since <= clock < until and (every_day or (day + 3) % 7 in weekdays or day in dates)

    listed = (
        ("on", value.get("days")),
        ("on", value.get("dates")),
        ("from", value.get("from")),
        ("to", value.get("to")),
    )
    spoken = [f"{word} {each if isinstance(each, str) else ', '.join(each)}" for word, each in listed if each]
    for position, step in enumerate(told.sequence.steps):
        if of(step):
            yield _not_then(told, position, hit, (since, until % DAY, 0), f"none {' '.join(spoken)}")


def _local_hours(told: _Told, value: Mapping[str, Any]) -> Iterable[Requirement]:
    since, until = clock_reading(value["from"]), clock_reading(value["to"])
    expected = f"from {value['from']} on and before {value['to']}"
    for position in told.emails:
        times = (since, until % DAY, 0)
        yield _not_then(told, position, lambda wall: not since <= wall % DAY < until, times, expected)


def _not_then(
    told: _Told, position: int, hit: Callable[[int], bool], times: tuple[int, ...], expected: str
) -> Requirement:
    wall = told.ground.wall
    return Requirement(
        (at(position),),
        lambda instant: hit(wall(instant)),
        lambda instant: f"{told.comes(position)} on {told.clock(instant)}; expected: {expected}",
        ((at(position), told.ground.readings(*times)),),
    )


def _ends_by(told: _Told, value: str) -> Iterable[Requirement]:
    limit, last = (day_number(date.fromisoformat(value)) + 1) * DAY, len(told.sequence.steps) - 1
    wall = told.ground.wall
    yield Requirement(
        (over(last),),
        lambda instant: wall(instant) >= limit,
        lambda instant: f"{told.ends()} on {told.clock(instant)}; expected: by {value}",
        ((over(last), told.ground.readings(0)),),
    )


_KINDS: dict[str, Callable[[_Told, Any], Iterable[Requirement]]] = {
    "min_between_emails": lambda told, value: _between_emails(told, value, least=True),
    "max_between_emails": lambda told, value: _between_emails(told, value, least=False),
    "min_between_steps": lambda told, value: _between_steps(told, value, least=True),
    "max_between_steps": lambda told, value: _between_steps(told, value, least=False),
    "min_duration": lambda told, value: _whole(told, value, least=True),
    "max_duration": lambda told, value: _whole(told, value, least=False),
    "first_touch_within": _first_touch,
    "max_emails": _max_emails,
    "no_email_on": lambda told, value: _never_on(told, value, of=lambda step: step.is_email),
    "no_task_on": lambda told, value: _never_on(told, value, of=lambda step: not step.is_email),
    "local_hours": _local_hours,
    "ends_by": _ends_by,
}
