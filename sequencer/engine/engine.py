"""The door: `Engine`, with every verb and read of an embedding host.

Each verb is one transaction: of its own, or a part of the caller's when `connection=` is given. Then it is done when
the caller commits, and a refusal leaves the caller's transaction usable (law S1). Verbs and reports never call a port;
only `tick` does, after the decision is committed (E1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.document import to_document
from sequencer.core.enrollment import Enrollment, Resource, fold_address, to_address
from sequencer.core.errors import (
    Conflict,
    IllegalTransition,
    InvalidInput,
    NotFound,
    Outdated,
)
from sequencer.core.events import Event, subject_of
from sequencer.core.instants import later_by, to_instant
from sequencer.core.lifecycle import advance
from sequencer.core.pacing import LONGEST_WINDOW, Cap, CatchUp
from sequencer.core.sequence import Sequence, SequenceVersion, Template
from sequencer.core.signals import Block, CompleteTask, Finish, Reassign, Report, Request, Resume, Skip
from sequencer.core.statuses import StepStatus
from sequencer.core.timeline import seen_at
from sequencer.core.values import Identifier, to_identifier, to_line, to_whole
from sequencer.engine.board import Board
from sequencer.engine.calls import PortCalls
from sequencer.engine.clock import SystemClock
from sequencer.engine.counters import MOST, Counters, counted
from sequencer.engine.delivery import patience
from sequencer.engine.enrolling import enroll_one, enroll_rows, refuse_out_of_range, update_person
from sequencer.engine.explanation import explained
from sequencer.engine.feeding import Feed, Listener
from sequencer.engine.handover import HandOvers
from sequencer.engine.migrating import MigrationPlan, MigrationResult, carried_out, planned
from sequencer.engine.once import once
from sequencer.engine.pacing import CapRule, Pacing
from sequencer.engine.ports import Clock, Mailer, People, TaskBoard, TaskId
from sequencer.engine.reports import handle, is_own
from sequencer.engine.results import (
    BulkResult,
    EventPage,
    Explanation,
    Handled,
    Outcome,
    Overdue,
    Refused,
    Row,
    Statistics,
    TickReport,
)
from sequencer.engine.running import run, run_until
from sequencer.engine.storage import (
    ALL_ACCOUNTS,
    AmbientStore,
    BoardTask,
    Held,
    Store,
    StoredSequence,
    Suppression,
    Transaction,
)
from sequencer.engine.worker import Worker

__all__ = ["Engine"]

_BULK = 1000
_DEFAULT_CAP = Cap()


class _NoMailer:
    """What an engine without a mailer has: mails fail with a reason that says so, and can be retried."""

    deduplicates = True

    def send(self, email: Any, *, key: str, timeout: float) -> Any:
        from sequencer.engine.ports import Rejected

        return Rejected("the engine has no mailer: pass Engine(mailer=...)", permanent=True, reason="mail_settings")


class Engine:
    """Runs sequences: a store, the ports, a clock, and every verb.

    - `store`: where enrollments live. `mailer`: sends mail. `tasks`: a task board; None for the embedded one.
    - `people`: asked at each hand-over who stands behind a resource; None for what was given at enrolling.
    - `clock`: None for the system's. `listener`: called with every event after its commit, at least once, in order;
      `event.subject` says whose it is. What a joined verb did is told after the caller's commit, with the next verb or
      tick of the engine's own; a `DjangoStore` has it told right after the commit.
    - `templates`: asked for texts that a sequence does not bring itself: `(template_id, account) -> Template | None`.
    - `unsubscribe_url`: a text with `{key}` in it, or a callable from an effect's key, for mails of sequences that ask
      for a way to opt out.
    - `lease`: for how many seconds a worker owns what it has claimed. `port_timeout`: how many seconds a port has.
    - `port_threads`: call ports on a thread of their own, so that one that hangs does not hold the worker (E4); False
      where ports need the caller's thread. None: False with a store that is in the host's transactions by itself
      (`DjangoStore`), whose connections belong to threads; else True.
    - `listener_name`: under which the listener's progress is kept in the store. Of several processes that listen under
      one name, one tells at a time.
    """

    def __init__(
        self,
        store: Store,
        *,
        mailer: Mailer | None = None,
        tasks: TaskBoard | None = None,
        people: People | None = None,
        clock: Clock | None = None,
        listener: Listener | None = None,
        templates: Callable[[Identifier, Identifier | None], Template | None] | None = None,
        unsubscribe_url: Callable[[str], str] | str | None = None,
        lease: float = 120,
        port_timeout: float = 30,
        port_threads: bool | None = None,
        listener_name: str = "default",
        cap: CapRule = _DEFAULT_CAP,
        catch_up: CatchUp | None = None,
    ) -> None:
        least = 2 * patience(port_timeout)
        if lease < least:
            raise InvalidInput(
                f"must be at least {least:g} s with a port_timeout of {port_timeout:g} s, since `people` and the "
                f"mailer may each take that long; got {lease:g}",
                path="lease",
            )
        _must_have(store, "store", "transaction", "origin")
        if mailer is not None:
            _must_have(mailer, "mailer", "send")
        if tasks is not None:
            _must_have(tasks, "tasks", "create", "cancel")
        if clock is not None:
            _must_have(clock, "clock", "now")
        self.store = store
        self._ambient = cast("AmbientStore", store) if hasattr(store, "after_commit") else None
        own = store if self._ambient is None else self._ambient.committing
        self.clock = clock or SystemClock()
        self._account: Identifier | None = None
        self._scope: Any = ALL_ACCOUNTS
        self._board = Board(tasks)
        self._host_templates = templates
        hand_overs = HandOvers(people, self._template, unsubscribe_url)
        self._worker = Worker(
            own,
            self._board,
            mailer or _NoMailer(),
            hand_overs,
            self.clock,
            lease=lease,
            port_timeout=port_timeout,
            calls=PortCalls(
                threads=self._ambient is None if port_threads is None else port_threads,
                leave=None if self._ambient is None else self._ambient.leave_thread,
            ),
            pacing=Pacing(cap, catch_up, lease),
        )
        self._feed = None if listener is None else Feed(own, self.clock, listener, listener_name, lease)
        if self._feed is not None and self._ambient is None:
            with own.transaction() as transaction:
                self._feed.begin(transaction)

    def account(self, account: Identifier | None) -> Engine:
        """The same verbs for one tenant: it sees, changes and ticks only what belongs to it (S7).

        None is the default account, whose verbs an engine has anyway; bound to it, it also ticks, counts and shows the
        events of no other.
        """
        other: Engine = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._account = None if account is None else to_identifier(account, "account")
        other._scope = other._account
        return other

    # -- definitions -------------------------------------------------------------------------------------------

    def save(
        self, sequence: Sequence, *, creator_id: Identifier | None = None, connection: Any = None
    ) -> SequenceVersion:
        """Store a sequence: as a new version of its key if its content is new (L1, L9). Templates are replaced.

        `creator_id` is the user who makes it; one that is known already stays.
        """
        _must_be_sequence(sequence)
        creator_id = None if creator_id is None else to_identifier(creator_id, "creator_id")
        now = self._now()
        with self._transaction(connection) as transaction:
            return transaction.save_version(self._account, sequence, now, creator_id=creator_id)

    def sequences(self, *, connection: Any = None) -> tuple[SequenceVersion, ...]:
        """The current version of every sequence, by key."""
        with self._reading(connection) as transaction:
            return tuple(transaction.sequences(self._account))

    def stored_sequence(self, sequence: Sequence | str | int, *, connection: Any = None) -> StoredSequence:
        """A sequence by its id, its key, or a definition with that key. Raises `NotFound`, also for a deleted one."""
        with self._reading(connection) as transaction:
            return self._listed(transaction, sequence)

    def stored_sequences(
        self,
        *,
        ids: Iterable[int] | None = None,
        name: str | None = None,
        deleted: bool = False,
        offset: int = 0,
        limit: int = 100,
        connection: Any = None,
    ) -> tuple[StoredSequence, ...]:
        """Sequences by id, after the first `offset`, at most `limit` (1 to 10 000): all, or those of a name.

        Or those with these `ids`, with `deleted` also the deleted ones among them; who has none of them is left out.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        to_whole(offset, "offset", least=0, most=2**63 - 1)
        with self._reading(connection) as transaction:
            if ids is None:
                return tuple(transaction.listed_sequences(self._account, name=name, offset=offset, limit=limit))
            found = transaction.stored_sequences(self._account, _ids(ids, "ids"))
        found = [
            each
            for each in found
            if (deleted or each.deleted_at is None) and name in (None, each.version.sequence.name)
        ]
        return tuple(found[offset : offset + limit])

    def create_sequence(
        self,
        sequence: Sequence,
        *,
        creator_id: Identifier | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> StoredSequence:
        """Store a sequence that is not there yet. Raises `SequenceExists` (with `existing_id`) for a known key.

        The same `idempotency_key` again returns the sequence that it made, and with another definition it is
        `KeyReused`.
        """
        _must_be_sequence(sequence)
        creator_id = None if creator_id is None else to_identifier(creator_id, "creator_id")
        now = self._now()
        with self._transaction(connection) as transaction:

            def create() -> tuple[int, ...]:
                version = transaction.save_version(self._account, sequence, now, creator_id=creator_id, only_new=True)
                return (version.sequence_id,)

            content = [to_document(sequence), creator_id]
            (id,), _ = once(transaction, self._account, "create_sequence", idempotency_key, content, now, create)
            (stored,) = transaction.stored_sequences(self._account, [id])
            return stored

    def replace_sequence(self, id: int, sequence: Sequence, *, connection: Any = None) -> StoredSequence:
        """Make this the content of the sequence with that id, as a new version (L1); its key stays what it is (L9).

        Who is enrolled goes on in the version that they are in. Raises `NotFound`.
        """
        _must_be_sequence(sequence)
        now = self._now()
        with self._transaction(connection) as transaction:
            key = self._listed(transaction, to_whole(id, "id", least=1, most=2**63 - 1)).key
            version = transaction.save_version(self._account, attrs.evolve(sequence, key=key), now)
            return self._listed(transaction, version.sequence_id)

    def delete_sequence(
        self, sequence: Sequence | str | int, *, actor_id: Identifier | None = None, connection: Any = None
    ) -> tuple[Outcome, ...]:
        """Finish every ongoing enrollment of a sequence as `sequence_deleted`, and list it no more (L7).

        Versions stay, for the history, and what was enrolled is still found and counted. Nobody can be enrolled by its
        key or id; saving the sequence again, which enrolling with the definition itself does, too, brings it back.
        """
        actor_id = None if actor_id is None else to_identifier(actor_id, "actor_id")
        now = self._now()
        with self._transaction(connection) as transaction:
            sequence_id = self._sequence_id(transaction, sequence)
            transaction.delete_sequence(sequence_id, now)
            found = transaction.ongoing(self._account, sequence_id=sequence_id)
            finish = Finish("sequence_deleted", actor_id)
            return tuple(self._request(transaction, held, finish) for held in found)

    # -- enrolling ---------------------------------------------------------------------------------------------

    def enroll(
        self,
        sequence: Sequence | SequenceVersion | str | int,
        resource: Resource,
        *,
        actor_id: Identifier | None = None,
        timezone: str | None = None,
        start_at: datetime | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> Enrollment:
        """Start a sequence for a resource, now or at a later `start_at`; when this returns, it is stored (S1).

        The sequence is a definition, which is saved if it is new, or the key or id of one that is stored.
        The zone is `timezone`, else the resource's own, else the sequence's. The same `idempotency_key` again returns
        the enrollment that it made. Raises `AlreadyEnrolled` (with `existing_id`), `Suppressed`, `InvalidInput`, and
        `KeyReused` when the idempotency key was used for something else (L8, L9).
        """
        row = self._row(Row(resource, actor_id, timezone, start_at, idempotency_key), "")
        now = self._now()
        with self._transaction(connection) as transaction:
            version = self._saved(transaction, sequence, now)
            return seen_at(enroll_one(transaction, self.store.origin, self._account, version, row, now), now)

    def enroll_many(
        self,
        sequence: Sequence | SequenceVersion | str | int,
        rows: Iterable[Row | Resource],
        *,
        spread_over: Hours | timedelta | None = None,
        connection: Any = None,
    ) -> BulkResult:
        """Start a sequence for many. Bad input in any row refuses all (`InvalidInput`), before anything is stored.

        What the state of things refuses (enrolled already, suppressed) is reported row by row. `spread_over` spaces
        the starts evenly over a span. Without a `connection` the rows are stored in batches of 1000.
        """
        given = [
            self._row(row if isinstance(row, Row) else Row(_must_be_resource(row)), f"rows[{i}].")
            for i, row in enumerate(rows)
        ]
        now = self._now()
        if spread_over is not None:
            given = _spread(given, spread_over, now)
        enrolled: list[Enrollment] = []
        refused: list[Refused] = []
        with self._transaction(connection) as transaction:
            version = self._saved(transaction, sequence, now)
            refuse_out_of_range(version.sequence, given, now)
        for start in range(0, len(given), _BULK):
            batch = given[start : start + _BULK]
            with self._transaction(connection) as transaction:
                outcomes = enroll_rows(transaction, self.store.origin, self._account, version, batch, now)
            for i, outcome in enumerate(outcomes, start):
                if isinstance(outcome, Enrollment):
                    enrolled.append(seen_at(outcome, now))
                else:
                    refused.append(Refused(i, given[i].resource, outcome))
        return BulkResult(tuple(enrolled), tuple(refused))

    # -- requests ----------------------------------------------------------------------------------------------

    def complete_task(self, task_id: TaskId, *, connection: Any = None) -> Outcome:
        """A task is done: its sequence goes on. Raises `NotFound`, or `IllegalTransition` for a task that is over."""
        with self._transaction(connection) as transaction:
            found = transaction.find(self._account, "task", to_identifier(task_id, "task_id"))
            if found is None:
                raise NotFound("task", task_id)
            held = self._held(transaction, found)
            for step in reversed(held.enrollment.steps):
                if type(step.task_id) is type(task_id) and step.task_id == task_id:
                    return self._request(transaction, held, CompleteTask(step.position))
            raise NotFound("task", task_id)

    def skip(
        self, id: int, *, position: int | None = None, revision: int | None = None, connection: Any = None
    ) -> Outcome:
        """Pass over the current step (L4). With `position`, a second call for the same step is "already so".

        `revision` is for who acts on what was seen, here as in `block`, `resume` and `finish`: an enrollment that is at
        another one by now is left as it is, and it is `Outdated`.
        """
        with self._transaction(connection) as transaction:
            held = self._held(transaction, id, revision)
            if position is not None:
                steps = held.enrollment.steps
                to_whole(position, "position", least=0, most=len(steps) - 1)
                if steps[position].status is StepStatus.SKIPPED:
                    return Outcome(self._seen(held.enrollment), changed=False)
                if position != held.enrollment.position:
                    raise IllegalTransition(
                        steps[position].status, "skip", f"the current step is {held.enrollment.current_step_position}"
                    )
            return self._request(transaction, held, Skip())

    def block(
        self,
        id: int,
        *,
        reason: str = "paused",
        until: datetime | None = None,
        revision: int | None = None,
        connection: Any = None,
    ) -> Outcome:
        """Hold an enrollment until it is resumed, or until an instant (L5)."""
        return self._verb(id, Block(reason, until), connection, revision)

    def resume(
        self,
        id: int,
        *,
        timeline: str = "shift",
        skip: bool = False,
        revision: int | None = None,
        connection: Any = None,
    ) -> Outcome:
        """Go on with a blocked enrollment: `shift`, `keep` or `restart` its timeline, or `skip` the step (L6)."""
        return self._verb(id, Resume(timeline, skip), connection, revision)

    def resume_blocked(
        self,
        reason: str,
        *,
        sequence: Sequence | str | int | None = None,
        timeline: str = "shift",
        skip: bool = False,
        after: int | None = None,
        limit: int = 1000,
        connection: Any = None,
    ) -> tuple[Outcome, ...]:
        """Go on with those that are blocked for one reason, as `statistics` counts them: of a sequence, or of all (L6).

        Does to each what `resume` does, in the order of their ids, from the one after `after`, at most `limit` (1 to
        10 000): all of them or, on an error, none. For more, call again with `after` as the id of the last outcome,
        until there are fewer than `limit`. With `skip`, one whose hand-over is still out stays blocked, and is left
        out. Raises `NotFound` for an unknown sequence; a reason that nobody is blocked for is no error.
        """
        reason = to_line(reason, "reason", longest=64)
        to_whole(limit, "limit", least=1, most=10_000)
        request, outcomes = Resume(timeline, skip), list[Outcome]()
        with self._transaction(connection) as transaction:
            sequence_id = None if sequence is None else self._sequence_id(transaction, sequence)
            while len(outcomes) < limit:
                wanted = limit - len(outcomes)
                found = transaction.blocked(self._account, reason, sequence_id=sequence_id, after=after, limit=wanted)
                for held in found:
                    current = held.enrollment.current
                    if not (skip and current is not None and current.status is StepStatus.REQUESTED):
                        outcomes.append(self._request(transaction, held, request))
                if len(found) < wanted:
                    break
                after = found[-1].enrollment.id
        return tuple(outcomes)

    def finish(
        self,
        id: int,
        *,
        actor_id: Identifier | None = None,
        reason: str = "manual",
        revision: int | None = None,
        connection: Any = None,
    ) -> Outcome:
        """End an enrollment; the outcome says what is still out (L7)."""
        actor_id = None if actor_id is None else to_identifier(actor_id, "actor_id")
        reason = to_line(reason, "reason", longest=64)
        if reason == "completed":
            raise InvalidInput("an enrollment completes by itself, with its last step", path="reason")
        return self._verb(id, Finish(reason, actor_id), connection, revision)

    def finish_ongoing(
        self,
        resource: Resource,
        *,
        sequences: Iterable[Sequence | str | int] | None = None,
        actor_id: Identifier | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> tuple[Outcome, ...]:
        """End every ongoing enrollment of a resource, or those in some sequences (definitions, keys or ids).

        The same `idempotency_key` again ends nothing, and returns those that it ended, as they are now.
        """
        actor_id = None if actor_id is None else to_identifier(actor_id, "actor_id")
        named = None if sequences is None else {_name_of(each) for each in sequences}
        _must_be_resource(resource)
        now = self._now()
        with self._transaction(connection) as transaction:
            outcomes: list[Outcome] = []

            def finish() -> tuple[int, ...]:
                for held in transaction.ongoing(self._account, resource=resource):
                    version = held.enrollment.version
                    if named is None or version.key in named or version.sequence_id in named:
                        outcomes.append(self._request(transaction, held, Finish("manual", actor_id)))
                return tuple(outcome.enrollment.id for outcome in outcomes)

            content = [resource.type, resource.id, None if named is None else sorted(named, key=str), actor_id]
            ids, done = once(transaction, self._account, "finish_ongoing", idempotency_key, content, now, finish)
            if done:
                return tuple(outcomes)
            return tuple(
                Outcome(self._seen(each), changed=False) for each in transaction.enrollments(self._account, ids=ids)
            )

    def reassign(
        self, resource: Resource, *, actor_id: Identifier | None, connection: Any = None
    ) -> tuple[Outcome, ...]:
        """Make another user the actor of every ongoing enrollment of a resource."""
        actor_id = None if actor_id is None else to_identifier(actor_id, "actor_id")
        with self._transaction(connection) as transaction:
            found = transaction.ongoing(self._account, resource=_must_be_resource(resource))
            return tuple(self._request(transaction, held, Reassign(actor_id)) for held in found)

    def update_person(self, resource: Resource, *, connection: Any = None) -> int:
        """Correct what is stored of a person: address, merge fields, zone; returns in how many enrollments (L1, L9).

        The resource given is the whole truth: without an `email` it has no address from now on, and fields that are
        not given are gone. It replaces what every ongoing enrollment of this type and id holds; one that is blocked
        stays so until it is resumed. Finished enrollments keep what they had, so nothing erased comes back (S8). The
        enrollment's own zone and timeline stay, and tasks that exist keep their texts. Mail that has not begun to be
        handed over goes to the new address; a report that names the old one finds nobody.

        Raises `NotFound` where nothing of the resource is going on, `AlreadyEnrolled` (with `existing_id`) where the
        new address is another resource's in the same or an exclusive sequence, and `Suppressed` where it has opted out.
        """
        now = self._now()
        with self._transaction(connection) as transaction:
            return update_person(transaction, self._account, _must_be_resource(resource), now)

    # -- another version ---------------------------------------------------------------------------------------

    def plan_migration(
        self,
        old: Sequence | SequenceVersion | str,
        new: Sequence | SequenceVersion | str,
        *,
        after: int | None = None,
        limit: int = 1000,
        connection: Any = None,
    ) -> MigrationPlan:
        """What would become of those who are enrolled if they went on in another version; changes nothing (L1).

        `old` is who: those in one `SequenceVersion`, or by a key or a `Sequence` (which stands for its key) those in
        every version but the new one. `new` is where to: a `Sequence` with the same key, a version that is stored, or
        the key for the current version. At most `limit` (1 to 10 000) of those who have not finished, in the order of
        their ids, from the one after `after`; the plan's `next_after` is for the next page.

        Raises `NotFound` for an unknown sequence or version, `InvalidInput` where the two are not the same sequence.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        _key_of(new)
        old = old if isinstance(old, SequenceVersion) else _key_of(old)
        now = self._now()
        with self._reading(connection) as transaction:
            return planned(transaction, self._account, old, new, now, after=after, limit=limit)

    def migrate(
        self, plan: MigrationPlan, *, only: Iterable[int] | None = None, connection: Any = None
    ) -> MigrationResult:
        """Carry a plan out: move those whom it moves, or of them `only` those with these ids; each in one decision.

        Nothing happens that the plan did not show: what has changed since it was made stays as it is, and the result
        says what would become of it now. What is due already in the new version leaves at the next open moment. A new
        version that is not stored yet is stored, as `save` does.
        """
        if not isinstance(plan, MigrationPlan):
            raise InvalidInput(f"needs what plan_migration gave, got {plan!r}", path="plan", code="invalid_type")
        now = self._now()
        with self._transaction(connection) as transaction:
            wanted = None if only is None else frozenset(only)
            return carried_out(transaction, self._board, self._account, plan, wanted, now)

    # -- reports -----------------------------------------------------------------------------------------------

    def handle(self, report: Report, *, connection: Any = None) -> Handled:
        """Take a report from outside, once for each key; what it does is the sequences' policy (L8).

        Raises `KeyReused` when the key was used with other content. A report that concerns nobody is noted.
        """
        now = self._now()
        with self._transaction(connection) as transaction:
            return handle(transaction, self._board, self._account, report, now)

    def suppress(self, address: str, *, connection: Any = None) -> bool:
        """No more mail to an address; False if that was so already. Ongoing enrollments end at their next mail."""
        folded = _must_be_address(address)
        now = self._now()
        with self._transaction(connection) as transaction:
            return transaction.suppress(self._account, folded, now, "manual")

    def unsuppress(self, address: str, *, connection: Any = None) -> bool:
        """Lift a suppression; False if there was none."""
        folded = _must_be_address(address)
        with self._transaction(connection) as transaction:
            return transaction.unsuppress(self._account, folded)

    def suppressed(self, *, connection: Any = None) -> tuple[Suppression, ...]:
        """Every suppression; an erased address is None, and still suppressed."""
        with self._reading(connection) as transaction:
            return tuple(transaction.suppressions(self._account))

    # -- forgetting --------------------------------------------------------------------------------------------

    def erase(self, resource: Resource, *, connection: Any = None) -> int:
        """Forget what is personal of a resource (S8); ongoing enrollments end as `resource_deleted` first.

        Histories, counts and a keyed hash for suppression stay. Returns how many enrollments were touched.
        """
        with self._transaction(connection) as transaction:
            for held in transaction.ongoing(self._account, resource=_must_be_resource(resource)):
                self._request(transaction, held, Finish("resource_deleted"))
            return transaction.erase(self._account, resource)

    def purge(self, *, finished_before: datetime, limit: int = 1000, connection: Any = None) -> int:
        """Delete up to `limit` enrollments that finished before an instant, with their histories; returns how many."""
        before = to_instant(finished_before, "finished_before")
        mails_since = later_by(self._now(), -LONGEST_WINDOW)
        with self._transaction(connection) as transaction:
            return transaction.purge(self._account, before, limit, mails_since=mails_since)

    # -- reading -----------------------------------------------------------------------------------------------

    def get(self, id: int, *, connection: Any = None) -> Enrollment:
        """An enrollment as of now, with its derived estimates. Raises `NotFound`."""
        with self._reading(connection) as transaction:
            return self._seen(self._held(transaction, id).enrollment)

    def enrollments(
        self,
        resource: Resource | None = None,
        state: str | None = None,
        *,
        sequence: Sequence | str | int | None = None,
        resource_type: str | None = None,
        resource_ids: Iterable[Identifier] | None = None,
        ids: Iterable[int] | None = None,
        address: str | None = None,
        after: int | None = None,
        offset: int = 0,
        limit: int = 100,
        connection: Any = None,
    ) -> tuple[Enrollment, ...]:
        """Enrollments by id, as of now, from the one after `after`, at most `limit` (1 to 10 000).

        All of what is given has to hold. `resource_ids` without a `resource_type` are those of leads and contacts. An
        `offset` passes over the first of them; it costs what it passes over, `after` does not.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        to_whole(offset, "offset", least=0, most=2**63 - 1)
        if state is not None and str(getattr(state, "value", state)) not in ("active", "blocked", "finished"):
            raise InvalidInput(f"must be active, blocked or finished, got {state!r}", path="state")
        resource = None if resource is None else _must_be_resource(resource)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        with self._reading(connection) as transaction:
            found = transaction.enrollments(
                self._account,
                resource=resource,
                state=None if state is None else str(getattr(state, "value", state)),
                sequence_id=None if sequence is None else self._sequence_id(transaction, sequence),
                resource_type=resource_type,
                resource_ids=None
                if resource_ids is None
                else [to_identifier(id, "resource_ids") for id in resource_ids],
                ids=None if ids is None else _ids(ids, "ids"),
                address=None if address is None else _must_be_address(address),
                after=after,
                offset=offset,
                limit=limit,
            )
        return self._all_seen(found)

    def due(self, *, offset: int = 0, limit: int = 100, connection: Any = None) -> tuple[Enrollment, ...]:
        """The active enrollments that wait for a worker now, the longest first, at most `limit` (1 to 10 000)."""
        to_whole(limit, "limit", least=1, most=10_000)
        to_whole(offset, "offset", least=0, most=2**63 - 1)
        with self._reading(connection) as transaction:
            return self._all_seen(transaction.due(self._account, self._now(), offset=offset, limit=limit))

    def overdue(self, *, after: int | None = None, limit: int = 1000, connection: Any = None) -> Overdue:
        """Which ongoing enrollments are overdue now (T9), by id.

        That is derived, so it is not looked up but looked for: among `limit` (1 to 10 000) ongoing enrollments, from
        the one after `after`. A page may have few of them, or none, and more follow.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        with self._reading(connection) as transaction:
            found = [
                each
                for state in ("active", "blocked")
                for each in transaction.enrollments(self._account, state=state, after=after, limit=limit)
            ]
        looked_at = sorted(found, key=lambda each: each.id)[:limit]
        seen = self._all_seen(looked_at)
        return Overdue(
            tuple(each for each in seen if any(step.overdue for step in each.steps)),
            after=looked_at[-1].id if looked_at else after or 0,
            more=len(looked_at) == limit,
        )

    def history(self, id: int, *, connection: Any = None) -> tuple[Event, ...]:
        """Everything that has happened to an enrollment, in order; `replay` makes the same enrollment of it."""
        with self._reading(connection) as transaction:
            enrollment = self._held(transaction, id).enrollment
            subject = subject_of(enrollment)
            return tuple(attrs.evolve(event, subject=subject) for event in transaction.events(enrollment.id))

    def events(self, *, after: int = 0, limit: int = 100, connection: Any = None) -> EventPage:
        """What has happened to all enrollments, in the order of the commits, from the one after a cursor: a page of it.

        For who would rather ask than be told, such as an outbox that notes its cursor in its own transaction. Begins
        with the first event by default; to go on, pass the page's `cursor` as `after`, for as long as there are `more`.

        Looks at `limit` (1 to 10 000) events of the store. An engine shows those of every account, as it ticks for all
        of them; one bound to an account only its own, so that a page may have few events, or none, and more follow.
        """
        to_whole(after, "after", least=0, most=2**63 - 1)
        to_whole(limit, "limit", least=1, most=10_000)
        with self._reading(connection) as transaction:
            found = transaction.events_after(after, limit)
        cursor = (found[-1].cursor or after) if found else after
        own = [event for event in found if self._scope is ALL_ACCOUNTS or is_own(event.subject, self._account)]
        return EventPage(tuple(own), cursor, more=len(found) == limit)

    def explain(self, id: int, *, connection: Any = None) -> Explanation:
        """Why each step is where it is, in sentences (T10)."""
        now = self._now()
        with self._reading(connection) as transaction:
            return explained(self._held(transaction, id).enrollment, now)

    def statistics(self, sequence: Sequence | str | int, *, connection: Any = None) -> Statistics:
        """How the enrollments of a sequence stand, over all its versions."""
        with self._reading(connection) as transaction:
            counts = transaction.statistics(self._account, self._sequence_id(transaction, sequence))
        by_state: dict[str, dict[str, int]] = {"active": {}, "blocked": {}, "finished": {}}
        for (state, reason), count in sorted(counts.items(), key=str):
            by_state[state][reason or ""] = by_state[state].get(reason or "", 0) + count
        return Statistics(
            active=sum(by_state["active"].values()), blocked=by_state["blocked"], finished=by_state["finished"]
        )

    def counters(self, *, connection: Any = None) -> Counters:
        """How much is due, claimed, active and blocked now, and what this engine has handed over: to be watched.

        Cheap enough to be asked every few seconds (S4). An engine counts for every account, as it ticks for all of
        them; one bound to an account only for that.
        """
        now = self._now()
        with self._reading(connection) as transaction:
            counts = transaction.counts(now, MOST, self._scope)
        return counted(counts, self._worker.tally, now, self._scope)

    def tasks(
        self,
        *,
        actor_id: Identifier | None = None,
        status: str | None = "open",
        after: int | None = None,
        limit: int = 100,
        connection: Any = None,
    ) -> tuple[BoardTask, ...]:
        """The tasks on the embedded board: `open`, `done`, `cancelled`, or all (None)."""
        to_whole(limit, "limit", least=1, most=10_000)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        if status not in ("open", "done", "cancelled", None):
            raise InvalidInput(f"must be open, done, cancelled or None, got {status!r}", path="status")
        with self._reading(connection) as transaction:
            return tuple(transaction.tasks(self._account, actor_id=actor_id, status=status, after=after, limit=limit))

    # -- running -----------------------------------------------------------------------------------------------

    def tick(
        self, limit: int = 1000, max_seconds: float | None = None, *, stop: threading.Event | None = None
    ) -> TickReport:
        """One pass over what is due: at most `limit` enrollments, handing over for at most `max_seconds`.

        Mails that only wait for a cap are put off and not counted among them, so that they hold up nobody (E5). Once
        `stop` is set, what is not handed over yet is given back. An engine ticks for every account; one bound to
        an account only for that.
        """
        to_whole(limit, "limit", least=1, most=100_000)
        if self._feed is not None and self._ambient is not None:
            with self._ambient.committing.transaction() as transaction:
                self._feed.begin(transaction)
        report = self._worker.tick(limit, max_seconds, self._scope, stop)
        if self._feed is not None:
            self._feed.tell()
        return report

    def run_until(self, when: datetime, *, limit: int = 1000) -> TickReport:
        """With a manual clock: pass over everything that comes due until an instant, and leave the clock there."""
        if not hasattr(self.clock, "set"):
            raise InvalidInput("needs an engine with a clock that can be set: Engine(clock=ManualClock(...))")
        return run_until(lambda: self.tick(limit), self.clock, to_instant(when, "when"))

    def run(
        self,
        *,
        stop: threading.Event | None = None,
        until: datetime | None = None,
        poll: float = 1.0,
        limit: int = 1000,
        each: Callable[[TickReport], None] | None = None,
    ) -> None:
        """The worker's loop, on the system's clock: tick, and wait for what comes next, but no longer than `poll` s.

        Ends when `stop` is set, after the hand-over that is under way, or after `until`. `each` is told what every pass
        did. A clock that is set by hand does not go on while this waits, so it is refused: use `run_until` with it.

        A store that cannot be used (`StoreError`, `Conflict`) at the first pass is an error. Later it is logged and
        asked again, after waits that double up to a minute; but for `SchemaMismatch`, which always ends the loop.
        """
        if hasattr(self.clock, "set"):
            raise InvalidInput("needs a clock that goes on by itself; with a manual one use run_until", path="clock")
        stop = stop or threading.Event()
        end = None if until is None else to_instant(until, "until")
        run(lambda: self.tick(limit, stop=stop), self.clock, stop=stop, until=end, poll=poll, each=each)

    # -- inside ------------------------------------------------------------------------------------------------

    def _now(self) -> DateTime:
        return to_instant(self.clock.now(), "clock.now()")

    @contextmanager
    def _transaction(self, connection: Any) -> Iterator[Transaction]:
        with self.store.transaction(connection) as transaction:
            if self._feed is not None and self._ambient is not None:
                # Not when the engine was made: that may be while the host starts, and its tests roll everything back.
                self._feed.begin(transaction)
            yield transaction
        if connection is None and self._feed is not None:
            if self._ambient is None:
                self._feed.tell()
            else:
                self._ambient.after_commit(self._feed.tell)

    def _reading(self, connection: Any) -> AbstractContextManager[Transaction]:
        return self.store.transaction(connection, write=False)

    def _held(self, transaction: Transaction, id: int, revision: int | None = None) -> Held:
        if isinstance(id, bool) or not isinstance(id, int):
            raise InvalidInput(f"needs the whole number that `enroll` gave, got {id!r}", path="id", code="invalid_type")
        held = transaction.get(id) if 0 < id < 2**63 else None
        if held is None or not is_own(held.enrollment, self._account):
            raise NotFound("enrollment", id)
        if revision is not None and held.enrollment.revision != to_whole(revision, "revision", least=0, most=2**63 - 1):
            raise Outdated(revision, held.enrollment.revision)
        return held

    def _all_seen(self, found: Iterable[Enrollment]) -> tuple[Enrollment, ...]:
        now = self._now()
        return tuple(seen_at(each, now) for each in found)

    def _seen(self, enrollment: Enrollment) -> Enrollment:
        return seen_at(enrollment, self._now())

    def _verb(self, id: int, request: Request, connection: Any, revision: int | None = None) -> Outcome:
        with self._transaction(connection) as transaction:
            return self._request(transaction, self._held(transaction, id, revision), request)

    def _request(self, transaction: Transaction, held: Held, request: Request) -> Outcome:
        now = self._now()
        decision = self._board.settle(transaction, advance(held.enrollment, request, now), now)
        if decision.changed and not transaction.save(decision.enrollment, decision.events):
            raise Conflict("another process changed the enrollment at the same time; try again")
        return Outcome(seen_at(decision.enrollment, now), decision.changed)

    def _saved(
        self, transaction: Transaction, sequence: Sequence | SequenceVersion | str | int, now: DateTime
    ) -> SequenceVersion:
        if isinstance(sequence, SequenceVersion):
            if transaction.current_version(self._account, sequence.key) == sequence:
                return sequence  # saving it again would replace its templates, which a version does not hold
            sequence = sequence.sequence
        if isinstance(sequence, (str, int)):
            return self._version(transaction, sequence)
        return transaction.save_version(self._account, _must_be_sequence(sequence), now)

    def _version(self, transaction: Transaction, sequence: str | int) -> SequenceVersion:
        if not isinstance(sequence, str):
            return self._listed(transaction, sequence).version
        version = transaction.current_version(self._account, sequence)
        if version is None:
            raise NotFound("sequence", sequence)
        return version

    def _listed(self, transaction: Transaction, sequence: Sequence | str | int) -> StoredSequence:
        found = transaction.stored_sequences(self._account, [self._sequence_id(transaction, sequence)])
        if not found or found[0].deleted_at is not None:
            raise NotFound("sequence", _name_of(sequence))
        return found[0]

    def _sequence_id(self, transaction: Transaction, sequence: Sequence | SequenceVersion | str | int) -> int:
        """The id of a sequence of this account, deleted or not."""
        name = _name_of(sequence)
        id = transaction.sequence_id(self._account, name)
        if id is None:
            raise NotFound("sequence", name)
        return id

    def _row(self, row: Row, path: str) -> Row:
        """A row with everything in it validated, so that nothing is half stored."""
        resource = _must_be_resource(row.resource)
        timezone = resource.timezone if row.timezone is None else row.timezone
        return Row(
            resource,
            None if row.actor_id is None else to_identifier(row.actor_id, f"{path}actor_id"),
            None if timezone is None else Calendar(timezone).timezone,
            None if row.start_at is None else to_instant(row.start_at, f"{path}start_at"),
            None if row.idempotency_key is None else to_line(row.idempotency_key, f"{path}idempotency_key"),
        )

    def _template(self, enrollment: Enrollment, template_id: Identifier) -> Template | None:
        with self._reading(None) as transaction:
            found = transaction.template(enrollment.version.sequence_id, template_id)
        if found is None and self._host_templates is not None:
            found = self._host_templates(template_id, enrollment.account)
        return found


def _must_have(port: Any, path: str, *names: str) -> None:
    # Of the class first: a property that has to ask a database is not asked here.
    missing = [name for name in names if not (hasattr(type(port), name) or hasattr(port, name))]
    if missing:
        raise InvalidInput(
            f"needs {' and '.join(repr(name) for name in missing)}, which {port!r} does not have", path=path
        )


def _must_be_sequence(value: Any) -> Sequence:
    if not isinstance(value, Sequence):
        raise InvalidInput(f"needs a Sequence, got {value!r}", path="sequence", code="invalid_type")
    return value


def _must_be_resource(value: Any) -> Resource:
    if not isinstance(value, Resource):
        raise InvalidInput(f"needs a Resource, got {value!r}", path="resource", code="invalid_type")
    return value


def _must_be_address(value: Any) -> str:
    folded = fold_address(to_address(value, "address"))
    if folded is None:
        raise InvalidInput(f"needs an email address, got {value!r}", path="address", code="blank")
    return folded


def _key_of(sequence: Sequence | SequenceVersion | str | int) -> str:
    if isinstance(sequence, str):
        return sequence
    if isinstance(sequence, (Sequence, SequenceVersion)):
        return sequence.key
    raise InvalidInput(f"needs a Sequence or its key, got {sequence!r}", path="sequence", code="invalid_type")


def _name_of(sequence: Sequence | SequenceVersion | str | int) -> str | int:
    """By what a sequence is named: its key, or its id."""
    if isinstance(sequence, int) and not isinstance(sequence, bool):
        return sequence
    return _key_of(sequence)


def _ids(ids: Iterable[int], path: str) -> list[int]:
    return [to_whole(id, f"{path}[{i}]", least=-(2**63), most=2**63 - 1) for i, id in enumerate(ids)]


def _spread(rows: list[Row], span: Hours | timedelta, now: DateTime) -> list[Row]:
    """The rows with starts spaced evenly over a span; one that names its own start keeps it."""
    whole = span.timedelta if isinstance(span, Hours) else span
    if not isinstance(whole, timedelta) or whole < timedelta(0):
        raise InvalidInput(f"needs Hours or a timedelta, got {span!r}", path="spread_over", code="invalid_type")
    gap = whole / max(1, len(rows))
    return [
        row if row.start_at is not None else attrs.evolve(row, start_at=later_by(now, gap * i))
        for i, row in enumerate(rows)
    ]
