"""Requests that carry a key, so that they count once however often they are sent: what was done is noted beside it.

It is noted where reports are (L8), under a name that no report can have. Enrollments carry their keys themselves (L9).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pendulum import DateTime

from sequencer.core.errors import KeyReused
from sequencer.core.values import Identifier, to_line
from sequencer.engine.storage import Transaction
from sequencer.engine.stored import StoredReport

__all__ = ["once"]


def once(
    transaction: Transaction,
    account: Identifier | None,
    verb: str,
    key: Any,
    content: Any,
    now: DateTime,
    do: Callable[[], tuple[int, ...]],
) -> tuple[tuple[int, ...], bool]:
    """The ids that a request has answered, and whether it was done now; without a key it is.

    Raises `KeyReused` where the key came with other content.
    """
    if key is None:
        return do(), True
    # A line break is in no report's key.
    name = f"{verb}\n{to_line(key, 'idempotency_key')}"
    digest = transaction.keyed(json.dumps(content, sort_keys=True, default=str))
    transaction.lock(("report", account, name))
    stored = transaction.report(account, name)
    if stored is not None:
        if stored.digest != digest:
            raise KeyReused(f"the idempotency key {key!r} was used to {verb} with other content")
        return stored.changed, False
    ids = do()
    transaction.save_report(account, name, StoredReport(digest, ids), now)
    return ids, True
