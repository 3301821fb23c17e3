"""The steps and templates of a sequence as documents and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sequencer.core.delays import Delay, Hours, Weekdays
from sequencer.core.durations import delay_document, read_delay
from sequencer.core.merge import problems_of
from sequencer.core.problems import MISSING, Problems, child, item, shown
from sequencer.core.sequence import (
    AutomatedEmail,
    Sequence,
    Step,
    Task,
    Template,
    to_body,
    to_content,
    to_subject,
)
from sequencer.core.values import respelled, to_identifier, to_line, to_metadata

__all__ = ["STAND_IN", "plain", "read_step", "read_templates", "step_document", "templates_document"]

_STEP_KEYS = (
    "key", "action_type", "delay_from_previous_step", "delay_from_previous_step_unit", "action_properties", "metadata",
)  # fmt: skip
_PROPERTIES = {
    "automated_email": ("email_template_id", "is_reply"),
    "task": ("task_content", "due_after", "skip_after"),
}
_NEEDED = {"automated_email": ("email_template_id",), "task": ("task_content",)}
_UNITS: dict[str, Callable[[Any], Delay]] = {"hours": Hours, "weekdays": Weekdays}

STAND_IN = Step(Task("stands in for a step that is not valid"))


def read_step(problems: Problems, value: object, path: str) -> Step:
    """The step that a document describes; `STAND_IN`, or a step with its key alone, if it is not valid."""
    needed = ("action_type", "delay_from_previous_step", "delay_from_previous_step_unit", "action_properties")
    given = problems.mapping(value, path, _STEP_KEYS, required=needed)
    if given is MISSING:
        return STAND_IN
    before = len(problems.found)
    valid: dict[str, Any] = {}
    if "key" in given:
        valid["key"] = problems.attempt(child(path, "key"), to_line, given["key"], "key", longest=64)
    if "metadata" in given:
        valid["metadata"] = problems.attempt(child(path, "metadata"), to_metadata, given["metadata"])
    valid["after"] = _read_delay_of_step(problems, given, path)
    kind = MISSING
    if "action_type" in given:
        kind = problems.among(given["action_type"], child(path, "action_type"), tuple(_PROPERTIES))
    if "action_properties" in given:
        valid["action"] = _read_action(problems, kind, given["action_properties"], child(path, "action_properties"))
    if len(problems.found) > before or any(valid.get(key, MISSING) is MISSING for key in ("after", "action")):
        # The key is kept: that another step has it, too, is worth saying at the same time.
        return Step(STAND_IN.action, key=valid["key"]) if valid.get("key", MISSING) is not MISSING else STAND_IN
    return Step(**valid)


def _read_delay_of_step(problems: Problems, given: Mapping[str, Any], path: str) -> Delay:
    delay: Delay = MISSING
    n = given.get("delay_from_previous_step", MISSING)
    place = child(path, "delay_from_previous_step")
    unit = MISSING
    if "delay_from_previous_step_unit" in given:
        there = child(path, "delay_from_previous_step_unit")
        unit = problems.among(given["delay_from_previous_step_unit"], there, tuple(_UNITS))
    if n is MISSING:
        return delay
    if isinstance(n, bool) or not isinstance(n, (int, float)):
        problems.add("invalid_delay", f"needs a number without quotes, got {shown(n)}", place)
        return delay
    # Without a sound unit, what no unit allows can still be said.
    return problems.attempt(place, _UNITS.get(unit, Hours) if isinstance(unit, str) else Hours, n)


def _read_action(problems: Problems, kind: Any, value: object, path: str) -> Any:
    known = _PROPERTIES[kind] if kind is not MISSING else tuple(key for keys in _PROPERTIES.values() for key in keys)
    given = problems.mapping(value, path, known, required=() if kind is MISSING else _NEEDED[kind])
    if given is MISSING:
        return MISSING
    valid: dict[str, Any] = {}
    for key, each in given.items():
        place = child(path, key)
        if key in ("due_after", "skip_after"):
            valid[key] = read_delay(problems, each, place)
        elif key == "email_template_id":
            valid["template_id"] = problems.attempt(place, to_identifier, each, key)
        elif key == "task_content":
            valid[key] = _read_text(problems, to_content, each, place)
        else:
            valid[key] = problems.attempt(place, lambda e=each: AutomatedEmail(1, is_reply=e).is_reply)
    if (
        kind is MISSING
        or any(each is MISSING for each in valid.values())
        or any(key not in given for key in _NEEDED[kind])
    ):
        return MISSING
    return problems.attempt(path, lambda: (AutomatedEmail if kind == "automated_email" else Task)(**valid))


def read_templates(problems: Problems, value: object, path: str, steps: Iterable[Step]) -> dict[Any, Template]:
    """Templates by id: a mapping, or a list of `{id, subject, body}`.

    JSON writes every key of a mapping as text, so a key that spells a whole number stands for the number, unless a
    step uses that very text as its id. Where that would not do, the list says exactly what is meant.
    """
    if isinstance(value, (list, tuple)):
        entries = [(MISSING, each, item(path, i)) for i, each in enumerate(value)]
    else:
        given = problems.mapping(value, path, None)
        used = _texts_used(steps)
        pairs = {} if given is MISSING else given
        entries = [(_template_id(key, used), each, child(path, key)) for key, each in pairs.items()]
    templates: dict[Any, Template] = {}
    for named, each, place in entries:
        listed = named is MISSING
        keys = ("id", "subject", "body") if listed else ("subject", "body")
        given = problems.mapping(each, place, keys, required=keys)
        template = _read_template(problems, given, place)
        identifier = named
        if listed:
            identifier = MISSING if given is MISSING or "id" not in given else given["id"]
        if identifier is not MISSING:
            there = child(place, "id") if listed else place
            identifier = problems.attempt(there, to_identifier, identifier, "templates")
            if identifier is not MISSING and identifier in templates:
                problems.add("duplicate_key", f"{shown(identifier)} has a template already: remove one", there)
        if identifier is not MISSING:
            templates[identifier] = template
    return templates


def _texts_used(steps: Iterable[Step]) -> set[str]:
    ids = [step.action.template_id for step in steps if isinstance(step.action, AutomatedEmail)]
    return {each for each in ids if isinstance(each, str)}


def _template_id(key: int | str, used: set[str]) -> int | str:
    number = respelled(key) if isinstance(key, str) and key not in used else None
    return key if number is None else number


def _read_template(problems: Problems, given: Any, path: str) -> Template:
    template: Template = MISSING
    if given is MISSING:
        return template
    parts = {
        part: _read_text(problems, convert, given[part], child(path, part))
        for part, convert in (("subject", to_subject), ("body", to_body))
        if part in given
    }
    if len(parts) < 2 or any(each is MISSING for each in parts.values()):
        return template
    return Template(**parts)


def _read_text(problems: Problems, convert: Callable[[Any], str], value: object, path: str) -> str:
    """A text that people will get, with every merge field in it that is none noted; `MISSING` if there is one."""
    text = problems.attempt(path, convert, value)
    malformed = () if text is MISSING else problems_of(text)
    for each in malformed:
        problems.add("invalid_merge_field", each.message, path)
    return MISSING if malformed else text


def step_document(step: Step) -> dict[str, Any]:
    """A step as a document, with everything in it that it says, also by default."""
    action = step.action
    if isinstance(action, AutomatedEmail):
        properties: dict[str, Any] = {"email_template_id": action.template_id, "is_reply": action.is_reply}
    else:
        properties = {"task_content": action.task_content, "due_after": delay_document(action.due_after)}
        if action.skip_after is not None:
            properties["skip_after"] = delay_document(action.skip_after)
    document: dict[str, Any] = {} if step.key is None else {"key": step.key}
    document |= {
        "action_type": action.action_type,
        "delay_from_previous_step": step.after.n,
        "delay_from_previous_step_unit": step.after.unit,
        "action_properties": properties,
    }
    if step.metadata:
        document["metadata"] = plain(step.metadata)
    return document


def templates_document(sequence: Sequence) -> Any:
    """The templates as a document: a mapping where its keys, which JSON makes text, come back as the ids they are."""
    ids = sorted(sequence.templates, key=lambda each: (isinstance(each, str), each))
    texts = {each: {"subject": sequence.templates[each].subject, "body": sequence.templates[each].body} for each in ids}
    used = _texts_used(sequence.steps)
    if all(_template_id(str(each), used) == each for each in ids):
        return {str(each): text for each, text in texts.items()}
    return [{"id": each, **text} for each, text in texts.items()]


def plain(value: Any) -> Any:
    """Frozen data as the dicts and lists that it was made of."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value
