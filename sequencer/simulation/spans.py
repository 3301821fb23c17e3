"""How long something takes, as a value: a fixed time, any time between two, or a curve of shares.

A span is drawn from a number between 0 and 1, by arithmetic that gives the same on every machine. It is elapsed time,
or, with `desk=True`, time at a desk: then only hours in which the desk is staffed count.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput

__all__ = ["LONGEST", "UNITS", "Span"]

LONGEST = 366 * 86_400.0
"""The longest time that something may take, in seconds."""

UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
"""How many seconds a unit of elapsed time has, the longest first. At a desk there are no days."""

_FINEST_SHARE = 6
_Point = tuple[float, float]


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidInput(f"needs a number of {what}, got {value!r}", path="span", code="invalid_type")
    try:
        return float(value)
    except OverflowError:
        raise InvalidInput(f"has a number of {what} that is far too large", path="span", code="out_of_range") from None


def _to_points(value: Any) -> tuple[_Point, ...]:
    pairs = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    points = []
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InvalidInput(f"needs (share, seconds) pairs, got {pair!r}", path="span", code="invalid_type")
        share, seconds = _number(pair[0], "the share"), _number(pair[1], "seconds")
        if not 0 <= share <= 1:
            raise InvalidInput(f"needs shares from 0 to 1, got {share:g}", path="span", code="out_of_range")
        if not 0 <= seconds <= LONGEST:
            raise InvalidInput(f"must be from nothing to 366 days, got {seconds:g} s", path="span", code="out_of_range")
        points.append((round(share, _FINEST_SHARE), float(round(seconds))))
    if not points:
        raise InvalidInput("needs at least one point", path="span", code="missing")
    for (share, seconds), (next_share, next_seconds) in itertools.pairwise(points):
        if next_share <= share or next_seconds < seconds:
            raise InvalidInput(
                "needs points in order: of two the one with the greater share must take at least as long",
                path="span",
                code="out_of_order",
            )
    return tuple(points)


@attrs.frozen
class Span:
    """How long something takes; made by `fixed`, `between` or `quantiles`. Times are in seconds.

    `points` are (share, seconds): so many take at most so long, and between two points time is spread evenly. Before
    the first point all take as long as there, and after the last one, too. With `desk`, only staffed hours count.
    Shares are kept to six decimals, times to the second, so that a span can be written down exactly. Raises
    `InvalidInput` for what is none of this, or out of order, or longer than 366 days.
    """

    points: tuple[_Point, ...] = attrs.field(converter=_to_points)
    desk: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.desk, bool):
            raise InvalidInput(f"needs true or false, got {self.desk!r}", path="span.desk", code="invalid_type")

    @classmethod
    def fixed(
        cls, *, hours: float = 0, minutes: float = 0, days: float = 0, seconds: float = 0, desk: bool = False
    ) -> Span:
        """Always as long. At a desk, days are none: give the hours of one."""
        given = {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
        if desk and days:
            raise InvalidInput("a day at the desk has as many hours as the desk is staffed: give hours", path="span")
        total = sum(_number(each, unit) * UNITS[unit] for unit, each in given.items())
        return cls(((0.0, total),), desk=desk)

    @classmethod
    def between(cls, least: Span, most: Span) -> Span:
        """Any time between two fixed ones, each as likely."""
        return cls.quantiles({0: least, 100: most})

    @classmethod
    def quantiles(cls, points: Mapping[int, Span] | Mapping[float, Span]) -> Span:
        """`{0: Span.fixed(minutes=5), 50: Span.fixed(hours=4), 100: ...}`: half take at most 4 hours, and so on."""
        if not isinstance(points, Mapping) or not all(isinstance(each, Span) for each in points.values()):
            raise InvalidInput(f"needs spans by percent, got {points!r}", path="span", code="invalid_type")
        if any(len(each.points) != 1 for each in points.values()):
            raise InvalidInput("needs fixed times as its points", path="span", code="invalid_value")
        if len({each.desk for each in points.values()}) > 1:
            raise InvalidInput("needs points of one kind: all elapsed, or all at a desk", path="span", code="mixed")
        pairs = sorted((_number(percent, "percent") / 100, each.points[0][1]) for percent, each in points.items())
        return cls(pairs, desk=any(each.desk for each in points.values()))

    def drawn(self, chance: float) -> int:
        """The time that the share `chance` (from 0 to below 1) takes at most, in whole seconds."""
        points = self.points
        after = bisect_right(points, (chance, LONGEST + 1))
        if after == 0:
            return int(points[0][1])
        share, seconds = points[after - 1]
        if after == len(points):
            return int(seconds)
        next_share, next_seconds = points[after]
        # Nothing but the four operations, which every machine rounds alike.
        return int(seconds + (next_seconds - seconds) * ((chance - share) / (next_share - share)))

    def __str__(self) -> str:
        times = [self._said(seconds) for _, seconds in self.points]
        shares = [share for share, _ in self.points]
        if shares == [0]:
            return times[0] + (" of desk time" if self.desk else "")
        if shares == [0, 1]:
            return f"{times[0]} to {times[1]}{' of desk time' if self.desk else ''}"
        parts = [f"{_share_said(share)} within {time}" for share, time in zip(shares, times, strict=True) if share]
        if not shares[0]:
            parts.append(f"none before {times[0]}")
        return ", ".join(parts) + (" (desk time)" if self.desk else "")

    def _said(self, seconds: float) -> str:
        """A time in words, to the second; 48 hours are 2 days, and 90 minutes are 1 hour 30 minutes."""
        parts, left = [], int(seconds)
        for unit, length in UNITS.items():
            # How many hours a day at a desk has, is the desk's to say.
            if left >= length and not (self.desk and unit == "days"):
                n, left = divmod(left, length)
                parts.append(f"{n} {unit.removesuffix('s') if n == 1 else unit}")
        return " ".join(parts) or "no time"


def _share_said(share: float) -> str:
    return {0.5: "half", 1.0: "all"}.get(share, f"{share * 100:.6g} %")
