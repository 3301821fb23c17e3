"""The connections of a store's own: one for each thread, and perhaps one more; never taken over a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from sequencer.core.errors import StoreError

__all__ = ["Connections", "Held"]


class _Closable(Protocol):
    def close(self) -> None: ...


_Connection = TypeVar("_Connection", bound=_Closable)


class Held(Generic[_Connection]):
    """A connection, closed when its thread has ended; `open` says whether a transaction of the store's is under way."""

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.open = False
        # The names of statements that were prepared on it by hand.
        self.prepared: set[bytes] = set()

    def close(self) -> None:
        """Close it, if it is this process's own."""
        if self.pid == os.getpid():
            # One that the host made may insist on the thread that made it; it is closed when that thread ends.
            with suppress(Exception):
                self.connection.close()

    def __del__(self) -> None:
        self.close()


class Connections(Generic[_Connection]):
    """A connection for each thread, made by `connect` when it is first needed; or one for all, which they share."""

    def __init__(self, connect: Callable[[], _Connection], *, shared: bool = False) -> None:
        self._connect = connect
        self._local = threading.local()
        self._all: weakref.WeakSet[Held[_Connection]] = weakref.WeakSet()
        self._inherited: list[Held[_Connection]] = []
        self._closed = False
        self._shared = self.made() if shared else None
        if self._shared is not None:
            self._all.add(self._shared)

    def made(self) -> Held[_Connection]:
        """A new connection, which who asks for it closes. Raises `StoreError` once the store is closed."""
        if self._closed:
            raise StoreError("the store is closed")
        return Held(self._connect())

    def own(self) -> Held[_Connection]:
        """The connection of this thread. Raises `StoreError` once the store is closed."""
        if self._closed:
            raise StoreError("the store is closed")
        if self._shared is not None:
            return self._shared
        held: Held[_Connection] | None = getattr(self._local, "held", None)
        if held is None or held.pid != os.getpid():
            if held is not None:
                # Of the process that this one was forked from: neither to be used nor to be closed here.
                self._inherited.append(held)
            held = self._local.held = self.made()
            self._all.add(held)
        return held

    def renewed(self) -> Held[_Connection]:
        """A new connection for this thread: the one before it is broken."""
        self._local.held.close()
        self._local.held = None
        return self.own()

    def close(self) -> None:
        """Give back what is held open; what a thread is at work with, when that has ended."""
        self._closed = True
        for held in list(self._all):
            # The driver of SQLite does not survive a connection that is closed in the midst of a statement.
            if held.lock.acquire(blocking=False):
                try:
                    held.close()
                finally:
                    held.lock.release()
