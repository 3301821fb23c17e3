"""The worker threads on which requests act: the engine is synchronous, and the loop must not wait for it."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, TypeVarTuple

import attrs

__all__ = ["Threads"]

_Found = TypeVar("_Found")
_Given = TypeVarTuple("_Given")

_IDLE = 10.0
"""For how many seconds a thread without work waits for more; then it ends, and with it its connection of the store."""


@attrs.define(eq=False)
class _Work:
    """What is to be called, in the context of who asked; the answer is awaited in `future`, on `loop`."""

    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def do(self) -> Callable[[], None]:
        """Call it; what tells the answer to who waits for it."""
        if self.future.cancelled():
            return _nothing  # nobody waits for it any more, and nothing has begun
        try:
            found = self.call()
        except BaseException as error:  # noqa: BLE001 - whatever it is, who awaits it has to hear of it
            return partial(self._tell, self.future.set_exception, error)
        return partial(self._tell, self.future.set_result, found)

    def _tell(self, settle: Callable[[Any], None], with_what: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile, and nobody is there to be answered
            self.loop.call_soon_threadsafe(self._settle, settle, with_what)

    def _settle(self, settle: Callable[[Any], None], with_what: Any) -> None:
        if not self.future.cancelled():
            settle(with_what)


def _nothing() -> None:
    """There is nobody to tell."""


class Threads:
    """So many at once, the others wait for their turn; a store has a connection for each thread that uses it.

    The usual number of threads is for those that mostly wait. These work, on as many cores as there are, and each
    connection of a store has a cache of its own: so it is always the thread that has worked last that goes on. They
    serve every loop of asyncio's that the application runs on. All that is answered pays for handing over, so that
    is done with a queue for each thread and nothing more.

    What has begun is done to its end, also when who waits for it is cancelled.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._started = 0
        self._idle: list[SimpleQueue[_Work]] = []
        self._waiting: deque[_Work] = deque()

    async def run(self, do: Callable[[*_Given], _Found], *given: *_Given) -> _Found:
        """What this answers, called on a worker thread."""
        loop = asyncio.get_running_loop()
        # What the host keeps in context variables (a tenant, a trace) is there, too.
        context = contextvars.copy_context()
        future: asyncio.Future[_Found] = loop.create_future()
        self._start(_Work(lambda: context.run(do, *given), loop, future))
        return await future

    def _start(self, work: _Work) -> None:
        with self._lock:
            if self._process != os.getpid():
                self._forget()  # a forked process has none of its parent's threads
            if self._idle:
                self._idle.pop().put(work)
            elif self._started < self._most:
                self._started += 1
                threading.Thread(target=self._serve, args=(work,), name="sequencer-http", daemon=True).start()
            else:
                self._waiting.append(work)

    def _serve(self, work: _Work | None) -> None:
        queue: SimpleQueue[_Work] = SimpleQueue()
        while work is not None:
            work = self._after(work.do(), queue)

    def _after(self, tell: Callable[[], None], queue: SimpleQueue[_Work]) -> _Work | None:
        """What a thread has to do after what it has done, which is told; None if nothing has come for long."""
        with self._lock:
            work = self._waiting.popleft() if self._waiting else None
            if work is None:
                self._idle.append(queue)
        tell()  # only now, since what comes next should find this thread without work
        if work is not None:
            return work
        with suppress(Empty):
            return queue.get(timeout=_IDLE)
        with self._lock:
            if queue in self._idle:
                self._idle.remove(queue)
                self._started -= 1
                return None
        return queue.get()  # it has come at the last moment
