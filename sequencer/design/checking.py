"""`check`: all that there is to say of a design, in one answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import attrs

from sequencer.core.pacing import Cap
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.scope import Scope, to_scope, today
from sequencer.design.deciding.searching import decide_all
from sequencer.design.deciding.verdict import Verdict
from sequencer.design.findings.finding import Finding
from sequencer.design.findings.looking import find

__all__ = ["Checked", "check"]


@attrs.frozen
class Checked:
    """What a check has found: the verdicts on a sequence's expectations, in their order, for which starts; findings."""

    sequence: Sequence
    scope: Scope
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def refuted(self) -> bool:
        """Whether one of the expectations does not hold."""
        return any(verdict.refuted for verdict in self.verdicts)

    @property
    def fails(self) -> bool:
        """Whether a check fails: an expectation is refuted, or an error or a warning is not silenced."""
        return self.refuted or any(finding.fails for finding in self.findings)

    def to_dict(self, file: str = "FILE") -> dict[str, Any]:
        """Plain JSON values, as in `check --json`; commands and tests in it name a file."""
        return {
            "valid": True,
            "findings": [finding.to_dict() for finding in self.findings],
            "expectations": [verdict.to_dict(file) for verdict in self.verdicts],
            "searched": self.scope.to_dict(),
        }

    def __str__(self) -> str:
        return "\n\n".join(map(str, [*self.verdicts, *self.findings]))


def check(
    sequence: Sequence,
    *,
    profile: str = "quick",
    since: date | None = None,
    timezones: Collection[str] | None = None,
    fields: Collection[str] | None = None,
    values: Collection[Mapping[str, Any]] | None = None,
    cap: Cap | None = None,
) -> Checked:
    """Decide all that a sequence expects of itself (`Sequence.expect`), and find what is unwise about it (see `find`).

    `profile` is "quick" (some zones, a year of starts) or "thorough" (every zone, two years). `since` is the first
    local date of starts (default: today). `timezones` takes the place of the profile's zones. Raises `InvalidInput` for
    an unknown profile or zone, and for timelines that leave the years 1970 to 9000 (T11).
    """
    if since is None:
        since = today(sequence)
    scope = to_scope(sequence, profile=profile, since=since, timezones=timezones)
    findings = find(sequence, profile=profile, since=since, timezones=timezones, fields=fields, values=values, cap=cap)
    return Checked(sequence, scope, decide_all(sequence, sequence.expect, scope), findings)
