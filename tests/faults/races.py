"""Finish, block and resume, racing with a hand-over: once they have returned, no start mark is taken (E3).

At every point of a worker's passes at which another process can get a word in, it does. And with real threads, at
whatever moment it happens to be.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from sequencer.core.errors import Conflict, IllegalTransition
from sequencer.engine.engine import Engine
from tests.faults import deaths
from tests.faults.judge import judge
from tests.faults.processes import LONGEST, QUICK, lead
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import OUTSIDE, START, Life, Wire, World

__all__ = ["races"]


def _finish(engine: Engine, id: int) -> None:
    engine.finish(id)


def _block(engine: Engine, id: int) -> None:
    engine.block(id)


def _resume(engine: Engine, id: int) -> None:
    engine.resume(id)


def _block_and_resume(engine: Engine, id: int) -> None:
    engine.block(id)
    engine.resume(id)


VERBS: dict[str, Callable[[Engine, int], None]] = {
    "finish": _finish,
    "block": _block,
    "resume": _resume,
    "block and resume": _block_and_resume,
}


def races(on: str, size: Size) -> Tally:
    """Every verb at every point, and as it comes."""
    total = Tally()
    for offset, (mode, board) in enumerate(deaths.WORLDS):
        for verb in VERBS:
            clean = Wire()
            _race("memory", mode, board, verb, clean)  # where the points are those of every store
            free = [at for at, what in enumerate(clean.points, start=1) if what in OUTSIDE]
            for at in free[offset % size.stride(on) :: size.stride(on)]:
                total.add(_race(on, mode, board, verb, Wire({at})))
    for seed in range(size.rounds):
        total.add(_threads(on, seed))
    return total


def _race(on: str, mode: str, board: str, verb: str, wire: Wire) -> Tally:
    with stage(on) as made:
        world = World(made, mode, board)
        ids = [world.engine.enroll(deaths.FLOW, deaths.person(number)).id for number in (1, 2, 3)]
        if verb == "resume":
            world.engine.block(ids[1])
        host = world.engine
        world.wire = wire

        def speak(life: Life, what: str) -> None:
            for id in ids:
                with suppress(IllegalTransition):
                    VERBS[verb](host, id)

        wire.strike = speak
        world.restart()
        world.engine.tick()
        world.clock.move(hours=2)
        world.engine.tick()
        _go_on(world, ids)
        deaths.complete_tasks(world, but=())
        world.work(START + timedelta(days=30))
        _go_on(world, ids)
        world.work(START + timedelta(days=60))
        tally = judge(
            evidence(
                made, enrolled=ids, log=world.log, embedded=board == "embedded", by_hand=ids if verb == "finish" else ()
            )
        )
        tally.injected = wire.struck
        tally.notes = [f"{mode}, {board}, {verb} at {sorted(wire.at)}: {note}" for note in tally.notes]
        return tally


def _go_on(world: World, ids: list[int]) -> None:
    """Nobody stays paused."""
    for id in ids:
        if world.engine.get(id).blocked_reason == "paused":
            world.engine.resume(id)


def _threads(on: str, seed: int) -> Tally:
    """A worker on a thread of its own, while this one finishes, blocks and resumes whom it likes."""
    chance = random.Random(seed)
    with stage(on) as made:
        world = World(made, "at_most_once")
        ids = [world.engine.enroll(QUICK, lead(number)).id for number in range(1, 31)]
        over, failed = threading.Event(), list[BaseException]()

        def run() -> None:
            engine = world.start(Life())
            try:
                while not over.is_set():
                    with suppress(Conflict):
                        engine.tick(5)
            except BaseException as error:  # noqa: BLE001 - told to the thread that waits
                failed.append(error)

        worker = threading.Thread(target=run)
        worker.start()
        finished: set[int] = set()
        done = 0
        for id in chance.sample(ids, 20):
            verb = chance.choice(list(VERBS))
            # A verb that meets a writer says so, and the host tries again.
            for _ in range(100):
                try:
                    VERBS[verb](world.engine, id)
                except Conflict:
                    continue
                except IllegalTransition:
                    break
                done += 1
                finished |= {id} if verb == "finish" else set()
                break
        over.set()
        worker.join(LONGEST)
        assert not failed, failed
        _go_on(world, ids)
        world.work(START + timedelta(days=400))
        tally = judge(evidence(made, enrolled=ids, log=world.log, by_hand=finished))
        tally.injected = done
        tally.notes = [f"threads: {note}" for note in tally.notes]
        return tally
