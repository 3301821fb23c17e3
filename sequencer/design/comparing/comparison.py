"""`compare`: what becomes of a design when its definition is edited, in one answer.

Three things are told of two definitions: what is different in words (`changes`), how far the steps that both have move
(`moves`), and which expectations change their verdict (`verdicts`). Who among the enrolled is concerned is the store's
to say: `Engine.plan_migration`.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as Several
from datetime import date
from typing import Any

import attrs

from sequencer.core.sequence import Sequence
from sequencer.design.comparing.changes import changes, paired
from sequencer.design.comparing.moves import Moves
from sequencer.design.comparing.shifting import shifted
from sequencer.design.comparing.wording import IDENTITY, TEXTS, TIMELINES, Change
from sequencer.design.deciding.scope import Scope, to_scope, today
from sequencer.design.deciding.searching import decide_all
from sequencer.design.deciding.verdict import Verdict, shown

__all__ = ["Comparison", "VerdictChange", "compare"]


@attrs.frozen
class VerdictChange:
    """An expectation whose verdict is another one in the new design, or that only one design has (None in the other).

    Where one kind of expectation has another value, both are in one change.
    """

    before: Verdict | None
    after: Verdict | None

    @property
    def broken(self) -> bool:
        """Whether the same expectation held, and is refuted now."""
        before, after = self.before, self.after
        if before is None or after is None or before.expect != after.expect:
            return False
        return after.refuted and not before.refuted

    @property
    def sentence(self) -> str:
        """It in words, without the counterexample."""
        before, after = self.before, self.after
        if before is None and after is not None:
            return f"{shown(after.expect)} is new, and {after.verdict}{after.premise}"
        if after is None and before is not None:
            return f"{shown(before.expect)} is gone; it was {before.verdict}"
        assert before is not None, "a change has an expectation"
        assert after is not None, "as above"
        if before.expect == after.expect:
            return f"{shown(after.expect)} is {after.verdict} now{after.premise}; it was {before.verdict}"
        was = f"{shown(before.expect)}, which was {before.verdict}"
        return f"{shown(after.expect)} is {after.verdict}{after.premise}; it was {was}"

    def to_dict(self, old_file: str = "OLD", new_file: str = "NEW") -> dict[str, Any]:
        """Plain JSON values; commands and tests in it name the files."""
        return {
            "before": None if self.before is None else self.before.to_dict(old_file),
            "after": None if self.after is None else self.after.to_dict(new_file),
            "broken": self.broken,
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        if self.after is None or self.after.counterexample is None:
            return f"{self.sentence}."
        return f"{self.sentence}: {self.after.counterexample}"


@attrs.frozen
class Comparison:
    """What is different between two definitions, and what comes of it; printing it tells all of it.

    `verdicts` are those that differ, in the order of the new definition, what is gone last; `unchanged` is how many
    expectations both have, with the same verdict.
    """

    old: Sequence
    new: Sequence
    changes: tuple[Change, ...]
    moves: Moves
    verdicts: tuple[VerdictChange, ...]
    unchanged: int
    scope: Scope

    @property
    def same(self) -> bool:
        """Whether the definitions say the same."""
        return not self.changes

    @property
    def same_sequence(self) -> bool:
        """Whether both are of one sequence: only then can anybody be moved from the one to the other (L9)."""
        return self.old.key == self.new.key

    @property
    def new_version(self) -> bool:
        """Whether a store keeps the new definition as a version of its own (L1)."""
        return any(change.makes_version for change in self.changes)

    @property
    def broken(self) -> tuple[VerdictChange, ...]:
        """The expectations that held, and are refuted now."""
        return tuple(each for each in self.verdicts if each.broken)

    @property
    def meaning(self) -> str:
        """What the changes come to for who is enrolled, in a sentence."""
        if self.same:
            return "Nothing has changed."
        consequences = {change.consequence for change in self.changes}
        texts = " The texts of mails are looked up when they leave: who is enrolled gets the new ones, too."
        if IDENTITY in consequences:
            return "It is another sequence: who is enrolled stays in the old one, and nobody can be moved."
        if not self.new_version:
            found = "It is no new version: "
            found += "only texts have changed." if TEXTS in consequences else "only what a check looks at has changed."
        elif TIMELINES in consequences:
            found = "It is a new version, in which steps may come at other times: who is enrolled stays in the old one "
            found += "until moved."
        else:
            found = "It is a new version with the same times: who is enrolled stays in the old one until moved."
        return found + (texts if TEXTS in consequences else "")

    def to_dict(self, old_file: str = "OLD", new_file: str = "NEW") -> dict[str, Any]:
        """Plain JSON values, as in `diff --json`; commands and tests in it name the files."""
        return {
            "same": self.same,
            "same_sequence": self.same_sequence,
            "new_version": self.new_version,
            "changes": [change.to_dict() for change in self.changes],
            "moves": self.moves.to_dict(),
            "verdicts": [each.to_dict(old_file, new_file) for each in self.verdicts],
            "unchanged_verdicts": self.unchanged,
            "searched": self.scope.to_dict(),
        }

    def __str__(self) -> str:
        if self.same:
            return self.meaning
        parts = ["\n".join(map(str, self.changes)), self.meaning]
        if not self.moves.stay:
            parts.append(str(self.moves))
        parts += map(str, self.verdicts)
        if self.unchanged:
            parts.append(f"{_expectations(self.unchanged)} the same verdict in both.")
        return "\n\n".join(parts)


def _expectations(many: int) -> str:
    return f"{many} {'expectation has' if many == 1 else 'expectations have'}"


def compare(
    old: Sequence,
    new: Sequence,
    *,
    profile: str = "quick",
    since: date | None = None,
    timezones: Collection[str] | None = None,
) -> Comparison:
    """What is different in a new definition, how far its timelines move, and which expectations change their verdict.

    Expectations are decided as `check` decides them, each by the assumptions of its own design. `profile` is "quick"
    (some zones, a year of starts) or "thorough" (every zone, two years); `since` is the first local date of starts
    (default: today); `timezones` takes the place of the profile's zones. Timelines are laid beside each other on the
    clocks of the definitions. Raises `InvalidInput` for an unknown profile or zone, and for timelines that leave the
    years 1970 to 9000 (T11).
    """
    if since is None:
        since = today(new)
    scopes = [to_scope(each, profile=profile, since=since, timezones=timezones) for each in (old, new)]
    moves = shifted(old, new, *scopes)
    differ, unchanged = _verdicts(
        *(decide_all(each, each.expect, scope) for each, scope in zip((old, new), scopes, strict=True))
    )
    return Comparison(old, new, changes(old, new), moves, differ, unchanged, scopes[1])


def _verdicts(before: Several[Verdict], after: Several[Verdict]) -> tuple[tuple[VerdictChange, ...], int]:
    """The verdicts that differ, and how many do not."""
    pairs = paired(tuple(each.expect for each in before), tuple(each.expect for each in after))
    found = [
        VerdictChange(None if was is None else before[was], None if at is None else after[at]) for was, at in pairs
    ]
    differ = tuple(each for each in found if not _is_same(each))
    return differ, len(found) - len(differ)


def _is_same(change: VerdictChange) -> bool:
    before, after = change.before, change.after
    if before is None or after is None:
        return False
    return before.expect == after.expect and before.verdict == after.verdict
