"""The loops around a pass: a worker's, on the system's clock, and the one that a manual clock is moved along with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.errors import Conflict, SchemaMismatch, StoreError
from sequencer.core.instants import later_by
from sequencer.engine.logs import WORKER
from sequencer.engine.ports import Clock
from sequencer.engine.results import TickReport

__all__ = ["run", "run_until"]

_LONGEST_WAIT = 60.0
_MOMENT = timedelta(microseconds=1)


def run_until(tick: Callable[[], TickReport], clock: Any, until: DateTime) -> TickReport:
    """Pass over everything that comes due until an instant, with a clock that can be set, and leave the clock there."""
    claimed = handed_over = failed = 0
    while True:
        report = tick()
        claimed += report.claimed
        handed_over += report.handed_over
        failed += report.failed
        if report.more and report.claimed:
            continue
        next_due_at = report.next_due_at
        if next_due_at is None or next_due_at > until:
            break
        clock.set(max(next_due_at, later_by(clock.now(), _MOMENT)))
    if clock.now() < until:
        clock.set(until)
    return attrs.evolve(report, claimed=claimed, handed_over=handed_over, failed=failed)


def run(
    tick: Callable[[], TickReport],
    clock: Clock,
    *,
    stop: threading.Event,
    until: DateTime | None,
    poll: float,
    each: Callable[[TickReport], None] | None,
) -> None:
    """Tick, and wait for what comes next, but no longer than `poll` seconds; until `stop` is set, or after `until`.

    A store that cannot be used is asked again, after waits that double up to a minute: databases are restarted. At the
    very first pass it is an error, and so is at any time a schema that this release does not run on.
    """
    ticked, failures = False, 0
    while not stop.is_set():
        report = None
        try:
            report = tick()
            ticked, failures = True, 0
        except SchemaMismatch:
            raise
        except (StoreError, Conflict) as error:
            if not ticked:
                raise
            failures += 1
            # Not what the store says: a database quotes what was to be stored (S8).
            kinds = [type(each).__name__ for each in (error, error.__cause__) if each is not None]
            message = "a pass was broken off by the store, and another one tries: %s"
            WORKER.warning(message, " of ".join(kinds), extra={"error": kinds[0], "failures": failures})
        if report is not None and each is not None:
            each(report)
        now = clock.now()
        if until is not None and now >= until:
            return
        if report is not None and report.more and report.claimed:
            continue
        wait = poll if failures < 2 else min(poll * 2.0 ** min(failures - 1, 30), max(poll, _LONGEST_WAIT))
        for at in (None if report is None else report.next_due_at, until):
            if at is not None:
                wait = min(wait, max(0.001, at.timestamp() - now.timestamp()))
        stop.wait(wait)
