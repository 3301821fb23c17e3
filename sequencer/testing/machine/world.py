"""The world around the engine: the store, in which a process can die, the clock, and what the ports have seen.

Nothing here knows how the engine works. A `Life` is one process: it dies at its n-th step, where a step is the
beginning, the commit or the end of a transaction, or the beginning or end of a call of a port; from then on nothing
that it tries succeeds. Each hand-over is held against the store at the very moment of the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sequencer.core.enrollment import Enrollment
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Mailer, TaskBoard, TaskId
from sequencer.engine.stored import Held
from sequencer.simulation.clock import ManualClock
from sequencer.testing.machine.cast import Cast
from sequencer.testing.machine.ports import BoardOfALife, MailerOfALife

LEASE = 120.0


class Death(BaseException):
    """The process is gone."""


class Life:
    """One process."""

    def __init__(self) -> None:
        self.alive = True
        self.fuse: int | None = None

    def step(self) -> None:
        if self.alive and self.fuse is not None:
            self.fuse -= 1
            self.alive = self.fuse > 0
        if not self.alive:
            raise Death


class MortalStore:
    """A store as seen by one process."""

    def __init__(self, store: Any, life: Life) -> None:
        self._store = store
        self._life = life
        self.origin = store.origin

    @contextmanager
    def transaction(self, connection: Any = None, **how: Any) -> Iterator[Any]:
        self._life.step()
        with self._store.transaction(connection, **how) as transaction:
            yield transaction
            self._life.step()
        self._life.step()

    def looking(self, claims: Any) -> Any:
        return _MortalLooks(self._store.looking(claims), self._life)

    def close(self) -> None:
        pass


class _MortalLooks:
    """Looks at claims, at which a process may die before and after each."""

    def __init__(self, looks: Any, life: Life) -> None:
        self._looks = looks
        self._life = life

    def look(self, *what: Any) -> bool | None:
        self._life.step()
        seen: bool | None = self._looks.look(*what)
        self._life.step()
        return seen


class Call:
    """One call of a port: what it was for, and what came of it."""

    def __init__(self, enrollment: Enrollment, position: int, key: str, attempt: int, at: Any, life: Life) -> None:
        self.id = enrollment.id
        self.position = position  # at the time; a move can give the step another
        self.number = int(key.split("-")[-2])
        self.step_key = enrollment.steps[position].step.key
        self.key = key
        self.attempt = attempt
        self.at = at
        self.life = life
        self.outcome = "unknown"  # accepted, refused, pending; unknown: it raised
        self.result: Any = None
        self.lost = False  # the answer may not have reached the engine
        self.retried = False  # a person has asked for another try since

    def __repr__(self) -> str:
        return f"<{self.key} attempt {self.attempt} at {self.at}: {self.outcome}>"


class Handed:
    """What became of the mails that were handed to a mailer of the host's: how many must have left, and may have."""

    def __init__(self) -> None:
        self.answers: dict[str, Accepted] = {}
        self.left = 0
        self.perhaps = 0


def mode_of(port: Any, *, deduplicates: bool = False) -> str:
    """How a port of the host's wants to be called again (law E3)."""
    if getattr(port, "deduplicates", deduplicates):
        return "deduplicates"
    return "at_least_once" if getattr(port, "delivery", "at_most_once") == "at_least_once" else "at_most_once"


class World:
    """The store, the clock, the mailer, the board, and the processes."""

    def __init__(
        self,
        store: Any,
        mode: str,
        board: str,
        start: Any,
        cast: Cast,
        *,
        mailer: Mailer | None = None,
        tasks: TaskBoard | None = None,
        engine: Callable[..., Engine] = Engine,
    ) -> None:
        self.store = store
        self.cast = cast
        self.make_engine = engine
        self.mailer = mailer
        self.board = tasks
        self.mode = mode if mailer is None else mode_of(mailer)
        board = board if tasks is None else mode_of(tasks, deduplicates=True)
        self.clock = ManualClock(start)
        self.mails: list[Call] = []
        self.creations: list[Call] = []
        self.tasks: dict[TaskId, dict[str, Any]] = {}
        self.handed = Handed()
        self.script: deque[str] = deque()
        self.inside: deque[Callable[[], None]] = deque()
        self.violations: list[str] = []
        self.suppressed: set[str] = set()
        self.accepted: dict[str, Accepted] = {}
        self.interfered = False
        self.begun = (0, 0)
        self.external = board != "embedded"
        self.board_mode = board
        self.host = self.engine(Life())
        self.life = Life()
        self.worker = self.engine(self.life)

    def engine(self, life: Life) -> Engine:
        """An engine as one process has it."""
        return self.make_engine(
            store=MortalStore(self.store, life),
            mailer=MailerOfALife(self, life),
            tasks=BoardOfALife(self, life) if self.external else None,
            clock=self.clock,
            templates=self.cast.template,
            lease=LEASE,
            port_threads=False,
        )

    def restart(self) -> None:
        """Another process takes over."""
        self.life = Life()
        self.worker = self.engine(self.life)

    def lose_answers(self) -> None:
        """The answers of the calls of this pass may never reach the engine."""
        for call in self.mails[self.begun[0] :] + self.creations[self.begun[1] :]:
            call.lost = True

    def held(self, id: int) -> Held:
        with self.store.transaction() as transaction:
            held: Held | None = transaction.get(id)
        assert held is not None, f"enrollment {id} is gone"
        return held

    def interfere(self) -> None:
        """What happens in the world while a port is being called."""
        if self.inside:
            self.interfered = True
            self.inside.popleft()()

    def called(self, port: str, asked: Any, key: str, life: Life) -> Call:
        """A call of a port, held against the laws and noted."""
        calls = self.mails if port == "mail" else self.creations
        enrollment = self.check_hand_over(port, asked.enrollment_id, asked.position, key, calls)
        call = Call(enrollment, asked.position, key, asked.attempt, self.clock.now(), life)
        calls.append(call)
        return call

    def check_hand_over(self, port: str, id: int, position: int, key: str, calls: list[Call]) -> Enrollment:
        """Held against the laws at the moment of the call; a violation is kept for the invariants to find."""
        enrollment, now = self.held(id).enrollment, self.clock.now()
        current = enrollment.current

        def holds(fact: bool, law: str) -> None:
            if not fact:
                self.violations.append(f"{law}: {port} {key} at {now}: {enrollment}")

        holds(enrollment.state.value == "active", "nothing is handed over unless active (L5, L7)")
        holds(current is not None and current.position == position, "only the current step (L4)")
        if current is not None and current.position == position:
            estimate = current.estimated_execute_at
            holds(current.status.value == "requested", "requested first (E1)")
            holds(current.started_at is not None, "the start mark comes first (E3)")
            holds(enrollment.key_of(current) == key, "the key is the step's (E2)")
            holds(estimate is not None and estimate <= now, "never early (E6)")
            if port == "mail":
                holds(enrollment.calendar.next_open(now, email=True) == now, "only while the calendar is open (T9)")
        number, step = int(key.split("-")[-2]), enrollment.steps[position].step
        before = [call for call in calls if (call.id, call.number) == (id, number)]
        holds(all(call.step_key == step.key for call in before), "no number of a key ever means two steps (E2)")
        again = [call for call in calls if call.id == id and call.step_key == step.key and call not in before]
        holds(step.key is None or not again, "a step that a version brings back is not taken for another one")
        if before:
            holds(self._may_repeat(before[-1], port), f"not twice, after {before[-1]} (E3)")
            if before[-1].key != key:
                refused = port == "task" or before[-1].outcome == "refused"
                holds(before[-1].retried and refused, "a new key only for a person's retry of what was refused (E2)")
        return enrollment

    def _may_repeat(self, last: Call, port: str) -> bool:
        if last.outcome == "refused" or last.retried:
            return True
        mode = self.mode if port == "mail" else self.board_mode
        return mode != "at_most_once" and (last.outcome == "unknown" or last.lost)
