"""Merge fields: `{{ first_name }}` in a template or a task's text, and nothing else.

Deliberately no template language: texts come from many hands, and even a sandboxed one lets a template eat the
machine's memory. A field that the person does not have, or has blank, is missing: a mail that says "Hello ," is worse
than one that waits for a person to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from sequencer.core.errors import MissingMergeData

__all__ = ["MalformedField", "bare", "breaking", "fields_of", "fill", "meant", "problems_of"]

_FIELD = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.\-]*)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
# What ends a line for some reader of it, and what no reader should be given; a tab is a blank.
_BREAKING = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BRACES = re.compile(r"\{\{|\}\}")


@attrs.frozen
class MalformedField:
    """Something in a text that was surely meant as a merge field and is none: where (an offset from 0), and why."""

    at: int
    text: str
    message: str


def fields_of(text: str) -> tuple[str, ...]:
    """The merge fields that a text asks for, in order, each once."""
    return tuple(dict.fromkeys(_FIELD.findall(text)))


def bare(name: str) -> str:
    """A field's name without what two spellings of one word differ by: capitals, blanks and marks.

    Fields themselves are told apart by all of these.
    """
    return re.sub(r"[\W_]", "", name.casefold())


def meant(name: str, known: Collection[str]) -> str | None:
    """The known field that a name which is none of them looks like another spelling of; None where there is none."""
    return None if name in known else next((each for each in known if bare(each) == bare(name)), None)


def problems_of(text: str) -> tuple[MalformedField, ...]:
    """What looks like a merge field and is none, in order: it would be mailed as it stands, braces and all."""
    rest = _FIELD.sub(lambda match: " " * len(match[0]), text)
    problems = []
    opened: int | None = None
    for braces in _BRACES.finditer(rest):
        if braces[0] == "{{":
            if opened is not None:
                problems.append(_unclosed(text, opened))
            opened = braces.start()
        elif opened is None:
            found = text[max(0, braces.start() - 30) : braces.end()].rpartition("\n")[2]
            problems.append(MalformedField(braces.start(), found, f"{found!r} closes a field that was not opened"))
        else:
            problems.append(_malformed(text[opened : braces.end()], opened))
            opened = None
    if opened is not None:
        problems.append(_unclosed(text, opened))
    return tuple(problems)


def _unclosed(text: str, at: int) -> MalformedField:
    found = text[at : at + 30].partition("\n")[0]
    return MalformedField(at, found, f"{found!r} opens a field that is not closed by }}}}")


def _malformed(found: str, at: int) -> MalformedField:
    name = found[2:-2].strip()
    if not name:
        return MalformedField(at, found, f"{found!r} names no field")
    near = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name).strip("_")
    hint = f"; is it {{{{ {near} }}}}?" if len(near) <= 64 and _NAME.fullmatch(near) else ""
    shown = found if len(found) <= 60 else f"{found[:57]}..."
    return MalformedField(
        at, found, f"{shown!r} is no field: a name has letters, digits, `_`, `.` and `-`, and nothing else{hint}"
    )


def fill(text: str, fields: Mapping[str, Any]) -> str:
    """The text with its merge fields filled in. Raises `MissingMergeData` naming every field that has no value.

    Values are put in as they are and not looked at again: a value that looks like a field stays as it is.
    """
    if "{{" not in text:
        return text
    values = {}
    missing = []
    for name in fields_of(text):
        value = fields.get(name)
        if value is None or not str(value).strip():
            missing.append(name)
        else:
            values[name] = str(value)
    if missing:
        raise MissingMergeData(missing)
    return _FIELD.sub(lambda match: values[match[1]], text)


def breaking(line: str, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The merge fields by which a line would be one no more: whose values have a line break or control character.

    Blanks around the whole line do not count, and neither does what is missing. Put into a header of a mail, such a
    value would add another one.
    """
    values = {name: str(value) for name in fields_of(line) if (value := fields.get(name)) is not None}
    filled = _FIELD.sub(lambda match: values.get(match[1], ""), line).strip()
    if filled.isprintable() or not _BREAKING.search(filled):
        return ()
    return tuple(name for name, value in values.items() if _BREAKING.search(value))
