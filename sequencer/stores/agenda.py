"""Who comes first: a heap with lazy deletion."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection

__all__ = ["Agenda"]

_ID_BITS = 63
_ID = (1 << _ID_BITS) - 1


class Agenda:
    """Ids in the order of a number that each of them has, or has not.

    An id whose number changes is put in again; an entry that no longer holds is dropped when it comes up. So putting
    in costs O(log n) and asking for what is due O(due). An entry is one integer, the number with the id in its lowest
    bits: a third of what a tuple takes.
    """

    def __init__(self, number_of: Callable[[int], int | None], ids: Collection[int]) -> None:
        self._number_of = number_of
        self._ids = ids
        self._heap: list[int] = []

    def put(self, number: int, id: int) -> None:
        """The id has this number now."""
        heapq.heappush(self._heap, number << _ID_BITS | id)
        if len(self._heap) > 2 * len(self._ids) + 64:
            numbers = ((self._number_of(each), each) for each in self._ids)
            self._heap = [number << _ID_BITS | each for number, each in numbers if number is not None]
            heapq.heapify(self._heap)

    def first(
        self, limit: int, *, up_to: int | None = None, where: Callable[[int], bool] | None = None
    ) -> list[tuple[int, int]]:
        """The first (number, id) of those whose number is at most `up_to` and for which `where` holds. They stay in."""
        heap = self._heap
        found: list[tuple[int, int]] = []
        kept: dict[int, None] = {}
        while heap and len(found) < limit:
            entry = heap[0]
            number, id = entry >> _ID_BITS, entry & _ID
            if up_to is not None and number > up_to:
                break
            heapq.heappop(heap)
            if entry in kept or self._number_of(id) != number:
                continue
            kept[entry] = None
            if where is None or where(id):
                found.append((number, id))
        for entry in kept:
            heapq.heappush(heap, entry)
        return found
