"""A simulated year in which everything goes wrong at random, twice with one seed.

People come every day; workers die, sleep and fight; commits are lost and reported wrongly; the clock jumps; the mailer
and the board do what they want; hosts deliver everything several times and change their minds. Then all is well again,
and everything has to come to an end, with all laws held. Both runs must give the same trace: every history and every
departure, byte for byte, on a store with a given id instead of its random one. Two kinds of store have the same trace
where they give the same ids, by which pauses are jittered (E4): PostgreSQL leaves one out where it rolls an insertion
back.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pendulum

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import AlreadyEnrolled, IllegalTransition, SequencerError, StoreError, Suppressed
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.signals import (
    Bounced,
    EmailSent,
    MeetingBooked,
    Opened,
    OutOfOffice,
    Replied,
    TaskCompleted,
    TaskDeleted,
    Unsubscribed,
)
from sequencer.core.windows import Window
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Pending, Rejected
from tests.faults.clocks import JumpingClock
from tests.faults.judge import judge
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import BEGIN, COMMIT, COMMITTED, DONE, LEASE, Death, Life, Stuck, Wire, World
from tests.timing import oracle

__all__ = ["traced", "year"]

ORIGIN = "fedcba9876543210"
NEW_YEAR = pendulum.datetime(2026, 1, 1, 6, tz="UTC")
DAYS = 365
WEEK = ["mon", "tue", "wed", "thu", "fri"]
RETRY = Policy(retry=Retry(attempts=4, first=60, factor=3))
TEMPLATES = {1: Template("Hello {{ name }}", "How are you?")}
SEQUENCES = (
    Sequence(
        "quick",
        [
            Step(AutomatedEmail(1)),
            Step(Task("Call", skip_after=Hours(40)), Hours(3)),
            Step(AutomatedEmail(1), Hours(20)),
        ],
        calendar=Calendar("UTC", working_days=[*WEEK, "sat", "sun"]),
        policy=RETRY,
        templates=TEMPLATES,
    ),
    Sequence(
        "office",
        [
            Step(AutomatedEmail(1), Weekdays(1)),
            Step(AutomatedEmail(1, is_reply=True), Weekdays(2)),
            Step(Task("Call {{ name }}"), Weekdays(1)),
            Step(AutomatedEmail(1), Hours(2)),
        ],
        calendar=Calendar("Europe/Warsaw", send_windows=[Window(WEEK, "09:00", "17:00")], holidays=["2026-05-01"]),
        policy=RETRY,
        templates=TEMPLATES,
    ),
    Sequence(
        "sooner",
        [Step(AutomatedEmail(1)) for _ in range(3)] + [Step(Task("Look", skip_after=Weekdays(2)))],
        calendar=Calendar("America/New_York"),
        policy=RETRY,
        templates=TEMPLATES,
    ),
)
ZONES = (None, None, "Australia/Lord_Howe", "America/Los_Angeles", "Asia/Kathmandu")
OFTEN = 0.02
"""How often something goes wrong at a point."""


class _Chaos(Wire):
    """Strikes at random, as long as it is told to.

    A store that says it has kept a start mark, and has not, is left out: with a death on top nobody can survive that.
    """

    def __init__(self, chance: random.Random, clock: JumpingClock) -> None:
        super().__init__()
        self.chance = chance
        self.clock = clock
        self.on = True
        self.passed = 0

    def step(self, life: Life, what: str) -> None:
        if not life.alive:
            raise Death
        self.passed += 1
        if not self.on or self.chance.random() > OFTEN:
            return
        self.struck += 1
        fault = self.chance.random()
        if what in (BEGIN, DONE) and fault < 0.4:
            self.clock.jump(self.chance)
        elif what in (COMMIT, COMMITTED) and fault < 0.4:
            raise StoreError("the line was cut")
        else:
            life.die()


class _Year(World):
    """One year."""

    def __init__(self, made: Any, mode: str, people: int, seed: int, days: int) -> None:
        self.chance = random.Random(seed)
        self.people = people
        self.days = days
        self.jumping = clock = JumpingClock(NEW_YEAR)
        self.chaos = _Chaos(self.chance, clock)
        self.chaos.on = False
        super().__init__(None, mode, "deduplicates", wire=self.chaos, clock=clock, store=made.store_with(ORIGIN))
        self.mail_answer = self._mail
        self.enrolled: dict[int, int] = {}
        self.by_hand: set[int] = set()
        self.number = 0
        self.reports: list[Any] = []
        self.deleted: list[tuple[int, int]] = []
        for sequence in SEQUENCES:
            self.engine.save(sequence)

    # -- ports

    def _mail(self, email: Email, key: str) -> Any:
        if not self.chaos.on or self.chance.random() > 0.12:
            return None
        self.chaos.struck += 1
        way = self.chance.randrange(7)
        if way == 0:
            return Rejected("451 later", permanent=False)
        if way == 1:
            return Rejected("550 no", permanent=True)
        if way == 2:
            return Rejected("550 no such user", permanent=True, recipient_fault=True)
        if way == 3:
            return ConnectionError("nobody there")
        if way == 4:
            self.remember(key, Accepted(f"<{key}@faults>"))
            look = self.seen(email.enrollment_id, email.position) if self.mode == "deduplicates" else None
            self.depart(email.enrollment_id, email.position, key, look)
            return OutcomeUnknown("the line broke off")
        return Pending(f"late-{key}")

    # -- a day

    def live(self) -> None:
        """The year, and what heals it."""
        self.chaos.on = True
        for day in range(self.days):
            self._day(NEW_YEAR + timedelta(days=day))
        self.chaos.on = False
        self.board_fails = None
        self.jumping.off = timedelta(0)
        for _ in range(12):
            self._heal()
            self.work(self.clock.now() + timedelta(days=20))

    def _day(self, day: datetime) -> None:
        chance = self.chance
        for _ in range(self._share(day)):
            self._enroll()
        self.board_fails = ConnectionError("the board is away") if chance.random() < 0.05 else None
        for hour in (8, 12, 15, 20):
            if chance.random() < self.people / 1000:
                self._meddle()
            self._work_for(day + timedelta(hours=hour - 6))
        self._people_work()

    def _share(self, day: datetime) -> int:
        """How many come today, so that all have come after three quarters of the year."""
        passed = (day - NEW_YEAR).days + 1
        return min(self.people, self.people * passed * 4 // (3 * self.days)) - self.number

    def _work_for(self, true_time: datetime) -> None:
        """Workers, now and then several, until the true time is so late."""
        clock = self.jumping
        other = self.start(Life()) if self.chance.random() < 0.3 else None
        for _ in range(400):
            for engine in (self.engine, other):
                if engine is not None:
                    self._tick(engine)
            now = clock.now() - clock.off
            if now >= true_time:
                return
            with self.store.transaction(write=False) as transaction:
                wake = transaction.next_wake()
            soon = true_time if wake is None else min(true_time, max(wake - clock.off, now + timedelta(seconds=1)))
            clock.wait(soon)

    def _tick(self, engine: Engine) -> None:
        try:
            engine.tick(self.chance.choice((1, 5, 50)))
        except Death:
            if engine is self.engine:
                self.restart()
        except SequencerError:
            if self.chance.random() < 0.5:
                self.restart()

    # -- what hosts and people do

    def _act(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """As `act`; and what the state of things refuses is refused."""
        with suppress(IllegalTransition, AlreadyEnrolled, Suppressed):
            return self.act(verb, *arguments)
        return None

    def _enroll(self) -> None:
        self.number += 1
        number, chance = self.number, self.chance
        person = Resource("lead", number, email=f"lead{number}@example.com", fields={"name": f"Lead {number}"})
        key, zone = chance.choice(SEQUENCES).key, chance.choice(ZONES)
        later = self.clock.now() + timedelta(days=3) if chance.random() < 0.1 else None
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            made = self._act(_enroll, key, person, zone, later, f"e-{number}")
            if made is not None:
                self.enrolled[number] = made.id
        if chance.random() < 0.1:
            self._act(Engine.enroll, key, person)

    def _meddle(self) -> None:
        if not self.enrolled:
            return
        chance = self.chance
        number = chance.choice(sorted(self.enrolled)[-60:])
        id = self.enrolled[number]
        what = chance.randrange(12)
        if what == 0:
            self._act(Engine.block, id)
        elif what == 1:
            self._act(_block_for, id, timedelta(days=chance.randint(1, 20)))
        elif what in (2, 3):
            self._resume(self._read(id))
        elif what == 4:
            self.by_hand.add(id)
            self._act(Engine.finish, id)
        elif what == 5:
            self.by_hand.add(id)
            self._act(Engine.skip, id)
        elif what == 6 and self.reports:
            self._act(Engine.handle, chance.choice(self.reports))
        else:
            self._report(number, id)

    def _report(self, number: int, id: int) -> None:
        chance = self.chance
        kind: Any = chance.choice((Opened, Opened, Replied, OutOfOffice, Bounced, Unsubscribed, MeetingBooked))
        if kind in (Replied, Unsubscribed, MeetingBooked):
            self.by_hand.add(id)
        report = kind(key=f"r-{len(self.reports)}", email=f"lead{number}@example.com")
        self.reports.append(report)
        for _ in range(chance.choice((1, 1, 2, 5))):
            self._act(Engine.handle, report)

    def _people_work(self) -> None:
        """Tasks are done, or deleted; providers answer for what they had taken."""
        chance = self.chance
        for id in [each for each in self.open_tasks if chance.random() < 0.3 or not self.chaos.on]:
            place = self.open_tasks.pop(id)
            kind = TaskDeleted if self.chaos.on and chance.random() < 0.1 else TaskCompleted
            self.deleted += [place] if kind is TaskDeleted else []
            for _ in range(chance.choice((1, 2))):
                # With the key of the effect, so that it counts also where the answer with the task's id was lost.
                self._act(Engine.handle, kind(key=f"done-{id}", task_id=id, effect_key=self._key_of(id)))
        for key, late in self.answers.items():
            if isinstance(late, Pending) and (chance.random() < 0.5 or not self.chaos.on):
                report = EmailSent(key=f"sent-{key}", provider_id=late.provider_id, message_id=f"<{key}@faults>")
                self._act(Engine.handle, report)
                self.answers[key] = Accepted(f"<{key}@faults>", late.provider_id)

    def _key_of(self, task_id: str) -> str:
        return next(key for key, each in self.task_of_key.items() if each == task_id)

    def _read(self, id: int) -> Enrollment:
        with self.store.transaction(write=False) as transaction:
            held = transaction.get(id)
        assert held is not None
        return held.enrollment

    def _resume(self, enrollment: Enrollment) -> None:
        """What is parked is skipped, since nobody can know; everything else is tried again."""
        parked = enrollment.current is not None and enrollment.current.failure_reason == "outcome_unknown"
        if enrollment.state.value == "blocked":
            if parked:
                self.by_hand.add(enrollment.id)
            self._act(_resume, enrollment.id, self.chance.choice(("shift", "keep", "restart")), parked)

    def _heal(self) -> None:
        """Somebody looks at everything that does not go on, and at what says that it waits for years."""
        self._people_work()
        for id in sorted(self.enrolled.values()):
            enrollment = self._read(id)
            current = enrollment.current
            if enrollment.state.value == "blocked":
                self._resume(enrollment)
            elif enrollment.state.value == "active" and current is not None:
                at = current.estimated_execute_at
                if at is not None and at > self.clock.now() + timedelta(days=60):
                    if enrollment.position == 0 and enrollment.started_at > self.clock.now() + timedelta(days=60):
                        self.by_hand.add(id)
                        self._act(Engine.finish, id)
                    else:
                        self._act(Engine.block, id)
                        self._act(_resume, id, "restart", False)


def _enroll(
    engine: Engine, key: str, person: Resource, zone: str | None, later: Any, idempotency_key: str
) -> Enrollment:
    return engine.enroll(key, person, timezone=zone, start_at=later, idempotency_key=idempotency_key)


def _block_for(engine: Engine, id: int, span: timedelta) -> None:
    engine.block(id, reason="holiday", until=engine.clock.now() + span)


def _resume(engine: Engine, id: int, timeline: str, skip: bool) -> None:
    engine.resume(id, timeline=timeline, skip=skip)


def traced(on: str, mode: str, people: int, seed: int, days: int = DAYS) -> tuple[Tally, str]:
    """A year: its counts, and the hash of everything that happened in it."""
    with stage(on) as made:
        world = _Year(made, mode, people, seed, days)
        tally = Tally()
        try:
            world.live()
        except Stuck as error:
            tally.found("stuck", str(error))
        found = evidence(
            made,
            enrolled=sorted(world.enrolled.values()),
            log=world.log,
            embedded=False,
            by_hand=world.by_hand,
            waits_for=(),
            deleted=world.deleted,
            steady=False,
            is_open=_is_open,
        )
        tally.add(judge(found))
    tally.injected = world.chaos.struck + world.jumping.jumps
    tally.notes = [f"{mode}, seed {seed}: {note}" for note in tally.notes]
    lines = [repr(event) for id in sorted(found.histories) for event in found.histories[id]]
    lines += [f"{each.key} {each.at}" for each in world.log]
    return tally, hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _is_open(enrollment: Enrollment, at: datetime) -> bool:
    return oracle.is_open(oracle.Rules.of(enrollment.calendar), at, email=True)


def year(on: str, size: Size) -> Tally:
    """With a mailer that recognises keys and with one that does not; each year twice."""
    total = Tally()
    modes = ("at_most_once", "deduplicates")
    days, people = DAYS, size.people
    if size.name == "small":
        days, people = size.fewer(on, days), size.fewer(on, people)
    for seed in range(max(1, size.rounds // 4)):
        for mode in modes if on == "memory" or (size.rounds > 1 and on == "sqlite") else modes[:1]:
            (tally, one), (_, other) = (traced(on, mode, people, seed, days) for _ in range(2))
            if one != other:
                tally.found("corrupt", f"{mode}, seed {seed}: two years with one seed have two traces")
            total.add(tally)
    return total


assert LEASE < 3600, "an hour of the day is longer than a lease"
