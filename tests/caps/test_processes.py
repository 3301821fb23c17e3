"""Real processes on one SQLite file: together they let no more through than one may (law E5)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import pendulum
import pytest

from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    ManualClock,
    MemoryStore,
    Resource,
    Row,
    Sequence,
    SQLiteStore,
    Step,
    Template,
)
from sequencer.engine.ports import Accepted
from tests.caps.ledger import ForwardClock, Ledger
from tests.caps.worker import CAP

ROOT = Path(__file__).resolve().parent.parent.parent
START = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SEQUENCE = Sequence(
    "caps",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(1), Hours(30))],
    calendar=Calendar("UTC", working_days=WEEK),
    templates={1: Template("Hello", "There")},
)
ACTORS = (7, 8)
LEADS = 40
LONGEST = 240.0  # seconds for anything to happen at all


def leads():
    return [Row(Resource("lead", n, email=f"{n}@example.com"), actor_id=ACTORS[n % 2]) for n in range(LEADS)]


def tell(clock, at):
    """The clock's file is replaced at once, so that nobody reads half of it."""
    written = clock.with_suffix(".new")
    written.write_text(at.isoformat())
    written.replace(clock)


def test_e5_processes_together_keep_the_cap(tmp_path):
    """Four workers in four processes send every mail once, and never more of an actor in a day than its cap (E5)."""
    database, clock, taken = tmp_path / "caps.db", tmp_path / "clock", tmp_path / "taken"
    store = SQLiteStore(database, busy_timeout=60)
    host = Engine(store, clock=ManualClock(START))
    host.enroll_many(SEQUENCE, leads())
    tell(clock, START)
    command = [sys.executable, "-m", "tests.caps.worker", str(database), str(clock), str(taken)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    workers = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(4)]
    try:
        now, end = START, time.monotonic() + LONGEST
        while host.statistics("caps").active:
            assert time.monotonic() < end, host.statistics("caps")
            assert all(worker.poll() is None for worker in workers)
            with store.transaction(write=False) as transaction:
                counts, at = transaction.counts(now, 1), transaction.next_wake()
            # When nothing is due and nobody is at work any more, time goes on to what is next.
            if at is not None and not (counts.due or counts.claimed or counts.abandoned):
                now = at
                tell(clock, now)
            time.sleep(0.005)
    finally:
        clock.unlink()
        ended = [worker.wait(60) for worker in workers]
    assert ended == [0] * 4
    assert host.statistics("caps").finished == {"completed": LEADS}

    left: dict[str, list[datetime]] = defaultdict(list)
    keys: Counter[str] = Counter()
    by_worker: Counter[str] = Counter()
    for line in taken.read_text().splitlines():
        actor, at, key, worker = line.split()
        left[actor].append(datetime.fromisoformat(at))
        keys[key] += 1
        by_worker[worker] += 1
    assert (len(keys), set(keys.values())) == (2 * LEADS, {1})
    for actor, instants in left.items():
        most = max(sum(first <= at < first + CAP.per for at in instants) for first in instants)
        print(f"actor {actor}: {len(instants)} mails, at most {most} in a day; by worker {sorted(by_worker.values())}")
        assert most == CAP.emails
    store.close()


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_e5_threads_together_keep_the_cap(tmp_path, kind, workers):
    """Workers in as many threads, on one store, at the same instants, never send more than the cap allows (E5)."""
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "caps.db", busy_timeout=60)
    clock, ledger = ForwardClock(START), Ledger()

    class Mailer:
        deduplicates = True

        def send(self, email, *, key, timeout):
            ledger.take(email.actor_id, key, clock.forward)
            return Accepted(f"<{key}>")

    engines = [Engine(store, mailer=Mailer(), clock=clock, cap=CAP, port_threads=False) for _ in range(workers)]
    engines[0].enroll_many(SEQUENCE, leads())
    for _ in range(200):
        passes = [threading.Thread(target=engine.tick, args=(5,)) for engine in engines]
        for each in passes:
            each.start()
        for each in passes:
            each.join()
        with store.transaction() as transaction:
            at = transaction.next_wake()
        if at is None:
            break
        clock.set(max(at, clock.now()))
    assert engines[0].statistics("caps").finished == {"completed": LEADS}
    assert [ledger.most(actor, CAP.per) for actor in ACTORS] == [CAP.emails] * 2
    assert len(ledger.keys) == 2 * LEADS
    store.close()
