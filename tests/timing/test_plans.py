"""T6, T7, T8 and T11 on plans: each step counts from the one before it, and waits for the calendar."""

from __future__ import annotations

import datetime as dt
import pickle
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.instants import LAST
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task
from sequencer.core.timeline import estimate, following, plan
from sequencer.testing.strategies import starts, zones
from tests.timing import oracle
from tests.timing.strategies import delays, situations

EMAIL, TASK = AutomatedEmail(1), Task("Call")


def steps(*, most: int = 8) -> st.SearchStrategy[list[Step]]:
    """Emails and tasks in any order, after any delays."""
    return st.lists(st.builds(Step, st.sampled_from([EMAIL, TASK]), delays()), min_size=1, max_size=most)


def plainly(step: Step) -> tuple[bool, tuple[str, int]]:
    """A step as the oracle reads it."""
    return step.is_email, (step.after.unit, round(step.after.n * (10_000 if step.after.unit == "hours" else 1)))


@given(situations(), steps())
def test_t6_t7_plans_are_what_the_laws_say(situation, some):
    """T6, T7: every estimate of a plan is what chaining the laws by hand gives, from the start on."""
    calendar, start = situation

    timeline = plan(Sequence("s", some, calendar=calendar), start=start)

    found = [step.estimated_execute_at for step in timeline]
    assert found == oracle.estimates(oracle.Rules.of(calendar), oracle.utc(start), [plainly(step) for step in some])
    assert [(step.position, step.step) for step in timeline] == list(enumerate(some))
    assert len(timeline) == len(some)


@given(situations(), steps())
def test_t6_each_step_counts_from_the_one_before(situation, some):
    """T6: step 0 counts from the start, step k from the estimate of step k-1, so a plan's tail is a plan of its own."""
    calendar, start = situation
    timeline = plan(Sequence("s", some, calendar=calendar), start=start)

    assert plan(Sequence("s", some[:1], calendar=calendar), start=start)[0] == timeline[0]
    if some[1:]:
        tail = plan(Sequence("s", some[1:], calendar=calendar), start=timeline[0].estimated_execute_at)
        assert [step.estimated_execute_at for step in tail] == [step.estimated_execute_at for step in timeline[1:]]


@given(situations(), steps(), st.integers(-1, 7), zones())
def test_t6_what_follows_is_the_rest_of_the_plan(situation, some, place, zone):
    """T6: what follows on a step, or on the start, is what a plan of the steps after it gives, asked once or again."""
    calendar, at = situation
    version = SequenceVersion(1, "s", 1, Sequence("s", some, calendar=calendar))
    position = min(place, len(some) - 1)

    found = following(version, zone, position, at)

    assert [each.position for each in found] == list(range(position + 1, len(some)))
    rest = some[position + 1 :]
    planned = plan(Sequence("s", rest, calendar=calendar), start=at, timezone=zone) if rest else ()
    assert [each.estimated_execute_at for each in found] == [each.estimated_execute_at for each in planned]
    assert following(version, zone, position, at) == found
    if position < 0:
        assert following(version, zone, 0, found[0].estimated_execute_at) == found[1:]


def test_what_follows_is_remembered_within_bounds():
    """Who asks the same gets the same steps; of however many instants, some thousand answers are kept, here only."""
    version = SequenceVersion(1, "s", 1, Sequence("s", [Step(EMAIL), Step(TASK, Hours(1))]))
    start, before = pendulum.datetime(2026, 3, 2, 9, tz="UTC"), pickle.dumps(version)

    assert following(version, "UTC", 0, start) is following(version, "UTC", 0, start)
    for minutes in range(5000):
        following(version, "UTC", 0, start.add(minutes=minutes))
    assert len(version.__dict__["_following_steps"]) <= 1024
    assert pickle.dumps(version) == before
    assert pickle.loads(before) == version


@given(situations(), st.builds(Step, st.sampled_from([EMAIL, TASK]), delays()), st.integers(-20_000, 40_000))
def test_t7_an_estimate_waits_for_not_before(situation, step, minutes):
    """T7: an estimate is T5 of the later of base + delay and `not_before`."""
    calendar, base = situation
    not_before = base.add(minutes=minutes)
    later = max(calendar.after(base, step.after), not_before)

    found = estimate(calendar, step, base, not_before)

    assert found == oracle.next_open(oracle.Rules.of(calendar), later, email=step.is_email)
    assert found >= not_before
    assert estimate(calendar, step, base, base) == estimate(calendar, step, base)


def test_t7_not_before_is_no_promise_of_later():
    """T7, T8: at its word: Saturday 14:00 waits for Monday 14:00, and not before Sunday 09:00 for Monday 09:00."""
    calendar, saturday = Calendar("UTC"), pendulum.datetime(2026, 3, 7, 14)

    assert estimate(calendar, Step(TASK), saturday) == pendulum.datetime(2026, 3, 9, 14)
    assert estimate(calendar, Step(TASK), saturday, pendulum.datetime(2026, 3, 8, 9)) == pendulum.datetime(
        2026, 3, 9, 9
    )


@given(situations(), steps())
def test_t8_estimates_never_decrease(situation, some):
    """T8: in a plan, estimates never decrease with position, and none lies before its base."""
    calendar, start = situation

    found = [start, *(step.estimated_execute_at for step in plan(Sequence("s", some, calendar=calendar), start=start))]

    assert found == sorted(found)


@given(situations(), steps())
def test_t8_every_planned_step_is_open(situation, some):
    """T8: every step of a plan is on a day of its kind, every email inside a window where there is one."""
    calendar, start = situation
    rules = oracle.Rules.of(calendar)

    for step in plan(Sequence("s", some, calendar=calendar), start=start):
        assert oracle.is_open(rules, step.estimated_execute_at, email=step.step.is_email)


@given(situations(), steps())
def test_t8_planning_twice_gives_the_same(situation, some):
    """T8: the same plan twice is equal, reasons and all."""
    calendar, start = situation
    sequence = Sequence("s", some, calendar=calendar)

    assert plan(sequence, start=start) == plan(sequence, start=start)


@given(situations(), zones(), steps())
def test_t6_a_plan_in_another_zone(situation, zone, some):
    """T2, T6: `timezone` plans the same rules on the clock of another zone, and the timeline says which."""
    calendar, start = situation

    timeline = plan(Sequence("s", some, calendar=calendar), start=start, timezone=zone)

    assert timeline.timezone == zone
    assert timeline.steps == plan(Sequence("s", some, calendar=calendar.in_zone(zone)), start=start).steps


@given(st.data())
def test_t6_any_aware_start_is_the_same_start(data):
    """T6, trap 2: a start is the instant that it shows, whichever zone it comes in and whichever of two equal hours."""
    zone = data.draw(zones())
    start = data.draw(starts(timezone=zone))
    sequence = Sequence("s", [Step(EMAIL), Step(TASK, Weekdays(1))], calendar=Calendar(zone))
    plain = oracle.utc(start).astimezone(ZoneInfo(zone))

    for value in (plain, start.in_timezone(zone), oracle.utc(start)):
        assert plan(sequence, start=value) == plan(sequence, start=start)


def test_t6_a_friday_afternoon_in_warsaw():
    """T6, T7: the Python door's example: an email at once, a task two working days later, over a clock change."""
    sequence = Sequence("Inbound", [Step(EMAIL), Step(TASK, Weekdays(2))], calendar=Calendar("Europe/Warsaw"))

    timeline = plan(sequence, start=pendulum.datetime(2026, 3, 27, 16, 30, tz="Europe/Warsaw"))

    assert timeline.started_at == pendulum.datetime(2026, 3, 27, 15, 30)
    assert timeline[0].estimated_execute_at == pendulum.datetime(2026, 3, 27, 15, 30)
    assert timeline[1].estimated_execute_at == pendulum.datetime(2026, 3, 31, 14, 30)
    assert type(timeline[1].estimated_execute_at) is pendulum.DateTime
    assert timeline[1].estimated_execute_at.tzinfo is pendulum.UTC


@pytest.mark.parametrize("count", [0, 201, 1000])
def test_t11_the_number_of_steps_is_refused(count):
    """T11: a sequence without steps, or with more than 200, is not built."""
    with pytest.raises(DefinitionError, match="1 to 200"):
        Sequence("s", [Step(TASK)] * count)


def test_t11_two_hundred_steps_of_the_longest_delays():
    """T11: 200 steps of the longest delays are planned, and one that leaves the year 9000 is a clear error."""
    days = Sequence("s", [Step(TASK, Weekdays(2_610))] * 200, calendar=Calendar("Europe/Warsaw"))
    hours = Sequence("s", [Step(EMAIL, Hours(87_600))] * 200)
    start = pendulum.datetime(2026, 3, 2, 10)

    assert plan(days, start=start)[199].estimated_execute_at == oracle.resolve(
        "Europe/Warsaw", dt.datetime(2026, 3, 2, 11) + dt.timedelta(days=7 * 522 * 200)
    )
    assert plan(hours, start=start)[-1].estimated_execute_at.year == 4025
    for sequence in (days, hours):
        with pytest.raises(InvalidInput) as refused:
            plan(sequence, start=start.replace(year=8000))
        assert refused.value.code == "out_of_range"


@pytest.mark.parametrize(
    "start",
    [dt.datetime(2026, 3, 2), "2026-03-02T10:00Z", None, dt.datetime(1969, 12, 31, tzinfo=dt.UTC),
     dt.datetime(9001, 1, 1, tzinfo=dt.UTC), LAST],
    ids=str,
)  # fmt: skip
def test_t11_starts_are_refused(start):
    """T11: a start that is naive, no datetime, or from which a step leaves the range is refused."""
    sequence = Sequence("s", [Step(TASK), Step(TASK, Weekdays(1))])

    with pytest.raises(InvalidInput):
        plan(sequence, start=start)


def test_t2_an_unknown_zone_is_refused():
    """T2: planning in a zone that does not exist is refused."""
    with pytest.raises(InvalidInput, match="time zone"):
        plan(Sequence("s", [Step(TASK)]), start=pendulum.datetime(2026, 3, 2), timezone="Mars/Olympus")


def test_t6_a_task_that_is_done_late_moves_what_follows():
    """T6: what counts from a task counts from when it is done, and the task keeps its own estimate."""
    sequence = Sequence("s", [Step(TASK), Step(EMAIL, Weekdays(1))], calendar=Calendar("Europe/Warsaw"))
    start = pendulum.datetime(2026, 3, 26, 10, tz="Europe/Warsaw")
    friday = pendulum.datetime(2026, 3, 27, 16, tz="Europe/Warsaw")

    timeline = plan(sequence, start, done={0: friday})

    assert (timeline[0].estimated_execute_at, timeline[0].over_at) == (start, friday)
    assert timeline[1].local == pendulum.datetime(2026, 3, 30, 16, tz="Europe/Warsaw")
    assert timeline.to_dict()["steps"][0]["done_at"] == "2026-03-27T15:00:00Z"
    assert plan(sequence, start, done={0: start}).steps[1] == plan(sequence, start).steps[1]


@pytest.mark.parametrize(
    ("done", "why"),
    [
        ({1: pendulum.datetime(2026, 4, 1)}, "is no task"),
        ({2: pendulum.datetime(2026, 4, 1)}, "is no task"),
        ({"0": pendulum.datetime(2026, 4, 1)}, "is no task"),
        ({0: pendulum.datetime(2026, 3, 1)}, "before the task is there"),
        ({0: dt.datetime(2026, 4, 1)}, "no time zone"),
    ],
    ids=["a mail", "no step", "text", "too early", "naive"],
)
def test_t6_only_tasks_are_done_and_not_too_early(done, why):
    """T6: that a mail, or a step that is not there, is done is refused, as is a task done too early."""
    sequence = Sequence("s", [Step(TASK), Step(EMAIL, Weekdays(1))])

    with pytest.raises(InvalidInput, match=why):
        plan(sequence, pendulum.datetime(2026, 3, 26), done=done)


def test_l4_no_task_is_done_after_it_was_skipped():
    """L4: a task that passes over by itself can be done up to then, and that it is done later is refused."""
    sequence = Sequence("s", [Step(Task("Call", skip_after=Weekdays(2))), Step(EMAIL, Weekdays(1))])
    start = pendulum.datetime(2026, 3, 2, 10)
    skipped = pendulum.datetime(2026, 3, 4, 10)

    assert plan(sequence, start, done={0: skipped})[1].estimated_execute_at == skipped.add(days=1)
    with pytest.raises(InvalidInput, match="skipped by itself"):
        plan(sequence, start, done={0: skipped.add(seconds=1)})
