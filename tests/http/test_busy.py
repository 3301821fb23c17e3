"""A store that somebody else holds is waited for once, and then the client is told to come back."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager

import pytest

from sequencer import Engine, ManualClock, SQLiteStore
from sequencer.http import application, open_access
from tests import postgres
from tests.http.conftest import NOON, UNLIMITED, two_steps
from tests.http.driving import client_of, errors_of

WAIT = 0.3


@contextmanager
def held_sqlite(folder):
    store = SQLiteStore(folder / "held.db", busy_timeout=WAIT)
    other = sqlite3.connect(folder / "held.db", isolation_level=None)
    yield store, lambda: other.execute("BEGIN IMMEDIATE")
    other.close()
    store.close()


@contextmanager
def held_postgres(folder):
    store = postgres.new_store(lock_timeout=WAIT)
    with postgres.connect() as other:
        yield store, lambda: other.execute(f'LOCK TABLE "{store.schema}".sequencer_enrollments')
        other.rollback()
    store.close()


@pytest.mark.parametrize("held", [held_sqlite, held_postgres])
def test_a_store_that_is_held_is_waited_for_once(held, tmp_path):
    """Who writes while somebody holds the store is told so after one wait, and when to ask again; nothing is done."""
    with held(tmp_path) as (store, hold):
        engine = Engine(store, clock=ManualClock(NOON))
        id = engine.create_sequence(two_steps()).id
        app = application(engine, access=open_access(), limits=UNLIMITED, inspector=False)
        with client_of(app) as client:
            body = {"sequence_id": id, "resource_type": "lead", "resource_id": 1}
            assert client.post("/v2/sequence_enrollments", body).status_code == 201
            hold()
            began = time.monotonic()
            answer = client.post("/v2/sequence_enrollments", {**body, "resource_id": 2})
            took = time.monotonic() - began
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert errors_of(answer) == [("temporarily_unavailable", None)]
        assert WAIT * 0.9 <= took < WAIT * 1.9
