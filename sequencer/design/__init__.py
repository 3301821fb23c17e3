"""Proving a design: what a sequence's expectations come to for every start and zone, and what is unwise about it.

And comparing two of them: what becomes of a design when its definition is edited.
"""

from __future__ import annotations

from sequencer.design.checking import Checked, check
from sequencer.design.comparing import Comparison, VerdictChange, compare
from sequencer.design.counterexample import Counterexample
from sequencer.design.finding import Finding
from sequencer.design.looking import find
from sequencer.design.moves import Moves, Shifts, StepShift
from sequencer.design.scope import Scope
from sequencer.design.searching import broken, decide
from sequencer.design.verdict import Verdict
from sequencer.design.wording import Change

__all__ = [
    "Change",
    "Checked",
    "Comparison",
    "Counterexample",
    "Finding",
    "Moves",
    "Scope",
    "Shifts",
    "StepShift",
    "Verdict",
    "VerdictChange",
    "broken",
    "check",
    "compare",
    "decide",
    "find",
]
