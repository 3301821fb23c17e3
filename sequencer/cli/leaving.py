"""What a simulation leaves behind: a report, tables, everything that happened, a calendar of one lead."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sequencer.cli.options import Refusal
from sequencer.cli.output import Output
from sequencer.cli.simulated import DAYS
from sequencer.simulation.answers import ACTOR_COUNTS, DAY_COUNTS, STEP_COUNTS
from sequencer.simulation.study import StudyResult

__all__ = ["leave", "refuse_unwritable", "say_where"]

_ACTOR = ("actor_id", "account")
_COLUMNS = {
    "outcomes": ("sequence", "outcome", "people"),
    "answers": ("sequence", "answer", "people"),
    "days": ("date", *DAY_COUNTS),
    "steps": ("sequence", "position", "key", "action_type", "what", *STEP_COUNTS, "median_hours"),
    "actors": (*_ACTOR, "enrollments", *ACTOR_COUNTS, "most_emails", "most_tasks", "cap_days"),
    "actor-days": (*_ACTOR, "date", *ACTOR_COUNTS),
    "sends": ("weekday", "hour", "emails"),
}
_FILES = ("html", "trace", "ics")


def refuse_unwritable(arguments: argparse.Namespace) -> None:
    """What cannot be written is said before anybody has waited for it."""
    taken: dict[Path, str] = {}
    read = _read(arguments)
    for name in _FILES:
        text = getattr(arguments, name)
        if text is None:
            continue
        path = _path(text, name)
        if path.is_dir():
            raise Refusal(f"--{name} {text}: is a folder, not a file")
        if not path.absolute().parent.is_dir():
            raise Refusal(f"--{name} {text}: there is no folder {path.parent} to make {path.name} in")
        if path.resolve() in read:
            raise Refusal(f"--{name} {text}: would overwrite what is read here; name another file")
        other = taken.setdefault(path.absolute(), name)
        if other != name:
            raise Refusal(f"--{other} and --{name} would both be {text}")
    if arguments.csv is not None:
        path = _path(arguments.csv, "csv")
        if path.exists() and not path.is_dir():
            raise Refusal(f"--csv {arguments.csv}: is a file; it names a folder, in which the tables are made")
        for table in _COLUMNS:
            if (path / f"{table}.csv").resolve() in read:
                raise Refusal(f"--csv {arguments.csv}: {table}.csv in it is read here; name another folder")


def _read(arguments: argparse.Namespace) -> set[Path]:
    """The files that the answer comes from."""
    given = [*arguments.files, arguments.leads, arguments.scenario, arguments.compare, arguments.db]
    return {Path(each).resolve() for each in given if each and "\0" not in each and "://" not in each}


def _path(text: str, name: str) -> Path:
    if not text or "\0" in text:
        raise Refusal(f"--{name} {text!r}: is no file name")
    return Path(text)


def leave(arguments: argparse.Namespace, result: StudyResult, answer: Mapping[str, Any]) -> None:
    """Write the files that were asked for."""
    if arguments.html is not None:
        from sequencer.simulation.report import write

        write(answer, arguments.html)
    if arguments.trace is not None:
        with Path(arguments.trace).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in result.trace_lines())
    if arguments.ics is not None:
        from sequencer.cli.appointments import calendar_of_lead

        Path(arguments.ics).write_bytes(calendar_of_lead(result, arguments.lead))
    if arguments.csv is not None:
        _write_tables(Path(arguments.csv), answer)


def say_where(arguments: argparse.Namespace, out: Output) -> None:
    """Say where the files are."""
    if any(getattr(arguments, name) is not None for name in (*_FILES, "csv")):
        out.say()
    for name, what in (("html", "The report is"), ("trace", "Everything that happens is"),
                       ("ics", "The calendar is"), ("csv", "The tables are")):  # fmt: skip
        where = getattr(arguments, name)
        if where is not None:
            out.say(f"{what} in {where}.", "green")


def _write_tables(folder: Path, answer: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sequences, actors = answer["per_sequence"], answer["per_actor"]
    tables: dict[str, list[dict[str, Any]]] = {
        "outcomes": [
            {"sequence": each["key"], "outcome": name, "people": count}
            for each in sequences
            for name, count in each["outcomes"].items()
        ],
        "answers": [
            {"sequence": each["key"], "answer": name, "people": count}
            for each in sequences
            for name, count in each["people"].items()
        ],
        "days": answer["per_day"],
        "steps": [{"sequence": each["key"], **step} for each in sequences for step in each["steps"]],
        "actors": [{**each, "cap_days": " ".join(each["cap_days"])} for each in actors],
        "actor-days": [
            {**{name: each.get(name) for name in _ACTOR}, **day} for each in actors for day in each["per_day"]
        ],
        "sends": [
            {"weekday": name, "hour": hour, "emails": count}
            for name, counts in zip(DAYS, answer["sends"], strict=True)
            for hour, count in enumerate(counts)
        ],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _COLUMNS[name], lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    # A spreadsheet takes what begins like this for a formula, and a step's text may be anybody's.
    if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "|", "%"):
        return f"'{value}"
    return value
