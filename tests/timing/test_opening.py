"""T5: tasks wait for a working day; emails for a send day and, where there are any, for a send window."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.windows import Window
from sequencer.testing.strategies import calendars, starts
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS
from tests.timing.strategies import situations
from tests.timing.test_weekdays import at

WEEK = list(WEEKDAYS)


@given(situations())
def test_t5_tasks_wait_for_a_working_day(situation):
    """T5: a task moves as `Weekdays(0)` does, whatever the send days and windows are."""
    calendar, moment = situation

    assert calendar.next_open(moment, email=False) == calendar.after(moment, Weekdays(0))
    assert calendar.next_open(moment, email=False) == oracle.next_open(oracle.Rules.of(calendar), moment, email=False)


@given(situations(windowed=False))
def test_t5_without_windows_emails_wait_for_a_send_day(situation):
    """T5: without windows an email moves as a task would if the send days were the working days."""
    calendar, moment = situation
    swapped = Calendar(calendar.timezone, working_days=calendar.send_days, holidays=calendar.holidays)

    assert calendar.next_open(moment, email=True) == swapped.after(moment, Weekdays(0))
    assert calendar.next_open(moment, email=True) == oracle.next_open(oracle.Rules.of(calendar), moment, email=True)


@given(situations(windowed=True))
def test_t5_with_windows_emails_wait_for_the_least_open_instant(situation):
    """T5: with windows it is the least instant, not before the moment, whose local time is inside one on a send day."""
    calendar, moment = situation

    assert calendar.next_open(moment, email=True) == oracle.next_open(oracle.Rules.of(calendar), moment, email=True)


@given(st.data())
def test_t5_nothing_open_is_passed_over(data):
    """T5: no instant between the moment and the opening is open, and the opening itself is, by the law's own words."""
    zone = data.draw(st.sampled_from(["America/St_Johns", "Europe/Berlin", "Africa/Casablanca", "Antarctica/Troll"]))
    moment = data.draw(starts(timezone=zone))
    calendar = data.draw(calendars(timezones=st.just(zone), around=moment, windowed=True, with_holidays=False))
    rules = oracle.Rules.of(calendar)

    opening = calendar.next_open(moment, email=True)

    assert opening >= moment
    assert oracle.is_open(rules, opening, email=True)
    waiting = min(opening - moment, timedelta(days=2))
    for _ in range(40):
        between = oracle.utc(moment) + waiting * data.draw(st.floats(0, 1, exclude_max=True))
        assert between >= opening or not oracle.is_open(rules, between, email=True)
    assert opening == moment or not oracle.is_open(rules, oracle.utc(opening) - timedelta(microseconds=1), email=True)


@given(situations(), st.booleans())
def test_t5_open_is_where_nothing_has_to_wait(situation, email):
    """T5: a moment is open if and only if the next open moment is itself, and an opening is open."""
    calendar, moment = situation

    opening = calendar.next_open(moment, email=email)

    assert calendar.is_open(moment, email=email) == (opening == moment)
    assert calendar.is_open(moment, email=email) == oracle.is_open(oracle.Rules.of(calendar), moment, email=email)
    assert calendar.next_open(opening, email=email) == opening


@given(situations(windowed=True), st.integers(0, 4 * 1440))
def test_t5_a_later_moment_never_opens_earlier_in_windows(situation, minutes):
    """T5: with windows, waiting from a later moment never ends earlier: the least open instant is monotone."""
    calendar, moment = situation
    later = moment.add(minutes=minutes)

    assert calendar.next_open(moment, email=True) <= calendar.next_open(later, email=True)


@pytest.mark.parametrize(
    ("moment", "opening"),
    [
        ("2026-03-02T08:59:59.999999", "2026-03-02T09:00"),
        ("2026-03-02T09:00", "2026-03-02T09:00"),
        ("2026-03-02T16:59:59.999999", "2026-03-02T16:59:59.999999"),
        ("2026-03-02T17:00", "2026-03-03T09:00"),
        ("2026-03-06T17:00", "2026-03-09T09:00"),
        ("2026-03-07T10:00", "2026-03-09T09:00"),
    ],
)
def test_t5_opens_is_inside_and_closes_is_not(moment, opening):
    """T5: `opens <= time < closes`, to the microsecond; after closing it is the next send day's opening."""
    calendar = Calendar("Europe/Warsaw", send_windows=[Window(WEEK[:5], "09:00", "17:00")])
    start, expected = (
        to_instant(datetime.fromisoformat(each).replace(tzinfo=ZoneInfo("Europe/Warsaw"))) for each in (moment, opening)
    )

    assert calendar.next_open(start, email=True) == expected


def test_t5_windows_that_meet_at_midnight_are_one_night():
    """T5: a window until 24:00 and one from 00:00 leave no moment closed between them."""
    calendar = Calendar(
        "Europe/Warsaw",
        working_days=WEEK,
        send_windows=[Window(WEEK, "22:00", "24:00"), Window(WEEK, "00:00", "02:00")],
    )
    night = at("Europe/Warsaw", date(2026, 3, 2), "23:59:59")

    assert calendar.next_open(night.add(seconds=1), email=True) == night.add(seconds=1)
    assert calendar.next_open(night.add(hours=3), email=True) == at("Europe/Warsaw", date(2026, 3, 3), "22:00")


def test_t5_windows_to_the_second():
    """T5: a window may open and close on seconds, and does so on them."""
    calendar = Calendar("UTC", send_windows=[Window(["mon"], "09:00:15", "09:00:45")])

    assert calendar.next_open(pendulum.datetime(2026, 3, 2), email=True) == pendulum.datetime(2026, 3, 2, 9, 0, 15)
    assert calendar.next_open(pendulum.datetime(2026, 3, 2, 9, 0, 45), email=True) == pendulum.datetime(
        2026, 3, 9, 9, 0, 15
    )


def test_t5_a_window_inside_a_gap_does_not_open_that_night():
    """T5: no local time of the window is on the clock that night, so it opens the next time it exists."""
    calendar = Calendar("Europe/Berlin", working_days=WEEK, send_windows=[Window(WEEK, "02:15", "02:45")])
    evening = at("Europe/Berlin", date(2026, 3, 28), "22:00")

    assert calendar.next_open(evening, email=True) == at("Europe/Berlin", date(2026, 3, 30), "02:15")


def test_t5_a_window_that_a_gap_cuts_opens_after_the_gap():
    """T5: of a window that begins inside a gap, the first moment that exists is the end of the gap."""
    calendar = Calendar("Europe/Berlin", working_days=WEEK, send_windows=[Window(WEEK, "02:30", "03:30")])
    evening = at("Europe/Berlin", date(2026, 3, 28), "22:00")

    assert calendar.next_open(evening, email=True) == at("Europe/Berlin", date(2026, 3, 29), "03:00")


def test_t5_a_window_inside_a_repeated_hour_opens_twice():
    """T5: every instant that shows the window's local time is inside it, so it opens in both of two equal hours."""
    calendar = Calendar("Europe/Berlin", working_days=WEEK, send_windows=[Window(WEEK, "02:15", "02:45")])
    night = date(2026, 10, 25)

    assert calendar.next_open(at("Europe/Berlin", night, "02:00"), email=True) == at("Europe/Berlin", night, "02:15")
    assert calendar.next_open(at("Europe/Berlin", night, "02:50"), email=True) == at(
        "Europe/Berlin", night, "02:15", fold=1
    )
    second = at("Europe/Berlin", night, "02:30", fold=1)
    assert calendar.next_open(second, email=True) == second


@pytest.mark.parametrize("zone", ["America/St_Johns", "America/Goose_Bay"])
def test_t5_an_evening_that_comes_again_after_midnight(zone):
    """T5: where clocks went back at 00:01 to 23:01, the new day's first minute opens before the evening comes again."""
    (change,) = [at for at, before, after in oracle.changes(zone, 1991, 1991) if after < before]
    windows = [Window(WEEK, "23:10", "23:20"), Window(WEEK, "00:00", "01:00")]
    calendar = Calendar(zone, working_days=WEEK, send_windows=windows)
    evening = pendulum.instance(change).in_timezone("UTC").subtract(minutes=20)

    opening = calendar.next_open(evening, email=True)

    assert opening == change - timedelta(minutes=1)
    assert calendar.next_open(pendulum.instance(change).in_timezone("UTC"), email=True) == change + timedelta(minutes=9)


def test_t5_an_evening_that_comes_again_is_open_again():
    """T5: before, on and after the new day's first minute, an evening's window that comes again is the next to open."""
    (change,) = [at for at, before, after in oracle.changes("America/St_Johns", 1991, 1991) if after < before]
    calendar = Calendar("America/St_Johns", working_days=WEEK, send_windows=[Window(["sat"], "23:10", "23:20")])

    for seconds in (-1800, -30, 0, 300):  # Saturday 23:31, Sunday 00:00:30, and twice in the evening's second coming
        moment = to_instant(change).add(seconds=seconds)
        assert calendar.next_open(moment, email=True) == change + timedelta(minutes=9)


@given(situations(windowed=True))
def test_t5_send_days_without_windows_of_their_own_do_not_open(situation):
    """T5: where there are windows, a send day on which none lies does not open."""
    calendar, moment = situation
    windowed = {day for window in calendar.send_windows for day in window.days}
    assume(windowed != set(calendar.send_days))

    opening = calendar.next_open(moment, email=True)

    assert WEEKDAYS[oracle.local_of(calendar.timezone, opening).weekday()] in windowed


def test_a_day_without_windows_opens_when_it_begins():
    """Openings of a day without windows begin with the day, whatever the clock time from which they are looked for."""
    calendar, sunday = Calendar("Europe/Warsaw"), at("Europe/Warsaw", date(2026, 7, 12), "13:01")

    ((opens, closes), *_) = calendar.openings(sunday, sunday.add(days=2), email=False)

    assert (opens, closes) == tuple(at("Europe/Warsaw", date(2026, 7, day), "00:00") for day in (13, 14))


def walked(calendar, moment, *, email):
    """The first open instant, not before a moment, by the calendar's other answers: date by date, each as it begins."""
    at = calendar.next_open(moment, email=email)
    if at == moment or (email and calendar.send_windows):
        return at
    is_day = calendar.is_send_day if email else calendar.is_working_day
    day = calendar.local(moment).date()
    while True:
        day += timedelta(days=1)
        begins = calendar.start_of(day)
        if is_day(day) and begins > moment and calendar.is_open(begins, email=email):
            return min(begins, at)


@given(situations(), st.booleans())
def test_t9_it_opens_where_walking_finds_it(situation, email):
    """T9: the first open instant is the one that a walk from date to date comes to."""
    calendar, moment = situation

    assert calendar.opens(moment, email=email) == walked(calendar, moment, email=email)


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("Pacific/Apia", date(2011, 12, 30)), ("America/Scoresbysund", date(2026, 3, 28)),
        ("America/Havana", date(2026, 11, 1)), ("America/Sao_Paulo", date(2018, 11, 4)),
        ("America/St_Johns", date(2010, 11, 6)), ("Asia/Beirut", date(2026, 3, 29)),
    ],
)  # fmt: skip
def test_t9_it_opens_where_walking_finds_it_on_odd_nights(zone, night):
    """T9: so it does where the clocks change over midnight, whichever of the days around are working days."""
    dates = [night + timedelta(days=each) for each in range(-1, 3)]
    for closed in range(1, 15):
        holidays = [day for bit, day in enumerate(dates) if closed >> bit & 1]
        calendar = Calendar(zone, working_days=WEEK, holidays=holidays)
        start = calendar.start_of(night).subtract(days=1)
        for minutes in range(0, 4 * 1440, 29):
            moment = start.add(minutes=minutes)
            assert calendar.opens(moment, email=False) == walked(calendar, moment, email=False)


@given(calendars(), starts(), st.integers(0, 20 * 24), st.booleans(), st.data())
def test_openings_are_where_it_is_open(calendar, since, hours, email, data):
    """The openings come in order, do not touch what lies outside, and have every open moment between in them."""
    until = since.add(hours=hours)
    spans = list(calendar.openings(since, until, email=email))

    ends = [since, *(each for span in spans for each in span), until]
    assert ends == sorted(ends)
    assert all(opens < closes for opens, closes in spans)
    at = since + timedelta(minutes=data.draw(st.integers(0, max(0, hours * 60 - 1))))
    if at < until:
        within = any(opens <= at < closes for opens, closes in spans)
        assert within == calendar.is_open(at, email=email)
