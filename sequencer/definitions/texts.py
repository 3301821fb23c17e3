"""From a file, or its text, to plain data with places, and to what is built of it: what all kinds of files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.problems import EnoughProblems
from sequencer.definitions.json_text import read_json
from sequencer.definitions.tree import Builder, Lines
from sequencer.definitions.yaml_text import read_yaml

__all__ = ["MOST_BYTES", "Format", "built", "decoded", "file_bytes", "glimpsed", "opened", "placed"]

MOST_BYTES = 256 * 1024
"""The longest definition that is read."""

Format = Literal["yaml", "json"]
_FORMATS: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}
_T = TypeVar("_T")


def built(
    text: str | bytes, build: Callable[[Any], _T], *, format: Format | None, file: str | None, nothing: str
) -> _T:
    """What `build` makes of the plain data in a text; `file` is what problems call it.

    Without a format, what begins with `{` or `[` is JSON. `nothing` is what to say of a text with nothing in it.
    Raises `DefinitionError` with all problems at once, also those that `build` raises it with: each by the path that it
    names gets its file, line and column.
    """
    return placed(text, build, format=format, file=file, nothing=nothing)[0]


def placed(
    text: str | bytes, build: Callable[[Any], _T], *, format: Format | None, file: str | None, nothing: str
) -> tuple[_T, Builder]:
    """What `built` answers, and the builder, which knows where in the text each value stands."""
    text = decoded(text, file, most=MOST_BYTES)
    builder = Builder(text, file, nothing=nothing)
    if not text.strip():
        raise DefinitionError([builder.problem(0, "empty", nothing)])
    try:
        _reader(text, format)(text, builder)
    except EnoughProblems:
        raise DefinitionError(builder.problems) from None
    problems = list(builder.problems)
    try:
        result = build(builder.data)
    except DefinitionError as error:
        problems += [found for each in error.problems if (found := builder.placed(each)) is not None]
    if problems:
        raise DefinitionError(sorted(problems, key=_in_order))
    return result, builder


def glimpsed(text: str | bytes, look: Callable[[Any], _T], *, format: Format | None) -> _T:
    """What `look` says of the plain data in a text, as far as there is any: what is wrong with the text is not said.

    For telling kinds of files apart, so that each is then read, with all its problems, as what it is.
    """
    builder = Builder("", None)
    with suppress(DefinitionError, EnoughProblems):
        text = decoded(text, None, most=MOST_BYTES)
        builder = Builder(text, None)
        _reader(text, format)(text, builder)
    return look(builder.data)


def _in_order(problem: Problem) -> tuple[bool, int, int]:
    return problem.code == "too_many_problems", problem.line or 0, problem.column or 0


def _reader(text: str, format: Format | None) -> Callable[[str, Builder], None]:
    sniffed = "json" if text.lstrip()[:1] in {"{", "["} else "yaml"
    return read_json if (format or sniffed) == "json" else read_yaml


def opened(path: str | os.PathLike[str]) -> tuple[str, bytes, Format | None]:
    """The name and the bytes of a file, and the format that its suffix says. Raises as `file_bytes`."""
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
