"""The store's transaction over named statements: what is asked of a store, written once for all of them.

It works through a `Database`, which runs a named statement with positional values: SQL from a file, or the memory
store's functions of the same names. How a transaction begins and ends is the store's affair.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Sequence as Several
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import StoreError
from sequencer.core.events import Event, Subject
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import SequenceVersion
from sequencer.core.values import Identifier
from sequencer.engine.stored import ALL_ACCOUNTS, Account, Counts, Held, Who
from sequencer.stores.codec import (
    Row,
    actor_of,
    decode_held,
    decode_id,
    encode_enrollment,
    encode_id,
    encode_personal,
    encode_progress,
)
from sequencer.stores.contents import keyed_hash
from sequencer.stores.database import MOST, fits, whose
from sequencer.stores.mails import mail_changes
from sequencer.stores.records_codec import changes_state, decode_event, encode_event, references
from sequencer.stores.sequence_records import SequenceRecords
from sequencer.stores.token_records import TokenRecords
from sequencer.stores.webhook_records import WebhookRecords

__all__ = ["StoreTransaction", "claim_key"]

logger = logging.getLogger("sequencer.store")


def claim_key(row: Row) -> tuple[int, int]:
    """By which claimable rows are ordered: when they have to be looked at, then the id."""
    look_at: int = row[9] if row[10] is None else row[10]
    return look_at, row[0]


# The places of the columns in an enrollment's row.
_SEQUENCE, _TYPE, _RESOURCE, _ADDRESS, _STATE, _REASON = 2, 4, 5, 6, 7, 8
# Whose ids are meant where ids are given without a type.
_SELL_TYPES = ("lead", "contact")


def _decided(
    enrollment: Enrollment,
    events: Several[Event],
    fence: int | None,
    *,
    release: bool,
    claim: tuple[int, int, int] | None = None,
) -> tuple[str, Row]:
    """The statement that stores a decision, and its values; with a claim, that is written in the same go."""
    state, reason, wake_at, revision, updated_at, finished_at, doc = encode_progress(enrollment)
    before = events[0].number - 1 if events else revision
    lease, to_fence = (None, None) if claim is None else claim[:2]
    values = (enrollment.id, before, fence, wake_at, revision, updated_at, doc, release, lease, to_fence)
    if changes_state(events):
        return "save_with_state", (*values, state, reason, finished_at)
    return "save", values


class StoreTransaction(SequenceRecords, TokenRecords, WebhookRecords):
    """One transaction; see `sequencer.engine.storage.Transaction` for what each method means."""

    # -- enrollments -------------------------------------------------------------------------------------------

    def new_ids(self, count: int) -> Several[int]:
        """So many ids for new enrollments."""
        return self._database.new_ids(count)

    def insert(self, decisions: Iterable[tuple[Enrollment, Several[Event]]]) -> None:
        """Store new enrollments, each with its first events."""
        rows: dict[str, list[Row]] = {name: [] for name in ("insert", "refer_once", "add_event")}
        for enrollment, events in decisions:
            rows["insert"].append(encode_enrollment(enrollment))
            for event in events:
                rows["add_event"].append(encode_event(event))
                for kind, value in references(event):
                    # An idempotency key belongs to whoever was first.
                    rows["refer_once"].append((encode_id(enrollment.account), kind, value, enrollment.id))
            for name, values in mail_changes(enrollment, events):
                rows.setdefault(name, []).append(values)
        for name, each in rows.items():
            self._database.many(name, each)

    def save(
        self, enrollment: Enrollment, events: Several[Event], *, fence: int | None = None, release: bool = False
    ) -> bool:
        """Store a decision, if nobody was faster."""
        id = enrollment.id
        # A claim of this very transaction that is not written yet is written with the decision, in one go.
        claim = None if fence is None else self._claims.get(id)
        name, values = _decided(enrollment, events, None if claim else fence, release=release, claim=claim)
        if claim is None:
            if not self._at_once.run(name, *values):
                return False
        elif claim[1:] != (fence, values[1]):
            return False
        else:
            # What this transaction has claimed, nobody can have changed since: it is written with the others.
            del self._claims[id]
            self._later.setdefault(name, []).append(values)
        for event in events:
            if "version" in event.own:
                self._database.run("move", id, enrollment.version.id)
        self._record(encode_id(enrollment.account), id, events)
        self._count(enrollment, events)
        return True

    def save_many(self, decisions: Several[tuple[Enrollment, Several[Event], int]]) -> list[bool]:
        """As `save`, for many at once, each under its claim, which it ends."""
        database = self._database
        by_name: dict[str, list[Row]] = {}
        for enrollment, events, fence in decisions:
            name, values = _decided(enrollment, events, fence, release=True)
            by_name.setdefault(name, []).append(values)
        stored = {id for name, rows in by_name.items() for id in database.stored(name, rows)}
        for enrollment, events, _ in decisions:
            if enrollment.id in stored:
                self._record(encode_id(enrollment.account), enrollment.id, events)
                self._count(enrollment, events)
        return [enrollment.id in stored for enrollment, _, _ in decisions]

    def update_person(self, id: int, resource: Resource) -> None:
        """Replace what is stored of the person with an enrollment; of another address it had, a keyed hash is kept."""
        row = self._database.row("get", id, None)
        if row is None:
            return
        address, before = resource.address, row[_ADDRESS]
        self._at_once.run("update_person", id, address, encode_personal(resource))
        if before not in (None, address):
            self.remember_address(decode_id(row[1]), id, before)

    def get(self, id: int, account: Any = ALL_ACCOUNTS) -> Held | None:
        """An enrollment, if it is the account's."""
        row = self._database.row("get", id, whose(account)) if fits(id) else None
        return None if row is None else self._held(row)

    def _held(self, row: Row, claim: tuple[int, int] | None = None) -> Held:
        return decode_held(row, self._known.versions.get(row[3]) or self._version(row[3]), claim)

    def _enrollments(self, rows: Iterable[Row]) -> list[Enrollment]:
        return [self._held(row).enrollment for row in rows]

    def claim(self, now: DateTime, limit: int, lease_seconds: float, account: Any = ALL_ACCOUNTS) -> list[Held]:
        """Up to `limit` enrollments that have to be looked at, claimed until now + lease; soonest first."""
        database, owner = self._database, whose(account)
        limit = min(max(limit, 0), MOST)
        at = to_microseconds(now)
        lease = round(lease_seconds * 1_000_000)
        until = at + lease
        # A worker whose clock is a little ahead, or that read it a little later, is no clock that jumped: only a lease
        # that could not have been taken within one more lease's length of difference is not believed.
        ahead = until + lease
        found = {
            row[0]: row
            for name, bound in (
                ("due_leases", at),
                ("due_waiting", at),
                ("leases_ahead", ahead),
                ("decisions_ahead", until),
            )
            for row in database.rows(name, bound, limit, owner)
        }
        rows = sorted(found.values(), key=claim_key)[:limit]
        claims = {row[0]: (until, abs(row[11]) + 1, row[12]) for row in rows}
        # What was set aside has no owner that might have come back.
        lost = sum(row[10] is not None and row[11] > 0 for row in rows)
        if lost:
            logger.warning("%d claims are taken over from workers that did not come back", lost, extra={"claims": lost})
        if self._behind:
            self._claims.update(claims)
        else:
            database.many("claim", [(id, until) for id in claims])
        held, unread = list[Held](), list[tuple[int, int]]()
        for row in rows:
            try:
                held.append(self._held(row, claims[row[0]][:2]))
            except StoreError:
                # One row that cannot be read must not hold up the others; it is looked at again after its lease.
                # What it holds may be personal, so it is not logged.
                fields = {"enrollment_id": row[0], "account": decode_id(row[1])}
                logger.error("enrollment %d cannot be read; it is left out", row[0], extra=fields)  # noqa: TRY400
                unread.append((row[0], claims[row[0]][1]))
        if unread:
            self.set_aside(unread)
        return held

    def renew(self, claims: Iterable[tuple[int, int]], until: DateTime) -> None:
        """Prolong these claims where they are still in force."""
        at = to_microseconds(until)
        self._database.many("renew", [(id, fence, at) for id, fence in claims])

    def look(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        """Whether the address is suppressed, of an enrollment that is still as it was; None if it is not."""
        hashed = "" if address is None else keyed_hash(self._known.secret, enrollment.account, address)
        row = self._database.row("look", enrollment.id, enrollment.revision, fence, hashed)
        return None if row is None else bool(row[0])

    def release(self, claims: Iterable[tuple[int, int]]) -> None:
        """End these claims where they are still in force."""
        self._database.many("release", list(claims))

    def set_aside(self, claims: Iterable[tuple[int, int]]) -> None:
        """Give these claims up where they are still in force, and let nobody claim the enrollments before their end."""
        self._database.many("set_aside", list(claims))

    def next_wake(self, account: Any = ALL_ACCOUNTS) -> DateTime | None:
        """The earliest instant at which any enrollment has to be looked at."""
        found = [row[0] for name in ("next_lease", "next_waiting") for row in self._database.rows(name, whose(account))]
        return from_microseconds(min(found)) if found else None

    def ongoing(
        self,
        account: Account,
        *,
        resource: Resource | None = None,
        address: str | None = None,
        sequence_id: int | None = None,
    ) -> list[Held]:
        """The enrollments, not finished, of the resource or of the address; and of the sequence."""
        database, owner = self._database, encode_id(account)
        rows: list[Row] = []
        if resource is not None:
            rows += database.rows("ongoing_of_resource", owner, resource.type, encode_id(resource.id), sequence_id)
        if address is not None:
            rows += database.rows("ongoing_of_address", owner, address, sequence_id)
        if resource is None and address is None:
            if sequence_id is None:
                rows = database.rows("ongoing_of_account", owner)
            else:
                rows = database.rows("ongoing_of_sequence", owner, sequence_id)
        found = {row[0]: row for row in rows}
        return [self._held(found[id]) for id in sorted(found)]

    def ongoing_of(self, account: Account, who: Collection[Who]) -> dict[Who, list[Enrollment]]:
        """Of each of these the enrollments, not finished, by id."""
        found: dict[Who, list[Enrollment]] = {}
        for each, row in self._of(account, who, "ongoing_of_resources", "ongoing_of_addresses"):
            found.setdefault(each, []).append(self._held(row).enrollment)
        return found

    def last_finished_of(
        self, account: Account, sequence_id: int | None, who: Collection[Who]
    ) -> dict[Who, Enrollment]:
        """Of each of these the enrollment in this sequence, or in any, that finished last."""
        rows = self._of(account, who, "last_finished_of_resources", "last_finished_of_addresses", sequence_id)
        return {each: self._held(row).enrollment for each, row in rows}

    def _of(
        self, account: Account, who: Collection[Who], of_resources: str, of_addresses: str, *values: Any
    ) -> Iterator[tuple[Who, Row]]:
        """The rows about each of these: those of the resources by one statement, those of the addresses by another."""
        database, owner = self._database, encode_id(account)
        addresses = [each for each in who if isinstance(each, str)]
        ids: dict[str, list[str]] = {}
        for each in who:
            if not isinstance(each, str):
                ids.setdefault(each[0], []).append(encode_id(each[1]))
        for type, several in ids.items():
            for row in database.rows_about(of_resources, several, owner, type, *values):
                yield (type, decode_id(row[5])), row
        if addresses:
            for row in database.rows_about(of_addresses, addresses, owner, *values):
                yield row[6], row

    def made_with(self, account: Account, keys: Collection[str]) -> dict[str, Enrollment]:
        """The enrollments that were made with these idempotency keys."""
        several = list(map(encode_id, keys))
        rows = self._database.rows_about("made_with", several, encode_id(account)) if several else ()
        return {key: each for each in self._enrollments(rows) if (key := each.idempotency_key) is not None}

    def find(self, account: Account, kind: str, value: Identifier) -> int | None:
        """The id of the enrollment that an id of the outside belongs to."""
        found = self._database.row("find", encode_id(account), kind, encode_id(value))
        return None if found is None else found[0]

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
        """Enrollments in the order of their ids."""
        if not fits(after, sequence_id):
            return []
        owner, offset, limit = encode_id(account), min(max(offset, 0), MOST), min(max(limit, 0), MOST)
        after = after or 0
        if resource is not None:
            if resource_type not in (None, resource.type) or (
                resource_ids is not None and resource.id not in resource_ids
            ):
                return []
            resource_type, resource_ids = resource.type, [resource.id]
        resources = None if resource_ids is None else list(map(encode_id, resource_ids))
        types = _SELL_TYPES if resource_type is None else (resource_type,)
        database = self._database
        if ids is not None or address is not None:
            # They are few: what else has to hold of them is seen here.
            if ids is None:
                rows = database.rows("of_address", owner, address)
            else:
                several = [id for id in ids if fits(id)]
                rows = database.rows_about("of_ids", several, owner) if several else []
            wanted = {_TYPE: resource_type, _ADDRESS: address, _STATE: state, _REASON: reason, _SEQUENCE: sequence_id}
            rows = [
                row
                for row in rows
                if row[0] > after
                and all(value in (None, row[at]) for at, value in wanted.items())
                and (resources is None or (row[_RESOURCE] in resources and row[_TYPE] in types))
            ][offset : offset + limit]
        elif resources is not None:
            upto = min(offset + limit, MOST)
            found = [
                row
                for type in types
                for row in (
                    database.rows_about(
                        "page_of_resources", resources, owner, after, upto, state, sequence_id, type, reason
                    )
                    if resources
                    else ()
                )
            ]
            rows = sorted(found)[offset:upto]
        elif reason is not None:
            states = ("blocked", "finished") if state is None else (state, state)
            page = (owner, after, limit, sequence_id, offset, resource_type)
            rows = database.rows("page_of_reason", *page, *states, reason)
        else:
            name = "page" if self._known.is_current else "page_before"
            name = "page_of_ongoing" if state not in (None, "finished") else name
            rows = database.rows(name, owner, after, limit, state, sequence_id, offset, resource_type)
        return self._enrollments(rows)

    def due(self, account: Account, now: DateTime, *, offset: int = 0, limit: int = 100) -> list[Enrollment]:
        """The active enrollments that wait for a worker, the longest first; looked at, not claimed."""
        page = (min(max(limit, 0), MOST), encode_id(account), min(max(offset, 0), MOST))
        return self._enrollments(self._database.rows("look_waiting", to_microseconds(now), *page))

    def blocked(
        self, account: Account, reason: str, *, sequence_id: int | None = None, after: int | None = None, limit: int
    ) -> list[Held]:
        """The enrollments that are blocked for this reason, in the order of their ids, from the one after `after`."""
        if not fits(after, sequence_id):
            return []
        values = (encode_id(account), reason, after or 0, min(max(limit, 0), MOST))
        if sequence_id is None:
            rows = self._database.rows("blocked", *values)
        else:
            rows = self._database.rows("blocked_of_sequence", *values, sequence_id)
        return [self._held(row) for row in rows]

    def in_other_versions(
        self, account: Account, version: SequenceVersion, *, only: int | None = None, after: int | None, limit: int
    ) -> list[Enrollment]:
        """The enrollments, not finished, of a version's sequence that are in another version than it."""
        if not fits(after, only):
            return []
        values = (encode_id(account), version.sequence_id, after or 0, min(max(limit, 0), MOST), version.id, only)
        return self._enrollments(self._database.rows("in_other_versions", *values))

    def statistics(self, account: Account, sequence_id: int) -> dict[tuple[str, str | None], int]:
        """How many enrollments of a sequence stand how: (state, reason) to a count."""
        rows = self._database.rows("statistics", encode_id(account), sequence_id)
        return {(state, reason): count for state, reason, count in rows}

    def counts(self, now: DateTime, most: int, account: Any = ALL_ACCOUNTS) -> Counts:
        """How much waits, runs and stands still at `now`, each counted up to `most`."""
        database, owner = self._database, whose(account)
        at, most = to_microseconds(now), min(max(most, 0), MOST)

        def count(name: str, *values: int | bool | None) -> int:
            ((found,),) = database.rows(name, *values, most, owner)
            return int(found)

        # What was set aside until now, or before, waits as the others do: no worker owes an answer about it.
        waiting, aside = database.row("next_waiting", owner), database.row("oldest_set_aside", at, owner)
        oldest = min((row[0] for row in (waiting, aside) if row is not None), default=MOST)
        lease = database.row("oldest_lease", at, owner)
        active, blocked = (database.rows("count_standing", state, most, owner) for state in ("active", "blocked"))
        return Counts(
            due=min(count("count_waiting", at) + count("count_leases", -MOST, at, True), most),
            oldest_due_at=None if oldest > at else from_microseconds(oldest),
            claimed=count("count_leases", at, MOST, None),
            abandoned=count("count_leases", -MOST, at, False),
            oldest_lease_until=None if lease is None else from_microseconds(lease[0]),
            active=sum(number for _, number in active),
            blocked={reason or "": number for reason, number in sorted(blocked, key=str)},
        )

    # -- events ------------------------------------------------------------------------------------------------

    def events_after(self, cursor: int, limit: int) -> list[Event]:
        """Events of all enrollments, in the order of their commits, from the one after a cursor."""
        rows = self._database.rows("events_after", cursor, min(max(limit, 0), MOST))
        found: list[Event] = []
        for row in rows:
            try:
                found.append(self._told(*row))
            except StoreError:
                # None may be passed over, or a listener would miss it: a newer release may be able to read it.
                fields = {"cursor": row[0], "enrollment_id": row[1], "number": row[2], "account": decode_id(row[6])}
                message = "event %d of enrollment %d cannot be read; listeners wait for it"
                logger.error(message, row[2], row[1], extra=fields)  # noqa: TRY400 - what it holds may be personal
                if not found:
                    raise
                break
        return found

    def _told(self, cursor: int, *row: Any) -> Event:
        *event, account, version_id, resource_type, resource_id, doc = row
        version = self._known.versions.get(version_id) or self._version(version_id)
        id, actor_id = decode_id(resource_id), actor_of(event[0], doc)
        subject = Subject(decode_id(account), version.key, version.version, resource_type, id, actor_id)
        return attrs.evolve(decode_event(tuple(event), self._version), subject=subject, cursor=cursor)
