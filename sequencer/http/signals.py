"""The operation by which a host reports what happened: to a person, or to the task of a step (ours)."""

from __future__ import annotations

from typing import Any

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import KeyReused
from sequencer.core.signals import OUTSIDE, TaskCompleted
from sequencer.http.enrollments import PATH, RESOURCE, TAG, answered_with
from sequencer.http.envelope import Refusal, WireError
from sequencer.http.kinds import (
    IDENTIFIER,
    INSTANT,
    LINE,
    RETURN,
    Member,
    line,
    one_of,
    optional,
    read_members,
    spelled,
)
from sequencer.http.operations import Answer, Body, Call, Operation, object_schema

__all__ = ["OPERATIONS"]

_KEY = Member(
    "key", optional(LINE), "By which the report counts once; default: the header `Idempotency-Key`.", "mail-7"
)
_AT = Member("at", optional(INSTANT), "When it happened; default: now.", "2026-03-02T09:00:00Z")
_MESSAGE_ID = Member(
    "message_id", optional(line(998)), "The Message-ID of the mail that it is about, where that is known.", "<m@x>"
)
_KINDS = tuple(kind for kind in OUTSIDE if kind != "out_of_office")
_OF_ANY = (
    Member("type", one_of(*_KINDS), "What happened.", "replied", needed=True),
    _KEY,
    _AT,
    _MESSAGE_ID,
)
_OF_AN_ABSENCE = (
    Member("type", one_of("out_of_office"), "The person is away.", "out_of_office", needed=True),
    _KEY,
    _AT,
    _MESSAGE_ID,
    Member(
        "until",
        optional(RETURN),
        "When the person is back: an instant, or a local date. Default: not known.",
        "2026-03-09",
    ),
)
_OF_A_TASK = (
    Member("type", one_of("task_completed"), "Somebody did a task.", "task_completed", needed=True),
    _KEY,
    _AT,
    Member("task_id", optional(IDENTIFIER), "Which task; default: that of the current step.", 42),
)
_MEMBERS = {"out_of_office": _OF_AN_ABSENCE, "task_completed": _OF_A_TASK}
_TYPES = one_of(*OUTSIDE, "task_completed")


def _read(body: dict[str, Any], timezone: str) -> dict[str, Any]:
    data = body["data"]
    given = data.get("type")
    if isinstance(given, str) and given not in _TYPES.schema["enum"]:
        # What else is wrong with it depends on what it is.
        raise Refusal(422, [WireError("incorrect_value", _NO_SUCH_TYPE, RESOURCE, "/data/type")])
    members = _MEMBERS.get(given, _OF_ANY) if isinstance(given, str) else _OF_ANY
    found, errors = read_members(members, data, RESOURCE)
    if errors:
        raise Refusal(422, errors)
    return found


_NO_SUCH_TYPE = f"needs one of {', '.join(_TYPES.schema['enum'])}"


def _signal(call: Call) -> Answer:
    data = dict(call.body)
    enrollment = call.engine.get(call.id)  # who is not there is not found; to the engine it would be noted
    key = data.pop("key", None) or call.key
    if key is None:
        message = "a report needs a key of its own, so that it counts once: here, or as Idempotency-Key"
        raise Refusal(422, [WireError("missing", message, RESOURCE, "/data/key")])
    type = data.pop("type")
    if type == "task_completed":
        _complete(call, enrollment, key, data.get("task_id"), data.get("at"))
    else:
        call.engine.handle(OUTSIDE[type](key=key, enrollment_id=call.id, **data))
    return answered_with(call, call.engine.get(call.id))


def _complete(call: Call, enrollment: Enrollment, key: str, named: Any, at: Any) -> None:
    """Report that a task of this enrollment is done: the one that is named, or that of the current step.

    Where none is named, the same report again means the task that it meant at first, and not that of the next step.
    """
    tasks = [step.task_id for step in enrollment.steps if step.task_id is not None]
    if named is not None:
        tasks = [each for each in tasks if (spelled(each) if isinstance(each, str) else each) == named]
        if not tasks:
            raise _no_task("is no task of this enrollment")
        call.engine.handle(TaskCompleted(key=key, task_id=tasks[-1], at=at))
        return
    current = enrollment.current
    # Looked at after the enrollment was: who is repeated at the same time finds the same task, or the key.
    with call.engine.store.transaction(write=False) as transaction:
        repeated = transaction.report(call.grant.account, key) is not None
    if not repeated:
        if current is None or current.task_id is None:
            raise _no_task("the current step has no task that is on a board")
        call.engine.handle(TaskCompleted(key=key, task_id=current.task_id, at=at))
        return
    for task_id in reversed(tasks):
        try:
            call.engine.handle(TaskCompleted(key=key, task_id=task_id, at=at))
        except KeyReused:
            continue
        return
    raise KeyReused(f"the key {key!r} was used for a report with other content")


def _no_task(message: str) -> Refusal:
    return Refusal(422, [WireError("incorrect_value", message, RESOURCE, "/data/task_id")])


OPERATIONS = (
    Operation(
        name="signalSequenceEnrollment",
        method="POST",
        path=f"{PATH}/{{id}}/signals",
        summary="Report what happened outside (ours)",
        description="A reply, a bounce, an opt-out, a meeting and the like. What it does is the policy of the "
        "sequence, and it concerns every ongoing enrollment of the same person. Or `task_completed`: the task of the "
        "current step, or the one that is named, is done, and the sequence goes on. A report counts once: it needs a "
        "`key`, or the header `Idempotency-Key`. Answers with the enrollment as it is after it.",
        act=_signal,
        resource=RESOURCE,
        writes=True,
        in_parts=True,
        answer="SequenceEnrollment",
        body=Body(
            RESOURCE,
            _read,
            {"anyOf": [object_schema(each) for each in (_OF_ANY, _OF_AN_ABSENCE, _OF_A_TASK)]},
            {
                "a reply": {"data": {"type": "replied", "key": "inbox-4711"}},
                "an absence": {"data": {"type": "out_of_office", "key": "inbox-4712", "until": "2026-03-09"}},
                "a call is done": {"data": {"type": "task_completed", "key": "call-4713"}},
            },
        ),
        tag=TAG,
    ),
)
