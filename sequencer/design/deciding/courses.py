"""Courses: what a delay, or a whole step, makes of every instant of a stretch of time, in straight pieces."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import attrs

from sequencer.core.delays import Delay, Hours
from sequencer.core.sequence import Step, Task
from sequencer.design.deciding.ground import DAY, Edges, Ground

__all__ = ["Course", "Courses", "Part", "over_within"]

Part = tuple[int, int, int, bool]
"""Instants from one up to, but without, another; what becomes of the first; whether it goes along for the others."""


@attrs.frozen(eq=False)
class _Move:
    """One thing that moves an instant, and where it may turn (None: nowhere)."""

    apply: Callable[[int], int]
    turns: Edges | None


class Course:
    """A function of instants that goes in straight pieces: one or two moves, each the core's. Found a day at a time."""

    def __init__(self, moves: list[_Move]) -> None:
        self._moves = moves
        self._days: dict[int, list[Part]] = {}

    def at(self, instant: int) -> int:
        """What becomes of an instant."""
        for move in self._moves:
            instant = move.apply(instant)
        return instant

    def between(self, first: int, end: int) -> list[Part]:
        """The pieces of the instants from `first` up to, but without, `end`, in order and as long as they are."""
        found: list[Part] = []
        for day in range(first // DAY, (end - 1) // DAY + 1):
            parts = self._days.get(day)
            if parts is None:
                parts = self._days[day] = _joined(self._of(day * DAY))
            for begin, stop, value, moves in parts:
                if stop > first and begin < end:
                    low = max(begin, first)
                    found.append((low, min(stop, end), value + low - begin if moves else value, moves))
        return found if len(found) == 1 else _joined(found)

    def _of(self, midnight: int) -> list[Part]:
        parts: list[Part] = [(midnight, midnight + DAY, midnight, True)]
        for move in self._moves:
            parts = [onward for part in parts for onward in _onward(move, part)]
        return parts


def _onward(move: _Move, part: Part) -> list[Part]:
    """A piece in pieces, each taken through a move."""
    first, end, value, moves = part
    if not moves:
        return [(first, end, move.apply(value), False)]
    turns = [] if move.turns is None else move.turns.between(value, value + end - first)
    edges = [value, *turns, value + end - first]
    waiting = list(pairwise(edges))[::-1]
    found: list[Part] = []
    while waiting:
        begin, stop = waiting.pop()
        result, length = move.apply(begin), stop - 1 - begin
        spread = move.apply(stop - 1) - result if length else 0
        if spread not in (0, length):
            # No edge is known here, and yet it does not go straight: its halves will.
            middle = begin + (length + 1) // 2
            waiting += [(middle, stop), (begin, middle)]
            continue
        found.append((first + begin - value, first + stop - value, result, spread == length))
    return found


def _joined(parts: list[Part]) -> list[Part]:
    """The same pieces, those which go on straight made one."""
    joined = parts[:1]
    for part in parts[1:]:
        first, end, value, moves = part
        begin, _, before, moved = joined[-1]
        if moves == moved and value == (before + first - begin if moves else before):
            joined[-1] = (begin, end, before, moves)
        else:
            joined.append(part)
    return joined


def over_within(step: Step, delay: Delay) -> tuple[Delay, ...]:
    """How long after its estimate a task is over that is done so late: the sooner of these, it may be skipped (L4)."""
    skip_after = step.action.skip_after if isinstance(step.action, Task) else None
    return (delay,) if skip_after is None else (delay, skip_after)


class Courses:
    """The courses on one ground, each made once."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        calendar = ground.calendar
        self._stays_open = set(calendar.working_days) <= set(calendar.send_days) and not calendar.send_windows
        self.of_step = cache(self._of_step)
        self.of_lateness = cache(self._of_lateness)

    def _of_lateness(self, *delays: Delay) -> Course:
        return Course([_Move(self.ground.sooner(*delays), self.ground.turns_sooner(*delays))])

    def _of_step(self, after: Delay, email: bool) -> Course:  # noqa: FBT001 - hashed with the delay
        """From a step's base to its estimate (T7)."""
        ground = self.ground
        moves = [self._delayed(after)]
        # Who has counted working days is on one.
        if isinstance(after, Hours) or (email and not self._stays_open):
            moves.append(_Move(ground.next_open(email=email), ground.turns_open(email=email)))
        return Course(moves)

    def step(self, step: Step) -> Course:
        """The course of a step."""
        return self.of_step(step.after, step.is_email)

    def lateness(self, step: Step, delay: Delay) -> Course:
        """From when a task comes to when it is over, if it is done so late."""
        return self.of_lateness(*over_within(step, delay))

    def _delayed(self, delay: Delay) -> _Move:
        return _Move(self.ground.after(delay), self.ground.turns_after(delay))
