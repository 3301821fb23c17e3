"""Chance that can be repeated: each draw is a hash of what it is about, and of nothing else.

So the same seed gives the same on every machine and Python, however the work is cut and in whatever order it is done;
and two runs that differ in one thing share the luck of everything else (common random numbers). What a draw is about is
named by the person, the sequence, and the step: by its key where it has one, else by what it does.

A sequence of a study is known by its place there, so that two designs which are compared share their luck, whatever
they are called. In a forecast it is known by its key, whichever of its versions somebody is in: places there would be
others as soon as somebody comes or goes, and two forecasts on two days are to share the luck of all that is in both.
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


def person_name(type: str, id: Identifier, account: Identifier | None = None) -> str:
    """By what chance knows a person: the account, the resource's type and id; 42 and "42" are two people."""
    return f"{type}/{id!r}" if account is None else f"{account!r}/{type}/{id!r}"


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
