"""Answers of the ports: which attempt they are about, and what a late, an early or a strange one does (L8, L10, E2)."""

from __future__ import annotations

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.answers import without_addresses
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.effects import CancelTask
from sequencer.core.enrollment import to_address
from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.policy import Policy
from sequencer.core.signals import (
    Block,
    CompleteTask,
    EmailFailed,
    EmailPending,
    EmailSent,
    Finish,
    OutOfOffice,
    Replied,
    Resume,
    Skip,
    Start,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
)
from sequencer.core.windows import Window
from tests.core.driving import AT_LEAST_ONCE, KNOWS_KEYS, MONDAY, PLAIN, Run, mail, task


def test_an_answer_for_a_step_that_was_never_handed_over_is_noted():
    """An acceptance that names a later step, whose key anyone can guess, does not pull the enrollment there (L4)."""
    run = Run(mail(), mail(), task())
    for report in (
        EmailSent(effect_key=run.key(1)),
        TaskCreated(effect_key=run.key(2), task_id=1),
        TaskCompleted(effect_key=run.key(2)),
    ):
        run.do(report)
        assert run.told == ["noted"]
    assert run.statuses == ["pending", "pending", "pending"]
    assert run.enrollment.position == 0


def test_a_refusal_under_an_earlier_key_is_noted():
    """After a person has retried under a new key, the old key's refusal says nothing about the new hand-over (L10)."""
    run = Run(mail()).hand_over()
    old = run.key()
    run.refuse().do(Resume()).hand_over()
    assert run.key() != old
    for report in (EmailFailed(effect_key=old, attempt=1), EmailPending(effect_key=old, attempt=1, provider_id="p")):
        run.do(report)
        assert run.told == ["noted"]
        assert run.statuses == ["requested"]


def test_an_acceptance_under_an_earlier_key_counts():
    """Acceptance of any attempt counts, also of one before a person's retry (L10)."""
    run = Run(mail(), mail(Hours(1))).hand_over()
    old = run.key()
    run.refuse().do(Resume()).due()
    run.do(EmailSent(effect_key=old, attempt=1))
    assert run.statuses == ["completed", "pending"]


def test_a_refusal_of_an_earlier_attempt_is_noted():
    """Refusal of any but the latest attempt is noted (L10)."""
    run = Run(mail()).hand_over().refuse(permanent=False).hand_over()
    assert run[0].attempt == 2
    run.do(EmailFailed(effect_key=run.key(), attempt=1, permanent=True))
    assert run.told == ["noted"]
    assert run.statuses == ["requested"]


def test_a_mail_cannot_be_completed_by_hand():
    """`CompleteTask` for a mail is refused: only the mailer's acceptance makes a mail completed (T6, L2)."""
    with pytest.raises(IllegalTransition):
        Run(mail()).do(CompleteTask(0))


def test_a_pause_that_ends_while_the_mailer_still_thinks_parks_nothing():
    """A pause that runs out before the mailer's late answer ends by itself, and the mail goes on waiting (L5, L6)."""
    run = Run(mail(), mail()).hand_over().pend()
    run.do(Block(until=run.now.add(hours=5))).later(hours=6).due()
    assert run.state == "active"
    assert run.statuses == ["requested", "pending"]
    run.later(hours=1).do(EmailSent(provider_id="p-1"))
    assert run.statuses == ["completed", "pending"]


def test_a_mailer_that_never_answers_is_parked_after_three_days():
    """A mail that is pending at the mailer for 72 hours is parked for a person, whose name for it is given (E3, L5)."""
    run = Run(mail()).hand_over().pend()
    run.later(hours=71).due()
    assert run.statuses == ["requested"]
    run.later(hours=1).due()
    assert (run.state, run.why, run.statuses) == ("blocked", "outcome_unknown", ["failed"])


def test_a_task_taken_off_the_board_does_not_end_the_wait_for_an_answer():
    """After `finish`, a cancel at the board that is due early leaves a mail's outstanding answer alone (L7)."""
    run = Run(task(), mail()).hand_over().accept().do(Skip())
    assert [type(effect) for effect in run.effects] == [CancelTask]
    run.hand_over().pend().do(Finish())
    run.later(hours=1).due()
    assert run.statuses == ["skipped", "requested"]
    run.later(hours=1).do(EmailSent(provider_id="p-1"))
    assert run.statuses == ["skipped", "completed"]


def test_a_creation_reported_again_does_not_raise_the_deleted():
    """A repeated report that a task was created does not bring it back after it was deleted at the board (L10)."""
    run = Run(task()).hand_over().accept().do(TaskDeleted(task_id="task-0"))
    run.do(TaskCreated(effect_key=run.key(), attempt=1, task_id="task-0"))
    assert run.told == ["noted"]
    assert (run.state, run.why) == ("blocked", "task_deleted")


@pytest.mark.parametrize("until", [pendulum.date(9999, 12, 31), pendulum.date(1960, 1, 1), pendulum.date(1, 1, 1)])
def test_a_return_date_out_of_range_is_refused_where_it_is_made(until):
    """A date beyond the range of instants is bad input when the report is made, and never raises later (S6, L10)."""
    with pytest.raises(InvalidInput):
        OutOfOffice(key="k", enrollment_id=7, until=until)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
@pytest.mark.parametrize("until", [pendulum.date(1970, 1, 2), pendulum.date(9000, 12, 31)])
def test_a_return_date_at_the_edge_of_the_range_is_taken(zone, until):
    """The first and the last return date that can be made have a beginning on every zone's clock (T11, L10)."""
    run = Run(mail(), timezone=zone).do(OutOfOffice(key="k", enrollment_id=7, until=until))
    assert run.told == (["noted"] if until.year == 1970 else ["blocked"])


def test_an_execution_in_the_future_reads_as_now():
    """A provider that dates its acceptance in the future does not push the next step away (E6)."""
    run = Run(mail(), mail(Hours(2))).hand_over()
    run.do(EmailSent(effect_key=run.key(), at=run.now.add(years=1)))
    assert run[0].executed_at == run.now
    assert run[1].estimated_execute_at == run.now.add(hours=2)


def test_an_execution_is_not_before_its_hand_over():
    """A provider that dates its acceptance before the hand-over does not pull the next step near (E6, T6)."""
    run = Run(mail(), mail(Hours(2))).hand_over()
    run.later(minutes=5).do(EmailSent(effect_key=run.key(), at=run.now.subtract(years=1)))
    assert run[0].executed_at == run[0].requested_at


def test_a_provider_may_name_the_mail_later():
    """A message id that comes after the acceptance is kept, once, for the thread (E2)."""
    run = Run(mail(), mail()).hand_over().accept(message_id=None)
    run.do(EmailSent(effect_key=run.key(0), message_id="<late>"))
    assert run[0].message_id == "<late>"
    run.do(EmailSent(effect_key=run.key(0), message_id="<other>"))
    assert run[0].message_id == "<late>"


def test_what_a_port_says_is_kept_without_addresses():
    """The detail of a failure keeps no address, since histories hold none (S8)."""
    run = Run(mail()).hand_over().refuse(detail="550 <ada@example.com>: no such\nuser ada@example.com")
    assert run[0].failure_detail == "550 <<address>>: no such user <address>"
    assert not any("ada" in str(event) for event in run.history)


def test_a_window_that_closed_meanwhile_withdraws_the_hand_over():
    """A mail whose worker died before the mark is not handed over after its window has closed (T9, E3)."""
    office = Calendar("UTC", send_windows=[Window(["mon", "tue", "wed", "thu", "fri"], "09:00", "17:00")])
    run = Run(mail(), calendar=office, at=MONDAY.set(hour=16, minute=59)).due()
    assert run.effects
    run.later(minutes=2).due()
    assert not run.effects
    assert run.told == ["hand_over_withdrawn"]
    assert run.enrollment.wake_at == MONDAY.add(days=1)


def test_no_mark_is_taken_when_the_window_has_closed():
    """Between the claim and the mark a window can close: then there is no mark (T9, E3)."""
    office = Calendar("UTC", send_windows=[Window(["mon"], "09:00", "17:00")])
    run = Run(mail(), calendar=office, at=MONDAY.set(hour=16, minute=59)).due()
    run.later(minutes=1).do(Start(run.key(), 1))
    assert run.new == ()


@pytest.mark.parametrize("kind", [mail, task])
def test_no_mark_is_taken_before_the_estimate(kind):
    """A clock that goes back between the claim and the mark hands nothing over early (E6)."""
    run = Run(kind(Hours(1)), at=MONDAY)
    run.later(hours=1).due()
    run.later(minutes=-30).do(Start(run.key(), 1))
    assert run.new == ()
    run.due()
    assert not run.effects
    assert run.statuses == ["pending"]
    run.later(minutes=30).due()
    assert run.effects


def test_a_withdrawn_repeat_is_not_handed_over():
    """A late acceptance withdraws the repeat that has no start mark yet (L10)."""
    run = Run(mail(), mail(Hours(1)), handling=KNOWS_KEYS).due().later(minutes=3).due()
    assert run.statuses[0] == "pending"
    first = run.key(0)
    run.later(minutes=3)
    run.handling = type(run.handling)()
    run.due()
    assert run[0].is_withdrawable
    run.do(EmailSent(effect_key=first, attempt=1))
    run.do(Start(first, 2))
    assert run.told == []
    assert run.statuses == ["completed", "pending"]


@pytest.mark.parametrize(
    "detail",
    ["<o'brien@example.com> unknown", '"o brien"@example.com: unknown', "{'o'brien@example.com': (550, b'unknown')}"],
)
def test_unusual_addresses_are_left_out_whole(detail):
    """S8: a quoted local part, and one with an apostrophe."""
    kept = without_addresses(detail) or ""
    assert "brien" not in kept
    assert "unknown" in kept


@given(
    st.text("abz.+%'()[]:/=!\u00e9", min_size=1, max_size=8), st.text("abz.-()[]:\u00e9", min_size=1, max_size=8),
    st.sampled_from(["{}", "<{}>", "to:{}", "mailto:{}?x", "{}: unknown", "({}), unknown", "'{}'", "{};{}"]),
    st.booleans(),
)  # fmt: skip
def test_no_address_that_the_engine_takes_stays_in_what_a_port_says(local, domain, frame, in_a_link):
    """S8: also one with brackets or colons in it, and one that is quoted in a link."""
    address = f"Q{local}Q@Q{domain}Q"
    assert to_address(address, "email") == address
    said = address.replace("@", "%40") if in_a_link else address
    kept = without_addresses(f"550 {frame.format(said, said)} refused") or ""
    assert "Q" not in kept
    assert kept.startswith("550 ")
    assert kept.endswith(" refused")


@pytest.mark.parametrize("text", ["a", '"', '"a', "%", "%4"])
def test_a_long_text_without_blanks_is_kept_in_no_time(text):
    """A port may answer with a page of base64; looking for addresses in it takes linear time."""
    assert without_addresses(text * 200_000) == (text * 300)[:300]


@pytest.mark.parametrize("id", [True, "1", 1.0])
def test_a_report_takes_nothing_else_for_the_number_of_an_enrollment(id):
    """S6: True is not enrollment 1, nor is its text."""
    with pytest.raises(InvalidInput, match="enrollment_id"):
        Replied(key="r-1", enrollment_id=id)


def test_a_mailer_that_says_later_too_late_is_still_found():
    """The step is parked by then; what the mailer says in the end names only its own id, and counts (L10)."""
    run = Run(mail()).hand_over()
    run.do(EmailFailed(effect_key=run.key(0), attempt=1, known=False))
    run.do(EmailPending(effect_key=run.key(0), attempt=1, provider_id="p-1"))
    assert run[0].status.value == "failed"
    run.do(EmailSent(provider_id="p-1"))
    assert run[0].status.value == "completed"


@pytest.mark.parametrize("handling", [PLAIN, KNOWS_KEYS, AT_LEAST_ONCE])
def test_what_the_mailer_has_taken_is_not_sent_again_unasked(handling):
    """A mailer that took a mail and never said more is not given it again, whatever it recognises, but parked (E3)."""
    run = Run(mail(), handling=handling).hand_over().pend().later(hours=72).due()
    assert (run.why, run.statuses) == ("outcome_unknown", ["failed"])


def test_what_comes_due_on_a_closed_day_waits_without_being_requested():
    """On a Sunday a mail that is overdue is not even asked for: it waits for the calendar to open (T9)."""
    run = Run(mail()).at(MONDAY.add(days=6)).due()
    assert (run.told, run.statuses) == (["deferred"], ["pending"])
    assert run.enrollment.wake_at == MONDAY.add(days=7).start_of("day")


@pytest.mark.parametrize(
    ("does", "ends"),
    [
        ("block", ("blocked", "bounced", None)),
        ("finish", ("finished", None, "bounced")),
        ("note", ("blocked", "delivery_failed", None)),
    ],
)
@pytest.mark.parametrize("parked", [False, True])
def test_a_refused_recipient_is_a_hard_bounce_whenever_it_is_told(does, ends, parked):
    """The policy decides what a hard bounce does, also of one that comes when the step is parked already (L5, L8)."""
    run = Run(mail(), mail(), policy=Policy(on={"bounced": does})).hand_over()
    if parked:
        run.do(EmailFailed(effect_key=run.key(0), attempt=1, known=False))
    run.do(EmailFailed(effect_key=run.key(0), attempt=1, recipient_fault=True))
    enrollment = run.enrollment
    assert (enrollment.state.value, enrollment.blocked_reason, enrollment.finished_reason) == ends
