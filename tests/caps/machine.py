"""Caps under fire: several workers, one in the middle of another's call, dying, with a clock that jumps (law E5).

Whatever a mailer does, whatever people do meanwhile, and wherever a worker dies, no window of any actor ever has more
mails in it than its cap allows, as the mailer itself saw them leave.
"""

from __future__ import annotations

import contextlib
from collections import deque
from datetime import timedelta
from typing import Any

import pendulum
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.errors import IllegalTransition
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.signals import EmailFailed, EmailSent
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Pending, Rejected
from sequencer.engine.results import Row
from tests.caps.ledger import ForwardClock, Ledger

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
START = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
SEQUENCE = Sequence(
    "caps",
    [
        Step(AutomatedEmail(1)),
        Step(AutomatedEmail(1), Hours(1)),
        Step(Task("Call", skip_after=Hours(1)), Hours(1)),
        Step(AutomatedEmail(1, is_reply=True), Hours(3)),
    ],
    calendar=Calendar("UTC", working_days=WEEK),
    policy=Policy(retry=Retry(attempts=3)),
    templates={1: Template("Hello", "There")},
)
ACTORS = st.sampled_from([7, 7, "7", None])
BEHAVIOURS = ["accept", "accept", "accept", "temporary", "permanent", "raise", "lose", "pending", "die", "die after"]
SCRIPTS = st.lists(st.sampled_from(BEHAVIOURS), max_size=6)
INSIDE = st.lists(
    st.sampled_from(["nothing", "tick", "tick", "pass", "finish", "block", "reassign", "resume", "stale"]), max_size=4
)
VERBS = st.sampled_from(["finish", "block", "resume", "reassign", "skip", "settle", "refuse"])
JUMPS = st.sampled_from([1, 60, 600, 3600, 7200, 14_400, 86_400, -1, -300, -7200, -86_400 * 40])


class Death(BaseException):
    """The process is gone."""


class TakingMailer:
    """Takes mail as its script says; without one, it accepts."""

    def __init__(self, world: CapMachine) -> None:
        self._world = world
        self.deduplicates = world.deduplicates

    def send(self, email: Email, *, key: str, timeout: float) -> Any:
        world = self._world
        behaviour = world.script.popleft() if world.script else "accept"
        if world.deduplicates and key in world.ledger.keys:
            return Accepted(f"<{key}>")
        if behaviour == "die":
            raise Death
        if behaviour == "temporary":
            return Rejected("not now", permanent=False)
        if behaviour == "permanent":
            return Rejected("never", permanent=True)
        if behaviour == "raise":
            raise OutcomeUnknown(behaviour)
        world.happen()
        world.ledger.take(email.actor_id, key, world.clock.forward)
        world.happen()
        if behaviour == "die after":
            raise Death
        if behaviour == "lose":
            raise OutcomeUnknown(behaviour)
        return Pending(f"p-{key}") if behaviour == "pending" else Accepted(f"<{key}>")


class CapMachine(RuleBasedStateMachine):
    """The machine; subclasses say which store."""

    def make_store(self) -> Any:
        raise NotImplementedError

    @initialize(
        deduplicates=st.booleans(),
        emails=st.integers(1, 4),
        hours=st.sampled_from([1, 5, 24]),
        gap=st.sampled_from([0, 0, 60]),
        jitter=st.sampled_from([0, 30]),
        exceeding=st.sampled_from(["wait", "wait", "block"]),
        catch_up=st.booleans(),
        workers=st.sampled_from([1, 2, 4]),
    )
    def open(
        self, deduplicates: bool, emails: int, hours: int, gap: int, jitter: int, exceeding: str, catch_up: bool,
        workers: int,
    ) -> None:  # fmt: skip
        self.store = self.make_store()
        self.clock = ForwardClock(START)
        self.deduplicates = deduplicates
        self.ledger = Ledger()
        self.script: deque[str] = deque()
        self.inside: deque[str] = deque()
        self.cap = Cap(emails=emails, per=Hours(hours), gap=gap, jitter=jitter if gap else 0, exceeding=exceeding)
        self.depth = 0
        self.enrolled = 0
        self.engines = [
            Engine(
                store=self.store,
                mailer=TakingMailer(self),
                clock=self.clock,
                port_threads=False,
                cap=self.cap,
                catch_up=CatchUp(after=Hours(2), over=Hours(1)) if catch_up else None,
            )
            for _ in range(workers)
        ]
        self.enroll(7, 6)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    # -- what is done

    @rule(actor=ACTORS, count=st.integers(1, 4))
    def enroll(self, actor: Any, count: int) -> None:
        numbers = range(self.enrolled, self.enrolled + count)
        self.enrolled += count
        self.engines[0].enroll_many(
            SEQUENCE, [Row(Resource("lead", n, email=f"lead{n}@example.com"), actor_id=actor) for n in numbers]
        )

    @rule(seconds=JUMPS)
    def jump(self, seconds: int) -> None:
        self.clock.set(max(START - timedelta(days=200), self.clock.now() + timedelta(seconds=seconds)))

    @rule(script=SCRIPTS, inside=INSIDE, limit=st.sampled_from([1, 2, 3, 1000]), worker=st.integers(0, 3))
    def tick(self, script: list[str], inside: list[str], limit: int, worker: int) -> None:
        self.script.extend(script)
        self.inside.extend(inside)
        try:
            self._tick(worker, limit)
        finally:
            self.script.clear()
            self.inside.clear()

    @rule(script=SCRIPTS, inside=INSIDE, worker=st.integers(0, 3), times=st.integers(1, 6))
    def go_on(self, script: list[str], inside: list[str], worker: int, times: int) -> None:
        """To when the engine wants to look next, and there a pass; some times over."""
        for _ in range(times):
            with self.store.transaction() as transaction:
                at = transaction.next_wake()
            if at is not None and at > self.clock.now():
                self.clock.set(at)
            self.tick(script, inside, 1000, worker)

    def _tick(self, worker: int, limit: int) -> None:
        try:
            self.engines[worker % len(self.engines)].tick(limit)
        except Death:
            if self.depth:
                raise

    def happen(self) -> None:
        """Something happens while a mailer is being called."""
        if not self.inside or self.depth > 3:
            return
        what = self.inside.popleft()
        self.depth += 1
        try:
            if what == "tick":
                with contextlib.suppress(Death):  # it was another process
                    self._tick(self.depth, 1000)
            elif what in ("pass", "stale"):
                self.clock.move(seconds=17 if what == "pass" else 200)
            elif what != "nothing" and self.enrolled:
                self.verb(what, len(self.ledger.keys))
        finally:
            self.depth -= 1

    @rule(
        what=st.sampled_from(["finish", "block", "resume", "reassign", "skip", "settle", "refuse"]),
        which=st.integers(0, 9),
    )
    def verb(self, what: str, which: int) -> None:
        if not self.enrolled:
            return
        host, id = self.engines[0], which % self.enrolled + 1
        enrollment = host.get(id)
        current = enrollment.current
        key = None if current is None else enrollment.key_of(current)
        if what == "reassign":
            host.reassign(enrollment.resource, actor_id=which % 3 + 7)
        elif what in ("settle", "refuse"):
            if key is None or current is None or not current.step.is_email:
                return
            if what == "settle" and key in self.ledger.keys:
                host.handle(EmailSent(key=f"{key}-{which}", effect_key=key))
            elif what == "refuse" and key not in self.ledger.keys and current.status == "failed":
                host.handle(EmailFailed(key=f"{key}-{which}", effect_key=key))
        elif what == "resume" and current is not None and current.status == "failed" and key in self.ledger.keys:
            return  # a person who has looked does not ask for a mail that left
        else:
            with contextlib.suppress(IllegalTransition):
                getattr(host, what)(id)

    # -- what holds

    @invariant()
    def no_window_is_too_full(self) -> None:
        for actor in list(getattr(self, "ledger", Ledger()).left):
            if actor is not None:
                assert self.ledger.most(actor, self.cap.per) <= self.cap.emails, (actor, self.ledger.left[actor])

    @invariant()
    def none_is_too_near(self) -> None:
        for actor in list(getattr(self, "ledger", Ledger()).left):
            if actor is not None and self.cap.gap:
                assert self.ledger.least_gap(actor) >= self.cap.gap, (actor, self.ledger.left[actor])
