"""Commands as they are typed, each a process of its own, which has not to import everything anew.

One process imports what `sequencer` needs, and is forked for each command: half a second less for every one that the
documentation shows. What a command costs at its start, and what it imports, is tested elsewhere. `pytest` begins anew,
since it has to see to how modules are imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

__all__ = ["Done", "Typist"]

# By these pytest and others know that nobody sits there, and say more than they do to somebody.
_OF_A_BUILD = {"CI", "BUILD_NUMBER"}

_SCRIPT = """
import atexit, importlib, json, os, pkgutil, random, runpy, sys, threading, traceback

import sequencer.cli, sequencer.definitions, sequencer.design, sequencer.simulation

for room in (sequencer.cli, sequencer.definitions, sequencer.design):
    for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        importlib.import_module(found.name)
assert threading.active_count() == 1, "what has threads is not to be forked"

def run(typed):
    os.chdir(typed["folder"])
    os.environ.clear()
    os.environ.update(typed["environment"])
    came = os.open(typed["came"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for end, where in ((os.open(os.devnull, os.O_RDONLY), 0), (came, 1), (came, 2)):
        os.dup2(end, where)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")
    random.seed()
    name, *sys.argv[1:] = typed["words"]
    runpy.run_module(name, run_name="__main__", alter_sys=True)

for line in sys.stdin:
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    status = 0
    try:
        run(json.loads(line))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if not isinstance(end.code, (int, type(None))):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
"""


@attrs.frozen
class Done:
    """How a command has ended, and all that came out of it."""

    status: int
    came: str


class Typist:
    """Runs commands in the current folder and environment, with every warning an error."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, words: list[str]) -> Done:
        """`python -W error -m WORDS...`, to its end."""
        environment = {name: text for name, text in os.environ.items() if name not in _OF_A_BUILD}
        if words[0] != "sequencer":
            return _begun_anew(words, environment)
        process = self._process = self._process or subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            came = Path(folder, "came")
            typed = {"words": words, "folder": str(Path.cwd()), "came": str(came), "environment": environment}
            process.stdin.write(json.dumps(typed) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, "the process that is forked for commands has died"
            return Done(int(answer), came.read_text(encoding="utf-8"))

    def close(self) -> None:
        """Nothing more is typed."""
        if self._process is not None:
            self._process.communicate()


def _begun_anew(words: list[str], environment: dict[str, str]) -> Done:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        env=environment,
    )
    return Done(done.returncode, done.stdout)
