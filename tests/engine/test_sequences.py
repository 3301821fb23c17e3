"""Sequences by their ids: made, replaced, deleted, listed; and acting only on what was seen (L1, L7, L9, S2, S7)."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing

import attrs
import pytest

from sequencer import (
    AlreadyEnrolled,
    Engine,
    InvalidInput,
    KeyReused,
    MemoryStore,
    NotFound,
    Outdated,
    SequenceExists,
    Template,
)
from sequencer.core.statuses import EnrollmentState
from tests.engine.sequences import lead, mails, tasks


def test_a_sequence_is_made_once(engine):
    """`create_sequence` makes what is not there, says which there is already, and stores nothing then (L9)."""
    made = engine.create_sequence(mails(), creator_id=7)
    assert (made.key, made.creator_id, made.version.version, made.deleted_at) == ("mails", 7, 1, None)
    assert made.created_at == made.updated_at == engine.clock.now()
    for same in (mails(), mails(count=3)):
        with pytest.raises(SequenceExists, match="replace it") as refused:
            engine.create_sequence(same)
        assert (refused.value.existing_id, refused.value.key) == (made.id, "mails")
    assert engine.stored_sequences() == (made,)
    assert engine.stored_sequence(made.id) == engine.stored_sequence("mails") == engine.stored_sequence(mails()) == made


def test_an_idempotency_key_makes_one_sequence(engine, clock):
    """The same key again answers the sequence that it made, as it is now; another definition is refused (L8)."""
    made = engine.create_sequence(mails(), idempotency_key="k")
    clock.move(hours=1)
    replaced = engine.replace_sequence(made.id, mails(count=3))
    assert engine.create_sequence(mails(), idempotency_key="k") == replaced
    with pytest.raises(KeyReused, match="'k'"):
        engine.create_sequence(tasks(), idempotency_key="k")
    assert [each.key for each in engine.stored_sequences()] == ["mails"]
    engine.account("theirs").create_sequence(tasks(), idempotency_key="k")


def test_replacing_makes_a_version_and_keeps_the_key(engine, clock):
    """Replacing by id makes a new version under the same key, whatever the new one is called; who runs goes on (L1)."""
    made = engine.create_sequence(mails(), creator_id=7)
    enrollment = engine.enroll(made.id, lead())
    clock.move(hours=1)
    replaced = engine.replace_sequence(made.id, tasks("renamed"))

    assert (replaced.id, replaced.key, replaced.sequence.name) == (made.id, "mails", "renamed")
    assert (replaced.version.version, replaced.creator_id) == (2, 7)
    assert (replaced.created_at, replaced.updated_at) == (made.created_at, clock.now())
    assert engine.stored_sequences(name="renamed") == (replaced,)
    assert engine.stored_sequences(name="mails") == ()
    assert engine.get(enrollment.id).version == made.version
    with pytest.raises(AlreadyEnrolled):
        engine.enroll("mails", lead())
    with pytest.raises(NotFound):
        engine.replace_sequence(made.id + 1, mails())


def test_a_definition_comes_back_whole(engine):
    """`definition` gives what was saved with its templates, so that saving it again changes nothing (L1)."""
    made = engine.create_sequence(mails(key="m", metadata={"a": 1}))
    definition = engine.definition(made.id)
    assert definition == engine.definition("m") == mails(key="m", metadata={"a": 1})
    assert engine.replace_sequence(made.id, definition) == made
    with pytest.raises(NotFound):
        engine.account("theirs").definition(made.id)


def test_what_was_seen_is_replaced_and_deleted(engine):
    """With `version_id` a sequence is replaced or deleted only as it was seen; else it is `Outdated` (S2)."""
    made = engine.create_sequence(mails())
    replaced = engine.replace_sequence(made.id, mails(count=3), version_id=made.version.id)
    for attempt in (
        lambda: engine.replace_sequence(made.id, mails(), version_id=made.version.id),
        lambda: engine.replace_sequence(made.id, mails(count=3), version_id=made.version.id),
        lambda: engine.delete_sequence(made.id, version_id=made.version.id),
    ):
        with pytest.raises(Outdated) as refused:
            attempt()
        assert (refused.value.revision, refused.value.current) == (made.version.id, replaced.version.id)
    assert engine.stored_sequence(made.id) == replaced
    engine.delete_sequence(made.id, version_id=replaced.version.id)
    assert engine.stored_sequences() == ()


def test_a_deleted_sequence_takes_nobody_in(engine):
    """Deleting finishes who is enrolled; by key and id it is gone; what was enrolled is still counted (L7)."""
    made = engine.create_sequence(mails())
    enrollment = engine.enroll("mails", lead())
    (outcome,) = engine.delete_sequence(made.id, actor_id=7)

    assert (outcome.enrollment.finished_reason, outcome.enrollment.finished_actor_id) == ("sequence_deleted", 7)
    attempts = (
        lambda: engine.enroll("mails", lead(2)),
        lambda: engine.enroll(made.id, lead(2)),
        lambda: engine.enroll_many("mails", [lead(2)]),
        lambda: engine.stored_sequence("mails"),
        lambda: engine.replace_sequence(made.id, mails()),
    )
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert engine.sequences() == engine.stored_sequences() == engine.stored_sequences(ids=[made.id]) == ()
    (deleted,) = engine.stored_sequences(ids=[made.id], deleted=True)
    assert deleted == attrs.evolve(made, deleted_at=engine.clock.now(), updated_at=engine.clock.now())
    assert engine.statistics(made.id).finished == {"sequence_deleted": 1}
    assert [each.id for each in engine.enrollments(sequence="mails")] == [enrollment.id]
    assert engine.delete_sequence("mails") == ()


def test_a_deleted_sequence_comes_back_when_it_is_saved(engine):
    """Saving a deleted sequence, or enrolling with its definition, brings it back under its old id."""
    made = engine.create_sequence(mails(), creator_id=7)
    for again in (lambda: engine.save(mails()), lambda: engine.enroll(mails(), lead()), lambda: None):
        engine.delete_sequence("mails")
        again()
    created = engine.create_sequence(mails(count=3), creator_id=8)
    assert (created.id, created.version.version, created.creator_id) == (made.id, 2, 7)


def test_nobody_slips_into_a_sequence_that_is_being_deleted(engine):
    """Of threads that enroll while another deletes, each is refused or finished: nobody goes on (L7)."""
    made = engine.create_sequence(mails())
    barrier = threading.Barrier(5)
    errors: list[BaseException] = []

    def enroll(n: int) -> None:
        barrier.wait(30)
        try:
            for i in range(10):
                engine.enroll(made.id if n % 2 else "mails", lead(10 * n + i, None))
        except NotFound:
            pass
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            errors.append(error)

    threads = [threading.Thread(target=enroll, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    barrier.wait(30)
    engine.delete_sequence(made.id)
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert engine.enrollments(state="active") == ()


def test_sequences_are_listed_page_by_page(engine):
    """Sequences are listed by id; ids that are not there, or another account's, are left out (S7)."""
    made = [engine.create_sequence(mails(key)) for key in ("c", "a", "b")]
    theirs = engine.account("theirs").create_sequence(mails("a"))
    assert list(engine.stored_sequences(offset=1, limit=1)) == made[1:2]
    assert list(engine.stored_sequences(ids=[made[2].id, theirs.id, 99, 2**70 % 2**63, made[0].id])) == made[::2]
    assert list(engine.stored_sequences(ids=[each.id for each in made], offset=1, limit=1)) == made[1:2]
    assert engine.stored_sequences(ids=[made[0].id], name="b") == ()
    for wrong in ({"limit": 0}, {"limit": 10_001}, {"offset": -1}, {"ids": ["1"]}, {"ids": [True]}):
        with pytest.raises(InvalidInput):
            engine.stored_sequences(**wrong)
    with pytest.raises(InvalidInput):
        engine.stored_sequence(True)


def test_templates_alone_are_a_change(engine, clock):
    """New texts make no new version, and are seen in `updated_at`."""
    made = engine.create_sequence(mails())
    clock.move(hours=1)
    after = engine.replace_sequence(made.id, attrs.evolve(mails(), templates={1: Template("Other", "Text")}))
    assert (after.version, after.updated_at) == (made.version, clock.now())


def test_a_verb_acts_on_what_was_seen(engine):
    """With `revision=` a verb changes what is as it was seen; else it is `Outdated`, and nothing is changed (S2)."""
    seen = engine.enroll(tasks(), lead())
    engine.tick()
    now = engine.get(seen.id)
    verbs = (
        lambda revision: engine.block(seen.id, revision=revision),
        lambda revision: engine.resume(seen.id, revision=revision),
        lambda revision: engine.skip(seen.id, revision=revision),
        lambda revision: engine.skip(seen.id, position=0, revision=revision),
        lambda revision: engine.finish(seen.id, revision=revision),
    )
    for verb in verbs:
        with pytest.raises(Outdated, match="look again") as refused:
            verb(seen.revision)
        assert (refused.value.revision, refused.value.current) == (seen.revision, now.revision)
    assert engine.get(seen.id) == now
    for verb in (verbs[0], verbs[1], verbs[2], verbs[4]):
        outcome = verb(engine.get(seen.id).revision)
        assert outcome.changed
    with pytest.raises(InvalidInput):
        engine.finish(seen.id, revision="1")


def test_a_task_is_completed_as_it_was_seen(engine):
    """With the `revision` of its enrollment a task is done as it was seen; else it is `Outdated` and open (S2)."""
    seen = engine.enroll(tasks(), lead())
    engine.tick()
    (task,) = engine.tasks()
    with pytest.raises(Outdated):
        engine.complete_task(task.id, revision=seen.revision)
    assert engine.tasks() == (task,)
    assert engine.complete_task(task.id, revision=engine.get(seen.id).revision).changed


def test_two_who_saw_the_same_and_act_at_once(store, clock):
    """Of many who act at the same moment on the same revision one does, and the others are told (S2)."""
    engine = Engine(store, clock=clock)
    seen = engine.enroll(mails(), lead())
    barrier, done, told = threading.Barrier(6), [], []

    def act(n: int) -> None:
        barrier.wait(30)
        try:
            done.append(engine.block(seen.id, reason=f"r-{n}", revision=seen.revision))
        except Outdated:
            told.append(n)

    threads = [threading.Thread(target=act, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(done), len(told)) == (1, 5)
    assert engine.get(seen.id).blocked_reason == done[0].enrollment.blocked_reason


def test_finishing_once_with_a_key(engine):
    """The same key again ends nothing, also not what began since, and answers those that it ended."""
    first = engine.enroll(mails(), lead())
    second = engine.enroll(mails("other"), lead())
    (ended,) = engine.finish_ongoing(lead(), sequences=[first.version.sequence_id], idempotency_key="k")
    assert ended.enrollment.id == first.id
    again = engine.enroll(mails(), lead())
    (repeated,) = engine.finish_ongoing(lead(), sequences=[first.version.sequence_id], idempotency_key="k")
    assert (repeated.enrollment, repeated.changed) == (ended.enrollment, False)
    assert {each.id for each in engine.enrollments(state="active")} == {second.id, again.id}
    with pytest.raises(KeyReused):
        engine.finish_ongoing(lead(), idempotency_key="k")
    assert engine.account("theirs").finish_ongoing(lead(), idempotency_key="k") == ()


def test_finishing_once_names_sequences_in_any_order():
    """An id and a key that look the same are two names; with the same key of the request their order says nothing."""
    with closing(MemoryStore()) as store:
        engine = Engine(store=store)
        for n in range(1, 65):  # of so many some collide in a set, which then keeps the order in which they came
            for named in ([n, str(n)], [str(n), n]):
                assert engine.finish_ongoing(lead(), sequences=named, idempotency_key=f"k{n}") == ()
            with pytest.raises(KeyReused):
                engine.finish_ongoing(lead(), sequences=[n], idempotency_key=f"k{n}")


def test_due_and_overdue(engine, clock):
    """`due` has who waits for a worker, the longest first; `overdue` who should have been over, page by page (T9)."""
    ids = [engine.enroll(tasks(), lead(n, None)).id for n in range(3)]
    clock.move(minutes=5)
    late = engine.enroll(mails(), lead(9)).id
    assert [each.id for each in engine.due()] == [*ids, late]
    assert [each.id for each in engine.due(offset=1, limit=1)] == ids[1:2]
    engine.tick()
    engine.block(ids[1])
    assert engine.due() == ()
    assert engine.overdue().enrollments == ()
    clock.move(hours=72)
    found, after = [], None
    while True:
        page = engine.overdue(after=after, limit=1)
        found += [each.id for each in page.enrollments]
        after = page.after
        if not page.more:
            break
    assert found == [*ids, late]
    assert engine.account("theirs").overdue().enrollments == ()


def test_who_is_stuck_where_and_why(engine, clock):
    """What is asked for of who is overdue, or stands for a reason, is what holds of them among all of them (T9)."""
    for n in range(9):
        engine.enroll((tasks, mails)[n % 2](), lead(n // 2, None))
    engine.tick()
    for id, why in ((1, "paused"), (2, "paused"), (3, "away"), (4, "away"), (5, "paused"), (6, "paused")):
        engine.block(id, reason=why)
    for id, why in ((5, "paused"), (6, "replied"), (7, "replied")):
        engine.finish(id, reason=why)
    clock.move(hours=72)
    everybody = engine.enrollments()
    keys = sorted({each.version.key for each in everybody})
    late = {each.id for each in engine.overdue().enrollments}
    assert len(keys) == 2
    assert 0 < len(late) < len(everybody)

    asked = itertools.product(
        (None, *EnrollmentState), (None, "paused", "away", "replied", "unheard"), (None, *keys), (None, lead(1, None))
    )
    for state, reason, key, resource in asked:
        fitting = [
            each.id
            for each in everybody
            if state in (None, each.state)
            and (reason is None or reason in (each.blocked_reason, each.finished_reason))
            and key in (None, each.version.key)
            and (resource is None or resource.id == each.resource.id)
        ]
        found = engine.enrollments(resource, state, reason=reason, sequence=key)
        assert [each.id for each in found] == fitting
        overdue = engine.overdue(resource, state, reason=reason, sequence=key)
        assert [each.id for each in overdue.enrollments] == [id for id in fitting if id in late]


@pytest.mark.parametrize("ask", [Engine.enrollments, Engine.overdue])
def test_what_nobody_can_be_is_refused(engine, ask):
    """A state that there is not, an unknown sequence, and a reason that could not be stored are refused (S6)."""
    for words in ({"state": "stuck"}, {"reason": ""}, {"reason": "x" * 65}, {"reason": 7}):
        with pytest.raises(InvalidInput, match=next(iter(words))):
            ask(engine, **words)
    with pytest.raises(NotFound):
        ask(engine, sequence="unheard")


def test_an_engine_bound_to_the_default_account(engine):
    """Bound to the default account an engine shows and ticks nothing of the others (S7)."""
    default, acme = engine.account(None), engine.account("acme")
    ours, theirs = default.enroll(mails(), lead()), acme.enroll(mails(), lead())
    assert engine.get(ours.id) == default.get(ours.id) == ours
    with pytest.raises(NotFound):
        default.get(theirs.id)
    assert [event.enrollment_id for event in default.events().events] == [ours.id]
    default.tick()
    assert acme.due()[0].id == theirs.id
    assert acme.account(None).due() == ()


def test_finishing_very_many_once_with_a_key(engine):
    """A repetition answers all that were ended, however many."""
    for n in range(103):
        engine.enroll(tasks(f"tasks {n}"), lead(email=None))
    ended = [each.enrollment.id for each in engine.finish_ongoing(lead(email=None), idempotency_key="k")]
    again = engine.finish_ongoing(lead(email=None), idempotency_key="k")
    assert len(ended) == 103
    assert [each.enrollment.id for each in again] == ended
