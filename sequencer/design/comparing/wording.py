"""The words in which changes are told, and a change itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from collections.abc import Sequence as Several
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import attrs

from sequencer.core.days import WEEKDAYS
from sequencer.core.values import thawed

__all__ = [
    "CHECKS", "IDENTITY", "TEXTS", "TIMELINES", "VERSION", "Change", "dates", "days", "listed", "same", "span", "value",
]  # fmt: skip

IDENTITY, TIMELINES, VERSION, TEXTS, CHECKS = "identity", "timelines", "version", "texts", "checks"
_LONGEST = 60
_MOST_DATES = 8
_NAMES = dict(
    zip(WEEKDAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=True)
)


@attrs.frozen
class Change:
    """One thing that is different in a new definition.

    `kind` is "added", "removed", "changed" or "moved" (a step that has changed places). `old_path` and `new_path` say
    where it stands in either file (None: it is not there), `before` and `after` what stands there. What comes of it is
    its `consequence`:

    - "identity": it is another sequence.
    - "timelines": a new version, in which steps may come at other times.
    - "version": a new version, with the same times.
    - "texts": no new version; the text of a mail is looked up when it leaves, so also who is enrolled gets the new one.
    - "checks": no new version; only what a check of the design looks at.
    """

    kind: str
    consequence: str
    old_path: str | None
    new_path: str | None
    before: Any
    after: Any
    sentence: str

    @property
    def makes_version(self) -> bool:
        """Whether it is part of what runs, so that a store keeps the new definition as a version of its own (L1)."""
        return self.consequence not in {TEXTS, CHECKS}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "kind": self.kind,
            "consequence": self.consequence,
            "old_path": self.old_path,
            "new_path": self.new_path,
            "before": thawed(self.before),
            "after": thawed(self.after),
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        return f"{self.sentence}."


def same(one: Any, other: Any) -> bool:
    """Whether two values are written alike: 1, 1.0 and true are three values, and the order of keys says nothing."""
    return json.dumps(thawed(one), sort_keys=True) == json.dumps(thawed(other), sort_keys=True)


def value(it: Any) -> str:
    """A value on one line, as short as a sentence can bear."""
    text = json.dumps(thawed(it), ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def listed(parts: Several[str]) -> str:
    """Things in a sentence: one, two and three."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def days(given: Collection[str]) -> str:
    """Weekdays by their names, three and more in a row as from the first to the last."""
    found: list[str] = []
    for run in _runs(WEEKDAYS.index(day) for day in given):
        names = [_NAMES[WEEKDAYS[at]] for at in run]
        found += names if len(names) < 3 else [f"{names[0]} to {names[-1]}"]
    return listed(found)


def dates(given: Iterable[date]) -> str:
    """Dates in order, those in a row as from the first to the last; of very many the first."""
    runs = [[date.fromordinal(day) for day in run] for run in _runs(day.toordinal() for day in given)]
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:_MOST_DATES]]
    more = sum(len(run) for run in runs[_MOST_DATES:])
    return listed([*shown, f"{more} more"] if more else shown)


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Whole numbers in order, in groups without a gap."""
    counted = enumerate(sorted(numbers))
    return [[n for _, n in run] for _, run in groupby(counted, key=lambda pair: pair[1] - pair[0])]


def span(length: timedelta) -> str:
    """An elapsed time, in all its units."""
    rest = length // timedelta(microseconds=1)
    parts = []
    for name, size in (("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 1_000_000)):
        n, rest = divmod(rest, size)
        if n:
            parts.append(f"{n} {name}{'' if n == 1 else 's'}")
    if rest:
        parts.append(f"{rest} microseconds")
    return " ".join(parts) or "no time"
