"""`diff`: what is different in an edited definition, and what comes of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from pendulum import DateTime

from sequencer.cli.files import read_definition
from sequencer.cli.options import Commands, Refusal, add_command, db_options
from sequencer.cli.output import Output
from sequencer.cli.places import opened, place_of
from sequencer.core.errors import DefinitionError, NotFound, Problem
from sequencer.core.instants import to_date, to_iso
from sequencer.core.migration import EnrollmentMove
from sequencer.core.sequence import Sequence

if TYPE_CHECKING:
    from sequencer.design import Comparison

__all__ = ["register"]

_BATCH = 500
_SHOWN = 100
_STYLES = {"identity": "bold red", "timelines": "yellow", "version": "yellow"}


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "diff",
        _diff,
        "what an edited definition changes: in words, in timelines, in expectations, for who is enrolled",
        example=(
            "sequencer diff inbound.yaml edited.yaml\n"
            "sequencer diff inbound.yaml edited.yaml --db crm.db --json\n"
            "sequencer diff inbound.yaml edited.yaml --profile thorough --since 2026-01-01"
        ),
        more=(
            "Timelines are laid beside each other over every minute at which somebody may be enrolled; nothing is\n"
            "sampled. With --db it is shown what moving to NEW would do to each who is enrolled; nothing is changed.\n"
            "Differences end with exit status 0; 1 is for an expectation that held in OLD and is refuted in NEW."
        ),
        db=False,
    )
    parser.add_argument("old", metavar="OLD", help="the definition as it was, YAML or JSON")
    parser.add_argument("new", metavar="NEW", help="the definition as it is now")
    parser.add_argument(
        "--profile",
        choices=("quick", "thorough"),
        default="quick",
        help="how far expectations are looked at: some zones and a year of starts, or every zone and two years (quick)",
    )
    parser.add_argument("--since", metavar="DATE", help="the first date of starts (default: today)")
    store = parser.add_argument_group("who is enrolled")
    db_options(store, required=False)
    store.add_argument("--account", metavar="A", help="with --db: those of this account")


def _diff(arguments: argparse.Namespace, out: Output) -> int:
    from sequencer.design import compare

    if arguments.db is None and (arguments.account is not None or arguments.schema is not None):
        raise Refusal("--account and --schema go with --db")
    since = None if arguments.since is None else to_date(arguments.since, "--since")
    old, new = _both(arguments.old, arguments.new)
    concerned = None if arguments.db is None else _concerned(arguments, old, new, out)
    comparison = compare(old, new, profile=arguments.profile, since=since)
    document = comparison.to_dict(arguments.old, arguments.new)
    out.document(document | {"migration": None if concerned is None else concerned.to_dict()})
    _show(out, comparison)
    if concerned is not None:
        out.say()
        _show_concerned(out, concerned)
    return 1 if comparison.broken else 0


def _both(*paths: str) -> list[Sequence]:
    """Both definitions; what is wrong with either is said at once."""
    found: list[Sequence] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found.append(read_definition(path))
        except DefinitionError as error:
            problems += error.problems
    if problems:
        raise DefinitionError(problems)
    return found


def _show(out: Output, comparison: Comparison) -> None:
    for change in comparison.changes:
        out.say(change, _STYLES.get(change.consequence, ""))
    if not comparison.same:
        out.say()
    out.say(comparison.meaning, "bold")
    if not comparison.same:
        out.say()
        out.say(comparison.moves)
    for verdict in comparison.verdicts:
        out.say()
        out.say(verdict, "bold red" if verdict.broken else "")
    if comparison.unchanged:
        many = comparison.unchanged
        out.say()
        out.say(f"{many} {'expectation has' if many == 1 else 'expectations have'} the same verdict in both.", "dim")


# -- who is enrolled ------------------------------------------------------------------------------------------

_COUNTED: dict[str, tuple[str, Callable[[EnrollmentMove], Any]]] = {
    "refused": ("cannot be moved as they are", lambda move: move.refused),
    "finishing": ("would finish", lambda move: move.finishes),
    "retimed": ("have steps at another time", lambda move: move.retimed),
    "added": ("get steps that are new", lambda move: move.added),
    "dropped": ("lose steps that were ahead", lambda move: move.dropped),
    "passed_over": ("have new steps behind them, which are passed over", lambda move: move.passed_over),
    "unaffected": ("go on as they are", lambda move: not _is_affected(move)),
}


def _is_affected(move: EnrollmentMove) -> bool:
    moved = move.retimed, move.added, move.dropped, move.passed_over, move.refused
    return move.finishes or any(moved)


@attrs.frozen
class _Concerned:
    """What moving to the new definition would do to those who are enrolled; `none` says why there is nobody."""

    sequence: str
    version: int | None = None
    planned_at: DateTime | None = None
    moves: tuple[EnrollmentMove, ...] = ()
    none: str | None = None

    def counts(self) -> dict[str, int]:
        """How many there are, and of each kind."""
        kinds = {kind: sum(bool(is_so(move)) for move in self.moves) for kind, (_, is_so) in _COUNTED.items()}
        return {"enrollments": len(self.moves), **kinds}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "sequence": self.sequence,
            "version": self.version,
            "planned_at": self.planned_at and to_iso(self.planned_at),
            "counts": self.counts(),
            "moves": [move.to_dict() for move in self.moves],
            "nobody": self.none,
        }


def _concerned(arguments: argparse.Namespace, old: Sequence, new: Sequence, out: Output) -> _Concerned:
    """The plan of a migration, in a store that is left as it is."""
    where = place_of(arguments).shown
    if old.key != new.key:
        return _Concerned(new.key, none=f"it is another sequence, so nobody in {old.key!r} can be moved to it")
    moves: list[EnrollmentMove] = []
    with opened(arguments) as engine, out.progress("planning") as progress:
        after: int | None = None
        while True:
            try:
                plan = engine.plan_migration(new.key, new, after=after, limit=_BATCH)
            except NotFound as error:
                return _Concerned(new.key, none=f"{error} in {where}; `sequencer sequences` has the keys")
            moves += plan.moves
            progress.advance(len(plan))
            after = plan.next_after
            if after is None:
                break
    none = None if moves else f"nobody in {where} is in another version of {new.key!r}"
    return _Concerned(new.key, plan.version.version, plan.planned_at, tuple(moves), none)


def _show_concerned(out: Output, concerned: _Concerned) -> None:
    if concerned.none is not None:
        out.say(f"Nobody is concerned: {concerned.none}.", "bold")
        return
    counts = concerned.counts()
    total = counts.pop("enrollments")
    who = f"{total} {'enrollment' if total == 1 else 'enrollments'}"
    where = f"version {concerned.version} of {concerned.sequence!r}"
    out.say(f"Of {who} in other versions, moved to {where} (nothing has been):", "bold")
    for kind, many in counts.items():
        if many:
            out.say(f"  {many} {_COUNTED[kind][0]}")
    affected = [move for move in concerned.moves if _is_affected(move)]
    for move in affected[:_SHOWN]:
        out.say(move, "bold red" if move.refused else "")
    more = len(affected) - _SHOWN
    if more > 0:
        out.say(f"... and {more} more; --json has them all", "dim")
