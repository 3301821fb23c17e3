"""Drawing on a width that is not known: places along it are percentages, heights are pixels, text keeps its size.

A picture is as wide as there is room. What has a shape is drawn in a box that is stretched (`stretched`), and text
stands beside it at a percentage, so it is as large on a phone as on a screen. Nothing carries a style of its own:
colours are classes of the style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["Ids", "label", "percent", "picture", "stretched", "ticks"]


class Ids:
    """Ids of a page's elements, each given once."""

    def __init__(self) -> None:
        self._given = 0

    def new(self, kind: str) -> str:
        """The next one."""
        self._given += 1
        return f"{kind}-{self._given}"


def plain(value: float) -> str:
    """A coordinate, to a hundredth, as short as can be."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def percent(part: float, whole: float) -> str:
    """A place along the width."""
    return f"{plain(100 * part / whole if whole else 0)}%"


def picture(ids: Ids, title: str, says: str, height: int, *content: Content, class_: str = "chart") -> Element:
    """A picture as wide as there is room, with what it is and what it shows in words."""
    titled, said = ids.new("title"), ids.new("says")
    return element(
        "svg",
        element("title", title, id=titled),
        element("desc", says, id=said),
        content,
        role="img",
        aria_labelledby=f"{titled} {said}",
        class_=class_,
        width="100%",
        height=height,
    )


def ornament(height: int, *content: Content, class_: str) -> Element:
    """A picture of what the text beside it says already."""
    return element("svg", content, aria_hidden="true", class_=class_, width="100%", height=height)


def stretched(units: float, height: float, *content: Content, top: float = 0) -> Element:
    """A box of so many units across the whole width, and of pixels from top to bottom."""
    return element(
        "svg",
        content,
        x=0,
        y=plain(top),
        width="100%",
        height=plain(height),
        viewBox=f"0 0 {plain(max(units, 1))} {plain(height)}",
        preserveAspectRatio="none",
    )


def boxes(shapes: Iterable[tuple[float, float, float, float]], class_: str) -> Element | None:
    """Rectangles (x, y, width, height) of one kind, as one shape."""
    drawn = "".join(
        f"M{plain(x)} {plain(y)}h{plain(width)}v{plain(height)}h{plain(-width)}z"
        for x, y, width, height in shapes
        if width > 0 and height > 0
    )
    return element("path", d=drawn, class_=class_) if drawn else None


def label(x: str, y: float, text: str, *, class_: str = "label", anchor: str | None = None) -> Element:
    """A text at a place along the width."""
    return element("text", text, x=x, y=plain(y), class_=class_, text_anchor=anchor)


def ticks(most: float, wanted: int = 3) -> list[float]:
    """Round numbers from above nothing to at least the most, about so many; whole ones."""
    if most <= 0:
        return [1]
    raw = most / wanted
    size = 10 ** math.floor(math.log10(raw))
    step = max(1, next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= raw))
    if step < 10:
        step = math.ceil(step)
    return list(_up_to(step, most))


def _up_to(step: float, most: float) -> Iterator[float]:
    count = max(1, math.ceil(round(most / step, 9)))
    for each in range(1, count + 1):
        yield each * step
