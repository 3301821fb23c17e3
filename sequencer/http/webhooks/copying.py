"""Copying events into deliveries: for each webhook of their account that asks for them, once.

It is one transaction with the note of how far that has come, so none is lost, and none is there twice. It needs no
lease: of two at once, one waits for the other, and goes on behind it.
"""

from __future__ import annotations

from contextlib import suppress

from pendulum import DateTime

from sequencer.core.errors import StoreError
from sequencer.core.instants import to_instant
from sequencer.engine.ports import Clock
from sequencer.engine.reports import is_own
from sequencer.engine.storage import Store, Transaction
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.http.webhooks.bodies import body_of

__all__ = ["FEED", "begin", "copy_news"]

FEED = "sequencer webhooks"
"""The name under which the store keeps how far events were copied, and who is sending."""
_LOCK = (FEED,)
_BATCH = 500


def begin(store: Store, clock: Clock, webhook: Webhook) -> Webhook:
    """Store a webhook that gets what happens from now on."""
    while _copy_some(store, clock):
        pass
    with store.transaction() as transaction:
        if transaction.webhooks(ALL_ACCOUNTS):
            # What has happened is for those that there are; what happens from now on is for this one, too.
            while _copy(transaction, store.origin, clock):
                pass
        else:
            # Nobody has waited for what has happened, and there may be years of it.
            transaction.lock(_LOCK)
            transaction.set_cursor(FEED, transaction.last_cursor())
        return transaction.add_webhook(webhook)


def copy_news(store: Store, clock: Clock) -> bool:
    """Copy what is new; False where there are no webhooks at all."""
    with store.transaction(write=False) as transaction:
        if not transaction.webhooks(ALL_ACCOUNTS):
            return False
    # An event that cannot be read holds up those behind it, and not what is on its way (and the store has logged it).
    # A store that cannot be used at all will say so to whoever sends.
    with suppress(StoreError):
        with store.transaction(write=False) as transaction:
            news = transaction.events_after(transaction.cursor(FEED), 1)
        while news and _copy_some(store, clock):
            pass
    return True


def _copy_some(store: Store, clock: Clock) -> bool:
    with store.transaction() as transaction:
        return _copy(transaction, store.origin, clock)


def _copy(transaction: Transaction, origin: str, clock: Clock) -> bool:
    """Copy some of what is new; whether there may be more."""
    # Two that read the same cursor would both copy what comes after it.
    transaction.lock(_LOCK)
    webhooks = transaction.webhooks(ALL_ACCOUNTS)
    events = transaction.events_after(transaction.cursor(FEED), _BATCH) if webhooks else []
    if not events:
        return False
    now = to_instant(clock.now(), "clock.now()")
    deliveries: list[Delivery] = []
    for event in events:
        assert event.cursor is not None, "the feed says where an event was"
        wanted = [each for each in webhooks if each.types is None or event.type in each.types]
        wanted = [each for each in wanted if is_own(event.subject, each.account)]
        if wanted:
            body = body_of(event, origin)
            of = (event.enrollment_id, event.cursor, body, now)
            deliveries.extend(_delivery(each.id, *of) for each in wanted)
        last = event.cursor
    transaction.add_deliveries(deliveries)
    transaction.set_cursor(FEED, last)
    return len(events) == _BATCH


def _delivery(webhook_id: int, enrollment_id: int, event_id: int, body: str, now: DateTime) -> Delivery:
    return Delivery(
        id=0,
        webhook_id=webhook_id,
        enrollment_id=enrollment_id,
        event_id=event_id,
        body=body,
        state="waiting",
        attempts=0,
        due_at=now,
    )
