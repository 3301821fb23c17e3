"""Workers that get into each other's way: several at once, and one that was stopped beyond its lease and wakes.

A lease keeps workers apart, and a fencing token makes sure of it: whatever a stale worker wants to write under a claim
that is not its own any more is refused. The answers that it brings from ports count all the same (L10).
"""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import Any

from sequencer.core.calendar import Calendar
from sequencer.core.instants import to_microseconds
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Template
from sequencer.engine.ports import Accepted
from tests.faults import deaths
from tests.faults.judge import Departure, judge
from tests.faults.processes import CONTEXT, LONGEST, QUICK, WEEK, Orders, departures, lead, race
from tests.faults.stages import Size, Stage, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import LEASE, OUTSIDE, START, Life, Wire, World

__all__ = ["rivals", "stale"]

LONG = Sequence(
    "long",
    [Step(AutomatedEmail(1)) for _ in range(12)],
    calendar=Calendar("UTC", working_days=WEEK),
    templates={1: Template("Hello", "There")},
)


# -- at the same time -----------------------------------------------------------------------------------------


def rivals(on: str, size: Size) -> Tally:
    """2 to 8 workers at the same moment, on many enrollments and on one."""
    total = Tally()
    counts = (2, 8) if size.rounds == 1 else (2, 3, 4, 5, 6, 7, 8)
    modes = ("at_most_once", "deduplicates")
    for _ in range(size.fewer(on, max(1, size.rounds // 2))):
        for count in counts:
            # At the small size each mode once, the one that forgives nothing with the most workers.
            for mode in modes if size.rounds > 1 else (modes[0] if count > 2 else modes[1],):
                for sequence, people in ((QUICK, 12 * count), (LONG, 1)):
                    tally = _race(on, count, mode, sequence, people)
                    tally.notes = [f"{count} workers, {sequence.key}, {mode}: {note}" for note in tally.notes]
                    total.add(tally)
    return total


def _race(on: str, count: int, mode: str, sequence: Sequence, people: int) -> Tally:
    with stage(on) as made:
        world = World(made, mode)
        ids = [world.engine.enroll(sequence, lead(number)).id for number in range(1, people + 1)]
        passes = 30 if people == 1 else 3
        if made.address is None:
            _threads(world, count, passes)
        else:
            world.log += _processes(made, count, mode, passes)
            # What the others have sent is known to this one's mailer, too.
            world.answers.update((each.key, Accepted(f"<{each.key}@faults>")) for each in world.log)
        world.work(START + timedelta(days=400))
        tally = judge(evidence(made, enrolled=ids, log=world.log))
        tally.injected = count
        return tally


def _threads(world: World, count: int, passes: int) -> None:
    start, failed = threading.Barrier(count), []

    def run() -> None:
        engine, idle = world.start(Life()), 0
        start.wait(LONGEST)
        try:
            while idle < passes:
                idle = 0 if engine.tick(5).claimed else idle + 1
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(LONGEST)
    assert not failed, failed


def _processes(made: Stage, count: int, mode: str, passes: int) -> list[Departure]:
    clock = CONTEXT.Value("q", to_microseconds(START), lock=False)
    assert made.address is not None
    orders = Orders(made.address, str(made.folder), mode, clock)
    start = CONTEXT.Barrier(count)
    processes = [CONTEXT.Process(target=race, args=(orders, start, passes)) for _ in range(count)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(LONGEST)
        assert each.exitcode == 0, each.exitcode
    return departures(str(made.folder))


# -- too late -------------------------------------------------------------------------------------------------


class Writes:
    """The claim-bound writes of workers whose claim was over."""

    def __init__(self) -> None:
        self.refused = 0
        self.believed: list[str] = []

    def note(self, name: str, *, refused: bool) -> None:
        if refused:
            self.refused += 1
        else:
            self.believed.append(name)


class _Watched:
    """A transaction that holds every claim-bound write against who owns the claim."""

    def __init__(self, transaction: Any, life: Life, writes: Writes) -> None:
        self._transaction = transaction
        self._life = life
        self._writes = writes
        self._claims: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    def _is_stale(self, id: int, fence: int | None) -> bool:
        if fence is None or id in self._claims:
            return False
        held = self._transaction.get(id)
        return held is not None and held.fence != fence

    def claim(self, *arguments: Any) -> Any:
        found = self._transaction.claim(*arguments)
        # Not written yet, perhaps: claims of this very transaction are its own.
        self._claims |= {held.enrollment.id for held in found}
        return found

    def save(self, enrollment: Any, events: Any, *, fence: int | None = None, release: bool = False) -> bool:
        stale = self._is_stale(enrollment.id, fence)
        saved: bool = self._transaction.save(enrollment, events, fence=fence, release=release)
        if stale:
            self._writes.note("save", refused=not saved)
        return saved

    def save_many(self, decisions: Any) -> list[bool]:
        stale = [self._is_stale(enrollment.id, fence) for enrollment, _, fence in decisions]
        saved: list[bool] = self._transaction.save_many(decisions)
        for each, was_stale in zip(saved, stale, strict=True):
            if was_stale:
                self._writes.note("save", refused=not each)
        return saved

    def look(self, enrollment: Any, fence: int, address: str | None) -> bool | None:
        stale = self._is_stale(enrollment.id, fence)
        seen: bool | None = self._transaction.look(enrollment, fence, address)
        if stale:
            self._writes.note("look", refused=seen is None)
        return seen

    def renew(self, claims: Any, until: Any) -> None:
        self._bound("renew", list(claims), lambda own: self._transaction.renew(own, until))

    def release(self, claims: Any) -> None:
        self._bound("release", list(claims), self._transaction.release)

    def _bound(self, name: str, claims: list[tuple[int, int]], write: Any) -> None:
        before = {id: self._transaction.get(id).lease_until for id, fence in claims if self._is_stale(id, fence)}
        write(claims)
        for id, lease_until in before.items():
            self._writes.note(name, refused=self._transaction.get(id).lease_until == lease_until)


def stale(on: str, size: Size) -> Tally:
    """A worker stopped at each point of its passes, beyond its lease; another has taken over when it wakes."""
    total, refused = Tally(), 0
    for mode, board in deaths.WORLDS:
        clean = Wire()
        _sleep("memory", mode, board, clean)  # where the points are those of every store
        # Nobody is taken over from inside a transaction: it holds the lock, or it is rolled back.
        free = [at for at, what in enumerate(clean.points, start=1) if what in OUTSIDE]
        for at in free[:: max(1, size.stride(on) // 3)]:
            for works in (True, False):
                tally, writes = _sleep(on, mode, board, Wire({at}), works=works)
                total.add(tally)
                refused += writes
    if not refused:
        total.found("corrupt", "no stale write was seen, so nothing was proven")
    return total


def _sleep(on: str, mode: str, board: str, wire: Wire, *, works: bool = True) -> tuple[Tally, int]:
    """One worker's two passes, struck by a sleep; what came of it, and how many stale writes were refused.

    The other worker has done its work (`works`), or has only just claimed it, when this one wakes.
    """
    writes = Writes()
    with stage(on) as made:
        world = World(made, mode, board, look=partial(_Watched, writes=writes))
        ids = [world.engine.enroll(deaths.FLOW, deaths.person(number)).id for number in (1, 2, 3)]
        world.wire = wire

        def take_over(life: Life, what: str) -> None:
            world.clock.move(seconds=LEASE + 5)
            if works:
                world.start(Life()).tick()
                return
            with world.store.transaction() as transaction:
                transaction.claim(world.clock.now(), 100, LEASE)

        wire.strike = take_over
        world.restart()
        world.engine.tick()
        world.clock.move(hours=2)
        world.engine.tick()
        deaths.complete_tasks(world, but=())
        world.work(START + timedelta(days=30))
        tally = judge(evidence(made, enrolled=ids, log=world.log, embedded=board == "embedded"))
    tally.injected = wire.struck
    for name in writes.believed:
        tally.found("corrupt", f"a stale {name} was believed")
    tally.allow(wire.struck if mode == "at_least_once" else 0)
    tally.notes = [f"{mode}, {board}, stopped at {sorted(wire.at)}: {note}" for note in tally.notes]
    return tally, writes.refused
