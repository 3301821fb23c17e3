"""Instants: aware points in time, compared, sorted, hashed and stored in UTC only.

A pendulum value in another zone compares wrongly on the night the clocks go back, and loses its fold when it is
pickled; in UTC neither can happen. So every instant is turned into UTC at the door, once, here.
"""

from __future__ import annotations

import datetime as dt
import re
from datetime import date, datetime, timedelta

import pendulum
from pendulum import UTC, DateTime

from sequencer.core.errors import InvalidInput

__all__ = ["EPOCH", "FIRST", "LAST", "from_microseconds", "to_instant", "to_iso", "to_microseconds", "to_zone"]

EPOCH = DateTime(1970, 1, 1, tzinfo=UTC)
FIRST = EPOCH
LAST = DateTime(9000, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MICROSECOND = timedelta(microseconds=1)
# pendulum's own arithmetic goes through Python code (ten microseconds); the base class's is the same on UTC values.
_add = datetime.__add__
_subtract = datetime.__sub__


def to_instant(value: datetime, path: str = "at") -> DateTime:
    """Any aware datetime as a pendulum value in UTC.

    Raises `InvalidInput` for a naive datetime, for what is no datetime, and outside of the years 1970 to 9000 (T11).
    """
    if not isinstance(value, datetime):
        raise InvalidInput(f"needs an aware datetime, got {value!r}", path=path, code="not_an_instant")
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidInput(
            f"{value!r} has no time zone; pass an aware datetime (pendulum.datetime(..., tz='Europe/Warsaw'))",
            path=path,
            code="naive_datetime",
        )
    if value.tzinfo is not UTC or type(value) is not DateTime:
        try:
            plain = datetime(
                value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond,
                tzinfo=value.tzinfo, fold=value.fold,
            ).astimezone(dt.UTC)  # fmt: skip
        except (OverflowError, ValueError):
            raise _out_of_range(value, path) from None
        value = DateTime(
            plain.year, plain.month, plain.day, plain.hour, plain.minute, plain.second, plain.microsecond, tzinfo=UTC
        )
    if not FIRST <= value <= LAST:
        raise _out_of_range(value, path)
    return value


def _out_of_range(value: object, path: str) -> InvalidInput:
    return InvalidInput(f"{value} lies outside of the years 1970 to 9000", path=path, code="out_of_range")


def to_microseconds(instant: DateTime) -> int:
    """The stored form of an instant: whole microseconds since 1970 in UTC."""
    return _subtract(instant, EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> DateTime:
    """The instant of a stored form."""
    return _add(EPOCH, timedelta(microseconds=microseconds))


def later_by(instant: DateTime, span: timedelta) -> DateTime:
    """`instant + span` in elapsed time. Raises `InvalidInput` beyond the year 9000 (T11)."""
    try:
        result: DateTime = _add(instant, span)
    except OverflowError:
        raise _out_of_range(f"{instant} + {span}", "") from None
    if result > LAST:
        raise _out_of_range(result, "")
    return result


def between(earlier: DateTime, later: DateTime) -> timedelta:
    """The elapsed time between two instants, as a plain timedelta."""
    return _subtract(later, earlier)


def to_iso(instant: DateTime) -> str:
    """ISO 8601 in UTC with `Z`; whole seconds without a fraction."""
    text = datetime.isoformat(instant)[:-6]
    return text + "Z"


def to_zone(instant: DateTime, timezone_name: str) -> DateTime:
    """The instant on the clock of a zone, for showing it to people; compare and store it in UTC instead."""
    return instant.in_timezone(pendulum.timezone(timezone_name))


def to_local_iso(instant: DateTime, timezone_name: str) -> str:
    """ISO 8601 with the zone's offset at that instant, for showing it to people."""
    return datetime.isoformat(to_zone(instant, timezone_name))


def to_date(value: date | str, path: str = "date") -> date:
    """A plain date. Raises `InvalidInput` for what is none; a datetime is none, since its zone would be lost."""
    if isinstance(value, datetime) or not isinstance(value, (date, str)):
        given = "nothing" if value is None else repr(value)
        raise InvalidInput(f"needs a date, got {given}", path=path, code="not_a_date")
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    try:
        if not _DATE.fullmatch(value):  # `fromisoformat` also takes weeks, and dates without hyphens
            raise ValueError(value)
        return date.fromisoformat(value)
    except ValueError:
        raise InvalidInput(f"needs a date like 2026-12-25, got {value!r}", path=path, code="not_a_date") from None
