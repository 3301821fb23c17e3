"""The reads: enrollments, histories, explanations, counts, tasks. Each is as of now (laws T9, T10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.events import Event, subject_of
from sequencer.core.sequence import Sequence
from sequencer.core.values import Identifier, to_identifier, to_line, to_whole
from sequencer.engine.counters import MOST, Counters, counted
from sequencer.engine.explanation import explained, next_mail
from sequencer.engine.reports import is_own
from sequencer.engine.results import EventPage, Explanation, Overdue, Statistics
from sequencer.engine.stored import ALL_ACCOUNTS, BoardTask
from sequencer.engine.verbs.bound import Bound
from sequencer.engine.verbs.given import ids_of, must_be_address, must_be_resource, must_be_state


class ReadVerbs(Bound):
    """What can be seen of an account; nothing here changes anything."""

    def get(self, id: int, *, connection: Any = None) -> Enrollment:
        """An enrollment as of now, with its derived estimates. Raises `NotFound`."""
        with self._reading(connection) as transaction:
            return self._seen(self._held(transaction, id).enrollment)

    def enrollments(
        self,
        resource: Resource | None = None,
        state: str | None = None,
        *,
        reason: str | None = None,
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

        All of what is given has to hold. A `reason` is why one is blocked or finished, as `statistics` counts them; one
        that nobody has is no error. `resource_ids` without a `resource_type` are those of leads and contacts. An
        `offset` passes over the first of them; it costs what it passes over, `after` does not.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        to_whole(offset, "offset", least=0, most=2**63 - 1)
        state = None if state is None else must_be_state(state)
        reason = None if reason is None else to_line(reason, "reason", longest=64)
        resource = None if resource is None else must_be_resource(resource)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        with self._reading(connection) as transaction:
            found = transaction.enrollments(
                self._account,
                resource=resource,
                state=state,
                reason=reason,
                sequence_id=None if sequence is None else self._sequence_id(transaction, sequence),
                resource_type=resource_type,
                resource_ids=None
                if resource_ids is None
                else [to_identifier(id, "resource_ids") for id in resource_ids],
                ids=None if ids is None else ids_of(ids, "ids"),
                address=None if address is None else must_be_address(address),
                after=after,
                offset=offset,
                limit=limit,
            )
        return self._all_seen(found)

    def due(self, *, offset: int = 0, limit: int = 100, connection: Any = None) -> tuple[Enrollment, ...]:
        """The active enrollments that wait for a worker now, the longest first, at most `limit` (1 to 10 000)."""
        to_whole(limit, "limit", least=1, most=10_000)
        to_whole(offset, "offset", least=0, most=2**63 - 1)
        now = self._now()
        with self._reading(connection) as transaction:
            return self._all_seen(transaction.due(self._account, now, offset=offset, limit=limit), now)

    def overdue(
        self,
        resource: Resource | None = None,
        state: str | None = None,
        *,
        reason: str | None = None,
        sequence: Sequence | str | int | None = None,
        after: int | None = None,
        limit: int = 1000,
        connection: Any = None,
    ) -> Overdue:
        """Which ongoing enrollments are overdue now (T9), by id; of those, all that is given has to hold.

        That is derived, so it is not looked up but looked for: among `limit` (1 to 10 000) ongoing enrollments like
        that, from the one after `after`. A page may have few of them, or none, and more follow. What is finished is
        never overdue, and only what is blocked has a `reason`.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        reason = None if reason is None else to_line(reason, "reason", longest=64)
        resource = None if resource is None else must_be_resource(resource)
        states = ("active", "blocked") if state is None else (must_be_state(state),)
        with self._reading(connection) as transaction:
            sequence_id = None if sequence is None else self._sequence_id(transaction, sequence)
            found = [
                each
                for state in states
                if state in ("active", "blocked")
                for each in transaction.enrollments(
                    self._account,
                    resource=resource,
                    state=state,
                    reason=reason,
                    sequence_id=sequence_id,
                    after=after,
                    limit=limit,
                )
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
        """Why each step is where it is, in sentences (T10).

        Also that the next mail will not leave, since the address that is stored has opted out (L8); `people` is not
        asked.
        """
        now = self._now()
        with self._reading(connection) as transaction:
            held = self._held(transaction, id)
            enrollment, position, former = held.enrollment, next_mail(held.enrollment), False
            account, resource = enrollment.account, enrollment.resource
            if position is not None:
                # The question that is asked at hand-over.
                address = resource.address
                if address is None or not transaction.is_suppressed(account, address):
                    position = None
                    if address is None or self._worker.ports.hand_overs.people is not None:
                        former = transaction.others_suppressed(account, resource)
        return explained(enrollment, now, position, held.set_aside_until, former_suppressed=former)

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
