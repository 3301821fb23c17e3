"""What a store keeps of tokens (S7)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sequencer.core.errors import Conflict
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.engine.tokens import Token
from sequencer.testing.contracts.workbench import BEYOND, NOW, failing, later

_TOKEN = Token(id=0, account=None, scope="read", actor_id="7", name='the "site"', created_at=NOW)


class Tokens:
    """Tokens, by their hashes."""

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

    def test_a_token_is_in_force_until_it_is_revoked(self, store: Any) -> None:
        """One that is not there is not in force, nor is one that is revoked, from then on in the same block."""
        with store.transaction() as transaction:
            assert not transaction.is_in_force("a")
            one, _ = (transaction.add_token(_TOKEN, digest) for digest in "ab")
            assert transaction.is_in_force("a")
            assert transaction.revoke_token(one.id, NOW, None)
            assert not transaction.is_in_force("a")
        with store.transaction(write=False) as transaction:
            assert [transaction.is_in_force(digest) for digest in ("a", "b", "", "ab")] == [False, True, False, False]

    def test_tokens_are_rolled_back(self, store: Any) -> None:
        """Tokens that a block which fails has made or revoked are as they were (S2)."""
        with store.transaction() as transaction:
            token = transaction.add_token(_TOKEN, "kept")
        with failing(store) as transaction:
            transaction.add_token(_TOKEN, "lost")
            transaction.revoke_token(token.id, NOW, None)

        with store.transaction(write=False) as transaction:
            assert transaction.tokens(ALL_ACCOUNTS) == [token]
            assert transaction.token_with("lost") is None
