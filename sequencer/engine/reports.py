"""Reports from outside: whom they concern, and that each counts once (law L8).

The key of a report, the suppression that it brings, and every enrollment that it concerns change together, in one
transaction, or not at all. No port is called (E1).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, Resource, fold_address
from sequencer.core.errors import Conflict, InvalidInput, KeyReused
from sequencer.core.events import Subject
from sequencer.core.lifecycle import advance
from sequencer.core.signals import OUTSIDE, Clicked, EmailSent, Opened, Outside, Report, SoftBounced, Unsubscribed
from sequencer.core.values import Identifier
from sequencer.engine.board import Board
from sequencer.engine.enrolling import alone
from sequencer.engine.results import Handled
from sequencer.engine.storage import Transaction
from sequencer.engine.stored import Held, StoredReport, Who

__all__ = ["handle"]

_OF_ONE_MAIL = (Opened, Clicked, SoftBounced)


def _content_of(report: Report) -> str:
    """What a report says, without when: a redelivery may carry the time of its delivery.

    An address is in comparable form, as where it is looked for: a redelivery may write it in another way.
    """
    content: dict[str, Any] = {"kind": report.kind}
    for field in attrs.fields(type(report)):
        value = getattr(report, field.name)
        if field.name in ("key", "at") or value is None:
            continue
        if isinstance(value, Resource):
            content[field.name] = [value.type, value.id]
        else:
            content[field.name] = fold_address(value) if field.name == "email" else value
    return json.dumps(content, sort_keys=True, default=str)


def handle(
    transaction: Transaction, board: Board, account: Identifier | None, report: Report, now: DateTime
) -> Handled:
    """Apply a report once; the same key again answers the same, and with other content it is `KeyReused`."""
    if not isinstance(report, Report):
        raise InvalidInput(f"needs a report, got {report!r}", path="report", code="invalid_type")
    if report.key is None:
        raise InvalidInput("a report needs a key of its own, so that it counts once", path="key", code="missing")
    # There may be an address in it, so what is kept of it is a keyed hash (S8).
    digest = transaction.keyed(_content_of(report))
    transaction.lock(("report", account, report.key))
    stored = transaction.report(account, report.key)
    if stored is not None:
        if stored.digest != digest:
            raise KeyReused(f"the key {report.key!r} was used for a report with other content")
        return Handled(stored.changed, repeated=True)
    if type(report) in OUTSIDE.values():
        found = _concerned(transaction, account, report, now)  # type: ignore[arg-type]
    else:
        found = _answered(transaction, account, report)
    changed = []
    for held in found:
        signal = _addressed(transaction, held.enrollment, report)
        decision = board.settle(transaction, advance(held.enrollment, signal, now), now)
        if decision.changed and not transaction.save(decision.enrollment, decision.events):
            raise Conflict("another process changed the enrollment at the same time; report it again")
        if any(event.type != "noted" for event in decision.events):
            changed.append(held.enrollment.id)
    handled = Handled(tuple(changed))
    transaction.save_report(account, report.key, StoredReport(digest, handled.changed), now)
    return handled


def _own(transaction: Transaction, account: Identifier | None, ids: Iterable[int | None]) -> list[Held]:
    """The enrollments with these ids, as far as they are this account's."""
    found = {}
    for id in ids:
        held = None if id is None or id in found else transaction.get(id, account)
        if held is not None:
            found[held.enrollment.id] = held
    return list(found.values())


def _answered(transaction: Transaction, account: Identifier | None, report: Any) -> list[Held]:
    """Whom a port's answer is for: by the key of its effect, the task's id, or the mailer's own id."""
    effect_key = getattr(report, "effect_key", None)
    if effect_key is not None:
        number = effect_key.split("-")[-3:-2]
        ids = [int(number[0])] if number and number[0].isdecimal() and len(number[0]) < 19 else []
        # Also the key of a step that is not in the version any more, to which the enrollment was moved: that is noted.
        return [held for held in _own(transaction, account, ids) if held.enrollment.may_have_used(effect_key)]
    for kind in ("task", "provider"):
        value = getattr(report, f"{kind}_id", None)
        if value is not None:
            return _own(transaction, account, [transaction.find(account, kind, value)])
    raise InvalidInput(
        f"{report.kind} names no step: give effect_key, or the provider's or the task's id", path="report"
    )


def _addressed(transaction: Transaction, enrollment: Enrollment, report: Report) -> Report:
    """The report, with its step named where the mailer's id is one of an earlier attempt: that counts, too (L10)."""
    if not isinstance(report, EmailSent) or report.effect_key is not None or report.provider_id is None:
        return report
    provider_id = report.provider_id
    if any(step.provider_id == provider_id for step in enrollment.steps):
        return report
    numbers: dict[int, int] = {}
    for event in transaction.events(enrollment.id):
        if "version" in event.own:
            numbers = {at: fields["serial"] for at, fields in event.steps.items() if fields.get("serial") is not None}
        for position, fields in event.steps.items():
            if fields.get("provider_id") == provider_id:
                step = enrollment.step_of_number(numbers.get(position, position))
                return report if step is None else attrs.evolve(report, effect_key=enrollment.key_of(step))
    return report


def _concerned(transaction: Transaction, account: Identifier | None, report: Outside, now: DateTime) -> list[Held]:
    """Whom an outside report concerns: what it names, and with it every ongoing enrollment of the same person.

    Where that is nothing, what ended last of the person's: there the report is noted.
    """
    named = _own(
        transaction,
        account,
        [
            report.enrollment_id,
            transaction.find(account, "message", report.message_id) if report.message_id else None,
            transaction.find(account, "provider", report.provider_id) if report.provider_id else None,
        ],
    )
    if named and isinstance(report, _OF_ONE_MAIL):
        return named
    resources = [held.enrollment.resource for held in named] + ([report.resource] if report.resource else [])
    addresses = set(filter(None, [fold_address(report.email), *(resource.address for resource in resources)]))
    if isinstance(report, Unsubscribed):
        # Whoever enrolls the person at this moment came before, and is found below, or comes after, and is refused.
        alone(transaction, account, addresses | {(resource.type, resource.id) for resource in resources})
        # The opt-out is the person's: every address under which the resource was enrolled is meant.
        others = {each for resource in resources for each in transaction.addresses_of(account, resource)} - addresses
        alone(transaction, account, others)
        addresses |= others
        for address in sorted(addresses):
            transaction.suppress(account, address, now, "unsubscribed")
        for resource in resources:
            # Also those to which its mails went before it was corrected, or by what the `people` port said.
            transaction.suppress_others(account, resource, now, "unsubscribed")
    found = {held.enrollment.id: held for held in named}
    for resource in resources:
        for held in transaction.ongoing(account, resource=resource):
            found.setdefault(held.enrollment.id, held)
    for address in addresses:
        for held in transaction.ongoing(account, address=address):
            found.setdefault(held.enrollment.id, held)
    if not found:
        found = _ended(transaction, account, {*addresses, *((each.type, each.id) for each in resources)})
    return [found[id] for id in sorted(found)]


def _ended(transaction: Transaction, account: Identifier | None, who: set[Who]) -> dict[int, Held]:
    """Whom a report concerns that finds nobody ongoing: what ended last of the person's, where it is noted."""
    last = transaction.last_finished_of(account, None, who).values() if who else ()
    ids = [max(last, key=lambda each: (each.finished_at, each.id)).id] if last else []
    return {held.enrollment.id: held for held in _own(transaction, account, ids)}


def is_own(whose: Enrollment | Subject | None, account: Identifier | None) -> bool:
    """Whether an enrollment, or the subject of an event, belongs to an account (S7)."""
    return whose is not None and type(whose.account) is type(account) and whose.account == account
