"""The timelines of a population: rows of one zone and about one year go through the courses of the steps together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import LAST, from_microseconds, to_microseconds
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import estimate
from sequencer.simulation.vectors.clocks import DAY, Instants, ZoneClock
from sequencer.simulation.vectors.courses import Dates, Move, days_course, windows_course
from sequencer.simulation.vectors.given import to_calendars, to_instants

__all__ = ["PlannedTimes", "plan_many"]

# Rows that are sorted by zone and time together, and rows that go through the courses together: what is at hand at one
# time, beside what is given and what comes out, is bounded by these.
_CHUNK = 1 << 20
_SLICE = 1 << 14
# Starts within 2**45 microseconds, 407 days, share their courses.
_PERIOD = 45
# Courses cost as much as some dozens of timelines.
_FEWEST = 100
# Where clocks, windows and holidays may lead beyond the year 9000, each row is the core's.
_LIMIT = to_microseconds(LAST) - 400 * DAY
_NO_ROWS = np.empty(0, np.int64)


@attrs.frozen(eq=False, repr=False)
class PlannedTimes:
    """When each step of each timeline would run; row i belongs to start i.

    `microseconds` has a row for each start and a column for each step, int64, since 1970 in UTC.
    """

    sequence: Sequence
    starts: Instants
    microseconds: Instants

    @property
    def estimated_execute_at(self) -> NDArray[np.datetime64]:
        """The same as datetime64[us], in UTC, without a copy."""
        return self.microseconds.view("datetime64[us]")

    def __len__(self) -> int:
        return len(self.microseconds)

    def __getitem__(self, row: int) -> tuple[DateTime, ...]:
        """The instants of one timeline, in UTC."""
        return tuple(from_microseconds(at) for at in self.microseconds[row].tolist())

    def __iter__(self) -> Iterator[tuple[DateTime, ...]]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"<{len(self)} timelines of {len(self.sequence.steps)} steps of {self.sequence.name!r}>"


def plan_many(
    sequence: Sequence,
    starts: NDArray[np.int64] | NDArray[np.datetime64] | Iterable[datetime],
    timezones: str | Iterable[str | None] | tuple[NDArray[np.integer[Any]], Iterable[str | None]] | None = None,
) -> PlannedTimes:
    """The timelines of enrollments that start at these instants: exactly what `plan` gives for each (T1 to T8, T11).

    `starts` are microseconds since 1970 in UTC (integers), datetime64 in UTC, or any aware datetimes. `timezones` is
    one IANA name for all rows, or one a row, or, which is cheapest, an array of codes with the names that they count,
    as in `(codes, ["Europe/Warsaw", "America/New_York"])`. None is the sequence's own zone, for all or for a row.

    Raises `InvalidInput`, whose `path` names the row, for what is no instant, an unknown zone, and a timeline that
    leaves the years 1970 to 9000; nothing is planned then.
    """
    instants = to_instants(starts)
    codes, calendars = to_calendars(sequence.calendar, timezones, len(instants))
    # Step by step, so that what is written, and mostly read, lies together.
    found = np.empty((len(sequence.steps), len(instants)), np.int64)
    dates = Dates(sequence.calendar)
    for begin in range(0, len(instants), _CHUNK):
        rows = slice(begin, begin + _CHUNK)
        chunk, kinds = instants[rows], None if codes is None else codes[rows]
        left = [_NO_ROWS]
        shared = _Shared(sequence, dates)
        for code, first, last, those in _groups(chunk, kinds, left):
            try:
                steps = shared.courses(calendars[code], first, last)
            except InvalidInput:  # some of them go too far; which, the core says
                left.append(np.arange(len(chunk)) if those is None else those)
            else:
                _follow(steps, chunk, those, found[:, rows])
        for row in np.sort(np.concatenate(left)).tolist():
            calendar = calendars[0 if kinds is None else int(kinds[row])]
            found[:, begin + row] = _one_by_one(sequence, calendar, int(chunk[row]), begin + row)
    return PlannedTimes(sequence, instants, found.T)


def _groups(
    instants: Instants, codes: Instants | None, left: list[Instants]
) -> Iterator[tuple[int, int, int, NDArray[np.intp] | None]]:
    """The rows of one zone that start at about the same time: its code, from when to when, and which (None: all).

    Those which are too few are `left`.
    """
    if not instants.size:
        return
    earliest, latest = int(instants.min()), int(instants.max())

    def between(period: int) -> tuple[int, int]:
        # The same for all zones, so that they can share their courses.
        return max(earliest, period << _PERIOD), min(latest, ((period + 1) << _PERIOD) - 1)

    periods = instants >> _PERIOD
    base = earliest >> _PERIOD
    periods -= base
    kinds = (latest >> _PERIOD) - base + 1
    if codes is not None:
        periods += codes * kinds
    counts = np.bincount(periods)
    many = np.flatnonzero(counts >= _FEWEST)
    if len(many) == 1 and counts[many[0]] == len(instants):
        code, period = divmod(int(many[0]), kinds)
        yield code, *between(period + base), None
        return
    # Sixteen bits are sorted in no time; zero has those that are too few.
    group_of = np.zeros(len(counts), np.uint16)
    group_of[many] = np.arange(1, len(many) + 1)
    groups = group_of[periods]
    in_order = np.argsort(groups, kind="stable")
    edges = np.cumsum(np.bincount(groups, minlength=len(many) + 1)).tolist()
    left.append(in_order[: edges[0]])
    for i, kind in enumerate(many.tolist()):
        code, period = divmod(kind, kinds)
        yield code, *between(period + base), in_order[edges[i] : edges[i + 1]]


_Course = Callable[[Instants], Instants]


@attrs.frozen
class _Later:
    """Elapsed time (T1)."""

    span: int

    def __call__(self, instants: Instants) -> Instants:
        return instants + self.span


class _Shared:
    """The courses of a sequence's steps: made once for all zones whose clocks go alike for as long as it takes."""

    def __init__(self, sequence: Sequence, dates: Dates) -> None:
        self._sequence, self._dates = sequence, dates
        self._made: dict[tuple[int, int], list[tuple[ZoneClock, list[list[_Course]]]]] = {}

    def courses(self, calendar: Calendar, first: int, last: int) -> list[list[_Course]]:
        """For starts between two instants, on the clock of a calendar. Raises `InvalidInput` near the limit."""
        clock = ZoneClock(calendar, first)
        made = self._made.setdefault((first, last), [])
        for other, steps in made:
            if clock.goes_like(other):
                return steps
        steps = _courses(self._sequence, calendar, self._dates, clock, first, last)
        made.append((clock, steps))
        return steps


def _courses(
    sequence: Sequence, calendar: Calendar, dates: Dates, clock: ZoneClock, first: int, last: int
) -> list[list[_Course]]:
    """For each step what takes its base to its estimate."""
    same_days = set(calendar.send_days) == set(calendar.working_days)
    steps: list[list[_Course]] = []
    for step in sequence.steps:
        courses: list[_Course] = []
        moves = [None if step.is_email and calendar.send_windows else Move(None, email=step.is_email)]
        if isinstance(step.after, Hours):
            span = round(step.after.n * 10_000) * 360_000
            if span:
                courses.append(_Later(span))
            first, last = first + span, last + span
        else:
            # Who has counted working days is on one.
            stays = moves[0] is not None and (not step.is_email or same_days)
            moves = [Move(step.after), *([] if stays else moves)]
        for move in moves:
            _within(last)
            if move is None:
                course = windows_course(dates, calendar, clock, first, last)
            else:
                course = days_course(move, dates, calendar, clock, first, last)
            courses.append(course)
            first, last = course.earliest, course.latest
        _within(last)
        steps.append(courses)
    return steps


def _within(instant: int) -> None:
    if instant > _LIMIT:
        raise InvalidInput("lies near the end of the year 9000", code="out_of_range")


def _follow(
    steps: list[list[_Course]], starts: Instants, rows: NDArray[np.intp] | None, found: NDArray[np.int64]
) -> None:
    """Take the starts through all steps, some at a time, and write down where they are after each."""
    for begin in range(0, len(starts) if rows is None else len(rows), _SLICE):
        some = slice(begin, begin + _SLICE) if rows is None else rows[begin : begin + _SLICE]
        at = starts[some]
        for position, courses in enumerate(steps):
            for course in courses:
                at = course(at)
            found[position, some] = at


def _one_by_one(sequence: Sequence, calendar: Calendar, start: int, row: int) -> list[int]:
    at, planned = from_microseconds(start), []
    try:
        for step in sequence.steps:
            at = estimate(calendar, step, at)
            planned.append(to_microseconds(at))
    except InvalidInput as error:
        raise InvalidInput(error.message, path=f"starts[{row}]", code=error.code) from None
    return planned
