"""Reports from outside, through the door: keys, whom they concern, suppression (L8), and the mailers' answers (L10)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sequencer import Bounced, Conflict, Engine, InvalidInput, Opened, OutOfOffice, Person, Policy, Rejected, Replied
from sequencer.core import lifecycle
from sequencer.core.errors import KeyReused
from sequencer.core.events import Event
from sequencer.core.signals import (
    Clicked,
    Converted,
    EmailFailed,
    EmailSent,
    MeetingBooked,
    ResourceDeleted,
    SoftBounced,
    TaskCompleted,
    Unsubscribed,
)
from sequencer.engine import reports
from tests.engine.sequences import lead, mails, tasks


def states(engine):
    return {
        each.version.key + str(each.resource.id): each.finished_reason or each.state.value
        for each in engine.enrollments()
    }


@pytest.fixture
def some(engine):
    """Ada twice, once more under another lead with her address, and somebody else."""
    return [
        engine.enroll(mails("a"), lead(1)),
        engine.enroll(mails("b"), lead(1, email=None)),
        engine.enroll(mails("c"), lead(2, email="ADA@example.com")),
        engine.enroll(mails("a"), lead(3, email="bob@example.com")),
    ]


@pytest.mark.parametrize("kind", [Replied, MeetingBooked, Converted, ResourceDeleted])
def test_l8_it_finishes_every_ongoing_enrollment_of_the_resource(engine, some, kind):
    """Reply, meeting, conversion and deletion finish what is ongoing of the resource, and of its address (L8)."""
    handled = engine.handle(kind(key="1", resource=lead(1)))
    assert handled.changed == tuple(each.id for each in some[:3])
    assert states(engine) == {"a1": kind.kind, "b1": kind.kind, "c2": kind.kind, "a3": "active"}


def test_l8_found_by_each_way(engine, some, mailer):
    """A report finds its enrollment by id, resource, address or message id (L8)."""
    engine.tick()
    mail = mailer.to("bob@example.com")[0]
    ways = ({"enrollment_id": some[3].id}, {"resource": ("lead", 3)}, {"email": " BOB@example.com"},
            {"message_id": mail.answer.message_id})  # fmt: skip
    for i, way in enumerate(ways):
        engine.handle(Opened(key=f"o{i}", **way))
    engine.handle(Opened(key="else", email="nobody@example.com"))
    assert [event.facts["key"] for event in engine.history(some[3].id) if event.type == "noted"] == [
        "o0",
        "o1",
        "o2",
        "o3",
    ]
    assert not [event for event in engine.history(some[0].id) if event.type == "noted"]


def test_l8_the_same_key_twice_changes_nothing_and_answers_the_same(engine, some):
    """A redelivered report answers as the first time, also when the time of delivery differs (L8)."""
    first = engine.handle(Replied(key="1", resource=lead(3)))
    count = len(engine.history(some[3].id))
    again = engine.handle(Replied(key="1", resource=lead(3), at=engine.clock.now()))
    assert (again, again.repeated, first.repeated) == (first, True, False)
    assert len(engine.history(some[3].id)) == count


@pytest.mark.parametrize("again", ["ADA@example.com", " Ada@Example.com ", "Ada Lovelace <ada@example.com>"])
def test_l8_an_address_that_is_written_in_another_way_is_the_same(engine, some, again):
    """A redelivery whose address differs in case, blanks or a name beside it is the same; another is not (L8)."""
    first = engine.handle(Replied(key="1", email="Ada@example.com"))
    second = engine.handle(Replied(key="1", email=again))
    assert (second, second.repeated, first.changed != ()) == (first, True, True)
    with pytest.raises(KeyReused):
        engine.handle(Replied(key="1", email="bob@example.com"))


@pytest.mark.parametrize(
    "other", [Replied(key="1", resource=lead(1)), Opened(key="1", resource=lead(3)), EmailSent(key="1", effect_key="x")]
)
def test_l8_the_same_key_with_other_content_is_an_error(engine, some, other):
    """A key that comes again with another kind or for somebody else is a conflict, and nothing changes (L8)."""
    engine.handle(Replied(key="1", resource=lead(3)))
    before = states(engine)
    with pytest.raises(Conflict):
        engine.handle(other)
    assert states(engine) == before


def test_l8_one_that_concerns_nobody_is_noted_not_an_error(engine):
    """A report about nobody answers that nothing changed, and its key is used up (L8)."""
    report = Replied(key="1", email="nobody@example.com")
    assert engine.handle(report).changed == ()
    assert engine.handle(report).repeated


def notes(engine):
    """Which reports are noted, by the enrollment."""
    return [
        (event.enrollment_id, event.facts["kind"], event.facts["key"])
        for each in engine.enrollments()
        for event in engine.history(each.id)
        if event.type == "noted"
    ]


@pytest.mark.parametrize("kind", [Replied, Unsubscribed, Opened])
@pytest.mark.parametrize("way", [{"email": " ADA@example.com"}, {"resource": lead(1, email=None)}])
def test_l10_a_report_that_finds_nobody_ongoing_is_noted_in_what_ended_last(engine, some, clock, kind, way):
    """By address or resource: of what is over, only what ended last holds it, once for each key (L8, L10)."""
    for each in (some[0], some[2], some[1]):
        clock.move(hours=1)
        engine.finish(each.id)
    clock.move(hours=1)
    # Of the address a and c, of the resource a and b; the last of them.
    last = some[2] if "email" in way else some[1]
    before = {each.id: each for each in engine.enrollments()}

    handled = engine.handle(kind(key="1", **way))
    assert (handled.changed, engine.handle(kind(key="1", **way)).repeated) == ((), True)
    assert notes(engine) == [(last.id, kind.kind, "1")]
    after = {each.id: each for each in engine.enrollments()}
    assert (after[last.id].state, after[last.id].steps) == (before[last.id].state, before[last.id].steps)
    assert {id: each for id, each in after.items() if id != last.id} == {
        id: each for id, each in before.items() if id != last.id
    }
    assert [each.address for each in engine.suppressed()] == (["ada@example.com"] if kind is Unsubscribed else [])


def test_l10_it_is_an_event_like_others_and_those_of_other_accounts_hear_nothing(store, clock):
    """What is noted after the end goes to the listener, with its subject, and stays in the account (L10, S7)."""
    told: list[Event] = []
    engine = Engine(store=store, clock=clock, listener=told.append)
    for account in (None, "acme"):
        engine.account(account).finish(engine.account(account).enroll(mails(), lead()).id)
    engine.tick()
    told.clear()
    engine.account("acme").handle(Replied(key="1", email="ada@example.com"))
    engine.tick()
    (event,) = told
    assert (event.type, event.facts["kind"]) == ("noted", "replied")
    assert event.subject is not None
    assert event.subject.account == "acme"


def test_l10_where_somebody_is_ongoing_or_a_mail_is_named_what_is_over_holds_nothing(engine, some):
    """Whoever is ongoing has it; and of several that are over, the one whose mail is named (L8, L10)."""
    engine.tick()
    of_a = engine.get(some[0].id).steps[0].message_id
    assert engine.handle(Replied(key="1", email="bob@example.com")).changed == (some[3].id,)
    engine.finish(some[0].id)
    engine.handle(Opened(key="2", email="ada@example.com"))
    assert notes(engine) == [(some[2].id, "opened", "2")]
    engine.finish(some[2].id)
    engine.handle(Replied(key="3", message_id=of_a))
    engine.handle(Replied(key="4", message_id="<of somebody else>", email="bob@example.com"))
    assert notes(engine) == [(some[0].id, "replied", "3"), (some[2].id, "opened", "2"), (some[3].id, "replied", "4")]


def test_s8_who_was_erased_is_found_by_the_resource_only(engine, some):
    """An address that was forgotten leads nowhere; the ids that stay still do, and nothing personal comes back (S8)."""
    engine.erase(lead(3))
    engine.handle(Replied(key="1", email="bob@example.com"))
    assert notes(engine) == []
    engine.handle(Replied(key="2", resource=lead(3, email="bob@example.com")))
    assert notes(engine) == [(some[3].id, "replied", "2")]
    assert engine.get(some[3].id).resource == lead(3, email=None)
    assert "bob" not in repr(engine.history(some[3].id))


@pytest.mark.parametrize("bad", ["replied", None, 3, object()])
def test_s6_what_is_no_report_is_refused(engine, bad):
    """Something else than a report is bad input (S6)."""
    with pytest.raises(InvalidInput):
        engine.handle(bad)


def test_s6_an_answer_needs_a_key_and_a_name(engine):
    """A port's answer through the door needs a key of its own, and has to name a step (S6, L8)."""
    with pytest.raises(InvalidInput):
        engine.handle(EmailSent(effect_key="x"))
    with pytest.raises(InvalidInput):
        engine.handle(EmailSent(key="1"))


def test_l8_unsubscribed_by_resource_finds_its_addresses(engine, some, mailer):
    """An opt-out by resource alone suppresses every address it was ever enrolled under, and ends all of them (L8)."""
    engine.handle(Unsubscribed(key="1", resource=lead(1, email=None)))
    assert states(engine) == {"a1": "unsubscribed", "b1": "unsubscribed", "c2": "unsubscribed", "a3": "active"}
    assert [each.address for each in engine.suppressed()] == ["ada@example.com"]
    engine.tick()
    assert [mail.to for mail in mailer.sent] == ["bob@example.com"]


def test_l8_unsubscribed_after_the_end_still_suppresses(engine, some):
    """An opt-out that names a finished enrollment suppresses its address all the same (L8)."""
    engine.finish(some[3].id)
    engine.handle(Unsubscribed(key="1", enrollment_id=some[3].id))
    assert [each.address for each in engine.suppressed()] == ["bob@example.com"]


def test_l8_key_suppression_and_enrollments_change_together(engine, some, monkeypatch):
    """If one of the enrollments cannot be changed, neither key nor suppression is kept (L8)."""
    calls = []

    def fails_at_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError
        return advance(*arguments)

    advance = lifecycle.advance
    monkeypatch.setattr(reports, "advance", fails_at_the_second)
    with pytest.raises(RuntimeError):
        engine.handle(Unsubscribed(key="1", resource=lead(1)))
    monkeypatch.undo()
    assert set(states(engine).values()) == {"active"}
    assert engine.suppressed() == ()
    assert not engine.handle(Unsubscribed(key="1", resource=lead(1))).repeated


def test_l8_suppression_is_checked_again_at_hand_over(store, clock, mailer):
    """An address that is suppressed after enrolling, and only known to `people`, gets no mail (L8)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, people=lambda resource: Person(email=" Eve@example.com"))
    id = engine.enroll(mails(), lead()).id
    engine.suppress("eve@EXAMPLE.com")
    engine.tick()
    assert mailer.calls == []
    assert engine.get(id).finished_reason == "unsubscribed"


def test_l8_out_of_office_by_default_blocks_for_five_working_days(engine, some, clock):
    """Without a return date the pause lasts five working days, on every enrollment of the person (L8)."""
    assert len(engine.handle(OutOfOffice(key="1", resource=lead(1))).changed) == 3
    assert engine.get(some[0].id).blocked_until == clock.now() + timedelta(days=7)


def test_l8_a_hard_bounce_later_blocks(engine, some, mailer):
    """A bounce after acceptance blocks as `bounced`; resume goes on with the next step (L8)."""
    engine.tick()
    engine.handle(Bounced(key="1", message_id=mailer.to("bob@example.com")[0].answer.message_id))
    assert engine.get(some[3].id).blocked_reason == "bounced"
    assert engine.resume(some[3].id).enrollment.current_step_position == 1


@pytest.mark.parametrize("kind", [Opened, Clicked, SoftBounced])
def test_l8_opens_clicks_and_soft_bounces_are_notes(engine, some, kind):
    """They change nothing, and stand in the history of the mail that they name (L8)."""
    assert engine.handle(kind(key="1", enrollment_id=some[0].id)).changed == ()
    assert engine.history(some[0].id)[-1].facts["kind"] == kind.kind


def test_l8_the_policy_decides(engine):
    """What a report does is the sequence's own policy (L8)."""
    engine.enroll(mails("a", policy=Policy(on={"replied": "note"})), lead())
    engine.enroll(mails("b", policy=Policy(on={"replied": "block"})), lead())
    engine.enroll(mails("c"), lead())
    engine.handle(Replied(key="1", resource=lead()))
    assert states(engine) == {"a1": "active", "b1": "blocked", "c1": "replied"}


def test_l10_a_late_answer_comes_by_the_providers_id(engine, mailer, clock):
    """A mailer that answers later is believed by its own id, and the key of the report counts once (L10)."""
    mailer.answer_late()
    id = engine.enroll(mails(), lead()).id
    engine.tick()
    assert engine.get(id).steps[0].status == "requested"
    clock.move(hours=1)
    (report,) = mailer.settle()
    assert engine.handle(report).changed == (id,)
    assert engine.handle(report).repeated
    assert engine.get(id).steps[0].status == "completed"


def test_l10_an_acceptance_under_an_earlier_providers_id_counts(engine, mailer, clock):
    """The first attempt was given up and repeated; then the provider says that it was accepted after all (L10)."""
    mailer.answer_late(times=2)
    id = engine.enroll(mails(), lead()).id
    engine.tick()
    first = mailer.late[0].answer.provider_id
    engine.handle(EmailFailed(key="1", provider_id=first, permanent=False))
    clock.set(engine.get(id).steps[0].estimated_execute_at)
    engine.tick()
    second = mailer.late[1].answer.provider_id
    assert engine.get(id).steps[0].provider_id == second != first
    engine.handle(EmailFailed(key="2", provider_id=first))
    assert engine.get(id).steps[0].status == "requested"
    assert engine.handle(EmailSent(key="3", provider_id=first)).changed == (id,)
    assert engine.get(id).steps[0].status == "completed"


def test_l8_a_hard_bounce_at_hand_over_blocks_and_resume_retries(engine, mailer):
    """A recipient that is refused at hand-over blocks as `bounced`; resume tries again under a new key (L8, E2)."""
    mailer.fail(Rejected("no such user", permanent=True, recipient_fault=True))
    id = engine.enroll(mails(), lead()).id
    engine.tick()
    assert engine.get(id).blocked_reason == "bounced"
    engine.resume(id)
    engine.tick()
    assert engine.get(id).steps[0].status == "completed"
    assert len({call.key for call in mailer.calls}) == 2


def test_s7_a_report_about_a_task_finds_it_by_the_boards_id(hosted, board):
    """The board's id leads to the step; an unknown one is noted (L8)."""
    id = hosted.enroll(tasks(), lead()).id
    hosted.tick()
    hosted.handle(TaskCompleted(key="0", task_id="unknown"))
    assert hosted.handle(TaskCompleted(key="1", task_id=board.open[0].id)).changed == (id,)
    assert hosted.get(id).steps[0].status == "completed"
