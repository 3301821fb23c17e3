"""Connections of the host's: the driver's underneath what a framework hands out, and where to begin a transaction.

What Django, SQLAlchemy and others hand out wraps a connection of the driver. It is looked for by what it offers, so
that nothing of theirs is imported here. The other way round, a store that is given `inside=` has no connections of its
own: each of its transactions is a part of one that the host's framework begins and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from sequencer.core.errors import InvalidInput

__all__ = ["AnotherDatabase", "Inside", "driver_connection"]

Inside: TypeAlias = Callable[[], AbstractContextManager[Any]]
"""Begins a transaction of the host's and gives the connection; commits it at the end of the block, or rolls it back."""


class AnotherDatabase(InvalidInput):
    """The connection does not lead to where the store's own tables are."""

    def __init__(self) -> None:
        super().__init__("it is connected to another database than the store", path="connection")


def driver_connection(given: Any) -> Any:
    """The driver's connection underneath a Django connection or a SQLAlchemy `Session` or `Connection`; or as given.

    A session's transaction begins by that, if it has not. Nothing is flushed: the store reads only its own tables.
    """
    if hasattr(given, "sync_session") or hasattr(given, "sync_connection"):
        return given  # of asyncio, which no store can wait for; what it is given says so
    if hasattr(given, "ensure_connection"):
        given.ensure_connection()
        given.validate_no_broken_transaction()
        return given.connection
    if hasattr(given, "get_bind"):
        given = given.connection()
    return getattr(getattr(given, "connection", None), "driver_connection", given)
