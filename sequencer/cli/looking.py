"""`list`, `sequences`, `show`, `explain`, `history`, `tasks`: looking, without touching anything."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sequencer.cli.moments import clock_time
from sequencer.cli.options import Commands, add_command, identifier, named, positive, to_id
from sequencer.cli.output import Output, Styled, Table, bad, dim, good, strong, warn
from sequencer.cli.places import opened
from sequencer.cli.planning import what
from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
from sequencer.core.events import EVENT_TYPES, Event
from sequencer.core.instants import to_instant, to_iso
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.engine.engine import Engine
from sequencer.engine.stored import BoardTask

__all__ = ["event_document", "register", "show_enrollment", "state", "status"]

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
        commands,
        "list",
        _list,
        "list enrollments",
        example="sequencer list --db crm.db --state blocked\nsequencer list --db crm.db --resource lead 42 --json",
    )
    parser.add_argument("--state", choices=[each.value for each in EnrollmentState], help="only these")
    parser.add_argument(
        "--sequence", metavar="KEY", help="only those in this sequence; `sequencer sequences` has the keys"
    )
    parser.add_argument("--resource", nargs=2, metavar=("TYPE", "ID"), help="only those of this lead or contact")
    parser.add_argument("--after", metavar="ID", type=to_after, help="go on after this enrollment")
    parser.add_argument("--limit", metavar="N", type=positive(10_000), default=100, help="at most so many (100)")

    add_command(
        commands,
        "sequences",
        _sequences,
        "list the sequences of a store, and how their enrollments stand",
        example="sequencer sequences --db crm.db",
        more=(
            "Ended by a reply: so large a share of those that were, or that ran to the end. Who answers the last mail\n"
            "has run to the end by then; such a reply is in the history, and not counted here."
        ),
    )

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

    parser = add_command(
        commands,
        "tasks",
        _tasks,
        "list the tasks on the embedded board",
        example="sequencer tasks --db crm.db --actor 7",
    )
    parser.add_argument("--actor", metavar="ID", help="only those of this user")
    parser.add_argument(
        "--status", choices=["open", "done", "cancelled", "all"], default="open", help="which ones (open)"
    )
    parser.add_argument("--after", metavar="ID", type=to_after, help="go on after this task")
    parser.add_argument("--limit", metavar="N", type=positive(10_000), default=100, help="at most so many (100)")


to_after = positive(2**63 - 1)


# -- lists ----------------------------------------------------------------------------------------------------


_ELSEWHERE = "That is in the account without a name; people are enrolled in others, which --account names."


def _is_elsewhere(engine: Engine, arguments: argparse.Namespace) -> bool:
    """Whether nobody is in the account without a name, which nobody asked for, and somebody in another."""
    if arguments.account is not None or engine.enrollments(limit=1):
        return False
    counters = engine.counters()
    return bool(counters.active or counters.blocked)


def _list(arguments: argparse.Namespace, out: Output) -> int:
    resource = arguments.resource and Resource(arguments.resource[0], identifier(arguments.resource[1], "--resource"))
    with opened(arguments) as engine:
        # One more than is shown tells whether there are more.
        found = engine.enrollments(
            resource or None,
            arguments.state,
            sequence=arguments.sequence,
            after=arguments.after,
            limit=min(arguments.limit + 1, 10_000),
        )
        now = engine.clock.now()
        elsewhere = not found and _is_elsewhere(engine, arguments)
    shown = found[: arguments.limit]
    more = shown[-1].id if len(found) > len(shown) else None
    out.document({"enrollments": [each.to_dict() for each in shown], "next_after": more})
    table = Table([">id", "sequence", "resource", "state", ">step", "?>last", "=next", "?zone"])
    for each in shown:
        table.add(
            each.id,
            each.version.sequence.name,
            named(each.resource.type, each.resource.id),
            state(each),
            each.current_step_position,
            dim(len(each.steps) - 1),
            _next(each, now),
            dim(each.timezone),
        )
    out.table(table, empty="No enrollments.")
    if elsewhere:
        out.say(_ELSEWHERE, "dim")
    if more is not None:
        out.say(f"There are more: --after {more}", "dim")
    return 0


def _sequences(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        found = [
            (each.key, each.sequence.name, each.version, engine.statistics(each.key)) for each in engine.sequences()
        ]
        elsewhere = not found and _is_elsewhere(engine, arguments)
    out.document(
        {"sequences": [{"key": key, "name": name, "version": n, **each.to_dict()} for key, name, n, each in found]}
    )
    table = Table(["key", "?name", ">version", ">total", ">active", ">blocked", ">finished", ">ended by a reply"])
    for key, name, version, each in found:
        blocked, rate = sum(each.blocked.values()), each.reply_rate
        table.add(
            strong(key),
            name,
            version,
            each.total,
            each.active,
            bad(blocked) if blocked else blocked,
            sum(each.finished.values()),
            "" if rate is None else f"{rate:.1%}",
        )
    out.table(table, empty="No sequences.")
    if elsewhere:
        out.say(_ELSEWHERE, "dim")
    return 0


def _next(enrollment: Enrollment, now: datetime) -> Styled:
    current = enrollment.current
    if enrollment.is_finished or current is None:
        return dim(clock_time(enrollment.finished_at, enrollment.timezone))
    if enrollment.state is EnrollmentState.BLOCKED:
        until = enrollment.blocked_until
        return dim(f"until {clock_time(until, enrollment.timezone)}" if until else "until somebody resumes it")
    at = clock_time(current.estimated_execute_at, enrollment.timezone)
    return bad(f"{at}, overdue") if current.overdue else Styled(at)


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


def _tasks(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        found = engine.tasks(
            actor_id=None if arguments.actor is None else identifier(arguments.actor, "--actor"),
            status=None if arguments.status == "all" else arguments.status,
            after=arguments.after,
            limit=min(arguments.limit + 1, 10_000),
        )
        now = engine.clock.now()
        elsewhere = not found and _is_elsewhere(engine, arguments)
    shown = found[: arguments.limit]
    more = shown[-1].id if len(found) > len(shown) else None
    out.document({"tasks": [_task_document(each) for each in shown], "next_after": more})
    table = Table([">id", "what", "about", "for", "=due (UTC)", "=status", ">enrollment", "?>step"])
    for each in shown:
        late = each.status == "open" and each.due_at < now
        table.add(
            each.id,
            each.task_content,
            named(each.resource_type, each.resource_id),
            dim("anybody") if each.actor_id is None else str(each.actor_id),
            clock_time(each.due_at, "UTC"),
            bad("overdue") if late else each.status,
            each.enrollment_id,
            each.position,
        )
    out.table(table, empty="No tasks.")
    if elsewhere:
        out.say(_ELSEWHERE, "dim")
    if more is not None:
        out.say(f"There are more: --after {more}", "dim")
    return 0


def _task_document(task: BoardTask) -> dict[str, Any]:
    names = ("id", "enrollment_id", "position", "actor_id", "resource_type", "resource_id", "task_content", "status")
    return {name: getattr(task, name) for name in names} | {
        "due_at": to_iso(task.due_at),
        "created_at": to_iso(task.created_at),
        "closed_at": task.closed_at and to_iso(task.closed_at),
    }


# -- one enrollment -------------------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        enrollment = engine.get(to_id(arguments.id))
    out.document(enrollment.to_dict())
    show_enrollment(out, enrollment)
    return 0


def show_enrollment(out: Output, enrollment: Enrollment) -> None:
    """An enrollment for people: who, where it stands, and its steps."""
    resource, zone = enrollment.resource, enrollment.timezone
    version = enrollment.version
    out.say(f"Enrollment {enrollment.id}: {named(resource.type, resource.id)} in {version.sequence.name}", "bold")
    facts: list[tuple[str, Any]] = [
        ("state", state(enrollment).text),
        ("until", clock_time(enrollment.blocked_until, zone)),
        ("address", resource.email),
        ("actor", enrollment.actor_id),
        ("zone", f"{zone} (tzdata {enrollment.tzdata})"),
        ("sequence", f"{version.key}, version {version.version}"),
        ("started", clock_time(enrollment.started_at, zone)),
        ("finished", clock_time(enrollment.finished_at, zone)),
    ]
    for name, value in facts:
        if value not in (None, ""):
            out.say(f"  {name:<9} {value}")
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
