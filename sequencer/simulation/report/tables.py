"""Tables: a caption, headings with their scope, and numbers that are right for machines, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import plural
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["Rows", "folded", "table"]

Rows = Iterable[Sequence[Content]]

# A longer table is printed only where somebody has opened it.
PRINTED = 40


def table(ids: Ids, caption: str, columns: Sequence[Content], rows: Rows, *, texts: int = 1) -> Element:
    """A table in a box that scrolls sideways by itself; the first column is about what a row is.

    The first `texts` columns are texts, the others numbers.
    """
    titled = ids.new("table")
    return element(
        "div",
        element(
            "table",
            element("caption", caption, id=titled),
            element(
                "thead",
                element(
                    "tr",
                    [
                        element("th", each, scope="col", class_=None if at < texts else "number")
                        for at, each in enumerate(columns)
                    ],
                ),
            ),
            element("tbody", [_row(row, texts) for row in rows]),
        ),
        class_="scrolls",
        role="group",
        aria_labelledby=titled,
        tabindex=0,
    )


def _row(row: Sequence[Content], texts: int) -> Element:
    return element(
        "tr",
        element("th", row[0], scope="row"),
        [element("td", each, class_=None if at < texts else "number") for at, each in enumerate(row[1:], start=1)],
    )


def folded(summary: Content, content: Element, *, rows: int = 0) -> Element:
    """Something to unfold; printed unfolded if it is not long."""
    long = rows > PRINTED
    return element(
        "details",
        element("summary", summary, f" ({plural(rows, 'row')})" if long else None),
        content,
        class_="long" if long else None,
    )
