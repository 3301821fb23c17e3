"""From a file, or its text, to sequences: bytes, text, plain data with places, sequence. Nothing is guessed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from sequencer.core.document import from_document
from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.problems import child, item
from sequencer.core.sequence import Sequence
from sequencer.definitions.countries import holidays_of
from sequencer.definitions.sell import from_sell, is_sell, located_in_sell
from sequencer.definitions.texts import Format, built, opened, placed

__all__ = ["Located", "is_definition", "load", "load_all", "load_located", "loads", "loads_all", "schema"]

_NOTHING = "there is nothing in it: a definition has at least a name and steps"


def load(path: str | os.PathLike[str], *, timezone: str = "UTC") -> Sequence:
    """The sequence in a YAML or JSON file, which may also be what Sell's API answered.

    The suffix says which of the two it is; without a known one, what begins with `{` or `[` is JSON. `timezone` is the
    zone of a definition that names none (Sell's never do). Raises `DefinitionError` with every problem at once, with
    its file, line and column; also when the file cannot be read, or holds several sequences (see `load_all`).
    """
    name, content, chosen = opened(path)
    return _only(loads_all(content, format=chosen, file=name, timezone=timezone), name)


def load_all(path: str | os.PathLike[str], *, timezone: str = "UTC") -> tuple[Sequence, ...]:
    """All sequences in a file, in order: one, or those of a collection from Sell's API. Otherwise as `load`."""
    name, content, chosen = opened(path)
    return loads_all(content, format=chosen, file=name, timezone=timezone)


def loads(
    text: str | bytes, *, format: Format | None = None, file: str | None = None, timezone: str = "UTC"
) -> Sequence:
    """The sequence in a text, `file` being what problems call it. Otherwise as `load`."""
    return _only(loads_all(text, format=format, file=file, timezone=timezone), file)


def loads_all(
    text: str | bytes, *, format: Format | None = None, file: str | None = None, timezone: str = "UTC"
) -> tuple[Sequence, ...]:
    """All sequences in a text, `file` being what problems call it. Otherwise as `load_all`."""
    return built(text, partial(_sequences, timezone=timezone), format=format, file=file, nothing=_NOTHING)


@attrs.frozen
class Located:
    """A sequence from a file, and where in the file its parts stand."""

    sequence: Sequence
    file: str
    _place: Callable[[str], tuple[int, int]] = attrs.field(repr=False, eq=False)

    def place(self, path: str) -> tuple[int, int]:
        """The line and the column, from 1, of a path like `steps[2].action_properties`.

        What the file does not say, since it is so by default, stands at what it would be in.
        """
        return self._place(path)


def load_located(path: str | os.PathLike[str], *, timezone: str = "UTC") -> Located:
    """What `load` answers, with a way from the paths of its parts to their lines and columns. Raises as `load`."""
    name, content, chosen = opened(path)
    found, builder = placed(content, partial(_located, timezone=timezone), format=chosen, file=name, nothing=_NOTHING)
    sequence = _only(tuple(each for each, _ in found), name)
    there = found[0][1]
    return Located(sequence, name, lambda path: builder.place(there(path)))


def _located(data: Any, timezone: str) -> tuple[tuple[Sequence, Callable[[str], str]], ...]:
    if is_sell(data):
        return located_in_sell(data, timezone=timezone)
    return ((from_document(data, timezone=timezone, holidays_of=holidays_of), partial(_in_document, data)),)


def _in_document(data: Mapping[str, Any], path: str) -> str:
    """The path of a place in a document that may have its templates as a list, where a sequence has a mapping."""
    templates = data.get("templates")
    for i, each in enumerate(templates if isinstance(templates, list) else ()):
        whole = child("templates", each["id"])
        if path == whole or path.startswith((f"{whole}.", f"{whole}[")):
            return item("templates", i) + path[len(whole) :]
    return path


def is_definition(data: object) -> bool:
    """Whether plain data is meant as a sequence, right or wrong: what has steps, or has come from Sell's API."""
    return isinstance(data, Mapping) and ("steps" in data or is_sell(data))


def _sequences(data: Any, timezone: str) -> tuple[Sequence, ...]:
    if is_sell(data):
        return from_sell(data, timezone=timezone)
    return (from_document(data, timezone=timezone, holidays_of=holidays_of),)


def _only(sequences: tuple[Sequence, ...], file: str | None) -> Sequence:
    if len(sequences) != 1:
        message = f"there are {len(sequences)} sequences in it, and one is wanted: use load_all, or split the file"
        raise DefinitionError([Problem("not_one_sequence", message, "items", file, 1, 1)])
    return sequences[0]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of definition files, for editors.

    It says what a schema can say. The reader is stricter: a file that the schema takes may still be refused.
    """
    from importlib.resources import files  # slow to import, and needed by nothing else here

    found: dict[str, Any] = json.loads(files(__package__).joinpath("schema.json").read_text(encoding="utf-8"))
    return found
