"""`find`: everything that is unwise about a design, and what of it somebody has decided to live with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput
from sequencer.core.instants import FIRST, LAST, to_date
from sequencer.core.pacing import Cap
from sequencer.core.problems import item
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.scope import to_scope, today
from sequencer.design.findings.finding import KINDS, SEVERITIES, Finding, found
from sequencer.design.findings.static import static_findings
from sequencer.design.findings.timed import timed_findings

__all__ = ["find"]

# How many weeks of starts show how a design works: in both halves of the year, or all of them in turn.
_WEEKS = {"quick": 2, "thorough": 52}
# A clock that is nobody's: what is the night there wakes no one.
_NO_PLACE = "UTC"


def find(
    sequence: Sequence,
    *,
    since: date | None = None,
    fields: Collection[str] | None = None,
    values: Collection[Mapping[str, Any]] | None = None,
    cap: Cap | None = None,
    profile: str = "quick",
    timezones: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """What is unwise about a valid design: the gravest first, each kind in the order of the places.

    `since` is the first local date of enrolling (default: today in the definition's zone). `fields` are the merge
    fields that leads have; without them, nobody asks whether texts want others. `values` are those of single leads, of
    all or only of such as may be odd; without them, nobody asks whether they fit into a subject. `cap` is that of the
    sender (default: the engine's). `profile` is "quick" (two weeks, some zones) or "thorough" (a year, every zone);
    `timezones` takes the place of its zones. What the definition silences is there all the same, with its reason; a
    silence that silences nothing is a finding itself. Raises `InvalidInput` for an unknown profile or zone, for a
    `since` that is no date or out of range, and for timelines that leave the years 1970 to 9000 (T11).
    """
    scope = to_scope(sequence, profile=profile, since=since, timezones=timezones)
    day = today(sequence) if since is None else to_date(since, "since")
    if not FIRST.year < day.year < LAST.year:
        message = f"must be after {FIRST.year} and before {LAST.year}, got {day}"
        raise InvalidInput(message, path="since", code="out_of_range")
    zones = [zone for zone in scope.timezones if zone != _NO_PLACE]
    weeks = _WEEKS[scope.profile.name]
    everything = [
        *static_findings(sequence, day, fields, values),
        *timed_findings(sequence, day, zones, cap or Cap(), weeks=weeks),
    ]
    # What was not asked has found nothing, and that is no fault of a silence.
    asked = {"merge_field_unknown": fields, "merge_field_breaks": values, "cap_exceeded": cap}
    unasked = {code for code, given in asked.items() if given is None}
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
