"""What is given: starts and zones in the shapes in which a host has them, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequencer.core.calendar import Calendar
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import FIRST, LAST, to_instant, to_microseconds
from sequencer.simulation.vectors.clocks import Instants

__all__ = ["to_calendars", "to_instants"]

_FIRST, _LAST = to_microseconds(FIRST), to_microseconds(LAST)


def to_instants(starts: Any) -> Instants:
    """Starts as microseconds since 1970 in UTC. Raises `InvalidInput`, with the row, for what is no instant (T11)."""
    if isinstance(starts, np.ndarray) and starts.dtype.kind != "O":
        return _of_array(starts)
    if isinstance(starts, str) or not isinstance(starts, Iterable):
        raise InvalidInput(f"needs instants, got {starts!r}", path="starts", code="invalid_type")
    return np.array([to_microseconds(to_instant(at, f"starts[{row}]")) for row, at in enumerate(starts)], np.int64)


def _of_array(starts: NDArray[Any]) -> Instants:
    if starts.ndim != 1:
        raise InvalidInput(f"needs one dimension, got {starts.ndim}", path="starts", code="invalid_type")
    if starts.dtype.kind == "M":
        exact: NDArray[Any] = starts.astype("datetime64[us]")
    elif starts.dtype.kind in "iu":
        exact = starts.astype(np.int64)
    else:
        raise InvalidInput(
            f"needs microseconds since 1970 (int64), datetime64 or aware datetimes, got {starts.dtype}",
            path="starts",
            code="invalid_type",
        )
    # What is no whole microsecond, no time at all, or too great for the type differs when it is taken back.
    _refuse(exact.astype(starts.dtype) != starts, starts, "is no instant in whole microseconds", "not_an_instant")
    instants = exact.view(np.int64)
    outside = (instants < _FIRST) | (instants > _LAST)
    _refuse(outside, starts, "lies outside of the years 1970 to 9000", "out_of_range")
    return instants


def _refuse(wrong: NDArray[np.bool_], starts: NDArray[Any], why: str, code: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidInput(f"{starts[row]} {why}", path=f"starts[{row}]", code=code)


def to_calendars(calendar: Calendar, timezones: Any, rows: int) -> tuple[Instants | None, list[Calendar]]:
    """The calendars that occur, and which of them each row has; None: all have the first."""
    if timezones is None or isinstance(timezones, str):
        return None, [_in_zone(calendar, timezones, "timezones")]
    if isinstance(timezones, tuple) and len(timezones) == 2 and isinstance(timezones[0], np.ndarray):
        codes, names = timezones
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise InvalidInput("needs whole numbers, one a row", path="timezones[0]", code="invalid_type")
        calendars = [_in_zone(calendar, name, f"timezones[1][{i}]") for i, name in enumerate(names)]
        wrong = (codes < 0) | (codes >= len(calendars))
        if wrong.any():
            row = int(wrong.argmax())
            raise InvalidInput(
                f"there is no zone {codes[row]} among {len(calendars)}",
                path=f"timezones[0][{row}]",
                code="out_of_range",
            )
        codes = codes.astype(np.int64)
    elif isinstance(timezones, Iterable):
        codes, calendars = _coded(calendar, timezones)
    else:
        raise InvalidInput(f"needs zone names, got {timezones!r}", path="timezones", code="invalid_type")
    if len(codes) != rows:
        raise InvalidInput(f"needs one for each of {rows} starts, got {len(codes)}", path="timezones", code="mismatch")
    return codes, calendars


def _coded(calendar: Calendar, timezones: Iterable[Any]) -> tuple[Instants, list[Calendar]]:
    known: dict[Any, int] = {}
    calendars: list[Calendar] = []
    codes = []
    for row, name in enumerate(timezones.tolist() if isinstance(timezones, np.ndarray) else timezones):
        try:
            code = known.get(name)
        except TypeError:
            raise InvalidInput(
                f"needs a zone name, got {name!r}", path=f"timezones[{row}]", code="unknown_timezone"
            ) from None
        if code is None:
            code = known[name] = len(calendars)
            calendars.append(_in_zone(calendar, name, f"timezones[{row}]"))
        codes.append(code)
    return np.array(codes, np.int64), calendars


def _in_zone(calendar: Calendar, name: Any, path: str) -> Calendar:
    if name is None:
        return calendar
    try:
        return calendar.in_zone(name)
    except InvalidInput as error:
        raise InvalidInput(error.message, path=path, code=error.code) from None
