"""Sequences as the API of Zendesk Sell answers them: one, or a page of them, turned into documents and read as such.

Sell has no zone, calendar and policy for a sequence, so those are the defaults, in a zone that the caller names. Ids,
creators and times of creation belong to Sell and are left behind; the key is the name, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from sequencer.core.document import from_document
from sequencer.core.errors import DefinitionError
from sequencer.core.problems import MISSING, EnoughProblems, Problems, child, item, shown
from sequencer.core.sequence import Sequence

__all__ = ["from_sell", "is_sell", "located_in_sell"]

_SEQUENCE_KEYS = (
    "name", "steps", "steps_total", "unsubscribe_settings", "id", "creator_id", "created_at", "updated_at",
)  # fmt: skip
_STEP_KEYS = (
    "action_type", "delay_from_previous_step", "delay_from_previous_step_unit", "action_properties", "position", "id",
    "created_at", "updated_at",
)  # fmt: skip
_OF_A_DOCUMENT = _STEP_KEYS[:4]


@attrs.frozen
class _Found:
    """A sequence as a document, and where its parts stand in what Sell answered."""

    document: dict[str, Any]
    path: str
    step_paths: tuple[str, ...]

    def there(self, path: str) -> str:
        """The path of a place in the document, in what Sell answered."""
        if path == "steps":
            return child(child(self.path, "steps"), "items")
        if path.startswith("steps["):
            index, _, rest = path[len("steps[") :].partition("]")
            return self.step_paths[int(index)] + rest
        if path.startswith("policy.unsubscribe"):
            return child(self.path, "unsubscribe_settings") + path[len("policy.unsubscribe") :]
        return f"{self.path}.{path}" if path else self.path


def is_sell(data: object) -> bool:
    """Whether plain data is in the shape of Sell's API rather than in that of a definition file."""
    return isinstance(data, Mapping) and ("data" in data or "items" in data) and "steps" not in data


def from_sell(data: object, *, timezone: str = "UTC") -> tuple[Sequence, ...]:
    """The sequences in one of Sell's answers, `{"data": ..., "meta": ...}` or a collection of those.

    `timezone` is the zone of all of them. Raises `DefinitionError` with all problems, by their paths in the answer.
    """
    return tuple(sequence for sequence, _ in located_in_sell(data, timezone=timezone))


def located_in_sell(data: object, *, timezone: str = "UTC") -> tuple[tuple[Sequence, Callable[[str], str]], ...]:
    """What `from_sell` answers, and for each sequence a way from a path in its document to one in the answer."""
    problems = Problems()
    sequences: list[tuple[Sequence, Callable[[str], str]]] = []
    try:
        if problems.plain(data):
            _read(problems, data, timezone, sequences)
    except EnoughProblems:
        pass
    if problems.found:
        raise DefinitionError(problems.found)
    return tuple(sequences)


def _read(
    problems: Problems, data: object, timezone: str, sequences: list[tuple[Sequence, Callable[[str], str]]]
) -> None:
    if isinstance(data, Mapping) and "items" in data:
        entries = [(each, item("items", i)) for i, each in enumerate(_items(problems, data, ""))]
    else:
        entries = [(data, "")]
    names: dict[str, str] = {}
    for each, path in entries:
        inner = _unwrap(problems, each, path, "sequence")
        found = MISSING if inner is MISSING else _sequence(problems, inner, child(path, "data"))
        if found is MISSING:
            continue
        try:
            sequence = from_document(found.document, timezone=timezone)
        except DefinitionError as error:
            for problem in error.problems:
                problems.add(problem.code, problem.message, found.there(problem.path))
            continue
        first = names.setdefault(sequence.key, found.path)
        if first != found.path:
            message = f"{shown(sequence.name)} is the name of {first}, too, and names tell sequences apart: rename one"
            problems.add("duplicate_name", message, child(found.path, "name"))
        sequences.append((sequence, found.there))


def _unwrap(problems: Problems, value: object, path: str, kind: str) -> Any:
    given = problems.mapping(value, path, ("data", "meta"), required=("data",))
    if given is MISSING:
        return MISSING
    _check_meta(problems, given, path, kind)
    return given.get("data", MISSING)


def _check_meta(problems: Problems, given: Mapping[str, Any], path: str, kind: str) -> None:
    meta = given.get("meta", {})
    # What else Sell says about an answer (links, versions, a log's reference) is about the transport.
    if not isinstance(meta, Mapping) or meta.get("type", kind) != kind:
        place = child(path, "meta")
        place = child(place, "type") if isinstance(meta, Mapping) else place
        problems.add("invalid_value", f"must say that this is a {kind}", place)


def _items(problems: Problems, value: object, path: str) -> list[Any]:
    given = problems.mapping(value, path, ("items", "meta"), required=("items",))
    if given is MISSING or "items" not in given:
        return []
    _check_meta(problems, given, path, "collection")
    items = problems.listing(given["items"], child(path, "items"))
    return [] if items is MISSING else items


def _sequence(problems: Problems, value: object, path: str) -> Any:
    given = problems.mapping(value, path, _SEQUENCE_KEYS, required=("name", "steps"))
    if given is MISSING or "steps" not in given:
        return MISSING
    place = child(path, "steps")
    before = len(problems.found)
    items = _items(problems, given["steps"], place)
    if len(problems.found) > before:
        return MISSING
    total = given.get("steps_total", len(items))
    if total != len(items):
        message = f"is {shown(total)}, but {len(items)} are here: fetch the sequence with all of its steps"
        problems.add("incomplete", message, child(path, "steps_total"))
    steps: list[tuple[Any, Any, str]] = []
    for i, each in enumerate(items):
        wrapped = item(child(place, "items"), i)
        inner = _unwrap(problems, each, wrapped, "step")
        known = MISSING if inner is MISSING else problems.mapping(inner, child(wrapped, "data"), _STEP_KEYS)
        if known is not MISSING:
            step = {key: known[key] for key in _OF_A_DOCUMENT if key in known}
            steps.append((known.get("position", i), step, child(wrapped, "data")))
    steps = _in_order(problems, steps)
    document: dict[str, Any] = {"steps": [step for _, step, _ in steps]}
    if "name" in given:
        document["name"] = given["name"]
    if given.get("unsubscribe_settings") is not None:
        document["policy"] = {"unsubscribe": given["unsubscribe_settings"]}
    return _Found(document, path, tuple(where for _, _, where in steps))


def _in_order(problems: Problems, steps: list[tuple[Any, Any, str]]) -> list[tuple[Any, Any, str]]:
    """The steps by position. That each position is there once is what makes the order certain."""
    seen: set[int] = set()
    for position, _, path in steps:
        if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < len(steps):
            message = f"must be a whole number from 0 to {len(steps) - 1}, got {shown(position)}"
            problems.add("invalid_position", message, child(path, "position"))
        elif position in seen:
            problems.add("invalid_position", f"another step is at position {position}, too", child(path, "position"))
        else:
            seen.add(position)
    return sorted(steps, key=lambda step: step[0]) if len(seen) == len(steps) else steps
