"""Setting right what went wrong: a person's address and fields (L1, L9, S8)."""

from __future__ import annotations

import pytest

from sequencer import (
    AlreadyEnrolled,
    Engine,
    InvalidInput,
    NotFound,
    RecordingMailer,
    Replied,
    Sequence,
    Step,
    Suppressed,
    Task,
    replay,
)
from tests.core.driving import impersonal
from tests.engine.sequences import exclusive, lead, mails

NEW = "New@example.com"


def test_a_corrected_address_is_used(engine, mailer):
    """The next mail goes to the new address, and what names the new address finds the enrollment, not the old one."""
    id = engine.enroll(mails(), lead()).id
    engine.tick()
    assert engine.update_person(lead(email=NEW)) == 1
    engine.clock.move(hours=24)
    engine.tick()
    assert [sent.to for sent in mailer.sent] == ["ada@example.com", NEW]
    assert engine.handle(Replied(key="1", email="ada@example.com")).changed == ()
    assert engine.get(engine.enroll(mails(), lead(2, "new@example.com")).id).resource.id == 2
    assert engine.get(id).finished_reason == "completed"


def test_a_missing_field_is_added(engine):
    """A task that failed for want of a field is created after the field was given and the enrollment resumed (L5)."""
    id = engine.enroll(Sequence("call", [Step(Task("Call {{ name }}"))]), lead()).id
    engine.tick()
    assert engine.get(id).blocked_reason == "missing_merge_data"
    assert engine.update_person(lead(fields={"name": "Ada"})) == 1
    assert engine.get(id).state == "blocked"
    engine.resume(id)
    engine.tick()
    assert [task.task_content for task in engine.tasks()] == ["Call Ada"]


def test_what_is_given_is_the_whole_truth(engine):
    """What is left out is gone, the enrollment's own zone and timeline stay, and saying it again changes nothing."""
    before = engine.enroll(mails(), lead(fields={"name": "Ada"}, timezone="Asia/Tokyo"))
    assert engine.update_person(lead(email=None)) == 1
    after = engine.get(before.id)
    assert (after.resource, after.revision) == (lead(email=None), before.revision + 1)
    assert (after.timezone, after.steps, after.wake_at) == ("Asia/Tokyo", before.steps, before.wake_at)
    assert engine.update_person(lead(email=None)) == 1
    assert engine.get(before.id) == after
    assert engine.update_person(lead(email=None, fields={"n": 1})) == 1
    assert engine.update_person(lead(email=None, fields={"n": True})) == 1
    assert engine.get(before.id).resource.fields["n"] is True


def test_s8_the_history_says_that_and_not_what(engine):
    """The event holds nothing personal, and the history replays to the enrollment (S8)."""
    id = engine.enroll(mails(), lead()).id
    engine.update_person(lead(email=NEW, fields={"name": "Lovelace"}))
    stored, history = engine.get(id), engine.history(id)
    assert [event.type for event in history] == ["enrolled", "person_updated"]
    assert "Lovelace" not in str(history)
    assert NEW not in str(history)
    assert replay(stored.version, history).revision == impersonal(stored).revision


def test_every_ongoing_enrollment_and_no_finished_one(engine):
    """All that is going on for the type and the id is updated, and nothing that is over or another's (S7, S8)."""
    over, here = engine.enroll(mails("over"), lead()).id, engine.enroll(mails("here"), lead()).id
    there = engine.enroll(mails("there"), lead()).id
    others = [
        engine.enroll(mails(), lead("1", "b@example.com")).id,
        engine.account("acme").enroll(mails(), lead()).id,
    ]
    engine.finish(over)
    before = [engine.get(over), engine.get(others[0]), engine.account("acme").get(others[1])]
    assert engine.update_person(lead(email=NEW)) == 2
    assert [engine.get(id).resource.email for id in (here, there)] == [NEW, NEW]
    assert [engine.get(over), engine.get(others[0]), engine.account("acme").get(others[1])] == before


def test_s8_what_was_erased_stays_erased(engine):
    """After `erase` nothing of the resource is going on, so there is nothing to update (S8)."""
    id = engine.enroll(mails(), lead()).id
    engine.erase(lead())
    with pytest.raises(NotFound, match="ongoing enrollment of 'lead 1'"):
        engine.update_person(lead(email=NEW))
    assert engine.get(id).resource.email is None
    with pytest.raises(InvalidInput):
        engine.update_person("lead 1")


@pytest.mark.parametrize(
    ("mine", "theirs", "refused"),
    [
        (mails("a"), mails("a"), True),
        (mails("a"), mails("b"), False),
        (exclusive("a"), mails("b"), True),
        (mails("a"), exclusive("b"), True),
    ],
)
def test_l9_an_address_is_in_a_sequence_once(engine, mine, theirs, refused):
    """An address that another resource has in the same, or an exclusive, sequence is refused, and all stays (L9)."""
    first, second = engine.enroll(mine, lead()), engine.enroll(theirs, lead(2, "NEW@example.com"))
    if not refused:
        assert engine.update_person(lead(email=NEW)) == 1
        return
    with pytest.raises(AlreadyEnrolled, match="finish that first") as refusal:
        engine.update_person(lead(email=NEW))
    assert refusal.value.existing_id == second.id
    assert engine.get(first.id) == first
    engine.finish(second.id)
    assert engine.update_person(lead(email=NEW)) == 1


def test_l9_two_of_its_own_are_no_obstacle(engine):
    """A resource's own enrollments may come to share an address, and one whose address stays is not asked (L9)."""
    engine.enroll(mails("a"), lead())
    engine.enroll(mails("b"), lead(email=NEW))
    engine.enroll(mails("b"), lead(2))
    with pytest.raises(AlreadyEnrolled):
        engine.update_person(lead())
    assert engine.update_person(lead(email=NEW)) == 2
    engine.suppress(NEW)
    assert engine.update_person(lead(email=NEW, fields={"name": "Ada"})) == 2


def test_l8_an_address_that_has_opted_out_is_refused(engine):
    """As at enrolling, nobody is moved to an address that has opted out (L8)."""
    before = engine.enroll(mails(), lead())
    engine.suppress(NEW)
    with pytest.raises(Suppressed):
        engine.update_person(lead(email=NEW))
    assert engine.get(before.id) == before


@pytest.mark.parametrize("deduplicates", [True, False])
def test_a_mail_that_was_put_together_already_is_put_together_anew(store, clock, deduplicates):
    """Once the update has returned, no mail is handed over to the old address, also by a worker that had claimed it."""
    mailer = RecordingMailer(deduplicates=deduplicates)
    done = []

    def texts(template_id, account):
        if not done:
            done.append(engine.update_person(lead(email=NEW)))

    engine = Engine(store=store, mailer=mailer, clock=clock, templates=texts)
    id = engine.enroll(Sequence("bare", mails().steps), lead()).id
    engine.tick()
    engine.tick()
    assert [sent.to for sent in mailer.sent] == [NEW]
    assert engine.get(id).steps[0].status == "completed"
