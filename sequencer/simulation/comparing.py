"""Answers of several runs beside each other: how far they lie apart, and how those of two designs differ.

Both work on the plain answers, number by number. A number is known by where it stands: in a list by what its row is
about, a date, an actor, a sequence's place, a step's key or what it does. So a step that only one design has stands
beside nothing, and what has not happened in a run is 0 there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Several
from typing import Any

__all__ = ["HIGH", "LOW", "differences", "intervals"]

LOW, HIGH = 0.05, 0.95
"""An interval is from the one to the other share of the runs."""

_BY_NAME = ("outcomes", "people", "totals")
_SECTIONS = ("outcomes", "people", "totals", "per_day", "per_sequence", "per_actor", "sends")
# By what a row is known, and which of its columns only say what it is about.
_TEXTS = ("date", "key", "name", "what", "action_type", "position", "actor_id", "account")
_Path = tuple[Any, ...]


def intervals(runs: Several[Mapping[str, Any]]) -> dict[str, Any]:
    """The sections of the answers, each number as its mean over the runs and the interval that 90 % of them are in."""

    def spread(values: Several[float]) -> dict[str, Any]:
        return {"mean": _mean(values), "low": _share(values, LOW), "high": _share(values, HIGH)}

    return _built([dict(_leaves(each)) for each in runs], lambda runs: spread(runs[0]), 1)


def differences(runs: Several[Mapping[str, Any]], others: Several[Mapping[str, Any]]) -> dict[str, Any]:
    """The sections, each number as its mean here and in the others, the mean difference (others - here), its interval.

    The runs are paired: the n-th of both had the same luck.
    """

    def apart(pair: Several[Several[float]]) -> dict[str, Any]:
        ours, theirs = pair
        each = [b - a for a, b in zip(ours, theirs, strict=True)]
        return {
            "this": _mean(ours),
            "other": _mean(theirs),
            "difference": _mean(each),
            "low": _share(each, LOW),
            "high": _share(each, HIGH),
        }

    return _built([dict(_leaves(each)) for each in (*runs, *others)], apart, 2)


def _leaves(document: Mapping[str, Any]) -> Iterator[tuple[_Path, Any]]:
    for section in _SECTIONS:
        yield from _below(document[section], (section,))


def _below(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name == "cap_days":
                yield (*path, name), len(each)
            elif name not in _TEXTS:
                yield from _below(each, (*path, name))
    elif isinstance(value, list):
        seen: Counter[Any] = Counter()
        for place, each in enumerate(value):
            row = _row(path, place, each)
            seen[row] += 1
            yield from _below(each, (*path, (*row, seen[row])))
    else:
        yield path, value


def _row(path: _Path, place: int, row: Any) -> tuple[tuple[str, Any], ...]:
    """What a row of a list is about, as its columns say it."""
    if not isinstance(row, Mapping) or path[-1] == "per_sequence":
        return (("place", place),)
    if "date" in row:
        return (("date", row["date"]),)
    if "actor_id" in row:
        return (*((("account", row["account"]),) if "account" in row else ()), ("actor_id", row["actor_id"]))
    if row["key"] is not None:
        return (("key", row["key"]),)
    return (("what", row["what"]),)


def _built(runs: list[dict[_Path, Any]], combine: Any, sides: int) -> dict[str, Any]:
    """The sections again, with what is made of the numbers of all runs in the place of each."""
    tree: dict[Any, Any] = {}
    half = len(runs) // sides
    for path in dict.fromkeys(path for run in runs for path in run):
        # A median of nothing is none; it is left out of a mean, and with its pair out of a difference.
        unsaid = None if str(path[-1]).endswith("_hours") else 0
        numbers = [[run.get(path, unsaid) for run in runs[side * half : (side + 1) * half]] for side in range(sides)]
        kept = [i for i in range(half) if all(each[i] is not None for each in numbers)]
        made = combine([[each[i] for i in kept] for each in numbers]) if kept else None
        _put(tree, path, made)
    return {
        section: _listed(tree[section]) if section in tree else {} if section in _BY_NAME else []
        for section in _SECTIONS
    }


def _put(tree: dict[Any, Any], path: _Path, value: Any) -> None:
    for each in path[:-1]:
        tree = tree.setdefault(each, {})
    tree[path[-1]] = value


def _listed(tree: Any) -> Any:
    """The rows of a tree as lists again; dates in order, everything else as it came."""
    if not isinstance(tree, dict):
        return tree
    if not tree or not all(isinstance(name, tuple) for name in tree):
        return {name: _listed(each) for name, each in tree.items()}
    names = list(tree)
    if names[0][0][0] == "date":
        names.sort()
    rows = []
    for name in names:
        about = dict(name[:-1])
        found = _listed(tree[name])
        rows.append({**about, **found} if isinstance(found, dict) and "place" not in about else found)
    return rows


def _mean(values: Several[float]) -> float:
    return round(sum(values) / len(values), 4)


def _share(values: Several[float], share: float) -> float:
    """The value below which such a share of them lies, between two of them in a straight line."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    before = int(place)
    after = min(before + 1, len(ordered) - 1)
    return round(ordered[before] + (ordered[after] - ordered[before]) * (place - before), 4)
