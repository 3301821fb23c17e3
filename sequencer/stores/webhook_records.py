"""What a store keeps of webhooks and of what is on its way to them, over named statements."""

from __future__ import annotations

import json
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.stores.codec import Row, decode_id, encode_id
from sequencer.stores.database import MOST, fits, whose
from sequencer.stores.records import Records

__all__ = ["WebhookRecords"]


def _webhook(row: Row) -> Webhook:
    id, account, url, secret, types, created_at = row
    return Webhook(
        id=id,
        account=decode_id(account),
        url=url,
        secret=secret,
        types=None if types is None else tuple(json.loads(types)),
        created_at=from_microseconds(created_at),
    )


def _delivery(row: Row) -> Delivery:
    id, webhook_id, enrollment_id, event_id, body, state, attempts, due_at, error = row
    return Delivery(
        id=id,
        webhook_id=webhook_id,
        enrollment_id=enrollment_id,
        event_id=event_id,
        body=body,
        state=state,
        attempts=attempts,
        due_at=from_microseconds(due_at),
        error=error,
    )


class WebhookRecords(Records):
    """The part of a transaction that is about webhooks and deliveries."""

    def add_webhook(self, webhook: Webhook) -> Webhook:
        """Store a webhook; the same with its id."""
        types = None if webhook.types is None else json.dumps(webhook.types)
        at = to_microseconds(webhook.created_at)
        values = (encode_id(webhook.account), webhook.url, webhook.secret, types, at)
        return attrs.evolve(webhook, id=self._newest.add("add_webhook", *values))

    def webhooks(self, account: Any) -> list[Webhook]:
        """The webhooks of an account, oldest first."""
        return list(map(_webhook, self._newest.rows("list_webhooks", whose(account))))

    def remove_webhook(self, id: int, account: Any) -> bool:
        """Forget a webhook, with all that is on its way to it; False if it is not the account's."""
        if not fits(id) or self._newest.run("remove_webhook", id, whose(account)) == 0:
            return False
        self._newest.run("remove_deliveries", id)
        return True

    def add_deliveries(self, deliveries: list[Delivery]) -> None:
        """Store deliveries that wait, in this order."""
        rows = [
            (each.webhook_id, each.enrollment_id, each.event_id, each.body, to_microseconds(each.due_at))
            for each in deliveries
        ]
        self._newest.many("add_delivery", rows)

    def due_deliveries(self, webhook_id: int, now: DateTime, limit: int, *, ahead: DateTime) -> list[Delivery]:
        """What is due at a webhook, of each enrollment only the first that waits; soonest first."""
        values = (webhook_id, to_microseconds(now), min(max(limit, 0), MOST), to_microseconds(ahead))
        return list(map(_delivery, self._newest.rows("due_deliveries", *values)))

    def next_delivery(self, account: Any, now: DateTime, *, ahead: DateTime) -> DateTime | None:
        """When the next attempt at any webhook of an account is due."""
        values = (whose(account), to_microseconds(now), to_microseconds(ahead))
        ((at,),) = self._newest.rows("next_delivery", *values)
        return None if at is None else from_microseconds(at)

    def delivered(self, id: int) -> None:
        """It has arrived."""
        self._newest.run("drop_delivery", id)

    def set_deliveries(self, deliveries: list[Delivery]) -> None:
        """Store how deliveries stand."""
        rows = [(each.id, each.state, each.attempts, to_microseconds(each.due_at), each.error) for each in deliveries]
        self._newest.many("set_delivery", rows)

    def deliveries(
        self, account: Any, state: str, *, webhook_id: int | None = None, after: int | None = None, limit: int = 100
    ) -> list[Delivery]:
        """The deliveries in a state, in the order of their ids, from the one after `after`."""
        if not fits(webhook_id, after):
            return []
        values = (state, after or 0, min(max(limit, 0), MOST), whose(account), webhook_id)
        return list(map(_delivery, self._newest.rows("list_deliveries", *values)))
