"""What a store keeps for the doors to the outside, over named statements: tokens, webhooks and deliveries."""

from __future__ import annotations

import json
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.errors import StoreError
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.engine.storage import ALL_ACCOUNTS
from sequencer.engine.tokens import Token
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.stores.codec import Row, decode_id, encode_id
from sequencer.stores.records import MOST, Database, Records, fits

__all__ = ["DoorRecords", "whose"]


def whose(account: Any) -> str | None:
    """An account as statements take it that can also be about all of them."""
    return None if account is ALL_ACCOUNTS else encode_id(account)


def _token(row: Row) -> Token:
    id, account, scope, actor_id, name, created_at, revoked_at = row
    return Token(
        id=id,
        account=decode_id(account),
        scope=scope,
        actor_id=decode_id(actor_id),
        name=name,
        created_at=from_microseconds(created_at),
        revoked_at=None if revoked_at is None else from_microseconds(revoked_at),
    )


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


class DoorRecords(Records):
    """The part of a transaction that is about tokens and webhooks; a `StoreError` where there are no tables yet."""

    @property
    def _doors(self) -> Database:
        if not self._known.is_current:
            raise StoreError("this store's schema is older than what is asked for here: run `migrate`")
        return self._database

    # -- tokens ------------------------------------------------------------------------------------------------

    def add_token(self, token: Token, digest: str) -> Token:
        """Store a token under its hash; the same with its id."""
        values = (token.scope, encode_id(token.actor_id), token.name, to_microseconds(token.created_at))
        return attrs.evolve(token, id=self._doors.add("add_token", encode_id(token.account), digest, *values))

    def token_with(self, digest: str) -> tuple[Token, str] | None:
        """The token with this hash, and the hash as stored."""
        row = self._doors.row("token_of_digest", digest)
        return None if row is None else (_token(row[:-1]), row[-1])

    def tokens(self, account: Any) -> list[Token]:
        """The tokens of an account, oldest first."""
        return list(map(_token, self._doors.rows("list_tokens", whose(account))))

    def revoke_token(self, id: int, now: DateTime, account: Any) -> bool:
        """Take a token out of force; False if it is not, or is not of the account."""
        return fits(id) and self._doors.run("revoke_token", id, to_microseconds(now), whose(account)) > 0

    # -- webhooks ----------------------------------------------------------------------------------------------

    def add_webhook(self, webhook: Webhook) -> Webhook:
        """Store a webhook; the same with its id."""
        types = None if webhook.types is None else json.dumps(webhook.types)
        at = to_microseconds(webhook.created_at)
        values = (encode_id(webhook.account), webhook.url, webhook.secret, types, at)
        return attrs.evolve(webhook, id=self._doors.add("add_webhook", *values))

    def webhooks(self, account: Any) -> list[Webhook]:
        """The webhooks of an account, oldest first."""
        return list(map(_webhook, self._doors.rows("list_webhooks", whose(account))))

    def remove_webhook(self, id: int, account: Any) -> bool:
        """Forget a webhook, with all that is on its way to it; False if it is not the account's."""
        if not fits(id) or self._doors.run("remove_webhook", id, whose(account)) == 0:
            return False
        self._doors.run("remove_deliveries", id)
        return True

    def add_deliveries(self, deliveries: list[Delivery]) -> None:
        """Store deliveries that wait, in this order."""
        rows = [
            (each.webhook_id, each.enrollment_id, each.event_id, each.body, to_microseconds(each.due_at))
            for each in deliveries
        ]
        self._doors.many("add_delivery", rows)

    def due_deliveries(self, webhook_id: int, now: DateTime, limit: int, *, ahead: DateTime) -> list[Delivery]:
        """What is due at a webhook, of each enrollment only the first that waits; soonest first."""
        values = (webhook_id, to_microseconds(now), min(max(limit, 0), MOST), to_microseconds(ahead))
        return list(map(_delivery, self._doors.rows("due_deliveries", *values)))

    def next_delivery(self, account: Any, now: DateTime, *, ahead: DateTime) -> DateTime | None:
        """When the next attempt at any webhook of an account is due."""
        values = (whose(account), to_microseconds(now), to_microseconds(ahead))
        ((at,),) = self._doors.rows("next_delivery", *values)
        return None if at is None else from_microseconds(at)

    def delivered(self, id: int) -> None:
        """It has arrived."""
        self._doors.run("drop_delivery", id)

    def set_deliveries(self, deliveries: list[Delivery]) -> None:
        """Store how deliveries stand."""
        rows = [(each.id, each.state, each.attempts, to_microseconds(each.due_at), each.error) for each in deliveries]
        self._doors.many("set_delivery", rows)

    def deliveries(
        self, account: Any, state: str, *, webhook_id: int | None = None, after: int | None = None, limit: int = 100
    ) -> list[Delivery]:
        """The deliveries in a state, in the order of their ids, from the one after `after`."""
        if not fits(webhook_id, after):
            return []
        values = (state, after or 0, min(max(limit, 0), MOST), whose(account), webhook_id)
        return list(map(_delivery, self._doors.rows("list_deliveries", *values)))
