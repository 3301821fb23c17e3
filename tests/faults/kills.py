"""Real processes, really killed with SIGKILL: at a point that they count themselves, or at any moment from outside.

With a mailer that recognises keys, and with real SMTP on loopback, told `at_most_once` or `at_least_once`. Some of the
processes are hosts that enroll: what they had been told is done, must be there.
"""

from __future__ import annotations

import asyncio
import email
import random
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

from aiosmtpd.controller import Controller

from sequencer.core.instants import to_microseconds
from sequencer.engine.engine import Engine
from tests.faults import processes
from tests.faults.judge import Departure, judge
from tests.faults.processes import CONTEXT, LONGEST, QUICK, Orders, departures, lead
from tests.faults.stages import Size, Stage, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import START

__all__ = ["Inbox", "Server", "kills"]


class Inbox:
    """What a mail server took, in order; every mail costs it a moment, in which its sender can die."""

    def __init__(self, seed: int) -> None:
        self.taken: list[Departure] = []
        self._random = random.Random(seed)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's name for it
        await asyncio.sleep(self._random.random() * 0.002)
        key = str(email.message_from_bytes(envelope.content)["Message-ID"]).strip("<>").partition("@")[0]
        id, position, _ = key.split("-")[-3:]
        self.taken.append(Departure(int(id), int(position), key))
        await asyncio.sleep(self._random.random() * 0.002)
        return "250 2.0.0 taken"


class Server(Controller):
    """A server on a port that the system chooses."""

    def _trigger_server(self):
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class _Shooting:
    """Processes one after another, and what they leave behind."""

    def __init__(self, stage: Stage, mode: str, port: int | None, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stage = stage
        self.host = Engine(store=stage.store())
        self.host.save(QUICK)
        self.people = 0
        self.enrolled: list[int] = []
        self.killed = 0
        clock = CONTEXT.Value("q", to_microseconds(START), lock=False)
        assert stage.address is not None
        self.orders: dict[str, Any] = {
            "address": stage.address, "folder": str(stage.folder), "mode": mode, "clock": clock, "port": port
        }  # fmt: skip

    def enroll(self, count: int) -> None:
        rows = [lead(self._next()) for _ in range(count)]
        self.enrolled += [each.id for each in self.host.enroll_many("quick", rows).enrolled]

    def _next(self) -> int:
        self.people += 1
        return self.people

    def live(self, what: str, *, inside: bool) -> None:
        """One process, killed at a point that it counts (`inside`) or from outside."""
        ours, theirs = CONTEXT.Pipe(duplex=False)
        die_at = self.chance.randint(1, 70 if what == "work" else 20) if inside else None
        more = (range(self.people + 1, self.people + 8),) if what == "enroll" else ()
        process = CONTEXT.Process(
            target=getattr(processes, what), args=(Orders(**self.orders, die_at=die_at), theirs, *more)
        )
        process.start()
        theirs.close()
        if not inside and ours.poll(LONGEST):
            time.sleep(self.chance.random() * 0.04)
            process.kill()
        process.join(LONGEST)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        self.killed += process.exitcode == -signal.SIGKILL
        if what == "enroll":
            self.people += 7
            self.enrolled += _told(ours)
        ours.close()

    def finish(self) -> None:
        """The last worker is left alone."""
        _, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=processes.work, args=(Orders(**self.orders, limit=100), theirs))
        process.start()
        process.join(LONGEST)
        assert process.exitcode == 0, process.exitcode


def _told(pipe: Connection) -> list[int]:
    told = []
    try:
        while pipe.poll():
            told.append(pipe.recv())
    except EOFError:
        pass
    return [id for id in told if id > 0]


def kills(on: str, size: Size) -> Tally:
    """As many as the size says, a third of them for each mailer."""
    total = Tally()
    for mode in ("deduplicates", "at_most_once", "at_least_once"):
        inbox, server = Inbox(seed=7), None
        if mode != "deduplicates":
            server = Server(inbox, "127.0.0.1", 0)
            server.start()
        try:
            with stage(on) as made:
                total.add(_shoot(made, mode, server, inbox, -(-size.kills // 3)))
        finally:
            if server is not None:
                server.stop()
    return total


def _shoot(made: Stage, mode: str, server: Server | None, inbox: Inbox, goal: int) -> Tally:
    shooting = _Shooting(made, mode, server and server.port, seed=goal)
    while shooting.killed < goal:
        shooting.enroll(4)
        what = "enroll" if shooting.killed % 4 == 3 else "work"
        shooting.live(what, inside=bool(shooting.chance.getrandbits(1)))
    shooting.finish()
    log = inbox.taken if server else departures(str(made.folder))
    found = evidence(
        made,
        enrolled=shooting.enrolled,
        log=log,
        parked_at_most=shooting.killed if mode == "at_most_once" else 0,
    )
    tally = judge(found)
    tally.injected = shooting.killed
    tally.allow(shooting.killed if mode == "at_least_once" else 0)
    tally.notes = [f"{mode}: {note}" for note in tally.notes]
    return tally
