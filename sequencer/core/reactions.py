"""What outside reports do to an enrollment: its sequence's policy decides (law L8).

`react` is given one enrollment; which enrollments a report concerns is the engine's to find. What changes nothing is
noted, so that a reply after the end is still in the history.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pendulum import DateTime

from sequencer.core.decision import Draft
from sequencer.core.signals import OutOfOffice, Outside

__all__ = ["react"]


def react(draft: Draft, report: Outside) -> None:
    """Something happened to the person."""
    reaction = draft.enrollment.version.sequence.policy.on[report.kind]
    facts: dict[str, Any] = {"report": report.kind, "key": report.key}
    if report.at is not None:
        facts["at"] = report.at
    if reaction.does == "note" or draft.enrollment.is_finished:
        draft.note(report.kind, _step_of_mail(draft, report), key=report.key)
    elif reaction.does == "finish":
        draft.finish(report.kind, None, facts)
    else:
        until = _until(draft, report)
        if until is not None and until <= draft.now:
            draft.note(report.kind, key=report.key, detail="the pause that it asks for is over already")
            return
        before = len(draft.events)
        draft.pause(report.kind, until, facts)
        if len(draft.events) == before:
            draft.note(report.kind, key=report.key, detail="blocked already")


def _until(draft: Draft, report: Outside) -> DateTime | None:
    """Until when the report blocks: until the return it names, else as long as the policy says."""
    calendar = draft.enrollment.calendar
    if isinstance(report, OutOfOffice) and report.until is not None:
        if isinstance(report.until, datetime):
            return report.until  # type: ignore[return-value]
        return calendar.start_of(date(report.until.year, report.until.month, report.until.day))
    duration = draft.enrollment.version.sequence.policy.on[report.kind].duration
    return None if duration is None else calendar.wait_ends(draft.now, duration)


def _step_of_mail(draft: Draft, report: Outside) -> int | None:
    """The position of the mail that the report names, where it names one of this enrollment."""
    for step in draft.enrollment.steps[: draft.enrollment.position + 1]:
        if report.message_id is not None and step.message_id == report.message_id:
            return step.position
        if report.provider_id is not None and step.provider_id == report.provider_id:
            return step.position
    return None
