"""The timelines that findings look at: those of who is enrolled in ordinary weeks.

A design is judged by what it does to most people, so the weeks are ones without holidays at their beginning, in both
halves of the year, since half a year apart the clocks of most zones differ. In them every start is looked at, in pieces
(see `pieces`): on each, one start every quarter of an hour stands for those about it, and the first and the last minute
for what begins or ends there. A finding names a case, which is exact; of other weeks it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import attrs

from sequencer.core.calendar import Calendar, zone_named
from sequencer.core.days import WEEKDAYS
from sequencer.core.instants import to_instant, to_microseconds
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.courses import Courses
from sequencer.design.deciding.ground import HOUR, MINUTE, Ground
from sequencer.design.deciding.pieces import Piece, cut, pieces
from sequencer.design.deciding.requirements import at
from sequencer.design.findings.finding import NIGHT_BEGINS, NIGHT_ENDS

__all__ = ["Sample", "Stretch", "samples", "stretches"]

ENROLLED: Mapping[str, Any] = {"days": WEEKDAYS[:5], "from": "09:00", "to": "17:00"}
"""When people are enrolled if the definition does not assume anything else, on its own clock."""

Stretch = tuple[int, int]
"""The starts from one instant up to, but without, another."""

_EVERY = 15 * MINUTE
_A_DAY, _A_WEEK, _HALF_A_YEAR = timedelta(days=1), timedelta(weeks=1), timedelta(weeks=26)
_MOST_WEEKS_AHEAD = 8


@attrs.frozen
class Sample:
    """What becomes of one start, in microseconds: when each step comes, if every task is done when it is due.

    `counts` is false for what is only looked at because something may begin or end there.
    """

    start: int
    at: tuple[int, ...]
    counts: bool


def stretches(sequence: Sequence, since: date, weeks: int) -> tuple[Stretch, ...]:
    """When people are enrolled in ordinary weeks, in order: on the definition's clock, as it assumes."""
    enrolled = {**ENROLLED, **sequence.assume.get("enrolled", {})}
    last = date.fromisoformat(enrolled.get("until", date.max.isoformat()))
    first = min(max(since, date.fromisoformat(enrolled.get("since", since.isoformat()))), last)
    on = {WEEKDAYS.index(day) for day in enrolled["days"]}
    days = [
        day
        for week in _weeks(sequence.calendar, first, weeks)
        for day in (week + n * _A_DAY for n in range(7))
        if day.weekday() in on and day <= last
    ]
    if not days:  # enrolling ends before the next ordinary week, or has ended
        days = [day for n in range(7) if (day := first + n * _A_DAY) <= last and day.weekday() in on] or [first]
    found = []
    for day in sorted(days):
        begins, ends = (_instant(sequence.calendar, day, enrolled[key]) for key in ("from", "to"))
        found.append((begins, max(ends, begins + MINUTE)))
    return tuple(found)


def _instant(calendar: Calendar, day: date, clock: str) -> int:
    if clock.startswith("24"):
        day, clock = day + _A_DAY, "00:00"
    return to_microseconds(to_instant(datetime.combine(day, time.fromisoformat(clock), zone_named(calendar.timezone))))


def _weeks(calendar: Calendar, first: date, weeks: int) -> Iterator[date]:
    """The Mondays of ordinary weeks: the first ones, in turn with those half a year later."""
    monday = first + timedelta(days=-first.weekday() % 7)
    for i in range(weeks):
        begins = monday + i // 2 * _A_WEEK + i % 2 * _HALF_A_YEAR
        ahead = (begins + n * _A_WEEK for n in range(_MOST_WEEKS_AHEAD))
        yield next((week for week in ahead if _is_ordinary(calendar, week)), begins)


def _is_ordinary(calendar: Calendar, monday: date) -> bool:
    return not any(monday <= holiday < monday + _A_WEEK for holiday in calendar.holidays)


def samples(sequence: Sequence, ground: Ground, enrolled: tuple[Stretch, ...]) -> tuple[Sample, ...]:
    """What becomes of those who are enrolled then, on the clock of a ground, in order."""
    courses = Courses(ground)
    mails = [at(position) for position, step in enumerate(sequence.steps) if step.is_email]
    night = ground.readings(NIGHT_BEGINS * HOUR, NIGHT_ENDS * HOUR)
    found = []
    for first, end in enrolled:
        for whole in pieces(sequence, courses, first, end):
            parts = [whole]
            for mail in mails:
                parts = [part for each in parts for part in cut(each, mail, night)]
            for part in parts:
                found += [Sample(start, part.of(start)[1::2], counts) for start, counts in _starts(part, first).items()]
    return tuple(found)


def _starts(part: Piece, origin: int) -> dict[int, bool]:
    """The starts of a part that are looked at, in order, and which of them count."""
    first, last = part.first, part.end - 1
    # To the minute, where there is one: nobody says when something happens to the microsecond.
    edges = -(-first // MINUTE) * MINUTE, last // MINUTE * MINUTE
    starts = dict.fromkeys(edges if edges[0] <= edges[1] else (first,), False)
    starts |= dict.fromkeys(range(origin + -(-(first - origin) // _EVERY) * _EVERY, last + 1, _EVERY), True)
    return dict(sorted(starts.items()))
