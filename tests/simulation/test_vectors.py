"""Vectorised timelines are the core's, to the microsecond: the core's own `plan` is the oracle throughout."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import LAST, from_microseconds, to_instant, to_microseconds
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.timeline import plan
from sequencer.core.windows import Window
from sequencer.simulation.vectors import clocks, plan_many, planning
from sequencer.testing import strategies as kit
from sequencer.testing.strategies import calendars
from sequencer.testing.strategies.timing import SPECIAL_ZONES, every_zone
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS
from tests.timing.strategies import delays, situations
from tests.timing.test_odd_zones import ODD_NIGHTS

SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
WORKWEEK = list(WEEKDAYS[:5])
ACTIONS = st.sampled_from([AutomatedEmail(1), Task("Call")])


def steps(most: int = 5) -> st.SearchStrategy[list[Step]]:
    """A few mails and tasks with delays of either kind."""
    return st.lists(st.builds(Step, ACTIONS, delays()), min_size=1, max_size=most)


def by_the_core(sequence, starts, zones=None):
    """What `plan` gives for each start, in microseconds."""
    zones = zones or [None] * len(starts)
    return [
        [
            to_microseconds(step.estimated_execute_at)
            for step in plan(sequence, from_microseconds(start), timezone=zone, reasons=False)
        ]
        for start, zone in zip(np.asarray(starts).tolist(), zones, strict=True)
    ]


def in_bulk(sequence, starts, zones=None):
    """What `plan_many` gives, where no row may be handed to the core by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_FEWEST", 1)
        patch.setattr(planning, "_one_by_one", None)
        return plan_many(sequence, np.asarray(starts, np.int64), zones).microseconds.tolist()


@st.composite
def crowds(draw, moment):
    """Starts around a moment: microseconds, seconds, hours or days apart, some of them at odd distances."""
    unit = draw(st.sampled_from([1, SECOND, 60 * SECOND, 7 * 60 * SECOND, 30 * 60 * SECOND, 5 * HOUR, DAY]))
    apart = draw(st.lists(st.integers(-60, 60), min_size=1, max_size=25))
    off = draw(st.sampled_from([0, 0, 0, 1, SECOND, 12_345_678]))
    return [max(0, to_microseconds(moment) + n * unit + off) for n in apart]


# -- exactness ------------------------------------------------------------------------------------------------


@given(data=st.data(), situation=situations(), steps=steps())
def test_t1_to_t8_bulk_is_the_core(data, situation, steps):
    """T1 to T8: for every calendar and sequence, starts close to a clock change go where `plan` says."""
    calendar, moment = situation
    starts = data.draw(crowds(moment))
    sequence = Sequence("Any", steps, calendar=calendar)

    assert in_bulk(sequence, starts) == by_the_core(sequence, starts)


@given(data=st.data(), steps=steps(most=3))
def test_t1_to_t8_bulk_over_a_year_is_the_core(data, steps):
    """T1 to T8: the same where the starts are spread over more than a year, across all its clock changes."""
    zone = data.draw(st.one_of(st.sampled_from(SPECIAL_ZONES), st.sampled_from(every_zone())))
    moment = data.draw(kit.starts(timezone=zone))
    sequence = Sequence("Any", steps, calendar=data.draw(calendars(timezones=st.just(zone), around=moment)))
    chance = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    starts = to_microseconds(moment) + chance.integers(0, 400 * DAY, 40)

    assert in_bulk(sequence, starts) == by_the_core(sequence, starts)


@given(data=st.data(), situation=situations(), steps=steps(most=3))
def test_each_row_is_on_the_clock_of_its_zone(data, situation, steps):
    """With a zone for each row, however few rows a zone has, each row is what `plan` says there, in its place."""
    calendar, moment = situation
    starts = data.draw(crowds(moment))
    names = data.draw(st.lists(st.sampled_from([*SPECIAL_ZONES, None]), min_size=1, max_size=4))
    zones = data.draw(st.lists(st.sampled_from(names), min_size=len(starts), max_size=len(starts)))
    sequence = Sequence("Any", steps, calendar=calendar)
    expected = by_the_core(sequence, starts, zones)
    fewest = data.draw(st.sampled_from([1, 5, 100]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_FEWEST", fewest)
        patch.setattr(planning, "_CHUNK", 16)
        patch.setattr(planning, "_SLICE", 3)
        found = plan_many(sequence, np.array(starts), zones)
    assert found.microseconds.tolist() == expected


def narrow(zone: str, day: date) -> Calendar:
    """Windows around the hours at which clocks change, on a date and the next; tasks on that weekday alone."""
    this, tomorrow = WEEKDAYS[day.weekday()], WEEKDAYS[(day.weekday() + 1) % 7]
    return Calendar(
        zone,
        working_days=[this],
        send_days=[this, tomorrow],
        send_windows=[
            Window([this], "23:15", "23:45"),
            Window([this], "02:10", "02:20"),
            Window([tomorrow], "00:00", "00:30"),
            Window([tomorrow], "01:30", "01:31"),
        ],
    )


ODD = [
    [Step(AutomatedEmail(1)), Step(Task("Call"), Weekdays(1)), Step(AutomatedEmail(1), Hours(20.25))],
    [Step(Task("Call")), Step(AutomatedEmail(1), Weekdays(2)), Step(Task("Call"), Hours(40))],
]


@pytest.mark.parametrize(("zone", "day", "minutes"), ODD_NIGHTS, ids=str)
def test_t3_t4_t5_odd_nights_in_bulk(zone, day, minutes):
    """T3, T4, T5: starts before, in and after the oddest nights on record go where `plan` says."""
    middle = to_microseconds(to_instant(datetime(day.year, day.month, day.day, 12, tzinfo=UTC)))
    starts = [middle + minute * 60 * SECOND for minute in [*range(-96 * 60, 0, 277), *range(-1200, 1200, 19)]]
    for calendar in (Calendar(zone), Calendar(zone, working_days=list(WEEKDAYS)), narrow(zone, day)):
        for steps in ODD:
            sequence = Sequence("Odd", steps, calendar=calendar)
            assert in_bulk(sequence, starts) == by_the_core(sequence, starts), calendar


CADENCE = [
    Step(AutomatedEmail(1)),
    Step(Task("Call"), Weekdays(1)),
    Step(AutomatedEmail(1), Hours(48)),
    Step(AutomatedEmail(1), Weekdays(3)),
    Step(Task("Call"), Hours(1.5)),
    Step(AutomatedEmail(1), Weekdays(5)),
]
OFFICE = {
    "holidays": [date(2025, 12, 25), date(2026, 1, 1), date(2026, 4, 6), date(2026, 12, 25)],
    "send_windows": [Window(WORKWEEK, "09:00", "12:00"), Window(WORKWEEK[:4], "11:00", "17:00")],
}


@pytest.mark.parametrize("zone", SPECIAL_ZONES)
def test_a_year_of_ordinary_starts(zone):
    """A sweep over a year of a zone, every seven hours and some, all in bulk: every timeline is the core's."""
    first = to_microseconds(to_instant(datetime(2026, 1, 1, tzinfo=UTC)))
    starts = np.arange(first, first + 366 * DAY, 7 * HOUR + 41 * 60 * SECOND)
    sequence = Sequence("Cadence", CADENCE, calendar=Calendar(zone, **OFFICE))

    assert in_bulk(sequence, starts) == by_the_core(sequence, starts)


@pytest.mark.slow
@pytest.mark.parametrize("zone", every_zone())
def test_every_clock_change_of_every_zone_in_bulk(zone):
    """T3, T4, T5: around every clock change of every zone from 1971 to 2037 bulk is the core, for three calendars."""
    for change, _, _ in oracle.changes(zone, 1971, 2037):
        middle = to_microseconds(to_instant(change))
        starts = [middle + n * 60 * SECOND for n in [*range(-96 * 60, 0, 811), *range(-1500, 1500, 251), -1, 0, 1]]
        day = oracle.local_of(zone, change).date()
        for calendar in (Calendar(zone), Calendar(zone, working_days=list(WEEKDAYS)), narrow(zone, day)):
            for steps in ODD:
                sequence = Sequence("Odd", steps, calendar=calendar)
                assert in_bulk(sequence, starts) == by_the_core(sequence, starts), (calendar, change)


@pytest.mark.parametrize("zone", [*SPECIAL_ZONES, "Europe/Warsaw"])
def test_the_clock_knows_every_change(zone):
    """The changes that a zone's clock reads off are those that are found hour by hour, from 1971 to 2037."""
    changes = oracle.changes(zone, 1971, 2037)
    clock = clocks.ZoneClock(Calendar(zone), to_microseconds(to_instant(datetime(1971, 1, 1, tzinfo=UTC))))
    clock.reach(to_microseconds(to_instant(datetime(2037, 12, 31, tzinfo=UTC))))
    expected = [to_microseconds(to_instant(change)) for change, _, _ in changes]

    assert [each for each in clock.changes.tolist() if each <= (expected or [0])[-1]] == expected
    assert (np.diff(clock.offsets)[: len(changes)] // SECOND).tolist() == [
        (after - before) // timedelta(seconds=1) for _, before, after in changes
    ]


# -- range (T11) ----------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(data=st.data(), steps=steps(most=3))
def test_t11_near_the_end_of_time(data, steps):
    """T11: near the end of the year 9000 each row is what `plan` says; an error names the first that has none."""
    zone = data.draw(st.sampled_from(SPECIAL_ZONES))
    last = to_microseconds(LAST)
    starts = [last - ago for ago in data.draw(st.lists(st.integers(0, 60 * DAY), min_size=1, max_size=8))]
    sequence = Sequence("Late", steps, calendar=Calendar(zone, **OFFICE))
    refused = None
    expected = []
    for row, start in enumerate(starts):
        try:
            expected += by_the_core(sequence, [start])
        except InvalidInput as error:
            refused = f"starts[{row}]", error.code
            break
    for fewest in (1, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "_FEWEST", fewest)
            if refused is None:
                assert plan_many(sequence, np.array(starts)).microseconds.tolist() == expected
                continue
            with pytest.raises(InvalidInput, match="9000") as caught:
                plan_many(sequence, np.array(starts))
            assert (caught.value.path, caught.value.code) == refused


def test_t11_the_first_hours_of_1970():
    """T11: from the first instant on, also where the local date is still in 1969, bulk is the core."""
    for zone in ("America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati", "Africa/Monrovia"):
        sequence = Sequence("Early", CADENCE, calendar=Calendar(zone, **OFFICE))
        starts = range(0, 5 * DAY, 3 * HOUR + 1)
        assert in_bulk(sequence, starts) == by_the_core(sequence, starts)


def test_a_long_way_between_two_crowds():
    """Rows that lie thousands of years apart cost no more than they would alone, and a lonely one is the core's."""
    first = to_microseconds(to_instant(datetime(1971, 5, 1, tzinfo=UTC)))
    far = to_microseconds(to_instant(datetime(8990, 5, 1, tzinfo=UTC)))
    starts = [first + n * HOUR for n in range(150)] + [far + n * HOUR for n in range(150)] + [far // 2]
    sequence = Sequence("Far", CADENCE, calendar=Calendar("Europe/Berlin", **OFFICE))

    assert plan_many(sequence, np.array(starts)).microseconds.tolist() == by_the_core(sequence, starts)


def test_the_longest_sequence():
    """T11: the longest delays lead through decades, and still to the core's instants."""
    steps = [Step(Task("Wait"), Weekdays(2_610)), Step(AutomatedEmail(1), Hours(87_600)), Step(Task("Wait"))]
    sequence = Sequence("Long", steps, calendar=Calendar("America/New_York", **OFFICE))
    starts = 1_800_000_000 * SECOND + np.arange(0, 400) * 5 * HOUR

    assert in_bulk(sequence, starts) == by_the_core(sequence, starts)


def test_a_skipped_day_that_leads_far():
    """T4: who is moved on from a day that never came may be moved across years of holidays, to another clock change."""
    friday = date(2012, 1, 6)
    holidays = [friday + timedelta(weeks=n) for n in range(90)]
    calendar = Calendar("Pacific/Apia", working_days=["fri"], holidays=holidays)
    sequence = Sequence("Odd", [Step(Task("Call"), Weekdays(1)), Step(Task("Call"), Weekdays(1))], calendar=calendar)
    starts = to_microseconds(to_instant(datetime(2011, 12, 20, tzinfo=UTC))) + np.arange(300) * HOUR

    assert in_bulk(sequence, starts) == by_the_core(sequence, starts)


# -- what is given, what comes out ----------------------------------------------------------------------------

SEQUENCE = Sequence("Cadence", CADENCE, calendar=Calendar("Europe/Warsaw", **OFFICE))
STARTS = 1_774_000_000 * SECOND + np.arange(0, 300) * HOUR


def test_starts_in_every_shape():
    """Microseconds, datetime64 of any unit, and aware datetimes of any zone are the same starts."""
    expected = plan_many(SEQUENCE, STARTS).microseconds.tolist()
    aware = [datetime.fromtimestamp(start // SECOND, ZoneInfo("Asia/Kolkata")) for start in STARTS.tolist()]
    stamps = STARTS.view("datetime64[us]")
    shapes = [stamps, stamps.astype("datetime64[ns]"), stamps.astype("datetime64[s]"), aware, iter(aware)]
    shapes += [np.array(aware, object), STARTS.astype(np.uint64), STARTS.repeat(2)[::2], STARTS.astype(">i8")]
    for starts in shapes:
        assert plan_many(SEQUENCE, starts).microseconds.tolist() == expected


def test_zones_in_every_shape():
    """One name, names in a list or an array, codes with names, and None for the sequence's own zone."""
    one = plan_many(SEQUENCE, STARTS, "America/New_York").microseconds.tolist()
    names = ["America/New_York"] * len(STARTS)
    codes = np.ones(len(STARTS), np.int8)
    for zones in (names, iter(names), np.array(names), (codes, ["UTC", "America/New_York"]), ZoneInfo(names[0]).key):
        assert plan_many(SEQUENCE, STARTS, zones).microseconds.tolist() == one
    own = plan_many(SEQUENCE, STARTS).microseconds.tolist()
    assert plan_many(SEQUENCE, STARTS, [None, "Europe/Warsaw"] * 150).microseconds.tolist() == own
    # Two names are two rows, and no codes with names.
    assert plan_many(SEQUENCE, STARTS[:2], ("UTC", "America/New_York")).microseconds[1].tolist() == one[1]


def test_what_comes_out():
    """A row a start and a column a step: as int64, as datetime64 without a copy, and as pendulum values."""
    planned = plan_many(SEQUENCE, STARTS)
    timeline = plan(SEQUENCE, from_microseconds(int(STARTS[7])))

    assert planned.microseconds.shape == planned.estimated_execute_at.shape == (300, 6)
    assert planned.estimated_execute_at.dtype == np.dtype("datetime64[us]")
    assert np.shares_memory(planned.estimated_execute_at, planned.microseconds)
    assert planned[7] == tuple(step.estimated_execute_at for step in timeline)
    assert [*planned][7] == planned[7]
    assert (len(planned), repr(planned)) == (300, "<300 timelines of 6 steps of 'Cadence'>")
    assert planned.starts.tolist() == STARTS.tolist()


def test_nobody_at_all():
    """No starts are no rows, with a column for each step."""
    assert plan_many(SEQUENCE, np.array([], np.int64)).microseconds.shape == (0, 6)
    assert plan_many(SEQUENCE, [], []).estimated_execute_at.shape == (0, 6)


@pytest.mark.parametrize(
    ("starts", "zones", "path", "code"),
    [
        ([datetime(2026, 1, 1)], None, "starts[0]", "naive_datetime"),
        ([datetime(2026, 1, 1, tzinfo=UTC), 5], None, "starts[1]", "not_an_instant"),
        (5, None, "starts", "invalid_type"),
        ("2026-01-01", None, "starts", "invalid_type"),
        (np.array([1.5]), None, "starts", "invalid_type"),
        (np.array([True]), None, "starts", "invalid_type"),
        (np.zeros((2, 2), np.int64), None, "starts", "invalid_type"),
        (np.array([0, -1]), None, "starts[1]", "out_of_range"),
        (np.array([2**63], np.uint64), None, "starts[0]", "out_of_range"),
        (np.array(["2026-01-01", "NaT"], "datetime64[us]"), None, "starts[1]", "not_an_instant"),
        (np.array(["2026-01-01T00:00:00.000000001"], "datetime64[ns]"), None, "starts[0]", "not_an_instant"),
        (np.array(["9001-01-01"], "datetime64[s]"), None, "starts[0]", "out_of_range"),
        (np.array([2**62], "datetime64[D]"), None, "starts[0]", "not_an_instant"),
        (STARTS, "Europe/Nowhere", "timezones", "unknown_timezone"),
        (STARTS, 5, "timezones", "invalid_type"),
        (STARTS, ["UTC"], "timezones", "mismatch"),
        (STARTS[:2], ["UTC", "Europe/Nowhere"], "timezones[1]", "unknown_timezone"),
        (STARTS[:2], ["UTC", ["UTC"]], "timezones[1]", "unknown_timezone"),
        (STARTS[:2], ["UTC", 5], "timezones[1]", "unknown_timezone"),
        (STARTS[:2], (np.array([0, 1]), ["UTC"]), "timezones[0][1]", "out_of_range"),
        (STARTS[:2], (np.array([0, -1]), ["UTC"]), "timezones[0][1]", "out_of_range"),
        (STARTS[:2], (np.array([0.0, 0.0]), ["UTC"]), "timezones[0]", "invalid_type"),
        (STARTS[:2], (np.array([0, 0]), ["Europe/Nowhere"]), "timezones[1][0]", "unknown_timezone"),
        (STARTS[:2], (np.array([0]), ["UTC"]), "timezones", "mismatch"),
    ],
    ids=str,
)
def test_what_is_refused(starts, zones, path, code):
    """What is no start and no zone is refused before anything is planned, and the row is named."""
    with pytest.raises(InvalidInput) as caught:
        plan_many(SEQUENCE, starts, zones)

    assert (caught.value.path, caught.value.code) == (path, code)


def test_numpy_is_imported_by_nobody_else():
    """Neither the public door nor the rooms around bring numpy along; only the module that needs it does."""
    script = (
        "from sequencer import *; import sys, sequencer.simulation, sequencer.cli; assert 'numpy' not in sys.modules;"
        "import sequencer.simulation.vectors; assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_numpy_the_error_says_what_to_install():
    """Where numpy is missing, the import says which extra has it."""
    script = "import sys; sys.modules['numpy'] = None; import sequencer.simulation.vectors"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert "pip install 'sequencer[vectors]'" in done.stderr
