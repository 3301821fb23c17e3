"""The timelines that findings look at: those of who is enrolled in ordinary weeks, every quarter of an hour.

A design is judged by what it does to most people, so the weeks are ones without holidays at their beginning, in both
halves of the year, since half a year apart the clocks of most zones differ. A finding names a case, which is exact;
that there is none is not proved by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar, zone_named
from sequencer.core.days import WEEKDAYS
from sequencer.core.instants import to_instant
from sequencer.core.sequence import Sequence

__all__ = ["Sample", "samples", "starts"]

ENROLLED: Mapping[str, Any] = {"days": WEEKDAYS[:5], "from": "09:00", "to": "17:00"}
"""When people are enrolled if the definition does not assume anything else, on its own clock."""

_A_DAY, _A_WEEK, _HALF_A_YEAR = timedelta(days=1), timedelta(weeks=1), timedelta(weeks=26)
_MOST_WEEKS_AHEAD = 8
# Finer than this, two neighbours differ by nothing that a person would call a difference.
_FINEST = 15
# A look must not take longer the longer the sequence is: a thousandth of a second are some three hundred estimates.
_MOST_ESTIMATES = 24_000


@attrs.frozen
class Sample:
    """What becomes of one start: for each step, when its delay is over (`meant`), and when it comes (`at`)."""

    start: DateTime
    meant: tuple[DateTime, ...]
    at: tuple[DateTime, ...]


def starts(sequence: Sequence, since: date, *, weeks: int = 2, finest: int = _FINEST) -> tuple[DateTime, ...]:
    """Instants, in order, at which people are enrolled: on the definition's clock, as it assumes, in ordinary weeks."""
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
    begins, ends = _minutes(enrolled["from"]), _minutes(enrolled["to"])
    moments = max(1, _MOST_ESTIMATES // (len(days) * len(sequence.steps)))
    every = max(finest, -(-(ends - begins) // moments))
    zone = zone_named(sequence.calendar.timezone)
    return tuple(
        to_instant(datetime.combine(day, time(minute // 60, minute % 60), zone))
        for day in sorted(days)
        for minute in range(begins, max(ends, begins + 1), every)
    )


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:5])


def _weeks(calendar: Calendar, first: date, weeks: int) -> Iterator[date]:
    """The Mondays of ordinary weeks: the first ones, in turn with those half a year later."""
    monday = first + timedelta(days=-first.weekday() % 7)
    for i in range(weeks):
        begins = monday + i // 2 * _A_WEEK + i % 2 * _HALF_A_YEAR
        ahead = (begins + n * _A_WEEK for n in range(_MOST_WEEKS_AHEAD))
        yield next((week for week in ahead if _is_ordinary(calendar, week)), begins)


def _is_ordinary(calendar: Calendar, monday: date) -> bool:
    return not any(monday <= holiday < monday + _A_WEEK for holiday in calendar.holidays)


def samples(sequence: Sequence, calendar: Calendar, at: tuple[DateTime, ...]) -> tuple[Sample, ...]:
    """What becomes of these starts on the clock of a calendar, if every task is done when it is due."""
    steps = [(step.after, step.is_email) for step in sequence.steps]
    after, next_open = calendar.after, calendar.next_open
    found = []
    for start in at:
        base, meant, comes = start, [], []
        for delay, is_email in steps:
            lands = after(base, delay)
            base = next_open(lands, email=is_email)
            meant.append(lands)
            comes.append(base)
        found.append(Sample(start, tuple(meant), tuple(comes)))
    return tuple(found)
