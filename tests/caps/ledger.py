"""What a mailer has taken, in whose name and when: the naive measure that caps are held against (law E5).

A clock that was corrected reads the same time twice. What cannot be argued with is how far it has gone *forward*:
between the first and the last of too many mails it must have gone on by the whole window. Where it never goes back,
that is what it reads.
"""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sequencer.simulation.clock import ManualClock


class ForwardClock(ManualClock):
    """A clock that knows how far it has gone forward in all."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.forward = timedelta(0)

    def set(self, instant: datetime) -> None:
        self.forward += max(timedelta(0), instant - self.now())
        super().set(instant)

    def move(self, span: timedelta | None = None, **more: float) -> None:
        self.set(self.now() + (span or timedelta()) + timedelta(**more))


class Ledger:
    """Every mail that left, once for each key where the mailer recognises keys."""

    def __init__(self) -> None:
        self.left: dict[Any, list[tuple[timedelta, str]]] = defaultdict(list)
        self.keys: set[str] = set()
        self._lock = threading.Lock()

    def take(self, actor: Any, key: str, at: timedelta) -> None:
        with self._lock:
            self.keys.add(key)
            self.left[actor].append((at, key))

    def most(self, actor: Any, per: timedelta) -> int:
        """How many left in the fullest window, by looking at the window that begins with each mail."""
        instants = sorted(at for at, _ in self.left[actor])
        return max((sum(first <= at < first + per for at in instants) for first in instants), default=0)

    def least_gap(self, actor: Any) -> timedelta:
        """How long after one another the two nearest mails left."""
        instants = sorted(at for at, _ in self.left[actor])
        return min((b - a for a, b in itertools.pairwise(instants)), default=timedelta.max)
