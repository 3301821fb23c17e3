"""What a port's answer means, the signal that the core is told; and what is told of what it raised."""

from __future__ import annotations

import inspect
from typing import Any

from sequencer.core.answers import without_addresses
from sequencer.core.effects import CreateTask, SendEmail
from sequencer.core.signals import EmailFailed, EmailPending, EmailSent, TaskCreated
from sequencer.engine.calls import TimedOut
from sequencer.engine.ports import Accepted, Pending, Rejected

__all__ = ["WrongAnswer", "email_signal", "not_asked", "said_by", "task_signal"]


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


def said_by(error: Exception) -> str:
    """What a port raised, without addresses: histories go to more people than the data (S8)."""
    text = str(error) if isinstance(error, TimedOut) else f"{type(error).__name__}: {error}"
    return without_addresses(text) or type(error).__name__


def not_asked(port: str, error: Exception) -> str:
    """Which of the host's look-ups has failed, and how, without what it said: that may quote a field or a text (S8)."""
    if isinstance(error, WrongAnswer):
        return str(error)
    return f"`{port}` gave {error}" if isinstance(error, TimedOut) else f"`{port}` raised {type(error).__name__}"
