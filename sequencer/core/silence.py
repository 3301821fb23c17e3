"""What a definition has decided to live with (`silence`): findings about its design by their codes, each with a reason.

The codes are a closed vocabulary, and it is kept here so that a silence for a finding that does not exist is refused
wherever a sequence is made. What each of them means, and when a design has it, is found out by checking the design.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.problems import MISSING, EnoughProblems, Problems, child, item, nearest, shown
from sequencer.core.values import to_identifier, to_line

__all__ = ["SILENCEABLE", "read_silence", "to_silence", "unknown_steps"]

SILENCEABLE = (
    "first_mail_is_reply",
    "reply_changes_subject",
    "task_waits_for_ever",
    "skipped_before_overdue",
    "template_missing",
    "templates_elsewhere",
    "template_unused",
    "template_repeated",
    "foreign_placeholder",
    "merge_field_unknown",
    "merge_field_breaks",
    "zone_never_changes",
    "holidays_past",
    "reply_only_noted",
    "unsubscribe_only_noted",
    "mails_close",
    "mail_at_night",
    "mail_at_night_elsewhere",
    "mail_waits_for_days",
    "weekday_becomes_two",
    "longer_than_a_quarter",
    "cap_exceeded",
)
"""The codes of the findings that a definition may silence."""

_LONGEST_REASON = 500


def _finding(problems: Problems, value: object, path: str) -> Any:
    if not isinstance(value, str):
        problems.add("invalid_type", f"needs the code of a finding, got {shown(value)}", path)
        return MISSING
    if value not in SILENCEABLE:
        problems.add("unknown_finding", f"{shown(value)} is no finding; {nearest(value, SILENCEABLE)}", path)
        return MISSING
    return value


def read_silence(problems: Problems, value: object, path: str) -> list[dict[str, Any]]:
    """The `silence` list in its one spelling; what is wrong with it is noted. Whether its steps exist is not asked."""
    given = problems.listing(value, path)
    silence: list[dict[str, Any]] = []
    for i, each in enumerate([] if given is MISSING else given):
        place = item(path, i)
        known = problems.mapping(each, place, ("finding", "step", "because"), required=("finding", "because"))
        if known is MISSING:
            continue
        entry: dict[str, Any] = {}
        if "finding" in known:
            entry["finding"] = _finding(problems, known["finding"], child(place, "finding"))
        if "step" in known:
            entry["step"] = problems.attempt(child(place, "step"), to_identifier, known["step"], "step")
        if "because" in known:
            reason = known["because"]
            where = child(place, "because")
            entry["because"] = problems.attempt(where, to_line, reason, "because", longest=_LONGEST_REASON)
        silence.append(entry)
    return silence


def to_silence(value: object) -> list[dict[str, Any]]:
    """The `silence` list in its one spelling. Raises `DefinitionError` with all that is wrong with it."""
    problems = Problems()
    silence: list[dict[str, Any]] = []
    with contextlib.suppress(EnoughProblems):
        silence = read_silence(problems, value, "silence")
    if problems.found:
        raise DefinitionError(problems.found)
    return silence


def unknown_steps(silence: Iterable[Mapping[str, Any]], keys: list[str | None]) -> list[Problem]:
    """What is wrong with the steps that silences name: each is the position, or the key, of one that there is."""
    problems = []
    for i, entry in enumerate(silence):
        step = entry.get("step")
        if step is None or (step in keys if isinstance(step, str) else 0 <= step < len(keys)):
            continue
        known = [key for key in keys if key is not None]
        remedy = f"; {nearest(step, known)}" if isinstance(step, str) and known else ""
        message = f"there is no step {shown(step)}: it is a key, or a position from 0 to {len(keys) - 1}{remedy}"
        problems.append(Problem("unknown_step", message, child(item("silence", i), "step")))
    return problems
