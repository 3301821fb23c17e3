"""Time that can be told: the manual clock."""

from sequencer.simulation.clock import ManualClock

__all__ = ["ManualClock"]
