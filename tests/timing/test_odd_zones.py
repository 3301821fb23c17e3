"""T3 to T5 on the oddest nights on record, minute by minute or nearly so, against the slow implementation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pendulum
import pytest

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_instant
from sequencer.core.windows import Window
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS
from tests.timing.test_weekdays import at

WEEK = list(WEEKDAYS)

# The zone, the local date, and by how many minutes the clock changes on it (or at its end).
ODD_NIGHTS = [
    ("Pacific/Apia", date(2011, 12, 30), 1440),  # a Friday that never came
    ("Pacific/Kwajalein", date(1993, 8, 21), 1440),  # a Saturday that never came
    ("Pacific/Kiritimati", date(1994, 12, 31), 1440),  # a Saturday that never came
    ("America/Sao_Paulo", date(2018, 11, 4), 60),  # no midnight
    ("America/Sao_Paulo", date(2018, 2, 17), -60),  # an evening that comes twice
    ("Asia/Beirut", date(2026, 3, 29), 60),  # no midnight
    ("Asia/Beirut", date(2026, 10, 24), -60),
    ("Africa/Cairo", date(2026, 4, 24), 60),  # no midnight
    ("Africa/Cairo", date(2026, 10, 29), -60),
    ("America/Havana", date(2026, 3, 8), 60),  # no midnight
    ("America/Havana", date(2026, 11, 1), -60),  # midnight comes twice
    ("Asia/Tehran", date(2022, 3, 22), 60),  # no midnight
    ("Asia/Tehran", date(2022, 9, 21), -60),
    ("Atlantic/Azores", date(2026, 3, 29), 60),  # no midnight
    ("Atlantic/Azores", date(2026, 10, 25), -60),  # midnight comes twice
    ("Australia/Lord_Howe", date(2026, 10, 4), 30),  # half an hour
    ("Australia/Lord_Howe", date(2026, 4, 5), -30),
    ("Antarctica/Troll", date(2026, 3, 29), 120),  # two hours
    ("Antarctica/Troll", date(2026, 10, 25), -120),
    ("Africa/Casablanca", date(2026, 2, 15), -60),  # for Ramadan
    ("Africa/Casablanca", date(2026, 3, 22), 60),
    ("America/Scoresbysund", date(2026, 3, 28), 60),  # a last hour that does not exist
    ("America/Scoresbysund", date(2026, 10, 24), -60),
    ("America/Nuuk", date(2026, 3, 28), 60),
    ("Europe/Dublin", date(2026, 3, 29), 60),  # summer is standard, winter is the saved time
    ("Europe/Dublin", date(2026, 10, 25), -60),
    ("America/St_Johns", date(2010, 3, 14), 60),  # at 00:01
    ("America/St_Johns", date(2010, 11, 6), -60),  # from 00:01 back to the evening before
    ("Asia/Pyongyang", date(2018, 5, 4), 30),
    ("Africa/Monrovia", date(1972, 1, 7), 44),  # forty-four and a half minutes
]


@pytest.mark.parametrize(("zone", "day", "minutes"), ODD_NIGHTS, ids=str)
def test_t3_t4_t5_odd_nights(zone, day, minutes):
    """T3, T4, T5: from moments before, in and after an odd night, delays and openings are what the laws say."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    (change,) = [
        each for each in oracle.changes(zone, day.year, day.year) if abs(each[0] - start) < timedelta(hours=40)
    ]
    assert (change[2] - change[1]) // timedelta(minutes=1) == minutes
    tomorrow = WEEKDAYS[(day.weekday() + 1) % 7]
    plain = Calendar(zone)
    narrow = Calendar(
        zone,
        working_days=WEEK,
        send_days=[WEEKDAYS[day.weekday()], tomorrow],
        send_windows=[
            Window([WEEKDAYS[day.weekday()]], "23:15", "23:45"),
            Window([WEEKDAYS[day.weekday()]], "02:10", "02:20"),
            Window([tomorrow], "00:00", "00:30"),
            Window([tomorrow], "01:30", "01:31"),
        ],
    )
    only = Calendar(zone, working_days=[WEEKDAYS[day.weekday()]])
    for minute in [*range(-72 * 60, 0, 477), *range(-150, 150, 9)]:
        moment = to_instant(change[0] + timedelta(minutes=minute))
        for calendar in (plain, narrow, only):
            rules = oracle.Rules.of(calendar)
            for n in (0, 1, 2, 3):
                assert calendar.after(moment, Weekdays(n)) == oracle.weekdays_after(rules, moment, n), (moment, n)
            for email in (False, True):
                assert calendar.next_open(moment, email=email) == oracle.next_open(rules, moment, email=email), moment


def test_t4_the_friday_that_never_came_to_apia():
    """T4: Thursday + 1 would be 30 December 2011, which Apia skipped: the next working day is Monday, 2 January."""
    calendar, thursday = Calendar("Pacific/Apia"), at("Pacific/Apia", date(2011, 12, 29))

    assert calendar.after(thursday, Weekdays(1)) == at("Pacific/Apia", date(2012, 1, 2))
    assert calendar.after(thursday, Weekdays(2)) == at("Pacific/Apia", date(2012, 1, 2))
    assert calendar.after(thursday, Weekdays(3)) == at("Pacific/Apia", date(2012, 1, 3))


def test_t5_a_window_on_a_day_that_never_came():
    """T5: a weekly window on the skipped Friday opens on the Friday after."""
    calendar = Calendar("Pacific/Apia", send_windows=[Window(["fri"], "09:00", "17:00")])

    assert calendar.next_open(at("Pacific/Apia", date(2011, 12, 29)), email=True) == at(
        "Pacific/Apia", date(2012, 1, 6), "09:00"
    )


def test_t4_a_repeated_midnight_is_the_first():
    """T4: in Havana 00:30 comes twice on 1 November 2026; a delay means the first."""
    calendar = Calendar("America/Havana", working_days=WEEK)
    first, second = (at("America/Havana", date(2026, 11, 1), "00:30", fold=fold) for fold in (0, 1))

    assert second - first == pendulum.duration(hours=1)
    assert calendar.after(at("America/Havana", date(2026, 10, 31), "00:30"), Weekdays(1)) == first
    assert calendar.after(first, Weekdays(1)) == calendar.after(second, Weekdays(1))
    assert calendar.after(second, Weekdays(0)) == second


def test_t5_a_midnight_opening_where_midnight_does_not_exist():
    """T5: a window from 00:00 opens at the end of the gap, on a day that begins at 01:00."""
    calendar = Calendar("Africa/Cairo", working_days=WEEK, send_windows=[Window(["fri"], "00:00", "02:00")])

    assert calendar.next_open(at("Africa/Cairo", date(2026, 4, 23)), email=True) == at(
        "Africa/Cairo", date(2026, 4, 24), "01:00"
    )


def test_t5_a_midnight_opening_where_midnight_comes_twice():
    """T5: a window from 00:00 opens at the first midnight, closes, and opens at the second again."""
    calendar = Calendar("America/Havana", working_days=WEEK, send_windows=[Window(["sun"], "00:00", "00:30")])
    first, second = (at("America/Havana", date(2026, 11, 1), "00:00", fold=fold) for fold in (0, 1))

    assert calendar.next_open(at("America/Havana", date(2026, 10, 31)), email=True) == first
    assert calendar.next_open(first.add(minutes=30), email=True) == second


def test_t5_a_day_of_send_days_around_the_evening_that_comes_again():
    """T5: in St John's of 1991 one minute of Sunday came before Saturday's last hour came again; neither is lost."""
    sunday_only = Calendar("America/St_Johns", working_days=WEEK, send_days=["sun"])
    saturday_only = Calendar("America/St_Johns", working_days=WEEK, send_days=["sat"])
    (change,) = [each for each, before, after in oracle.changes("America/St_Johns", 1991, 1991) if after < before]
    again = to_instant(change)

    assert not sunday_only.is_open(again, email=True)
    assert sunday_only.is_open(again.subtract(seconds=30), email=True)
    assert saturday_only.is_open(again, email=True)
    assert not saturday_only.is_open(again.subtract(seconds=30), email=True)


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ("Europe/berlin", "did you mean Europe/Berlin?"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("America/New York", "did you mean America/New_York?"),
        ("new york", "did you mean America/New_York?"),
        ("utc ", "did you mean UTC?"),
        ("GMT+1", "use an IANA name like Europe/Warsaw"),
        ("localtime", "use an IANA name like Europe/Warsaw"),
        ("Mars/Olympus", "use an IANA name like Europe/Warsaw"),
    ],
)
def test_a_zone_as_people_type_it(typed, remedy):
    """A city, blanks and other letters are taken for no zone, but the one that is meant is named."""
    with pytest.raises(InvalidInput) as raised:
        Calendar(typed)
    assert raised.value.message == f"there is no time zone {typed!r}; {remedy}"
