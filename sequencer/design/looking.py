"""`find`: everything that is unwise about a design, and what of it somebody has decided to live with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput
from sequencer.core.instants import FIRST, LAST, to_date
from sequencer.core.pacing import Cap
from sequencer.core.problems import item
from sequencer.core.sequence import Sequence
from sequencer.design.finding import KINDS, SEVERITIES, Finding, found
from sequencer.design.static import static_findings
from sequencer.design.timed import timed_findings
from sequencer.engine.clock import SystemClock

__all__ = ["find"]

_QUICK = ("America/Los_Angeles", "America/New_York", "Europe/London", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney")
# One for about each hour of difference, with those whose clocks change at other times or by other amounts.
_THOROUGH = (
    *_QUICK, "Pacific/Honolulu", "America/Anchorage", "America/Denver", "America/Chicago", "America/Halifax",
    "America/St_Johns", "America/Sao_Paulo", "Atlantic/Azores", "Europe/Berlin", "Africa/Cairo", "Africa/Nairobi",
    "Asia/Tehran", "Asia/Dubai", "Asia/Kathmandu", "Asia/Dhaka", "Asia/Bangkok", "Asia/Shanghai", "Australia/Adelaide",
    "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
)  # fmt: skip
# How many weeks of starts, and which zones beside the definition's own.
_PROFILES: dict[str, tuple[int, tuple[str, ...]]] = {"quick": (2, _QUICK), "thorough": (26, _THOROUGH)}


def find(
    sequence: Sequence,
    *,
    since: date | None = None,
    fields: Collection[str] | None = None,
    cap: Cap | None = None,
    profile: str = "quick",
) -> tuple[Finding, ...]:
    """What is unwise about a valid design: the gravest first, each kind in the order of the places.

    `since` is the first local date of enrolling (default: today in the definition's zone). `fields` are the merge
    fields that leads have; without them, nobody asks whether texts want others. `cap` is that of the sender (default:
    the engine's). `profile` is "quick" (two weeks, some zones) or "thorough" (half a year, many). What the definition
    silences is there all the same, with its reason; a silence that silences nothing is a finding itself. Raises
    `InvalidInput` for another profile, and for a `since` that is no date, or too near to where time ends.
    """
    if profile not in _PROFILES:
        raise InvalidInput(f"must be quick or thorough, got {profile!r}", path="profile", code="invalid_value")
    weeks, zones = _PROFILES[profile]
    day = sequence.calendar.local(SystemClock().now()).date() if since is None else to_date(since, "since")
    if not FIRST.year < day.year < LAST.year:
        message = f"must be after {FIRST.year} and before {LAST.year}, got {day}"
        raise InvalidInput(message, path="since", code="out_of_range")
    zones = sequence.assume.get("timezones", zones)
    everything = [
        *static_findings(sequence, day, fields),
        *timed_findings(sequence, day, zones, cap or Cap(), weeks=weeks),
    ]
    # What was not asked has found nothing, and that is no fault of a silence.
    unasked = {code for code, asked in (("merge_field_unknown", fields), ("cap_exceeded", cap)) if asked is None}
    silenced = [_silenced(sequence, each) for each in everything]
    return tuple(sorted([*silenced, *_unused(sequence, everything, unasked)], key=_gravest))


_ORDER = {code: (SEVERITIES.index(kind.severity), i) for i, (code, kind) in enumerate(KINDS.items())}


def _gravest(finding: Finding) -> tuple[int, int]:
    return _ORDER[finding.code]


def _silenced(sequence: Sequence, finding: Finding) -> Finding:
    for entry in sequence.silence:
        if _covers(sequence, entry, finding):
            return attrs.evolve(finding, silenced=entry["because"])
    return finding


def _covers(sequence: Sequence, entry: Any, finding: Finding) -> bool:
    if entry["finding"] != finding.code:
        return False
    step = entry.get("step")
    if isinstance(step, str):
        step = next(i for i, each in enumerate(sequence.steps) if each.key == step)
    return step is None or step == finding.position


def _unused(sequence: Sequence, everything: Iterable[Finding], unasked: Collection[str]) -> Iterator[Finding]:
    findings = list(everything)
    for i, entry in enumerate(sequence.silence):
        if entry["finding"] in unasked or any(_covers(sequence, entry, finding) for finding in findings):
            continue
        where = f" at step {entry['step']}" if "step" in entry else ""
        elsewhere = any(finding.code == entry["finding"] for finding in findings)
        message = f"{entry['finding']} is not found{where}{', only elsewhere' if elsewhere else ''}"
        yield found("silence_unused", item("silence", i), message)
