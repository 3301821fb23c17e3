"""Caps, pacing and catch-up at the engine's door (laws E5, E7)."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    Accepted,
    AutomatedEmail,
    Calendar,
    Cap,
    CatchUp,
    Engine,
    Hours,
    InvalidInput,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    Rejected,
    Row,
    Sequence,
    Step,
    Task,
    Template,
    Window,
)
from sequencer.core.enrollment import Resource
from sequencer.engine import worker

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TEXTS = {1: Template("Hello", "Hi"), 2: Template("Again", "Hi again")}
ALWAYS = Calendar("UTC", working_days=WEEK)
FIRST = Sequence("first", [Step(AutomatedEmail(1))], templates=TEXTS, calendar=ALWAYS)
TWO = Sequence("two", [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), Hours(24))], templates=TEXTS, calendar=ALWAYS)
DAY = timedelta(hours=24)


def rows(count, actor=7, start=0):
    return [Row(Resource("lead", start + i, email=f"l{start + i}@example.com"), actor_id=actor) for i in range(count)]


def sent_by(mailer):
    return Counter(each.email.actor_id for each in mailer.sent)


def deferrals(engine, id):
    return [dict(event.facts) for event in engine.history(id) if event.type == "deferred"]


def test_e5_three_hundred_a_day_by_default(engine, mailer, clock):
    """Without a word about caps an actor has 300 mails in 24 hours; the rest waits for its day, put off once (E5)."""
    engine.enroll_many(FIRST, rows(700))
    engine.run_until(clock.now() + timedelta(hours=23))
    assert sent_by(mailer) == {7: 300}

    assert [len(deferrals(engine, id)) for id in (1, 300, 301, 700)] == [0, 0, 1, 1]
    engine.run_until(clock.now() + timedelta(hours=2))
    assert sent_by(mailer) == {7: 600}
    engine.run_until(clock.now() + DAY)
    assert sent_by(mailer) == {7: 700}
    assert [len(deferrals(engine, id)) for id in (301, 700)] == [1, 1]


def test_e5_what_waits_says_until_when_and_why(store, mailer, clock):
    """A mail that a cap puts off has a new estimate, an event with the reason, and an explanation (E5, T10)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=1))
    engine.enroll_many(FIRST, rows(2))
    engine.tick()

    step = engine.get(2).steps[0]
    assert step.status == "pending"
    assert step.estimated_execute_at == step.not_before == clock.now() + DAY + timedelta(minutes=1)
    detail = "at most 1 mail in 24 hours in the name of 7"
    assert step.not_before_reason == f"cap: {detail}"
    assert deferrals(engine, 2) == [{"reason": "cap", "detail": detail}]
    told = engine.get(2).to_dict()["steps"][0]
    assert told["not_before"] == told["estimated_execute_at"] == "2026-03-03T09:01:00Z"
    assert told["not_before_reason"] == step.not_before_reason
    assert f"not before 2026-03-03T09:01:00+00:00: a cap of the sender ({detail})" in str(engine.explain(2))
    assert not step.overdue


def test_e5_nobodys_mail_has_no_cap(store, mailer, clock):
    """Mails in nobody's name are not counted, and cost no rows in the store (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=1))
    engine.enroll_many(FIRST, rows(5, actor=None))
    engine.tick()

    assert len(mailer.sent) == 5


def test_e5_each_actor_has_its_own(store, mailer, clock):
    """A cap is per account and actor; 7 and "7" are two actors (E5, S7)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2))
    for n, actor in enumerate((7, "7", 8)):
        engine.enroll_many(FIRST, rows(3, actor, start=10 * n))
    engine.account("acme").enroll_many(FIRST, rows(3))
    engine.tick()

    assert sent_by(mailer) == {7: 4, "7": 2, 8: 2}


def test_e5_a_cap_can_be_asked_for(store, mailer, clock):
    """A callable is asked for the cap of each actor; None means none (E5)."""
    caps: dict[Any, Cap | None] = {7: Cap(emails=1), 8: None}
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=lambda account, actor_id: caps[actor_id])
    engine.enroll_many(FIRST, rows(3, 7) + rows(3, 8, start=10))
    engine.tick()

    assert sent_by(mailer) == {7: 1, 8: 3}


def test_e5_a_callable_that_fails_lets_nothing_through(store, mailer, clock):
    """Where nobody can tell the cap, the actor's mails wait for the next lease; those of others leave (E5)."""
    caps: dict[Any, Any] = {8: Cap(emails=5)}
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=lambda account, actor_id: caps[actor_id])
    engine.enroll_many(FIRST, rows(3, 7) + rows(3, 8, start=10))
    engine.tick()
    assert sent_by(mailer) == {8: 3}

    caps[7] = "many"
    engine.run_until(clock.now() + timedelta(seconds=130))
    assert sent_by(mailer) == {8: 3}
    caps[7] = Cap(emails=2)
    engine.run_until(clock.now() + timedelta(seconds=130))
    assert sent_by(mailer) == {8: 3, 7: 2}


@contextmanager
def listening():
    """What is logged meanwhile, message by message, at WARNING and above."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("sequencer")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def no_cap_of(actor_id):
    raise LookupError(f"nobody knows the cap of {actor_id}, who writes to l1@example.com")


WRONG = {
    "`cap` answers a Cap or None, not a int": lambda actor_id: 50,
    "cap.emails: must be from 1 to 1000000, got 0": lambda actor_id: Cap(emails=0),
    "LookupError": no_cap_of,
}


@settings(max_examples=40)
@given(
    said=st.sampled_from(sorted(WRONG)),
    held_up=st.integers(1, 7),
    going=st.integers(0, 7),
    limit=st.integers(1, 5),
    late=st.booleans(),
)
def test_e5_who_cannot_be_capped_is_set_aside(said, held_up, going, limit, late):
    """They wait a lease without a busy loop, hold up nobody, and no worker is missed; mended, they leave (E5, S4)."""
    mailer, clock = RecordingMailer(), ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
    wrong = {7: WRONG[said]}
    engine = Engine(
        store=MemoryStore(), mailer=mailer, clock=clock,
        cap=lambda account, actor_id: wrong[actor_id](actor_id) if actor_id in wrong else Cap(),
    )  # fmt: skip
    held = engine.enroll_many(FIRST, rows(held_up, 7)).enrolled
    clock.move(seconds=1 if late else 0)
    engine.enroll_many(FIRST, rows(going, 8, start=held_up))

    with listening() as logged:
        for _ in range(3):
            passes = [engine.tick(limit)]
            while passes[-1].more:
                passes.append(engine.tick(limit))
            assert len(passes) <= held_up + going + 1
            assert sent_by(mailer)[8] == going
            assert sent_by(mailer)[7] == engine.tick(limit).claimed == 0
            assert passes[-1].next_due_at == clock.now().add(seconds=120)
            assert "could not tell whether it may go out" in str(engine.explain(held[0].id))
            clock.move(seconds=119)
            assert engine.tick(limit).claimed == 0
            clock.move(seconds=1)
            assert "could not tell" not in str(engine.explain(held[0].id))
            assert (engine.counters().due, engine.counters().abandoned) == (held_up, 0)
    assert {line.partition(": ")[2] for line in logged} == {said}
    assert all("cannot be capped" in line for line in logged)

    wrong.clear()
    while engine.tick(limit).more:
        pass
    assert sent_by(mailer)[7] == held_up
    assert "could not tell" not in str(engine.explain(held[0].id))


def test_what_was_set_aside_does_not_wait_once_a_person_has_acted(store, mailer, clock):
    """Reassigned to somebody whose cap can be told it leaves at once, and a skip leaves no word about the next step."""

    def cap(account, actor_id):
        if actor_id == 7:
            raise LookupError(actor_id)
        return Cap()

    engine = Engine(store=store, mailer=mailer, clock=clock, cap=cap)
    one, two = engine.enroll_many(TWO, rows(2)).enrolled
    with listening():
        engine.tick()
    assert "could not tell" in str(engine.explain(one.id))

    engine.reassign(one.resource, actor_id=8)
    engine.skip(two.id)
    clock.move(seconds=1)
    assert "could not tell" not in str(engine.explain(one.id))
    assert (engine.tick().claimed, len(mailer.sent)) == (1, 1)
    clock.move(DAY)
    assert "could not tell" not in str(engine.explain(two.id))


def test_what_cannot_be_decided_is_set_aside(store, mailer, clock, monkeypatch):
    """A fault in one enrollment costs it a lease each time, and nobody says that a worker did not come back."""
    engine = Engine(store=store, mailer=mailer, clock=clock)
    (one,) = engine.enroll_many(FIRST, rows(1)).enrolled

    def broken(*_):
        raise ValueError("a fault")

    with monkeypatch.context() as patch, listening() as logged:
        patch.setattr(worker, "advance", broken)
        for _ in range(3):
            assert (engine.tick().claimed, engine.tick().claimed) == (1, 0)
            clock.move(seconds=120)
    assert logged == [f"enrollment {one.id} could not be decided: ValueError"] * 3
    engine.tick()
    assert len(mailer.sent) == 1


def test_e5_follow_ups_go_first(store, mailer, clock):
    """When both are due, follow-ups take the room before first mails, whoever's estimate is earlier (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=3))
    engine.enroll_many(TWO, rows(3))
    engine.tick()
    engine.enroll_many(FIRST, rows(3, start=10))
    clock.move(DAY)
    engine.tick()

    assert [each.email.sequence_key for each in mailer.sent] == ["two"] * 6


def test_e5_room_is_kept_for_follow_ups_behind_the_limit(store, mailer, clock):
    """A first mail does not take the room of a follow-up that is due, but was not claimed in the same pass (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2))
    engine.enroll_many(TWO, rows(2))
    engine.tick()
    engine.enroll_many(FIRST, rows(2, start=10))  # due before the follow-ups are
    clock.move(DAY)
    for _ in range(4):
        engine.tick(1)

    assert [each.email.sequence_key for each in mailer.sent] == ["two"] * 4


def test_e5_a_planned_first_mail_gives_way(store, mailer, clock):
    """What was planned for a day gives way to a follow-up that is due on it, and gets another (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2))
    engine.enroll_many(TWO, rows(4))
    engine.run_until(clock.now() + timedelta(hours=1))
    assert sent_by(mailer) == {7: 2}
    engine.run_until(clock.now() + DAY)
    assert [each.email.position for each in mailer.sent] == [0, 0, 1, 1]

    engine.run_until(clock.now() + 3 * DAY)
    assert [each.email.position for each in mailer.sent] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert engine.statistics("two").finished == {"completed": 4}


def test_e5_a_backlog_holds_up_nobody_else(store, mailer, clock):
    """Behind a thousand mails of one actor, those of another leave in the same pass (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=10))
    engine.enroll_many(FIRST, rows(1000))
    clock.move(seconds=1)
    engine.enroll_many(FIRST, rows(5, actor=8, start=5000))
    report = engine.tick(100)

    assert sent_by(mailer) == {7: 10, 8: 5}
    assert report.claimed == 1005
    assert {len(deferrals(engine, id)) for id in range(11, 1001)} == {1}


def test_e5_a_gap_between_mails(store, mailer, clock):
    """Mails of one actor leave at least a gap after one another, and not in step where there is jitter (E5)."""
    instants: list[Any] = []

    def answer(email, key):
        instants.append(clock.now())
        return Accepted(key)

    mailer = RecordingMailer(answer=answer)
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(gap=60, jitter=timedelta(seconds=30)))
    engine.enroll_many(FIRST, rows(10))
    engine.run_until(clock.now() + Hours(1).timedelta)

    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(instants)]
    assert len(instants) == 10
    assert all(60 <= gap < 91 for gap in gaps)
    assert len(set(gaps)) > 5
    assert deferrals(engine, 10)[0]["detail"] == "at least 1 minute between two mails in the name of 7"


def test_e5_block_instead_of_waiting(store, mailer, clock):
    """With `exceeding="block"` what exceeds is blocked with `quota_reached` until somebody resumes it (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2, exceeding="block"))
    engine.enroll_many(FIRST, rows(4))
    engine.tick()
    assert engine.statistics("first").blocked == {"quota_reached": 2}
    assert engine.get(3).blocked_reason == "quota_reached"

    engine.resume_blocked("quota_reached")
    engine.tick()
    assert engine.statistics("first").blocked == {"quota_reached": 2}
    clock.move(DAY)
    engine.resume_blocked("quota_reached")
    engine.tick()
    assert engine.statistics("first").finished == {"completed": 4}


def test_e5_what_did_not_leave_gives_its_room_back(store, mailer, clock):
    """A mail that was refused, for now or for good, makes room for the next; its retry takes room again (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=1))
    mailer.fail(Rejected("not now", permanent=False), to="l0@example.com")
    mailer.fail(Rejected("never", permanent=True), to="l1@example.com")
    engine.enroll_many(FIRST, rows(4))
    engine.run_until(clock.now() + timedelta(minutes=10))
    assert [each.to for each in mailer.sent] == ["l0@example.com"]

    engine.run_until(clock.now() + 2 * DAY)
    assert [each.to for each in mailer.sent] == ["l0@example.com", "l2@example.com"]
    engine.run_until(clock.now() + DAY)
    assert [each.to for each in mailer.sent] == ["l0@example.com", "l2@example.com", "l3@example.com"]


def test_e5_a_mail_that_may_have_left_counts_once(store, clock):
    """An answer that is lost keeps its room until the repeat is answered, and the repeat needs no other (E5)."""
    mailer = RecordingMailer(deduplicates=True)
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2))
    mailer.lose(to="l0@example.com")
    engine.enroll_many(FIRST, rows(3))
    engine.run_until(clock.now() + Hours(5).timedelta)

    assert [each.to for each in mailer.sent] == ["l0@example.com", "l1@example.com"]
    assert engine.statistics("first").finished == {"completed": 2}


def test_e5_the_former_actor_keeps_what_left(store, mailer, clock):
    """After a reassignment what left counts for who was named in it, and what waits for who will be (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=1))
    engine.enroll_many(TWO, rows(1))
    engine.tick()
    engine.reassign(Resource("lead", 0), actor_id=8)
    engine.enroll_many(FIRST, rows(1, actor=7, start=10) + rows(1, actor=8, start=20))
    engine.tick()

    assert [each.email.actor_id for each in mailer.sent] == [7, 8]


def test_e5_what_may_have_left_is_not_taken_along(store, clock):
    """A repeat in another actor's name counts for that one; the attempt that may have left, for the former one (E5)."""
    mailer = RecordingMailer(deduplicates=True)
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=1))
    mailer.lose(to="l0@example.com")
    engine.enroll_many(FIRST, rows(1))
    engine.tick()
    engine.reassign(Resource("lead", 0), actor_id=8)
    engine.run_until(clock.now() + Hours(1).timedelta)
    engine.enroll_many(FIRST, rows(1, actor=7, start=10) + rows(1, actor=8, start=20))
    engine.run_until(clock.now() + Hours(22).timedelta)

    assert [(each.to, each.email.actor_id) for each in mailer.sent] == [("l0@example.com", 7)]
    assert engine.statistics("first").finished == {"completed": 1}


def test_e5_what_had_not_begun_is_asked_anew_in_the_new_name(store, clock):
    """What was claimed in one actor's name and then reassigned leaves when the new actor's cap lets it (E3, E5)."""

    class Death(BaseException):
        """The process is gone."""

    class Deadly(RecordingMailer):
        def send(self, email, *, key, timeout):
            raise Death

    dying = Engine(store=store, mailer=Deadly(), clock=clock, cap=Cap(emails=1), port_threads=False)
    dying.enroll_many(FIRST, rows(1, actor=7) + rows(1, actor=9, start=1))
    with pytest.raises(Death):
        dying.tick()
    mailer = RecordingMailer()
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=1))
    engine.enroll_many(FIRST, rows(1, actor=8, start=2))
    engine.tick()
    engine.reassign(Resource("lead", 1), actor_id=8)
    engine.run_until(clock.now() + Hours(23).timedelta)
    assert [(each.to, each.email.actor_id) for each in mailer.sent] == [("l2@example.com", 8)]

    engine.enroll_many(FIRST, rows(1, actor=9, start=3))
    engine.run_until(clock.now() + Hours(2).timedelta)
    assert [(each.to, each.email.actor_id) for each in mailer.sent[1:]] == [
        ("l3@example.com", 9),
        ("l1@example.com", 8),
    ]


def test_e5_purging_makes_no_room(store, mailer, clock):
    """What left counts for its window, also when its enrollment has been purged meanwhile (E5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2))
    engine.enroll_many(FIRST, rows(2))
    engine.tick()
    assert engine.purge(finished_before=clock.now() + timedelta(seconds=1)) == 2
    engine.enroll_many(FIRST, rows(2, start=10))
    engine.tick()

    assert len(mailer.sent) == 2


def test_e5_a_plan_keeps_to_the_calendar(store, mailer, clock):
    """Mails that wait for room are planned into send windows, as many into each as there may be (E5, T5)."""
    office = Calendar("UTC", send_windows=[Window(WEEK[:5], "09:00", "10:00")])
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=Cap(emails=2, per=Hours(20)))
    engine.enroll_many(Sequence("office", [Step(AutomatedEmail(1))], templates=TEXTS, calendar=office), rows(6))
    engine.tick()

    planned = [engine.get(id).steps[0].estimated_execute_at for id in (3, 4, 5, 6)]
    assert [f"{at:%a %H:%M}" for at in planned] == ["Tue 09:00", "Tue 09:00", "Wed 09:00", "Wed 09:00"]


@pytest.mark.parametrize(("wrong", "path"), [({"cap": 300}, "cap"), ({"catch_up": Hours(4)}, "catch_up")])
def test_what_is_no_rule_is_refused(store, wrong, path):
    """A cap or a catch-up that is none is refused when the engine is made."""
    with pytest.raises(InvalidInput, match=f"^{path}: needs a "):
        Engine(store=store, **wrong)


# -- catch-up: E7


CATCH_UP = CatchUp(after=Hours(1), over=Hours(4), seed=3)


def after_downtime(store, clock, mailer, calendar=ALWAYS, catch_up=CATCH_UP, cap=None):
    """An engine that has been down for two days, with forty mails and ten tasks overdue."""
    engine = Engine(store=store, mailer=mailer, clock=clock, cap=cap, catch_up=catch_up)
    mails = Sequence("mails", [Step(AutomatedEmail(1), Hours(1))], templates=TEXTS, calendar=calendar)
    calls = Sequence("calls", [Step(Task("Call"), Hours(1))], calendar=calendar)
    engine.enroll_many(mails, rows(40))
    engine.enroll_many(calls, rows(10, start=100))
    clock.move(hours=48)
    return engine


def test_e7_what_is_overdue_is_spread(store, clock, mailer):
    """After downtime nothing leaves in the first minute, and all of it within the hours it is spread over (E7)."""
    engine = after_downtime(store, clock, mailer)
    back = clock.now()
    engine.tick()
    assert (len(mailer.sent), len(engine.tasks())) == (0, 0)

    turns = [engine.get(id).steps[0].estimated_execute_at for id in range(1, 51)]
    assert all(back < at <= back + Hours(4).timedelta for at in turns)
    assert len({at.hour for at in turns}) >= 4
    assert engine.get(1).steps[0].not_before_reason.startswith("catch_up: ")
    assert "spread out after downtime (over 4 hours in which the calendar is open)" in str(engine.explain(1))
    engine.run_until(back + Hours(4).timedelta)
    assert (len(mailer.sent), len(engine.tasks())) == (40, 10)
    assert {len(deferrals(engine, id)) for id in range(1, 51)} == {1}


def test_e7_without_it_all_leaves_at_once(store, clock, mailer):
    """Nobody who did not ask for it is spread (E7)."""
    after_downtime(store, clock, mailer, catch_up=None).tick()

    assert len(mailer.sent) == 40


def test_e7_no_flood_at_the_next_opening(store, clock, mailer):
    """Open hours only count, so what is spread beyond a closing time goes on evenly after the next opening (E7)."""
    office = Calendar("UTC", send_windows=[Window(WEEK[:5], "08:00", "11:00")])
    engine = after_downtime(store, clock, mailer, office)  # at 9:00: two hours today, two tomorrow
    engine.tick()

    by_hour = Counter(f"{engine.get(id).steps[0].estimated_execute_at:%a %H}" for id in range(1, 41))
    assert set(by_hour) == {"Wed 09", "Wed 10", "Thu 08", "Thu 09"}
    assert max(by_hour.values()) <= 20


def test_e7_what_waited_for_the_calendar_is_not_late(store, clock, mailer):
    """A mail that a closed calendar held over night leaves at the opening: nobody was late (E7)."""
    office = Calendar("UTC", send_windows=[Window(WEEK[:5], "09:00", "17:00")])
    engine = Engine(store=store, mailer=mailer, clock=clock, catch_up=CATCH_UP)
    engine.enroll_many(
        Sequence("late", [Step(AutomatedEmail(1), Hours(7.9))], templates=TEXTS, calendar=office), rows(1)
    )
    clock.move(hours=8, minutes=1)  # a little too late, just after closing
    engine.tick()
    engine.run_until(clock.now() + Hours(16).timedelta)

    assert len(mailer.sent) == 1


@settings(max_examples=30)
@given(looks=st.lists(st.integers(15 * 60, 63 * 60 - 1), max_size=3).map(sorted))
def test_e7_what_missed_its_day_is_spread_whoever_looked_while_it_was_closed(looks):
    """After downtime from Friday on there is no crowd on Monday, however often a worker looks meanwhile (E7)."""
    friday = pendulum.datetime(2026, 3, 6, 9, tz="UTC")
    late = Sequence("late", [Step(AutomatedEmail(1))], templates=TEXTS, calendar=Calendar("UTC"))

    def turns(looks):
        clock = ManualClock(friday)
        engine = Engine(
            MemoryStore(), mailer=RecordingMailer(), clock=clock, catch_up=CatchUp(after=Hours(1), over=Hours(12))
        )
        engine.enroll_many(late, rows(20))
        for minutes in looks:
            clock.set(friday.add(minutes=minutes))
            assert engine.tick().handed_over == 0
        clock.set(friday.add(days=3).start_of("day"))
        assert engine.tick().handed_over == 0
        return [engine.get(id).steps[0].not_before for id in range(1, 21)]

    found = turns(looks)
    assert len({each.hour for each in found}) > 4
    assert {each.date() for each in found} == {friday.add(days=3).date()}


def test_e7_a_cap_holds_for_what_is_spread(store, clock, mailer):
    """What is spread after downtime still keeps to its actor's cap (E5, E7)."""
    engine = after_downtime(store, clock, mailer, cap=Cap(emails=15))
    engine.run_until(clock.now() + Hours(5).timedelta)
    assert len(mailer.sent) == 15
    engine.run_until(clock.now() + 3 * DAY)
    assert len(mailer.sent) == 40
