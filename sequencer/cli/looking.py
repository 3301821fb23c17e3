"""`show`, `explain`, `history`: looking at one enrollment, without touching anything."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sequencer.cli.moments import clock_time
from sequencer.cli.options import Commands, add_command, named, to_id
from sequencer.cli.output import Output, Styled, Table, bad, dim, good, strong, warn
from sequencer.cli.places import opened
from sequencer.cli.planning import what
from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.events import EVENT_TYPES, Event
from sequencer.core.instants import to_instant, to_iso
from sequencer.core.statuses import EnrollmentState, StepStatus

__all__ = ["event_document", "register", "show_enrollment", "state", "status"]

_LONGEST_VALUE = 60
_STATUS = {
    StepStatus.COMPLETED: good,
    StepStatus.FAILED: bad,
    StepStatus.REQUESTED: warn,
    StepStatus.IN_PROGRESS: warn,
    StepStatus.SKIPPED: dim,
    StepStatus.CANCELLED: dim,
}


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands, "show", _show, "show an enrollment and its steps", example="sequencer show 17 --db crm.db"
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")

    parser = add_command(
        commands,
        "explain",
        _explain,
        "say in sentences why each step of an enrollment is where it is",
        example="sequencer explain 17 --db crm.db",
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")

    parser = add_command(
        commands,
        "history",
        _history,
        "list everything that has happened to an enrollment",
        example="sequencer history 17 --db crm.db",
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")


def state(enrollment: Enrollment) -> Styled:
    """The state of an enrollment with its reason."""
    if enrollment.state is EnrollmentState.BLOCKED:
        return bad(f"blocked: {enrollment.blocked_reason}")
    if enrollment.state is EnrollmentState.FINISHED:
        return dim(f"finished: {enrollment.finished_reason}")
    return good("active")


def status(step: EnrollmentStep) -> Styled:
    """The status of a step with its reason."""
    reason = f": {step.failure_reason}" if step.failure_reason else ""
    return _STATUS.get(step.status, Styled)(f"{step.status.value}{reason}")


def _show(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        explanation = engine.explain(to_id(arguments.id))
    enrollment, suppressed = explanation.enrollment, explanation.suppressed_position
    # As data it says nothing personal: the names of the fields, and neither their values nor the address.
    more = {
        "merge_fields": sorted(enrollment.resource.fields),
        "suppressed_position": suppressed,
        "former_suppressed": explanation.former_suppressed,
    }
    out.document(enrollment.to_dict() | more)
    show_enrollment(out, enrollment, suppressed)
    if explanation.former_suppressed:
        out.say("An address that the person had, or was mailed at, is suppressed: see `sequencer explain`.", "yellow")
    return 0


def show_enrollment(out: Output, enrollment: Enrollment, suppressed_position: int | None = None) -> None:
    """An enrollment for people: who, where it stands, and its steps; and which mail will not leave, if one will not."""
    resource, zone = enrollment.resource, enrollment.timezone
    version = enrollment.version
    out.say(f"Enrollment {enrollment.id}: {named(resource.type, resource.id)} in {version.sequence.name}", "bold")
    facts: list[tuple[str, Any]] = [
        ("state", state(enrollment).text),
        ("until", clock_time(enrollment.blocked_until, zone)),
        ("address", resource.email),
        ("fields", ", ".join(f"{name}={_short(value)}" for name, value in sorted(resource.fields.items()))),
        ("actor", enrollment.actor_id),
        ("zone", f"{zone} (tzdata {enrollment.tzdata})"),
        ("sequence", f"{version.key}, version {version.version}"),
        ("started", clock_time(enrollment.started_at, zone)),
        ("finished", clock_time(enrollment.finished_at, zone)),
    ]
    for name, value in facts:
        if value not in (None, ""):
            out.say(f"  {name:<9} {value}")
    if suppressed_position is not None:
        out.say(
            f"  The address is suppressed: the mail of step {suppressed_position} will not leave, and the enrollment "
            "ends then as unsubscribed.",
            "yellow",
        )
    out.say()
    table = Table([">step", "what", "?after", "status", "=estimate", "=done", ">task"])
    for step in enrollment.steps:
        table.add(
            step.position,
            what(step.step),
            str(step.step.after),
            bad(f"{step.status.value}, overdue") if step.overdue else status(step),
            clock_time(step.estimated_execute_at, zone),
            strong(clock_time(step.executed_at or step.skipped_at, zone)),
            step.task_id,
        )
    out.table(table)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _explain(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        explanation = engine.explain(to_id(arguments.id))
    out.document(explanation.to_dict())
    for i, sentence in enumerate(explanation.sentences):
        out.say(sentence, "bold" if i == 0 else "dim" if sentence.startswith(" ") else "")
    return 0


def _history(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        id = to_id(arguments.id)
        enrollment, events = engine.get(id), engine.history(id)
    out.document({"id": id, "events": [event_document(event) for event in events]})
    out.say(f"Enrollment {id}, on the clock of {enrollment.timezone}", "bold")
    out.say()
    table = Table([">no", "=at", ">step", "=event", "?means", "facts"])
    for event in events:
        facts = {} if event.type == "enrolled" else _plain(event.facts)
        shown = ", ".join(f"{name} {_brief(value)}" for name, value in facts.items() if value is not None)
        at = clock_time(event.at, enrollment.timezone)
        table.add(event.number, at, event.position, strong(event.type), EVENT_TYPES.get(event.type, ""), dim(shown))
    out.table(table)
    return 0


def event_document(event: Event) -> dict[str, Any]:
    """Plain JSON values of an event; what it changed inside is left out."""
    return {
        "number": event.number,
        "at": to_iso(event.at),
        "type": event.type,
        "position": event.position,
        "facts": _plain(event.facts),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_iso(to_instant(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
