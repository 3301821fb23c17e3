"""How long what a program imports takes, in a fresh process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

import sequencer
from benchmarks.measuring import Figure, Question

# What brings a store, a parser or a wire along is paid for by those who use it, and nobody uses them all.
_APART = {
    "ConsoleMailer", "DjangoStore", "FolderTemplates", "MaildirMailer", "MemoryStore", "PostgresStore",
    "SQLAlchemyStore", "SQLiteStore", "SmtpMailer", "load",
}  # fmt: skip
DOOR = tuple(name for name in sequencer.__all__ if name not in _APART)


def script(work: str, before: str = "") -> str:
    """A program that prints how many seconds a line of it took."""
    return f"{before}\nimport time; begun = time.perf_counter()\n{work}\nprint(time.perf_counter() - begun)"


def _in_fresh_processes(program: str) -> Figure:
    """The median of several processes, after one that warms the files.

    All is read from bytecode, as after an installation by pip, also where Python is told to write none of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        took = [_once(program, environment) for _ in range(8)][1:]
    return Figure(statistics.median(took), {"least": round(min(took), 4), "most": round(max(took), 4)})


def _once(program: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)  # noqa: S603 - our own
    return float(done.stdout)


def importing() -> Figure:
    """All of the public door but what brings something along."""
    return _in_fresh_processes(script(f"from sequencer import {', '.join(DOOR)}"))


def plugging() -> Figure:
    """What the plugin costs every project that has the package installed, beside what pytest has imported anyway."""
    return _in_fresh_processes(script("import sequencer.testing.plugin", before="import pytest"))


QUESTIONS = (
    Question("import", "importing what everybody uses of sequencer in a fresh process, seconds", 0.2, importing),
    Question("plugin", "importing the plugin where pytest is there, seconds", 0.01, plugging),
)
