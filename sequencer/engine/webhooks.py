"""What a store keeps of webhooks: where events are sent, what has not arrived yet, and what was given up.

The stored events are the outbox. A pass copies what is new of them into deliveries, in the transaction that notes how
far it has come; each is sent until it has arrived or is given up.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs
from pendulum import DateTime

from sequencer.core.values import Identifier

__all__ = ["Delivery", "Webhook", "WebhookTransaction"]


@attrs.frozen(kw_only=True)
class Webhook:
    """Where the events of one account are sent: a URL of the host's, and the secret that what arrives is signed with.

    `types` are the events that are wanted; None: all of them. `created_at` is in UTC.
    """

    id: int
    account: Identifier | None
    url: str
    secret: str = attrs.field(repr=False)
    types: tuple[str, ...] | None = None
    created_at: DateTime


@attrs.frozen(kw_only=True)
class Delivery:
    """An event on its way to a webhook: `waiting` for its next attempt at `due_at` (UTC), or `dead` and given up.

    `event_id` is the event's place among all of them (its `cursor`), the same for every attempt. `body` is the JSON
    that is sent. `error` says how the last attempt failed.
    """

    id: int
    webhook_id: int
    enrollment_id: int
    event_id: int
    body: str
    state: str
    attempts: int
    due_at: DateTime
    error: str = ""


class WebhookTransaction(Protocol):
    """The part of a transaction that is about webhooks. `account` may be `ALL_ACCOUNTS`."""

    def add_webhook(self, webhook: Webhook) -> Webhook:
        """Store a webhook (its `id` is ignored); the same with its id."""
        ...

    def webhooks(self, account: Any) -> list[Webhook]:
        """The webhooks of an account, oldest first."""
        ...

    def remove_webhook(self, id: int, account: Any) -> bool:
        """Forget a webhook, with all that is on its way to it; False if it is not the account's."""
        ...

    def add_deliveries(self, deliveries: list[Delivery]) -> None:
        """Store deliveries that wait (their `id` is ignored). Those of an enrollment arrive in the order given."""
        ...

    def due_deliveries(self, webhook_id: int, now: DateTime, limit: int, *, ahead: DateTime) -> list[Delivery]:
        """What is due at a webhook, of each enrollment only the first that waits; soonest first.

        What is due later than `ahead` was put there by a clock that was wrong, and is due now (E6).
        """
        ...

    def next_delivery(self, account: Any, now: DateTime, *, ahead: DateTime) -> DateTime | None:
        """When `due_deliveries` next has something for any webhook of an account; None where nothing waits."""
        ...

    def delivered(self, id: int) -> None:
        """It has arrived, and need not be kept."""
        ...

    def set_deliveries(self, deliveries: list[Delivery]) -> None:
        """Store how deliveries stand: their state, attempts, when they are due, the error."""
        ...

    def deliveries(
        self, account: Any, state: str, *, webhook_id: int | None = None, after: int | None = None, limit: int = 100
    ) -> list[Delivery]:
        """The deliveries in a state, `waiting` or `dead`, in the order of their ids, from the one after `after`."""
        ...
