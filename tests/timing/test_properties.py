"""T8: what holds for every input, each sentence on its own and under the condition that the law gives it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pendulum
from hypothesis import assume, given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.testing.strategies import calendars, starts, zones
from tests.timing import oracle
from tests.timing.strategies import FIXED_ZONES, delays, situations


def unhit(calendar: Calendar, *moments_and_results: pendulum.DateTime) -> bool:
    """Whether no clock change touches the clock time of the first moment on the dates of all of them."""
    zone = calendar.timezone
    clock = oracle.local_of(zone, moments_and_results[0]).time()
    dates = {oracle.local_of(zone, each).date() for each in moments_and_results}
    return not any(oracle.was_hit(zone, datetime.combine(day, clock)) for day in dates)


@given(situations(), delays(), st.booleans())
def test_t8_nothing_lies_before_its_base(situation, delay, email):
    """T8: neither a delay nor the wait for the calendar ever ends before it began."""
    calendar, moment = situation

    after = calendar.after(moment, delay)

    assert moment <= after <= calendar.next_open(after, email=email)


@given(situations(), delays(), st.booleans())
def test_t8_every_step_is_on_a_day_of_its_kind(situation, delay, email):
    """T8: every estimate is on a day of its kind, every email inside a window where there is one."""
    calendar, moment = situation

    estimate = calendar.next_open(calendar.after(moment, delay), email=email)

    assert oracle.is_open(oracle.Rules.of(calendar), estimate, email=email)


@given(situations(), delays(), st.booleans())
def test_t8_computing_twice_gives_the_same(situation, delay, email):
    """T8: the same question gives the same instant, and nothing that was asked in between changes it."""
    calendar, moment = situation

    first = calendar.next_open(calendar.after(moment, delay), email=email)
    calendar.next_open(first.add(days=3), email=not email)

    assert calendar.next_open(calendar.after(moment, delay), email=email) == first


@given(st.data(), st.integers(0, 10_000_000))
def test_t8_hours_do_not_depend_on_the_zone(data, n):
    """T8: `Hours` gives the same instant in every calendar and zone."""
    calendar, moment = data.draw(situations())

    assert calendar.after(moment, Hours(n / 10_000 % 1000)) == Calendar("UTC").after(moment, Hours(n / 10_000 % 1000))


@given(st.data(), st.integers(0, 48))
def test_t8_an_hour_is_3600_seconds_on_every_night_of_the_year(data, n):
    """T8: n hours are n x 3600 s, also over the nights on which clocks change."""
    zone = data.draw(zones())
    moment = data.draw(starts(timezone=zone))

    assert Calendar(zone).after(moment, Hours(n)).timestamp() - moment.timestamp() == n * 3600


@given(situations(), st.integers(0, 300_000_000), st.integers(0, 300_000_000))
def test_t8_hours_add_up(situation, a, b):
    """T8: `Hours(a)` then `Hours(b)` is `Hours(a + b)`, to the ten-thousandth."""
    calendar, moment = situation

    chained = calendar.after(calendar.after(moment, Hours(a / 10_000)), Hours(b / 10_000))

    assert chained == calendar.after(moment, Hours((a + b) / 10_000))


@given(situations(), st.integers(0, 30))
def test_t8_the_clock_time_stays(situation, n):
    """T8: where no clock change is hit, `Weekdays` keeps the clock time."""
    calendar, moment = situation
    result = calendar.after(moment, Weekdays(n))
    assume(unhit(calendar, moment, result))
    wall = oracle.local_of(calendar.timezone, moment)
    # A skipped day is hit, too, although the result is on another.
    assume(calendar.working_days_between(moment, result) == n or not n)

    assert oracle.local_of(calendar.timezone, result).time() == wall.time()


@given(situations(), st.integers(1, 20), st.integers(0, 20))
def test_t8_weekdays_add_up(situation, a, b):
    """T8: where no clock change is hit, `Weekdays(a)` then `Weekdays(b)` is `Weekdays(a + b)` for a >= 1."""
    calendar, moment = situation
    between, together = calendar.after(moment, Weekdays(a)), calendar.after(moment, Weekdays(a + b))
    assume(unhit(calendar, moment, between, together))
    assume(calendar.working_days_between(moment, together) == a + b)

    assert calendar.after(between, Weekdays(b)) == together


def test_t8_weekdays_add_up_only_from_one_on():
    """T8: a = 0 is left out for a reason: Saturday + 0 is Monday, and Monday + 1 is not Saturday + 1."""
    calendar, saturday = Calendar("UTC"), pendulum.datetime(2026, 3, 7, 10)

    assert calendar.after(calendar.after(saturday, Weekdays(0)), Weekdays(1)) == pendulum.datetime(2026, 3, 10, 10)
    assert calendar.after(saturday, Weekdays(1)) == pendulum.datetime(2026, 3, 9, 10)


@given(situations(), st.integers(0, 20), st.integers(0, 30 * 1440))
def test_t8_a_later_moment_on_a_working_day_is_never_earlier(situation, n, minutes):
    """T8: from moments on working days, where no clock change is hit, a later moment never gives an earlier result."""
    calendar, moment = situation
    later = moment.add(minutes=minutes)
    for each in (moment, later):
        assume(calendar.is_working_day(oracle.local_of(calendar.timezone, each).date()))
    results = [calendar.after(each, Weekdays(n)) for each in (moment, later)]
    assume(all(unhit(calendar, each, result) for each, result in zip((moment, later), results, strict=True)))

    assert results[0] <= results[1]


@given(st.data(), st.lists(st.tuples(st.booleans(), delays()), min_size=1, max_size=6), st.integers(1, 60))
def test_t8_whole_weeks_move_every_estimate(data, steps, weeks):
    """T8: where no clock change is hit and no holiday lies between, whole weeks move every estimate by themselves."""
    zone = data.draw(st.sampled_from(FIXED_ZONES))
    moment = data.draw(starts(timezone=zone))
    calendar = data.draw(calendars(timezones=st.just(zone), around=moment, with_holidays=False))
    here, there = moment, moment.add(weeks=weeks)
    for email, delay in steps:
        here = calendar.next_open(calendar.after(here, delay), email=email)
        there = calendar.next_open(calendar.after(there, delay), email=email)

        assert there == here.add(weeks=weeks)


@given(situations(), st.integers(0, 20), st.integers(-3, 40))
def test_t8_a_holiday_more_never_ends_a_delay_earlier(situation, n, offset):
    """T8: a holiday that is added never makes a single `Weekdays` delay end earlier, in any zone and on any night."""
    calendar, moment = situation
    holiday = oracle.local_of(calendar.timezone, moment).date() + timedelta(days=offset)
    more = Calendar(
        calendar.timezone,
        working_days=calendar.working_days,
        send_days=calendar.send_days,
        holidays=[*calendar.holidays, holiday],
    )

    assert more.after(moment, Weekdays(n)) >= calendar.after(moment, Weekdays(n))


def test_t8_what_is_not_promised():
    """T8: a later start can make a later step earlier: Saturday 14:00 + 1 and Sunday 09:00 + 1, as the law says."""
    calendar = Calendar("Europe/Warsaw")
    saturday = pendulum.datetime(2026, 3, 7, 14, tz="Europe/Warsaw").in_timezone("UTC")
    sunday = pendulum.datetime(2026, 3, 8, 9, tz="Europe/Warsaw").in_timezone("UTC")

    monday_14, monday_09 = (calendar.after(start, Weekdays(1)) for start in (saturday, sunday))

    assert monday_14 == pendulum.datetime(2026, 3, 9, 14, tz="Europe/Warsaw")
    assert monday_09 == pendulum.datetime(2026, 3, 9, 9, tz="Europe/Warsaw")
    assert date(2026, 3, 9).weekday() == 0
