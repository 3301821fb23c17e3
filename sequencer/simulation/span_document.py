"""Spans as a scenario's file writes them: read by one function, written by one.

`{seconds: 90}`, `{minutes: 5}`, `{hours: 4}`, `{days: 2}`; `{desk_minutes: 20}`, `{desk_hours: 3}`;
`{between: [{hours: 1}, {hours: 5}]}`; `{quantiles: {0: {minutes: 5}, 50: {hours: 4}, 100: {days: 4}}}`, by percent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sequencer.core.errors import InvalidInput
from sequencer.core.problems import MISSING, child, item, nearest, shown
from sequencer.simulation.notation import Pair, Reading
from sequencer.simulation.spans import UNITS, Span

__all__ = ["SPAN", "read_span", "span_document"]

_UNITS = {"minutes": False, "hours": False, "days": False, "seconds": False, "desk_hours": True, "desk_minutes": True}
_SHAPES = ("between", "quantiles")
_PERCENT = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,4})?")
_FINEST_PERCENT = 4


def read_span(reading: Reading, value: Any, path: str) -> Any:
    """The span that is written there; `MISSING`, and a problem, if it is none."""
    given = _only_key(reading, value, path, (*_UNITS, *_SHAPES))
    if given is MISSING:
        return MISSING
    if given == "between":
        return _read_between(reading, value[given], child(path, given))
    if given == "quantiles":
        return _read_quantiles(reading, value[given], child(path, given))
    return _read_fixed(reading, value, path)


def _only_key(reading: Reading, value: Any, path: str, known: Iterable[str]) -> Any:
    known = list(known)
    if not isinstance(value, dict):
        reading.add("invalid_type", f"needs a time like {{hours: 4}}, got {shown(value)}", path)
        return MISSING
    strangers = [key for key in value if key not in known]
    for key in strangers:
        reading.add("unknown_key", f"is not a key here; {nearest(key, known)}", child(path, key))
    if len(value) != 1:
        reading.add("invalid_value", f"needs exactly one of {', '.join(known)}", path)
    return MISSING if strangers or len(value) != 1 else next(iter(value))


def _read_fixed(reading: Reading, value: Any, path: str) -> Any:
    unit = _only_key(reading, value, path, _UNITS)
    if unit is MISSING:
        return MISSING
    return reading.attempt(child(path, unit), _fixed, unit, value[unit])


def _fixed(unit: str, n: Any) -> Span:
    if isinstance(n, bool) or not isinstance(n, (int, float)):
        raise InvalidInput(f"needs a number, got {shown(n)}", code="invalid_type")
    return Span.fixed(desk=_UNITS[unit], **{unit.removeprefix("desk_"): n})


def _read_between(reading: Reading, value: Any, path: str) -> Any:
    given = reading.listing(value, path)
    if given is MISSING:
        return MISSING
    points = [_read_fixed(reading, each, item(path, i)) for i, each in enumerate(given)]
    if len(points) != 2:
        reading.add("invalid_length", f"needs the shortest and the longest time, got {len(points)}", path)
    if len(points) != 2 or any(each is MISSING for each in points):
        return MISSING
    return _joined(
        reading,
        {percent: (point, item(path, i)) for i, (percent, point) in enumerate(zip((0, 100), points, strict=True))},
    )


def _read_quantiles(reading: Reading, value: Any, path: str) -> Any:
    given = reading.mapping(value, path, None)
    if given is MISSING:
        return MISSING
    before = len(reading.found)
    if not given:
        reading.add("missing", "needs at least one point, like {50: {hours: 4}}", path)
    points: dict[float, tuple[Span, str]] = {}
    for key, each in given.items():
        place = child(path, key)
        point = _read_fixed(reading, each, place)
        if not _PERCENT.fullmatch(str(key)) or float(key) > 100:
            message = f"needs percent from 0 to 100, with at most four decimals, got {shown(key)}"
            reading.add("invalid_key", message, place)
        elif float(key) in points:
            reading.add("duplicate_key", f"{key} % is there already: remove one", place)
        else:
            points[float(key)] = (point, place)
    return MISSING if len(reading.found) > before else _joined(reading, points)


def _joined(reading: Reading, points: dict[float, tuple[Span, str]]) -> Any:
    """The span through points that are sound by themselves; a problem stands at the later of two that disagree."""
    before = len(reading.found)
    (_, (first, _)), *others = sorted(points.items())
    last = first
    for _, (point, place) in others:
        if point.desk is not first.desk:
            message = "all points of a span are elapsed time, or all are time at the desk"
            reading.add("mixed", message, place)
        elif point.points[0][1] < last.points[0][1]:
            reading.add("out_of_order", f"is shorter than the point before it ({last})", place)
        last = point
    if len(reading.found) > before:
        return MISSING
    return Span.quantiles({percent: point for percent, (point, _) in points.items()})


def span_document(span: Span) -> dict[str, Any]:
    """A span as files write it; `read_span` gives the same span again."""
    times = [_time_document(seconds, desk=span.desk) for _, seconds in span.points]
    shares = [share for share, _ in span.points]
    if shares == [0]:
        return times[0]
    if shares == [0, 1]:
        return {"between": times}
    return {"quantiles": {_percent(share): time for share, time in zip(shares, times, strict=True)}}


def _percent(share: float) -> str:
    return f"{round(share * 100, _FINEST_PERCENT):.4f}".rstrip("0").rstrip(".")


def _time_document(seconds: float, *, desk: bool) -> dict[str, Any]:
    whole = int(seconds)
    if desk:
        # Tenths of an hour are read more easily than minutes, and are as exact.
        if whole % 360 == 0:
            return {"desk_hours": _short(whole / 3600)}
        return {"desk_minutes": _short(whole / 60)}
    for unit in ("days", "hours", "minutes"):
        if whole and whole % UNITS[unit] == 0:
            return {unit: whole // UNITS[unit]}
    return {"seconds": whole}


def _short(n: float) -> float:
    return int(n) if n.is_integer() else n


SPAN = Pair(read_span, span_document)
