"""The verbs that a person can use on an enrollment, and the page of each, which says what will happen before it does.

What would happen is not described a second time: the enrollment is made of its history, and told the request by the
core's own `advance`. What comes out is shown beside what is, and thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.errors import IllegalTransition, InvalidInput
from sequencer.core.events import Event, replay
from sequencer.core.instants import between
from sequencer.core.lifecycle import advance
from sequencer.core.signals import Block, CompleteTask, Finish, Request, Resume, Skip
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.timeline import seen_at
from sequencer.http.inspector import wording
from sequencer.http.inspector.frame import button, framed, hidden, link
from sequencer.http.inspector.moments import local
from sequencer.http.inspector.rows import standing
from sequencer.http.inspector.visit import Visit
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import name, plural
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.tables import table

__all__ = ["VERBS", "Verb", "asking_page", "done", "foreseen", "verb_named"]

_FLASH_FOR = timedelta(minutes=10)
_FIELDS = {"reason": "\u201cWhy\u201d", "until": "\u201cUntil\u201d"}
_TIMELINES = (
    ("shift", "Wait out what was left", "What was left of the delay when it was blocked is waited out from now."),
    ("keep", "Keep the planned moment", "It stays if it is still ahead; else the step goes at the next open moment."),
    ("restart", "Begin the delay anew", "The whole delay of the step is waited out again, from now."),
)
_PASSED_OVER = "It is passed over, and the step after it counts from now."


@attrs.frozen(kw_only=True)
class Verb:
    """One of the verbs: what it is called, the request that shows whether it is possible, and what it records."""

    name: str
    label: str
    question: str
    records: str
    done: str
    is_final: bool = False
    first: Callable[[Enrollment], Request | None]


def _completed(enrollment: Enrollment) -> Request | None:
    current = enrollment.current
    if current is None or current.task_id is None or current.status is not StepStatus.IN_PROGRESS:
        return None
    return CompleteTask(current.position)


VERBS = (
    Verb(name="complete", label="Complete the task", question="Is the task done?", records="task_completed",
         done="The task is completed.", first=_completed),
    Verb(name="resume", label="Resume", question="Resume this enrollment?", records="resumed",
         done="It goes on.", first=lambda _: Resume("shift")),
    Verb(name="skip", label="Skip the step", question="Skip this step?", records="step_skipped",
         done="The step is skipped.", first=lambda _: Skip()),
    Verb(name="block", label="Block", question="Block this enrollment?", records="blocked",
         done="It is blocked.", first=lambda _: Block()),
    Verb(name="finish", label="Finish", question="Finish this enrollment for good?", records="finished",
         done="It is finished.", is_final=True, first=lambda _: Finish()),
)  # fmt: skip


def verb_named(name: str) -> Verb | None:
    """The verb of that name."""
    return next((each for each in VERBS if each.name == name), None)


def foreseen(
    request: Request | None, enrollment: Enrollment, events: Sequence[Event], visit: Visit
) -> Enrollment | None:
    """The enrollment after a request, as of now; None where the request is not possible, or changes nothing."""
    if request is None:
        return None
    try:
        decision = advance(replay(enrollment.version, events), request, visit.now)
    except (IllegalTransition, InvalidInput):
        return None
    return seen_at(decision.enrollment, visit.now) if decision.changed else None


def done(visit: Visit, enrollment: Enrollment, events: Sequence[Event]) -> str:
    """What was just done here, as far as it is in the history: a page that is sent around claims nothing."""
    asked = visit.asked("done")
    if asked == "already":
        return "It was so already; nothing was changed."
    verb = verb_named(asked)
    latest = [each for each in events if between(each.at, visit.now) < _FLASH_FOR]
    if verb is None or not any(each.type == verb.records for each in latest):
        return ""
    out = enrollment.outstanding if verb.is_final else ()
    return f"{verb.done} {_too_late(out)}".strip()


def _too_late(steps: Sequence[EnrollmentStep]) -> str:
    return " ".join(
        f"Step {each.position} had been handed over before; whether it arrives is not known yet." for each in steps
    )


# -- the page -------------------------------------------------------------------------------------------------


def asking_page(
    visit: Visit, verb: Verb, enrollment: Enrollment, events: Sequence[Event], problem: InvalidInput | None = None
) -> str | None:
    """The page that asks; None where the verb is not possible now. A `problem` is what was wrong with the answer."""
    after = foreseen(verb.first(enrollment), enrollment, events, visit)
    if after is None:
        return None
    ids = Ids()
    return framed(
        visit.base,
        f"Not done: {verb.question}" if problem else verb.question,
        element(
            "div",
            element("p", link(f"No. {enrollment.id}", visit.url("enrollments", enrollment.id)), class_="kicker"),
            element("h1", verb.question),
            standing(enrollment),
            class_="heading",
        ),
        element(
            "p",
            f"Not done. {_FIELDS.get(problem.path, 'It')} {problem.message}.",
            role="alert",
            class_="problem",
            id="problem",
        )
        if problem
        else None,
        element(
            "form",
            hidden(token=visit.token, revision=enrollment.revision),
            _fields(visit, verb, enrollment, events, problem),
            element(
                "section",
                element("h2", "What will happen", id="happens"),
                [element("p", each) for each in _consequences(verb, enrollment, after) if each],
                _changes(ids, visit, enrollment, after) if verb.name in {"complete", "skip", "finish"} else None,
                aria_labelledby="happens",
            ),
            element(
                "p",
                button(verb.label),
                " ",
                link("Leave it as it is", visit.url("enrollments", enrollment.id), class_="button"),
                class_="choice",
            ),
            method="post",
            action=visit.url("enrollments", enrollment.id, verb.name),
            class_="asking grave" if verb.is_final else "asking",
        ),
        visit=visit,
        at="enrollments",
    )


def _consequences(verb: Verb, enrollment: Enrollment, after: Enrollment) -> Iterator[str]:
    current = enrollment.current
    if verb.name == "block":
        yield (
            "Nothing is handed over while it is blocked. How the timeline goes on is chosen when somebody resumes it; "
            "at a date, it goes on by itself."
        )
        yield _too_late(enrollment.outstanding)
        return
    if verb.name == "resume":
        yield "The enrollment is active again from now on, and goes on as chosen above."
        return
    if verb.name == "finish":
        yield "The enrollment ends now. That cannot be taken back: to go on, the person has to be enrolled anew."
    if current is not None and after.steps[current.position].cancel_task:
        yield "Its task is taken off the board."
    if verb.name != "finish" and after.is_finished:
        yield "It was the last step, so the enrollment is finished."
    elif verb.name != "finish" and after.state is EnrollmentState.BLOCKED:
        yield "The enrollment stays blocked until somebody resumes it."
    elif verb.name != "finish":
        yield f"The enrollment goes on with step {after.position}, whose delay counts from now."
    yield _too_late(after.outstanding)


def _changes(ids: Ids, visit: Visit, before: Enrollment, after: Enrollment) -> Content:
    """Each step of which something changes, now and then."""
    changed = [
        (was, will)
        for was, will in zip(before.steps, after.steps, strict=True)
        if (was.status, was.estimated_execute_at) != (will.status, will.estimated_execute_at)
    ]
    if not changed:
        return None
    rows: list[tuple[Content, ...]] = [
        (
            [f"Step {was.position}: ", name(wording.doing(was.step))],
            _standing(was, before, visit.now),
            _standing(will, before, visit.now),
        )
        for was, will in changed
    ]
    return table(ids, f"What changes, in {plural(len(rows), 'step')}", ["Step", "Now", "Then"], rows, texts=3)


def _standing(step: EnrollmentStep, enrollment: Enrollment, now: DateTime) -> Content:
    at = step.executed_at or step.skipped_at or step.estimated_execute_at
    said = wording.status(step)
    return said if at is None else [f"{said}, ", local(at, enrollment.timezone, now)]


# -- the fields of a form -------------------------------------------------------------------------------------


def _fields(
    visit: Visit, verb: Verb, enrollment: Enrollment, events: Sequence[Event], problem: InvalidInput | None
) -> Content:
    if verb.name == "block":
        return _block_fields(visit, enrollment, problem)
    return _timelines(visit, enrollment, events) if verb.name == "resume" else None


def _block_fields(visit: Visit, enrollment: Enrollment, problem: InvalidInput | None) -> Content:
    wrong = problem.path if problem else ""
    return [
        element(
            "p",
            element("label", "Why", for_="reason"),
            element(
                "input",
                id="reason",
                name="reason",
                value=visit.form.get("reason", "paused"),
                required=True,
                maxlength=64,
                list="reasons",
                autocomplete="off",
                aria_describedby="problem reason-hint" if wrong == "reason" else "reason-hint",
                aria_invalid="true" if wrong == "reason" else None,
            ),
            element("datalist", [element("option", value=each) for each in ("paused", "out_of_office")], id="reasons"),
            element("span", "Everybody who looks at it sees this", id="reason-hint", class_="small"),
            class_="field wide",
        ),
        element(
            "p",
            element("label", "Until (may stay empty)", for_="until"),
            element(
                "input",
                id="until",
                name="until",
                type="datetime-local",
                value=visit.given("until"),
                aria_describedby="problem until-hint" if wrong == "until" else "until-hint",
                aria_invalid="true" if wrong == "until" else None,
            ),
            element(
                "span",
                f"On the clock of {enrollment.timezone}; empty: until somebody resumes it",
                id="until-hint",
                class_="small",
            ),
            class_="field wide",
        ),
    ]


def _timelines(visit: Visit, enrollment: Enrollment, events: Sequence[Event]) -> Element:
    current, options = enrollment.current, list[Element]()
    assert current is not None, "what is blocked has a current step"
    for value, said, means in _ways(current):
        after = foreseen(Resume(value), enrollment, events, visit)
        if after is not None:
            options.append(_option(visit, value, said, means, after, checked=not options))
    after = foreseen(Resume(skip=True), enrollment, events, visit)
    if after is not None:
        is_last = current.position == len(enrollment.steps) - 1
        means = "It is passed over; no step comes after it." if is_last else _PASSED_OVER
        options.append(_option(visit, "skip", f"Skip step {current.position}", means, after, checked=not options))
    return element("fieldset", element("legend", "What becomes of the timeline?"), options)


def _ways(current: EnrollmentStep) -> Sequence[tuple[str, str, str]]:
    """What a person can choose, which depends on how far the step has come: what is handed over moves no more."""
    if current.status is StepStatus.FAILED:
        return (("shift", "Try it again", "The step that failed is handed over again at the next open moment."),)
    if current.status is StepStatus.PENDING:
        return _TIMELINES
    there = "The mail was handed over already" if current.step.is_email else "The task is on the board already"
    if current.status is StepStatus.REQUESTED and not current.step.is_email:
        there = "The task was handed over already"
    return (("shift", "Go on", f"{there}; nothing moves."),)


def _option(visit: Visit, value: str, said: str, means: str, after: Enrollment, *, checked: bool) -> Element:
    current = after.current
    at = None if current is None or after.is_finished else current.estimated_execute_at
    then: Content = "Then the enrollment is finished."
    if current is not None and at is not None:
        then = [f"Step {current.position}: ", local(at, after.timezone, visit.now)]
    return element(
        "p",
        element(
            "input",
            type="radio",
            name="timeline",
            value=value,
            id=f"timeline-{value}",
            checked=checked,
            aria_describedby=f"means-{value}",
        ),
        element("label", said, for_=f"timeline-{value}"),
        element("span", element("strong", then), " ", means, id=f"means-{value}", class_="small"),
        class_="option",
    )
