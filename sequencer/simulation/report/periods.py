"""The days of an answer on an axis: each by itself, or in weeks or months where there are very many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import attrs

from sequencer.simulation.report.figures import day, month

__all__ = ["Axis", "Mark"]

# So many columns can be told apart on a phone.
MOST_DAYS = 120
MOST_WEEKS = 160
MOST_MARKS = 10
LEAST_APART = 0.085


@attrs.frozen
class Mark:
    """A mark on the axis: after how many periods, what stands there, and whether it can be left out."""

    at: float
    text: str
    minor: bool


@attrs.frozen
class Axis:
    """From the first day to the last, in periods of a `unit`: day, week or month."""

    first: date
    last: date
    unit: str

    @classmethod
    def of(cls, first: date, last: date) -> Axis:
        """As fine as can be shown."""
        days = (last - first).days + 1
        unit = "day" if days <= MOST_DAYS else "week" if days <= MOST_WEEKS * 7 else "month"
        return cls(first, last, unit)

    @property
    def count(self) -> int:
        """How many periods there are."""
        return self.place(self.last) + 1

    @property
    def days(self) -> int:
        """How many days there are."""
        return (self.last - self.first).days + 1

    @property
    def years(self) -> bool:
        """Whether a date needs its year."""
        return self.first.year != self.last.year

    def place(self, each: date) -> int:
        """In which period a day lies."""
        if self.unit == "day":
            return (each - self.first).days
        if self.unit == "week":
            return (each - _monday(self.first)).days // 7
        return (each.year - self.first.year) * 12 + each.month - self.first.month

    def start(self, place: int) -> date:
        """The first day of a period."""
        if self.unit == "day":
            return self.first + timedelta(days=place)
        if self.unit == "week":
            return _monday(self.first) + timedelta(days=7 * place)
        months = self.first.year * 12 + self.first.month - 1 + place
        return date(months // 12, months % 12 + 1, 1)

    def said(self, place: int) -> str:
        """A period in words."""
        start = self.start(place)
        if self.unit == "day":
            return day(start, year=self.years)
        if self.unit == "week":
            return f"the week from {day(start, year=self.years)}"
        return f"{month(start)} {start.year}" if start.month > 1 else month(start)

    def sums(self, numbers: Iterable[tuple[date, float]]) -> list[float]:
        """Numbers of days, added up by period. What lies outside of the axis is left out."""
        found = [0.0] * self.count
        for each, value in numbers:
            place = self.place(each)
            if 0 <= place < len(found):
                found[place] += value
        return found

    def weekends(self) -> list[int]:
        """Which days are Saturdays and Sundays; none where days are not shown."""
        if self.unit != "day":
            return []
        return [place for place in range(self.count) if self.start(place).weekday() >= 5]

    def marks(self) -> list[Mark]:
        """Marks at round dates: days of a short span, Mondays, firsts of a month; about ten at the most."""
        if self.unit == "day" and self.count <= 7:
            return self._thinned(list(range(self.count)), day)
        if self.unit == "day":
            mondays = [place for place in range(self.count) if self.start(place).weekday() == 0]
            return self._thinned(mondays, lambda each: day(each, week=False))
        firsts = [
            place for place in range(self.count) if place == 0 or self.start(place).month != self.start(place - 1).month
        ]
        return self._thinned(firsts if self.unit == "week" else list(range(self.count)), self._month)

    def _month(self, each: date) -> str:
        # A week belongs to the month that it begins in.
        return f"{month(each)} {each.year}" if each == self.start(0) and each.month > 1 else month(each)

    def _thinned(self, places: list[int], said: Callable[[date], str]) -> list[Mark]:
        step = -(-len(places) // MOST_MARKS) if places else 1
        kept: list[int] = []
        for place in places[::step]:
            # A text needs room after it, also of a month of which only the last days are there.
            far = not kept or place - kept[-1] >= LEAST_APART * self.count
            if far and (place < 0.9 * self.count or self.count <= 7):
                kept.append(place)
        return [Mark(place, said(self.start(place)), minor=at % 2 == 1) for at, place in enumerate(kept)]


def _monday(each: date) -> date:
    return each - timedelta(days=each.weekday())
