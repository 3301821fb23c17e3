"""Proving a design: what a sequence's expectations come to for every start and zone, and what is unwise about it.

And comparing two of them: what becomes of a design when its definition is edited.
"""

from __future__ import annotations

from sequencer.design.checking import Checked, check
from sequencer.design.comparing.comparison import Comparison, VerdictChange, compare
from sequencer.design.comparing.moves import Moves, Shifts, StepShift
from sequencer.design.comparing.wording import Change
from sequencer.design.deciding.counterexample import Counterexample
from sequencer.design.deciding.scope import Scope
from sequencer.design.deciding.searching import broken, decide
from sequencer.design.deciding.verdict import Verdict
from sequencer.design.findings.finding import Finding
from sequencer.design.findings.looking import find

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
