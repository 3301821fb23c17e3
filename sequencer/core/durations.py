"""Durations as documents write them: a mapping of one unit to a number, `{hours: 4}` or `{weekdays: 2}`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sequencer.core.delays import Delay, Hours, Weekdays
from sequencer.core.problems import MISSING, Problems, child, nearest, shown

__all__ = ["delay_document", "read_amount", "read_delay"]

# What people write, and what it is called here. Days are not offered: whether a weekend counts has to be said.
_SPELLINGS = {"days": "weekdays, or hours (24 to a day)", "day": "weekdays, or hours (24 to a day)"}


def read_amount(problems: Problems, value: object, path: str, units: Collection[str]) -> tuple[Any, Any]:
    """The unit and the number of a duration in one of the units; `MISSING` for both, and a problem, if it is none.

    The number is as it was given: what it may be is the caller's to check.
    """
    example = f"{{{next(iter(units))}: 1}}"
    if not isinstance(value, Mapping):
        problems.add("invalid_type", f"needs a duration like {example}, got {shown(value)}", path)
        return MISSING, MISSING
    strangers = [key for key in value if key not in units]
    for key in strangers:
        remedy = f"use {_SPELLINGS[key]}" if "weekdays" in units and key in _SPELLINGS else nearest(key, units)
        problems.add("unknown_key", f"is not a unit here; {remedy}", child(path, key))
    if len(value) != 1:
        problems.add("invalid_value", f"needs exactly one unit, like {example}", path)
    if strangers or len(value) != 1:
        return MISSING, MISSING
    return next(iter(value.items()))


def read_delay(problems: Problems, value: object, path: str) -> Delay:
    """`{hours: n}` or `{weekdays: n}` as a delay; `MISSING`, and a problem, if it is none."""
    unit, n = read_amount(problems, value, path, ("weekdays", "hours"))
    if unit is MISSING:
        missing: Delay = MISSING
        return missing
    make: Callable[[Any], Delay] = Hours if unit == "hours" else Weekdays
    delay: Delay = problems.attempt(child(path, unit), make, n)
    return delay


def delay_document(delay: Delay) -> dict[str, Any]:
    """A delay as documents write it."""
    return {delay.unit: delay.n}
