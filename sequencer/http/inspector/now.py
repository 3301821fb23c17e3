"""What is going on now: what is due, what is overdue, what is blocked, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.core.enrollment import Enrollment
from sequencer.engine.counters import Counters
from sequencer.engine.results import Overdue
from sequencer.http.inspector import wording
from sequencer.http.inspector.frame import framed, link
from sequencer.http.inspector.moments import away
from sequencer.http.inspector.rows import rows
from sequencer.http.inspector.visit import Visit, to_number
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import data, number, plural
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["now_page"]

_SHOWN = 10
_LOOKS_AT, _AT_ONCE = 500, 100
"""How many ongoing enrollments one page looks through for what is overdue; it goes on from there when asked to."""
_ENOUGH = 20


def now_page(visit: Visit) -> str:
    """The page."""
    engine, ids = visit.engine, Ids()
    counters, due = engine.counters(), engine.due(limit=_SHOWN + 1)
    late = _overdue(visit, to_number(visit.asked("overdue_after")))
    blocked = engine.enrollments(state="blocked", limit=_SHOWN)
    return framed(
        visit.base,
        "Now",
        element("h1", "Now"),
        _figures(visit, counters, len(late.enrollments), more=late.more),
        _section(
            "overdue",
            "Overdue",
            [
                rows(ids, "Should have been over by now", visit, late.enrollments) if late.enrollments else None,
                None if late.enrollments or late.more else element("p", "Nothing is overdue.", class_="nothing"),
                element(
                    "p", link("Look through further enrollments", f"{visit.url('', overdue_after=late.after)}#overdue")
                )
                if late.more
                else None,
            ],
        ),
        _section("blocked", "Blocked", _blocked(visit, ids, counters, blocked)),
        _section(
            "due",
            "Due",
            [
                rows(ids, "May be handed over now, the longest waiting first", visit, due[:_SHOWN])
                if due
                else element("p", "Nothing waits for a worker.", class_="nothing"),
                element("p", f"These are the first {_SHOWN}.", class_="small") if len(due) > _SHOWN else None,
            ],
        ),
        visit=visit,
        at="",
    )


def _overdue(visit: Visit, after: int | None) -> Overdue:
    """Who is overdue among the next ones, until there are enough for a page."""
    found, looked = list[Enrollment](), 0
    while True:
        page = visit.engine.overdue(after=after, limit=_AT_ONCE)
        found += page.enrollments
        looked, after = looked + _AT_ONCE, page.after
        if not page.more or len(found) >= _ENOUGH or looked >= _LOOKS_AT:
            return Overdue(tuple(found), page.after, page.more)


def _section(key: str, title: str, *content: Content) -> Element:
    return element("section", element("h2", title, id=key), content, aria_labelledby=key)


def _figures(visit: Visit, counters: Counters, overdue: int, *, more: bool) -> Element:
    since = counters.oldest_due_at
    blocked = sum(counters.blocked.values())
    figures: list[tuple[int, str, str, str, bool]] = [
        (counters.active, "active", "due and overdue ones included", visit.url("enrollments", state="active"), False),
        (
            counters.due,
            "due",
            f"of the active, the first {away(since, visit.now)}" if since else "of the active",
            "#due",
            False,
        ),
        (overdue, "overdue", "of those looked at" if more else "of the active and blocked", "#overdue", overdue > 0),
        (blocked, "blocked", "do not go on", visit.url("enrollments", state="blocked"), blocked > 0),
    ]
    return element(
        "ul",
        [
            element(
                "li",
                element("strong", data(count), "+" if key in counters.capped else None),
                link(key, url),
                element("span", said, class_="small"),
                class_="grave" if grave else None,
            )
            for count, key, said, url, grave in figures
        ],
        class_="figures",
    )


def _blocked(visit: Visit, ids: Ids, counters: Counters, blocked: Sequence[Enrollment]) -> Content:
    if not blocked:
        return element("p", "Nothing is blocked.", class_="nothing")
    reasons = sorted(counters.blocked.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        element(
            "ul",
            [
                element(
                    "li",
                    element("strong", number(count)),
                    " ",
                    link(wording.why_blocked(reason), visit.url("enrollments", reason=reason)),
                )
                for reason, count in reasons
            ],
            class_="reasons",
        ),
        rows(ids, f"The first {plural(len(blocked), 'blocked enrollment')}, by their number", visit, blocked),
    ]
