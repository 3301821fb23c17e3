"""Step by step: how many come to each step of a sequence, how many it is done for, and what is lost there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sequencer.simulation.report.drawing import Ids, ornament, percent
from sequencer.simulation.report.endings import part
from sequencer.simulation.report.figures import data, duration, name, number, plural, share
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.tables import folded, table

__all__ = ["funnels"]

_COUNTS = ("reached", "done", "skipped", "failed", "overdue", "deferred", "replied", "ended")
_TITLES = {
    "reached": "Reached",
    "done": "Done",
    "skipped": "Skipped",
    "failed": "Failed",
    "overdue": "Overdue",
    "deferred": "Put off",
    "replied": "Replies",
    "ended": "Ended here",
}
_NOTED = {"replied": "replies", "overdue": "overdue", "deferred": "put off", "failed": "failed", "skipped": "skipped"}
_BAR = 12


def funnels(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """A funnel for each sequence, with its numbers."""
    spread = answer.get("intervals") or {}
    return [
        element(
            "section",
            element(
                "figure",
                element("figcaption", element("h3", name(each["name"])), _told(each)),
                element("ol", _steps(each), class_="funnel"),
            ),
            folded("These steps in numbers", _table(ids, each, part(spread, at)), rows=len(each["steps"])),
            class_="one",
        )
        for at, each in enumerate(answer["per_sequence"])
    ]


def _told(sequence: Mapping[str, Any]) -> Element:
    steps = sequence["steps"]
    first = steps[0]["reached"] if steps else 0
    text = "Nobody comes to any step."
    if first:
        text = f"{share(steps[-1]['done'], first)} of those that begin have the last step done."
    return element("p", text, class_="told")


def _steps(sequence: Mapping[str, Any]) -> Iterator[Element]:
    steps = sequence["steps"]
    most = max((each["reached"] for each in steps), default=0)
    for each in steps:
        kind, title = ("mail", "Mail") if each["action_type"] == "automated_email" else ("task", "Task")
        yield element(
            "li",
            element(
                "p",
                element("span", str(each["position"]), class_="place"),
                element("span", title, class_=f"kind {kind}"),
                element("span", name(each["what"]), class_="name"),
                element(
                    "span",
                    element("strong", number(each["done"])),
                    f" of {number(each['reached'])} done",
                    class_="count",
                ),
            ),
            ornament(
                _BAR,
                element("rect", x=0, y=0, width="100%", height=_BAR, class_="weekend"),
                element(
                    "rect", x=0, y=0, width=percent(each["reached"], most), height=_BAR, class_=f"fill-{kind} behind"
                ),
                element("rect", x=0, y=0, width=percent(each["done"], most), height=_BAR, class_=f"fill-{kind}"),
                class_="bar",
            ),
            _notes(each),
        )


def _notes(step: Mapping[str, Any]) -> Element | None:
    said: list[Content] = []
    for key, text in _NOTED.items():
        if step[key]:
            late = "late" if key in {"overdue", "failed"} else None
            shown = plural(step[key], "reply", text) if key == "replied" else f"{number(step[key])} {text}"
            said.append(element("span", shown, class_=late))
    if step["ended"]:
        said.append(element("span", f"{number(step['ended'])} ended here"))
    if step["median_hours"] is not None:
        said.append(element("span", f"half by {duration(step['median_hours'])} after the start"))
    return element("p", said, class_="notes") if said else None


def _table(ids: Ids, sequence: Mapping[str, Any], spread: Mapping[str, Any]) -> Element:
    columns = ["Step", "Kind", "What", *_TITLES.values(), "Half done by"]
    found = {_row_key(each): each for each in spread.get("steps") or ()}
    if spread:
        columns += ["Done: mean", "5\u202f%", "95\u202f%"]
    return table(ids, f"Steps of {sequence['name']}", columns, _rows(sequence, found if spread else None), texts=3)


def _row_key(row: Mapping[str, Any]) -> object:
    return row["key"] if row.get("key") is not None else row.get("what", row.get("position"))


def _rows(sequence: Mapping[str, Any], found: Mapping[object, Mapping[str, Any]] | None) -> Iterator[list[Content]]:
    for each in sequence["steps"]:
        kind = "Mail" if each["action_type"] == "automated_email" else "Task"
        row: list[Content] = [data(each["position"], str(each["position"])), kind, name(each["what"])]
        row += [data(each[key]) for key in _COUNTS]
        row.append(data(each["median_hours"], duration(each["median_hours"])))
        if found is not None:
            over = (found.get(_row_key(each)) or {}).get("done") or {}
            row += [data(over.get(key)) for key in ("mean", "low", "high")]
        yield row
