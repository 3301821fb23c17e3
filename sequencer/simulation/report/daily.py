"""Day by day: one panel for each thing that is counted, one under the other on the same days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import attrs

from sequencer.simulation.report.drawing import Ids, boxes, label, percent, picture, stretched, ticks
from sequencer.simulation.report.figures import data, day, number, to_days
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.periods import Axis
from sequencer.simulation.report.tables import folded, table

__all__ = ["Panel", "axis_of", "busiest", "panel", "section"]

_TOP, _HEIGHT, _BELOW = 18, 104, 24

COLUMNS = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
_TITLES = {
    "enrolled": "Enrolled",
    "emails": "Mails",
    "tasks": "Tasks",
    "tasks_completed": "Tasks done",
    "overdue": "Overdue",
    "deferred": "Put off",
    "replied": "Replies",
    "finished": "Finished",
}
_SAYS = {
    "emails": "mails that left",
    "tasks": "tasks that came onto a desk",
    "overdue": "steps that became overdue",
    "deferred": "steps put off by a cap or by a worker that catches up",
}
_NOTHING = {
    "emails": "No mail left.",
    "tasks": "No task came onto a desk.",
    "overdue": "Nothing became overdue.",
    "deferred": "Nothing was put off.",
}


@attrs.frozen(kw_only=True)
class Panel:
    """What one panel shows by period: bars, perhaps others within them, perhaps from where to where they may be."""

    title: str
    says: str
    bars: Sequence[float]
    inner: Sequence[float] | None = None
    band: Sequence[tuple[float, float]] | None = None
    colour: str = "calm"
    key: Content = None


def axis_of(answer: Mapping[str, Any]) -> Axis | None:
    """The days of an answer; None where nothing happens."""
    days = to_days(answer["per_day"])
    return Axis.of(days[0], days[-1]) if days else None


def section(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """The panels, and the table of all days."""
    axis = axis_of(answer)
    if axis is None:
        return [element("p", "Nothing happens on any day.")]
    spread = {each["date"]: each for each in (answer.get("intervals") or {}).get("per_day", ())}
    return [
        element("p", _reading(axis, answer), class_="reading"),
        *_panels(ids, answer, axis, spread),
        folded("Every day in numbers", _table(ids, answer, axis, spread), rows=len(answer["per_day"])),
    ]


def _reading(axis: Axis, answer: Mapping[str, Any]) -> str:
    unit = {"day": "Each column is a day, weekends are shaded", "week": "Each column is a week, from Monday"}
    text = unit.get(axis.unit, "Each column is a month") + f", on the clock of {answer['timezone']}."
    if answer.get("intervals"):
        text += " The columns are the first run; the thin lines hold nine of ten runs"
        text += "." if axis.unit == "day" else ", added up from its days, so it is rather too wide."
    return text


def _panels(ids: Ids, answer: Mapping[str, Any], axis: Axis, spread: Mapping[str, Any]) -> Iterator[Element]:
    rows = answer["per_day"]
    for column in ("emails", "tasks", "overdue", "deferred"):
        if not any(each[column] for each in rows):
            yield element("p", _NOTHING[column], class_="nothing")
            continue
        done = None
        key: Content = None
        if column == "tasks":
            done = axis.sums((when, each["tasks_completed"]) for when, each in zip(to_days(rows), rows, strict=True))
            key = [_key("fill-task behind", "onto a desk"), _key("fill-task", "done")]
        yield panel(
            ids,
            axis,
            Panel(
                title=_TITLES[column],
                says=_SAYS[column],
                bars=axis.sums((when, each[column]) for when, each in zip(to_days(rows), rows, strict=True)),
                inner=done,
                band=_band(axis, spread, column),
                colour={"emails": "mail", "tasks": "task"}.get(column, "late"),
                key=key,
            ),
        )
    yield from _caps(ids, answer, axis)


def _caps(ids: Ids, answer: Mapping[str, Any], axis: Axis) -> Iterator[Element]:
    capped = [(date.fromisoformat(each), 1.0) for actor in answer["per_actor"] for each in actor["cap_days"]]
    if capped:
        # Of a week only its worst day can be told: who is at the cap on two days is one sender.
        by_day = Axis(axis.first, axis.last, "day").sums(capped)
        bars = [0.0] * axis.count
        for place, count in enumerate(by_day):
            period = axis.place(Axis(axis.first, axis.last, "day").start(place))
            bars[period] = max(bars[period], count)
        worst = "" if axis.unit == "day" else f", on the worst day of each {axis.unit}"
        shown = Panel(
            title="Senders at their cap", says=f"senders whose mails waited for a cap{worst}", bars=bars, colour="late"
        )
        yield panel(ids, axis, shown, added=False)


def _band(axis: Axis, spread: Mapping[str, Any], column: str) -> list[tuple[float, float]] | None:
    if not spread:
        return None
    days = [(date.fromisoformat(when), each.get(column) or {}) for when, each in spread.items()]
    low = axis.sums((when, each.get("low") or 0) for when, each in days)
    high = axis.sums((when, each.get("high") or 0) for when, each in days)
    return list(zip(low, high, strict=True))


def _key(class_: str, text: str) -> Element:
    return element("span", element("i", class_=f"key {class_}"), text, class_="keyed")


def panel(ids: Ids, axis: Axis, shown: Panel, *, added: bool = True) -> Element:
    """One panel: its heading with what is most worth knowing, and the picture."""
    most = max(shown.bars)
    place = shown.bars.index(most)
    total = f"{number(sum(shown.bars))} in all. " if added else ""
    says = f"{total}Most {'on' if axis.unit == 'day' else 'in'} {axis.said(place)}: {number(most)}."
    tops = [most, *(shown.inner or ()), *(high for _, high in shown.band or ())]
    marks = ticks(max(tops))
    return element(
        "figure",
        element(
            "figcaption",
            element("h3", shown.title),
            element("p", element("span", says), shown.key, class_="told"),
        ),
        picture(
            ids,
            f"{shown.title} by {axis.unit}",
            f"{shown.title}: {shown.says}. {says}",
            _TOP + _HEIGHT + _BELOW,
            _ground(axis),
            [_rule(each, marks[-1]) for each in marks],
            _shapes(axis, shown, marks[-1]),
            element("line", x1=0, x2="100%", y1=_TOP + _HEIGHT, y2=_TOP + _HEIGHT, class_="base"),
            _dates(axis),
            _peak(axis, place, most, max(most, shown.band[place][1] if shown.band else 0) / marks[-1]),
            class_="chart panel",
        ),
        class_="panelled",
    )


def _height(value: float, top: float) -> float:
    return _HEIGHT * value / top


def _ground(axis: Axis) -> Content:
    weekends = boxes(((place, 0, 1, _HEIGHT) for place in axis.weekends()), "weekend")
    mondays = [
        element("line", x1=x, x2=x, y1=_TOP, y2=_TOP + _HEIGHT + 5, class_="week")
        for mark in axis.marks()
        for x in [percent(mark.at, axis.count)]
    ]
    return [stretched(axis.count, _HEIGHT, weekends, top=_TOP) if weekends else None, mondays]


def _rule(value: float, top: float) -> list[Element]:
    y = _TOP + _HEIGHT - _height(value, top)
    return [
        element("line", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}", class_="rule"),
        element("text", number(value), x=-8, y=f"{y + 4:.1f}", class_="label", text_anchor="end"),
    ]


def _shapes(axis: Axis, shown: Panel, top: float) -> Element:
    pale = " behind" if shown.inner or shown.band else ""
    whiskers = "".join(
        f"M{place + 0.5} {_HEIGHT - _height(high, top):.1f}V{_HEIGHT - _height(low, top):.1f}"
        for place, (low, high) in enumerate(shown.band or ())
        if high
    )
    return stretched(
        axis.count,
        _HEIGHT,
        boxes(_columns(shown.bars, top, 0.12), f"fill-{shown.colour}{pale}"),
        boxes(_columns(shown.inner or (), top, 0.3), f"fill-{shown.colour}"),
        element("path", d=whiskers, class_="band") if whiskers else None,
        top=_TOP,
    )


def _columns(values: Sequence[float], top: float, gap: float) -> Iterator[tuple[float, float, float, float]]:
    for place, value in enumerate(values):
        yield place + gap, _HEIGHT - _height(value, top), 1 - 2 * gap, _height(value, top)


def _dates(axis: Axis) -> list[Element]:
    y = _TOP + _HEIGHT + 17
    return [
        label(percent(mark.at, axis.count), y, mark.text, class_="label minor" if mark.minor else "label")
        for mark in axis.marks()
    ]


def _peak(axis: Axis, place: int, most: float, over: float) -> Element:
    at = (place + 0.5) / axis.count
    anchor = "start" if at < 0.06 else "end" if at > 0.94 else "middle"
    x = percent({"start": place, "end": place + 1}.get(anchor, place + 0.5), axis.count)
    return label(x, _TOP + _HEIGHT * (1 - over) - 5, number(most), class_="label peak", anchor=anchor)


def _table(ids: Ids, answer: Mapping[str, Any], axis: Axis, spread: Mapping[str, Any]) -> Element:
    columns = ["Day"]
    for each in COLUMNS:
        columns.append(_TITLES[each])
        if spread and each in {"emails", "tasks", "overdue", "deferred"}:
            columns += ["5\u202f%", "95\u202f%"]
    return table(ids, "Every day", columns, (_row(each, axis, spread) for each in answer["per_day"]))


def _row(row: Mapping[str, Any], axis: Axis, spread: Mapping[str, Any]) -> list[Content]:
    cells: list[Content] = [
        element("time", day(date.fromisoformat(row["date"]), year=axis.years), datetime=row["date"])
    ]
    for each in COLUMNS:
        cells.append(data(row[each]))
        if spread and each in {"emails", "tasks", "overdue", "deferred"}:
            found = spread.get(row["date"], {}).get(each) or {}
            cells += [data(found.get("low")), data(found.get("high"))]
    return cells


def busiest(answer: Mapping[str, Any], column: str) -> tuple[date, int] | None:
    """The day with the most of something, the earliest of several; None if there is none."""
    best = max(answer["per_day"], key=lambda each: each[column], default=None)
    return (date.fromisoformat(best["date"]), best[column]) if best is not None and best[column] else None
