"""Calling ports without being held up by them: a call that hangs costs one time-out, not the worker (law E4).

The hand-overs of a pass run on a thread of their own, one after another, and the worker watches it. Each call of a
port is announced with the time that it has. When one does not come back in time, its thread is left behind and the
rest of the pass goes on with another. So a call costs no hand-over between threads, and there is at most one at a time.
"""

from __future__ import annotations

import contextvars
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["PortCalls", "TimedOut"]

_Result = TypeVar("_Result")


class TimedOut(Exception):
    """The port has not come back in time; its thread is left behind, and what it still answers is `late`."""


class _LeftBehind(BaseException):
    """Unwinds a thread whose call came back after its time: somebody else has gone on with its work."""


class _Thread:
    """A thread that runs one thing after another, for as long as it is wanted."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._runs: queue.SimpleQueue[_Run | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="sequencer-ports", daemon=True).start()

    def start(self, function: Callable[[], None]) -> _Run:
        # What the host keeps in context variables (a tenant, a trace) is there for its ports, too.
        context = contextvars.copy_context()
        run = _Run(lambda: context.run(function))
        self._runs.put(run)
        return run

    def end(self) -> None:
        self._runs.put(None)

    def _serve(self) -> None:
        while (run := self._runs.get()) is not None:
            try:
                run.function()
            except _LeftBehind:
                return
            except BaseException as error:
                run.error = error
            run.done.set()
            # An idle thread must not keep the worker that it served alive.
            del run


class _Run:
    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.done = threading.Event()
        self.error: BaseException | None = None


def _end(threads: list[_Thread]) -> None:
    for thread in threads:
        thread.end()


class PortCalls:
    """Runs the hand-overs of passes, for one worker; threads are used again from pass to pass.

    What a host holds for such a thread is given back by `leave`, at the end of each pass on it.

    With `threads=False` everything happens on the caller's thread: for hosts whose ports need its connection (an ORM
    inside a test's transaction), at the price that a hanging port holds the worker.
    """

    def __init__(self, *, threads: bool, leave: Callable[[], None] | None = None) -> None:
        self._threads = threads
        self._leave = leave
        self._idle: list[_Thread] = []
        # Threads do not outlive the worker that uses them.
        weakref.finalize(self, _end, self._idle)

    def watch(self, loop: Callable[[Watch], None], hung: Callable[[TimedOut], None], patience: float) -> None:
        """Run a loop to its end. When a call in it takes longer than it may, `hung` is told and the loop run again.

        The loop keeps its own place, so that it goes on behind the call that hangs. What it raises is raised here.
        """
        watch = Watch()
        if not self._threads:
            loop(watch)
            return
        while True:
            thread = self._take()
            run = thread.start(lambda: self._run(loop, watch))
            try:
                left_behind = watch.until(run.done, patience)
            except BaseException:
                # Interrupted from outside: let the loop end after the call under way, but do not wait for ever.
                watch.interrupted.set()
                thread.end()
                run.done.wait(patience)
                raise
            if left_behind:
                thread.end()
                hung(TimedOut(f"no answer within {patience:g} seconds"))
                continue
            self._idle.append(thread)
            if run.error is not None:
                raise run.error
            return

    def _run(self, loop: Callable[[Watch], None], watch: Watch) -> None:
        try:
            loop(watch)
        finally:
            if self._leave is not None:
                self._leave()

    def _take(self) -> _Thread:
        # Another thread may take the last one at the same time; and a forked process has none of its parent's threads.
        with suppress(IndexError):
            while (thread := self._idle.pop()).process != os.getpid():
                pass
            return thread
        return _Thread()


class Watch:
    """What the loop and the one who watches it share: which call is under way, and until when it may be."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self._lock = threading.Lock()
        self._call: object | None = None
        self._deadline = 0.0

    def call(self, function: Callable[[], _Result], patience: float, late: Callable[[_Result], None] | None) -> _Result:
        """Call a port: its answer, or what it raises. An answer that comes after its time is passed to `late`."""
        call = object()
        with self._lock:
            self._call, self._deadline = call, time.monotonic() + patience
        try:
            result = function()
        except BaseException:
            if not self._back(call):
                raise _LeftBehind from None
            raise
        if not self._back(call):
            if late is not None:
                late(result)
            raise _LeftBehind
        return result

    def _back(self, call: object) -> bool:
        with self._lock:
            if self._call is not call:
                return False
            self._call = None
            return True

    def until(self, done: threading.Event, patience: float) -> bool:
        """Wait until the loop is done; True when a call in it hangs instead, and is given up."""
        wait = patience
        while not done.wait(wait):
            with self._lock:
                now = time.monotonic()
                if self._call is not None and now >= self._deadline:
                    self._call = None
                    return True
                # A call that begins from now on has at least `patience`.
                wait = patience if self._call is None else max(0.001, self._deadline - now)
        return False
