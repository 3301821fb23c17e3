"""T1 and T11: the two kinds of delay, and what is refused as one."""

from __future__ import annotations

import pickle
from datetime import timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays, delay_of
from sequencer.core.errors import InvalidInput
from sequencer.testing.strategies import starts, zones
from tests.timing import oracle
from tests.timing.strategies import situations


@given(st.data(), st.integers(0, 876_000_000))
def test_t1_hours_are_elapsed_time(data, n):
    """T1: `Hours(n)` lies exactly n x 3600 s later, to the ten-thousandth of an hour, whatever the zone does."""
    zone = data.draw(zones())
    moment = data.draw(starts(timezone=zone))

    result = Calendar(zone).after(moment, Hours(Decimal(n) / 10_000))

    assert result == oracle.hours_after(moment, n)


@given(st.data(), st.integers(0, 876_000_000))
def test_t1_hours_do_not_care_how_they_are_written(data, n):
    """T1: a float, a Decimal and, where it is whole, an int of the same hours are the same delay."""
    hours = Hours(n / 10_000)

    assert hours == Hours(Decimal(n).scaleb(-4))
    assert hours.timedelta == timedelta(milliseconds=360 * n)
    assert n % 10_000 or hours == Hours(n // 10_000)


@pytest.mark.parametrize(
    "n",
    [
        True, False, None, "3", b"3", [3], 3j, float("nan"), float("inf"), -float("inf"), Decimal("NaN"),
        Decimal("sNaN"), Decimal("Infinity"), -1, -0.0001, 2**31, 2**63, 10**5000, -(10**5000), 87_601, 87_600.0001,
        0.00001, 1.00001, 0.1 + 0.2, Decimal("0.00001"), Decimal("1.00000000000000000000000000000000001"),
    ],
    ids=lambda n: f"{type(n).__name__}-{str(n)[:12] if not isinstance(n, int) or abs(n) < 10**20 else 'huge'}",
)  # fmt: skip
def test_t1_t11_hours_refuse(n):
    """T1, T11, trap 6: what is no number of hours with four decimals from 0 to 87 600 is refused, never coerced."""
    with pytest.raises(InvalidInput, match="hours"):
        Hours(n)


@pytest.mark.parametrize("n", [0, 1, 0.0001, 0.25, 87_600, 87_599.9999, Decimal("1.5"), Decimal("1.50000"), 1e3, -0.0])
def test_t1_t11_hours_accept(n):
    """T1, T11: hours from 0 to 87 600 with at most four decimals that say something are taken as they are."""
    assert Hours(n).timedelta == timedelta(
        milliseconds=round(360 * (Decimal(repr(n)) if type(n) is float else n) * 10_000)
    )


def test_t1_hours_are_exact_in_any_decimal_context():
    """T1: a caller's own decimal precision changes neither what is accepted nor what it means."""
    with localcontext() as context:
        context.prec = 2

        assert Hours(Decimal("12.3456")).timedelta == timedelta(milliseconds=360 * 123_456)
        with pytest.raises(InvalidInput):
            Hours(Decimal("12.34567"))


@pytest.mark.parametrize(
    "n",
    [True, False, None, "2", 1.0, 2.5, Decimal(2), float("nan"), -1, 2_611, 2**31, 10**5000],
    ids=lambda n: f"{type(n).__name__}-{n if not isinstance(n, int) or n < 10**20 else 'huge'}",
)
def test_t1_t11_weekdays_refuse(n):
    """T1, T11, trap 6: what is no whole number from 0 to 2 610 is refused, never coerced."""
    with pytest.raises(InvalidInput, match="weekdays"):
        Weekdays(n)


@pytest.mark.parametrize("n", [0, 1, 2_610])
def test_t1_t11_weekdays_accept(n):
    """T1, T11: whole numbers from 0 to 2 610 are weekdays."""
    assert Weekdays(n).n == n


@pytest.mark.parametrize(
    ("make", "n", "said"),
    [
        (Weekdays, 1.5, "weekdays: needs a whole number of weekdays, got 1.5"),
        (Weekdays, 2611, "weekdays: needs 0 to 2610 weekdays, got 2611"),
        (Hours, "3", "hours: needs a number of hours, got '3'"),
        (Hours, 87_601, "hours: needs 0 to 87600 hours, got 87601"),
        (Hours, 0.00001, "hours: needs a number of hours with at most four decimals, got 1e-05; round it"),
    ],
)
def test_what_is_said_of_what_is_refused(make, n, said):
    """What is refused is said in one sentence, in which the unit is named and nothing is said twice in a row."""
    with pytest.raises(InvalidInput) as caught:
        make(n)

    assert str(caught.value) == said


def test_t1_the_two_kinds_are_not_each_other():
    """T1: hours and weekdays of the same number are different delays, and say so."""
    assert Hours(2) != Weekdays(2)
    assert (str(Hours(1)), str(Hours(2)), str(Weekdays(1)), str(Weekdays(2))) == (
        "1 hour", "2 hours", "1 working day", "2 working days",
    )  # fmt: skip
    assert [eval(repr(each)) for each in (Hours(1.5), Weekdays(3))] == [Hours(1.5), Weekdays(3)]


def test_t1_wire_names():
    """T1: the wire spells a delay as a number and `hours` or `weekdays`, and no other unit."""
    assert delay_of(1.5, "hours") == Hours(1.5)
    assert delay_of(2, "weekdays") == Weekdays(2)
    assert (Hours(1).unit, Weekdays(1).unit) == ("hours", "weekdays")
    for unit in ("days", "Hours", "hour", "", None):
        with pytest.raises(InvalidInput, match="unit"):
            delay_of(1, unit)


@given(st.integers(0, 876_000_000), st.integers(0, 2_610))
def test_t1_delays_survive_pickling(n, days):
    """T1: a delay that was pickled is the same delay and means the same span."""
    hours = pickle.loads(pickle.dumps(Hours(n / 10_000)))

    assert (hours, hours.timedelta) == (Hours(n / 10_000), Hours(n / 10_000).timedelta)
    assert pickle.loads(pickle.dumps(Weekdays(days))) == Weekdays(days)


@given(situations(), st.integers(0, 2_610))
def test_t1_weekdays_count_working_days(situation, n):
    """T1, T3: weekdays count working days, also thousands of them, as walking day by day does."""
    calendar, moment = situation

    assert calendar.after(moment, Weekdays(n)) == oracle.weekdays_after(oracle.Rules.of(calendar), moment, n)
