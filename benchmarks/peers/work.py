"""What everybody does: 2 000 enrollments of 5 steps, and a mailer that notes each mail outside every database.

A line a mail, of one length, appended by one write: whoever watches the file sees how far a run has come, and reading
it afterwards says whether a mail was lost, doubled or out of order. Only the standard library, since it runs in the
environment of the peers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENROLLMENTS, STEPS = 2000, 5
LINE = len(b"000000 00 0000000000000000000\n")


@dataclass(frozen=True)
class Given:
    """What a run is told: where its store is, the file of mails, how much work, and the peer's own settings."""

    place: str
    mails: str
    enrollments: int
    steps: int
    settings: dict[str, Any]


def given() -> Given:
    """From the command line, as JSON."""
    return Given(**json.loads(sys.argv[1]))


class Post:
    """The mailer: notes who was mailed for which step, and when. What it has noted survives the death of the process.

    The file is opened with the first mail, so that every process of a pool has a descriptor of its own.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = -1

    def send(self, enrollment: int, position: int) -> None:
        """Send one mail."""
        if self._file < 0:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._file, b"%06d %02d %019d\n" % (enrollment, position, time.monotonic_ns()))


@dataclass(frozen=True)
class Mailed:
    """What the mailer saw: how many mails, over how many seconds from the first to the last, and what went wrong."""

    mails: int
    seconds: float
    lost: int
    doubled: int
    out_of_order: int


def mailed(path: Path, enrollments: int, steps: int) -> Mailed:
    """Read the file of mails."""
    rows = [tuple(map(int, line.split())) for line in path.read_text("ascii").splitlines()] if path.exists() else []
    times = [at for _, _, at in rows]
    seen: set[tuple[int, int]] = set()
    latest: dict[int, int] = {}
    doubled = out_of_order = 0
    for enrollment, position, _ in rows:
        if (enrollment, position) in seen:
            doubled += 1
            continue
        seen.add((enrollment, position))
        # In order: each mail comes directly after the one before it.
        out_of_order += position != latest.get(enrollment, -1) + 1
        latest[enrollment] = position
    return Mailed(
        mails=len(rows),
        seconds=(max(times) - min(times)) / 1e9 if times else 0.0,
        lost=enrollments * steps - len(seen),
        doubled=doubled,
        out_of_order=out_of_order,
    )
