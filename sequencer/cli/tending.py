"""`migrate` and `doctor`: looking after a store."""

from __future__ import annotations

import argparse
from contextlib import closing

from sequencer.cli.examining import examined
from sequencer.cli.files import store_file
from sequencer.cli.options import Commands, add_command
from sequencer.cli.output import Output, Table, bad, good, warn
from sequencer.stores.sqlite import SCHEMA, SQLiteStore

__all__ = ["register"]

_MARKS = {"ok": good, "look": warn, "wrong": bad}


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "migrate",
        _migrate,
        "bring a store's tables up to this release; a file without them gets them",
        example="sequencer migrate --db crm.db --dry-run --sql",
        account=False,
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--sql", action="store_true", help="show the SQL")

    add_command(
        commands,
        "doctor",
        _doctor,
        "examine the installation and, with --db, a store",
        example="sequencer doctor --db crm.db",
        more="Exit status 1 when something is wrong; what is only worth a look does not count.",
        account=False,
        db=False,
    ).add_argument("--db", metavar="FILE", help="the SQLite file in which everything is stored")


def _migrate(arguments: argparse.Namespace, out: Output) -> int:
    path = store_file(arguments.db, create=True)
    # A dry run must not leave a file behind.
    where = ":memory:" if arguments.dry_run and not path.exists() else str(path)
    with closing(SQLiteStore(where, check=False)) as store:
        applied = store.migrate(dry_run=arguments.dry_run)
    first = SCHEMA - len(applied) + 1
    out.document(
        {"dry_run": arguments.dry_run, "schema": SCHEMA, "from": first - 1, "applied": len(applied)}
        | ({"sql": applied} if arguments.sql else {})
    )
    if arguments.sql:
        for sql in applied:
            out.say(sql.rstrip())
    if not applied:
        out.say(f"{arguments.db} has schema {SCHEMA}; nothing to do", "green")
    elif arguments.dry_run:
        out.say(f"{arguments.db} would go from schema {first - 1} to {SCHEMA}", "yellow")
    else:
        out.say(f"{arguments.db} has gone from schema {first - 1} to {SCHEMA}", "green")
    return 0


def _doctor(arguments: argparse.Namespace, out: Output) -> int:
    path = None if arguments.db is None else store_file(arguments.db)
    checks = examined(path)
    wrong = [check for check in checks if check.verdict == "wrong"]
    out.document({"healthy": not wrong, "checks": [check.to_dict() for check in checks]})
    table = Table(["=", "=what", "found", "remedy"])
    for check in checks:
        table.add(_MARKS[check.verdict](check.verdict), check.name, check.shown, check.remedy)
    out.table(table)
    if wrong:
        out.say(f"{len(wrong)} wrong", "bold red")
    return 1 if wrong else 0
