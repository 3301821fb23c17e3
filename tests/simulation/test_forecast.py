"""A forecast goes on where a store stands: it comes to what comes of the store itself, and leaves no trace in it."""

from __future__ import annotations

import heapq
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.events import Event
from sequencer.core.instants import later_by
from sequencer.core.pacing import Cap
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.statuses import StepStatus
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted
from sequencer.simulation.answers import Answers
from sequencer.simulation.clock import ManualClock
from sequencer.simulation.forecast import Standing, forecast
from sequencer.simulation.population import Arrival
from sequencer.simulation.scenario import Caps, Scenario
from sequencer.simulation.simulator import Simulator
from sequencer.simulation.spans import Span
from sequencer.simulation.study import Study, simulate
from sequencer.stores.memory import MemoryStore
from sequencer.stores.postgres import PostgresStore
from sequencer.stores.sqlite import SQLiteStore
from tests import postgres
from tests.simulation.beside import Stage
from tests.simulation.stories import START, Story, stories
from tests.simulation.test_simulator import only, plain

CUTS = st.integers(0, 12_000).map(lambda minutes: later_by(START, timedelta(minutes=minutes)))


@st.composite
def known_people(draw: st.DrawFn, accounts: tuple[Any, ...] = (None,)) -> Story:
    """Stories whose people have an address and every field: a forecast takes that for granted."""
    story = draw(stories())
    leads = [
        attrs.evolve(
            each,
            email=each.email or f"lead{each.resource_id}@example.com",
            fields={"name": "Ada"},
            account=draw(st.sampled_from(accounts)),
        )
        for each in story.leads
    ]
    return attrs.evolve(story, leads=leads)


def gone_on(standing: Standing, story: Story) -> tuple[Simulator, dict[int, list[Event]]]:
    """What becomes of it, everybody beside each other, and everybody's history from then on."""
    study = Study.forecast(standing, scenario=story.scenario, seed=story.seed)
    simulator = Simulator(
        standing.sequences,
        scenario=story.scenario,
        world=study.world(0),
        answers=Answers(standing.sequences, study.timezone),
        keep_events=True,
    )
    simulator.suppress(standing.suppressed)
    simulator.go_on_with(standing.enrollments, standing.now, left=standing.left).run()
    return simulator, by_enrollment(simulator.events)


def by_enrollment(events: list[Event]) -> dict[int, list[Event]]:
    histories: dict[int, list[Event]] = {}
    for event in events:
        histories.setdefault(event.enrollment_id, []).append(event)
    return histories


class Kept:
    """A store of a kind, and all that it holds, for comparing."""

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.store: Any
        if kind == "memory":
            self.store = MemoryStore()
        elif kind == "sqlite":
            self.path = Path(folder, "crm.db")
            self.store = SQLiteStore(self.path)
        else:
            self.schema = postgres.new_schema()
            self.store = PostgresStore(postgres.server(), schema=self.schema)

    def contents(self) -> Any:
        if self.kind == "memory":
            return repr({name: vars(self.store._tables)[name] for name in sorted(vars(self.store._tables))})
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.path)) as connection:
                return list(connection.iterdump())
        with postgres.connect() as connection:
            asked = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1"
            names = [name for (name,) in connection.execute(asked, [self.schema]).fetchall()]
            assert names
            rows = {}
            for name in names:
                table = sql.SQL("SELECT * FROM {}").format(sql.Identifier(self.schema, name))
                rows[name] = sorted(map(repr, connection.execute(table).fetchall()))
            return rows

    def close(self) -> None:
        if self.kind != "memory":
            self.store.close()


def goes_on_as_foretold(kind: str, story: Story, cut: Any, accounts: tuple[Any, ...] = (None,)) -> None:
    """Run a story on a store to an instant, foretell the rest, and run on to the end: both rests are the same."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, closing(Kept(kind, folder)) as kept:
        stage = Stage(story.sequences, story.scenario, story.arrivals(), story.seed, kept.store, by_key=True)
        stage.run(cut)
        before = stage.histories()
        there = kept.contents()
        try:
            standing = forecast(kept.store, stage.clock.now(), accounts=accounts)
        except InvalidInput as error:
            assert error.code == "empty"
            with kept.store.transaction(write=False) as transaction:
                for account in accounts:
                    assert all(each.is_finished for each in transaction.enrollments(account))
            return
        simulator, foretold = gone_on(standing, story)
        assert kept.contents() == there
        ongoing = {each.id for each in standing.enrollments}
        # Nobody else is enrolled, and whose enrollment is over does nothing any more.
        stage.diary = [each for each in stage.diary if each[1] == 1 and each[2] in ongoing]
        heapq.heapify(stage.diary)
        after = stage.run().histories()
        for id, events in after.items():
            assert plain(foretold.get(id, [])) == plain(events[len(before.get(id, [])) :])
        assert foretold.keys() <= ongoing
        outcomes = Counter(stage.get(id).finished_reason or stage.get(id).state.value for id in ongoing)
        assert outcomes == Counter(each.finished_reason or each.state.value for each in simulator.enrollments)
        # The study is the same in groups, and its counts are those of the events.
        study = Study.forecast(standing, scenario=story.scenario, seed=story.seed, trace=True)
        result = simulate(study)
        assert [line[:4] for line in result.trace] == sorted(
            (each.at, each.enrollment_id, each.number, each.type) for each in simulator.events
        )
        answers = result.answers.to_dict()
        assert answers["enrollments"] == len(ongoing)
        mails = Counter(stage.get(each.enrollment_id).actor_id for each in simulator.events if each.type == "email_sent")
        told: Counter[Any] = Counter()
        for each in answers["per_actor"]:
            told[each["actor_id"]] += each["emails"]
        assert +told == mails
        assert sum(each["enrollments"] for each in answers["per_actor"]) == len(ongoing)
        for sequence in answers["per_sequence"]:
            assert all(each["reached"] >= each["done"] + each["skipped"] for each in sequence["steps"])


@given(known_people(), CUTS)
def test_a_store_in_memory_goes_on_as_foretold(story: Story, cut: Any) -> None:
    """What the engine makes of a store from some instant on is what was foretold then, event by event."""
    goes_on_as_foretold("memory", story, cut)


@given(known_people(accounts=(None, "acme", 7)), CUTS)
def test_several_accounts_go_on_as_foretold(story: Story, cut: Any) -> None:
    """So do several accounts together: the same ids and addresses there are other people, with luck of their own."""
    goes_on_as_foretold("memory", story, cut, (None, "acme", 7))


@settings(max_examples=15)
@given(known_people(), CUTS)
def test_a_store_in_sqlite_goes_on_as_foretold(story: Story, cut: Any) -> None:
    """The same on SQLite, of which not a row has changed by the asking."""
    goes_on_as_foretold("sqlite", story, cut)


@settings(max_examples=5)
@given(known_people(), CUTS)
def test_a_store_in_postgresql_goes_on_as_foretold(story: Story, cut: Any) -> None:
    """The same on PostgreSQL."""
    goes_on_as_foretold("postgres", story, cut)
