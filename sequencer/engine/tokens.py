"""What a store keeps of tokens: who may come in at the HTTP door, and how far (law S7).

A token itself is never stored, only its hash; whoever makes and checks tokens hashes them.
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs
from pendulum import DateTime

from sequencer.core.values import Identifier

__all__ = ["Token", "TokenTransaction"]


@attrs.frozen(kw_only=True)
class Token:
    """Access to one account and to no other. Instants are in UTC.

    `account` None is the default account. `scope` is `read`, or `write`, which includes it. `actor_id` is the user in
    whose name the bearer acts, where that was said. `revoked_at` is None while it is in force. `name` is for people.
    """

    id: int
    account: Identifier | None
    scope: str
    actor_id: Identifier | None = None
    name: str = ""
    created_at: DateTime
    revoked_at: DateTime | None = None


class TokenTransaction(Protocol):
    """The part of a transaction that is about tokens. `account` may be `ALL_ACCOUNTS`."""

    def add_token(self, token: Token, digest: str) -> Token:
        """Store a token under its hash (its `id` is ignored); the same with its id. `Conflict`: the hash is known."""
        ...

    def token_with(self, digest: str) -> tuple[Token, str] | None:
        """The token with this hash and the hash as stored, revoked or not; None where there is none."""
        ...

    def is_in_force(self, digest: str) -> bool:
        """Whether there is a token with this hash, and it is not revoked; nothing else of a token ever changes."""
        ...

    def tokens(self, account: Any) -> list[Token]:
        """The tokens of an account, revoked or not, oldest first."""
        ...

    def revoke_token(self, id: int, now: DateTime, account: Any) -> bool:
        """Take a token out of force; False if it is not, or is not of the account."""
        ...
