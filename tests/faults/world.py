"""The world around the engine: processes that can be struck at every commit and every call, and ports that write down.

A `Wire` counts the points that all processes of a run pass, and strikes at those it was told. What a strike does is the
fault's affair: kill the process, call a verb, let another worker take over. In a clean run it strikes nowhere, and so
finds out how many points there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pendulum

from sequencer.core.enrollment import Resource
from sequencer.core.errors import SequencerError
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, Pending, Person, Rejected, TaskRequest
from sequencer.simulation.clock import ManualClock
from tests.faults.judge import Departure, Look
from tests.faults.stages import Stage

__all__ = ["LEASE", "START", "Death", "Life", "Stuck", "Undone", "Wire", "World"]

LEASE = 120.0
START = pendulum.datetime(2026, 3, 2, 9, 0, tz="UTC")

BEGIN, WRITTEN, COMMIT, COMMITTED = "begin", "written", "commit", "committed"
"""The points of a transaction that writes: before it, after each thing that is written, before its commit, after it."""
CALLED, DONE = "called", "done"
"""The points of a call of a port: before it, after it."""
OUTSIDE = (BEGIN, COMMITTED, CALLED, DONE)
"""The points outside of transactions, at which others get a word in."""

WRITES = frozenset(
    ("save_version", "new_ids", "insert", "save", "claim", "renew", "release", "set_aside",
     "set_cursor", "save_report", "suppress", "create_task", "close_task")
)  # fmt: skip


class Death(BaseException):
    """The process is gone."""


class Undone(BaseException):
    """The commit is said to be done, and nothing of it is there."""


class Stuck(Exception):
    """It went on and on."""


class Life:
    """One process. Once it is dead, nothing that it tries succeeds, also not what it does while it unwinds."""

    def __init__(self) -> None:
        self.alive = True

    def die(self) -> None:
        """Now."""
        self.alive = False
        raise Death


Strike = Callable[[Life, str], None]


class Wire:
    """Counts points, and strikes at those in `at`."""

    def __init__(self, at: Collection[int] = (), strike: Strike | None = None) -> None:
        self.at = frozenset(at)
        self.points: list[str] = []
        self.struck = 0
        self.strike = strike or (lambda life, what: life.die())

    def step(self, life: Life, what: str) -> None:
        """A process passes a point."""
        if not life.alive:
            raise Death
        self.points.append(what)
        if len(self.points) in self.at:
            self.struck += 1
            self.strike(life, what)


class _Steps:
    """A transaction with a point after each thing that is written."""

    def __init__(self, transaction: Any, wire: Wire, life: Life) -> None:
        self._transaction = transaction
        self._wire = wire
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._transaction, name)
        if name not in WRITES:
            return method

        def stepping(*arguments: Any, **keywords: Any) -> Any:
            answer = method(*arguments, **keywords)
            self._wire.step(self._life, WRITTEN)
            return answer

        return stepping


class WatchedStore:
    """A store as one process sees it."""

    def __init__(self, store: Any, wire: Wire, life: Life, look: Callable[[Any, Life], Any] | None = None) -> None:
        self._store = store
        self._wire = wire
        self._life = life
        self._look = look
        self.origin = store.origin

    @contextmanager
    def transaction(self, connection: Any = None, *, write: bool = True) -> Iterator[Any]:
        wire, life = self._wire, self._life
        if write:
            wire.step(life, BEGIN)
        elif not life.alive:
            raise Death
        try:
            with self._store.transaction(connection, write=write) as transaction:
                stepping = _Steps(transaction, wire, life) if write else transaction
                yield stepping if self._look is None else self._look(stepping, life)
                if write:
                    wire.step(life, COMMIT)
        except Undone:
            return
        if write:
            wire.step(life, COMMITTED)

    def looking(self, claims: Any) -> Any:
        return _WatchedLooks(self, self._store.looking(claims))

    def close(self) -> None:
        pass


class _WatchedLooks:
    """The looks of a process that lives, each of which says what one in a watched transaction says."""

    def __init__(self, store: WatchedStore, looks: Any) -> None:
        self._store = store
        self._looks = looks

    def look(self, *what: Any) -> bool | None:
        with self._store.transaction(write=False) as transaction:
            expected: bool | None = transaction.look(*what)
        seen: bool | None = self._looks.look(*what)
        assert seen is expected, f"a look at {what} says {seen}, and in a transaction {expected}"
        return seen


class World:
    """A store, a clock, a mailer, a task board, the people, and the processes that come and go.

    `mode` is the mailer's: "deduplicates", "at_most_once", "at_least_once". `board` is "embedded", "deduplicates" or
    "at_most_once". What the ports answer is decided by `mail_answer`, where it is set.
    """

    def __init__(
        self,
        stage: Stage | None,
        mode: str = "deduplicates",
        board: str = "embedded",
        *,
        wire: Wire | None = None,
        clock: Any = None,
        look: Callable[[Any, Life], Any] | None = None,
        store: Any = None,
    ) -> None:
        self.mode = mode
        self.board = board
        self.wire = wire or Wire()
        self.clock = clock or ManualClock(START)
        self.store: Any = store if stage is None else stage.store()
        self.log: list[Departure] = []
        self.look = look
        self.mail_answer: Callable[[Email, str], Any] = lambda email, key: None
        self.answers: dict[str, Any] = {}
        self.smtp: Any = None
        self.options: dict[str, Any] = {"lease": LEASE, "port_threads": False}
        self.task_name: Callable[[TaskRequest], str] = lambda task: f"task-{len(self.log)}"
        self.board_fails: Exception | None = None
        self.open_tasks: dict[str, tuple[int, int]] = {}
        self.task_of_key: dict[str, str] = {}
        self.life = Life()
        self.engine = self.start(self.life)

    def start(self, life: Life) -> Engine:
        """Another process."""
        store = WatchedStore(self.store, self.wire, life, self.look)
        return Engine(
            store=store,
            mailer=_Mailer(self, life) if self.smtp is None else _Line(self, life, self.smtp),
            tasks=None if self.board == "embedded" else _Board(self, life),
            people=_People(self, life),
            clock=self.clock,
            **self.options,
        )

    def restart(self) -> None:
        """The process is gone, the next one takes over."""
        self.life = Life()
        self.engine = self.start(self.life)

    # -- what hosts do

    def act(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """A verb, asked for until it was answered, as careful hosts do: with a key, after whatever went wrong.

        A host that was told "done" by a store that had not done it finds that out by reading, and asks again.
        """
        while True:
            struck = self.wire.struck
            try:
                answer = verb(self.engine, *arguments)
            except Death:
                self.restart()
            except SequencerError:
                if self.wire.struck == struck:
                    raise
            else:
                if self.wire.struck == struck:
                    return answer

    def work(self, until: Any, limit: int = 1000, tries: int = 3000) -> None:
        """A worker until an instant, restarted when it dies, and going on when its store fails it."""
        for _ in range(tries):
            struck = self.wire.struck
            try:
                report = self.engine.tick(limit)
            except Death:
                self.restart()
                continue
            except SequencerError:
                if self.wire.struck == struck:
                    raise
                continue
            if report.more and report.claimed:
                continue
            if report.next_due_at is None or report.next_due_at > until:
                break
            self.clock.set(max(report.next_due_at, self.clock.now() + timedelta(microseconds=1)))
        else:
            raise Stuck(f"not done with what is due until {until} after {tries} passes")
        if self.clock.now() < until:
            self.clock.set(until)

    # -- what ports do

    def seen(self, id: int, position: int) -> Look:
        """How the store has it, at this moment."""
        with self.store.transaction(write=False) as transaction:
            held = transaction.get(id)
        assert held is not None
        enrollment = held.enrollment
        current = enrollment.current
        step = enrollment.steps[position]
        return Look(
            enrollment.state.value,
            None if current is None else current.position,
            step.status.value,
            step.estimated_execute_at,
        )

    def known(self, key: str) -> Any:
        """What was answered to this key before."""
        return self.answers.get(key)

    def remember(self, key: str, answer: Any) -> None:
        """Note what is answered to a key."""
        self.answers[key] = answer

    def depart(self, id: int, position: int, key: str, look: Look | None) -> None:
        """Something goes out, and is written down."""
        self.log.append(Departure(id, position, key, self.clock.now(), look))


class _Mailer:
    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self.deduplicates = world.mode == "deduplicates"
        self.delivery = "at_least_once" if world.mode == "at_least_once" else "at_most_once"

    def send(self, email: Email, *, key: str, timeout: float) -> Any:
        world = self._world
        look = world.seen(email.enrollment_id, email.position) if self.deduplicates else None
        world.wire.step(self._life, CALLED)
        answer = world.known(key) if self.deduplicates else None
        if answer is None:
            answer = world.mail_answer(email, key)
            if answer is None:
                answer = Accepted(f"<{key}@faults>")
            if isinstance(answer, (Accepted, Pending)):
                world.remember(key, answer)
                world.depart(email.enrollment_id, email.position, key, look)
        world.wire.step(self._life, DONE)
        if isinstance(answer, Exception):
            raise answer
        return answer


class _Line:
    """A real mailer, with a point before and after each call."""

    def __init__(self, world: World, life: Life, mailer: Any) -> None:
        self._world = world
        self._life = life
        self._mailer = mailer
        self.deduplicates = mailer.deduplicates
        self.delivery = mailer.delivery

    def send(self, email: Email, *, key: str, timeout: float) -> Any:
        self._world.wire.step(self._life, CALLED)
        answer = self._mailer.send(email, key=key, timeout=timeout)
        self._world.wire.step(self._life, DONE)
        return answer


class _Board:
    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self.deduplicates = world.board == "deduplicates"

    def create(self, task: TaskRequest, *, key: str) -> str:
        world = self._world
        look = world.seen(task.enrollment_id, task.position) if self.deduplicates else None
        world.wire.step(self._life, CALLED)
        id = world.task_of_key.get(key) if self.deduplicates else None
        if id is None and world.board_fails is not None:
            raise world.board_fails
        if id is None:
            world.depart(task.enrollment_id, task.position, key, look)
            id = world.task_name(task)
            world.task_of_key[key] = id
            world.open_tasks[id] = (task.enrollment_id, task.position)
        world.wire.step(self._life, DONE)
        return id

    def cancel(self, task_id: str) -> None:
        self._world.wire.step(self._life, CALLED)
        self._world.open_tasks.pop(task_id, None)
        self._world.wire.step(self._life, DONE)


class _People:
    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life

    def __call__(self, resource: Resource) -> Person:
        self._world.wire.step(self._life, CALLED)
        person = Person(resource.email, resource.timezone, resource.fields)
        self._world.wire.step(self._life, DONE)
        return person


REFUSED = Rejected("451 try later", permanent=False)
