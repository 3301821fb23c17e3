"""A clock that stands still until it is told to move: for tests, for the demo, for simulation."""

from __future__ import annotations

from datetime import datetime, timedelta

from pendulum import DateTime

from sequencer.core.instants import later_by, to_instant

__all__ = ["ManualClock"]


class ManualClock:
    """Starts at an aware instant and moves only by `set` and `move`; also backwards, as real clocks sometimes do."""

    def __init__(self, start: datetime) -> None:
        self._now = to_instant(start, "start")

    def now(self) -> DateTime:
        """The instant that it was last told, in UTC."""
        return self._now

    def set(self, instant: datetime) -> None:
        """Show another instant."""
        self._now = to_instant(instant, "instant")

    def move(self, span: timedelta | None = None, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Go on by an elapsed time; a negative one goes back."""
        span = (span or timedelta()) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        self._now = to_instant(later_by(self._now, span), "instant")

    def __repr__(self) -> str:
        return f"ManualClock({self._now.to_iso8601_string()!r})"
