"""Webhooks and deliveries, in the memory store.

Each method is the counterpart of the SQL statement of the same name; see `sqlite.sql` for what it means.
"""

# ruff: noqa: D102 - what the methods mean is written once, beside the statements

from __future__ import annotations

import itertools
from typing import Any

from sequencer.core.errors import Conflict
from sequencer.stores.codec import Row
from sequencer.stores.journal import MISSING, Journal

__all__ = ["WebhookTable"]

_WEBHOOK, _ENROLLMENT, _EVENT, _BODY, _STATE, _ATTEMPTS, _DUE, _ERROR = range(1, 9)


class WebhookTable(Journal):
    """The webhooks, and what is on its way to them, by id."""

    def __init__(self) -> None:
        super().__init__()
        self._webhooks: dict[Any, Row] = {}
        self._deliveries: dict[Any, Row] = {}
        self._arriving: dict[Any, int] = {}

    def add_webhook(self, *row: Any) -> int:
        id = self._serial("webhooks")
        self._put(self._webhooks, id, (id, *row))
        return id

    def list_webhooks(self, account: str | None) -> list[Row]:
        return [row for _, row in sorted(self._webhooks.items()) if account in (None, row[1])]

    def remove_webhook(self, id: int, account: str | None) -> int:
        row = self._webhooks.get(id)
        if row is None or account not in (None, row[1]):
            return 0
        self._put(self._webhooks, id, MISSING)
        return 1

    def remove_deliveries(self, webhook_id: int) -> int:
        found = [id for id, row in self._deliveries.items() if row[_WEBHOOK] == webhook_id]
        return sum(map(self.drop_delivery, found))

    def add_delivery(self, webhook_id: int, enrollment_id: int, event_id: int, body: str, due_at: int) -> int:
        if (webhook_id, event_id) in self._arriving:
            raise Conflict(f"event {event_id} is on its way to webhook {webhook_id} already; nothing was stored")
        id = self._serial("deliveries")
        self._put(self._arriving, (webhook_id, event_id), id)
        self._put(self._deliveries, id, (id, webhook_id, enrollment_id, event_id, body, "waiting", 0, due_at, ""))
        return id

    def due_deliveries(self, webhook_id: int, at: int, limit: int, ahead: int) -> list[Row]:
        firsts: dict[int, Row] = {}
        for _, row in sorted(self._deliveries.items()):
            if row[_WEBHOOK] == webhook_id and row[_STATE] == "waiting":
                firsts.setdefault(row[_ENROLLMENT], row)
        due = [row for row in firsts.values() if row[_DUE] <= at or row[_DUE] > ahead]
        return sorted(due, key=lambda row: (row[_DUE], row[0]))[:limit]

    def next_delivery(self, account: str | None, now: int, ahead: int) -> list[Row]:
        firsts: dict[tuple[int, int], int] = {}
        for _, row in sorted(self._deliveries.items()):
            if row[_STATE] == "waiting" and account in (None, self._webhooks[row[_WEBHOOK]][1]):
                firsts.setdefault((row[_WEBHOOK], row[_ENROLLMENT]), row[_DUE])
        return [(min((now if at > ahead else at for at in firsts.values()), default=None),)]

    def drop_delivery(self, id: int) -> int:
        row = self._deliveries.get(id)
        if row is None:
            return 0
        self._put(self._arriving, (row[_WEBHOOK], row[_EVENT]), MISSING)
        self._put(self._deliveries, id, MISSING)
        return 1

    def set_delivery(self, id: int, state: str, attempts: int, due_at: int, error: str) -> int:
        row = self._deliveries.get(id)
        if row is None:
            return 0
        self._put(self._deliveries, id, (*row[:_STATE], state, attempts, due_at, error))
        return 1

    def list_deliveries(
        self, state: str, after: int, limit: int, account: str | None, webhook_id: int | None
    ) -> list[Row]:
        found = (
            row
            for id, row in sorted(self._deliveries.items())
            if row[_STATE] == state
            and id > after
            and account in (None, self._webhooks[row[_WEBHOOK]][1])
            and webhook_id in (None, row[_WEBHOOK])
        )
        return list(itertools.islice(found, limit))
