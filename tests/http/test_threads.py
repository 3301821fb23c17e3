"""How requests act: on few threads, however many there are; no longer waited for than they may take; done or not."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from sequencer import Engine, ManualClock, Resource, SQLiteStore
from sequencer.http import Limits, application, open_access
from sequencer.http.threads import Threads
from sequencer.stores import sqlite
from sequencer.stores.statements import migrations
from sequencer.testing.contracts.workbench import NOW
from tests.engine.sequences import mails
from tests.http.driving import client_of


def test_so_many_at_once():
    """No more than so many act at once, on as many threads, and all of them are done; on each loop anew."""
    threads, at_once, most, lock = Threads(3), 0, 0, threading.Lock()

    def act(n: int) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1
        return n

    async def several() -> list[int]:
        return await asyncio.gather(*(threads.run(act, n) for n in range(12)))

    for _ in range(2):
        assert asyncio.run(several()) == list(range(12))
    assert most == 3


def test_a_body_that_does_not_arrive(engine):
    """A body that does not arrive in its time is refused in the envelope, and nothing is done."""
    app = application(engine, access=open_access(), limits=Limits(seconds=0.05), inspector=False)
    told: list[str] = []

    async def receive() -> Any:
        if told:
            await asyncio.sleep(30)
        told.append("some of it")
        return {"type": "http.request", "body": b'{"data"', "more_body": True}

    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v2/sequence_enrollments", "raw_path": b"/v2/sequence_enrollments",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert answered[0]["status"] == 400
    assert b'"invalid_payload"' in answered[1]["body"]
    assert b"0.05 seconds" in answered[1]["body"]


def test_on_the_schema_before_nothing_is_done_that_cannot_be_answered(tmp_path, monkeypatch):
    """On a store without the columns that answers need, a change is refused before it is made (S5)."""
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "SCHEMA", 2)
        patch.setattr(sqlite, "migrations", lambda dialect: migrations(dialect)[:2])
        SQLiteStore(tmp_path / "old.db").close()
    store = SQLiteStore(tmp_path / "old.db")
    engine = Engine(store, clock=ManualClock(NOW))
    there = engine.enroll(mails(), Resource("lead", 1))
    with client_of(application(engine, access=open_access(), inspector=False)) as client:
        answers = [
            client.post(
                "/v2/sequence_enrollments",
                {"sequence_id": there.version.sequence_id, "resource_type": "lead", "resource_id": 2},
            ),
            client.put(f"/v2/sequence_enrollments/{there.id}", {"state": "finished"}),
        ]
        assert [each.status_code for each in answers] == [503, 503]
        assert engine.enrollments() == (there,)
        store.migrate()
        assert client.put(f"/v2/sequence_enrollments/{there.id}", {"state": "finished"}).status_code == 200
    store.close()
