"""`diagram`: the state machines, and sequences, as Mermaid text."""

from __future__ import annotations

import argparse
import re

from sequencer.cli.files import read_definition
from sequencer.cli.options import Commands, add_command
from sequencer.cli.output import Output
from sequencer.cli.planning import what
from sequencer.core.diagrams import MACHINES, mermaid
from sequencer.core.sequence import Sequence, Step

__all__ = ["flowchart", "register"]

_SPECIAL = re.compile(r'["#&<>\\`{}|\[\]()]')


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "diagram",
        _diagram,
        "draw the state machines or a definition, as Mermaid text",
        example="sequencer diagram enrollment\nsequencer diagram inbound-follow-up.yaml > inbound.mmd",
        more="Mermaid text is drawn by GitHub, GitLab, many editors and https://mermaid.live.",
        db=False,
        json=False,
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="?",
        help=f"one of {', '.join(MACHINES)}, or a definition file (default: the machines, one after the other)",
    )


def _diagram(arguments: argparse.Namespace, out: Output) -> int:
    if arguments.what is None:
        out.stdout.write("\n".join(mermaid(machine, name) for name, machine in MACHINES.items()))
    elif arguments.what in MACHINES:
        out.stdout.write(mermaid(MACHINES[arguments.what], arguments.what))
    else:
        out.stdout.write(flowchart(read_definition(arguments.what)))
    return 0


def flowchart(sequence: Sequence) -> str:
    """The steps of a sequence from top to bottom: mails with round ends, tasks with corners, delays on the arrows."""
    lines = ["flowchart TD", f'    start(["{_escaped(sequence.name)}"])']
    before = "start"
    for position, step in enumerate(sequence.steps):
        node = f"step{position}"
        lines.append(f"    {node}{_shape(step)}")
        lines.append(f'    {before} -->|"{step.after}"| {node}')
        before = node
    lines += ['    finished(["finished"])', f"    {before} --> finished"]
    return "\n".join(lines) + "\n"


def _shape(step: Step) -> str:
    text = _escaped(what(step))
    return f'("{text}")' if step.is_email else f'["{text}"]'


def _escaped(text: str) -> str:
    """Text inside of quotes in a Mermaid label: what means something there, as a character code."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda match: f"#{ord(match[0])};", line)
