"""`check`: whether definitions and scenarios are valid, designs are wise, and what they expect of themselves holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from sequencer.cli.files import read_located
from sequencer.cli.options import Commands, add_command, to_cap
from sequencer.cli.output import Output, Styled, dim, strong
from sequencer.core.errors import DefinitionError
from sequencer.core.instants import to_date
from sequencer.core.sequence import Sequence
from sequencer.definitions.files import Located
from sequencer.definitions.leads import read_fields
from sequencer.design import Finding, Verdict, check
from sequencer.design.deciding.scope import PROFILES
from sequencer.design.deciding.verdict import shown

__all__ = ["register"]

_DONE, _FOUND, _INVALID = 0, 1, 2
_STYLES = {"error": "bold red", "warning": "yellow", "advice": "cyan"}


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "check",
        _check,
        "whether definitions, and scenarios, are valid and wise",
        example=(
            "sequencer check inbound-follow-up.yaml\n"
            "sequencer check *.yaml --leads leads.csv --json\n"
            "sequencer check cold-outbound.yaml --cap 50 --since 2027-01-01\n"
            "sequencer check cold-outbound.yaml --profile thorough"
        ),
        more=(
            "All that is wrong is listed at once, as file:line:col: code: message, with status 2.\n"
            "What is valid and unwise is listed as file:line:col: severity[code]: message, with status 1 if an error\n"
            "or a warning is among it that the file does not silence; advice alone is status 0.\n"
            "Each expectation of the file is proved, not refuted, or refuted by the simplest case, with status 1."
        ),
        db=False,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a definition or a scenario, YAML or JSON")
    parser.add_argument(
        "--leads",
        metavar="CSV",
        help="also ask whether these leads have the merge fields, and such that fit into a subject",
    )
    # As that of `run`, but without a default: what nobody asks about is not found, and needs no silence.
    parser.add_argument(
        "--cap", metavar="N", type=to_cap, help="at most N mails of an actor in 24 hours (300; 0: no cap)"
    )
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        default="quick",
        help="quick: a year in some zones; thorough: two years in every zone, in some minutes (default: quick)",
    )
    parser.add_argument("--since", metavar="DATE", help="people are enrolled from this date on (default: today)")


def _check(arguments: argparse.Namespace, out: Output) -> int:
    asked: dict[str, Any] = {"cap": arguments.cap, "profile": arguments.profile}
    if arguments.since is not None:
        asked["since"] = to_date(arguments.since, "--since")
    if arguments.leads is not None:
        asked["fields"], asked["values"] = read_fields(arguments.leads)
    documents, statuses = [], []
    for file in arguments.files:
        document, status = _checked(file, asked, out)
        documents.append(document)
        statuses.append(status)
    if len(documents) == 1:
        out.document(documents[0])
    else:
        files = [{"file": file, **each} for file, each in zip(arguments.files, documents, strict=True)]
        out.document({"valid": all(each["valid"] for each in documents), "files": files})
    return max(statuses)


def _checked(file: str, asked: dict[str, Any], out: Output) -> tuple[dict[str, Any], int]:
    """What there is to say about a file, for people at once and as plain data; and the status that it asks for.

    That it is not valid is an answer, too.
    """
    document: dict[str, Any] = {"valid": True, "findings": [], "expectations": []}
    try:
        read = read_located(file)
    except DefinitionError as error:
        for problem in error.problems:
            out.aside(problem)
        fields = ("code", "message", "path", "file", "line", "column")
        problems = [{name: getattr(problem, name) for name in fields} for problem in error.problems]
        return {**document, "valid": False, "problems": problems}, _INVALID
    out.say(f"{file}: valid", "green")
    if not isinstance(read, Located):
        out.say(f"{read.name}: a scenario for simulations")
        return document, _DONE
    _say_what_it_is(read.sequence, out)
    checked = check(read.sequence, **asked)
    document = checked.to_dict(file)
    document["findings"] = _findings(read, checked.findings, out)
    for i, verdict in enumerate(checked.verdicts):
        line, column = read.place(f"expect[{i}]")
        document["expectations"][i] |= {"line": line, "column": column}
        _say_verdict(f"{read.file}:{line}:{column}: ", verdict, file, out)
    if checked.verdicts:
        out.say(f"Expected of {checked.scope}.", "dim")
    return document, _FOUND if checked.fails else _DONE


def _say_what_it_is(sequence: Sequence, out: Output) -> None:
    emails = sum(step.is_email for step in sequence.steps)
    tasks = len(sequence.steps) - emails
    out.say(f"{sequence.name}: {emails} {'mail' if emails == 1 else 'mails'}, {tasks} "
            f"{'task' if tasks == 1 else 'tasks'}, on the clock of {sequence.calendar.timezone}")  # fmt: skip


# -- findings -------------------------------------------------------------------------------------------------


def _findings(read: Located, findings: Iterable[Finding], out: Output) -> list[dict[str, Any]]:
    """The findings in the order of the file, for people and as plain data. Each remedy is said once."""
    placed = sorted(((*read.place(finding.place), finding) for finding in findings), key=lambda each: each[:2])
    said: set[str] = set()
    for line, column, finding in placed:
        where = f"{read.file}:{line}:{column}: "
        if finding.silenced is not None:
            out.line(where, dim(f"silenced[{finding.code}]: {finding.silenced}"))
            continue
        out.line(
            where, Styled(f"{finding.severity}[{finding.code}]", _STYLES[finding.severity]), f": {finding.message}"
        )
        if finding.remedy not in said:
            said.add(finding.remedy)
            out.line("    remedy: ", finding.remedy)
    return [{**finding.to_dict(), "line": line, "column": column} for line, column, finding in placed]


# -- expectations ---------------------------------------------------------------------------------------------

_VERDICTS = {"proved": "green", "not refuted": "green", "refuted": "bold red"}


def _say_verdict(where: str, verdict: Verdict, file: str, out: Output) -> None:
    """A verdict for people: in a line, and if it is refuted, by what, and how to see that again."""
    found = verdict.counterexample
    note = f" ({verdict.note})" if verdict.note else ""
    cases = f" in {verdict.cases:,} cases{note}" if verdict.verdict == "not refuted" else note
    out.line(
        where, Styled(verdict.verdict, _VERDICTS[verdict.verdict]), f"{cases}: {shown(verdict.expect)}{verdict.premise}"
    )
    if found is not None:
        sentence, *timeline = str(found).splitlines()
        out.line("    ", strong(sentence))
        for line in timeline:
            out.line(f"    {line}")
        out.line("    ", dim("to see it again: "), found.command(file))
        out.line("    ", dim("to keep it as a test:"))
        for line in found.test(file).splitlines():
            out.line(f"        {line}" if line else "")
