"""A counterexample that is kept as a test fails for what it says, and for nothing else."""

from __future__ import annotations

from datetime import date

import pendulum
import pytest

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.design import decide
from sequencer.testing import assert_expected

MONDAY = pendulum.datetime(2026, 1, 5)
BRIEF = {"max_duration": {"weekdays": 2}}
CALENDAR = Calendar("Europe/Warsaw")
ASSUME = {"tasks_done_within": {"weekdays": 5}}
CALLED = Sequence(
    "Called",
    [Step(AutomatedEmail(1)), Step(Task("Call"), after=Weekdays(1)), Step(AutomatedEmail(2), after=Weekdays(1))],
    calendar=CALENDAR,
    assume=ASSUME,
)


@pytest.mark.parametrize(
    "expect",
    [BRIEF, {"max_between_emails": {"weekdays": 3}}, {"no_email_on": {"days": ["thu"]}}],
    ids=lambda expect: next(iter(expect)),
)
def test_a_counterexample_fails_as_it_was_found(expect):
    """The case of a refuted expectation fails with its sentence and its timeline; elsewhere it holds."""
    case = decide(CALLED, expect, since=date(2026, 1, 5)).counterexample
    assert case is not None

    with pytest.raises(AssertionError) as caught:
        assert_expected(CALLED, expect, start=case.start, timezone=case.timezone, done=case.done)
    assert str(caught.value) == str(case)
    shorter = Sequence("Called", CALLED.steps[:1], calendar=CALENDAR)
    assert_expected(shorter, BRIEF, start=case.start, timezone=case.timezone)


@pytest.mark.parametrize(
    ("expect", "start", "done", "error"),
    [
        ({"max_duration": {"weeks": 2}}, MONDAY, {}, DefinitionError),
        (BRIEF, pendulum.naive(2026, 1, 5), {}, InvalidInput),
        (BRIEF, MONDAY, {0: MONDAY.add(years=1)}, InvalidInput),
        (BRIEF, MONDAY, {1: MONDAY}, InvalidInput),
    ],
    ids=["no-expectation", "naive", "no-task", "too-early"],
)
def test_what_makes_no_sense_is_no_failure(expect, start, done, error):
    """What is no expectation, no instant and no task is an error of its own, not a promise that was broken."""
    with pytest.raises(error):
        assert_expected(CALLED, expect, start=start, done=done)
