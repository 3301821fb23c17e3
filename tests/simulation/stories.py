"""Small stories to simulate: a few sequences, some people, and a scenario in which much happens."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.policy import Policy, Reaction, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.windows import Window
from sequencer.definitions.leads import Lead
from sequencer.simulation.population import Arrival, LeadPopulation
from sequencer.simulation.scenario import (
    REACTIONS,
    Actors,
    Blocked,
    Caps,
    Leave,
    Mails,
    Outage,
    Scenario,
    Tasks,
    Worker,
)
from sequencer.simulation.scenario import Reaction as Habit
from sequencer.simulation.spans import Span
from sequencer.simulation.study import Study

START = to_instant(datetime(2026, 3, 25, 7, tzinfo=UTC))  # the clocks of Europe change four days later
ZONES = ["UTC", "Europe/Warsaw", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]

FIXED = st.builds(
    lambda minutes, desk: Span.fixed(minutes=minutes, desk=desk), st.sampled_from([0, 1, 30, 600, 3000]), st.booleans()
)
SPANS = FIXED | st.builds(
    lambda least, more, desk: Span.between(
        Span.fixed(minutes=least, desk=desk), Span.fixed(minutes=least + more, desk=desk)
    ),
    st.integers(0, 600),
    st.integers(1, 6000),
    st.booleans(),
)
CHANCES = st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0])


@st.composite
def outages(draw: st.DrawFn) -> Outage:
    """Some hours in the first days."""
    begins = START + timedelta(minutes=draw(st.integers(-60, 6000)))
    return Outage(begins=begins, ends=begins + timedelta(minutes=draw(st.integers(1, 4000))))


CAPS = st.none() | st.builds(
    lambda emails, hours, gap, jitter, exceeding: Cap(
        emails=emails, per=timedelta(hours=hours), gap=gap, jitter=jitter, exceeding=exceeding
    ),
    st.integers(1, 4),
    st.integers(1, 48),
    st.sampled_from([0, 0, 600]),
    st.sampled_from([0, 0, 300]),
    st.sampled_from(["wait", "wait", "block"]),
)


@st.composite
def busy_scenarios(draw: st.DrawFn) -> Scenario:
    """Scenarios in which answers, failures, leave, outages and caps are likely."""
    reactions = {}
    for kind in REACTIONS:
        away = draw(st.none() | SPANS) if kind == "out_of_office" else None
        reactions[kind] = Habit(chance=(draw(CHANCES),), after=draw(SPANS), away=away)
    return Scenario(
        name="busy",
        actors=Actors(count=draw(st.integers(1, 3))),
        tasks=Tasks(
            take=draw(SPANS),
            never=draw(CHANCES),
            leave=draw(st.lists(st.builds(
                lambda actor, first, days: Leave(actor=actor, first=first, last=first + timedelta(days=days)),
                st.sampled_from([None, 1, 2]), st.dates(date(2026, 3, 20), date(2026, 4, 10)), st.integers(0, 9),
            ), max_size=2)),
        ),
        mails=Mails(
            reactions=reactions,
            refused=draw(CHANCES),
            deferred=draw(CHANCES),
            outages=draw(st.lists(outages(), max_size=2)),
        ),
        worker=Worker(
            downtime=draw(st.lists(outages(), max_size=2)),
            catch_up=draw(st.none() | st.just(CatchUp(after=timedelta(minutes=30), over=timedelta(hours=3), seed=5))),
        ),
        caps=Caps(default=draw(CAPS), actors={2: draw(CAPS)}),
        # Not at the very instant of the failure: what a host does then, and what else happens then, is in no order.
        blocked=Blocked(
            then=draw(st.sampled_from(["leave", "skip", "retry"])),
            after=draw(SPANS.filter(lambda span: min(seconds for _, seconds in span.points) > 0)),
        ),
    )  # fmt: skip


@st.composite
def designs(draw: st.DrawFn, key: str = "one") -> Sequence:
    """Sequences of mails and tasks, some with windows, holidays, texts that need fields, and policies of all kinds."""
    steps = draw(
        st.lists(
            st.builds(
                Step,
                st.builds(AutomatedEmail, st.sampled_from([1, 2]))
                | st.builds(
                    Task,
                    st.sampled_from(["Call", "Call {{ name }}"]),
                    due_after=st.just(Weekdays(1)),
                    skip_after=st.sampled_from([None, None, Hours(5), Weekdays(2)]),
                ),
                st.sampled_from([Hours(0), Hours(1), Hours(30), Weekdays(0), Weekdays(1), Weekdays(3)]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    windows = draw(st.sampled_from([(), (Window(("mon", "wed", "fri"), "09:00", "12:00"),)]))
    does = st.sampled_from(
        [Reaction("finish"), Reaction("note"), Reaction("block"), Reaction("block", duration=Hours(9))]
    )
    return Sequence(
        key.title(),
        steps,
        key=key,
        calendar=Calendar(draw(st.sampled_from(ZONES)), send_windows=windows, holidays=["2026-04-06"]),
        policy=Policy(
            on=draw(st.dictionaries(st.sampled_from(REACTIONS), does)),
            exclusive=draw(st.sampled_from(["sequence", "all"])),
            reenroll_after=draw(st.sampled_from([0, 0, 3])),
            retry=Retry(attempts=draw(st.integers(1, 3)), first=60, factor=4),
        ),
        templates=draw(st.sampled_from([{}, {1: Template("Hello {{ name }}", "There")}])),
    )


@st.composite
def people(draw: st.DrawFn) -> list[Lead]:
    """Some leads, with the same resource or the same address among them, by when they are enrolled."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(1, 6),
                st.sampled_from(["a@example.com", "b@example.com", None, "own"]),
                st.sampled_from([None, 1, 2, "x"]),
                st.sampled_from([None, *ZONES]),
                st.integers(0, 4000),
                st.sampled_from([{}, {"name": "Ada"}]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    leads = [
        Lead(
            resource_type="lead",
            resource_id=id,
            email=f"lead{id}@example.com" if email == "own" else email,
            timezone=zone,
            actor_id=actor,
            enrolled_at=START + timedelta(minutes=minutes),
            fields=fields,
        )
        for id, email, actor, zone, minutes, fields in rows
    ]
    return sorted(leads, key=lambda lead: lead.enrolled_at or START)


@attrs.frozen
class Story:
    """What is told."""

    sequences: tuple[Sequence, ...]
    leads: list[Lead]
    scenario: Scenario
    seed: int
    every: bool

    def population(self) -> LeadPopulation:
        """Its people."""
        return LeadPopulation(self.leads, self.sequences, self.scenario, START, self.every)

    def study(self, **more: Any) -> Study:
        """Itself, as a study."""
        return Study(
            sequences=self.sequences,
            scenario=self.scenario,
            start=START,
            leads=tuple(self.leads),
            seed=self.seed,
            every=self.every,
            **more,
        )

    def arrivals(self) -> list[Arrival]:
        """All of its people, beside each other, by when they arrive."""
        population = self.population()
        found = [each for group in range(population.groups) for each in population.arrivals(group)]
        return sorted(found, key=lambda each: (each.at, each.index))


def stories() -> st.SearchStrategy[Story]:
    """Stories with one or two sequences."""
    return st.builds(
        Story,
        st.tuples(designs("one")) | st.tuples(designs("one"), designs("two")),
        people(),
        busy_scenarios(),
        st.integers(0, 1000),
        st.booleans(),
    )
