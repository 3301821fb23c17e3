"""A corpus of designs: of those that are right nothing is refuted, and those with a seeded defect are all found out.

What a counterexample says is held against the engine that would run it, and that none is simpler against the naive
model, start by start. See `corpus/`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import attrs
import pytest
from pendulum import DateTime

from sequencer import Sequence, load, plan
from sequencer.cli import main
from sequencer.core.expectations import EXPECTATIONS, to_expectations
from sequencer.core.instants import to_instant
from sequencer.core.timeline import Timeline
from sequencer.core.values import thawed
from sequencer.design import Counterexample, Verdict, check, decide
from tests.design.corpus import DESIGNS, MUTANTS, TIGHTNESS, Mutant, design
from tests.design.naive import keeps, planned, starts
from tests.design.replaying import replay, report

SINCE = date(2026, 12, 7)
KINDS = ("delays", "units", "windows", "order", "zones", "holidays", "policies", "tasks", "assumptions")
mutants = pytest.mark.parametrize("mutant", MUTANTS, ids=str)


# -- the corpus -----------------------------------------------------------------------------------------------


def test_the_corpus_is_large_enough():
    """There are at least thirty designs and sixty mutants, five of each kind, and all kinds of expectations in both."""
    assert len(DESIGNS) >= 30
    assert len(MUTANTS) == len({str(mutant) + str(mutant.breaks) for mutant in MUTANTS}) >= 60
    assert {kind: n for kind, n in Counter(each.kind for each in MUTANTS).items() if n >= 5}.keys() == set(KINDS)
    assert {kind for name in DESIGNS for expect in design(name).expect for kind in expect} == set(EXPECTATIONS)
    assert {kind for mutant in MUTANTS for kind in mutant.breaks} == set(EXPECTATIONS)
    assert TIGHTNESS.keys() == set(EXPECTATIONS)


def test_mutants_break_what_their_base_is_expected_to_keep():
    """What a mutant breaks is one of the expectations of its base, word for word."""
    for mutant in MUTANTS:
        assert settled(mutant.breaks) in [thawed(expect) for expect in design(mutant.base).expect], str(mutant)


# -- designs that are right -----------------------------------------------------------------------------------


def due(name: str) -> list[str]:
    """The verdicts that are due: everything is proved, but where tasks may be late, and it may matter."""
    sequence = design(name)
    late = "tasks_done_within" in sequence.assume and any(not step.is_email for step in sequence.steps)
    return ["proved", "not refuted"] if late else ["proved"]


@pytest.mark.parametrize("name", DESIGNS)
def test_a_right_design_is_not_refuted(name):
    """No expectation of a right design is refuted, in some zones and for a year; without late tasks each is proved."""
    checked = check(design(name), since=SINCE)

    assert [str(verdict) for verdict in checked.verdicts if verdict.verdict not in due(name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_a_right_design_is_not_refuted_anywhere(name):
    """No expectation of a right design is refuted, in any zone and for two years; without late tasks each is proved."""
    checked = check(design(name), profile="thorough", since=SINCE)

    assert [str(verdict) for verdict in checked.verdicts if verdict.verdict not in due(name)] == []


@pytest.mark.parametrize("kind", EXPECTATIONS)
def test_expectations_are_tight_and_loose(kind):
    """Of each kind one expectation is kept so narrowly that the least more is refuted, and one with room to spare."""
    for form, more, refuted in (("tight", "not", True), ("loose", "even", False)):
        row = TIGHTNESS[kind][form]
        sequence = design(row["design"])
        assert settled({kind: row["keeps"]}) in [thawed(expect) for expect in sequence.expect]
        verdict = decide(sequence, settled({kind: row[more]}), since=SINCE)
        assert verdict.refuted == refuted, str(verdict)


# -- mutants --------------------------------------------------------------------------------------------------


def settled(expect: dict[str, Any]) -> dict[str, Any]:
    """An expectation in its one spelling."""
    (found,) = to_expectations([expect])
    return found


@attrs.frozen
class Found:
    """A mutant in a file, and what has been found out about it."""

    file: str
    sequence: Sequence
    verdict: Verdict
    case: Counterexample


_found: dict[Mutant, Found] = {}


@pytest.fixture
def found(mutant: Mutant, tmp_path) -> Found:
    """A mutant with the counterexample that it must have; looked for once."""
    if mutant not in _found:
        file = mutant.write(tmp_path)
        sequence = load(file)
        verdict = decide(sequence, mutant.breaks, since=SINCE)
        assert verdict.counterexample is not None, mutant.why
        _found[mutant] = Found(str(file), sequence, verdict, verdict.counterexample)
    return _found[mutant]


def instants(timeline: Timeline) -> list[tuple[DateTime, DateTime]]:
    """When each step comes, and when it is over."""
    return [(step.estimated_execute_at, step.over_at) for step in timeline]


@mutants
def test_a_mutant_is_found_out(mutant, found, capsys):
    """A seeded defect is found, and is real: the engine does what the counterexample says, and so does the command.

    For a report that does not stop: the engine goes on after it. And the test that one is given to keep fails.
    """
    case = found.case
    if case.reported is None:
        happened = replay(found.sequence, case)
        assert instants(happened) == instants(case.timeline)
        assert not keeps(found.sequence, happened, settled(mutant.breaks)), mutant.why
    else:
        after, end = report(found.sequence, case)
        assert not after.is_finished, mutant.why
        assert after.position == case.before_step
        assert [step.is_over for step in end.steps].count(True) == len(end.steps)
        assert end.steps[case.before_step].executed_at is not None

    _, *words = shlex.split(case.command(found.file))
    assert main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["steps"]
    assert [{key: step[key] for key in step if "day" not in key} for step in shown] == case.timeline.to_dict()["steps"]

    program: dict[str, Any] = {}
    exec(case.test(found.file, name="test_it"), program)
    with pytest.raises(AssertionError, match=re.escape(case.sentence)):
        program["test_it"]()


# How round a clock time is (see `searching`): hours, half hours, quarters, five minutes, minutes, seconds.
LEVELS = [timedelta(minutes=n) for n in (60, 30, 15, 5, 1)] + [timedelta(seconds=1)]


Span = tuple[DateTime, DateTime]


def simpler(found: Found, weeks: Span | None) -> Iterator[tuple[str, DateTime, frozenset[int]]]:
    """The cases that would be simpler than a counterexample: zones, starts and late tasks, as far as one can look.

    In hours, halves and quarters they lie in a span of time, or anywhere (None); in minutes on the days, and in seconds
    in the minutes about the start.
    """
    case, scope = found.case, found.verdict.scope
    wide = everywhen(found) if weeks is None else weeks
    days, minutes = around(case, hours=24), around(case, minutes=2)
    spans = [wide, wide, wide, days, days, minutes]
    zones = scope.timezones[: scope.timezones.index(case.timezone)]
    local = case.start.in_timezone(case.timezone).time()
    clock = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    level = next(i for i, every in enumerate(LEVELS) if not clock % every)
    none, late = frozenset[int](), frozenset(case.done)

    def cases(timezone: str, late: frozenset[int], span: Span, every: timedelta) -> Any:
        dates = (scope.since, scope.until)
        return ((timezone, at, late) for at in starts(found.sequence, timezone, dates, *span, every))

    if late:
        # Where no task is late, nothing may break it anywhere.
        for timezone in scope.timezones if weeks is None else [*zones, case.timezone]:
            yield from cases(timezone, none, wide, LEVELS[0])
    if instants(planned(found.sequence, case.start, case.timezone, late)) != instants(case.timeline):
        # Drawn, and not swept: with tasks that are done in between.
        return
    for timezone in zones:
        yield from cases(timezone, late, wide, LEVELS[0])
    for span, every in zip(spans[:level], LEVELS, strict=False):
        yield from cases(case.timezone, late, span, every)
    yield from cases(case.timezone, late, (spans[level][0], case.start), LEVELS[level])


def everywhen(found: Found) -> Span:
    """All that a verdict is about, in every zone."""
    since, until = (
        to_instant(datetime.combine(day, time(), UTC)) for day in (found.verdict.scope.since, found.verdict.scope.until)
    )
    return since.subtract(days=1), until.add(days=2)


def around(case: Counterexample, **span: int) -> Span:
    """So long before and after a start."""
    return case.start.subtract(**span), case.start.add(**span)


def assert_simplest(found: Found, weeks: Span | None) -> None:
    """Assert that no simpler case breaks what a counterexample does: in a span of time, or anywhere (None)."""
    expect = found.case.expect
    if "stops_on" in expect:
        # Whatever the start: it is the first one that there is.
        first, timezone, scope = everywhen(found)[0], found.sequence.calendar.timezone, found.verdict.scope
        earlier = starts(found.sequence, timezone, (SINCE, scope.until), first, found.case.start, LEVELS[-2])
        assert (found.case.timezone, list(earlier)) == (timezone, [])
        return
    for timezone, start, late in simpler(found, weeks):
        timeline = planned(found.sequence, start, timezone, late)
        assert keeps(found.sequence, timeline, expect), (start.in_timezone(timezone), late)


@mutants
def test_a_counterexample_is_simple(mutant, found):
    """No simpler zone, no rounder start and no earlier one breaks what a counterexample does, in the week before it."""
    since, until = around(found.case, hours=30)
    assert_simplest(found, (since.subtract(days=7), until))


@pytest.mark.parametrize("mutant", MUTANTS[:1], ids=str)
def test_a_case_that_is_not_the_simplest_is_seen(mutant, found):
    """What looks for simpler cases sees that there is an earlier one, and a rounder one."""
    for minutes in (60, 7):
        start = found.case.start.add(minutes=minutes)
        timeline = plan(found.sequence, start, timezone=found.case.timezone)
        later = attrs.evolve(found.case, start=start, timeline=timeline)
        with pytest.raises(AssertionError):
            assert_simplest(attrs.evolve(found, case=later), around(later, hours=24))


@pytest.mark.slow
@mutants
def test_a_counterexample_is_the_simplest(mutant, found):
    """No simpler zone, no rounder start and no earlier one breaks what a counterexample does, in the whole year."""
    assert_simplest(found, None)


@pytest.mark.slow
@mutants
def test_a_mutant_is_found_out_thoroughly(mutant, tmp_path):
    """The thorough search finds each mutant out as well, and its counterexample is what happens."""
    sequence = load(mutant.write(tmp_path))
    case = decide(sequence, mutant.breaks, profile="thorough", since=SINCE).counterexample

    assert case is not None, mutant.why
    if case.reported is None:
        assert instants(replay(sequence, case)) == instants(case.timeline)
        assert not keeps(sequence, case.timeline, settled(mutant.breaks))
