"""A mailer that raises, hangs, refuses, or whose line breaks off: real SMTP on loopback, and ports that misbehave.

The fault hits the first mail of several people. Whatever it is, the worker goes on with the others, and in the end
everybody has got everything, or a person is asked.
"""

from __future__ import annotations

import email
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sequencer.adapters.smtp import SmtpMailer
from sequencer.core.delays import Hours
from sequencer.core.policy import Policy, Retry
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Template
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Rejected
from tests.adapters.scripted import CLOSE, DRIP, HANG, Half, ScriptedServer
from tests.faults import deaths
from tests.faults.judge import Departure, judge
from tests.faults.stages import Size, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import LEASE, START, World

__all__ = ["mailers"]

PEOPLE = 3
TIMEOUT = 0.75  # seconds: a machine that is busy is no mailer that hangs
PAIR = Sequence(
    "pair",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(1, is_reply=True), Hours(1))],
    calendar=deaths.FLOW.calendar,
    policy=Policy(retry=Retry(attempts=9, first=60, factor=2)),
    templates={1: Template("Hello", "How are you?")},
)
STAGES = ("greeting", "ehlo", "mail", "rcpt", "data", "body")
WAYS: tuple[Any, ...] = (
    CLOSE, HANG, DRIP, Half("25"), "421 4.3.2 shutting down", "451 4.3.0 try later", "550 5.1.1 no such user",
    "552 5.2.2 full", "999 what", "not even SMTP",
)  # fmt: skip
AFTER = Half("250 2.0.0 taken\r\n")
"""The answer comes whole, and then the line breaks off."""


def mailers(on: str, size: Size) -> Tally:
    """Every way at every stage of a conversation, and everything else that a port can do."""
    total = Tally()
    cases: list[tuple[str, Any]] = [(stage, way) for stage in STAGES for way in WAYS] + [("body", AFTER)]
    for number, (at, way) in enumerate(cases):
        if number % max(1, size.stride(on) // 3) and (at, way) not in (("body", CLOSE), ("body", AFTER)):
            continue
        for mode in ("at_most_once", "at_least_once"):
            total.add(_on_the_line(on, mode, at, way))
    for mode in ("deduplicates", "at_most_once", "at_least_once"):
        for name, misbehave in _WAYS.items():
            if name != "hangs" or mode == "deduplicates" or size.rounds > 1:
                total.add(_in_process(on, mode, name, misbehave))
    return total


def _on_the_line(on: str, mode: str, at: str, way: Any) -> Tally:
    server = ScriptedServer(**{at: [way]})
    with stage(on) as made, server:
        world = World(made, mode)
        mailer = SmtpMailer("127.0.0.1", server.port, sender="us@example.com", security="none", delivery=mode)
        world.smtp = mailer
        world.options = {"lease": LEASE, "port_timeout": TIMEOUT, "port_threads": False}
        world.restart()
        ids = _live(world)
        mailer.close()
        transferred = list(server.mails)
        refused = at == "body" and isinstance(way, str) and way[:1] in "459n" and not isinstance(way, Half)
        log = [_departure(mail) for mail in transferred[refused:]]
        # The server has it, and said something that is no answer: whether the mail leaves, nobody can tell.
        unknown = at == "body" and (not isinstance(way, str) or isinstance(way, Half) or way[:1] not in "45")
        tally = judge(evidence(made, enrolled=ids, log=log, parked_at_most=unknown and mode == "at_most_once"))
    tally.injected = 1
    tally.allow(unknown and mode == "at_least_once")
    tally.notes = [f"{mode}, {at}: {way!r}: {note}" for note in tally.notes]
    return tally


def _departure(mail: bytes) -> Departure:
    key = str(email.message_from_bytes(mail)["Message-ID"]).strip("<>").partition("@")[0]
    id, position, _ = key.split("-")[-3:]
    return Departure(int(id), int(position), key)


def _live(world: World) -> list[int]:
    """Everybody is enrolled and gets what they are to get; what was refused for good is tried again by a person."""
    ids = [world.engine.enroll(PAIR, deaths.person(number)).id for number in range(1, PEOPLE + 1)]
    world.work(START + timedelta(days=3))
    for id in ids:
        reason = world.engine.get(id).blocked_reason
        if reason is not None and reason != "outcome_unknown":
            world.engine.resume(id)
    world.work(START + timedelta(days=6))
    return ids


# -- in process -----------------------------------------------------------------------------------------------


def _raises(world: World, email: Email, key: str) -> Any:
    return ConnectionError("nobody there")


def _raises_after(world: World, email: Email, key: str) -> Any:
    world.remember(key, Accepted(f"<{key}@faults>"))
    look = world.seen(email.enrollment_id, email.position) if world.mode == "deduplicates" else None
    world.depart(email.enrollment_id, email.position, key, look)
    return OutcomeUnknown("the line broke off")


def _refuses(world: World, email: Email, key: str) -> Any:
    return Rejected("451 later", permanent=False)


def _refuses_for_good(world: World, email: Email, key: str) -> Any:
    return Rejected("550 no", permanent=True)


def _bounces(world: World, email: Email, key: str) -> Any:
    return Rejected("550 no such user", permanent=True, recipient_fault=True)


def _answers_nonsense(world: World, email: Email, key: str) -> Any:
    return ValueError("its answer was nonsense")


def _hangs(world: World, email: Email, key: str) -> Any:
    threading.Event().wait(3)
    return ConnectionError("too late")


_WAYS: dict[str, Callable[[World, Email, str], Any]] = {
    "raises": _raises,
    "raises after": _raises_after,
    "refuses": _refuses,
    "refuses for good": _refuses_for_good,
    "bounces": _bounces,
    "answers nonsense": _answers_nonsense,
    "hangs": _hangs,
}
_TELLS_NOTHING = ("raises", "raises after", "answers nonsense", "hangs")


def _in_process(on: str, mode: str, name: str, misbehave: Callable[[World, Email, str], Any]) -> Tally:
    with stage(on) as made:
        world = World(made, mode)
        hits = [1]

        def answer(email: Email, key: str) -> Any:
            return misbehave(world, email, key) if hits and hits.pop() else None

        world.mail_answer = answer
        if name == "hangs":
            world.options = {"lease": LEASE, "port_timeout": TIMEOUT, "port_threads": True}
            world.restart()
        ids = _live(world)
        unknown = name in _TELLS_NOTHING
        found = evidence(made, enrolled=ids, log=world.log, parked_at_most=unknown and mode == "at_most_once")
        tally = judge(found)
    tally.injected = 1
    tally.allow(name == "raises after" and mode == "at_least_once")
    tally.notes = [f"{mode}, {name}: {note}" for note in tally.notes]
    return tally
