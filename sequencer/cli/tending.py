"""`migrate` and `doctor`: looking after a store."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

import attrs

from sequencer.cli.examining import examined
from sequencer.cli.options import Commands, add_command, db_options
from sequencer.cli.output import Output, Table, bad, good, warn
from sequencer.cli.places import place_of

__all__ = ["register"]

_MARKS = {"ok": good, "look": warn, "wrong": bad}


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "migrate",
        _migrate,
        "bring a store's tables up to this release; a database without them gets them",
        example=(
            "sequencer migrate --db crm.db --dry-run\n"
            "sequencer migrate --db postgresql://owner@db.example.com/crm --schema sequencer --dry-run --sql > up.sql"
        ),
        more=(
            "With --sql the SQL comes out, and nothing is changed. For PostgreSQL it is complete, for who runs\n"
            "migrations by other means: in one transaction, as psql --single-transaction does."
        ),
        account=False,
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--sql", action="store_true", help="show the SQL of it, and change nothing")

    doctor = add_command(
        commands,
        "doctor",
        _doctor,
        "examine the installation and, with --db, a store",
        example="sequencer doctor --db crm.db",
        more="Exit status 1 when something is wrong; what is only worth a look does not count.",
        account=False,
        db=False,
    )
    db_options(doctor, required=False)


def _migrate(arguments: argparse.Namespace, out: Output) -> int:
    place = place_of(arguments, create=True)
    dry_run = arguments.dry_run or arguments.sql
    if dry_run and place.path is not None and not place.path.exists():
        # It must not leave a file behind.
        place = attrs.evolve(place, path=Path(":memory:"))
    _, newest, _ = place.schemas()
    with closing(place.store(check=False)) as store:
        applied = store.migrate(dry_run=dry_run)
    first = newest - len(applied)
    out.document(
        {"dry_run": dry_run, "schema": newest, "from": first, "applied": len(applied)}
        | ({"sql": applied} if arguments.sql else {})
    )
    # What is to be run stands alone.
    say = out.aside if arguments.sql and not arguments.json else out.say
    if arguments.sql:
        for sql in applied:
            out.say(sql.rstrip())
    if not applied:
        say(f"{place.shown} has schema {newest}; nothing to do")
    elif dry_run:
        say(f"{place.shown} would go from schema {first} to {newest}")
    else:
        say(f"{place.shown} has gone from schema {first} to {newest}")
    return 0


def _doctor(arguments: argparse.Namespace, out: Output) -> int:
    checks = examined(None if arguments.db is None else place_of(arguments))
    wrong = [check for check in checks if check.verdict == "wrong"]
    out.document({"healthy": not wrong, "checks": [check.to_dict() for check in checks]})
    table = Table(["=", "=what", "found", "remedy"])
    for check in checks:
        table.add(_MARKS[check.verdict](check.verdict), check.name, check.shown, check.remedy)
    out.table(table)
    if wrong:
        out.say(f"{len(wrong)} wrong", "bold red")
    return 1 if wrong else 0
