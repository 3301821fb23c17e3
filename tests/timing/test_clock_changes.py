"""Every clock change of every zone from 2024 to 2037, and moments around it, against the slow implementation.

The default run takes each different set of changes once (most zones share theirs with others), at few moments; the
long run, marked `slow`, takes every zone by itself at many.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.windows import Window
from sequencer.testing.strategies.timing import every_zone
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS

FIRST_YEAR, LAST_YEAR = 2024, 2037
WEEK = list(WEEKDAYS)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

Change = tuple[datetime, timedelta, timedelta]


@cache
def different_zones() -> tuple[str, ...]:
    """Of the zones with the same clock changes (and the same offset, where there are none), one."""
    found: dict[object, str] = {}
    for zone in every_zone():
        start = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
        found.setdefault((oracle.offset_at(zone, start), _changes_at_a_glance(zone)), zone)
    return tuple(found.values())


def _changes_at_a_glance(zone: str) -> tuple[tuple[datetime, timedelta | None], ...]:
    """The changes as they are found in a fifth of the oracle's time, to tell which of six hundred zones differ.

    As there, every fourth day is looked at; and what lies between two that differ is halved.
    """
    there, seen = ZoneInfo(zone), []

    def offset(moment: datetime) -> timedelta | None:
        return moment.astimezone(there).utcoffset()

    day, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    while day < end:
        left, right = day, day + 4 * DAY
        before, after = offset(left), offset(right)
        if before != after:
            while right - left > oracle.SECOND:
                middle = (left + (right - left) // 2).replace(microsecond=0)
                left, right = (middle, right) if offset(middle) == before else (left, middle)
            seen.append((right, after))
        day += 4 * DAY
    return tuple(seen)


def moments_around(change: Change, *, thorough: bool) -> Iterator[DateTime]:
    """The change itself, the ends and the middle of its gap or repeated hour, and the same clock times days before."""
    at, before, after = change
    size = abs(after - before)
    around = [-size, -size / 2, timedelta(0), size / 2]
    days = [0, 1, 3]
    if thorough:
        around += [-timedelta(microseconds=1), -MINUTE, -2 * size, size, size + MINUTE, 7 * HOUR, -7 * HOUR]
        days = [0, 1, 2, 3, 4, 5]
    for ago in days:
        for by in around:
            yield to_instant(at - ago * DAY + by)


def calendars(zone: str, change: Change, *, thorough: bool) -> list[Calendar]:
    """The default calendar; one with a day of rest in midweek and windows in the night; at length, some more."""
    at, before, after = change
    wall = at.replace(tzinfo=None) + before
    day = wall.weekday()
    lower, upper = sorted([at.replace(tzinfo=None) + before, at.replace(tzinfo=None) + after])
    middle = lower + (upper - lower) / 2
    rest = WEEKDAYS[(day + 3) % 7]
    week = [name for name in WEEK if name != rest]
    found = [
        Calendar(zone),
        Calendar(
            zone,
            working_days=week,
            holidays=[(wall + 2 * DAY).date()],
            send_windows=[
                Window(week, f"{middle:%H:%M}", f"{middle + MINUTE:%H:%M}" if middle.hour < 23 else "24:00"),
                Window([WEEKDAYS[day]], "00:00", "01:00"),
                Window([WEEKDAYS[day]], "23:00", "24:00"),
            ],
        ),
    ]
    if thorough:
        found += [
            Calendar(zone, working_days=WEEK, send_days=[WEEKDAYS[day]]),
            Calendar(zone, working_days=[WEEKDAYS[day], WEEKDAYS[(day + 1) % 7]], holidays=[wall.date()]),
            Calendar(
                zone, working_days=WEEK, send_windows=[Window(WEEK, "09:00", "12:30"), Window(WEEK, "13:30", "17:00")]
            ),
            Calendar(zone, working_days=WEEK, send_windows=[Window(WEEK, "00:00", "24:00")]),
        ]
    return found


def compare(calendar: Calendar, moment: DateTime) -> None:
    """Both kinds of delay and both kinds of step, from one moment."""
    rules = oracle.Rules.of(calendar)
    for n in (0, 1, 2, 3):
        found = calendar.after(moment, Weekdays(n))
        assert found == oracle.weekdays_after(rules, moment, n), (calendar, moment, n)
    for email in (False, True):
        found = calendar.next_open(moment, email=email)
        assert found == oracle.next_open(rules, moment, email=email), (calendar, moment, email)
        assert calendar.is_open(moment, email=email) == (found == moment)
    later = calendar.after(moment, Hours(2.5))
    assert later == oracle.hours_after(moment, 25_000)
    assert calendar.next_open(later, email=True) == oracle.next_open(rules, later, email=True), (calendar, later)


def test_t3_t4_t5_every_different_clock_change_until_2037():
    """T1, T3, T4, T5: around every clock change that any zone makes from 2024 to 2037, both implementations agree."""
    for i, zone in enumerate(different_zones()):
        for j, change in enumerate(oracle.changes(zone, FIRST_YEAR, LAST_YEAR)):
            some = list(moments_around(change, thorough=False))
            for k, calendar in enumerate(calendars(zone, change, thorough=False)):
                # A quarter of the moments at each change: over fourteen years, every zone gets to see all of them.
                for moment in some[(i + j + k) % 4 :: 4]:
                    compare(calendar, moment)


def test_t3_t5_zones_without_clock_changes():
    """T3, T5: where clocks never change the two implementations agree, too, at every offset that there is."""
    for zone in different_zones():
        if oracle.changes(zone, FIRST_YEAR, LAST_YEAR):
            continue
        calendar = Calendar(zone, send_windows=[Window(WEEK[:5], "09:00", "17:00")])
        for hour in range(0, 7 * 24, 5):
            compare(calendar, to_instant(datetime(2026, 3, 2, tzinfo=UTC) + hour * HOUR))


def test_no_zone_changes_its_clock_twice_within_six_days():
    """The calendar looks for one clock change around a date; no zone's data has two within six days, 2024 to 2037."""
    for zone in different_zones():
        instants = [change for change, _, _ in oracle.changes(zone, FIRST_YEAR, LAST_YEAR)]
        assert all(later - earlier > 6 * DAY for earlier, later in pairwise(instants)), zone


@pytest.mark.slow
@pytest.mark.parametrize("zone", every_zone())
def test_t3_t4_t5_every_zone_and_clock_change_until_2037(zone):
    """T1, T3, T4, T5: the same for every zone by itself, with more moments and more calendars."""
    for change in oracle.changes(zone, FIRST_YEAR, LAST_YEAR):
        for calendar in calendars(zone, change, thorough=True):
            for moment in moments_around(change, thorough=True):
                compare(calendar, moment)


@pytest.mark.slow
@pytest.mark.parametrize("zone", every_zone())
def test_t3_t4_t5_every_zone_and_clock_change_since_1970(zone):
    """T3, T4, T5: the same for the clock changes of the past, which are odder; none lies within six days of another."""
    changes = oracle.changes(zone, 1971, FIRST_YEAR - 1)
    instants = [change for change, _, _ in changes]
    assert all(later - earlier > 6 * DAY for earlier, later in pairwise(instants))
    for change in changes:
        for calendar in calendars(zone, change, thorough=False):
            for moment in moments_around(change, thorough=False):
                compare(calendar, moment)
