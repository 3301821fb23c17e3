"""The answers of the ports, as they reach an enrollment (laws L2, L10, E3, E4).

A report never raises for what it says. Acceptance of any attempt counts; refusal of any but the latest is noted; what
fits nowhere is noted, too. Each function is given the draft, the step that the answer is about, and the answer.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from pendulum import DateTime

from sequencer.core.decision import UNKNOWN, Draft
from sequencer.core.enrollment import FAILURE_REASONS, EnrollmentStep
from sequencer.core.instants import later_by, to_instant
from sequencer.core.signals import (
    Answer,
    EmailFailed,
    EmailPending,
    EmailSent,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskFailed,
)
from sequencer.core.statuses import COMPLETED, FAILED, IN_PROGRESS, PENDING, REQUESTED

__all__ = ["answer", "without_addresses"]

# The longest that may be an address, or hold one: what the engine takes for an address has none of these between, but
# for a quoted part before the @. In a link an @ may be written as %40.
_WORD = re.compile(r"(?:\"[^\"]*\"(?=@))?[^\s<>\",;]+")
_AT = re.compile(r"@|%40")
_OPEN = (PENDING, REQUESTED, FAILED)


def answer(draft: Draft, report: Answer) -> None:
    """A port has answered, or somebody brings its answer."""
    found = _step_of(draft, report)
    if found is None:
        draft.note(report.kind, detail="it names no step of this enrollment")
        return
    handler = (_OF_MAIL if found.step.is_email else _OF_TASK).get(type(report))
    if handler is None:
        draft.note(report.kind, found.position, detail="the step is of the other kind")
        return
    if found.position > draft.enrollment.position:
        # Keys can be guessed from one another; only what was current once can have been handed over (L4).
        draft.note(report.kind, found.position, detail="the step has not been handed over yet")
        return
    handler(draft, found, report)


def without_addresses(detail: str) -> str | None:
    """What a port said in its own words, without the addresses in it: histories hold none (S8)."""
    text = _WORD.sub(lambda word: "<address>" if _AT.search(word[0]) else word[0], detail.replace("\0", ""))
    text = " ".join(text.split())[:300]
    return text.encode("utf-8", "replace").decode() or None


def _step_of(draft: Draft, report: Answer) -> EnrollmentStep | None:
    enrollment = draft.enrollment
    effect_key = getattr(report, "effect_key", None)
    if effect_key is not None:
        return enrollment.step_of_key(effect_key)
    task_id, provider_id = getattr(report, "task_id", None), getattr(report, "provider_id", None)
    # The latest first: a board may use an id again after its task is gone.
    for each in reversed(enrollment.steps[: enrollment.position + 1]):
        # Not == alone: the ids 1 and True, or 1 and 1.0, are equal in Python.
        if task_id is not None and type(each.task_id) is type(task_id) and each.task_id == task_id:
            return each
        if provider_id is not None and each.provider_id == provider_id:
            return each
    return None


def _when(draft: Draft, of: EnrollmentStep, at: datetime | None) -> DateTime:
    """When something was executed: as reported, but not in the future and not before it was handed over."""
    now = draft.now
    if at is None:
        return now
    at = to_instant(at)
    if at > now:
        return now
    if of.requested_at is not None and of.requested_at <= now:
        return max(at, of.requested_at)
    return at


def _email_sent(draft: Draft, of: EnrollmentStep, report: EmailSent) -> None:
    if of.status not in _OPEN:
        # A provider may name the mail only now: keep that, so that threads and later reports can use it.
        if of.status is COMPLETED and of.message_id is None and report.message_id is not None:
            draft.record(
                "noted",
                of.position,
                facts={"kind": report.kind, "detail": "the message id is known now"},
                steps={of.position: {"message_id": report.message_id}},
            )
            return
        draft.note(report.kind, of.position, status=of.status.value)
        return
    fields: dict[str, Any] = {
        "status": draft.status(of, "complete"),
        "executed_at": _when(draft, of, report.at),
        "message_id": report.message_id,
        "provider_id": report.provider_id or of.provider_id,
        "awaits_report": False,
        "started_at": None,
        "failure_reason": None,
        "failure_detail": None,
    }
    late = of.status is not REQUESTED
    facts = {"attempt": report.attempt or of.attempt, "late": True} if late else {"attempt": of.attempt}
    draft.step_over("email_sent", of, fields, facts, lift=of.status is FAILED)


def _email_pending(draft: Draft, of: EnrollmentStep, report: EmailPending) -> None:
    if of.status is not REQUESTED or not _is_latest(draft, of, report) or of.awaits_report:
        facts = {"kind": report.kind, "status": of.status.value}
        # It came after its time and the step is parked: the mailer's final answer must still find it by this id (L10).
        parked = of.failure_reason == "outcome_unknown" and of.provider_id is None and report.provider_id is not None
        steps = {of.position: {"provider_id": report.provider_id}} if parked else None
        draft.record("noted", of.position, facts=facts, steps=steps)
        return
    fields = {"awaits_report": True, "provider_id": report.provider_id}
    draft.record("email_pending", of.position, steps={of.position: fields})


def _is_latest(draft: Draft, of: EnrollmentStep, report: EmailPending | EmailFailed | TaskFailed) -> bool:
    """Whether an answer is about the latest attempt, and not about one under an earlier key (L10)."""
    return report.attempt in (None, of.attempt) and report.effect_key in (None, draft.enrollment.key_of(of))


def failed(draft: Draft, of: EnrollmentStep, report: EmailFailed | TaskFailed) -> None:
    """The latest attempt was refused, or went without an answer (`known=False`)."""
    reason = report.reason if report.reason in FAILURE_REASONS else "delivery_failed"
    if not _is_latest(draft, of, report) or of.status not in (REQUESTED, FAILED):
        draft.note(report.kind, of.position, status=of.status.value, attempt=report.attempt)
        return
    policy = draft.enrollment.version.sequence.policy
    bounced = isinstance(report, EmailFailed) and report.permanent and report.recipient_fault
    does = policy.on["bounced"].does if bounced else None
    blocked_reason = "bounced" if does == "block" else None
    if of.status is FAILED:
        if of.failure_reason != "outcome_unknown" or not report.known:
            draft.note(report.kind, of.position, status=of.status.value)
            return
        # Now it is known that it did not happen: a person who retries gets a new key.
        draft.record(
            "step_refused",
            of.position,
            facts={"reason": reason},
            own={"blocked_reason": blocked_reason or reason},
            steps={of.position: {"failure_reason": reason, "refused": True}},
        )
    elif draft.enrollment.is_finished:
        draft.cancel(of, known=report.known)
        return
    else:
        detail = without_addresses(report.detail)
        if not report.permanent and of.failures + 1 < policy.retry.attempts:
            facts = {"reason": reason, "attempt": of.attempt, "detail": detail, **({} if report.known else UNKNOWN)}
            pause = draft.pause_before_retry(of, of.failures + 1)
            draft.try_again("attempt_failed", of, facts, pause=pause, detail=detail)
            return
        if not report.known and (report.permanent or isinstance(report, EmailFailed)):
            # A board recognises a repeated key, so a task that was asked for often enough has simply failed.
            reason = "outcome_unknown"
        draft.fail(of, reason, refused=report.known, detail=detail, blocked_reason=blocked_reason)
    if does == "finish":
        draft.finish("bounced", None)


def _task_created(draft: Draft, of: EnrollmentStep, report: TaskCreated) -> None:
    position = of.position
    if report.task_id is None:
        draft.note(report.kind, position, detail="it has no task_id")
    elif of.is_over or (draft.enrollment.is_finished and of.status in _OPEN):
        if of.task_id is not None or of.status is COMPLETED:
            draft.note(report.kind, position, status=of.status.value)
            return
        # Created after the end: take it off the board again (L7).
        fields: dict[str, Any] = {"task_id": report.task_id, "cancel_task": True}
        if not of.is_over:
            fields |= {"status": draft.status(of, "cancel"), "estimated_execute_at": None, "started_at": None}
        draft.record("late_task_created", position, steps={position: fields})
        draft.request_cancels()
    elif of.status is FAILED and of.task_id == report.task_id:
        draft.note(report.kind, position, detail="the task was deleted since")
    elif of.status in _OPEN:
        fields = {
            "status": draft.status(of, "create"),
            "task_id": report.task_id,
            "started_at": None,
            "failure_reason": None,
            "failure_detail": None,
            "not_before": None,
            "not_before_reason": None,
        }
        own = draft.lifted() if of.status is FAILED else {}
        draft.record("task_created", position, own=own, steps={position: fields})
    else:
        draft.note(report.kind, position, status=of.status.value)


def complete(draft: Draft, of: EnrollmentStep, at: datetime | None = None) -> None:
    """The task is done; from any status that is not over."""
    fields: dict[str, Any] = {
        "status": draft.status(of, "complete"),
        "executed_at": _when(draft, of, at),
        "started_at": None,
        "failure_reason": None,
        "failure_detail": None,
    }
    draft.step_over("task_completed", of, fields, {}, lift=of.status is FAILED)


def _task_completed(draft: Draft, of: EnrollmentStep, report: TaskCompleted) -> None:
    if of.is_over or of.position != draft.enrollment.position:
        draft.note(report.kind, of.position, status=of.status.value)
        return
    complete(draft, of, report.at)


def _task_deleted(draft: Draft, of: EnrollmentStep, report: TaskDeleted) -> None:
    if of.cancel_task and of.is_over:
        _task_cancelled(draft, of, TaskCancelled(task_id=of.task_id))
    elif of.status is IN_PROGRESS:
        draft.fail(of, "task_deleted", refused=True)
    else:
        draft.note(report.kind, of.position, status=of.status.value)


def _task_cancelled(draft: Draft, of: EnrollmentStep, report: TaskCancelled) -> None:
    if not of.cancel_task:
        draft.note(report.kind, of.position, status=of.status.value)
        return
    failures = 0 if report.done else of.cancel_failures + 1
    fields: dict[str, Any] = {"cancel_failures": failures}
    if report.done or failures >= draft.enrollment.version.sequence.policy.retry.attempts:
        fields |= {"cancel_task": False, "cancel_after": None}
    else:
        fields["cancel_after"] = later_by(draft.now, draft.pause_before_retry(of, failures))
    type = "task_cancelled" if report.done else "task_cancel_failed"
    draft.record(type, of.position, facts={"attempt": failures} if failures else {}, steps={of.position: fields})


_OF_MAIL: dict[type, Any] = {
    EmailSent: _email_sent,
    EmailPending: _email_pending,
    EmailFailed: failed,
}
_OF_TASK: dict[type, Any] = {
    TaskCreated: _task_created,
    TaskFailed: failed,
    TaskCompleted: _task_completed,
    TaskDeleted: _task_deleted,
    TaskCancelled: _task_cancelled,
}
