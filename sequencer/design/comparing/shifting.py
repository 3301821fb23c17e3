"""How the timelines of one definition lie to those of another: for each step, over every start, how far it moves.

Both are straight on pieces of starts (see `pieces`), so the starts fall into common pieces on which the difference of
two estimates stays, grows or falls throughout. A start is each whole minute at which both designs take somebody to be
enrolled; nothing is sampled. What is told is told of an ordinary week, in which no clock changes and no holiday comes
near, since any other ordinary week says the same (T8); and of the others, where they move a step further.

Tasks are taken to be done when they are due, and people to be on the clock of each definition.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence as Several
from datetime import date, timedelta

from sequencer.core.instants import from_microseconds
from sequencer.core.matching import matches
from sequencer.core.sequence import Sequence
from sequencer.design.comparing.moves import Example, Moves, Shifts, StepShift
from sequencer.design.deciding.courses import Courses
from sequencer.design.deciding.ground import DAY, HOUR, MINUTE, Ground, day_number
from sequencer.design.deciding.pieces import Piece, pieces
from sequencer.design.deciding.scope import WEEK, Scope, Spans, weeks
from sequencer.design.deciding.sweeping import is_ordinary

__all__ = ["shifted"]

_LEVELS = (HOUR, HOUR // 2, HOUR // 4, 5 * MINUTE)
_EARLIER, _LATER = -1, 1


def shifted(old: Sequence, new: Sequence, old_scope: Scope, new_scope: Scope) -> Moves:
    """How each step that both have, and the end, moves from one definition to the other.

    Looked at are the starts that lie in both scopes, on the clocks of the definitions. Raises `InvalidInput` for
    timelines that leave the years 1970 to 9000 (T11).
    """
    pair = _Pair(old, new, min(old_scope.since, new_scope.since))
    found = [(pair.kind(begin, spans), begin, spans) for begin, spans in _common(old, new, old_scope, new_scope)]
    ordinary = [each for each in found if each[0] is not None]
    # The fullest of them: the first and the last week may be cut.
    chosen = max(ordinary, key=lambda each: _minutes(each[2]), default=None)
    within = [_Tally(pair, at) for at in pair.places]
    beyond = [_Tally(pair, at) for at in pair.places]
    seen = set()
    for kind, _, spans in found if chosen is None else [chosen]:
        seen.add(kind)
        pair.tell(spans, within)
    for kind, _, spans in found if chosen is not None else ():
        if kind is None or kind not in seen:
            seen.add(kind)
            pair.tell(spans, beyond)
    counted = found if chosen is None else [chosen]
    starts = sum(_minutes(spans) for _, _, spans in counted)
    shifts = [
        StepShift(
            old_at,
            new_at,
            None if old_at is None else old.steps[old_at],
            None if new_at is None else new.steps[new_at],
            starts,
            one.shifts(_EARLIER),
            one.shifts(_LATER),
            other.further(_EARLIER, one),
            other.further(_LATER, one),
        )
        for (old_at, new_at), one, other in zip(pair.steps, within, beyond, strict=True)
    ]
    return Moves(
        old.calendar.timezone,
        new.calendar.timezone,
        max(old_scope.since, new_scope.since),
        min(old_scope.until, new_scope.until),
        None if chosen is None else pair.new.local(chosen[1]).date(),
        starts,
        tuple(shifts[:-1]),
        shifts[-1],
    )


def _minutes(spans: Spans) -> int:
    """How many whole minutes lie in some stretches of time."""
    return sum(-(-end // MINUTE) - -(-first // MINUTE) for first, end in spans)


def _common(old: Sequence, new: Sequence, old_scope: Scope, new_scope: Scope) -> Iterator[tuple[int, Spans]]:
    """The weeks of the new scope, and the stretches of starts that both have in each."""
    ours = [span for _, spans in weeks(old, old_scope, old.calendar.timezone) for span in spans]
    ends = [end for _, end in ours]
    for begin, spans in weeks(new, new_scope, new.calendar.timezone):
        common = []
        for first, end in spans:
            for low, high in ours[bisect_right(ends, first) :]:
                if low >= end:
                    break
                common.append((max(low, first), min(high, end)))
        yield begin, tuple(common)


# -- two definitions ------------------------------------------------------------------------------------------


class _Pair:
    """Two definitions on their grounds, and which of their moments are to be compared."""

    def __init__(self, old: Sequence, new: Sequence, since: date) -> None:
        first = day_number(since) * DAY
        self._sequences = old, new
        self._courses = Courses(Ground(old.calendar, first)), Courses(Ground(new.calendar, first))
        self.old, self.new = (courses.ground for courses in self._courses)
        was = matches(old.steps, new.steps)
        self.steps: list[tuple[int | None, int | None]] = [(was[at], at) for at in sorted(was)]
        # As in `Piece`: a step comes at an odd moment, and the last one of all is the end.
        self.places = [(2 * was[at] + 1, 2 * at + 1) for at in sorted(was)]
        self.steps.append((None, None))
        self.places.append((2 * len(old.steps), 2 * len(new.steps)))
        self._holidays = sorted({day_number(day) for day in (*old.calendar.holidays, *new.calendar.holidays)})

    def kind(self, begin: int, spans: Spans) -> tuple[object, ...] | None:
        """What two weeks have in common that move alike; None: it is no ordinary one."""
        # Not only that of the last start: one before it may be over later, and by weeks (T8).
        stretches = (*spans, (begin + WEEK, begin + WEEK + 1))
        ends = (
            piece.over_at
            for sequence, courses in zip(self._sequences, self._courses, strict=True)
            for low, high in stretches
            for piece in pieces(sequence, courses, low, high)
        )
        first, last = begin - DAY, max(ends) + WEEK
        if not all(is_ordinary(ground, self._holidays, first, last) for ground in (self.old, self.new)):
            return None
        walls = (self.old.wall(begin) % WEEK, self.new.wall(begin) % WEEK)
        return (*walls, *((low - begin, high - begin) for low, high in spans))

    def tell(self, spans: Spans, tallies: Several[_Tally]) -> None:
        """Count the starts of some stretches."""
        for first, end in spans:
            ours, theirs = (
                list(pieces(sequence, courses, first, end))
                for sequence, courses in zip(self._sequences, self._courses, strict=True)
            )
            for start, many, before, after in _minute_by_minute(ours, theirs):
                one, other = before.of(start), after.of(start)
                for tally in tallies:
                    tally.add(start, many, one, other, before.moving, after.moving)


def _minute_by_minute(ours: list[Piece], theirs: list[Piece]) -> Iterator[tuple[int, int, Piece, Piece]]:
    """The common pieces of two rows of pieces: the first whole minute of each, how many there are, and both pieces."""
    i = j = 0
    while i < len(ours) and j < len(theirs):
        one, other = ours[i], theirs[j]
        end = min(one.end, other.end)
        start = -(-max(one.first, other.first) // MINUTE) * MINUTE
        if start < end:
            yield start, -(-(end - start) // MINUTE), one, other
        i += one.end == end
        j += other.end == end


# -- one step -------------------------------------------------------------------------------------------------


class _Tally:
    """How far one moment of the timelines moves, start by start, in either direction."""

    def __init__(self, pair: _Pair, places: tuple[int, int]) -> None:
        self._ground = pair.new
        self._before, self._after = places
        # How often there is a row of so many distances, each a minute more than the one before it, from a least one on.
        self._rows: dict[int, Counter[tuple[int, int]]] = {_EARLIER: Counter(), _LATER: Counter()}
        # By direction, the greatest distance, and of its starts how simple the simplest is; when it comes then.
        self._most: dict[int, tuple[tuple[int, int, int], tuple[int, int]]] = {}

    def add(
        self,
        start: int,
        many: int,
        before: tuple[int, ...],
        after: tuple[int, ...],
        moving_before: tuple[bool, ...],
        moving_after: tuple[bool, ...],
    ) -> None:
        """Count so many starts, from one on, a minute apart."""
        was, becomes = before[self._before], after[self._after]
        goes = moving_before[self._before], moving_after[self._after]
        slope = goes[1] - goes[0]
        if slope == 0:
            if was != becomes:
                direction = _LATER if becomes > was else _EARLIER
                self._rows[direction][abs(becomes - was), 1] += many
                self._note(direction, abs(becomes - was), start, many, (was, becomes), goes)
            return
        for direction in (_EARLIER, _LATER):
            distance, grows = direction * (becomes - was), direction * slope > 0
            # Of so many distances, those that are more than nothing: the last of them, or the first.
            first = max(0, -distance // MINUTE + 1) if grows else 0
            last = many - 1 if grows else min(many - 1, -(-distance // MINUTE) - 1)
            if first > last:
                continue
            ends = [distance + (at if grows else -at) * MINUTE for at in (first, last)]
            self._rows[direction][min(ends), last - first + 1] += 1
            furthest = start + (last if grows else first) * MINUTE
            moments = tuple(
                at + (furthest - start if moves else 0) for at, moves in zip((was, becomes), goes, strict=True)
            )
            self._note(direction, max(ends), furthest, 1, (moments[0], moments[1]), goes)

    def _note(
        self, direction: int, distance: int, start: int, many: int, moments: tuple[int, int], goes: tuple[bool, bool]
    ) -> None:
        """Remember the simplest of the starts that move furthest."""
        best = self._most.get(direction)
        if best is not None and distance < -best[0][0]:
            return
        level, at = self._simplest(start, many)
        rank = (-distance, level, at)
        if best is None or rank < best[0]:
            one, other = (moment + (at - start if moves else 0) for moment, moves in zip(moments, goes, strict=True))
            self._most[direction] = (rank, (one, other))

    def _simplest(self, start: int, many: int) -> tuple[int, int]:
        """The roundest of so many minutes, and how round it is; the clock does not change between them."""
        offset = self._ground.wall(start) - start
        for level, size in enumerate(_LEVELS):
            at = -(-(start + offset) // size) * size - offset
            if at < start + many * MINUTE and at % MINUTE == 0:
                return level, at
        return len(_LEVELS), start

    def shifts(self, direction: int) -> Shifts | None:
        """What there is to say of one direction."""
        rows = self._rows[direction]
        if not rows:
            return None
        starts = sum(length * weight for (_, length), weight in rows.items())
        least = min(low for low, _ in rows)
        most = max(low + (length - 1) * MINUTE for low, length in rows)

        def up_to(distance: int) -> int:
            within = ((min(length, (distance - low) // MINUTE + 1), weight) for (low, length), weight in rows.items())
            return sum(n * weight for n, weight in within if n > 0)

        typical = least + bisect_left(range(most - least), (starts + 1) // 2, key=lambda more: up_to(least + more))
        return Shifts(starts, _span(least), _span(typical), _span(most), self._example(direction))

    def _example(self, direction: int) -> Example:
        (_, _, start), (before, after) = self._most[direction]
        return Example(from_microseconds(start), from_microseconds(before), from_microseconds(after))

    def further(self, direction: int, than: _Tally) -> Example | None:
        """The case that moves furthest, if it moves further than all of another tally."""
        if direction not in self._most:
            return None
        best = than._most.get(direction)
        if best is not None and self._most[direction][0][0] >= best[0][0]:
            return None
        return self._example(direction)


def _span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)
