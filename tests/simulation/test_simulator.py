"""The simulator is the engine: it makes the same histories as the engine itself, however its people are cut."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.events import Event, replay
from sequencer.core.instants import later_by
from sequencer.core.pacing import Cap
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.timeline import plan
from sequencer.core.windows import Window
from sequencer.definitions.leads import Lead
from sequencer.simulation.population import LeadPopulation
from sequencer.simulation.scenario import REACTIONS, Actors, Caps, Mails, Reaction, Scenario
from sequencer.simulation.simulator import Simulator
from sequencer.simulation.spans import Span
from sequencer.simulation.study import Study, simulate
from tests.simulation.beside import Stage
from tests.simulation.stories import START, ZONES, Story, designs, stories


def plain(events: list[Event]) -> list[Any]:
    """Events as two histories are compared by: facts, without whose they are, and where they were read."""
    return [
        (each.number, each.at, each.type, each.position, dict(each.facts), dict(each.own), dict(each.steps))
        for each in events
    ]


def simulated(story: Story) -> tuple[Simulator, dict[int, list[Event]]]:
    """The story, simulated, and everybody's history."""
    simulator = Simulator(
        story.sequences, story.arrivals(), scenario=story.scenario, seed=story.seed, keep_events=True
    ).run()
    histories: dict[int, list[Event]] = {}
    for event in simulator.events:
        histories.setdefault(event.enrollment_id, []).append(event)
    return simulator, histories


@given(stories())
def test_the_histories_are_those_of_the_engine_itself(story: Story) -> None:
    """A story simulated, and one through worker, ports and store, make the same histories, event by event."""
    _, ours = simulated(story)
    theirs = Stage(story.sequences, story.scenario, story.arrivals(), story.seed).run().histories()
    assert ours.keys() == theirs.keys()
    for id, events in theirs.items():
        assert plain(ours[id]) == plain(events)


@given(stories())
def test_a_history_replays_to_the_same_enrollment(story: Story) -> None:
    """What a simulation leaves behind is what its events make when they are replayed."""
    simulator, histories = simulated(story)
    for each in simulator.enrollments:
        again = replay(each.version, histories[each.id])
        assert (again.state, again.position, again.revision) == (each.state, each.position, each.revision)
        assert [step.status for step in again.steps] == [step.status for step in each.steps]


@given(stories(), st.integers(1, 6))
def test_however_the_work_is_cut_it_comes_to_the_same(story: Story, parts: int) -> None:
    """In one part or in several, answers and trace are the same; and so are those of everybody beside each other."""
    study = story.study(trace=True)
    whole, cut = simulate(study, parts=1), simulate(study, parts=parts)
    assert whole.answers.to_dict() == cut.answers.to_dict()
    assert whole.trace == cut.trace
    beside = Simulator(story.sequences, story.arrivals(), scenario=story.scenario, seed=story.seed, keep_events=True)
    lines = [(each.at, each.enrollment_id, each.number) for each in beside.run().events]
    assert sorted(lines) == [line[:3] for line in whole.trace]


@given(stories(), st.none() | st.integers(0, 20_000))
def test_everybody_ends_in_exactly_one_bucket(story: Story, minutes: int | None) -> None:
    """Outcomes add up to the people, also when time is up early, and so do days, steps and actors to the totals."""
    until = None if minutes is None else later_by(START, timedelta(minutes=minutes))
    study = story.study(until=until)
    answers = simulate(study).answers.to_dict()
    people = story.arrivals()
    late = sum(each.at > (until or each.at) for each in people)
    assert answers["enrollments"] == sum(answers["outcomes"].values()) == len(people)
    assert answers["outcomes"].get("to_come", 0) == late
    for sequence in answers["per_sequence"]:
        assert sum(sequence["outcomes"].values()) == sequence["enrollments"]
        assert sum(sequence["refused"].values()) == sequence["outcomes"].get("refused", 0)
        assert sum(sequence["blocked"].values()) == sequence["outcomes"].get("blocked", 0)
        for step, after in zip(sequence["steps"], sequence["steps"][1:], strict=False):
            assert after["reached"] == step["done"] + step["skipped"] <= step["reached"]
    totals = answers["totals"]
    for name in ("emails", "tasks", "tasks_completed", "overdue", "deferred"):
        assert totals[name] == sum(each[name] for each in answers["per_actor"])
        assert totals[name] == sum(each[name] for each in answers["per_day"])
    assert totals["emails"] == sum(map(sum, answers["sends"]))
    assert totals["emails"] == sum(
        step["done"]
        for each in answers["per_sequence"]
        for step in each["steps"]
        if step["action_type"] == "automated_email"
    )


@given(designs(), st.integers(0, 100_000), st.sampled_from(ZONES))
def test_without_chance_every_lead_has_the_times_of_its_plan(sequence: Sequence, minutes: int, zone: str) -> None:
    """Nobody answers, nothing fails, tasks take no time: each step is executed at the instant that `plan` says."""
    at = later_by(START, timedelta(minutes=minutes))
    lead = Lead("lead", 1, email="ada@example.com", timezone=zone, enrolled_at=at, fields={"name": "Ada"})
    scenario = Scenario.quiet()
    population = LeadPopulation([lead], [sequence], scenario, START)
    (enrollment,) = Simulator([sequence], population.arrivals(0), scenario=scenario).run().enrollments
    planned = [each.estimated_execute_at for each in plan(sequence, at, timezone=zone)]
    assert [each.executed_at for each in enrollment.steps] == planned
    assert enrollment.finished_reason == "completed"


def mails(count: int, delay: Any = None) -> Sequence:
    """So many mails, a day apart, on a calendar that is open all day and all week."""
    calendar = Calendar("UTC", working_days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    return Sequence("Mails", [Step(AutomatedEmail(1), delay or Hours(24)) for _ in range(count)], calendar=calendar)


def only(**chances: float) -> Scenario:
    """A quiet world but for these reactions, which come at once."""
    reactions = {kind: Reaction(chance=(chances.get(kind, 0.0),), after=Span.fixed()) for kind in REACTIONS}
    return Scenario(name="only", mails=Mails(reactions=reactions, refused=0.0, deferred=0.0), caps=Caps(default=None))


def test_the_funnel_is_binomial() -> None:
    """Of those who get a mail, a share of 10 % reply: who still gets each mail lies within five standard deviations."""
    share, people = 0.1, 6_000
    study = Study(sequences=(mails(4),), scenario=only(replied=share), start=START, enrollments=people, seed=3)
    (sequence,) = simulate(study).answers.to_dict()["per_sequence"]
    for position, step in enumerate(sequence["steps"]):
        reach = (1 - share) ** position
        assert abs(step["done"] - people * reach) <= 5 * (people * reach * (1 - reach)) ** 0.5
        assert abs(step["replied"] - step["done"] * share) <= 5 * (step["done"] * share * (1 - share)) ** 0.5


@pytest.mark.parametrize(("people", "gap"), [(1, 60), (7, 60), (40, 600)])
def test_a_gap_makes_a_queue_with_fixed_service_times(people: int, gap: int) -> None:
    """All arrive at once, and a mail takes its gap: the n-th leaves n gaps later, as one server's queue has it."""
    scenario = Scenario(name="gap", mails=only().mails, caps=Caps(default=Cap(gap=gap)))
    leads = [Lead("lead", i, email=f"l{i}@example.com", actor_id=7, enrolled_at=START) for i in range(people)]
    study = Study(sequences=(mails(1, Hours(0)),), scenario=scenario, start=START, leads=leads, trace=True)
    sent = [line[0] for line in simulate(study).trace if line[3] == "email_sent"]
    assert sent == [later_by(START, timedelta(seconds=gap * n)) for n in range(people)]


@pytest.mark.parametrize("rate", [0.3, 0.8])
def test_a_queue_under_a_gap_waits_as_lindley_says(rate: float) -> None:
    """Arrivals at random and a fixed gap: each waits for the one before it and its gap, or not at all."""
    gap = 100
    scenario = Scenario(name="gap", mails=only().mails, caps=Caps(default=Cap(gap=gap)))
    times, at = [], 0
    for i in range(200):
        at += (i * 7919 % 211) * gap // int(211 * rate)
        times.append(at)
    leads = [
        Lead("lead", i, email=f"l{i}@example.com", actor_id=7, enrolled_at=later_by(START, timedelta(seconds=each)))
        for i, each in enumerate(times)
    ]
    study = Study(sequences=(mails(1, Hours(0)),), scenario=scenario, start=START, leads=leads, trace=True)
    sent = [line[0] for line in simulate(study).trace if line[3] == "email_sent"]
    free, expected = 0, []
    for each in times:
        free = max(each, free)
        expected.append(later_by(START, timedelta(seconds=free)))
        free += gap
    assert sent == expected


@pytest.mark.parametrize("emails", [1, 3, 10])
def test_a_cap_lets_a_window_full_through_each_day(emails: int) -> None:
    """All arrive at once under a cap of so many in 24 hours: each day has exactly so many, until none are left."""
    people = 25
    scenario = Scenario(name="cap", mails=only().mails, caps=Caps(default=Cap(emails=emails)))
    leads = [Lead("lead", i, email=f"l{i}@example.com", actor_id=7, enrolled_at=START) for i in range(people)]
    study = Study(sequences=(mails(1, Hours(0)),), scenario=scenario, start=START, leads=leads)
    answers = simulate(study).answers.to_dict()
    (actor,) = answers["per_actor"]
    days = -(-people // emails)
    assert [each["emails"] for each in actor["per_day"]] == [emails] * (days - 1) + [people - emails * (days - 1)]
    assert actor["deferred"] == people - emails
    assert actor["cap_days"], "the cap bites on the first day at the latest"


def test_peek_and_step_are_run_taken_apart() -> None:
    """Stepping through a simulation goes through the same instants, in order, and ends where `run` ends."""
    sequence = Sequence(
        "Both",
        [Step(AutomatedEmail(1)), Step(Task("Call"), Weekdays(1)), Step(AutomatedEmail(2), Hours(3))],
        calendar=Calendar(
            "Europe/Warsaw", send_windows=[Window(("mon", "tue", "wed", "thu", "fri"), "09:00", "17:00")]
        ),
    )
    study = Study(sequences=(sequence,), start=START, enrollments=30, seed=4)
    arrivals = study.population(0).arrivals(0)
    stepped = Simulator([sequence], arrivals, scenario=study.scenario, seed=4)
    last, seen = None, []
    while (at := stepped.peek()) is not None:
        assert last is None or at > last
        last = at
        seen += stepped.step()
        assert stepped.now == at
        assert all(event.at == at for event in seen[-1:])
    with pytest.raises(LookupError):
        stepped.step()
    whole = Simulator([sequence], arrivals, scenario=study.scenario, seed=4, keep_events=True).run()
    assert seen == whole.events
    assert stepped.enrollments == whole.enrollments


def test_run_until_leaves_the_clock_there_and_goes_on() -> None:
    """Run to an instant and then to the end comes to the same as run to the end."""
    study = Study(sequences=(mails(3),), start=START, enrollments=50, seed=1)
    arrivals = study.population(0).arrivals(0)
    halfway = later_by(START, timedelta(days=2))
    once = Simulator(study.sequences, arrivals, keep_events=True).run()
    twice = Simulator(study.sequences, arrivals, keep_events=True).run(halfway)
    assert twice.now == halfway
    assert twice.run().events == once.events


def test_another_seed_is_another_luck_and_the_same_seed_the_same() -> None:
    """Seeds differ in who replies; the same seed gives the same trace, line by line."""
    runs = [
        list(simulate(Study(sequences=(mails(3),), start=START, enrollments=300, seed=seed, trace=True)).trace_lines())
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_a_person_has_the_same_luck_in_another_design() -> None:
    """Common random numbers: with a step put in between, the same people reply to the same mails."""

    def design(*between: Step) -> Sequence:
        steps = [Step(AutomatedEmail(1)), *between, Step(AutomatedEmail(2), Hours(24))]
        return Sequence("Design", steps, calendar=mails(1).calendar)

    def replied(sequence: Sequence) -> Counter[int]:
        study = Study(sequences=(sequence,), scenario=only(replied=0.2), start=START, enrollments=500, seed=9)
        found: Counter[int] = Counter()
        for group in range(study.population(0).groups):
            simulator = Simulator(study.sequences, study.population(0).arrivals(group), scenario=study.scenario, seed=9)
            for each in simulator.run().enrollments:
                sent = [step.step.action.template_id for step in each.steps if step.message_id]  # type: ignore[union-attr]
                found[int(each.resource.id)] = len(sent) if each.finished_reason == "replied" else 0
        return found

    assert replied(design()) == replied(design(Step(Task("Call"), Hours(1))))


@pytest.mark.parametrize("actors", [1, 2, 3, 4])
@pytest.mark.parametrize("several", [2, 3, 4])
@pytest.mark.parametrize("made_up", [True, False])
def test_every_actor_gets_every_sequence(actors: int, several: int, made_up: bool) -> None:
    """Leads are dealt out to actors and to sequences, neither goes with the other: all pairs are alike in number."""
    people = actors * several * 3
    sequences = [attrs.evolve(mails(1), key=f"s{n}") for n in range(several)]
    leads = None if made_up else [Lead("lead", n, email=f"l{n}@example.com") for n in range(people)]
    study = Study(
        sequences=sequences,
        scenario=Scenario(actors=Actors(count=actors)),
        start=START,
        leads=leads,
        enrollments=people if made_up else None,
    )
    population = study.population(0)
    pairs = Counter(
        (each.row.actor_id, each.sequence) for group in range(population.groups) for each in population.arrivals(group)
    )
    assert len(pairs) == actors * several
    assert set(pairs.values()) == {3}


def test_a_scenario_may_speak_of_a_step_that_only_the_other_design_has() -> None:
    """What is compared may name the steps of both; what neither has is refused."""
    one, other = mails(1), mails(3)
    scenario = Scenario(mails=Mails(steps={2: {"replied": Reaction(chance=1.0)}}))
    common: dict[str, Any] = {"scenario": scenario, "start": START, "enrollments": 3}
    with pytest.raises(InvalidInput, match="no sequence has a step 2"):
        Study(sequences=[one], **common)
    study = Study(sequences=[one], beside=[other], **common)
    assert Study(sequences=[other], beside=[one], **common).beside == study.sequences
