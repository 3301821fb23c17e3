"""What stores ask of a database: named statements with positional values, inside one transaction.

A statement's name is the same for all of them: it is SQL from a file, or a method of the memory store's tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Several
from typing import Any, Protocol

import attrs

from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.stores.codec import Row, encode_id

__all__ = ["MOST", "Database", "Known", "OneWriter", "fits", "whose"]

MOST = 2**63 - 1


class Database(Protocol):
    """Runs named statements inside one transaction. Its errors are `Conflict` and `StoreError`."""

    def rows(self, name: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        ...

    def row(self, name: str, *values: Any) -> Row | None:
        """The first row of a query."""
        ...

    def each(self, name: str, rows: Iterable[Row]) -> list[list[Row]]:
        """The rows of a query for each of many values."""
        ...

    def rows_about(self, name: str, several: Several[str] | Several[int], *values: Any) -> list[Row]:
        """All rows of a query about several things at once, which are its first value."""
        ...

    def run(self, name: str, *values: Any) -> int:
        """How many rows a statement changed."""
        ...

    def add(self, name: str, *values: Any) -> int:
        """The id that an insertion gave."""
        ...

    def many(self, name: str, rows: Iterable[Row]) -> None:
        """The same statement for many rows."""
        ...

    def stored(self, name: str, rows: Iterable[Row]) -> set[int]:
        """The same statement for many rows, each beginning with the id that it changes: the ids that were changed."""
        ...

    def new_ids(self, count: int) -> Several[int]:
        """So many ids for new enrollments."""
        ...

    def lock(self, names: Several[str], within: str | None) -> None:
        """Wait until nobody else holds one of these names, or all `within`; hold them until the transaction ends."""
        ...


class OneWriter:
    """The part of a database in which only one transaction writes at a time."""

    def rows(self, name: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        raise NotImplementedError

    def run(self, name: str, *values: Any) -> int:
        """How many rows a statement changed."""
        raise NotImplementedError

    def each(self, name: str, rows: Iterable[Row]) -> list[list[Row]]:
        """The rows of a query for each of many values."""
        return [self.rows(name, *values) for values in rows]

    def stored(self, name: str, rows: Iterable[Row]) -> set[int]:
        """The ids of the rows that a statement changed."""
        return {row[0] for row in rows if self.run(name, *row)}

    def new_ids(self, count: int) -> Several[int]:
        """So many ids for new enrollments."""
        self.run("advance_counter", "enrollment", count)
        ((last,),) = self.rows("get_counter", "enrollment")
        return range(last - count + 1, last + 1)

    def lock(self, names: Several[str], within: str | None) -> None:
        """There is nobody else."""


@attrs.define
class Known:
    """What a store remembers across transactions: its origin and secret, committed versions, contents by digest.

    A content is what its digest says, so it may be remembered at once; the id of a version means something only once
    it is committed. `is_current` says whether the tables are this release's, and not those of the one before it.
    """

    origin: str
    secret: bytes
    is_current: bool = True
    versions: dict[int, SequenceVersion] = attrs.Factory(dict)
    contents: dict[str, Sequence] = attrs.Factory(dict)


def fits(*numbers: int | None) -> bool:
    """Whether the database can hold these numbers; what it cannot hold, it does not know."""
    return all(number is None or -MOST <= number <= MOST for number in numbers)


def whose(account: Any) -> str | None:
    """An account as statements take it that can also be about all of them."""
    return None if account is ALL_ACCOUNTS else encode_id(account)
