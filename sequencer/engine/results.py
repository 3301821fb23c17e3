"""What the engine's verbs and reads answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
from sequencer.core.errors import SequencerError
from sequencer.core.events import Event
from sequencer.core.instants import to_iso
from sequencer.core.values import Identifier

__all__ = [
    "BulkResult",
    "EventPage",
    "Explanation",
    "Handled",
    "Outcome",
    "Overdue",
    "Refused",
    "Row",
    "Statistics",
    "TickReport",
]


@attrs.frozen
class Outcome:
    """The answer to a request: the enrollment after it, and whether the request changed anything.

    `changed=False` means "already so". `outstanding` has the steps that were handed over before and whose answer is
    still out (L7).
    """

    enrollment: Enrollment
    changed: bool

    @property
    def outstanding(self) -> tuple[EnrollmentStep, ...]:
        """The steps whose hand-over cannot be taken back any more."""
        return self.enrollment.outstanding


@attrs.frozen
class Handled:
    """The answer to a report: the ids of the enrollments that it changed. The same key twice answers the same (L8)."""

    changed: tuple[int, ...]
    repeated: bool = attrs.field(default=False, eq=False)


@attrs.frozen
class Row:
    """One enrollment to make in bulk; the same values as `Engine.enroll` takes."""

    resource: Resource
    actor_id: Identifier | None = None
    timezone: str | None = None
    start_at: Any = None
    idempotency_key: str | None = None


@attrs.frozen
class Refused:
    """A row that the state of things refused: its position, from 0, and the error."""

    row: int
    resource: Resource
    error: SequencerError


@attrs.frozen
class BulkResult:
    """What became of many rows: the enrollments made, in the order of the rows, and the rows refused."""

    enrolled: tuple[Enrollment, ...]
    refused: tuple[Refused, ...]


@attrs.frozen
class EventPage:
    """Some of what has happened to all enrollments, in order; `cursor` is what to go on after, `more` whether to."""

    events: tuple[Event, ...]
    cursor: int
    more: bool


@attrs.frozen
class Overdue:
    """Those who are overdue among the ongoing enrollments that were looked at (T9).

    To go on, pass `after` again for as long as there are `more`.
    """

    enrollments: tuple[Enrollment, ...]
    after: int
    more: bool


@attrs.frozen(kw_only=True)
class TickReport:
    """What one pass did. `handed_over` counts calls of ports that were accepted, `failed` those that were not.

    `more` says that something is due already; `next_due_at` when the engine has to look next (UTC), None when nothing
    waits.
    """

    claimed: int = 0
    handed_over: int = 0
    failed: int = 0
    more: bool = False
    next_due_at: DateTime | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = attrs.asdict(self)
        values["next_due_at"] = self.next_due_at and to_iso(self.next_due_at)
        return values


@attrs.frozen(kw_only=True)
class Statistics:
    """How the enrollments of a sequence stand: active, and blocked or finished by the reason.

    Each counts by what has ended it. A reply after the last step ends nothing: the enrollment is `completed`, stays so,
    and the reply is noted in its history. So `replied` is how many a reply has ended, not how many have replied.
    """

    active: int
    blocked: Mapping[str, int]
    finished: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return self.active + sum(self.blocked.values()) + sum(self.finished.values())

    @property
    def reply_rate(self) -> float | None:
        """The share that a reply has ended, of those and of those that ran to the end; None where there are none.

        In a sequence of one mail it is 0 whoever replies, since each of them has run to the end by then.
        """
        replied = self.finished.get("replied", 0)
        completed = replied + self.finished.get("completed", 0)
        return replied / completed if completed else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "total": self.total,
            "active": self.active,
            "blocked": dict(self.blocked),
            "finished": dict(self.finished),
            "reply_rate": self.reply_rate,
        }


@attrs.frozen
class Explanation:
    """Why everything is where it is, in sentences; printing it prints them, one a line.

    `suppressed_position` is that of the next mail where the address that is stored with the enrollment has opted out:
    the mail will not leave, and the enrollment ends there as `unsubscribed` (L8), unless the engine's `people` knows
    another address by then. It is None where that is not so, and where no mail is ahead.

    `former_suppressed` says that a mail is ahead, and an address has opted out that the person had before or was mailed
    at: the mail will not leave if `people` names that one. It is asked where `people` has the last word: where the
    engine has that port, or no address is stored.
    """

    enrollment: Enrollment
    sentences: tuple[str, ...]
    suppressed_position: int | None = None
    former_suppressed: bool = False

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "id": self.enrollment.id,
            "sentences": list(self.sentences),
            "suppressed_position": self.suppressed_position,
            "former_suppressed": self.former_suppressed,
        }
