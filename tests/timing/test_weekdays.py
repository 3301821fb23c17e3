"""T3 and T4: `Weekdays(n)` counts working days, keeps the clock time, and resolves it once."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.instants import to_instant
from sequencer.testing.strategies import calendars, starts, zones
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS
from tests.timing.strategies import FIXED_ZONES, situations

WEEK = list(WEEKDAYS)
# The week of Monday, 2 March 2026, by weekday.
DAYS = {name: date(2026, 3, 2 + i) for i, name in enumerate(WEEKDAYS)}


def at(zone: str, day: date, clock: str = "10:00", fold: int = 0) -> pendulum.DateTime:
    """An instant by the clock on the wall."""
    time = dt.time.fromisoformat(clock)
    return to_instant(dt.datetime.combine(day, time, ZoneInfo(zone)).replace(fold=fold))


@pytest.mark.parametrize(
    ("start", "n", "weeks", "end"),
    [
        ("fri", 1, 1, "mon"), ("sat", 1, 1, "mon"), ("sun", 1, 1, "mon"), ("sat", 0, 1, "mon"), ("sun", 0, 1, "mon"),
        ("mon", 5, 1, "mon"), ("mon", 0, 0, "mon"), ("fri", 0, 0, "fri"), ("thu", 2, 1, "mon"), ("fri", 5, 1, "fri"),
        ("sat", 5, 1, "fri"), ("wed", 10, 2, "wed"), ("mon", 4, 0, "fri"),
    ],
)  # fmt: skip
def test_t3_the_laws_own_examples(start, n, weeks, end):
    """T3: Friday + 1, Saturday + 1 and Saturday + 0 are Monday, Monday + 5 is the next Monday, and so on."""
    result = Calendar("Europe/Warsaw").after(at("Europe/Warsaw", DAYS[start]), Weekdays(n))

    assert result == at("Europe/Warsaw", DAYS[end] + timedelta(weeks=weeks))


@given(situations(), st.integers(0, 40))
def test_t3_t4_walking_day_by_day(situation, n):
    """T3, T4: the closed form gives the instant that walking forward a day at a time gives, in every calendar."""
    calendar, moment = situation

    assert calendar.after(moment, Weekdays(n)) == oracle.weekdays_after(oracle.Rules.of(calendar), moment, n)


@given(situations())
def test_t3_no_weekdays_on_a_working_day_is_the_very_instant(situation):
    """T3: n = 0 on a working day is the same instant, also in the second of two equal hours."""
    calendar, moment = situation
    assume(calendar.is_working_day(oracle.local_of(calendar.timezone, moment).date()))

    assert calendar.after(moment, Weekdays(0)) == moment


@given(situations())
def test_t3_no_weekdays_elsewhere_is_one_weekday(situation):
    """T3: n = 0 on a day that is no working day is the next working day at the same clock time, as n = 1 is."""
    calendar, moment = situation
    assume(not calendar.is_working_day(oracle.local_of(calendar.timezone, moment).date()))

    assert calendar.after(moment, Weekdays(0)) == calendar.after(moment, Weekdays(1))


def spreadsheet_workday(start: date, n: int) -> date:
    """WORKDAY(start, n) without holidays for n >= 1, as the formula has it: back to a working day, weeks, the rest."""
    back = max(0, start.weekday() - 4)
    friday_or_before = start - timedelta(days=back)
    weeks, rest = divmod(n, 5)
    over_the_weekend = 2 if friday_or_before.weekday() + rest > 4 else 0
    return friday_or_before + timedelta(days=7 * weeks + rest + over_the_weekend)


@given(st.data(), st.sampled_from(FIXED_ZONES), st.integers(1, 2_610))
def test_t3_spreadsheet_arithmetic(data, zone, n):
    """T3, T8: where no clock change is hit, the date is a spreadsheet's WORKDAY, and the clock time stays."""
    moment = data.draw(starts(timezone=zone))
    start = oracle.local_of(zone, moment)

    end = oracle.local_of(zone, Calendar(zone).after(moment, Weekdays(n)))

    assert end.date() == spreadsheet_workday(start.date(), n)
    assert end.time() == start.time()


@given(st.data(), st.sampled_from(FIXED_ZONES), st.integers(1, 60))
def test_t3_spreadsheet_networkdays(data, zone, n):
    """T3, T8: with holidays and any working week, exactly n working days lie after the start, the last at the end."""
    moment = data.draw(starts(timezone=zone))
    calendar = data.draw(calendars(timezones=st.just(zone), around=moment))
    start = oracle.local_of(zone, moment).date()

    end = oracle.local_of(zone, calendar.after(moment, Weekdays(n))).date()

    days = [start + timedelta(days=i) for i in range(1, (end - start).days + 1)]
    assert sum(calendar.is_working_day(day) for day in days) == n
    assert calendar.is_working_day(end)
    assert calendar.working_days_between(moment, calendar.after(moment, Weekdays(n))) == n


def test_t3_long_runs_of_holidays():
    """T3: a year of holidays is walked over as a day is, and counts nothing."""
    year = [date(2027, 1, 1) + timedelta(days=n) for n in range(365)]
    calendar = Calendar("Europe/Warsaw", holidays=year)
    eve = at("Europe/Warsaw", date(2026, 12, 31))

    assert calendar.after(eve, Weekdays(1)) == at("Europe/Warsaw", date(2028, 1, 3))
    assert calendar.after(at("Europe/Warsaw", year[100]), Weekdays(0)) == at("Europe/Warsaw", date(2028, 1, 3))
    assert calendar.after(at("Europe/Warsaw", year[100]), Weekdays(2)) == at("Europe/Warsaw", date(2028, 1, 4))


# -- T4 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "clock", "expected"),
    [
        # Inside a gap: forward by its length. The hour, Lord Howe's half hour, Troll's two hours.
        ("Europe/Berlin", date(2026, 3, 29), "02:30", "2026-03-29T01:30Z"),
        ("Europe/Berlin", date(2026, 3, 29), "02:00", "2026-03-29T01:00Z"),
        ("America/New_York", date(2026, 3, 8), "02:59:59", "2026-03-08T07:59:59Z"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:15", "2026-10-03T15:45Z"),
        ("Antarctica/Troll", date(2026, 3, 29), "01:30", "2026-03-29T01:30Z"),
        # Exists once, at both ends of a gap.
        ("Europe/Berlin", date(2026, 3, 29), "01:59:59", "2026-03-29T00:59:59Z"),
        ("Europe/Berlin", date(2026, 3, 29), "03:00", "2026-03-29T01:00Z"),
        # Twice: the first.
        ("Europe/Berlin", date(2026, 10, 25), "02:30", "2026-10-25T00:30Z"),
        ("Europe/Berlin", date(2026, 10, 25), "02:00", "2026-10-25T00:00Z"),
        ("Europe/Berlin", date(2026, 10, 25), "03:00", "2026-10-25T02:00Z"),
        ("Australia/Lord_Howe", date(2026, 4, 5), "01:45", "2026-04-04T14:45Z"),
        # Dublin's winter time is the saved one; the hours are London's.
        ("Europe/Dublin", date(2026, 3, 29), "01:30", "2026-03-29T01:30Z"),
        ("Europe/Dublin", date(2026, 10, 25), "01:30", "2026-10-25T00:30Z"),
    ],
)
def test_t4_clock_times_that_do_not_exist_or_exist_twice(zone, day, clock, expected):
    """T4: a time inside a gap moves forward by the length of the gap; a repeated time is its first occurrence."""
    calendar = Calendar(zone, working_days=WEEK)

    assert calendar.after(at(zone, day - timedelta(days=3), clock), Weekdays(3)) == pendulum.parse(expected)
    assert calendar.after(at(zone, day - timedelta(days=1), clock), Weekdays(1)) == pendulum.parse(expected)


@given(st.data(), st.integers(2, 12))
def test_t4_date_first_then_resolve_once(data, n):
    """T4: n days never chain n resolutions: a gap or a repeated hour on the way leaves the clock time alone."""
    zone = data.draw(zones())
    moment = data.draw(starts(timezone=zone))
    wall = oracle.local_of(zone, moment)
    assume(not oracle.was_hit(zone, wall + timedelta(days=n)))

    result = Calendar(zone, working_days=WEEK).after(moment, Weekdays(n))

    assert oracle.local_of(zone, result) == wall + timedelta(days=n)


def test_trap_4_a_gap_on_the_way_does_not_move_the_clock():
    """Trap 4: Saturday 02:30 + 2 days over the night of a gap is Monday 02:30, not the 03:30 that chaining gives."""
    calendar = Calendar("Europe/Berlin", working_days=WEEK)
    saturday = at("Europe/Berlin", date(2026, 3, 28), "02:30")

    chained = calendar.after(calendar.after(saturday, Weekdays(1)), Weekdays(1))

    assert calendar.after(saturday, Weekdays(2)) == at("Europe/Berlin", date(2026, 3, 30), "02:30")
    assert chained == at("Europe/Berlin", date(2026, 3, 30), "03:30")


@pytest.mark.parametrize(
    ("zone", "day", "clock", "working", "expected"),
    [
        # Friday, 30 December 2011 never came to Apia: its 10:00 would be Saturday's, which is no working day.
        ("Pacific/Apia", date(2011, 12, 30), "10:00", WEEK[:5], "2012-01-02T10:00"),
        ("Pacific/Apia", date(2011, 12, 30), "10:00", WEEK, "2011-12-31T10:00"),
        ("Pacific/Apia", date(2011, 12, 30), "10:00", ["fri"], "2012-01-06T10:00"),
        # Saturday's last hour does not exist: 23:30 would be Sunday 00:30.
        ("America/Scoresbysund", date(2026, 3, 28), "23:30", ["mon", "sat"], "2026-03-30T23:30"),
        ("America/Scoresbysund", date(2026, 3, 28), "23:30", ["sat", "sun"], "2026-03-29T00:30"),
        # A gap at midnight stays on its date.
        ("America/Sao_Paulo", date(2018, 11, 4), "00:30", ["sun"], "2018-11-04T01:30"),
        ("Asia/Beirut", date(2026, 3, 29), "00:00", ["sun"], "2026-03-29T01:00"),
        ("Africa/Cairo", date(2026, 4, 24), "00:15", ["fri"], "2026-04-24T01:15"),
        ("Asia/Tehran", date(2021, 3, 22), "00:45", ["mon"], "2021-03-22T01:45"),
        ("America/Havana", date(2026, 3, 8), "00:59", ["sun"], "2026-03-08T01:59"),
    ],
)  # fmt: skip
def test_t4_what_left_its_kind_of_day_goes_on(zone, day, clock, working, expected):
    """T4: a resolved instant that is no longer on a working day goes on to the next one, at the original clock time."""
    calendar = Calendar(zone, working_days=working)
    start = day - timedelta(days=1)
    while start.weekday() != day.weekday() and not calendar.is_working_day(start):
        start -= timedelta(days=1)

    result = calendar.after(at(zone, start, clock), Weekdays(1))

    assert oracle.local_of(zone, result).isoformat()[:16] == expected
    assert result == oracle.weekdays_after(oracle.Rules.of(calendar), at(zone, start, clock), 1)


@given(situations(), st.integers(0, 12))
@example((Calendar("Pacific/Apia"), pendulum.datetime(2011, 12, 29, 20)), 1)
def test_t4_the_result_is_on_a_working_day(situation, n):
    """T4: whatever the clocks do, the result of `Weekdays` is on a working day, and not before the moment."""
    calendar, moment = situation

    result = calendar.after(moment, Weekdays(n))

    assert calendar.is_working_day(oracle.local_of(calendar.timezone, result).date())
    assert result >= moment


@given(situations(), starts(timezone="Europe/Berlin"))
def test_t4_the_clock_time_of_one_moment_on_the_date_of_another(situation, other):
    """T4: `at_clock_of` resolves a clock time on a date once, as the law says."""
    calendar, moment = situation
    zone = calendar.timezone
    wall = dt.datetime.combine(oracle.local_of(zone, other).date(), oracle.local_of(zone, moment).time())

    assert calendar.at_clock_of(moment, other) == oracle.resolve(zone, wall)
    assert oracle.resolve(zone, wall).tzinfo is UTC
