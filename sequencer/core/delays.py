"""Delays between steps: `Hours` is elapsed time, `Weekdays` is calendar time (law T1). They are different types."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput

__all__ = ["Delay", "Hours", "Weekdays", "delay_of"]

MOST_HOURS = 87_600
MOST_WEEKDAYS = 2_610


def _shown(n: Any) -> str:
    try:
        return str(n)
    except ValueError:  # thousands of digits, which Python does not print
        return "a far larger number" if n > 0 else "a far smaller number"


def _to_hours(n: Any) -> int | float:
    if isinstance(n, bool) or not isinstance(n, (int, float, Decimal)):
        raise InvalidInput(f"needs a number of hours, got {n!r}", path="hours", code="invalid_delay")
    exact = Decimal(repr(float(n))) if isinstance(n, float) else Decimal(n)
    if not exact.is_finite() or not 0 <= exact <= MOST_HOURS:
        raise InvalidInput(f"needs 0 to {MOST_HOURS} hours, got {_shown(n)}", path="hours", code="delay_out_of_range")
    # Looked at digit by digit: a product would be rounded to the context's precision, and say yes to a thirtieth one.
    _, digits, exponent = exact.as_tuple()
    beyond = -int(exponent) - 4
    if beyond > 0 and any(digits[-beyond:]):
        raise InvalidInput(
            f"needs a number of hours with at most four decimals, got {n}; round it", path="hours", code="invalid_delay"
        )
    return int(exact) if exact == int(exact) else float(exact)


def _to_weekdays(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int):
        raise InvalidInput(f"needs a whole number of weekdays, got {n!r}", path="weekdays", code="invalid_delay")
    if not 0 <= n <= MOST_WEEKDAYS:
        raise InvalidInput(
            f"needs 0 to {MOST_WEEKDAYS} weekdays, got {_shown(n)}", path="weekdays", code="delay_out_of_range"
        )
    return n


@attrs.frozen(slots=False, repr=False)
class Hours:
    """`n` hours of elapsed time: the result is exactly n x 3600 seconds later, whatever the zone's clocks do (T1).

    `n` is whole or has at most four decimals, from 0 to 87 600; else `InvalidInput`.
    """

    n: int | float = attrs.field(converter=_to_hours)
    unit = "hours"

    def __attrs_post_init__(self) -> None:
        # 1/10 000 hour is 360 000 microseconds, so the span is exact.
        self.__dict__["span"] = timedelta(microseconds=round(self.n * 10_000) * 360_000)

    @property
    def timedelta(self) -> timedelta:
        """The same as a plain timedelta."""
        span: timedelta = self.__dict__["span"]
        return span

    def __repr__(self) -> str:
        return f"Hours({self.n!r})"

    def __str__(self) -> str:
        return f"{self.n} hour{'' if self.n == 1 else 's'}"


@attrs.frozen(slots=False, repr=False)
class Weekdays:
    """`n` working days of calendar time, keeping the local clock time (T1, T3).

    `n` is whole, from 0 to 2 610; else `InvalidInput`. Which days are working days is the calendar's to say.
    """

    n: int = attrs.field(converter=_to_weekdays)
    unit = "weekdays"

    def __repr__(self) -> str:
        return f"Weekdays({self.n!r})"

    def __str__(self) -> str:
        return f"{self.n} working day{'' if self.n == 1 else 's'}"


Delay = Hours | Weekdays


def delay_of(n: Any, unit: str) -> Delay:
    """The delay that the wire names spell: `delay_from_previous_step` and `delay_from_previous_step_unit`."""
    if unit == "hours":
        return Hours(n)
    if unit == "weekdays":
        return Weekdays(n)
    raise InvalidInput(f"the unit must be hours or weekdays, got {unit!r}", path="unit", code="invalid_delay")
