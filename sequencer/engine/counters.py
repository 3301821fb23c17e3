"""Counters: how much waits, runs and stands still, and what an engine has done, for whoever watches it.

What the store holds is counted when it is asked for; what this engine has handed over is counted as it happens.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import attrs
from pendulum import DateTime

from sequencer.core.instants import between, to_iso
from sequencer.core.values import Identifier
from sequencer.engine.stored import ALL_ACCOUNTS, Counts

__all__ = ["MOST", "Counters", "Tally", "counted"]

MOST = 10_000
"""Up to how many are counted: who has more has to act all the same, and counting costs no more than this (S4)."""

Done = Literal["handed_over", "failed"]


@attrs.frozen(kw_only=True)
class Counters:
    """How things stand at an instant (`at`, UTC), and what this engine has done since it was made.

    - `due`: enrollments that have to be looked at and that no worker has claimed; `oldest_due_at`: since when the first
      of them has, None while there is none.
    - `claimed`: those that a worker owns, or has set aside for a lease, since it could not tell what to do (after it
      they are due);
      `abandoned`: those whose lease has ended without an answer, because their worker has died or hangs; the next pass
      takes them over. `oldest_lease_until`: when the first lease ends or ended.
    - `active`: enrollments that go on; `blocked`: those that do not, by reason.
    - `handed_over`, `failed`: calls of ports that were accepted, and those that were not, by this engine in this
      process. They only rise.

    Of what the store holds no more than 10 000 are counted; `capped` names the counts that came so far: there may be
    more.
    """

    at: DateTime
    due: int
    oldest_due_at: DateTime | None
    claimed: int
    abandoned: int
    oldest_lease_until: DateTime | None
    active: int
    blocked: Mapping[str, int]
    handed_over: int
    failed: int
    capped: tuple[str, ...] = ()

    @property
    def oldest_due_seconds(self) -> float:
        """For how long what is due has waited for a worker; 0 where nothing is. The number to be woken up by."""
        return 0.0 if self.oldest_due_at is None else between(self.oldest_due_at, self.at).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with `oldest_due_seconds`."""
        return {
            "at": to_iso(self.at),
            "due": self.due,
            "oldest_due_at": self.oldest_due_at and to_iso(self.oldest_due_at),
            "oldest_due_seconds": self.oldest_due_seconds,
            "claimed": self.claimed,
            "abandoned": self.abandoned,
            "oldest_lease_until": self.oldest_lease_until and to_iso(self.oldest_lease_until),
            "active": self.active,
            "blocked": dict(self.blocked),
            "handed_over": self.handed_over,
            "failed": self.failed,
            "capped": list(self.capped),
        }


class Tally:
    """What one engine has handed over and what has failed, by account; any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: Counter[tuple[Done, Identifier | None]] = Counter()

    def add(self, done: Done, account: Identifier | None) -> None:
        """One more."""
        with self._lock:
            self._done[done, account] += 1

    def of(self, done: Done, account: Any) -> int:
        """How many so far, of an account or of all of them."""
        with self._lock:
            if account is ALL_ACCOUNTS:
                return sum(number for (each, _), number in self._done.items() if each == done)
            return self._done[done, account]


def counted(counts: Counts, tally: Tally, now: DateTime, account: Any) -> Counters:
    """What the store holds and what the engine has done, together."""
    sums = {
        "due": counts.due,
        "claimed": counts.claimed,
        "abandoned": counts.abandoned,
        "active": counts.active,
        "blocked": sum(counts.blocked.values()),
    }
    return Counters(
        at=now,
        due=counts.due,
        oldest_due_at=counts.oldest_due_at,
        claimed=counts.claimed,
        abandoned=counts.abandoned,
        oldest_lease_until=counts.oldest_lease_until,
        active=counts.active,
        blocked=counts.blocked,
        handed_over=tally.of("handed_over", account),
        failed=tally.of("failed", account),
        capped=tuple(name for name, number in sums.items() if number >= MOST),
    )
