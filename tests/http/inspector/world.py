"""A small world to look at: some weeks in which things went as planned, and some in which they did not.

It is Wednesday, 8 April 2026, 11:20 in Warsaw. Easter is just over.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import pendulum

from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    Replied,
    Resource,
    Sequence,
    Step,
    Task,
    Template,
    Weekdays,
    Window,
)
from sequencer.engine.ports import Rejected
from sequencer.http.access import Grant
from tests.simulation.report.strategies import HOSTILE

WARSAW = "Europe/Warsaw"
NOW = pendulum.datetime(2026, 4, 8, 11, 20, tz=WARSAW)
WEEK = ("mon", "tue", "wed", "thu", "fri")

INBOUND = Sequence(
    "Inbound follow-up",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Call {{ name }}, and ask what they need"), after=Weekdays(1)),
        Step(AutomatedEmail(2, is_reply=True), after=Hours(2)),
        Step(AutomatedEmail(3), after=Weekdays(3)),
        Step(Task("Decide whether to go on"), after=Weekdays(2)),
        Step(AutomatedEmail(4), after=Weekdays(1)),
    ],
    key="inbound",
    calendar=Calendar(
        WARSAW, holidays=["2026-04-06", "2026-05-01"], send_windows=[Window(WEEK, "09:00", "17:00")]
    ),
    templates={n: Template(f"Mail {n}", "Hello") for n in range(1, 5)},
)  # fmt: skip
RENEWAL = Sequence(
    "Renewal",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), after=Weekdays(60)), Step(Task("Call"), after=Weekdays(120))],
    calendar=Calendar(WARSAW),
    templates={1: Template("Renewal, {{ plan }}", "Soon"), 2: Template("Renewal", "Now")},
)


def named(text: str) -> str:
    """A hostile text as one that the engine takes: without control characters, and not blank."""
    kept = "".join(each for each in text if each.isprintable() or each in "\u202e\u202c\u2066\u200f")
    return kept.strip() or "(blank)"


def hostile() -> Sequence:
    """A sequence in which every text is one that tries something."""
    texts = [named(each) for each in HOSTILE]
    steps = [Step(Task(text.replace("{", "(") * 3), after=Hours(1), key=f"{i} {text}"[:64]) for i, text in
             enumerate(texts)]  # fmt: skip
    return Sequence((texts[1] + texts[7])[:255], steps, key="hostile " + texts[0], calendar=Calendar("Asia/Kolkata"))


@attrs.frozen
class World:
    """The engine, its parts, and who is who."""

    engine: Engine
    clock: ManualClock
    mailer: RecordingMailer
    ids: dict[str, int]


class Known:
    """Knows two tokens by heart, and one of another account."""

    grants: ClassVar = {
        "w" * 64: Grant(None, "write", 7, "writer"),
        "r" * 64: Grant(None, "read", None, "reader"),
        "o" * 64: Grant("other", "write", None, "other"),
    }

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    def grant_of(self, secret: str) -> Grant | None:
        return None if secret in self.revoked else self.grants.get(secret)


WRITER, READER, OTHER = Known.grants


def made() -> World:
    """The world as it is on that Wednesday."""
    clock = ManualClock(pendulum.datetime(2026, 3, 23, 10, 0, tz=WARSAW))
    mailer = RecordingMailer()
    engine = Engine(MemoryStore(), mailer=mailer, clock=clock)
    ids: dict[str, int] = {}

    def enroll(key: str, sequence: Any, resource: Resource, **more: Any) -> None:
        ids[key] = engine.enroll(sequence, resource, **more).id

    def lead(id: int | str, **fields: str) -> Resource:
        return Resource("lead", id, email=f"lead{id}@example.com", fields={"name": "Ada", **fields})

    enroll("replied", INBOUND, lead(1988695232), actor_id=7)
    enroll("missing", RENEWAL, lead(17), actor_id=7)
    mailer.fail(Rejected("550 no such mailbox", permanent=True), to="lead18@example.com")
    enroll("failed", INBOUND, lead(18))
    enroll("finished", INBOUND, lead(19))
    enroll("year", RENEWAL, lead(20, plan="gold"), timezone="America/New_York")
    engine.run_until(clock.now().add(minutes=5))
    engine.handle(Replied(key="r-1", email="lead1988695232@example.com"))
    engine.finish(ids["finished"], actor_id=7)

    engine.run_until(pendulum.datetime(2026, 3, 30, 14, 30, tz=WARSAW))
    enroll("overdue", INBOUND, lead(42), actor_id=8)
    enroll("going", INBOUND, Resource("contact", "a-7", email="going@example.com", fields={"name": "Grace"}))
    enroll("paused", INBOUND, lead(44))
    enroll("away", INBOUND, lead(45))
    engine.run_until(pendulum.datetime(2026, 3, 31, 16, 0, tz=WARSAW))
    for task in engine.tasks():
        if task.enrollment_id in {ids["going"], ids["paused"]}:
            engine.complete_task(task.id)
    engine.run_until(pendulum.datetime(2026, 4, 1, 12, 0, tz=WARSAW))
    engine.block(ids["paused"])
    engine.block(ids["away"], reason="out_of_office", until=pendulum.datetime(2026, 4, 20, 9, tz=WARSAW))
    engine.run_until(pendulum.datetime(2026, 4, 7, 18, 0, tz=WARSAW))
    text = named(HOSTILE[0])
    enroll("hostile", hostile(), Resource(named(HOSTILE[1])[:64], text[:64], email="h@example.com"), actor_id=text)
    engine.run_until(NOW.subtract(minutes=15))
    enroll("later", INBOUND, lead(46), start_at=pendulum.datetime(2026, 4, 13, 9, tz=WARSAW))
    other = engine.account("other")
    ids["other"] = other.enroll(INBOUND, lead(42)).id
    clock.set(NOW)
    enroll("due", INBOUND, lead(47))
    return World(engine, clock, mailer, ids)
