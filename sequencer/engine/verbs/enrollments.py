"""The verbs about enrollments: who is enrolled, and what somebody asks of them (laws L3 to L10)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.delays import Hours
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import IllegalTransition, InvalidInput, NotFound
from sequencer.core.instants import later_by
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import Block, CompleteTask, Finish, Reassign, Resume, Skip
from sequencer.core.statuses import StepStatus
from sequencer.core.timeline import seen_at
from sequencer.core.values import Identifier, respelled, to_identifier, to_line, to_whole
from sequencer.engine.enrolling import enroll_one, enroll_rows, made_before, refuse_out_of_range, update_person
from sequencer.engine.once import once
from sequencer.engine.ports import TaskId
from sequencer.engine.results import BulkResult, Outcome, Refused, Row
from sequencer.engine.storage import Transaction
from sequencer.engine.verbs.bound import Bound
from sequencer.engine.verbs.given import must_be_resource, name_of

_BULK = 1000


class EnrollmentVerbs(Bound):
    """Enrolling, and the requests that somebody makes of an enrollment."""

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
            before = made_before(transaction, self._account, name_of(sequence), [row])
            if before is not None:
                return seen_at(before[0], now)
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
        the starts evenly over a span. Without a `connection` the rows are stored in batches of 1000; a sequence that is
        deleted between two of them is `NotFound`, and those that were in it have ended with it.
        """
        given = [
            self._row(row if isinstance(row, Row) else Row(must_be_resource(row)), f"rows[{i}].")
            for i, row in enumerate(rows)
        ]
        now = self._now()
        if spread_over is not None:
            given = _spread(given, spread_over, now)
        enrolled: list[Enrollment] = []
        refused: list[Refused] = []
        with self._transaction(connection) as transaction:
            before = made_before(transaction, self._account, name_of(sequence), given)
            if before is not None:
                return BulkResult(tuple(seen_at(each, now) for each in before), ())
            version = self._saved(transaction, sequence, now)
            refuse_out_of_range(version.sequence, given, now)
        for start in range(0, len(given), _BULK):
            batch = given[start : start + _BULK]
            with self._transaction(connection) as transaction:
                if transaction.current_version(self._account, version.key) is None:
                    raise NotFound("sequence", version.key)  # deleted since the batch before: nobody comes in any more
                outcomes = enroll_rows(transaction, self.store.origin, self._account, version, batch, now)
            for i, outcome in enumerate(outcomes, start):
                if isinstance(outcome, Enrollment):
                    enrolled.append(seen_at(outcome, now))
                else:
                    refused.append(Refused(i, given[i].resource, outcome))
        return BulkResult(tuple(enrolled), tuple(refused))

    # -- requests ----------------------------------------------------------------------------------------------

    def complete_task(self, task_id: TaskId, *, revision: int | None = None, connection: Any = None) -> Outcome:
        """A task is done: its sequence goes on. Raises `NotFound`, or `IllegalTransition` for a task that is over.

        `task_id` is what the board has called it: a number on the embedded board, and 7 is another task than `"7"`.
        `revision` is that of its enrollment, as in `skip`.
        """
        with self._transaction(connection) as transaction:
            found = transaction.find(self._account, "task", to_identifier(task_id, "task_id"))
            if found is None:
                raise NotFound("task", task_id, self._task_called_alike(transaction, task_id))
            held = self._held(transaction, found, revision)
            for step in reversed(held.enrollment.steps):
                if type(step.task_id) is type(task_id) and step.task_id == task_id:
                    return self._request(transaction, held, CompleteTask(step.position), self._now())
            raise NotFound("task", task_id)

    def _task_called_alike(self, transaction: Transaction, task_id: TaskId) -> str:
        """What to say to who names a task of this account by its id as text instead of as a number, or vice versa."""
        other = respelled(task_id)
        if other is None or transaction.find(self._account, "task", other) is None:
            return ""
        return f"there is a task {other!r}, and the id of that one is {'a number' if type(other) is int else 'text'}"

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
            return self._request(transaction, held, Skip(), self._now())

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
            now = self._now()
            while len(outcomes) < limit:
                wanted = limit - len(outcomes)
                found = transaction.blocked(self._account, reason, sequence_id=sequence_id, after=after, limit=wanted)
                for held in found:
                    current = held.enrollment.current
                    if not (skip and current is not None and current.status is StepStatus.REQUESTED):
                        outcomes.append(self._request(transaction, held, request, now))
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
        named = None if sequences is None else {name_of(each) for each in sequences}
        must_be_resource(resource)
        with self._transaction(connection) as transaction:
            now, outcomes = self._now(), list[Outcome]()

            def finish() -> tuple[int, ...]:
                for held in transaction.ongoing(self._account, resource=resource):
                    version = held.enrollment.version
                    if named is None or version.key in named or version.sequence_id in named:
                        outcomes.append(self._request(transaction, held, Finish("manual", actor_id), now))
                return tuple(outcome.enrollment.id for outcome in outcomes)

            # The id 7 and the key "7" are two names, in whatever order they come.
            several = None if named is None else sorted(named, key=lambda each: (str(each), isinstance(each, str)))
            content = [resource.type, resource.id, several, actor_id]
            ids, done = once(transaction, self._account, "finish_ongoing", idempotency_key, content, now, finish)
            if done:
                return tuple(outcomes)
            ended = transaction.enrollments(self._account, ids=ids, limit=len(ids))
            return tuple(Outcome(seen_at(each, now), changed=False) for each in ended)

    def reassign(
        self, resource: Resource, *, actor_id: Identifier | None, connection: Any = None
    ) -> tuple[Outcome, ...]:
        """Make another user the actor of every ongoing enrollment of a resource."""
        actor_id = None if actor_id is None else to_identifier(actor_id, "actor_id")
        with self._transaction(connection) as transaction:
            found = transaction.ongoing(self._account, resource=must_be_resource(resource))
            now = self._now()
            return tuple(self._request(transaction, held, Reassign(actor_id), now) for held in found)

    def update_person(self, resource: Resource, *, connection: Any = None) -> int:
        """Correct what is stored of a person: address, merge fields, zone; returns in how many enrollments (L1, L9).

        The resource given is the whole truth: without an `email` it has no address from now on, and fields that are
        not given are gone. It replaces what every ongoing enrollment of this type and id holds; one that is blocked
        stays so until it is resumed. Finished enrollments keep what they had, so nothing erased comes back (S8). The
        enrollment's own zone and timeline stay, and tasks that exist keep their texts. Mail that has not begun to be
        handed over goes to the new address; a report that names the old one finds nobody. Of the old one a keyed hash
        is kept until the person is erased: who opts out gets no mail there either (L8).

        Raises `NotFound` where nothing of the resource is going on, `AlreadyEnrolled` (with `existing_id`) where the
        new address is another resource's in the same or an exclusive sequence, and `Suppressed` where it has opted out.
        """
        now = self._now()
        with self._transaction(connection) as transaction:
            return update_person(transaction, self._account, must_be_resource(resource), now)


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
