"""Setting right what went wrong: a person's address and fields (L1, L9, S8), and what a mistake has blocked (L6)."""

from __future__ import annotations

import pytest

from sequencer import (
    AlreadyEnrolled,
    Engine,
    InvalidInput,
    NotFound,
    RecordingMailer,
    Rejected,
    Replied,
    Sequence,
    Step,
    Suppressed,
    Task,
    replay,
)
from sequencer.testing.laws import impersonal
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


def test_the_clock_is_kept(engine):
    """A correction is of the address and the fields: the clock stays the one that the enrollment began by."""
    id = engine.enroll(mails(), lead(timezone="Europe/Warsaw")).id
    engine.update_person(lead(timezone="America/New_York"))
    assert engine.get(id).timezone == "Europe/Warsaw"


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
    done: list[bool] = []

    def texts(template_id, account):
        if not done:
            done.append(engine.update_person(lead(email=NEW)))

    engine = Engine(store=store, mailer=mailer, clock=clock, templates=texts)
    id = engine.enroll(Sequence("bare", mails().steps), lead()).id
    engine.tick()
    engine.tick()
    assert [sent.to for sent in mailer.sent] == [NEW]
    assert engine.get(id).steps[0].status == "completed"


def _misconfigured(engine, mailer):
    """Four in two sequences whose first mail has failed for the worker's settings, and one that was paused."""
    mailer.fail(Rejected("no link", permanent=True, reason="mail_settings"), times=4)
    ids = [engine.enroll(mails("ab"[n % 2]), lead(n, f"{n}@example.com")).id for n in range(4)]
    engine.tick()
    paused = engine.enroll(mails("a"), lead(9, None)).id
    engine.block(paused)
    return ids, paused


def test_l6_all_that_one_mistake_has_blocked(engine, mailer):
    """Those blocked for the reason go on, in the order of their ids, and their mails leave; others stay blocked."""
    ids, paused = _misconfigured(engine, mailer)
    assert dict(engine.statistics("a").blocked) == {"mail_settings": 2, "paused": 1}
    outcomes = engine.resume_blocked("mail_settings")
    assert [outcome.enrollment.id for outcome in outcomes] == ids
    assert all(outcome.changed and outcome.enrollment.state == "active" for outcome in outcomes)
    assert engine.resume_blocked("mail_settings") == ()
    engine.tick()
    assert len(mailer.sent) == 4
    assert engine.get(paused).blocked_reason == "paused"


def test_l6_of_one_sequence_and_page_by_page(engine, mailer):
    """A sequence, a limit and the last id narrow it, and each outcome is what `resume` would have answered."""
    ids, _ = _misconfigured(engine, mailer)
    (first,) = engine.resume_blocked("mail_settings", sequence="a", limit=1)
    (second,) = engine.resume_blocked("mail_settings", sequence=mails("a"), limit=1, after=first.enrollment.id)
    assert [first.enrollment.id, second.enrollment.id] == [ids[0], ids[2]]
    (skipped, other) = engine.resume_blocked("mail_settings", skip=True)
    assert [skipped.enrollment.id, other.enrollment.id] == [ids[1], ids[3]]
    assert skipped.enrollment.steps[0].status == "skipped"


def test_l6_the_timeline_is_the_callers(engine, clock):
    """What becomes of the timeline is as with `resume` (L6)."""
    for timeline, hours in (("shift", 24), ("keep", 0), ("restart", 24)):
        id = engine.enroll(mails(timeline), lead(timeline, "a@example.com")).id
        engine.tick()
        engine.block(id, reason=timeline)
        clock.move(hours=48)
        (outcome,) = engine.resume_blocked(timeline, timeline=timeline)
        assert outcome.enrollment.steps[1].estimated_execute_at == clock.now().add(hours=hours)


def test_l6_what_is_still_out_is_not_skipped(engine, mailer):
    """A hand-over whose answer is out cannot be skipped: it stays blocked and holds up none of the others (L4, L10)."""
    mailer.answer_late(times=2)
    ids = [engine.enroll(mails(), lead(n, f"{n}@example.com")).id for n in range(4)]
    engine.tick()
    for id in ids:
        engine.block(id)
    outcomes = engine.resume_blocked("paused", skip=True, limit=1)
    outcomes += engine.resume_blocked("paused", skip=True)
    assert [outcome.enrollment.id for outcome in outcomes] == ids[2:]
    assert [engine.get(id).state for id in ids] == ["blocked", "blocked", "finished", "finished"]
    assert len(engine.resume_blocked("paused")) == 2


def test_s6_a_wrong_argument_is_refused_also_where_nothing_is_blocked(engine):
    """Timeline, limit, reason and sequence are checked before anything is looked for (S6)."""
    for wrong in ({"timeline": "later"}, {"limit": 0}, {"limit": 10_001}, {"reason": 7}, {"reason": " "}):
        with pytest.raises(InvalidInput):
            engine.resume_blocked(**{"reason": "paused", **wrong})
    with pytest.raises(NotFound):
        engine.resume_blocked("paused", sequence="nobody")
    assert engine.resume_blocked("nothing") == ()


def test_s7_only_ones_own_go_on(engine):
    """Another account's enrollments stay as they are (S7)."""
    id = engine.enroll(mails(), lead()).id
    engine.block(id)
    assert engine.account("acme").resume_blocked("paused") == ()
    assert engine.get(id).state == "blocked"
