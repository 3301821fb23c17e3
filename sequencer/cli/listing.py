"""`list`, `sequences`, `tasks`: who is enrolled, in what, and what people have to do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sequencer.cli.elsewhere import ELSEWHERE, is_elsewhere
from sequencer.cli.looking import state
from sequencer.cli.moments import clock_time
from sequencer.cli.options import Commands, add_command, identifier, named, positive, resource_option, typed_resource
from sequencer.cli.output import Output, Styled, Table, bad, dim, strong
from sequencer.cli.places import opened
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_iso
from sequencer.core.problems import closest
from sequencer.core.statuses import EnrollmentState
from sequencer.engine.engine import Engine
from sequencer.engine.explanation import BLOCKS, ENDS
from sequencer.engine.stored import BoardTask

__all__ = ["register"]

_AT_ONCE = 1000
_BY_THEMSELVES = frozenset({*BLOCKS, *ENDS})


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "list",
        _list,
        "list enrollments",
        example=(
            "sequencer list --db crm.db --reason delivery_failed\n"
            "sequencer list --db crm.db --overdue --sequence 'Inbound follow-up'\n"
            "sequencer list --db crm.db --resource lead 42 --json"
        ),
        more=(
            "--due: what waits for a worker now, the longest first. --overdue: what should have been over by now,\n"
            "which may be a task that nobody has done. Whatever is given has to hold."
        ),
    )
    parser.add_argument("--state", choices=[each.value for each in EnrollmentState], help="only these")
    parser.add_argument("--reason", metavar="REASON", help="only those that are blocked or finished for this reason")
    late = parser.add_mutually_exclusive_group()
    late.add_argument("--due", action="store_true", help="only those that wait for a worker now")
    late.add_argument("--overdue", action="store_true", help="only those that should have gone on by now")
    parser.add_argument(
        "--sequence", metavar="KEY", help="only those in this sequence; `sequencer sequences` has the keys"
    )
    resource_option(parser, "--resource", "only those of this lead or contact, as lead 42 or lead/42")
    parser.add_argument("--after", metavar="ID", type=_to_after, help="go on after this enrollment")
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
    parser.add_argument("--after", metavar="ID", type=_to_after, help="go on after this task")
    parser.add_argument("--limit", metavar="N", type=positive(10_000), default=100, help="at most so many (100)")


_to_after = positive(2**63 - 1)


# -- enrollments ----------------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace, out: Output) -> int:
    _refuse_what_cannot_be(arguments)
    resource = typed_resource(arguments.resource, "--resource")
    with opened(arguments) as engine:
        # One more than is shown tells whether there are more.
        found = _found(engine, arguments, resource, arguments.limit + 1)
        now = engine.clock.now()
        elsewhere = not found and is_elsewhere(engine, arguments)
        unheard = "" if found or arguments.reason is None else _unheard(engine, arguments.reason)
    shown = found[: arguments.limit]
    more = len(found) > len(shown)
    # Who is due comes by how long it waits, so that no number tells where to go on.
    next_after = shown[-1].id if more and not arguments.due else None
    out.document({"enrollments": [each.to_dict() for each in shown], "next_after": next_after, "more": more})
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
    if unheard:
        out.aside(unheard)
    if elsewhere:
        out.say(ELSEWHERE, "dim")
    if more:
        out.say(f"There are more: {f'--after {next_after}' if next_after else 'a greater --limit shows them'}", "dim")
    return 0


def _refuse_what_cannot_be(arguments: argparse.Namespace) -> None:
    """What nobody can be is a mistake, and would be answered with nobody."""
    state, reason = arguments.state, arguments.reason
    if reason is not None and (state == "active" or arguments.due):
        raise InvalidInput("is why one is blocked or finished, and the active are neither", path="--reason")
    if arguments.due and state not in (None, "active"):
        raise InvalidInput("what is due is active", path="--state")
    if arguments.overdue and state == "finished":
        raise InvalidInput("what is finished is not overdue", path="--state")
    if arguments.due and arguments.after is not None:
        raise InvalidInput("goes on by number, and who is due comes by how long it waits; use --limit", path="--after")


def _found(
    engine: Engine, arguments: argparse.Namespace, resource: Resource | None, wanted: int
) -> Sequence[Enrollment]:
    asked: dict[str, Any] = {"sequence": arguments.sequence, "after": arguments.after}
    if arguments.due:
        return _due(engine, arguments.sequence, resource, wanted)
    asked["reason"] = arguments.reason
    if not arguments.overdue:
        return engine.enrollments(resource, arguments.state, **asked, limit=min(wanted, 10_000))
    found: list[Enrollment] = []
    while True:
        page = engine.overdue(resource, arguments.state, **asked, limit=_AT_ONCE)
        found += page.enrollments
        asked["after"] = page.after
        if not page.more or len(found) >= wanted:
            return found[:wanted]


def _due(engine: Engine, sequence: str | None, resource: Resource | None, wanted: int) -> Sequence[Enrollment]:
    if sequence is not None:
        engine.enrollments(sequence=sequence, limit=1)  # refused if there is none such
    # By their ids, since a worker beside this may move them between two pages.
    found: dict[int, Enrollment] = {}
    looked_at = 0
    while len(found) < wanted:
        page = engine.due(offset=looked_at, limit=_AT_ONCE)
        for each in page:
            of_resource = resource is None or (each.resource.type, each.resource.id) == (resource.type, resource.id)
            if of_resource and sequence in (None, each.version.key):
                found[each.id] = each
        looked_at += len(page)
        if len(page) < _AT_ONCE:
            break
    return list(found.values())[:wanted]


def _unheard(engine: Engine, reason: str) -> str:
    """What to say of a reason that nobody has: which may be meant. A host brings its own, so that it is no mistake."""
    if reason in _BY_THEMSELVES:
        return ""
    here = set[str]()
    for each in engine.sequences():
        counted = engine.statistics(each.key)
        here |= {*counted.blocked, *counted.finished}
    if reason in here:
        return ""
    meant = closest(reason, sorted(here | _BY_THEMSELVES))
    what = f"did you mean {meant}?" if meant else f"here it is {', '.join(sorted(here))}" if here else ""
    return f"nobody is blocked or finished for {reason!r}" + (f"; {what}" if what else "")


def _next(enrollment: Enrollment, now: datetime) -> Styled:
    current = enrollment.current
    if enrollment.is_finished or current is None:
        return dim(clock_time(enrollment.finished_at, enrollment.timezone))
    if enrollment.state is EnrollmentState.BLOCKED:
        until = enrollment.blocked_until
        return dim(f"until {clock_time(until, enrollment.timezone)}" if until else "until somebody resumes it")
    at = clock_time(current.estimated_execute_at, enrollment.timezone)
    return bad(f"{at}, overdue") if current.overdue else Styled(at)


# -- sequences and tasks --------------------------------------------------------------------------------------


def _sequences(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        found = [
            (each.key, each.sequence.name, each.version, engine.statistics(each.key)) for each in engine.sequences()
        ]
        elsewhere = not found and is_elsewhere(engine, arguments)
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
        out.say(ELSEWHERE, "dim")
    return 0


def _tasks(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        found = engine.tasks(
            actor_id=None if arguments.actor is None else identifier(arguments.actor, "--actor"),
            status=None if arguments.status == "all" else arguments.status,
            after=arguments.after,
            limit=min(arguments.limit + 1, 10_000),
        )
        now = engine.clock.now()
        elsewhere = not found and is_elsewhere(engine, arguments)
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
        out.say(ELSEWHERE, "dim")
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
