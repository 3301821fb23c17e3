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

from sequencer.adapters.recording import RecordingMailer
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.events import Event
from sequencer.core.instants import later_by
from sequencer.core.pacing import Cap
from sequencer.core.policy import Policy, Reaction
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.signals import Unsubscribed
from sequencer.core.statuses import StepStatus
from sequencer.definitions.leads import Lead
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted
from sequencer.simulation.answers import Answers
from sequencer.simulation.clock import ManualClock
from sequencer.simulation.forecast import Standing, StandingPopulation, forecast
from sequencer.simulation.scenario import Blocked, Caps, Scenario, Tasks
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
        except InvalidInput:
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
        mails = Counter(
            stage.get(each.enrollment_id).actor_id for each in simulator.events if each.type == "email_sent"
        )
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


# -- what may stand in a store, one by one --------------------------------------------------------------------

OPEN = Calendar("UTC", working_days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))


def told_of(people: int, scenario: Scenario, *steps: Step, **more: Any) -> Story:
    """A story of so many people, all of one actor and there from the start, and one sequence."""
    leads = [
        Lead("lead", id, email=f"lead{id}@example.com", actor_id=7, enrolled_at=START, fields={"name": "Ada"})
        for id in range(1, people + 1)
    ]
    return Story((Sequence("One", steps, key="one", calendar=OPEN, **more),), leads, scenario, 3, every=False)


def mail(hours: int = 0) -> Step:
    return Step(AutomatedEmail(1), Hours(hours))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
@pytest.mark.parametrize("hours", [0, 1, 23, 24, 30, 49, 80])
def test_mails_that_left_count_for_the_caps(kind: str, hours: int) -> None:
    """Under a cap that holds everybody up for days, who is mailed when follows from what left before the forecast."""
    scenario = attrs.evolve(only(), caps=Caps(default=Cap(emails=3, gap=600, jitter=300)))
    story = told_of(12, scenario, mail(), mail(24))
    goes_on_as_foretold(kind, story, later_by(START, timedelta(hours=hours)))
    goes_on_as_foretold(kind, story, later_by(START, timedelta(hours=hours, seconds=1)))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_addresses_that_have_opted_out_get_no_mail(kind: str) -> None:
    """Whose opting out was only noted is not mailed again: the enrollment ends instead of the next mail."""
    scenario = only(unsubscribed=0.5)
    story = told_of(12, scenario, mail(), mail(24), policy=Policy(on={"unsubscribed": Reaction("note")}))
    goes_on_as_foretold(kind, story, later_by(START, timedelta(hours=3)))
    with closing(Kept("memory", "")) as kept:
        stage = Stage(story.sequences, scenario, story.arrivals(), story.seed, kept.store, by_key=True)
        stage.run(later_by(START, timedelta(hours=3)))
        standing = forecast(kept.store, stage.clock.now())
    outcomes = simulate(Study.forecast(standing, scenario=scenario, seed=3)).answers.outcomes
    assert len(standing.suppressed) == outcomes["unsubscribed"] > 0


def test_an_address_of_which_only_a_hash_is_left_gets_no_mail_either() -> None:
    """Who has the former address of somebody who opted out is foretold what the hand-over will find (L8, S8)."""
    old = "shared@example.com"
    engine = Engine(MemoryStore(), mailer=RecordingMailer(), clock=ManualClock(START))
    engine.enroll(Sequence("A", [Step(AutomatedEmail(1), Hours(1))]), Resource("lead", 1, email=old))
    engine.update_person(Resource("lead", 1, email="new@example.com"))
    other = engine.enroll(Sequence("B", [Step(AutomatedEmail(1), Hours(1))]), Resource("lead", 2, email=old)).id
    engine.handle(Unsubscribed(key="out", resource=Resource("lead", 1)))
    standing = forecast(engine.store, engine.clock.now())

    assert standing.suppressed == ((None, old),)
    assert simulate(Study.forecast(standing, scenario=only(), seed=3)).answers.outcomes["unsubscribed"] == 1
    engine.run_until(engine.clock.now().add(days=7))
    assert engine.get(other).finished_reason == "unsubscribed"


@pytest.mark.parametrize("then", ["leave", "skip", "retry"])
@pytest.mark.parametrize("hours", [1, 30, 60])
def test_what_is_blocked_is_looked_after_in_its_time(then: str, hours: int) -> None:
    """An enrollment that a failure has blocked is left, skipped or tried again when that was to be from the failure."""
    world = only()
    scenario = attrs.evolve(
        world,
        mails=attrs.evolve(world.mails, refused=0.5, deferred=0.3),
        blocked=Blocked(then=then, after=Span.between(Span.fixed(hours=20), Span.fixed(hours=50))),
    )
    goes_on_as_foretold("memory", told_of(12, scenario, mail(), mail(24)), later_by(START, timedelta(hours=hours)))


@pytest.mark.parametrize("hours", [1, 12, 30])
def test_tasks_in_hand_are_done_when_they_were_to_be(hours: int) -> None:
    """A task takes its time from when it came to the desk, not from the forecast; some are never done."""
    scenario = attrs.evolve(
        only(), tasks=Tasks(take=Span.between(Span.fixed(hours=2), Span.fixed(hours=40)), never=0.3)
    )
    story = told_of(12, scenario, Step(Task("Call {{ name }}", skip_after=Hours(60))), mail(1))
    goes_on_as_foretold("memory", story, later_by(START, timedelta(hours=hours)))


def test_each_goes_on_in_the_version_that_it_is_in() -> None:
    """Of two versions of a sequence, each has its own steps in a forecast; who was moved goes on in the second."""
    scenario = attrs.evolve(only(replied=0.3), caps=Caps(default=Cap(emails=5)))
    story = told_of(12, scenario, mail(), mail(24), mail(24))
    (first,) = story.sequences
    second = attrs.evolve(first, steps=(mail(), mail(24), Step(Task("Call {{ name }}"), Hours(2)), mail(24)))
    stage = Stage((first, second), scenario, story.arrivals(), 3, by_key=True).run(later_by(START, timedelta(hours=30)))
    stage.engine.save(second)
    stage.engine.migrate(stage.engine.plan_migration(first, second), only=range(1, 12, 2))
    standing = forecast(stage.store, stage.clock.now())
    assert [each.key for each in standing.sequences] == ["one", "one"]
    before = stage.histories()
    simulator, foretold = gone_on(standing, story)
    ongoing = {each.id for each in standing.enrollments}
    stage.diary = [each for each in stage.diary if each[2] in ongoing]
    heapq.heapify(stage.diary)
    for id, events in stage.run().histories().items():
        assert plain(foretold.get(id, [])) == plain(events[len(before[id]) :])
    assert {each.version.version for each in simulator.enrollments} == {1, 2}


class Died(BaseException):
    """The process is gone."""


class Unheard:
    """A mailer in the midst of whose calls the process dies, but for the first few."""

    deduplicates = True

    def __init__(self, heard: int) -> None:
        self.heard = heard

    def send(self, email: Any, *, key: str, timeout: float) -> Accepted:
        self.heard -= 1
        if self.heard < 0:
            raise Died
        return Accepted(f"<{key}>")


def test_what_is_on_its_way_is_answered_at_once_and_counts_once() -> None:
    """A mail without an answer leaves at the forecast's instant, and counts for the cap as one mail, not as two."""
    clock, store = ManualClock(START), MemoryStore()
    engine = Engine(store=store, mailer=Unheard(2), clock=clock, cap=Cap(emails=4), port_threads=False)
    sequence = Sequence("One", [mail(), mail(48)], key="one", calendar=OPEN)
    for id in range(1, 7):
        engine.enroll(sequence, resource=Resource("lead", id, email=f"l{id}@example.com"), actor_id=7)
    with pytest.raises(Died):
        engine.tick()
    clock.move(hours=1)
    standing = forecast(store, clock.now())
    current = [each.current for each in standing.enrollments]
    assert sum(each is not None and each.status is StepStatus.REQUESTED for each in current) == 2
    assert len(standing.left) == 2
    scenario = attrs.evolve(only(), caps=Caps(default=Cap(emails=4)))
    trace = simulate(Study.forecast(standing, scenario=scenario, trace=True)).trace
    sent = [line[0] for line in trace if line[3] == "email_sent"]
    assert sent[:2] == [clock.now()] * 2
    # The two that wait were put off to when the first two make room, a day and a minute after these.
    assert sent[2:4] == [later_by(START, timedelta(hours=24, minutes=1))] * 2
    assert len(sent) == 10


def test_nobody_enrolled_is_nothing_to_foretell(tmp_path: Path) -> None:
    """A store without an ongoing enrollment, and an account without one, are refused with a word about why."""
    with closing(SQLiteStore(tmp_path / "crm.db")) as store:
        with pytest.raises(InvalidInput, match="nobody is enrolled") as refusal:
            forecast(store, START)
        assert (refusal.value.path, refusal.value.code) == ("store", "empty")
        engine = Engine(store=store, clock=ManualClock(START))
        sequence = Sequence("One", [mail()], calendar=OPEN)
        made = engine.account("acme").enroll(sequence, resource=Resource("lead", 1, email="ada@example.com"))
        with pytest.raises(InvalidInput, match="nobody is enrolled"):
            forecast(store, START)
        assert len(forecast(store, START, accounts=["acme", "acme"]).enrollments) == 1
        engine.account("acme").finish(made.id)
        with pytest.raises(InvalidInput, match="nobody is enrolled"):
            forecast(store, START, accounts=["acme"])


@given(known_people(), CUTS, st.integers(1, 4000))
def test_two_forecasts_on_two_days_share_their_luck(story: Story, cut: Any, minutes: int) -> None:
    """A forecast from what a forecast says will stand later comes to the same: nobody's luck hangs on who is left."""
    stage = Stage(story.sequences, story.scenario, story.arrivals(), story.seed, by_key=True).run(cut)
    later = later_by(cut, timedelta(minutes=minutes))
    try:
        standing = forecast(stage.store, stage.clock.now())
        first, ongoing = gone_on(standing, story)[1], {each.id for each in standing.enrollments}
        stage.diary = [each for each in stage.diary if each[1] == 1 and each[2] in ongoing]
        heapq.heapify(stage.diary)
        second = forecast(stage.run(later).store, later)
    except InvalidInput:
        return
    # Who comes to the end between the two may still answer in the first only.
    ended = {each.resource for each in _ended(stage)}
    if ended & {each.resource for each in second.enrollments} or _addresses(ended) & _addresses(
        each.resource for each in second.enrollments
    ):
        return
    foretold = gone_on(second, story)[1]
    assert foretold.keys() <= first.keys()
    for id, events in foretold.items():
        assert plain(events) == plain(first[id][-len(events) :])


def _ended(stage: Stage) -> list[Enrollment]:
    with stage.store.transaction(write=False) as transaction:
        return transaction.enrollments(None, state="finished")


def _addresses(resources: Any) -> set[str]:
    return {each.address for each in resources if each.address is not None}


def test_a_forecast_of_many_looks_at_each_groups_own() -> None:
    """What a group is given is its own people's: the mails that left in their names, their addresses, no others."""
    leads = [
        Lead("lead", id, email=f"lead{id}@example.com", actor_id=id % 3, enrolled_at=START, fields={"name": "Ada"})
        for id in range(1, 10)
    ]
    story = attrs.evolve(told_of(1, only(), mail(), mail(24)), leads=leads)
    stage = Stage(story.sequences, story.scenario, story.arrivals(), 3, by_key=True).run(START)
    standing = forecast(stage.store, START)
    population = Study.forecast(standing).population(0)
    assert isinstance(population, StandingPopulation)
    assert (population.groups, population.enrollments, population.first_at) == (3, 9, START)
    for group in range(3):
        own = population.standing_in(group)
        actors = {each.actor_id for each in own.enrollments}
        assert (len(actors), len(own.enrollments), len(own.left)) == (1, 3, 3)
        assert {actor for (_, actor), _ in own.left} == actors
        assert population.arrivals(group) == []
