"""What moved an instant, in sentences (law T10): how a calendar's answer came about, from the answer itself.

Each function is given the clock of a zone (`local`), where the instant was, and where the calendar has put it, and
yields the sentences in the order in which things were applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import TypeAlias

from pendulum import DateTime

from sequencer.core.days import DaySet
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.windows import Spans, clock_of, clock_text

__all__ = ["by_hours", "by_weekdays", "to_a_day", "to_a_window"]

Local: TypeAlias = Callable[[DateTime], datetime]
_MOST_HOLIDAYS = 5


def by_hours(local: Local, earlier: DateTime, later: DateTime, delay: Hours) -> Iterator[str]:
    """Elapsed time, and what the clocks did on the way."""
    if earlier == later:
        return
    yield f"{delay} later: {_shown(local, later)}"
    before, after = local(earlier).utcoffset(), local(later).utcoffset()
    if before != after and before is not None and after is not None:
        minutes = round((after - before) / timedelta(minutes=1))
        yield (
            f"the clocks change by {minutes:+d} minutes on the way; an hour stays 3600 seconds, so the clock time moves"
        )


def by_weekdays(local: Local, earlier: DateTime, later: DateTime, delay: Weekdays, days: DaySet) -> Iterator[str]:
    """Working days, and what lay between them."""
    if delay.n:
        yield f"{delay} later, at the same clock time: {_shown(local, later)}"
    yield from _passed_over(local, earlier, later, days, "working day", delay.n)
    yield from _odd_clock(local, earlier, later)


def to_a_day(local: Local, earlier: DateTime, later: DateTime, days: DaySet, kind: str) -> Iterator[str]:
    """To the first day of a kind."""
    yield from _passed_over(local, earlier, later, days, kind, 0)
    yield from _odd_clock(local, earlier, later)


def to_a_window(
    local: Local, earlier: DateTime, later: DateTime, days: DaySet, windows: Mapping[int, Spans]
) -> Iterator[str]:
    """To where a send window opens."""
    if earlier == later:
        return
    yield from _passed_over(local, earlier, later, days, "day with a send window", 0)
    at = local(later)
    clock = clock_of(at)
    opens, closes = next(span for span in windows[at.weekday()] if span[0] <= clock < span[1])
    yield f"waits for the send window {clock_text(opens)}-{clock_text(closes)}: {_shown(local, later)}"


def _shown(local: Local, moment: DateTime) -> str:
    at = local(moment)
    seconds = f"{at:%S}" if at.second or at.microsecond else ""
    offset = at.isoformat()[-6:]
    return f"{at:%a %Y-%m-%d %H:%M}{':' + seconds if seconds else ''}{offset}"


def _passed_over(local: Local, earlier: DateTime, later: DateTime, days: DaySet, kind: str, n: int) -> Iterator[str]:
    first, last = local(earlier).toordinal(), local(later).toordinal()
    next_is = f"; the next {kind} is {_shown(local, later)}"
    # With n = 0 the day itself may be what is passed over; with n > 0 only the days after it are.
    skipped = [day for day in range(first + (1 if n else 0), last) if day not in days]
    if skipped:
        yield f"passes over {' and '.join(_named(days, kind, skipped))}{'' if n else next_is}"
    # Of the days of its kind on the way, the n-th (with n = 0: the first) was meant: a gap took it and those after.
    for day in [day for day in range(first + 1, last) if day in days][max(n, 1) - 1 :]:
        yield f"the clocks go forward on {date.fromordinal(day).isoformat()}, and over the time that was meant{next_is}"


def _named(days: DaySet, kind: str, skipped: list[int]) -> Iterator[str]:
    holidays = [day for day in skipped if day in days.excluded and (day - 1) % 7 in days.weekdays]
    others = len(skipped) - len(holidays)
    if others:
        weekend = {(day - 1) % 7 for day in skipped if day not in holidays} <= {5, 6}
        days_that_are = "1 day that is" if others == 1 else f"{others} days that are"
        yield "the weekend" if weekend and others <= 2 else f"{days_that_are} no {kind}"
    dates = [date.fromordinal(day).isoformat() for day in holidays[:_MOST_HOLIDAYS]]
    if len(holidays) > _MOST_HOLIDAYS:
        dates.append(f"{len(holidays) - _MOST_HOLIDAYS} more")
    if dates:
        yield f"the holiday{'' if len(dates) == 1 else 's'} {_listed(dates)}"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _odd_clock(local: Local, earlier: DateTime, later: DateTime) -> Iterator[str]:
    if earlier == later:
        return
    before, after = local(earlier), local(later)
    if before.time() != after.time():
        yield (
            f"{before:%H:%M} does not exist on that day: the clocks go forward, and the time with them, to "
            f"{_shown(local, later)}"
        )
    elif after.replace(fold=1).utcoffset() != after.utcoffset():
        yield f"{after:%H:%M} comes twice on that day: the first is meant, {_shown(local, later)}"
