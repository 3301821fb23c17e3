"""The mails in actors' names, as caps count them (law E5): what each decision makes of them.

One row stands for one mail of one enrollment that is in an actor's name:

- `waiting`: a follow-up that will be due; `planned`: a mail that a cap has put off. `at` is when.
- `out`: handed over and not answered. It may leave at any moment.
- `sent`: it left, or may have; `at` is when, or the latest moment at which it may have been.
- `again`: out once more, and an earlier attempt may have left at `at`.

The rows follow from the decisions, so they are derived here, in their transaction, and nowhere else. Once a mail is
out, its row stays with the actor in whose name it went. A mail in nobody's name has none.

An attempt that may have left keeps its row also when another mail is made of the same step: a repeat in another name,
after a reassignment, or one under a new key. It then stands under a number below zero, which is no step's.
"""

from __future__ import annotations

from collections.abc import Iterable

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.events import Event
from sequencer.core.pacing import is_follow_up
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.engine.stored import ActorMail
from sequencer.stores.codec import Row, encode_id, micros_of

__all__ = ["MAIL_STATEMENTS", "expected_of", "mail_changes"]

MAIL_STATEMENTS = ("mail_renumbered", "mail_out", "mail_sent", "mail_back", "mail_kept", "drop_expected", "expect_mail")
"""The statements of these rows, in the order in which those of one decision have to run."""

_LEFT = frozenset({"email_sent", "email_pending"})
_BACK = frozenset({"hand_over_withdrawn", "step_refused", "attempt_failed", "step_failed", "step_cancelled"})
# After these, what was waiting or planned may not be any more.
_TURNS = frozenset(
    {"blocked", "resumed", "finished", "step_skipped", "deferred", "re_estimated", "reassigned", "migrated"}
)


def mail_changes(enrollment: Enrollment, events: Iterable[Event]) -> list[tuple[str, Row]]:
    """The statements, with their values, that a decision asks for."""
    if enrollment.actor_id is None:
        return _without_actor(enrollment, events)
    steps, turned = enrollment.steps, False
    found: list[tuple[str, Row]] = []
    for event in events:
        type, position = event.type, event.position
        turned = turned or type in _TURNS
        if type == "finished":
            found += _withdrawn(enrollment, event)
        elif position is None or not (step := steps[position]).step.is_email:
            continue
        elif type == "email_requested":
            first = event.facts["attempt"] == 1
            if step.generation or not first:
                actor = encode_id(enrollment.actor_id)
                found.append(("mail_renumbered", (enrollment.id, step.number, actor, int(first))))
            found.append(("mail_out", _row(enrollment, step, event.at)))
        elif type in _LEFT:
            at = event.steps[position].get("executed_at") or event.at
            found.append(("mail_sent", _row(enrollment, step, at)))
        elif type in _BACK:
            if event.facts.get("outcome") == "unknown" or not event.steps[position].get("refused", True):
                found.append(("mail_sent", _row(enrollment, step, event.at)))
            else:
                found += _back(enrollment, step, "out" if type == "hand_over_withdrawn" else "sent")
    if turned:
        found.append(("drop_expected", (enrollment.id,)))
    expected = _expected(enrollment)
    if expected is not None:
        found.append(("expect_mail", expected))
    return found


def _row(enrollment: Enrollment, step: EnrollmentStep, at: DateTime) -> Row:
    owner = encode_id(enrollment.account), encode_id(enrollment.actor_id)
    return enrollment.id, step.number, *owner, micros_of(at)


def _back(enrollment: Enrollment, step: EnrollmentStep, standing: str) -> list[tuple[str, Row]]:
    return [("mail_back", (enrollment.id, step.number, standing)), ("mail_kept", (enrollment.id, step.number))]


def _withdrawn(enrollment: Enrollment, finished: Event) -> list[tuple[str, Row]]:
    """What was out without a start mark was withdrawn with the end of its enrollment."""
    current = enrollment.current
    if current is None or current.position not in finished.steps or not current.step.is_email or not current.attempt:
        return []
    return _back(enrollment, current, "out")


def expected_of(enrollment: Enrollment) -> ActorMail | None:
    """The mail that will be due next, as the cap of its actor expects it; None where it expects none."""
    current = enrollment.current
    if current is None or current.status is not StepStatus.PENDING or not current.step.is_email:
        return None
    at = current.estimated_execute_at
    if enrollment.state is not EnrollmentState.ACTIVE or at is None:
        return None
    capped, follow_up = (current.not_before_reason or "").startswith("cap"), is_follow_up(enrollment, current)
    if not (capped or follow_up):
        return None
    # It may have to wait for the calendar, too; an earlier wake is about something else.
    at = at if enrollment.wake_at is None else max(at, enrollment.wake_at)
    return ActorMail(enrollment.id, current.number, at, "planned" if capped else "waiting", follow_up)


def _expected(enrollment: Enrollment) -> Row | None:
    mail = expected_of(enrollment)
    if mail is None:
        return None
    owner = encode_id(enrollment.account), encode_id(enrollment.actor_id)
    return mail.enrollment_id, mail.step, *owner, micros_of(mail.at), mail.standing, int(mail.follow_up)


def _without_actor(enrollment: Enrollment, events: Iterable[Event]) -> list[tuple[str, Row]]:
    """In nobody's name; but until this decision it may have been in somebody's."""
    found: list[tuple[str, Row]] = []
    current = enrollment.current
    for event in events:
        if event.type == "hand_over_withdrawn" and current is not None and current.step.is_email:
            found += _back(enrollment, current, "out")
        elif event.type == "reassigned":
            if current is not None and current.status is StepStatus.REQUESTED and current.step.is_email:
                found.append(("mail_sent", _row(enrollment, current, event.at)))
            found.append(("drop_expected", (enrollment.id,)))
    return found
