"""Accounts: nothing of one is seen, found or changed through another's door (S7)."""

from __future__ import annotations

import pytest

from sequencer import AlreadyEnrolled, Bounced, NotFound, Replied, Suppressed
from sequencer.core.signals import EmailSent, TaskCompleted, TaskCreated, Unsubscribed
from tests.engine.sequences import lead, mails, tasks


@pytest.fixture(params=[("acme", "rival"), (1, "1"), (None, "acme"), ("acme", None)], ids=str)
def doors(request, engine):
    return [engine if account is None else engine.account(account) for account in request.param]


def test_s7_the_same_person_in_two_accounts(doors):
    """One at a time, idempotency keys and suppression are each account's own (S7, L9)."""
    ours, theirs = doors
    first = ours.enroll(mails(), lead(), idempotency_key="k")
    second = theirs.enroll(mails(), lead(), idempotency_key="k")
    assert second.id != first.id
    assert theirs.enroll(mails(), lead(), idempotency_key="k").id == second.id
    with pytest.raises(AlreadyEnrolled) as refusal:
        ours.enroll(mails(), lead())
    assert refusal.value.existing_id == first.id
    ours.suppress("bob@example.com")
    assert theirs.suppressed() == ()
    theirs.enroll(mails(), lead(2, "bob@example.com"))
    with pytest.raises(Suppressed):
        ours.enroll(mails(), lead(2, "bob@example.com"))


def test_s7_ids_of_others_are_not_found(doors):
    """Every verb and read answers `NotFound` for another account's id, and nothing changes (S7)."""
    ours, theirs = doors
    mine = ours.enroll(mails(), lead())
    doing = (
        lambda: theirs.get(mine.id),
        lambda: theirs.history(mine.id),
        lambda: theirs.explain(mine.id),
        lambda: theirs.block(mine.id),
        lambda: theirs.resume(mine.id),
        lambda: theirs.skip(mine.id),
        lambda: theirs.finish(mine.id),
        lambda: theirs.statistics("mails"),
        lambda: theirs.enroll("mails", lead(2)),
        lambda: theirs.delete_sequence("mails"),
        lambda: theirs.stored_sequence(mine.version.sequence_id),
        lambda: theirs.replace_sequence(mine.version.sequence_id, mails()),
        lambda: theirs.enroll(mine.version.sequence_id, lead(2)),
    )
    for attempt in doing:
        with pytest.raises(NotFound):
            attempt()
    assert ours.get(mine.id) == mine
    assert theirs.enrollments() == ()
    assert theirs.enrollments(ids=[mine.id]) == theirs.enrollments(address="ada@example.com") == theirs.due() == ()
    assert theirs.sequences() == theirs.stored_sequences() == ()
    assert theirs.stored_sequences(ids=[mine.version.sequence_id], deleted=True) == ()
    assert theirs.finish_ongoing(lead()) == ()
    assert theirs.reassign(lead(), actor_id=5) == ()
    assert theirs.erase(lead()) == 0
    assert ours.get(mine.id) == mine


def test_s7_reports_reach_only_ones_own(doors, mailer):
    """Whatever a report names, key, message, address, resource or id, it reaches its own account only (S7, L8)."""
    ours, theirs = doors
    mine = ours.enroll(mails(), lead())
    mailer.answer_late()
    ours.tick()
    late = mailer.late[0]
    before = ours.get(mine.id)
    ways = ({"enrollment_id": mine.id}, {"resource": lead()}, {"email": "ada@example.com"},
            {"provider_id": late.answer.provider_id})  # fmt: skip
    for i, way in enumerate(ways):
        assert theirs.handle(Replied(key=f"{i}", **way)).changed == ()
    assert theirs.handle(EmailSent(key="k", effect_key=late.key)).changed == ()
    assert theirs.handle(EmailSent(key="p", provider_id=late.answer.provider_id)).changed == ()
    theirs.handle(Unsubscribed(key="u", enrollment_id=mine.id))
    assert ours.get(mine.id) == before
    assert ours.suppressed() == ()
    assert theirs.suppressed() == ()
    # A key that one account has used is still free in the other, whatever it says there.
    assert ours.handle(Bounced(key="0", enrollment_id=mine.id)).changed == (mine.id,)


def test_s7_tasks_are_each_accounts_own(doors):
    """Tasks on the embedded board, and their ids, are seen and completed in their own account only (S7)."""
    ours, theirs = doors
    mine = ours.enroll(tasks(), lead())
    ours.tick()
    (task,) = ours.tasks()
    assert theirs.tasks() == ()
    with pytest.raises(NotFound):
        theirs.complete_task(task.id)
    assert theirs.handle(TaskCompleted(key="1", task_id=task.id)).changed == ()
    assert ours.complete_task(task.id).enrollment.id == mine.id


def test_s7_a_reported_task_id_closes_nobody_elses_task(doors):
    """A report that gives its own step another account's task id cannot close that task (S7)."""
    ours, theirs = doors
    ours.enroll(tasks(), lead())
    ours.tick()
    (task,) = ours.tasks()
    other = theirs.enroll(tasks(), lead())
    key = other.key_of(other.steps[0])
    theirs.handle(TaskCreated(key="1", effect_key=key, task_id=task.id))
    theirs.handle(TaskCompleted(key="2", effect_key=key))
    assert [each.id for each in ours.tasks()] == [task.id]


def test_s7_a_tick_is_an_accounts_own(engine, mailer):
    """An engine that is bound to an account hands over only what is due there; the engine itself everything (S7)."""
    acme, rival = engine.account("acme"), engine.account("rival")
    for door, address in ((acme, "a@example.com"), (rival, "r@example.com"), (engine, "e@example.com")):
        door.enroll(mails(), lead(1, address))
    acme.tick()
    assert [mail.to for mail in mailer.sent] == ["a@example.com"]
    engine.tick()
    assert sorted(mail.to for mail in mailer.sent) == ["a@example.com", "e@example.com", "r@example.com"]


def test_s7_who_has_one_account_never_meets_the_notion(engine, mailer):
    """Without accounts everything works, and mails say that there is none (S7)."""
    engine.enroll(mails(), lead())
    engine.tick()
    assert mailer.sent[0].email.account is None
