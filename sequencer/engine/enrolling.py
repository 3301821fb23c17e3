"""Who may be enrolled: one at a time (law L9), and nobody who has opted out (L8)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Several
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import AlreadyEnrolled, Conflict, InvalidInput, KeyReused, NotFound, Suppressed
from sequencer.core.instants import later_by
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import UpdatePerson
from sequencer.core.timeline import plan
from sequencer.core.values import Identifier
from sequencer.engine.reports import is_own
from sequencer.engine.results import Row
from sequencer.engine.storage import Held, Transaction
from sequencer.engine.zonedata import version_in_use

__all__ = ["enroll_one", "refuse_out_of_range", "update_person"]


def enroll_one(
    transaction: Transaction,
    origin: str,
    account: Identifier | None,
    version: SequenceVersion,
    row: Row,
    now: DateTime,
) -> Enrollment:
    """Enroll one resource, or raise and store nothing. The row is validated already."""
    _alone(transaction, account, row.resource, row.idempotency_key)
    if row.idempotency_key is not None:
        known = _known(transaction, account, version, row)
        if known is not None:
            return known
    address = row.resource.address
    if address is not None and transaction.is_suppressed(account, address):
        raise Suppressed
    _refuse_second(transaction, account, version, row, address, now)
    (id,) = transaction.new_ids(1)
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
    transaction.insert(decision.enrollment, decision.events)
    return decision.enrollment


def _alone(transaction: Transaction, account: Identifier | None, resource: Resource, key: str | None = None) -> None:
    """From here on nobody else enrolls the same resource, address or idempotency key."""
    names: list[tuple[Any, ...]] = [("resource", account, resource.type, resource.id)]
    if resource.address is not None:
        names.append(("address", account, resource.address))
    if key is not None:
        names.append(("idempotency", account, key))
    transaction.lock(*names, within=("enrolling", account))


def update_person(transaction: Transaction, account: Identifier | None, resource: Resource, now: DateTime) -> int:
    """Store the person anew with every ongoing enrollment of the resource, or raise and store nothing.

    What is stored already like that is counted, and not written. The rules are those of enrolling: an address that
    comes in must not have opted out, nor be in the same sequence already.
    """
    _alone(transaction, account, resource)
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


def _known(
    transaction: Transaction, account: Identifier | None, version: SequenceVersion, row: Row
) -> Enrollment | None:
    """The enrollment that this idempotency key has made before."""
    found = transaction.find(account, "idempotency", row.idempotency_key or "")
    held = None if found is None else transaction.get(found)
    if held is None or not is_own(held.enrollment, account):
        return None
    before, resource = held.enrollment, row.resource
    same = (before.version.key, before.resource.type, before.resource.id)
    if same != (version.key, resource.type, resource.id) or type(before.resource.id) is not type(resource.id):
        raise KeyReused(
            f"the idempotency key {row.idempotency_key!r} made enrollment {before.id}, of another resource or in "
            "another sequence; use a new key"
        )
    return before


def _refuse_second(
    transaction: Transaction,
    account: Identifier | None,
    version: SequenceVersion,
    row: Row,
    address: str | None,
    now: DateTime,
) -> None:
    policy = version.sequence.policy
    ongoing = _ongoing(transaction, account, row, address)
    for held in ongoing:
        _refuse_beside(held.enrollment, version)
    if not policy.reenroll_after:
        return
    last = transaction.last_finished(account, version.sequence_id, row.resource, address)
    if last is None or last.finished_at is None:
        return
    again_at = later_by(last.finished_at, timedelta(days=policy.reenroll_after))
    if now < again_at:
        raise AlreadyEnrolled(
            last.id,
            f"enrollment {last.id} in {version.sequence.name!r} finished less than {policy.reenroll_after} days ago; "
            f"possible again from {again_at.to_iso8601_string()}",
            again_at=again_at,
        )


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


def _ongoing(transaction: Transaction, account: Identifier | None, row: Row, address: str | None) -> Iterable[Held]:
    yield from transaction.ongoing(account, resource=row.resource)
    if address is not None:
        yield from transaction.ongoing(account, address=address)
