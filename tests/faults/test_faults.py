"""Each fault on each store, at a size that ends in seconds: the gates hold (`python -m tests.faults` does more)."""

from __future__ import annotations

import pytest

from tests.faults.registry import FAULTS, SIZES, STAGES, rows

ROWS = rows(list(FAULTS), list(STAGES))
IDS = [f"{fault.name}-{on}" for fault, on in ROWS]


@pytest.mark.parametrize(("fault", "on"), ROWS, ids=IDS)
def test_the_gate_holds(fault, on):
    """Nothing is lost, doubled beyond what the laws allow, early, out of order, stuck or corrupt."""
    size = SIZES["small"]

    tally = fault.run(on, size)

    print(fault.row(on, tally))
    assert fault.missed(tally, size) == [], tally.notes[:20]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "on"), ROWS, ids=IDS)
def test_the_gate_holds_thoroughly(fault, on):
    """The same at the size whose counts the documentation shows."""
    size = SIZES["ordinary"]

    tally = fault.run(on, size)

    assert fault.missed(tally, size) == [], tally.notes[:20]
