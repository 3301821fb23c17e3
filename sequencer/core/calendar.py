"""The calendar: a zone, working days, holidays, send days and send windows, and the arithmetic on them (laws T2 to T5).

Two questions are asked of it, and everything about time goes through them:

- `after(moment, delay)`: the instant that lies one delay after another (T1, T3);
- `next_open(moment, action)`: the first instant, not before a moment, at which a step of that kind may run (T5).

Both take and return UTC instants. A local clock time becomes an instant in one place only, `_resolve`, which is given
a date and a clock time and resolves them once (T4): a time inside a gap moves forward by the gap, a repeated time is
its first occurrence. That is what the zone's own offset with `fold=0` says, so no case distinction is needed.

Everything is closed form (see `days.py`) over the standard library's datetimes; only the result is made a pendulum
value. Where a `reasons` list is passed, the same computation writes into it what moved the instant (T10).
"""

from __future__ import annotations

import functools
import zoneinfo
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, cast

import attrs
import pendulum
from pendulum import DateTime

from sequencer.core import moved
from sequencer.core.days import WEEKDAYS, DaySet
from sequencer.core.delays import Delay, Hours
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import EPOCH, LAST, later_by, to_date
from sequencer.core.windows import Spans, Window, clock_of, merged, to_weekdays

__all__ = ["Calendar", "zone_named"]

_NAIVE_EPOCH = datetime(1970, 1, 1)
_EPOCH_ORDINAL = _NAIVE_EPOCH.toordinal()
_LAST_ORDINAL = date(9000, 12, 31).toordinal()
# Most delays are short, and making a timedelta costs as much as everything else here.
_SHORT_SPANS = tuple(timedelta(days) for days in range(800))
_MOST_OPENINGS = 366
_A_MINUTE = timedelta(minutes=1)
_MACHINES_OWN = ("localtime", "posixrules")
_add = datetime.__add__
_subtract = datetime.__sub__


@functools.lru_cache(maxsize=2048)
def zone_named(name: str, path: str = "timezone") -> pendulum.Timezone:
    """The zone of that IANA name, looked up once. Raises `InvalidInput` for every name that zoneinfo does not know."""
    if not isinstance(name, str) or not name:
        raise InvalidInput(
            f"needs an IANA zone name like Europe/Warsaw, got {name!r}", path=path, code="unknown_timezone"
        )
    try:
        # Names that the zone files answer to, but that are no zone's: whatever this machine is set to, and the copies
        # that count leap seconds. (`pendulum.timezone` would also take "uTc", which zoneinfo cannot read back.)
        if name in _MACHINES_OWN or name.startswith(("posix/", "right/")):
            raise ValueError(name)
        # Absolute names, "..", NUL and directories raise ValueError or OSError, not the class made for it.
        return pendulum.Timezone(name)
    except (KeyError, ValueError, OSError):
        meant = _zones_as_typed().get(_as_typed(name))
        remedy = "use an IANA name like Europe/Warsaw" if meant is None else f"did you mean {meant}?"
        raise InvalidInput(f"there is no time zone {name!r}; {remedy}", path=path, code="unknown_timezone") from None


def _as_typed(name: str) -> str:
    return "_".join(name.casefold().split())


@functools.cache
def _zones_as_typed() -> dict[str, str]:
    """What people type for a zone: its name in other letters or with blanks, or its city, where there is one such."""
    # Of those under Etc, `GMT+1` is an hour behind, which nobody means who types it.
    there = sorted(zoneinfo.available_timezones().difference(_MACHINES_OWN))
    names = [name for name in there if not name.startswith("Etc/")]
    cities: dict[str, list[str]] = {}
    for name in names:
        cities.setdefault(_as_typed(name.rpartition("/")[2]), []).append(name)
    alone = {city: found[0] for city, found in cities.items() if len(found) == 1}
    return {**alone, **{_as_typed(name): name for name in names}}


def _to_zone_name(value: Any) -> str:
    if not isinstance(value, str):
        value = getattr(value, "key", getattr(value, "name", value))
    try:
        zone_named(value)
    except TypeError:
        raise InvalidInput(f"needs a zone name, got {value!r}", path="timezone", code="unknown_timezone") from None
    return str(value)


def _to_windows(value: Any) -> tuple[Window, ...]:
    if isinstance(value, (str, Window)) or not isinstance(value, Iterable):
        raise InvalidInput(f"needs a list of Window, got {value!r}", path="send_windows", code="invalid_type")
    windows = tuple(value)
    for i, window in enumerate(windows):
        if not isinstance(window, Window):
            raise InvalidInput(f"needs a Window, got {window!r}", path=f"send_windows[{i}]", code="invalid_type")
    return windows


def _to_dates(value: Any) -> tuple[date, ...]:
    if isinstance(value, (str, date)) or not isinstance(value, Iterable):
        raise InvalidInput(f"needs a list of dates, got {value!r}", path="holidays", code="not_a_date")
    return tuple(sorted({to_date(each, f"holidays[{i}]") for i, each in enumerate(value)}))


def _to_working_days(value: Any) -> tuple[str, ...]:
    return to_weekdays(value, "working_days")


def _to_send_days(value: Any) -> tuple[str, ...]:
    # None stands for the working days, which are not known yet here.
    return cast("tuple[str, ...]", None) if value is None else to_weekdays(value, "send_days")


def _derived() -> Any:
    return attrs.field(init=False, eq=False, repr=False)


@attrs.frozen(slots=False)
class Calendar:
    """When things may happen, in one time zone (law T2).

    `timezone` is an IANA name and always explicit. `working_days` and `send_days` are weekdays ("mon" to "sun"; send
    days default to the working days); `holidays` are local dates on which neither applies; `send_windows` are the
    local times at which mail may leave (none: any time of a send day). A calendar on which nothing could ever happen
    is refused with `InvalidInput`.
    """

    timezone: str = attrs.field(converter=_to_zone_name)
    working_days: tuple[str, ...] = attrs.field(default=WEEKDAYS[:5], converter=_to_working_days, kw_only=True)
    send_days: tuple[str, ...] = attrs.field(default=None, converter=_to_send_days, kw_only=True)
    holidays: tuple[date, ...] = attrs.field(default=(), converter=_to_dates, kw_only=True)
    send_windows: tuple[Window, ...] = attrs.field(default=(), converter=_to_windows, kw_only=True)
    # What follows from the rules, and from the zone, worked out once.
    _working: DaySet = _derived()
    _sending: DaySet = _derived()
    _windowed: DaySet | None = _derived()
    _windows: dict[int, Spans] = _derived()
    _sends_on_working_days: bool = _derived()
    # Any: by its type, the offset of a zone could be None.
    _zone: Any = _derived()
    _zone_epoch: datetime = _derived()
    _zone_noon_after: datetime = _derived()

    def __attrs_post_init__(self) -> None:
        derived = self.__dict__
        if derived["send_days"] is None:
            derived["send_days"] = self.working_days
        for name in ("working_days", "send_days"):
            if not derived[name]:
                raise InvalidInput("needs at least one day: nothing could ever happen", path=name, code="never_open")
        for i, window in enumerate(self.send_windows):
            strangers = [day for day in window.days if day not in self.send_days]
            if strangers:
                raise InvalidInput(
                    f"{', '.join(strangers)} is not among the send days ({', '.join(self.send_days)})",
                    path=f"send_windows[{i}].days",
                    code="window_off_send_days",
                )
        excluded = [day.toordinal() for day in self.holidays]
        derived["_working"] = DaySet(map(WEEKDAYS.index, self.working_days), excluded)
        derived["_sending"] = DaySet(map(WEEKDAYS.index, self.send_days), excluded)
        derived["_windows"] = windows = merged(self.send_windows)
        derived["_windowed"] = DaySet(windows, excluded) if windows else None
        derived["_sends_on_working_days"] = not windows and set(self.working_days) <= set(self.send_days)
        self._bind(self.timezone)

    def _bind(self, timezone: str) -> None:
        zone = zone_named(timezone)
        self.__dict__["timezone"] = timezone
        self.__dict__["_zone"] = zone
        self.__dict__["_zone_epoch"] = zone_epoch = _NAIVE_EPOCH.replace(tzinfo=zone)
        self.__dict__["_zone_noon_after"] = zone_epoch + timedelta(hours=36)

    def in_zone(self, timezone: str) -> Calendar:
        """The same rules on another zone's clock. Raises `InvalidInput` for an unknown zone."""
        timezone = _to_zone_name(timezone)
        if timezone == self.timezone:
            return self
        other: Calendar = object.__new__(Calendar)
        other.__dict__.update(self.__dict__)
        other._bind(timezone)
        return other

    # -- what is what ------------------------------------------------------------------------------------------

    def is_working_day(self, day: date) -> bool:
        """Whether a local date is a working day: on a working weekday, and no holiday."""
        return day.toordinal() in self._working

    def is_send_day(self, day: date) -> bool:
        """Whether mail may leave on a local date: on a send day, and no holiday."""
        return day.toordinal() in self._sending

    def is_open(self, moment: DateTime, *, email: bool = True) -> bool:
        """Whether a step of the kind may run at this very instant."""
        return self.next_open(moment, email=email) == moment

    def local(self, moment: DateTime) -> datetime:
        """The moment on this calendar's clock, as a plain datetime of the zone."""
        shifted = self._zone_epoch + _subtract(moment, EPOCH)
        local: datetime = self._zone.fromutc(shifted)
        return local

    def working_days_between(self, earlier: DateTime, later: DateTime) -> int:
        """How many working days lie after the local date of one moment, up to and including that of another."""
        return self._working.between(self.local(earlier).toordinal(), self.local(later).toordinal())

    def at_clock_of(self, moment: DateTime, day_of: DateTime) -> DateTime:
        """The local clock time of `moment` on the local date of `day_of` (T4)."""
        local = self.local(moment)
        days = self.local(day_of).toordinal() - local.toordinal()
        instant, _ = self._resolve(local - self._zone_epoch, days)
        return instant

    def start_of(self, day: date) -> DateTime:
        """The instant at which a local date begins (T4)."""
        instant, _ = self._resolve(timedelta(days=day.toordinal() - _NAIVE_EPOCH.toordinal()), 0)
        return instant

    # -- the two questions -------------------------------------------------------------------------------------

    def after(self, moment: DateTime, delay: Delay, reasons: list[str] | None = None) -> DateTime:
        """The instant one delay after a moment (T1, T3, T4). Raises `InvalidInput` beyond the year 9000."""
        if isinstance(delay, Hours):
            result = later_by(moment, delay.__dict__["span"])
            if reasons is not None:
                reasons += moved.by_hours(self.local, moment, result, delay)
            return result
        result = self._on_days(moment, self._working, delay.n)
        if reasons is not None:
            reasons += moved.by_weekdays(self.local, moment, result, delay, self._working)
        return result

    def wait_ends(self, moment: DateTime, delay: Delay) -> DateTime:
        """As `after`, of a wait at whose end no step begins: beyond the year 9000, the last instant there is (T11)."""
        try:
            return self.after(moment, delay)
        except InvalidInput:
            return LAST

    def is_open_after(self, delay: Delay, *, email: bool) -> bool:
        """Whether a step of the kind may run whenever a delay is over: working days end on one, at any time of it."""
        return not isinstance(delay, Hours) and (self._sends_on_working_days or not email)

    def next_open(self, moment: DateTime, *, email: bool, reasons: list[str] | None = None) -> DateTime:
        """The first instant, not before a moment, at which a step of the kind may run (T5)."""
        if not email or self._windowed is None:
            days, kind = (self._sending, "send day") if email else (self._working, "working day")
            result = self._on_days(moment, days, 0)
            if reasons is not None:
                reasons += moved.to_a_day(self.local, moment, result, days, kind)
            return result
        result = self._in_window(moment)
        if reasons is not None:
            reasons += moved.to_a_window(self.local, moment, result, self._windowed, self._windows)
        return result

    def after_open(self, moment: DateTime, span: timedelta, *, email: bool) -> DateTime:
        """The instant by which, since a moment, a step of the kind could have run for so long; one at which it may run.

        What the calendar is closed for does not count. It is walked from one opening to the next, so `span` is meant
        to be hours; after a year of openings the walk ends where it is.
        """
        at = self.next_open(moment, email=email)
        for _ in range(_MOST_OPENINGS):
            closes = self._closes(at, email=email)
            if span < _subtract(closes, at):
                return self.next_open(_add(at, span), email=email)
            span -= _subtract(closes, at)
            at = self.next_open(closes, email=email)
        return at

    def openings(self, since: DateTime, until: DateTime, *, email: bool) -> Iterator[tuple[DateTime, DateTime]]:
        """The spans in which a step of the kind may run between two moments, in order; none is longer than a day."""
        at = self.opens(since, email=email)
        while at < until:
            closes = self._closes(at, email=email)
            yield at, min(closes, until)
            at = self.opens(closes, email=email)

    def opens(self, moment: DateTime, *, email: bool) -> DateTime:
        """The first open instant, not before a moment: of a day without windows its beginning (T9).

        A step is planned for later: for the clock time at which it was to run (T5, `next_open`).
        """
        at = self.next_open(moment, email=email)
        if at == moment or (email and self._windowed is not None):
            return at
        days, ordinal = self._sending if email else self._working, self.local(moment).toordinal()
        while True:
            ordinal = days.after(ordinal, 1)
            opens, real = self._resolve(timedelta(ordinal - _EPOCH_ORDINAL), 0)
            # Where the clocks change over midnight, a date may begin in another one, or begin twice.
            if opens > moment and real in days:
                return min(opens, at)

    def _closes(self, moment: DateTime, *, email: bool) -> DateTime:
        """When the opening ends that an open moment lies in: its window, or else its day."""
        local = self.local(moment)
        clock, ends = clock_of(local), timedelta(days=1)
        if email and self._windowed is not None:
            ends = next((closes for opens, closes in self._windows[local.weekday()] if opens <= clock < closes), ends)
        instant, _ = self._resolve(timedelta(local.toordinal() - _EPOCH_ORDINAL) + ends, 0)
        # On the night of a clock change a closing time may come before the moment once more: go on all the same.
        return max(instant, _add(moment, _A_MINUTE))

    def _on_days(self, moment: DateTime, days: DaySet, n: int) -> DateTime:
        """The n-th of the days after the moment's date, at its clock time; n = 0 is the moment if it is on one."""
        zone_epoch = self._zone_epoch
        local = self._zone.fromutc(zone_epoch + _subtract(moment, EPOCH))
        ordinal = local.toordinal()
        if n == 0:
            if days.on[ordinal % 7] and ordinal not in days.excluded:
                return moment
            n = 1
        wall = local - zone_epoch
        target = days.after(ordinal, n)
        while True:
            instant, real = self._resolve(wall, target - ordinal)
            if real == target or real in days:
                return instant
            # A gap moved it off the days of its kind: on to the next such day, at the original clock time (T4).
            target = days.after(target, 1)

    def _resolve(self, wall: timedelta, days: int) -> tuple[DateTime, int]:
        """The instant of a wall clock reading so many days later, and the local date on which that really is (T4)."""
        # Whole days are added to the reading, and the result resolved once: n days never chain n resolutions.
        wall = wall + (_SHORT_SPANS[days] if 0 <= days < len(_SHORT_SPANS) else timedelta(days))
        try:
            # With fold=0 the offset is the one before the change, both in a gap and in a repeated hour.
            since = wall - self._zone.utcoffset(self._zone_epoch + wall)
            instant = _add(EPOCH, since)
            if EPOCH <= instant <= LAST:
                return instant, self._zone.fromutc(self._zone_epoch + since).toordinal()
        except OverflowError:
            pass
        raise InvalidInput("the result lies outside of the years 1970 to 9000", code="out_of_range")

    # -- windows -----------------------------------------------------------------------------------------------

    def _in_window(self, moment: DateTime) -> DateTime:
        """The least instant, not before a moment, whose local time is inside a window of a send day (T5)."""
        since = _subtract(moment, EPOCH)
        ordinal = self._zone.fromutc(self._zone_epoch + since).toordinal()
        windowed = self._windowed
        assert windowed is not None, "there are windows"
        while ordinal <= _LAST_ORDINAL:
            day = timedelta(ordinal - _EPOCH_ORDINAL)
            # A clock change on this date, or over its midnights, shows in the offset at its start (before the change)
            # and at noon after it: no zone changes twice within six days (Recife in 2000, and Gaza in 2040, do so
            # within a week).
            offset = self._zone.utcoffset(self._zone_epoch + day)
            if offset != self._zone.utcoffset(self._zone_noon_after + day):
                found = self._least_open(ordinal, since)
                if found is not None:
                    return moment if found == since else self._within(found)
            elif windowed.on[ordinal % 7] and ordinal not in windowed.excluded:
                midnight = day - offset
                for opens, closes in self._windows[(ordinal - 1) % 7]:
                    if since < midnight + closes:
                        found = midnight + opens
                        return moment if found <= since else self._within(found)
            ordinal = windowed.after(ordinal, 1)
        raise InvalidInput("no send window opens before the year 9000 is over", code="out_of_range")

    def _within(self, since: timedelta) -> DateTime:
        instant = _add(EPOCH, since)
        if instant > LAST:
            raise InvalidInput("no send window opens before the year 9000 is over", code="out_of_range")
        return instant

    def _least_open(self, ordinal: int, since: timedelta) -> timedelta | None:
        """The least instant (as a span since 1970) not before `since` inside a window around a clock change, if any.

        Where clocks go back over midnight, an evening comes once more after the next date has begun. So the dates
        beside this one are asked, too.
        """
        spans = self._spans(timedelta(ordinal - _EPOCH_ORDINAL))
        return min(
            (
                max(since, starts, opening)
                for date in range(ordinal - 1, ordinal + 2)
                if self._windowed is not None and date in self._windowed
                for day in [timedelta(date - _EPOCH_ORDINAL)]
                for opens, closes in self._windows[(date - 1) % 7]
                for starts, ends, offset in spans
                for opening in [day + opens - offset]
                if max(since, starts, opening) < min(ends, day + closes - offset)
            ),
            default=None,
        )

    def _spans(self, day: timedelta) -> list[tuple[timedelta, timedelta, timedelta]]:
        """The spans (from, to, offset) before and after the clock change near a local date, over three dates."""

        def offset_at(since: timedelta) -> timedelta:
            found: timedelta = self._zone.fromutc(self._zone_epoch + since).utcoffset()
            return found

        # Five days and a bit, in which no zone changes twice: halving finds the second of the change.
        first, last = day - timedelta(hours=50), day + timedelta(hours=74)
        before, after = offset_at(first), offset_at(last)
        low, high = 0, 124 * 3600
        while high - low > 1:
            middle = (low + high) // 2
            if offset_at(first + timedelta(seconds=middle)) == before:
                low = middle
            else:
                high = middle
        change = first + timedelta(seconds=high)
        return [(first, change, before), (change, last, after)]
