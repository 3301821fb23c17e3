"""Where tasks live: on the host's board, or on the embedded one, which is written together with the decision.

With a board of the host's own, effects go out and answers come back. The embedded board is part of the store: a task
is put on it, completed and taken off in the very transaction of the decision, so the two can never disagree.
"""

from __future__ import annotations

from pendulum import DateTime

from sequencer.core.decision import Decision
from sequencer.core.effects import CancelTask
from sequencer.core.enrollment import Enrollment
from sequencer.core.lifecycle import advance
from sequencer.core.signals import TaskCancelled, TaskCreated
from sequencer.engine.ports import TaskBoard, TaskId, TaskRequest
from sequencer.engine.storage import Transaction
from sequencer.engine.stored import BoardTask

__all__ = ["Board"]


_ENDS = frozenset({"task_completed", "step_failed"})


def _concerns_board(decision: Decision) -> bool:
    """Whether a task may have to be closed; most decisions are about mails."""
    for effect in decision.effects:
        if isinstance(effect, CancelTask):
            return True
    for event in decision.events:  # noqa: SIM110 - in every decision, and four times as fast as `any` here
        if event.type in _ENDS:
            return True
    return False


class Board:
    """The board of an engine: the host's (`external`), or None for the embedded one."""

    def __init__(self, external: TaskBoard | None) -> None:
        self.external = external

    def create(self, transaction: Transaction, task: TaskRequest, signal: TaskCreated, now: DateTime) -> int:
        """Put a task on the embedded board, within the transaction of the decision."""
        return transaction.create_task(
            BoardTask(
                id=0,
                account=task.account,
                enrollment_id=task.enrollment_id,
                position=task.position,
                key=signal.effect_key or "",
                actor_id=task.actor_id,
                resource_type=task.resource.type,
                resource_id=task.resource.id,
                task_content=task.task_content,
                due_at=task.due_at,
                created_at=now,
            )
        )

    def settle(self, transaction: Transaction, decision: Decision, now: DateTime) -> Decision:
        """Do on the embedded board what a decision asks of it; a decision for the host's board stays as it is."""
        if self.external is not None or not _concerns_board(decision):
            return decision
        enrollment, effects, events = decision.enrollment, [], list(decision.events)
        for event in decision.events:
            if event.position is None:
                continue
            deleted = event.type == "step_failed" and event.facts["reason"] == "task_deleted"
            status = "done" if event.type == "task_completed" else "cancelled" if deleted else None
            task_id = enrollment.steps[event.position].task_id
            if status is not None:
                self._close(transaction, enrollment, task_id, status, now)
        for effect in decision.effects:
            if not isinstance(effect, CancelTask):
                effects.append(effect)
                continue
            self._close(transaction, enrollment, effect.task_id, "cancelled", now)
            cancelled = advance(enrollment, TaskCancelled(task_id=effect.task_id), now)
            enrollment = cancelled.enrollment
            events += cancelled.events
        return Decision(enrollment, tuple(effects), tuple(events))

    def _close(
        self, transaction: Transaction, enrollment: Enrollment, task_id: TaskId | None, status: str, now: DateTime
    ) -> None:
        task = transaction.task(task_id) if isinstance(task_id, int) else None
        # An id that came in a report may be another task's, even of another account (S7).
        if task is not None and task.enrollment_id == enrollment.id:
            transaction.close_task(task.id, status, now)
