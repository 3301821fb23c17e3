"""The laws of the lifecycle, sentence by sentence: L1, L3, L4, L5, L7."""

from __future__ import annotations

import pytest

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.effects import CancelTask, CreateTask, SendEmail
from sequencer.core.errors import IllegalTransition
from sequencer.core.policy import Policy, Retry
from sequencer.core.signals import (
    Block,
    CompleteTask,
    EmailFailed,
    EmailSent,
    Finish,
    Resume,
    Skip,
    Start,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskFailed,
)
from sequencer.core.timeline import projected
from tests.core.driving import FORGETS_KEYS, KNOWS_KEYS, MONDAY, Run, mail, task
from tests.core.situations import SITUATIONS

ONGOING = [name for name in SITUATIONS if not name.startswith("finished")]


def cancels(run):
    return [effect for effect in run.effects if isinstance(effect, CancelTask)]


def test_l3_it_finishes_by_itself_when_its_last_step_is_completed():
    """Completing the last step finishes the enrollment as `completed` (L3)."""
    run = Run(mail()).hand_over().accept()
    assert (run.state, run.enrollment.finished_reason) == ("finished", "completed")


def test_l3_it_finishes_by_itself_when_its_last_step_is_skipped():
    """Skipping the last step finishes the enrollment as `completed` (L3)."""
    run = Run(mail()).do(Skip())
    assert (run.state, run.enrollment.finished_reason) == ("finished", "completed")


def test_l3_it_finishes_also_while_blocked():
    """The last step's acceptance finishes an enrollment that was blocked meanwhile (L3)."""
    run = Run(mail()).hand_over().do(Block()).accept()
    assert (run.state, run.enrollment.finished_reason, run.why) == ("finished", "completed", None)


def test_l4_only_the_current_step_is_handed_over():
    """Steps without any delay still go out one after the other, each after the one before it is over (L4)."""
    run = Run(mail(), mail(), mail())
    for position in range(3):
        run.due()
        assert [effect.position for effect in run.effects] == [position]
        run.do(Start(run.key(position), 1)).due()
        assert run.statuses[position] == "failed"
        run.accept(position)


def test_l4_a_task_holds_the_enrollment_until_it_is_completed():
    """However late it is, an open task holds the enrollment, active, until somebody completes it (L4)."""
    run = Run(task(), mail()).hand_over().accept()
    run.later(days=400).due()
    assert (run.state, run.statuses, run.effects) == ("active", ["in_progress", "pending"], ())
    run.do(TaskCompleted(task_id="task-0"))
    assert run.statuses == ["completed", "pending"]
    assert run[1].estimated_execute_at >= run.now


def test_l4_a_task_may_be_skipped_after_its_time():
    """A task with `skip_after` is passed over by itself so long after its estimate, and taken off the board (L4)."""
    run = Run(task(skip_after=Weekdays(2)), mail(Hours(1))).hand_over().accept()
    assert run.enrollment.wake_at == MONDAY.add(days=2)
    run.later(days=1).due()
    assert run.statuses == ["in_progress", "pending"]
    run.later(days=1).due()
    assert run.statuses == ["skipped", "pending"]
    assert [effect.task_id for effect in cancels(run)] == ["task-0"]


def test_l4_a_task_is_not_skipped_while_blocked():
    """`skip_after` does not run out on a blocked enrollment; it does at once after the resume (L4, L5)."""
    run = Run(task(skip_after=Hours(1)), mail(Hours(1))).hand_over().accept().do(Block())
    run.later(hours=5).due()
    assert run.statuses[0] == "in_progress"
    run.do(Resume()).due()
    assert run.statuses[0] == "skipped"


@pytest.mark.parametrize("name", [name for name in ONGOING if "requested" not in name])
def test_l5_nothing_is_handed_over_while_blocked(name):
    """Of a blocked enrollment the worker is never asked to hand anything over, at any later time (L5)."""
    run = SITUATIONS[name]()
    run.do(Block())
    for days in range(20):
        run.later(days=days).due()
        assert not [effect for effect in run.effects if isinstance(effect, (SendEmail, CreateTask))]
        assert run.state == "blocked"


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"reason": "delivery_failed"}, "delivery_failed"),
        ({"reason": "quota_reached"}, "quota_reached"),
        ({"reason": "mail_settings"}, "mail_settings"),
        ({"reason": "missing_merge_data"}, "missing_merge_data"),
        ({"reason": "of the mailer's own"}, "delivery_failed"),
        ({"known": False}, "outcome_unknown"),
    ],
)
def test_l5_a_step_that_fails_for_good_blocks_and_says_why(report, reason):
    """A permanent failure blocks the enrollment, and step and enrollment name the reason (L5)."""
    run = Run(mail()).hand_over().refuse(permanent=True, **report)
    assert (run.state, run.why, run[0].failure_reason) == ("blocked", reason, reason)


def test_l5_a_task_that_fails_for_good_blocks():
    """A board that refuses for good blocks as `task_failed`, a deleted task as `task_deleted` (L5)."""
    run = Run(task()).hand_over()
    run.do(TaskFailed(effect_key=run.key(), permanent=True))
    assert (run.why, run[0].failure_reason) == ("task_failed", "task_failed")
    run = Run(task()).hand_over().accept().do(TaskDeleted(task_id="task-0"))
    assert (run.why, run[0].failure_reason) == ("task_deleted", "task_deleted")


def test_l5_a_failure_replaces_a_pause():
    """A failure during a pause becomes the reason of the block, without an end by itself (L5)."""
    run = Run(mail(), mail()).hand_over().do(Block(until=MONDAY.add(days=3)))
    run.later(hours=1).refuse()
    assert (run.why, run.enrollment.blocked_until) == ("delivery_failed", None)
    assert run.enrollment.blocked_at == run.now


@pytest.mark.parametrize(("first", "second", "left"), [(3, 5, 5), (5, 3, 5), (3, None, None), (None, 3, None)])
def test_l5_of_two_pauses_the_later_until_wins(first, second, left):
    """A pause extends another, never shortens it; one without an end is the latest of all (L5)."""

    def until(days):
        return None if days is None else MONDAY.add(days=days)

    run = Run(mail()).do(Block("paused", until(first))).later(hours=1).do(Block("out_of_office", until(second)))
    assert run.enrollment.blocked_until == until(left)
    assert run.why == ("out_of_office" if left == second else "paused")
    assert run.enrollment.blocked_at == MONDAY


def test_l5_pausing_what_is_failed_is_already_so():
    """A pause on top of a failure changes nothing (L5)."""
    run = Run(mail()).hand_over().refuse().do(Block(until=MONDAY.add(days=3)))
    assert run.new == ()
    assert run.why == "delivery_failed"


def test_l5_a_late_acceptance_lifts_the_block_of_its_step():
    """When a parked mail turns out to have left, its block is lifted and the next step counts from now (L10, L5)."""
    run = Run(mail(), mail(Hours(2))).hand_over().later(minutes=5).due()
    assert run.why == "outcome_unknown"
    run.later(hours=1).do(EmailSent(effect_key=run.key(0), attempt=1))
    assert (run.state, run.statuses) == ("active", ["completed", "pending"])
    assert run[1].estimated_execute_at == run.now.add(hours=2)


def test_l5_a_late_acceptance_lifts_no_pause():
    """An acceptance during a host's pause completes the step and leaves the pause (L5, L10)."""
    run = Run(mail(), mail(Hours(2))).hand_over().do(Block()).accept()
    assert (run.state, run.why, run.statuses) == ("blocked", "paused", ["completed", "pending"])


def test_l5_steps_after_the_current_one_have_no_estimate_while_blocked():
    """While blocked only the current step keeps an estimate (T7)."""
    run = Run(mail(), mail(Hours(2)), mail(Hours(2))).do(Block())
    assert projected(run.enrollment, run.now) == (MONDAY, None, None)


def test_l7_pending_failed_and_in_progress_become_cancelled():
    """`finish` cancels whatever was not handed over, and keeps what is over (L7)."""
    for name in ONGOING:
        run = SITUATIONS[name]()
        before = run.statuses
        run.do(Finish("converted"))
        outstanding = [step.position for step in run.enrollment.outstanding]
        for position, (was, status) in enumerate(zip(before, run.statuses, strict=True)):
            assert status == (was if was in ("completed", "skipped") or position in outstanding else "cancelled")
        assert run.enrollment.finished_reason == "converted"


def test_l7_an_open_task_is_cancelled_at_the_board():
    """The task that was open is asked to be taken off, and again until the board has done so (L7)."""
    run = Run(task(), mail()).hand_over().accept().do(Finish())
    assert [effect.task_id for effect in cancels(run)] == ["task-0"]
    assert run.enrollment.wake_at == run.now
    run.do(TaskCancelled(task_id="task-0", done=False))
    assert run.enrollment.wake_at > run.now
    run.due()
    assert not cancels(run)
    run.at(run.enrollment.wake_at).due()
    assert len(cancels(run)) == 1
    run.do(TaskCancelled(task_id="task-0"))
    assert run.enrollment.wake_at is None


def test_l7_a_board_that_never_cancels_is_not_asked_for_ever():
    """Taking a task off is tried as often as the policy says and then given up (E4)."""
    run = Run(task(), policy=Policy(retry=Retry(attempts=3))).hand_over().accept().do(Finish())
    tries = 0
    while run.enrollment.wake_at is not None:
        run.at(run.enrollment.wake_at).due()
        tries += len(cancels(run))
        run.do(TaskCancelled(task_id="task-0", done=False))
    assert tries == 3


def test_l7_what_was_claimed_but_has_no_start_mark_is_withdrawn():
    """A mail that is requested and not marked is cancelled by `finish`; its mark is refused from then on (L7, E3)."""
    run = Run(mail()).due()
    start = Start(run.key(), 1)
    run.do(Finish())
    assert run.statuses == ["cancelled"]
    run.do(start)
    assert run.new == ()


@pytest.mark.parametrize("name", ["active, email marked", "active, task marked", "active, email awaiting"])
def test_l7_a_step_with_a_start_mark_stays_requested_until_its_answer(name):
    """What was handed over stays `requested`, and `finish` names it as outstanding (L7)."""
    run = SITUATIONS[name]().do(Finish())
    assert run.statuses[0] == "requested"
    assert [step.position for step in run.enrollment.outstanding] == [0]


def test_l7_a_mail_that_left_left():
    """The acceptance of a mail that was out at `finish` makes it completed, and nothing follows (L7)."""
    run = Run(mail(), mail()).hand_over().do(Finish()).accept(0)
    assert run.statuses == ["completed", "cancelled"]
    assert run[0].executed_at == run.now
    assert run.enrollment.wake_at is None


@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_l7_anything_else_cancels_it(permanent, known):
    """Any other answer to what was out at `finish` makes it cancelled: nothing is retried (L7)."""
    run = Run(mail(), mail()).hand_over().do(Finish())
    run.do(EmailFailed(effect_key=run.key(0), permanent=permanent, known=known))
    assert run.statuses == ["cancelled", "cancelled"]


def test_l7_no_answer_cancels_it_too():
    """If the worker died, the hand-over that was out at `finish` is cancelled when it is looked at (L7, E3)."""
    for handling in (FORGETS_KEYS, KNOWS_KEYS):
        run = Run(mail(), handling=handling).hand_over().do(Finish()).later(minutes=3).due()
        assert run.statuses == ["cancelled"]
        assert run.enrollment.wake_at is None


def test_l7_a_task_created_that_late_is_cancelled_at_the_board():
    """A task that is created after `finish` is cancelled and taken off the board (L7)."""
    run = Run(task(), handling=FORGETS_KEYS).hand_over().do(Finish()).accept(0)
    assert run.statuses == ["cancelled"]
    assert [effect.task_id for effect in cancels(run)] == ["task-0"]


def test_l7_a_task_created_after_it_was_skipped_is_cancelled_at_the_board():
    """A creation that comes after a retry was skipped is taken off the board, too (L7, L10)."""
    run = Run(task(), mail(), handling=FORGETS_KEYS).hand_over()
    first = run.key(0)
    run.do(TaskFailed(effect_key=first, permanent=False)).do(Skip())
    run.do(TaskCreated(effect_key=first, attempt=1, task_id=5))
    assert run.statuses == ["skipped", "pending"]
    assert [effect.task_id for effect in cancels(run)] == [5]


def test_l7_finish_names_the_actor_and_is_final():
    """`manual` carries its actor; the second finish changes neither reason nor actor (L7, L3)."""
    run = Run(mail()).do(Finish("manual", 12)).do(Finish("replied", 13))
    assert run.new == ()
    assert (run.enrollment.finished_reason, run.enrollment.finished_actor_id) == ("manual", 12)
    for request in (Block(), Resume(), Skip()):
        with pytest.raises(IllegalTransition):
            run.do(request)


@pytest.mark.parametrize("status", ["pending", "requested", "in_progress", "failed"])
def test_l2_a_task_is_completed_from_every_status_that_is_not_over(status):
    """Somebody may do the task whatever the engine thinks of it (L2)."""
    run = {
        "pending": lambda: Run(task(), mail()),
        "requested": lambda: Run(task(), mail(), handling=FORGETS_KEYS).hand_over(),
        "in_progress": lambda: Run(task(), mail()).hand_over().accept(),
        "failed": lambda: Run(task(), mail()).hand_over().accept().do(TaskDeleted(task_id="task-0")),
    }[status]()
    assert run.statuses[0] == status
    run.do(CompleteTask(0))
    assert (run.state, run.statuses[0]) == ("active", "completed")


def test_t6_the_next_step_counts_from_the_execution():
    """A step's delay counts from when the one before was really over, not from its estimate (T6)."""
    run = Run(task(), mail(Hours(3)), calendar=Calendar("UTC")).hand_over().accept().later(days=2)
    run.do(TaskCompleted(task_id="task-0", at=run.now.subtract(hours=1)))
    assert run[1].estimated_execute_at == run.now.add(hours=2)


def test_t7_what_was_handed_over_keeps_its_estimate():
    """A completed step keeps the estimate that it had when it was handed over; a cancelled one has none (T7)."""
    run = Run(mail(Hours(1)), mail(Hours(1))).later(hours=2).hand_over().accept().do(Finish())
    assert [step.estimated_execute_at for step in run.enrollment.steps] == [MONDAY.add(hours=1), None]
