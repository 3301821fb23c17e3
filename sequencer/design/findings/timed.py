"""What timelines show: mails too close, at night, stuck before a window; and sequences that are too long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from datetime import date, timedelta

import attrs

from sequencer.core.days import WEEKDAYS
from sequencer.core.instants import from_microseconds
from sequencer.core.matching import step_called
from sequencer.core.pacing import Cap
from sequencer.core.problems import child, item
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.ground import DAY, HOUR, MINUTE, Ground, clock_reading
from sequencer.design.findings.finding import (
    NIGHT_BEGINS,
    NIGHT_ENDS,
    QUARTER,
    RELIABLY,
    TOO_CLOSE,
    WORKING_DAYS_PASSED,
    Finding,
    found,
)
from sequencer.design.findings.samples import Sample, Stretch, samples, stretches
from sequencer.design.findings.static import mails_of

__all__ = ["timed_findings"]

_MICROSECOND = timedelta(microseconds=1)
# The hour at which a mail does most harm.
_DEAD_OF_NIGHT = 3 * HOUR


@attrs.frozen
class _Look:
    """A sequence, on the clock of one zone, and what becomes of who is enrolled."""

    sequence: Sequence
    ground: Ground
    samples: tuple[Sample, ...]
    mails: tuple[int, ...]

    def clock(self, at: int) -> str:
        """An instant as a message shows it, on the clock of this look."""
        return f"{self.ground.local(at):%a %Y-%m-%d %H:%M}"

    def time_of_day(self, at: int) -> int:
        """What the clock shows, since midnight."""
        return self.ground.wall(at) % DAY

    def is_night(self, at: int) -> bool:
        """Whether an instant is in the night of this look's clock."""
        return not NIGHT_ENDS * HOUR <= self.time_of_day(at) < NIGHT_BEGINS * HOUR

    def called(self, position: int) -> str:
        """A step as messages call it."""
        return step_called(self.sequence, position)

    def who(self, sample: Sample) -> str:
        """The beginning of a message about a case."""
        return f"who is enrolled on {self.clock(sample.start)}"

    def meant(self, sample: Sample, position: int) -> int:
        """When the delay of a step is over; the step itself may have to wait for the calendar (T5)."""
        base = sample.at[position - 1] if position else sample.start
        return self.ground.after(self.sequence.steps[position].after)(base)

    def share(self, of: Several[Sample]) -> str:
        """How many of all starts these are."""
        some, everything = _counted(of), _counted(self.samples)
        if not some:
            return "for few"
        return "for everybody" if some == everything else f"for {some} of {everything} starts"


def _counted(of: Several[Sample]) -> int:
    return sum(sample.counts for sample in of)


def _look(sequence: Sequence, timezone: str, enrolled: tuple[Stretch, ...], mails: tuple[int, ...]) -> _Look:
    ground = Ground(sequence.calendar.in_zone(timezone), enrolled[0][0])
    return _Look(sequence, ground, samples(sequence, ground, enrolled), mails)


def timed_findings(sequence: Sequence, since: date, zones: Iterable[str], cap: Cap, *, weeks: int) -> Iterator[Finding]:
    """What the timelines of ordinary weeks show, from a date on, in the definition's zone and in others."""
    mails = tuple(mails_of(sequence))
    own = _look(sequence, sequence.calendar.timezone, stretches(sequence, since, weeks), mails)
    yield from _close(own)
    yield from _waiting(own)
    yield from _doubled(own)
    yield from _long(own)
    yield from _capped(own, cap)
    yield from _nights(own)
    # What is at night at home is no news of another zone.
    by_day = tuple(mail for mail in mails if not any(own.is_night(sample.at[mail]) for sample in own.samples))
    if by_day:
        yield from _elsewhere(own, by_day, zones, stretches(sequence, since, 1))


def _span(span: int) -> str:
    """An elapsed time as people say it."""
    hours, minutes = divmod(span // MINUTE, 60)
    if not hours:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours}:{minutes:02d} hours" if minutes else f"{hours} hour{'' if hours == 1 else 's'}"


def _place(position: int) -> str:
    return child(item("steps", position), "delay_from_previous_step")


# -- too close, too late --------------------------------------------------------------------------------------


def _close(look: _Look) -> Iterator[Finding]:
    limit = TOO_CLOSE // _MICROSECOND
    for first, second in zip(look.mails, look.mails[1:], strict=False):
        close = [sample for sample in look.samples if sample.at[second] - sample.at[first] < limit]
        if not close:
            continue
        case = min(close, key=lambda sample: sample.at[second] - sample.at[first])
        apart = case.at[second] - case.at[first]
        when = f"{_span(apart)} later" if apart else "at the same moment"
        done = ", if what is between them is done when it is due" if second > first + 1 else ""
        message = (
            f"{look.who(case)} gets {look.called(first)} on {look.clock(case.at[first])}, and {look.called(second)} "
            f"{when}, on {look.clock(case.at[second])}{done}; they are so close {look.share(close)}"
        )
        yield found("mails_close", _place(second), message)


def _waiting(look: _Look) -> Iterator[Finding]:
    for position in look.mails:
        waits = [(passed, sample) for sample in look.samples if (passed := _passed(look, sample, position))]
        if not waits:
            continue
        passed, case = max(waits, key=lambda each: each[0])
        what = "send window" if look.sequence.calendar.send_windows else "send day"
        message = (
            f"{look.who(case)} would get {look.called(position)} on {look.clock(look.meant(case, position))}, but it "
            f"waits for a {what} until {look.clock(case.at[position])}, while {passed} whole working days go by; it "
            f"waits so long {look.share([sample for _, sample in waits])}"
        )
        yield found("mail_waits_for_days", _place(position), message)


def _passed(look: _Look, sample: Sample, position: int) -> int:
    """How many whole working days go by while a mail waits; 0 where they are not many enough to tell."""
    meant, at = look.meant(sample, position), sample.at[position]
    if at - meant <= WORKING_DAYS_PASSED * DAY:
        return 0
    calendar = look.ground.calendar
    leaves_on_one = calendar.is_working_day(look.ground.local(at).date())
    passed = calendar.working_days_between(from_microseconds(meant), from_microseconds(at)) - leaves_on_one
    return passed if passed >= WORKING_DAYS_PASSED else 0


def _doubled(look: _Look) -> Iterator[Finding]:
    closing = _closing(look.sequence)
    if not closing:
        return
    for position in look.mails:
        delay = look.sequence.steps[position].after
        if not delay.n:
            continue
        late = [sample for sample in look.samples if _is_late(look, sample, position, closing)]
        if not late or _counted(late) < RELIABLY * _counted(look.samples):
            continue
        case = late[0]
        meant = look.meant(case, position)
        closes = closing[look.ground.local(meant).weekday()] // MINUTE
        base = f"step {position - 1}" if position else "the start"
        message = (
            f"{look.who(case)}: {delay} after {base} is {look.clock(meant)}, when the last window of that day has "
            f"closed at {closes // 60:02d}:{closes % 60:02d}, so {look.called(position)} leaves on "
            f"{look.clock(case.at[position])}; it is so {look.share(late)}"
        )
        yield found("weekday_becomes_two", _place(position), message)


def _closing(sequence: Sequence) -> dict[int, int]:
    """For each weekday with a window, the time of day at which the last one closes."""
    closing: dict[int, int] = {}
    for window in sequence.calendar.send_windows:
        for day in map(WEEKDAYS.index, window.days):
            closing[day] = max(closing.get(day, 0), clock_reading(window.closes))
    return closing


def _is_late(look: _Look, sample: Sample, position: int, closing: dict[int, int]) -> bool:
    meant = look.meant(sample, position)
    if meant == sample.at[position]:
        return False
    local = look.ground.local(meant)
    closes = closing.get(local.weekday())
    is_over = closes is not None and look.time_of_day(meant) >= closes
    return is_over and look.ground.calendar.is_send_day(local.date())


# -- too long, too many ---------------------------------------------------------------------------------------


def _long(look: _Look) -> Iterator[Finding]:
    limit = QUARTER // _MICROSECOND
    case = max(look.samples, key=lambda sample: sample.at[-1] - sample.start)
    if case.at[-1] - case.start <= limit:
        return
    late = next(i for i, at in enumerate(case.at) if at - case.start > limit)
    last = len(case.at) - 1
    message = (
        f"{look.who(case)} gets {look.called(last)} on {look.clock(case.at[last])}, "
        f"{_span(case.at[last] - case.start)} later, if all is done when it is due"
    )
    first = f"; {look.called(late)} is the first beyond {QUARTER.days} days" if late < last else ""
    yield found("longer_than_a_quarter", _place(late), f"{message}{first}")


def _capped(look: _Look, cap: Cap) -> Iterator[Finding]:
    per, gap = cap.per // _MICROSECOND, cap.gap // _MICROSECOND
    for n, position in enumerate(look.mails):
        # Of so many mails, or of two, the last has to wait.
        for first, least, full in ((n - cap.emails, per, True), (n - 1, gap, False)):
            if first < 0 or not least:
                continue
            begins = look.mails[first]
            case = next((each for each in look.samples if each.at[position] - each.at[begins] < least), None)
            if case is None:
                continue
            span = case.at[position] - case.at[begins]
            within = f"within {_span(span)}" if span else "at the same moment"
            then = "the enrollment is blocked there" if full and cap.exceeding == "block" else "the last of them waits"
            message = (
                f"{look.who(case)} would get {n - first + 1} mails {within}, from {look.called(begins)} to "
                f"{look.called(position)}; the cap allows {cap.why(full=full, actor='one sender')}, so {then}"
            )
            yield found("cap_exceeded", _place(position), message)
            return


# -- at night -------------------------------------------------------------------------------------------------


def _darkness(time_of_day: int) -> int:
    """How far from the dead of night a clock time is; what is least is worst."""
    apart = abs(time_of_day - _DEAD_OF_NIGHT)
    return min(apart, DAY - apart)


def _nights(look: _Look) -> Iterator[Finding]:
    # Who is enrolled at night has asked for nothing better.
    by_day = [sample for sample in look.samples if not look.is_night(sample.start)]
    dark = [{position for position in look.mails if look.is_night(sample.at[position])} for sample in by_day]
    for position in look.mails:
        # A mail that is at night since the one before it was, too, keeps its clock time: that is no mistake of its own.
        new = [sample for sample, nights in zip(by_day, dark, strict=True) if nights and position == min(nights)]
        if not new:
            continue
        case = min(new, key=lambda sample: _darkness(look.time_of_day(sample.at[position])))
        others = len({each for nights in dark for each in nights if each > position})
        more = f"; later mails may follow at such times ({others} of them)" if others else ""
        message = (
            f"{look.who(case)} gets {look.called(position)} on {look.clock(case.at[position])}"
            f"{_after_the_delay(look, case, position)}; it is at night {look.share(new)}{more}"
        )
        yield found("mail_at_night", _place(position), message)


def _after_the_delay(look: _Look, sample: Sample, position: int) -> str:
    """What the delay led to, where that is not when the mail leaves."""
    step, meant = look.sequence.steps[position], look.meant(sample, position)
    if meant == sample.at[position]:
        return ""
    base = f"step {position - 1}" if position else "the start"
    delay = f"{step.after} after {base} is {look.clock(meant)}, when" if step.after.n else f"on {look.clock(meant)}"
    return f", since {delay} no mail may leave"


def _elsewhere(
    own: _Look, mails: tuple[int, ...], zones: Iterable[str], enrolled: tuple[Stretch, ...]
) -> Iterator[Finding]:
    sequence = own.sequence
    cases: list[tuple[int, int, _Look, Sample]] = []
    affected: set[int] = set()
    zones = [zone for zone in zones if zone != sequence.calendar.timezone]
    for zone in zones:
        look = _look(sequence, zone, enrolled, mails)
        dark = [
            (position, _darkness(look.time_of_day(sample.at[position])), look, sample)
            for sample in look.samples
            if not own.is_night(sample.start)
            for position in mails
            if look.is_night(sample.at[position])
        ]
        if dark:
            # The first mail is the clearest case, at the darkest hour.
            cases.append(min(dark, key=lambda each: each[:2]))
            affected |= {position for position, *_ in dark}
    if not cases:
        return
    position, _, look, sample = min(cases, key=lambda each: each[:2])
    others = len(affected) - 1
    more = f"; so it is with {others} more {'mail' if others == 1 else 'mails'}" if others else ""
    message = (
        f"who lives in {look.ground.calendar.timezone} and is enrolled on {own.clock(sample.start)} "
        f"({sequence.calendar.timezone}) gets {look.called(position)} there on {look.clock(sample.at[position])}{more}"
        f"; mails come at night in {len(cases)} of {len(zones)} other zones looked at"
    )
    yield found("mail_at_night_elsewhere", item("steps", position), message)
