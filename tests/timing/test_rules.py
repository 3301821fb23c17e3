"""T2: what a calendar is, and which ones are refused."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import zoneinfo

import pendulum
import pytest
from hypothesis import given

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.windows import Window
from sequencer.testing.strategies import zones
from sequencer.testing.strategies.timing import every_zone
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS
from tests.timing.strategies import delays, situations

WEEK = list(WEEKDAYS)


def test_t2_defaults():
    """T2: Monday to Friday, no holidays, mail on the working days at any time of day."""
    calendar = Calendar("Europe/Warsaw")

    assert calendar.timezone == "Europe/Warsaw"
    assert calendar.working_days == calendar.send_days == ("mon", "tue", "wed", "thu", "fri")
    assert (calendar.holidays, calendar.send_windows) == ((), ())
    assert Calendar("UTC", working_days=["sun", "mon"]).send_days == ("mon", "sun")


def test_t2_the_zone_is_explicit():
    """T2: a calendar without a zone is not built."""
    with pytest.raises(TypeError):
        Calendar()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "name",
    [
        "", "localtime", "posixrules", "right/Europe/Berlin", "posix/Europe/Berlin", "utc", "uTc", "Mars/Olympus",
        "Europe", "Europe/", "Europe/Warsaw ", "../../etc/passwd", "/etc/passwd", "/usr/share/zoneinfo/UTC", "..", ".",
        "Europe//Warsaw", "Europe/../Europe/Warsaw", "Europe/\0", "\ud800", "zone.tab", "tzdata.zi", "a" * 5000,
        None, 1, b"UTC", [], {}, dt.UTC, dt.timezone(dt.timedelta(hours=1)),
    ],
    ids=lambda name: repr(name)[:30].encode("ascii", "backslashreplace").decode(),
)  # fmt: skip
def test_t2_trap_16_what_is_no_zone_is_refused(name):
    """T2, trap 16: what is not an IANA zone's name is `InvalidInput`, also paths, the machine's own, and no text."""
    with pytest.raises(InvalidInput, match="timezone") as refused:
        Calendar(name)

    assert refused.value.code == "unknown_timezone"
    with pytest.raises(InvalidInput):
        Calendar("UTC").in_zone(name)


def test_t2_a_zone_object_stands_for_its_name():
    """T2: zone objects of pendulum and of the standard library are taken by their name."""
    assert Calendar(pendulum.timezone("Europe/Warsaw")) == Calendar("Europe/Warsaw")
    assert Calendar(zoneinfo.ZoneInfo("Europe/Warsaw")) == Calendar("Europe/Warsaw")


def test_t2_trap_5_every_zone_is_the_one_of_zoneinfo():
    """T2, trap 5: the zone's data is as Python's `zoneinfo` finds it, for every zone at every quarter of a year."""
    quarters = [dt.datetime(year, month, 1, tzinfo=dt.UTC) for year in (1990, 2026, 2040) for month in (1, 4, 7, 10)]
    for name in every_zone():
        calendar, zone = Calendar(name), zoneinfo.ZoneInfo(name)
        for moment in quarters:
            assert calendar.local(pendulum.instance(moment)).isoformat() == moment.astimezone(zone).isoformat(), name


@given(situations())
def test_t2_days_of_each_kind(situation):
    """T2: a working day is on a working weekday and no holiday; a send day on a send weekday and no holiday."""
    calendar, moment = situation
    rules, first = oracle.Rules.of(calendar), oracle.local_of(calendar.timezone, moment).date()
    for n in range(-7, 40):
        day = first + n * oracle.DAY
        assert calendar.is_working_day(day) == rules.is_day(day, email=False)
        assert calendar.is_send_day(day) == rules.is_day(day, email=True)


@pytest.mark.parametrize("field", ["working_days", "send_days"])
@pytest.mark.parametrize(
    "value", [[], ["monday"], ["Mon"], ["mon", "mon"], ["mon", 1], [None], "mon", 5, [["mon"]]], ids=repr
)
def test_t2_weekdays_are_refused(field, value):
    """T2: a week without days never opens; one with unknown, repeated or no names is refused, too."""
    with pytest.raises(InvalidInput, match=field):
        Calendar("UTC", **{field: value})


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("09:00", "09:00"), ("17:00", "09:00"), ("22:00", "00:00"), ("24:00", "24:00"), ("09:00", "24:01"),
        ("09:00", "25:00"), ("9:00", "17:00"), ("09:60", "17:00"), ("", "17:00"), (540, "17:00"), ("09:00", None),
        ("09:00", "17.00"), ("-9:00", "17:00"), ("0900", "1700"), ("09:00+01", "17:00"), ("\u0660\u0669:00", "17:00"),
    ],
)  # fmt: skip
def test_t2_windows_are_refused(opens, closes):
    """T2: a window that is empty, crosses midnight, or has an end that is no clock time is refused."""
    with pytest.raises(InvalidInput):
        Window(["mon"], opens, closes)


@pytest.mark.parametrize("days", [[], ["someday"], "mon", None, ["mon", "mon"]], ids=repr)
def test_t2_windows_need_days(days):
    """T2: a window on no day, on an unknown one or on the same day twice is refused."""
    with pytest.raises(InvalidInput):
        Window(days, "09:00", "17:00")


def test_t2_windows_lie_on_send_days():
    """T2: a window on a weekday on which no mail may leave is refused, and the message names the day."""
    with pytest.raises(InvalidInput, match="sat"):
        Calendar("UTC", send_windows=[Window(["fri", "sat"], "09:00", "17:00")])
    assert Calendar("UTC", send_days=["sat"], send_windows=[Window(["sat"], "00:00", "24:00")]).send_windows


@pytest.mark.parametrize("value", [None, 5, "09:00", ["09:00-17:00"], Window(["mon"], "09:00", "17:00")], ids=repr)
def test_t2_windows_are_a_list_of_windows(value):
    """T2: what is no list of windows is refused as bad input, not with an error from inside."""
    with pytest.raises(InvalidInput, match="send_windows"):
        Calendar("UTC", send_windows=value)


@pytest.mark.parametrize(
    "value",
    [None, 5, "2026-12-25", dt.date(2026, 12, 25), ["2026-02-30"], ["25.12.2026"], ["20261225"], [None],
     [dt.datetime(2026, 12, 25)], ["2026-W52-5"]],
    ids=repr,
)  # fmt: skip
def test_t2_holidays_are_refused(value):
    """T2: holidays are local dates; impossible ones, moments and other spellings are refused."""
    with pytest.raises(InvalidInput, match="holidays"):
        Calendar("UTC", holidays=value)


def test_t2_windows_may_overlap():
    """T2: overlapping and adjoining windows are as good as their union."""
    days = ["mon", "tue"]
    apart = [
        Window(days, "09:00", "11:00"),
        Window(days, "09:30", "09:31"),  # inside the one before
        Window(["mon"], "10:30", "12:00"),
        Window(days, "12:00", "13:00"),
    ]
    one = [Window(["mon"], "09:00", "13:00"), Window(["tue"], "09:00", "11:00"), Window(["tue"], "12:00", "13:00")]
    left, right = Calendar("UTC", send_windows=apart), Calendar("UTC", send_windows=one)
    for minute in range(0, 8 * 1440, 3):
        moment = pendulum.datetime(2026, 3, 1).add(minutes=minute)
        assert left.next_open(moment, email=True) == right.next_open(moment, email=True)


@given(situations(), zones(), delays())
def test_t2_another_zone_is_the_same_rules(situation, zone, delay):
    """T2: `in_zone` gives the calendar that the same rules would have made on the other zone's clock."""
    calendar, moment = situation
    moved = calendar.in_zone(zone)
    built = Calendar(
        zone,
        working_days=calendar.working_days,
        send_days=calendar.send_days,
        holidays=calendar.holidays,
        send_windows=calendar.send_windows,
    )

    assert moved == built
    assert hash(moved) == hash(built)
    assert repr(moved) == repr(built)
    assert moved.next_open(moved.after(moment, delay), email=True) == built.next_open(
        built.after(moment, delay), email=True
    )
    assert moved.in_zone(calendar.timezone) == calendar


@given(situations(), delays())
def test_t2_a_copied_calendar_reckons_the_same(situation, delay):
    """T2: a calendar that was pickled or copied is equal, and gives the same instants."""
    calendar, moment = situation
    expected = calendar.next_open(calendar.after(moment, delay), email=True)
    for twin in (pickle.loads(pickle.dumps(calendar)), copy.deepcopy(calendar)):
        assert twin == calendar
        assert twin.next_open(twin.after(moment, delay), email=True) == expected


def test_t2_holidays_count_only_once():
    """T2: a holiday named twice, or on a day that is none of the week, takes nothing more away."""
    calendar = Calendar("UTC", holidays=["2026-03-03", dt.date(2026, 3, 3), "2026-03-07"])

    assert calendar.holidays == (dt.date(2026, 3, 3), dt.date(2026, 3, 7))
    assert calendar.after(pendulum.datetime(2026, 3, 2), Weekdays(5)) == pendulum.datetime(2026, 3, 10)
