"""Numbers, times and names as people read them.

Thousands stand apart by a narrow space that does not break, a minus is a minus, and a share that is small but not
nothing is not shown as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from pendulum import DateTime

from sequencer.core.instants import to_instant, to_zone
from sequencer.simulation.report.markup import Element, element

__all__ = [
    "THIN",
    "data",
    "date_ranges",
    "day",
    "duration",
    "name",
    "number",
    "outcome",
    "plural",
    "share",
    "signed",
    "to_days",
]

THIN = "\u202f"
_MINUS = "\u2212"
_WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OUTCOMES = {
    "completed": "Ran to the end",
    "replied": "Ended by a reply",
    "meeting_booked": "Ended by a meeting",
    "converted": "Ended by converting",
    "unsubscribed": "Unsubscribed",
    "bounced": "Bounced",
    "blocked": "Blocked",
    "ongoing": "Still going on",
    "refused": "Not enrolled",
}


def number(value: float | None) -> str:
    """A count or a mean: `1 204`, `12.5`, `0.031`; nothing is a dash."""
    if value is None:
        return "\u2013"
    size = abs(value)
    places = 0 if size == int(size) or size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{size:,.{places}f}".replace(",", THIN)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{_MINUS}{text}" if value < 0 and text != "0" else text


def signed(value: float | None) -> str:
    """A difference: with its sign, also where it is more."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text != "0" else text


def share(part: float, whole: float) -> str:
    """A part of a whole in percent, to a tenth; 0 % and 100 % only where that is so."""
    if not whole:
        return "\u2013"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return f"<{THIN}0.1{THIN}%"
    if 99.9 < percent < 100:
        return f">{THIN}99.9{THIN}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{THIN}%"


def duration(hours: float | None) -> str:
    """Elapsed hours: `45 min`, `5.5 h`, `2 d 4 h`, `21 days`."""
    if hours is None:
        return "\u2013"
    if hours < 0:
        return f"{_MINUS}{duration(-hours)}"
    minutes = round(hours * 60)
    if minutes < 60:
        return f"{minutes}{THIN}min"
    if minutes < 24 * 60:
        return f"{number(round(minutes / 60, 1))}{THIN}h"
    whole = round(hours)
    if whole < 10 * 24:
        return f"{whole // 24}{THIN}d {whole % 24}{THIN}h" if whole % 24 else f"{whole // 24}{THIN}d"
    return f"{number(round(hours / 24))}{THIN}days"


def plural(count: float, one: str, many: str | None = None) -> str:
    """`1 mail`, `2 mails`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def day(value: date, *, year: bool = False, week: bool = True) -> str:
    """A date: `Mon 23 Mar`, where asked for with its year."""
    text = f"{value.day} {_MONTHS[value.month - 1]}"
    text = f"{_WEEK[value.weekday()]} {text}" if week else text
    return f"{text} {value.year}" if year else text


def month(value: date) -> str:
    """`Mar`; January comes with its year."""
    return _MONTHS[value.month - 1] if value.month > 1 else f"Jan {value.year}"


def weekday(index: int) -> str:
    """`Mon` of 0."""
    return _WEEK[index]


def moment(text: str, timezone: str) -> str:
    """An instant on the clock of a zone: `Mon 23 Mar 2026, 09:00`."""
    local: DateTime = to_zone(to_instant(datetime.fromisoformat(text)), timezone)
    return f"{day(local.date(), year=True)}, {local.hour:02}:{local.minute:02}"


def to_days(rows: Iterable[Mapping[str, Any]]) -> list[date]:
    """The dates of rows."""
    return [date.fromisoformat(each["date"]) for each in rows]


def date_ranges(dates: Iterable[date], *, year: bool) -> list[str]:
    """Dates in order, those that follow one another as one: `24 to 27 Mar`, `30 Mar`."""
    runs: list[list[date]] = []
    for each in sorted(set(dates)):
        if runs and runs[-1][-1] == each - timedelta(days=1):
            runs[-1].append(each)
        else:
            runs.append([each])
    return [_range(each[0], each[-1], year=year) for each in runs]


def _range(first: date, last: date, *, year: bool) -> str:
    if first == last:
        return day(first, year=year)
    start = str(first.day) if (first.year, first.month) == (last.year, last.month) else day(first, week=False)
    return f"{start}\u2013{day(last, week=False, year=year)}"


def outcome(key: str) -> str:
    """How an enrollment ends, in words."""
    return _OUTCOMES.get(key) or words(key)


def words(key: str) -> str:
    """A key of the answer as words: `meeting_booked` is `Meeting booked`."""
    text = key.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def name(text: object) -> Element:
    """A text from outside, in a direction of its own: what is in it turns nothing around that stands beside it."""
    shown = str(text)
    return element("bdi", shown if shown.strip() else "(no name)")


def data(value: float | None, text: str | None = None) -> Element | str:
    """A number as people read it, with its exact value for machines."""
    if value is None:
        return "\u2013"
    return element("data", number(value) if text is None else text, value=_exact(value))


def _exact(value: float) -> str:
    return repr(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
