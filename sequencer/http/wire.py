"""The shapes of the model service: what an enrollment, a sequence and a page of them look like on the wire.

`sequencer.http.writing` writes enrollments faster, to the same bytes; this says what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.sequence import AutomatedEmail, Sequence, Step
from sequencer.core.statuses import REQUESTED, StepStatus
from sequencer.engine.stored import StoredSequence

__all__ = [
    "collection",
    "collection_meta",
    "enrollment_document",
    "instant",
    "properties_of",
    "sequence_document",
    "shown_status",
]

STEPS_OF_A_VERSION = 256
"""How many ids of steps a version has (ours): more than the most steps of a sequence."""


# A page has some hundreds of instants, and looking up two digits takes a third of formatting them.
_TWO = tuple(f"{n:02}" for n in range(60))


def instant(at: DateTime | None) -> str | None:
    """Whole seconds in UTC with `Z`."""
    if at is None:
        return None
    # Its year has four digits (T11), and its zone is UTC, which `isoformat` would ask for the offset.
    return f"{at.year}-{_TWO[at.month]}-{_TWO[at.day]}T{_TWO[at.hour]}:{_TWO[at.minute]}:{_TWO[at.second]}Z"


def _wrapped(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"data": data, "meta": {"type": kind}}


def collection(items: Iterable[Any], links: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A collection; one that is a page has links."""
    items = list(items)
    return {"items": items, "meta": collection_meta(len(items), links)}


def collection_meta(count: int, links: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a collection says of itself."""
    meta: dict[str, Any] = {"type": "collection", "count": count}
    return meta if links is None else {**meta, "links": links}


def properties_of(step: Step) -> dict[str, Any]:
    """The `action_properties` of a step."""
    action = step.action
    if isinstance(action, AutomatedEmail):
        return {"email_template_id": action.template_id, "is_reply": action.is_reply}
    return {"task_content": action.task_content}


def shown_status(status: StepStatus) -> str:
    """A status as the wire has it: what was handed over and is not answered yet reads `pending` (ours)."""
    return "pending" if status is REQUESTED else status.value


def _step_action(step: EnrollmentStep) -> dict[str, Any]:
    action = step.step.action
    data: dict[str, Any] = {
        "status": shown_status(step.status),
        "executed_at": instant(step.executed_at),
        "estimated_execute_at": instant(step.estimated_execute_at),
        "failure_reason": step.failure_reason,
    }
    if not isinstance(action, AutomatedEmail):
        data["task_content"] = action.task_content
        if step.task_id is not None:
            data["task_id"] = step.task_id
    return {"data": data, "meta": {"type": "action"}}


def _enrollment_step(step: EnrollmentStep) -> dict[str, Any]:
    definition = step.step
    return {
        "data": {
            "position": step.position,
            "delay_from_previous_step": definition.after.n,
            "delay_from_previous_step_unit": definition.after.unit,
            "overdue": step.overdue,
            "action_type": definition.action.action_type,
            "action_properties": properties_of(definition),
            "action": _step_action(step),
        },
        "meta": {"type": "enrollment_step"},
    }


def enrollment_document(enrollment: Enrollment, stored: StoredSequence) -> dict[str, Any]:
    """An enrollment, as of when it was read; `stored` is its sequence, of which it shows who made it, and when."""
    version, resource = enrollment.version, enrollment.resource
    sequence = {
        "id": version.sequence_id,
        "name": version.sequence.name,
        "steps_total": len(enrollment.steps),
        "creator_id": stored.creator_id,
        "created_at": instant(stored.created_at),
        "updated_at": instant(stored.updated_at),
    }
    return {
        "data": {
            "id": enrollment.id,
            "actor_id": enrollment.actor_id,
            "resource_type": resource.type,
            "resource_id": resource.id,
            "created_at": instant(enrollment.created_at),
            "updated_at": instant(enrollment.updated_at or enrollment.created_at),
            "state": enrollment.state.value,
            "current_step_position": enrollment.current_step_position,
            "finished_at": instant(enrollment.finished_at),
            "finished_reason": enrollment.finished_reason,
            "finished_actor_id": enrollment.finished_actor_id,
            "blocked_reason": enrollment.blocked_reason,
            "blocked_until": instant(enrollment.blocked_until),
            "sequence": {"data": sequence, "meta": {"type": "sequence"}},
            "enrollment_steps": collection(map(_enrollment_step, enrollment.steps)),
        },
        "meta": {"type": "sequence_enrollment"},
    }


def sequence_document(stored: StoredSequence) -> dict[str, Any]:
    """A sequence with its steps, as its current version has them."""
    sequence: Sequence = stored.version.sequence
    unsubscribe = sequence.policy.unsubscribe
    first = stored.version.id * STEPS_OF_A_VERSION
    steps = [
        _wrapped(
            "step",
            {
                "id": first + position,
                "position": position,
                "action_type": step.action.action_type,
                "delay_from_previous_step": step.after.n,
                "delay_from_previous_step_unit": step.after.unit,
                "action_properties": properties_of(step),
            },
        )
        for position, step in enumerate(sequence.steps)
    ]
    return _wrapped(
        "sequence",
        {
            "id": stored.id,
            "creator_id": stored.creator_id,
            "name": sequence.name,
            "steps_total": len(steps),
            "steps": collection(steps),
            "unsubscribe_settings": {"enabled": unsubscribe.enabled, "locale": unsubscribe.locale},
            "created_at": instant(stored.created_at),
            "updated_at": instant(stored.updated_at),
        },
    )
