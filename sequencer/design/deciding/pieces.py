"""All timelines of a stretch of starts at once: pieces, on which every moment of a timeline is a straight function.

Where a start moves by a second, each moment of its timeline moves by a second, too, or not at all, until a midnight, a
window or a clock change comes in between. So a stretch of starts falls into pieces on each of which that is settled,
and what holds of a piece's first and last timeline holds of all between: the difference of two such moments grows,
falls or stays throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Several
from itertools import pairwise
from typing import NamedTuple

import attrs

from sequencer.core.delays import Delay
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.courses import Course, Courses
from sequencer.design.deciding.ground import Edges

__all__ = ["Piece", "cut", "pieces"]


@attrs.frozen
class Piece:
    """The starts from `first` up to, but without, `end`, and what becomes of the first of them.

    `moments` are the start, and for each step when it comes and when it is over; of those, some go along with the start
    (`moving`), and the others are the same for all starts of the piece.
    """

    first: int
    end: int
    moments: tuple[int, ...]
    moving: tuple[bool, ...]

    def of(self, start: int) -> tuple[int, ...]:
        """The moments of the timeline of one start of the piece."""
        return self.moments if start == self.first else _later(self.moments, self.moving, start - self.first)

    def some_of(self, start: int, which: tuple[int, ...]) -> list[int]:
        """Some of the moments of the timeline of one start of the piece; a timeline may have hundreds."""
        moments, moving, by = self.moments, self.moving, start - self.first
        return [moments[i] + by if moving[i] else moments[i] for i in which]

    @property
    def over_at(self) -> int:
        """An instant by which the timelines of all starts of the piece are over."""
        return self.moments[-1] + (self.end - self.first if self.moving[-1] else 0)

    @property
    def ends(self) -> tuple[int, ...]:
        """The first and the last start; one of them where there are no two."""
        last = self.end - 1
        return (self.first,) if last == self.first else (self.first, last)


def _later(moments: tuple[int, ...], moving: tuple[bool, ...], by: int) -> tuple[int, ...]:
    return tuple([at + by if moves else at for at, moves in zip(moments, moving, strict=True)])


def pieces(
    sequence: Sequence, courses: Courses, first: int, end: int, late: Several[Delay | None] | None = None
) -> Iterator[Piece]:
    """The pieces of the starts from `first` up to, but without, `end`, in order.

    `late` says for each step how long after its estimate it is done (a delay; None: with it); a task that is skipped
    before that is over then (L4). Raises `InvalidInput` where a timeline leaves the years 1970 to 9000.
    """
    steps: list[Course | None] = []
    for position, step in enumerate(sequence.steps):
        delay = None if late is None else late[position]
        steps += [courses.step(step), None if delay is None else courses.lateness(step, delay)]
    # Piece by piece, each as far as the next moment of it; those that are later wait below.
    waiting = [_Moment(first, end, first, True, 0, None)]  # noqa: FBT003 - the fields in their order
    while waiting:
        at = waiting.pop()
        if at.depth == len(steps):
            yield at.piece()
            continue
        course, depth = steps[at.depth], at.depth + 1
        if course is None:
            waiting.append(_Moment(at.first, at.end, at.value, at.moves, depth, at))
        elif not at.moves:
            waiting.append(_Moment(at.first, at.end, course.at(at.value), False, depth, at))  # noqa: FBT003
        else:
            by = at.first - at.value
            for low, high, value, goes in reversed(course.between(at.value, at.value + at.end - at.first)):
                waiting.append(_Moment(low + by, high + by, value, goes, depth, at))


class _Moment(NamedTuple):
    """A moment of the timelines of the starts from `first` up to `end`: `value` for the first of them.

    What was before it is `before`, found for the starts from which this one was cut out.
    """

    first: int
    end: int
    value: int
    moves: bool
    depth: int
    before: _Moment | None

    def piece(self) -> Piece:
        """All moments up to this one."""
        moments, moving = [], []
        at: _Moment | None = self
        while at is not None:
            moments.append(at.value + self.first - at.first if at.moves else at.value)
            moving.append(at.moves)
            at = at.before
        return Piece(self.first, self.end, tuple(reversed(moments)), tuple(reversed(moving)))


def cut(piece: Piece, moment: int, turns: Edges) -> list[Piece]:
    """The piece in parts, none of which has a turn of that moment inside."""
    if not piece.moving[moment]:
        return [piece]
    at, length = piece.moments[moment], piece.end - piece.first
    found = turns.between(at, at + length)
    if not found:
        return [piece]
    return [
        Piece(
            piece.first + low - at, piece.first + high - at, _later(piece.moments, piece.moving, low - at), piece.moving
        )
        for low, high in pairwise([at, *found, at + length])
    ]
