"""A store of each kind, a clock on a Monday morning, and ports that remember."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest

from sequencer import Engine, ManualClock, MemoryStore, RecordingMailer, RecordingTaskBoard, SQLiteStore
from tests import postgres


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    stores: dict[str, Any] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLiteStore(tmp_path / "engine.db"),
        "postgres": postgres.new_store,
    }
    store = stores[request.param]()
    yield store
    store.close()


@pytest.fixture
def clock():
    return ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))


@pytest.fixture
def mailer():
    return RecordingMailer()


@pytest.fixture
def board():
    return RecordingTaskBoard()


@pytest.fixture
def engine(store, clock, mailer):
    """With the embedded board."""
    return Engine(store=store, mailer=mailer, clock=clock)


@pytest.fixture
def hosted(store, clock, mailer, board):
    """With the host's board."""
    return Engine(store=store, mailer=mailer, tasks=board, clock=clock)
