"""The simulator: the engine's core on a manual clock, with a world around it instead of ports.

The rules (house, "The way one item travels"):

1. No rule of the engine is written here. An enrollment moves by the core's `advance` and by nothing else; who may be
   enrolled, whom a report concerns and whose turn it is are the engine's own functions, which ask the ledger.
2. Time is a heap of instants. At one instant people arrive first, then what happens outside is reported, and then the
   engine looks at what is due, as a worker would that is always there, at once and in one pass.
3. What happens at one instant is in the order of the enrollments, so groups that cannot touch each other give the same
   beside each other, one after another, and apart.

A step that is due is handed over and answered at once: its `Due` and the answer are two calls of `advance`. So that no
leases, marks and looks are needed, nobody else may work on the same enrollments; a store is never asked.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from datetime import datetime
from typing import Any, cast

from pendulum import DateTime

from sequencer.core.decision import Decision
from sequencer.core.effects import CancelTask, CreateTask, SendEmail, hand_over_of
from sequencer.core.enrollment import Enrollment, fold_address
from sequencer.core.errors import AlreadyEnrolled, InvalidInput, KeyReused, Suppressed
from sequencer.core.events import Event
from sequencer.core.instants import EPOCH, from_microseconds, later_by, to_instant, to_microseconds
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.pacing import Cap
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import (
    OUTSIDE,
    Due,
    EmailSent,
    Finish,
    Handling,
    Resume,
    Signal,
    TaskCancelled,
    TaskCompleted,
    Withdraw,
)
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.core.values import Identifier
from sequencer.engine.enrolling import enroll_one
from sequencer.engine.pacing import Pacing
from sequencer.engine.reports import handle
from sequencer.engine.stored import Actor, ActorMail, Held
from sequencer.engine.zonedata import version_in_use
from sequencer.simulation.answers import Answers
from sequencer.simulation.chance import Luck
from sequencer.simulation.ledger import Ledger
from sequencer.simulation.population import Arrival
from sequencer.simulation.scenario import Scenario
from sequencer.simulation.world import Happening, World

__all__ = ["ORIGIN", "Simulator", "versions_of"]

ORIGIN = "5e0ce5e0ce5e0ce5"
"""What stands for a store's random id in the keys of effects: pauses between attempts are derived from these."""

_DUE = Due(email=Handling(deduplicates=True), task=Handling(deduplicates=True))
_ARRIVES, _HAPPENS, _IS_DUE = range(3)
_Entry = tuple[int, int, int, int, Any]


def versions_of(sequences: Several[Sequence]) -> list[SequenceVersion]:
    """The versions that a run's enrollments refer to: each sequence is known by its place, from 1."""
    return [SequenceVersion(i, each.key, 1, each, i) for i, each in enumerate(sequences, 1)]


class Simulator:
    """Runs people through sequences: `peek` at the next instant, `step` through it, or `run` on.

    `arrivals` are who is to be enrolled; `answers` count what happens, `world` is made by the scenario and the seed.
    With `keep_events` every event is kept, in order, in `events`.
    """

    def __init__(
        self,
        sequences: Several[Sequence],
        arrivals: Iterable[Arrival] = (),
        *,
        scenario: Scenario | None = None,
        seed: int = 0,
        run: int = 0,
        world: World | None = None,
        answers: Answers | None = None,
        versions: Several[SequenceVersion] | None = None,
        keep_events: bool = False,
    ) -> None:
        self.scenario = scenario or Scenario()
        self.world = world or World(self.scenario, sequences, Luck(seed, run))
        self.answers = answers or Answers(sequences, sequences[0].calendar.timezone)
        self.events: list[Event] = []
        self._kept: list[Event] | None
        self._seen: list[Event] | None
        self.now = EPOCH
        self._at = 0
        self._versions = versions or versions_of(sequences)
        self._ledger = Ledger(self._told)
        # Where events go while nobody steps through them.
        self._kept = self._seen = self.events if keep_events else None
        self._heap: list[_Entry] = []
        self._wakes: dict[int, int] = {}
        self._entries = 0
        self._complete: set[int] = set()
        self._down = [(to_microseconds(each.begins), to_microseconds(each.ends)) for each in _downtime(self.scenario)]
        caps = self.scenario.caps
        self._pacing = Pacing(lambda _, actor: caps.of(actor), self.scenario.worker.catch_up, lease=60)
        self._paced = self.scenario.worker.catch_up is not None
        self._capped = caps.default is not None or bool(caps.actors)
        for each in arrivals:
            self._push(to_microseconds(each.at), _ARRIVES, each.index + 1, each)

    # -- time --------------------------------------------------------------------------------------------------

    def peek(self) -> DateTime | None:
        """The next instant at which something happens; None when nothing will any more."""
        self._drop_stale()
        return from_microseconds(self._heap[0][0]) if self._heap else None

    def step(self) -> list[Event]:
        """Everything that happens at the next instant; its events. Raises `LookupError` when there is none."""
        self._drop_stale()
        if not self._heap:
            raise LookupError("nothing will happen any more")
        seen: list[Event] = []
        self._seen = seen
        try:
            self._instant(self._heap[0][0])
        finally:
            self._seen = self._kept
        return seen

    def run(self, until: datetime | None = None) -> Simulator:
        """Everything that happens up to an instant, and leave the clock there; None: until nothing will any more."""
        heap = self._heap
        last = None if until is None else to_microseconds(to_instant(until, "until"))
        while heap and (last is None or heap[0][0] <= last):
            at, order, id, _, _ = heap[0]
            if order == _IS_DUE and self._wakes.get(id) != at:
                heapq.heappop(heap)
                continue
            self._instant(at)
        if last is not None and last > self._at:
            self._at, self.now = last, from_microseconds(last)
        return self

    @property
    def enrollments(self) -> list[Enrollment]:
        """Everybody who was enrolled, as they stand, by number."""
        found = self._ledger.enrollments
        return [found[id] for id in sorted(found)]

    @property
    def to_come(self) -> list[int]:
        """Of those who have not arrived yet the sequences that they are to be enrolled in, by their places from 0."""
        return [what.sequence for _, order, _, _, what in self._heap if order == _ARRIVES]

    def go_on_with(
        self, enrollments: Iterable[Enrollment], now: datetime, *, left: Iterable[tuple[Actor, ActorMail]] = ()
    ) -> Simulator:
        """Go on from an instant with enrollments that exist already.

        Of whom neither address nor fields are known, somebody else knows whatever is asked for.

        What is on its way is answered at once, what people have in hand takes its time from when they got it, and who
        has not replied to a mail until now may do so later. `left` are the mails that count for the caps, oldest first.
        A version's `sequence_id` is the place of its sequence in the run, from 1.
        """
        self.now = to_instant(now, "now")
        self._at = to_microseconds(self.now)
        for actor, mail in left:
            self._ledger.count(actor, mail)
        for each in enrollments:
            self._ledger.keep(each)
            self.answers.standing(each, self.now)
            if each.resource.email is None and not each.resource.fields:
                self._complete.add(each.id)
            for happening in self._under_way(each):
                self._push(max(to_microseconds(happening.at), self._at), _HAPPENS, each.id, happening)
            if each.current is None or each.current.status is not StepStatus.REQUESTED:
                self._look_again(each)
        return self

    def suppress(self, addresses: Iterable[tuple[Identifier | None, str]]) -> None:
        """These addresses (account, address in comparable form) have opted out."""
        self._ledger.suppressed.update(addresses)

    def _under_way(self, enrollment: Enrollment) -> Iterator[Happening]:
        """What the world had in hand already when the simulation begins."""
        world, now, current = self.world, self.now, enrollment.current
        for step in enrollment.steps:
            if step.step.is_email and step.executed_at is not None:
                yield from (
                    each for each in world.reactions(enrollment, step.position, step.executed_at) if each.at > now
                )
        if current is None or enrollment.is_finished:
            return
        if current.status is StepStatus.REQUESTED:
            yield Happening(now, "answer", current.position)
        elif current.status is StepStatus.IN_PROGRESS:
            done = world.done(enrollment, current.position, current.requested_at or now)
            if done is not None and done.at < now:
                # It takes longer than it was to take; nobody knows how long, so as long again from now.
                done = world.done(enrollment, current.position, now)
            if done is not None:
                yield done
        elif current.status is StepStatus.FAILED:
            again = world.blocked(enrollment, current.position, enrollment.blocked_at or now)
            if again is not None:
                yield again

    def _drop_stale(self) -> None:
        heap = self._heap
        while heap and heap[0][1] == _IS_DUE and self._wakes.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)

    def _push(self, at: int, order: int, id: int, what: Any) -> None:
        self._entries += 1
        heapq.heappush(self._heap, (at, order, id, self._entries, what))

    def _instant(self, at: int) -> None:
        heap, wakes = self._heap, self._wakes
        if at > self._at:
            self._at, self.now = at, from_microseconds(at)
        due: list[int] = []
        while heap and heap[0][0] <= at:
            _, order, id, _, what = heapq.heappop(heap)
            if order == _ARRIVES:
                self._arrive(id, what)
            elif order == _HAPPENS:
                self._happen(id, what)
            else:
                if wakes.get(id) == at:
                    del wakes[id]
                    due.append(id)
                if due and not (heap and heap[0][0] <= at and heap[0][1] == _IS_DUE):
                    self._look_at(due)
                    due = []

    # -- what happens ------------------------------------------------------------------------------------------

    def _told(self, enrollment: Enrollment, events: Several[Event]) -> None:
        self.answers.told(enrollment, events)
        if self._seen is not None:
            self._seen.extend(events)
            if self._kept is not None and self._seen is not self._kept:
                self._kept.extend(events)
        self._look_again(enrollment)

    def _look_again(self, enrollment: Enrollment) -> None:
        id, wake_at = enrollment.id, enrollment.wake_at
        if wake_at is None:
            self._wakes.pop(id, None)
            return
        at = max(to_microseconds(wake_at), self._at)
        for begins, ends in self._down:
            if begins <= at < ends:
                at = ends
        if self._wakes.get(id) != at:
            self._wakes[id] = at
            self._push(at, _IS_DUE, id, None)

    def _arrive(self, id: int, arrival: Arrival) -> None:
        ledger = self._ledger
        ledger.next_id = id
        if arrival.complete:
            self._complete.add(id)
        row, version, account = arrival.row, self._versions[arrival.sequence], arrival.account
        try:
            if row.idempotency_key is None and ledger.is_stranger(account, row.resource):
                # Nothing can stand against a stranger, so nobody is asked.
                decision = enroll(
                    version,
                    row.resource,
                    self.now,
                    id=id,
                    origin=ORIGIN,
                    account=account,
                    actor_id=row.actor_id,
                    timezone=row.timezone or version.sequence.calendar.timezone,
                    tzdata=version_in_use(),
                    start_at=row.start_at,
                )
                ledger.insert([(decision.enrollment, decision.events)])
                return
            made = enroll_one(cast("Any", ledger), ORIGIN, account, version, row, self.now)
        except (AlreadyEnrolled, Suppressed, KeyReused, InvalidInput) as refusal:
            self.answers.refused(arrival.sequence, _refusal(refusal))
            return
        if made.id != id:
            self.answers.refused(arrival.sequence, "repeated")

    def _happen(self, id: int, happening: Happening) -> None:
        enrollment, what, position = self._ledger.enrollments[id], happening.what, happening.position
        step = enrollment.steps[position]
        if what == "done":
            if step.status is StepStatus.IN_PROGRESS:
                self._carry_out(advance(enrollment, TaskCompleted(task_id=step.task_id), self.now))
        elif what == "answer":
            self._carry_out(Decision(enrollment, (hand_over_of(enrollment, step),)))
        elif what == "resume":
            if enrollment.state is EnrollmentState.BLOCKED and step.status is StepStatus.FAILED:
                self._carry_out(advance(enrollment, Resume(skip=self.scenario.blocked.then == "skip"), self.now))
        else:
            # Who replies to the last mail replies after the end.
            if enrollment.finished_reason in (None, "completed"):
                self.answers.reacted(enrollment, position, what, self.now)
            facts: dict[str, Any] = {"until": happening.until} if what == "out_of_office" else {}
            report = OUTSIDE[what](key=f"{id}/{position}/{what}", enrollment_id=id, **facts)
            handle(cast("Any", self._ledger), cast("Any", self._ledger), enrollment.account, report, self.now)

    def _look_at(self, due: list[int]) -> None:
        """A worker's pass over what is due at this instant."""
        enrollments = self._ledger.enrollments
        held = [enrollments[id] for id in due]
        deferred = self._deferred(held) if self._paced or (self._capped and self._may_exceed(held)) else {}
        for enrollment in held:
            signal: Signal = deferred.get(enrollment.id, _DUE)
            decision = advance(enrollment, signal, self.now)
            if decision.changed or decision.effects:
                self._carry_out(decision)
            else:
                self._look_again(enrollment)

    def _may_exceed(self, held: list[Enrollment]) -> bool:
        """Whether a cap may be touched. Mostly there is plenty of room, and then nobody's turn has to be asked for."""
        due: dict[Actor, int] = {}
        for each in held:
            if each.actor_id is not None:
                actor = (each.account, each.actor_id)
                due[actor] = due.get(actor, 0) + 1
        for actor, mails in due.items():
            cap = self.scenario.caps.of(actor[1])
            if cap is not None and (cap.gap or cap.jitter or self._counted(actor, cap) + mails > cap.emails):
                return True
        return False

    def _counted(self, actor: Actor, cap: Cap) -> int:
        return self._ledger.count_left(actor, later_by(self.now, -cap.per))

    def _deferred(self, held: list[Enrollment]) -> dict[int, Any]:
        turns = self._pacing.turns(cast("Any", self._ledger), [Held(each) for each in held], self.now, full=False)
        assert not turns.held_up, "a scenario's caps can be told"
        return cast("dict[int, Any]", turns.deferred)

    def _carry_out(self, decision: Decision) -> None:
        """Keep what was decided, and do outside what it asks for; the answers come at once."""
        enrollment, effects, events = decision.enrollment, decision.effects, list(decision.events)
        happenings: list[Happening] = []
        while effects:
            more: list[Any] = []
            for effect in effects:
                signals, later = self._answer(enrollment, effect)
                for signal in signals:
                    answered = advance(enrollment, signal, self.now)
                    enrollment = answered.enrollment
                    events += answered.events
                    more += answered.effects
                happenings += later
                if type(signals[0]) is EmailSent:
                    self._ledger.left(enrollment, enrollment.steps[effect.position].number, self.now)
            effects = tuple(more)
        self._ledger.save(enrollment, events)
        for happening in happenings:
            self._push(to_microseconds(happening.at), _HAPPENS, enrollment.id, happening)
        if enrollment.state is EnrollmentState.BLOCKED:
            self._see_to(enrollment, events)

    def _see_to(self, enrollment: Enrollment, events: list[Event]) -> None:
        for event in events:
            if event.type == "step_failed" and event.position is not None:
                happening = self.world.blocked(enrollment, event.position, self.now)
                if happening is not None:
                    self._push(to_microseconds(happening.at), _HAPPENS, enrollment.id, happening)

    def _answer(self, enrollment: Enrollment, effect: Any) -> tuple[Several[Signal], Several[Happening]]:
        signal: Signal
        complete = enrollment.id in self._complete
        if type(effect) is SendEmail:
            ledger = self._ledger
            if ledger.suppressed:
                address = fold_address(enrollment.resource.email)
                if (enrollment.account, address) in ledger.suppressed:
                    # As a worker does that finds it at the last moment: it ends, and nothing was handed over (L8).
                    return (Finish("unsubscribed"), Withdraw(effect.key, effect.attempt)), ()
            signal, later = self.world.mail(enrollment, effect, self.now, complete=complete)
            return (signal,), later
        if type(effect) is CreateTask:
            signal, later = self.world.task(enrollment, effect, self.now, complete=complete)
            return (signal,), later
        assert type(effect) is CancelTask
        return (TaskCancelled(task_id=effect.task_id),), ()


def _downtime(scenario: Scenario) -> list[Any]:
    # In order, so that one that begins where another ends holds up what waited for that end.
    return sorted(scenario.worker.downtime, key=lambda each: each.begins)


def _refusal(error: AlreadyEnrolled | Suppressed | KeyReused | InvalidInput) -> str:
    if isinstance(error, InvalidInput):
        return error.code
    return {AlreadyEnrolled: "already_enrolled", Suppressed: "suppressed", KeyReused: "key_reused"}[type(error)]
