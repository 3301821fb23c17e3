"""Signals: everything that `advance` can be told.

- *Requests* are verbs that somebody calls: `Block`, `Resume`, `Finish`, `Skip`, `CompleteTask`, `Reassign`,
  `UpdatePerson`, `Migrate`. Each has one answer: done, already so, or `IllegalTransition` with nothing changed.
- *Reports* say what the outside did: the answers of the ports, and what happened to the person. A report never raises
  for what it says: it changes something or is noted (law L10).
- *The worker's own*: `Due`, `Defer`, `Start`, `Withdraw`.

Answers find their step by the key of its effect, by the mailer's `provider_id`, or by the task's id, whoever brings
them. Reports that reach the engine through `handle` carry a `key` of their own: the same key twice changes nothing.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Resource, to_address
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_date, to_instant
from sequencer.core.sequence import SequenceVersion
from sequencer.core.values import Identifier, to_identifier, to_line

# -- the worker -----------------------------------------------------------------------------------------------


@attrs.frozen
class Handling:
    """How a port may be called: whether it recognises a repeated key, or was told to be called at least once (E3)."""

    deduplicates: bool = False
    at_least_once: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether a call without an answer is made again."""
        return self.deduplicates or self.at_least_once


@attrs.frozen
class Due:
    """A worker has claimed the enrollment: do what is due."""

    email: Handling = Handling()
    task: Handling = Handling(deduplicates=True)


@attrs.frozen
class Defer:
    """What is due must not be handed over yet: not before `until`, for a `reason`, `cap` or `catch_up` (E5, E7).

    `detail` says it to people. Without `until` it does not wait by itself: the enrollment is blocked with
    `quota_reached`.
    """

    until: DateTime | None
    reason: str
    detail: str


@attrs.frozen
class Start:
    """Take the start mark of a hand-over: the port is called right after (E3)."""

    effect_key: str
    attempt: int


@attrs.frozen
class Withdraw:
    """The worker has not made this call and will not: the enrollment was blocked or finished, or its time is up."""

    effect_key: str
    attempt: int


# -- requests -------------------------------------------------------------------------------------------------


@attrs.frozen
class Block:
    """Hold the enrollment: nothing is handed over until it is resumed, or until an instant (L5)."""

    reason: str = "paused"
    until: datetime | None = None


@attrs.frozen
class Resume:
    """Go on. `timeline` is `shift`, `keep` or `restart` (L6); `skip` passes over the current step instead."""

    timeline: str = "shift"
    skip: bool = False
    automatic: bool = False

    def __attrs_post_init__(self) -> None:
        if self.timeline not in ("shift", "keep", "restart"):
            raise InvalidInput(f"must be shift, keep or restart, got {self.timeline!r}", path="timeline")


@attrs.frozen
class Finish:
    """End the enrollment (L7)."""

    reason: str = "manual"
    actor_id: Identifier | None = None


@attrs.frozen
class Skip:
    """Pass over the current step."""

    reason: str = "manual"


@attrs.frozen
class CompleteTask:
    """The task of this position is done."""

    position: int


@attrs.frozen
class Reassign:
    """Another user is the actor from now on."""

    actor_id: Identifier | None


@attrs.frozen
class UpdatePerson:
    """What is stored of the person is replaced by what this resource says; its type and id are the enrollment's."""

    resource: Resource


@attrs.frozen
class Migrate:
    """Go on in another version of the sequence."""

    version: SequenceVersion


# -- reports --------------------------------------------------------------------------------------------------


def _optional_instant(value: Any) -> Any:
    return None if value is None else to_instant(value, "at")


def _key() -> Any:
    return attrs.field(default=None, converter=lambda value: None if value is None else to_line(value, "key"))


def _text(name: str) -> Any:
    def convert(value: Any) -> Any:
        return None if value is None else to_line(value, name, longest=998)

    return attrs.field(default=None, converter=convert)


def _to_email(value: Any) -> str | None:
    return to_address(value, "email")


def _email() -> Any:
    return attrs.field(default=None, converter=_to_email)


def _at() -> Any:
    return attrs.field(default=None, converter=_optional_instant)


def _task_id() -> Any:
    return attrs.field(default=None, converter=lambda value: None if value is None else to_identifier(value, "task_id"))


@attrs.frozen(kw_only=True)
class EmailSent:
    """The mailer accepted the mail; `at` is when (default: now)."""

    kind = "email_sent"
    key: str | None = _key()
    effect_key: str | None = _text("effect_key")
    attempt: int | None = None
    message_id: str | None = _text("message_id")
    provider_id: str | None = _text("provider_id")
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class EmailPending:
    """The mailer has the mail and will answer later."""

    kind = "email_pending"
    key: str | None = _key()
    effect_key: str | None = _text("effect_key")
    attempt: int | None = None
    provider_id: str | None = _text("provider_id")
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class EmailFailed:
    """The mailer refused the mail, for now or for good."""

    kind = "email_failed"
    key: str | None = _key()
    effect_key: str | None = _text("effect_key")
    attempt: int | None = None
    provider_id: str | None = _text("provider_id")
    detail: str = ""
    permanent: bool = True
    recipient_fault: bool = False
    reason: str = "delivery_failed"
    known: bool = True
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class TaskCreated:
    """The task exists at the board under this id."""

    kind = "task_created"
    key: str | None = _key()
    effect_key: str | None = _text("effect_key")
    attempt: int | None = None
    task_id: Identifier | None = _task_id()
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class TaskFailed:
    """The board did not create the task."""

    kind = "task_failed"
    key: str | None = _key()
    effect_key: str | None = _text("effect_key")
    attempt: int | None = None
    detail: str = ""
    permanent: bool = False
    reason: str = "task_failed"
    known: bool = True
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class TaskCompleted:
    """Somebody completed the task at the board; `at` is when (default: now)."""

    kind = "task_completed"
    key: str | None = _key()
    task_id: Identifier | None = _task_id()
    effect_key: str | None = _text("effect_key")
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class TaskDeleted:
    """Somebody deleted the task at the board."""

    kind = "task_deleted"
    key: str | None = _key()
    task_id: Identifier | None = _task_id()
    effect_key: str | None = _text("effect_key")
    at: datetime | None = _at()


@attrs.frozen(kw_only=True)
class TaskCancelled:
    """The board took the task off, as asked (`done`), or did not (for now, or for good)."""

    kind = "task_cancelled"
    key: str | None = _key()
    task_id: Identifier | None = _task_id()
    done: bool = True
    detail: str = ""
    at: datetime | None = _at()


Answer = EmailSent | EmailPending | EmailFailed | TaskCreated | TaskFailed | TaskCompleted | TaskDeleted | TaskCancelled


def _to_resource(value: Any) -> Resource | None:
    if value is None or isinstance(value, Resource):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        return Resource(*value)
    raise InvalidInput(f"needs a Resource, got {value!r}", path="resource", code="invalid_type")


def _to_enrollment_id(value: Any) -> int | None:
    # Not 1 for True, nor for "1": whoever is meant, it must not be somebody else.
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidInput(f"needs a whole number, got {value!r}", path="enrollment_id", code="invalid_type")
    return value


def _outside_key(value: Any) -> str:
    return to_line(value, "key")


@attrs.frozen(kw_only=True)
class _Outside:
    """What every outside report carries: its own key, when it happened, and how to find whom it concerns."""

    key: str = attrs.field(converter=_outside_key)
    at: datetime | None = _at()
    enrollment_id: int | None = attrs.field(default=None, converter=_to_enrollment_id)
    resource: Resource | None = attrs.field(default=None, converter=_to_resource)
    email: str | None = _email()
    message_id: str | None = _text("message_id")
    provider_id: str | None = _text("provider_id")

    def __attrs_post_init__(self) -> None:
        if all(
            each is None for each in (self.enrollment_id, self.resource, self.email, self.message_id, self.provider_id)
        ):
            raise InvalidInput(
                "names nobody: give enrollment_id, resource, email, message_id or provider_id", path="report"
            )


@attrs.frozen(kw_only=True)
class Replied(_Outside):
    """The person answered a mail."""

    kind = "replied"


@attrs.frozen(kw_only=True)
class MeetingBooked(_Outside):
    """The person booked a meeting."""

    kind = "meeting_booked"


@attrs.frozen(kw_only=True)
class Unsubscribed(_Outside):
    """The person opted out; the address is suppressed from now on."""

    kind = "unsubscribed"


@attrs.frozen(kw_only=True)
class Converted(_Outside):
    """The lead became what it was meant to become."""

    kind = "converted"


@attrs.frozen(kw_only=True)
class ResourceDeleted(_Outside):
    """The lead or contact is gone."""

    kind = "resource_deleted"


@attrs.frozen(kw_only=True)
class Bounced(_Outside):
    """A mail that had been accepted came back for good."""

    kind = "bounced"


# On every zone's clock these days begin within the range of instants (T11).
_FIRST_RETURN, _LAST_RETURN = date(1970, 1, 2), date(9000, 12, 31)


def _to_return(value: Any) -> datetime | date | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return to_instant(value, "until")
    day = to_date(value, "until")
    if not _FIRST_RETURN <= day <= _LAST_RETURN:
        raise InvalidInput(f"{day} lies outside of the years 1970 to 9000", path="until", code="out_of_range")
    return day


@attrs.frozen(kw_only=True)
class OutOfOffice(_Outside):
    """The person is away until an instant, or until the start of a local date; unknown is None."""

    kind = "out_of_office"
    until: datetime | date | None = attrs.field(default=None, converter=_to_return)


@attrs.frozen(kw_only=True)
class Opened(_Outside):
    """The person opened a mail."""

    kind = "opened"


@attrs.frozen(kw_only=True)
class Clicked(_Outside):
    """The person clicked on a link."""

    kind = "clicked"


@attrs.frozen(kw_only=True)
class SoftBounced(_Outside):
    """A mail came back for now; the provider goes on trying."""

    kind = "soft_bounced"


Outside = (
    Replied
    | MeetingBooked
    | Unsubscribed
    | Converted
    | ResourceDeleted
    | Bounced
    | OutOfOffice
    | Opened
    | Clicked
    | SoftBounced
)
OUTSIDE = {
    each.kind: each
    for each in (
        Replied,
        MeetingBooked,
        Unsubscribed,
        Converted,
        ResourceDeleted,
        Bounced,
        OutOfOffice,
        Opened,
        Clicked,
        SoftBounced,
    )
}
Report = Answer | Outside
Request = Block | Resume | Finish | Skip | CompleteTask | Reassign | UpdatePerson | Migrate
Signal = Due | Defer | Start | Withdraw | Request | Report
