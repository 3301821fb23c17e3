"""`move`: who is enrolled goes on in another version of their sequence."""

from __future__ import annotations

import argparse

from sequencer.cli.files import read_definition
from sequencer.cli.options import Commands, Refusal, add_command, to_id
from sequencer.cli.output import Output
from sequencer.cli.places import opened, place_of
from sequencer.core.errors import NotFound
from sequencer.core.migration import EnrollmentMove, plan_migration
from sequencer.core.sequence import Sequence
from sequencer.engine.engine import Engine

__all__ = ["register"]

_BATCH = 500
_SHOWN = 100


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "move",
        _move,
        "move who is enrolled to the version of their sequence that is in a file",
        example="sequencer move inbound.yaml --db crm.db --dry-run\nsequencer move inbound.yaml --db crm.db --id 17",
        more=(
            "What is over stays over, what is new and ahead is added, what is gone and ahead is dropped. With\n"
            "--dry-run nothing is changed, and what would become of each enrollment is shown. Who is at a step that\n"
            "has begun and is not in the file stays, with what to do first; exit status 1 where there is somebody."
        ),
    )
    parser.add_argument("file", metavar="FILE", help="the definition; its key, or its name, says which sequence it is")
    parser.add_argument("--dry-run", action="store_true", help="only show what would become of each")
    parser.add_argument("--id", metavar="ID", action="append", default=[], help="only this enrollment; repeatable")


def _move(arguments: argparse.Namespace, out: Output) -> int:
    sequence = read_definition(arguments.file)
    only = [to_id(text) for text in arguments.id]
    dry = arguments.dry_run
    filed: dict[str, list[EnrollmentMove]] = {"moved": [], "refused": [], "changed": []}
    with opened(arguments) as engine, out.progress("moving") as progress:
        try:
            plan = engine.plan_migration(sequence.key, sequence, limit=_BATCH)
        except NotFound as error:
            raise Refusal(
                f"{error} in {place_of(arguments).shown}; `sequencer sequences` has the keys. A file whose name has "
                "changed needs the old one as its key",
                1,
            ) from None
        filed["refused"] += _not_planned(engine, sequence, only)
        if not dry:
            engine.save(sequence)
        while True:
            planned = [move for move in plan if not only or move.enrollment_id in only]
            if dry:
                for move in planned:
                    filed["refused" if move.refused else "moved"].append(move)
            else:
                result = engine.migrate(plan, only=[move.enrollment_id for move in planned])
                moved = {outcome.enrollment.id for outcome in result.moved}
                filed["moved"] += [move for move in planned if move.enrollment_id in moved]
                filed["refused"] += result.refused
                filed["changed"] += result.changed
            progress.advance(len(plan))
            if plan.next_after is None:
                break
            plan = engine.plan_migration(sequence.key, sequence, after=plan.next_after, limit=_BATCH)
    out.document(
        {
            "sequence": sequence.key,
            "version": plan.version.version,
            "dry_run": dry,
            **{name: [move.to_dict() for move in moves] for name, moves in filed.items()},
        }
    )
    _say(out, filed, f"version {plan.version.version} of {sequence.name}", dry=dry)
    return 1 if filed["refused"] or filed["changed"] else 0


def _not_planned(engine: Engine, sequence: Sequence, only: list[int]) -> list[EnrollmentMove]:
    """Of those that were asked for by their ids, the ones that no plan has: finished, or there already."""
    version = engine.plan_migration(sequence.key, sequence, limit=1).version
    found = []
    for enrollment in map(engine.get, only):
        if enrollment.version.key != sequence.key:
            raise Refusal(f"enrollment {enrollment.id} is in {enrollment.version.key!r}, not in {sequence.key!r}", 1)
        if enrollment.is_finished or enrollment.version.id == version.id:
            found.append(plan_migration(enrollment, version, engine.clock.now()))
    return found


def _say(out: Output, filed: dict[str, list[EnrollmentMove]], where: str, *, dry: bool) -> None:
    many = len(filed["moved"])
    if not any(filed.values()):
        out.say(f"nobody is to be moved to {where}{'' if dry else '; its texts are those of the file now'}", "yellow")
        return
    who = f"{many} {'enrollment' if many == 1 else 'enrollments'}"
    out.say(f"{f'would move {who}' if dry else f'moved {who}'} to {where}", "yellow" if dry else "green")
    # What was carried out is in the histories; what is not is to be read.
    told = filed["moved"] if dry else []
    for move in [*told, *filed["refused"], *filed["changed"]][:_SHOWN]:
        if move.refused is None and not dry:
            out.say("Something happened to this one meanwhile, so it was not moved. Now it would be:", "bold red")
        out.say(move, "bold red" if move.refused else "")
    more = len(told) + len(filed["refused"]) + len(filed["changed"]) - _SHOWN
    if more > 0:
        out.say(f"... and {more} more; --json has them all", "dim")
