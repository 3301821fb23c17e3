"""How everything here is measured: two pieces of work in turn, many times, the median of the ratios.

The machines that this runs on are noisy and drift. Taking turns, both pieces meet the same weather; the median of the
pairwise ratios is what is compared with the bar, and the spread is printed beside it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import attrs

__all__ = ["Figure", "Question", "in_turn", "seconds"]


@attrs.frozen
class Figure:
    """What a question came to: the figure that is held against the bar, and what it is made of."""

    figure: float
    detail: dict[str, Any]


@attrs.frozen
class Question:
    """One question: its name, what it asks, the bar, and the measurement. `slow` ones run with --all only."""

    name: str
    asks: str
    bar: float
    measure: Callable[[], Figure]
    at_least: bool = False
    slow: bool = False

    def answer(self) -> dict[str, Any]:
        """One object, as `python -m benchmarks --json` prints it."""
        figure = self.measure()
        holds = figure.figure >= self.bar if self.at_least else figure.figure <= self.bar
        return {
            "question": self.name,
            "asks": self.asks,
            "figure": round(figure.figure, 4),
            "bar": self.bar,
            "holds": holds,
            "detail": figure.detail,
        }


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes, without the garbage collector in between."""
    gc.collect()
    gc.disable()
    try:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun
    finally:
        gc.enable()


def in_turn(
    one: Callable[[], object], other: Callable[[], object], *, rounds: int = 15
) -> tuple[float, dict[str, Any]]:
    """The median ratio of one piece of work to another, measured in turn, and the medians of both in seconds."""
    one()
    other()
    ones, others = [], []
    for _ in range(rounds):
        ones.append(seconds(one))
        others.append(seconds(other))
    ratios = sorted(a / b for a, b in zip(ones, others, strict=True))
    detail = {
        "seconds": statistics.median(ones),
        "beside_seconds": statistics.median(others),
        "ratio_least": round(ratios[0], 3),
        "ratio_most": round(ratios[-1], 3),
        "rounds": rounds,
    }
    return statistics.median(ratios), detail
