"""Runs one program to its last mail, watches its memory, and says what it came to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from benchmarks.peers.work import LINE, mailed

__all__ = ["Run", "run"]

_PATIENCE = 120.0
"""Seconds without a single mail after which a run is given up."""


@attrs.frozen
class Run:
    """One run: steps a second, the peak memory of its processes and of its server in MiB, and what the mailer saw."""

    steps_per_second: float
    seconds: float
    peak_mib: float
    server_mib: float
    lost: int
    doubled: int
    out_of_order: int

    def to_dict(self) -> dict[str, Any]:
        """Rounded, for the answer."""
        values = attrs.asdict(self)
        return {**values, **{name: round(values[name], 1) for name in ("steps_per_second", "peak_mib", "server_mib")}}


def _tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found, more = [], [pid]
    while more:
        each = more.pop()
        found.append(each)
        with suppress(OSError):  # it has ended in between
            for task in Path(f"/proc/{each}/task").glob("*/children"):
                with suppress(OSError):  # or one of its threads has
                    more += map(int, task.read_text().split())
    return found


def _mib(pid: int) -> float:
    """What a process and its descendants hold in memory now; a page that several share is counted once (PSS)."""
    total = 0
    for each in _tree(pid):
        # Of one that has just ended there is no such file, or there is nothing in it.
        with suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


class _Memory:
    """Samples the memory of some processes, ten times a second, on a thread of its own."""

    def __init__(self, pids: list[int]) -> None:
        self.peaks = dict.fromkeys(pids, 0.0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._done.wait(0.1):
            for pid, peak in self.peaks.items():
                self.peaks[pid] = max(peak, _mib(pid))

    def end(self) -> None:
        self._done.set()
        self._thread.join()


def run(
    python: str | Path,
    module: str,
    place: str,
    settings: dict[str, Any],
    *,
    enrollments: int,
    steps: int,
    server: int | None = None,
) -> Run:
    """Run a program of this folder; raises `RuntimeError` with what it said when it does not come to the end.

    The time of a peer is that from its first mail to its last, so that starting up and filling its store costs it
    nothing. A program that prints `{"seconds": ...}` is taken at its word.
    """
    with tempfile.TemporaryDirectory(prefix="beside-") as folder:
        mails, log = Path(folder, "mails"), Path(folder, "log")
        told = {
            "place": place,
            "mails": str(mails),
            "enrollments": enrollments,
            "steps": steps,
            "settings": settings,
        }
        command = [str(python), "-m", f"benchmarks.peers.{module}", json.dumps(told)]
        with log.open("wb") as errors, Path(folder, "said").open("w+b") as said:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=errors, cwd=Path(__file__).parents[2]
            )
            memory = _Memory([process.pid] if server is None else [process.pid, server])
            try:
                complete = _watch(process, mails, enrollments * steps * LINE)
            finally:
                memory.end()
                _end(process)
            said.seek(0)
            words = said.read().decode(errors="replace")
        found = mailed(mails, enrollments, steps)
        if not complete:
            raise RuntimeError(
                f"{module} {settings} came to a stop after {found.mails} mails: {(words + log.read_text())[-2000:]}"
            )
    lines = words.splitlines()
    seconds = json.loads(lines[-1])["seconds"] if lines and lines[-1].startswith('{"seconds"') else found.seconds
    return Run(
        steps_per_second=enrollments * steps / seconds,
        seconds=seconds,
        peak_mib=memory.peaks[process.pid],
        server_mib=0.0 if server is None else memory.peaks[server],
        lost=found.lost,
        doubled=found.doubled,
        out_of_order=found.out_of_order,
    )


def _watch(process: subprocess.Popen[bytes], mails: Path, size: int) -> bool:
    """Wait until all mails are there and the program has ended, or is told to; False if it stops before."""
    grown, at = -1, time.monotonic()
    while True:
        ended = process.poll() is not None
        now = mails.stat().st_size if mails.exists() else 0
        if now >= size:
            if not ended:
                # A worker that waits for more has to be told; one that ends by itself gets the time to.
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGTERM)
            return True
        if ended:
            return False
        if now != grown:
            grown, at = now, time.monotonic()
        elif time.monotonic() - at > _PATIENCE:
            return False
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        for each in reversed(_tree(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.wait()
