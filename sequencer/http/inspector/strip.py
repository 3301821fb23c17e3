"""Steps on a strip of days: what was, is and will be, over weekends, holidays and the hours when no mail leaves.

Places along the width are percentages, so the strip is as wide as there is room. What it shows is in the list below it,
too, in words: to who cannot see it, it is one picture with a sentence. No meaning is in a colour alone: a mail is round
and a task is square, what is over is filled and what is planned is not, a holiday is hatched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.instants import between, later_by
from sequencer.simulation.report.drawing import Ids, percent, picture, plain
from sequencer.simulation.report.figures import day, plural
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["Mark", "strip"]

_TOP, _LANE, _PAD, _BOTTOM, _RADIUS = 28, 27, 12, 24, 10
_MOST_LANES = 6
_APART = 8.5
"""How far apart two marks in one lane are, in percent of the width: so far that they do not touch on a phone either."""
_MOST_SHADED = 190
"""Of how many days each is shaded by what it is; on a longer strip a day is thinner than a line."""
_MOST_HOURS = 15
_NEAR = timedelta(days=45)
_GAPS = (1, 2, 3, 7, 14, 28, 56, 91, 182, 365, 730, 1826, 3652, 18_262, 91_310, 365_243)
_MOST_LABELS, _MOST_DATED = 7, 6
_LETTER, _STRIP, _PHONE = 7, 620, 255
"""How wide a letter of a label is, and the strip on the narrowest screen that is no phone's, and on a phone: pixels."""
_FURTHEST = 2_555_000
"""Days; nothing lies further apart in the years 1970 to 9000."""


@attrs.frozen
class Mark:
    """A step on the strip: which, when, a mail or a task, and where it lies: `done`, `now`, `late`, `planned`."""

    number: int
    at: DateTime
    is_email: bool
    stage: str
    says: str


@attrs.frozen
class _Scale:
    first: DateTime
    last: DateTime

    def place(self, at: DateTime) -> str:
        return percent(self._since(at), self._whole)

    def width(self, since: DateTime, until: DateTime) -> str:
        return percent(max(0.0, self._since(until) - self._since(since)), self._whole)

    def share(self, at: DateTime) -> float:
        return 100 * self._since(at) / self._whole

    def _since(self, at: DateTime) -> float:
        return between(self.first, at).total_seconds()

    @property
    def _whole(self) -> float:
        return between(self.first, self.last).total_seconds()


def strip(
    ids: Ids,
    title: str,
    marks: Sequence[Mark],
    calendar: Calendar,
    now: DateTime,
    since: DateTime,
    *,
    ongoing: bool = True,
) -> Element:
    """The strip, from the day of `since` to that of the last mark, and of `now` where that is near and it goes on."""
    ends = [since, *(mark.at for mark in marks)]
    near = max(between(min(ends), max(ends)), _NEAR)
    if ongoing and min(ends) - near <= now <= max(ends) + near:
        ends.append(now)
    first, last = calendar.local(min(ends)).date(), calendar.local(max(ends)).date()
    length = min((last - first).days + 1, _FURTHEST)
    scale = _Scale(calendar.start_of(first), later_by(calendar.start_of(last), timedelta(days=1)))
    lanes = list(_lanes(marks, scale))
    bottom = _TOP + 2 * _PAD + _LANE * max([1, *(lane + 1 for lane in lanes)])
    height = bottom + _BOTTOM
    days = [first + timedelta(days=each) for each in range(length)] if length <= _MOST_SHADED else []
    hatch = ids.new("hatch")
    holidays = [each for each in days if each in calendar.holidays]
    return element(
        "figure",
        picture(
            ids,
            title,
            _says(marks, calendar, now),
            height,
            element(
                "defs",
                element(
                    "pattern",
                    element("path", d="M0 6L6 0M-1 1L1 -1M5 7L7 5", class_="hatching"),
                    id=hatch,
                    width=6,
                    height=6,
                    patternUnits="userSpaceOnUse",
                ),
            ),
            [_shade(scale, calendar, each, bottom, hatch) for each in days],
            [_band(scale, *span, "hours", bottom) for span in _closed(calendar, days)],
            _days(scale, calendar, first, length, bottom, calendar.local(now).year),
            element("line", x1="0%", x2="100%", y1=bottom, y2=bottom, class_="base"),
            _now(scale, now, bottom, height),
            [_mark(scale, mark, lane) for mark, lane in zip(marks, lanes, strict=True)],
            class_="strip",
        ),
        _legend(calendar, days, holidays),
        class_="timeline",
    )


def _lanes(marks: Iterable[Mark], scale: _Scale) -> Iterator[int]:
    """For each mark the first lane in which it does not touch the one before it; where there is none, the last."""
    taken: list[float] = []
    for mark in marks:
        at = scale.share(mark.at)
        lane = next((i for i, last in enumerate(taken) if at - last >= _APART), len(taken))
        if lane == len(taken) and lane < _MOST_LANES:
            taken.append(at)
        lane = min(lane, _MOST_LANES - 1)
        taken[lane] = at
        yield lane


# -- the ground -----------------------------------------------------------------------------------------------


def _shade(scale: _Scale, calendar: Calendar, each: date, bottom: float, hatch: str) -> Content:
    """What a day is, where it is none on which everything may happen."""
    starts, ends = calendar.start_of(each), calendar.start_of(each + timedelta(days=1))
    if each in calendar.holidays:
        hatched = element("title", f"Holiday, {day(each)}")
        return [
            _band(scale, starts, ends, "weekend", bottom),
            _band(scale, starts, ends, None, bottom, hatched, fill=f"url(#{hatch})"),
        ]
    if not calendar.is_working_day(each) and not calendar.is_send_day(each):
        return _band(scale, starts, ends, "weekend", bottom)
    return None


def _band(
    scale: _Scale,
    since: DateTime,
    until: DateTime,
    kind: str | None,
    bottom: float,
    *content: Content,
    fill: str | None = None,
) -> Element:
    return element(
        "rect",
        content,
        x=scale.place(since),
        width=scale.width(since, until),
        y=_TOP,
        height=bottom - _TOP,
        class_=kind,
        fill=fill,
    )


def _closed(calendar: Calendar, days: Sequence[date]) -> Iterator[tuple[DateTime, DateTime]]:
    """The hours of some days on which something may happen, but when no mail leaves."""
    if not days or len(days) > _MOST_HOURS:
        return
    at, end = calendar.start_of(days[0]), calendar.start_of(days[-1] + timedelta(days=1))
    shaded = {each for each in days if not calendar.is_working_day(each) and not calendar.is_send_day(each)}
    for opens, closes in (*calendar.openings(at, end, email=True), (end, end)):
        for since, until in _by_day(calendar, at, opens):
            if calendar.local(since).date() not in shaded:
                yield since, until
        at = closes


def _by_day(calendar: Calendar, since: DateTime, until: DateTime) -> Iterator[tuple[DateTime, DateTime]]:
    while since < until:
        midnight = calendar.start_of(calendar.local(since).date() + timedelta(days=1))
        ends = min(midnight if midnight > since else until, until)
        yield since, ends
        since = ends


def _days(
    scale: _Scale, calendar: Calendar, first: date, length: int, bottom: float, this_year: int
) -> Iterator[Content]:
    """Lines at even distances, and the dates that they stand for; the year where it is another one than before it."""
    dated = {first.year, (first + timedelta(days=length - 1)).year} != {this_year}
    most = _MOST_DATED if dated else _MOST_LABELS
    gap = next((each for each in _GAPS if length / each <= most), _GAPS[-1])
    skipped = (7 - first.weekday()) % 7 if gap % 7 == 0 and length > 7 else 0
    wide = phone = None if dated else this_year
    for number, each in enumerate(range(skipped, length, gap)):
        date_there = first + timedelta(days=each)
        at = calendar.start_of(date_there)
        minor = number % 2 == 1 and length / gap > 3
        yield element("line", x1=scale.place(at), x2=scale.place(at), y1=_TOP, y2=bottom, class_="rule")
        year = date_there.year != (wide if minor else phone)
        text = day(date_there, week=gap < 7 and not year, year=year)
        # Where it would not fit behind its line, there is none: before it, it would name the day before.
        if not _fits(text, scale.share(at), _STRIP):
            continue
        wide = date_there.year
        minor = minor or not _fits(text, scale.share(at), _PHONE)
        phone = phone if minor else date_there.year
        yield element("text", text, x=scale.place(at), y=_TOP - 9, class_="label minor" if minor else "label")


def _fits(text: str, share: float, width: int) -> bool:
    """Whether a label that begins at this share of a strip of that width ends before the strip does."""
    return share * width / 100 + _LETTER * len(text) <= width + _LETTER


def _now(scale: _Scale, now: DateTime, bottom: float, height: float) -> Content:
    if not scale.first <= now <= scale.last:
        return None
    at, share = scale.place(now), scale.share(now)
    anchor = "start" if share < 6 else "end" if share > 94 else "middle"
    return [
        element("line", x1=at, x2=at, y1=_TOP - 4, y2=bottom + 4, class_="at-now"),
        element("text", "now", x=at, y=height - 5, text_anchor=anchor, class_="label now"),
    ]


# -- the marks ------------------------------------------------------------------------------------------------


def _mark(scale: _Scale, mark: Mark, lane: int) -> Element:
    x, y = scale.place(mark.at), _TOP + _PAD + _LANE * lane + _LANE / 2
    shape = (
        element("circle", cx=x, cy=plain(y), r=_RADIUS)
        if mark.is_email
        else element(
            "rect",
            x=x,
            y=plain(y - 9),
            width=18,
            height=18,
            rx=3,
            transform="translate(-9 0)",
        )
    )
    return element(
        "g",
        element("title", mark.says),
        shape,
        element("text", mark.number, x=x, y=plain(y + 4), text_anchor="middle"),
        class_=f"mark {mark.stage}",
    )


def _says(marks: Sequence[Mark], calendar: Calendar, now: DateTime) -> str:
    over = sum(mark.stage == "done" for mark in marks)
    ahead = [mark for mark in marks if mark.at >= now and mark.stage != "done"]
    said = f"{plural(len(marks), 'step')} on the clock of {calendar.timezone}, {over} of them over."
    return f"{said} Next: {ahead[0].says}." if ahead else said


def _legend(calendar: Calendar, days: Sequence[date], holidays: Sequence[date]) -> Element:
    keys: list[Content] = [_key("mail", "mail"), _key("task", "task"), _key("done", "over"), _key("planned", "planned")]
    if any(not calendar.is_working_day(each) and each not in holidays for each in days):
        keys.append(_key("weekend", "no working day"))
    if holidays:
        keys.append(_key("holiday", "holiday"))
    if any(_closed(calendar, days)):
        keys.append(_key("hours", "no mail leaves"))
    return element("ul", keys, class_="keys", aria_hidden="true")


def _key(kind: str, said: str) -> Element:
    return element("li", element("span", class_=f"key {kind}"), said)
