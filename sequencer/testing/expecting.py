"""That one enrollment is as a design promises: what a counterexample becomes when it is kept as a test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sequencer.core.instants import to_instant
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.design import Counterexample, broken

__all__ = ["assert_expected"]


def assert_expected(
    sequence: Sequence,
    expect: Mapping[str, Any],
    *,
    start: datetime,
    timezone: str | None = None,
    done: Mapping[int, datetime] | None = None,
) -> None:
    """Assert that an enrollment keeps an expectation, which is said as in a file: `{"max_duration": {"weekdays": 30}}`.

    It starts at an aware datetime, on the clock of `timezone` (default: the sequence's); `done` says of tasks, by
    position, when they are completed (default: when planned). The `AssertionError` has the timeline with the reasons.
    Raises `DefinitionError` for what is no expectation, and what `plan` raises.
    """
    __tracebackhide__ = True
    began = to_instant(start, "start")
    over = {position: to_instant(at, f"done[{position}]") for position, at in (done or {}).items()}
    sentence = broken(sequence, expect, began, timezone=timezone, done=over)
    if sentence is not None:
        timeline = plan(sequence, began, timezone=timezone, done=over)
        raise AssertionError(str(Counterexample(expect, began, timeline.timezone, over, timeline, sentence)))
