"""A sequence as a document and back: plain data in the shape of the definition files, format 1.

Files, stores and the HTTP API all read a definition through `from_document`, so there is one set of rules and one
wording. It reads everything before it answers: the `DefinitionError` that it raises names every problem by its path.
Text, files and positions are none of its business, and neither is a country's list of holidays: whoever reads a file
hands in how that is found, and what is written back has the dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sequencer.core.calendar_document import HolidaysOf, calendar_document, read_calendar
from sequencer.core.errors import DefinitionError
from sequencer.core.expectations import read_assumptions, read_expectations
from sequencer.core.policy_document import policy_document, read_policy
from sequencer.core.problems import MISSING, EnoughProblems, Problems, item, shown
from sequencer.core.sequence import Sequence, Step, Task
from sequencer.core.silence import read_silence
from sequencer.core.step_document import STAND_IN, plain, read_step, read_templates, step_document, templates_document
from sequencer.core.values import to_line, to_metadata

__all__ = ["FORMAT", "HolidaysOf", "from_document", "to_document"]

FORMAT = 1

_KEYS = (
    "format", "name", "key", "timezone", "calendar", "policy", "metadata", "steps", "templates", "assume", "expect",
    "silence",
)  # fmt: skip

_OF_A_SILENCE = ("finding", "step", "because")


def from_document(document: object, *, timezone: str = "UTC", holidays_of: HolidaysOf | None = None) -> Sequence:
    """The sequence that a document describes.

    `timezone` is the zone of a document that names none. `holidays_of` finds the holidays of a country that the
    document names; without it, naming one is a problem. Raises `DefinitionError` with all problems at once, each with
    the path of its place.
    """
    problems = Problems()
    sequence: Sequence = MISSING
    try:
        if problems.plain(document):
            sequence = _read_sequence(problems, document, timezone, holidays_of)
    except EnoughProblems:
        pass
    if problems.found:
        raise DefinitionError(problems.found)
    return sequence


def _read_sequence(problems: Problems, document: object, timezone: str, holidays_of: HolidaysOf | None) -> Sequence:
    given = problems.mapping(document, "", _KEYS, required=("name", "steps"))
    if given is MISSING:
        raise EnoughProblems
    if "format" in given and (given["format"] != FORMAT or type(given["format"]) is not int):
        message = f"is {shown(given['format'])}; this release reads format {FORMAT}"
        problems.add("unsupported_format", message, "format")
    valid: dict[str, Any] = {}

    def settle(key: str, read: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        if key in given:
            valid[key] = problems.attempt(key, read, given[key], *arguments, **keywords)

    settle("name", to_line, "name")
    settle("key", to_line, "key")
    settle("metadata", _metadata)
    valid["calendar"] = read_calendar(problems, given, timezone, holidays_of)
    if "policy" in given:
        valid["policy"] = read_policy(problems, given["policy"], "policy")
    if "assume" in given:
        valid["assume"] = read_assumptions(problems, given["assume"], "assume")
    if "expect" in given:
        valid["expect"] = read_expectations(problems, given["expect"], "expect")
    if "silence" in given:
        valid["silence"] = read_silence(problems, given["silence"], "silence")
    steps = problems.listing(given["steps"], "steps") if "steps" in given else MISSING
    if steps is not MISSING:
        valid["steps"] = [read_step(problems, each, item("steps", i)) for i, each in enumerate(steps)]
    if "templates" in given:
        valid["templates"] = read_templates(problems, given["templates"], "templates", valid.get("steps") or ())
    # Built also after problems, with what is valid, for those problems that only the whole has.
    whole = {
        "name": "stands in",
        "steps": [STAND_IN],
        **{key: each for key, each in valid.items() if each is not MISSING},
    }
    if problems.found:
        whole = {key: whole[key] for key in ("name", "steps")}
    sequence: Sequence = problems.attempt("", lambda: Sequence(**whole))
    return sequence


def _metadata(value: Any) -> Mapping[str, Any]:
    return to_metadata(value)


def to_document(sequence: Sequence, *, defaults: bool = True) -> dict[str, Any]:
    """The document of a sequence: `from_document(to_document(sequence)) == sequence`.

    Plain JSON data that is the same for equal sequences. It says everything, also what is so by default, and so means
    the same to a release with other defaults; with `defaults=False` it leaves that out, for people to read.
    """
    document: dict[str, Any] = {
        "format": FORMAT,
        "name": sequence.name,
        "key": sequence.key,
        "timezone": sequence.calendar.timezone,
        "calendar": calendar_document(sequence.calendar),
        "policy": policy_document(sequence.policy),
        "metadata": plain(sequence.metadata),
        "steps": [step_document(step) for step in sequence.steps],
        "templates": templates_document(sequence),
        "assume": plain(sequence.assume),
        "expect": plain(sequence.expect),
        "silence": [{key: each[key] for key in _OF_A_SILENCE if key in each} for each in sequence.silence],
    }
    return document if defaults else _brief(document)


_PLAIN = Sequence("plain", (Step(Task("plain")),))


def _brief(document: dict[str, Any]) -> dict[str, Any]:
    usual = to_document(_PLAIN)
    del usual["timezone"]
    usual |= {"format": None, "steps": None, "key": document["name"]}
    usual["calendar"]["send_days"] = document["calendar"]["working_days"]
    brief: dict[str, Any] = _less(document, usual)
    brief["steps"] = [_brief_step(step) for step in document["steps"]]
    return brief


def _brief_step(step: dict[str, Any]) -> dict[str, Any]:
    properties = dict(step["action_properties"])
    if properties.get("due_after") == {"weekdays": 1}:
        del properties["due_after"]
    return step | {"action_properties": properties}


def _less(value: dict[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What a mapping says that is not usual, and of the mappings in it likewise."""
    kept = {}
    for key, each in value.items():
        if key in usual and each == usual[key]:
            continue
        whole = not isinstance(each, dict) or not isinstance(usual.get(key), dict) or key in _WHOLE
        kept[key] = each if whole else _less(each, usual[key])
    return kept


# What says something as a whole only: a duration without its unit, or a reaction without its duration, is another one.
_WHOLE = {"out_of_office", "first", "reenroll_after", "metadata", "assume", "templates"}
