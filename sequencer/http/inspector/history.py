"""What has happened to an enrollment, in sentences, the latest first."""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.core.enrollment import Enrollment
from sequencer.core.events import Event
from sequencer.http.inspector import wording
from sequencer.http.inspector.frame import link
from sequencer.http.inspector.moments import local
from sequencer.http.inspector.visit import Visit
from sequencer.simulation.report.figures import name, plural
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["history", "told"]

_SHOWN = 40
# What the worker does on the way: of interest to who looks into it, and grey to everybody else.
_MINOR = {"email_requested", "task_requested", "hand_over_started", "hand_over_withdrawn", "email_pending", "noted"}


def history(visit: Visit, enrollment: Enrollment, events: Sequence[Event]) -> Element:
    """The latest of it, without what the worker does on the way; and a way to all of it."""
    whole = visit.asked("history") == "all"
    shown = [each for each in reversed(events) if whole or each.type not in _MINOR]
    shown = shown if whole else shown[:_SHOWN]
    more = len(shown) < len(events)
    return element(
        "section",
        element("h2", "History", id="history"),
        told(visit, enrollment, shown),
        element(
            "p",
            link(
                f"Show all {plural(len(events), 'event')}",
                f"{visit.url('enrollments', enrollment.id, history='all')}#history",
            ),
        )
        if more
        else None,
        aria_labelledby="history",
        class_="history",
    )


def told(visit: Visit, enrollment: Enrollment, events: Sequence[Event]) -> Element:
    """Events as a list."""
    return element("ol", [_event(visit, enrollment, each) for each in events], class_="events", reversed=True)


def _event(visit: Visit, enrollment: Enrollment, event: Event) -> Element:
    said = wording.facts(event, enrollment.timezone)
    about: list[Content] = [[", " if i else None, f"{key}: ", name(value)] for i, (key, value) in enumerate(said)]
    return element(
        "li",
        element(
            "p",
            local(event.at, enrollment.timezone, visit.now),
            None if event.position is None else f" \u00b7 step {event.position}",
            class_="small",
        ),
        element("p", wording.happened(event)),
        element("p", about, class_="small") if about else None,
        value=event.number,
        class_="minor-event" if event.type in _MINOR else None,
    )
