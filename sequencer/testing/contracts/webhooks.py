"""What a store keeps of webhooks and of what is on its way to them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sequencer.core.errors import Conflict
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.testing.contracts.workbench import BEYOND, NOW, failing, later

_WEBHOOK = Webhook(id=0, account=None, url="https://example.com/in?a=1", secret="s", created_at=NOW)  # noqa: S106


_AHEAD = later(days=1)


def _delivery(webhook: Webhook, event_id: int, enrollment_id: int = 1, at: Any = NOW) -> Delivery:
    return Delivery(
        id=0,
        webhook_id=webhook.id,
        enrollment_id=enrollment_id,
        event_id=event_id,
        body=f'{{"n":{event_id},"ü":"\\u0000"}}',
        state="waiting",
        attempts=0,
        due_at=at,
    )


class Webhooks:
    """Webhooks and deliveries."""

    def test_webhooks(self, store: Any) -> None:
        """A webhook is as it was stored, and is its account's; its secret is in no picture of it."""
        with store.transaction() as transaction:
            one = transaction.add_webhook(_WEBHOOK)
            two = transaction.add_webhook(attrs.evolve(_WEBHOOK, account="a", types=("finished", "blocked")))
        assert "secret" not in repr(one)

        with store.transaction() as transaction:
            assert transaction.webhooks(ALL_ACCOUNTS) == [one, two]
            assert transaction.webhooks(None) == [one]
            assert transaction.webhooks("a") == [two]
            assert not transaction.remove_webhook(two.id, None)
            assert not transaction.remove_webhook(BEYOND, ALL_ACCOUNTS)
            assert transaction.remove_webhook(two.id, "a")
            assert not transaction.remove_webhook(two.id, "a")
            assert transaction.webhooks(ALL_ACCOUNTS) == [one]

    def test_deliveries_of_an_enrollment_are_due_in_turn(self, store: Any) -> None:
        """Of each enrollment only the first that waits is due, the soonest first; what has arrived is gone."""
        with store.transaction() as transaction:
            one, two = transaction.add_webhook(_WEBHOOK), transaction.add_webhook(_WEBHOOK)
            transaction.add_deliveries([_delivery(one, 1), _delivery(one, 2), _delivery(one, 3, 2, later(minutes=-1))])
            transaction.add_deliveries([_delivery(two, 1)])

        def due(at: Any = NOW, limit: int = 9) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [each.event_id for each in transaction.due_deliveries(one.id, at, limit, ahead=_AHEAD)]

        assert due() == [3, 1]
        assert due(limit=1) == [3]
        assert due(later(seconds=-1)) == [3]
        with store.transaction() as transaction:
            assert transaction.next_delivery(ALL_ACCOUNTS, NOW, ahead=_AHEAD) == later(minutes=-1)
            third, first = transaction.due_deliveries(one.id, NOW, 9, ahead=_AHEAD)
            assert first == attrs.evolve(_delivery(one, 1), id=first.id)
            transaction.delivered(third.id)
            transaction.set_deliveries([attrs.evolve(first, attempts=1, due_at=later(hours=1), error="refused: ü")])
            assert transaction.remove_webhook(two.id, None)
            # The one behind it is due as of now, but its turn comes later.
            assert (
                transaction.next_delivery(ALL_ACCOUNTS, NOW, ahead=_AHEAD)
                == transaction.next_delivery(None, NOW, ahead=_AHEAD)
                == later(hours=1)
            )
            assert transaction.next_delivery("a", NOW, ahead=_AHEAD) is None
            two = transaction.add_webhook(_WEBHOOK)
            transaction.add_deliveries([_delivery(two, 1)])
        assert due() == []
        assert due(later(hours=2)) == [1]
        with store.transaction() as transaction:
            (first,) = transaction.due_deliveries(one.id, later(hours=2), 9, ahead=_AHEAD)
            assert (first.attempts, first.error, first.due_at) == (1, "refused: ü", later(hours=1))
            transaction.set_deliveries([attrs.evolve(first, state="dead")])
        assert due() == [2]
        with store.transaction() as transaction:
            transaction.delivered(first.id)
            transaction.delivered(first.id)
            assert transaction.remove_webhook(one.id, None)
            assert [each.webhook_id for each in transaction.deliveries(ALL_ACCOUNTS, "waiting")] == [two.id]
            assert transaction.remove_webhook(two.id, None)
            assert transaction.next_delivery(ALL_ACCOUNTS, NOW, ahead=_AHEAD) is None

    def test_a_delivery_that_is_due_too_late_is_due(self, store: Any) -> None:
        """What a clock that was ahead has put off for longer than anything can be is due now (E6)."""
        with store.transaction() as transaction:
            webhook = transaction.add_webhook(_WEBHOOK)
            transaction.add_deliveries([_delivery(webhook, 1, 1, _AHEAD), _delivery(webhook, 2, 2, later(days=400))])
            assert transaction.next_delivery(None, NOW, ahead=_AHEAD) == NOW
            (wrong,) = transaction.due_deliveries(webhook.id, NOW, 9, ahead=_AHEAD)
            assert wrong.event_id == 2
            transaction.delivered(wrong.id)
            assert transaction.due_deliveries(webhook.id, NOW, 9, ahead=_AHEAD) == []
            assert transaction.next_delivery(None, NOW, ahead=_AHEAD) == _AHEAD

    def test_what_was_given_up_can_be_looked_at(self, store: Any) -> None:
        """Deliveries are listed by state, account and webhook, page by page; an event goes to a webhook once."""
        with store.transaction() as transaction:
            hooks = [transaction.add_webhook(attrs.evolve(_WEBHOOK, account=account)) for account in (7, "7", 7)]
            transaction.add_deliveries([_delivery(hook, n) for n in (1, 2) for hook in hooks])
            for each in transaction.deliveries(ALL_ACCOUNTS, "waiting", limit=5):
                transaction.set_deliveries([attrs.evolve(each, state="dead", error="gone")])

        def dead(account: Any, **keywords: Any) -> list[tuple[int, int]]:
            with store.transaction(write=False) as transaction:
                found = transaction.deliveries(account, "dead", **keywords)
                return [(hooks.index(next(h for h in hooks if h.id == d.webhook_id)), d.event_id) for d in found]

        assert dead(ALL_ACCOUNTS) == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2)]
        assert dead(7) == [(0, 1), (2, 1), (0, 2)]
        assert dead("7", limit=1) == [(1, 1)]
        assert dead(7, webhook_id=hooks[1].id) == dead(None) == dead(7, after=BEYOND) == []
        with store.transaction(write=False) as transaction:
            (first, *_) = transaction.deliveries(7, "dead")
        assert dead(7, webhook_id=hooks[0].id, after=first.id) == [(0, 2)]
        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.add_deliveries([_delivery(hooks[0], 2)])

    def test_webhooks_are_rolled_back(self, store: Any) -> None:
        """Webhooks and deliveries that a block which fails has made or removed are as they were (S2)."""
        with store.transaction() as transaction:
            webhook = transaction.add_webhook(_WEBHOOK)
            transaction.add_deliveries([_delivery(webhook, 1)])
        with failing(store) as transaction:
            transaction.remove_webhook(webhook.id, None)
            transaction.add_webhook(_WEBHOOK)

        with store.transaction(write=False) as transaction:
            assert transaction.webhooks(ALL_ACCOUNTS) == [webhook]
            assert len(transaction.deliveries(None, "waiting")) == 1
