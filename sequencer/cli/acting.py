"""`complete`, `skip`, `block`, `resume`, `finish`: the verbs of a person, one enrollment at a time."""

from __future__ import annotations

import argparse

from sequencer.cli.files import opened
from sequencer.cli.looking import show_enrollment
from sequencer.cli.moments import to_moment
from sequencer.cli.options import Commands, add_command, identifier, positive, to_id, zone_option
from sequencer.cli.output import Output
from sequencer.core.errors import InvalidInput
from sequencer.core.sequence import MOST_STEPS
from sequencer.engine.results import Outcome

__all__ = ["register"]

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
        example="sequencer resume 17 --db crm.db --timeline keep",
        more=(
            "shift: what was left of the delay is waited out. keep: the planned moment, if it is still ahead.\n"
            "restart: the whole delay again. A failed step is tried again at the next open moment; --skip passes\n"
            "over it instead."
        ),
    )
    parser.add_argument("id", metavar="ID", help="the enrollment's number")
    parser.add_argument(
        "--timeline", choices=["shift", "keep", "restart"], default="shift", help="what becomes of it (shift)"
    )
    parser.add_argument("--skip", action="store_true", help="pass over the current step")

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
    with opened(arguments) as engine:
        outcome = engine.resume(to_id(arguments.id), timeline=arguments.timeline, skip=arguments.skip)
        return _answer(out, outcome, "resumed")


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
