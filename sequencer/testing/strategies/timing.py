"""Strategies for time: zones, starts, delays, windows and calendars, most of them close to what is special."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_instant
from sequencer.core.sequence import Sequence as Definition
from sequencer.core.windows import Window
from sequencer.testing.strategies.asked import to_bounds, to_strategy

__all__ = [
    "SPECIAL_ZONES", "calendars", "delays", "every_zone", "hours", "starts", "weekday_sets", "weekdays", "windows",
    "zones",
]  # fmt: skip

SPECIAL_ZONES = (
    "UTC", "Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia", "America/Asuncion", "America/Goose_Bay",
    "America/Havana", "America/New_York", "America/Nuuk", "America/Sao_Paulo", "America/Scoresbysund",
    "America/St_Johns", "Antarctica/Casey", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Gaza",
    "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe",
    "Europe/Berlin", "Europe/Dublin", "Europe/London", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati",
    "Pacific/Kwajalein",
)  # fmt: skip
"""Where a clock change is special.

Half an hour, two hours, at midnight, over midnight, a day skipped, winter time as the saved one, a change for a month
of fasting, offsets of 45 minutes; and zones without any.
"""

_MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
MONDAY = to_instant(_MONDAY)
"""What instants shrink towards."""
_FIRST, _LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
_FIRST_CHANGES, _LAST_CHANGES = datetime(1985, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)
_DAY = timedelta(days=1)
_OPENINGS = [540, 0, 1, 30, 60, 120, 150, 1380, 1410, 1439]
_LENGTHS = [480, 1, 30, 60, 1440]


@cache
def every_zone() -> tuple[str, ...]:
    """The names of all zones that this machine's data has, less those that are no place's."""
    return tuple(sorted(available_timezones() - {"localtime", "Factory"}))


@cache
def zones() -> st.SearchStrategy[str]:
    """The name of any IANA zone, the special ones more often. Shrinks towards "UTC"."""
    return st.one_of(st.sampled_from(SPECIAL_ZONES), st.sampled_from(every_zone()))


# -- instants -------------------------------------------------------------------------------------------------


@cache
def _changes(zone: str) -> tuple[datetime, ...]:
    """The clock changes of a zone in some decades, each the first instant (UTC) at which the clock shows another time.

    Those that lie nearest to the present come first, so that examples shrink towards them.
    """
    there = ZoneInfo(zone)

    def offset(moment: datetime) -> timedelta | None:
        return moment.astimezone(there).utcoffset()

    def between(early: datetime, late: datetime) -> Iterator[datetime]:
        if late - early <= timedelta(seconds=1):
            yield late
            return
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        for one, other in ((early, middle), (middle, late)):
            if offset(one) != offset(other):
                yield from between(one, other)

    found: list[datetime] = []
    day, before = _FIRST_CHANGES, offset(_FIRST_CHANGES)
    while day < _LAST_CHANGES:
        # Few zones have ever had two changes within two weeks that cancel out; those are missed.
        later = day + 14 * _DAY
        after = offset(later)
        if after != before:
            found += between(day, later)
        day, before = later, after
    return tuple(sorted(found, key=lambda change: abs(change - _MONDAY)))


_AGO = st.one_of(
    st.integers(-180, 180).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(-96, 96).map(lambda half_hours: timedelta(minutes=30 * half_hours)),
    st.builds(lambda days, minutes: timedelta(days=days, minutes=minutes), st.integers(-2, 30), st.integers(-180, 180)),
    st.sampled_from([timedelta(microseconds=1), timedelta(0), -timedelta(microseconds=1)]),
)


@cache
def _near_a_change(zone: str) -> st.SearchStrategy[DateTime]:
    return st.builds(lambda change, ago: to_instant(change - ago), st.sampled_from(_changes(zone)), _AGO)


@cache
def _anywhere() -> st.SearchStrategy[DateTime]:
    least, most = ((each - _MONDAY) // timedelta(minutes=1) for each in (_FIRST, _LAST))
    return st.one_of(
        st.integers(-60 * 24 * 7, 60 * 24 * 7).map(lambda minutes: _MONDAY + timedelta(minutes=minutes)),
        st.integers(least, most).map(lambda minutes: _MONDAY + timedelta(minutes=minutes)),
        st.datetimes(_FIRST.replace(tzinfo=None), _LAST.replace(tzinfo=None)).map(
            lambda naive: to_instant(naive.replace(tzinfo=UTC))
        ),
    ).map(to_instant)


def _near_an_edge(calendar: Calendar) -> st.SearchStrategy[DateTime]:
    """Around midnight, and around each opening and closing of a window, on days around now and around holidays."""
    clocks = sorted({"00:00", *(each for window in calendar.send_windows for each in (window.opens, window.closes))})
    days = [_MONDAY.date() + n * _DAY for n in range(14)]
    days += [day + n * _DAY for day in sorted(calendar.holidays)[:8] for n in (-3, -1, 0, 1) if 1971 < day.year < 2060]

    def at(day: date, clock: str, minutes: int) -> DateTime:
        hour, minute, *rest = (int(part) for part in clock.split(":"))
        # A window may close at 24:00, which is no time of a day but the end of one.
        wall = datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute, seconds=sum(rest))  # noqa: DTZ001
        return to_instant(wall.replace(tzinfo=ZoneInfo(calendar.timezone)))

    return st.builds(at, st.sampled_from(days), st.sampled_from(clocks), st.integers(-2, 2))


def starts(*, timezone: str | None = None, near: Definition | Calendar | None = None) -> st.SearchStrategy[DateTime]:
    """An instant in UTC at which something could start, between 1971 and 2060: any, and more often a special one.

    Special are clock changes of the zone, for minutes or weeks before they happen, and the nights of weekends; `near` a
    sequence or a calendar also its holidays, and the minutes at which its windows open and close. The zone is
    `timezone`, else that of `near`, else UTC. Shrinks towards 2 March 2026, 09:00 UTC, a Monday without anything.
    """
    if near is not None and not isinstance(near, (Definition, Calendar)):
        raise InvalidInput(f"needs a Sequence or a Calendar, got {near!r}", path="near", code="invalid_type")
    calendar = near.calendar if isinstance(near, Definition) else near
    if timezone is not None:
        calendar = Calendar(timezone) if calendar is None else calendar.in_zone(timezone)
    zone = "UTC" if calendar is None else calendar.timezone
    kinds = [_anywhere()]
    if near is not None and calendar is not None:
        kinds.append(_near_an_edge(calendar))
    if _changes(zone):
        # Two of three: an ordinary moment is found anyway.
        kinds += [_near_a_change(zone)] * 2
    return st.one_of(kinds)


# -- delays ---------------------------------------------------------------------------------------------------


def hours(*, max_value: int = 87_600) -> st.SearchStrategy[Hours]:
    """Elapsed time, up to `max_value` hours (at most 87 600): whole hours, quarters, up to four decimals.

    Shrinks towards `Hours(0)`.
    """
    _, most = to_bounds(0, max_value, ("max_value", "max_value"), (0, 87_600))
    return st.one_of(
        st.integers(0, min(most, 480)),
        st.integers(0, most),
        st.integers(0, 4 * min(most, 480)).map(lambda quarters: quarters / 4),
        st.integers(0, 10_000 * most).map(lambda n: n / 10_000),
    ).map(Hours)


def weekdays(*, max_value: int = 2_610) -> st.SearchStrategy[Weekdays]:
    """Working days, up to `max_value` (at most 2 610), mostly few. Shrinks towards `Weekdays(0)`."""
    _, most = to_bounds(0, max_value, ("max_value", "max_value"), (0, 2_610))
    return st.one_of(st.integers(0, min(most, 6)), st.integers(0, most)).map(Weekdays)


def delays(*, max_hours: int = 87_600, max_weekdays: int = 2_610) -> st.SearchStrategy[Hours | Weekdays]:
    """Either kind of delay. Shrinks towards `Hours(0)`."""
    return st.one_of(hours(max_value=max_hours), weekdays(max_value=max_weekdays))


# -- calendars ------------------------------------------------------------------------------------------------


@cache
def weekday_sets() -> st.SearchStrategy[list[str]]:
    """Some weekdays. Shrinks towards Monday to Friday."""
    some = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)
    return st.one_of(st.just(list(WEEKDAYS[:5])), some)


def _clock(second: int) -> str:
    text = f"{second // 3600:02d}:{second // 60 % 60:02d}"
    return text if second % 60 == 0 else f"{text}:{second % 60:02d}"


_OPENS, _LENGTH = st.sampled_from(_OPENINGS) | st.integers(0, 1439), st.sampled_from(_LENGTHS) | st.integers(1, 1440)
_NEAR, _LATE, _SOME = st.integers(-90, 90), st.integers(0, 9).map(lambda n: n == 9), st.integers(1, 127)
_APART, _COUNTS = st.sampled_from([0, 1, 30, 90]), (st.integers(0, 4), st.integers(1, 4))


@st.composite
def windows(draw: st.DrawFn, *, days: Sequence[str] = WEEKDAYS, around: int | None = None) -> Window:
    """A send window on some of `days`: hours or a minute long, up to midnight, sometimes on a second.

    With `around`, a minute of the day, it often opens within an hour or so of that. Shrinks towards 09:00 to 17:00.
    """
    opens = (around + draw(_NEAR)) % 1440 if around is not None and draw(st.booleans()) else draw(_OPENS)
    seconds = 30 * draw(_LATE)
    closes = min(86_400, 60 * (opens + draw(_LENGTH)) + seconds)
    # A set of days is the bits of a number; none of the given ones means all of them.
    bits = draw(_SOME)
    on = [day for n, day in enumerate(days) if bits & 1 << n and bits > 1] or days
    return Window(on, _clock(60 * opens + seconds), _clock(closes))


@st.composite
def _openings(draw: st.DrawFn, days: Sequence[str], around: int, least: int) -> list[Window]:
    """Some windows, of which some overlap or adjoin."""
    found: list[Window] = []
    for _ in range(draw(_COUNTS[least])):
        window = draw(windows(days=days, around=around))
        overlaps = draw(st.booleans())
        if found and overlaps:
            hour, minute = found[-1].closes.split(":")[:2]
            opens = (60 * int(hour) + int(minute) - draw(_APART)) % 1440
            closes = min(1440, opens + draw(_LENGTH))
            window = Window(window.days, _clock(60 * opens), _clock(60 * closes))
        found.append(window)
    return found


_KINDS = st.sampled_from(["none", "none", "some", "run"])
_DAYS_AFTER, _FIRST_AFTER, _RUN = st.lists(st.integers(-3, 30), max_size=8), st.integers(-3, 10), st.integers(1, 60)


@st.composite
def _holidays(draw: st.DrawFn, around: date) -> list[date]:
    """No holidays, a few single ones, or a run of up to sixty days, on and after a date."""
    kind = draw(_KINDS)
    if kind == "none":
        return []
    if kind == "some":
        return [around + timedelta(days=n) for n in draw(_DAYS_AFTER)]
    first = around + timedelta(days=draw(_FIRST_AFTER))
    return [first + timedelta(days=n) for n in range(draw(_RUN))]


@st.composite
def calendars(
    draw: st.DrawFn,
    *,
    timezones: st.SearchStrategy[str] | None = None,
    around: datetime | None = None,
    windowed: bool | None = None,
    with_holidays: bool | None = None,
) -> Calendar:
    """A calendar: working days, send days, holidays and send windows, in one of `timezones` (default: `zones()`).

    Its holidays and windows lie close to `around`, an instant (default: a special one of the zone). `windowed` and
    `with_holidays` say whether there are any (None: both happen; with False there are none). Shrinks towards Monday to
    Friday in UTC, without holidays and windows.
    """
    zone = draw(to_strategy(timezones, zones(), "timezones"))
    moment = draw(starts(timezone=zone)) if around is None else to_instant(around, "around")
    local = moment.astimezone(ZoneInfo(zone))
    working = draw(weekday_sets())
    send_days = draw(weekday_sets()) if draw(st.booleans()) else working
    least = 0 if windowed is None else 1
    near = local.hour * 60 + local.minute
    opening: list[Window] = []
    if windowed is not False:
        opening = draw(_openings(send_days, near, least))
    holidays = [] if with_holidays is False else draw(_holidays(local.date()))
    if with_holidays and not holidays:
        holidays = [local.date()]
    return Calendar(zone, working_days=working, send_days=send_days, holidays=holidays, send_windows=opening)
