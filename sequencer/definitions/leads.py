"""Leads from CSV: whom to enroll. A file with a mistake in it is refused whole, with every mistake and its place.

The header names the columns: `resource_type` and `resource_id` are required; `email`, `timezone`, `actor_id`,
`account`, `start_at`, `enrolled_at` and `idempotency_key` are known; every other column is a merge field. A blank cell
is an absent value. Whether a lead may be enrolled is not asked here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.calendar import zone_named
from sequencer.core.enrollment import to_address
from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.instants import to_instant
from sequencer.core.problems import EnoughProblems, nearest, shown
from sequencer.core.values import to_identifier, to_line, to_metadata, to_text
from sequencer.definitions.csv_text import Cell, Malformed, rows
from sequencer.definitions.texts import decoded, file_bytes
from sequencer.definitions.tree import Builder

__all__ = ["MOST_BYTES", "Lead", "is_leads", "parse_leads", "read_fields", "read_leads", "to_moment"]

MOST_BYTES = 64 * 1024 * 1024
"""The longest file of leads that is read: half a million of them and more."""

_REQUIRED = ("resource_type", "resource_id")
_KNOWN = (*_REQUIRED, "email", "timezone", "actor_id", "account", "start_at", "enrolled_at", "idempotency_key")
# What other products call these columns.
_ALSO_CALLED = {"resource_type": ("type", "kind", "resource"), "resource_id": ("id", "lead_id", "contact_id")}
_LONGEST_FIELD = 10_000
# Merge fields with no more characters than this in their names and values are short enough for the engine, whatever
# they are: as JSON one takes at most twelve.
_SHORT_FIELDS = 1_300
_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


_NOTHING: Mapping[str, str] = MappingProxyType({})


@attrs.frozen
class Lead:
    """One row: a lead or contact to be enrolled, and how.

    Ids are whole numbers where they were written as one, else text. `start_at` (when its sequence begins) and
    `enrolled_at` (when it was or is to be enrolled) are instants in UTC. `fields` are the merge fields that it has;
    `line` is where its row begins in the file, and `typed` how its moments stand there. What its row leaves blank is
    None.
    """

    resource_type: str
    resource_id: int | str
    email: str | None = None
    timezone: str | None = None
    actor_id: int | str | None = None
    account: int | str | None = None
    start_at: DateTime | None = None
    enrolled_at: DateTime | None = None
    idempotency_key: str | None = None
    fields: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    line: int = attrs.field(default=0, eq=False)
    typed: Mapping[str, str] = attrs.field(default=_NOTHING, eq=False, repr=False)


def read_leads(path: str | os.PathLike[str], *, timezone: str = "UTC") -> list[Lead]:
    """The leads in a CSV file of UTF-8, in order.

    A time without an offset is local time in the lead's zone, or in `timezone` (the definition's) if the row names
    none; a date is its beginning. Raises `DefinitionError` with all problems, with file, line and column, and
    `InvalidInput` if `timezone` is no zone.
    """
    return parse_leads(file_bytes(path, most=MOST_BYTES), file=os.fspath(path), timezone=timezone)


def parse_leads(text: str | bytes, *, file: str | None = None, timezone: str = "UTC") -> list[Lead]:
    """The leads in the text of a CSV file, `file` being what problems call it. Otherwise as `read_leads`."""
    zone_named(timezone)
    text = decoded(text, file, most=MOST_BYTES)
    builder = Builder(text, file)
    leads: list[Lead] = []
    try:
        _read(text, builder, timezone, leads)
    except Malformed as error:
        builder.problems.append(builder.problem(error.offset, "syntax", error.reason))
    except EnoughProblems:
        pass
    if builder.problems:
        raise DefinitionError(builder.problems)
    return leads


def read_fields(path: str | os.PathLike[str]) -> tuple[frozenset[str], list[Mapping[str, str]]]:
    """The merge fields of the leads in a CSV file: what at least one of them has; those of the header, if it has none.

    And of each lead that has one with a line break or the like in it, all of them with their values. Raises as
    `read_leads`.
    """
    content, name = file_bytes(path, most=MOST_BYTES), os.fspath(path)
    leads = parse_leads(content, file=name)
    if leads:
        odd = [lead.fields for lead in leads if not all(map(str.isprintable, lead.fields.values()))]
        return frozenset(field for lead in leads for field in lead.fields), odd
    header = next(rows(decoded(content, name, most=MOST_BYTES)))
    return frozenset(cell.text for cell in header if cell.text not in _KNOWN), []


def is_leads(text: str | bytes) -> bool:
    """Whether a text begins as a file of leads does: with a line that names their columns, two of them or more."""
    first = text[:_LONGEST_FIELD].splitlines()[:1]
    head = "".join(each if isinstance(each, str) else each.decode("utf-8", "replace") for each in first)
    if head.lstrip(" \ufeff").startswith("#"):
        return False  # a comment in a definition, perhaps about these very columns
    named = {cell.strip(' "\ufeff') for cell in re.split("[,;\t]", head)}.intersection(_KNOWN)
    return len(named) > 1 and not named.isdisjoint(_REQUIRED)


def to_moment(text: str, timezone: str, path: str = "at") -> DateTime:
    """The instant that ISO 8601 names, date and time; without an offset it is local time in the zone.

    A local time that the clocks skip moves forward by what they skip; one that comes twice is the first (law T4).
    Raises `InvalidInput` for what is none, for an unknown zone, and outside of the years 1970 to 9000.
    """
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"needs a date and a time like 2026-03-27T16:30:00, got {shown(text)}"
        raise InvalidInput(message, path=path, code="not_an_instant") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone_named(timezone))
    return to_instant(moment, path)


def _read(text: str, builder: Builder, timezone: str, leads: list[Lead]) -> None:
    table = rows(text)
    header = next(table, None)
    if header is None:
        builder.note(
            0, "empty", f"there is nothing in it: the first line names the columns, {', '.join(_REQUIRED)} first"
        )
        return
    names = _header(header, builder)
    for row in table:
        line, _ = builder.lines(row[0].offset)
        if len(row) != len(names):
            what = "a blank line" if len(row) == 1 and not row[0].text else f"{len(row)} cells"
            message = f"has {what} where the header has {len(names)} columns"
            builder.note(row[0].offset, "wrong_field_count", message)
            continue
        lead = _lead(dict(zip(names, row, strict=True)), line, builder, timezone)
        if lead is not None:
            leads.append(lead)


def _header(header: list[Cell], builder: Builder) -> list[str]:
    names: dict[str, Cell] = {}
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0].text:
            builder.note(
                0, "wrong_separator", f"the cells are separated by {called}: save the file with commas instead"
            )
            raise EnoughProblems
    for cell in header:
        try:
            name = to_line(cell.text, "header", longest=64)
            if name != name.strip():
                raise InvalidInput(f"has blanks around it: {shown(name)}", code="surrounding_blanks")
        except InvalidInput as error:
            builder.note(cell.offset, error.code, f"the name of a column {error.message}")
            continue
        if name in names:
            builder.note(cell.offset, "duplicate_column", f"the column {name} is there twice: remove one")
        names[name] = cell
    for name in _REQUIRED:
        also = next((each for each in names if each.casefold() in _ALSO_CALLED[name]), None)
        if name not in names and also is not None:
            message = f"{also} is not what this column is called: did you mean {name}?"
            builder.note(names[also].offset, "missing_column", message)
        elif name not in names:
            close = nearest(name, [each for each in names if each not in _KNOWN] or _REQUIRED)
            hint = f"; {close}" if close.startswith("did") and not close.endswith(f"{name}?") else ""
            builder.note(0, "missing_column", f"the header needs the column {name}{hint}")
    if builder.problems:
        raise EnoughProblems  # without columns that can be trusted, there is nothing to say about the rows
    return list(names)


def _lead(row: Mapping[str, Cell], line: int, builder: Builder, timezone: str) -> Lead | None:
    before = len(builder.problems)
    values: dict[str, Any] = {}
    fields: dict[str, str] = {}
    for name, cell in row.items():
        if not cell.text or cell.text.isspace():
            if name in _REQUIRED:
                builder.note(cell.offset, "missing", "must not be blank", name)
            continue
        try:
            if name not in _KNOWN:
                fields[name] = to_text(cell.text, name, longest=_LONGEST_FIELD)
                continue
            if cell.text != cell.text.strip():
                raise InvalidInput(f"has blanks around it: {shown(cell.text)}", code="surrounding_blanks")
            values[name] = _CONVERT[name](cell.text)
        except InvalidInput as error:
            builder.note(cell.offset, error.code, error.message, name)
    typed: dict[str, str] = {name: values[name] for name in ("start_at", "enrolled_at") if name in values}
    for name, text in typed.items():
        try:
            moment = f"{text}T00:00" if _DATE.fullmatch(text) else text
            values[name] = to_moment(moment, values.get("timezone", timezone), name)
        except InvalidInput as error:
            builder.note(row[name].offset, error.code, error.message, name)
    if sum(len(name) + len(value) + 1 for name, value in fields.items()) > _SHORT_FIELDS:
        try:
            to_metadata(fields, "the merge fields of this row")
        except InvalidInput as error:
            longest = max(fields, key=lambda name: len(fields[name]))
            builder.note(row[longest].offset, error.code, f"all together: {error.message}", longest)
    if len(builder.problems) > before:
        return None
    return Lead(**values, fields=fields, line=line, typed=typed or _NOTHING)


def _identifier(text: str) -> int | str:
    if _WHOLE_NUMBER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    return to_identifier(text, "id")


def _zone(text: str) -> str:
    zone_named(text)
    return text


def _email(text: str) -> str:
    text = to_line(text, "email", longest=320)
    name, _, domain = text.rpartition("@")
    # What the engine takes, but for names and quoted parts with blanks: those are mostly cells that got mixed up.
    if not name or not domain or re.search(r"[\s,;<>]", text) or name.count("@") or not _is_address(text):
        raise InvalidInput(f"needs one address like ada@example.com, got {shown(text)}", code="invalid_email")
    return text


def _is_address(text: str) -> bool:
    try:
        return to_address(text, "email") is not None
    except InvalidInput:
        return False


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "resource_type": lambda text: to_line(text, "resource_type", longest=64),
    "resource_id": _identifier,
    "email": _email,
    "timezone": _zone,
    "actor_id": _identifier,
    "account": _identifier,
    "start_at": str,
    "enrolled_at": str,
    "idempotency_key": lambda text: to_line(text, "idempotency_key"),
}
