"""The system clock: the only place in the package that asks what time it is (law E6)."""

from __future__ import annotations

import datetime as dt
from datetime import datetime

from pendulum import UTC, DateTime

__all__ = ["SystemClock"]


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> DateTime:
        """The current instant."""
        now = datetime.now(dt.UTC)
        return DateTime(now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond, tzinfo=UTC)

    def __repr__(self) -> str:
        return "SystemClock()"
