"""Calling a port without being held up by it: a call that hangs costs one time-out, not the worker (law E4)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["PortCalls", "TimedOut"]

_Result = TypeVar("_Result")


class TimedOut(Exception):
    """The port has not come back in time; its thread is left behind, and what it still answers is `late`."""


class _Call:
    __slots__ = ("abandoned", "done", "error", "function", "late", "result")

    def __init__(self, function: Callable[[], Any], late: Callable[[Any], None]) -> None:
        self.function = function
        self.late = late
        self.done = threading.Event()
        self.abandoned = False
        self.result: Any = None
        self.error: BaseException | None = None


class PortCalls:
    """Makes calls on one thread of its own, and takes a new thread when a call does not come back.

    It belongs to one pass of one worker. With `threads=False` calls are made on the caller's thread: for hosts whose
    ports need its connection (an ORM inside a test's transaction), at the price that a hanging port holds the worker.
    """

    def __init__(self, *, threads: bool = True) -> None:
        self._threads = threads
        self._calls: queue.SimpleQueue[_Call | None] | None = None

    def call(self, function: Callable[[], _Result], seconds: float, late: Callable[[_Result], None]) -> _Result:
        """The function's result, or what it raised; `TimedOut` after so many seconds.

        A result that comes after that is passed to `late`, on the thread that was left behind.
        """
        if not self._threads:
            return function()
        call = _Call(function, late)
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name="sequencer-ports", daemon=True).start()
        self._calls.put(call)
        if not call.done.wait(seconds):
            call.abandoned = True
            # The thread may come back at this very moment; then its answer may be reported twice, which is no harm.
            if not call.done.is_set():
                self.close()
                raise TimedOut(f"no answer within {seconds:g} seconds")
        if call.error is not None:
            raise call.error
        result: _Result = call.result
        return result

    def close(self) -> None:
        """Let the thread end, now or when its call comes back."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        try:
            call.result = call.function()
        except BaseException as error:
            call.error = error
        call.done.set()
        if call.abandoned and call.error is None:
            call.late(call.result)
