"""Moving to another version: which step is which, what runs and what does not, keys, bases and replay (L1, E2, T6)."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.enrollment import Resource, initial_steps
from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.events import replay
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.matching import mark_of, marked, matches
from sequencer.core.migration import plan_migration
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task
from sequencer.core.signals import (
    Block,
    CompleteTask,
    EmailFailed,
    EmailSent,
    Migrate,
    Resume,
    Skip,
    TaskCreated,
    Withdraw,
)
from sequencer.core.statuses import StepStatus
from sequencer.core.timeline import base_of
from sequencer.stores.codec import decode_held, encode_enrollment
from sequencer.stores.records_codec import decode_event, encode_event
from sequencer.testing.laws import impersonal
from sequencer.testing.strategies import signals
from tests.core.driving import FORGETS_KEYS, KNOWS_KEYS, MONDAY, Run

WARSAW = Calendar("Europe/Warsaw")


def version_of(id, *steps, calendar=WARSAW, **fields):
    """A version of one and the same sequence."""
    return SequenceVersion(id, "S", id, Sequence("S", steps, calendar=calendar, **fields), 5)


def keyed(id, keys, hours=1):
    """A version whose steps are called by letters: capitals are tasks."""
    steps = [
        Step(Task(f"do {key}") if key.isupper() else AutomatedEmail(ord(key)), Hours(hours), key=key) for key in keys
    ]
    return version_of(id, *steps)


def begun(version, now=MONDAY):
    """An enrollment in a version, with its events."""
    decision = enroll(
        version,
        Resource("lead", 42),
        now,
        id=7,
        origin="store",
        account=None,
        actor_id=1,
        timezone="Europe/Warsaw",
        tzdata="2026a",
    )
    return decision.enrollment, list(decision.events)


def run_on(enrollment, now, most=None):
    """Hand over and finish one step after another; returns the enrollment and what was done."""
    done: list[str] = []
    while not enrollment.is_finished and (most is None or len(done) < most):
        current = enrollment.current
        now = max(now, enrollment.wake_at or now)
        enrollment = advance(enrollment, KNOWS_KEYS, now).enrollment
        key = enrollment.key_of(enrollment.current)
        if current.step.is_email:
            enrollment = advance(enrollment, EmailSent(effect_key=key, message_id=f"<{key}>"), now).enrollment
        else:
            enrollment = advance(enrollment, TaskCreated(effect_key=key, task_id=f"task {key}"), now).enrollment
            enrollment = advance(enrollment, CompleteTask(current.position), now).enrollment
        done.append(current.step.key)
    return enrollment, done, now


# -- which step is which --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["1", "2"], ["1", "2"], {0: 0, 1: 1}),
        (["1", "2"], ["2", "1"], {0: 1}),
        (["1", "t", "2"], ["t", "2", "1"], {0: 1, 1: 2}),
        (["1", "2"], ["9", "1", "2"], {1: 0, 2: 1}),
        (["1", "1"], ["1"], {0: 0}),
        (["1"], ["1", "1"], {0: 0}),
        (["a=1", "b=2"], ["b=2", "a=1"], {0: 1, 1: 0}),
        (["a=1"], ["a=2"], {0: 0}),
        (["a=1"], ["a=t"], {}),
        (["a=1"], ["b=1"], {}),
        (["1", "2"], ["a=1", "b=2"], {0: 0, 1: 1}),
        (["a=1", "b=2"], ["1", "2"], {0: 0, 1: 1}),
        (["a=1", "1"], ["1", "a=1"], {0: 1, 1: 0}),
        (["a=1", "2"], ["a=t", "1"], {}),
    ],
)
def test_which_step_is_which(old, new, expected):
    """Equal keys of a kind match wherever they are; without a key on either side what does the same, in order."""

    def steps(texts):
        made = []
        for text in texts:
            key, _, does = text.rpartition("=")
            made.append(Step(Task("t") if does == "t" else AutomatedEmail(int(does)), key=key or None))
        return tuple(made)

    assert matches(steps(old), steps(new)) == expected


STEPS = st.lists(
    st.builds(
        lambda action, after, key: (action, after, key),
        st.sampled_from([AutomatedEmail(1), AutomatedEmail(2), Task("a"), Task("b", skip_after=Weekdays(3))]),
        st.sampled_from([Hours(0), Hours(24), Weekdays(2)]),
        st.sampled_from([None, None, "a", "b", "c", "d"]),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda drawn: tuple(
        Step(action, after, key=None if key in [other for _, _, other in drawn[:i]] else key)
        for i, (action, after, key) in enumerate(drawn)
    )
)
CALENDARS = st.sampled_from(
    [WARSAW, Calendar("UTC", holidays=["2026-03-04"]), Calendar("Europe/Warsaw", working_days=["mon", "wed", "sat"])]
)


@given(STEPS, STEPS)
def test_matching_is_one_to_one_and_of_one_kind(old, new):
    """No step is two, kinds never mix, equal keys decide, and pairs without them keep their order."""
    found = matches(old, new)

    assert len(set(found.values())) == len(found)
    assert all(old[was].is_email == new[at].is_email for at, was in found.items())
    for at, was in found.items():
        assert new[at].key == old[was].key or None in (new[at].key, old[was].key)
        assert new[at].action == old[was].action or new[at].key is not None
    alike = [(at, was) for at, was in sorted(found.items()) if None in (new[at].key, old[was].key)]
    assert [was for _, was in alike] == sorted(was for _, was in alike)
    assert matches(old, old) == {at: at for at in range(len(old))}


def test_each_mark_stands_for_one_step():
    """Of steps that do the same as many are known again as were over, from the first on, and none of another key."""
    mail, keyed_mail, other = (
        Step(AutomatedEmail(1)),
        Step(AutomatedEmail(1), key="a"),
        Step(AutomatedEmail(2), key="a"),
    )
    steps = (mail, mail, mail)

    assert marked([mark_of(mail)], steps, ()) == {0}
    assert marked([mark_of(mail)] * 2, steps, ()) == {0, 1}
    assert marked([mark_of(mail)] * 2, steps, {0: 5}) == {1, 2}
    assert marked([mark_of(keyed_mail)], (mail, other), ()) == {0}
    assert marked([mark_of(keyed_mail)], (other, mail), ()) == {0}
    assert marked([mark_of(keyed_mail)], (attrs.evolve(mail, key="b"), Step(Task("t"), key="a")), ()) == set()
    assert marked([mark_of(Step(Task("a b"), key="two words"))], (Step(Task("c"), key="two words"),), ()) == {0}


# -- any life, with moves in it -------------------------------------------------------------------------------


@st.composite
def moving_lives(draw):
    """An enrollment that lives through signals and moves: each decision as (before, signal, now, decision)."""
    policy = Policy(retry=Retry(attempts=3))
    versions = [version_of(i + 1, *draw(STEPS), calendar=draw(CALENDARS), policy=policy) for i in range(3)]
    now = MONDAY + timedelta(hours=draw(st.integers(0, 24 * 9)))
    enrollment, events = begun(versions[0], now)
    said = []
    for _ in range(draw(st.integers(1, 16))):
        now += draw(st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=4), timedelta(hours=-3)]))
        if draw(st.booleans()) and enrollment.wake_at is not None:
            now = max(now, enrollment.wake_at)
        moves = draw(st.integers(0, 2)) == 0
        signal = Migrate(draw(st.sampled_from(versions))) if moves else draw(signals(enrollment=enrollment, now=now))
        try:
            decision = advance(enrollment, signal, now)
        except (IllegalTransition, InvalidInput):
            continue
        said.append((enrollment, signal, now, decision))
        enrollment, events = decision.enrollment, [*events, *decision.events]
    return versions, said, enrollment, events


def migrations(said):
    return [each for each in said if isinstance(each[1], Migrate) and each[3].changed]


@given(moving_lives())
def test_no_two_steps_of_an_enrollment_ever_have_one_key(life):
    """Over any number of moves a number means one step for ever, and a step has one number for ever (E2)."""
    _, said, _, _ = life
    lineage, step_of, number_of = itertools.count(), dict[int, int](), dict[int, int]()
    known: list[int] = []
    for before, _, _, decision in said:
        if not known:
            known = [next(lineage) for _ in before.steps]
            for step, one in zip(before.steps, known, strict=True):
                step_of[step.number], number_of[one] = one, step.number
        for event in decision.events:
            if event.type == "migrated":
                was = [event.steps.get(at, {}).get("was") for at in range(len(event.own["version"].sequence.steps))]
                known = [next(lineage) if each is None else known[each] for each in was]
        for step, one in zip(decision.enrollment.steps, known, strict=True):
            assert step_of.setdefault(step.number, one) == one
            assert number_of.setdefault(one, step.number) == step.number
            assert decision.enrollment.step_of_key(decision.enrollment.key_of(step)) is step


@given(moving_lives())
def test_a_move_keeps_the_enrollment_in_order(life):
    """After a move what is over comes first, the rest is pending, and the step in between has an estimate (L4, T7)."""
    _, said, _, _ = life
    for before, signal, now, decision in migrations(said):
        after = decision.enrollment
        assert after.version is signal.version
        assert tuple(step.step for step in after.steps) == signal.version.sequence.steps
        over = [step.is_over for step in after.steps]
        if after.is_finished:
            assert (all(over), after.finished_reason) == (True, "completed")
            continue
        assert after.state == before.state
        assert after.position == over.index(False)
        assert not any(over[after.position :])
        assert after.current.estimated_execute_at is not None
        for step in after.steps[after.position + 1 :]:
            assert step == attrs.evolve(initial_steps(after.version)[step.position], serial=step.serial)
        assert (after.blocked_at, after.blocked_reason) == (before.blocked_at, before.blocked_reason)
        assert base_of(after, after.position, now) == base_of(before, before.position, now)
        assert not decision.effects


@given(moving_lives())
def test_what_has_begun_goes_on_untouched(life):
    """A step that was handed over stays the current one with everything that it lived through, under its key (E3)."""
    _, said, _, _ = life
    for before, _, _, decision in migrations(said):
        was, now = before.current, decision.enrollment.current
        if was.has_begun:
            assert now is not None
            assert decision.enrollment.key_of(now) == before.key_of(was)
            same = {"position", "step", "serial", "base_at"}
            if was.status is StepStatus.PENDING or was.is_withdrawable:
                same |= {"estimated_execute_at", "not_before", "not_before_reason"}
            if was.is_withdrawable:
                # It was asked for, and without a start mark has not left: it waits for its time in the new version.
                same |= {"status"}
                assert now.status is StepStatus.PENDING
            ours, theirs = attrs.asdict(was, recurse=False), attrs.asdict(now, recurse=False)
            assert {name for name in ours if ours[name] != theirs[name]} <= same


@given(moving_lives())
def test_moves_replay_and_round_trip(life):
    """A history with moves in it gives the same enrollment, also through the stored form (S2, S5, S8)."""
    versions, _, enrollment, events = life
    by_id = {version.id: version for version in versions}
    assert replay(versions[0], events) == impersonal(enrollment)
    read = [decode_event(encode_event(event), by_id.__getitem__) for event in events]
    assert read == events
    assert replay(enrollment.version, read) == impersonal(enrollment)
    row = encode_enrollment(enrollment)
    stored = decode_held(row, enrollment.version).enrollment
    assert stored == enrollment
    assert encode_enrollment(stored) == row


@given(moving_lives(), st.integers(0, 2))
def test_the_plan_is_what_happens(life, which):
    """What a plan shows is what the move then does, step by step, and a refusal is one in both (L1)."""
    versions, said, enrollment, _ = life
    now = said[-1][2] if said else MONDAY
    plan: Any = plan_migration(enrollment, versions[which], now)
    if plan.refused is not None:
        if enrollment.version is not versions[which]:
            with pytest.raises(IllegalTransition):
                advance(enrollment, Migrate(versions[which]), now)
        return
    after: Any = advance(enrollment, Migrate(versions[which]), now).enrollment

    assert plan.finishes == after.is_finished
    places = [each.position_after for each in (*plan.kept, *plan.retimed, *plan.added, *plan.passed_over)]
    assert sorted(places) == list(range(len(after.steps)))
    assert all(after.steps[each.position_after].status == "skipped" for each in plan.passed_over)
    assert all(after.steps[each.position_after].status == "pending" for each in plan.added)
    for each in (*plan.kept, *plan.retimed, *plan.added):
        step = after.steps[each.position_after]
        assert each.over == step.is_over
        if step is after.current:
            assert each.after == step.estimated_execute_at
    ahead = {step.position for step in enrollment.steps if not step.is_over}
    goes_on = {each.position_before for each in (*plan.kept, *plan.retimed)}
    assert {each.position_before for each in plan.dropped} == ahead - goes_on
    assert str(plan).startswith("Enrollment 7 (lead 42), version")
    assert set(plan.to_dict()) >= {"id", "kept", "retimed", "added", "dropped", "passed_over", "refused"}


# -- against a naive model ------------------------------------------------------------------------------------


class Naive:
    """What should happen to somebody, on paper: a list of letters, and what is done."""

    def __init__(self, keys):
        self.keys = keys
        self.done = []
        self.left = list(keys)

    def step(self):
        if self.left:
            self.done.append(self.left.pop(0))

    def move(self, keys):
        last = max((i for i, key in enumerate(keys) if key in self.done), default=-1)
        self.keys, self.left = keys, list(keys[last + 1 :])


ARRANGED = ["".join(each) for n in (1, 2, 3) for each in itertools.permutations("aBc", n)]


@pytest.mark.parametrize("new", ARRANGED)
def test_every_small_move(new):
    """From every arrangement of up to three steps, with any of them done, to every other: as on paper (L1, L4)."""
    cases = 0
    for old in ARRANGED:
        for steps in range(len(old)):
            paper = Naive(old)
            enrollment, done, now = run_on(begun(keyed(1, old))[0], MONDAY, steps)
            for _ in range(steps):
                paper.step()
            paper.move(new)
            moved = advance(enrollment, Migrate(keyed(2, new)), now).enrollment
            finished, rest, _ = run_on(moved, now)
            while paper.left:
                paper.step()
            assert [*done, *rest] == paper.done, (old, steps, new)
            assert finished.finished_reason == "completed"
            cases += 1
    assert cases == 33


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 3), st.permutations("aBcdE"), st.integers(1, 5)), min_size=1, max_size=6))
def test_over_any_number_of_moves_everybody_gets_each_step_once_and_in_order(moves):
    """Through versions that drop steps, bring them back and change places, nothing is done twice (L1, L4)."""
    paper = Naive("aBc")
    enrollment, done, now = begun(keyed(1, "aBc"))[0], [], MONDAY
    for i, (steps, order, length) in enumerate(moves, start=2):
        new = "".join(order[:length])
        enrollment, more, now = run_on(enrollment, now, steps)
        for _ in range(steps):
            paper.step()
        done += more
        if enrollment.is_finished:
            break
        enrollment = advance(enrollment, Migrate(keyed(i, new)), now).enrollment
        paper.move(new)
    enrollment, more, _ = run_on(enrollment, now)
    while paper.left:
        paper.step()

    assert done + more == paper.done
    assert len(set(paper.done)) == len(paper.done)


# -- by hand --------------------------------------------------------------------------------------------------


def after(enrollment: Any, id: int, *steps: Step, now: Any, **fields: Any) -> Any:
    return advance(enrollment, Migrate(version_of(id, *steps, **fields)), now).enrollment


def test_what_is_finished_stays():
    """A finished enrollment is in its version for ever (L3)."""
    finished, _, now = run_on(begun(keyed(1, "a"))[0], MONDAY)
    with pytest.raises(IllegalTransition, match="stays in its version"):
        advance(finished, Migrate(keyed(2, "ab")), now)
    assert plan_migration(finished, keyed(2, "ab"), now).refused == "it is finished"


def test_the_version_that_it_is_in_is_already_so():
    """Moving to its own version changes nothing (L10)."""
    enrollment, _ = begun(keyed(1, "ab"))
    assert not advance(enrollment, Migrate(enrollment.version), MONDAY).changed


def test_another_sequence_is_refused():
    """A version of another sequence is bad input."""
    enrollment, _ = begun(keyed(1, "ab"))
    other = attrs.evolve(keyed(2, "ab"), sequence_id=6)
    with pytest.raises(InvalidInput, match="version"):
        advance(enrollment, Migrate(other), MONDAY)
    with pytest.raises(InvalidInput, match="version"):
        plan_migration(enrollment, other, MONDAY)


def test_a_step_that_is_passed_over_is_no_base():
    """The delay of the current step counts from the last that was really over, not from the move (T6)."""
    one, two = Step(AutomatedEmail(1), key="a"), Step(AutomatedEmail(2), Hours(48), key="b")
    enrollment, _, now = run_on(begun(version_of(1, one, two))[0], MONDAY, 1)
    new = Step(AutomatedEmail(9), Hours(1), key="n")
    moved = after(enrollment, 2, new, one, two, now=now + timedelta(hours=10))

    assert [step.status.value for step in moved.steps] == ["skipped", "completed", "pending"]
    assert moved.current.estimated_execute_at == enrollment.current.estimated_execute_at == now + timedelta(hours=48)
    again = after(moved, 3, one, new, two, now=now + timedelta(hours=12))
    assert again.current.step is new
    assert again.current.estimated_execute_at == now + timedelta(hours=12)
    assert again.current.not_before_reason == "moved"
    # What comes in between is no base either, when it is passed over after what was over.
    begun_task, _, _ = run_on(begun(version_of(1, one, Step(Task("t"), Hours(1), key="t")))[0], MONDAY, 1)
    later = MONDAY + timedelta(hours=1)
    begun_task = advance(begun_task, KNOWS_KEYS, later).enrollment
    moved = after(begun_task, 2, one, new, Step(Task("t"), Hours(1), key="t"), two, now=later + timedelta(hours=5))
    assert [step.status.value for step in moved.steps] == ["completed", "skipped", "requested", "pending"]
    assert moved.current.base_at == MONDAY


@pytest.mark.parametrize("hours", [1, 24, 72])
def test_a_changed_delay_counts_from_the_same_base(hours):
    """The estimate is made anew from where the old one counted; what is past by now is due now, not overdue (T7)."""
    one, two = Step(AutomatedEmail(1), key="a"), Step(AutomatedEmail(2), Hours(48), key="b")
    enrollment, _, now = run_on(begun(version_of(1, one, two))[0], MONDAY, 1)
    later = now + timedelta(hours=10)
    moved: Any = after(enrollment, 2, one, attrs.evolve(two, after=Hours(hours)), now=later)

    assert moved.current.estimated_execute_at == max(now + timedelta(hours=hours), later)


def test_a_changed_calendar_makes_the_estimate_anew():
    """With other working days or windows the current step goes where a step of its kind may run there (T5, T8)."""
    one, two = Step(AutomatedEmail(1), key="a"), Step(AutomatedEmail(2), Hours(48), key="b")
    enrollment, _, now = run_on(begun(version_of(1, one, two))[0], MONDAY, 1)
    assert enrollment.current is not None
    assert enrollment.current.estimated_execute_at == MONDAY + timedelta(days=2)
    holiday = Calendar("Asia/Tokyo", holidays=["2026-03-04"])
    moved = after(enrollment, 2, one, two, now=now, calendar=holiday)

    assert moved.timezone == "Europe/Warsaw"
    assert moved.current.estimated_execute_at == MONDAY + timedelta(days=3)
    again = after(enrollment, 3, one, two, now=now, calendar=Calendar("Asia/Tokyo"))
    assert again.current.estimated_execute_at == MONDAY + timedelta(days=2)


def test_a_timeline_that_leaves_the_years_is_refused():
    """A version whose last step would lie beyond the year 9000 is refused for who is near it, and named (T11)."""
    start = MONDAY.replace(year=8985)
    enrollment, _ = begun(version_of(1, Step(AutomatedEmail(1), Hours(1), key="a")), start)
    far = version_of(2, *(Step(AutomatedEmail(1), Hours(87_600), key=key) for key in "abc"))

    with pytest.raises(InvalidInput, match="9000"):
        advance(enrollment, Migrate(far), start)
    assert "9000" in refusal(enrollment, far, start)


def test_a_deferral_holds_in_the_new_version():
    """What a pause or a retry put off stays put off, with the same delay and with a shorter one (T7, E4, L6)."""
    one, two = Step(AutomatedEmail(1), key="a"), Step(AutomatedEmail(2), Hours(48), key="b")
    enrollment, _, now = run_on(begun(version_of(1, one, two))[0], MONDAY, 1)
    enrollment = advance(enrollment, Block(), now).enrollment
    enrollment = advance(enrollment, Resume(), now + timedelta(days=7)).enrollment
    assert enrollment.current is not None
    planned = enrollment.current.estimated_execute_at
    for i, delay in enumerate([Hours(48), Hours(1)], start=2):
        moved = after(enrollment, i, one, attrs.evolve(two, after=delay), now=now + timedelta(days=7))
        assert moved.current.estimated_execute_at == planned


def refusal(enrollment: Any, version: Any, now: Any) -> Any:
    return plan_migration(enrollment, version, now).refused


def test_while_blocked_a_past_estimate_is_for_the_resume_to_settle():
    """Moved while blocked, a step whose time has come resumes at once, and waits for nothing again (L6)."""
    one, two = Step(AutomatedEmail(1), key="a"), Step(AutomatedEmail(2), Hours(48), key="b")
    enrollment, _, now = run_on(begun(version_of(1, one, two))[0], MONDAY, 1)
    enrollment = advance(enrollment, Block(), now + timedelta(hours=20)).enrollment
    moved = after(enrollment, 2, one, attrs.evolve(two, after=Hours(1)), now=now + timedelta(days=1))
    assert moved.state == "blocked"
    resumed: Any = advance(moved, Resume(), now + timedelta(days=2)).enrollment
    assert resumed.current.estimated_execute_at == now + timedelta(days=2)


LAST = Step(AutomatedEmail(2), Hours(1), key="y")
REFUSED = {
    "requested": (lambda run: run.hand_over(), "its answer is out and is not in the new version; wait for that"),
    "in_progress": (lambda run: run.hand_over().accept(), "is waiting to be done and is not in"),
    "failed": (lambda run: run.hand_over().later(minutes=5).due(), "has failed and is not in the new version; skip it"),
    "retrying": (
        lambda run: run.hand_over().do(EmailFailed(effect_key=run.key(), attempt=1, permanent=False)),
        "was handed over once and will be again",
    ),
    "retried": (
        lambda run: run.hand_over().refuse(permanent=True).do(Resume()),
        "was handed over once and will be again",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_begun_must_be_in_the_new_version(name):
    """A step that was handed over holds its enrollment where it is, with a reason that says what to do first."""
    made = Step(Task("Call") if name == "in_progress" else AutomatedEmail(1), key="x")
    run = REFUSED[name][0](Run(made, LAST, handling=FORGETS_KEYS))
    target = attrs.evolve(run.version, id=2, version=2, sequence=Sequence("Outreach", [LAST]))
    before = run.enrollment

    assert REFUSED[name][1] in refusal(before, target, run.now)
    with pytest.raises(IllegalTransition, match="cannot migrate"):
        advance(before, Migrate(target), run.now)
    if name != "requested":
        skipped = advance(before, Skip(), run.now).enrollment
        skipped = attrs.evolve(skipped, steps=tuple(attrs.evolve(each, cancel_task=False) for each in skipped.steps))
        moved = advance(skipped, Migrate(target), run.now).enrollment
        assert [step.step.key for step in moved.steps] == ["y"]


def test_a_task_that_is_still_on_the_board_is_not_forgotten():
    """A step whose task is being taken off the board holds the move until that is done (L7)."""
    run = Run(Step(Task("Call"), key="x"), LAST).hand_over().accept().do(Skip())
    target = attrs.evolve(run.version, id=2, version=2, sequence=Sequence("Outreach", [LAST]))

    assert "still being taken off the board" in refusal(run.enrollment, target, run.now)


def test_what_has_begun_is_not_moved_behind_what_is_over():
    """A step in progress that would come before what is over is refused, since order could not be kept (L4)."""
    enrollment, _, now = run_on(begun(keyed(1, "aBc"))[0], MONDAY, 1)
    now = max(now, enrollment.wake_at)
    enrollment = advance(enrollment, KNOWS_KEYS, now).enrollment
    assert "comes before what is over" in refusal(enrollment, keyed(2, "Bac"), now)


def test_a_late_answer_reaches_its_step_after_a_move():
    """An acceptance that comes after steps were put before it counts for the step that was handed over (L10, E2)."""
    enrollment, _, now = run_on(begun(keyed(1, "ab"))[0], MONDAY, 1)
    now = max(now, enrollment.wake_at)
    enrollment = advance(enrollment, KNOWS_KEYS, now).enrollment
    key = enrollment.key_of(enrollment.current)
    moved = advance(enrollment, Migrate(keyed(2, "xyabz")), now).enrollment
    assert (moved.position, moved.key_of(moved.steps[1])) != (1, key)
    answered = advance(moved, EmailSent(effect_key=key, attempt=1), now).enrollment

    assert [step.status.value for step in answered.steps] == ["skipped", "skipped", "completed", "completed", "pending"]


def test_a_late_answer_to_a_step_that_is_gone_is_noted():
    """What comes for a step that the new version does not have is noted, and hits nobody else (L10)."""
    enrollment, _, now = run_on(begun(keyed(1, "abc"))[0], MONDAY, 1)
    key = enrollment.key_of(enrollment.steps[0])
    moved = advance(enrollment, Migrate(keyed(2, "bxc")), now).enrollment
    decision = advance(moved, EmailSent(effect_key=key, attempt=1), now)

    assert moved.may_have_used(key)
    assert [event.type for event in decision.events] == ["noted"]
    assert decision.enrollment.steps == moved.steps


def test_the_history_says_what_the_move_did():
    """The event names both versions and files every step by its position (T10)."""
    enrollment, _, now = run_on(begun(keyed(1, "abcd"))[0], MONDAY, 2)
    (event,) = advance(enrollment, Migrate(keyed(2, "naxd")), now).events

    assert event.type == "migrated"
    assert event.facts == {
        "from": 1, "to": 2, "kept": [1, 3], "added": [2], "passed_over": [0], "dropped": [2],
    }  # fmt: skip


def test_the_plan_prints_a_line_for_each_step():
    """A plan reads like this."""
    enrollment, _, now = run_on(begun(keyed(1, "abcd"))[0], MONDAY, 2)
    assert str(plan_migration(enrollment, keyed(2, "naxd", hours=2), now)).splitlines() == [
        "Enrollment 7 (lead 42), version 1 to 2:",
        "  keeps        step 1 a (mail 97), was step 0: over",
        "  re-times     step 3 d (mail 100): Mon 2026-03-02 16:00 CET instead of Mon 2026-03-02 14:00 CET",
        "  adds         step 2 x (mail 120): Mon 2026-03-02 14:00 CET",
        "  drops        step 2 c (mail 99): Mon 2026-03-02 13:00 CET",
        "  passes over  step 0 n (mail 110)",
    ]


@pytest.mark.parametrize("handling", [FORGETS_KEYS, KNOWS_KEYS])
def test_what_was_asked_for_but_not_handed_over_waits_for_the_new_calendar(handling):
    """A mail that is requested and has no start mark, or is withdrawn after the move, leaves on no closed day (T5)."""
    tuesdays = version_of(2, Step(AutomatedEmail(1)), calendar=Calendar("Europe/Warsaw", send_days=["tue"]))
    enrollment = advance(begun(version_of(1, Step(AutomatedEmail(1))))[0], handling, MONDAY).enrollment
    key = enrollment.key_of(enrollment.steps[0])
    assert enrollment.steps[0].status is StepStatus.REQUESTED
    moved = advance(enrollment, Migrate(tuesdays), MONDAY).enrollment
    moved = advance(moved, Withdraw(key, 1), MONDAY).enrollment

    assert (moved.steps[0].status, moved.wake_at) == (StepStatus.PENDING, MONDAY.add(days=1))
    assert moved.steps[0].estimated_execute_at == MONDAY.add(days=1)
    assert advance(moved, handling, MONDAY).effects == ()


def test_what_was_asked_for_but_not_handed_over_is_timed_anew():
    """Without a start mark it has not been handed over, so the delay of the new version counts, as planned (E3, T7)."""
    enrollment = advance(begun(keyed(1, "ab"))[0], FORGETS_KEYS, MONDAY.add(hours=1)).enrollment
    later, now = keyed(2, "ab", hours=3), MONDAY.add(hours=1)
    planned = plan_migration(enrollment, later, now)
    moved = advance(enrollment, Migrate(later), now)

    assert enrollment.steps[0].status is StepStatus.REQUESTED
    assert [event.type for event in moved.events] == ["migrated", "hand_over_withdrawn"]
    assert planned.retimed[0].after == moved.enrollment.steps[0].estimated_execute_at == MONDAY.add(hours=3)
