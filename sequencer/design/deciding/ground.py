"""The ground that timelines lie on: a calendar on one zone's clock, in whole microseconds, and where its answers turn.

As functions of an instant, "so many working days later" and "the next open moment" go in straight pieces: on each, all
instants move by the same span, or all of them wait for the same opening. `Ground` asks the core for the answers, and
says at which instants a piece may end: more of them than there are do no harm, so it names all at which the local date
begins, a window opens or closes, the clocks change, or a clock time may begin to be resolved otherwise (T4).

Instants are microseconds since 1970 in UTC; a wall reading is what the zone's clock shows, in the same unit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.delays import Delay, Hours
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.simulation.clock_changes import DAY, SECOND, ClockChanges

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Edges", "Ground", "clock_reading", "day_number"]

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# How far from a date a change of its own clocks can be, in any zone; and how far a day that is lost to a gap leads on.
_NEAR = 3 * DAY
_FAR = 10 * DAY
_MOST_REMEMBERED = 1 << 14


def day_number(day: date) -> int:
    """A date as days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def clock_reading(text: str) -> int:
    """A clock time like `09:00` as microseconds since midnight."""
    hours, minutes, *seconds = (int(part) for part in text.split(":"))
    return hours * HOUR + minutes * MINUTE + (seconds[0] if seconds else 0) * SECOND


@attrs.frozen(eq=False)
class Edges:
    """Instants at which something may turn, found a day at a time: `between(first, last)` has all that lie inside."""

    on: Callable[[int], Iterable[int]]
    """Those of a local date, in any order."""
    _known: dict[int, list[int]] = attrs.field(factory=dict, init=False)

    def between(self, first: int, last: int) -> list[int]:
        """Those after `first` and before `last`, in order."""
        found: list[int] = []
        for day in range(first // DAY, (last - 1) // DAY + 1):
            known = self._known.get(day)
            if known is None:
                # A local day lies on two or three days of UTC.
                around = {at for local in (day - 1, day, day + 1) for at in self.on(local) if at // DAY == day}
                known = self._known[day] = sorted(around)
            found += known
        low, high = bisect_left(found, first + 1), bisect_left(found, last)
        return found[low:high]


class Ground:
    """A calendar on the clock of one zone, from an instant on. Its answers are the core's, remembered."""

    def __init__(self, calendar: Calendar, first: int) -> None:
        self.calendar = calendar
        self.clock = ClockChanges(calendar, first - _FAR)
        self.clock.reach(first + _FAR)
        self._reached = first + _FAR
        self._moves: dict[object, Callable[[int], int]] = {}
        self._edges: dict[object, Edges] = {}
        # By days since 1970 modulo 7, of which the first was a Thursday: when a window opens or closes.
        self._windows = [
            [
                clock_reading(time)
                for window in calendar.send_windows
                if WEEKDAYS[(day + 3) % 7] in window.days
                for time in (window.opens, window.closes)
            ]
            for day in range(7)
        ]

    def _reach(self, instant: int) -> None:
        if instant > self._reached:
            self._reached = instant + 30 * DAY
            self.clock.reach(self._reached)

    # -- answers -----------------------------------------------------------------------------------------------

    def after(self, delay: Delay) -> Callable[[int], int]:
        """What takes an instant to the one that lies a delay after it (T1, T3)."""
        if isinstance(delay, Hours):
            span = delay.timedelta // _MICROSECOND
            return lambda at: at + span
        return self._move(("after", delay), lambda at: self.calendar.after(at, delay))

    def sooner(self, *delays: Delay) -> Callable[[int], int]:
        """What takes an instant to the earliest of those that lie a delay after it."""
        moves = [self.after(delay) for delay in delays]
        return moves[0] if len(moves) == 1 else lambda at: min(move(at) for move in moves)

    def next_open(self, *, email: bool) -> Callable[[int], int]:
        """What takes an instant to the first one, not before it, at which a step of the kind may run (T5)."""
        return self._move(("open", email), lambda at: self.calendar.next_open(at, email=email))

    def _move(self, key: object, core: Callable[[DateTime], DateTime]) -> Callable[[int], int]:
        if key not in self._moves:
            self._moves[key] = lru_cache(_MOST_REMEMBERED)(lambda at: to_microseconds(core(from_microseconds(at))))
        return self._moves[key]

    def wall(self, at: int) -> int:
        """What the zone's clock shows at an instant."""
        self._reach(at)
        return at + self.clock.offset_at(at)

    def local(self, at: int) -> datetime:
        """The same as a datetime of the zone."""
        return self.calendar.local(from_microseconds(at))

    # -- where they turn ---------------------------------------------------------------------------------------

    def readings(self, *times: int) -> Edges:
        """Where the clock shows one of these times of day, on any date, and where the clocks change."""
        key = ("readings", times)
        if key not in self._edges:
            self._edges[key] = Edges(lambda day: self._instants(day, times))
        return self._edges[key]

    def turns_after(self, delay: Delay) -> Edges | None:
        """Where what `after` answers may turn; None: nowhere."""
        if isinstance(delay, Hours):
            return None
        return self._by_date(("after", delay), self.after(delay))

    def turns_sooner(self, *delays: Delay) -> Edges | None:
        """Where what `sooner` answers may turn, beside where one delay gives way to another; None: nowhere."""
        found = [turns for turns in map(self.turns_after, delays) if turns is not None]
        return Edges(lambda day: [at for turns in found for at in turns.on(day)]) if found else None

    def turns_open(self, *, email: bool) -> Edges:
        """Where what `next_open` answers may turn."""
        if email and self.calendar.send_windows:
            if "windows" not in self._edges:
                self._edges["windows"] = Edges(lambda day: self._instants(day, self._windows[day % 7]))
            return self._edges["windows"]

        return self._by_date(("open", email), self.next_open(email=email))

    def _by_date(self, key: object, move: Callable[[int], int]) -> Edges:
        """The edges of a move by dates: each midnight; and near a clock change, also what changes how times resolve."""

        def of_day(day: int) -> Iterable[int]:
            noon = day * DAY + DAY // 2
            self._reach(noon + _FAR)
            target = move(noon - self.clock.offset_at(noon))
            self._reach(target + _FAR)
            near = self.clock.between(target - _FAR, target + _FAR) or self.clock.between(noon - _NEAR, noon + _NEAR)
            return self._instants(day, (0, *self.clock.marks()) if near else (0,))

        if key not in self._edges:
            self._edges[key] = Edges(of_day)
        return self._edges[key]

    def _instants(self, day: int, times: Iterable[int]) -> Iterable[int]:
        """Where a local date shows these times, by any offset that it has; and the clock changes about it."""
        midnight = day * DAY
        self._reach(midnight + _NEAR)
        changes = self.clock.between(midnight - _NEAR, midnight + _NEAR)
        offsets = {self.clock.offset_at(midnight - _NEAR), *(self.clock.offset_at(change) for change in changes)}
        return [*(midnight + time - offset for offset in offsets for time in times), *changes]
