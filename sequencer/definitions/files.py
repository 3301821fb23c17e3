"""From a file, or its text, to sequences: bytes, text, plain data with places, sequence. No step guesses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from sequencer.core.document import from_document
from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.problems import EnoughProblems
from sequencer.core.sequence import Sequence
from sequencer.definitions.countries import holidays_of
from sequencer.definitions.json_text import read_json
from sequencer.definitions.sell import from_sell, is_sell
from sequencer.definitions.tree import Builder, Lines
from sequencer.definitions.yaml_text import read_yaml

__all__ = ["MOST_BYTES", "Format", "decoded", "file_bytes", "load", "load_all", "loads", "loads_all", "schema"]

MOST_BYTES = 256 * 1024
"""The longest definition that is read."""

Format = Literal["yaml", "json"]
_FORMATS: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}


def load(path: str | os.PathLike[str], *, timezone: str = "UTC") -> Sequence:
    """The sequence in a YAML or JSON file, which may also be what Sell's API answered.

    The suffix says which of the two it is; without a known one, what begins with `{` or `[` is JSON. `timezone` is the
    zone of a definition that names none (Sell's never do). Raises `DefinitionError` with every problem at once, with
    its file, line and column; also when the file cannot be read, or holds several sequences (see `load_all`).
    """
    name, content, chosen = _opened(path)
    return _only(loads_all(content, format=chosen, file=name, timezone=timezone), name)


def load_all(path: str | os.PathLike[str], *, timezone: str = "UTC") -> tuple[Sequence, ...]:
    """All sequences in a file, in order: one, or those of a collection from Sell's API. Otherwise as `load`."""
    name, content, chosen = _opened(path)
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
    text = decoded(text, file, most=MOST_BYTES)
    builder = Builder(text, file)
    if not text.strip():
        builder.note(0, "empty", "there is nothing in it: a definition has at least a name and steps")
        raise DefinitionError(builder.problems)
    read = read_json if (format or _sniffed(text)) == "json" else read_yaml
    try:
        read(text, builder)
    except EnoughProblems:
        raise DefinitionError(builder.problems) from None
    sequences: tuple[Sequence, ...] = ()
    problems = list(builder.problems)
    try:
        if is_sell(builder.data):
            sequences = from_sell(builder.data, timezone=timezone)
        else:
            sequences = (from_document(builder.data, timezone=timezone, holidays_of=holidays_of),)
    except DefinitionError as error:
        problems += [placed for each in error.problems if (placed := builder.placed(each)) is not None]
    if problems:
        raise DefinitionError(sorted(problems, key=_in_order))
    return sequences


def _in_order(problem: Problem) -> tuple[bool, int, int]:
    return problem.code == "too_many_problems", problem.line or 0, problem.column or 0


def _only(sequences: tuple[Sequence, ...], file: str | None) -> Sequence:
    if len(sequences) != 1:
        message = f"there are {len(sequences)} sequences in it, and one is wanted: use load_all, or split the file"
        raise DefinitionError([Problem("not_one_sequence", message, "items", file, 1, 1)])
    return sequences[0]


def _sniffed(text: str) -> Format:
    return "json" if text.lstrip()[:1] in {"{", "["} else "yaml"


def _opened(path: str | os.PathLike[str]) -> tuple[str, bytes, Format | None]:
    name = os.fspath(path)
    return name, file_bytes(path, most=MOST_BYTES), _FORMATS.get(Path(name).suffix.lower())


def file_bytes(path: str | os.PathLike[str], *, most: int) -> bytes:
    """The bytes of a file. Raises `DefinitionError` if it cannot be read; reads no more than it takes to see that."""
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise DefinitionError([Problem("no_such_file", "there is no such file", file=name, line=1, column=1)]) from None
    except IsADirectoryError:
        raise DefinitionError(
            [Problem("not_a_file", "is a folder: name a file in it", file=name, line=1, column=1)]
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DefinitionError(
            [Problem("unreadable", f"cannot be read: {reason}", file=name, line=1, column=1)]
        ) from None
    return content


def decoded(content: str | bytes, file: str | None, *, most: int) -> str:
    """The text of UTF-8, with or without a byte order mark. Raises `DefinitionError` if it is none, or too long."""
    if isinstance(content, str):
        _check_size(len(content.encode("utf-8", "surrogatepass")), file, most)
        return content.removeprefix("\ufeff")
    _check_size(len(content), file, most)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DefinitionError([Problem("encoding", "is UTF-16: save it as UTF-8", file=file, line=1, column=1)])
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        line, column = Lines(before)(len(before))
        message = f"the byte 0x{content[error.start]:02X} is not UTF-8 here: save the file as UTF-8"
        raise DefinitionError([Problem("encoding", message, file=file, line=line, column=column)]) from None


def _check_size(size: int, file: str | None, most: int) -> None:
    if size > most:
        message = f"is longer than {most // 1024} KiB, the most that is read"
        raise DefinitionError([Problem("too_large", message, file=file, line=1, column=1)])


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of definition files, for editors.

    It says what a schema can say. The reader is stricter: a file that the schema takes may still be refused.
    """
    from importlib.resources import files  # slow to import, and needed by nothing else here

    found: dict[str, Any] = json.loads(files(__package__).joinpath("schema.json").read_text(encoding="utf-8"))
    return found
