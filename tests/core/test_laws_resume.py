"""Resuming: what becomes of the timeline, over weekends and clock changes (L6), and retries by a person (E2)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pendulum
import pytest

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.signals import (
    Block,
    Bounced,
    CompleteTask,
    EmailSent,
    OutOfOffice,
    Resume,
    TaskCompleted,
    TaskDeleted,
)
from sequencer.core.windows import Window
from tests.core.driving import MONDAY, Run, mail, task

WEEK = ["mon", "tue", "wed", "thu", "fri"]
OFFICE = Calendar("Europe/Warsaw", send_windows=[Window(WEEK, "09:00", "17:00")])


def warsaw(day, clock="10:00", month=3):
    hour, minute = map(int, clock.split(":"))
    return pendulum.datetime(2026, month, day, hour, minute, tz="Europe/Warsaw")


def resumed(delay, start, blocked, resumed, timeline="shift", kind=mail, calendar=OFFICE):
    """The estimate after a block and a resume, on the clock of Warsaw."""
    run = Run(kind(delay), at=start.in_timezone("UTC"), timezone="Europe/Warsaw", calendar=calendar)
    run.at(blocked.in_timezone("UTC")).do(Block())
    run.at(resumed.in_timezone("UTC")).do(Resume(timeline))
    at: Any = run[0].estimated_execute_at
    return at.in_timezone("Europe/Warsaw")


def test_l6_shift_waits_out_what_was_left_of_the_hours():
    """Of 6 hours 2 were left when it was blocked, so 2 hours after the resume it is due (L6)."""
    assert resumed(Hours(6), warsaw(2, "09:00"), warsaw(2, "13:00"), warsaw(4, "11:00")) == warsaw(4, "13:00")


def test_l6_shift_does_not_wait_for_the_calendar_twice():
    """A mail whose hour was over by the weekend has nothing left of its delay to wait out (L6, T5)."""
    friday = warsaw(6, "16:30")
    assert resumed(Hours(1), friday, warsaw(6, "17:45"), warsaw(10, "10:00")) == warsaw(10, "10:00")
    assert resumed(Hours(1), friday, warsaw(6, "17:00"), warsaw(10, "10:00")) == warsaw(10, "10:30")


def test_l6_shift_counts_hours_as_seconds_over_a_clock_change():
    """Hours that were left are elapsed time, also on the weekend when the clocks go forward (L6, T1)."""
    always = Calendar("Europe/Warsaw", working_days=[*WEEK, "sat", "sun"])
    left = resumed(Hours(24), warsaw(28, "12:00"), warsaw(28, "12:00"), warsaw(28, "13:00"), calendar=always)
    assert left == warsaw(29, "14:00")


def test_l6_shift_counts_weekdays_at_the_estimates_clock_time():
    """Of 3 working days 2 were left when it was blocked; they are waited out at the planned clock time (L6)."""
    # Planned for Thursday 10:00, blocked on Tuesday, resumed on Friday: Monday and Tuesday are waited out.
    assert resumed(Weekdays(3), warsaw(2), warsaw(3, "15:00"), warsaw(6, "15:00")) == warsaw(10, "10:00")


def test_l6_shift_on_the_day_itself_keeps_the_clock_time():
    """Blocked on the very day, before its time, it is due at that time of a later day, or at once after it (L6)."""
    start, blocked = warsaw(2), warsaw(3, "09:30")
    assert resumed(Weekdays(1), start, blocked, warsaw(5, "09:15")) == warsaw(5, "10:00")
    assert resumed(Weekdays(1), start, blocked, warsaw(5, "11:00")) == warsaw(5, "11:00")


def test_l6_shift_over_a_clock_change_keeps_the_local_clock_time():
    """Weekdays that were left end at the same local time after the clocks went forward (L6, T3)."""
    at = resumed(Weekdays(2), warsaw(26), warsaw(26, "12:00"), warsaw(27, "12:00"))
    assert at == warsaw(31, "10:00")
    assert at.utcoffset() == pendulum.duration(hours=2)


def test_l6_shift_of_what_was_due_already_is_now():
    """What was due before it was blocked is due at the next open moment (L6)."""
    assert resumed(Hours(1), warsaw(2, "09:00"), warsaw(2, "12:00"), warsaw(3, "12:00")) == warsaw(3, "12:00")
    assert resumed(Weekdays(1), warsaw(2), warsaw(4), warsaw(7)) == warsaw(9, "09:00")


def test_l6_shift_of_a_step_that_became_current_during_the_block():
    """A step whose delay began during the block has all of it left from where it began (L6, T6)."""
    run = Run(task(), mail(Hours(5))).hand_over().accept().do(Block())
    run.later(hours=3).do(TaskCompleted(task_id="task-0"))
    run.later(hours=24).do(Resume())
    assert run[1].estimated_execute_at == run.now.add(hours=5)


def test_l6_a_second_shift_waits_out_what_the_first_left():
    """A pause upon a pause: what the first resume left to wait is what the second counts from (L6)."""
    run = Run(mail(Hours(6))).later(hours=2).do(Block())
    run.later(hours=24).do(Resume()).later(hours=1).do(Block())
    run.later(hours=24).do(Resume())
    assert run[0].estimated_execute_at == run.now.add(hours=3)


def test_l6_keep_keeps_the_planned_instant_if_it_is_ahead():
    """With `keep` a block that is shorter than the wait changes nothing (L6)."""
    assert resumed(Weekdays(3), warsaw(2), warsaw(3), warsaw(4), "keep") == warsaw(5)


def test_l6_keep_goes_on_at_the_next_open_moment():
    """With `keep` what was planned for the time of the block is due at the next open moment (L6)."""
    assert resumed(Weekdays(1), warsaw(2), warsaw(3, "08:00"), warsaw(5, "16:00"), "keep") == warsaw(5, "16:00")
    assert resumed(Weekdays(1), warsaw(2), warsaw(3, "08:00"), warsaw(5, "18:00"), "keep") == warsaw(6, "09:00")


@pytest.mark.parametrize(("delay", "due"), [(Hours(3), warsaw(10, "13:00")), (Weekdays(2), warsaw(12))])
def test_l6_restart_waits_the_whole_delay_again(delay, due):
    """With `restart` the whole delay runs again from the resume (L6)."""
    assert resumed(delay, warsaw(2), warsaw(2, "11:00"), warsaw(10), "restart") == due


def automatic(until, *, delay=None, at=None):
    """An enrollment blocked until an instant, and looked at then (or at another time)."""
    run = Run(mail(delay or Weekdays(1)), at=warsaw(2).in_timezone("UTC"), timezone="Europe/Warsaw", calendar=OFFICE)
    run.do(Block("out_of_office", until.in_timezone("UTC")))
    assert run.enrollment.wake_at == until
    return run.at((at or until).in_timezone("UTC")).due()


def test_l6_an_automatic_resume_is_at_the_estimates_clock_time_on_that_date():
    """Back on Thursday at midnight, a mail planned for Tuesday 10:00 leaves on Thursday at 10:00 (L6)."""
    run = automatic(warsaw(5, "00:00"))
    assert run.state == "active"
    assert run[0].estimated_execute_at == warsaw(5, "10:00")


def test_l6_an_automatic_resume_keeps_what_is_planned_behind_it():
    """What was planned for after the return stays where it is (L6)."""
    assert automatic(warsaw(3, "00:00"), delay=Weekdays(5))[0].estimated_execute_at == warsaw(9)


def test_l6_an_automatic_resume_is_not_before_its_date():
    """A return in the afternoon does not send at that morning's clock time (L6)."""
    assert automatic(warsaw(5, "15:00"))[0].estimated_execute_at == warsaw(5, "15:00")


def test_l6_an_automatic_resume_on_a_weekend_waits_for_monday():
    """Back on Saturday: the mail leaves on Monday at its clock time (L6, T5)."""
    assert automatic(warsaw(7, "00:00"), delay=Weekdays(1))[0].estimated_execute_at == warsaw(9, "09:00")
    plain = Run(mail(Weekdays(1)), at=MONDAY).do(Block(until=MONDAY.set(day=7, hour=0))).at(MONDAY.set(day=7)).due()
    assert plain[0].estimated_execute_at == MONDAY.set(day=9)


def test_l6_an_automatic_resume_that_comes_late_sends_at_the_next_open_moment():
    """An engine that was down over the date goes on as soon as it is up and the calendar open (L6)."""
    run = automatic(warsaw(5, "00:00"), at=warsaw(6, "12:00")).due()
    assert [type(effect).__name__ for effect in run.effects] == ["SendEmail"]


def test_l6_nothing_resumes_before_its_date():
    """Until the date nothing happens, however often it is looked at (L5, L6)."""
    assert automatic(warsaw(5, "00:00"), at=warsaw(4, "23:59")).state == "blocked"


def test_l8_out_of_office_blocks_until_the_return_or_five_working_days():
    """Away until a local date it is blocked until that date begins; without one for five working days (L8)."""
    run = Run(mail(Weekdays(1)), at=warsaw(5).in_timezone("UTC"), timezone="Europe/Warsaw", calendar=OFFICE)
    run.do(OutOfOffice(key="k", enrollment_id=7, until=date(2026, 3, 9)))
    assert (run.why, run.enrollment.blocked_until) == ("out_of_office", warsaw(9, "00:00"))
    run = Run(mail(Weekdays(1)), at=warsaw(5).in_timezone("UTC"), timezone="Europe/Warsaw", calendar=OFFICE)
    run.do(OutOfOffice(key="k", enrollment_id=7))
    assert run.enrollment.blocked_until == warsaw(12)


def test_l6_a_failed_step_is_retried_at_the_next_open_moment():
    """After a failure a resume hands the same step over again when the calendar is open, whatever `timeline` says."""
    for timeline in ("shift", "keep", "restart"):
        run = Run(mail(Hours(1)), at=warsaw(2).in_timezone("UTC"), timezone="Europe/Warsaw", calendar=OFFICE)
        run.hand_over().refuse().at(warsaw(2, "20:00").in_timezone("UTC")).do(Resume(timeline))
        assert run.statuses == ["pending"]
        assert run[0].estimated_execute_at == warsaw(3, "09:00")


def test_l6_a_failed_step_is_skipped_if_the_caller_says_so():
    """`resume(skip=True)` passes over the failed step and goes on with the next (L6)."""
    run = Run(mail(), mail(Hours(2))).hand_over().refuse().later(hours=1).do(Resume(skip=True))
    assert (run.state, run.statuses) == ("active", ["skipped", "pending"])
    assert run[1].estimated_execute_at == run.now.add(hours=2)


def test_e2_the_generation_rises_only_after_a_definite_refusal():
    """A person's retry has a new key after a refusal, and the old one after an unknown outcome (E2)."""
    run = Run(mail()).hand_over().refuse().do(Resume())
    assert (run[0].generation, run[0].attempt) == (1, 0)
    run = Run(mail()).hand_over().later(minutes=3).due().do(Resume())
    assert (run[0].generation, run[0].attempt) == (0, 1)


def test_e2_a_deleted_task_is_created_again_under_a_new_key():
    """A task that was deleted at the board comes back as a new one, since a board would know the old key (E2)."""
    run = Run(task()).hand_over().accept().do(TaskDeleted(task_id="task-0"))
    old = run.key()
    run.do(Resume()).hand_over()
    assert run.key() != old
    assert run[0].task_id is None


def test_l6_resuming_with_a_task_open_just_goes_on():
    """A pause while a task is open leaves the task as it is; completing it goes on (L6)."""
    run = Run(task(), mail(Hours(1))).hand_over().accept().do(Block()).later(days=2).do(Resume())
    assert (run.state, run.statuses) == ("active", ["in_progress", "pending"])
    run.do(CompleteTask(0))
    assert run[1].estimated_execute_at == run.now.add(hours=1)


def test_l8_after_a_later_bounce_resume_goes_on_with_the_next_step():
    """A mail that came back after it was accepted is not sent again: resume goes on with the next (L8)."""
    run = Run(mail(), mail(Hours(2))).hand_over().accept().do(Bounced(key="b", message_id="<0>"))
    assert (run.state, run.why) == ("blocked", "bounced")
    run.later(hours=1).do(Resume())
    assert (run.state, run.statuses) == ("active", ["completed", "pending"])
    assert run[1].estimated_execute_at == run.now.add(hours=2)


def test_l8_resume_retries_what_was_refused_for_the_recipient_at_hand_over():
    """A hard bounce at hand-over blocks as `bounced`, and resume hands the same step over under a new key (L8)."""
    run = Run(mail(), mail()).hand_over().refuse(permanent=True, recipient_fault=True)
    assert (run.why, run[0].failure_reason) == ("bounced", "delivery_failed")
    run.do(Resume())
    assert (run.statuses, run[0].generation) == (["pending", "pending"], 1)


def test_e6_a_resume_is_never_before_the_delay_is_over():
    """A block at a time when the clock was ahead cannot make a step due before its delay is over (E6, T7)."""
    run = Run(mail(Hours(2))).later(days=365).do(Block()).later(days=-365).do(Resume())
    at: Any = run[0].estimated_execute_at
    assert at >= MONDAY.add(hours=2)
    run.do(EmailSent(effect_key=run.key()))
    assert run.state == "finished"
