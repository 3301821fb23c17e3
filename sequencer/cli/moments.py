"""Moments as people type them and read them: on the clock of a zone."""

from __future__ import annotations

from datetime import date, datetime

from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date, to_instant, to_zone
from sequencer.definitions import to_moment as to_exact_moment

__all__ = ["clock_time", "odd_clock", "to_moment", "to_return"]

_HOW = "like 2026-03-27T16:30 (local time in the zone), 2026-03-27T15:30:00Z or 2026-03-27 (its beginning)"


def to_moment(text: str, timezone: str, path: str) -> DateTime:
    """The instant of a text in ISO 8601. Without an offset it is local time in the zone; a date is its beginning.

    A time that a clock change skips is as much later, one that comes twice is the first (law T4).
    """
    try:
        return to_exact_moment(f"{text}T00:00" if len(text) == 10 else text, timezone, path)
    except InvalidInput as error:
        if error.code != "not_an_instant":
            raise
        raise InvalidInput(f"needs a moment {_HOW}, got {text!r}", path=path, code=error.code) from None


def odd_clock(text: str, timezone: str, moment: DateTime) -> str | None:
    """What to say where the zone's clocks never show the local time that was typed as this moment, or show it twice."""
    typed = datetime.fromisoformat(text)
    if typed.tzinfo is not None:
        return None
    local = Calendar(timezone).local(moment)
    when = f"{typed:%H:%M} on {typed:%Y-%m-%d}"
    if local.replace(tzinfo=None) != typed:
        later = clock_time(moment, timezone)
        return f"{when} does not exist in {timezone}, where the clocks go forward over it: it is taken as {later}"
    if local.replace(fold=1).utcoffset() != local.utcoffset():
        return f"{when} comes twice in {timezone}, where the clocks go back over it: it is taken as the first"
    return None


def to_return(text: str, timezone: str, path: str) -> DateTime | date:
    """When somebody is back: a date (its beginning, wherever the person is) or a moment."""
    return to_date(text, path) if len(text) == 10 else to_moment(text, timezone, path)


def clock_time(moment: datetime | None, timezone: str) -> str:
    """A moment as people read it, on the clock of a zone: `Fri 2026-03-27 16:30`."""
    if moment is None:
        return ""
    local = to_zone(to_instant(moment), timezone)
    seconds = f":{local:%S}" if local.second else ""
    return f"{local:%a %Y-%m-%d %H:%M}{seconds}"
