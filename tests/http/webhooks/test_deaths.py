"""Processes that send, really killed: nothing is lost, and what is sent again has the same id (E3, S2)."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sequencer import Engine, ManualClock, SQLiteStore
from sequencer.http.webhooks import Webhooks
from tests.http.webhooks.endpoints import SEQUENCE, START, lead, receiver

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("place", "before"),
    [
        pytest.param("between copying and noting how far", 0, marks=pytest.mark.slow),
        ("between copying and sending", 0),
        ("between the answer and its note", 1),
        pytest.param("between the note and its commit", 1, marks=pytest.mark.slow),
    ],
)
def test_a_killed_sender_loses_nothing(tmp_path, place, before):
    """Wherever a process is killed, the next one sends the rest, in order; what was under way may come twice."""
    database = tmp_path / "crm.db"
    clock = ManualClock(START)
    engine = Engine(SQLiteStore(database), clock=clock)
    with receiver(hook="204") as server:
        webhooks = Webhooks(engine)
        webhooks.add(f"{server.url}/hook")
        for n in range(2):
            id = engine.enroll(SEQUENCE, lead(n)).id
            engine.block(id)
        command = [sys.executable, "-m", "tests.http.webhooks.sender", str(database), place]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=60)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert len(server.requests) == before

        # Its lease may still be in force, which is what keeps a slow one from being overtaken.
        assert webhooks.deliver().sent == (0 if before else 4)
        clock.move(seconds=121)
        webhooks.deliver()

    ids = [headers["webhook-id"] for _, headers, *_ in server.requests]
    events = [f"evt_{engine.store.origin}_{event.cursor}" for event in engine.events().events]
    assert len(ids) == 4 + before
    assert ids[:before] == ids[before : 2 * before]
    assert sorted(set(ids)) == sorted(events)
    assert [id for id in events if id in dict.fromkeys(ids)] == events
    assert webhooks.waiting() == webhooks.dead() == ()
    engine.store.close()
