"""Strategies for scenarios: how people, desks, mailers and workers behave in a simulation, of every valid shape."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st

from sequencer.core.pacing import Cap, CatchUp
from sequencer.simulation import (
    Actors,
    Arrivals,
    Blocked,
    Caps,
    Desk,
    Leave,
    Mails,
    Outage,
    Reaction,
    Scenario,
    Season,
    Span,
    TaskHabits,
    Tasks,
    Worker,
)
from sequencer.simulation.scenario import REACTIONS, THEN
from sequencer.simulation.spans import LONGEST
from sequencer.testing.strategies.texts import identifiers, lines
from sequencer.testing.strategies.timing import weekday_sets, windows, zones

__all__ = ["scenarios", "spans"]

T = TypeVar("T")
SECONDS = st.one_of(
    st.sampled_from([0, 1, 60, 3600, 5400, 86_400]), st.integers(0, int(LONGEST)), st.floats(0, LONGEST)
)
PERCENT = st.one_of(
    st.sampled_from([0, 50, 90, 100]), st.integers(0, 100), st.integers(0, 1_000_000).map(lambda n: n / 1e4)
)
SHARES = st.one_of(st.sampled_from([0, 1, 0.03, 0.5]), st.floats(0, 1))
IDS = identifiers()
TIMEZONES = zones()
HOURS = st.tuples(weekday_sets(), windows()).map(
    lambda pair: {"days": pair[0], "opens": pair[1].opens, "closes": pair[1].closes}
)
PERIODS = st.tuples(st.dates(), st.dates()).map(lambda pair: {"first": min(pair), "last": max(pair)})
# Nobody is on leave for more than ten years.
LEAVES = st.tuples(st.dates(max_value=date(9989, 12, 31)), st.integers(0, 3659)).map(
    lambda pair: {"first": pair[0], "last": pair[0] + timedelta(days=pair[1])}
)
_BOUNDS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 12, 31, tzinfo=UTC))
# Hypothesis wants them naive, and adds the zone.
INSTANTS = st.datetimes(*(each.replace(tzinfo=None) for each in _BOUNDS), timezones=st.just(UTC))
STEP_NAMES = st.integers(0, 199) | lines(max_size=64) | st.integers(0, 9).map(str)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """How long something takes: a span of one point or of several, elapsed or at the desk. Shrinks towards at once."""
    percent = draw(st.one_of(st.sampled_from([{0}, {0, 100}]), st.sets(PERCENT, min_size=1, max_size=5)))
    seconds = sorted(draw(st.lists(SECONDS, min_size=len(percent), max_size=len(percent))))
    points = zip((each / 100 for each in sorted(percent)), seconds, strict=True)
    return Span(points, desk=draw(st.booleans()))


def elapsed(least: timedelta, most: timedelta) -> st.SearchStrategy[timedelta]:
    """Times within bounds, whole hours and minutes often among them."""
    hours = st.integers(0, 24 * 31).map(lambda n: timedelta(hours=n))
    minutes = st.integers(0, 60).map(lambda n: timedelta(minutes=n))
    return (hours | minutes | st.timedeltas(least, most)).filter(lambda span: least <= span <= most)


def reactions(*, away: bool = False) -> st.SearchStrategy[Reaction]:
    """What somebody does about a mail."""
    return st.builds(
        Reaction,
        chance=SHARES | st.lists(SHARES, min_size=1, max_size=4),
        after=st.none() | spans(),
        away=st.none() | spans() if away else st.none(),
    )


def by_kind() -> st.SearchStrategy[dict[str, Reaction]]:
    """Reactions of some kinds."""
    return st.fixed_dictionaries({}, optional={kind: reactions(away=kind == "out_of_office") for kind in REACTIONS})


@st.composite
def outages(draw: st.DrawFn) -> Outage:
    """From an instant to a later one."""
    begins, ends = sorted(draw(st.lists(INSTANTS, min_size=2, max_size=2, unique=True)))
    return Outage(begins=begins, ends=ends)


def several(each: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    """None, one, or a few."""
    return st.lists(each, max_size=2)


DAY = timedelta(hours=24)
CAPS = st.builds(
    Cap,
    emails=st.integers(1, 1_000_000),
    per=elapsed(timedelta(seconds=1), timedelta(days=31)),
    gap=elapsed(timedelta(0), DAY),
    jitter=elapsed(timedelta(0), DAY),
    exceeding=st.sampled_from(["wait", "block"]),
)
CATCH_UPS = st.builds(
    CatchUp,
    after=elapsed(timedelta(minutes=1), timedelta(days=31)),
    over=elapsed(timedelta(seconds=1), timedelta(days=7)),
    seed=st.integers(-(2**63), 2**63 - 1),
)
ACTORS = st.one_of(
    st.builds(Actors, count=st.integers(1, 100_000)), st.builds(Actors, leads_each=st.integers(1, 1_000_000))
)
TASKS = st.builds(
    Tasks,
    take=spans(),
    never=SHARES,
    desk=st.builds(lambda hours, zone: Desk(**hours, timezone=zone), HOURS, st.none() | TIMEZONES),
    leave=several(st.builds(lambda period, actor: Leave(**period, actor=actor), LEAVES, st.none() | IDS)),
    steps=st.dictionaries(
        STEP_NAMES, st.builds(TaskHabits, take=st.none() | spans(), never=st.none() | SHARES), max_size=3
    ),
)
MAILS = st.builds(
    Mails,
    reactions=by_kind(),
    refused=SHARES,
    deferred=SHARES,
    steps=st.dictionaries(STEP_NAMES, by_kind(), max_size=2),
    seasons=several(st.builds(lambda period, times: Season(**period, times=times), PERIODS, st.floats(0, 100))),
    outages=several(outages()),
)
WEIGHTS = st.one_of(st.integers(1, 10), st.floats(0, 1e9, exclude_min=True))


def scenarios() -> st.SearchStrategy[Scenario]:
    """A scenario for a simulation, in all that it can be: actors, arrivals, desks, mails, outages, caps.

    Shrinks towards one actor, one day, everything at once and nothing going wrong.
    """
    return st.builds(
        Scenario,
        name=lines(max_size=255),
        actors=ACTORS,
        timezones=st.dictionaries(TIMEZONES, WEIGHTS, max_size=3),
        arrivals=st.builds(lambda hours, days: Arrivals(**hours, over_days=days), HOURS, st.integers(1, 365)),
        tasks=TASKS,
        mails=MAILS,
        worker=st.builds(Worker, downtime=several(outages()), catch_up=st.none() | CATCH_UPS),
        caps=st.builds(Caps, default=st.none() | CAPS, actors=st.dictionaries(IDS, st.none() | CAPS, max_size=3)),
        blocked=st.builds(Blocked, then=st.sampled_from(THEN), after=spans(), tries=st.integers(1, 100)),
    )
