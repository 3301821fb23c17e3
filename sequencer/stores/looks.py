"""Fresh looks at what is about to be handed over (law E3), where a store knows no shorter way: a block for each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sequencer.core.enrollment import Enrollment
from sequencer.engine.storage import Transaction

__all__ = ["EachInTurn"]


class EachInTurn:
    """One look after another, each in a transaction of its own that waits for no writer."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Transaction]]) -> None:
        self._reading = reading

    def look(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        """See `sequencer.engine.storage.Looks`."""
        with self._reading() as transaction:
            return transaction.look(enrollment, fence, address)
