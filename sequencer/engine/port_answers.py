"""What a port's answer means: the signal that the core is told."""

from __future__ import annotations

import inspect
from typing import Any

from sequencer.core.effects import CreateTask, SendEmail
from sequencer.core.signals import EmailFailed, EmailPending, EmailSent, TaskCreated
from sequencer.engine.ports import Accepted, Pending, Rejected

__all__ = ["WrongAnswer", "email_signal", "task_signal"]


class WrongAnswer(TypeError):
    """A port answered what is no answer. It names only of what kind that is, so that it can be logged (S8)."""

    def __init__(self, expected: str, answer: object) -> None:
        if inspect.iscoroutine(answer):
            answer.close()  # nobody is going to wait for it
        super().__init__(f"{expected}, not {'None' if answer is None else f'a {type(answer).__name__}'}")


def email_signal(effect: SendEmail, answer: Any) -> EmailSent | EmailPending | EmailFailed:
    """Of a mailer's answer. Raises `WrongAnswer` for what is none."""
    common: dict[str, Any] = {"effect_key": effect.key, "attempt": effect.attempt}
    if isinstance(answer, Accepted):
        return EmailSent(**common, message_id=answer.message_id, provider_id=answer.provider_id)
    if isinstance(answer, Pending):
        return EmailPending(**common, provider_id=answer.provider_id)
    if isinstance(answer, Rejected):
        return EmailFailed(
            **common,
            detail=str(answer.detail),
            permanent=answer.permanent,
            recipient_fault=answer.recipient_fault,
            reason=answer.reason,
        )
    raise WrongAnswer("a mailer answers Accepted, Pending or Rejected", answer)


def task_signal(effect: CreateTask, task_id: Any) -> TaskCreated:
    """Of a task board's answer. Raises `WrongAnswer` for what is none."""
    if task_id is None or inspect.iscoroutine(task_id):
        raise WrongAnswer("a task board answers the id of the task", task_id)
    return TaskCreated(effect_key=effect.key, attempt=effect.attempt, task_id=task_id)
