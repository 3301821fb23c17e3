"""Where the clocks of a zone change: read off the zone that the core itself reads, in whole microseconds.

Instants are microseconds since 1970 in UTC; a wall reading is what a clock shows, in the same unit since 1970-01-01
00:00 on that clock; dates are days since 1970-01-01.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from typing import Any

from sequencer.core.calendar import Calendar
from sequencer.core.instants import from_microseconds

__all__ = ["DAY", "SECOND", "ClockChanges"]

SECOND = 1_000_000
DAY = 86_400 * SECOND
# No zone changes its clocks twice within six days, on which the core relies, too: a change shows at its stride's ends.
_STRIDE = 4 * DAY
_MICROSECOND = timedelta(microseconds=1)


class ClockChanges:
    """The changes of a zone's clocks from one instant on, as far as `reach` was told, and the offsets between them.

    `offsets[i]` holds before `instants[i]`, and the last one after all of them.
    """

    def __init__(self, calendar: Calendar, first: int) -> None:
        self._calendar = calendar
        self._reached = first - first % _STRIDE - _STRIDE
        self.instants: list[int] = []
        self.offsets = [self._offset(self._reached)]

    def _offset(self, instant: int) -> int:
        # Any: by its type, the offset of a zone could be None.
        offset: Any = self._calendar.local(from_microseconds(instant)).utcoffset()
        return int(offset // _MICROSECOND)

    def reach(self, instant: int) -> None:
        """Know all changes up to an instant."""
        while self._reached <= instant:
            ahead = self._reached + _STRIDE
            offset = self._offset(ahead)
            if offset != self.offsets[-1]:
                self.instants.append(self._change(self._reached, ahead))
                self.offsets.append(offset)
            self._reached = ahead

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

    def offset_at(self, instant: int) -> int:
        """How far the zone's clock is ahead of UTC at an instant that is within reach."""
        return self.offsets[bisect_right(self.instants, instant)]

    def between(self, first: int, last: int) -> list[int]:
        """The changes after `first` and not after `last`."""
        return self.instants[bisect_right(self.instants, first) : bisect_right(self.instants, last)]

    def goes_like(self, other: ClockChanges) -> bool:
        """Whether it shows the same as another one that begins where it does, as far as that one was told to reach."""
        if self.offsets[0] != other.offsets[0]:
            return False
        self.reach(other._reached - 1)
        known = len(other.instants)
        if self.instants[:known] != other.instants or self.offsets[: known + 1] != other.offsets:
            return False
        return len(self.instants) == known or self.instants[known] > other._reached

    def marks(self) -> list[int]:
        """The times of day at which a wall reading may begin to be resolved otherwise, some day (T4).

        They are where a gap or a repeated time begins and ends, and what a gap takes to midnight.
        """
        found = set()
        for change, before, after in zip(self.instants, self.offsets, self.offsets[1:], strict=False):
            found |= {(change + before) % DAY, (change + after) % DAY, (before - after) % DAY}
        return sorted(found)
