"""What a verdict takes for granted that no design forces: when people are enrolled, and how long tasks take.

A design can neither make anybody do a task in time nor keep anybody from being enrolled on a Sunday. What is proved of
the end of a sequence with tasks is proved if they are done in time; who reads the verdict is told so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sequencer.core.delays import Hours
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.ground import Ground
from sequencer.design.deciding.requirements import duration, over, requirements

__all__ = ["DONE_WHEN_DUE", "assuming"]

DONE_WHEN_DUE = "tasks done when due"


def assuming(sequence: Sequence, expect: Mapping[str, Any]) -> tuple[str, ...]:
    """What is taken for granted when an expectation is decided, in words that follow "with"; mostly nothing.

    Since when and until when people are enrolled, and in which zones, is not among it: that is the scope's to say.
    """
    needs = requirements(sequence, expect, Ground(sequence.calendar, 0))
    if not needs:
        return ()
    last = max(max(each.of) for each in needs)
    waits = any(not step.is_email and over(position) <= last for position, step in enumerate(sequence.steps))
    return (*_enrolled(sequence.assume.get("enrolled", {})), *([_done(sequence)] if waits else ()))


def _enrolled(said: Mapping[str, Any]) -> tuple[str, ...]:
    spoken = [
        f"on {', '.join(said['days'])}" if "days" in said else "",
        f"from {said['from']}" if "from" in said else "",
        f"to {said['to']}" if "to" in said else "",
    ]
    return (f"people enrolled {' '.join(filter(None, spoken))}",) if any(spoken) else ()


def _done(sequence: Sequence) -> str:
    within = sequence.assume.get("tasks_done_within")
    if within is None or duration(within) == Hours(0):
        return DONE_WHEN_DUE
    return f"tasks done within {duration(within)}"
