"""The engine beside the naive model, on each store; see `machine.py`, `book.py` and `world.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from tests import postgres
from tests.model.machine import Machine

QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


class InMemory(Machine):
    """On the store in memory."""

    def make_store(self):
        return MemoryStore()


class InSQLite(Machine):
    """On SQLite, without a file."""

    def make_store(self):
        return SQLiteStore(":memory:")


class InFile(Machine):
    """On a file of SQLite's."""

    def make_store(self):
        self.folder = tempfile.TemporaryDirectory()
        return SQLiteStore(Path(self.folder.name) / "model.db")

    def teardown(self):
        super().teardown()
        self.folder.cleanup()


class InPostgres(Machine):
    """On PostgreSQL."""

    def make_store(self):
        return postgres.new_store()


@pytest.mark.parametrize(
    ("machine", "examples"),
    [
        pytest.param(InMemory, 60, id="memory"),
        pytest.param(InSQLite, 20, id="sqlite"),
        pytest.param(InFile, 5, id="file"),
        pytest.param(InPostgres, 10, id="postgres"),
    ],
)
def test_the_engine_does_what_the_model_says(machine, examples):
    """Whatever is done to it, and wherever its workers die, the engine keeps the laws and answers as the model says."""
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=30, **QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("machine", [InMemory, InSQLite, InFile, InPostgres])
def test_the_engine_does_what_the_model_says_thoroughly(machine):
    """The same, with as many and as long stories as the profile of Hypothesis asks for."""
    run_state_machine_as_test(machine, settings=settings(**QUICK))
