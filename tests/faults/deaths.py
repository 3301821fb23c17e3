"""Death before and after every commit and every call of a port; and commits about which the store says the wrong thing.

One story, told in several worlds: six people go through mails and a task, with a block and a resume, a reply, a mail
that is refused at first, one that is answered late, and a task that nobody does. A clean run finds the points.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import IllegalTransition, StoreError
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.signals import EmailSent, Replied, TaskCompleted
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email, Pending
from tests.faults.judge import judge
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import COMMIT, COMMITTED, REFUSED, Life, Stuck, Undone, Wire, World

WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FLOW = Sequence(
    "flow",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Call {{ name }}", skip_after=Hours(60)), Hours(1)),
        Step(AutomatedEmail(1, is_reply=True), Hours(2)),
        Step(AutomatedEmail(1), Hours(24)),
    ],
    calendar=Calendar("UTC", working_days=WEEK),
    policy=Policy(retry=Retry(attempts=9, first=60, factor=2)),
    templates={1: Template("Hello {{ name }}", "How are you?")},
)
WORLDS = (
    ("deduplicates", "deduplicates"),
    ("at_most_once", "embedded"),
    ("at_most_once", "at_most_once"),
    ("at_least_once", "embedded"),
)
PEOPLE = 6
REPLIED, REFUSED_FIRST, LATE, LEFT, BLOCKED = 3, 4, 5, 6, 2


def person(number: int) -> Resource:
    return Resource("lead", number, email=f"lead{number}@example.com", fields={"name": f"Lead {number}"})


def story(world: World) -> list[int]:
    """Tell it, whatever happens; the ids that `enroll` has returned."""
    refused: set[str] = set()

    def answer(email: Email, key: str) -> object:
        number = email.resource.id
        if number == REFUSED_FIRST and key not in refused:
            refused.add(key)
            return REFUSED
        return Pending(f"late-{key}") if number == LATE and email.position == 0 else None

    world.mail_answer = answer
    begun = world.clock.now()
    ids = {number: world.act(_enroll, number).id for number in range(1, PEOPLE + 1)}
    world.work(begun + timedelta(minutes=30))
    settle(world)
    # On a clock that is years ahead it may be over already.
    with suppress(IllegalTransition):
        world.act(Engine.block, ids[BLOCKED])
    world.work(begun + timedelta(hours=3), limit=2)
    complete_tasks(world, but={ids[LEFT], ids[REPLIED]})
    reply = Replied(key="replied", email=f"lead{REPLIED}@example.com")
    world.act(Engine.handle, reply)
    # A person resumes what was paused; what is parked is another decision, and nobody takes that here.
    if world.act(Engine.get, ids[BLOCKED]).blocked_reason == "paused":
        world.act(Engine.resume, ids[BLOCKED])
    world.work(begun + timedelta(hours=50), limit=3)
    complete_tasks(world, but={ids[LEFT]})
    settle(world)
    world.work(begun + timedelta(days=30))
    return list(ids.values())


def _enroll(engine: Engine, number: int) -> Enrollment:
    return engine.enroll(FLOW, person(number), idempotency_key=f"e-{number}")


def settle(world: World) -> None:
    """The provider answers for what it had taken, once."""
    for key, late in list(world.answers.items()):
        if isinstance(late, Pending):
            report = EmailSent(key=f"r-{key}", provider_id=late.provider_id, message_id=f"<{key}@faults>")
            world.act(Engine.handle, report)
            world.answers[key] = Accepted(f"<{key}@faults>", late.provider_id)


def complete_tasks(world: World, but: Collection[int]) -> None:
    """What people do at their board; who is too late for the end of an enrollment is told so."""
    if world.board == "embedded":
        for task in world.act(Engine.tasks):
            if task.enrollment_id not in but:
                with suppress(IllegalTransition):
                    world.act(Engine.complete_task, task.id)
        return
    for id, (enrollment_id, _) in list(world.open_tasks.items()):
        if enrollment_id not in but:
            del world.open_tasks[id]
            report = TaskCompleted(key=f"done-{id}", task_id=id)
            world.act(Engine.handle, report)


def run(on: str, mode: str, board: str, wire: Wire, unmarked: int = 0) -> Tally:
    """One telling, struck where the wire says, and judged."""
    with stage(on) as made:
        world = World(made, mode, board, wire=wire)
        tally = Tally()
        try:
            ids = story(world)
        except Stuck as error:
            tally.found("stuck", str(error))
            ids = []
        found = evidence(
            made,
            enrolled=ids,
            log=world.log,
            embedded=board == "embedded",
            by_hand={ids[REPLIED - 1], ids[LEFT - 1]} if ids else (),
            unmarked=unmarked,
            parked_at_most=wire.struck if "at_most_once" in (mode, board) else 0,
        )
        tally.add(judge(found))
        tally.injected = wire.struck
        tally.allow(wire.struck if mode == "at_least_once" else 0)
        tally.notes = [f"{mode}, {board}, struck at {sorted(wire.at)}: {note}" for note in tally.notes]
        return tally


def points_of(mode: str, board: str) -> list[str]:
    """What a clean run passes."""
    wire = Wire()
    tally = run("memory", mode, board, wire)
    assert not tally.missed(0), tally.notes
    return wire.points


def everywhere(
    on: str,
    size: Size,
    choose: Callable[[list[str]], Iterable[int]],
    strike: Callable[[Life, str], None] | None,
    worlds: tuple[tuple[str, str], ...] = WORLDS,
) -> Tally:
    """One run for each chosen point of each world; of a small size only every n-th, another n-th in each world."""
    total = Tally()
    for offset, (mode, board) in enumerate(worlds):
        chosen = [at for at in choose(points_of(mode, board)) if (at + offset) % size.stride(on) == 0]
        for at in chosen:
            total.add(run(on, mode, board, Wire({at}, strike), unmarked=strike is _undoes))
    return total


def deaths(on: str, size: Size) -> Tally:
    """The process dies at each point; in larger sizes it dies a second time, while it recovers, too."""
    total = everywhere(on, size, lambda found: range(1, len(found) + 1), None)
    for distance in range(1, size.rounds):
        for mode, board in WORLDS:
            for at in range(distance, len(points_of(mode, board)) + 1, 5 * size.stride(on)):
                total.add(run(on, mode, board, Wire({at, at + distance})))
    return total


def _fails(life: Life, what: str) -> None:
    raise StoreError("the line was cut")


def _undoes(life: Life, what: str) -> None:
    raise Undone


def commits(on: str, size: Size) -> Tally:
    """Each commit, done and reported as failed; failed and reported so; and not done, but reported as done.

    Where an answer was never stored although the store said so, a mailer that was told `at_least_once` is called again,
    and has to be; so that one world is left out of the last.
    """
    total = Tally()
    for kind, strike, worlds in (
        (COMMITTED, _fails, WORLDS),
        (COMMIT, _fails, WORLDS),
        (COMMIT, _undoes, WORLDS[:3]),
    ):
        total.add(everywhere(on, size, partial(_of_kind, kind), strike, worlds))
    total.allowed_doubled = 0
    return total


def _of_kind(kind: str, found: list[str]) -> list[int]:
    return [at for at, each in enumerate(found, start=1) if each == kind]
