"""How a scenario's file writes values: for each kind of value a reader and a writer that agree, and tables of them.

A reader takes plain data and its path, notes what is wrong and answers with the value, or with `MISSING`. A writer
gives the plain data again. `Part` is a table of keys, from which one of the scenario's values is both read and written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

import attrs

from sequencer.core.durations import read_amount
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date, to_iso
from sequencer.core.problems import MISSING, Problems, child, item, shown
from sequencer.definitions.leads import to_moment

__all__ = [
    "DATE",
    "DAYS",
    "ELAPSED",
    "INSTANT",
    "PLAIN",
    "Keyed",
    "Notation",
    "Pair",
    "Part",
    "Reading",
    "listed",
    "or_null",
]

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_ELAPSED = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_LONGEST = 1e9


class Reading(Problems):
    """The problems of one scenario, and the zone of its local times that name no offset."""

    def __init__(self, timezone: str) -> None:
        super().__init__()
        self.timezone = timezone


class Notation(Protocol):
    """How one kind of value is read and written."""

    def read(self, reading: Reading, value: Any, path: str, /) -> Any:
        """The value, or `MISSING` with what is wrong noted."""

    def write(self, value: Any, /) -> Any:
        """The plain data of a value."""


@attrs.frozen
class Pair:
    """A notation of two functions."""

    read: Callable[[Reading, Any, str], Any]
    write: Callable[[Any], Any]


def as_it_is(value: Any) -> Any:
    """Plain data that is written as it is kept."""
    return value


# -- values ---------------------------------------------------------------------------------------------------


def _read_date(reading: Reading, value: Any, path: str) -> Any:
    return reading.attempt(path, to_date, value)


def _read_instant(reading: Reading, value: Any, path: str) -> Any:
    if not isinstance(value, str):
        message = f"needs a date and a time like 2026-03-27T16:30:00, got {shown(value)}"
        reading.add("not_an_instant", message, path)
        return MISSING
    return reading.attempt(path, to_moment, value, reading.timezone)


def read_elapsed(reading: Reading, value: Any, path: str) -> Any:
    """`{hours: 4}` as a timedelta."""
    unit, n = read_amount(reading, value, path, tuple(_ELAPSED))
    if unit is MISSING:
        return MISSING
    return reading.attempt(child(path, unit), _elapsed, n, _ELAPSED[unit])


def _elapsed(n: Any, seconds: int) -> timedelta:
    if isinstance(n, bool) or not isinstance(n, (int, float)):
        raise InvalidInput(f"needs a number, got {shown(n)}", code="invalid_type")
    if not 0 <= n * seconds <= _LONGEST:
        raise InvalidInput(f"is no time that anything here may take: {shown(n)}", code="out_of_range")
    return timedelta(seconds=n * seconds)


def write_elapsed(span: timedelta) -> dict[str, Any]:
    """A timedelta in the longest unit of which it is a whole number."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if span and not span % timedelta(seconds=length):
            return {unit: span // timedelta(seconds=length)}
    seconds = span.total_seconds()
    return {"seconds": int(seconds) if seconds.is_integer() else seconds}


def _read_given(reading: Reading, value: Any, path: str) -> Any:
    if value is None:
        reading.add("invalid_type", "needs a value: leave the key out instead", path)
        return MISSING
    return value


PLAIN = Pair(lambda _, value, __: value, as_it_is)
"""What is checked by the value that it becomes a field of, and by nothing before."""
GIVEN = Pair(_read_given, as_it_is)
"""The same, where the field may be None and a file leaves the key out."""
DATE = Pair(_read_date, lambda day: day.isoformat())
INSTANT = Pair(_read_instant, to_iso)
DAYS = Pair(lambda reading, value, path: reading.listing(value, path), list)
ELAPSED = Pair(read_elapsed, write_elapsed)


def or_null(notation: Notation) -> Pair:
    """The same, or nothing."""
    return Pair(
        lambda reading, value, path: None if value is None else notation.read(reading, value, path),
        lambda value: None if value is None else notation.write(value),
    )


def listed(notation: Notation) -> Pair:
    """A list of the same."""

    def read(reading: Reading, value: Any, path: str) -> Any:
        given = reading.listing(value, path)
        if given is MISSING:
            return MISSING
        found = [notation.read(reading, each, item(path, i)) for i, each in enumerate(given)]
        return MISSING if any(each is MISSING for each in found) else tuple(found)

    return Pair(read, lambda several: [notation.write(each) for each in several])


# -- mappings -------------------------------------------------------------------------------------------------


@attrs.frozen
class Part:
    """A mapping that becomes one value: its keys, each the name of a field and how that is written.

    What a file leaves out is as in `usual`. Each key is also tried by itself, on `trial`, whose other fields are such
    that any one may be what it likes: so all mistakes are found, and each at its key. The keys `required` have no
    default; what is None is left out where it is `silent`.
    """

    usual: Any
    keys: Mapping[str, tuple[str, Notation]]
    trial: Any = attrs.field(default=attrs.Factory(lambda self: self.usual, takes_self=True), kw_only=True)
    required: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    silent: tuple[str, ...] = attrs.field(default=(), kw_only=True)

    def read(self, reading: Reading, value: Any, path: str, usual: Any = None) -> Any:
        """The value that a mapping describes, `usual` where it says nothing; `MISSING` if it is not valid."""
        before = len(reading.found)
        given = reading.mapping(value, path, self.keys, self.required)
        if given is MISSING:
            return MISSING
        fields = {}
        for key, each in given.items():
            name, notation = self.keys[key]
            place = child(path, key)
            found = notation.read(reading, each, place)
            if found is not MISSING:
                fields[name] = found
                reading.attempt(place, lambda n=name, f=found: attrs.evolve(self.trial, **{n: f}))
        if len(reading.found) > before:
            return MISSING
        try:
            return attrs.evolve(self.usual if usual is None else usual, **fields)
        except InvalidInput as error:
            # One key does not fit another. It stands where it is given, if it is.
            about = error.path.rpartition(".")[2]
            place = next((child(path, key) for key in given if self.keys[key][0] == about), path)
            reading.add(error.code, error.message, place)
            return MISSING

    def write(self, value: Any) -> dict[str, Any]:
        """The mapping that describes a value."""
        fields = {key: (getattr(value, name), notation) for key, (name, notation) in self.keys.items()}
        return {
            key: notation.write(field)
            for key, (field, notation) in fields.items()
            if field is not None or key not in self.silent
        }


@attrs.frozen
class Keyed:
    """A mapping from ids or steps to something, or a list that says the same: `[{actor: "7", cap: {...}}]`.

    JSON writes every key as text, so a key that spells a whole number stands for the number. Where an id is such a
    text, the list says exactly what is meant.
    """

    name: str
    what: str
    check: Callable[[Any, str], Any]
    each: Notation

    def read(self, reading: Reading, value: Any, path: str) -> Any:
        """The mapping that is described; `MISSING` if it is not valid."""
        before = len(reading.found)
        if isinstance(value, (list, tuple)):
            keys = (self.name, self.what)
            entries = []
            for i, each in enumerate(value):
                given = reading.mapping(each, item(path, i), keys, keys)
                if given is not MISSING and len(given) == len(keys):
                    place = item(path, i)
                    entries.append((given[self.name], given[self.what], child(place, self.name), place))
        else:
            given = reading.mapping(value, path, None)
            pairs = {} if given is MISSING else given
            entries = [(_number(key), each, child(path, key), "") for key, each in pairs.items()]
        found: dict[Any, Any] = {}
        for name, each, place, within in entries:
            try:
                self.check(name, self.name)
            except InvalidInput as error:
                reading.add(error.code, error.message, place)
                continue
            if name in found:
                reading.add("duplicate_key", f"{shown(name)} is there already: remove one", place)
            found[name] = self.each.read(reading, each, child(within, self.what) if within else place)
        return MISSING if len(reading.found) > before else found

    def write(self, value: Mapping[Any, Any]) -> Any:
        """The description of a mapping, in the order of its keys."""
        names = sorted(value, key=lambda name: (isinstance(name, str), name))
        if all(_number(str(name)) == name for name in names):
            return {str(name): self.each.write(value[name]) for name in names}
        return [{self.name: name, self.what: self.each.write(value[name])} for name in names]


def _number(key: int | str) -> int | str:
    if isinstance(key, str) and _WHOLE_NUMBER.fullmatch(key) and -(2**63) <= int(key) < 2**63:
        return int(key)
    return key
