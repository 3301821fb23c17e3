"""The benchmarks measure what their page says, and compare like with like."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks import planning
from benchmarks.__main__ import QUESTIONS
from benchmarks.deciding import walk
from benchmarks.measuring import Figure, Question
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import AutomatedEmail, Step
from sequencer.core.timeline import estimate

PAGE = (Path(__file__).resolve().parent.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")


def test_the_page_lists_every_question():
    """What can be asked stands in the table of the page, in the same order, and nothing else does."""
    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE) == list(QUESTIONS)


@given(minutes=st.integers(0, 5 * 525_600), days=st.integers(1, 12))
def test_both_closed_forms_are_the_same_arithmetic(minutes, days):
    """The plain and the pendulum closed form give the instants that the core gives, so the comparison is fair."""
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ours = estimate(Calendar(planning.ZONE), Step(AutomatedEmail(1), Weekdays(days)), to_instant(moment))

    assert ours == planning.plain(moment, days)


def test_the_walk_lives_a_whole_life():
    """The decisions that are timed take an enrollment of six steps from its first hand-over to its end."""
    *_, (enrollment, signal, now) = walk()

    assert len(enrollment.steps) == 6
    assert advance(enrollment, signal, now).enrollment.is_finished


def test_a_missed_bar_says_so():
    """A figure beyond its bar does not hold, in whichever direction the bar goes."""
    figure = Figure(3.0, {})

    assert not Question("most", "", 2, lambda: figure).answer()["holds"]
    assert Question("most", "", 3, lambda: figure).answer()["holds"]
    assert not Question("least", "", 4, lambda: figure, at_least=True).answer()["holds"]
