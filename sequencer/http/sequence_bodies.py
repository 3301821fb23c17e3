"""Bodies that are sequences: in the service's shape, or as a definition file has them; and their schemas.

The service's shape says less than a sequence has: no calendar but its zone, no policy but for opting out, of a step
neither its key nor when a task is overdue. What it cannot say is kept where a sequence is replaced, so that whoever
reads a sequence in this shape, changes something and writes it back changes that and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from sequencer.core.delays import MOST_HOURS, MOST_WEEKDAYS
from sequencer.core.document import from_document
from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.problems import MISSING, child, nearest, shown
from sequencer.core.sequence import MOST_STEPS, Sequence, Step, Task
from sequencer.core.values import Identifier
from sequencer.definitions import schema
from sequencer.definitions.countries import holidays_of
from sequencer.definitions.sell import from_sell
from sequencer.http.envelope import Refusal, WireError
from sequencer.http.errors import problem_error
from sequencer.http.kinds import IDENTIFIER, LINE, TEXT_SCHEMA, ZONE, Unfit, line, optional
from sequencer.http.operations import Body
from sequencer.http.wire import properties_of

__all__ = ["BODY", "RESOURCE", "SELL_SCHEMA", "Given", "definition_schema"]

RESOURCE = "sequence"

_OF_A_DEFINITION = ("format", "calendar", "policy", "metadata", "templates", "assume", "expect", "silence")


@attrs.frozen
class Given:
    """A sequence from a body, and who made it, if it says so. `sell` is what was sent in the service's shape."""

    sequence: Sequence
    creator_id: Identifier | None = None
    sell: Mapping[str, Any] | None = None

    def instead_of(self, stored: Sequence) -> Sequence:
        """The sequence that shall be there where this one is now: with what of it the shape sent cannot say."""
        if self.sell is None:
            return self.sequence
        given, calendar, unsubscribe = self.sequence, stored.calendar, stored.policy.unsubscribe
        if self.sell.get("timezone") is not None:
            calendar = calendar.in_zone(given.calendar.timezone)
        said = {name: getattr(given.policy.unsubscribe, name) for name in self.sell.get("unsubscribe_settings") or ()}
        sent = [each["data"] for each in self.sell["steps"]["items"]]
        sent = [each for _, each in sorted(enumerate(sent), key=lambda pair: pair[1].get("position", pair[0]))]
        steps = [
            _with_the_rest(step, stored.steps[i], sent[i]["action_properties"]) if i < len(stored.steps) else step
            for i, step in enumerate(given.steps)
        ]
        return Sequence(
            given.name,
            steps,
            calendar=calendar,
            key=stored.key,
            policy=attrs.evolve(stored.policy, unsubscribe=attrs.evolve(unsubscribe, **said)),
            metadata=stored.metadata,
            templates=stored.templates,
        )


def _with_the_rest(step: Step, stored: Step, sent: Mapping[str, Any]) -> Step:
    """The stored step where the shape shows both alike, but for what was said of it all the same; else the new one."""
    if (step.action.action_type, step.after, properties_of(step)) != (
        stored.action.action_type,
        stored.after,
        properties_of(stored),
    ):
        return step
    action = stored.action
    if isinstance(action, Task):
        said = {name: getattr(step.action, name) for name in ("due_after", "skip_after") if name in sent}
        action = attrs.evolve(action, **said)
    return attrs.evolve(stored, action=action)


# -- reading ---------------------------------------------------------------------------------------------------


def _read(body: dict[str, Any], timezone: str) -> Given:
    data = body["data"]
    sell = _is_sell(data)
    try:
        if sell:
            return _from_sell(data, timezone)
        return Given(from_document(data, timezone=timezone, holidays_of=holidays_of))
    except DefinitionError as error:
        within = "" if sell else "/data"
        raise Refusal(422, [_error(problem, body, within) for problem in error.problems]) from None


def _is_sell(data: Mapping[str, Any]) -> bool:
    """Which shape is meant: the steps tell, and where they do not, what only a definition file has."""
    steps = data.get("steps")
    if isinstance(steps, (Mapping, list)):
        return isinstance(steps, Mapping)
    return not any(key in data for key in _OF_A_DEFINITION)


def _error(problem: Problem, body: dict[str, Any], within: str) -> WireError:
    """A problem in the words of JSON: null is `blank`, and values are called what they are called there."""
    error = problem_error(problem, RESOURCE, within)
    value = _at(body, error.field or "")
    if value is None and error.code != "unknown":
        problem = attrs.evolve(problem, code="blank", message="must not be null")
    elif value is not MISSING:
        message = problem.message.replace(f"got {value!r}", f"got {shown(value)}")
        problem = attrs.evolve(problem, message=message)
    error = problem_error(problem, RESOURCE, within)
    return error if error.field else attrs.evolve(error, field="/data")


def _at(body: Any, pointer: str) -> Any:
    """What a pointer leads to, or MISSING."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(body, dict) and name in body:
            body = body[name]
        elif isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
        else:
            return MISSING
    return body


def _from_sell(data: dict[str, Any], timezone: str) -> Given:
    """A sequence in the service's shape, which has a zone and a key only here."""
    rest = {key: each for key, each in data.items() if key in _KNOWN}
    own: dict[str, Any] = {}
    problems = [Problem("unknown_key", _unknown(key), child("data", key)) for key in data if key not in _KNOWN]
    for name, kind in (("name", LINE), ("timezone", ZONE), ("key", LINE), ("creator_id", IDENTIFIER)):
        if name in rest:
            value = rest.pop(name) if name in {"timezone", "key"} else rest[name]
            if value is not None or name == "name":
                try:
                    own[name] = kind.read(value)
                except Unfit as error:
                    problems.append(Problem(error.code, error.message, f"data.{name}"))
    try:
        (sequence,) = from_sell({"data": rest}, timezone=own.get("timezone", timezone))
    except DefinitionError as error:
        said = {each.path for each in problems}
        problems += [each for each in error.problems if each.path not in said]
    if problems:
        raise DefinitionError(problems)
    if "key" in own:
        sequence = attrs.evolve(sequence, key=own["key"])
    return Given(sequence, own.get("creator_id"), data)


def _unknown(key: str) -> str:
    if key in _OF_A_DEFINITION:
        return "is a key of definition files only, in which `steps` is a list"
    return f"is not a key here; {nearest(key, _KNOWN)}"


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
_KNOWN = tuple(SELL_SCHEMA["properties"])
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
BODY = Body(RESOURCE, _read, _SCHEMA, _EXAMPLES)
"""What writes take: `read` answers with `Given`."""
