"""The machine for a host's own store, ports and sequences: made from what makes those."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from sequencer.core.errors import InvalidInput
from sequencer.core.sequence import Sequence
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Mailer, TaskBoard, TaskId
from sequencer.engine.storage import Store
from sequencer.testing.machine.cast import cast_of
from sequencer.testing.machine.driving import Machine
from sequencer.testing.machine.telling import START
from sequencer.testing.machine.world import World

__all__ = ["engine_machine"]

_STEPS = 30


def engine_machine(
    *,
    store: Callable[[], Store | AbstractContextManager[Store]],
    mailer: Callable[[], Mailer | AbstractContextManager[Mailer]] | None = None,
    tasks: Callable[[], TaskBoard | AbstractContextManager[TaskBoard]] | None = None,
    sequences: Iterable[Sequence] | None = None,
    engine: Callable[..., Engine] = Engine,
    sent: Callable[[Any], int] | None = None,
    open_tasks: Callable[[Any], Collection[TaskId]] | None = None,
) -> type[RuleBasedStateMachine]:
    """A state machine of Hypothesis that tells random stories to an engine, and holds it against a naive model.

    In a test module, `TestEngine = engine_machine(store=MyStore).TestCase` is a test. Each story enrolls people, lets
    time pass and jump, ticks, completes tasks, uses every verb, brings every report, lets ports refuse, fail and lose
    answers, and workers die at any instant. It fails where an answer is not the model's, where a law is broken
    (nothing lost, doubled, early or out of order; legal statuses only; a history that replays to what is stored), or
    where not everything comes to an end in the end; and prints the shortest story that it found, as a program.

    - `store`: makes a new, empty store for each story, which is closed after it; or gives a context manager of one.
    - `mailer`, `tasks`: make the ports of the host's; None for ports of the machine's own. Refusals, errors and lost
      answers are put around them, so they should accept what they get; the clock that the engine has is a manual one.
    - `sequences`: the host's own, which are enrolled into and moved between versions; None for four of the machine's.
      Their templates are used; a template id without a text gets one.
    - `engine`: called with `store`, `mailer`, `tasks`, `clock`, `templates`, `lease` and `port_threads`, for a host
      that makes its engines itself. The model knows of no caps and no catching up, so it should set none.
    - `sent`: from the mailer, how many mails have left, to catch one that doubles or loses them.
    - `open_tasks`: from the board, the ids of its open tasks, to catch one that forgets or keeps them.

    Ports that take time make it slow: each story calls them some dozens of times.
    """
    for name, value, needs in (("sent", sent, mailer), ("open_tasks", open_tasks, tasks)):
        if value is not None and needs is None:
            raise InvalidInput(f"looks into {'a mailer' if name == 'sent' else 'a board'}, and none is made", path=name)
    cast = cast_of(sequences)

    def made(stack: ExitStack, make: Callable[[], Any], port: str) -> Any:
        thing = make()
        if not hasattr(thing, port) and hasattr(thing, "__enter__"):
            return stack.enter_context(thing)
        return thing

    class EngineMachine(Machine):
        """The engine, the host's store and ports, and the model."""

        def make_store(self) -> Any:
            """The host's store, new and empty."""
            self.opened = ExitStack()
            return made(self.opened, store, "transaction")

        def make_world(self, mode: str, board: str) -> World:
            """The world, with the host's ports in it."""
            return World(
                self.store,
                mode,
                board,
                START,
                cast,
                mailer=None if mailer is None else made(self.opened, mailer, "send"),
                tasks=None if tasks is None else made(self.opened, tasks, "create"),
                engine=engine,
            )

        def look_at_the_ports(self) -> None:
            """No mail is doubled or lost by the mailer, and no task is forgotten or kept by the board."""
            world = self.world
            if sent is not None:
                left, handed = sent(world.mailer), world.handed
                assert handed.left <= left <= handed.left + handed.perhaps, (
                    f"{left} mails have left, where {handed.left} were accepted, each under a key of its own"
                )
            if open_tasks is not None:
                found = list(open_tasks(world.board))
                assert len(found) == len(set(found)), f"a task is on the board twice: {found}"
                for id, task in world.tasks.items():
                    assert task["status"] != "open" or id in found, f"task {id!r} was not taken off, and is gone"
                    assert task["status"] != "cancelled" or id not in found, f"task {id!r} was taken off, and is there"
                assert set(found) <= set(world.tasks), f"more is on the board than was put there: {found}"

        def teardown(self) -> None:
            """Run the story to its end, and close what was opened."""
            try:
                super().teardown()
            finally:
                if hasattr(self, "opened"):
                    self.opened.close()

    EngineMachine.cast = cast
    # Explaining a story traces each line of the engine, and takes ten times as long as finding the shortest one.
    phases = [phase for phase in Phase if phase is not Phase.explain]
    EngineMachine.TestCase.settings = settings(
        deadline=None, stateful_step_count=_STEPS, suppress_health_check=list(HealthCheck), phases=phases
    )
    return EngineMachine
