"""Each fault on each store, at a size that ends in seconds: the gates hold (`python -m tests.faults` does more)."""

from __future__ import annotations

from functools import partial

import pytest

from tests.faults.registry import FAULTS, SIZES, STAGES, rows
from tests.faults.year import traced

ROWS = rows(list(FAULTS), list(STAGES))
IDS = [f"{fault.name}-{on}" for fault, on in ROWS]


@pytest.mark.parametrize(("fault", "on"), ROWS, ids=IDS)
def test_the_gate_holds(fault, on):
    """Nothing is lost, doubled beyond what the laws allow, early, out of order, stuck or corrupt."""
    size = SIZES["small"]

    tally = fault.run(on, size)

    print(fault.row(on, tally))
    assert fault.missed(on, tally, size) == [], tally.notes[:20]


def test_one_seed_gives_one_year():
    """What goes wrong in a year and what comes of it depends on the seed, and of the store on nothing but its ids.

    PostgreSQL leaves an id out where it rolls an insertion back, and pauses are jittered by ids (E4): its year is one
    of its own, and the same again. A quarter of it is enough: all twenty come in that, too, and meet as much each day.
    """
    year = partial(traced, mode="at_most_once", people=20, days=91)
    memory, sqlite, *postgres = (year(on, seed=3)[1] for on in ("memory", "sqlite", "postgres", "postgres"))

    assert memory == sqlite
    assert len(set(postgres)) == 1
    assert year("memory", seed=4)[1] != memory


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "on"), ROWS, ids=IDS)
def test_the_gate_holds_thoroughly(fault, on):
    """The same at the size whose counts the documentation shows."""
    size = SIZES["ordinary"]

    tally = fault.run(on, size)

    assert fault.missed(on, tally, size) == [], tally.notes[:20]
