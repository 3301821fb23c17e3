"""How long something takes, as a value: a fixed time, any time between two, or a curve of shares.

A span is drawn from a number between 0 and 1, by arithmetic that gives the same on every machine. It is elapsed time,
or, with `desk=True`, time at a desk: then only hours in which the desk is staffed count.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput

__all__ = ["LONGEST", "Span"]

LONGEST = 366 * 86_400.0
"""The longest time that something may take, in seconds."""

_Point = tuple[float, float]


def _to_points(value: Any) -> tuple[_Point, ...]:
    try:
        points = tuple((float(share), float(seconds)) for share, seconds in value)
    except (TypeError, ValueError):
        raise InvalidInput(f"needs (share, seconds) pairs, got {value!r}", path="span", code="invalid_type") from None
    if not points:
        raise InvalidInput("needs at least one point", path="span", code="missing")
    for share, seconds in points:
        if not 0 <= share <= 1:
            raise InvalidInput(f"needs shares from 0 to 1, got {share:g}", path="span", code="out_of_range")
        if not 0 <= seconds <= LONGEST:
            raise InvalidInput(f"must be from nothing to 366 days, got {seconds:g} s", path="span", code="out_of_range")
    for (share, seconds), (next_share, next_seconds) in itertools.pairwise(points):
        if next_share <= share or next_seconds < seconds:
            raise InvalidInput(
                "needs points in order: of two the one with the greater share must take at least as long",
                path="span",
                code="out_of_order",
            )
    return points


@attrs.frozen
class Span:
    """How long something takes; made by `fixed`, `between` or `quantiles`. Times are in seconds.

    `points` are (share, seconds): so many take at most so long, and between two points time is spread evenly. Before
    the first point all take as long as there, and after the last one, too. With `desk`, only staffed hours count.
    """

    points: tuple[_Point, ...] = attrs.field(converter=_to_points)
    desk: bool = attrs.field(default=False, kw_only=True)

    @classmethod
    def fixed(cls, *, hours: float = 0, minutes: float = 0, days: float = 0, desk: bool = False) -> Span:
        """Always as long. At a desk, days are none: give the hours of one."""
        if desk and days:
            raise InvalidInput("a day at the desk has as many hours as the desk is staffed: give hours", path="span")
        return cls(((0.0, days * 86_400.0 + hours * 3600.0 + minutes * 60.0),), desk=desk)

    @classmethod
    def between(cls, least: Span, most: Span) -> Span:
        """Any time between two fixed ones, each as likely."""
        return cls.quantiles({0: least, 100: most})

    @classmethod
    def quantiles(cls, points: Mapping[int, Span] | Mapping[float, Span]) -> Span:
        """`{0: Span.fixed(minutes=5), 50: Span.fixed(hours=4), 100: ...}`: half take at most 4 hours, and so on."""
        if any(len(each.points) != 1 for each in points.values()):
            raise InvalidInput("needs fixed times as its points", path="span", code="invalid_value")
        if len({each.desk for each in points.values()}) > 1:
            raise InvalidInput("needs points of one kind: all elapsed, or all at a desk", path="span", code="mixed")
        pairs = [(float(percent) / 100, each.points[0][1]) for percent, each in sorted(points.items())]
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
        kind = " at the desk" if self.desk else ""
        least, most = self._said(self.points[0][1]), self._said(self.points[-1][1])
        if len(self.points) == 1:
            return f"{least}{kind}"
        if self.points[0][0] == 0 and self.points[1][0] == 1:
            return f"{least} to {most}{kind}"
        return ", ".join(f"{share * 100:g} % within {self._said(n)}" for share, n in self.points if share) + kind

    def _said(self, seconds: float) -> str:
        # How many hours a day at a desk has, is the desk's to say.
        for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
            if seconds >= unit and not (self.desk and name == "day"):
                return f"{seconds / unit:.4g} {name}{'' if seconds == unit else 's'}"
        return f"{seconds:g} seconds"
