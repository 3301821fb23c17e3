"""The page about the API has every operation, every error and every choice of ours, as the code has them."""

from __future__ import annotations

import re
from pathlib import Path

from sequencer.http.application import OPERATIONS
from sequencer.http.envelope import CODES
from sequencer.http.errors import ROWS
from sequencer.http.ours import OURS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text(encoding="utf-8")


def rows(header):
    """The rows of the table with this header, as tuples of cells."""
    (table,) = re.findall(rf"^\| {re.escape(header)} \|\n\|[-|]+\n((?:\| .*\n)+)", PAGE, re.MULTILINE)
    return [tuple(cell.strip() for cell in line.strip("| \n").split(" |")) for line in table.splitlines()]


def test_the_operations():
    """Each operation is listed with its method, its path and its parameters, in the order of the code."""
    listed = [
        (row[0], row[1], row[2], "" if len(row) < 4 else row[3]) for row in rows("method | path | does | parameters")
    ]

    assert listed == [
        (
            each.method,
            f"`{each.path.replace('{id}', ':id')}`",
            each.summary,
            ", ".join(f"`{query.name}`" for query in each.queries),
        )
        for each in OPERATIONS
    ]


def test_the_errors():
    """Each status is listed with its codes and what they say; and each error of the engine has its answer."""
    assert rows("status | code | says") == [
        (str(status), f"`{code}`", says) for status, codes in CODES.items() for code, says in codes.items()
    ]
    named = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("error | answer"))))
    assert named == {kind.__name__ for kind in ROWS} - {"Exception", "SequencerError"}


def test_what_is_ours():
    """Each choice of ours is listed as such, with its reason."""
    assert rows("what | ours | why") == [(row.what, row.choice, row.reason) for row in OURS]
