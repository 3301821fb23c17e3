"""The store's port: what the engine asks of a place where enrollments live (laws S1 to S8).

A store hands out transactions. One transaction is all or nothing; leaving its block commits, an exception rolls back.
Given the caller's own `connection`, it joins the caller's transaction: savepoints only, and the commit is the
caller's (S1).

A store finds, stores and counts. It decides nothing: no rule of the engine stands in a query.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.events import Event
from sequencer.core.sequence import Sequence as Definition
from sequencer.core.sequence import SequenceVersion, Template
from sequencer.core.values import Identifier
from sequencer.engine.stored import (
    ALL_ACCOUNTS,
    Account,
    Actor,
    ActorMail,
    BoardTask,
    Counts,
    Held,
    StoredReport,
    StoredSequence,
    Suppression,
    Who,
)
from sequencer.engine.tokens import TokenTransaction
from sequencer.engine.webhooks import WebhookTransaction

__all__ = ["AmbientStore", "Looks", "SharedBlock", "Store", "Transaction", "shared_with_nobody"]


class Transaction(TokenTransaction, WebhookTransaction, Protocol):
    """What can be done inside one transaction."""

    # -- sequences ---------------------------------------------------------------------------------------------

    def save_version(
        self,
        account: Account,
        sequence: Definition,
        now: DateTime,
        *,
        creator_id: Identifier | None = None,
        only_new: bool = False,
        instead_of: int | None = None,
    ) -> SequenceVersion:
        """The version with this content under the sequence's key: the stored one, or a new one (L1, L9).

        Content is compared by its canonical document without templates, assume and expect. It becomes the current
        version of its sequence, and the sequence's templates are replaced. A sequence that was deleted is back then. A
        `creator_id` is noted unless there is one. With `only_new` it is `SequenceExists` where there is one already;
        with `instead_of` it is `Outdated` unless the version with that id is the current one.
        """
        ...

    def current_version(self, account: Account, key: str) -> SequenceVersion | None:
        """The current version of a sequence; None for an unknown key, and for a sequence that was deleted."""
        ...

    def sequence_id(self, account: Account, which: str | int) -> int | None:
        """The id of a sequence, by its key or itself, deleted or not; None where the account has none such."""
        ...

    def delete_sequence(self, sequence_id: int, now: DateTime, *, instead_of: int | None = None) -> None:
        """List a sequence no more, until it is saved again; versions stay, for those who are enrolled in them.

        With `instead_of` it is `Outdated` unless the version with that id is the current one.

        Whoever is enrolling in it at this moment comes before, and is found after this, or comes after, and is refused.
        """
        ...

    def stored_sequences(self, account: Account, ids: Collection[int]) -> list[StoredSequence]:
        """The account's sequences with these ids, deleted or not, by id."""
        ...

    def listed_sequences(
        self, account: Account, *, name: str | None = None, offset: int = 0, limit: int = 100
    ) -> list[StoredSequence]:
        """The account's sequences that are not deleted, by id; only those of a name, where one is given."""
        ...

    def find_version(self, account: Account, sequence: Definition) -> SequenceVersion | None:
        """The stored version with this content under the sequence's key, current or not; None where there is none."""
        ...

    def last_version(self, version: SequenceVersion) -> int:
        """The number of the newest version of a version's sequence."""
        ...

    def sequences(self, account: Account) -> list[SequenceVersion]:
        """The current version of every sequence, by key."""
        ...

    def templates(self, sequence_id: int) -> Mapping[Identifier, Template]:
        """The texts of a sequence, as last saved, by their ids."""
        ...

    def template(self, sequence_id: int, template_id: Identifier) -> Template | None:
        """The text behind a template id of a sequence, as last saved."""
        ...

    # -- enrollments -------------------------------------------------------------------------------------------

    def lock(self, *names: tuple[Any, ...], within: tuple[Any, ...] | None = None) -> None:
        """Let nobody else go on who asks for one of these names, until this transaction ends.

        What is looked for and not found cannot be locked itself, so it is locked by name: whoever wants to enroll a
        person asks for the person. Who needs very many names asks for what they are all `within` instead, which waits
        for everybody there. Where only one transaction writes at a time, there is nothing to do.
        """
        ...

    def new_ids(self, count: int) -> Sequence[int]:
        """So many ids for new enrollments: positive, never given out before."""
        ...

    def insert(self, decisions: Iterable[tuple[Enrollment, Sequence[Event]]]) -> None:
        """Store new enrollments, each with its first events."""
        ...

    def save(
        self,
        enrollment: Enrollment,
        events: Sequence[Event],
        *,
        fence: int | None = None,
        release: bool = False,
    ) -> bool:
        """Store a decision, if the stored revision is still the one before its first event (S2).

        With `fence` also only if that claim is still in force (S3). `release` ends the claim. False: somebody was
        faster, and nothing was stored. Task, message and provider ids in the events become findable.
        """
        ...

    def save_many(self, decisions: Sequence[tuple[Enrollment, Sequence[Event], int]]) -> list[bool]:
        """As `save`, for many at once, each (enrollment, events, fence) under its claim, which it ends. No id twice."""
        ...

    def update_person(self, id: int, resource: Resource) -> None:
        """Replace what is stored of the person with an enrollment: address, fields, zone; type and id stay.

        `save` never writes these, so that no decision which was under way brings back what was replaced or erased (S8).
        An address that is replaced is remembered, as by `remember_address`.
        """
        ...

    def get(self, id: int, account: Any = ALL_ACCOUNTS) -> Held | None:
        """An enrollment, if it is the account's; who asks for another's waits for nobody there (S7)."""
        ...

    def claim(self, now: DateTime, limit: int, lease_seconds: float, account: Any = ALL_ACCOUNTS) -> list[Held]:
        """Up to `limit` enrollments that have to be looked at, claimed until now + lease (S3, S4); soonest first.

        Those are: whose lease, or else `wake_at`, has come; whose lease ends later than now + twice the lease (a clock
        was ahead, E6; less is what the clocks of two workers may differ by); and whose last decision lies more than a
        lease in the future (likewise). One that cannot be read is left out, and set aside.
        """
        ...

    def renew(self, claims: Iterable[tuple[int, int]], until: DateTime) -> None:
        """Prolong these claims (id, fence) where they are still in force."""
        ...

    def look(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        """A fresh look (E3): None unless it is still at this revision and the claim still in force.

        If it is, whether the address (in comparable form) is suppressed.
        """
        ...

    def release(self, claims: Iterable[tuple[int, int]]) -> None:
        """End these claims (id, fence) where they are still in force."""
        ...

    def set_aside(self, claims: Iterable[tuple[int, int]]) -> None:
        """Give these claims (id, fence) up where they are still in force, and leave the enrollments alone until then.

        They are claimed again once the lease has come, by whoever is first, and nobody is missed who did not come back.
        Until then `get` says that they are set aside; what is bound to the claim is refused (S3). A decision that is
        saved meanwhile ends it: what it has made of the enrollment is looked at when it is due.
        """
        ...

    def next_wake(self, account: Any = ALL_ACCOUNTS) -> DateTime | None:
        """The earliest instant at which any enrollment has to be looked at (its lease's end while it is claimed)."""
        ...

    def ongoing(
        self,
        account: Account,
        *,
        resource: Resource | None = None,
        address: str | None = None,
        sequence_id: int | None = None,
    ) -> list[Held]:
        """The enrollments, not finished, of the resource (by type and id) or of the address; and of the sequence."""
        ...

    def ongoing_of(self, account: Account, who: Collection[Who]) -> dict[Who, list[Enrollment]]:
        """Of each of these the enrollments, not finished, by id; who has none is left out.

        They are looked at, not kept: unlike those of `ongoing` they may change before the transaction ends.
        """
        ...

    def last_finished_of(
        self, account: Account, sequence_id: int | None, who: Collection[Who]
    ) -> dict[Who, Enrollment]:
        """Of each of these the enrollment in this sequence, or in any, that finished last; who has none is left out."""
        ...

    def made_with(self, account: Account, keys: Collection[str]) -> dict[str, Enrollment]:
        """The enrollments that were made with these idempotency keys; a key that is not known is left out."""
        ...

    def find(self, account: Account, kind: str, value: Identifier) -> int | None:
        """The id of the enrollment that a `task`, `message` or `provider` id, or an `idempotency` key, belongs to."""
        ...

    def addresses_of(self, account: Account, resource: Resource) -> list[str]:
        """The addresses, in comparable form, that are stored with the resource's enrollments, ongoing and finished.

        What else they have had is not among them: see `remember_address`.
        """
        ...

    def enrollments(
        self,
        account: Account,
        *,
        resource: Resource | None = None,
        state: str | None = None,
        reason: str | None = None,
        sequence_id: int | None = None,
        resource_type: str | None = None,
        resource_ids: Collection[Identifier] | None = None,
        ids: Collection[int] | None = None,
        address: str | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[Enrollment]:
        """Enrollments in the order of their ids: from the one after `after`, and of those not the first `offset`.

        Whatever is given has to hold. A `reason` is that of a block or of an end, and costs those that have it.
        `resource_ids` are of the types of leads and contacts where there is no `resource_type`; an `address` is in
        comparable form.
        """
        ...

    def due(self, account: Account, now: DateTime, *, offset: int = 0, limit: int = 100) -> list[Enrollment]:
        """The active enrollments that wait for a worker, the longest first; looked at, not claimed."""
        ...

    def blocked(
        self, account: Account, reason: str, *, sequence_id: int | None = None, after: int | None = None, limit: int
    ) -> list[Held]:
        """The enrollments that are blocked for this reason, in the order of their ids, from the one after `after`."""
        ...

    def in_other_versions(
        self, account: Account, version: SequenceVersion, *, only: int | None = None, after: int | None, limit: int
    ) -> list[Enrollment]:
        """The enrollments, not finished, of a version's sequence that are in another version, by id after `after`.

        With `only` those that are in the version with that id.
        """
        ...

    def statistics(self, account: Account, sequence_id: int) -> dict[tuple[str, str | None], int]:
        """How many enrollments of a sequence stand how: (state, blocked or finished reason) to a count."""
        ...

    def counts(self, now: DateTime, most: int, account: Any = ALL_ACCOUNTS) -> Counts:
        """How much waits, runs and stands still at `now`, each counted up to `most`.

        Costs what is due and claimed, the sequences there are, and at most `most` enrollments in each state; not what
        is stored (S4).
        """
        ...

    # -- mails in actors' names --------------------------------------------------------------------------------

    def mails_counted(
        self, actors: Mapping[Actor, DateTime], now: DateTime, *, ahead: DateTime, expected_since: DateTime | None
    ) -> dict[Actor, int]:
        """For each of these actors how many mails `mails_left` finds, and `mails_expected` since an instant (E5).

        It is asked before those, and for most actors instead of them: who is far from a cap needs no more. For the rest
        see `mails_left`.
        """
        ...

    def mails_left(
        self, actors: Mapping[Actor, DateTime], now: DateTime, *, ahead: DateTime | None
    ) -> dict[Actor, list[ActorMail]]:
        """For each of these actors, with an instant: the mails in their name that are out, or left after it (E5).

        That is what `insert` and `save` made of them. Until the transaction ends, no other counts the mails of these
        actors, so one transaction asks for all of them at once. What left later than `ahead`, by a clock that was
        wrong, left `now`. With `ahead=None` they are only looked at: nothing is locked, corrected or forgotten.
        """
        ...

    def mails_expected(self, actors: Collection[Actor], since: DateTime) -> dict[Actor, list[ActorMail]]:
        """For each of these actors the mails in their name that wait, or are put off, and come due from `since` on."""
        ...

    # -- events ------------------------------------------------------------------------------------------------

    def events(self, enrollment_id: int) -> list[Event]:
        """The history of an enrollment, in order."""
        ...

    def events_after(self, cursor: int, limit: int) -> list[Event]:
        """Events of all enrollments, in the order of their commits, from the one after a cursor.

        Each with its `cursor` and its `subject`. Ends before one that cannot be read; where that is the first, it is
        the `StoreError`.
        """
        ...

    def cursor(self, name: str) -> int:
        """How far a listener has come; a new one starts at the end of what is stored."""
        ...

    def last_cursor(self) -> int:
        """How far a listener has come that has been told of everything; 0 where there is nothing yet."""
        ...

    def set_cursor(self, name: str, cursor: int) -> None:
        """Note how far a listener has come."""
        ...

    def lease_feed(self, name: str, now: DateTime, lease_seconds: float, token: int | None = None) -> int | None:
        """Take the events of a listener's name until now + lease, or with a `token` keep them; None: not one's own.

        One owner at a time (S3): whoever has the token of the last lease. Who asks waits for the end of a transaction
        that has asked before, so of one that commits an event and one that leaves the feed at least one sees the other.
        """
        ...

    def leave_feed(self, name: str, token: int) -> None:
        """End a lease of `lease_feed`, if it is still in force."""
        ...

    # -- reports and suppression -------------------------------------------------------------------------------

    def report(self, account: Account, key: str) -> StoredReport | None:
        """A report that was handled under this key."""
        ...

    def save_report(self, account: Account, key: str, report: StoredReport, now: DateTime) -> None:
        """Note that a report was handled."""
        ...

    def suppress(self, account: Account, address: str, now: DateTime, reason: str) -> bool:
        """Suppress an address (in comparable form); False if it was already."""
        ...

    def remember_address(self, account: Account, id: int, address: str) -> None:
        """Keep a keyed hash of an address (in comparable form) to which a mail of an enrollment may have gone (S8).

        It is kept until the enrollment's resource is erased, or the enrollment is purged.
        """
        ...

    def suppress_others(self, account: Account, resource: Resource, now: DateTime, reason: str) -> None:
        """Suppress the addresses of a resource's enrollments of which only a keyed hash is left.

        Those are what `remember_address` and `update_person` have kept. They are suppressed as erased ones are: nobody
        reads the address any more, and who is enrolled under it, or gets mail there, is refused.
        """
        ...

    def others_suppressed(self, account: Account, resource: Resource) -> bool:
        """Whether one of the addresses that `suppress_others` is about is suppressed."""
        ...

    def unsuppress(self, account: Account, address: str) -> bool:
        """Lift a suppression; False if there was none."""
        ...

    def is_suppressed(self, account: Account, address: str) -> bool:
        """Whether the address is suppressed, also when only its hash is left."""
        ...

    def suppressed_among(self, account: Account, addresses: Collection[str]) -> set[str]:
        """Which of these addresses (in comparable form) are suppressed, also when only the hash is left."""
        ...

    def keyed(self, text: str) -> str:
        """A hash of a text under the store's own secret, so that nobody else can try what it was made of (S8)."""
        ...

    def suppressions(self, account: Account) -> list[Suppression]:
        """All suppressions, oldest first."""
        ...

    # -- the embedded task board -------------------------------------------------------------------------------

    def create_task(self, task: BoardTask) -> int:
        """Put a task on the board (its `id` is ignored) and return its id; the same key again returns the first's."""
        ...

    def close_task(self, id: int, status: str, now: DateTime) -> bool:
        """Close an open task as `done` or `cancelled`; False if it was not open."""
        ...

    def task(self, id: int) -> BoardTask | None:
        """A task of any account."""
        ...

    def tasks(
        self,
        account: Account,
        *,
        actor_id: Identifier | None = None,
        status: str | None = "open",
        after: int | None = None,
        limit: int = 100,
    ) -> list[BoardTask]:
        """Tasks on the board in the order of their ids."""
        ...

    # -- forgetting --------------------------------------------------------------------------------------------

    def erase(self, account: Account, resource: Resource) -> int:
        """Forget what is personal of a resource: addresses, fields, task texts, message ids, suppressed addresses (S8).

        Keyed hashes of suppressed addresses stay. Returns the number of enrollments that were touched.
        """
        ...

    def purge(
        self, account: Account, finished_before: DateTime, limit: int, *, mails_since: DateTime | None = None
    ) -> int:
        """Delete up to `limit` enrollments that finished before an instant, with all that hangs on them.

        What caps count of the mails that left after `mails_since` is kept, until it counts no more (E5).
        """
        ...


class Looks(Protocol):
    """Fresh looks at claims of one pass, each directly before the call that it is for (E3); one thread at a time."""

    def look(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        """As `Transaction.look` in a transaction that begins now: whatever was committed before this call is seen."""
        ...


class Store(Protocol):
    """A place where enrollments live."""

    @property
    def origin(self) -> str:
        """The store's random id, made when it was created; the first part of every effect's key (E2)."""
        ...

    def transaction(self, connection: Any = None, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """One transaction of the store's own, or a part of the caller's.

        A block that only reads says `write=False`, and need not wait for one that writes.
        """
        ...

    def looking(self, claims: Sequence[tuple[Enrollment, int]]) -> Looks:
        """Looks at these claims (enrollment, fence), which will be asked about in this order, or not at all."""
        ...

    def close(self) -> None:
        """Give back what the store holds open."""
        ...


@runtime_checkable
class SharedBlock(Protocol):
    """A block of a store that lets threads wait for each other's: until it is entered, it can be told not to."""

    alone: bool


def shared_with_nobody(block: AbstractContextManager[Transaction]) -> AbstractContextManager[Transaction]:
    """The same block of a store's, still to be entered, in which code of the host's will run.

    That may wait for anything, also for another thread that has just used the store: where a store lets threads wait
    for each other's blocks, nobody may wait for the end of this one who was there before it.
    """
    if isinstance(block, SharedBlock):
        block.alone = True
    return block


class AmbientStore(Store, Protocol):
    """A store that is in the host's transaction wherever one is open, also without being told so by `connection=`.

    Its transactions belong to the thread that the host's transaction is on.
    """

    @property
    def committing(self) -> Store:
        """The same store, for what must be committed at the end of each block (E3); refuses to be inside the host's."""
        ...

    def after_commit(self, do: Callable[[], None]) -> None:
        """Do something once the host's transaction is committed; at once where none is open."""
        ...

    def leave_thread(self) -> None:
        """Give back what the host's framework holds for this thread, which is one of the engine's own."""
        ...
