"""The same people in the same world, through the real engine, its worker and a store: what simulations are held to."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import Any

import attrs

from sequencer.core.effects import CreateTask, SendEmail
from sequencer.core.enrollment import changed
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
        enrollment = stage.get(email.enrollment_id)
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
        enrollment = stage.get(task.enrollment_id)
        effect = CreateTask(key, task.enrollment_id, task.position, task.attempt)
        signal, happenings = stage.world.task(enrollment, effect, stage.clock.now(), complete=True)
        stage.note(enrollment.id, happenings)
        assert isinstance(signal, TaskCreated), signal
        return signal.task_id

    def cancel(self, task_id: Any) -> None:
        """Nothing is left of it."""


class Stage:
    """An engine on a manual clock, a diary of what will happen, and a loop that does what a host would."""

    def __init__(
        self, sequences: Any, scenario: Any, arrivals: Any, seed: int, store: Any = None, *, by_key: bool = False
    ) -> None:
        self.sequences, self.scenario = sequences, scenario
        # As in a forecast, where chance knows sequences by their keys.
        self.world = World(
            scenario, sequences, Luck(seed), [f"key {each.key}" for each in sequences] if by_key else None
        )
        self.clock = ManualClock(min(each.at for each in arrivals))
        self.store = store
        if store is None:
            self.store = MemoryStore()
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
        for each in {each.key: each for each in reversed(sequences)}.values():
            self.engine.save(each)
        self.diary: list[Any] = []
        self.entries = 0
        self.cursor = 0
        # The second of a key is its second version; who is to be in it, is moved there.
        seen: Counter[str] = Counter()
        self.places = {}
        for place, each in enumerate(sequences, 1):
            seen[each.key] += 1
            self.places[each.key, seen[each.key]] = place
        self.refused: dict[int, str] = {}
        for each in arrivals:
            self._push(each.at, 0, each.index + 1, each)

    def _push(self, at: Any, order: int, id: int, what: Any) -> None:
        self.entries += 1
        heapq.heappush(self.diary, (to_microseconds(at), order, id, self.entries, at, what))

    def note(self, id: int, happenings: Any) -> None:
        for each in happenings:
            self._push(each.at, 1, id, each)

    def get(self, id: int) -> Any:
        """An enrollment as the world knows it: in its sequence's place, or its version's where there are several."""
        with self.store.transaction(write=False) as transaction:
            enrollment = transaction.get(id).enrollment
        version = enrollment.version
        place = self.places[version.key, version.version]
        return changed(enrollment, {"version": attrs.evolve(version, sequence_id=place)})

    def engine_of(self, account: Any) -> Engine:
        """The engine, as an account's people have it."""
        return self.engine if account is None else self.engine.account(account)

    def run(self, until: Any = None) -> Stage:
        """Until nothing will happen any more; or to an instant, with the clock left there."""
        cursor = self.cursor
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
            if not upcoming or (until is not None and max(min(upcoming), self.clock.now()) > until):
                self.cursor = cursor
                if until is not None:
                    self.clock.set(until)
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
        row, engine = arrival.row, self.engine_of(arrival.account)
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
        enrollment = self.get(id)
        engine = self.engine_of(enrollment.account)
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
                    enrollment = self.get(event.enrollment_id)
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
