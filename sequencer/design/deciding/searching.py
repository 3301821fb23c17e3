"""Deciding expectations: a sweep over every start of a range in every zone, and cases drawn where there is no end.

The sweep goes zone by zone and week by week, a zone for each kind and an ordinary week for all that are alike (see
`scope`), piece by piece (see `pieces`), and asks each requirement at both ends of each piece. So what it proves, it
proves for every microsecond. It takes tasks to be done when they are due; where a design assumes that they may take
longer, also all of them (and in the thorough profile each alone) as late as that. Some expectations then hold whenever
tasks are done (`tails`); for the others, cases that lie between are drawn (`between`).

Of the cases that refute an expectation, the simplest counts: with the fewest late tasks, in the simplest zone (the
definition's own, UTC, others by name), at the roundest clock time (hours before half hours, before quarters, before
five minutes, before minutes), and the earliest of those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as Several
from datetime import date
from functools import cache, partial
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.delays import Hours
from sequencer.core.expectations import to_expectations
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.core.values import frozen
from sequencer.design.deciding.counterexample import Counterexample
from sequencer.design.deciding.courses import Courses
from sequencer.design.deciding.ground import DAY, Ground, day_number
from sequencer.design.deciding.pieces import pieces
from sequencer.design.deciding.premises import assuming
from sequencer.design.deciding.requirements import Requirement, duration, over, requirements
from sequencer.design.deciding.scope import Scope, alike, to_scope, weeks
from sequencer.design.deciding.stopping import decide_stops
from sequencer.design.deciding.sweeping import Late, Search, horizon, sweep
from sequencer.design.deciding.tails import hold_whatever_tasks_take
from sequencer.design.deciding.verdict import Verdict

__all__ = ["broken", "decide", "decide_all"]


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
class _Sought(Search):
    """What is known about one expectation, and what has come of it."""

    found: Counterexample | None = None
    note: str | None = None


def decide_all(sequence: Sequence, expects: Several[Mapping[str, Any]], scope: Scope) -> tuple[Verdict, ...]:
    """The verdict on each of several expectations, looked for together."""
    searches = [_Sought(each, partial(requirements, sequence, each)) for each in map(frozen, expects)]
    if not any(spans for _, spans in weeks(sequence, scope, scope.timezones[0])):
        note = "nobody is enrolled then, by what is assumed"
        return tuple(Verdict(search.expect, "proved", 0, scope, note=note) for search in searches)
    for search in searches:
        if "stops_on" in search.expect:
            search.cases = len(search.expect["stops_on"])
            search.found = _stops(sequence, search.expect, scope)
    swept = [search for search in searches if "stops_on" not in search.expect]
    lates = _lates(sequence, each=scope.profile.each_task)
    between: list[_Sought] = []

    @cache
    def courses_in(timezone: str) -> Courses:
        return Courses(Ground(sequence.calendar.in_zone(timezone), day_number(scope.since) * DAY))

    if swept:
        end = horizon(sequence, scope, lates[-1], swept)
        _sweep_all(sequence, scope, lates, alike(sequence, scope, end), swept, courses_in)
        if len(lates) > 1:
            left = [search for search in swept if search.found is None]
            proved = hold_whatever_tasks_take(sequence, scope, end, [each.expect for each in left], courses_in)
            between = [search for search, holds in zip(left, proved, strict=True) if not holds]
        if between:
            _draw(sequence, scope, between)
    return tuple(
        Verdict(
            search.expect,
            "refuted" if search.found else "not refuted" if search in between else "proved",
            search.cases,
            scope,
            search.found,
            search.note,
            () if search.found else assuming(sequence, search.expect),
        )
        for search in searches
    )


def _sweep_all(
    sequence: Sequence,
    scope: Scope,
    lates: Several[Late],
    kinds: Several[tuple[str, int]],
    searches: list[_Sought],
    courses_in: Callable[[str], Courses],
) -> None:
    """Sweep with ever more late tasks, in ever less simple zones, until all expectations are refuted."""
    for late in lates:
        for timezone, count in kinds:
            still = [search for search in searches if search.found is None]
            if not still:
                return
            courses = courses_in(timezone)
            sweep(sequence, scope, courses, count, late, still)
            for search in still:
                if search.best is not None:
                    (_, start), by = search.best
                    (only,) = pieces(sequence, courses, start, start + 1, late)
                    done = {position for position, delay in enumerate(late) if delay is not None}
                    search.found = _counterexample(sequence, search.expect, courses.ground, only.moments, done, by)


def _stops(sequence: Sequence, expect: Mapping[str, Any], scope: Scope) -> Counterexample | None:
    timezone = scope.timezones[0]
    for _, spans in weeks(sequence, scope, timezone):
        for start, _end in spans:
            return decide_stops(sequence, expect, start=from_microseconds(start), timezone=timezone)
    return None


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


def _draw(sequence: Sequence, scope: Scope, searches: list[_Sought]) -> None:
    """Look for counterexamples with tasks that are done between when they are due and as late as is assumed."""
    try:
        from sequencer.design.deciding.between import draw
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
