"""The operations on sequences. Reading is the model service's; writing is ours, in its shape or as a file has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from sequencer.core.delays import MOST_HOURS, MOST_WEEKDAYS
from sequencer.core.document import from_document
from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.sequence import MOST_STEPS, Sequence
from sequencer.core.values import Identifier
from sequencer.definitions import schema
from sequencer.definitions.countries import holidays_of
from sequencer.definitions.sell import from_sell
from sequencer.http.envelope import Refusal
from sequencer.http.errors import problem_error
from sequencer.http.kinds import IDENTIFIER, LINE, TEXT_SCHEMA, ZONE, Unfit, line, optional
from sequencer.http.operations import Answer, Body, Call, Operation, answered
from sequencer.http.paging import links_of, path_of
from sequencer.http.queries import IDS, NAME, PAGING, page_of
from sequencer.http.wire import collection, sequence_document

__all__ = ["OPERATIONS", "SELL_SCHEMA", "definition_schema"]

RESOURCE = "sequence"
_PATH = "/v2/sequences"
_TAG = "Sequences"


@attrs.frozen
class _Read:
    """A sequence from a body, and who made it, if it says so."""

    sequence: Sequence
    creator_id: Identifier | None = None


def _read(body: dict[str, Any], timezone: str) -> _Read:
    data = body["data"]
    of_sell = isinstance(data.get("steps"), Mapping) or "unsubscribe_settings" in data
    try:
        if of_sell:
            return _from_sell(data, timezone)
        return _Read(from_document(data, timezone=timezone, holidays_of=holidays_of))
    except DefinitionError as error:
        within = "" if of_sell else "/data"  # what reads their shape takes its envelope, too
        raise Refusal(422, [problem_error(problem, RESOURCE, within) for problem in error.problems]) from None


def _from_sell(data: dict[str, Any], timezone: str) -> _Read:
    """A sequence in the service's shape, which has a zone and a key only here."""
    rest = dict(data)
    own: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, kind in (("timezone", ZONE), ("key", LINE), ("creator_id", IDENTIFIER)):
        if name in rest:
            value = rest.get(name) if name == "creator_id" else rest.pop(name)
            if value is not None:
                try:
                    own[name] = kind.read(value)
                except Unfit as error:
                    problems.append(Problem(error.code, error.message, f"data.{name}"))
    try:
        (sequence,) = from_sell({"data": rest}, timezone=own.get("timezone", timezone))
    except DefinitionError as error:
        problems += error.problems
    if problems:
        raise DefinitionError(problems)
    if "key" in own:
        sequence = attrs.evolve(sequence, key=own["key"])
    return _Read(sequence, own.get("creator_id"))


def _list(call: Call) -> Answer:
    page = page_of(call.query, call.limits)
    found = call.engine.stored_sequences(
        ids=call.query.get("ids"), name=call.query.get("name"), offset=page.offset, limit=page.size + 1
    )
    links = links_of(call.request, page, more=len(found) > page.size)
    return answered(collection(map(sequence_document, found[: page.size]), links))


def _get(call: Call) -> Answer:
    return answered(sequence_document(call.engine.stored_sequence(call.id)))


def _create(call: Call) -> Answer:
    creator_id = call.body.creator_id
    stored = call.engine.create_sequence(
        call.body.sequence,
        creator_id=call.grant.actor_id if creator_id is None else creator_id,
        idempotency_key=call.key,
    )
    return answered(sequence_document(stored), 201, headers={"Location": f"{path_of(call.request)}/{stored.id}"})


def _replace(call: Call) -> Answer:
    return answered(sequence_document(call.engine.replace_sequence(call.id, call.body.sequence)))


def _delete(call: Call) -> Answer:
    call.engine.delete_sequence(call.id, actor_id=call.grant.actor_id)
    return Answer(204)


# -- what is described -----------------------------------------------------------------------------------------


def definition_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of definition files, and those of its parts, as components named `Definition...`."""
    found = _moved({key: each for key, each in schema().items() if key not in {"$schema", "$id"}})
    parts = {f"Definition.{name}": part for name, part in found.pop("$defs").items()}
    return found, parts


def _moved(value: Any) -> Any:
    """The same with its references to parts of it as references to components."""
    if isinstance(value, dict):
        return {
            key: each.replace("#/$defs/", "#/components/schemas/Definition.") if key == "$ref" else _moved(each)
            for key, each in value.items()
        }
    return [_moved(each) for each in value] if isinstance(value, list) else value


_IGNORED = {"description": "Not looked at: there so that what was read can be sent back."}
_HOURS = {"type": "number", "minimum": 0, "maximum": MOST_HOURS, "description": "Hours, with at most four decimals."}
_WEEKDAYS = {"type": "integer", "minimum": 0, "maximum": MOST_WEEKDAYS, "description": "Working days."}
_DELAY = {"$ref": "#/components/schemas/Definition.delay"}
_TEMPLATE_ID = {**IDENTIFIER.schema, "description": "The id of the template, as the host knows it; kept as given."}
_PROPERTIES = {
    "automated_email": (
        {"email_template_id": _TEMPLATE_ID, "is_reply": {"type": "boolean", "default": False}},
        "email_template_id",
    ),
    "task": ({"task_content": TEXT_SCHEMA, "due_after": _DELAY, "skip_after": _DELAY}, "task_content"),
}


def _step_schema(action_type: str, unit: str) -> dict[str, Any]:
    properties, needed = _PROPERTIES[action_type]
    return {
        "type": "object",
        "required": ["action_type", "delay_from_previous_step", "delay_from_previous_step_unit", "action_properties"],
        "additionalProperties": False,
        "properties": {
            "id": _IGNORED,
            "created_at": _IGNORED,
            "updated_at": _IGNORED,
            "position": {
                "type": "integer",
                "minimum": 0,
                "maximum": MOST_STEPS - 1,
                "description": "From 0; each once. Default: its place in the list.",
            },
            "action_type": {"const": action_type},
            "delay_from_previous_step": _HOURS if unit == "hours" else _WEEKDAYS,
            "delay_from_previous_step_unit": {"const": unit},
            "action_properties": {
                "type": "object",
                "properties": properties,
                "required": [needed],
                "additionalProperties": False,
            },
        },
    }


def _meta(kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"type": {"const": kind}}}


SELL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A sequence in the service's shape.",
    "required": ["name", "steps"],
    "additionalProperties": False,
    "properties": {
        "id": _IGNORED,
        "created_at": _IGNORED,
        "updated_at": _IGNORED,
        "creator_id": {**optional(IDENTIFIER).schema, "description": "Who makes it; default: the token's user."},
        "name": {**LINE.schema, "description": "What people call it."},
        "key": {**optional(LINE).schema, "description": "Its identity (ours); default: the name."},
        "timezone": {
            **optional(ZONE).schema,
            "description": "The IANA zone of its calendar (ours), which is Monday to Friday; default: the server's.",
        },
        "steps_total": {"type": "integer", "description": "Where it is given: the number of the steps."},
        "unsubscribe_settings": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"enabled": {"type": "boolean"}, "locale": line(35).schema},
                },
            ],
            "description": "Whether its mails carry a way to opt out, and in which language.",
        },
        "steps": {
            "type": "object",
            "required": ["items"],
            "additionalProperties": False,
            "properties": {
                "meta": _meta("collection"),
                "items": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MOST_STEPS,
                    "items": {
                        "type": "object",
                        "required": ["data"],
                        "additionalProperties": False,
                        "properties": {
                            "meta": _meta("step"),
                            "data": {"anyOf": [_step_schema(a, u) for a in _PROPERTIES for u in ("hours", "weekdays")]},
                        },
                    },
                },
            },
        },
    },
}
_SCHEMA = {
    "anyOf": [{"$ref": "#/components/schemas/SellSequence"}, {"$ref": "#/components/schemas/Definition"}],
}
_EXAMPLES = {
    "in their shape": {
        "data": {
            "name": "Inbound",
            "timezone": "Europe/Warsaw",
            "unsubscribe_settings": {"enabled": True, "locale": "en-US"},
            "steps": {
                "items": [
                    {
                        "data": {
                            "action_type": "automated_email",
                            "delay_from_previous_step": 0,
                            "delay_from_previous_step_unit": "hours",
                            "action_properties": {"email_template_id": 1, "is_reply": False},
                        }
                    },
                    {
                        "data": {
                            "action_type": "task",
                            "delay_from_previous_step": 1,
                            "delay_from_previous_step_unit": "weekdays",
                            "action_properties": {"task_content": "Call {{ first_name }}"},
                        }
                    },
                ]
            },
        }
    },
    "as a definition file": {
        "data": {
            "format": 1,
            "name": "Outbound",
            "timezone": "Europe/Warsaw",
            "calendar": {"send_windows": [{"days": ["mon", "tue"], "opens": "09:00", "closes": "17:00"}]},
            "steps": [
                {
                    "action_type": "automated_email",
                    "delay_from_previous_step": 0,
                    "delay_from_previous_step_unit": "hours",
                    "action_properties": {"email_template_id": 1},
                }
            ],
            "templates": {"1": {"subject": "Hello {{ first_name }}", "body": "..."}},
        }
    },
}
_BODY = Body(RESOURCE, _read, _SCHEMA, _EXAMPLES)
_SHAPES = (
    "In the service's shape, where the zone (`timezone`) and the identity (`key`) of ours may be added, or as a "
    "definition file has it, with calendar, policy and templates. Everything that is wrong is listed, with pointers."
)

OPERATIONS = (
    Operation(
        name="listSequences",
        method="GET",
        path=_PATH,
        summary="Sequences, page by page",
        description="The sequences of the account in the order of their ids, each as its current version has it.",
        act=_list,
        resource=RESOURCE,
        answer="Sequences",
        queries=(*PAGING, IDS, NAME),
        tag=_TAG,
    ),
    Operation(
        name="createSequence",
        method="POST",
        path=_PATH,
        summary="Make a sequence (ours)",
        description=f"{_SHAPES} Refused with `already_exists` where there is one of this key.",
        act=_create,
        resource=RESOURCE,
        writes=True,
        success=201,
        answer="Sequence",
        body=_BODY,
        tag=_TAG,
    ),
    Operation(
        name="getSequence",
        method="GET",
        path=f"{_PATH}/{{id}}",
        summary="One sequence",
        description="The sequence with its steps, as its current version has it.",
        act=_get,
        resource=RESOURCE,
        answer="Sequence",
        tag=_TAG,
    ),
    Operation(
        name="replaceSequence",
        method="PUT",
        path=f"{_PATH}/{{id}}",
        summary="Replace a sequence (ours)",
        description=f"{_SHAPES} What is new about it is a new version of it; whoever is enrolled goes on in the "
        "version that they are in. Its key stays what it is.",
        act=_replace,
        resource=RESOURCE,
        writes=True,
        answer="Sequence",
        body=_BODY,
        tag=_TAG,
    ),
    Operation(
        name="deleteSequence",
        method="DELETE",
        path=f"{_PATH}/{{id}}",
        summary="Delete a sequence (ours)",
        description="At once: it is listed no more, and every ongoing enrollment in it ends as `sequence_deleted`.",
        act=_delete,
        resource=RESOURCE,
        writes=True,
        success=204,
        tag=_TAG,
    ),
)
