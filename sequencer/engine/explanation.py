"""Explaining an enrollment in sentences: what happened, where it stands, what comes next and why (law T10)."""

from __future__ import annotations

from pendulum import DateTime

from sequencer.core.enrollment import FAILURE_REASONS, Enrollment, EnrollmentStep
from sequencer.core.instants import to_zone
from sequencer.core.matching import name_of
from sequencer.core.sequence import AutomatedEmail, Task
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import explain_current, is_due, opens_at, seen_at, skipped_after
from sequencer.engine.results import Explanation

__all__ = ["BLOCKS", "ENDS", "explained", "next_mail", "why_ended", "why_finished"]

_ADVICE = {
    "missing_merge_data": (
        "Give the person what is missing: where Engine(people=...) is asked for it, there (or mend that, where it "
        "could not be asked), and a worker of that engine has to hand over (`sequencer run` asks nobody); else with "
        "`sequencer update`. Then resume the enrollment, or resume and skip the step."
    ),
    "mail_settings": (
        "Mend the settings of the mailer, or the texts and what looks them up, then resume the enrollment, or all at "
        "once (sequencer resume --blocked mail_settings)."
    ),
    "quota_reached": "Resume the enrollment when the mailer takes mail again.",
    "task_deleted": "Resume the enrollment to have the task made anew, or resume it and skip the step.",
}
_WHY_FINISHED = {
    "manual": "a person ended it",
    "completed": "its last step was over",
    "replied": "the person replied",
    "meeting_booked": "a meeting was booked",
    "unsubscribed": "the person opted out",
    "bounced": "the address is no good",
    "converted": "the person converted",
    "resource_deleted": "the resource was deleted",
    "sequence_deleted": "the sequence was deleted",
}
_AHEAD = (StepStatus.PENDING, StepStatus.FAILED)
_WITHHELD = (
    "  This mail will not leave: the address that is stored is suppressed. The enrollment ends then as unsubscribed, "
    "unless Engine(people=...) knows another address, or the suppression is lifted before."
)
_PERHAPS_WITHHELD = (
    "  An address is suppressed that the person had before, or was mailed at: if Engine(people=...) names that one, "
    "this mail will not leave, and the enrollment ends then as unsubscribed."
)
_SET_ASIDE = (
    "  A worker has looked at it and could not tell whether it may go out, as when the callable `cap` raises; the "
    "worker's log says why. It is looked at again on"
)
ENDS = tuple(_WHY_FINISHED)
"""The reasons for which an enrollment ends; what a host reports may bring others."""
BLOCKS = ("paused", "out_of_office", "bounced", *FAILURE_REASONS)
"""The reasons for which an enrollment is blocked; a host may bring others."""


def explained(
    enrollment: Enrollment,
    now: DateTime,
    suppressed_position: int | None = None,
    set_aside_until: DateTime | None = None,
    *,
    former_suppressed: bool = False,
) -> Explanation:
    """The enrollment as of now, in sentences: one about itself, then about each step.

    `suppressed_position` is that of `next_mail` where the address that is stored is suppressed, `former_suppressed`
    says so of another that it had; `set_aside_until` is there where a worker has looked at it and could not tell what
    to do, and counts until then.
    """
    seen = seen_at(enrollment, now)
    asked = next_mail(seen) if former_suppressed else None
    sentences = [_about_itself(seen)]
    for step in seen.steps:
        first, *more = _about_step(seen, step, now)
        sentences.append(first)
        if step.position == suppressed_position:
            sentences.append(_WITHHELD)
        if step.position == asked:
            sentences.append(_PERHAPS_WITHHELD)
        waits = seen.state is EnrollmentState.ACTIVE and step is seen.current and step.status is StepStatus.PENDING
        if set_aside_until is not None and now < set_aside_until and waits and is_due(seen, now):
            sentences.append(f"{_SET_ASIDE} {_show(seen, set_aside_until)}.")
        sentences += more
    return Explanation(seen, tuple(sentences), suppressed_position, asked is not None)


def next_mail(enrollment: Enrollment) -> int | None:
    """The position of the mail that is handed over next, or again; what is out already is not looked at again (L8)."""
    if enrollment.is_finished:
        return None
    ahead = (each for each in enrollment.steps if each.step.is_email and each.status in _AHEAD)
    return next((each.position for each in ahead), None)


def _about_itself(enrollment: Enrollment) -> str:
    resource, sequence = enrollment.resource, enrollment.version.sequence
    what = (
        f"Enrollment {enrollment.id}: {resource.type} {resource.id} in {sequence.name!r} "
        f"(version {enrollment.version.version}), on the clock of {enrollment.timezone}"
    )
    if enrollment.state is EnrollmentState.FINISHED and enrollment.finished_at is not None:
        who = f" by {enrollment.finished_actor_id}" if enrollment.finished_actor_id is not None else ""
        at = _show(enrollment, enrollment.finished_at)
        return f"{what}: finished{who} on {at}, because {why_finished(enrollment)}."
    if enrollment.state is EnrollmentState.BLOCKED and enrollment.blocked_at is not None:
        until = enrollment.blocked_until
        end = f"it resumes by itself on {_show(enrollment, until)}" if until else "it waits for a person to resume it"
        since = _show(enrollment, enrollment.blocked_at)
        return f"{what}: blocked since {since} ({enrollment.blocked_reason}); {end}."
    return f"{what}: active, at step {enrollment.current_step_position} of 0 to {len(enrollment.steps) - 1}."


def why_finished(enrollment: Enrollment) -> str:
    """Why an enrollment has ended, as what follows "because"."""
    return why_ended(enrollment.finished_reason or "")


def why_ended(reason: str) -> str:
    """What a reason for an end means, as what follows "because"."""
    return _WHY_FINISHED.get(reason, f"of {reason}")


def _about_step(enrollment: Enrollment, step: EnrollmentStep, now: DateTime) -> list[str]:
    name = _name(step)
    if step.status is StepStatus.COMPLETED and step.executed_at is not None:
        done = "was accepted by the mailer" if step.step.is_email else "was completed"
        return [f"{name} {done} on {_show(enrollment, step.executed_at)}."]
    if step.status is StepStatus.SKIPPED and step.skipped_at is not None:
        return [f"{name} was skipped on {_show(enrollment, step.skipped_at)}{_why_skipped(enrollment, step)}."]
    if step.status is StepStatus.CANCELLED:
        return [f"{name} was cancelled with the enrollment."]
    if step.status is StepStatus.FAILED:
        detail = f" ({step.failure_detail})" if step.failure_detail else ""
        return [f"{name} failed: {step.failure_reason}{detail}. {_advice(enrollment, step)}"]
    if step.status is StepStatus.REQUESTED:
        return [_about_requested(enrollment, step, name)]
    at = step.estimated_execute_at
    if at is None:
        return [f"{name} has no estimate while the enrollment is blocked."]
    late = " It is overdue." if step.overdue else ""
    if step.status is StepStatus.IN_PROGRESS:
        return [f"{name} is waiting to be done since {_show(enrollment, at)} (task {step.task_id}).{late}"]
    if step.position > enrollment.position:
        after = _after(step)
        return [f"{name} is expected on {_show(enrollment, at)}, {after} the step before it."]
    sentences = [f"{name} is due on {_show(enrollment, at)}.{late}"]
    if enrollment.state is EnrollmentState.BLOCKED:
        sentences = [f"{name} was planned for {_show(enrollment, at)}; the resume settles when it is due.{late}"]
    if step.attempt and step.failures:
        tried = "once" if step.failures == 1 else f"{step.failures} times"
        said = f" ({step.failure_detail})" if step.failure_detail else ""
        sentences.append(f"  It was tried {tried} without success{said} and will be tried again.")
    sentences += [f"  - {reason}" for reason in explain_current(enrollment, now)]
    if enrollment.state is EnrollmentState.ACTIVE and isinstance(step.step.action, AutomatedEmail) and now >= at:
        opens = opens_at(enrollment, now)
        if opens > now:
            sentences.append(f"  - it could not leave in time; the calendar opens next on {_show(enrollment, opens)}")
    return sentences


def _name(step: EnrollmentStep) -> str:
    """Which step, and what it does."""
    return f"Step {step.position} {name_of(step.step)}"


def _why_skipped(enrollment: Enrollment, step: EnrollmentStep) -> str:
    action, at = step.step.action, step.estimated_execute_at
    if at is None:
        return ", since it comes before what was over when the enrollment was moved to this version"
    if isinstance(action, Task) and step.skipped_at is not None:
        over_at = skipped_after(enrollment.calendar, step.step, at)
        if over_at is not None and step.skipped_at >= over_at:
            return f", after its skip_after of {action.skip_after} was over"
    return ""


def _advice(enrollment: Enrollment, step: EnrollmentStep) -> str:
    """What a person can do about a step that failed."""
    reason, key = step.failure_reason, enrollment.key_of(step)
    if reason == "outcome_unknown" and step.step.is_email:
        return (
            "Nobody knows whether the mail left: look into the sent folder. If it did, report email_sent for "
            f"{key} (sequencer signal email_sent --db FILE --effect-key {key} --key sent-{key}). If it did not, resume "
            "the enrollment, and it is sent."
        )
    if reason == "outcome_unknown":
        return (
            "Nobody knows whether the task exists: look at the board. If it does, report task_created for "
            f"{key} (sequencer signal task_created --db FILE --effect-key {key} --task TASK --key made-{key}). If it "
            "does not, resume the enrollment, and it is asked for again."
        )
    if enrollment.blocked_reason == "bounced":
        return "Correct the person's address (sequencer update), then resume the enrollment."
    return _ADVICE.get(reason or "", "Resume the enrollment to try again or to skip it.")


def _about_requested(enrollment: Enrollment, step: EnrollmentStep, name: str) -> str:
    at = step.requested_at
    assert at is not None, "what is requested was requested at some time"
    if step.awaits_report:
        return f"{name} is with the mailer since {_show(enrollment, at)}, which will say later whether it left."
    if step.started_at is None:
        return f"{name} is about to be handed over, since {_show(enrollment, at)}."
    return f"{name} is being handed over since {_show(enrollment, at)}; the answer is outstanding."


def _after(step: EnrollmentStep) -> str:
    return f"{step.step.after} after"


def _show(enrollment: Enrollment, at: DateTime) -> str:
    local = to_zone(at, enrollment.timezone)
    return f"{local:%a %Y-%m-%d %H:%M} {local:%Z}".rstrip()
