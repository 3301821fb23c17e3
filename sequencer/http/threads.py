"""The worker threads on which requests act: the engine is synchronous, and the loop must not wait for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

__all__ = ["Threads"]

_Found = TypeVar("_Found")
_Given = TypeVarTuple("_Given")


class Threads:
    """So many at once, the others wait for their turn; a store has a connection for each thread that uses it.

    The usual number of threads, 40, is for those that mostly wait. These work, on as many cores as there are, and each
    connection of a store has a cache of its own. Each loop that the application runs on has its own so many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limiter: RunVar[CapacityLimiter] = RunVar(f"sequencer threads {id(self)}")

    async def run(self, do: Callable[[*_Given], _Found], *given: *_Given) -> _Found:
        """What this answers, called on a worker thread."""
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self._most)
            self._limiter.set(limiter)
        return await to_thread.run_sync(do, *given, limiter=limiter)
