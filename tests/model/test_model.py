"""The engine beside the naive model, on each store; the machine is the one that users have."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing import engine_machine
from tests import postgres
from tests.repeatable import repeatable

QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@contextmanager
def in_a_file():
    with tempfile.TemporaryDirectory() as folder:
        store = repeatable(lambda: SQLiteStore(Path(folder) / "model.db"))
        yield store
        store.close()


IN_MEMORY = engine_machine(store=lambda: repeatable(MemoryStore))
IN_SQLITE = engine_machine(store=lambda: repeatable(lambda: SQLiteStore(":memory:")))
IN_A_FILE = engine_machine(store=in_a_file)
IN_POSTGRES = engine_machine(store=postgres.new_store)


@pytest.mark.parametrize(
    ("machine", "examples"),
    [
        pytest.param(IN_MEMORY, 60, id="memory"),
        pytest.param(IN_SQLITE, 20, id="sqlite"),
        pytest.param(IN_A_FILE, 5, id="file"),
        pytest.param(IN_POSTGRES, 10, id="postgres"),
    ],
)
def test_the_engine_does_what_the_model_says(machine, examples):
    """Whatever is done to it, and wherever its workers die, the engine keeps the laws and answers as the model says."""
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=30, **QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("machine", [IN_MEMORY, IN_SQLITE, IN_A_FILE, IN_POSTGRES])
def test_the_engine_does_what_the_model_says_thoroughly(machine):
    """The same, with as many and as long stories as the profile of Hypothesis asks for."""
    run_state_machine_as_test(machine, settings=settings(**QUICK))
