"""Telling a listener what was committed: every event, after its commit, at least once, in order (law S2).

How far the listener of a name has come is kept in the store, so whoever listens under that name next goes on there. Of
several processes that listen under one name one tells at a time: it takes the feed with a lease, tells, notes how far
it has come, and looks once more before it leaves. Who finds the feed taken has committed before, so the other sees it.

What is told twice: what was told since the last note by a process that died, or that a single call of the listener held
for longer than the lease.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from sequencer.core.errors import SequencerError
from sequencer.core.events import Event
from sequencer.core.instants import between
from sequencer.engine.logs import LISTENER, event_fields, log_raised
from sequencer.engine.ports import Clock
from sequencer.engine.storage import Store, Transaction

__all__ = ["Feed", "Listener"]

Listener = Callable[[Event], None]
_BATCH = 500


class Feed:
    """Feeds one listener, under a name. Any thread may call `tell`, after its commit."""

    def __init__(self, store: Store, clock: Clock, listener: Listener, name: str, lease: float) -> None:
        self.store = store
        self.clock = clock
        self.listener = listener
        self.name = name
        self.lease = lease
        self._telling = threading.Lock()
        self._news = threading.Event()

    def begin(self, transaction: Transaction) -> None:
        """A new listener hears what happens from now on."""
        transaction.cursor(self.name)

    def tell(self) -> None:
        """Tell what has been committed and not been told, unless somebody else is telling it."""
        self._news.set()
        # Whoever is telling already looks for news once more when it is done, so nothing waits for the next verb.
        while self._news.is_set() and self._telling.acquire(blocking=False):
            try:
                self._news.clear()
                self._tell()
            except SequencerError as error:
                # What the verb did is committed: a store that is busy now must not make a failure of it.
                fields = {"listener_name": self.name, "error": type(error).__name__}
                LISTENER.warning("the listener %r is told later: %s", self.name, fields["error"], extra=fields)
                return
            finally:
                self._telling.release()

    def _tell(self) -> None:
        with self.store.transaction(write=False) as transaction:
            if not transaction.events_after(transaction.cursor(self.name), 1):
                return
        turn = _Turn(self)
        try:
            turn.take()
        except BaseException:
            turn.leave()
            raise


class _Turn:
    """One turn of telling: the feed is held by `token`, and everything up to `told` was told in it."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.token: int | None = None
        self.told: int | None = None
        self.kept_at = feed.clock.now()

    def take(self) -> None:
        """Tell what there is, batch by batch, for as long as nobody else has the feed."""
        while events := self._next():
            for event in events:
                if not self._holds():
                    return
                try:
                    self.feed.listener(event)
                except Exception as error:
                    # A listener's trouble is not the engine's; it is told the next event all the same.
                    message, fields = "the listener failed on event %d: %s", event_fields(event)
                    log_raised(LISTENER, message, event.cursor, error, listener_name=self.feed.name, **fields)
                self.told = event.cursor

    def _next(self) -> list[Event]:
        feed = self.feed
        with feed.store.transaction() as transaction:
            if not self._keep(transaction):
                return []
            events = transaction.events_after(transaction.cursor(feed.name), _BATCH)
            if not events:
                self._give_back(transaction)
        return events

    def _holds(self) -> bool:
        """Whether the feed is still held; once a third of the lease is gone it is prolonged, and progress noted."""
        passed = between(self.kept_at, self.feed.clock.now())
        if abs(passed) < timedelta(seconds=self.feed.lease / 3):
            return True
        with self.feed.store.transaction() as transaction:
            return self._keep(transaction)

    def _keep(self, transaction: Transaction) -> bool:
        """Take the feed, or go on holding it, and note how far it was told; False when it is somebody else's."""
        feed, before, self.kept_at = self.feed, self.token, self.feed.clock.now()
        self.token = transaction.lease_feed(feed.name, self.kept_at, feed.lease, before)
        if self.token is None and before is not None:
            message = "the listener %r took longer than its lease, and another process tells it now"
            LISTENER.warning(message, feed.name, extra={"listener_name": feed.name})
        if self.token is not None and self.told is not None:
            transaction.set_cursor(feed.name, self.told)
        return self.token is not None

    def _give_back(self, transaction: Transaction) -> None:
        if self.token is not None:
            transaction.leave_feed(self.feed.name, self.token)
            self.token = None

    def leave(self) -> None:
        """After an interruption: note what was told, and let nobody wait for the end of the lease."""
        # A store that cannot be used now is why it was interrupted; then the lease runs out.
        with suppress(SequencerError), self.feed.store.transaction() as transaction:
            if self.token is not None and self._keep(transaction):
                self._give_back(transaction)
