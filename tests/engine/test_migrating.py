"""Moving who is enrolled to another version, through the door: only as planned, and only when asked (L1, E2, S2)."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest

from sequencer import (
    Accepted,
    AlreadyEnrolled,
    AutomatedEmail,
    EmailSent,
    Engine,
    Event,
    Hours,
    InvalidInput,
    ManualClock,
    MemoryStore,
    MigrationResult,
    NotFound,
    Person,
    Policy,
    RecordingMailer,
    Resource,
    Sequence,
    SQLiteStore,
    Step,
    Task,
    Template,
    replay,
)
from sequencer.testing.laws import impersonal

TEXTS = {n: Template(f"Mail {n}", "Hello") for n in range(1, 6)}
HELLO = Step(AutomatedEmail(1), key="hello")
AGAIN = Step(AutomatedEmail(2), Hours(24), key="again")
LAST = Step(AutomatedEmail(3), Hours(24), key="last")
CALL = Step(Task("Call"), Hours(24), key="call")


def outreach(*steps, **fields):
    return Sequence("Outreach", steps, templates=TEXTS, **fields)


OLD = outreach(HELLO, AGAIN, LAST)
NEW = outreach(HELLO, CALL, AGAIN)


def lead(id):
    return Resource("lead", id, email=f"lead{id}@example.com")


def enrolled(engine, count, sequence=OLD):
    return [engine.enroll(sequence, lead(id)).id for id in range(1, count + 1)]


def subjects(mailer):
    return [each.email.subject for each in mailer.sent]


def test_l1_nothing_moves_by_itself(engine, mailer, clock):
    """Neither saving, nor enrolling in, nor planning for a new version moves anybody (L1)."""
    (id, _) = enrolled(engine, 2)
    before = engine.get(id)
    engine.save(NEW)
    engine.enroll(outreach(CALL), lead(9))
    plan = engine.plan_migration("Outreach", NEW)
    engine.tick()

    assert len(plan) == 3
    assert engine.get(id).version == before.version
    engine.run_until(clock.now().add(days=3))
    assert sorted(subjects(mailer)) == sorted(["Mail 1", "Mail 2", "Mail 3"] * 2)
    assert [event for event in engine.history(id) if event.type == "migrated"] == []


def test_a_plan_stores_nothing_and_carrying_it_out_stores_the_version(engine):
    """A plan for a definition that is new makes no version; moving makes it, and it is the current one (S6)."""
    ids = enrolled(engine, 3)
    plan = engine.plan_migration("Outreach", NEW)

    assert (plan.version.id, plan.version.version) == (0, 2)
    assert [each.version for each in engine.sequences()] == [1]
    assert [move.enrollment_id for move in plan] == ids
    result = engine.migrate(plan)
    assert [outcome.enrollment.id for outcome in result.moved] == ids
    assert (result.changed, result.refused, result.missing) == ((), (), ())
    assert [each.version for each in engine.sequences()] == [2]
    assert {engine.get(id).version.version for id in ids} == {2}
    assert engine.plan_migration("Outreach", NEW).moves == ()
    assert engine.statistics("Outreach").total == 3


def test_who_was_moved_lives_in_the_new_version(engine, mailer, clock):
    """Each step happens once, in the order of the new version, and what is dropped does not."""
    (id,) = enrolled(engine, 1)
    engine.tick()
    engine.migrate(engine.plan_migration("Outreach", NEW))
    engine.run_until(clock.now().add(days=1))
    (open_task,) = engine.tasks()
    engine.complete_task(open_task.id)
    engine.run_until(clock.now().add(days=5))

    assert subjects(mailer) == ["Mail 1", "Mail 2"]
    assert engine.get(id).finished_reason == "completed"
    assert [event.type for event in engine.history(id)].count("migrated") == 1


def test_paging(engine):
    """A plan has at most so many, says where to go on, and all pages together have everybody once."""
    ids = enrolled(engine, 7)
    engine.finish(ids[2])
    found, after = [], None
    while True:
        plan = engine.plan_migration("Outreach", NEW, after=after, limit=2)
        found += [move.enrollment_id for move in plan]
        assert len(engine.migrate(plan).moved) == len(plan)
        after = plan.next_after
        if after is None:
            break
    assert found == [id for id in ids if id != ids[2]]
    assert engine.get(ids[2]).version.version == 1


def test_who_is_meant(engine):
    """A version means who is in it; a key or a definition means who is in any version but the new one."""
    first = engine.save(OLD)
    one = engine.enroll(OLD, lead(1)).id
    two = engine.enroll(outreach(HELLO), lead(2)).id
    third = engine.save(NEW)
    three = engine.enroll(NEW, lead(3)).id

    def meant(old, new):
        return [move.enrollment_id for move in engine.plan_migration(old, new)]

    assert meant(first, third) == [one]
    assert meant("Outreach", third) == meant(OLD, NEW) == meant("Outreach", "Outreach") == [one, two]
    assert meant("Outreach", first) == [two, three]
    assert meant(third, first) == [three]
    assert meant(first, first) == []


def test_only_some_of_a_plan(engine):
    """With `only` the others stay where they are."""
    one, two = enrolled(engine, 2)
    result = engine.migrate(engine.plan_migration("Outreach", NEW), only=[two])

    assert [outcome.enrollment.id for outcome in result.moved] == [two]
    assert [engine.get(id).version.version for id in (one, two)] == [1, 2]


def test_what_changed_since_is_not_moved_but_shown_anew(engine, clock):
    """Only what is still as it was planned is moved; of the rest the result says what would happen now (S2)."""
    one, two, three = enrolled(engine, 3)
    plan = engine.plan_migration("Outreach", outreach(HELLO, Step(AutomatedEmail(5), key="new"), AGAIN))
    engine.block(two)
    engine.finish(three)
    result = engine.migrate(plan)

    assert [outcome.enrollment.id for outcome in result.moved] == [one]
    assert [move.enrollment_id for move in result.changed] == [two, three]
    assert result.changed[1].refused == "it is finished"
    assert [engine.get(id).version.version for id in (one, two, three)] == [2, 1, 1]
    again = engine.plan_migration("Outreach", "Outreach")
    assert [move.to_dict() for move in again] == [result.changed[0].to_dict()]
    assert [outcome.enrollment.state for outcome in engine.migrate(again).moved] == ["blocked"]
    assert engine.migrate(again).moved == ()


def test_what_is_refused_is_left_and_named(engine, clock):
    """Who is at a step that the new version does not have stays, with a reason; the others move."""
    ids = enrolled(engine, 2, sequence=outreach(CALL, LAST))
    engine.run_until(clock.now().add(days=1))
    engine.complete_task(next(task.id for task in engine.tasks() if task.enrollment_id == ids[0]))
    plan = engine.plan_migration("Outreach", outreach(LAST))

    assert [move.enrollment_id for move in plan.refused] == [ids[1]]
    result = engine.migrate(plan)
    assert [outcome.enrollment.id for outcome in result.moved] == [ids[0]]
    assert "complete or skip it first" in result.refused[0].refused
    engine.skip(ids[1])
    assert len(engine.migrate(engine.plan_migration("Outreach", "Outreach")).moved) == 1


def test_l9_a_version_that_tolerates_no_other_takes_nobody_who_is_in_one(engine):
    """Who is in another sequence, by id or by address, stays with a reason until one of the two is over (L9)."""
    other = Sequence("Other", [CALL])
    one, two, three = enrolled(engine, 3)
    beside = engine.enroll(other, lead(1)).id
    twin = engine.enroll(other, Resource("contact", 9, email="LEAD2@example.com")).id
    strict = outreach(HELLO, AGAIN, LAST, policy=Policy(exclusive="all"))

    plan = engine.plan_migration("Outreach", strict)
    why = (
        "the new version tolerates no other sequence, and enrollment {} in 'Other' goes on; finish one of the two first"
    )
    assert [move.refused for move in plan] == [why.format(beside), why.format(twin), None]
    engine.enroll(other, lead(3))
    result = engine.migrate(plan)
    assert (result.moved, len(result.refused)) == ((), 3)
    engine.finish(beside)
    assert [outcome.enrollment.id for outcome in engine.migrate(plan).moved] == [one]
    with pytest.raises(AlreadyEnrolled):
        engine.enroll(other, lead(1))
    assert [engine.get(id).version.version for id in (one, two, three)] == [2, 1, 1]
    # Within what is exclusive already nobody stands beside anybody, and back into the lenient version anybody may.
    assert len(engine.migrate(engine.plan_migration("Outreach", OLD)).moved) == 1


def test_a_history_with_moves_replays(engine, mailer, clock):
    """What is stored after moves is what its events replay to, and a listener is told of each move (S2, S8)."""
    told: list[Event] = []
    (id,) = enrolled(engine, 1)
    began = engine.get(id).version
    other = Engine(engine.store, clock=clock, mailer=mailer, listener=told.append)
    for target in (NEW, outreach(HELLO, AGAIN, CALL), OLD, NEW):
        other.tick()
        other.migrate(other.plan_migration("Outreach", target))
        clock.move(hours=13)
        with engine.store.transaction() as transaction:
            stored = transaction.get(id).enrollment
            for known in (began, stored.version):
                assert replay(known, transaction.events(id)) == impersonal(stored)
    moves = [event for event in told if event.type == "migrated"]
    assert [(event.facts["from"], event.facts["to"]) for event in moves] == [(1, 2), (2, 3), (3, 1), (1, 2)]
    assert other.get(id).version.version == 2


# -- beside a worker ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deduplicates", [True, False])
def test_a_move_while_the_mailer_is_being_called(store, clock, deduplicates):
    """The answer to a mail that was under way reaches its step in the new version, and nothing is sent twice (L10)."""

    def answer(email, key):
        if email.template_id == 2:
            results.append(engine.migrate(engine.plan_migration("Outreach", target)))
        return Accepted(f"<{key}@x>")

    results: list[MigrationResult] = []
    target = outreach(Step(AutomatedEmail(5), key="zero"), HELLO, Step(AutomatedEmail(4), key="x"), AGAIN, CALL, LAST)
    mailer = RecordingMailer(deduplicates=deduplicates, answer=answer)
    engine = Engine(store, mailer=mailer, clock=clock)
    (id,) = enrolled(engine, 1)
    engine.run_until(clock.now().add(hours=30))

    assert len(results) == 1
    assert [outcome.enrollment.id for outcome in results[0].moved] == [id]
    moved = engine.get(id)
    assert [step.status.value for step in moved.steps] == [
        "skipped", "completed", "skipped", "completed", "pending", "pending",
    ]  # fmt: skip
    assert subjects(mailer) == ["Mail 1", "Mail 2"]
    assert moved.steps[3].message_id == f"<{mailer.sent[1].key}@x>"
    engine.run_until(clock.now().add(hours=30))
    engine.complete_task(engine.tasks()[0].id)
    engine.run_until(clock.now().add(hours=30))
    assert subjects(mailer) == ["Mail 1", "Mail 2", "Mail 3"]
    assert len({each.key for each in mailer.calls}) == 3


class MovesMeanwhile:
    """A people port that moves everybody while a hand-over is being put together, once."""

    def __init__(self, target):
        self.target = target
        self.engine: Any = None
        self.moved = []

    def __call__(self, resource):
        if not self.moved:
            self.moved.append(self.engine.migrate(self.engine.plan_migration("Outreach", self.target)))
        return Person(resource.email, None, {})


@pytest.mark.parametrize("deduplicates", [True, False])
def test_a_hand_over_that_was_put_together_in_the_old_version_is_not_made(store, clock, deduplicates):
    """A move between the claim and the start mark wins: what leaves is the new version's mail, once (E3)."""
    people = MovesMeanwhile(outreach(Step(AutomatedEmail(4), key="hello"), LAST))
    mailer = RecordingMailer(deduplicates=deduplicates)
    engine = people.engine = Engine(store, mailer=mailer, clock=clock, people=people)
    (id,) = enrolled(engine, 1)
    engine.tick()
    assert [len(result.moved) for result in people.moved] == [1]
    assert subjects(mailer) == []
    engine.tick()
    assert subjects(mailer) == ["Mail 4"]
    assert engine.get(id).steps[0].status == "completed"


def test_a_task_that_was_put_together_in_the_old_version_is_not_made(store, clock):
    """On the embedded board, too, the task is the new version's (E3)."""
    people = MovesMeanwhile(outreach(Step(Task("Write instead"), key="call")))
    engine = people.engine = Engine(store, clock=clock, people=people)
    enrolled(engine, 1, sequence=outreach(Step(Task("Call"), key="call")))
    engine.tick()
    assert engine.tasks() == ()
    engine.tick()
    assert [task.task_content for task in engine.tasks()] == ["Write instead"]


def test_a_move_and_a_worker_that_race_never_both_win(tmp_path, clock):
    """Workers and moves on one file, over and over: nobody gets a mail twice, and everybody ends (S2, S3, E3)."""
    store = SQLiteStore(tmp_path / "race.db")
    mailer = RecordingMailer()
    engine = Engine(store, mailer=mailer, clock=clock)
    ids = enrolled(engine, 40)
    targets = [OLD, outreach(HELLO, AGAIN), outreach(Step(AutomatedEmail(4), key="n"), HELLO, AGAIN, LAST)]
    failures = []

    def keep_moving():
        try:
            for n in range(12):
                engine.migrate(engine.plan_migration("Outreach", targets[n % 3], limit=15))
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            failures.append(error)

    for _ in range(3):
        mover = threading.Thread(target=keep_moving)
        mover.start()
        while engine.tick(limit=7).claimed or mover.is_alive():
            pass
        mover.join()
        clock.move(hours=24)
    assert failures == []
    engine.run_until(clock.now().add(days=5))
    assert {engine.get(id).state for id in ids} == {"finished"}
    got = [(each.email.enrollment_id, each.email.subject) for each in mailer.sent]
    assert len(got) == len(set(got))
    assert {id for id, subject in got if subject == "Mail 1"} == set(ids)
    assert len({each.key for each in mailer.calls}) == len(mailer.calls)
    store.close()


def test_an_answer_that_names_an_earlier_attempt_finds_its_step_after_a_move(engine, mailer, clock):
    """The mailer's id of an attempt before the move leads to that step, wherever it stands by now (L10)."""
    (id,) = enrolled(engine, 1)
    engine.tick()
    clock.move(hours=24)
    mailer.answer_late(times=2)
    engine.tick()
    first = engine.get(id).steps[1].provider_id
    assert first is not None
    clock.move(hours=73)
    engine.tick()
    assert engine.get(id).blocked_reason == "outcome_unknown"
    engine.resume(id)
    engine.tick()
    assert engine.get(id).steps[1].provider_id not in (None, first)
    target = outreach(Step(AutomatedEmail(5), key="z"), HELLO, Step(AutomatedEmail(4), key="y"), AGAIN, LAST)
    assert len(engine.migrate(engine.plan_migration("Outreach", target)).moved) == 1
    engine.handle(EmailSent(key="webhook", provider_id=first, message_id="<at last@x>"))

    steps = engine.get(id).steps
    assert [step.status.value for step in steps] == ["skipped", "completed", "skipped", "completed", "pending"]
    assert steps[3].message_id == "<at last@x>"


def test_an_answer_to_a_step_that_is_gone_is_noted_in_the_history(engine, clock):
    """It concerns this enrollment and changes nothing (L10)."""
    (id,) = enrolled(engine, 1)
    engine.tick()
    key = engine.get(id).key_of(engine.get(id).steps[0])
    engine.migrate(engine.plan_migration("Outreach", outreach(AGAIN, LAST)))

    assert engine.handle(EmailSent(key="r", effect_key=key)).changed == ()
    assert engine.history(id)[-1].type == "noted"


def test_a_version_that_comes_back_sends_nothing_again(engine, mailer, clock):
    """Moved to a version without a mail that has left, and back: it does not leave again (L4)."""
    (id,) = enrolled(engine, 1)
    engine.tick()
    engine.migrate(engine.plan_migration("Outreach", outreach(AGAIN, LAST)))
    engine.migrate(engine.plan_migration("Outreach", OLD))
    engine.run_until(clock.now().add(days=5))

    assert subjects(mailer) == ["Mail 1", "Mail 2", "Mail 3"]
    assert engine.get(id).finished_reason == "completed"


# -- whose it is, and what is refused -------------------------------------------------------------------------


def test_accounts(engine):
    """A plan has nobody of another account, and another account's version is not found (S7)."""
    enrolled(engine, 1)
    acme = engine.account("acme")
    version = engine.save(NEW)
    with pytest.raises(NotFound, match="sequence"):
        acme.plan_migration("Outreach", NEW)
    mine = acme.enroll(OLD, lead(1))
    with pytest.raises(NotFound, match="version"):
        acme.plan_migration("Outreach", version)
    plan = acme.plan_migration("Outreach", NEW)
    assert [move.enrollment_id for move in plan] == [mine.id]
    theirs = engine.plan_migration("Outreach", NEW)
    with pytest.raises(NotFound, match="version"):
        acme.migrate(theirs)
    assert engine.migrate(plan).missing == (mine.id,)
    assert acme.get(mine.id).version.version == 1


def test_bad_input(engine):
    """Another key, what is no plan, and what is no definition are refused, and say how to mend it (S6)."""
    enrolled(engine, 1)
    renamed = Sequence("Outreach 2", NEW.steps)
    with pytest.raises(InvalidInput, match="give the new version key='Outreach'"):
        engine.plan_migration("Outreach", renamed)
    with pytest.raises(InvalidInput, match="plan_migration"):
        engine.migrate("Outreach")
    for old, new in (("Outreach", 7), (7, NEW)):
        with pytest.raises(InvalidInput, match="needs a Sequence or its key"):
            engine.plan_migration(old, new)
    with pytest.raises(InvalidInput, match="limit"):
        engine.plan_migration("Outreach", NEW, limit=0)
    with pytest.raises(NotFound, match="sequence"):
        engine.plan_migration("nobody", "nobody")


def test_texts_are_not_replaced_by_moving_to_a_version_that_is_stored(engine, mailer, clock):
    """A version holds no texts, so moving to one leaves those that are there (L1)."""
    first = engine.save(OLD)
    engine.enroll(NEW, lead(1))
    engine.migrate(engine.plan_migration("Outreach", first))
    engine.tick()

    assert subjects(mailer) == ["Mail 1"]


def test_inside_the_callers_own_transaction(tmp_path, clock):
    """Joined, a plan is carried out when the caller commits, and a rollback leaves everybody where they were (S1)."""
    store = SQLiteStore(tmp_path / "crm.db")
    engine = Engine(store, clock=clock)
    (id,) = enrolled(engine, 1)
    connection = sqlite3.connect(tmp_path / "crm.db")
    for end, version in ((connection.rollback, 1), (connection.commit, 2)):
        plan = engine.plan_migration("Outreach", NEW, connection=connection)
        assert len(engine.migrate(plan, connection=connection).moved) == 1
        end()
        assert engine.get(id).version.version == version
    connection.close()
    store.close()


def test_explaining_who_was_moved(engine, clock):
    """The sentences say why a step was passed over, and what the current one counts from (T10)."""
    (id,) = enrolled(engine, 1)
    engine.tick()
    clock.move(hours=1)
    engine.migrate(engine.plan_migration("Outreach", outreach(Step(AutomatedEmail(5), key="z"), HELLO, LAST)))
    said = str(engine.explain(id))
    assert "Step 0 z (mail 5) was skipped on Mon 2026-03-02 10:00 UTC, since it comes before what was over" in said
    engine = Engine(MemoryStore(), clock=ManualClock(clock.now()))
    engine.enroll(outreach(HELLO, AGAIN, LAST), lead(1))
    engine.clock.move(hours=1)
    engine.skip(1)
    engine.migrate(engine.plan_migration("Outreach", outreach(AGAIN, LAST)))
    assert "counts from the end of what was over last when it was moved" in str(engine.explain(1))
