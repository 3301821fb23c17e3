"""Calls from threads of their own, as an engine calls its ports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

__all__ = ["call_at_once", "comes_back"]

_PATIENCE = 30.0


def call_at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make each call on a thread of its own, all at the same time, and return what they return. Raises what one raises.

    A call that takes longer than half a minute is an `AssertionError`.
    """
    ready, answers, errors = threading.Barrier(len(calls)), [None] * len(calls), list[BaseException]()

    def work(number: int) -> None:
        try:
            ready.wait(_PATIENCE)
            answers[number] = calls[number]()
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
        assert not thread.is_alive(), f"a call did not come back within {_PATIENCE:g} seconds"
    if errors:
        raise errors[0]
    return answers


def comes_back(call: Callable[[], Any], seconds: float) -> bool:
    """Whether a call returns or raises within so many seconds; it is left alone if it does not."""
    done = threading.Event()

    def work() -> None:
        # A port that raises has come back, too.
        with suppress(Exception):
            call()
        done.set()

    threading.Thread(target=work, daemon=True).start()
    return done.wait(seconds)
