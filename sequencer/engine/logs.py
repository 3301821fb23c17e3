"""What is logged, through the standard library: where, how, and never anything personal (law S8).

There are five loggers: `sequencer.worker`, `sequencer.listener`, `sequencer.store`, `sequencer.webhooks` and
`sequencer.http`. A record's `msg` is the same for everything of its kind, and what it is about is among its attributes
(`extra=`) as plain values.
Of exceptions there are the type and the lines of code, not the message: it may quote an address, a merge field or a
body. What a port said is in the history.

An engine that runs well logs nothing at INFO and above.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from typing import Any

from sequencer.core.effects import CancelTask, Effect
from sequencer.core.enrollment import Enrollment
from sequencer.core.events import Event
from sequencer.core.instants import to_iso

__all__ = [
    "LISTENER",
    "WORKER",
    "code_of",
    "event_fields",
    "log_failures",
    "log_raised",
    "step_fields",
    "subject_fields",
]

# What is logged goes where the host sends it, and nowhere by itself.
logging.getLogger("sequencer").addHandler(logging.NullHandler())
WORKER = logging.getLogger("sequencer.worker")
LISTENER = logging.getLogger("sequencer.listener")


def subject_fields(enrollment: Enrollment) -> dict[str, Any]:
    """Which enrollment a record is about."""
    return {"enrollment_id": enrollment.id, "account": enrollment.account}


def step_fields(enrollment: Enrollment, effect: Effect) -> dict[str, Any]:
    """Which hand-over a record is about."""
    fields = {**subject_fields(enrollment), "position": effect.position}
    if isinstance(effect, CancelTask):
        return {**fields, "task_id": effect.task_id}
    return {**fields, "attempt": effect.attempt, "effect_key": effect.key}


def event_fields(event: Event) -> dict[str, Any]:
    """Which event a record is about."""
    account = None if event.subject is None else event.subject.account
    fields = {"enrollment_id": event.enrollment_id, "account": account, "position": event.position}
    return {**fields, "event_type": event.type, "number": event.number, "cursor": event.cursor}


def log_raised(
    logger: logging.Logger, message: str, id: int | None, error: BaseException, said: str | None = None, **fields: Any
) -> None:
    """Say that something raised which should not have: which exception, and from which lines of code.

    `said` stands in the place of the exception's name where it is known to hold nothing personal.
    """
    kind = type(error).__name__
    logger.error(message, id, said or kind, extra={**fields, "error": kind, "traceback": code_of(error)})


def code_of(error: BaseException) -> str:
    """The lines of code that an exception came through, without what it said."""
    return "".join(traceback.format_tb(error.__traceback__))


def log_failures(enrollment: Enrollment, events: Iterable[Event]) -> None:
    """Say of a decision that was stored what failed in it: for now, for good, or so that a person has to decide."""
    for event in events:
        if event.type not in ("attempt_failed", "step_failed") or event.position is None:
            continue
        step, reason = enrollment.steps[event.position], event.facts["reason"]
        fields = {
            **subject_fields(enrollment),
            "position": step.position,
            "attempt": step.attempt,
            "effect_key": enrollment.key_of(step),
            "event_type": event.type,
            "reason": reason,
        }
        if event.type == "attempt_failed":
            again_at = event.steps[step.position].get("estimated_execute_at")
            fields["again_at"] = again_at and to_iso(again_at)
            WORKER.info(
                "step %d of enrollment %d failed for now, and is tried again: %s",
                step.position, enrollment.id, reason, extra=fields,
            )  # fmt: skip
        elif reason == "outcome_unknown":
            WORKER.warning(
                "step %d of enrollment %d is parked: nobody knows whether it was handed over, so a person decides",
                step.position, enrollment.id, extra=fields,
            )  # fmt: skip
        else:
            WORKER.warning("step %d of enrollment %d failed: %s", step.position, enrollment.id, reason, extra=fields)
