"""Deciding expectations: a sweep over every start of a range in every zone, and cases drawn where there is no end.

The sweep goes zone by zone and week by week, a zone for each kind and an ordinary week for all that are alike (see
`scope`), piece by piece (see `pieces`), and asks each requirement at both ends of each piece. So what it proves, it
proves for every microsecond. It takes tasks to be done when they are due; where a design assumes that they may take
longer, also all of them (and in the thorough profile each alone) as late as that. What lies between is drawn
(`between`).

Of the cases that refute an expectation, the simplest counts: with the fewest late tasks, in the simplest zone (the
definition's own, UTC, others by name), at the roundest clock time (hours before half hours, before quarters, before
five minutes, before minutes), and the earliest of those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from collections.abc import Sequence as Several
from datetime import date
from functools import cache
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.delays import Delay, Hours
from sequencer.core.expectations import to_expectations
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.core.values import frozen
from sequencer.design.counterexample import Counterexample
from sequencer.design.courses import Courses
from sequencer.design.ground import DAY, HOUR, MINUTE, SECOND, Ground, day_number
from sequencer.design.pieces import Piece, cut, pieces
from sequencer.design.requirements import Requirement, duration, over, requirements
from sequencer.design.scope import WEEK, Scope, alike, to_scope, weeks
from sequencer.design.stopping import decide_stops
from sequencer.design.verdict import Verdict

__all__ = ["broken", "decide", "decide_all"]

_LEVELS = (HOUR, HOUR // 2, HOUR // 4, 5 * MINUTE, MINUTE, SECOND, 1)
_EPOCH = 0
Late = tuple[Delay | None, ...]


def decide(
    sequence: Sequence,
    expect: Mapping[str, Any],
    *,
    profile: str = "quick",
    since: date | None = None,
    timezones: Collection[str] | None = None,
) -> Verdict:
    """Whether one expectation, as definitions say it (`{"max_duration": {"weekdays": 30}}`), holds of a sequence.

    Looked at is every start from the local date `since` (default: today) on: for a year in some zones, or two years in
    every zone (`profile="thorough"`), or in `timezones`; less what `assume` leaves out. Raises `DefinitionError` for
    what is no expectation, `InvalidInput` for an unknown profile or zone, and for timelines beyond the year 9000 (T11).
    """
    scope = to_scope(sequence, profile=profile, since=since, timezones=timezones)
    (found,) = decide_all(sequence, to_expectations([expect]), scope)
    return found


def broken(
    sequence: Sequence,
    expect: Mapping[str, Any],
    start: DateTime,
    *,
    timezone: str | None = None,
    done: Mapping[int, DateTime] | None = None,
) -> str | None:
    """How one enrollment breaks an expectation, as a sentence; None: it keeps it.

    `start`, `timezone` and `done` are those of `plan`, and what they raise is what it raises.
    """
    (expect,) = to_expectations([expect])
    if "stops_on" in expect:
        found = decide_stops(sequence, expect, start=start, timezone=timezone)
        return None if found is None else found.sentence
    timeline = plan(sequence, start, timezone=timezone, reasons=False, done=done)
    ground = Ground(sequence.calendar.in_zone(timeline.timezone), to_microseconds(timeline.started_at))
    steps = (to_microseconds(at) for step in timeline for at in (step.estimated_execute_at, step.over_at))
    moments = (to_microseconds(timeline.started_at), *steps)
    told = (each.told_of(moments) for each in requirements(sequence, expect, ground) if each.is_broken_by(moments))
    return next(told, None)


# -- the search -----------------------------------------------------------------------------------------------


@attrs.define
class _Search:
    """What is known about one expectation so far."""

    expect: Mapping[str, Any]
    cases: int = 0
    # How simple the simplest case is, and when it starts; and what it breaks.
    best: tuple[tuple[int, int], Requirement] | None = None
    found: Counterexample | None = None
    note: str | None = None


def decide_all(sequence: Sequence, expects: Several[Mapping[str, Any]], scope: Scope) -> tuple[Verdict, ...]:
    """The verdict on each of several expectations, looked for together."""
    searches = [_Search(frozen(expect)) for expect in expects]
    for search in searches:
        if "stops_on" in search.expect:
            search.cases = len(search.expect["stops_on"])
            search.found = _stops(sequence, search.expect, scope)
    swept = [search for search in searches if "stops_on" not in search.expect]
    lates = _lates(sequence, each=scope.profile.each_task)
    if swept and scope.weeks:
        kinds = alike(sequence, scope, _horizon(sequence, scope, lates[-1], swept))

        @cache
        def courses_in(timezone: str) -> Courses:
            return Courses(Ground(sequence.calendar.in_zone(timezone), day_number(scope.since) * DAY))

        for late in lates:
            for timezone, count in kinds:
                still = [search for search in swept if search.found is None]
                if still:
                    _sweep(sequence, scope, courses_in(timezone), count, late, still)
    between = [each for each in swept if each.found is None and len(lates) > 1 and _depends_on_tasks(sequence, each)]
    if between and scope.weeks:
        _draw(sequence, scope, between)
    return tuple(
        Verdict(
            search.expect,
            "refuted" if search.found else "not refuted" if search in between else "proved",
            search.cases,
            scope,
            search.found,
            search.note,
        )
        for search in searches
    )


def _stops(sequence: Sequence, expect: Mapping[str, Any], scope: Scope) -> Counterexample | None:
    timezone = scope.timezones[0]
    for _, spans in weeks(sequence, scope, timezone):
        for start, _end in spans:
            return decide_stops(sequence, expect, start=from_microseconds(start), timezone=timezone)
    return None


def _depends_on_tasks(sequence: Sequence, search: _Search) -> bool:
    """Whether a task stands among the steps that matter."""
    ground = Ground(sequence.calendar, _EPOCH)
    last = max((each.last_step for each in requirements(sequence, search.expect, ground)), default=-1)
    return any(not step.is_email for step in sequence.steps[: last + 1])


def _lates(sequence: Sequence, *, each: bool) -> list[Late]:
    """Which tasks are done as late as is assumed: none of them, each alone if so asked, all."""
    tasks = [position for position, step in enumerate(sequence.steps) if not step.is_email]
    none: Late = (None,) * len(sequence.steps)
    within = sequence.assume.get("tasks_done_within")
    if within is None or not tasks:
        return [none]
    delay = duration(within)
    if delay == Hours(0):
        return [none]
    alone = [{task} for task in tasks] if each and len(tasks) > 1 else []
    choices = [*alone, set(tasks)]
    return [
        none,
        *(tuple(delay if position in choice else None for position in range(len(none))) for choice in choices),
    ]


# -- the sweep ------------------------------------------------------------------------------------------------

# Beside each requirement, what is known to keep it.
_Asked = list[tuple[_Search, list[tuple[Requirement, set[tuple[int, ...]]]]]]


def _sweep(sequence: Sequence, scope: Scope, courses: Courses, count: int, late: Late, searches: list[_Search]) -> None:
    """Look at every start of a scope on a ground; `count` zones are like its zone."""
    ground = courses.ground
    asked: _Asked = [
        (search, [(each, set()) for each in requirements(sequence, search.expect, ground)]) for search in searches
    ]
    days = _odd_days(sequence, searches)
    seen = set()
    for begin, spans in weeks(sequence, scope, ground.calendar.timezone):
        cases = count * sum((end - first) // MINUTE for first, end in spans)
        for search in searches:
            search.cases += cases
        if not spans:
            continue
        if _is_ordinary(ground, days, begin - DAY, begin + WEEK) and _is_ordinary(
            ground, days, begin, _longest(ground, _end(sequence, courses, begin + WEEK, late), searches) + WEEK
        ):
            kind = (ground.wall(begin) % WEEK, *((first - begin, end - begin) for first, end in spans))
            if kind in seen:
                continue
            seen.add(kind)
        for first, end in spans:
            for piece in pieces(sequence, courses, first, end, late):
                _look(ground, piece, asked)
    for search in searches:
        if search.best is not None:
            (_, start), by = search.best
            (only,) = pieces(sequence, courses, start, start + 1, late)
            done = {position for position, delay in enumerate(late) if delay is not None}
            search.found = _counterexample(sequence, search.expect, ground, only.moments, done, by)


def _end(sequence: Sequence, courses: Courses, start: int, late: Late) -> int:
    """When the timeline of a start is over."""
    (only,) = pieces(sequence, courses, start, start + 1, late)
    return only.moments[-1]


def _longest(ground: Ground, at: int, searches: Several[_Search]) -> int:
    """The latest instant that any expectation reckons with, from a moment on."""
    durations = (
        duration(value)
        for search in searches
        for value in search.expect.values()
        if isinstance(value, Mapping) and set(value) in ({"hours"}, {"weekdays"})
    )
    return max((ground.after(each)(at) for each in durations), default=at)


def _horizon(sequence: Sequence, scope: Scope, late: Late, searches: Several[_Search]) -> int:
    """An instant after all that the timelines of a scope reckon with."""
    last = (day_number(scope.until) + 9) * DAY
    ground = Ground(sequence.calendar, last)
    return _longest(ground, _end(sequence, Courses(ground), last, late), searches) + 5 * WEEK


def _odd_days(sequence: Sequence, searches: Several[_Search]) -> list[int]:
    """The dates, as days since 1970, that are unlike others of their weekday."""
    days = {day_number(day) for day in sequence.calendar.holidays}
    for search in searches:
        for value in search.expect.values():
            dates = value.get("dates", ()) if isinstance(value, Mapping) else (value,) if isinstance(value, str) else ()
            days |= {day_number(date.fromisoformat(day)) + more for day in dates for more in (0, 1)}
    return sorted(days)


def _is_ordinary(ground: Ground, days: list[int], first: int, last: int) -> bool:
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


def _ask(ground: Ground, whole: Piece, requirement: Requirement, search: _Search) -> None:
    """Ask a requirement at both ends of each part of a piece, and note the simplest start that breaks it."""
    parts = [whole]
    for moment, edges in requirement.turns:
        parts = [part for piece in parts for part in cut(piece, moment, edges)]
    for part in parts:
        broken = [requirement.is_broken_by(part.of(start)) for start in part.ends]
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
        if requirement.is_broken_by(part.of(middle)) == from_first:
            low = middle
        else:
            high = middle
    return (part.first, high) if from_first else (high, part.end)


def _round_start(ground: Ground, first: int, end: int) -> int:
    """The first of the roundest clock times among some instants, between which the clock does not change."""
    offset = ground.wall(first) - first
    starts = (-(-(first + offset) // size) * size - offset for size in _LEVELS)
    return next(start for start in starts if start < end)


# -- what is found --------------------------------------------------------------------------------------------


def _counterexample(
    sequence: Sequence,
    expect: Mapping[str, Any],
    ground: Ground,
    moments: tuple[int, ...],
    done: Collection[int],
    by: Requirement,
) -> Counterexample:
    """A timeline that breaks a requirement, as a value for people. Tasks after all that matters are left as planned."""
    start, timezone = from_microseconds(moments[0]), ground.calendar.timezone
    late = {position: from_microseconds(moments[over(position)]) for position in done if position <= by.last_step}
    timeline = plan(sequence, start, timezone=timezone, done=late)
    return Counterexample(expect, start, timezone, late, timeline, by.told_of(moments))


def _draw(sequence: Sequence, scope: Scope, searches: list[_Search]) -> None:
    """Look for counterexamples with tasks that are done between when they are due and as late as is assumed."""
    try:
        from sequencer.design.between import draw
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        for search in searches:
            search.note = "cases between were not drawn: that needs the extra sequencer[testing]"
        return
    for search, cases, found in draw(sequence, scope, [(search, search.expect) for search in searches]):
        search.cases += cases
        if found is not None:
            case = found.case
            search.found = _counterexample(sequence, search.expect, case.ground, case.moments, case.done, found.by)
