"""Hypothesis strategies for the timing laws: calendars of every kind, and moments close to clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from hypothesis import strategies as st
from pendulum import DateTime

from sequencer.core.calendar import Calendar, Window
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import to_instant
from tests.timing import oracle

WEEKDAYS = oracle.WEEKDAYS
# Where a change is special: half an hour, two hours, at midnight, over midnight, a day skipped, winter time as the
# saved one, a change for a month of fasting, offsets of 45 minutes, and zones without any.
SPECIAL_ZONES = (
    "UTC", "Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia", "America/Asuncion", "America/Goose_Bay",
    "America/Havana", "America/New_York", "America/Nuuk", "America/Sao_Paulo", "America/Scoresbysund",
    "America/St_Johns", "Antarctica/Casey", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Gaza",
    "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe",
    "Europe/Berlin", "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati",
    "Pacific/Kwajalein",
)  # fmt: skip
FIXED_ZONES = ("UTC", "Asia/Kolkata", "Asia/Tokyo", "Etc/GMT+12", "Etc/GMT-14")
_FIRST, _LAST = datetime(1971, 1, 1), datetime(2060, 1, 1)


@cache
def every_zone() -> tuple[str, ...]:
    """The names of all zones that this machine's data has, less those that are no place's."""
    return tuple(sorted(available_timezones() - {"localtime", "Factory"}))


def zones() -> st.SearchStrategy[str]:
    """Any zone, the special ones more often."""
    return st.one_of(st.sampled_from(SPECIAL_ZONES), st.sampled_from(every_zone()))


@cache
def _changes(zone: str) -> tuple[datetime, ...]:
    return tuple(change for change, _, _ in oracle.changes(zone, 1985, 2037))


@st.composite
def moments(draw: st.DrawFn, zone: str) -> DateTime:
    """An instant in UTC: often within a few hours, days or weeks before a clock change of the zone, or upon it."""
    known = _changes(zone)
    if not known or draw(st.integers(0, 3)) == 0:
        return to_instant(draw(st.datetimes(_FIRST, _LAST)).replace(tzinfo=UTC))
    change = draw(st.sampled_from(known))
    ago = draw(
        st.one_of(
            st.integers(-180, 180).map(lambda minutes: timedelta(minutes=minutes)),
            st.integers(-96, 96).map(lambda half_hours: timedelta(minutes=30 * half_hours)),
            st.builds(
                lambda days, minutes: timedelta(days=days, minutes=minutes),
                st.integers(-2, 30), st.integers(-180, 180),
            ),
            st.sampled_from([timedelta(microseconds=1), timedelta(0), -timedelta(microseconds=1)]),
        )
    )  # fmt: skip
    return to_instant(change - ago)


def weekday_sets(*, most: int = 7) -> st.SearchStrategy[list[str]]:
    """Some weekdays, Monday to Friday more often."""
    some = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=most, unique=True)
    return st.one_of(st.just(list(WEEKDAYS[:5])), some)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@st.composite
def windows(draw: st.DrawFn, send_days: list[str], near: int) -> list[Window]:
    """None to four windows; some overlap or adjoin, some are a minute long and near a given minute of the day."""
    found: list[Window] = []
    for _ in range(draw(st.integers(0, 4))):
        days = draw(st.lists(st.sampled_from(send_days), min_size=1, unique=True))
        if found and draw(st.booleans()):
            opens = oracle._second(found[-1].closes) // 60 - draw(st.sampled_from([0, 1, 30, 90]))
        elif draw(st.booleans()):
            opens = near + draw(st.integers(-90, 90))
        else:
            opens = draw(st.sampled_from([0, 1, 30, 60, 120, 150, 540, 1380, 1410, 1439]))
        opens = opens % 1440
        length = draw(st.sampled_from([1, 1, 30, 60, 480, 1440]))
        closes = min(1440, opens + length)
        found.append(Window(days, _clock(opens), _clock(closes)))
    return found


@st.composite
def holidays(draw: st.DrawFn, around: date) -> list[date]:
    """No holidays, a few single ones, or a run of up to sixty days, on and after a date."""
    kind = draw(st.sampled_from(["none", "none", "some", "run"]))
    if kind == "none":
        return []
    if kind == "some":
        return [around + timedelta(days=n) for n in draw(st.lists(st.integers(-3, 30), max_size=8))]
    first = around + timedelta(days=draw(st.integers(-3, 10)))
    return [first + timedelta(days=n) for n in range(draw(st.integers(1, 60)))]


@st.composite
def calendars(
    draw: st.DrawFn,
    *,
    zone: str | None = None,
    moment: DateTime | None = None,
    windowed: bool | None = None,
    with_holidays: bool = True,
) -> Calendar:
    """A calendar; its holidays and its windows lie where a given moment does, where there is one."""
    zone = draw(zones()) if zone is None else zone
    moment = draw(moments(zone)) if moment is None else moment
    local = oracle.local_of(zone, moment)
    working = draw(weekday_sets())
    send_days = draw(st.one_of(st.just(working), weekday_sets()))
    near = local.hour * 60 + local.minute
    opening = draw(windows(send_days, near)) if windowed is None or windowed else []
    if windowed and not opening:
        opening = [Window(send_days, "09:00", "17:00")]
    return Calendar(
        zone,
        working_days=working,
        send_days=send_days,
        holidays=draw(holidays(local.date())) if with_holidays else [],
        send_windows=opening,
    )


@st.composite
def situations(draw: st.DrawFn, *, windowed: bool | None = None) -> tuple[Calendar, DateTime]:
    """A calendar, and a moment close to what is special about it."""
    zone = draw(zones())
    moment = draw(moments(zone))
    return draw(calendars(zone=zone, moment=moment, windowed=windowed)), moment


def hours(most: int = 24 * 20) -> st.SearchStrategy[Hours]:
    """Elapsed time: whole hours, quarters, and up to four decimals."""
    return st.one_of(
        st.integers(0, most),
        st.integers(0, 4 * most).map(lambda quarters: quarters / 4),
        st.integers(0, 10_000 * min(most, 100)).map(lambda n: n / 10_000),
    ).map(Hours)


def weekdays(most: int = 30) -> st.SearchStrategy[Weekdays]:
    """Working days: mostly few."""
    return st.one_of(st.integers(0, 6), st.integers(0, most)).map(Weekdays)


def delays() -> st.SearchStrategy[Hours | Weekdays]:
    """Either kind of delay."""
    return st.one_of(hours(), weekdays())
