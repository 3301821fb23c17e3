"""What people read for the words that are stored: states, reasons, statuses, facts of events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pendulum import DateTime

from sequencer.core.delays import Delay
from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.events import EVENT_TYPES, Event
from sequencer.core.instants import to_instant
from sequencer.core.sequence import AutomatedEmail, Step
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import opens_at
from sequencer.engine.explanation import why_ended, why_finished
from sequencer.http.inspector.moments import on_clock
from sequencer.simulation.report.figures import words

__all__ = ["delay", "doing", "facts", "happened", "kind", "short", "stage", "state", "status", "why", "why_blocked"]

_BLOCKED = {
    "delivery_failed": "the mail could not be delivered",
    "quota_reached": "the sender may send no more mails for now",
    "mail_settings": "the settings of the mailer are wrong, or a text is",
    "missing_merge_data": "data about the person is missing, or could not be had",
    "task_failed": "the task could not be created",
    "task_deleted": "the task was deleted on the board",
    "outcome_unknown": "nobody knows whether the last hand-over arrived",
    "paused": "somebody paused it",
    "out_of_office": "the person is out of the office",
    "bounced": "a mail came back",
}
_STATUS = {
    StepStatus.PENDING: "planned",
    StepStatus.REQUESTED: "being handed over",
    StepStatus.IN_PROGRESS: "waiting to be done",
    StepStatus.COMPLETED: "done",
    StepStatus.FAILED: "failed",
    StepStatus.SKIPPED: "skipped",
    StepStatus.CANCELLED: "cancelled",
}
_SHORT = 60
# What an event says about itself, beside its sentence; the others are for programs.
_TOLD = (
    "reason", "blocked_reason", "until", "timeline", "skip", "automatic", "attempt", "detail", "kind", "actor_id",
    "outcome", "task_id",
)  # fmt: skip


def kind(step: Step) -> str:
    """`Mail` or `Task`."""
    return "Mail" if step.is_email else "Task"


def doing(step: Step) -> str:
    """What a step does: its template, or the text of its task as the definition has it."""
    action = step.action
    if isinstance(action, AutomatedEmail):
        reply = ", a reply in the thread before it" if action.is_reply else ""
        return f"Template {action.template_id}{reply}"
    return action.task_content


def short(step: Step) -> str:
    """What a step does, in a few words."""
    text = " ".join(doing(step).split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1].rstrip()}\u2026"


def delay(after: Delay, position: int) -> str:
    """The delay of a step in words: `2 working days after step 0`."""
    since = "the start" if position == 0 else f"step {position - 1}"
    return f"at once after {since}" if not after.n and after.unit == "hours" else f"{after} after {since}"


def state(enrollment: Enrollment) -> str:
    """`Active`, `Blocked` or `Finished`."""
    return enrollment.state.value.capitalize()


def why_blocked(reason: str) -> str:
    """A reason for a block, in words."""
    return _BLOCKED.get(reason) or reason.replace("_", " ")


def status(step: EnrollmentStep) -> str:
    """The status of a step in words."""
    if step.status is StepStatus.COMPLETED and step.step.is_email:
        return "sent"
    return _STATUS[step.status]


def stage(enrollment: Enrollment, step: EnrollmentStep) -> str:
    """Where a step lies on the timeline: `done`, `now`, `planned`, or `off` for what will not happen."""
    if step.status in {StepStatus.COMPLETED, StepStatus.SKIPPED}:
        return "done"
    if step.status is StepStatus.CANCELLED:
        return "off"
    return "now" if step.position == enrollment.position or enrollment.is_finished else "planned"


def why(enrollment: Enrollment, now: DateTime) -> str:
    """In half a sentence, why an enrollment stands where it does; empty where it simply goes on as planned."""
    if enrollment.state is EnrollmentState.FINISHED:
        return why_finished(enrollment)
    if enrollment.state is EnrollmentState.BLOCKED:
        return why_blocked(enrollment.blocked_reason or "")
    current = enrollment.current
    if current is None or current.estimated_execute_at is None:
        return ""
    if current.status is StepStatus.IN_PROGRESS:
        return "the task waits for somebody to do it"
    if current.status is StepStatus.REQUESTED:
        return "it is being handed over" if not current.awaits_report else "the mailer has it, and will answer later"
    if now >= current.estimated_execute_at:
        if opens_at(enrollment, now) > now:
            return "the calendar is closed for mails"
        return "it is due, and waits for a worker"
    if current.not_before is not None and current.not_before >= current.estimated_execute_at:
        return _PUT_OFF.get((current.not_before_reason or "").partition(":")[0], "it was put off")
    return ""


_PUT_OFF = {
    "retry": "it failed for now, and will be tried again",
    "cap": "it waits for the sender's cap",
    "catch_up": "it waits for its turn after downtime",
}


def happened(event: Event) -> str:
    """An event as a sentence."""
    said = EVENT_TYPES.get(event.type, words(event.type))
    return f"{said[:1].upper()}{said[1:]}."


def facts(event: Event, timezone: str) -> list[tuple[str, str]]:
    """What an event says beside its sentence: names and values, in words."""
    if event.type == "enrolled":
        return []
    given: Mapping[str, Any] = event.facts
    found = [(name, given[name]) for name in _TOLD if given.get(name)]
    reasons = {value for name, value in found if name == "reason"}
    if given.get("skip") or not event.steps:  # which way was chosen says nothing where nothing has moved
        found = [pair for pair in found if pair[0] != "timeline"]
    return [
        (_CALLED.get(name) or words(name), _fact(name, value, timezone, ended=event.type == "finished"))
        for name, value in found
        if not (name == "blocked_reason" and value in reasons) and not (name == "attempt" and value == 1)
    ]


_CALLED = {
    "reason": "Because",
    "blocked_reason": "Blocked because",
    "automatic": "By itself",
    "skip": "Passing over the step",
    "actor_id": "By",
    "attempt": "Try",
}
_TIMELINES = {
    "shift": "what was left of the delay is waited out",
    "keep": "the planned moment stays",
    "restart": "the delay begins anew",
    "retry": "the step is tried again",
}


def _fact(name: str, value: Any, timezone: str, *, ended: bool) -> str:
    if isinstance(value, datetime):
        return on_clock(to_instant(value), timezone)
    if value is True:
        return "yes"
    if name in {"reason", "blocked_reason"}:
        return why_ended(value) if ended else why_blocked(value)
    if name == "timeline":
        return _TIMELINES.get(value, str(value))
    return str(value).replace("_", " ") if name == "kind" else str(value)
