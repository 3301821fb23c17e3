"""What holds however long tasks take: after a task, the rest of a sequence starts anew, at whatever moment it was done.

A requirement that compares moments between which no task is done looks only at such a rest. So it is proved for every
time that tasks may take by one more sweep: over the rest as a sequence of its own, from every instant that there is.
Where some instant breaks it, that is not yet a counterexample, since no task may ever be done just then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Several
from datetime import date, timedelta
from functools import partial
from typing import Any

import attrs

from sequencer.core.sequence import Sequence
from sequencer.design.deciding.courses import Courses
from sequencer.design.deciding.ground import DAY, Ground, day_number
from sequencer.design.deciding.requirements import Requirement, over, requirements
from sequencer.design.deciding.scope import WEEK, Scope, alike
from sequencer.design.deciding.sweeping import Search, horizon, sweep

__all__ = ["hold_whatever_tasks_take"]

_FIRST = date(1970, 1, 3)


def hold_whatever_tasks_take(
    sequence: Sequence,
    scope: Scope,
    end: int,
    expects: Several[Mapping[str, Any]],
    courses_in: Callable[[str], Courses],
) -> list[bool]:
    """For each of several expectations, whether it is proved to hold whenever tasks are done.

    They are known to hold where tasks are done when due; `end` is an instant after which nothing happens any more.
    `courses_in` gives the courses on the ground of a zone.
    """
    ground = Ground(sequence.calendar, 0)
    needs = [[_tail_of(sequence, each) for each in requirements(sequence, expect, ground)] for expect in expects]
    open_ = [i for i, tails in enumerate(needs) if None not in tails]
    for tail in sorted({tail for i in open_ for tail in needs[i] if tail}):
        asking = [i for i in open_ if tail in needs[i]]
        if asking:
            broken = _broken_in(sequence, scope, end, tail, [expects[i] for i in asking], courses_in)
            open_ = [i for i in open_ if i not in {asking[j] for j in broken}]
    return [i in open_ for i in range(len(expects))]


def _tail_of(sequence: Sequence, requirement: Requirement) -> int | None:
    """The first step after the last task that the moments of a requirement wait for; 0: they wait for none.

    None where a task is done between them.
    """
    first, last = min(requirement.of), max(requirement.of)
    done = [over(position) for position, step in enumerate(sequence.steps) if not step.is_email]
    if any(first < moment <= last for moment in done):
        return None
    return max((moment // 2 for moment in done if moment <= first), default=0)


def _broken_in(
    sequence: Sequence,
    scope: Scope,
    end: int,
    tail: int,
    expects: Several[Mapping[str, Any]],
    courses_in: Callable[[str], Courses],
) -> list[int]:
    """Which of some expectations are broken by the steps from `tail` on, when these start at some instant."""
    searches = [Search(expect, partial(_needs, sequence, expect, tail)) for expect in expects]
    ground = Ground(sequence.calendar, 0)
    last = max(each.last_step for search in searches for each in search.needs(ground))
    rest = attrs.evolve(sequence, steps=sequence.steps[tail : tail + last + 1], assume={}, expect=(), silence=())
    late = (None,) * len(rest.steps)
    # Who is enrolled on the first date of the definition's clock may be a day behind it, and a task is done just then.
    since = max(scope.since - timedelta(days=2), min(scope.since, _FIRST))
    until = -(-(end - day_number(since) * DAY) // WEEK)
    longer = attrs.evolve(scope, since=since, weeks=max(scope.weeks + 1, until))
    for timezone, count in alike(rest, longer, horizon(rest, longer, late, searches)):
        sweep(rest, longer, courses_in(timezone), count, late, [search for search in searches if search.best is None])
    return [i for i, search in enumerate(searches) if search.best is not None]


def _needs(sequence: Sequence, expect: Mapping[str, Any], tail: int, ground: Ground) -> tuple[Requirement, ...]:
    """The requirements of an expectation that are about one tail, with its moments counted from its own start."""
    return tuple(
        attrs.evolve(
            each,
            of=tuple(moment - 2 * tail for moment in each.of),
            turns=tuple((moment - 2 * tail, edges) for moment, edges in each.turns),
        )
        for each in requirements(sequence, expect, ground)
        if _tail_of(sequence, each) == tail
    )
