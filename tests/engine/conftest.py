"""A store of each kind, a clock on a Monday morning, and ports that remember."""

from __future__ import annotations

import pendulum
import pytest

from sequencer import Engine, ManualClock, MemoryStore, RecordingMailer, RecordingTaskBoard, SQLiteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "engine.db")
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
