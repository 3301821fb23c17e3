"""The world around the engine: ports with a script, a store that a process can die in, and what they have seen.

Nothing here knows how the engine works. A `Life` is one process: it dies at its n-th step, where a step is the
beginning, the commit or the end of a transaction, or the beginning or end of a call of a port; from then on nothing
that it tries succeeds. Each hand-over is held against the store at the very moment of the call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sequencer.core.enrollment import Enrollment, fold_address
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Pending, Rejected, TaskRequest
from sequencer.engine.storage import Held
from sequencer.simulation.clock import ManualClock

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


class World:
    """The store, the clock, the mailer, the board, and the processes."""

    def __init__(self, store: Any, mode: str, board: str, start: Any) -> None:
        self.store = store
        self.mode = mode
        self.clock = ManualClock(start)
        self.mails: list[Call] = []
        self.creations: list[Call] = []
        self.tasks: dict[str, dict[str, Any]] = {}
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
        return Engine(
            store=MortalStore(self.store, life),
            mailer=Mailer(self, life),
            tasks=Board(self, life) if self.external else None,
            clock=self.clock,
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
            held = transaction.get(id)
        assert held is not None
        return held

    def interfere(self) -> None:
        """What happens in the world while a port is being called."""
        if self.inside:
            self.interfered = True
            self.inside.popleft()()

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


class Mailer:
    """The mailer, as called by one process. What it answers is the world's script; without one, it accepts."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self.deduplicates = world.mode == "deduplicates"
        self.delivery = "at_least_once" if world.mode == "at_least_once" else "at_most_once"

    def send(self, email: Email, *, key: str, timeout: float) -> Any:
        world, life = self._world, self._life
        life.step()
        enrollment = world.check_hand_over("mail", email.enrollment_id, email.position, key, world.mails)
        if fold_address(email.to) in world.suppressed:
            world.violations.append(f"a suppressed address got mail (L8): {key}")
        call = Call(enrollment, email.position, key, email.attempt, world.clock.now(), life)
        world.mails.append(call)
        behaviour = world.script.popleft() if world.script else "accept"
        if self.deduplicates and key in world.accepted:
            behaviour = "accept"
        world.interfere()
        if behaviour == "accept":
            call.outcome = "accepted"
            call.result = world.accepted.setdefault(key, Accepted(f"<{key}-{len(world.mails)}>"))
        elif behaviour == "pending":
            call.outcome = "pending"
            call.result = Pending(f"provider-{len(world.mails)}")
        elif behaviour in ("temporary", "permanent", "recipient"):
            call.outcome = "refused"
            call.result = Rejected(
                "no, said bob@example.com", permanent=behaviour != "temporary", recipient_fault=behaviour == "recipient"
            )
        else:
            if behaviour == "raise after":
                world.accepted.setdefault(key, Accepted(f"<{key}-{len(world.mails)}>"))
            raise OutcomeUnknown(behaviour)
        life.step()
        return call.result


class Board:
    """The host's task board, as called by one process."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self.deduplicates = world.board_mode == "deduplicates"

    def create(self, task: TaskRequest, *, key: str) -> str:
        world, life = self._world, self._life
        life.step()
        enrollment = world.check_hand_over("task", task.enrollment_id, task.position, key, world.creations)
        call = Call(enrollment, task.position, key, task.attempt, world.clock.now(), life)
        world.creations.append(call)
        behaviour = world.script.popleft() if world.script else "accept"
        world.interfere()
        if behaviour == "raise":
            raise ConnectionError("the board is away")
        found = next((id for id, each in world.tasks.items() if each["key"] == key), None)
        if found is None or not self.deduplicates:
            found = f"task-{len(world.tasks) + 1}"
            world.tasks[found] = {"key": key, "id": task.enrollment_id, "position": task.position, "status": "open"}
        call.result = found
        if behaviour == "raise after":
            raise OutcomeUnknown("the answer was lost")
        call.outcome = "accepted"
        life.step()
        return found

    def cancel(self, task_id: str) -> None:
        self._life.step()
        behaviour = self._world.script.popleft() if self._world.script else "accept"
        if behaviour == "raise":
            raise ConnectionError("the board is away")
        if self._world.tasks[task_id]["status"] == "open":
            self._world.tasks[task_id]["status"] = "cancelled"
        self._life.step()
