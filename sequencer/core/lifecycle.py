"""The heart: `enroll` makes an enrollment, `advance` takes it one signal further.

The rules (laws L and E):

1. Everything that happens to an enrollment goes through `advance(enrollment, signal, now)`, which returns a
   `Decision`: the enrollment after it, the effects to perform outside, the events to record. It reads no clock, makes
   no ids, and calls nobody.
2. Only the current step, the first that is not over, is ever handed over or skipped (L4).
3. A status changes along an edge of its machine and in no other way (L2).
4. A request has one answer: done, already so (a decision without events), or `IllegalTransition`. A report never
   raises: it changes something or is noted (L10).

Theory of operation. A step comes due; the worker that claimed the enrollment passes `Due`, and the step becomes
`requested`, with an effect that carries its key. Directly before the port is called, `Start` takes the start mark;
with a port that recognises repeated keys the mark is taken together with the request and confirmed by a fresh look
instead. The port's answer comes back as a signal. A step that is claimed again while it is still `requested` was left
behind by a worker that died: without a mark it is simply handed over; with one, it is repeated where the port allows
that, and parked as `outcome_unknown` where it does not (E3).

What each signal does stands in three tables: the worker's and the requests in this file, the ports' answers in
`answers.py`, what the outside reports in `reactions.py`. The moves they share are in `decision.py`; going on in another
version is in `migration.py`.
"""

from __future__ import annotations

import json
from typing import Any

from pendulum import DateTime

from sequencer.core.answers import answer, complete
from sequencer.core.decision import UNKNOWN, Decision, Draft
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.effects import hand_over_of
from sequencer.core.enrollment import (
    FAILURE_REASONS,
    Enrollment,
    EnrollmentStep,
    Resource,
    at_hand,
    changed,
    initial_steps,
)
from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.instants import between, later_by, to_instant
from sequencer.core.migration import migrate
from sequencer.core.reactions import react
from sequencer.core.sequence import SequenceVersion
from sequencer.core.signals import (
    OUTSIDE,
    Answer,
    Block,
    CompleteTask,
    Defer,
    Due,
    Finish,
    Handling,
    Migrate,
    Reassign,
    Resume,
    Signal,
    Skip,
    Start,
    UpdatePerson,
    Withdraw,
)
from sequencer.core.statuses import ACTIVE, BLOCKED, COMPLETED, FAILED, FINISHED, IN_PROGRESS, PENDING, REQUESTED
from sequencer.core.timeline import answer_due, base_of, following, is_due, opens_at, skipped_at
from sequencer.core.values import Identifier, to_line, to_whole

__all__ = ["advance", "enroll"]


def enroll(
    version: SequenceVersion,
    resource: Resource,
    now: DateTime,
    *,
    id: int,
    origin: str,
    account: Identifier | None,
    actor_id: Identifier | None,
    timezone: str,
    tzdata: str,
    start_at: DateTime | None = None,
    idempotency_key: str | None = None,
) -> Decision:
    """A new enrollment in a version, from now or from a later `start_at` (T6).

    The whole timeline is computed once, so that one which leaves the years 1970 to 9000 is refused here (T11).
    """
    started_at = now if start_at is None else max(start_at, now)
    enrollment = Enrollment(
        id=id,
        origin=origin,
        account=account,
        version=version,
        resource=resource,
        actor_id=actor_id,
        timezone=timezone,
        tzdata=tzdata,
        created_at=now,
        started_at=started_at,
        steps=initial_steps(version),
        idempotency_key=idempotency_key,
    )
    first, *_ = following(version, timezone, -1, started_at)
    draft = Draft(at_hand(enrollment), now)
    facts = {
        "origin": origin,
        "account": account,
        "resource_type": resource.type,
        "resource_id": resource.id,
        "actor_id": actor_id,
        "timezone": timezone,
        "tzdata": tzdata,
        "started_at": started_at,
        "idempotency_key": idempotency_key,
    }
    draft.record("enrolled", facts=facts, steps={0: {"estimated_execute_at": first.estimated_execute_at}})
    return draft.decision()


def advance(enrollment: Enrollment, signal: Signal, now: DateTime) -> Decision:
    """One signal further. Raises `IllegalTransition` for a request that the state does not allow (L10)."""
    draft = Draft(enrollment, now)
    handler = _HANDLERS.get(type(signal))
    if handler is None:
        raise TypeError(f"{signal!r} is no signal")
    handler(draft, signal)
    return draft.decision()


# -- the worker -----------------------------------------------------------------------------------------------


def _due(draft: Draft, due: Due) -> None:
    enrollment, now = draft.enrollment, draft.now
    draft.request_cancels()
    if enrollment.state is FINISHED:
        for step in enrollment.outstanding:
            if answer_due(step, now) <= now:
                draft.cancel(step, known=False)
        return
    current = enrollment.current
    if current is None:
        return
    handling = due.email if current.step.is_email else due.task
    if current.status is REQUESTED and answer_due(current, now) <= now:
        _still_requested(draft, current, handling)
    elif enrollment.state is BLOCKED:
        if enrollment.blocked_until is not None and enrollment.blocked_until <= now:
            _resume(draft, Resume("keep", automatic=True))
    elif current.status is PENDING:
        _pending(draft, current, handling)
    elif current.status is IN_PROGRESS:
        skip_at = skipped_at(enrollment)
        if skip_at is not None and skip_at <= now:
            _skip(draft, Skip("skip_after"))


def _pending(draft: Draft, current: EnrollmentStep, handling: Handling) -> None:
    enrollment, now = draft.enrollment, draft.now
    at = current.estimated_execute_at
    assert at is not None, "a current step has an estimate"
    if now < at:
        # Early: either nothing is due, or the clock was ahead when the delay or a pause began (E6).
        not_before = draft.pause_believed(current)
        if not_before != current.not_before or base_of(enrollment, current.position, now) == now:
            sooner = draft.estimated(current, not_before)
            if sooner < at:
                fields = {"estimated_execute_at": sooner, "not_before": not_before}
                if not_before is None:
                    fields["not_before_reason"] = None
                draft.record("re_estimated", current.position, steps={current.position: fields})
        return
    if opens_at(enrollment, now) > now:
        draft.record("deferred", current.position)
        return
    _request(draft, current, handling)


def _defer(draft: Draft, defer: Defer) -> None:
    """What is due waits for its turn: until then it is not due any more, and then everything is decided anew (T7)."""
    current = draft.enrollment.current
    draft.request_cancels()
    if current is None or current.status is not PENDING or not _may_hand_over(draft):
        return
    if defer.until is None:
        draft.pause("quota_reached", None, {"detail": defer.detail})
        return
    fields = {
        "not_before": defer.until,
        "not_before_reason": f"{defer.reason}: {defer.detail}",
        "estimated_execute_at": draft.estimated(current, defer.until),
    }
    facts = {"reason": defer.reason, "detail": defer.detail}
    draft.record("deferred", current.position, facts=facts, steps={current.position: fields})


def _request(draft: Draft, current: EnrollmentStep, handling: Handling) -> None:
    """Ask for the hand-over; what is not executed yet, is now being executed, once."""
    now, position = draft.now, current.position
    fields: dict[str, Any] = {
        "status": draft.status(current, "request"),
        "attempt": current.attempt + 1,
        "requested_at": now,
        # A port that recognises keys needs no durable mark; the hand-over counts as begun until the worker withdraws.
        "started_at": now if handling.deduplicates else None,
        "not_before": None,
        "not_before_reason": None,
    }
    type = "email_requested" if current.step.is_email else "task_requested"
    draft.record(type, position, facts={"attempt": current.attempt + 1}, steps={position: fields})
    draft.effects.append(hand_over_of(draft.enrollment, draft.enrollment.steps[position]))


def _still_requested(draft: Draft, current: EnrollmentStep, handling: Handling) -> None:
    """Claimed while requested: whoever handed it over has died, or a mailer that answers later never did."""
    if current.awaits_report:
        draft.fail(current, "outcome_unknown", refused=False)
    elif current.started_at is None:
        if _may_hand_over(draft):
            draft.effects.append(hand_over_of(draft.enrollment, current))
        else:
            draft.try_again("hand_over_withdrawn", current, {}, pause=None)
    elif handling.repeatable:
        # Repeated under the same key, after pauses that grow. It is no attempt that failed, however often a worker
        # dies: of a whole batch that is left behind, most was never called.
        facts = {"reason": "outcome_unknown", "attempt": current.attempt, "detail": "its worker was lost", **UNKNOWN}
        pause = draft.pause_before_retry(current, current.attempt)
        draft.try_again("attempt_failed", current, facts, pause=pause, counts=False)
    else:
        draft.fail(current, "outcome_unknown", refused=False)


def _may_hand_over(draft: Draft) -> bool:
    """Whether the current step is due at this instant: the window may have closed, or the clock gone back (T9, E6)."""
    return draft.enrollment.state is ACTIVE and is_due(draft.enrollment, draft.now)


def _start(draft: Draft, start: Start) -> None:
    step = draft.enrollment.step_of_key(start.effect_key)
    if (
        step is not None
        and _may_hand_over(draft)
        and step.status is REQUESTED
        and step.started_at is None
        and step.attempt == start.attempt
    ):
        fields = {"started_at": draft.now}
        draft.record("hand_over_started", step.position, facts={"attempt": step.attempt}, steps={step.position: fields})


def _withdraw(draft: Draft, withdraw: Withdraw) -> None:
    step = draft.enrollment.step_of_key(withdraw.effect_key)
    if step is None or step.status is not REQUESTED or step.attempt != withdraw.attempt or step.awaits_report:
        return
    if draft.enrollment.is_finished:
        draft.cancel(step)
    else:
        draft.try_again("hand_over_withdrawn", step, {}, pause=None)


# -- requests -------------------------------------------------------------------------------------------------


def _block(draft: Draft, block: Block) -> None:
    enrollment = draft.enrollment
    if enrollment.is_finished:
        raise IllegalTransition(enrollment.state, "block")
    reason = to_line(block.reason, "reason", longest=64)
    if reason in FAILURE_REASONS:
        raise InvalidInput(f"{reason!r} is what a step that failed says; a pause needs another", path="reason")
    until = None if block.until is None else to_instant(block.until, "until")
    if until is not None and until <= draft.now:
        raise InvalidInput(f"must lie ahead, got {until}", path="until", code="not_ahead")
    draft.pause(reason, until)


def _resume(draft: Draft, resume: Resume) -> None:
    enrollment = draft.enrollment
    if enrollment.is_finished:
        raise IllegalTransition(enrollment.state, "resume")
    current = enrollment.current
    if enrollment.state is ACTIVE or current is None:
        return
    facts: dict[str, Any] = {"timeline": resume.timeline, "automatic": resume.automatic}
    if resume.skip:
        if current.status is REQUESTED:
            raise IllegalTransition(current.status, "skip", "its hand-over is still out")
        draft.record("resumed", facts={**facts, "skip": True}, own=draft.lifted())
        _skip(draft, Skip())
        return
    fields: dict[str, Any] = {}
    if current.status is FAILED:
        fields = _retried(draft, current)
        facts["timeline"] = "retry"
    elif current.status is PENDING:
        not_before = _not_before(draft, current, resume)
        fields = {
            "not_before": not_before,
            "not_before_reason": resume.timeline,
            "estimated_execute_at": draft.estimated(current, not_before),
        }
    draft.record("resumed", facts=facts, own=draft.lifted(), steps={current.position: fields} if fields else None)


def _retried(draft: Draft, current: EnrollmentStep) -> dict[str, Any]:
    """A failed step, to be handed over at the next open moment; under a new key only after a definite refusal (E2)."""
    fields: dict[str, Any] = {
        "status": draft.status(current, "retry"),
        "failures": 0,
        "failure_reason": None,
        "failure_detail": None,
        "refused": False,
        "not_before": draft.now,
        "not_before_reason": "retried_by_person",
        "estimated_execute_at": draft.estimated(current, draft.now),
    }
    if current.refused:
        fields |= {"generation": current.generation + 1, "attempt": 0, "provider_id": None, "task_id": None}
    return fields


def _not_before(draft: Draft, current: EnrollmentStep, resume: Resume) -> DateTime:
    """What becomes of the timeline (L6)."""
    enrollment, now, calendar = draft.enrollment, draft.now, draft.enrollment.calendar
    planned = current.estimated_execute_at
    assert planned is not None, "a current step has an estimate"
    assert enrollment.blocked_at is not None, "what is resumed was blocked"
    if resume.timeline == "restart":
        return calendar.after(now, current.step.after)
    if resume.timeline == "keep":
        until = enrollment.blocked_until if resume.automatic else None
        if until is None:
            return max(planned, now)
        # At the estimate's clock time on the date of the return, unless the planned instant is still ahead of it.
        return planned if planned >= until else max(until, calendar.at_clock_of(planned, until))
    # The delay of a step that became current during the block has not begun to run before that.
    since = max(enrollment.blocked_at, base_of(enrollment, current.position, now))
    if planned <= since:
        return now
    if type(current.step.after) is Hours:
        # What is left of the delay itself; a wait for the calendar that came on top is not waited out again.
        ends = calendar.after(base_of(enrollment, current.position, now), current.step.after)
        if current.not_before is not None:
            ends = max(ends, current.not_before)
        return now if ends <= since else later_by(now, between(since, ends))
    days = calendar.working_days_between(since, planned)
    if days == 0 and calendar.at_clock_of(planned, now) < now:
        return now
    return calendar.after(calendar.at_clock_of(planned, now), Weekdays(days))


def _finish(draft: Draft, finish: Finish) -> None:
    if not draft.enrollment.is_finished:
        draft.finish(finish.reason, finish.actor_id)


def _skip(draft: Draft, skip: Skip) -> None:
    enrollment, current = draft.enrollment, draft.enrollment.current
    if enrollment.is_finished or current is None:
        raise IllegalTransition(enrollment.state, "skip")
    if current.status is REQUESTED:
        raise IllegalTransition(current.status, "skip", "its hand-over is still out; wait for the answer")
    fields: dict[str, Any] = {
        "status": draft.status(current, "skip"),
        "skipped_at": draft.now,
        "failure_reason": None,
    }
    if current.status is IN_PROGRESS:
        fields["cancel_task"] = True
    lift = current.status is FAILED
    draft.step_over("step_skipped", current, fields, {"reason": skip.reason}, lift=lift)
    draft.request_cancels()


def _complete_task(draft: Draft, request: CompleteTask) -> None:
    steps = draft.enrollment.steps
    step = steps[to_whole(request.position, "position", least=0, most=len(steps) - 1)]
    if step.step.is_email:
        raise IllegalTransition(step.status, "complete", "it is a mail, and only the mailer's answer completes that")
    if step.status is COMPLETED:
        return
    if step.is_over or request.position != draft.enrollment.position:
        raise IllegalTransition(step.status, "complete")
    complete(draft, step)


def _reassign(draft: Draft, reassign: Reassign) -> None:
    if draft.enrollment.is_finished:
        raise IllegalTransition(draft.enrollment.state, "reassign")
    if draft.enrollment.actor_id != reassign.actor_id:
        facts, current = {"actor_id": reassign.actor_id}, draft.enrollment.current
        draft.record("reassigned", facts=facts, own=facts)
        if current is not None and current.step.is_email and current.is_withdrawable:
            # It has no start mark, so it has not been handed over: whether it may leave in the new name is asked anew.
            draft.try_again("hand_over_withdrawn", current, {}, pause=None)


def _update_person(draft: Draft, update: UpdatePerson) -> None:
    if draft.enrollment.is_finished:
        raise IllegalTransition(draft.enrollment.state, "update_person")
    if _told(draft.enrollment.resource) != _told(update.resource):
        # That it happened, not what (S8). A hand-over that was put together for the old address is of an older revision
        # from now on, so it takes no start mark.
        draft.record("person_updated")
        draft.enrollment = changed(draft.enrollment, {"resource": update.resource})


def _told(resource: Resource) -> str:
    """What is said of a person, so that 1 and true differ."""
    return json.dumps([resource.email, resource.timezone, resource.fields], sort_keys=True)


_HANDLERS: dict[type, Any] = {
    Due: _due,
    Defer: _defer,
    Start: _start,
    Withdraw: _withdraw,
    Block: _block,
    Resume: _resume,
    Finish: _finish,
    Skip: _skip,
    CompleteTask: _complete_task,
    Reassign: _reassign,
    UpdatePerson: _update_person,
    Migrate: lambda draft, signal: migrate(draft, signal.version),
    **dict.fromkeys(Answer.__args__, answer),
    **dict.fromkeys(OUTSIDE.values(), react),
}
