"""Timelines as iCalendar: the plan of one enrollment, and what happens to one lead of a simulation (extra `ics`).

One event for each step, or each thing that happens, without a duration, in UTC. Nothing in it is of this moment: the
same question gives the same bytes, and the same ids, so that a calendar that has read it before knows them again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.cli.options import BETWEEN, Refusal, identifier
from sequencer.cli.output import clean
from sequencer.core.enrollment import Resource
from sequencer.core.instants import to_iso
from sequencer.core.matching import name_of
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import Timeline
from sequencer.simulation.study import Study, StudyResult

__all__ = ["calendar_of_lead", "calendar_of_plan", "refuse_without_extra", "to_resource"]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "tag:sequencer,2026:appointments")
# What is not told of a lead: the engine's own book-keeping.
_SILENT = {"email_requested", "task_requested", "hand_over_started", "hand_over_withdrawn", "noted"}
_SAID = {
    "email_sent": "the mail leaves",
    "task_created": "the task is on the board",
    "task_completed": "the task is done",
    "task_cancelled": "the task is off the board",
    "attempt_failed": "refused for now",
    "step_failed": "failed for good",
    "step_skipped": "skipped",
    "deferred": "put off",
}


@attrs.frozen
class Appointment:
    """One event of a calendar: by what it is known again, when, and what is said of it."""

    known_by: str
    at: DateTime
    summary: str
    description: str


def refuse_without_extra() -> None:
    """Raise where the extra `ics` is not installed."""
    try:
        import icalendar  # noqa: F401
    except ImportError:
        raise Refusal("--ics needs the extra ics: pip install 'sequencer[ics]'") from None


def calendar_of_plan(sequence: Sequence, timeline: Timeline) -> bytes:
    """The steps of a plan, each at its estimate, with its reasons."""
    start, zone = timeline.started_at, timeline.timezone
    return _written(
        sequence.name,
        start,
        [
            Appointment(
                f"plan/{sequence.key}/{to_iso(start)}/{zone}/{each.position}",
                each.estimated_execute_at,
                f"{sequence.name}, step {each.position}: {_plain(name_of(each.step))}",
                "\n".join(map(clean, each.reasons)),
            )
            for each in timeline
        ],
    )


def to_resource(text: str) -> Resource:
    """The lead that `--lead` names: `lead/42`; without a type, a lead."""
    type, slash, id = text.partition(BETWEEN) if BETWEEN in text else text.rpartition("/")
    return Resource(*((type, identifier(id, "--lead")) if slash else ("lead", identifier(text, "--lead"))))


def calendar_of_lead(result: StudyResult, who: Resource) -> bytes:
    """What happens to one lead in the first run of a study that keeps its trace."""
    study = result.study
    places = _places(study, who)
    called = f"{who.type} {who.id}"
    appointments = []
    for at, enrollment, number, type, position, reason, _ in result.trace:
        if enrollment not in places or type in _SILENT:
            continue
        sequence = study.sequences[places[enrollment]]
        step = "" if position is None else f", step {position}"
        doing = "" if position is None else f"{_plain(name_of(sequence.steps[position]))}\n"
        said = _SAID.get(type, type.replace("_", " "))
        appointments.append(
            Appointment(
                f"simulated/{study.seed}/{to_iso(study.start)}/{sequence.key}/{called}/{enrollment}/{number}",
                at,
                f"{called}{step}: {said}" + (f" ({reason})" if reason else ""),
                f"{sequence.name}\n{doing}simulated, seed {study.seed}",
            )
        )
    return _written(f"{called}, simulated", study.start, appointments)


def _places(study: Study, who: Resource) -> dict[int, int]:
    """The numbers of the lead's enrollments in a run, and each one's sequence. Raises where there is no such lead."""
    several = len(study.sequences)
    if study.standing is not None:
        found = {
            each.id: each.version.sequence_id - 1
            for each in study.standing.enrollments
            if _same(each.resource.type, each.resource.id, who)
        }
    else:
        if study.leads is not None:
            places = [i for i, each in enumerate(study.leads) if _same(each.resource_type, each.resource_id, who)]
        else:
            made_up = isinstance(who.id, int) and who.type == "lead" and 1 <= who.id <= (study.enrollments or 0)
            places = [who.id - 1] if made_up and isinstance(who.id, int) else []
        if study.every:
            found = {place * several + i + 1: i for place in places for i in range(several)}
        else:
            found = {place + 1: place % several for place in places}
    if not found:
        hint = "" if study.enrollments is None else f"; the made-up ones are lead/1 to lead/{study.enrollments}"
        raise Refusal(f"--lead {who.type}/{who.id}: nobody in this simulation is that{hint}")
    return found


def _same(type: str, id: Any, who: Resource) -> bool:
    # 42 and "42" are two ids; typed in quotes, it is the text.
    return (type, str(id), isinstance(id, str)) == (who.type, str(who.id), isinstance(who.id, str))


def refuse_stranger(study: Study, who: Resource) -> None:
    """Raise where nobody in a study is that lead."""
    _places(study, who)


def _plain(name: str) -> str:
    return name[1:-1] if name.startswith("(") and name.endswith(")") else name


def _written(name: str, stamp: DateTime, appointments: Iterable[Appointment]) -> bytes:
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", "-//sequencer//timelines//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", clean(name))
    for each in appointments:
        event = Event()
        event.add("uid", f"{uuid.uuid5(_NAMESPACE, each.known_by)}@sequencer.invalid")
        event.add("dtstamp", _utc(stamp))
        event.add("dtstart", _utc(each.at))
        event.add("summary", clean(each.summary))
        event.add("description", "\n".join(map(clean, each.description.split("\n"))))
        event.add("transp", "TRANSPARENT")  # nobody is busy because a mail leaves
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _utc(moment: DateTime) -> Any:
    """A plain datetime in UTC, in whole seconds, as the format has them."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(moment.timestamp()), UTC)
