"""Effects: what must be done outside, as values. The core decides them, only the shell performs them (law E1).

They are not stored beside the enrollment, they are read off it: a step that is `requested` asks for its hand-over, a
step with `cancel_task` for its task to be taken off the board. So a decision and its effects cannot come apart, and
after a death nobody has to reconcile two records.
"""

from __future__ import annotations

import attrs

from sequencer.core.enrollment import Enrollment, EnrollmentStep
from sequencer.core.values import Identifier

__all__ = ["CancelTask", "CreateTask", "Effect", "SendEmail", "hand_over_of"]


@attrs.frozen(slots=False)
class SendEmail:
    """Hand this step's mail over to the mailer, under this key."""

    key: str
    enrollment_id: int
    position: int
    attempt: int


@attrs.frozen(slots=False)
class CreateTask:
    """Create this step's task at the board, under this key."""

    key: str
    enrollment_id: int
    position: int
    attempt: int


@attrs.frozen(slots=False)
class CancelTask:
    """Take this step's task off the board."""

    task_id: Identifier
    enrollment_id: int
    position: int


Effect = SendEmail | CreateTask | CancelTask


def hand_over_of(enrollment: Enrollment, step: EnrollmentStep) -> SendEmail | CreateTask:
    """The effect that hands a requested step over."""
    kind = SendEmail if step.step.is_email else CreateTask
    return kind(enrollment.key_of(step), enrollment.id, step.position, step.attempt)
