"""Tokens: secrets that are access to one account, over any store, which keeps only their hashes."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_instant
from sequencer.core.values import Identifier, to_identifier, to_line
from sequencer.engine.clock import SystemClock
from sequencer.engine.ports import Clock
from sequencer.engine.storage import Store
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.engine.tokens import Token, TokenTransaction
from sequencer.http.access import Grant, to_scope

__all__ = ["Remembered", "Token", "Tokens"]

_BYTES = 32
_MOST_REMEMBERED = 1000
_SECRET = re.compile(r"[0-9a-f]{64}", re.ASCII)


def _digest_of(secret: Any) -> str | None:
    """The hash of a secret; None for what cannot be one, which is not looked for."""
    return _digest(secret) if isinstance(secret, str) and _SECRET.fullmatch(secret) else None


def _digest(secret: str) -> str:
    # A secret has 256 random bits, so that nobody finds it from a plain hash; a slow one would be for passwords.
    return hashlib.sha256(secret.encode()).hexdigest()


@attrs.frozen
class Remembered:
    """What a secret, of which only the hash is kept, was good for when it was last asked for."""

    tokens: Tokens
    digest: str = attrs.field(repr=False)
    grant: Grant

    def is_good(self, transaction: TokenTransaction) -> bool:
        """Whether it is good for that still, as a transaction of its store sees it; if not, it is forgotten.

        Of a token nothing changes but whether it is in force.
        """
        if transaction.is_in_force(self.digest):
            return True
        self.tokens.forget(self)
        return False


class Tokens:
    """The tokens of a store; each is for one account. For any thread.

    `clock` says when they are made and revoked; None for the system's.
    """

    def __init__(self, store: Store, *, clock: Clock | None = None) -> None:
        self.store = store
        self._clock = clock or SystemClock()
        self._found_any = False
        # By the hashes of secrets, which are no more than the store has of them. In how much time one is found tells of
        # what was sent at most how its hash begins, and that leads to no secret.
        self._remembered: dict[str, Grant] = {}

    def create(
        self,
        *,
        account: Identifier | None = None,
        scope: str = "read",
        actor_id: Identifier | None = None,
        name: str = "",
    ) -> tuple[Token, str]:
        """A new token and its secret, 64 characters that are shown this once: the store keeps a hash.

        `account` None is the default account; `scope` is `read`, or `write`, which includes it; `actor_id` is the user
        in whose name the bearer acts (`Grant`); `name` is for people, who will want to know which one to revoke.
        """
        token = Token(
            id=0,
            account=None if account is None else to_identifier(account, "account"),
            scope=to_scope(scope),
            actor_id=None if actor_id is None else to_identifier(actor_id, "actor_id"),
            name="" if not name else to_line(name, "name"),
            created_at=to_instant(self._clock.now(), "clock.now()"),
        )
        secret = secrets.token_hex(_BYTES)
        with self.store.transaction() as transaction:
            return transaction.add_token(token, _digest(secret)), secret

    def grant_of(self, secret: str) -> Grant | None:
        """What this secret is good for; None for one that is unknown or revoked. Asks the store each time."""
        digest = _digest_of(secret)
        if digest is None:
            return None
        token = self._found(digest)
        if token is None or token.revoked_at is not None:
            self._remembered.pop(digest, None)
            return None
        grant = Grant(token.account, token.scope, token.actor_id, f"token {token.id}")
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = grant
        return grant

    def remembered(self, secret: str) -> Remembered | None:
        """What this secret was good for when it was last asked for here, by which nobody may be let in alone.

        It may have been revoked since. It says what is worth a transaction, in which that is looked at.
        """
        digest = _digest_of(secret)
        grant = None if digest is None else self._remembered.get(digest)
        return None if digest is None or grant is None else Remembered(self, digest, grant)

    def forget(self, remembered: Remembered) -> None:
        """It was good for that once, and is not any more."""
        self._remembered.pop(remembered.digest, None)

    def revoke(self, token: int | str, *, account: Any = ALL_ACCOUNTS) -> bool:
        """Take a token out of force, by its id or by its secret; False if it is not in force.

        The next request with it is refused. With an `account`, only where it is that account's.
        """
        if isinstance(token, str):
            digest = _digest_of(token)
            found = None if digest is None else self._found(digest)
            if found is None:
                return False
            token = found.id
        elif isinstance(token, bool) or not isinstance(token, int):
            raise InvalidInput("needs the id of a token, or the token", path="token", code="invalid_type")
        if not 0 < token < 2**63:
            return False
        now = to_instant(self._clock.now(), "clock.now()")
        with self.store.transaction() as transaction:
            return transaction.revoke_token(token, now, _to_scope_of(account))

    def all(self, account: Any = ALL_ACCOUNTS) -> tuple[Token, ...]:
        """The tokens of every account, or of one, revoked or not, oldest first."""
        with self.store.transaction(write=False) as transaction:
            return tuple(transaction.tokens(_to_scope_of(account)))

    def any(self) -> bool:
        """Whether there has ever been one, be it revoked: then nobody comes in without."""
        if not self._found_any:
            self._found_any = bool(self.all())
        return self._found_any

    def _found(self, digest: str) -> Token | None:
        """The token with this hash, revoked or not."""
        with self.store.transaction(write=False) as transaction:
            found = transaction.token_with(digest)
        # The store finds by the hash, whose beginning tells nobody how a secret begins; that it is the same one is
        # looked at in constant time, and not left to the rules by which a database compares.
        if found is None or not hmac.compare_digest(found[1], digest):
            return None
        return found[0]


def _to_scope_of(account: Any) -> Any:
    return account if account is ALL_ACCOUNTS or account is None else to_identifier(account, "account")
