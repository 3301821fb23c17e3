"""What a recording port was told to do with the next calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import attrs

__all__ = ["Hang", "Orders"]


class Hang:
    """A call that hangs until `release`. As a context manager it releases at the end, whatever happens in between."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def wait(self, timeout: float = 10.0) -> None:
        """Wait until a call hangs. Raises `TimeoutError` after `timeout` seconds."""
        if not self._reached.wait(timeout):
            raise TimeoutError(f"nobody called within {timeout} seconds")

    def release(self) -> None:
        """Let what hangs go on, and never hang again."""
        self._released.set()

    def hold(self) -> None:
        """What the call does."""
        self._reached.set()
        self._released.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


@attrs.define
class Order:
    what: Any
    concerns: Callable[[Any], bool]
    left: int | None


class Orders:
    """Orders for calls, each for some number of them; the oldest one that concerns a call decides."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def add(self, what: Any, times: int | None, concerns: Callable[[Any], bool] | None) -> None:
        """Give an order for the next `times` calls that it concerns; None: for all from now on."""
        if times is not None and times < 1:
            raise ValueError(f"times must be at least 1, or None for all from now on; got {times}")
        self._orders.append(Order(what, concerns or (lambda _: True), times))

    def take(self, call: Any) -> Any:
        """What this call was ordered to do, once; None: nothing special."""
        for order in self._orders:
            if (order.left is None or order.left > 0) and order.concerns(call):
                if order.left is not None:
                    order.left -= 1
                return order.what
        return None

    def clear(self) -> None:
        """Forget all orders."""
        self._orders.clear()
