"""Doing what a person has said yes to: on the very revision that they saw, and once."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import HTMLResponse, RedirectResponse, Response

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import Busy, Conflict, IllegalTransition, InvalidInput
from sequencer.engine.results import Outcome
from sequencer.http.inspector.asking import Verb, asking_page
from sequencer.http.inspector.moments import to_moment
from sequencer.http.inspector.refusals import changed_page
from sequencer.http.inspector.visit import Visit, to_number

__all__ = ["act", "ask"]


def ask(visit: Visit, verb: Verb, id: int) -> Response:
    """The page that says what will happen, for the revision that the link to it was made for."""
    enrollment, events = visit.engine.get(id), visit.engine.history(id)
    seen = to_number(visit.asked("revision"))
    page = asking_page(visit, verb, enrollment, events) if seen in {None, enrollment.revision} else None
    return _changed(visit, enrollment, seen) if page is None else HTMLResponse(page)


def act(visit: Visit, verb: Verb, id: int) -> Response:
    """Do it, if the enrollment is still the one that was shown; then show it, and what was done."""
    seen, enrollment = to_number(visit.given("revision")), visit.engine.get(id)
    if seen is None:
        raise InvalidInput("needs the revision that was seen", path="revision")
    try:
        if enrollment.revision != seen:
            raise Conflict("the enrollment has changed")
        outcome = _DOES[verb.name](visit, enrollment)
    except Busy:
        raise  # nothing has changed as far as anybody knows
    except (Conflict, IllegalTransition):
        return _changed(visit, visit.engine.get(id), seen)
    except InvalidInput as problem:
        page = asking_page(visit, verb, enrollment, visit.engine.history(id), problem)
        return _changed(visit, enrollment, seen) if page is None else HTMLResponse(page, status_code=422)
    said = verb.name if outcome.changed else "already"
    return RedirectResponse(visit.url("enrollments", id, done=said), status_code=303)


def _changed(visit: Visit, enrollment: Enrollment, seen: int | None) -> Response:
    return HTMLResponse(changed_page(visit, enrollment, seen), status_code=409)


def _block(visit: Visit, enrollment: Enrollment) -> Outcome:
    text = visit.given("until")
    until = to_moment(text, enrollment.timezone) if text else None
    if text and until is None:
        raise InvalidInput(f"{text!r} is no date and time like 2026-04-02T16:30", path="until")
    return visit.engine.block(enrollment.id, reason=visit.given("reason"), until=until, revision=enrollment.revision)


def _resume(visit: Visit, enrollment: Enrollment) -> Outcome:
    timeline = visit.given("timeline")
    skip = timeline == "skip"
    return visit.engine.resume(
        enrollment.id, timeline="shift" if skip else timeline, skip=skip, revision=enrollment.revision
    )


def _skip(visit: Visit, enrollment: Enrollment) -> Outcome:
    return visit.engine.skip(enrollment.id, revision=enrollment.revision)


def _complete(visit: Visit, enrollment: Enrollment) -> Outcome:
    # By the task, which is of this step and no other: whatever else has changed meanwhile, it is the one that was seen.
    current = enrollment.current
    if current is None or current.task_id is None:
        raise Conflict("there is no task any more")
    return visit.engine.complete_task(current.task_id, revision=enrollment.revision)


def _finish(visit: Visit, enrollment: Enrollment) -> Outcome:
    return visit.engine.finish(enrollment.id, actor_id=visit.grant.actor_id, revision=enrollment.revision)


_DOES: dict[str, Callable[[Visit, Enrollment], Outcome]] = {
    "block": _block,
    "resume": _resume,
    "skip": _skip,
    "complete": _complete,
    "finish": _finish,
}
