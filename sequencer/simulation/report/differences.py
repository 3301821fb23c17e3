"""Two designs beside each other: what is different with the other one, and whether that may be chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import attrs

from sequencer.simulation.answering import PEOPLE
from sequencer.simulation.report.drawing import Ids, ornament, plain
from sequencer.simulation.report.endings import ordered
from sequencer.simulation.report.figures import data, day, duration, name, number, outcome, plural, signed, words
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.senders import called
from sequencer.simulation.report.tables import folded, table

__all__ = ["differences", "sure"]

_BAR = 18
_DAYS = ("emails", "tasks", "overdue", "deferred")
_SENDERS = ("emails", "tasks", "overdue", "deferred", "most_emails")
_TITLES = {
    "emails": "Mails",
    "tasks": "Tasks",
    "tasks_completed": "Tasks done",
    "overdue": "Overdue",
    "deferred": "Put off",
    "most_emails": "Most mails a day",
    "median_hours": "Half within",
    "p90_hours": "Nine of ten within",
}
_Found = Mapping[str, float]


def sure(found: _Found) -> bool:
    """Whether the interval of a difference excludes that there is none."""
    return found["low"] > 0 or found["high"] < 0


@attrs.frozen
class _Row:
    """A number of both designs, and what it is."""

    what: Content
    found: _Found
    hours: bool = False

    def text(self, value: float) -> str:
        """The number as people read it."""
        return duration(value) if self.hours else number(value)

    def signed(self) -> str:
        """The difference as people read it."""
        value = self.found["difference"]
        return f"{'+' if value > 0 else ''}{duration(value)}" if self.hours else signed(value)


def differences(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """A line for each number of all, with its interval; then tables of sequences, senders and days."""
    compare = answer["compare"]
    other = name(compare["with"])
    rows = list(_overall(compare))
    clear = sum(sure(each.found) for each in rows)
    reach = max(0.05, *(min(1.0, abs(_relative(each.found, key))) for each in rows for key in ("low", "high")), 0.0)
    return [
        element(
            "p",
            "What changes with ",
            other,
            f", the same people with the same luck, in {plural(compare['runs'], 'run')}: ",
            element("strong", f"{clear} of {plural(len(rows), 'number')} clearly differ"),
            ". A bar is where nine of ten runs lie, the mark their mean, in proportion to the larger of both numbers; "
            "one that touches the middle line may be chance.",
            class_="reading",
        ),
        element(
            "figure",
            element("figcaption", element("p", element("span", "less"), element("span", "more"), class_="sides")),
            element("ul", [_line(each, reach) for each in rows], class_="differences"),
        ),
        folded("All in numbers", _table(ids, "Differences of all", other, rows), rows=len(rows)),
        *_parts(ids, answer, other),
    ]


def _overall(compare: Mapping[str, Any]) -> Iterator[_Row]:
    for key, _ in ordered(dict.fromkeys(compare["outcomes"], 0)):
        if any(compare["outcomes"][key].values()):
            yield _Row(outcome(key), compare["outcomes"][key])
    yield from _people(compare)
    for key, found in compare["totals"].items():
        if key not in compare["outcomes"] and key not in compare["people"] and any(found.values()):
            yield _Row(_TITLES.get(key, words(key)), found)


def _people(found: Mapping[str, Any]) -> Iterator[_Row]:
    """What is answered, also after the end: a shorter design has more of that, and no fewer answers for it."""
    people = found.get("people") or {}
    for key, what in PEOPLE.items():
        if key in people and any(people[key].values()):
            yield _Row(what.capitalize(), people[key])


def _relative(found: _Found, key: str) -> float:
    return found[key] / (max(abs(found["this"]), abs(found["other"])) or 1)


def _line(row: _Row, reach: float) -> Element:
    places = {
        key: 50 + 50 * max(-1.0, min(1.0, _relative(row.found, key) / reach)) for key in ("low", "difference", "high")
    }
    clear, same = sure(row.found), not any(row.found[key] for key in ("difference", "low", "high"))
    kind = "sure" if clear else "unsure"
    wide = max(0.8, places["high"] - places["low"])
    return element(
        "li",
        element("span", row.what, class_="name"),
        ornament(
            _BAR,
            element("line", x1="50%", x2="50%", y1=0, y2=_BAR, class_="zero"),
            element(
                "rect",
                x=f"{plain(places['low'])}%",
                y=5,
                width=f"{plain(wide)}%",
                height=8,
                rx=4,
                class_=f"{kind} reach",
            ),
            element("circle", cx=f"{plain(places['difference'])}%", cy=9, r=5, class_=kind),
            class_="bar",
        ),
        element(
            "span",
            element("strong", row.signed()),
            element("span", f"{number(row.found['this'])} \u2192 {number(row.found['other'])}", class_="quiet"),
            element("span", "the same" if same else "clear" if clear else "may be chance", class_="verdict"),
            class_="said",
        ),
        class_=kind,
    )


def _table(ids: Ids, caption: str, other: Content, rows: list[_Row]) -> Element:
    columns: list[Content] = ["What", "This design", other, "Difference", "5\u202f%", "95\u202f%", "Clear"]
    return table(ids, caption, columns, ([each.what, *_cells(each)] for each in rows))


def _cells(row: _Row) -> list[Content]:
    found = row.found
    return [
        data(found["this"], row.text(found["this"])),
        data(found["other"], row.text(found["other"])),
        element("strong" if sure(found) else "span", data(found["difference"], row.signed())),
        data(found["low"], row.text(found["low"])),
        data(found["high"], row.text(found["high"])),
        "yes" if sure(found) else "",
    ]


def _parts(ids: Ids, answer: Mapping[str, Any], other: Content) -> Iterator[Element]:
    compare = answer["compare"]
    for own, each in zip(answer["per_sequence"], compare["per_sequence"], strict=False):
        rows = list(_sequence(each))
        caption = f"Differences of {own['name']}"
        yield folded([name(own["name"]), " in numbers"], _table(ids, caption, other, rows), rows=len(rows))
    if compare["per_actor"]:
        sender_rows: list[list[Content]] = [[called(each), *_three(each, _SENDERS)] for each in compare["per_actor"]]
        yield folded("Senders in numbers", _wide(ids, "Sender", _SENDERS, sender_rows), rows=len(sender_rows))
    if compare["per_day"]:
        day_rows = [[_date(each["date"]), *_three(each, _DAYS)] for each in compare["per_day"]]
        yield folded("Days in numbers", _wide(ids, "Day", _DAYS, day_rows), rows=len(day_rows))


def _date(text: str) -> Content:
    return element("time", day(date.fromisoformat(text), year=True), datetime=text)


def _sequence(found: Mapping[str, Any]) -> Iterator[_Row]:
    for key, each in (found.get("outcomes") or {}).items():
        yield _Row(outcome(key), each)
    yield from _people(found)
    for key, each in (found.get("time_to_finish") or {}).items():
        if each is not None and key in _TITLES:
            yield _Row(_TITLES[key], each, hours=True)
    for step in found.get("steps") or ():
        for key, each in step.items():
            if isinstance(each, Mapping) and any(each.values()):
                what = step["key"] if step.get("key") is not None else step.get("what", "")
                yield _Row([name(what), ": ", _TITLES.get(key, words(key)).lower()], each, hours=key.endswith("_hours"))


def _wide(ids: Ids, first: str, columns: tuple[str, ...], rows: list[list[Content]]) -> Element:
    titles = [f"{_TITLES[each]}{what}" for each in columns for what in (": this", ": other", ": difference")]
    return table(ids, f"{first}s of both", [first, *titles], rows)


def _three(row: Mapping[str, Any], columns: tuple[str, ...]) -> Iterator[Content]:
    for key in columns:
        found = row.get(key)
        if found is None:
            yield from ("\u2013", "\u2013", "\u2013")
        else:
            yield from (data(found["this"]), data(found["other"]))
            yield element("strong" if sure(found) else "span", data(found["difference"], signed(found["difference"])))
