"""A worker process on an SQLite file, with a clock in a file: `python -m tests.caps.worker DATABASE CLOCK TAKEN`.

What its mailer takes is appended to a file, one line a mail. It ends when the clock's file is gone.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pendulum import DateTime

from sequencer.core.delays import Hours
from sequencer.core.errors import Conflict
from sequencer.core.instants import to_instant
from sequencer.core.pacing import Cap
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, Rejected
from sequencer.stores.sqlite import SQLiteStore

CAP = Cap(emails=10, per=Hours(24))


class FileClock:
    """Reads what somebody else has written into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> DateTime:
        return to_instant(datetime.fromisoformat(self._path.read_text()))


class FileMailer:
    """Takes mail, but refuses each third at its first attempt, for now."""

    deduplicates = False

    def __init__(self, path: str, clock: FileClock) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._clock = clock

    def send(self, email: Email, *, key: str, timeout: float) -> Any:
        if email.enrollment_id % 3 == 0 and email.attempt == 1:
            return Rejected("not now", permanent=False)
        at = self._clock.now()
        os.write(self._file, f"{email.actor_id} {at.isoformat()} {key} {os.getpid()}\n".encode())
        return Accepted(f"<{key}>")


def main(database: str, clock: str, taken: str) -> None:
    """Tick until the clock is taken away."""
    reading = FileClock(Path(clock))
    engine = Engine(SQLiteStore(database, busy_timeout=60), mailer=FileMailer(taken, reading), clock=reading, cap=CAP)
    while Path(clock).exists():
        try:
            report = engine.tick(7)
        except (FileNotFoundError, Conflict):
            continue
        if not report.claimed:
            time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
