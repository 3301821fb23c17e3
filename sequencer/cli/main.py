"""The entrance of the command line: which commands there are, and how each can end.

Exit status: 0 done, 1 refused by the state of things or a finding, 2 bad input; 130 when a person interrupts. What goes
wrong because of what a user did, or because of a file's state, is said in a sentence on standard error; a traceback is
always a fault of ours.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from sequencer.cli import (
    acting,
    checking,
    comparing,
    demonstrating,
    diagrams,
    enrolling,
    forgetting,
    listing,
    looking,
    moving,
    planning,
    reporting,
    running,
    serving,
    simulating,
    tending,
    tokens,
    webhooks,
)
from sequencer.cli.options import Parser, Refusal
from sequencer.cli.output import Output
from sequencer.core.errors import DefinitionError, InvalidInput, SchemaMismatch, SequencerError

__all__ = ["main"]

_DESCRIPTION = """\
Runs sales sequences: e-mails and tasks on a working calendar.

  sequencer demo                                    see it all, on bundled data
  sequencer plan FILE --start 2026-03-27T16:30      when would each step happen, and why
  sequencer enroll FILE --leads CSV --db DB         begin
  sequencer run --db DB --maildir DIR               the worker; DB is a file, or postgresql://...
"""
# In the order in which a newcomer meets them.
_GROUPS = (
    demonstrating,
    planning,
    checking,
    simulating,
    enrolling,
    running,
    serving,
    tokens,
    webhooks,
    listing,
    looking,
    acting,
    comparing,
    moving,
    reporting,
    forgetting,
    diagrams,
    tending,
)
_DONE, _REFUSED, _BAD_INPUT, _INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        status = _main(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`). Python would complain once more when it closes the stream.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _REFUSED
    return status


def _main(argv: Sequence[str]) -> int:
    parser = Parser(
        prog="sequencer", description=_DESCRIPTION, epilog="Each command has a --help of its own, with an example."
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", parser_class=Parser)
    for group in _GROUPS:
        group.register(commands)
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _BAD_INPUT
    if arguments.version:
        from importlib.metadata import version

        sys.stdout.write(f"sequencer {version('sequencer')}\n")
        return _DONE
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return _BAD_INPUT
    out = Output(json=getattr(arguments, "json", False))
    try:
        status: int = arguments.run(arguments, out)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        out.aside("interrupted")
        return _INTERRUPTED
    except DefinitionError as error:
        for problem in error.problems:
            out.aside(problem)
        return _BAD_INPUT
    except (Refusal, SequencerError, OSError) as error:
        # Those of a group, as `token create`, are named in full.
        command = " ".join(filter(None, (arguments.command, getattr(arguments, "subcommand", None))))
        out.aside(f"sequencer {command}: {_said(error)}")
        return _status_of(error)
    return status


def _status_of(error: Exception) -> int:
    if isinstance(error, Refusal):
        return error.status
    return _BAD_INPUT if isinstance(error, (InvalidInput, OSError)) else _REFUSED


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, SchemaMismatch) and error.found < min(error.supported):
        return f"{error} (sequencer migrate --db)"
    return str(error)
