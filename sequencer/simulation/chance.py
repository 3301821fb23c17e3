"""Chance that can be repeated: each draw is a hash of what it is about, and of nothing else.

So the same seed gives the same on every machine and Python, however the work is cut and in whatever order it is done;
and two runs that differ in one thing share the luck of everything else (common random numbers). What a draw is about is
named by the person, the sequence's place in the run, and the step: by its key where it has one, else by what it does.
"""

from __future__ import annotations

import struct
from collections import Counter
from hashlib import blake2b

from sequencer.core.sequence import AutomatedEmail, Sequence
from sequencer.core.values import Identifier

__all__ = ["DRAWS", "Luck", "person_name", "step_names"]

DRAWS = 16
"""How many numbers one name has."""

_unpack = struct.Struct(f"<{DRAWS}I").unpack
_UNIT = 1.0 / 2**32


class Luck:
    """The draws of one run: for each name sixteen numbers from 0 to below 1, even and independent."""

    def __init__(self, seed: int, run: int = 0) -> None:
        self._seed = f"{seed}/{run}/"

    def of(self, name: str) -> tuple[float, ...]:
        """The numbers of a name."""
        found = _unpack(blake2b(f"{self._seed}{name}".encode("utf-8", "surrogatepass")).digest())
        return tuple([each * _UNIT for each in found])


def person_name(type: str, id: Identifier) -> str:
    """By what chance knows a person: the resource's type and id; 42 and "42" are two people."""
    return f"{type}/{id!r}"


def step_names(sequence: Sequence) -> tuple[str, ...]:
    """By what chance knows each step: its key, else what it does, and the how-manieth of these it is."""
    names = []
    seen: Counter[str] = Counter()
    for step in sequence.steps:
        action = step.action
        if step.key is not None:
            name = f"key {step.key}"
        elif isinstance(action, AutomatedEmail):
            name = f"mail {action.template_id!r}"
        else:
            name = f"task {action.task_content}"
        seen[name] += 1
        names.append(f"{name} {seen[name]}")
    return tuple(names)
