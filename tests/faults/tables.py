"""The tables of docs/faults.md: written from a run, and read again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.faults.registry import FAULTS
from tests.faults.tally import COLUMNS

__all__ = ["columns_table", "counts_in", "faults_table", "with_counts", "written"]


def written(rows: Iterable[Mapping[str, Any]]) -> str:
    """The counts of a run, one line a fault and store."""
    names = ["fault", "store", *COLUMNS]
    lines = ["| " + " | ".join(each.replace("_", " ") for each in names) + " |"]
    lines.append("|---|---|" + "---:|" * len(COLUMNS))
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def faults_table() -> str:
    """What is done, and what must hold."""
    lines = ["| fault | what is done | gate | stores |", "|---|---|---|---|"]
    lines += [f"| {each.name} | {each.what} | {each.gate} | {', '.join(each.stores)} |" for each in FAULTS.values()]
    return "\n".join(lines)


def columns_table() -> str:
    """What each column counts."""
    lines = ["| column | counts |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {what} |" for name, what in COLUMNS.items()]
    return "\n".join(lines)


def counts_in(page: str) -> list[dict[str, Any]]:
    """The rows of the table of counts in a page."""
    found = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2 + len(COLUMNS) and all(re.fullmatch(r"\d+", cell) for cell in cells[2:]):
            found.append({"fault": cells[0], "store": cells[1],
                          **{name: int(cell) for name, cell in zip(COLUMNS, cells[2:], strict=True)}})  # fmt: skip
    return found


def with_counts(page: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """The page with the counts of a run in its table, each in the place of that fault's on that store before."""
    before = counts_in(page)
    counts = {(row["fault"], row["store"]): row for row in (*before, *rows)}
    places = [(fault.name, on) for fault in FAULTS.values() for on in fault.stores]
    return page.replace(written(before), written(counts[place] for place in places if place in counts))
