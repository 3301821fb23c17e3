"""The documents that are answered, as JSON Schemas with examples: components of the OpenAPI document.

They are as strict as the shapes are: no key beside those that are listed, and every listed one that is not said to be
absent at times is there.
"""

from __future__ import annotations

from typing import Any

from sequencer.core.delays import Weekdays
from sequencer.core.document import to_document
from sequencer.core.enrollment import FAILURE_REASONS
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.http.envelope import CODES, status_line

__all__ = ["EXAMPLES", "SHAPES", "error_example"]

_INSTANT = {"type": "string", "format": "date-time", "examples": ["2026-03-02T09:00:00Z"]}
_COUNT = {"type": "integer", "minimum": 0}
_ID = {"type": "integer", "minimum": 1}
_IDENTIFIER = {"type": ["integer", "string"]}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: dict[str, Any], *, absent: tuple[str, ...] = (), says: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in absent],
        "additionalProperties": False,
    }
    return {"description": says, **found} if says else found


def _said(schema: dict[str, Any], says: str) -> dict[str, Any]:
    return {**schema, "description": says}


def _wrapped(kind: str, data: dict[str, Any], says: str = "") -> dict[str, Any]:
    return _object({"data": data, "meta": _object({"type": {"const": kind}})}, says=says)


_LINKS = _object(
    {name: {"type": "string", "format": "uri"} for name in ("self", "first_page", "prev_page", "next_page")},
    absent=("prev_page", "next_page"),
    says="Absolute URLs; those that do not apply are left out. Follow `next_page` until it is missing.",
)


def _collection(item: str, *, paged: bool = False, says: str = "") -> dict[str, Any]:
    meta = {"type": {"const": "collection"}, "count": _said(_COUNT, "How many items are here.")}
    return _object(
        {
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}},
            "meta": _object({**meta, "links": _LINKS} if paged else meta),
        },
        says=says,
    )


_DELAYED = {
    "position": _said(_COUNT, "From 0."),
    "delay_from_previous_step": {"type": "number", "minimum": 0},
    "delay_from_previous_step_unit": {"enum": ["hours", "weekdays"]},
    "action_type": {"enum": ["automated_email", "task"]},
    "action_properties": {
        "anyOf": [
            _object({"email_template_id": _IDENTIFIER, "is_reply": {"type": "boolean"}}),
            _object({"task_content": {"type": "string"}}),
        ]
    },
}
_STATUSES = ["pending", "in_progress", "completed", "failed", "skipped", "cancelled"]

SHAPES: dict[str, dict[str, Any]] = {
    "Step": _wrapped("step", _object({"id": _said(_ID, "New with every version (ours)."), **_DELAYED})),
    "Sequence": _wrapped(
        "sequence",
        _object(
            {
                "id": _ID,
                "creator_id": _or_null(_IDENTIFIER),
                "name": {"type": "string"},
                "steps_total": _COUNT,
                "steps": _collection("Step"),
                "unsubscribe_settings": _object({"enabled": {"type": "boolean"}, "locale": {"type": "string"}}),
                "created_at": _INSTANT,
                "updated_at": _INSTANT,
            }
        ),
        "A sequence as its current version has it.",
    ),
    "SequenceDefinition": _wrapped(
        "sequence", {"$ref": "#/components/schemas/Definition"}, "All of a sequence, as a definition file has it."
    ),
    "Sequences": _collection("Sequence", paged=True, says="A page of sequences."),
    "EnrollmentStep": _wrapped(
        "enrollment_step",
        _object(
            {
                **_DELAYED,
                "overdue": _said({"type": "boolean"}, "Whether it should have been over by now."),
                "action": _wrapped(
                    "action",
                    _object(
                        {
                            "status": _said({"enum": _STATUSES}, "Where it stands."),
                            "executed_at": _or_null(_INSTANT),
                            "estimated_execute_at": _or_null(_INSTANT),
                            "failure_reason": _or_null({"enum": list(FAILURE_REASONS)}),
                            "task_content": _said({"type": "string"}, "Of a task."),
                            "task_id": _said(_IDENTIFIER, "Of a task that has been created."),
                        },
                        absent=("task_content", "task_id"),
                    ),
                ),
            }
        ),
    ),
    "SequenceEnrollment": _wrapped(
        "sequence_enrollment",
        _object(
            {
                "id": _ID,
                "actor_id": _or_null(_IDENTIFIER),
                "resource_type": {"type": "string"},
                "resource_id": _IDENTIFIER,
                "created_at": _INSTANT,
                "updated_at": _INSTANT,
                "state": {"enum": ["active", "blocked", "finished"]},
                "current_step_position": _said(_COUNT, "Of the next step that is not over; the last one past the end."),
                "finished_at": _or_null(_INSTANT),
                "finished_reason": _or_null({"type": "string"}),
                "finished_actor_id": _or_null(_IDENTIFIER),
                "blocked_reason": _said(_or_null({"type": "string"}), "Why it is blocked, where it is (ours)."),
                "blocked_until": _said(_or_null(_INSTANT), "When it goes on by itself, where it does (ours)."),
                "sequence": _wrapped(
                    "sequence",
                    _object(
                        {
                            "id": _ID,
                            "name": {"type": "string"},
                            "steps_total": _COUNT,
                            "creator_id": _or_null(_IDENTIFIER),
                            "created_at": _INSTANT,
                            "updated_at": _INSTANT,
                        }
                    ),
                ),
                "enrollment_steps": _collection("EnrollmentStep"),
            }
        ),
        "One resource's run through a snapshot of a sequence.",
    ),
    "SequenceEnrollments": _collection("SequenceEnrollment", paged=True, says="A page of enrollments."),
    "FinishedEnrollments": _object(
        {
            "data": _object(
                {"enrollment_action": {"const": "finish"}, "updated_enrollments": _collection("SequenceEnrollment")}
            )
        },
        says="Those that were ended.",
    ),
    "Errors": _object(
        {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {
                        "error": _object(
                            {
                                "code": {"enum": sorted({code for codes in CODES.values() for code in codes})},
                                "message": _said({"type": "string"}, "For people."),
                                "details": _said({"type": "string"}, "For developers."),
                                "resource": _said({"type": "string"}, "Of a resource error: what it is about."),
                                "field": _said(
                                    {"type": "string"}, "Of a resource error: a JSON pointer into what was sent."
                                ),
                            },
                            absent=("resource", "field"),
                        ),
                        "meta": _object(
                            {"type": {"const": "error"}, "links": _object({"more_info": {"type": "string"}})}
                        ),
                    }
                ),
            },
            "meta": _object(
                {
                    "type": {"const": "errors"},
                    "http_status": {"type": "string"},
                    "logref": _said({"type": "string"}, "Equals the header `X-Request-Id`."),
                    "links": _object({"more_info": {"type": "string"}}),
                }
            ),
        },
        says="The envelope of every error.",
    ),
}

_STEP_0: dict[str, Any] = {
    "position": 0,
    "delay_from_previous_step": 0,
    "delay_from_previous_step_unit": "weekdays",
    "action_type": "automated_email",
    "action_properties": {"email_template_id": 398744, "is_reply": False},
}
_STEP_1: dict[str, Any] = {
    "position": 1,
    "delay_from_previous_step": 2,
    "delay_from_previous_step_unit": "weekdays",
    "action_type": "task",
    "action_properties": {"task_content": "Call the lead"},
}
_AT = "2026-03-02T09:00:00Z"
_OF_A_SEQUENCE = {"creator_id": 1700155, "name": "My sequence", "steps_total": 2, "created_at": _AT, "updated_at": _AT}
_ENROLLMENT = {
    "data": {
        "id": 92593,
        "actor_id": 1700155,
        "resource_type": "lead",
        "resource_id": 1988695232,
        "created_at": _AT,
        "updated_at": "2026-03-02T09:00:01Z",
        "state": "active",
        "current_step_position": 1,
        "finished_at": None,
        "finished_reason": None,
        "finished_actor_id": None,
        "blocked_reason": None,
        "blocked_until": None,
        "sequence": {"data": {"id": 21124, **_OF_A_SEQUENCE}, "meta": {"type": "sequence"}},
        "enrollment_steps": {
            "items": [
                {
                    "data": {
                        **_STEP_0,
                        "overdue": False,
                        "action": {
                            "data": {
                                "status": "completed",
                                "executed_at": "2026-03-02T09:00:01Z",
                                "estimated_execute_at": _AT,
                                "failure_reason": None,
                            },
                            "meta": {"type": "action"},
                        },
                    },
                    "meta": {"type": "enrollment_step"},
                },
                {
                    "data": {
                        **_STEP_1,
                        "overdue": False,
                        "action": {
                            "data": {
                                "status": "pending",
                                "executed_at": None,
                                "estimated_execute_at": "2026-03-04T09:00:01Z",
                                "failure_reason": None,
                                "task_content": "Call the lead",
                            },
                            "meta": {"type": "action"},
                        },
                    },
                    "meta": {"type": "enrollment_step"},
                },
            ],
            "meta": {"type": "collection", "count": 2},
        },
    },
    "meta": {"type": "sequence_enrollment"},
}
_SEQUENCE = {
    "data": {
        "id": 21124,
        **_OF_A_SEQUENCE,
        "steps": {
            "items": [
                {"data": {"id": 5408000 + position, **step}, "meta": {"type": "step"}}
                for position, step in enumerate((_STEP_0, _STEP_1))
            ],
            "meta": {"type": "collection", "count": 2},
        },
        "unsubscribe_settings": {"enabled": True, "locale": "en-US"},
    },
    "meta": {"type": "sequence"},
}

_DEFINITION = Sequence(
    "My sequence",
    [Step(AutomatedEmail(398744), Weekdays(0)), Step(Task("Call the lead"), Weekdays(2), key="call")],
    templates={398744: Template("Hello {{ first_name }}", "...")},
)


def _page(item: dict[str, Any], path: str) -> dict[str, Any]:
    def link(page: int) -> str:
        return f"http://127.0.0.1:8000/v2/{path}?page={page}&per_page=1"

    links = {"self": link(1), "first_page": link(1), "next_page": link(2)}
    return {"items": [item], "meta": {"type": "collection", "count": 1, "links": links}}


EXAMPLES: dict[str, Any] = {
    "Sequence": _SEQUENCE,
    "SequenceDefinition": {"data": to_document(_DEFINITION), "meta": {"type": "sequence"}},
    "Sequences": _page(_SEQUENCE, "sequences"),
    "SequenceEnrollment": _ENROLLMENT,
    "SequenceEnrollments": _page(_ENROLLMENT, "sequence_enrollments"),
    "FinishedEnrollments": {
        "data": {
            "enrollment_action": "finish",
            "updated_enrollments": {"items": [_ENROLLMENT], "meta": {"type": "collection", "count": 1}},
        }
    },
}


def error_example(status: int, code: str, message: str) -> dict[str, Any]:
    """An envelope with that error."""
    error: dict[str, Any] = {"code": code, "message": message, "details": message}
    if status == 422 and code != "incorrect_payload":
        error |= {"resource": "sequence_enrollment", "field": "/data/resource_id"}
    links = {"more_info": f"http://127.0.0.1:8000/openapi.json#/components/responses/Error{status}"}
    return {
        "errors": [{"error": error, "meta": {"type": "error", "links": links}}],
        "meta": {
            "type": "errors",
            "http_status": status_line(status),
            "logref": "0123456789abcdef0123456789abcdef",
            "links": links,
        },
    }
