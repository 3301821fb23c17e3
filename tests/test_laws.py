"""The laws of the lifecycle, of effects and of storage, one property each, over any life of an enrollment.

Timing has its own folder (`tests/timing`), the engine beside a model another (`tests/model`). Here each law of L, E and
S is held against what random signals, in any order, make of enrollments: in the core alone where that is enough, in
both stores where it is about storing.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sequencer import (
    AlreadyEnrolled,
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    IllegalTransition,
    InvalidInput,
    ManualClock,
    MemoryStore,
    NotFound,
    RecordingMailer,
    Replied,
    Resource,
    Retry,
    Sequence,
    SequenceVersion,
    SQLiteStore,
    Step,
    Task,
    Unsubscribed,
    Weekdays,
    replay,
)
from sequencer.core.effects import CancelTask
from sequencer.core.events import Event
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.policy import Policy
from sequencer.core.signals import OUTSIDE, Block, Finish, Resume, Start
from sequencer.core.statuses import EMAIL_TABLE, ENROLLMENT_TABLE, TASK_TABLE
from sequencer.core.timeline import is_due, seen_at
from sequencer.testing.laws import impersonal
from sequencer.testing.strategies import signals
from tests import postgres
from tests.core.driving import MONDAY

STEPS = st.lists(
    st.one_of(
        st.builds(lambda after: Step(AutomatedEmail(1), after), st.sampled_from([Hours(0), Hours(24), Weekdays(2)])),
        st.builds(
            lambda after, skip: Step(Task("Call", skip_after=skip), after),
            st.sampled_from([Hours(0), Weekdays(1)]),
            st.sampled_from([None, Weekdays(3)]),
        ),
    ),
    min_size=1,
    max_size=5,
)

ADA = Resource("lead", 1, email="ada@example.com", fields={"first_name": "Ada"})
MAILS = Sequence(
    "Mails", [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), Hours(24)), Step(AutomatedEmail(3), Weekdays(2))]
)


@attrs.frozen
class Said:
    """One signal in a life: before it, what was said and when, and after it."""

    before: object
    signal: object
    now: object
    after: object
    effects: tuple
    events: tuple[Event, ...]
    refused: Exception | None = None


@st.composite
def lives(draw, most=14):
    """A version, and everything that was said to one enrollment in it, refusals included."""
    sequence = Sequence("Any", draw(STEPS), calendar=Calendar("Europe/Warsaw"), policy=Policy(retry=Retry(attempts=3)))
    version = SequenceVersion(3, "Any", 1, sequence, 5)
    now = MONDAY + timedelta(hours=draw(st.integers(0, 24 * 30)))
    began = enroll(
        version, ADA, now, id=1, origin="store", account=None, actor_id=1, timezone="Europe/Warsaw", tzdata="2026a"
    )
    enrollment, said = began.enrollment, [Said(None, None, now, began.enrollment, (), began.events)]
    for _ in range(draw(st.integers(1, most))):
        now += draw(st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=4), timedelta(days=-1)]))
        if draw(st.booleans()) and enrollment.wake_at is not None:
            now = max(now, enrollment.wake_at)
        signal = draw(signals(enrollment=enrollment, now=now))
        try:
            decision = advance(enrollment, signal, now)
        except (IllegalTransition, InvalidInput) as error:
            said.append(Said(enrollment, signal, now, enrollment, (), (), error))
            continue
        said.append(Said(enrollment, signal, now, decision.enrollment, decision.effects, decision.events))
        enrollment = decision.enrollment
    return version, said


def later(said):
    return said[1:]


# -- T9: due and overdue --------------------------------------------------------------------------------------


@given(lives(), st.integers(-48, 24 * 14))
def test_t9_due_needs_an_open_calendar_and_overdue_a_tolerance(life, hours):
    """A step is due at its estimate if a mail may leave then, and overdue only past its tolerance (T9)."""
    last = life[1][-1]
    assume(last.after.current is not None and last.after.current.estimated_execute_at is not None)
    step, now = last.after.current, last.after.current.estimated_execute_at + timedelta(hours=hours)
    is_open = not step.step.is_email or last.after.calendar.is_open(now)
    limit = last.after.calendar.after(step.estimated_execute_at, getattr(step.step.action, "due_after", Hours(1)))
    seen = seen_at(last.after, now)

    if last.after.state == "active" and step.status == "pending":
        assert is_due(last.after, now) == (hours >= 0 and is_open)
    assert seen.steps[step.position].overdue == (now > limit and not last.after.is_finished)
    assert not any(each.overdue for each in seen.steps if each.position != step.position)


# -- L: lifecycle ---------------------------------------------------------------------------------------------


@given(lives())
def test_l1_the_snapshot_never_changes(life):
    """Whatever happens but a move, an enrollment refers to the version and to the steps that it began with (L1)."""
    version, said = life
    for each in said:
        assert each.after.version is version
        assert tuple(step.step for step in each.after.steps) == version.sequence.steps


@given(lives())
def test_l2_every_status_is_reached_along_an_edge(life):
    """A status changes by a trigger of its machine, and in no other way (L2, L10)."""
    for each in later(life[1]):
        for event in each.events:
            for position, fields in event.steps.items():
                if "status" in fields:
                    table = EMAIL_TABLE if each.after.steps[position].step.is_email else TASK_TABLE
                    assert fields["status"] in table.values()
        for old, new in zip(each.before.steps, each.after.steps, strict=True):
            if old.status != new.status and len(each.events) == 1:
                table = EMAIL_TABLE if old.step.is_email else TASK_TABLE
                assert new.status in {to for (at, _), to in table.items() if at == old.status}


@given(lives())
def test_l3_finished_is_final(life):
    """The state follows its machine, and nothing leaves `finished` (L3)."""
    for each in later(life[1]):
        if each.before.state != each.after.state and len(each.events) == 1:
            assert each.after.state in {to for (at, _), to in ENROLLMENT_TABLE.items() if at == each.before.state}
        assert not each.before.is_finished or each.after.is_finished


@given(lives())
def test_l4_only_the_current_step_is_handed_over_or_skipped(life):
    """Steps are over in order, and an effect that hands over is always about the first that is not (L4)."""
    for each in life[1]:
        over = [step.is_over for step in each.after.steps]
        if not each.after.is_finished:
            assert over == sorted(over, reverse=True)
            assert each.after.position == sum(over)
        for effect in each.effects:
            assert isinstance(effect, CancelTask) or effect.position == each.before.position


@given(lives())
def test_l5_every_blocked_enrollment_names_its_reason_and_hands_nothing_over(life):
    """Blocked means a reason, a moment, and no hand-over (L5)."""
    for each in life[1]:
        blocked = each.after.state == "blocked"
        assert blocked == (each.after.blocked_reason is not None) == (each.after.blocked_at is not None)
        if blocked:
            assert all(isinstance(effect, CancelTask) for effect in each.effects)


@given(lives(), st.sampled_from(["shift", "keep", "restart"]))
def test_l6_a_resumed_step_is_never_due_before_the_resume_and_what_was_planned(life, timeline):
    """Resuming what was paused plans the current step ahead of now, and never earlier than it was planned (L6)."""
    last = life[1][-1]
    assume(last.after.state == "active" and last.after.current.status == "pending")
    now = last.now
    paused = advance(last.after, Block(), now).enrollment
    resumed = advance(paused, Resume(timeline), now + timedelta(days=3)).enrollment

    assert resumed.state == "active"
    assert paused.current is not None
    assert resumed.current is not None
    assert resumed.current.estimated_execute_at >= max(paused.current.estimated_execute_at, now + timedelta(days=3))


@given(lives())
def test_l7_finish_cancels_all_but_what_has_a_start_mark(life):
    """After a finish every step is over, but for those whose hand-over has begun, which the answer decides (L7)."""
    last = life[1][-1]
    finished = advance(last.after, Finish(actor_id=3), last.now)
    for before, after in zip(last.after.steps, finished.enrollment.steps, strict=True):
        assert after.is_over or (after.status == "requested" and (before.started_at or before.awaits_report))
        assert not before.is_over or after.status == before.status
    assert {step.position for step in finished.enrollment.outstanding} == {
        step.position for step in finished.enrollment.steps if not step.is_over
    }


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(sorted(OUTSIDE))), max_size=8))
def test_l8_a_report_counts_once_for_each_key(reports):
    """The same key again changes nothing and answers the same, whatever came in between (L8)."""
    engine = Engine(MemoryStore(), mailer=RecordingMailer(), clock=ManualClock(MONDAY))
    enrollment = engine.enroll(MAILS, ADA)
    answers: dict[str, object] = {}
    for key, kind in reports:
        report = OUTSIDE[kind](key=f"{key}-{kind}", enrollment_id=enrollment.id)
        before = engine.history(enrollment.id)
        handled = engine.handle(report)
        if report.key in answers:
            assert (handled, engine.history(enrollment.id)) == (answers[report.key], before)
        answers[report.key] = handled


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["a@x.com", "B@x.com", " b@x.com", None])), max_size=8))
def test_l9_one_ongoing_enrollment_for_a_resource_and_for_an_address(leads):
    """Nobody is twice in the same sequence, by resource or by address, and the refusal names the existing one (L9)."""
    engine = Engine(MemoryStore(), clock=ManualClock(MONDAY))
    for number, email in leads:
        try:
            engine.enroll(MAILS, Resource("lead", number, email=email))
        except AlreadyEnrolled as error:
            existing = engine.get(error.existing_id).resource
            assert existing.id == number or existing.address == Resource("lead", 9, email=email).address
    ongoing = [each.resource for each in engine.enrollments()]
    addresses = [each.address for each in ongoing if each.address]

    assert len({each.id for each in ongoing}) == len(ongoing)
    assert len(set(addresses)) == len(addresses)


@given(lives())
def test_l10_a_refusal_changes_nothing_and_a_report_is_never_refused(life):
    """A request is done, already so, or refused by name; what a port or the outside says never raises (L10)."""
    for each in later(life[1]):
        if each.refused is not None:
            assert isinstance(each.refused, (IllegalTransition, InvalidInput))
            assert not hasattr(each.signal, "kind"), each.signal
        if not each.events:
            assert each.after == each.before


# -- E: effects -----------------------------------------------------------------------------------------------


@given(lives())
def test_e1_and_e2_effects_are_values_with_the_key_of_their_step(life):
    """An effect carries the key made of store, enrollment, position and generation, and the attempt beside it (E2)."""
    for each in life[1]:
        for effect in each.effects:
            if not isinstance(effect, CancelTask):
                step = each.after.steps[effect.position]
                assert effect.key == f"store-1-{effect.position}-{step.generation}"
                assert (effect.attempt, step.status) == (step.attempt, "requested")


@given(lives())
def test_e2_the_generation_rises_only_when_a_person_retries_a_refusal(life):
    """Automatic retries keep the key (E2)."""
    for each in later(life[1]):
        for old, new in zip(each.before.steps, each.after.steps, strict=True):
            if old.generation != new.generation:
                assert isinstance(each.signal, Resume)
                assert (old.status, old.refused, new.generation) == ("failed", True, old.generation + 1)


@given(lives())
def test_e3_a_start_mark_is_taken_only_for_what_is_requested_and_active(life):
    """No mark after a block or a finish, and at most one for each attempt (E3)."""
    for each in later(life[1]):
        if isinstance(each.signal, Start) and each.events:
            step = each.before.step_of_key(each.signal.effect_key)
            assert each.before.state == "active"
            assert (step.status, step.started_at, step.attempt) == ("requested", None, each.signal.attempt)


@given(lives())
def test_e4_retries_are_bounded_and_their_pauses_grow(life):
    """A step fails for good within the attempts of its policy, and each pause before it is longer (E4)."""
    pauses = []
    for each in later(life[1]):
        for event in each.events:
            if event.type == "attempt_failed":
                step = each.after.steps[event.position]
                # Between a worker's deaths and refusals there is no order: deaths are no failures.
                if step.failures == each.before.steps[event.position].failures:
                    continue
                pauses.append((event.position, step.generation, step.failures, step.not_before - event.at))
    for (*one, first), (*other, second) in itertools.pairwise(pauses):
        if one[:2] == other[:2] and other[2] == one[2] + 1:
            assert second > first


@given(lives())
def test_e6_nothing_is_handed_over_before_its_estimate(life):
    """A request is never early, whatever the clock does, and one decision hands over at most one step (E6)."""
    for each in later(life[1]):
        assert sum(not isinstance(effect, CancelTask) for effect in each.effects) <= 1
        for event in each.events:
            if event.type in ("email_requested", "task_requested"):
                assert event.at >= each.before.current.estimated_execute_at


# -- S: storage -----------------------------------------------------------------------------------------------

IN_A_FOLDER = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def new_store(request):
    """Makes an empty store, as often as asked."""
    with tempfile.TemporaryDirectory() as folder:
        made = itertools.count()
        stores: list[Any] = []

        def make():
            stores.append(
                {
                    "memory": MemoryStore,
                    "sqlite": lambda: SQLiteStore(Path(folder, f"{next(made)}.db")),
                    "postgres": postgres.new_store,
                }[request.param]()
            )
            return stores[-1]

        yield make
        for store in stores:
            store.close()


@IN_A_FOLDER
@given(leads=st.lists(st.integers(1, 50), unique=True, max_size=6))
def test_s1_what_enroll_returned_is_there_for_everybody(new_store, leads):
    """Each enrollment that was returned is found by another engine on the same store (S1)."""
    store = new_store()
    made = [Engine(store, clock=ManualClock(MONDAY)).enroll(MAILS, Resource("lead", each)) for each in leads]
    other = Engine(store, clock=ManualClock(MONDAY))

    assert [other.get(each.id) for each in made] == made


@IN_A_FOLDER
@given(life=lives(most=10))
def test_s2_and_s5_a_decision_is_stored_whole_and_replays(new_store, life):
    """What is stored after each decision is the enrollment, and its events replay to it, in every store (S2, S5)."""
    version, said = life
    store = new_store()
    with store.transaction() as transaction:
        version = transaction.save_version(None, version.sequence, MONDAY)
        (id,) = transaction.new_ids(1)
    fields = {"id": id, "origin": store.origin, "account": None, "actor_id": 1, "timezone": "UTC", "tzdata": "x"}
    began = enroll(version, ADA, MONDAY, **fields)
    with store.transaction() as transaction:
        transaction.insert([(began.enrollment, began.events)])
    enrollment = began.enrollment
    for each in later(said):
        if hasattr(each.signal, "effect_key"):
            continue
        try:
            decision = advance(enrollment, each.signal, each.now)
        except (IllegalTransition, InvalidInput):
            continue
        with store.transaction() as transaction:
            if decision.changed:
                assert transaction.save(decision.enrollment, decision.events)
                assert not transaction.save(decision.enrollment, decision.events), "compare and set"
            enrollment = transaction.get(id).enrollment
            assert enrollment == decision.enrollment
            assert replay(version, transaction.events(id)) == impersonal(enrollment)


@IN_A_FOLDER
@given(count=st.integers(1, 8), first=st.integers(1, 8))
def test_s3_and_s4_each_due_enrollment_has_one_owner(new_store, count, first):
    """Two claims share what is due and never overlap; a stale fence is refused (S3, S4)."""
    store = new_store()
    engine = Engine(store, clock=ManualClock(MONDAY))
    for number in range(count):
        engine.enroll(MAILS, Resource("lead", number))
    with store.transaction() as transaction:
        one = transaction.claim(MONDAY, first, 60)
        other = transaction.claim(MONDAY, 100, 60)
    ids = [held.enrollment.id for held in one + other]
    assert len(ids) == len(set(ids)) == count
    with store.transaction() as transaction:
        again = transaction.claim(MONDAY + timedelta(minutes=2), 100, 60)
        assert len(again) == count
        assert all(transaction.look(held.enrollment, held.fence, None) is None for held in one + other)


@IN_A_FOLDER
@given(start=st.sampled_from(["2026-03-02", MONDAY.naive(), 5]), zone=st.sampled_from(["Mars/Base", "", "../etc", 7]))
def test_s6_bad_input_is_refused_whole(new_store, start, zone):
    """A bad value in one row of many leaves nothing stored (S6)."""
    from sequencer import Row

    engine = Engine(new_store(), clock=ManualClock(MONDAY))
    for bad in (Row(Resource("lead", 2), start_at=start), Row(Resource("lead", 2), timezone=zone)):
        with pytest.raises(InvalidInput, match=r"rows\[1\]|timezone"):
            engine.enroll_many(MAILS, [Row(Resource("lead", 1)), bad])

    assert engine.enrollments() == ()


ACCOUNTS = st.lists(
    st.sampled_from(["acme", "Acme", 7, "7"]), min_size=2, max_size=2, unique_by=lambda each: (type(each), each)
)


@IN_A_FOLDER
@given(accounts=ACCOUNTS)
def test_s7_accounts_see_nothing_of_each_other(new_store, accounts):
    """The same resource, keys and reports in two accounts are two things; ids of one mean nothing to the other (S7)."""
    engine = Engine(new_store(), mailer=RecordingMailer(), clock=ManualClock(MONDAY))
    one, other = map(engine.account, accounts)
    mine = one.enroll(MAILS, ADA, idempotency_key="k")
    theirs = other.enroll(MAILS, ADA, idempotency_key="k")
    one.handle(Unsubscribed(key="u", email="ada@example.com"))

    assert mine.id != theirs.id
    assert (one.get(mine.id).state, other.get(theirs.id).state) == ("finished", "active")
    assert other.suppressed() == ()
    for door in (other.get, other.history, other.explain, other.block, other.finish, other.skip):
        with pytest.raises(NotFound):
            door(mine.id)


@IN_A_FOLDER
@given(name=st.text("abcdefgh", min_size=9, max_size=12), company=st.text("ijklmnop", min_size=9, max_size=12))
def test_s8_events_hold_nothing_personal_and_erase_forgets_the_rest(new_store, name, company):
    """No address and no merge field is in a history; after `erase` it still replays, and opt-outs still hold (S8)."""
    engine = Engine(new_store(), mailer=RecordingMailer(), clock=ManualClock(MONDAY))
    who = Resource("lead", 1, email=f"{name}@example.com", fields={"company": company})
    enrollment = engine.enroll(MAILS, who)
    engine.tick()
    engine.handle(Replied(key="r", email=who.email))
    engine.suppress(who.email)
    history = json.dumps([attrs.asdict(each) for each in engine.history(enrollment.id)], default=str)
    assert name not in history
    assert company not in history
    engine.erase(who)

    kept = engine.get(enrollment.id)
    assert (kept.resource.email, dict(kept.resource.fields)) == (None, {})
    assert attrs.evolve(replay(kept.version, engine.history(kept.id)), updated_at=kept.updated_at) == kept
    assert [each.address for each in engine.suppressed()] == [None]
    with pytest.raises(Exception, match="suppressed"):
        engine.enroll(MAILS, who)
