"""Mails and tasks to hand over."""

from __future__ import annotations

from typing import Any

import pendulum

from sequencer.core.enrollment import Resource
from sequencer.engine.ports import Email, Person, TaskRequest

ABOUT = {
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
    values = {**ABOUT, "to": "ada@example.com", "template_id": 3, "subject": "Hello", "body": "Nice to meet you.\n"}
    return Email(**{**values, **changes})


def task(**changes: Any) -> TaskRequest:
    values = {**ABOUT, "task_content": "Call Ada", "due_at": pendulum.datetime(2026, 3, 30, 9)}
    return TaskRequest(**{**values, **changes})
