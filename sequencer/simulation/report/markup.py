"""HTML and SVG as a tree of elements, which is the only way to markup here: text is always text.

There is no raw markup to pass in. Whatever is not an element becomes text or the value of an attribute, and is escaped
when the tree is written; so a hostile name can be shown, and can do nothing else. What is written is both HTML and
well-formed XML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import attrs

__all__ = ["Content", "Element", "content_of", "document", "element", "styles"]

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*")
# What neither HTML nor XML can say, also not by a reference; it is shown as what it is, something unreadable.
_ENDS_OF_PLANES = "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
_UNSUITABLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_ENDS_OF_PLANES}]")
_EMPTY = frozenset({"br", "col", "hr", "input", "link", "meta"})
# After these a line ends: a file that can be compared line by line.
_LINES = frozenset({
    "aside", "body", "dd", "details", "div", "dl", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
    "h3", "head", "header", "li", "link", "main", "meta", "nav", "ol", "option", "p", "section", "select", "style",
    "summary", "svg", "table", "tbody", "thead", "title", "tr", "ul",
})  # fmt: skip


@attrs.frozen(eq=False)
class Element:
    """An element with its attributes and what is in it. Made by `element` and `styles`."""

    name: str
    attributes: Mapping[str, str]
    children: tuple[Element | str, ...]


Content: TypeAlias = "Element | str | int | float | Iterable[Content] | None"
"""What can be in an element: elements, text, numbers, several of them, or nothing."""


def element(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Element:
    """An element. Attributes that are None or False are left out; `class_` is `class`, `aria_label` is `aria-label`."""
    given = {}
    for key, value in attributes.items():
        if value is not None and value is not False:
            given[_checked(key.rstrip("_").replace("_", "-"))] = "" if value is True else str(value)
    if name == "style":
        raise ValueError("style sheets are made by styles()")
    return Element(_checked(name), given, tuple(content_of(content)))


def styles(sheet: str) -> Element:
    """A style sheet of the package's own; nothing in it may end it."""
    if "<" in sheet or "&" in sheet:
        raise ValueError("a style sheet may not contain < or &")
    return Element("style", {}, (sheet,))


def content_of(content: Content) -> Iterator[Element | str]:
    """The elements and texts of any content, flat."""
    if isinstance(content, Element | str):
        yield content
    elif isinstance(content, int | float):
        yield str(content)
    elif content is not None:
        for each in content:
            yield from content_of(each)


def document(root: Element) -> str:
    """The tree as a whole HTML document."""
    return "<!DOCTYPE html>\n" + "".join(_written(root)) + "\n"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an element or attribute")
    return name


def _escaped(text: str) -> str:
    return html.escape(_UNSUITABLE.sub("\ufffd", text))


def _written(node: Element) -> Iterator[str]:
    yield f"<{node.name}"
    for name, value in node.attributes.items():
        yield f' {name}="{_escaped(value)}"'
    if node.name in _EMPTY:
        yield "/>"
    else:
        yield ">"
        for child in node.children:
            if isinstance(child, Element):
                yield from _written(child)
            else:
                yield child if node.name == "style" else _escaped(child)
        yield f"</{node.name}>"
    if node.name in _LINES:
        yield "\n"
