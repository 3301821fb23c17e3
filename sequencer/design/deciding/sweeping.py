"""The sweep: every start of a scope in a zone, piece by piece, asked what it breaks.

An ordinary week stands for all that are alike (see `scope`). Of the starts that break an expectation, the one at the
roundest clock time counts, and the earliest of those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Several
from datetime import date
from typing import Any

import attrs

from sequencer.core.delays import Delay
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.courses import Courses
from sequencer.design.deciding.ground import DAY, HOUR, MINUTE, SECOND, Ground, day_number
from sequencer.design.deciding.pieces import Piece, cut, pieces
from sequencer.design.deciding.requirements import Requirement, duration
from sequencer.design.deciding.scope import WEEK, Scope, weeks

__all__ = ["Late", "Search", "horizon", "is_ordinary", "sweep"]

_LEVELS = (HOUR, HOUR // 2, HOUR // 4, 5 * MINUTE, MINUTE, SECOND, 1)
Late = tuple[Delay | None, ...]
"""For each step how long after its estimate it is over; None: with it."""


@attrs.define
class Search:
    """What is known about one expectation so far. `needs` gives its requirements on a ground."""

    expect: Mapping[str, Any]
    needs: Callable[[Ground], tuple[Requirement, ...]]
    cases: int = 0
    # How simple the simplest case is, and when it starts; and what it breaks.
    best: tuple[tuple[int, int], Requirement] | None = None


# Beside each requirement, what is known to keep it.
_Asked = list[tuple[Search, list[tuple[Requirement, set[tuple[int, ...]]]]]]


def sweep(
    sequence: Sequence, scope: Scope, courses: Courses, count: int, late: Late, searches: Several[Search]
) -> None:
    """Look at every start of a scope on a ground; `count` zones are like its zone."""
    ground = courses.ground
    asked: _Asked = [(search, [(each, set()) for each in search.needs(ground)]) for search in searches]
    days, limits = _odd_days(sequence, searches), _limits(searches)
    # How long after its beginning all is over that an ordinary week of a kind reckons with.
    reaches: dict[object, int] = {}
    for begin, spans in weeks(sequence, scope, ground.calendar.timezone):
        cases = count * sum(-(-(end - first) // MINUTE) for first, end in spans)
        for search in searches:
            search.cases += cases
        if not spans:
            continue
        wall = ground.wall(begin)
        # What must be over by a date tells the weeks before it from those after it, however ordinary they are.
        past = tuple(wall // DAY > limit for limit in limits)
        kind = (wall % WEEK, past, *((first - begin, end - begin) for first, end in spans))
        if kind in reaches and is_ordinary(ground, days, begin - DAY, begin + reaches[kind]):
            continue
        # Not only that of the last start: one before it may be over later, and by weeks (T8).
        over_at = begin
        for first, end in spans:
            for piece in pieces(sequence, courses, first, end, late):
                _look(ground, piece, asked)
                over_at = max(over_at, piece.over_at)
        reach = _longest(ground, over_at, searches) + WEEK - begin
        if is_ordinary(ground, days, begin - DAY, begin + reach):
            reaches[kind] = reach


def _longest(ground: Ground, at: int, searches: Several[Search]) -> int:
    """The latest instant that any expectation reckons with, from a moment on."""
    durations = (
        duration(value)
        for search in searches
        for value in search.expect.values()
        if isinstance(value, Mapping) and set(value) in ({"hours"}, {"weekdays"})
    )
    return max((ground.after(each)(at) for each in durations), default=at)


def horizon(sequence: Sequence, scope: Scope, late: Late, searches: Several[Search]) -> int:
    """An instant after all that the timelines of a scope reckon with."""
    at = (day_number(scope.until) + 9) * DAY
    ground = Ground(sequence.calendar, at)
    for step, delay in zip(sequence.steps, late, strict=True):
        # An earlier moment may lead to a later one (T8), but only on the same day.
        at = ground.next_open(email=step.is_email)(ground.after(step.after)(at) + DAY) + DAY
        if delay is not None:
            at = ground.after(delay)(at) + DAY
    return _longest(ground, at, searches) + 5 * WEEK


def _odd_days(sequence: Sequence, searches: Several[Search]) -> list[int]:
    """The dates, as days since 1970, that are unlike others of their weekday."""
    days = {day_number(day) for day in sequence.calendar.holidays}
    for search in searches:
        for value in search.expect.values():
            dates = value.get("dates", ()) if isinstance(value, Mapping) else (value,) if isinstance(value, str) else ()
            days |= {day_number(date.fromisoformat(day)) + more for day in dates for more in (0, 1)}
    return sorted(days)


def _limits(searches: Several[Search]) -> list[int]:
    """The dates by which something must be over, as days since 1970."""
    return [day_number(date.fromisoformat(each.expect["ends_by"])) for each in searches if "ends_by" in each.expect]


def is_ordinary(ground: Ground, days: list[int], first: int, last: int) -> bool:
    """Whether no clock changes, and no odd date comes, from one instant to another (T8)."""
    last_day = ground.wall(last) // DAY
    if ground.clock.between(first - DAY, last):
        return False
    low = bisect_left(days, ground.wall(first) // DAY - 1)
    return low == len(days) or days[low] > last_day


def _look(ground: Ground, piece: Piece, asked: _Asked) -> None:
    """Ask all requirements of all starts of a piece."""
    moments, moving = piece.moments, piece.moving
    for search, each in asked:
        for requirement, kept in each:
            of = requirement.of
            if not (moving[of[0]] or moving[of[-1]]):
                # The same for all starts, and often for those of other pieces, too.
                values = tuple([moments[i] for i in of])
                if values in kept:
                    continue
                if not requirement.broken(*values):
                    kept.add(values)
                    continue
            _ask(ground, piece, requirement, search)


def _ask(ground: Ground, whole: Piece, requirement: Requirement, search: Search) -> None:
    """Ask a requirement at both ends of each part of a piece, and note the simplest start that breaks it."""
    parts = [whole]
    for moment, edges in requirement.turns:
        parts = [part for piece in parts for part in cut(piece, moment, edges)]
    for part in parts:
        broken = [requirement.broken(*part.some_of(start, requirement.of)) for start in part.ends]
        if any(broken):
            first, end = part.first, part.end
            if not all(broken):
                first, end = _stretch(part, requirement, from_first=broken[0])
            start = _round_start(ground, first, end)
            level = next(i for i, size in enumerate(_LEVELS) if ground.wall(start) % size == 0)
            if search.best is None or (level, start) < search.best[0]:
                search.best = (level, start), requirement


def _stretch(part: Piece, requirement: Requirement, *, from_first: bool) -> tuple[int, int]:
    """The starts (from, to) of a part that break a requirement, which one end of it does: found by halving."""
    low, high = part.first, part.end - 1
    while high - low > 1:
        middle = (low + high) // 2
        if requirement.broken(*part.some_of(middle, requirement.of)) == from_first:
            low = middle
        else:
            high = middle
    return (part.first, high) if from_first else (high, part.end)


def _round_start(ground: Ground, first: int, end: int) -> int:
    """The first of the roundest clock times among some instants, between which the clock does not change."""
    offset = ground.wall(first) - first
    starts = (-(-(first + offset) // size) * size - offset for size in _LEVELS)
    return next(start for start in starts if start < end)
