"""What comes in from outside: up to five times and shuffled; and answers that are late, doubled or contradict.

Whatever is delivered counts once: the histories are those of a run in which each delivery came once, in the order in
which each came first. And of the answers to one hand-over acceptance counts, whichever came first (L10).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import attrs

from sequencer.core.errors import Suppressed
from sequencer.core.signals import (
    Bounced,
    Clicked,
    Converted,
    EmailFailed,
    EmailPending,
    EmailSent,
    Opened,
    OutOfOffice,
    Replied,
    TaskCompleted,
    TaskCreated,
    TaskFailed,
    Unsubscribed,
)
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Email, Pending
from tests.faults import deaths
from tests.faults.judge import judge
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import START, World

__all__ = ["answers", "repeats"]

ORIGIN = "0123456789abcdef"
PEOPLE = 8


# -- several times --------------------------------------------------------------------------------------------


def _enroll(engine: Engine, number: int) -> None:
    engine.enroll(deaths.FLOW, deaths.person(number), idempotency_key=f"e-{number}")


def _deliveries(chance: random.Random) -> list[tuple[str, Callable[[Engine], Any]]]:
    """What will be delivered, in some order: each with the name under which it counts."""
    found: list[tuple[str, Callable[[Engine], Any]]] = []
    for number in range(1, PEOPLE + 1):
        email = f"lead{number}@example.com"
        at = START + timedelta(hours=number)
        reports: list[Any] = [
            Opened(key=f"opened-{number}", email=email, at=at),
            Clicked(key=f"clicked-{number}", email=email, at=at),
            OutOfOffice(key=f"away-{number}", email=email, until=START + timedelta(days=3, hours=number)),
            chance.choice([Replied, Bounced, Unsubscribed, Converted, Opened])(key=f"end-{number}", email=email, at=at),
            TaskCompleted(key=f"done-{number}", task_id=f"task-of-{number}"),
            EmailSent(key=f"sent-{number}", provider_id=f"mail-of-{number}", message_id=f"<{number}@faults>"),
        ]
        found.append((f"enroll {number}", lambda engine, number=number: _enroll(engine, number)))  # type: ignore[misc]
        found += [(each.key, lambda engine, each=each: engine.handle(each)) for each in reports]  # type: ignore[misc]
    return found


def repeats(on: str, size: Size) -> Tally:
    """Every delivery up to five times, shuffled among the others, with workers in between."""
    total = Tally()
    for seed in range(size.fewer(on, 3 if size.rounds == 1 else 20 * size.rounds)):
        chance = random.Random(seed)
        deliveries = _deliveries(chance)
        order = [each for each in deliveries for _ in range(chance.randint(1, 5))]
        chance.shuffle(order)
        # Who reports on a mail has got it: mostly after the enrolling, sometimes before anybody knows of it.
        order.sort(key=lambda each: 0 if each[0].startswith("enroll") and chance.random() < 0.8 else 1)
        first: set[str] = set()
        script = []
        for name, deliver in order:
            script.append((name, deliver, name in first))
            first.add(name)
        whole, once = _told(on, script, once=False), _told(on, script, once=True)
        tally = Tally(injected=sum(again for *_, again in script))
        tally.add(whole[0])
        for id in sorted(set(whole[1]) | set(once[1])):
            more, less = len(whole[1].get(id, ())), len(once[1].get(id, ()))
            if more > less:
                tally.found("doubled", f"the history of {id} has {more - less} events of repeats", more - less)
            elif whole[1].get(id) != once[1].get(id):
                tally.found("corrupt", f"the history of {id} is another without repeats")
        tally.notes = [f"seed {seed}: {note}" for note in tally.notes]
        total.add(tally)
    return total


def _told(on: str, script: Sequence[tuple[str, Any, bool]], *, once: bool) -> tuple[Tally, dict[int, Any]]:
    """The script, a minute for each delivery, also where it is left out; what the judge says, and the histories."""
    with stage(on) as made:
        world = World(made, "deduplicates", "deduplicates", store=made.store_with(ORIGIN))
        world.task_name = lambda task: f"task-of-{task.enrollment_id}"
        world.mail_answer = _first_is_late
        for number, (_, deliver, again) in enumerate(script):
            if not (once and again):
                with suppress(Suppressed):
                    deliver(world.engine)
            world.clock.move(minutes=1)
            if number % 3 == 0:
                world.engine.tick()
        world.work(START + timedelta(days=60))
        with world.store.transaction() as transaction:
            ids = [each.id for each in transaction.enrollments(None, limit=100)]
            histories = {id: transaction.events(id) for id in ids}
        found = evidence(
            made, enrolled=ids, log=world.log, embedded=False, by_hand=ids,
            waits_for=("bounced", "outcome_unknown"), parked_at_most=PEOPLE,
        )  # fmt: skip
        return judge(found), histories


def _first_is_late(email: Email, key: str) -> Any:
    return Pending(f"mail-of-{email.resource.id}") if email.position == 0 and int(email.resource.id) % 2 else None


# -- in any order ---------------------------------------------------------------------------------------------


def _of_mail(key: str) -> dict[str, Any]:
    """Answers to one hand-over, by name."""
    return {
        "accepted": EmailSent(key="a", effect_key=key, attempt=1, message_id="<m@faults>"),
        "accepted again": EmailSent(key="b", effect_key=key, attempt=1, message_id="<m@faults>"),
        "accepted late": EmailSent(key="c", provider_id="p-1", message_id="<m@faults>"),
        "refused": EmailFailed(key="d", effect_key=key, attempt=1, permanent=True, detail="550 no"),
        "refused again": EmailFailed(key="e", effect_key=key, attempt=1, permanent=True, detail="550 no"),
        "bounced": EmailFailed(key="f", provider_id="p-1", permanent=True, recipient_fault=True),
        "of an old attempt": EmailFailed(key="g", effect_key=key, attempt=0, permanent=True),
        "pending": EmailPending(key="h", effect_key=key, attempt=1, provider_id="p-2"),
        "opened": Opened(key="i", email="lead1@example.com"),
    }


def _of_task(key: str) -> dict[str, Any]:
    return {
        "created": TaskCreated(key="a", effect_key=key, attempt=1, task_id="task-1"),
        "created again": TaskCreated(key="b", effect_key=key, attempt=1, task_id="task-1"),
        "completed": TaskCompleted(key="c", effect_key=key, task_id="task-1"),
        "completed again": TaskCompleted(key="d", effect_key=key, task_id="task-1"),
        "failed": TaskFailed(key="e", effect_key=key, attempt=0),
    }


MAIL_SETS = (
    ("accepted", "accepted again", "accepted late", "opened"),
    ("accepted", "refused", "opened", "accepted again"),
    ("accepted", "bounced", "of an old attempt", "pending"),
    ("refused", "refused again", "of an old attempt"),
    ("accepted late", "refused", "bounced", "refused again", "opened"),
)
TASK_SETS = (
    ("created", "created again", "completed", "completed again"),
    ("created", "completed", "failed"),
)


def answers(on: str, size: Size) -> Tally:
    """Every order of every set of answers, with the port's own answer before them, or lost."""
    total = Tally()
    for sets, position, make in ((MAIL_SETS, 0, _of_mail), (TASK_SETS, 1, _of_task)):
        for names in sets:
            orders = list(itertools.permutations(names))
            for first in ("pending", "lost") if position == 0 else ("lost",):
                ends: dict[str, list[str]] = {}
                for order in orders[:: max(1, size.stride(on) // 4)]:
                    end, tally = _answered(on, position, make, order, first)
                    tally.notes = [f"{', '.join(order)} after {first}: {note}" for note in tally.notes]
                    total.add(tally)
                    ends.setdefault(end, []).append(", ".join(order))
                if len(ends) > 1:
                    told = {end: orders[0] for end, orders in ends.items()}
                    total.found("corrupt", f"the end depends on the order: {told}", len(ends) - 1)
    return total


def _answered(on: str, position: int, make: Any, order: Sequence[str], first: str) -> tuple[str, Tally]:
    with stage(on) as made:
        world = World(made, "at_most_once", "at_most_once")
        ids = [world.engine.enroll(deaths.FLOW, deaths.person(1)).id]
        lost = ConnectionError("the answer was lost")

        def answer(email: Email, key: str) -> Any:
            if email.position or position:
                return None
            return Pending("p-1") if first == "pending" else lost

        world.mail_answer = answer
        world.board_fails = lost if position else None
        world.work(START + timedelta(hours=2))
        key = world.engine.get(1).key_of(world.engine.get(1).steps[position])
        accepted = any(name.startswith(("accepted", "created", "completed")) for name in order)
        if first == "lost" and not position:
            order = [name for name in order if name not in ("accepted late", "bounced")]
            accepted = any(name.startswith("accepted") for name in order)
        if accepted and first == "lost":
            world.depart(1, position, key, None)
        reports = make(key)
        for name in order:
            world.engine.handle(reports[name])
            world.clock.move(seconds=1)
        step = world.engine.get(1).steps[position]
        end = f"{step.status.value}, {world.engine.get(1).state.value}, {step.message_id}"
        tally = Tally(injected=1)
        if accepted and step.status.value not in ("completed", "in_progress"):
            tally.found("lost", f"it was accepted, and is {step.status.value}")
        if not accepted and step.status.value == "completed":
            tally.found("corrupt", "it was never accepted, and is completed")
        world.board_fails = None
        deaths.complete_tasks(world, but=())
        world.work(START + timedelta(days=30))
        found = evidence(
            made, enrolled=ids, log=world.log, embedded=False, by_hand=ids,
            waits_for=("delivery_failed", "bounced", "outcome_unknown", "task_failed"), parked_at_most=1, unmarked=1,
        )  # fmt: skip
        tally.add(attrs.evolve(judge(found), injected=0))
        return end, tally
