"""`complete`, `skip`, `block`, `resume`, `update`, `finish`: the verbs of a person."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sequencer.cli.addressees import asked_for
from sequencer.cli.looking import show_enrollment
from sequencer.cli.moments import to_moment
from sequencer.cli.options import (
    Commands,
    Refusal,
    add_command,
    identifier,
    named,
    positive,
    resource_arguments,
    to_id,
    zone_option,
)
from sequencer.cli.output import Output
from sequencer.cli.places import opened
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import InvalidInput, NotFound
from sequencer.core.merge import meant
from sequencer.core.sequence import MOST_STEPS
from sequencer.core.statuses import EnrollmentState
from sequencer.engine.engine import Engine
from sequencer.engine.results import Outcome

__all__ = ["register"]

_BATCH = 500
_ALREADY = "Exit status 0 also when it was so already."


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "complete",
        _complete,
        "complete a task; its sequence goes on",
        example="sequencer complete 3 --db crm.db",
        more=_ALREADY,
    )
    parser.add_argument("id", metavar="TASK", help="the task's id; `sequencer tasks` shows them")

    parser = add_command(
        commands,
        "skip",
        _skip,
        "pass over the current step of an enrollment",
        example="sequencer skip 17 --db crm.db --position 2",
        more="With --position, doing it twice passes over one step only.",
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")
    parser.add_argument("--position", metavar="N", type=_position, help="only if this is the current step")

    parser = add_command(
        commands,
        "block",
        _block,
        "hold an enrollment until it is resumed, or until a moment",
        example="sequencer block 17 --db crm.db --until 2026-04-07T09:00",
        more=_ALREADY,
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")
    parser.add_argument("--reason", default="paused", help="why (paused)")
    parser.add_argument(
        "--until", metavar="WHEN", help="resume by itself then; without an offset it is the enrollment's local time"
    )
    zone_option(parser, "the zone of WHEN instead of the enrollment's")

    parser = add_command(
        commands,
        "resume",
        _resume,
        "go on with a blocked enrollment",
        example=(
            "sequencer resume 17 --db crm.db --timeline keep\n"
            "sequencer resume --blocked mail_settings --db crm.db --sequence 'Inbound follow-up'"
        ),
        more=(
            "shift: what was left of the delay is waited out. keep: the planned moment, if it is still ahead.\n"
            "restart: the whole delay again. A failed step is tried again at the next open moment; --skip passes\n"
            "over it instead.\n"
            "\n"
            "--blocked goes on with all that are blocked for one reason, each of them once, also where a mistake that\n"
            "is not mended yet blocks them again. With --skip, what is handed over and not answered stays blocked."
        ),
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", help="the enrollment's number")
    which.add_argument("--blocked", metavar="REASON", help="all that are blocked for this reason, as `list` shows it")
    parser.add_argument("--sequence", metavar="KEY", help="with --blocked, only those in this sequence")
    parser.add_argument(
        "--timeline", choices=["shift", "keep", "restart"], default="shift", help="what becomes of it (shift)"
    )
    parser.add_argument("--skip", action="store_true", help="pass over the current step")

    parser = add_command(
        commands,
        "update",
        _update,
        "correct the address or the merge fields of a lead or contact",
        example="sequencer update lead 42 --db crm.db --email ada@example.com --field company=Acme",
        more=(
            "Holds for all its ongoing enrollments. --email replaces the address; --field replaces a field or adds\n"
            "it, and the other fields stay. What is blocked stays so until it is resumed."
        ),
    )
    resource_arguments(parser)
    parser.add_argument("--email", metavar="ADDR", help="the new address")
    parser.add_argument("--field", metavar="NAME=VALUE", action="append", default=[], help="a merge field; repeatable")

    parser = add_command(
        commands,
        "finish",
        _finish,
        "end an enrollment",
        example="sequencer finish 17 --db crm.db --actor 7",
        more=_ALREADY,
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")
    parser.add_argument("--actor", metavar="ID", help="the user who ends it")
    parser.add_argument("--reason", default="manual", help="why (manual)")


def _position(text: str) -> int:
    return 0 if text == "0" else positive(MOST_STEPS - 1)(text)


def _complete(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        return _answer(out, engine.complete_task(identifier(arguments.id, "TASK")), "completed")


def _skip(arguments: argparse.Namespace, out: Output) -> int:
    with opened(arguments) as engine:
        return _answer(out, engine.skip(to_id(arguments.id), position=arguments.position), "skipped")


def _block(arguments: argparse.Namespace, out: Output) -> int:
    if arguments.timezone is not None and arguments.until is None:
        raise InvalidInput("is for --until, which is not there", path="--timezone")
    with opened(arguments) as engine:
        id = to_id(arguments.id)
        until = None
        if arguments.until is not None:
            zone = arguments.timezone or engine.get(id).timezone
            until = to_moment(arguments.until, zone, "--until")
        return _answer(out, engine.block(id, reason=arguments.reason, until=until), "blocked")


def _resume(arguments: argparse.Namespace, out: Output) -> int:
    if arguments.blocked is not None:
        return _resume_blocked(arguments, out)
    if arguments.sequence is not None:
        raise InvalidInput("is for --blocked, which is not there", path="--sequence")
    with opened(arguments) as engine:
        outcome = engine.resume(to_id(arguments.id), timeline=arguments.timeline, skip=arguments.skip)
        return _answer(out, outcome, "resumed")


def _resume_blocked(arguments: argparse.Namespace, out: Output) -> int:
    resumed: list[int] = []
    with opened(arguments) as engine, out.progress("resuming") as progress:
        while True:
            # In batches, so that a worker beside it need not wait for all of them; and from the last one on, so that
            # what it blocks again meanwhile is not resumed for ever.
            outcomes = engine.resume_blocked(
                arguments.blocked,
                sequence=arguments.sequence,
                timeline=arguments.timeline,
                skip=arguments.skip,
                after=resumed[-1] if resumed else None,
                limit=_BATCH,
            )
            resumed += [outcome.enrollment.id for outcome in outcomes]
            progress.advance(len(outcomes))
            if len(outcomes) < _BATCH:
                break
    out.document({"blocked_reason": arguments.blocked, "resumed": len(resumed), "enrollments": resumed})
    many = f"{len(resumed)} {'enrollment' if len(resumed) == 1 else 'enrollments'}"
    if resumed:
        out.say(f"resumed {many} blocked for {arguments.blocked}", "green")
    else:
        out.say(f"nothing is blocked for {arguments.blocked}, or can be resumed so; nothing changed", "yellow")
    return 0


def _update(arguments: argparse.Namespace, out: Output) -> int:
    if arguments.email is None and not arguments.field:
        raise InvalidInput("give --email, or --field, or both", path="--email")
    if arguments.email is not None and not arguments.email.strip():
        raise InvalidInput("needs an address", path="--email", code="blank")
    given = dict(_field(text) for text in arguments.field)
    who = Resource(arguments.type, identifier(arguments.id, "ID"), arguments.email)
    with opened(arguments) as engine:
        stored = [each for each in engine.enrollments(who, limit=10_000) if not each.is_finished]
        resource = _merged(who, given, [each.resource for each in stored])
        updated = engine.update_person(resource)
        odd = _misspelt(engine, given, stored)
    blocked = [each.id for each in stored if each.state is EnrollmentState.BLOCKED]
    out.document(
        {
            "resource_type": resource.type,
            "resource_id": resource.id,
            "email": resource.email,
            "fields": dict(resource.fields),
            "enrollments": updated,
            "blocked": blocked,
        }
    )
    many = f"{updated} {'enrollment' if updated == 1 else 'enrollments'}"
    out.say(f"updated {named(resource.type, resource.id)}, in {many}", "green")
    for name, known in odd.items():
        option = "--email" if known == "email" else f"--field {shlex.quote(f'{known}=...')}"
        out.aside(f"{name} is another field than {known}, which is left as it was; did you mean {option}?")
    for id in blocked:
        out.say(f"enrollment {id} stays blocked until `sequencer resume {id}`", "yellow")
    return 0


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidInput(f"needs NAME=VALUE, got {text!r}", path="--field")
    return name.strip(), value


def _misspelt(engine: Engine, given: Iterable[str], stored: list[Enrollment]) -> dict[str, str]:
    """The fields that are new, and look like one that is stored or that a text asks for: those, by the new ones."""
    known = dict.fromkeys(name for each in stored for name in each.resource.fields)
    for each in stored:
        known |= dict.fromkeys(asked_for(each.version.sequence))
        with suppress(NotFound):  # deleted; then the texts of its tasks are all that there is
            known |= dict.fromkeys(asked_for(engine.definition(each.version.key)))
    found = {name: meant(name, known) for name in given}
    return {name: each for name, each in found.items() if each is not None}


def _merged(who: Resource, given: dict[str, str], stored: list[Resource]) -> Resource:
    """What is typed, over what is stored. Where enrollments differ in what is not typed, the user has to say it."""
    emails = {each.email for each in stored}
    if who.email is None and len(emails) > 1:
        raise Refusal("its enrollments have different addresses; say with --email which it is", 1)
    fields: dict[str, Any] = {}
    for name, value in ((name, value) for each in stored for name, value in each.fields.items() if name not in given):
        if fields.setdefault(name, value) != value:
            raise Refusal(f"its enrollments differ in {name!r}; say with --field {name}=... which it is", 1)
    zones = [each.timezone for each in stored if each.timezone is not None]
    email = next(iter(emails), None) if who.email is None else who.email
    # The newest zone is the likeliest; the enrollments' own clocks do not change with it.
    return Resource(who.type, who.id, email, {**fields, **given}, zones[-1] if zones else None)


def _finish(arguments: argparse.Namespace, out: Output) -> int:
    actor_id = None if arguments.actor is None else identifier(arguments.actor, "--actor")
    with opened(arguments) as engine:
        return _answer(out, engine.finish(to_id(arguments.id), actor_id=actor_id, reason=arguments.reason), "finished")


def _answer(out: Output, outcome: Outcome, done: str) -> int:
    enrollment = outcome.enrollment
    outstanding = [step.position for step in outcome.outstanding]
    out.document({"changed": outcome.changed, "outstanding": outstanding, "enrollment": enrollment.to_dict()})
    out.say(done if outcome.changed else f"already {done}; nothing changed", "green" if outcome.changed else "yellow")
    if outstanding:
        steps = ", ".join(map(str, outstanding))
        out.say(f"still out: step {steps} was handed over before, and its answer is awaited", "yellow")
    out.say()
    show_enrollment(out, enrollment)
    return 0
