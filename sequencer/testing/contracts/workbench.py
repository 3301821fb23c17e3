"""What tests of stores share: definitions, and enrollments that are taken through a store by hand.

For tests of a store that go beyond the contract, too. All instants are in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs
import pendulum

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.core.signals import Due, EmailSent, Finish, Handling
from sequencer.engine.stored import BoardTask

NOW = pendulum.datetime(2026, 3, 2, 9, 0, tz="UTC")
DUE = Due(Handling(deduplicates=True))
LEASE = 60.0
"""For how long the tests claim, in seconds."""
BEYOND = 2**63
"""The first number that is no id."""
ADA = Resource("lead", 42)


def sequence_named(key: str = "outreach", *, mails: int = 2, **rest: Any) -> Sequence:
    """Mails a day apart, then a call."""
    steps = [Step(AutomatedEmail(n), Hours(24 if n else 0)) for n in range(mails)]
    return Sequence("Outreach", [*steps, Step(Task("Call"), Weekdays(1))], calendar=Calendar("UTC"), key=key, **rest)


OUTREACH = sequence_named(templates={0: Template("Hello", "Hello there"), "0": Template("Text", "as an id")})


def begin(
    store: Any,
    transaction: Any,
    resource_id: Any = 42,
    *,
    email: str | None = "Ada@Example.com",
    sequence: Sequence = OUTREACH,
    account: Any = None,
    now: Any = NOW,
    key: str | None = None,
    start_at: Any = None,
    resource_type: str = "lead",
) -> Enrollment:
    """A new enrollment, stored."""
    version = transaction.save_version(account, sequence, now)
    (id,) = transaction.new_ids(1)
    resource = Resource(
        resource_type, resource_id, email=email, fields={"first_name": "Ada", "tags": ["a", {"b": None}]}
    )
    decision = enroll(
        version,
        resource,
        now,
        id=id,
        origin=store.origin,
        account=account,
        actor_id=7,
        timezone="Europe/Warsaw",
        tzdata="2026a",
        start_at=start_at,
        idempotency_key=key,
    )
    transaction.insert([(decision.enrollment, decision.events)])
    return decision.enrollment


def begun(store: Any, *arguments: Any, **keywords: Any) -> Enrollment:
    """A new enrollment, committed."""
    with store.transaction() as transaction:
        return begin(store, transaction, *arguments, **keywords)


def do(transaction: Any, enrollment: Enrollment, signal: Any, now: Any = NOW, **keywords: Any) -> Enrollment:
    """A signal, decided and stored."""
    decision = advance(enrollment, signal, now)
    assert transaction.save(decision.enrollment, decision.events, **keywords)
    return decision.enrollment


def send(transaction: Any, enrollment: Enrollment, now: Any = NOW, **keywords: Any) -> Enrollment:
    """The current mail, handed over and accepted."""
    enrollment = do(transaction, enrollment, DUE, now, **keywords)
    assert enrollment.current is not None
    key = enrollment.key_of(enrollment.current)
    return do(transaction, enrollment, EmailSent(effect_key=key, attempt=1, message_id=f"<{key}@x>"), now, **keywords)


def finish(transaction: Any, enrollment: Enrollment, now: Any = NOW, reason: str = "manual") -> Enrollment:
    """The enrollment, finished."""
    return do(transaction, enrollment, Finish(reason), now)


class Refusal(Exception):
    """What goes wrong inside a block, in these tests."""


@contextmanager
def failing(store: Any, connection: Any = None) -> Iterator[Any]:
    """A block that ends with an error, after everything in it was done."""
    try:
        with store.transaction(connection) as transaction:
            yield transaction
            raise Refusal
    except Refusal:
        pass


def later(**span: float) -> Any:
    """So long after the beginning of the tests."""
    return NOW + timedelta(**span)


def board_task(enrollment: Enrollment, key: str = "k-1", **changes: Any) -> BoardTask:
    """A task for the board."""
    task = BoardTask(
        id=0,
        account=enrollment.account,
        enrollment_id=enrollment.id,
        position=2,
        key=key,
        actor_id=7,
        resource_type=enrollment.resource.type,
        resource_id=enrollment.resource.id,
        task_content="Call Ada",
        due_at=later(days=1),
        created_at=NOW,
    )
    return attrs.evolve(task, **changes)
