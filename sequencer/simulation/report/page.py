"""The page: its head, its sections in the order of the questions, and its style sheet."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sequencer.simulation.report import daily, differences, endings, hours, senders, steps, summary
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import name
from sequencer.simulation.report.markup import Content, Element, document, element, styles

__all__ = ["ground", "render", "write"]

# An icon of the page's own, so that a browser asks nobody for one.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M2 9h3v5H2zM7 5h3v9H7zM12 2h3v12h-3z' fill='%230f6b6b'/%3E%3C/svg%3E"
)


def render(answer: Mapping[str, Any], *, title: str | None = None) -> str:
    """One HTML page that shows the answer of a simulation, as `simulate --json` gives it.

    The page needs no network, no script and no font of its own; it follows the reader's light or dark scheme and can be
    printed. The same answer gives the same page, byte by byte. Dates are on the clock of the answer's `timezone`. Every
    text in the answer is shown as text, whatever is in it. `title` stands on top; without one, the sequence's name.
    """
    ids, headed = Ids(), summary.heading(answer) if title is None else title
    sections = list(_sections(ids, answer))
    return document(
        element(
            "html",
            _head(headed),
            element(
                "body",
                element(
                    "header",
                    element("p", "A simulation", class_="kicker"),
                    element("h1", name(headed)),
                    summary.sentence(answer),
                    summary.beside(answer),
                    summary.key_figures(answer),
                    summary.what(answer),
                ),
                element(
                    "nav",
                    element("ul", [element("li", element("a", said, href=f"#{key}")) for key, said, _ in sections]),
                    aria_label="Contents",
                ),
                element(
                    "main",
                    [
                        element(
                            "section", element("h2", said, id=f"h-{key}"), shown, id=key, aria_labelledby=f"h-{key}"
                        )
                        for key, said, shown in sections
                    ],
                ),
            ),
            lang="en",
        )
    )


def write(answer: Mapping[str, Any], path: str | os.PathLike[str], *, title: str | None = None) -> None:
    """Write the page of `render` to a file, in UTF-8, in place of what is there."""
    Path(path).write_text(render(answer, title=title), encoding="utf-8", newline="\n")


def _sections(ids: Ids, answer: Mapping[str, Any]) -> Iterator[tuple[str, str, Content]]:
    compare = answer.get("compare")
    yield "ends", "How they end", endings.endings(ids, answer)
    if compare is not None:
        yield "differences", "What the other design changes", differences.differences(ids, answer)
    yield "days", "Day by day", daily.section(ids, answer)
    yield "steps", "Step by step", steps.funnels(ids, answer)
    yield "hours", "When mails leave", hours.sends(ids, answer)
    yield "senders", "Who has how much to do", senders.senders(ids, answer)
    yield "times", "How long it takes", endings.finishing(ids, answer)
    yield "assumed", "What was assumed", summary.assumed(ids, answer)
    yield "again", "The same again", summary.repeated(answer)


def _head(title: str) -> Element:
    sheet = _sheet()
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("link", rel="icon", href=_ICON),
        styles(sheet),
    )


@cache
def ground() -> str:
    """The style sheet that the package's pages have in common: colours for light and dark, type, tables."""
    return files(__package__).joinpath("ground.css").read_text(encoding="utf-8")


@cache
def _sheet() -> str:
    return ground() + files(__package__).joinpath("style.css").read_text(encoding="utf-8")
