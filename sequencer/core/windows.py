"""Send windows: spans of local clock time on some weekdays (law T5), and how weekdays and clock times are read."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import attrs

from sequencer.core.days import WEEKDAYS
from sequencer.core.errors import InvalidInput

__all__ = ["Spans", "Window", "clock_of", "clock_text", "merged", "to_weekdays"]

Spans: TypeAlias = tuple[tuple[timedelta, timedelta], ...]
"""The windows of a day, each from and to, since midnight on the local clock."""

_CLOCK = re.compile(r"(?P<minutes>(?P<hour>[0-9]{2}):[0-5][0-9])(:(?P<second>[0-5][0-9]))?")


def to_weekdays(value: Any, path: str) -> tuple[str, ...]:
    """Names of weekdays, each once, in the order of the week. Raises `InvalidInput` for anything else."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidInput(f"needs a list of {', '.join(WEEKDAYS)}, got {value!r}", path=path, code="invalid_weekday")
    names = list(value)
    for name in names:
        if not isinstance(name, str) or name not in WEEKDAYS:
            raise InvalidInput(f"{name!r} is no weekday; use {', '.join(WEEKDAYS)}", path=path, code="invalid_weekday")
    if len(set(names)) != len(names):
        raise InvalidInput("names a weekday twice", path=path, code="duplicate_weekday")
    return tuple(name for name in WEEKDAYS if name in names)


def _to_clock(value: Any, path: str, *, end: bool) -> str:
    """A clock time as text, `HH:MM` or `HH:MM:SS`; the end of a window may be 24:00."""
    text = value.isoformat() if isinstance(value, dt.time) else value
    # By its shape, since `time.fromisoformat` also takes offsets, fractions and times without colons.
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found is None or not (found["hour"] < "24" or (end and text in ("24:00", "24:00:00"))):
        raise InvalidInput(f'needs a time like "09:00", got {value!r}', path=path, code="invalid_time")
    return found["minutes"] if found["second"] in (None, "00") else text


def _since_midnight(clock: str) -> timedelta:
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def _to_days(value: Any) -> tuple[str, ...]:
    return to_weekdays(value, "days")


def _to_opening(value: Any) -> str:
    return _to_clock(value, "opens", end=False)


def _to_closing(value: Any) -> str:
    return _to_clock(value, "closes", end=True)


@attrs.frozen
class Window:
    """A span of local clock time on some weekdays, in which mail may leave: `opens <= time < closes` (T5).

    `opens` and `closes` are text like "09:00" or `datetime.time`; `closes` may be "24:00". A window does not cross
    midnight: make it two.
    """

    days: tuple[str, ...] = attrs.field(converter=_to_days)
    opens: str = attrs.field(converter=_to_opening)
    closes: str = attrs.field(converter=_to_closing)

    def __attrs_post_init__(self) -> None:
        if not self.days:
            raise InvalidInput("needs at least one day", path="days", code="empty_window")
        if _since_midnight(self.opens) >= _since_midnight(self.closes):
            raise InvalidInput(
                f"must be later than opens ({self.opens}), got {self.closes}; a window that crosses midnight is two",
                path="closes",
                code="empty_window",
            )


def clock_of(local: datetime) -> timedelta:
    """The clock time of a local moment, since midnight."""
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def clock_text(clock: timedelta) -> str:
    """A clock time as `HH:MM`, with its seconds where it has some."""
    minutes, seconds = divmod(clock // timedelta(seconds=1), 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def merged(windows: Iterable[Window]) -> dict[int, Spans]:
    """For each weekday that has any, its windows in order, overlapping and touching ones joined."""
    by_day: dict[int, list[tuple[timedelta, timedelta]]] = {}
    for window in windows:
        for name in window.days:
            span = (_since_midnight(window.opens), _since_midnight(window.closes))
            by_day.setdefault(WEEKDAYS.index(name), []).append(span)
    merged = {}
    for day, spans in by_day.items():
        joined: list[tuple[timedelta, timedelta]] = []
        for opens, closes in sorted(spans):
            if joined and opens <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
            else:
                joined.append((opens, closes))
        merged[day] = tuple(joined)
    return merged
