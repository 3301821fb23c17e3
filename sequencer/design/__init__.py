"""Proving a design: what a sequence's expectations come to for every start and zone, and what is unwise about it."""

from __future__ import annotations

from sequencer.design.checking import Checked, check
from sequencer.design.counterexample import Counterexample
from sequencer.design.finding import Finding
from sequencer.design.looking import find
from sequencer.design.scope import Scope
from sequencer.design.searching import broken, decide
from sequencer.design.verdict import Verdict

__all__ = ["Checked", "Counterexample", "Finding", "Scope", "Verdict", "broken", "check", "decide", "find"]
