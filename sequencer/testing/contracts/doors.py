"""What a store keeps for the doors to the outside: listed sequences, tokens, webhooks and what is sent to them (S7)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sequencer.core.errors import Conflict, SequenceExists
from sequencer.core.sequence import Template
from sequencer.engine.storage import ALL_ACCOUNTS
from sequencer.engine.tokens import Token
from sequencer.engine.webhooks import Delivery, Webhook
from sequencer.testing.contracts.workbench import BEYOND, NOW, begin, failing, finish, later, sequence_named

_TOKEN = Token(id=0, account=None, scope="read", actor_id="7", name='the "site"', created_at=NOW)
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


class Doors:
    """Sequences as they are listed, tokens, webhooks, deliveries."""

    # -- sequences ---------------------------------------------------------------------------------------------

    def test_a_sequence_is_listed_as_it_was_saved(self, store: Any) -> None:
        """A sequence is listed with who made it first, when, and when it was last replaced, content or templates."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, sequence_named(), NOW, creator_id="7")
            (listed,) = transaction.listed_sequences(None)
        assert (listed.id, listed.version, listed.creator_id) == (first.sequence_id, first, "7")
        assert (listed.created_at, listed.updated_at, listed.deleted_at) == (NOW, NOW, None)

        with store.transaction() as transaction:
            transaction.save_version(None, sequence_named(), later(hours=1), creator_id=8)
            assert transaction.listed_sequences(None) == [listed]
            texts = {0: Template("New", "Text")}
            transaction.save_version(None, sequence_named(templates=texts), later(hours=2), creator_id=8)
            (after,) = transaction.listed_sequences(None)
            assert after == attrs.evolve(listed, updated_at=later(hours=2))
            second = transaction.save_version(None, sequence_named(mails=1), later(hours=3))
            (after,) = transaction.stored_sequences(None, [first.sequence_id, 99, BEYOND])
            assert after == attrs.evolve(listed, version=second, updated_at=later(hours=3))

    def test_sequences_are_listed_by_account_and_name(self, store: Any) -> None:
        """A page has the sequences of one account, by id, or those of one name; no key or id leads to another's."""
        with store.transaction() as transaction:
            ids = [transaction.save_version(7, sequence_named(key), NOW).sequence_id for key in ("c", "a", "b")]
            other = transaction.save_version("7", attrs.evolve(sequence_named("a"), name="Other"), NOW).sequence_id
            named = transaction.save_version(7, attrs.evolve(sequence_named("d"), name="Other"), NOW).sequence_id

        def found(account: Any, **keywords: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [each.id for each in transaction.listed_sequences(account, **keywords)]

        assert found(7) == [*ids, named]
        assert found(7, offset=1, limit=2) == ids[1:]
        assert found(7, name="Other") == [named]
        assert found("7") == [other]
        assert found(None) == found(7, name="other") == found(7, offset=BEYOND) == []
        with store.transaction(write=False) as transaction:
            assert transaction.sequence_id("7", "a") == transaction.sequence_id("7", other) == other
            assert transaction.sequence_id(7, other) is None
            assert transaction.sequence_id(None, "a") is None
            assert transaction.sequence_id(7, BEYOND) is None
            assert transaction.stored_sequences(7, [other]) == transaction.stored_sequences(7, []) == []

    def test_a_deleted_sequence(self, store: Any) -> None:
        """A deleted sequence is listed no more and has no current version, until it is saved again; its id stays."""
        with store.transaction() as transaction:
            version = transaction.save_version(None, sequence_named(mails=3), NOW)
            version = transaction.save_version(None, sequence_named(), NOW)
            transaction.delete_sequence(version.sequence_id, later(days=1))
            transaction.delete_sequence(version.sequence_id, later(days=2))

        with store.transaction() as transaction:
            assert transaction.current_version(None, "outreach") is None
            assert transaction.sequences(None) == transaction.listed_sequences(None) == []
            assert transaction.sequence_id(None, "outreach") == version.sequence_id
            (deleted,) = transaction.stored_sequences(None, [version.sequence_id])
            assert (deleted.deleted_at, deleted.version) == (later(days=1), version)
            again = transaction.save_version(None, sequence_named(mails=3), later(days=3), only_new=True)
            assert (again.version, again.sequence_id) == (1, version.sequence_id)
            (back,) = transaction.listed_sequences(None)
            assert (back.version, back.created_at, back.updated_at, back.deleted_at) == (
                again,
                NOW,
                later(days=3),
                None,
            )

    def test_only_a_new_one(self, store: Any) -> None:
        """Whoever wants to make a sequence is told which there is already, and nothing is stored."""
        with store.transaction() as transaction:
            version = transaction.save_version(None, sequence_named(), NOW, only_new=True)
        for same in (sequence_named(), sequence_named(mails=1)):
            with store.transaction() as transaction, pytest.raises(SequenceExists, match="'outreach'") as caught:
                transaction.save_version(None, same, NOW, only_new=True)
            assert caught.value.existing_id == version.sequence_id
        with store.transaction() as transaction:
            transaction.save_version("other", sequence_named(), NOW, only_new=True)
            assert transaction.current_version(None, "outreach") == version

    # -- enrollments -------------------------------------------------------------------------------------------

    def test_pages_of_what_was_asked_for(self, store: Any) -> None:
        """A page of enrollments holds what fits everything that was asked for, by id, after the first `offset`."""
        with store.transaction() as transaction:
            ids = [
                begin(store, transaction, n, email=f"{n % 2}@x.com", sequence=sequence_named("ab"[n % 2])).id
                for n in range(6)
            ]
            theirs = begin(store, transaction, 1, email="1@x.com", account="theirs").id
            held = transaction.get(ids[3])
            finish(transaction, held.enrollment)
            second = held.enrollment.version.sequence_id

        def found(account: Any = None, **keywords: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [ids.index(each.id) for each in transaction.enrollments(account, **keywords)]

        assert found(offset=2, limit=3) == [2, 3, 4]
        assert found(offset=2, after=ids[1]) == [4, 5]
        assert found(ids=[*ids[4:1:-1], theirs, 99, BEYOND]) == [2, 3, 4]
        assert found(ids=ids, offset=1, limit=2) == [1, 2]
        assert found(ids=ids, state="finished") == found(state="finished") == [3]
        assert found(ids=ids, sequence_id=second, resource_ids=[1, 2, 3]) == [1, 3]
        assert found(ids=[]) == found(resource_ids=[]) == found(ids=[theirs]) == []
        assert found(resource_ids=[5, 1, "3", 99]) == found(resource_type="lead", resource_ids=[1, 5]) == [1, 5]
        assert found(resource_ids=[1, 2, 3, 5], offset=1, limit=2) == [2, 3]
        assert found(resource_ids=[1, 3, 5], state="active") == [1, 5]
        assert found(resource_type="contact") == found(resource_type="contact", resource_ids=[1]) == []
        assert found(resource_type="lead", limit=2) == [0, 1]
        assert found(resource_type="lead", state="active", offset=3) == [4, 5]
        assert found(address="1@x.com") == [1, 3, 5]
        assert found(address="1@x.com", resource_ids=[3, 4], resource_type="lead") == [3]
        assert found(address="1@x.com", resource_type="contact") == found(address="2@x.com") == []

        with store.transaction() as transaction:
            ids.append(begin(store, transaction, 1, resource_type="deal", email="deal@x.com").id)
        assert found(resource_ids=[1]) == found(ids=ids, resource_ids=[1]) == [1]
        assert found(address="deal@x.com", resource_ids=[1]) == []
        assert found(address="deal@x.com") == found(ids=ids, resource_ids=[1], resource_type="deal") == [6]

    def test_what_waits_is_looked_at(self, store: Any) -> None:
        """Who waits for a worker is seen, the longest first, without being claimed: by account, and only the active."""
        with store.transaction() as transaction:
            ids = [begin(store, transaction, n, start_at=later(minutes=5 - n)).id for n in range(4)]
            begin(store, transaction, 1, account="theirs")
            finish(transaction, transaction.get(ids[2]).enrollment)

        with store.transaction(write=False) as transaction:
            assert [each.id for each in transaction.due(None, later(minutes=4))] == [ids[3], ids[1]]
            assert [each.id for each in transaction.due(None, later(hours=1), offset=1, limit=1)] == [ids[1]]
            assert transaction.due(None, NOW) == transaction.due(7, later(hours=1)) == []
        with store.transaction() as transaction:
            assert len(transaction.claim(later(hours=1), 9, 60.0)) == 4

    # -- tokens ------------------------------------------------------------------------------------------------

    def test_tokens(self, store: Any) -> None:
        """A token is found by its hash, and is as it was stored; there is one for each hash."""
        with store.transaction() as transaction:
            one = transaction.add_token(_TOKEN, "digest one")
            two = transaction.add_token(attrs.evolve(_TOKEN, account=7, scope="write", actor_id=None), "digest two")
        assert one == attrs.evolve(_TOKEN, id=one.id)
        assert one.id != two.id

        with store.transaction(write=False) as transaction:
            assert transaction.token_with("digest one") == (one, "digest one")
            assert transaction.token_with("digest") is transaction.token_with("") is None
            assert transaction.tokens(ALL_ACCOUNTS) == [one, two]
            assert transaction.tokens(None) == [one]
            assert transaction.tokens(7) == [two]
            assert transaction.tokens("7") == []
        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.add_token(two, "digest one")

    def test_a_token_is_revoked_once(self, store: Any) -> None:
        """A revoked token says since when, and is revoked by its own account or by who may see all."""
        with store.transaction() as transaction:
            one, two = (transaction.add_token(attrs.evolve(_TOKEN, account=7), digest) for digest in "ab")
            assert not transaction.revoke_token(one.id, NOW, "7")
            assert not transaction.revoke_token(one.id, NOW, None)
            assert not transaction.revoke_token(BEYOND, NOW, ALL_ACCOUNTS)
            assert transaction.revoke_token(one.id, later(days=1), 7)
            assert not transaction.revoke_token(one.id, later(days=2), 7)
            assert transaction.revoke_token(two.id, later(days=3), ALL_ACCOUNTS)

        with store.transaction(write=False) as transaction:
            assert [each.revoked_at for each in transaction.tokens(7)] == [later(days=1), later(days=3)]
            assert transaction.token_with("a") == (attrs.evolve(one, revoked_at=later(days=1)), "a")

    # -- webhooks ----------------------------------------------------------------------------------------------

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

    def test_doors_are_rolled_back_with_the_rest(self, store: Any) -> None:
        """Tokens, webhooks, deliveries and deletions of a block that fails were never there (S2)."""
        with store.transaction() as transaction:
            version = transaction.save_version(None, sequence_named(), NOW)
            token = transaction.add_token(_TOKEN, "kept")
            webhook = transaction.add_webhook(_WEBHOOK)
            transaction.add_deliveries([_delivery(webhook, 1)])
        with failing(store) as transaction:
            transaction.delete_sequence(version.sequence_id, NOW)
            transaction.add_token(_TOKEN, "lost")
            transaction.revoke_token(token.id, NOW, None)
            transaction.remove_webhook(webhook.id, None)
            transaction.add_webhook(_WEBHOOK)

        with store.transaction(write=False) as transaction:
            assert transaction.current_version(None, "outreach") == version
            assert transaction.tokens(ALL_ACCOUNTS) == [token]
            assert transaction.webhooks(ALL_ACCOUNTS) == [webhook]
            assert len(transaction.deliveries(None, "waiting")) == 1
