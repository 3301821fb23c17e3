"""Real processes, really killed, around a real mail server (E3, S1, S3).

A worker sends from an SQLite file to a server on loopback and is killed with SIGKILL after a random number of mails
and a random moment more; then the next one is started. In the end everything has to be accounted for: nothing lost, and
doubled only where the law allows that. The counts are printed; `-m slow` kills ten times as often.
"""

from __future__ import annotations

import asyncio
import email
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from sequencer import Engine, SQLiteStore
from tests.kills.worker import SEQUENCE, lead

ROOT = Path(__file__).resolve().parent.parent.parent
MAILS = 3
LONGEST = 240.0  # seconds for anything to happen at all


class Inbox:
    """What the server took, by Message-ID; every mail costs it a moment, in which its sender can die."""

    def __init__(self, seed: int) -> None:
        self.taken: Counter[str] = Counter()
        self.came = threading.Condition()
        self._random = random.Random(seed)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's name for it
        await asyncio.sleep(self._random.random() * 0.004)
        with self.came:
            self.taken[str(email.message_from_bytes(envelope.content)["Message-ID"])] += 1
            self.came.notify_all()
        await asyncio.sleep(self._random.random() * 0.004)
        return "250 2.0.0 taken"

    @property
    def count(self) -> int:
        return sum(self.taken.values())

    def wait_for(self, more: int, worker: subprocess.Popen) -> None:
        """Until so many more mails have come."""
        goal, end = self.count + more, time.monotonic() + LONGEST
        with self.came:
            while self.count < goal:
                assert worker.poll() is None, "the worker ended by itself"
                assert time.monotonic() < end, "the worker does nothing"
                self.came.wait(0.2)


class Server(Controller):
    """A server on a port that the system chooses."""

    def _trigger_server(self):
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox():
    return Inbox(seed=7)


@pytest.fixture
def port(inbox):
    server = Server(inbox, "127.0.0.1", 0)
    server.start()
    yield server.port
    server.stop()


def start(*arguments: object, **how) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.kills.worker", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, **how)


def kill(worker: subprocess.Popen) -> None:
    worker.send_signal(signal.SIGKILL)
    assert worker.wait(30) == -signal.SIGKILL


@pytest.mark.parametrize("delivery", ["at_most_once", "at_least_once"])
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_e3_killed_workers_lose_nothing(tmp_path, inbox, port, delivery, kills):
    """However often its worker is killed, no step is lost; at most once doubles none, parks at most one a kill (E3)."""
    chance = random.Random(kills)
    path = tmp_path / "kills.db"
    count = kills * 6 + 20
    store = SQLiteStore(path)
    host = Engine(store=store)
    assert len(host.enroll_many(SEQUENCE, [lead(i) for i in range(count)]).enrolled) == count

    for _ in range(kills):
        worker = start("run", path, port, delivery)
        inbox.wait_for(chance.randint(1, 12), worker)
        time.sleep(chance.random() * 0.015)
        kill(worker)
    worker = start("run", path, port, delivery)
    end = time.monotonic() + LONGEST
    while host.statistics("kills").active and time.monotonic() < end:
        assert worker.poll() is None
        time.sleep(0.2)
    kill(worker)

    counts = host.statistics("kills")
    sent = lost = doubled = 0
    for number in range(1, count + 1):
        enrollment = host.get(number)
        for step in enrollment.steps:
            if not step.step.is_email or step.status == "cancelled":
                continue
            times = inbox.taken[f"<{enrollment.key_of(step)}@example.com>"]
            doubled += max(0, times - 1)
            sent += times
            lost += step.status == "completed" and not times
            assert step.status != "completed" or step.message_id == f"<{enrollment.key_of(step)}@example.com>"
            assert step.status in ("completed", "failed") or enrollment.state == "blocked"
    parked = counts.blocked.get("outcome_unknown", 0)
    print(f"{delivery}: {kills} kills, {sent} mails, {lost} lost, {doubled} doubled, {parked} parked")
    assert inbox.count == sent
    assert lost == 0
    assert counts.finished.get("completed", 0) + parked == count, counts
    if delivery == "at_most_once":
        assert doubled == 0
        assert parked <= kills
    else:
        assert parked == 0
        assert doubled <= kills
    store.close()


def test_s1_what_enroll_returned_survives(tmp_path):
    """Every enrollment whose id a process had been given before it was killed is stored, whole (S1)."""
    path = tmp_path / "enrolled.db"
    chance = random.Random(3)
    given: list[int] = []
    for _ in range(3):
        worker = start("enroll", path, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        for _ in range(chance.randint(1, 40)):
            line = worker.stdout.readline()
            if not line:
                break
            given.append(int(line))
        kill(worker)
        given += [int(line) for line in worker.stdout if line.endswith("\n")]
        worker.stdout.close()
        store = SQLiteStore(path)
        host = Engine(store=store)
        for id in given:
            assert host.get(id).state == "active"
            assert [event.type for event in host.history(id)] == ["enrolled"]
        assert host.statistics("kills").total - len(given) in (0, 1)
        for id in given:
            host.finish(id)
        for each in host.enrollments(state="active"):
            host.finish(each.id)
        total = host.statistics("kills").total
        store.close()
        given = []
        assert total
        path.unlink()
        for beside in tmp_path.glob("enrolled.db-*"):
            beside.unlink()
