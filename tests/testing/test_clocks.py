"""The clocks that come with the engine, against the contract of clocks."""

from __future__ import annotations

import pendulum

from sequencer import ManualClock, SystemClock
from sequencer.testing import ClockContract


class TestSystemClock(ClockContract):
    def make(self):
        return SystemClock()


class TestManualClock(ClockContract):
    def make(self):
        return ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
