"""Instants: aware points in time, compared, sorted, hashed and stored in UTC only (T11, traps 1, 2, 3 and 6)."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import FIRST, LAST, from_microseconds, later_by, to_instant, to_iso, to_microseconds
from sequencer.core.windows import Window
from sequencer.testing.strategies import starts, zones
from tests.timing.strategies import delays, situations

BERLIN = ZoneInfo("Europe/Berlin")
# The night of 25 October 2026 has two half past twos in Berlin: at 00:30 and at 01:30 UTC.
FIRST_HALF_PAST_TWO = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
SECOND_HALF_PAST_TWO = FIRST_HALF_PAST_TWO.replace(fold=1)


def test_trap_2_the_two_half_past_twos_differ():
    """Trap 2: two datetimes that differ only in their fold compare equal; as instants they are an hour apart."""
    assert FIRST_HALF_PAST_TWO == SECOND_HALF_PAST_TWO

    first, second = to_instant(FIRST_HALF_PAST_TWO), to_instant(SECOND_HALF_PAST_TWO)

    assert first < second
    assert len({first, second}) == 2
    assert sorted([second, first]) == [first, second]
    assert to_microseconds(second) - to_microseconds(first) == 3_600_000_000


def test_trap_2_pendulum_values_keep_their_fold():
    """Trap 2: pendulum's own values of the repeated hour become the instants that they show."""
    first, second = (pendulum.datetime(2026, 10, 25, hour, 30).in_timezone("Europe/Berlin") for hour in (0, 1))

    assert to_instant(first) == pendulum.datetime(2026, 10, 25, 0, 30)
    assert to_instant(second) == pendulum.datetime(2026, 10, 25, 1, 30)


@pytest.mark.parametrize("value", [FIRST_HALF_PAST_TWO, SECOND_HALF_PAST_TWO], ids=["first", "second"])
def test_trap_1_instants_survive_pickling(value):
    """Trap 1: an instant of the night the clocks go back comes out of pickle and copy as the instant that it was."""
    instant = to_instant(value)
    for twin in (pickle.loads(pickle.dumps(instant)), copy.copy(instant), copy.deepcopy(instant)):
        assert twin == instant
        assert (twin.timestamp(), hash(twin), type(twin)) == (instant.timestamp(), hash(instant), pendulum.DateTime)
        assert to_instant(twin) == instant


@given(situations(), delays(), st.booleans())
def test_traps_1_2_what_is_handed_out_is_utc(situation, delay, email):
    """Traps 1, 2: every computed instant is a pendulum value in UTC that survives pickling and its stored form."""
    calendar, moment = situation
    for instant in (calendar.after(moment, delay), calendar.next_open(moment, email=email)):
        assert type(instant) is pendulum.DateTime
        assert (instant.tzinfo is pendulum.UTC, instant.fold) == (True, 0)
        assert pickle.loads(pickle.dumps(instant)) == instant
        assert from_microseconds(to_microseconds(instant)) == instant
        assert pendulum.parse(to_iso(instant)) == instant


def test_trap_3_a_repeated_time_is_its_first_occurrence():
    """Trap 3: a delay that ends in a repeated hour means its first occurrence, where pendulum would say the second."""
    friday = to_instant(dt.datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN))
    every_day = Calendar("Europe/Berlin", working_days=["sat", "sun"])

    assert every_day.after(friday, Weekdays(1)) == to_instant(FIRST_HALF_PAST_TWO)
    assert pendulum.datetime(2026, 10, 25, 2, 30, tz="Europe/Berlin").fold == 1


@given(st.data())
def test_any_aware_datetime_is_the_same_instant(data):
    """Any aware datetime, of the standard library or of pendulum, in any zone, becomes its own point in time."""
    moment = data.draw(starts(timezone="UTC"))
    zone = data.draw(zones())
    plain = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=to_microseconds(moment))
    for value in (
        plain,
        plain.astimezone(ZoneInfo(zone)),
        plain.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=45))),
        moment.in_timezone(zone),
        moment.in_timezone(pendulum.FixedTimezone(-12_600)),
    ):
        instant = to_instant(value)
        assert instant == moment
        assert type(instant) is pendulum.DateTime
        assert instant.tzinfo is pendulum.UTC


@pytest.mark.parametrize(
    "value",
    [dt.datetime(2026, 3, 27, 16, 30), pendulum.naive(2026, 3, 27), dt.date(2026, 3, 27), "2026-03-27T16:30:00Z", 0,
     None, 1.5, pendulum.date(2026, 3, 27)],
    ids=repr,
)  # fmt: skip
def test_what_is_no_instant_is_refused(value):
    """A naive datetime, and what is no datetime at all, is refused and never given a zone by guessing."""
    with pytest.raises(InvalidInput):
        to_instant(value)


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(9001, 1, 1, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-12))),
        dt.datetime(9999, 12, 31, 23, tzinfo=ZoneInfo("America/New_York")),
        dt.datetime(1, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")),
        dt.datetime(1970, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")),
        pendulum.datetime(9999, 12, 31, 23, 59, 59),
    ],
    ids=str,
)
def test_t11_trap_6_instants_out_of_range_are_refused(value):
    """T11, trap 6: instants outside of the years 1970 to 9000 are refused at the door, not when they overflow."""
    with pytest.raises(InvalidInput) as refused:
        to_instant(value)

    assert refused.value.code == "out_of_range"


def test_t11_the_ends_of_the_range_are_inside():
    """T11: the first instant of 1970 and the last of 9000 are instants like all others."""
    assert to_instant(FIRST) == FIRST == pendulum.datetime(1970, 1, 1)
    assert to_instant(LAST) == LAST
    assert to_instant(dt.datetime(1970, 1, 1, 9, tzinfo=ZoneInfo("Asia/Tokyo"))) == FIRST


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+12", "Pacific/Kiritimati", "America/New_York"])
def test_t11_results_out_of_range_are_refused(zone):
    """T11: a delay or an opening that would lie beyond the year 9000 is a clear error, whichever way it is reached."""
    calendar = Calendar(zone, holidays=[dt.date(9000, 12, 25) + dt.timedelta(days=n) for n in range(10)])
    windowed = Calendar(zone, send_days=["mon"], send_windows=[Window(["mon"], "09:00", "10:00")])
    end = LAST.subtract(hours=30)
    for question in (
        lambda: calendar.after(end, Hours(31)),
        lambda: calendar.after(end, Hours(87_600)),
        lambda: calendar.after(end, Weekdays(1)),
        lambda: calendar.after(end, Weekdays(2_610)),
        lambda: calendar.after(end, Weekdays(0)),
        lambda: calendar.next_open(end, email=False),
        lambda: calendar.next_open(end, email=True),
        lambda: windowed.next_open(end, email=True),
        lambda: later_by(end, dt.timedelta(days=365_000)),
    ):
        with pytest.raises(InvalidInput) as refused:
            question()
        assert refused.value.code == "out_of_range"


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+12", "Pacific/Kiritimati", "America/New_York"])
def test_t11_the_first_day_of_the_range_can_be_reckoned_from(zone):
    """T11: reckoning from the first instant of 1970 works in zones where it is still 1969."""
    calendar = Calendar(zone, working_days=["sat"])

    assert calendar.after(FIRST, Weekdays(0)).in_timezone(zone).isoformat()[:10] == "1970-01-03"
    assert calendar.next_open(FIRST, email=True) == calendar.after(FIRST, Weekdays(1))
