"""The log beside an SQLite file, in which what was erased lies on until it is emptied (S8).

An erasing block empties it directly after its commit. That may fail, or have to be left to later: a connection that
still reads what was there before holds the log up. Neither is an error of the block, all of which is stored by then. So
it is logged, and the blocks after it try again, once a second, until the log is empty.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import time

from sequencer.core.errors import SequencerError
from sequencer.stores.sqlite_database import SQLiteDatabase

__all__ = ["Log"]

logger = logging.getLogger("sequencer.store")

AGAIN = 1.0
"""After so many seconds it is tried again."""


class Log:
    """The log of a store's file; for connections on which a commit has just ended the transaction."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._again_at = math.inf

    def committed(self, connection: sqlite3.Connection, *, forgets: bool) -> None:
        """Empty the log if what was committed forgets something, or if it is still to be emptied since another did."""
        if not forgets and time.monotonic() < self._again_at:
            return
        self._again_at = again_at = time.monotonic() + AGAIN
        held_up: object = "others read what was there before"
        try:
            if _emptied(SQLiteDatabase(connection), self._patience if forgets else 0):
                if self._again_at == again_at:  # no other thread has left something in it meanwhile
                    self._again_at = math.inf
                return
        except SequencerError as error:
            held_up = error.__cause__
        if forgets:
            logger.warning(
                "what was erased is stored as erased, and lies in the log of the file still (%s): it is tried again "
                "after the blocks that follow; where there are none, run PRAGMA wal_checkpoint(TRUNCATE)",
                held_up,
                extra={"error": str(held_up)},
            )


def _emptied(database: SQLiteDatabase, patience: float) -> bool:
    """Whether the log is empty now; who holds it up is waited for, for so many seconds."""
    ((before,),) = database.control("PRAGMA busy_timeout")
    database.control(f"PRAGMA busy_timeout = {int(patience * 1000)}")
    try:
        ((busy, *_),) = database.control("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        database.control(f"PRAGMA busy_timeout = {before}")
    return not busy
