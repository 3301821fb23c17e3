"""One enrollment: how it stands, its steps on a strip and in a list with their reasons, its history, what can be done.

Of the person it shows type and id, as the API does, and neither address nor merge fields: a token that may read is no
key to everybody's data. Who has to see more has it in the product that the host's `resource_url` leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.events import Event
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import explain_current, explain_following
from sequencer.engine.results import Explanation
from sequencer.http.inspector import wording
from sequencer.http.inspector.asking import VERBS, done, foreseen
from sequencer.http.inspector.frame import framed, link
from sequencer.http.inspector.history import history
from sequencer.http.inspector.moments import away, local, moment
from sequencer.http.inspector.rows import overdue, pill, who
from sequencer.http.inspector.strip import Mark, strip
from sequencer.http.inspector.visit import Visit
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import name, plural
from sequencer.simulation.report.markup import Content, Element, element

__all__ = ["enrollment_page"]

_STAGES = {"done": "Done", "now": "Now", "planned": "Planned", "off": "Will not happen"}


def enrollment_page(visit: Visit, id: int) -> str:
    """The page. Raises `NotFound`."""
    explanation = visit.engine.explain(id)
    events = visit.engine.history(id)
    enrollment, ids = explanation.enrollment, Ids()
    said = done(visit, enrollment, events)
    title = f"{enrollment.resource.type} {enrollment.resource.id} in {enrollment.version.sequence.name}"
    return framed(
        visit.base,
        f"{said} {title}" if said else title,
        element("p", said, role="status", class_="flash") if said else None,
        _heading(visit, explanation),
        _actions(visit, enrollment, events),
        element(
            "section",
            element("h2", "Timeline", id="timeline"),
            strip(
                ids,
                "The steps over time",
                list(_marks(enrollment)),
                enrollment.calendar,
                visit.now,
                enrollment.started_at,
                ongoing=not enrollment.is_finished,
            ),
            aria_labelledby="timeline",
        ),
        element(
            "div",
            element(
                "section",
                element("h2", "Steps", id="steps"),
                _steps(visit, explanation),
                aria_labelledby="steps",
                class_="wide",
            ),
            element("aside", _facts(visit, enrollment), history(visit, enrollment, events)),
            class_="beside",
        ),
        visit=visit,
        at="enrollments",
    )


# -- the head -------------------------------------------------------------------------------------------------


def _heading(visit: Visit, explanation: Explanation) -> Element:
    enrollment = explanation.enrollment
    version, find = enrollment.version, visit.options.resource_url
    url = None if find is None else safe_url(find(enrollment.resource))
    named = who(enrollment)
    return element(
        "div",
        element("p", link("Enrollments", visit.url("enrollments")), f" / No. {enrollment.id}", class_="kicker"),
        element("h1", element("a", named, href=url) if url else named),
        element(
            "p",
            "in ",
            link(name(version.sequence.name), visit.url("sequences", version.sequence_id)),
            f", version {version.version}",
            class_="under",
        ),
        element("p", pill(enrollment), " ", _standing(enrollment, visit.now), class_="standing"),
        _withheld(explanation),
        class_="heading",
    )


def safe_url(url: str | None) -> str | None:
    """A host's own address, if it leads to a page and to nothing that runs."""
    return url if url and url.startswith(("https://", "http://", "/")) else None


def _standing(enrollment: Enrollment, now: DateTime) -> Content:
    """How it stands, in a sentence."""
    zone, why, current = enrollment.timezone, wording.why(enrollment, now), enrollment.current
    because = f", because {why}" if why else ""
    if enrollment.state is EnrollmentState.FINISHED and enrollment.finished_at is not None:
        actor = enrollment.finished_actor_id
        by: Content = [" by ", name(actor)] if actor is not None else None
        return ["Ended", by, " on ", local(enrollment.finished_at, zone, now), because, "."]
    if enrollment.state is EnrollmentState.BLOCKED and enrollment.blocked_at is not None:
        until = enrollment.blocked_until
        goes_on: Content = (
            [" It goes on by itself on ", local(until, zone, now), "."] if until else " It waits for somebody."
        )
        return ["Since ", local(enrollment.blocked_at, zone, now), because, ".", goes_on]
    if current is None or current.estimated_execute_at is None:
        return None
    return [
        "Next: ",
        name(wording.short(current.step)),
        f" ({wording.kind(current.step).lower()}, step {current.position}), ",
        local(current.estimated_execute_at, zone, now),
        f"; {why}. " if why else f", {away(current.estimated_execute_at, now)}. ",
        overdue(current),
    ]


def _withheld(explanation: Explanation) -> Element | None:
    """That the next mail will not leave, or may not, since the address has opted out."""
    position = explanation.suppressed_position
    if position is None and explanation.former_suppressed:
        said = "An address that the person had before, or was mailed at, is suppressed: the next mail may not leave."
        return element("p", said, class_="problem")
    if position is None:
        return None
    step = link(f"step {position}", f"#step-{position}")
    told = "The address that is stored is suppressed: the mail of ", step
    return element("p", told, " will not leave, and the enrollment ends then as unsubscribed.", class_="problem")


def _actions(visit: Visit, enrollment: Enrollment, events: Sequence[Event]) -> Element | None:
    """What can be done with it now, by who may: each leads to a page that asks first."""
    if not visit.grant.may_write:
        return None
    possible = [each for each in VERBS if foreseen(each.first(enrollment), enrollment, events, visit) is not None]
    if not possible:
        return None
    return element(
        "nav",
        element(
            "ul",
            [
                element(
                    "li",
                    link(
                        f"{each.label} \u2026",
                        visit.url("enrollments", enrollment.id, each.name, revision=enrollment.revision),
                        class_="button grave" if each.is_final else "button",
                    ),
                )
                for each in possible
            ],
        ),
        aria_label="What can be done",
        class_="actions",
    )


def _facts(visit: Visit, enrollment: Enrollment) -> Element:
    zone, now = enrollment.timezone, visit.now
    given: list[tuple[str, Content]] = [
        ("Enrolled", moment(enrollment.created_at, zone, now)),
        ("Actor", None if enrollment.actor_id is None else name(enrollment.actor_id)),
        ("Clock", f"{zone} (tzdata {enrollment.tzdata})"),
        ("Revision", str(enrollment.revision)),
    ]
    if enrollment.started_at != enrollment.created_at:
        given.insert(1, ("Starts", moment(enrollment.started_at, zone, now)))
    return element(
        "section",
        element("h2", "About it", id="about"),
        element(
            "dl",
            [element("div", element("dt", key), element("dd", value)) for key, value in given if value],
            class_="facts",
        ),
        aria_labelledby="about",
    )


# -- the steps ------------------------------------------------------------------------------------------------


def _marks(enrollment: Enrollment) -> Iterator[Mark]:
    for step in enrollment.steps:
        at = step.executed_at or step.skipped_at or step.estimated_execute_at
        stage = wording.stage(enrollment, step)
        if at is not None and stage != "off":
            says = f"step {step.position}, {wording.kind(step.step).lower()}, {wording.status(step)}"
            yield Mark(step.position, at, step.step.is_email, "late" if step.overdue else stage, says)


def _steps(visit: Visit, explanation: Explanation) -> Element:
    enrollment = explanation.enrollment
    following = explain_following(enrollment, visit.now)
    said = list(_sentences(explanation))
    return element(
        "ol",
        [
            _step(visit, enrollment, step, said[step.position], _reasons(enrollment, step, following, visit.now))
            for step in enrollment.steps
        ],
        class_="steps",
    )


def _sentences(explanation: Explanation) -> Iterator[list[str]]:
    """What `explain` says about each step: a sentence, and what is set in under it."""
    about: list[str] = []
    for sentence in explanation.sentences[1:]:
        if about and not sentence.startswith(" "):
            yield about
            about = []
        about.append(sentence.strip(" -"))
    yield about


def _reasons(
    enrollment: Enrollment, step: EnrollmentStep, following: Sequence[tuple[str, ...]], now: DateTime
) -> tuple[str, ...]:
    """Why a step that is not over is when it is (T10)."""
    if enrollment.is_finished or step.estimated_execute_at is None or step.is_over:
        return ()
    if step.position == enrollment.position:
        return explain_current(enrollment, now)
    ahead = step.position - enrollment.position - 1
    return following[ahead] if 0 <= ahead < len(following) else ()


def _step(
    visit: Visit, enrollment: Enrollment, step: EnrollmentStep, said: list[str], reasons: Sequence[str]
) -> Element:
    zone, now, stage = enrollment.timezone, visit.now, wording.stage(enrollment, step)
    at = step.executed_at or step.skipped_at or step.estimated_execute_at
    happening = [each for each in said if each not in reasons]
    return element(
        "li",
        element(
            "p",
            element("span", _STAGES[stage], class_="stage"),
            f"{wording.kind(step.step)}, {wording.status(step)} ",
            overdue(step),
            class_="label-line",
        ),
        element("h3", f"Step {step.position}: ", element("span", name(wording.doing(step.step)))),
        element("p", moment(at, zone, now)) if at is not None and stage != "off" else None,
        element("p", wording.delay(step.step.after, step.position), _unsettled(step), class_="small"),
        _problem(step, happening),
        element(
            "details",
            element(
                "summary",
                "What happened" if step.is_over else "Why then",
                element("span", f": step {step.position}", class_="unseen"),
            ),
            element("ul", [element("li", each) for each in (*happening, *reasons)]),
        ),
        id=f"step-{step.position}",
        class_=f"step {stage} {'mail' if step.step.is_email else 'task'}",
        aria_current="step" if stage == "now" and not enrollment.is_finished else None,
    )


def _unsettled(step: EnrollmentStep) -> str | None:
    """That a step ahead has no estimate, and why."""
    ahead = step.status is StepStatus.PENDING and step.estimated_execute_at is None
    return "; when that is, is settled when the enrollment is resumed" if ahead else None


def _problem(step: EnrollmentStep, said: Sequence[str]) -> Element | None:
    """What is wrong with a step, and what a person can do; shown without unfolding anything."""
    tried = step.status is StepStatus.PENDING and step.failures
    if step.status is not StepStatus.FAILED and not tried:
        return None
    count = f"Tried {plural(step.failures, 'time')} without success. " if tried else ""
    return element("p", count, " ".join(said) if not tried else step.failure_detail, class_="problem")
