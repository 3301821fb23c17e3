"""What timelines show: mails too close, at night, stuck before a window; and sequences that are too long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.instants import between
from sequencer.core.pacing import Cap
from sequencer.core.problems import child, item
from sequencer.core.sequence import Sequence
from sequencer.design.finding import (
    NIGHT_BEGINS,
    NIGHT_ENDS,
    QUARTER,
    RELIABLY,
    TOO_CLOSE,
    WORKING_DAYS_PASSED,
    Finding,
    found,
)
from sequencer.design.samples import Sample, samples, starts
from sequencer.design.static import mails_of, step_called

__all__ = ["timed_findings"]

_A_DAY = timedelta(days=1)
# The hour at which a mail does most harm.
_DEAD_OF_NIGHT = 3


@attrs.frozen
class _Look:
    """A sequence, its calendar on one zone's clock, and what becomes of who is enrolled."""

    sequence: Sequence
    calendar: Calendar
    samples: tuple[Sample, ...]
    mails: tuple[int, ...]

    def clock(self, at: DateTime) -> str:
        """An instant as a message shows it, on the clock of this look."""
        return f"{self.calendar.local(at):%a %Y-%m-%d %H:%M}"

    def called(self, position: int) -> str:
        """A step as messages call it."""
        return step_called(self.sequence, position)

    def who(self, sample: Sample) -> str:
        """The beginning of a message about a case."""
        return f"who is enrolled on {self.clock(sample.start)}"

    def at_night(self, at: DateTime) -> bool:
        """Whether an instant is in the night of this look's clock."""
        return _is_night(self.calendar.local(at))


def _is_night(local: datetime) -> bool:
    return not NIGHT_ENDS <= local.hour < NIGHT_BEGINS


def timed_findings(sequence: Sequence, since: date, zones: Iterable[str], cap: Cap, *, weeks: int) -> Iterator[Finding]:
    """What the timelines of ordinary weeks show, from a date on, in the definition's zone and in others."""
    mails = tuple(mails_of(sequence))
    at = starts(sequence, since, weeks=weeks)
    own = _Look(sequence, sequence.calendar, samples(sequence, sequence.calendar, at), mails)
    yield from _close(own)
    yield from _waiting(own)
    yield from _doubled(own)
    yield from _long(own)
    yield from _capped(own, cap)
    at_night = list(_nights(own))
    yield from at_night
    # An hour is fine enough for what is the same in every hour of a day.
    yield from _elsewhere(own, {each.position for each in at_night}, zones, starts(sequence, since, weeks=1, finest=60))


def _share(n: int, of: int) -> str:
    return "for everybody" if n == of else f"for {n} of {of} starts"


def _span(span: timedelta) -> str:
    """An elapsed time as people say it."""
    minutes = span // timedelta(minutes=1)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours}:{minutes:02d} hours" if minutes else f"{hours} hour{'' if hours == 1 else 's'}"


def _place(position: int) -> str:
    return child(item("steps", position), "delay_from_previous_step")


# -- too close, too late --------------------------------------------------------------------------------------


def _close(look: _Look) -> Iterator[Finding]:
    for first, second in zip(look.mails, look.mails[1:], strict=False):
        close = [sample for sample in look.samples if between(sample.at[first], sample.at[second]) < TOO_CLOSE]
        if not close:
            continue
        case = min(close, key=lambda sample: between(sample.at[first], sample.at[second]))
        apart = between(case.at[first], case.at[second])
        when = f"{_span(apart)} later" if apart else "at the same moment"
        done = ", if what is between them is done when it is due" if second > first + 1 else ""
        message = (
            f"{look.who(case)} gets {look.called(first)} on {look.clock(case.at[first])}, and {look.called(second)} "
            f"{when}, on {look.clock(case.at[second])}{done}; they are so close {_share(len(close), len(look.samples))}"
        )
        yield found("mails_close", _place(second), message)


def _waiting(look: _Look) -> Iterator[Finding]:
    calendar = look.calendar
    for position in look.mails:
        waits: list[tuple[int, Sample]] = []
        for sample in look.samples:
            meant, at = sample.meant[position], sample.at[position]
            if between(meant, at) > WORKING_DAYS_PASSED * _A_DAY:
                passed = calendar.working_days_between(meant, at) - calendar.is_working_day(calendar.local(at).date())
                if passed >= WORKING_DAYS_PASSED:
                    waits.append((passed, sample))
        if not waits:
            continue
        passed, case = max(waits, key=lambda each: each[0])
        what = "send window" if calendar.send_windows else "send day"
        message = (
            f"{look.who(case)} would get {look.called(position)} on {look.clock(case.meant[position])}, but it waits "
            f"for a {what} until {look.clock(case.at[position])}, while {passed} whole working days go by; it waits so "
            f"long {_share(len(waits), len(look.samples))}"
        )
        yield found("mail_waits_for_days", _place(position), message)


def _doubled(look: _Look) -> Iterator[Finding]:
    closing = _closing(look.calendar)
    if not closing:
        return
    for position in look.mails:
        delay = look.sequence.steps[position].after
        if not delay.n:
            continue
        late = [sample for sample in look.samples if _is_late(look, sample, position, closing)]
        if not late or len(late) < RELIABLY * len(look.samples):
            continue
        case = late[0]
        closes = closing[look.calendar.local(case.meant[position]).weekday()]
        base = f"step {position - 1}" if position else "the start"
        message = (
            f"{look.who(case)}: {delay} after {base} is {look.clock(case.meant[position])}, when the last window of "
            f"that day has closed at {closes // 60:02d}:{closes % 60:02d}, so {look.called(position)} leaves on "
            f"{look.clock(case.at[position])}; it is so {_share(len(late), len(look.samples))}"
        )
        yield found("weekday_becomes_two", _place(position), message)


def _closing(calendar: Calendar) -> dict[int, int]:
    """For each weekday with a window, the minute of the day at which the last one closes."""
    closing: dict[int, int] = {}
    for window in calendar.send_windows:
        minute = int(window.closes[:2]) * 60 + int(window.closes[3:5])
        for day in map(WEEKDAYS.index, window.days):
            closing[day] = max(closing.get(day, 0), minute)
    return closing


def _is_late(look: _Look, sample: Sample, position: int, closing: dict[int, int]) -> bool:
    meant, at = sample.meant[position], sample.at[position]
    if meant == at:
        return False
    local = look.calendar.local(meant)
    closes = closing.get(local.weekday())
    return closes is not None and local.hour * 60 + local.minute >= closes and look.calendar.is_send_day(local.date())


# -- too long, too many ---------------------------------------------------------------------------------------


def _long(look: _Look) -> Iterator[Finding]:
    case = max(look.samples, key=lambda sample: between(sample.start, sample.at[-1]))
    if between(case.start, case.at[-1]) <= QUARTER:
        return
    late = next(i for i, at in enumerate(case.at) if between(case.start, at) > QUARTER)
    last = len(case.at) - 1
    message = (
        f"{look.who(case)} gets {look.called(last)} on {look.clock(case.at[last])}, "
        f"{_span(between(case.start, case.at[last]))} later, if all is done when it is due"
    )
    first = f"; {look.called(late)} is the first beyond {QUARTER.days} days" if late < last else ""
    yield found("longer_than_a_quarter", _place(late), f"{message}{first}")


def _capped(look: _Look, cap: Cap) -> Iterator[Finding]:
    for n, position in enumerate(look.mails):
        first = look.mails[n - cap.emails] if n >= cap.emails else None
        before = look.mails[n - 1] if n else None
        for sample in look.samples:
            full = first is not None and between(sample.at[first], sample.at[position]) < cap.per
            if full and first is not None:
                span, many = between(sample.at[first], sample.at[position]), cap.emails + 1
                what = f"{many} mails {_within(span)}, from {look.called(first)} to {look.called(position)}"
            elif before is not None and between(sample.at[before], sample.at[position]) < cap.gap:
                span = between(sample.at[before], sample.at[position])
                what = f"2 mails {_within(span)}, {look.called(before)} and {look.called(position)}"
            else:
                continue
            allowed = cap.why(full=full, actor="one sender")
            then = "the enrollment is blocked there" if full and cap.exceeding == "block" else "the last of them waits"
            message = f"{look.who(sample)} would get {what}; the cap allows {allowed}, so {then}"
            yield found("cap_exceeded", _place(position), message)
            return


def _within(span: timedelta) -> str:
    return f"within {_span(span)}" if span else "at the same moment"


# -- at night -------------------------------------------------------------------------------------------------


def _darkness(local: datetime) -> int:
    """How far from the dead of night a clock time is, in minutes; what is least is worst."""
    minutes = abs((local.hour - _DEAD_OF_NIGHT) * 60 + local.minute)
    return min(minutes, 24 * 60 - minutes)


def _nights(look: _Look) -> Iterator[Finding]:
    # Who is enrolled at night has asked for nothing better.
    by_day = [sample for sample in look.samples if not look.at_night(sample.start)]
    dark = [{position for position in look.mails if look.at_night(sample.at[position])} for sample in by_day]
    for position in look.mails:
        # A mail that is at night since the one before it was, too, keeps its clock time: that is no mistake of its own.
        new = [
            sample
            for sample, nights in zip(by_day, dark, strict=True)
            if position in nights and position == min(nights)
        ]
        if not new:
            continue
        case = min(new, key=lambda sample: _darkness(look.calendar.local(sample.at[position])))
        after = _after_the_delay(look, case, position)
        others = len({each for nights in dark for each in nights if each > position})
        more = f"; later mails may follow at such times ({others} of them)" if others else ""
        message = (
            f"{look.who(case)} gets {look.called(position)} on {look.clock(case.at[position])}{after}; it is at night "
            f"{_share(len(new), len(look.samples))}{more}"
        )
        yield found("mail_at_night", _place(position), message)


def _after_the_delay(look: _Look, sample: Sample, position: int) -> str:
    """What the delay led to, where that is not when the mail leaves."""
    step, meant = look.sequence.steps[position], sample.meant[position]
    if meant == sample.at[position]:
        return ""
    base = f"step {position - 1}" if position else "the start"
    return f", since {step.after} after {base} is {look.clock(meant)}, which is no day for it"


def _elsewhere(own: _Look, known: set[int | None], zones: Iterable[str], at: tuple[DateTime, ...]) -> Iterator[Finding]:
    sequence = own.sequence
    mails = tuple(position for position in own.mails if position not in known)
    by_day = tuple(start for start in at if not own.at_night(start))
    worst: tuple[int, int] | None = None
    case: tuple[_Look, Sample, int] | None = None
    affected: dict[int, None] = {}
    dark_zones: list[str] = []
    looked_at = 0
    for zone in zones:
        if zone == sequence.calendar.timezone:
            continue
        looked_at += 1
        calendar = sequence.calendar.in_zone(zone)
        look = _Look(sequence, calendar, samples(sequence, calendar, by_day), mails)
        for sample in look.samples:
            for position in mails:
                local = calendar.local(sample.at[position])
                if not _is_night(local):
                    continue
                affected[position] = None
                if zone not in dark_zones:
                    dark_zones.append(zone)
                # The first mail is the clearest case.
                rank = (position, _darkness(local))
                if worst is None or rank < worst:
                    worst, case = rank, (look, sample, position)
    if case is None:
        return
    look, sample, position = case
    others = len(affected) - 1
    more = f"; so it is with {others} more {'mail' if others == 1 else 'mails'}" if others else ""
    message = (
        f"who lives in {look.calendar.timezone} and is enrolled on {own.clock(sample.start)} ({own.calendar.timezone}) "
        f"gets {look.called(position)} there on {look.clock(sample.at[position])}{more}; mails come at night in "
        f"{len(dark_zones)} of {looked_at} other zones looked at"
    )
    yield found("mail_at_night_elsewhere", item("steps", position), message)
