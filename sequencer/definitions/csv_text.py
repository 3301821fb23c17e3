"""CSV as RFC 4180 has it, with the place of every cell: quotes only around a whole cell, doubled within."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

__all__ = ["Cell", "Malformed", "rows"]

MOST_COLUMNS = 1_000

# A cell in quotes or one without, and what ends it. The loop over doubled quotes cannot backtrack.
_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n|\n|\r|\Z)')


@attrs.frozen
class Cell:
    """The text of a cell and its offset in the file."""

    text: str
    offset: int


class Malformed(Exception):
    """From `offset` on, the text is no CSV, for this reason."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


def rows(text: str) -> Iterator[list[Cell]]:
    """The rows of a text, one after the other; line breaks at the end make no row. Raises `Malformed`."""
    at, size = 0, len(text.rstrip("\r\n"))
    row: list[Cell] = []
    while at < size:
        found = _CELL.match(text, at)
        if found is None:
            quoted = text.startswith('"', at)
            closed = quoted and text.find('"', at + 1) >= 0
            if quoted and not closed:
                raise Malformed(at, "this cell begins with a double quote and is not closed by one")
            reason = "a double quote in a cell must be doubled, and the cell put into double quotes"
            raise Malformed(at, reason)
        quoted_text, plain, end = found.groups()
        if len(row) >= MOST_COLUMNS:
            raise Malformed(at, f"there are more than {MOST_COLUMNS} cells in this row")
        row.append(Cell(plain if quoted_text is None else quoted_text.replace('""', '"'), at))
        at = found.end()
        if end != ",":
            yield row
            row = []
        elif at >= size:
            # The last cell of the file is empty: after its comma there is nothing left to match.
            row.append(Cell("", at))
            yield row
            row = []
