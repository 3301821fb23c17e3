"""The kinds of values that a request may hold: how each is read, and, beside it, the JSON Schema that says the same.

Whoever is told the schema knows what is refused. What a schema cannot say (that a zone exists, that a day does) is
refused with `incorrect_value`, and with nothing else; a test holds both against each other.

Numbers are numbers: 1.0 is 1 in JSON. Where the service this is modelled on takes numbers as text, so do these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from sequencer.core.calendar import Calendar
from sequencer.core.enrollment import to_address
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date, to_instant
from sequencer.core.problems import nearest
from sequencer.core.values import to_identifier, to_line
from sequencer.http.envelope import WireError
from sequencer.http.errors import code_of

__all__ = [
    "ADDRESS",
    "BOOLEAN",
    "FIELDS",
    "ID",
    "IDENTIFIER",
    "INSTANT",
    "LINE",
    "MOST_ID",
    "RETURN",
    "TEXT_SCHEMA",
    "ZONE",
    "Kind",
    "Member",
    "Unfit",
    "line",
    "listing",
    "one_of",
    "optional",
    "read_members",
    "spelled",
]

MOST_ID = 2**63 - 1
_LEAST, _MOST = -(2**63), MOST_ID
_CONTROL = r"\x00-\x1f\x7f"
# What `str.isspace` says of no control character.
_BLANK = r" \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPELLED = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_MOST_FIELDS = 100


class Unfit(Exception):
    """A value is not of its kind: the wire's code and a message; `below` is where in the value."""

    def __init__(self, code: str, message: str, below: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.below = code, message, below


def below_of(key: str) -> str:
    """The JSON pointer to what is under a key."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


@attrs.frozen
class Kind:
    """A kind of values: `read` answers with the value as the engine takes it or raises `Unfit`; `schema` says which."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]


def _up_to(most: int) -> str:
    """A pattern of the numbers from 1 to this one, which has several digits, without leading zeros."""
    digits = str(most)
    parts = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"]
    for i, each in enumerate(digits):
        low = 1 if i == 0 else 0
        rest = len(digits) - i - 1
        if int(each) > low:
            parts.append(f"{digits[:i]}[{low}-{int(each) - 1}][0-9]{{{rest}}}")
    return f"^(?:{'|'.join([*parts, digits])})$"


_ID_TEXT = _up_to(MOST_ID)
_ID_PATTERN = re.compile(_ID_TEXT[:-1] + r"\Z", re.ASCII)


def spelled(text: str) -> int | str:
    """The integer of 64 bits that a text spells, or the text as it is: so ids look on the wire (ours)."""
    if _SPELLED.fullmatch(text) and _LEAST <= int(text) <= _MOST:
        return int(text)
    return text


def _fit(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except InvalidInput as error:
        raise Unfit(code_of(error.code), error.message) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("blank" if value is None else "invalid_type", "needs text")
    return value


def _id(value: Any) -> int:
    if isinstance(value, str) and _ID_PATTERN.match(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("blank" if value is None else "invalid_type", "needs an id, a whole number")
    if not 1 <= value <= MOST_ID:
        raise Unfit("incorrect_value", f"needs an id from 1 to {MOST_ID}")
    return value


def _identifier(value: Any) -> Any:
    if value is None:
        raise Unfit("blank", "must not be null")
    return _fit(lambda each: to_identifier(each, "id"), spelled(value) if isinstance(value, str) else value)


def _address(value: Any) -> str:
    if not _ADDRESS_PATTERN.match(_text(value)) or len(value) > 320:
        raise Unfit("incorrect_value", "needs one address like ada@example.com")
    return str(_fit(lambda each: to_address(each, "email"), value))


def _zone(value: Any) -> str:
    return str(_fit(lambda each: Calendar(each).timezone, _text(value)))


def _scalars(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfit("invalid_type", "needs an object of merge fields")
    if len(value) > _MOST_FIELDS:
        raise Unfit("incorrect_value", f"has more than {_MOST_FIELDS} fields")
    for key, each in value.items():
        if not _FIELD_NAME.match(key):
            raise Unfit("incorrect_value", "needs names of 1 to 64 letters, digits, `_`, `.` and `-`", below_of(key))
        if isinstance(each, (dict, list)):
            raise Unfit("invalid_type", "needs text, a number, true, false or null", f"/{key}")
        if isinstance(each, (int, float)) and not _LEAST <= each <= _MOST:
            raise Unfit("incorrect_value", "needs a number of at most 64 bits", f"/{key}")
        if isinstance(each, str) and len(each) > 1000:
            raise Unfit("incorrect_value", "has more than 1000 characters", f"/{key}")
        if isinstance(each, str) and _NOT_TEXT.search(each):
            raise Unfit("incorrect_value", "has a control character in it", f"/{key}")
    return value


def _instant(value: Any) -> Any:
    if not _INSTANT_PATTERN.match(_text(value)):
        raise Unfit("incorrect_value", "needs an instant like 2026-03-02T09:00:00Z")
    try:
        found = datetime.fromisoformat(value.upper())
    except ValueError:
        raise Unfit("incorrect_value", "there is no such instant") from None
    return _fit(to_instant, found)


def _return(value: Any) -> Any:
    if _DATE_PATTERN.match(_text(value)):
        return _fit(to_date, value)
    if not _INSTANT_PATTERN.match(value):
        raise Unfit("incorrect_value", "needs an instant like 2026-03-02T09:00:00Z, or a local date like 2026-03-09")
    return _instant(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("blank" if value is None else "invalid_type", "needs true or false")
    return value


_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TEXT_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_NAME = r"^[A-Za-z_][A-Za-z0-9_.\-]{0,63}$"
_FIELD_NAME = re.compile(_NAME[:-1] + r"\Z", re.ASCII)
_LOCAL = rf"[^{_CONTROL}{_BLANK}<>,;\"@]+"
_ADDRESS_TEXT = rf"^(?:\"[^{_CONTROL}\"]*\"|{_LOCAL})@{_LOCAL}$"
_ADDRESS_PATTERN = re.compile(_ADDRESS_TEXT[:-1] + r"\Z")
_DATE_TEXT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE_PATTERN = re.compile(_DATE_TEXT + r"\Z", re.ASCII)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT_TEXT = rf"^{_DATE_TEXT}[Tt]{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:[Zz]|[+-]{_CLOCK})$"
_INSTANT_PATTERN = re.compile(_INSTANT_TEXT[:-1] + r"\Z", re.ASCII)


_TEXT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
TEXT_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": 10_000,
    "pattern": f"^[^{_TEXT}]*[^{_TEXT}\\t\\n\\r{_BLANK}][^{_TEXT}]*$",
}
"""Text of several lines that is not blank, as tasks have it."""


def _line_schema(longest: int) -> dict[str, Any]:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": longest,
        "pattern": f"^[^{_CONTROL}]*[^{_CONTROL}{_BLANK}][^{_CONTROL}]*$",
    }


def line(longest: int) -> Kind:
    """One line of text that is not blank."""

    def read(value: Any) -> str:
        return str(_fit(lambda each: to_line(each, "", longest=longest), _text(value)))

    return Kind(read, _line_schema(longest))


def one_of(*words: str) -> Kind:
    """One of some words."""

    def read(value: Any) -> str:
        if _text(value) not in words:
            raise Unfit("incorrect_value", f"needs {' or '.join(words)}")
        return str(value)

    return Kind(read, {"type": "string", "enum": list(words)})


def optional(kind: Kind) -> Kind:
    """The same, or null."""
    return Kind(lambda value: None if value is None else kind.read(value), {"anyOf": [{"type": "null"}, kind.schema]})


def listing(kind: Kind, most: int) -> Kind:
    """A list of these, of 1 to so many."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Unfit("invalid_type", "needs a list")
        if not 1 <= len(value) <= most:
            raise Unfit("incorrect_value" if value else "blank", f"needs 1 to {most} of them")
        found = []
        for i, each in enumerate(value):
            try:
                found.append(kind.read(each))
            except Unfit as error:
                raise Unfit(error.code, error.message, f"/{i}{error.below}") from None
        return found

    return Kind(read, {"type": "array", "items": kind.schema, "minItems": 1, "maxItems": most})


LINE = line(255)
ID = Kind(
    _id,
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MOST_ID},
            {"type": "string", "pattern": _ID_TEXT},
        ]
    },
)
IDENTIFIER = Kind(_identifier, {"anyOf": [{"type": "integer", "minimum": _LEAST, "maximum": _MOST}, _line_schema(64)]})
ADDRESS = Kind(_address, {"type": "string", "maxLength": 320, "pattern": _ADDRESS_TEXT})
ZONE = Kind(_zone, _line_schema(64))
FIELDS = Kind(
    _scalars,
    {
        "type": "object",
        "propertyNames": {"pattern": _NAME},
        "maxProperties": _MOST_FIELDS,
        "additionalProperties": {
            "anyOf": [
                {"type": ["null", "boolean"]},
                {"type": "number", "minimum": _LEAST, "maximum": _MOST},
                {"type": "string", "maxLength": 1000, "pattern": _TEXT_PATTERN},
            ]
        },
    },
)
BOOLEAN = Kind(_boolean, {"type": "boolean"})
INSTANT = Kind(_instant, {"type": "string", "format": "date-time", "pattern": _INSTANT_TEXT})
RETURN = Kind(_return, {"anyOf": [INSTANT.schema, {"type": "string", "format": "date", "pattern": f"^{_DATE_TEXT}$"}]})


@attrs.frozen
class Member:
    """A key of an object: its kind, whether it must be there, and what to say of it."""

    name: str
    kind: Kind
    says: str
    example: Any
    needed: bool = False

    def schema(self) -> dict[str, Any]:
        """The kind's schema with what is said of this key."""
        return {**self.kind.schema, "description": self.says, "examples": [self.example]}


def read_members(
    members: tuple[Member, ...], given: Mapping[str, Any], resource: str
) -> tuple[dict[str, Any], list[WireError]]:
    """What an object under `/data` holds, by key, and everything that is wrong with it."""
    errors: list[WireError] = []
    found: dict[str, Any] = {}
    known = {member.name for member in members}
    for key in given:
        if key not in known:
            message = f"is not a key here; {nearest(key, sorted(known))}"
            errors.append(WireError("unknown", message, resource, f"/data{below_of(key)}"))
    for member in members:
        field = f"/data/{member.name}"
        if member.name not in given:
            if member.needed:
                errors.append(WireError("missing", "is needed", resource, field))
            continue
        try:
            found[member.name] = member.kind.read(given[member.name])
        except Unfit as error:
            errors.append(WireError(error.code, error.message, resource, field + error.below))
    return found, errors
