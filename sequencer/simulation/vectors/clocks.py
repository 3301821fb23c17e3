"""Where the clocks of a zone change, as arrays: read off the zone that the core itself reads.

Instants are int64, in microseconds since 1970 in UTC; a wall reading is what a clock shows, in the same unit since
1970-01-01 00:00 on that clock; dates are days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sequencer.core.calendar import Calendar
from sequencer.core.instants import from_microseconds

__all__ = ["DAY", "Instants", "ZoneClock"]

Instants = NDArray[np.int64]

SECOND = 1_000_000
DAY = 86_400 * SECOND
# No zone changes its clocks twice within a week, on which the core relies, too: so a change shows at its stride's ends.
_STRIDE = 4 * DAY
_MICROSECOND = timedelta(microseconds=1)


class ZoneClock:
    """The changes of a zone's clocks from one instant on, as far as `reach` was told, and the offsets between them.

    `offsets[i]` holds before `changes[i]`, and the last one after all of them.
    """

    def __init__(self, calendar: Calendar, first: int) -> None:
        self._calendar = calendar
        self._reached = first - first % _STRIDE - _STRIDE
        self._changes: list[int] = []
        self._offsets = [self._offset(self._reached)]
        self._freeze()

    def _offset(self, instant: int) -> int:
        # Any: by its type, the offset of a zone could be None.
        offset: Any = self._calendar.local(from_microseconds(instant)).utcoffset()
        return int(offset // _MICROSECOND)

    def _freeze(self) -> None:
        self.changes = np.array(self._changes, dtype=np.int64)
        self.offsets = np.array(self._offsets, dtype=np.int64)

    def reach(self, instant: int) -> None:
        """Know all changes up to an instant."""
        while self._reached <= instant:
            ahead = self._reached + _STRIDE
            offset = self._offset(ahead)
            if offset != self._offsets[-1]:
                self._changes.append(self._change(self._reached, ahead))
                self._offsets.append(offset)
            self._reached = ahead
        if len(self._changes) > len(self.changes):
            self._freeze()

    def goes_like(self, other: ZoneClock) -> bool:
        """Whether it shows the same as another one that begins where it does, as far as that one was told to reach."""
        if self._offsets[0] != other._offsets[0]:
            return False
        self.reach(other._reached - 1)
        known = len(other._changes)
        if self._changes[:known] != other._changes or self._offsets[: known + 1] != other._offsets:
            return False
        return len(self._changes) == known or self._changes[known] > other._reached

    def _change(self, before: int, after: int) -> int:
        """The second of the one change between two instants, by halving."""
        offset = self._offset(before)
        while after - before > SECOND:
            middle = (before + after) // (2 * SECOND) * SECOND
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def offsets_at(self, instants: Instants) -> Instants:
        """How far the zone's clock is ahead of UTC at each instant."""
        return self.offsets[np.searchsorted(self.changes, instants, "right")]

    def changes_between(self, first: Instants, last: Instants) -> NDArray[np.bool_]:
        """Whether the clocks change from each first instant to the last one beside it."""
        return np.searchsorted(self.changes, last, "right") > np.searchsorted(self.changes, first, "left")

    def stretches(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """The stretches of one offset (from, to, offset) that make up `first` to `last`; `to` is in none of them."""
        low, high = np.searchsorted(self.changes, (first, last), "right").tolist()
        edges = [first, *self._changes[low:high], last + 1]
        for i, offset in enumerate(self._offsets[low : high + 1]):
            yield edges[i], edges[i + 1], offset

    def marks(self) -> Instants:
        """The times of day at which a wall reading may begin to be resolved otherwise, some day (T4).

        They are where a gap or a repeated time begins and ends, and what a gap takes to midnight.
        """
        before, after = self.offsets[:-1], self.offsets[1:]
        return np.unique(np.concatenate([self.changes + before, self.changes + after, before - after]) % DAY)
