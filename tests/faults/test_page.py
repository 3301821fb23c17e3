"""docs/faults.md shows the faults, the gates and the columns that the harness has, and counts that hold the gates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.registry import FAULTS, SIZES
from tests.faults.tables import columns_table, counts_in, faults_table, with_counts, written
from tests.faults.tally import COLUMNS, Tally

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "faults.md").read_text(encoding="utf-8")
COUNTS = counts_in(PAGE)


@pytest.mark.parametrize("table", [faults_table, columns_table])
def test_the_page_shows_what_the_harness_has(table):
    """Every fault with what is done, its gate and its stores, and every column, stand on the page as in the harness."""
    assert table() in PAGE


def test_the_page_counts_every_fault_on_every_store():
    """There is a row for each fault and store to which it applies, in order, and no other."""
    wanted = [(fault.name, on) for fault in FAULTS.values() for on in fault.stores]

    assert [(row["fault"], row["store"]) for row in COUNTS] == wanted
    assert written(COUNTS) in PAGE


def test_a_run_is_put_into_the_page():
    """The counts of a run stand where those of the same fault and store stood, or where they belong; the rest stays."""
    some = [row for row in COUNTS if row["fault"] != "stale" or row["store"] == "memory"]
    without = PAGE.replace(written(COUNTS), written(some))
    missing = [row for row in COUNTS if row not in some]
    assert missing
    assert with_counts(without, missing) == PAGE

    other = {**COUNTS[3], "injected": COUNTS[3]["injected"] + 1}
    assert counts_in(with_counts(PAGE, [other])) == [*COUNTS[:3], other, *COUNTS[4:]]
    assert with_counts(PAGE, COUNTS) == with_counts(PAGE, []) == PAGE


@pytest.mark.parametrize("row", COUNTS, ids=lambda row: f"{row['fault']}-{row['store']}")
def test_what_the_page_counts_holds_the_gate(row):
    """The counts that are published are those of the ordinary size, and no gate is missed by them."""
    tally = Tally(**{name: row[name] for name in COLUMNS})

    assert FAULTS[row["fault"]].missed(row["store"], tally, SIZES["ordinary"]) == []
