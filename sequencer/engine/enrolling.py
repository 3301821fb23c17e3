"""Who may be enrolled: one at a time (law L9), and nobody who has opted out (L8).

One or many, it is done by the same code: what is stored of all of them is asked about at once, then each is decided on
in its turn, beside what is stored and what those before it have made, and what was made is written together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Sequence as Several
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from sequencer.core.decision import Decision
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import AlreadyEnrolled, Conflict, InvalidInput, KeyReused, NotFound, Suppressed
from sequencer.core.instants import later_by
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import UpdatePerson
from sequencer.core.timeline import plan
from sequencer.core.values import Identifier
from sequencer.engine.results import Row
from sequencer.engine.storage import Transaction
from sequencer.engine.stored import Who
from sequencer.engine.zonedata import version_in_use

__all__ = [
    "Refusal",
    "alone",
    "alone_in",
    "enroll_one",
    "enroll_rows",
    "made_before",
    "refuse_out_of_range",
    "update_person",
    "who_is",
]

Refusal = AlreadyEnrolled | Suppressed | KeyReused
"""What the state of things says to a row. Any other error, a store that fails above all, is not about that row."""

# So many names of people and keys are locked one by one; for more, the whole account is, since a server has room for
# some thousand locks in all.
_FEW = 100


def enroll_one(
    transaction: Transaction,
    origin: str,
    account: Identifier | None,
    version: SequenceVersion,
    row: Row,
    now: DateTime,
) -> Enrollment:
    """Enroll one resource, or raise and store nothing. The row is validated already."""
    (outcome,) = enroll_rows(transaction, origin, account, version, [row], now)
    if isinstance(outcome, Enrollment):
        return outcome
    raise outcome


def enroll_rows(
    transaction: Transaction,
    origin: str,
    account: Identifier | None,
    version: SequenceVersion,
    rows: Several[Row],
    now: DateTime,
) -> list[Enrollment | Refusal]:
    """What becomes of each row, in its turn: its enrollment, or what refuses it. The rows are validated already."""
    people = [who_is(row.resource) for row in rows]
    keys = {row.idempotency_key for row in rows if row.idempotency_key is not None}
    who = dict.fromkeys(each for several in people for each in several)
    alone(transaction, account, who, keys)
    beside = _Beside(transaction, account, version, who, keys)
    ids: Iterator[int] = iter(())
    made: list[Decision] = []
    outcomes: list[Enrollment | Refusal] = []
    for i, row in enumerate(rows):
        try:
            known = beside.known(row)
            if known is None:
                beside.refuse(people[i], now)
        except (AlreadyEnrolled, Suppressed, KeyReused) as refusal:
            outcomes.append(refusal)
            continue
        if known is not None:
            outcomes.append(known)
            continue
        id = next(ids, 0)
        if not id:
            # In one go for all that are left; those of them that are refused leave gaps.
            ids = iter(transaction.new_ids(len(rows) - i))
            id = next(ids)
        decision = enroll(
            version,
            row.resource,
            now,
            id=id,
            origin=origin,
            account=account,
            actor_id=row.actor_id,
            timezone=row.timezone or version.sequence.calendar.timezone,
            tzdata=version_in_use(),
            start_at=row.start_at,
            idempotency_key=row.idempotency_key,
        )
        beside.add(people[i], decision.enrollment)
        made.append(decision)
        outcomes.append(decision.enrollment)
    if made:
        transaction.insert((each.enrollment, each.events) for each in made)
    return outcomes


def made_before(
    transaction: Transaction, account: Identifier | None, named: str | int, rows: Several[Row]
) -> list[Enrollment] | None:
    """What the rows' idempotency keys have made in the sequence of that key or id; None unless that is so of all (L9).

    It is looked up before the sequence is, so that who only asks again changes nothing there, whatever it is by now.
    """
    found: list[Enrollment] = []
    # Of those who come for the first time it is the first that says so.
    for several in (rows[:1], rows[1:]):
        keys = {row.idempotency_key for row in several if row.idempotency_key is not None}
        made = transaction.made_with(account, keys) if keys else {}
        for row in several:
            before = None if row.idempotency_key is None else made.get(row.idempotency_key)
            if before is None or named not in (before.version.key, before.version.sequence_id):
                return None
            if not _is_of(before, row.resource):
                return None
            found.append(before)
    return found or None


def _is_of(enrollment: Enrollment, resource: Resource) -> bool:
    known = enrollment.resource
    return (known.type, known.id) == (resource.type, resource.id) and type(known.id) is type(resource.id)


class _Beside:
    """What rows of a version have to stand beside: what is stored of their people and keys, and what rows have made."""

    def __init__(
        self,
        transaction: Transaction,
        account: Identifier | None,
        version: SequenceVersion,
        who: Collection[Who],
        keys: Collection[str],
    ) -> None:
        self._version = version
        self._made = transaction.made_with(account, keys)
        self._suppressed = transaction.suppressed_among(account, [each for each in who if isinstance(each, str)])
        self._ongoing = transaction.ongoing_of(account, who)
        again = version.sequence.policy.reenroll_after
        self._finished = transaction.last_finished_of(account, version.sequence_id, who) if again else {}

    def add(self, who: Collection[Who], enrollment: Enrollment) -> None:
        """A row of these has made an enrollment."""
        for each in who:
            self._ongoing.setdefault(each, []).append(enrollment)
        if enrollment.idempotency_key is not None:
            self._made[enrollment.idempotency_key] = enrollment

    def known(self, row: Row) -> Enrollment | None:
        """The enrollment that this idempotency key has made before."""
        before = None if row.idempotency_key is None else self._made.get(row.idempotency_key)
        if before is None:
            return None
        if before.version.key != self._version.key or not _is_of(before, row.resource):
            raise KeyReused(
                f"the idempotency key {row.idempotency_key!r} made enrollment {before.id}, of another resource or in "
                "another sequence; use a new key"
            )
        return before

    def refuse(self, who: Collection[Who], now: DateTime) -> None:
        """Raise where one of these must not be enrolled: has opted out, or is enrolled already."""
        version = self._version
        if not self._suppressed.isdisjoint(who):
            raise Suppressed
        for each in who:
            for existing in self._ongoing.get(each, ()):
                _refuse_beside(existing, version)
        last = max(
            (self._finished[each] for each in who if each in self._finished),
            key=lambda each: (each.finished_at, each.id),
            default=None,
        )
        if last is not None and last.finished_at is not None:
            _refuse_soon(last.id, last.finished_at, version.sequence, now)


def who_is(resource: Resource) -> tuple[Who, ...]:
    """By what somebody is recognised again: the resource's type and id, and its address (L9)."""
    address = resource.address
    return ((resource.type, resource.id),) if address is None else ((resource.type, resource.id), address)


def alone(
    transaction: Transaction, account: Identifier | None, who: Collection[Who], keys: Collection[str] = ()
) -> None:
    """From here on nobody else enrolls the same resources, addresses or idempotency keys."""
    if not who and not keys:
        return
    names: list[tuple[Any, ...]] = []
    if len(who) + len(keys) <= _FEW:
        names += (("address", account, each) if isinstance(each, str) else ("resource", account, *each) for each in who)
        names += (("idempotency", account, key) for key in keys)
    transaction.lock(*names, within=("enrolling", account))


def alone_in(transaction: Transaction, account: Identifier | None) -> None:
    """From here on nobody else enrolls anybody in this account."""
    transaction.lock(within=("enrolling", account))


def update_person(transaction: Transaction, account: Identifier | None, resource: Resource, now: DateTime) -> int:
    """Store the person anew with every ongoing enrollment of the resource, or raise and store nothing.

    What is stored already like that is counted, and not written. The rules are those of enrolling: an address that
    comes in must not have opted out, nor be in the same sequence already.
    """
    alone(transaction, account, who_is(resource))
    mine = [held.enrollment for held in transaction.ongoing(account, resource=resource)]
    if not mine:
        raise NotFound("ongoing enrollment of", f"{resource.type} {resource.id}")
    address = resource.address
    coming = [each for each in mine if each.resource.address != address]
    if address is not None and coming:
        if transaction.is_suppressed(account, address):
            raise Suppressed
        own = {each.id for each in mine}
        others = [held.enrollment for held in transaction.ongoing(account, address=address)]
        for existing in others:
            for each in coming if existing.id not in own else ():
                _refuse_beside(existing, each.version)
    for each in mine:
        decision = advance(each, UpdatePerson(resource), now)
        if not decision.changed:
            continue
        if not transaction.save(decision.enrollment, decision.events):
            raise Conflict("another process changed the enrollment at the same time; try again")
        transaction.update_person(each.id, resource)
    return len(mine)


def refuse_out_of_range(sequence: Sequence, rows: Several[Row], now: DateTime) -> None:
    """Raise for the first row whose timeline leaves the years 1970 to 9000, before any of them is stored (S6, T11)."""
    starts = [now if row.start_at is None else max(row.start_at, now) for row in rows]
    zones = {row.timezone or sequence.calendar.timezone for row in rows}
    try:
        for zone in zones if starts else ():
            # A later start can end earlier, but only by a matter of days: with a year to spare, one speaks for all.
            plan(sequence, later_by(max(starts), timedelta(days=366)), timezone=zone, reasons=False)
    except InvalidInput:
        for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
            try:
                plan(sequence, start, timezone=row.timezone, reasons=False)
            except InvalidInput as error:
                raise InvalidInput(error.message, path=f"rows[{i}].start_at", code=error.code) from None


def _refuse_beside(existing: Enrollment, version: SequenceVersion) -> None:
    """Raise where what is going on tolerates nothing of this version beside it (L9)."""
    if existing.version.sequence_id == version.sequence_id:
        raise AlreadyEnrolled(
            existing.id,
            f"the resource or its address is in {version.sequence.name!r} already (enrollment {existing.id}, "
            f"{existing.state.value}); finish that first",
        )
    if "all" in (version.sequence.policy.exclusive, existing.version.sequence.policy.exclusive):
        raise AlreadyEnrolled(
            existing.id,
            f"the resource or its address is in {existing.version.sequence.name!r} (enrollment {existing.id}), and "
            "one of the two sequences tolerates no other; finish that first",
        )


def _refuse_soon(id: int, finished_at: DateTime, sequence: Sequence, now: DateTime) -> None:
    """Raise where an enrollment that is over has finished too short a time ago (L9)."""
    days = sequence.policy.reenroll_after
    again_at = later_by(finished_at, timedelta(days=days))
    if now < again_at:
        raise AlreadyEnrolled(
            id,
            f"enrollment {id} in {sequence.name!r} finished less than {days} days ago; "
            f"possible again from {again_at.to_iso8601_string()}",
            again_at=again_at,
        )
