"""Answers are the counts of the events and of nothing else, and add up in any order."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.enrollment import Enrollment
from sequencer.core.events import Event, replay
from sequencer.core.instants import LAST, later_by
from sequencer.core.sequence import AutomatedEmail, Sequence, Step
from sequencer.core.timeline import overdue_at
from sequencer.definitions.leads import Lead
from sequencer.simulation.answers import Answers
from sequencer.simulation.study import Study, simulate, simulate_part
from tests.simulation.stories import START, Story, stories
from tests.simulation.test_simulator import only, simulated


@given(stories(), st.randoms(use_true_random=False))
def test_counts_add_up_in_any_order(story: Story, random: Any) -> None:
    """Merging is associative and commutative: in whatever order and tree the groups are added, the answers are one."""
    study = story.study()
    groups = range(study.population(0).groups)
    whole = simulate_part(study, 0, groups).answers.to_dict()
    heap = [simulate_part(study, 0, [group]).answers for group in groups]
    heap.append(Answers(study.sequences, study.timezone))
    while len(heap) > 1:
        random.shuffle(heap)
        one, other = heap.pop(), heap.pop()
        one.add(other)
        heap.append(one)
    assert heap[0].to_dict() == whole


def overdue(person: Enrollment, events: list[Event]) -> list[tuple[int, DateTime]]:
    """The steps that were overdue at some moment, and when they began to be: by replaying, event by event (T9)."""
    found: dict[int, DateTime] = {}
    for n, event in enumerate(events, 1):
        at = replay(person.version, events[:n])
        if at.is_finished or at.current is None:
            continue
        limit = overdue_at(at, at.current)
        until = events[n].at if n < len(events) else LAST
        if limit is not None and limit < until and at.current.position not in found:
            found[at.current.position] = max(limit, event.at)
    return sorted(found.items())


def answered(id: int, events: list[Event]) -> dict[str, bool]:
    """What somebody answers, and whether that was after the end at first: what came of their reports (L8)."""
    found: dict[str, bool] = {}
    ended = None
    for event in events:
        kind, key = event.facts.get("report", event.facts.get("kind")), str(event.facts.get("key"))
        if kind in ("replied", "meeting_booked", "converted") and ended in (None, "completed"):
            # By the mails of this enrollment; those of another may only end it.
            if key.startswith(f"{id}/"):
                found.setdefault(kind, ended == "completed")
            elif event.type == "finished":
                found.setdefault(kind, False)
        if event.type == "finished":
            ended = event.facts["reason"]
    return found


@given(stories())
def test_who_answers_is_counted_once_also_after_the_end(story: Story) -> None:
    """Counted again from the events alone, those who answer, and who run to the end without one, are the same."""
    simulator, histories = simulated(story)
    answers = simulate(story.study()).answers.to_dict()
    places = {each.id: each.version.sequence_id for each in simulator.enrollments}
    people: dict[int, Counter[str]] = {}
    for id, events in histories.items():
        counts, found = people.setdefault(places[id], Counter()), answered(id, events)
        counts.update(list(found))
        counts.update(f"{kind}_after_end" for kind, after in found.items() if after)
        ended = {event.facts["reason"] for event in events if event.type == "finished"}
        counts["completed_unanswered"] += ended == {"completed"} and not found
    for place, sequence in enumerate(answers["per_sequence"], 1):
        counts = people.get(place, Counter())
        assert sequence["people"] == {name: counts[name] for name in sequence["people"]}
        assert set(counts) - {name for name in counts if not counts[name]} <= set(sequence["people"])
        assert counts["replied"] >= sequence["outcomes"].get("replied", 0) + counts["replied_after_end"]
    assert answers["people"].items() >= sum(people.values(), Counter()).items()


@given(stories())
def test_a_naive_recount_of_the_events_comes_to_the_same(story: Story) -> None:
    """Counted again from the events alone, on the clocks of the standard library, what happened is the same."""
    simulator, histories = simulated(story)
    answers = simulate(story.study()).answers.to_dict()
    people = {each.id: each for each in simulator.enrollments}
    zone = ZoneInfo(story.sequences[0].calendar.timezone)
    days: dict[str, Counter[str]] = {}
    actors: dict[Any, Counter[str]] = {}
    steps: dict[tuple[int, int], Counter[str]] = {}
    sends: Counter[tuple[int, int]] = Counter()
    names = {"email_sent": "emails", "task_created": "tasks", "task_completed": "tasks_completed"}

    def count(at: Any, name: str, actor: Any = None) -> None:
        days.setdefault(at.astimezone(zone).date().isoformat(), Counter())[name] += 1
        if actor is not None:
            actors.setdefault(actor, Counter())[name] += 1

    for id, events in histories.items():
        person = people[id]
        place, whose = person.version.sequence_id, (person.actor_id,)
        put_off: set[int] = set()
        for event in events:
            at = event.at
            if event.type in names:
                count(at, names[event.type], whose)
            if event.type == "enrolled":
                count(at, "enrolled")
            if event.type == "finished":
                count(at, "finished")
            if event.type == "email_sent":
                local = at.astimezone(ZoneInfo(person.timezone))
                sends[local.weekday(), local.hour] += 1
            if event.type == "deferred" and event.facts.get("reason") is not None and event.position not in put_off:
                put_off.add(event.position)
                count(at, "deferred", whose)
                steps.setdefault((place, event.position), Counter())["deferred"] += 1
            if event.type in ("email_sent", "task_completed", "step_skipped"):
                name = "skipped" if event.type == "step_skipped" else "done"
                steps.setdefault((place, event.position), Counter())[name] += 1
            if event.type == "step_failed":
                steps.setdefault((place, event.position), Counter())["failed"] += 1
        for position, at in overdue(person, events):
            count(at, "overdue", whose)
            steps.setdefault((place, position), Counter())["overdue"] += 1
    for day in answers["per_day"]:
        for name in ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "finished"):
            assert day[name] == days.get(day["date"], Counter())[name], (day["date"], name)
    for actor in answers["per_actor"]:
        for name in ("emails", "tasks", "tasks_completed", "overdue", "deferred"):
            assert actor[name] == actors.get((actor["actor_id"],), Counter())[name]
    for place, sequence in enumerate(answers["per_sequence"], 1):
        for step in sequence["steps"]:
            for name in ("done", "skipped", "failed", "overdue", "deferred"):
                assert step[name] == steps.get((place, step["position"]), Counter())[name], (step["position"], name)
    for weekday, hours in enumerate(answers["sends"]):
        assert hours == [sends[weekday, hour] for hour in range(24)]


def test_days_and_hours_are_those_of_the_clocks_on_the_wall() -> None:
    """Around a clock change and a date line, mails count on the study's date and in the recipient's hour."""
    calendar = Calendar("Europe/Warsaw", working_days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    sequence = Sequence("One", [Step(AutomatedEmail(1))], calendar=calendar)
    # 2026-03-29 00:30 UTC is 01:30 in Warsaw, an hour before 01:30 UTC, which is 03:30 there.
    change = later_by(START, timedelta(days=3, hours=17, minutes=30))
    zones = ("Europe/Warsaw", "Pacific/Kiritimati", "Pacific/Pago_Pago")
    leads = [
        Lead("lead", n * 10 + hour, email=f"l{n}{hour}@example.com", timezone=zone, actor_id=1,
             enrolled_at=later_by(change, timedelta(hours=hour)))
        for n, zone in enumerate(zones) for hour in (-2, 0, 1)
    ]  # fmt: skip
    answers = simulate(Study(sequences=(sequence,), scenario=only(), start=START, leads=tuple(leads))).answers.to_dict()
    assert {each["date"]: each["emails"] for each in answers["per_day"]} == {"2026-03-28": 3, "2026-03-29": 6}
    sends = {(day, hour): n for day, hours in enumerate(answers["sends"]) for hour, n in enumerate(hours) if n}
    expected: Counter[tuple[int, int]] = Counter()
    for lead in leads:
        assert lead.enrolled_at is not None
        local = lead.enrolled_at.astimezone(ZoneInfo(str(lead.timezone)))
        expected[local.weekday(), local.hour] += 1
    assert sends == expected
    assert {(6, 1), (6, 3), (6, 14), (5, 13)} <= sends.keys()
