"""Timelines of large populations, in numpy: `plan_many` (extra `vectors`).

    from sequencer.simulation.vectors import plan_many

It gives what `sequencer.plan` gives for each start, to the microsecond, and has no rules of its own: on the zones'
clocks a step is a function of instants that goes in straight pieces, each of which is asked of the core once.
"""

from __future__ import annotations

try:
    import numpy as _  # noqa: F401, ICN001 - only to say at once what is missing
except ModuleNotFoundError as error:  # pragma: no cover - the extra is there in every test
    raise ModuleNotFoundError("plan_many needs numpy: pip install 'sequencer[vectors]'", name="numpy") from error

from sequencer.simulation.vectors.planning import PlannedTimes, plan_many

__all__ = ["PlannedTimes", "plan_many"]
