"""The frame of every page: its head, where to go from here, who is looking, and the page's own content."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from sequencer.http.inspector.visit import Visit
from sequencer.simulation.report.figures import name
from sequencer.simulation.report.markup import Content, Element, document, element
from sequencer.simulation.report.page import ground

__all__ = ["ICON", "button", "framed", "hidden", "icon", "link", "sheet", "sheet_path"]

ICON = "icon.svg"
_PAGES = (("", "Now"), ("enrollments", "Enrollments"), ("sequences", "Sequences"))


@cache
def sheet() -> bytes:
    """The style sheet of all pages."""
    own = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return f"{ground()}\n{own}".encode()


@cache
def sheet_path() -> str:
    """Where the style sheet is: another place for another content, so that a browser may keep it for ever."""
    return f"style-{hashlib.sha256(sheet()).hexdigest()[:16]}.css"


@cache
def icon() -> bytes:
    """The icon of all pages."""
    return files(__package__).joinpath(ICON).read_bytes()


def framed(base: str, title: str, *content: Content, visit: Visit | None = None, at: str | None = None) -> str:
    """A whole page. Without a `visit`, nobody is looking: there is nowhere to go. `at` is the page's place."""
    return document(
        element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="color-scheme", content="light dark"),
                element("title", f"{title} \u00b7 sequencer"),
                element("link", rel="icon", href=f"{base}/{ICON}"),
                element("link", rel="stylesheet", href=f"{base}/{sheet_path()}"),
            ),
            element(
                "body",
                element("a", "Skip to the content", href="#main", class_="skip"),
                element(
                    "header",
                    element("p", element("strong", "sequencer"), " inspector", class_="mark"),
                    None if visit is None else [_pages(visit, at), _who(visit)],
                    class_="top",
                ),
                element("main", content, id="main", tabindex=-1),
            ),
            lang="en",
        )
    )


def _pages(visit: Visit, at: str | None) -> Element:
    return element(
        "nav",
        element(
            "ul",
            [
                element("li", link(said, visit.url(path), aria_current="page" if path == at else None))
                for path, said in _PAGES
            ],
        ),
        aria_label="Pages",
    )


def _who(visit: Visit) -> Element:
    grant = visit.grant
    parts: list[Content] = [] if grant.account is None else ["Account ", name(grant.account)]
    if not grant.may_write:
        parts += [" \u00b7 " if parts else None, "Read only"]
    return element(
        "div",
        element("p", parts) if parts else None,
        element(
            "form",
            hidden(token=visit.token),
            button("Log out", plain=True),
            method="post",
            action=visit.url("logout"),
        )
        if visit.is_logged_in
        else None,
        class_="who",
    )


def link(said: Content, url: str, *, class_: str | None = None, aria_current: str | None = None) -> Element:
    """A link."""
    return element("a", said, href=url, class_=class_, aria_current=aria_current)


def button(said: str, *, plain: bool = False, name: str | None = None, value: str | None = None) -> Element:
    """What sends a form; `plain` where it is not what the page is for."""
    return element("button", said, type="submit", class_="plain" if plain else "main", name=name, value=value)


def hidden(**values: object) -> list[Element]:
    """Fields of a form that are not for people."""
    return [element("input", type="hidden", name=key, value=str(value)) for key, value in values.items()]
