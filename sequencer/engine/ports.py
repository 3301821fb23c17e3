"""The ports: what an embedder writes, and the values that go through them (law E1).

Each is a Protocol: anything with these methods will do, no base class. Port calls are made only after the decision
that asks for them is committed, one at a time, each with the key of its effect:

- a port that can tell a repeated key (`deduplicates = True`) is called again with the same key when an answer was
  lost; a mailer that cannot is not, unless it has an attribute `delivery = "at_least_once"` (law E3);
- a port that raises has not answered. One that may be called again with the same key is, with growing pauses (E4);
  for any other mailer nobody can tell whether the mail left, and the step is parked as `outcome_unknown` (E3). So a
  mailer that knows better returns `Rejected` instead of raising.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Resource
from sequencer.core.values import Identifier

__all__ = [
    "Accepted",
    "Clock",
    "Email",
    "Mailer",
    "OutcomeUnknown",
    "Pending",
    "People",
    "Person",
    "Rejected",
    "TaskBoard",
    "TaskId",
    "TaskRequest",
]

TaskId = Identifier


@attrs.frozen
class Person:
    """Who stands behind a resource now: the address, the zone, and the merge fields."""

    email: str | None = None
    timezone: str | None = None
    fields: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class Email:
    """A mail to hand over. `subject` and `body` are rendered if the engine knows the template, else None.

    `thread` has the message ids of the mails before it in its thread, oldest first, empty where it starts one;
    `unsubscribe_url` is there when the sequence asks for a way to opt out. `attempt` counts hand-overs under the same
    key from 1, `at` is when this one was decided (UTC). `metadata` is the sequence's, updated with the step's.
    """

    account: Identifier | None
    enrollment_id: int
    position: int
    attempt: int
    sequence_key: str
    sequence_name: str
    actor_id: Identifier | None
    resource: Resource
    person: Person
    to: str
    template_id: Identifier
    subject: str | None = None
    body: str | None = None
    is_reply: bool = False
    thread: tuple[str, ...] = ()
    unsubscribe: bool = False
    unsubscribe_url: str | None = None
    locale: str = "en-US"
    at: DateTime | None = None
    metadata: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class TaskRequest:
    """A task to create at the board: for whom, about whom, what, and until when.

    `due_at` is when the step's estimate plus its `due_after` makes it overdue; all instants are in UTC.
    """

    account: Identifier | None
    enrollment_id: int
    position: int
    attempt: int
    sequence_key: str
    sequence_name: str
    actor_id: Identifier | None
    resource: Resource
    person: Person
    task_content: str
    due_at: DateTime
    metadata: Mapping[str, Any] = attrs.Factory(dict)


@attrs.frozen
class Accepted:
    """The mailer has taken the mail: from now on it counts as executed.

    `message_id` is what a later mail of the thread refers to; `provider_id` what the provider's reports name.
    """

    message_id: str | None
    provider_id: str | None = None


@attrs.frozen
class Pending:
    """The mailer has taken the mail but cannot tell yet; the answer comes later through `Engine.handle`."""

    provider_id: str


@attrs.frozen
class Rejected:
    """The mailer has refused the mail. `permanent`: trying again will not help. `recipient_fault`: the address is bad.

    `reason` is one of `delivery_failed`, `quota_reached`, `mail_settings`, `missing_merge_data`.
    """

    detail: str
    permanent: bool
    recipient_fault: bool = False
    reason: str = "delivery_failed"


class OutcomeUnknown(Exception):
    """Raised by a port that cannot tell whether the hand-over happened.

    So after a connection that broke off while the answer was awaited. The engine treats it like a call whose answer
    was lost (law E3), not like a refusal.
    """


@runtime_checkable
class Mailer(Protocol):
    """Sends mail."""

    deduplicates: bool

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted | Pending | Rejected:
        """Hand one mail over within `timeout` seconds."""
        ...


@runtime_checkable
class TaskBoard(Protocol):
    """Keeps tasks for people. A board recognises a repeated key; one that cannot has `deduplicates = False`."""

    def create(self, task: TaskRequest, *, key: str) -> TaskId:
        """Create the task and return its id at the board."""
        ...

    def cancel(self, task_id: TaskId) -> None:
        """Take the task off the board; one that is gone already is no error."""
        ...


class People(Protocol):
    """Knows who stands behind a resource. Asked at each hand-over, so a corrected address is used at once."""

    def __call__(self, resource: Resource) -> Person | None:
        """The person, or None when there is nobody."""
        ...


class Clock(Protocol):
    """Says what time it is; see `SystemClock` and `ManualClock`."""

    def now(self) -> DateTime:
        """The current instant, aware."""
        ...
