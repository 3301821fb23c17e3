"""The clock steps back and forth by an hour, a day, ten years, whenever it likes; in the end it is right again (E6)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from sequencer.core.instants import later_by
from sequencer.simulation.clock import ManualClock
from tests.faults import deaths
from tests.faults.judge import judge
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import BEGIN, DONE, START, Life, Stuck, Wire, World

__all__ = ["JumpingClock", "clocks"]

STEPS = tuple(
    timedelta(**{unit: sign * n}) for unit, n in (("hours", 1), ("days", 1), ("days", 3652)) for sign in (1, -1)
)


class JumpingClock(ManualClock):
    """The true time, and how far off the clock is."""

    def __init__(self, start: DateTime) -> None:
        super().__init__(start)
        self.off = timedelta(0)
        self.jumps = 0

    def now(self) -> DateTime:
        return later_by(super().now(), self.off)

    def set(self, instant: Any) -> None:
        """Waiting until the clock shows an instant takes as long as it takes: the true time does not go back."""
        super().set(max(later_by(instant, -self.off), super().now()))

    def wait(self, until: DateTime) -> None:
        """Until the true time is so late."""
        super().set(until)

    def jump(self, chance: random.Random) -> None:
        """Off by another step from now on, or right again."""
        self.off = chance.choice((*STEPS, timedelta(0)))
        self.jumps += 1


def clocks(on: str, size: Size) -> Tally:
    """The story of the deaths, on such a clock."""
    total = Tally()
    for seed in range(size.fewer(on, 60 * size.rounds if size.rounds > 1 else 6)):
        for mode, board in deaths.WORLDS:
            total.add(_jumping(on, mode, board, seed))
    return total


def _notice(world: World, ids: list[int]) -> None:
    """Who was resumed by a clock that was years ahead waits for those years, and says so; somebody sees that."""
    for id in ids:
        enrollment = world.engine.get(id)
        current = enrollment.current
        at = None if current is None else current.estimated_execute_at
        if enrollment.state.value == "active" and at is not None and at > world.clock.now() + timedelta(days=10):
            world.engine.block(id)
            world.engine.resume(id, timeline="restart")


def _jumping(on: str, mode: str, board: str, seed: int) -> Tally:
    chance = random.Random(seed)
    clock = JumpingClock(START)
    often = chance.choice((0.02, 0.1, 0.5))

    class Jumps(Wire):
        def step(self, life: Life, what: str) -> None:
            super().step(life, what)
            # Not between a mark and its call: hand-over is the mark.
            if what in (BEGIN, DONE) and chance.random() < often:
                clock.jump(chance)

    with stage(on) as made:
        world = World(made, mode, board, wire=Jumps(), clock=clock)
        ids: list[int] = []
        tally = Tally()
        try:
            ids = deaths.story(world)
            clock.off, often = timedelta(0), 0
            # With a clock that was behind, the story may have waited for years.
            for _ in range(3):
                world.work(clock.now() + timedelta(days=30))
                _notice(world, ids)
                deaths.settle(world)
                deaths.complete_tasks(world, but=())
            world.work(clock.now() + timedelta(days=30))
        except Stuck as error:
            tally.found("stuck", str(error))
        found = evidence(
            made,
            enrolled=ids,
            log=world.log,
            embedded=board == "embedded",
            by_hand=[ids[number - 1] for number in (deaths.REPLIED, deaths.LEFT)] if ids else (),
            steady=False,
        )
    tally.add(judge(found))
    tally.injected = clock.jumps
    tally.notes = [f"{mode}, {board}, seed {seed}: {note}" for note in tally.notes]
    return tally
