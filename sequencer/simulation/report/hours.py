"""When mails leave: the weeks of the recipients, laid over one another, by weekday and hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sequencer.simulation.report.drawing import Ids, boxes, label, percent, picture, stretched
from sequencer.simulation.report.figures import data, number, share, weekday
from sequencer.simulation.report.markup import Element, element
from sequencer.simulation.report.tables import folded, table

__all__ = ["LEVELS", "level", "scale", "sends"]

LEVELS = 5
_ROW, _GAP, _BELOW = 26, 3, 22


def level(value: float, most: float) -> int:
    """How dark a field is: 0 for nothing, then five equal parts of the most."""
    if value <= 0 or most <= 0:
        return 0
    return min(LEVELS, int(LEVELS * value / most) + 1)


def scale(most: float, what: str) -> Element:
    """What the colours mean."""
    return element(
        "p",
        element("span", f"0 {what}"),
        [element("i", class_=f"key heat-{each}") for each in range(LEVELS + 1)],
        element("span", number(most)),
        class_="scale",
    )


def sends(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """The picture and its numbers."""
    counts: Sequence[Sequence[int]] = answer["sends"]
    most = max(max(each) for each in counts)
    if not most:
        return [element("p", "No mail leaves.", class_="nothing")]
    total = sum(map(sum, counts))
    best, hour = next((d, h) for d, each in enumerate(counts) for h, count in enumerate(each) if count == most)
    says = (
        f"Most on {weekday(best)} from {hour:02}:00 to {hour + 1:02}:00: {number(most)} mails, "
        f"{share(most, total)} of all. On the weekend: {share(sum(counts[5]) + sum(counts[6]), total)}."
    )
    rows = [[weekday(d), *(data(count) for count in each), data(sum(each))] for d, each in enumerate(counts)]
    columns = ["Day", *(f"{each:02}" for each in range(24)), "All"]
    return [
        element(
            "figure",
            element("figcaption", element("p", says, class_="told"), scale(most, "mails")),
            picture(
                ids,
                "Mails by weekday and hour",
                f"A field for each hour of the week, darker for more mails. {says}",
                7 * _ROW + _BELOW,
                stretched(24, 7 * _ROW, _fields(counts, most)),
                [label("0", d * _ROW + 17, weekday(d), class_="label aside") for d in range(7)],
                [
                    label(
                        percent(each, 24),
                        7 * _ROW + 15,
                        f"{each:02}",
                        class_="label" if each % 6 == 0 else "label minor",
                    )
                    for each in range(0, 24, 2)
                ],
                class_="chart heat",
            ),
        ),
        folded(
            "Mails by weekday and hour in numbers",
            table(ids, "Mails by the recipient's weekday and hour", columns, rows),
        ),
    ]


def _fields(counts: Sequence[Sequence[int]], most: int) -> list[Element | None]:
    return [
        boxes(
            (
                (h + 0.04, d * _ROW, 0.92, _ROW - _GAP)
                for d, each in enumerate(counts)
                for h, count in enumerate(each)
                if level(count, most) == wanted
            ),
            f"heat-{wanted}",
        )
        for wanted in range(LEVELS + 1)
    ]
