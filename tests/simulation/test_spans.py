"""How long something takes: drawn by plain arithmetic, between bounds, the longer the less likely it is to be over."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.errors import InvalidInput
from sequencer.simulation import Span
from sequencer.simulation.spans import LONGEST
from sequencer.testing.strategies import spans

CHANCES = st.floats(0, 1, exclude_max=True)


@given(spans(), CHANCES, CHANCES)
def test_more_chance_takes_no_less(span, one, other):
    """Of two chances, the greater takes at least as long."""
    assert span.drawn(min(one, other)) <= span.drawn(max(one, other))


@given(spans(), CHANCES)
def test_what_is_drawn_lies_between_the_ends(span, chance):
    """Nothing takes less than the first point, or more than the last."""
    assert span.points[0][1] <= span.drawn(chance) <= span.points[-1][1]


@given(spans())
def test_points_are_met_exactly(span):
    """At the share of a point, what is drawn is the time of that point; beyond the ends, that of the ends."""
    for share, seconds in span.points:
        assert span.drawn(share) == seconds
    assert span.drawn(0.0) == span.points[0][1]
    assert span.drawn(1.0) == span.points[-1][1]


@given(spans(), CHANCES)
def test_between_points_time_is_spread_evenly(span, chance):
    """What is drawn is what exact arithmetic says, to the second."""
    exact = Fraction(span.points[0][1])
    for (share, seconds), (next_share, next_seconds) in zip(span.points, span.points[1:], strict=False):
        if share <= chance < next_share:
            part = (Fraction(chance) - Fraction(share)) / (Fraction(next_share) - Fraction(share))
            exact = Fraction(seconds) + part * Fraction(next_seconds - seconds)
    if chance >= span.points[-1][0]:
        exact = Fraction(span.points[-1][1])

    assert abs(span.drawn(chance) - math.floor(exact)) <= 1
    assert abs(span.drawn(chance) - exact) < 1 + Fraction(1, 1000)


def test_draws_are_the_same_on_every_machine():
    """These numbers were drawn once, and are drawn again."""
    replies = Span.quantiles(
        {0: Span.fixed(minutes=2), 50: Span.fixed(hours=5), 90: Span.fixed(days=2), 100: Span.fixed(days=7)}
    )
    drawn = [replies.drawn(chance / 10) for chance in range(10)]

    assert drawn == [120, 3696, 7272, 10848, 14424, 18000, 56699, 95399, 134100, 172800]
    assert [replies.drawn(chance) for chance in (1 / 3, 0.123456789, 0.999999)] == [12040, 4534, 604795]


def test_units_are_what_they_say():
    """Seconds, minutes, hours and days add up, and are kept to the second."""
    assert Span.fixed(days=1, hours=1, minutes=1, seconds=1).points == ((0.0, 90_061.0),)
    assert Span.fixed(hours=1 / 3).points == ((0.0, 1_200.0),)
    assert Span.between(Span.fixed(hours=1), Span.fixed(hours=5)) == Span([(0, 3600), (1, 18_000)])
    assert Span.quantiles({0: Span.fixed(hours=2, desk=True)}) == Span.fixed(hours=2, desk=True)


HOUR = Span.fixed(hours=1)
TWO = Span.between(HOUR, HOUR)
REFUSED = {
    "no points": (lambda: Span([]), "missing"),
    "no pairs": (lambda: Span([1, 2]), "invalid_type"),
    "a number": (lambda: Span(5), "invalid_type"),
    "text": (lambda: Span("ab"), "invalid_type"),
    "shares as text": (lambda: Span([("0", 5)]), "invalid_type"),
    "true seconds": (lambda: Span([(0, True)]), "invalid_type"),
    "three of a pair": (lambda: Span([(0, 1, 2)]), "invalid_type"),
    "a share above 1": (lambda: Span([(1.5, 5)]), "out_of_range"),
    "no share": (lambda: Span([(float("nan"), 5)]), "out_of_range"),
    "less than nothing": (lambda: Span([(0, -1)]), "out_of_range"),
    "never": (lambda: Span([(0, float("inf"))]), "out_of_range"),
    "too many digits": (lambda: Span([(0, 10**400)]), "out_of_range"),
    "more than a year": (lambda: Span([(0, LONGEST + 1)]), "out_of_range"),
    "shares out of order": (lambda: Span([(0.5, 1), (0.1, 2)]), "out_of_order"),
    "times out of order": (lambda: Span([(0, 5), (1, 2)]), "out_of_order"),
    "the same share twice": (lambda: Span([(0.5, 5), (0.5, 6)]), "out_of_order"),
    "shares that are the same to six decimals": (lambda: Span([(0.5, 5), (0.5000001, 6)]), "out_of_order"),
    "a desk that is none": (lambda: Span([(0, 5)], desk=1), "invalid_type"),
    "days at the desk": (lambda: Span.fixed(days=1, desk=True), "invalid"),
    "hours as text": (lambda: Span.fixed(hours="1"), "invalid_type"),
    "hours that are nothing": (lambda: Span.fixed(hours=None), "invalid_type"),
    "elapsed and at the desk": (lambda: Span.between(HOUR, Span.fixed(hours=2, desk=True)), "mixed"),
    "a span of spans": (lambda: Span.quantiles({50: TWO}), "invalid_value"),
    "no spans": (lambda: Span.quantiles({50: 5}), "invalid_type"),
    "a list of spans": (lambda: Span.quantiles([HOUR]), "invalid_type"),
    "no quantiles": (lambda: Span.quantiles({}), "missing"),
    "percent as text": (lambda: Span.quantiles({"50": HOUR}), "invalid_type"),
    "101 percent": (lambda: Span.quantiles({101: HOUR}), "out_of_range"),
}


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(make, code):
    """What is no span is refused with `InvalidInput`, never with anything else."""
    with pytest.raises(InvalidInput) as caught:
        make()

    assert caught.value.code == code


SAID = {
    "no time": Span.fixed(),
    "1 minute": Span.fixed(minutes=1),
    "1 hour 30 minutes": Span.fixed(minutes=90),
    "2 days 1 second": Span.fixed(days=2, seconds=1),
    "48 hours of desk time": Span.fixed(hours=48, desk=True),
    "1 hour to 5 hours": Span.between(Span.fixed(hours=1), Span.fixed(hours=5)),
    "half within 4 hours, 90 % within 1 day": Span.quantiles({50: Span.fixed(hours=4), 90: Span.fixed(days=1)}),
    "99.5 % within 4 hours, all within 5 hours, none before 1 hour (desk time)": Span.quantiles(
        {percent: Span.fixed(hours=hours, desk=True) for percent, hours in ((0, 1), (99.5, 4), (100, 5))}
    ),
}


@pytest.mark.parametrize(("text", "span"), SAID.items())
def test_spans_are_said_in_words(text, span):
    """A span as text is what a person would say, with all of it."""
    assert str(span) == text


@given(spans(), spans())
def test_different_spans_are_said_differently(one, other):
    """Two spans read alike only if they are equal."""
    assert (str(one) == str(other)) is (one == other)
