"""Stores whose random id is the same in each run, for stories that Hypothesis has to be able to repeat.

The id goes into the keys of effects, and pauses before retries and the jitter of gaps are hashes of keys. With another
id the same story goes otherwise, and what it has found cannot be shrunk.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from unittest import mock

ORIGIN = "0123456789abcdef"
_random = secrets.token_hex


def _token_hex(size: int | None = None) -> str:
    return ORIGIN if size == len(ORIGIN) // 2 else _random(size)


def repeatable(make: Callable[[], Any]) -> Any:
    """A new store with the id `ORIGIN`."""
    with mock.patch.object(secrets, "token_hex", _token_hex):
        store = make()
        assert store.origin == ORIGIN
    return store
