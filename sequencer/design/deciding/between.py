"""Cases between: tasks that are done at any moment that a design assumes, drawn by Hypothesis (extra `testing`).

Where the sweep looks at tasks that are done at once or as late as may be, here each is done at some minute between, and
a case that refutes an expectation is shrunk to the simplest that Hypothesis finds: tasks done early, the first zone,
the earliest start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Several
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import attrs
from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from sequencer.core.sequence import Sequence
from sequencer.design.deciding.courses import over_within
from sequencer.design.deciding.ground import DAY, MINUTE, Ground, day_number
from sequencer.design.deciding.requirements import Requirement, duration, requirements
from sequencer.design.deciding.scope import Scope, weeks

__all__ = ["draw"]

_Key = TypeVar("_Key")


@attrs.frozen(eq=False)
class Case:
    """A timeline with tasks that are done late, those of `done`."""

    ground: Ground
    moments: tuple[int, ...]
    done: frozenset[int]


@attrs.frozen(eq=False)
class Found:
    """A case, and what it breaks."""

    case: Case
    by: Requirement


class _World:
    """All cases of a scope, as a strategy."""

    def __init__(self, sequence: Sequence, scope: Scope) -> None:
        self._sequence, self._scope = sequence, scope
        self._within = duration(sequence.assume["tasks_done_within"])
        self._zones: dict[str, tuple[Ground, list[int], list[int]]] = {}
        self._needs: dict[tuple[str, Mapping[str, Any]], tuple[Requirement, ...]] = {}
        self.drawn = scope.profile.drawn

    def _zone(self, timezone: str) -> tuple[Ground, list[int], list[int]]:
        """The ground of a zone, the stretches of starts in it, and how many minutes lie before each."""
        if timezone not in self._zones:
            ground = Ground(self._sequence.calendar.in_zone(timezone), day_number(self._scope.since) * DAY)
            starts, before, minutes = [], [], 0
            for _, spans in weeks(self._sequence, self._scope, timezone):
                for first, end in spans:
                    starts.append(first)
                    before.append(minutes)
                    minutes += -(-(end - first) // MINUTE)
            self._zones[timezone] = ground, starts, [*before, minutes]
        return self._zones[timezone]

    def cases(self) -> st.SearchStrategy[Case]:
        """Any case."""

        @st.composite
        def cases(draw: st.DrawFn) -> Case:
            ground, starts, before = self._zone(draw(st.sampled_from(self._scope.timezones)))
            minute = draw(st.integers(0, before[-1] - 1))
            span = bisect_right(before, minute, hi=len(starts)) - 1
            at = starts[span] + (minute - before[span]) * MINUTE
            moments, done = [at], set()
            for position, step in enumerate(self._sequence.steps):
                at = ground.next_open(email=step.is_email)(ground.after(step.after)(at))
                moments.append(at)
                if not step.is_email:
                    latest = ground.sooner(*over_within(step, self._within))(at)
                    late = draw(st.integers(0, (latest - at) // MINUTE))
                    if late:
                        at += late * MINUTE
                        done.add(position)
                moments.append(at)
            return Case(ground, tuple(moments), frozenset(done))

        return cases()

    def broken_by(self, case: Case, expect: Mapping[str, Any]) -> Requirement | None:
        """The first requirement of an expectation that a case breaks."""
        key = (case.ground.calendar.timezone, expect)
        if key not in self._needs:
            self._needs[key] = requirements(self._sequence, expect, case.ground)
        return next((each for each in self._needs[key] if each.is_broken_by(case.moments)), None)


def draw(
    sequence: Sequence, scope: Scope, searched: Several[tuple[_Key, Mapping[str, Any]]]
) -> Iterator[tuple[_Key, int, Found | None]]:
    """For each of several expectations: how many cases were drawn, and one that breaks it, if any."""
    world = _World(sequence, scope)
    drawn = 0
    suspects: set[int] = set()

    def note(case: Case) -> bool:
        nonlocal drawn
        drawn += 1
        suspects.update(i for i, (_, expect) in enumerate(searched) if world.broken_by(case, expect) is not None)
        return False

    _find(world, note)
    for i, (key, expect) in enumerate(searched):
        case = _find(world, partial(_breaks, world, expect)) if i in suspects else None
        by = None if case is None else world.broken_by(case, expect)
        yield key, drawn, None if case is None or by is None else Found(case, by)


def _breaks(world: _World, expect: Mapping[str, Any], case: Case) -> bool:
    return world.broken_by(case, expect) is not None


def _find(world: _World, condition: Callable[[Case], bool]) -> Case | None:
    """The simplest case that is found to meet a condition: the same one at every run."""
    profile = settings(
        max_examples=world.drawn,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    # In a thread of its own: whoever asks inside of a property of theirs nests nothing, since a case is drawn from the
    # world alone.
    with ThreadPoolExecutor(1) as elsewhere:
        try:
            return elsewhere.submit(find, world.cases(), condition, settings=profile).result()
        except NoSuchExample:
            return None
