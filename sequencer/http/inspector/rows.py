"""Enrollments as rows of a table: who, in which sequence, how it stands and why, which step is next and when."""

from __future__ import annotations

from collections.abc import Sequence

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.http.inspector import wording
from sequencer.http.inspector.frame import link
from sequencer.http.inspector.moments import local, moment
from sequencer.http.inspector.visit import Visit
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import name, number
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["cards", "overdue", "pill", "rows", "standing", "who"]

_COLUMNS = ("Who", "Sequence", "State", "Step", "Next")


def who(enrollment: Enrollment) -> list[Content]:
    """Whom an enrollment is about: type and id, as the host calls them. No address, as the API shows none."""
    return [name(enrollment.resource.type), " ", name(enrollment.resource.id)]


def pill(enrollment: Enrollment) -> Element:
    """The state as a word with a sign before it, which is another one for each state."""
    return element(
        "span",
        element(
            "span",
            {"active": "\u25b6", "blocked": "\u2016", "finished": "\u25a0"}[enrollment.state.value],
            aria_hidden="true",
            class_="sign",
        ),
        wording.state(enrollment),
        class_=f"pill {enrollment.state.value}",
    )


def standing(enrollment: Enrollment) -> Element:
    """Which one it is and how it stands, in a line."""
    sequence = name(enrollment.version.sequence.name)
    return element("p", who(enrollment), " in ", sequence, ". ", pill(enrollment), class_="standing")


def rows(ids: Ids, caption: str, visit: Visit, enrollments: Sequence[Enrollment]) -> Element:
    """The table. On a narrow screen each row becomes a card, and stays a row to who listens to it."""
    return cards(ids, caption, _COLUMNS, [_row(visit, each) for each in enrollments], class_="cards people")


def cards(
    ids: Ids, caption: str, columns: Sequence[str], lines: Sequence[Sequence[Content]], *, class_: str = "cards"
) -> Element:
    """A table whose rows become cards where there is no room for rows; the first column is what a row is about."""
    titled = ids.new("table")
    return element(
        "table",
        element("caption", caption, id=titled),
        element(
            "thead",
            element("tr", [element("th", each, scope="col", role="columnheader") for each in columns], role="row"),
            role="rowgroup",
        ),
        element(
            "tbody",
            [
                element(
                    "tr",
                    element("th", line[0], scope="row", role="rowheader"),
                    [
                        element("td", content, role="cell", data_column=column)
                        for column, content in zip(columns[1:], line[1:], strict=True)
                    ],
                    role="row",
                )
                for line in lines
            ],
            role="rowgroup",
        ),
        class_=class_,
        role="table",
        aria_labelledby=titled,
    )


def _row(visit: Visit, enrollment: Enrollment) -> Sequence[Content]:
    version = enrollment.version
    because = wording.why(enrollment, visit.now)
    return (
        [
            link(who(enrollment), visit.url("enrollments", enrollment.id)),
            element("span", f"No. {enrollment.id}", class_="small"),
        ],
        link(name(version.sequence.name), visit.url("sequences", version.sequence_id)),
        [pill(enrollment), element("span", because, class_="small") if because else None],
        _step(enrollment),
        _next(enrollment, visit.now),
    )


def _step(enrollment: Enrollment) -> Content:
    current = enrollment.current
    if enrollment.is_finished or current is None:
        return "\u2013"
    left = len(enrollment.steps) - 1 - current.position
    after = f"; {number(left)} more after it" if left else "; the last"
    said = f"{wording.kind(current.step)}, {wording.status(current)}{after}"
    return [f"Step {current.position}", element("span", said, class_="small")]


def _next(enrollment: Enrollment, now: DateTime) -> Content:
    zone = enrollment.timezone
    if enrollment.finished_at is not None:
        return element("span", "ended ", local(enrollment.finished_at, zone, now), class_="small")
    current = enrollment.current
    if current is None or current.estimated_execute_at is None:
        return "\u2013"
    if enrollment.blocked_at is not None:
        until = enrollment.blocked_until
        goes_on: Content = ["goes on ", moment(until, zone, now)] if until else "when somebody resumes it"
        return [element("span", goes_on, class_="small"), overdue(current)]
    return [moment(current.estimated_execute_at, zone, now), overdue(current)]


def overdue(step: EnrollmentStep) -> Content:
    """That a step is overdue, where it is."""
    return element("strong", "Overdue", class_="overdue") if step.overdue else None
