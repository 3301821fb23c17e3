"""What the timing laws are tried on: the kit's calendars and starts together, and delays that an oracle can walk."""

from __future__ import annotations

from hypothesis import strategies as st
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.testing import strategies as kit

FIXED_ZONES = ("UTC", "Asia/Kolkata", "Asia/Tokyo", "Etc/GMT+12", "Etc/GMT-14")


@st.composite
def situations(draw: st.DrawFn, *, windowed: bool | None = None) -> tuple[Calendar, DateTime]:
    """A calendar, and a moment close to what is special about it."""
    zone = draw(kit.zones())
    moment = draw(kit.starts(timezone=zone))
    return draw(kit.calendars(timezones=st.just(zone), around=moment, windowed=windowed)), moment


def delays() -> st.SearchStrategy[Hours | Weekdays]:
    """Delays of some weeks: the oracle walks through each day of them."""
    return kit.delays(max_hours=24 * 20, max_weekdays=30)
