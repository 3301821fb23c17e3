"""How a transaction in memory is undone: every change notes how to take it back; and the ids of its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

__all__ = ["MISSING", "Journal"]

MISSING: Any = object()
"""Stands for what is not in a table."""


class Journal:
    """The changes since the transaction began. `mark` and `undo` are what its beginning and its failure need."""

    def __init__(self) -> None:
        self._changes: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        # The last id of each table that numbers its rows.
        self._serials: dict[Any, int] = defaultdict(int)

    def mark(self) -> int:
        """A point to which `undo` can go back."""
        return len(self._changes)

    def undo(self, mark: int) -> None:
        """Take back everything since a mark, last change first."""
        undone = self._changes[mark:]
        for take_back, values in reversed(undone):
            take_back(*values)
        # What taking back has itself written is no change.
        del self._changes[mark:]

    def keep(self) -> None:
        """Everything so far stays."""
        self._changes.clear()

    def _note(self, take_back: Callable[..., None], *values: Any) -> None:
        self._changes.append((take_back, values))

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set an entry of a table, or take it out (`MISSING`)."""
        self._note(self._put, table, key, table.get(key, MISSING))
        if value is MISSING:
            table.pop(key, None)
        else:
            table[key] = value

    def _serial(self, table: str) -> int:
        """The id of a new row."""
        serial = self._serials[table] + 1
        self._put(self._serials, table, serial)
        return serial
