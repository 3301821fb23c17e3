"""The timing laws T1 to T7 a second time: slow, plain, and from the law's own words; the standard library only.

Nothing here is in closed form. Days are walked one at a time, clock changes are found by looking at the zone's clock
hour by hour, and whether something is open is asked of every stretch between two clock changes. The engine's own
calendar must agree with it on every instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Span:
    """A stretch of UTC in which a zone's clock keeps one offset; `start` is in it, `end` is not."""

    start: datetime
    end: datetime
    offset: timedelta


@dataclass(frozen=True)
class Rules:
    """What law T2 says a calendar is. A window is (weekdays, second it opens, second it closes)."""

    zone: str
    working: frozenset[int] = frozenset(range(5))
    send: frozenset[int] = frozenset(range(5))
    holidays: frozenset[date] = frozenset()
    windows: tuple[tuple[frozenset[int], int, int], ...] = ()

    @classmethod
    def of(cls, calendar: Any) -> Rules:
        """The same rules as a calendar of the engine, read from its public attributes."""
        return cls(
            zone=calendar.timezone,
            working=_numbers(calendar.working_days),
            send=_numbers(calendar.send_days),
            holidays=frozenset(calendar.holidays),
            windows=tuple((_numbers(w.days), _second(w.opens), _second(w.closes)) for w in calendar.send_windows),
        )

    def is_day(self, day: date, *, email: bool) -> bool:
        """Whether a local date is a send day (for emails) or a working day (for tasks and for counting)."""
        return day.weekday() in (self.send if email else self.working) and day not in self.holidays


def _numbers(names: Any) -> frozenset[int]:
    return frozenset(WEEKDAYS.index(name) for name in names)


def _second(clock: str) -> int:
    hours, minutes, seconds = (*clock.split(":"), "0")[:3]
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


# -- the zone's clock -----------------------------------------------------------------------------------------


def utc(moment: datetime) -> datetime:
    """An aware datetime of any class as a plain one in UTC."""
    if moment.utcoffset():
        moment = moment.astimezone(UTC)
    return datetime.combine(moment.date(), moment.time(), UTC)


def local_of(zone: str, moment: datetime) -> datetime:
    """What the clock on the wall shows at an instant, without zone and fold."""
    return utc(moment).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def offset_at(zone: str, moment: datetime) -> timedelta:
    """How far the clock on the wall is ahead of UTC at an instant."""
    return local_of(zone, moment) - utc(moment).replace(tzinfo=None)


@lru_cache(maxsize=400_000)
def spans_of_day(zone: str, day: date) -> tuple[Span, ...]:
    """The spans of one day of UTC: looked at hour by hour, then halved down to the second of each change."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    spans: list[Span] = []
    since = start
    for hour in range(24):
        left, right = start + hour * HOUR, start + (hour + 1) * HOUR
        before, after = offset_at(zone, left), offset_at(zone, right)
        if before == after:
            continue
        while right - left > SECOND:
            middle = left + (right - left) // 2
            middle = middle.replace(microsecond=0)
            if offset_at(zone, middle) == before:
                left = middle
            else:
                right = middle
        if right > since:
            spans.append(Span(since, right, before))
            since = right
    if since < start + DAY:
        spans.append(Span(since, start + DAY, offset_at(zone, since)))
    return tuple(spans)


def spans_around(zone: str, day: date) -> list[Span]:
    """Every span from two days of UTC before a local date to two days after it."""
    return [span for n in range(-2, 3) for span in spans_of_day(zone, day + n * DAY)]


def instants_showing(zone: str, wall: datetime) -> list[datetime]:
    """Every instant at which the clock on the wall shows this: one, or none in a gap, or two."""
    found = []
    for span in spans_around(zone, wall.date()):
        candidate = (wall - span.offset).replace(tzinfo=UTC)
        if span.start <= candidate < span.end:
            found.append(candidate)
    return sorted(found)


def resolve(zone: str, wall: datetime) -> datetime:
    """T4: a repeated local time is its first occurrence; one in a gap moves forward by the length of the gap."""
    found = instants_showing(zone, wall)
    if found:
        return found[0]
    spans = spans_around(zone, wall.date())
    for before, after in pairwise(spans):
        change = before.end.replace(tzinfo=None)
        if change + before.offset <= wall < change + after.offset:
            gap = after.offset - before.offset
            return (wall + gap - after.offset).replace(tzinfo=UTC)
    raise AssertionError(f"{wall} is neither on the clock of {zone} nor in a gap of it")


@lru_cache(maxsize=4096)
def changes(zone: str, first_year: int, last_year: int) -> tuple[tuple[datetime, timedelta, timedelta], ...]:
    """Every clock change of a zone in some years: the instant, the offset before and the one after it."""
    found = []
    day = datetime(first_year, 1, 1, tzinfo=UTC)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC)
    while day < end:
        # A look at every fourth day: no zone has two changes that cancel out within four days.
        if offset_at(zone, day) != offset_at(zone, day + 4 * DAY):
            spans = [span for n in range(4) for span in spans_of_day(zone, (day + n * DAY).date())]
            after_them = offset_at(zone, day + 4 * DAY)
            spans.append(Span(day + 4 * DAY, day + 4 * DAY, after_them))
            found += [
                (after.start, before.offset, after.offset)
                for before, after in pairwise(spans)
                if before.offset != after.offset
            ]
        day += 4 * DAY
    return tuple(found)


def was_hit(zone: str, wall: datetime) -> bool:
    """Whether a local time is touched by a clock change: it does not exist, or exists twice."""
    return len(instants_showing(zone, wall)) != 1


# -- the laws -------------------------------------------------------------------------------------------------


def weekdays_after(rules: Rules, moment: datetime, n: int, *, email: bool = False) -> datetime:
    """T3 and T4: walk to the n-th day of the kind, resolve its clock time once, go on while it left such days."""
    wall = local_of(rules.zone, moment)
    day = wall.date()
    if n == 0:
        if rules.is_day(day, email=email):
            return utc(moment)
        n = 1
    while n > 0:
        day += DAY
        if rules.is_day(day, email=email):
            n -= 1
    while True:
        resolved = resolve(rules.zone, datetime.combine(day, wall.time()))
        if rules.is_day(local_of(rules.zone, resolved).date(), email=email):
            return resolved
        day += DAY
        while not rules.is_day(day, email=email):
            day += DAY


def hours_after(moment: datetime, tenthousandths: int) -> datetime:
    """T1: elapsed time, in 1/10 000 of an hour."""
    return utc(moment) + timedelta(milliseconds=360 * tenthousandths)


def is_open(rules: Rules, moment: datetime, *, email: bool) -> bool:
    """T5: whether a step of the kind may be executed at this very instant."""
    wall = local_of(rules.zone, moment)
    if not rules.is_day(wall.date(), email=email):
        return False
    if not email or not rules.windows:
        return True
    since = wall - datetime.combine(wall.date(), datetime.min.time())
    return any(
        wall.weekday() in days and timedelta(seconds=opens) <= since < timedelta(seconds=closes)
        for days, opens, closes in rules.windows
    )


def next_open(rules: Rules, moment: datetime, *, email: bool) -> datetime:
    """T5: the next working day for a task; for an email the next send day, or the least open instant of a window."""
    if not email or not rules.windows:
        return weekdays_after(rules, moment, 0, email=email)
    moment = utc(moment)
    if is_open(rules, moment, email=True):
        return moment
    day = moment.date()
    while True:
        # Within a span the clock runs straight, so it opens at the span's own start or where a window opens.
        starts = []
        for span in spans_of_day(rules.zone, day):
            starts.append(span.start)
            for local_day in {(span.start + span.offset).date(), (span.end + span.offset).date()}:
                for days, opens, _ in rules.windows:
                    wall = datetime(local_day.year, local_day.month, local_day.day) + timedelta(seconds=opens)
                    opening = (wall - span.offset).replace(tzinfo=UTC)
                    if local_day.weekday() in days and span.start <= opening < span.end:
                        starts.append(opening)
        for start in sorted(starts):
            if start > moment and is_open(rules, start, email=True):
                return start
        day += DAY


def after(rules: Rules, moment: datetime, delay: tuple[str, int]) -> datetime:
    """T1: ("hours", in 1/10 000) is elapsed time, ("weekdays", n) is calendar time."""
    unit, n = delay
    return hours_after(moment, n) if unit == "hours" else weekdays_after(rules, moment, n)


def estimates(rules: Rules, start: datetime, steps: list[tuple[bool, tuple[str, int]]]) -> list[datetime]:
    """T6 and T7 for a plan: each step (is it an email, its delay) counts from the estimate of the one before."""
    base, found = start, []
    for email, delay in steps:
        base = next_open(rules, after(rules, base, delay), email=email)
        found.append(base)
    return found
