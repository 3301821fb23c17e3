"""A limit on a whole conversation, where a socket's own time-out limits only each wait for the next few bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

__all__ = ["Deadline"]


class Deadline:
    """After `seconds`, shuts every guarded connection down, so that whoever waits for it wakes up with an error.

    A server that sends a byte now and then could otherwise hold a caller for ever. Without a stopwatch: one timer per
    conversation. What no timer can interrupt is the look-up of a host's name.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def guard(self, connection: socket.socket) -> None:
        """Shut this connection down, too, when the time is over. Raises `TimeoutError` when it is over already."""
        with self._lock:
            if self.passed:
                raise TimeoutError(f"no answer within {self.seconds:g} seconds")
            # The timer decides; a socket that gave up first would look like a failure of the connection.
            connection.settimeout(self.seconds + 1)
            # A handle of our own: wrapping the socket for TLS takes it out of the hands of its first object.
            self._handles.append(socket.fromfd(connection.fileno(), connection.family, connection.type))

    def connect(self, host: str, port: int) -> socket.socket:
        """A guarded connection to the first of the host's addresses that takes one. Raises `OSError`."""
        error: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                self.guard(connection)
                connection.connect(address)
            except OSError as problem:
                connection.close()
                error = problem
                if self.passed:
                    break
            else:
                return connection
        raise error or OSError(f"{host} has no address")

    def _pass(self) -> None:
        with self._lock:
            self.passed = True
            for handle in self._handles:
                # The other side may have gone already.
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()
