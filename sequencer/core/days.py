"""Sets of days, counted in closed form: the n-th working day after a date without walking there.

A date is its proleptic ordinal (`date.toordinal()`; ordinal 1 is a Monday). A set of days is a choice of weekdays
less a list of dates. `count(d)` is how many of its days lie in 1..d; `after(d, n)` is the n-th of them after d. The
listed dates are ranked once, so that both cost a bisection or two however many there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

__all__ = ["WEEKDAYS", "DaySet"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class DaySet:
    """The dates on `weekdays` (0 is Monday) that are not in `excluded` (ordinals)."""

    __slots__ = ("_before", "_excluded", "_per_week", "_positions", "_ranks", "excluded", "on", "weekdays")

    def __init__(self, weekdays: Iterable[int], excluded: Iterable[int]) -> None:
        self.weekdays = frozenset(weekdays)
        self.excluded = frozenset(excluded)
        # By `ordinal % 7`, so Sunday first: for whoever asks often and cannot afford a call.
        self.on = tuple((i - 1) % 7 in self.weekdays for i in range(7))
        days = sorted(self.weekdays)
        self._per_week = len(days)
        self._positions = days
        # How many of the chosen weekdays lie in a week up to and including each weekday.
        self._before = [sum(1 for day in days if day <= weekday) for weekday in range(7)]
        # Only exclusions on a chosen weekday take anything away.
        self._excluded = sorted(day for day in self.excluded if (day - 1) % 7 in self.weekdays)
        self._ranks = [self._count_weekdays(day) - i for i, day in enumerate(self._excluded)]

    def __contains__(self, ordinal: int) -> bool:
        return (ordinal - 1) % 7 in self.weekdays and ordinal not in self.excluded

    def _count_weekdays(self, ordinal: int) -> int:
        weeks, weekday = divmod(ordinal - 1, 7)
        return weeks * self._per_week + self._before[weekday]

    def count(self, ordinal: int) -> int:
        """How many of the days lie on or before this date."""
        weeks, weekday = divmod(ordinal - 1, 7)
        count = weeks * self._per_week + self._before[weekday]
        return count - bisect_right(self._excluded, ordinal) if self._excluded else count

    def after(self, ordinal: int, n: int) -> int:
        """The n-th of the days strictly after this date, n from 1."""
        # The n-th after a date is the (count up to it + n)-th of all; written out, as every estimate asks for it.
        weeks, weekday = divmod(ordinal - 1, 7)
        n += weeks * self._per_week + self._before[weekday]
        if self._excluded:
            n -= bisect_right(self._excluded, ordinal)
            # Of the chosen weekdays, the n-th that is left is the (n + exclusions ranked up to it)-th.
            n += bisect_right(self._ranks, n)
        weeks, rest = divmod(n - 1, self._per_week)
        return weeks * 7 + self._positions[rest] + 1

    def between(self, earlier: int, later: int) -> int:
        """How many of the days lie strictly after `earlier` and on or before `later`; never negative."""
        return max(0, self.count(later) - self.count(earlier))
