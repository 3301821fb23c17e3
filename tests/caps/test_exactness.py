"""No actor ever has more mails than the cap allows in any window, as the mailer saw them leave (law E5)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from tests.caps.machine import CapMachine
from tests.repeatable import repeatable

QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


class InMemory(CapMachine):
    """On the store in memory."""

    def make_store(self):
        return repeatable(MemoryStore)


class InSQLite(CapMachine):
    """On SQLite, without a file."""

    def make_store(self):
        return repeatable(lambda: SQLiteStore(":memory:"))


@pytest.mark.parametrize(
    ("machine", "examples"), [pytest.param(InMemory, 150, id="memory"), pytest.param(InSQLite, 40, id="sqlite")]
)
def test_e5_no_window_is_ever_too_full(machine, examples):
    """Whoever dies, retries, withdraws, reassigns or turns the clock, no actor's window or gap is broken (E5)."""
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=30, **QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("machine", [InMemory, InSQLite])
def test_e5_no_window_is_ever_too_full_thoroughly(machine):
    """The same, with as many and as long stories as the profile of Hypothesis asks for."""
    run_state_machine_as_test(machine, settings=settings(**QUICK))
