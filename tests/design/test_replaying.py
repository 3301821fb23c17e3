"""Counterexamples of any design are what the engine does, with tasks that are late, or skipped before they are done."""

from __future__ import annotations

from datetime import timedelta

import attrs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sequencer import Hours, Step, Task, Weekdays
from sequencer.core.expectations import to_expectations
from sequencer.design.deciding.scope import to_scope
from sequencer.design.deciding.searching import decide_all
from tests.design.naive import keeps
from tests.design.replaying import replay
from tests.design.strategies import designs, expectations

SKIPPED = st.none() | st.sampled_from([Hours(0), Hours(30.5), Weekdays(1), Weekdays(3)])


@settings(max_examples=40)
@given(designs(), st.data())
def test_what_refutes_is_what_happens(design, data):
    """What refutes an expectation of any design happens so in the engine, to the microsecond, and breaks it there."""
    sequence, moment = design
    assume(1971 < moment.year < 8990)
    steps = [
        step if step.is_email else Step(Task("Call", skip_after=data.draw(SKIPPED)), step.after)
        for step in sequence.steps
    ]
    within = data.draw(st.sampled_from([{"hours": 0}, {"hours": 5}, {"weekdays": 2}]))
    sequence = attrs.evolve(sequence, steps=steps, assume={"tasks_done_within": within})
    since = moment.in_timezone(sequence.calendar.timezone).date() - timedelta(days=data.draw(st.integers(0, 12)))
    expects = to_expectations([data.draw(expectations([str(since + timedelta(days=9))])) for _ in range(4)])
    scope = attrs.evolve(to_scope(sequence, since=since, timezones=[sequence.calendar.timezone]), weeks=1)

    for verdict in decide_all(sequence, expects, scope):
        if verdict.counterexample is not None:
            case = verdict.counterexample
            happened = replay(sequence, case)
            assert [(step.estimated_execute_at, step.over_at) for step in happened] == [
                (step.estimated_execute_at, step.over_at) for step in case.timeline
            ]
            assert not keeps(sequence, happened, verdict.expect)
