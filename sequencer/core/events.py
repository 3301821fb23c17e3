"""Events: what has happened to an enrollment, past tense, each with the change that it made.

An event is both the record for people and the change itself: the core never alters an enrollment but through
`applied`, so replaying the events of an enrollment gives the same enrollment, by construction. Events hold no
addresses, merge fields or bodies (law S8); of what a port said in its own words they keep the first 300 characters,
without the addresses in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource, changed, initial_steps, made
from sequencer.core.sequence import SequenceVersion
from sequencer.core.values import Identifier

__all__ = ["EVENT_TYPES", "Event", "Subject", "applied", "replay", "subject_of"]

EVENT_TYPES: Mapping[str, str] = {
    "enrolled": "the enrollment began",
    "deferred": "the step was due and waits: for the calendar to open, for a cap, or for its turn after downtime",
    "re_estimated": "a clock that was ahead has been corrected; the estimate was computed anew",
    "email_requested": "the mail was about to be handed over",
    "task_requested": "the task was about to be created at the board",
    "hand_over_started": "the start mark was taken: the port is called next",
    "hand_over_withdrawn": "the hand-over was withdrawn before its start mark",
    "email_pending": "the mailer will answer later",
    "email_sent": "the mailer accepted the mail",
    "task_created": "the task exists at the board",
    "task_completed": "the task was completed",
    "attempt_failed": "an attempt failed for now and will be repeated",
    "step_failed": "the step failed for good; the enrollment is blocked",
    "step_refused": "a step whose outcome was unknown turned out to be refused",
    "step_cancelled": "a hand-over that was still out when the enrollment finished came to nothing",
    "step_skipped": "the step was skipped",
    "task_cancelled": "the task was taken off the board",
    "task_cancel_failed": "the board did not take the task off",
    "late_task_created": "a task was created after its step was over; it is taken off the board",
    "blocked": "the enrollment was blocked",
    "resumed": "the enrollment was resumed",
    "reassigned": "another user became the actor",
    "person_updated": "the stored address or merge fields were replaced",
    "migrated": "the enrollment was moved to another version of its sequence",
    "finished": "the enrollment finished",
    "noted": "a report was noted, and left the enrollment as it was",
}


@attrs.frozen
class Subject:
    """Whose an event is: the account, sequence, resource and actor of its enrollment, as stored when it was read.

    These are the host's own ids, kept as given, and nothing personal (S8); `actor_id` is the actor of now.
    """

    account: Identifier | None
    sequence_key: str
    version: int
    resource_type: str
    resource_id: Identifier
    actor_id: Identifier | None


def subject_of(enrollment: Enrollment) -> Subject:
    """Whose the events of an enrollment are."""
    resource, version = enrollment.resource, enrollment.version
    return Subject(enrollment.account, version.key, version.version, resource.type, resource.id, enrollment.actor_id)


@attrs.frozen(slots=False)
class Event:
    """One fact: of which enrollment, its number there (from 1), when (UTC), what, and at which step.

    `facts` are for the reader; `own` and `steps` are the fields of the enrollment and of its steps that it changed.
    Positions are those in the version that the enrollment was in then. A move to another one has that `version` in
    `own`, and which it has `left`; its `steps` are those of the new version, and `was` says which step of the old one,
    by its position, a step goes on as.

    What the engine hands out says whose it is (`subject`), and where it was read among the events of all enrollments,
    what to go on after (`cursor`). Neither is a part of the fact: an event equals itself wherever it was read.
    """

    enrollment_id: int
    number: int
    at: DateTime
    type: str
    position: int | None = None
    facts: Mapping[str, Any] = attrs.Factory(dict)
    own: Mapping[str, Any] = attrs.Factory(dict)
    steps: Mapping[int, Mapping[str, Any]] = attrs.Factory(dict)
    subject: Subject | None = attrs.field(default=None, eq=False)
    cursor: int | None = attrs.field(default=None, eq=False)


def applied(enrollment: Enrollment, event: Event) -> Enrollment:
    """The enrollment after an event."""
    own, touched = event.own, event.steps
    fields = enrollment.__dict__.copy()
    fields.update(own)
    fields["updated_at"] = event.at
    fields["revision"] = event.number
    if "version" in own:
        del fields["left"]
        fields["steps"] = _moved(enrollment, event)
    elif touched:
        steps = list(enrollment.steps)
        for position, changes in touched.items():
            steps[position] = changed(steps[position], changes)
        fields["steps"] = tuple(steps)
    return made(Enrollment, fields)


def _moved(enrollment: Enrollment, event: Event) -> tuple[EnrollmentStep, ...]:
    steps = []
    for initial in initial_steps(event.own["version"]):
        fields = dict(event.steps.get(initial.position, {}))
        was = fields.pop("was", None)
        if was is not None:
            # All that has happened to it stays; what it is, and where, is the new version's to say.
            fields = {**enrollment.steps[was].__dict__, "position": initial.position, "step": initial.step, **fields}
        step = changed(initial, fields) if fields else initial
        # One that nothing has happened to is the version's own, as always.
        steps.append(initial if step == initial else step)
    return tuple(steps)


def replay(version: SequenceVersion, events: Iterable[Event]) -> Enrollment:
    """The enrollment that these events, in order, made; without what is personal, which events do not hold.

    `version` is the one that it is in, or began in: where it was moved, the history says which that was.
    """
    events = list(events)
    version = next((event.own["left"] for event in events if "left" in event.own), version)
    enrollment: Enrollment | None = None
    for event in events:
        if enrollment is None:
            if event.type != "enrolled":
                raise ValueError(f"a history begins with enrolled, not with {event.type}")
            facts = event.facts
            enrollment = Enrollment(
                id=event.enrollment_id,
                origin=facts["origin"],
                account=facts["account"],
                version=version,
                resource=Resource(facts["resource_type"], facts["resource_id"]),
                actor_id=facts["actor_id"],
                timezone=facts["timezone"],
                tzdata=facts["tzdata"],
                created_at=event.at,
                started_at=facts["started_at"],
                steps=initial_steps(version),
                idempotency_key=facts["idempotency_key"],
            )
        enrollment = applied(enrollment, event)
    if enrollment is None:
        raise ValueError("a history has at least one event")
    return enrollment
