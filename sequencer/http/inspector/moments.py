"""Moments as people read them: on the enrollment's clock first, in UTC beside it, and how far away."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pendulum import DateTime

from sequencer.core.calendar import zone_named
from sequencer.core.instants import between, to_instant, to_iso, to_zone
from sequencer.simulation.report.figures import day, plural
from sequencer.simulation.report.markup import Element, element

__all__ = ["away", "local", "moment", "on_clock", "to_moment"]

_TYPED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(\.[0-9]+)?)?")
_UNITS = ((86_400 * 365.25, "year"), (86_400 * 30.44, "month"), (86_400, "day"), (3600, "hour"), (60, "minute"))


def on_clock(at: DateTime, timezone: str, *, year: bool = True) -> str:
    """`Thu 2 Apr 2026, 16:30 CEST`."""
    there = to_zone(at, timezone)
    return f"{day(there.date(), year=year)}, {there.hour:02}:{there.minute:02} {there:%Z}".rstrip()


def local(at: DateTime, timezone: str, now: DateTime) -> Element:
    """A moment on a zone's clock; the year only where it is not this one's."""
    return _timed(at, on_clock(at, timezone, year=to_zone(at, timezone).year != to_zone(now, timezone).year))


def moment(at: DateTime, timezone: str, now: DateTime, *, class_: str = "") -> Element:
    """A moment on a zone's clock, in UTC, and how far away it is."""
    there, utc = to_zone(at, timezone), to_zone(at, "UTC")
    same = there.utcoffset() == timedelta(0)
    clock = f"{utc.hour:02}:{utc.minute:02} UTC"
    text = clock if there.date() == utc.date() else f"{day(utc.date())}, {clock}"
    return element(
        "span",
        element("span", local(at, timezone, now), class_="local"),
        " ",
        element("span", None if same else [_timed(at, text), " \u00b7 "], element("span", away(at, now)), class_="utc"),
        class_=f"when {class_}".strip(),
    )


def away(at: DateTime, now: DateTime) -> str:
    """`in 3 days`, `2 hours ago`, `now`."""
    seconds = between(now, at).total_seconds()
    for size, unit in _UNITS:
        count = round(abs(seconds) / size)
        if count and abs(seconds) >= size:
            return f"in {plural(count, unit)}" if seconds > 0 else f"{plural(count, unit)} ago"
    return "now"


def to_moment(text: str, timezone: str) -> DateTime | None:
    """What a form's `datetime-local` field says, on a zone's clock; None for what is no moment.

    A clock time that does not exist moves forward by the gap; of one that comes twice, the first is meant.
    """
    found = _TYPED.fullmatch(text)
    try:
        return (
            None if found is None else to_instant(datetime.fromisoformat(found[1]).replace(tzinfo=zone_named(timezone)))
        )
    except ValueError:
        return None


def _timed(at: DateTime, text: str) -> Element:
    return element("time", text, datetime=to_iso(at.replace(microsecond=0)))
