"""What somebody who looks after a store wants to know of it, and no verb of an engine says."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from pendulum import DateTime

from sequencer.core.instants import from_microseconds
from sequencer.core.values import Identifier
from sequencer.stores.codec import decode_id
from sequencer.stores.database import Database

__all__ = ["Examination", "examined"]

_COUNTED = ("sequences", "enrollments", "events", "tasks", "suppressions")


@attrs.frozen
class Examination:
    """What is in a store, of all accounts.

    - `counts`: how many sequences, enrollments, events, tasks and suppressions there are.
    - `states`: how many enrollments are in each state.
    - `last_change_at`: when an enrollment was last changed (UTC). `simulated`: whether the demo made this store.
    - `accounts`: whose enrollments there are, and how many; None is the account without a name.
    - `settings`: what the database itself says, by name.
    """

    counts: Mapping[str, int]
    states: Mapping[str, int]
    last_change_at: DateTime | None
    simulated: bool
    accounts: Mapping[Identifier | None, int]
    settings: Mapping[str, str] = attrs.field(factory=dict)


def examined(database: Database, settings: Mapping[str, str]) -> Examination:
    """Looked at by named statements."""
    (counts,) = database.rows("count_everything")
    ((last,),) = database.rows("last_change")
    return Examination(
        counts=dict(zip(_COUNTED, counts, strict=True)),
        states=dict(database.rows("count_states")),
        last_change_at=None if last is None else from_microseconds(last),
        simulated=database.rows("get_meta", "made_by") == [("demo",)],
        accounts={decode_id(account): count for account, count in database.rows("accounts")},
        settings=settings,
    )
