"""How long `import sequencer` takes in a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.measuring import Figure, Question

_SCRIPT = "import time; begun = time.perf_counter(); import sequencer; print(time.perf_counter() - begun)"


def _once() -> float:
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own script
    return float(done.stdout)


def measure() -> Figure:
    """The median of several processes, after one that warms the files."""
    took = [_once() for _ in range(8)][1:]
    return Figure(statistics.median(took), {"least": round(min(took), 4), "most": round(max(took), 4)})


QUESTIONS = (Question("import", "import sequencer in a fresh process, seconds", 0.2, measure),)
