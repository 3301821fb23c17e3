"""What a scenario may be, and what it is by default."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, time
from typing import Any

import attrs
import pendulum
import pytest
from hypothesis import given

from sequencer.core.errors import InvalidInput
from sequencer.core.pacing import Cap
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
from sequencer.simulation.scenario import REACTIONS
from sequencer.testing.strategies import scenarios

HOUR = Span.fixed(hours=1)
YAM = {"first": "2026-05-31", "last": "2026-05-01"}
MAY = {"first": "2026-05-01", "last": "2026-05-31"}
AWAY: Any = Reaction(away=HOUR)
MARCH = pendulum.datetime(2026, 3, 1)

REFUSED = {
    "a name that is blank": (lambda: Scenario(name=" "), "name", "blank"),
    "a name that is none": (lambda: Scenario(name=None), "name", "invalid_type"),
    "tasks that are none": (lambda: Scenario(tasks=None), "tasks", "invalid_type"),
    "mails as a mapping": (lambda: Scenario(mails={"refused": 0.1}), "mails", "invalid_type"),
    "an unknown zone": (lambda: Scenario(timezones={"Mars": 1}), "timezone", "unknown_timezone"),
    "zones without weights": (lambda: Scenario(timezones=["UTC"]), "timezones", "invalid_type"),
    "a weight of nothing": (lambda: Scenario(timezones={"UTC": 0}), "timezones.UTC", "out_of_range"),
    "a weight that is no number": (lambda: Scenario(timezones={"UTC": "1"}), "timezones.UTC", "out_of_range"),
    "a weight that is not finite": (lambda: Scenario(timezones={"UTC": float("nan")}), "timezones.UTC", "out_of_range"),
    "no actors": (lambda: Actors(count=0), "actors.count", "out_of_range"),
    "half an actor": (lambda: Actors(count=0.5), "actors.count", "invalid_type"),
    "no leads each": (lambda: Actors(leads_each=0), "actors.leads_each", "out_of_range"),
    "actors said twice": (lambda: Actors(count=2, leads_each=5), "actors.leads_each", "one_of_two"),
    "nobody arrives": (lambda: Arrivals(over_days=0), "arrive.over", "out_of_range"),
    "arriving on no day": (lambda: Arrivals(days=[]), "days", "empty_window"),
    "arriving before it opens": (lambda: Arrivals(opens="18:00"), "closes", "empty_window"),
    "arriving on a day that is none": (lambda: Arrivals(days=["monday"]), "days", "invalid_weekday"),
    "arriving at no time": (lambda: Arrivals(opens="8"), "opens", "invalid_time"),
    "a desk at night": (lambda: Desk(opens="22:00", closes="06:00"), "closes", "empty_window"),
    "a desk nowhere": (lambda: Desk(timezone="Mars"), "timezone", "unknown_timezone"),
    "a chance of 3": (lambda: Reaction(chance=3), "chance", "out_of_range"),
    "a chance that is not finite": (lambda: Reaction(chance=float("nan")), "chance", "out_of_range"),
    "a chance as text": (lambda: Reaction(chance="0.1"), "chance", "invalid_type"),
    "a true chance": (lambda: Reaction(chance=True), "chance", "invalid_type"),
    "no chances": (lambda: Reaction(chance=[]), "chance", "invalid_length"),
    "201 chances": (lambda: Reaction(chance=[0.1] * 201), "chance", "invalid_length"),
    "after a number": (lambda: Reaction(after=5), "after", "invalid_type"),
    "away for a number": (lambda: Reaction(away=5), "away", "invalid_type"),
    "an unknown reaction": (lambda: Mails(reactions={"laughed": Reaction()}), "mails", "unknown_key"),
    "a reaction that is none": (lambda: Mails(reactions={"replied": 0.1}), "mails.replied", "invalid_type"),
    "reactions as a list": (lambda: Mails(reactions=[Reaction()]), "mails", "invalid_type"),
    "away after a reply": (lambda: Mails(reactions={"replied": AWAY}), "mails.replied.away", "unknown_key"),
    "a share above 1": (lambda: Mails(refused=1.1), "mails.refused", "out_of_range"),
    "no share": (lambda: Mails(deferred=None), "mails.deferred", "invalid_type"),
    "steps as a list": (lambda: Mails(steps=[1]), "mails.steps", "invalid_type"),
    "a step that is true": (lambda: Mails(steps={True: {}}), "mails.steps", "invalid_type"),
    "a step of two lines": (lambda: Mails(steps={"a\nb": {}}), "mails.steps", "invalid_text"),
    "a reaction that no step knows": (lambda: Mails(steps={1: {"x": Reaction()}}), "mails.steps.1", "unknown_key"),
    "no reactions of a step": (lambda: Mails(steps={1: AWAY}), "mails.steps.1", "invalid_type"),
    "seasons that are none": (lambda: Mails(seasons=None), "seasons", "invalid_type"),
    "a season as a mapping": (lambda: Mails(seasons=[MAY]), "seasons[0]", "invalid_type"),
    "a season backwards": (lambda: Season(**YAM, times=1), "season.last", "out_of_order"),
    "a season of too much": (lambda: Season(**MAY, times=101), "season.times", "out_of_range"),
    "a season of no number": (lambda: Season(**MAY, times="half"), "season.times", "invalid_type"),
    "a date that is none": (lambda: Season(first="May", last="June", times=1), "date", "not_a_date"),
    "an outage backwards": (lambda: Outage(begins=MARCH.add(hours=1), ends=MARCH), "outage.ends", "out_of_order"),
    "an outage of no time": (lambda: Outage(begins=MARCH, ends=MARCH), "outage.ends", "out_of_order"),
    "an outage without a zone": (lambda: Outage(begins=datetime(2026, 1, 1), ends=MARCH), "at", "naive_datetime"),
    "an outage as text": (lambda: Outage(begins="2026-01-01", ends=MARCH), "at", "not_an_instant"),
    "outages that are no list": (lambda: Mails(outages=5), "outages", "invalid_type"),
    "leave backwards": (lambda: Leave(**YAM), "leave.last", "out_of_order"),
    "leave of nobody": (lambda: Leave(**MAY, actor=""), "leave.actor", "invalid_length"),
    "leave of half": (lambda: Leave(**MAY, actor=1.5), "leave.actor", "invalid_type"),
    "leaves as text": (lambda: Tasks(leave="May"), "leave", "invalid_type"),
    "a task in a number": (lambda: Tasks(take=5), "tasks.take", "invalid_type"),
    "tasks never and more": (lambda: Tasks(never=2), "tasks.never", "out_of_range"),
    "tasks at no desk": (lambda: Tasks(desk="09:00"), "tasks.desk", "invalid_type"),
    "habits as a number": (lambda: Tasks(steps={"call": 0.5}), "tasks.steps", "invalid_type"),
    "habits of a step that is none": (lambda: Tasks(steps={None: TaskHabits()}), "tasks.steps", "invalid_type"),
    "habits of a step too far": (lambda: Tasks(steps={200: TaskHabits()}), "tasks.steps", "out_of_range"),
    "habits as a list": (lambda: Tasks(steps=[TaskHabits()]), "tasks.steps", "invalid_type"),
    "habits of no span": (lambda: TaskHabits(take=5), "take", "invalid_type"),
    "habits of no share": (lambda: TaskHabits(never=-1), "never", "out_of_range"),
    "downtime that is no list": (lambda: Worker(downtime=MARCH), "downtime", "invalid_type"),
    "catch-up as a number": (lambda: Worker(catch_up=4), "worker.catch_up", "invalid_type"),
    "a cap as a number": (lambda: Caps(default=300), "caps.default", "invalid_type"),
    "a cap of an actor as a number": (lambda: Caps(actors={7: 300}), "caps.actors", "invalid_type"),
    "a cap of nobody": (lambda: Caps(actors={None: Cap()}), "caps.actors", "invalid_type"),
    "caps as a list": (lambda: Caps(actors=[Cap()]), "caps.actors", "invalid_type"),
    "an unknown way out": (lambda: Blocked(then="shrug"), "blocked.then", "invalid_value"),
    "a way out that is none": (lambda: Blocked(then=["skip"]), "blocked.then", "invalid_value"),
    "a way out after a number": (lambda: Blocked(after=5), "blocked.after", "invalid_type"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "path", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(make, path, code):
    """What a scenario cannot be is refused with `InvalidInput`, whose path and code say what is wrong."""
    with pytest.raises(InvalidInput) as caught:
        make()

    assert (caught.value.path, caught.value.code) == (path, code)


def test_the_ordinary_world():
    """By default a few answer, most tasks are done within two days at the desk, and caps are the engine's own."""
    scenario = Scenario()

    assert [scenario.mails.reactions[kind].of_mail(0) for kind in REACTIONS] == [0.03, 0.005, 0.002, 0.01, 0.0, 0.01]
    assert [scenario.mails.reactions["replied"].of_mail(n) for n in (0, 1, 2, 9)] == [0.03, 0.02, 0.01, 0.01]
    assert scenario.tasks.take.drawn(0.5) == 3 * 3600
    assert scenario.tasks.take.desk
    assert scenario.caps.of(7) == Cap()
    assert scenario.worker == Worker(downtime=(), catch_up=None)
    assert scenario.actors.among(1000) == 5


@pytest.mark.parametrize(("leads", "actors"), [(0, 1), (1, 1), (200, 1), (201, 2), (1000, 5)])
def test_one_actor_for_each_200_leads(leads, actors):
    """So many leads, begun or full, have one actor; and there always is one."""
    assert Actors().among(leads) == actors
    assert Actors(count=3).among(leads) == 3


def test_a_quiet_world():
    """In a quiet world nobody does anything about a mail, nothing is refused, and nothing is capped."""
    quiet = Scenario.quiet(tasks_take=HOUR)

    assert {chance for each in quiet.mails.reactions.values() for chance in each.chance} == {0}
    assert (quiet.mails.refused, quiet.mails.deferred, quiet.caps.of(1)) == (0, 0, None)
    assert quiet.tasks.take == HOUR


def test_what_is_not_said_of_a_reaction_is_as_usual():
    """A reaction that is left out is as usual; one without a time has that of its kind, or of all steps."""
    mails = Mails(
        reactions={"replied": Reaction(chance=0.5, after=HOUR), "bounced": Reaction(chance=1)},
        steps={"hello": {"replied": Reaction(chance=1), "bounced": Reaction(after=HOUR)}},
    )
    usual = Mails().reactions

    assert tuple(mails.reactions) == REACTIONS
    assert mails.reactions["converted"] == usual["converted"]
    assert mails.reactions["bounced"] == Reaction(chance=1, after=usual["bounced"].after)
    assert mails.steps["hello"]["replied"] == Reaction(chance=1, after=HOUR)
    assert mails.steps["hello"]["bounced"] == Reaction(chance=0, after=HOUR)


def test_each_value_has_one_spelling():
    """Days, times, dates, instants and lists are kept in one form, however they were given."""
    assert Desk(days=["fri", "mon"], opens=time(9), closes="17:00:00") == Desk(days=("mon", "fri"))
    assert Leave(first="2026-05-01", last=date(2026, 5, 1)).first == date(2026, 5, 1)
    outage = Outage(begins=datetime(2026, 1, 1, tzinfo=UTC), ends=pendulum.datetime(2026, 1, 1, 2, tz="Europe/Warsaw"))
    assert outage.ends == pendulum.datetime(2026, 1, 1, 1)
    assert Tasks(leave=[]) == Tasks(leave=())
    assert list(Scenario(timezones={"UTC": 1, "Asia/Tokyo": 2}).timezones) == ["Asia/Tokyo", "UTC"]


@given(scenarios())
def test_scenarios_are_values(scenario):
    """A scenario that is copied or pickled is equal to itself, and has the same hash."""
    for again in (copy.deepcopy(scenario), pickle.loads(pickle.dumps(scenario)), attrs.evolve(scenario)):
        assert again == scenario
        assert hash(again) == hash(scenario)
