"""Mails and tasks to hand over to a port, as an engine would: for contracts, and for tests of a port of one's own."""

from __future__ import annotations

from typing import Any

import pendulum

from sequencer.core.enrollment import Resource
from sequencer.engine.ports import Email, Person, TaskRequest

__all__ = ["mail", "task"]

ABOUT: dict[str, Any] = {
    "account": None,
    "enrollment_id": 12,
    "position": 1,
    "attempt": 1,
    "sequence_key": "inbound",
    "sequence_name": "Inbound",
    "actor_id": 7,
    "resource": Resource("lead", 42),
    "person": Person("ada@example.com"),
}


def mail(**changes: Any) -> Email:
    """A mail to Ada, with what is given changed in it; the names are those of `Email`."""
    text = {"subject": "Hello", "body": "Nice to meet you.\n"}
    return Email(**{**ABOUT, "to": "ada@example.com", "template_id": 3, **text, **changes})


def task(**changes: Any) -> TaskRequest:
    """A task about Ada, with what is given changed in it; the names are those of `TaskRequest`."""
    due_at = pendulum.datetime(2026, 3, 30, 9, tz="UTC")
    return TaskRequest(**{**ABOUT, "task_content": "Call Ada", "due_at": due_at, **changes})
