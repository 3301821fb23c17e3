"""Pieces of starts are what the core says of each start: they tile a stretch, and go straight on each piece."""

from __future__ import annotations

from datetime import timedelta

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import FIRST, from_microseconds, to_microseconds
from sequencer.core.sequence import Step, Task
from sequencer.core.timeline import plan
from sequencer.design.deciding.courses import Courses
from sequencer.design.deciding.ground import DAY, MINUTE, SECOND, Ground
from sequencer.design.deciding.pieces import pieces
from tests.design.strategies import designs

EPOCH = to_microseconds(FIRST)


def moments_of(timeline):
    """The moments of a timeline, as a piece has them."""
    steps = [at for step in timeline for at in (step.estimated_execute_at, step.over_at)]
    return tuple(to_microseconds(at) for at in (timeline.started_at, *steps))


@settings(max_examples=60)
@given(designs(), st.integers(1, 3 * 1440), st.data())
def test_t6_a_piece_is_what_the_core_says_of_each_start(design, minutes, data):
    """T6: pieces follow each other without a gap, and each start's timeline is, to the microsecond, the core's."""
    sequence, moment = design
    first = to_microseconds(moment)
    end = first + minutes * MINUTE
    ground = Ground(sequence.calendar, first)

    found = list(pieces(sequence, Courses(ground), first, end))

    assert [first, *(piece.end for piece in found)] == [*(piece.first for piece in found), end]
    for piece in data.draw(st.lists(st.sampled_from(found), max_size=5)):
        near = (piece.first + 1, piece.first + SECOND, piece.end - 1, piece.end - 1 - SECOND)
        inside = [at for at in (piece.first, *near) if piece.first <= at < piece.end]
        for start in [*inside, data.draw(st.integers(piece.first, piece.end - 1))]:
            assert piece.of(start) == moments_of(plan(sequence, from_microseconds(start), reasons=False))


SOMETIMES = st.none() | st.sampled_from([Weekdays(0), Weekdays(2), Hours(0), Hours(29.5), Hours(70)])


@settings(max_examples=30)
@given(designs(), st.sampled_from([Weekdays(1), Weekdays(3), Hours(30)]), SOMETIMES, st.data())
def test_t6_late_tasks_move_what_follows(design, delay, skip_after, data):
    """T6, L4: where a task is done so late, or skipped before that, what follows counts from there, in pieces too."""
    sequence, moment = design
    steps = [s if s.is_email else Step(Task("Call", skip_after=skip_after), s.after) for s in sequence.steps]
    sequence = attrs.evolve(sequence, steps=steps)
    late = [None if step.is_email else delay for step in sequence.steps]
    first = to_microseconds(moment)
    ground = Ground(sequence.calendar, first)

    for piece in pieces(sequence, Courses(ground), first, first + DAY, late):
        start = data.draw(st.integers(piece.first, piece.end - 1))
        moments = piece.of(start)
        done = {i: from_microseconds(moments[2 * i + 2]) for i, each in enumerate(late) if each is not None}
        for i, at in done.items():
            comes = from_microseconds(moments[2 * i + 1])
            assert at == min(sequence.calendar.after(comes, each) for each in (delay, skip_after) if each is not None)
        assert moments == moments_of(plan(sequence, from_microseconds(start), reasons=False, done=done))


def test_an_ordinary_week_has_few_pieces():
    """A week of mails in office hours falls into some pieces a day, not into one a minute."""
    from sequencer import AutomatedEmail, Calendar, Sequence, Step, Window

    office = Window(["mon", "tue", "wed", "thu", "fri"], "09:00", "17:00")
    steps = [
        Step(AutomatedEmail(1), Hours(0)),
        Step(AutomatedEmail(2), Weekdays(2)),
        Step(AutomatedEmail(3), Hours(30)),
    ]
    sequence = Sequence("s", steps, calendar=Calendar("Europe/Warsaw", send_windows=[office]))
    monday = to_microseconds(from_microseconds(EPOCH) + timedelta(days=4 + 52 * 7))

    found = list(pieces(sequence, Courses(Ground(sequence.calendar, monday)), monday, monday + 7 * DAY))

    assert 10 < len(found) < 40
