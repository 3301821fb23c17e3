"""Erasing and purging: what is personal goes, what is counted stays (S8)."""

from __future__ import annotations

import sqlite3

import pytest

from sequencer import Engine, NotFound, RecordingMailer, Sequence, SQLiteStore, Step, Suppressed, Task, replay
from sequencer.core.signals import EmailSent, TaskCompleted
from sequencer.testing.laws import impersonal
from tests.engine.sequences import lead, mails, tasks

ADA = lead(1, "ada@example.com", fields={"name": "Ada Lovelace"}, timezone="Europe/London")


def test_s8_erase_ends_what_is_ongoing_and_forgets(engine, mailer):
    """Ongoing enrollments end as `resource_deleted`; address, fields and zone are gone, others stay (S8)."""
    mine, other = engine.enroll(mails(), ADA).id, engine.enroll(mails(), lead(2, "bob@example.com")).id
    engine.tick()
    assert engine.erase(ADA) == 1
    after = engine.get(mine)
    assert (after.finished_reason, after.resource.email, dict(after.resource.fields), after.resource.timezone) == (
        "resource_deleted", None, {}, None,
    )  # fmt: skip
    assert engine.get(other).resource.email == "bob@example.com"
    assert engine.erase(ADA) in (0, 1)


def test_s8_replay_still_works(engine):
    """After `erase` the history still makes the same enrollment, and holds no address (S8)."""
    id = engine.enroll(mails(), ADA).id
    engine.tick()
    engine.erase(ADA)
    stored, history = engine.get(id), engine.history(id)
    again = replay(stored.version, history)
    assert (again.state, [step.status for step in again.steps]) == (
        stored.state,
        [step.status for step in stored.steps],
    )
    assert impersonal(again).resource == impersonal(stored).resource
    assert "example.com" not in str(history)
    assert "Lovelace" not in str(history)


def test_s8_an_erased_address_stays_suppressed(engine):
    """Of a suppressed address a keyed hash stays: it is still refused, and no longer readable (S8)."""
    engine.enroll(mails(), ADA)
    engine.suppress("ada@example.com")
    engine.erase(ADA)
    assert [each.address for each in engine.suppressed()] == [None]
    with pytest.raises(Suppressed):
        engine.enroll(mails(), lead(5, "Ada@example.com"))
    assert engine.unsuppress("ada@example.com")


def test_s8_an_answer_that_comes_after_erasing_brings_nothing_back(engine, mailer):
    """A mail that was out when its person was erased is completed by its answer, and stays erased (S8, L7)."""
    mailer.answer_late()
    id = engine.enroll(mails(), ADA).id
    engine.tick()
    key = mailer.late[0].key
    engine.erase(ADA)
    engine.handle(EmailSent(key="1", effect_key=key))
    after = engine.get(id)
    assert (after.steps[0].status, after.resource.email) == ("completed", None)


def test_s8_an_answer_of_a_worker_that_was_calling_brings_nothing_back(store, clock):
    """A worker that knew the person while they were erased does not write them back with its answer (S8)."""

    class Erasing:
        deduplicates = False

        def send(self, email, *, key, timeout):
            engine.erase(ADA)
            return recorder.send(email, key=key, timeout=timeout)

    recorder = RecordingMailer()
    engine = Engine(store=store, mailer=Erasing(), clock=clock)
    id = engine.enroll(mails(), ADA).id
    engine.tick()
    after = engine.get(id)
    assert (after.steps[0].status, after.resource.email, dict(after.resource.fields)) == ("completed", None, {})


def test_s8_task_texts_are_forgotten(engine):
    """The texts of tasks, which may name the person, go with the rest (S8)."""
    engine.enroll(Sequence("t", [Step(Task("Call {{ name }}"))]), ADA)
    engine.tick()
    assert engine.tasks()[0].task_content == "Call Ada Lovelace"
    engine.erase(ADA)
    assert all("Ada" not in task.task_content for task in engine.tasks(status=None))


def test_s8_nothing_personal_is_left_in_the_file(tmp_path, clock, mailer):
    """After `erase` the database file has neither address nor name in any page that is in use (S8)."""
    path = tmp_path / "erase.db"
    store = SQLiteStore(path)
    engine = Engine(store=store, mailer=mailer, clock=clock)
    engine.enroll(mails(), ADA)
    engine.tick()
    engine.erase(ADA)
    store.close()
    connection = sqlite3.connect(path)
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "Lovelace" not in dump
    assert "ada@example.com" not in dump


def test_s8_purge_forgets_what_is_old(engine, clock):
    """`purge` deletes what finished before an instant, so many at a time, with its history and its ids (S8)."""
    old = [engine.enroll(tasks(), lead(i, None), idempotency_key=f"k{i}").id for i in range(5)]
    engine.tick()
    task = engine.tasks()[0].id
    for id in old[:4]:
        engine.finish(id)
    clock.move(hours=1)
    engine.finish(old[4])
    assert engine.purge(finished_before=clock.now(), limit=3) == 3
    assert engine.purge(finished_before=clock.now()) == 1
    assert engine.purge(finished_before=clock.now()) == 0
    assert [each.id for each in engine.enrollments()] == [old[4]]
    with pytest.raises(NotFound):
        engine.history(old[0])
    assert engine.handle(TaskCompleted(key="1", task_id=task)).changed == ()
    assert engine.statistics("tasks").total == 1
    assert engine.enroll(tasks(), lead(0, None), idempotency_key="k0").id not in old
