"""Tokens, in the memory store.

Each method is the counterpart of the SQL statement of the same name; see `sqlite.sql` for what it means.
"""

# ruff: noqa: D102 - what the methods mean is written once, beside the statements

from __future__ import annotations

from typing import Any

from sequencer.core.errors import Conflict
from sequencer.stores.codec import Row
from sequencer.stores.journal import Journal

__all__ = ["TokenTable"]


class TokenTable(Journal):
    """The tokens, by id and by hash."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: dict[Any, Row] = {}
        self._token_ids: dict[Any, int] = {}

    def add_token(self, account: str, digest: str, *values: Any) -> int:
        if digest in self._token_ids:
            raise Conflict("there is a token with this hash already; nothing was stored")
        id = self._serial("tokens")
        self._put(self._token_ids, digest, id)
        self._put(self._tokens, id, (id, account, *values, None, digest))
        return id

    def token_of_digest(self, digest: str) -> list[Row]:
        id = self._token_ids.get(digest)
        return [] if id is None else [self._tokens[id]]

    def token_in_force(self, digest: str) -> list[Row]:
        return [(1,) for row in self.token_of_digest(digest) if row[6] is None]

    def list_tokens(self, account: str | None) -> list[Row]:
        return [row[:-1] for _, row in sorted(self._tokens.items()) if account in (None, row[1])]

    def revoke_token(self, id: int, revoked_at: int, account: str | None) -> int:
        row = self._tokens.get(id)
        if row is None or row[6] is not None or account not in (None, row[1]):
            return 0
        self._put(self._tokens, id, (*row[:6], revoked_at, row[7]))
        return 1
