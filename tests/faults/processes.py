"""Real processes: workers on one store, that can be killed, and a mailer and a clock that outlive them.

They are forked from a process that has everything imported and does nothing else, so that a life costs some
milliseconds. What leaves is appended to a file, one line at a time.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from sequencer.adapters.smtp import SmtpMailer
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.errors import Conflict, StoreError
from sequencer.core.instants import from_microseconds, to_instant, to_microseconds
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.engine.ports import Accepted
from sequencer.simulation.clock import ManualClock
from tests.faults.judge import Departure, Look
from tests.faults.stages import opened
from tests.faults.world import Life, Wire, World

__all__ = ["CONTEXT", "QUICK", "Orders", "departures", "enroll", "lead", "race", "work"]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.processes"])
LONGEST = 240.0  # seconds for anything to happen at all

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
QUICK = Sequence(
    "quick",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Look at it", skip_after=Hours(0))),
        Step(AutomatedEmail(1)),
        Step(AutomatedEmail(1, is_reply=True)),
    ],
    calendar=Calendar("UTC", working_days=WEEK),
    policy=Policy(retry=Retry(attempts=100, first=1, factor=1)),
    templates={1: Template("Hello", "There")},
)


def lead(number: int) -> Resource:
    return Resource("lead", number, email=f"lead{number}@example.com")


@attrs.frozen
class Orders:
    """What a process is to do: on which store, into which folder, with what mailer, from which point on it is dead."""

    address: str
    folder: str
    mode: str
    clock: Any
    port: int | None = None
    die_at: int | None = None
    limit: int = 5


class _SharedClock(ManualClock):
    """A clock that shows the next process where this one had come to."""

    def __init__(self, shared: Any) -> None:
        super().__init__(from_microseconds(shared.value))
        self._shared = shared

    def set(self, instant: datetime) -> None:
        super().set(instant)
        self._shared.value = to_microseconds(self.now())


class FileWorld(World):
    """A world whose mailer remembers in a folder."""

    def __init__(self, orders: Orders, wire: Wire) -> None:
        self._folder = Path(orders.folder)
        super().__init__(None, orders.mode, wire=wire, store=opened(orders.address), clock=_SharedClock(orders.clock))
        if orders.port is not None:
            self.smtp = SmtpMailer(
                "127.0.0.1", orders.port, sender="us@example.com", security="none", delivery=orders.mode
            )
            self.restart()

    def known(self, key: str) -> Any:
        return Accepted(f"<{key}@faults>") if (self._folder / f"mail-{key}").exists() else None

    def remember(self, key: str, answer: Any) -> None:
        pass

    def depart(self, id: int, position: int, key: str, look: Look | None) -> None:
        # Written beside, and then named, so that it is there whole or not at all; and a key that is recognised once.
        name = key if self.mode == "deduplicates" else f"{key}-{os.getpid()}-{time.monotonic_ns()}"
        beside = self._folder / f"beside-{os.getpid()}"
        seen = None if look is None else attrs.astuple(look)
        written = json.dumps([time.monotonic_ns(), id, position, key, self.clock.now().isoformat(), seen], default=str)
        beside.write_text(written, "utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(beside, self._folder / f"mail-{name}")
        beside.unlink()


def departures(folder: str) -> list[Departure]:
    """What the mailer has written down, in order."""
    found = []
    written = sorted(json.loads(path.read_text("utf-8")) for path in Path(folder).glob("mail-*"))
    for _, id, position, key, at, seen in written:
        look = None
        if seen is not None:
            state, current, status, estimate = seen
            look = Look(state, current, status, None if estimate is None else _instant(estimate))
        found.append(Departure(id, position, key, _instant(at), look))
    return found


def _instant(text: str) -> datetime:
    return to_instant(datetime.fromisoformat(text))


def _kill(life: Life, what: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wire(orders: Orders) -> Wire:
    return Wire(() if orders.die_at is None else {orders.die_at}, _kill)


def work(orders: Orders, ready: Any) -> None:
    """A worker, until nothing is left to do, or it is dead."""
    world = FileWorld(orders, _wire(orders))
    ready.send(b"")
    world.work(world.clock.now().add(days=400), limit=orders.limit)


def enroll(orders: Orders, ready: Any, numbers: Iterable[int]) -> None:
    """A host that enrolls people, and says of each that it was told so."""
    world = FileWorld(orders, _wire(orders))
    world.engine.save(QUICK)
    ready.send(-1)
    for number in numbers:
        ready.send(world.engine.enroll("quick", lead(number)).id)


def race(orders: Orders, start: Any, passes: int) -> None:
    """One of several workers that begin at the same moment, on what is due at this one."""
    world = FileWorld(orders, _wire(orders))
    end = time.monotonic() + LONGEST
    start.wait(LONGEST)
    idle = 0
    while idle < passes:
        assert time.monotonic() < end, "the others do not let it"
        try:
            report = world.engine.tick(orders.limit)
        except Conflict:
            continue
        except StoreError:
            # The server is away, or was. It comes back.
            time.sleep(0.05)
            continue
        idle = 0 if report.claimed else idle + 1
