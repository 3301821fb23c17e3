"""The stored form of what hangs on enrollments: events, the ids by which they name an enrollment, tasks on the board.

An instant among the fields of an event is written as `{"@": microseconds}`, so it is known without knowing the field;
the versions between which an enrollment was moved as `{"version": id}`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

from pendulum import DateTime

from sequencer.core.events import Event
from sequencer.core.instants import to_microseconds
from sequencer.core.sequence import SequenceVersion
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.engine.stored import BoardTask
from sequencer.stores.codec import (
    FORMAT,
    Row,
    decode_id,
    encode_id,
    encoder,
    instant_of,
    micros_of,
    unreadable,
    wrong_format,
)

__all__ = [
    "TASK_COLUMNS",
    "changes_state",
    "decode_event",
    "decode_task",
    "encode_event",
    "encode_task",
    "references",
]

TASK_COLUMNS = (
    "id", "account", "enrollment_id", "position", "key", "actor_id", "resource_type", "resource_id", "task_content",
    "due_at", "created_at", "status", "closed_at",
)  # fmt: skip
"""The columns of a task on the board, in the order of its rows."""


def _optional_micros(instant: DateTime | None) -> int | None:
    return None if instant is None else to_microseconds(instant)


def _optional_instant(micros: int | None) -> DateTime | None:
    return None if micros is None else instant_of(micros)


# -- events ---------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096, typed=True)
def _tagged(value: Any) -> dict[str, int]:
    # Cached, since that spares a call for most of them: one instant stands in several fields, and in many events.
    if value.__class__ is not DateTime:
        raise TypeError(f"{value!r} has no stored form")
    return {"@": to_microseconds(value)}


_dumps = encoder(_tagged)


def encode_event(event: Event) -> Row:
    """The row of an event: (enrollment_id, number, at, type, body)."""
    fields = event.__dict__
    facts, own, steps = fields["facts"], fields["own"], fields["steps"]
    if "version" in own:
        own = {**own, **{name: {"version": own[name].id} for name in _VERSIONS if name in own}}
    # What is empty at the end is left out.
    body = [FORMAT, fields["position"], facts, own, steps]
    while not body[-1] and len(body) > 2:
        del body[-1]
    return fields["enrollment_id"], fields["number"], micros_of(fields["at"]), fields["type"], _dumps(body)


def _no_version(id: int) -> SequenceVersion:
    raise LookupError(f"version {id} is not at hand")


def decode_event(row: Row, version_of: Callable[[int], SequenceVersion] = _no_version) -> Event:
    """The event of a row; `version_of` knows the versions of sequences by their ids.

    Raises `StoreError` for a format that is not this release's, and for what nobody has written like that.
    """
    try:
        return _decode_event(version_of, *row)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise unreadable(f"event {row[1]} of enrollment {row[0]}", row[-1]) from error


_VERSIONS = ("version", "left")


def _decode_event(
    version_of: Callable[[int], SequenceVersion], enrollment_id: int, number: int, at: int, type: str, body: str
) -> Event:
    format, position, *rest = json.loads(body)
    if format != FORMAT:
        raise wrong_format(f"event {number} of enrollment {enrollment_id}", format)
    facts, own, steps = rest + [{}, {}, {}][len(rest) :]
    versions = {name: version_of(own.pop(name)["version"]) for name in _VERSIONS if name in own}
    own = _decode_fields(own) | versions
    if "past" in own:
        own["past"] = tuple(own["past"])
    if "state" in own:
        own["state"] = EnrollmentState(own["state"])
    changes = {int(place): _decode_fields(fields) for place, fields in steps.items()}
    for fields in changes.values():
        if "status" in fields:
            fields["status"] = StepStatus(fields["status"])
    return Event(enrollment_id, number, instant_of(at), type, position, _decode_fields(facts), own, changes)


def _decode_fields(fields: dict[str, Any]) -> dict[str, Any]:
    for name, value in fields.items():
        if value.__class__ is dict:
            fields[name] = instant_of(value["@"])
    return fields


_STATE_FIELDS = frozenset({"state", "blocked_reason", "finished_reason", "finished_at"})


def changes_state(events: Iterable[Event]) -> bool:
    """Whether any of the events touches the state of the enrollment, or its reason."""
    for event in events:  # noqa: SIM110 - in every decision, and four times as fast as `any` here
        if not _STATE_FIELDS.isdisjoint(event.own):
            return True
    return False


def references(event: Event) -> list[tuple[str, str]]:
    """The ids by which the outside may name the enrollment after an event: (kind, id as JSON text)."""
    found = []
    if event.type == "enrolled" and event.facts["idempotency_key"] is not None:
        found.append(("idempotency", encode_id(event.facts["idempotency_key"])))
    for fields in event.steps.values():
        for name, kind in _REFERENCES:
            value = fields.get(name)
            if value is not None:
                found.append((kind, encode_id(value)))
    return found


_REFERENCES = (("task_id", "task"), ("message_id", "message"), ("provider_id", "provider"))


# -- tasks on the board ---------------------------------------------------------------------------------------


def encode_task(task: BoardTask) -> Row:
    """The row of a task on the board, without its id."""
    return (
        encode_id(task.account),
        task.enrollment_id,
        task.position,
        task.key,
        encode_id(task.actor_id),
        task.resource_type,
        encode_id(task.resource_id),
        task.task_content,
        to_microseconds(task.due_at),
        to_microseconds(task.created_at),
        task.status,
        _optional_micros(task.closed_at),
    )


def decode_task(row: Row) -> BoardTask:
    """The task of a row that begins with its id."""
    (
        id, account, enrollment_id, position, key, actor_id, resource_type, resource_id, content, due_at, created_at,
        status, closed_at,
    ) = row  # fmt: skip
    return BoardTask(
        id=id,
        account=decode_id(account),
        enrollment_id=enrollment_id,
        position=position,
        key=key,
        actor_id=decode_id(actor_id),
        resource_type=resource_type,
        resource_id=decode_id(resource_id),
        task_content=content,
        due_at=instant_of(due_at),
        created_at=instant_of(created_at),
        status=status,
        closed_at=_optional_instant(closed_at),
    )
