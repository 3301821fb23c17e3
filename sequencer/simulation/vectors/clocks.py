"""The changes of a zone's clocks as arrays of int64; units are those of `clock_changes`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sequencer.core.calendar import Calendar
from sequencer.simulation.clock_changes import DAY, SECOND, ClockChanges

__all__ = ["DAY", "SECOND", "Instants", "ZoneClock"]

Instants = NDArray[np.int64]


class ZoneClock(ClockChanges):
    """The changes of a zone's clocks, with questions about many instants at once."""

    def __init__(self, calendar: Calendar, first: int) -> None:
        super().__init__(calendar, first)
        self._freeze()

    def _freeze(self) -> None:
        self.changes = np.array(self.instants, dtype=np.int64)
        self.offsets_between = np.array(self.offsets, dtype=np.int64)

    def reach(self, instant: int) -> None:
        """Know all changes up to an instant."""
        super().reach(instant)
        if len(self.instants) > len(self.changes):
            self._freeze()

    def offsets_at(self, instants: Instants) -> Instants:
        """How far the zone's clock is ahead of UTC at each instant."""
        return self.offsets_between[np.searchsorted(self.changes, instants, "right")]

    def changes_between(self, first: Instants, last: Instants) -> NDArray[np.bool_]:
        """Whether the clocks change from each first instant to the last one beside it."""
        return np.searchsorted(self.changes, last, "right") > np.searchsorted(self.changes, first, "left")

    def stretches(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """The stretches of one offset (from, to, offset) that make up `first` to `last`; `to` is in none of them."""
        low, high = np.searchsorted(self.changes, (first, last), "right").tolist()
        edges = [first, *self.instants[low:high], last + 1]
        for i, offset in enumerate(self.offsets[low : high + 1]):
            yield edges[i], edges[i + 1], offset
