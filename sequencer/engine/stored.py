"""What a store gives and takes beside enrollments and events: values, whatever the store is."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.values import Identifier

__all__ = [
    "ALL_ACCOUNTS",
    "Account",
    "Actor",
    "ActorMail",
    "BoardTask",
    "Counts",
    "Held",
    "StoredReport",
    "StoredSequence",
    "Suppression",
    "Who",
]


class _AllAccounts:
    """What a worker passes for `account`: it works for every tenant."""

    def __repr__(self) -> str:
        return "ALL_ACCOUNTS"


ALL_ACCOUNTS = _AllAccounts()
Account = Identifier | None
Actor = tuple[Account, Identifier]
"""In whose name mails leave: an account, and an actor's id in it."""
Who = tuple[str, Identifier] | str
"""Somebody who is asked about: a resource by its type and id, or whoever has an address (in comparable form)."""


@attrs.frozen
class Held:
    """An enrollment as stored, with its claim: `fence` rises with each claim; `lease_until` is None when unclaimed.

    A claim that was set aside has a fence below zero, which is nobody's: so far below that no claim after it has one
    that anybody had, whether it counts on from there or, as this release does, from that number without its sign (S3).
    """

    enrollment: Enrollment
    fence: int = 0
    lease_until: DateTime | None = None

    @property
    def set_aside_until(self) -> DateTime | None:
        """Until when nobody claims it, since who did could not tell what to do with it; None where that is not so."""
        return self.lease_until if self.fence < 0 else None


@attrs.frozen(kw_only=True)
class StoredSequence:
    """A sequence as it is listed: its current version, and what is known of it besides. Instants are in UTC.

    `id` is the store's id of the sequence, the same over all its versions. `creator_id` is the user who made it, where
    that was said. `updated_at` is when its content or its templates were last replaced. One that was deleted says when,
    and shows its newest version.
    """

    id: int
    version: SequenceVersion
    created_at: DateTime
    updated_at: DateTime
    creator_id: Identifier | None = None
    deleted_at: DateTime | None = None

    @property
    def key(self) -> str:
        """Its identity in its account."""
        return self.version.key

    @property
    def sequence(self) -> Sequence:
        """The definition, without its templates."""
        return self.version.sequence


@attrs.frozen
class StoredReport:
    """A report that was handled: a digest of its content, and the enrollments that it changed (L8)."""

    digest: str
    changed: tuple[int, ...]


@attrs.frozen
class Suppression:
    """An address that has opted out. `address` is None where only its keyed hash is left (S8).

    So once it was erased, and where it was suppressed as one that the person had before, or was mailed at.
    """

    address: str | None
    suppressed_at: DateTime
    reason: str = "manual"


@attrs.frozen(kw_only=True)
class BoardTask:
    """A task on the embedded board. `status` is `open`, `done`, `cancelled`; instants in UTC.

    `position` is where its step stood when the task was made.
    """

    id: int
    account: Account
    enrollment_id: int
    position: int
    key: str
    actor_id: Identifier | None
    resource_type: str
    resource_id: Identifier
    task_content: str
    due_at: DateTime
    created_at: DateTime
    status: str = "open"
    closed_at: DateTime | None = None


@attrs.frozen(kw_only=True)
class Counts:
    """How much waits, runs and stands still at an instant; none of the numbers is above the `most` that was asked for.

    `due` waits for a worker, the longest since `oldest_due_at`; `claimed` is under a lease that is in force, and
    `abandoned` under one that has ended; `oldest_lease_until` is the end of whichever ends, or ended, first. What was
    set aside is `claimed` until its lease ends, and `due` from then on.
    """

    due: int
    oldest_due_at: DateTime | None
    claimed: int
    abandoned: int
    oldest_lease_until: DateTime | None
    active: int
    blocked: Mapping[str, int]


@attrs.frozen
class ActorMail:
    """A mail in an actor's name, as caps count it (E5): of which step of which enrollment, and when (UTC).

    `standing` is `waiting` (a follow-up that will be due), `planned` (put off by a cap), `out` (handed over and not
    answered) or `sent` (it left, or may have).
    """

    enrollment_id: int
    step: int
    at: DateTime
    standing: str
    follow_up: bool = False
