"""The list of enrollments: filters, a search, and pages.

What is looked for stands in the path of the page, so that it can be kept and sent to somebody; but for an address. That
is personal, and paths are written into logs: who looks for one gets the answer to the form itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sequencer.core.enrollment import Enrollment, to_address
from sequencer.core.errors import InvalidInput, NotFound
from sequencer.core.values import Identifier, to_identifier, to_line
from sequencer.engine.explanation import BLOCKS, ENDS, why_ended
from sequencer.engine.stored import StoredSequence
from sequencer.http.inspector.frame import button, framed, hidden, link
from sequencer.http.inspector.rows import rows
from sequencer.http.inspector.visit import Visit, to_number
from sequencer.http.inspector.wording import why_blocked
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["listing", "searched"]

_PER_PAGE = 25
_MOST_SEQUENCES = 200
_STATES = ("active", "blocked", "finished")


@attrs.frozen
class _Page:
    """What was found: the enrollments, and the id to go on after where there may be more."""

    found: tuple[Enrollment, ...]
    more: int | None


def searched(visit: Visit) -> Response:
    """What becomes of the form: the page of what was found, or for an address the answer itself."""
    if "@" in visit.given("find"):
        return HTMLResponse(listing(visit))
    return RedirectResponse(visit.url("enrollments", **_chosen(visit)), status_code=303)


def listing(visit: Visit) -> str:
    """The page."""
    page, ids = _found(visit), Ids()
    chosen = _chosen(visit)
    return framed(
        visit.base,
        "Enrollments",
        element("h1", "Enrollments"),
        _filters(visit),
        rows(
            ids,
            "Enrollments found, by their number" if chosen else "All enrollments, by their number",
            visit,
            page.found,
        )
        if page.found
        else element("p", "No enrollment is like this." if chosen else "Nobody is enrolled yet.", class_="nothing"),
        _leaves(visit, page, chosen),
        visit=visit,
        at="enrollments",
    )


# -- the search -----------------------------------------------------------------------------------------------


def _chosen(visit: Visit) -> dict[str, str]:
    names = ("find", "state", "reason", "ended", "sequence", "type")
    return {each: _value(visit, each) for each in names if _value(visit, each)}


def _value(visit: Visit, name: str) -> str:
    return visit.given(name) if visit.request.method == "POST" else visit.asked(name)


def _found(visit: Visit) -> _Page:
    after, text = to_number(visit.asked("after")), _value(visit, "find")
    try:
        filters = dict(_filtered(visit))
        if not text:
            return _paged(visit, filters, after)
        if "@" in text:
            return _paged(visit, {**filters, "address": to_address(text, "find")}, after)
        to_line(text, "find", longest=64)
        page = _paged(visit, {**filters, "resource_ids": _ids(text)}, after)
    except (InvalidInput, NotFound):
        return _Page((), None)
    own = _numbered(visit, text) if after is None else None
    if own is None or own.id in {each.id for each in page.found}:
        return page
    return attrs.evolve(page, found=(own, *page.found))


def _numbered(visit: Visit, text: str) -> Enrollment | None:
    """The enrollment of that number, whatever else was chosen: who types a number means it."""
    number = to_number(text.removeprefix("#"))
    if number is None:
        return None
    try:
        return visit.engine.get(number)
    except NotFound:
        return None


def _ids(text: str) -> tuple[Identifier, ...]:
    """What a resource's id may be that is typed like this: digits are a number, or a text of digits."""
    number = to_number(text)
    ids: list[Identifier] = [to_identifier(text, "find")]
    return (number, *ids) if number is not None and str(number) == text else tuple(ids)


def _filtered(visit: Visit) -> Iterator[tuple[str, Any]]:
    state, kind = _value(visit, "state"), _value(visit, "type")
    reason, ended = _value(visit, "reason"), _value(visit, "ended")
    if reason and ended:
        raise InvalidInput("nothing is blocked that has ended", path="ended")
    if reason or ended:
        yield "state", "blocked" if reason else "finished"
        yield "reason", reason or ended
    elif state in _STATES:
        yield "state", state
    if kind:
        yield "resource_type", to_line(kind, "type", longest=64)
    sequence = _value(visit, "sequence")
    if sequence:
        yield "sequence", to_number(sequence) or 0


def _paged(visit: Visit, filters: Mapping[str, Any], after: int | None) -> _Page:
    # One more than a page has tells whether there is another.
    found = visit.engine.enrollments(after=after, limit=_PER_PAGE + 1, **filters)
    shown = found[:_PER_PAGE]
    return _Page(shown, shown[-1].id if len(found) > len(shown) else None)


# -- the form -------------------------------------------------------------------------------------------------


def _filters(visit: Visit) -> Element:
    sequences = visit.engine.stored_sequences(limit=_MOST_SEQUENCES)
    return element(
        "form",
        element(
            "p",
            element("label", "Find", for_="find"),
            element(
                "input",
                id="find",
                name="find",
                type="search",
                value=_value(visit, "find"),
                maxlength=320,
                aria_describedby="find-hint",
                autocomplete="off",
            ),
            element("span", "A number, the id of a lead, or a whole address", id="find-hint", class_="small"),
            class_="field wide",
        ),
        _select(visit, "state", "State", [(each, each.capitalize()) for each in _STATES]),
        _select(visit, "reason", "Blocked because", _reasons(visit, "reason", BLOCKS, why_blocked)),
        _select(visit, "ended", "Finished because", _reasons(visit, "ended", ENDS, why_ended)),
        _select(
            visit, "sequence", "Sequence", [(str(each.id), each.sequence.name) for each in _named(visit, sequences)]
        ),
        element(
            "p",
            element("label", "Type", for_="type"),
            element("input", id="type", name="type", value=_value(visit, "type"), maxlength=64, list="types"),
            element("datalist", [element("option", value=each) for each in ("lead", "contact")], id="types"),
            class_="field",
        ),
        element("p", button("Show"), " ", link("Show all", visit.url("enrollments")), class_="field go"),
        hidden(token=visit.token),
        method="post",
        action=visit.url("enrollments"),
        class_="filters",
        role="search",
    )


def _reasons(visit: Visit, key: str, known: Sequence[str], said: Callable[[str], str]) -> list[tuple[str, str]]:
    """The reasons that the engine knows, and one of the host's own that is being looked at; each in words."""
    chosen = _value(visit, key)
    texts = [(each, said(each)) for each in (*known, *([chosen] if chosen and chosen not in known else []))]
    return [(each, f"{text[:1].upper()}{text[1:]}") for each, text in texts]


def _named(visit: Visit, sequences: tuple[StoredSequence, ...]) -> Iterator[StoredSequence]:
    yield from sequences
    chosen = to_number(_value(visit, "sequence"))
    if chosen is not None and chosen not in {each.id for each in sequences}:
        try:
            yield visit.engine.stored_sequence(chosen)
        except NotFound:
            return


def _select(visit: Visit, key: str, said: str, options: list[tuple[str, str]]) -> Element:
    chosen = _value(visit, key)
    return element(
        "p",
        element("label", said, for_=key),
        element(
            "select",
            element("option", "Any", value=""),
            [element("option", text, value=value, selected=value == chosen) for value, text in options],
            id=key,
            name=key,
        ),
        class_="field",
    )


def _leaves(visit: Visit, page: _Page, chosen: Mapping[str, str]) -> Content:
    if "@" in chosen.get("find", ""):
        return element("p", "There are more than these.", class_="small") if page.more else None
    first = link("First page", visit.url("enrollments", **chosen)) if visit.asked("after") else None
    more = None if page.more is None else link("Next page", visit.url("enrollments", **chosen, after=page.more))
    if first is None and more is None:
        return None
    return element("nav", first, more, class_="leaves", aria_label="Further enrollments")
