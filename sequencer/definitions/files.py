"""From a file, or its text, to sequences: bytes, text, plain data with places, sequence. Nothing is guessed."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import Any

from sequencer.core.document import from_document
from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.sequence import Sequence
from sequencer.definitions.countries import holidays_of
from sequencer.definitions.sell import from_sell, is_sell
from sequencer.definitions.texts import Format, built, opened

__all__ = ["load", "load_all", "loads", "loads_all", "schema"]

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
