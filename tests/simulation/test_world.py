"""The world answers as it is told to: each attempt has its own luck, and what no walk could reach is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sequencer.core.errors import InvalidInput
from sequencer.core.instants import later_by
from sequencer.core.pacing import Cap
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.definitions.leads import Lead
from sequencer.simulation.comparing import differences
from sequencer.simulation.scenario import (
    Arrivals,
    Blocked,
    Caps,
    Leave,
    Mails,
    Reaction,
    Scenario,
    TaskHabits,
    Tasks,
)
from sequencer.simulation.spans import Span
from sequencer.simulation.study import Study, simulate
from tests.simulation.stories import START
from tests.simulation.test_simulator import mails, only

QUIET = only().mails.reactions


def test_what_is_retried_by_a_person_has_luck_of_its_own() -> None:
    """Half of all attempts are refused for now: of those whom people retry often enough nobody stays blocked."""
    sequence = Sequence(
        "Mail",
        [Step(AutomatedEmail(1))],
        calendar=mails(1).calendar,
        policy=Policy(retry=Retry(attempts=2, first=60, factor=2)),
    )
    scenario = Scenario(
        mails=Mails(reactions=QUIET, refused=0.0, deferred=0.5),
        blocked=Blocked(then="retry", after=Span.fixed(hours=1), tries=30),
        caps=Caps(default=None),
    )
    answers = simulate(Study(sequences=(sequence,), scenario=scenario, start=START, enrollments=300)).answers
    assert answers.outcomes == {"completed": 300}
    assert answers.to_dict()["totals"]["failed"] > 30


@pytest.mark.parametrize("days", [1, 365])
def test_arrivals_are_spread_to_the_last_day(days: int) -> None:
    """However long people arrive, they are spread evenly over it, and no crowd comes at the end."""
    scenario = Scenario(arrivals=Arrivals(over_days=days))
    study = Study(sequences=(mails(1),), scenario=scenario, start=START, enrollments=200)
    arrivals = study.population(0).arrivals(0)
    instants = [each.at for each in arrivals]
    assert max(map(instants.count, instants)) <= 3
    assert max(instants) <= later_by(START, timedelta(days=days))


def test_people_arrive_within_half_a_minute() -> None:
    """Hours of arrival are kept to the second."""
    scenario = Scenario(arrivals=Arrivals(opens="08:00", closes="08:00:30"))
    study = Study(sequences=(mails(1),), scenario=scenario, start=START, enrollments=20)
    clocks = {each.at.strftime("%H:%M") for each in study.population(0).arrivals(0)}
    assert clocks == {"08:00"}


def test_nobody_is_on_leave_for_ever() -> None:
    """Leave of ten years is waited out; a longer one is refused by its place, before anything runs."""
    leave = Leave(first=date(2026, 1, 1), last=date(2036, 1, 7), actor=1)
    sequence = Sequence("Task", [Step(Task("Call"))], calendar=mails(1).calendar)
    study = Study(sequences=(sequence,), scenario=Scenario(tasks=Tasks(leave=(leave,))), start=START, enrollments=3)
    ended_at = simulate(study).to_dict()["ended_at"]
    assert ended_at.startswith("2036-01-")
    with pytest.raises(InvalidInput) as caught:
        Tasks(leave=(leave, Leave(first=date(2026, 1, 1), last=date.max)))
    assert (caught.value.path, caught.value.code) == ("tasks.leave[1]", "out_of_range")


def test_a_step_of_the_other_kind_is_refused() -> None:
    """What a scenario says of a task does nothing for a mail, so it is refused, and the other way round."""
    sequence = Sequence("Both", [Step(AutomatedEmail(1), key="hello"), Step(Task("Call"), key="call")])
    for scenario, path in (
        (Scenario(tasks=Tasks(steps={"hello": TaskHabits(never=1.0)})), "tasks.steps.hello"),
        (Scenario(mails=Mails(steps={1: {"replied": Reaction(chance=1.0)}})), "mails.steps.1"),
    ):
        with pytest.raises(InvalidInput) as caught:
            Study(sequences=(sequence,), scenario=scenario, start=START, enrollments=1)
        assert (caught.value.path, caught.value.code) == (path, "wrong_kind")


def test_a_cap_that_blocks_has_its_days() -> None:
    """A day on which a cap blocks an enrollment is a day under a cap, as one on which it puts a mail off."""
    scenario = Scenario(mails=only().mails, caps=Caps(default=Cap(emails=1, exceeding="block")))
    leads = tuple(Lead("lead", i, email=f"l{i}@example.com", actor_id=7, enrolled_at=START) for i in range(3))
    answers = simulate(Study(sequences=(mails(1),), scenario=scenario, start=START, leads=leads)).answers.to_dict()
    (actor,) = answers["per_actor"]
    assert answers["per_sequence"][0]["blocked"] == {"quota_reached": 2}
    assert len(actor["cap_days"]) == 1


def test_a_step_that_only_one_design_has_takes_no_time_in_the_other() -> None:
    """Counts of a step stand beside 0 where the other design lacks it, but its hours stand beside nothing."""
    other = Sequence("Mails", mails(2).steps, calendar=mails(1).calendar)
    ours, theirs = (
        [simulate(Study(sequences=(each,), scenario=only(), start=START, enrollments=5)).answers.to_dict()]
        for each in (mails(1), Sequence("Mails", [*other.steps, Step(Task("Call"))], calendar=other.calendar))
    )
    *_, call = differences(ours, theirs)["per_sequence"][0]["steps"]
    assert (call["what"], call["done"]["this"], call["done"]["other"]) == ("Call", 0, 5)
    assert call["median_hours"] is None


def test_where_nobody_is_enrolled_sections_keep_their_shape() -> None:
    """What is a list in the answers is a list in what is made of several, also an empty one."""
    lead = Lead("lead", 1, email="l@example.com", start_at=later_by(START, timedelta(days=366 * 6960)))
    study = Study(sequences=(mails(200),), scenario=only(), start=START, leads=(lead,))
    result = simulate(study, runs=2).to_dict()
    assert result["outcomes"] == {"refused": 1}
    assert result["per_actor"] == result["intervals"]["per_actor"] == result["intervals"]["per_day"] == []


def test_what_came_back_is_answered_by_nobody() -> None:
    """Every mail bounces and every mail would be replied to: nobody replies."""
    reactions = {**QUIET, "bounced": Reaction(chance=1.0), "replied": Reaction(chance=1.0)}
    scenario = Scenario(mails=Mails(reactions=reactions, refused=0.0, deferred=0.0))
    answers = simulate(Study(sequences=(mails(2),), scenario=scenario, start=START, enrollments=50)).answers
    assert answers.outcomes == {"blocked": 50}
    assert answers.to_dict()["totals"].get("replied") == 0


def test_of_whom_the_scenario_speaks_in_vain_is_said() -> None:
    """Leave of an actor whom nobody belongs to, by another number or as text, stands among what is assumed."""
    leave = [Leave(actor=actor, first="2026-04-01", last="2026-04-02") for actor in (1, 9, "1")]
    scenario = Scenario(tasks=Tasks(leave=leave), caps=Caps(actors={1: Cap(emails=5), 8: None}))
    study = Study(sequences=(mails(1),), scenario=scenario, start=START, enrollments=5)
    said = {each["name"]: each["says"] for each in simulate(study).to_dict()["assumptions"]}
    assert said["strangers"] == "nobody here belongs to 9, '1', 8, of whom the scenario speaks"


def test_a_study_begins_with_the_first_who_arrives() -> None:
    """Leads who come before the start make the answer begin when they do."""
    early = later_by(START, timedelta(days=-30))
    lead = Lead("lead", 1, email="ada@example.com", enrolled_at=early)
    answer = simulate(Study(sequences=(mails(1),), scenario=only(), start=START, leads=(lead,))).to_dict()
    assert answer["start"] == "2026-02-23T07:00:00Z"
