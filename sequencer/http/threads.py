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
from weakref import WeakSet

import attrs

__all__ = ["Threads"]

_Found = TypeVar("_Found")
_Given = TypeVarTuple("_Given")

_Answer = tuple[Any, BaseException | None]
"""What a call has returned, or what it has raised: not every error can be that of a future."""

_IDLE = 10.0
"""For how many seconds a thread without work waits for more; then it ends, and with it its connection of the store."""


@attrs.define(eq=False)
class _Work:
    """What is to be called, in the context of who asked; the answer is awaited in `future`, on `loop`."""

    call: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[_Answer]

    def do(self) -> Callable[[], None]:
        """Call it; what tells the answer to who waits for it."""
        if self.future.cancelled():
            return _nothing  # nobody waits for it any more, and nothing has begun
        try:
            answer = (self.call(), None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, who awaits it has to hear of it
            return partial(self._tell, (None, error))
        return partial(self._tell, answer)

    def _tell(self, answer: _Answer) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile, and nobody is there to be answered
            self.loop.call_soon_threadsafe(self._settle, answer)

    def _settle(self, answer: _Answer) -> None:
        if not self.future.cancelled():
            self.future.set_result(answer)


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
        self._forget()
        _ALL.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._started = 0
        self._idle: list[SimpleQueue[_Work]] = []
        self._waiting: deque[_Work] = deque()

    async def run(self, do: Callable[[*_Given], _Found], *given: *_Given) -> _Found:
        """What this answers, or raises, called on a worker thread."""
        loop = asyncio.get_running_loop()
        # What the host keeps in context variables (a tenant, a trace) is there, too.
        context = contextvars.copy_context()
        future: asyncio.Future[_Answer] = loop.create_future()
        self._start(_Work(lambda: context.run(do, *given), loop, future))
        found: _Found
        found, error = await future
        if error is not None:
            raise error
        return found

    def _start(self, work: _Work) -> None:
        with self._lock:
            if self._idle:
                self._idle.pop().put(work)
            elif self._started == self._most or not self._another(work):
                self._waiting.append(work)

    def _another(self, work: _Work) -> bool:
        """Start a thread with this; False where there can be no more, and another one will come to it."""
        queue: SimpleQueue[_Work] = SimpleQueue()
        queue.put(work)
        try:
            threading.Thread(target=self._serve, args=(queue,), name="sequencer-http", daemon=True).start()
        except RuntimeError:  # the system gives no more of them
            if not self._started:
                raise
            return False
        self._started += 1
        return True

    def _serve(self, queue: SimpleQueue[_Work]) -> None:
        while (work := self._next(queue)) is not None:
            tell = work.do()
            with self._lock:
                if self._waiting:
                    queue.put(self._waiting.popleft())
                else:
                    self._idle.append(queue)
            tell()  # only now, since what comes next should find this thread without work
            del work, tell  # a thread that waits keeps nothing of what it has done

    def _next(self, queue: SimpleQueue[_Work]) -> _Work | None:
        """What a thread has to do; None if nothing has come for long, and it is counted no more."""
        with suppress(Empty):
            return queue.get(timeout=_IDLE)
        with self._lock:
            if queue in self._idle:
                self._idle.remove(queue)
                self._started -= 1
                return None
        return queue.get()  # it has come at the last moment


_ALL = WeakSet[Threads]()


def _forked() -> None:
    """A forked process has none of its parent's threads; and who held a lock there will not let go of it here."""
    for each in _ALL:
        each._forget()  # noqa: SLF001 - nobody else may


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forked)
