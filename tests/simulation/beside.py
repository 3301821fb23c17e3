"""The same people in the same world, through the real engine, its worker and a store: what simulations are held to."""

from __future__ import annotations

import heapq
from typing import Any

from sequencer.core.effects import CreateTask, SendEmail
from sequencer.core.errors import AlreadyEnrolled, Suppressed
from sequencer.core.events import Event
from sequencer.core.instants import to_microseconds
from sequencer.core.signals import OUTSIDE, EmailSent, TaskCompleted, TaskCreated
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Rejected
from sequencer.simulation.chance import Luck
from sequencer.simulation.clock import ManualClock
from sequencer.simulation.simulator import ORIGIN
from sequencer.simulation.world import World
from sequencer.stores.memory import MemoryStore


class Mailer:
    """Answers what the world answers, and notes what will happen."""

    deduplicates = True

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def send(self, email: Any, *, key: str, timeout: float) -> Accepted | Rejected:
        stage = self.stage
        enrollment = stage.engine.get(email.enrollment_id)
        effect = SendEmail(key, email.enrollment_id, email.position, email.attempt)
        signal, happenings = stage.world.mail(enrollment, effect, stage.clock.now(), complete=True)
        if isinstance(signal, EmailSent):
            stage.note(enrollment.id, happenings)
            return Accepted(signal.message_id)
        return Rejected(
            signal.detail, permanent=signal.permanent, recipient_fault=signal.recipient_fault, reason=signal.reason
        )


class Board:
    """Creates every task, and notes when it will be done."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def create(self, task: Any, *, key: str) -> Any:
        stage = self.stage
        enrollment = stage.engine.get(task.enrollment_id)
        effect = CreateTask(key, task.enrollment_id, task.position, task.attempt)
        signal, happenings = stage.world.task(enrollment, effect, stage.clock.now(), complete=True)
        stage.note(enrollment.id, happenings)
        assert isinstance(signal, TaskCreated), signal
        return signal.task_id

    def cancel(self, task_id: Any) -> None:
        """Nothing is left of it."""


class Stage:
    """An engine on a manual clock, a diary of what will happen, and a loop that does what a host would."""

    def __init__(self, sequences: Any, scenario: Any, arrivals: Any, seed: int, store: Any = None) -> None:
        self.sequences, self.scenario = sequences, scenario
        self.world = World(scenario, sequences, Luck(seed))
        self.clock = ManualClock(min(each.at for each in arrivals))
        self.store = store or MemoryStore()
        self.store.origin = ORIGIN
        self.engine = Engine(
            store=self.store,
            mailer=Mailer(self),
            tasks=Board(self),
            clock=self.clock,
            cap=lambda account, actor: scenario.caps.of(actor),
            catch_up=scenario.worker.catch_up,
            port_threads=False,
        )
        for each in sequences:
            self.engine.save(each)
        self.diary: list[Any] = []
        self.entries = 0
        self.refused: dict[int, str] = {}
        for each in arrivals:
            self._push(each.at, 0, each.index + 1, each)

    def _push(self, at: Any, order: int, id: int, what: Any) -> None:
        self.entries += 1
        heapq.heappush(self.diary, (to_microseconds(at), order, id, self.entries, at, what))

    def note(self, id: int, happenings: Any) -> None:
        for each in happenings:
            self._push(each.at, 1, id, each)

    def run(self) -> Stage:
        """Until nothing will happen any more."""
        cursor = 0
        while True:
            if not self._is_down():
                # One pass: what it makes happen at this very instant comes before what is due then, once more.
                self.engine.tick()
                cursor = self._see_to_failures(cursor)
            with self.store.transaction(write=False) as transaction:
                wake = transaction.next_wake()
            upcoming = [self._up(wake)] if wake is not None else []
            if self.diary:
                upcoming.append(self.diary[0][4])
            if not upcoming:
                return self
            self.clock.set(max(min(upcoming), self.clock.now()))
            now = to_microseconds(self.clock.now())
            while self.diary and self.diary[0][0] <= now:
                _, order, id, _, _, what = heapq.heappop(self.diary)
                (self._arrive if order == 0 else self._happen)(id, what)
                cursor = self._see_to_failures(cursor)

    def _is_down(self) -> bool:
        now = self.clock.now()
        return any(each.begins <= now < each.ends for each in self.scenario.worker.downtime)

    def _up(self, at: Any) -> Any:
        for each in sorted(self.scenario.worker.downtime, key=lambda each: each.begins):
            if each.begins <= max(at, self.clock.now()) < each.ends:
                at = each.ends
        return at

    def _arrive(self, id: int, arrival: Any) -> None:
        row, account = arrival.row, arrival.account
        engine = self.engine if account is None else self.engine.account(account)
        try:
            made = engine.enroll(
                self.sequences[arrival.sequence],
                resource=row.resource,
                actor_id=row.actor_id,
                timezone=row.timezone,
                start_at=row.start_at,
                idempotency_key=row.idempotency_key,
            )
        except (AlreadyEnrolled, Suppressed) as error:
            self.refused[id] = type(error).__name__
            with self.store.transaction() as transaction:
                transaction.new_ids(1)
        else:
            assert made.id == id, (made.id, id)

    def _happen(self, id: int, happening: Any) -> None:
        engine = self.engine
        enrollment = engine.get(id)
        step = enrollment.steps[happening.position]
        if happening.what == "done":
            if step.status is StepStatus.IN_PROGRESS:
                engine.handle(TaskCompleted(key=f"{id}/{happening.position}/done", task_id=step.task_id))
        elif happening.what == "resume":
            if enrollment.state is EnrollmentState.BLOCKED and step.status is StepStatus.FAILED:
                engine.resume(id, skip=self.scenario.blocked.then == "skip")
        else:
            facts = {"until": happening.until} if happening.what == "out_of_office" else {}
            key = f"{id}/{happening.position}/{happening.what}"
            engine.handle(OUTSIDE[happening.what](key=key, enrollment_id=id, **facts))

    def _see_to_failures(self, cursor: int) -> int:
        while (page := self.engine.events(after=cursor, limit=500)).events:
            for event in page.events:
                if event.type == "step_failed":
                    enrollment = self.engine.get(event.enrollment_id)
                    if enrollment.state is EnrollmentState.BLOCKED:
                        happening = self.world.blocked(enrollment, event.position, event.at)
                        if happening is not None:
                            self.note(enrollment.id, [happening])
            cursor = page.cursor
        return cursor

    def histories(self) -> dict[int, list[Event]]:
        """The history of everybody."""
        found: dict[int, list[Event]] = {}
        cursor = 0
        while (page := self.engine.events(after=cursor, limit=1000)).events:
            for event in page.events:
                found.setdefault(event.enrollment_id, []).append(event)
            cursor = page.cursor
        return found
