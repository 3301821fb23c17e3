"""What holds of every decision, written down by hand: for tests of whatever stores, drives or shows enrollments.

The tables say which statuses follow which (law L2), and which states (L3). They are not made from the engine's own, so
that the two can be held against each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import attrs

from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
from sequencer.core.events import Event

__all__ = ["EMAIL_EDGES", "OVER", "STATE_EDGES", "TASK_EDGES", "check_decision", "impersonal"]

# From a status to those that may follow it, by their wire names.
EMAIL_EDGES: dict[str, set[str]] = {
    "pending": {"requested", "completed", "skipped", "cancelled"},
    "requested": {"completed", "failed", "pending", "cancelled"},
    "failed": {"pending", "completed", "skipped", "cancelled"},
    "completed": set(),
    "skipped": set(),
    "cancelled": set(),
}
TASK_EDGES: dict[str, set[str]] = {
    "pending": {"requested", "in_progress", "completed", "skipped", "cancelled"},
    "requested": {"in_progress", "completed", "failed", "pending", "cancelled"},
    "in_progress": {"completed", "failed", "skipped", "cancelled"},
    "failed": {"pending", "in_progress", "completed", "skipped", "cancelled"},
    "completed": set(),
    "skipped": set(),
    "cancelled": set(),
}
STATE_EDGES: dict[str, set[str]] = {
    "active": {"blocked", "finished"},
    "blocked": {"active", "finished"},
    "finished": set(),
}
OVER = {"completed", "skipped", "cancelled"}


def impersonal(enrollment: Enrollment) -> Enrollment:
    """The enrollment without what is personal: what its history replays to (laws S2, S8)."""
    resource = enrollment.resource
    return attrs.evolve(enrollment, resource=Resource(resource.type, resource.id))


def _edges_of(step: EnrollmentStep) -> dict[str, set[str]]:
    return EMAIL_EDGES if step.step.is_email else TASK_EDGES


def check_decision(before: Enrollment, after: Enrollment, events: Sequence[Event]) -> None:
    """Raise `AssertionError` unless a decision is one that the laws allow: its events, statuses, states and estimates.

    `before` and `after` are the enrollment as stored before and after it, `events` what it added to the history.
    """
    assert [event.number for event in events] == list(range(before.revision + 1, after.revision + 1))
    if not events:
        assert after == before, "without events nothing has changed"
    was, state = before.state.value, after.state.value
    assert was == state or state in STATE_EDGES[was], (was, state)
    for old, new in zip(before.steps, after.steps, strict=True):
        path = [old.status.value]
        for event in events:
            fields = event.steps.get(old.position, {})
            if "status" in fields:
                path.append(fields["status"].value)
        assert path[-1] == new.status.value
        for one, other in itertools.pairwise(path):
            assert other in _edges_of(old)[one], (old.position, one, other)
    assert (state == "blocked") == (after.blocked_reason is not None) == (after.blocked_at is not None)
    assert (state == "finished") == (after.finished_reason is not None) == (after.finished_at is not None)
    over = [step.status.value in OVER for step in after.steps]
    if state != "finished":
        assert after.position == over.index(False)
        current = after.steps[after.position]
        assert current.estimated_execute_at is not None
        assert (current.status.value == "failed") <= (state == "blocked")
        assert all(step.status.value == "pending" and step.estimated_execute_at is None
                   for step in after.steps[after.position + 1 :])  # fmt: skip
        if state == "active" and current.status.value in ("pending", "requested"):
            assert after.wake_at is not None
    else:
        assert all(is_over or step.status.value == "requested"
                   for is_over, step in zip(over, after.steps, strict=True))  # fmt: skip
    for step in after.steps:
        if step.status.value == "cancelled":
            assert step.estimated_execute_at is None
        if step.status.value == "in_progress":
            assert step.task_id is not None
        assert (step.status.value == "completed") == (step.executed_at is not None)
        assert (step.status.value == "skipped") == (step.skipped_at is not None)
        if step.cancel_task:
            assert step.task_id is not None
            assert after.wake_at is not None
