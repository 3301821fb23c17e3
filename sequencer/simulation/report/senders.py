"""Each sender and desk: a line of its days for the busiest, and a row of numbers for everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from sequencer.simulation.report.daily import axis_of
from sequencer.simulation.report.drawing import Ids, boxes, label, ornament, percent, stretched
from sequencer.simulation.report.figures import data, date_ranges, name, number, plural
from sequencer.simulation.report.hours import LEVELS, level, scale
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.periods import Axis
from sequencer.simulation.report.tables import folded, table

__all__ = ["called", "senders"]

BUSIEST = 30
_STRIP, _CAP = 20, 4
_COUNTS = ("enrollments", "emails", "tasks", "tasks_completed", "overdue", "deferred", "most_emails", "most_tasks")
_TITLES = (
    "Enrollments", "Mails", "Tasks", "Tasks done", "Overdue", "Put off", "Most mails a day", "Most tasks a day",
    "Days at the cap",
)  # fmt: skip


def called(actor: Mapping[str, Any]) -> Content:
    """Who somebody is: the id, with the account where there are several."""
    who = "nobody" if actor["actor_id"] is None else name(actor["actor_id"])
    account = actor.get("account")
    return [who, " of ", name(account)] if account is not None else who


def senders(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """The busiest day by day, everybody in numbers, and when a cap bites."""
    actors, axis = answer["per_actor"], axis_of(answer)
    if not actors or axis is None:
        return [element("p", "Nobody has anything to do.", class_="nothing")]
    shown = sorted(actors, key=lambda each: -(each["emails"] + each["tasks"]))[:BUSIEST]
    return [
        _picture(ids, shown, len(actors), axis),
        folded("Every sender in numbers", _table(ids, answer), rows=len(actors)),
        *_caps(ids, actors, axis),
    ]


def _load(actor: Mapping[str, Any], axis: Axis, *columns: str) -> list[float]:
    return axis.sums(
        (date.fromisoformat(each["date"]), sum(each[column] for column in columns)) for each in actor["per_day"]
    )


def _picture(ids: Ids, shown: Sequence[Mapping[str, Any]], everybody: int, axis: Axis) -> Element:
    loads = [_load(each, axis, "emails", "tasks") for each in shown]
    most = max(map(max, loads))
    unit = axis.unit
    who = "Everybody" if len(shown) == everybody else f"The {len(shown)} busiest of {number(everybody)}"
    capped = any(each["cap_days"] for each in shown)
    titled = ids.new("table")
    return element(
        "figure",
        element(
            "figcaption",
            element("p", f"{who}: mails and tasks of each {unit}, darker for more.", class_="told"),
            element(
                "div",
                scale(most, f"a {unit}"),
                element("p", element("i", class_="key cap"), "a cap made mails wait", class_="keyed")
                if capped
                else None,
                class_="keys",
            ),
        ),
        element(
            "table",
            element("caption", f"Mails and tasks by {unit}", id=titled, class_="unseen"),
            element(
                "thead",
                element(
                    "tr",
                    element("th", "Sender", scope="col"),
                    element(
                        "th", element("span", f"By {unit}", class_="unseen"), _dates(axis), scope="col", class_="wide"
                    ),
                    element("th", "Mails", scope="col", class_="number"),
                    element("th", "Tasks", scope="col", class_="number minor"),
                    element("th", "Most a day", scope="col", class_="number minor"),
                ),
            ),
            element("tbody", [_strip(each, load, most, axis) for each, load in zip(shown, loads, strict=True)]),
            class_="strips",
        ),
    )


def _dates(axis: Axis) -> Element:
    return ornament(
        16,
        [
            label(percent(each.at, axis.count), 12, each.text, class_="label minor" if at % 5 else "label")
            for at, each in enumerate(axis.marks())
        ],
        class_="strip",
    )


def _strip(actor: Mapping[str, Any], load: Sequence[float], most: float, axis: Axis) -> Element:
    gap = 0.06 if axis.count <= 60 else 0.03
    fields = [
        boxes(
            (
                (at + gap, 0, 1 - 2 * gap, _STRIP - _CAP - 1)
                for at, value in enumerate(load)
                if level(value, most) == wanted
            ),
            f"heat-{wanted}",
        )
        for wanted in range(LEVELS + 1)
    ]
    capped = sorted({axis.place(date.fromisoformat(each)) for each in actor["cap_days"]})
    marks = boxes(((at + gap, _STRIP - _CAP, 1 - 2 * gap, _CAP) for at in capped), "cap")
    day_most = max((each["emails"] + each["tasks"] for each in actor["per_day"]), default=0)
    return element(
        "tr",
        element("th", called(actor), scope="row"),
        element("td", ornament(_STRIP, stretched(axis.count, _STRIP, fields, marks), class_="strip"), class_="wide"),
        element("td", data(actor["emails"]), class_="number"),
        element("td", data(actor["tasks"]), class_="number minor"),
        element("td", data(day_most), class_="number minor"),
    )


def _table(ids: Ids, answer: Mapping[str, Any]) -> Element:
    spread = {_key(each): each for each in (answer.get("intervals") or {}).get("per_actor") or ()}
    columns = ["Sender", *_TITLES]
    if spread:
        columns += ["Most mails a day: mean", "5\u202f%", "95\u202f%"]
    return table(ids, "Every sender", columns, _rows(answer["per_actor"], spread))


def _key(actor: Mapping[str, Any]) -> tuple[str, str]:
    return repr(actor.get("account")), repr(actor.get("actor_id"))


def _rows(actors: Sequence[Mapping[str, Any]], spread: Mapping[Any, Mapping[str, Any]]) -> Iterator[list[Content]]:
    for each in actors:
        row: list[Content] = [called(each), *(data(each[column]) for column in _COUNTS), data(len(each["cap_days"]))]
        if spread:
            found = (spread.get(_key(each)) or {}).get("most_emails") or {}
            row += [data(found.get(key)) for key in ("mean", "low", "high")]
        yield row


def _caps(ids: Ids, actors: Sequence[Mapping[str, Any]], axis: Axis) -> Iterator[Element]:
    bitten = [each for each in actors if each["cap_days"]]
    if not bitten:
        yield element("p", "No cap ever makes a mail wait.", class_="nothing")
        return
    rows: list[list[Content]] = [
        [
            called(each),
            ", ".join(date_ranges(map(date.fromisoformat, each["cap_days"]), year=axis.years)),
            data(len(each["cap_days"])),
        ]
        for each in bitten
    ]
    most = max(bitten, key=lambda each: len(each["cap_days"]))
    yield element(
        "p",
        f"A cap makes mails wait for {plural(len(bitten), 'sender')}, most often for sender ",
        called(most),
        f": on {plural(len(most['cap_days']), 'day')}.",
    )
    titles = ["Sender", "On these days", "Days"]
    yield folded(
        "Days on which a cap bites",
        table(ids, "Days on which a cap makes mails wait", titles, rows, texts=2),
        rows=len(rows),
    )
