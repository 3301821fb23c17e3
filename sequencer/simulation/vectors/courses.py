"""Courses: what becomes of every instant of a stretch of time, in pieces.

On the clock of one zone "the second working day after" and "the next open moment" are functions of instants that go in
straight pieces: on each, all instants move by the same span, or all of them wait for the same opening. A course knows
where its pieces begin, so that each of a million instants costs one look-up, whatever the clocks do meanwhile.

The rules stay in the core. It is asked, on the clock of UTC, what becomes of each date (T3), and that holds in every
zone whose clocks do not change near the day that is meant; where they do, it is asked in the zone itself, once for each
piece. Windows are law T5 as it is written: the intervals of UTC in which the clock on the wall shows an open time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date

import attrs
import numpy as np
from numpy.typing import NDArray
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.delays import Weekdays
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.simulation.vectors.clocks import DAY, SECOND, Instants, ZoneClock

__all__ = ["Course", "Dates", "Move", "days_course", "windows_course"]

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = date(1970, 1, 1).weekday()
# A bucket is 2**32 microseconds, some seventy minutes: there is seldom more than one piece that begins in it.
_BUCKET = 32
_NEVER = np.iinfo(np.int64).max
# How far from a date its own clock changes can be, in any zone.
_NEAR = 3 * DAY


@attrs.frozen
class Move:
    """What moves an instant by dates: so many working days (T3), or on to the next day of a kind (T5)."""

    delay: Weekdays | None
    email: bool = False

    def __call__(self, calendar: Calendar, moment: DateTime) -> DateTime:
        """The core's answer."""
        if self.delay is not None:
            return calendar.after(moment, self.delay)
        return calendar.next_open(moment, email=self.email)


class Dates:
    """What the rules say of dates where no clock ever changes: asked of the core once a date, for all zones."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar = calendar.in_zone("UTC")
        self._days_on: dict[Move, Callable[[int], int]] = {}
        self._is_send_day = functools.cache(lambda day: calendar.is_send_day(date.fromordinal(day + _EPOCH_ORDINAL)))

    def days_on(self, move: Move, first: int, last: int) -> Instants:
        """By how many days a move takes each of the dates from `first` to `last` on."""
        known = self._days_on.get(move)
        if known is None:

            def ask(day: int) -> int:
                return to_microseconds(move(self._calendar, from_microseconds(day * DAY))) // DAY - day

            known = self._days_on[move] = functools.cache(ask)
        return np.fromiter(map(known, range(first, last + 1)), np.int64, last + 1 - first)

    def send_days(self, first: int, last: int) -> NDArray[np.bool_]:
        """Which of the dates from `first` to `last` are send days."""
        return np.fromiter(map(self._is_send_day, range(first, last + 1)), np.bool_, last + 1 - first)


class Course:
    """A function of the instants from `first` to `last`: piece `i` begins at `starts[i]`, the first one at `first`.

    An instant of piece i goes to itself plus `spans[i]`; or, where there are `floors` instead, to the later of itself
    and `floors[i]`. What comes out lies between `earliest` and `latest`.
    """

    def __init__(
        self, first: int, last: int, starts: Instants, *, spans: Instants | None = None, floors: Instants | None = None
    ) -> None:
        if spans is not None:
            differs = np.append(True, spans[1:] != spans[:-1])
            starts, spans = starts[differs], spans[differs]
        ends = np.append(starts[1:], last + 1)
        if spans is not None:
            outcomes = np.concatenate([starts + spans, ends - 1 + spans])
        else:
            assert floors is not None, "a piece has a span or a floor"
            outcomes = np.maximum(np.concatenate([starts, ends - 1]), np.concatenate([floors, floors]))
        self.earliest, self.latest = int(outcomes.min()), int(outcomes.max())
        ends[-1] = _NEVER
        self._ends, self._spans, self._floors = ends, spans, floors
        self._base = first >> _BUCKET
        buckets = np.arange(self._base, (last >> _BUCKET) + 1) << _BUCKET
        self._pieces = np.maximum(np.searchsorted(starts, buckets, "right") - 1, 0)
        in_last = np.searchsorted(starts, buckets + ((1 << _BUCKET) - 1), "right") - 1
        # How many pieces begin, at most, within a bucket.
        self._crowded = int((in_last - self._pieces).max())

    def __call__(self, instants: Instants) -> Instants:
        """What becomes of each instant."""
        buckets: Instants = instants >> _BUCKET
        buckets -= self._base
        pieces = self._pieces[buckets]
        if self._crowded:
            pieces += instants >= self._ends[pieces]
        if self._crowded > 1:
            rest = np.flatnonzero(instants >= self._ends[pieces])
            while rest.size:
                pieces[rest] += 1
                rest = rest[instants[rest] >= self._ends[pieces[rest]]]
        if self._spans is not None:
            np.add(instants, self._spans[pieces], out=buckets)
        elif self._floors is not None:
            np.maximum(instants, self._floors[pieces], out=buckets)
        return buckets


# -- moves by dates -------------------------------------------------------------------------------------------


def days_course(move: Move, dates: Dates, calendar: Calendar, clock: ZoneClock, first: int, last: int) -> Course:
    """The course of a move by dates. Raises `InvalidInput` where it leads beyond the year 9000."""
    clock.reach(last)
    starts = _date_starts(clock, first, last)
    offsets = clock.offsets_at(starts)
    days = (starts + offsets) // DAY
    earliest = int(days.min())
    days_on = dates.days_on(move, earliest, int(days.max()))[days - earliest]
    meant = (days + days_on) * DAY
    clock.reach(int(meant.max()) + _NEAR + DAY)
    # Who is on such a day stays, even in an hour that comes twice.
    spans = np.where(days_on > 0, days_on * DAY + offsets - clock.offsets_at(meant), 0)
    near = (days_on > 0) & clock.changes_between(meant - _NEAR, meant + DAY + _NEAR)
    if near.any():
        ends = np.append(starts[1:], last + 1)
        points, asked = _asked(move, calendar, clock, starts[near], ends[near], days[near] * DAY - offsets[near])
        starts, spans = np.concatenate([starts[~near], points]), np.concatenate([spans[~near], asked])
        in_order = np.argsort(starts)
        starts, spans = starts[in_order], spans[in_order]
    return Course(first, last, starts, spans=spans)


def _date_starts(clock: ZoneClock, first: int, last: int) -> Instants:
    """The first instant, and every later one at which a local date begins or the clocks change."""
    starts = []
    for since, until, offset in clock.stretches(first, last):
        midnights = np.arange((since + offset) // DAY + 1, (until - 1 + offset) // DAY + 1) * DAY - offset
        starts += [np.array([since]), midnights]
    return np.unique(np.concatenate(starts))


def _asked(
    move: Move, calendar: Calendar, clock: ZoneClock, starts: Instants, ends: Instants, midnights: Instants
) -> tuple[Instants, Instants]:
    """Pieces whose days of destination are near a clock change: cut where that may matter, and asked of the core.

    `midnights` are where their dates would begin by their own offsets.
    """
    while True:
        cuts = (midnights[:, np.newaxis] + np.array(clock.marks(), dtype=np.int64)).ravel()
        inside = (cuts > starts.repeat(len(cuts) // len(starts))) & (cuts < ends.repeat(len(cuts) // len(starts)))
        points = np.unique(np.concatenate([starts, cuts[inside]]))
        results = np.array(
            [to_microseconds(move(calendar, from_microseconds(point))) for point in points.tolist()], dtype=np.int64
        )
        # A day that was skipped leads on to another, and that may be near a change that was not known yet (T4).
        known = len(clock.changes)
        clock.reach(int(results.max()) + _NEAR + DAY)
        if len(clock.changes) == known:
            return points, results - points


# -- windows --------------------------------------------------------------------------------------------------


def windows_course(dates: Dates, calendar: Calendar, clock: ZoneClock, first: int, last: int) -> Course:
    """The course to the next open moment of a calendar with windows. Raises `InvalidInput` beyond the year 9000."""
    until = to_microseconds(calendar.next_open(from_microseconds(last), email=True))
    clock.reach(until)
    days = np.arange(first // DAY - 2, until // DAY + 3)
    send_days = days[dates.send_days(int(days[0]), int(days[-1]))]
    weekdays = (send_days + _EPOCH_WEEKDAY) % 7
    openings, closings = [], []
    for window in calendar.send_windows:
        on = send_days[np.isin(weekdays, [WEEKDAYS.index(day) for day in window.days])] * DAY
        openings.append(on + _since_midnight(window.opens))
        closings.append(on + _since_midnight(window.closes))
    opens, closes = _in_utc(clock, first, until, np.concatenate(openings), np.concatenate(closings))
    # A piece begins where the opening before it has ended; before its own opening everybody waits.
    starts = np.append(first, closes[:-1])
    needed = starts <= last
    return Course(first, last, starts[needed], floors=opens[needed])


def _since_midnight(clock: str) -> int:
    hours, minutes, *seconds = map(int, clock.split(":"))
    return (hours * 3600 + minutes * 60 + sum(seconds)) * SECOND


def _in_utc(clock: ZoneClock, first: int, last: int, opens: Instants, closes: Instants) -> tuple[Instants, Instants]:
    """Openings on the wall as openings in UTC, from `first` to `last`: in order, those that overlap or touch joined."""
    begun, ended = [], []
    for since, until, offset in clock.stretches(first, last):
        begins, ends = np.maximum(opens - offset, since), np.minimum(closes - offset, until)
        begun.append(begins[begins < ends])
        ended.append(ends[begins < ends])
    begins, ends = np.concatenate(begun), np.concatenate(ended)
    in_order = np.argsort(begins)
    begins, ends = begins[in_order], np.maximum.accumulate(ends[in_order])
    apart = begins[1:] > ends[:-1]
    return begins[np.append(True, apart)], ends[np.append(apart, True)]
