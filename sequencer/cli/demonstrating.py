"""`demo` and `examples`: the whole story on bundled data, and that data for a story of one's own."""

from __future__ import annotations

import argparse
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

from sequencer.cli.options import Commands, Refusal, add_command
from sequencer.cli.output import Output, Table, strong

__all__ = ["register"]

_MARK = ".sequencer-demo"
_SEQUENCES = (
    "inbound-follow-up.yaml",
    "cold-outbound.yaml",
    "enterprise-12-touch.yaml",
    "trial-onboarding.yaml",
    "renewal.yaml",
    "sell-api.json",
)
_LEADS = "leads-500.csv"
_REPORT = "report.html"


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "demo",
        _demo,
        "see it all, on bundled data: seven leads step by step, then five hundred to the end",
        example="sequencer demo",
        more=(
            "It is the real engine on a manual clock: enrolling, mails, tasks, a reply, failures, a block and a\n"
            "resume, and a year and a half in a few seconds. It leaves a folder with the store, the mails, the files\n"
            "that it began with, and a report of what a simulation says of the same five hundred. Run again, it makes\n"
            "that folder anew."
        ),
        db=False,
    )
    parser.add_argument("--dir", metavar="DIR", default="sequencer-demo", help="the folder (sequencer-demo)")

    parser = add_command(
        commands,
        "examples",
        _examples,
        "copy the bundled definitions, leads and scenarios into a folder, to begin with",
        example="sequencer examples\nsequencer examples try-out",
        more="Nothing is overwritten: where a file of that name is there with other content, nothing is copied.",
        db=False,
    )
    parser.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the folder (this one)")


def _demo(arguments: argparse.Namespace, out: Output) -> int:
    # Imported here: no other command needs them.
    from sequencer.cli.demo_population import Population
    from sequencer.cli.demo_story import START, Story
    from sequencer.cli.demo_world import World
    from sequencer.definitions import load, read_leads

    folder = Path(arguments.dir)
    _make(folder)
    sequences = [load(folder / name) for name in _SEQUENCES]
    with closing(World(folder, START)) as world:
        Story(out, world, {"inbound": sequences[0], "cold": sequences[1]}).tell()
        out.heading("Five hundred leads in six sequences, each from their own moment on, to the end")
        population = Population(out, world, sequences, read_leads(folder / _LEADS))
        population.run()
        report: dict[str, Any] = population.report()
        world.save(folder / "crm.db")
    _foretell(out, folder)
    wrong = sum(check["failed"] for check in report["checks"])
    where = {"dir": folder, "db": folder / "crm.db", "mails_in": folder / "mails", "report": folder / _REPORT}
    out.document({name: str(each) for name, each in where.items()} | report)
    _what_next(out, folder)
    return 1 if wrong else 0


def _foretell(out: Output, folder: Path) -> None:
    """What a simulation would have said of the same leads in the same sequences, people behaving as usual."""
    from sequencer.definitions import load, read_leads
    from sequencer.simulation.report import write
    from sequencer.simulation.study import Study, simulate

    out.heading("What a simulation says of the same five hundred, people behaving as usual")
    sequences = [load(folder / name) for name in _SEQUENCES]
    leads = read_leads(folder / _LEADS, timezone=sequences[0].calendar.timezone)
    start = min(each.enrolled_at for each in leads if each.enrolled_at is not None)
    study = Study(sequences=sequences, leads=tuple(leads), start=start)
    with out.progress("simulating", len(leads)) as progress:
        answer = simulate(study, progress=progress.advance).to_dict()
    write(answer, folder / _REPORT)
    ends = ", ".join(f"{count} {name}" for name, count in answer["outcomes"].items())
    totals = answer["totals"]
    out.say(
        f"{ends}; {totals['emails']} mails, {totals['tasks_completed']} tasks done, {totals['overdue']} steps overdue"
    )
    out.say(f"A report to look at: {folder / _REPORT}", "green")


def _examples(arguments: argparse.Namespace, out: Output) -> int:
    from sequencer.examples import EXAMPLES, path

    folder = Path(arguments.dir)
    contents = {folder / name: path(name).read_bytes() for name in EXAMPLES}
    others = [str(file) for file, content in contents.items() if file.exists() and not _holds(file, content)]
    if others:
        raise Refusal(f"{', '.join(others)}: there already, with other content; nothing was copied", 1)
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        if not file.exists():
            file.write_bytes(content)
    out.document({"dir": str(folder), "files": [{"name": name, "about": EXAMPLES[name]} for name in EXAMPLES]})
    table = Table(["=file", "what it is"])
    for file in contents:
        table.add(strong(str(file)), EXAMPLES[file.name])
    out.table(table)
    return 0


def _holds(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content


def _make(folder: Path) -> None:
    """An empty folder with the bundled files in it. What is there is deleted only if the demo has made it."""
    from sequencer.examples import path

    if folder.exists():
        if not folder.is_dir():
            raise Refusal(f"{folder} is there already, and no folder; name another with --dir")
        if any(folder.iterdir()):
            if not (folder / _MARK).is_file():
                raise Refusal(f"{folder} has something in it that the demo did not make; name another with --dir")
            for name in ("crm.db", "crm.db-wal", "crm.db-shm", _REPORT):
                (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / "mails", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("Made by `sequencer demo`, which makes it anew when it runs again.\n", encoding="utf-8")
    for name in (*_SEQUENCES, _LEADS):
        shutil.copyfile(path(name), folder / name)


def _what_next(out: Output, folder: Path) -> None:
    db = folder / "crm.db"
    out.heading("Look around")
    commands = (
        (f"sequencer list --db {db} --state active", "Grace still waits for her last call"),
        (f"sequencer explain 7 --db {db}", "why each of her steps is where it is"),
        (f"sequencer tasks --db {db}", "make that call, then: sequencer complete ID"),
        (f"sequencer history 4 --db {db}", "the refusal and the second try"),
        (f"sequencer plan {folder / _SEQUENCES[2]} --start 2026-11-20T10:00 --why", "over a holiday"),
        (
            f"sequencer simulate {folder / _SEQUENCES[0]} --leads {folder / _LEADS} --seed 7",
            "what would become of all of them in the first sequence",
        ),
        (f"sequencer doctor --db {db}", "how the store is"),
        (f"sequencer serve --db {db}", "all of this in a browser, at /inspector, and the HTTP API; Ctrl-C ends it"),
    )
    for command, why in commands:
        out.say(f"  # {why}", "dim")
        out.say(f"  $ {command}")
    out.say()
    out.say(f"The mails are in {folder / 'mails'}, a Maildir.", "dim")
