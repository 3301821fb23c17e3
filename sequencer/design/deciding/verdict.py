"""What has been found out about an expectation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from sequencer.core.values import thawed
from sequencer.design.deciding.counterexample import Counterexample
from sequencer.design.deciding.scope import Scope

__all__ = ["Verdict", "shown"]


def shown(expect: Mapping[str, Any]) -> str:
    """An expectation on one line, much as a file says it."""
    ((kind, value),) = expect.items()
    return f"{kind}: {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(each) for each in value) + "]"
    return json.dumps(value) if isinstance(value, str) and ":" in value else str(value)


@attrs.frozen
class Verdict:
    """Whether an expectation holds.

    - "proved": it holds for every start and zone of the `scope`, to the microsecond.
    - "refuted": it does not, and `counterexample` is the simplest case.
    - "not refuted": it holds where tasks are done when due or as late as is assumed; of what lies between, cases were
      drawn, and none refutes it.

    `cases` is how many have been decided: each minute at which somebody in a zone may be enrolled is one, and so is
    each case that was drawn. `note` says what could not be looked at, or that nobody is enrolled, if so.

    `assuming` is what was taken for granted and no design forces, such as "tasks done when due": what is proved is
    proved with that. A counterexample needs none, it is a case.
    """

    expect: Mapping[str, Any]
    verdict: str
    cases: int
    scope: Scope
    counterexample: Counterexample | None = None
    note: str | None = None
    assuming: tuple[str, ...] = ()

    @property
    def refuted(self) -> bool:
        """Whether there is a case in which it does not hold."""
        return self.verdict == "refuted"

    def to_dict(self, file: str = "FILE") -> dict[str, Any]:
        """Plain JSON values, as in `check --json`."""
        found = self.counterexample
        return {
            "expect": thawed(self.expect),
            "verdict": self.verdict,
            "cases": self.cases,
            "assuming": list(self.assuming),
            "counterexample": None if found is None else found.to_dict(file),
            **({"note": self.note} if self.note else {}),
        }

    @property
    def premise(self) -> str:
        """What was taken for granted, to follow what it is said of: `, with tasks done when due`, or nothing."""
        return f", with {' and '.join(self.assuming)}" if self.assuming else ""

    def __str__(self) -> str:
        if self.counterexample is not None:
            return f"{shown(self.expect)} is refuted: {self.counterexample}"
        text = f"{shown(self.expect)} is not refuted in {self.cases:,} cases{self.premise}"
        if self.verdict == "proved":
            text = f"{shown(self.expect)} is proved: it holds for {self.scope}{self.premise}"
        return text + (f" ({self.note})" if self.note else "")
