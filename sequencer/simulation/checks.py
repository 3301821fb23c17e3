"""What the values of a scenario check of their fields: validators that know the path, converters that only tidy up.

A validator takes anything at all and raises `InvalidInput` for what cannot be. What a converter cannot tidy up it
hands on as it is, for the validator after it to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sequencer.core.calendar import Calendar
from sequencer.core.errors import InvalidInput
from sequencer.core.values import FrozenMapping, to_identifier, to_instance, to_line, to_whole
from sequencer.core.windows import Window

__all__ = [
    "by_identifier",
    "by_step",
    "frozen_mapping",
    "in_order",
    "instances",
    "is_a",
    "is_mapping",
    "line",
    "may_be",
    "number",
    "refuse_odd_step",
    "settle_hours",
    "several",
    "share",
    "to_number",
    "to_share",
    "whole",
    "zone_name",
]

Validator = Callable[[Any, Any, Any], None]

MOST_POSITION = 199
_LONGEST_KEY = 64


def several(value: Any) -> Any:
    """A list as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def frozen_mapping(value: Any) -> Any:
    """A mapping as one that cannot be changed."""
    return FrozenMapping(value) if isinstance(value, Mapping) else value


def to_number(value: Any, path: str, *, most: float, what: str = "a number") -> None:
    """Refuse what is no number from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput(f"needs {what} from 0 to {most:g}, got {value!r}", path=path, code="invalid_type")
    if not 0 <= value <= most:
        raise InvalidInput(f"needs {what} from 0 to {most:g}, got {value!r}", path=path, code="out_of_range")


def to_share(value: Any, path: str) -> None:
    """Refuse what is no share."""
    to_number(value, path, most=1, what="a share")


def share(path: str) -> Validator:
    """A share from 0 to 1."""
    return lambda _, __, value: to_share(value, path)


def number(path: str, most: float) -> Validator:
    """A number from 0 on."""
    return lambda _, __, value: to_number(value, path, most=most)


def whole(path: str, most: int) -> Validator:
    """A whole number from 1 on."""

    def check(_: Any, __: Any, value: Any) -> None:
        to_whole(value, path, least=1, most=most)

    return check


def line(path: str) -> Validator:
    """One line of text."""

    def check(_: Any, __: Any, value: Any) -> None:
        to_line(value, path)

    return check


def is_a(kind: type, path: str) -> Validator:
    """A value of that class."""

    def check(_: Any, __: Any, value: Any) -> None:
        to_instance(kind, value, path)

    return check


def may_be(check: Validator) -> Validator:
    """None, or what the other validator lets pass."""

    def may(instance: Any, attribute: Any, value: Any) -> None:
        if value is not None:
            check(instance, attribute, value)

    return may


def instances(kind: type, path: str) -> Validator:
    """A list of values of that class."""

    def check(_: Any, __: Any, value: Any) -> None:
        for i, each in enumerate(to_instance(tuple, value, path)):
            to_instance(kind, each, f"{path}[{i}]")

    return check


def is_mapping(value: Any, path: str) -> None:
    """Refuse what is no mapping."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {value!r}", path=path, code="invalid_type")


def by_identifier(check: Validator, path: str) -> Validator:
    """A mapping from a host's ids to what the other validator lets pass."""

    def by(instance: Any, attribute: Any, value: Any) -> None:
        is_mapping(value, path)
        for name, each in value.items():
            to_identifier(name, path)
            check(instance, attribute, each)

    return by


def by_step(check: Validator, path: str) -> Validator:
    """A mapping from steps, by key or position, to what the other validator lets pass."""

    def by(instance: Any, attribute: Any, value: Any) -> None:
        is_mapping(value, path)
        for name, each in value.items():
            refuse_odd_step(name, path)
            check(instance, attribute, each)

    return by


def refuse_odd_step(name: Any, path: str) -> None:
    """Refuse what is neither a step's key nor its position."""
    if isinstance(name, str):
        to_line(name, path, longest=_LONGEST_KEY)
    elif isinstance(name, int) and not isinstance(name, bool):
        to_whole(name, path, least=0, most=MOST_POSITION)
    else:
        raise InvalidInput(f"needs a step's key or position, got {name!r}", path=path, code="invalid_type")


def zone_name(value: Any) -> str:
    """The IANA name of a zone."""
    return Calendar(value).timezone


def settle_hours(instance: Any) -> None:
    """Check the fields `days`, `opens` and `closes` of a value, and bring them into their one spelling."""
    opens = Window(instance.days, instance.opens, "24:00").opens
    window = Window(instance.days, "00:00", instance.closes)
    # In this spelling, the order of the texts is the order of the times.
    if opens >= window.closes:
        message = f"must be later than {opens}, got {window.closes}; hours do not cross midnight"
        raise InvalidInput(message, path="closes", code="empty_window")
    for name, value in (("days", window.days), ("opens", opens), ("closes", window.closes)):
        object.__setattr__(instance, name, value)


def in_order(first: Any, last: Any, path: str) -> None:
    """Refuse dates of which the last comes before the first."""
    if last < first:
        raise InvalidInput(f"must not come before {first}, got {last}", path=path, code="out_of_order")
