"""Enrollments as JSON text at once: the bytes of `wire.enrollment_document`, in half the time.

A page of a hundred enrollments has some twenty thousand values, of which most are the same for everybody in a version.
So what a step shows to all is written once for each version, and what differs is put in between. That both write the
same is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from json.encoder import encode_basestring as _quoted
from typing import Any

import attrs

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.sequence import SequenceVersion, Step
from sequencer.core.statuses import PENDING, StepStatus
from sequencer.engine.stored import StoredSequence
from sequencer.http.wire import instant, properties_of, shown_status

__all__ = ["collection_text", "enrollment_text"]

_KEPT = "_on_the_wire"
_END = '},"meta":{"type":"action"}}},"meta":{"type":"enrollment_step"}}'
_SHOWN = {status: f'"{shown_status(status)}"' for status in StepStatus}


def collection_text(items: Iterable[str], meta: dict[str, Any]) -> str:
    """A collection of what is written already."""
    return f'{{"items":[{",".join(items)}],"meta":{_json(meta)}}}'


def enrollment_text(enrollment: Enrollment, stored: StoredSequence) -> str:
    """The text of `enrollment_document` of the same."""
    version, resource = enrollment.version, enrollment.resource
    before, after, steps = _kept(version)
    written = ",".join([_step(step, steps[step.position]) for step in enrollment.steps])
    return (
        f'{{"data":{{"id":{enrollment.id},"actor_id":{_id(enrollment.actor_id)},'
        f'"resource_type":{_quoted(resource.type)},"resource_id":{_id(resource.id)},'
        f'"created_at":{_at(enrollment.created_at)},"updated_at":{_at(enrollment.updated_at or enrollment.created_at)},'
        f'"state":"{enrollment.state.value}","current_step_position":{enrollment.current_step_position},'
        f'"finished_at":{_at(enrollment.finished_at)},"finished_reason":{_text(enrollment.finished_reason)},'
        f'"finished_actor_id":{_id(enrollment.finished_actor_id)},'
        f'"blocked_reason":{_text(enrollment.blocked_reason)},"blocked_until":{_at(enrollment.blocked_until)},'
        f'"sequence":{{"data":{before},"creator_id":{_id(stored.creator_id)},'
        f'"created_at":{_at(stored.created_at)},"updated_at":{_at(stored.updated_at)}}},"meta":{{"type":"sequence"}}}},'
        f'"enrollment_steps":{{"items":[{written}]{after}'
    )


def _step(step: EnrollmentStep, kept: _Kept) -> str:
    if (
        step.status is PENDING
        and not step.overdue
        and step.executed_at is None
        and step.failure_reason is None
        and step.task_id is None
    ):
        return f"{kept.untouched}{_at(step.estimated_execute_at)}{kept.rest}"
    task_id = "" if step.task_id is None else f',"task_id":{_id(step.task_id)}'
    return (
        f"{kept.before}{'true' if step.overdue else 'false'}{kept.after}{_SHOWN[step.status]},"
        f'"executed_at":{_at(step.executed_at)},"estimated_execute_at":{_at(step.estimated_execute_at)},'
        f'"failure_reason":{_text(step.failure_reason)}{kept.of_a_task}{task_id}{_END}'
    )


@attrs.frozen
class _Kept:
    """What a step shows in all enrollments; `untouched` and `rest` are all of one that nothing has happened to yet."""

    before: str
    after: str
    of_a_task: str
    untouched: str
    rest: str

    @classmethod
    def of(cls, position: int, step: Step) -> _Kept:
        properties = _json(properties_of(step))
        before = (
            f'{{"data":{{"position":{position},"delay_from_previous_step":{_json(step.after.n)},'
            f'"delay_from_previous_step_unit":"{step.after.unit}","overdue":'
        )
        after = (
            f',"action_type":"{step.action.action_type}","action_properties":{properties},"action":{{"data":{{"status":'
        )
        of_a_task = "" if step.is_email else f",{properties[1:-1]}"
        untouched = f'{before}false{after}{_SHOWN[PENDING]},"executed_at":null,"estimated_execute_at":'
        return cls(before, after, of_a_task, untouched, f',"failure_reason":null{of_a_task}{_END}')


def _kept(version: SequenceVersion) -> tuple[str, str, list[_Kept]]:
    """What all enrollments in a version show: the beginning of its sequence, the end of all, and parts of its steps."""
    kept: tuple[str, str, list[_Kept]] | None = version.__dict__.get(_KEPT)
    if kept is None:
        definition = version.sequence
        total = len(definition.steps)
        kept = (
            f'{{"id":{version.sequence_id},"name":{_quoted(definition.name)},"steps_total":{total}',
            f',"meta":{{"type":"collection","count":{total}}}}}}},"meta":{{"type":"sequence_enrollment"}}}}',
            [_Kept.of(position, step) for position, step in enumerate(definition.steps)],
        )
        version.__dict__[_KEPT] = kept
    return kept


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _at(at: Any) -> str:
    return "null" if at is None else f'"{instant(at)}"'


def _text(text: str | None) -> str:
    return "null" if text is None else str(_quoted(text))


def _id(id: int | str | None) -> str:
    return "null" if id is None else str(_quoted(id)) if isinstance(id, str) else str(id)
