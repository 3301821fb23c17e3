"""What a store keeps of tokens, over named statements."""

from __future__ import annotations

from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.engine.tokens import Token
from sequencer.stores.codec import Row, decode_id, encode_id
from sequencer.stores.database import fits, whose
from sequencer.stores.records import Records

__all__ = ["TokenRecords"]


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


class TokenRecords(Records):
    """The part of a transaction that is about tokens."""

    def add_token(self, token: Token, digest: str) -> Token:
        """Store a token under its hash; the same with its id."""
        values = (token.scope, encode_id(token.actor_id), token.name, to_microseconds(token.created_at))
        return attrs.evolve(token, id=self._newest.add("add_token", encode_id(token.account), digest, *values))

    def token_with(self, digest: str) -> tuple[Token, str] | None:
        """The token with this hash, and the hash as stored."""
        row = self._newest.row("token_of_digest", digest)
        return None if row is None else (_token(row[:-1]), row[-1])

    def is_in_force(self, digest: str) -> bool:
        """Whether the token with this hash is in force."""
        return bool(self._newest.rows("token_in_force", digest))

    def tokens(self, account: Any) -> list[Token]:
        """The tokens of an account, oldest first."""
        return list(map(_token, self._newest.rows("list_tokens", whose(account))))

    def revoke_token(self, id: int, now: DateTime, account: Any) -> bool:
        """Take a token out of force; False if it is not, or is not of the account."""
        return fits(id) and self._newest.run("revoke_token", id, to_microseconds(now), whose(account)) > 0
