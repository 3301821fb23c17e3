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

import datetime as dt
import functools
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, cast

import attrs
import pendulum
from pendulum import DateTime

from sequencer.core.days import WEEKDAYS, DaySet
from sequencer.core.delays import Delay, Hours
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import EPOCH, LAST, later_by, to_date

__all__ = ["Calendar", "Window", "zone_named"]

_NAIVE_EPOCH = datetime(1970, 1, 1)
_EPOCH_ORDINAL = _NAIVE_EPOCH.toordinal()
_LAST_ORDINAL = date(9000, 12, 31).toordinal()
# Most delays are short, and making a timedelta costs as much as everything else here.
_SHORT_SPANS = tuple(timedelta(days) for days in range(800))
_CLOCK = re.compile(r"(?P<minutes>(?P<hour>[0-9]{2}):[0-5][0-9])(:(?P<second>[0-5][0-9]))?")
_MOST_HOLIDAYS = 5
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
        raise InvalidInput(
            f"there is no time zone {name!r}; use an IANA name like Europe/Warsaw",
            path=path,
            code="unknown_timezone",
        ) from None


def _to_zone_name(value: Any) -> str:
    if not isinstance(value, str):
        value = getattr(value, "key", getattr(value, "name", value))
    try:
        zone_named(value)
    except TypeError:
        raise InvalidInput(f"needs a zone name, got {value!r}", path="timezone", code="unknown_timezone") from None
    return str(value)


def _to_weekdays(value: Any, path: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidInput(f"needs a list of {', '.join(WEEKDAYS)}, got {value!r}", path=path, code="invalid_weekday")
    names = list(value)
    for name in names:
        if not isinstance(name, str) or name not in WEEKDAYS:
            raise InvalidInput(f"{name!r} is no weekday; use {', '.join(WEEKDAYS)}", path=path, code="invalid_weekday")
    if len(set(names)) != len(names):
        raise InvalidInput("names a weekday twice", path=path, code="duplicate_weekday")
    return tuple(name for name in WEEKDAYS if name in names)


def _to_clock(value: Any, path: str, *, end: bool) -> str:
    """A clock time as text, `HH:MM` or `HH:MM:SS`; the end of a window may be 24:00."""
    text = value.isoformat() if isinstance(value, dt.time) else value
    # By its shape, since `time.fromisoformat` also takes offsets, fractions and times without colons.
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found is None or not (found["hour"] < "24" or (end and text in ("24:00", "24:00:00"))):
        raise InvalidInput(f'needs a time like "09:00", got {value!r}', path=path, code="invalid_time")
    return found["minutes"] if found["second"] in (None, "00") else text


def _since_midnight(clock: str) -> timedelta:
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def _to_days(value: Any) -> tuple[str, ...]:
    return _to_weekdays(value, "days")


def _to_opening(value: Any) -> str:
    return _to_clock(value, "opens", end=False)


def _to_closing(value: Any) -> str:
    return _to_clock(value, "closes", end=True)


@attrs.frozen
class Window:
    """A span of local clock time on some weekdays, in which mail may leave: `opens <= time < closes` (T5).

    `opens` and `closes` are text like "09:00" or `datetime.time`; `closes` may be "24:00". A window does not cross
    midnight: make it two.
    """

    days: tuple[str, ...] = attrs.field(converter=_to_days)
    opens: str = attrs.field(converter=_to_opening)
    closes: str = attrs.field(converter=_to_closing)

    def __attrs_post_init__(self) -> None:
        if not self.days:
            raise InvalidInput("needs at least one day", path="days", code="empty_window")
        if _since_midnight(self.opens) >= _since_midnight(self.closes):
            raise InvalidInput(
                f"must be later than opens ({self.opens}), got {self.closes}; a window that crosses midnight is two",
                path="closes",
                code="empty_window",
            )


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
    return _to_weekdays(value, "working_days")


def _to_send_days(value: Any) -> tuple[str, ...]:
    # None stands for the working days, which are not known yet here.
    return cast("tuple[str, ...]", None) if value is None else _to_weekdays(value, "send_days")


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
    _windows: dict[int, tuple[tuple[timedelta, timedelta], ...]] = _derived()
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
        derived["_windows"] = windows = _merged(self.send_windows)
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
            if reasons is not None and result != moment:
                reasons.append(f"{delay} later: {self._show(result)}")
                self._note_clock_change(moment, result, reasons)
            return result
        n = delay.n
        result = self._on_days(moment, self._working, n)
        if reasons is not None:
            if n:
                reasons.append(f"{delay} later, at the same clock time: {self._show(result)}")
            self._note_days(moment, result, self._working, "working day", reasons, n)
            self._note_odd_clock(moment, result, reasons)
        return result

    def is_open_after(self, delay: Delay, *, email: bool) -> bool:
        """Whether a step of the kind may run whenever a delay is over: working days end on one, at any time of it."""
        return not isinstance(delay, Hours) and (self._sends_on_working_days or not email)

    def next_open(self, moment: DateTime, *, email: bool, reasons: list[str] | None = None) -> DateTime:
        """The first instant, not before a moment, at which a step of the kind may run (T5)."""
        if not email or self._windowed is None:
            days, kind = (self._sending, "send day") if email else (self._working, "working day")
            result = self._on_days(moment, days, 0)
            if reasons is not None:
                self._note_days(moment, result, days, kind, reasons, 0)
                self._note_odd_clock(moment, result, reasons)
            return result
        result = self._in_window(moment)
        if reasons is not None and result != moment:
            self._note_days(moment, result, self._windowed, "day with a send window", reasons, 0)
            reasons.append(f"waits for the send window {self._window_at(result)}: {self._show(result)}")
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
        at = self.next_open(since, email=email)
        while at < until:
            closes = self._closes(at, email=email)
            yield at, min(closes, until)
            at = self.next_open(closes, email=email)

    def _closes(self, moment: DateTime, *, email: bool) -> DateTime:
        """When the opening ends that an open moment lies in: its window, or else its day."""
        local = self.local(moment)
        clock, ends = _clock_of(local), timedelta(days=1)
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
            # and at noon after it: no zone changes twice within a week.
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

    # -- reasons (T10) -----------------------------------------------------------------------------------------

    def _show(self, moment: DateTime) -> str:
        local = self.local(moment)
        seconds = f"{local:%S}" if local.second or local.microsecond else ""
        offset = local.isoformat()[-6:]
        return f"{local:%a %Y-%m-%d %H:%M}{':' + seconds if seconds else ''}{offset}"

    def _note_days(
        self, earlier: DateTime, later: DateTime, days: DaySet, kind: str, reasons: list[str], n: int
    ) -> None:
        first, last = self.local(earlier).toordinal(), self.local(later).toordinal()
        # With n = 0 the day itself may be what is passed over; with n > 0 only the days after it are.
        skipped = [day for day in range(first + (1 if n else 0), last) if day not in days]
        if skipped:
            self._note_skipped(later, days, kind, reasons, n, skipped)
        # Of the days of its kind on the way, the n-th (with n = 0: the first) was meant: a gap took it and those after.
        lost = [day for day in range(first + 1, last) if day in days][max(n, 1) - 1 :]
        reasons.extend(
            f"the clocks go forward on {date.fromordinal(day).isoformat()}, and over the time that was meant; the next "
            f"{kind} is {self._show(later)}"
            for day in lost
        )

    def _note_skipped(
        self, later: DateTime, days: DaySet, kind: str, reasons: list[str], n: int, skipped: list[int]
    ) -> None:
        holidays = [day for day in skipped if day in days.excluded and (day - 1) % 7 in days.weekdays]
        others = len(skipped) - len(holidays)
        passed = []
        if others:
            weekend = {(day - 1) % 7 for day in skipped if day not in holidays} <= {5, 6}
            days_that_are = "1 day that is" if others == 1 else f"{others} days that are"
            passed.append("the weekend" if weekend and others <= 2 else f"{days_that_are} no {kind}")
        dates = [date.fromordinal(day).isoformat() for day in holidays[:_MOST_HOLIDAYS]]
        if len(holidays) > _MOST_HOLIDAYS:
            dates.append(f"{len(holidays) - _MOST_HOLIDAYS} more")
        if dates:
            passed.append(f"the holiday{'' if len(dates) == 1 else 's'} {_listed(dates)}")
        where = f"; the next {kind} is {self._show(later)}" if n == 0 else ""
        reasons.append(f"passes over {' and '.join(passed)}{where}")

    def _note_clock_change(self, earlier: DateTime, later: DateTime, reasons: list[str]) -> None:
        before, after = self.local(earlier).utcoffset(), self.local(later).utcoffset()
        if before != after and before is not None and after is not None:
            minutes = round((after - before) / timedelta(minutes=1))
            reasons.append(
                f"the clocks change by {minutes:+d} minutes on the way; an hour stays 3600 seconds, so the clock time "
                "moves"
            )

    def _note_odd_clock(self, earlier: DateTime, later: DateTime, reasons: list[str]) -> None:
        if earlier == later:
            return
        before, after = self.local(earlier), self.local(later)
        if before.time() != after.time():
            reasons.append(
                f"{before:%H:%M} does not exist on that day: the clocks go forward, and the time with them, to "
                f"{self._show(later)}"
            )
        elif after.replace(fold=1).utcoffset() != after.utcoffset():
            reasons.append(f"{after:%H:%M} comes twice on that day: the first is meant, {self._show(later)}")

    def _window_at(self, moment: DateTime) -> str:
        local = self.local(moment)
        clock = _clock_of(local)
        for opens, closes in self._windows[local.weekday()]:
            if opens <= clock < closes:
                return f"{_clock_text(opens)}-{_clock_text(closes)}"
        raise AssertionError("an open moment lies in no window")


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _clock_of(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _clock_text(clock: timedelta) -> str:
    minutes, seconds = divmod(clock // timedelta(seconds=1), 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def _merged(windows: Iterable[Window]) -> dict[int, tuple[tuple[timedelta, timedelta], ...]]:
    """For each weekday that has any, its windows in order, overlapping and touching ones joined."""
    by_day: dict[int, list[tuple[timedelta, timedelta]]] = {}
    for window in windows:
        for name in window.days:
            span = (_since_midnight(window.opens), _since_midnight(window.closes))
            by_day.setdefault(WEEKDAYS.index(name), []).append(span)
    merged = {}
    for day, spans in by_day.items():
        joined: list[tuple[timedelta, timedelta]] = []
        for opens, closes in sorted(spans):
            if joined and opens <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
            else:
                joined.append((opens, closes))
        merged[day] = tuple(joined)
    return merged
