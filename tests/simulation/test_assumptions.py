"""What a simulation takes for granted is said: all of it, in sentences, with what is so by default marked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.pacing import Cap, CatchUp
from sequencer.examples import path
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
    load_scenario,
)
from sequencer.simulation.assumptions import assumptions
from sequencer.testing.strategies import scenarios

HOUR, TWO = Span.fixed(hours=1), Span.fixed(hours=2)
WINTER = pendulum.datetime(2026, 1, 1)
LATER = pendulum.datetime(2026, 1, 2)

# A scenario in which nothing is empty, so that each field of each part has something to be changed.
RICH = Scenario(
    timezones={"Europe/Warsaw": 1, "UTC": 2},
    tasks=Tasks(
        desk=Desk(timezone="UTC"),
        leave=[Leave(actor=7, first="2026-01-01", last="2026-01-08")],
        steps={"call": TaskHabits(take=HOUR, never=0.5)},
    ),
    mails=Mails(
        reactions={"converted": Reaction(chance=0.5)},
        steps={"hello": {"out_of_office": Reaction(chance=0.5, after=HOUR, away=HOUR)}},
        seasons=[Season(first="2026-01-01", last="2026-01-08", times=2)],
        outages=[Outage(begins=WINTER, ends=WINTER.add(days=3))],
    ),
    worker=Worker(downtime=[Outage(begins=WINTER, ends=WINTER.add(days=3))], catch_up=CatchUp(seed=5)),
    caps=Caps(default=Cap(gap=60, jitter=60), actors={7: Cap(emails=5, gap=60, jitter=60)}),
    blocked=Blocked(then="retry", after=HOUR),
)

# For each field, by class: something else than what RICH has there.
OTHERWISE: dict[str, dict[str, Callable]] = {
    "Actors": {"count": lambda old: 3, "leads_each": lambda old: 100},
    "Arrivals": {"over_days": lambda old: 1, "days": lambda old: ("mon", "sun")},
    "Blocked": {"then": lambda old: "skip", "tries": lambda old: old + 1},
    "Cap": {
        "emails": lambda old: old + 1,
        "per": lambda old: timedelta(days=2),
        "gap": lambda old: timedelta(minutes=5),
        "jitter": lambda old: timedelta(minutes=5),
        "exceeding": lambda old: "block",
    },
    "CatchUp": {
        "after": lambda old: timedelta(days=1),
        "over": lambda old: timedelta(days=1),
        "seed": lambda old: old + 1,
    },
    "Desk": {"days": lambda old: ("mon",), "timezone": lambda old: "Asia/Tokyo"},
    "Leave": {"actor": lambda old: None},
    "Outage": {"begins": lambda old: LATER, "ends": lambda old: old.add(seconds=1)},
    "Reaction": {"chance": lambda old: (0.25, 0.125)},
    "Scenario": {"name": lambda old: "other", "timezones": lambda old: {"UTC": 1}},
    "Season": {"times": lambda old: 3},
    "TaskHabits": {"never": lambda old: 0.25},
    "anything": {
        "opens": lambda old: "10:00",
        "closes": lambda old: "12:00",
        "first": lambda old: "2026-01-02",
        "last": lambda old: "2026-02-02",
        "refused": lambda old: 0.25,
        "deferred": lambda old: 0.25,
        "never": lambda old: 0.25,
        "points": lambda old: [(share, seconds + 1) for share, seconds in old],
        "desk": lambda old: not old,
    },
}


def changed(value):
    """Every value that differs from this one in one field of it, however deep, with the way to that field."""
    if isinstance(value, dict):
        yield from (
            (f"{key}/{way}", {**value, key: other}) for key, each in value.items() for way, other in changed(each)
        )
    elif isinstance(value, tuple):
        for i, each in enumerate(value):
            for way, other in changed(each):
                yield f"{i}/{way}", (*value[:i], other, *value[i + 1 :])
        yield "none", ()
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            kind, old = type(value).__name__, getattr(value, field.name)
            change = OTHERWISE.get(kind, {}).get(field.name) or OTHERWISE["anything"].get(field.name)
            if old is None and field.name == "away":
                continue  # it is only said of those who are out of the office
            several = list(changed(old)) if change is None or attrs.has(type(old)) else [("otherwise", change(old))]
            assert several, f"{kind}.{field.name}: how is it changed?"
            also = {"leads_each": None} if field.name == "count" else {}
            for way, other in several:
                yield f"{kind}.{field.name}/{way}", attrs.evolve(value, **also, **{field.name: other})


CHANGED = dict(changed(RICH))
PARTS = {
    Actors, Arrivals, Blocked, Cap, Caps, CatchUp, Desk, Leave, Mails, Outage, Reaction, Scenario, Season, Span,
    TaskHabits, Tasks, Worker,
}  # fmt: skip


def test_every_field_is_changed():
    """The walk comes to every class of which scenarios are made, and to every field of each."""
    seen = {part for way in CHANGED for part in way.split("/")}

    for kind in PARTS:
        for field in attrs.fields(kind):
            assert f"{kind.__name__}.{field.name}" in seen
    assert {part.partition(".")[0] for part in seen if "." in part} == {kind.__name__ for kind in PARTS}


@pytest.mark.parametrize("way", CHANGED)
def test_every_field_has_its_part_in_a_sentence(way):
    """Whatever field of a scenario is changed, just one sentence changes, and it is not marked as default."""
    before, after = (assumptions(each, leads=1000) for each in (RICH, CHANGED[way]))
    ((one, other),) = ((one, other) for one, other in zip(before, after, strict=True) if one.says != other.says)

    assert one.name == other.name
    assert not other.default or way.endswith("/none")


def test_the_ordinary_world_is_all_default():
    """Everything that is taken for granted without a scenario is named, and marked as default."""
    said = assumptions(Scenario(), leads=1000)

    assert all(each.default for each in said)
    assert len({each.name for each in said}) == len(said) == 25


def test_what_differs_is_no_default():
    """Of a scenario that changes something about everything, nothing is marked as default but what it left alone."""
    said = {each.name: each.default for each in assumptions(attrs.evolve(RICH, name="rich"), leads=1000)}

    assert {name for name, default in said.items() if default} == {
        "actors", "arrive", "tasks", "never", "replied", "meeting_booked", "unsubscribed", "bounced", "out_of_office",
        "refused", "deferred",
    }  # fmt: skip


def test_the_sentences():
    """What a person reads of a summer with half the answers."""
    summer = load_scenario(path("scenario-slow-summer.yaml"), timezone="Europe/Warsaw")
    said = {each.name: each.says for each in assumptions(summer, leads=1000)}

    assert said["replied"] == (
        "3 % of first mails, 2 % of second, 1 % of later ones are replied to: "
        "half within 5 hours, 90 % within 2 days, all within 7 days, none before 2 minutes"
    )
    assert said["actors"] == "leads that name no actor belong to 4 actors"
    assert said["bounced"] == "1 % of first mails, 0.1 % of later ones bounce: after 1 minute"
    assert said["converted"] == "no mails lead to a conversion"
    assert said["leave"] == ("actor 2 is on leave from 2026-07-13 to 2026-07-24; everybody is on leave on 2026-08-15")
    assert said["never"] == "5 % of tasks are never done"
    assert said["desk"] == "people sit at the desk on mon to fri from 08:30 to 16:30, Europe/Warsaw"
    assert said["outages"] == "the mailer is out from 2026-07-07T07:00:00Z to 2026-07-07T10:30:00Z"
    assert said["caps"] == (
        "each actor sends at most 120 mails in 24 hours, 1 minute apart, up to 30 seconds later by chance, "
        "what exceeds it waits"
    )
    assert said["blocked"] == (
        "an enrollment that a failure has blocked is resumed to try again, 3 times at the most: "
        "after 8 hours of desk time"
    )


@given(scenarios(), st.integers(0, 10_000_000))
def test_there_are_sentences_for_every_scenario(scenario, leads):
    """Every scenario is said in sentences of one line, with the same names in the same order."""
    said = assumptions(scenario, leads=leads)

    assert [each.name for each in said] == [each.name for each in assumptions(Scenario(), leads=leads)]
    assert all(each.says.strip() and "\n" not in each.says for each in said)
