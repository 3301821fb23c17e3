"""A state machine that drives an engine, its store and its ports beside a naive model of what they should do."""

from sequencer.testing.machine.making import engine_machine

__all__ = ["engine_machine"]
