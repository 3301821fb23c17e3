"""A process that sends to webhooks, and is killed by itself at a place that it is told: `DATABASE PLACE`."""

from __future__ import annotations

import os
import signal
import sys

from sequencer import Engine, ManualClock, SQLiteStore
from sequencer.http.webhooks import Webhooks
from sequencer.http.webhooks.passing import Pass
from sequencer.stores.transaction import StoreTransaction
from tests.http.webhooks.endpoints import START


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def main(database: str, place: str) -> None:
    where = {
        "between copying and noting how far": (StoreTransaction, "add_deliveries"),
        "between copying and sending": (Pass, "run"),
        "between the answer and its note": (Pass, "_note"),
        "between the note and its commit": (StoreTransaction, "delivered"),
    }[place]
    was = getattr(*where)

    def and_die(*arguments):
        if where[1] in {"add_deliveries", "delivered"}:
            was(*arguments)
        die()

    setattr(*where, and_die)
    Webhooks(Engine(SQLiteStore(database), clock=ManualClock(START))).deliver()


if __name__ == "__main__":
    main(*sys.argv[1:])
