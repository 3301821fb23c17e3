"""T10: every estimate can explain itself, from the same computation and in the order applied."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.timeline import estimate, explain_following, plan, seen_at
from sequencer.core.windows import Window
from sequencer.testing.strategies import histories
from tests.timing import oracle
from tests.timing.oracle import WEEKDAYS
from tests.timing.strategies import delays, situations
from tests.timing.test_plans import steps

WEEK = list(WEEKDAYS)
EMAIL, TASK = AutomatedEmail(1), Task("Call")


@given(situations(), delays(), st.booleans())
def test_t10_reasons_do_not_change_the_instant(situation, delay, email):
    """T10: computing with reasons gives the same instant as without."""
    calendar, moment = situation
    reasons: list[str] = []

    after = calendar.after(moment, delay, reasons)
    opening = calendar.next_open(after, email=email, reasons=reasons)

    assert after == calendar.after(moment, delay)
    assert opening == calendar.next_open(after, email=email)


@given(situations(), steps())
def test_t10_every_planned_step_has_reasons(situation, some):
    """T10: every step of a plan says what its delay counts from; without reasons the plan has the same instants."""
    calendar, start = situation
    sequence = Sequence("s", some, calendar=calendar)
    timeline, silent = plan(sequence, start=start), plan(sequence, start=start, reasons=False)

    assert [step.estimated_execute_at for step in timeline] == [step.estimated_execute_at for step in silent]
    for step in timeline:
        assert step.reasons
        assert all(isinstance(reason, str) and reason for reason in step.reasons)
        assert step.reasons[0].startswith(
            "counts from the start" if step.position == 0 else f"counts from step {step.position - 1}"
        )
    assert all(step.reasons == () for step in silent)


@given(situations(), delays(), st.booleans())
def test_t10_what_moved_has_a_reason(situation, delay, email):
    """T10: what moved the instant is a reason; where the calendar did not move it, it gives none."""
    calendar, moment = situation
    delayed: list[str] = []
    waited: list[str] = []

    after = calendar.after(moment, delay, delayed)
    opening = calendar.next_open(after, email=email, reasons=waited)

    assert delayed or after == moment
    assert bool(waited) == (opening != after)


@given(situations(), st.integers(0, 12))
def test_t10_weekends_holidays_and_gaps_are_all_named(situation, n):
    """T10: `Weekdays` names the skipped days if and only if it passed over some, and a time that did not exist."""
    calendar, moment = situation
    zone = calendar.timezone
    reasons: list[str] = []

    result = calendar.after(moment, Weekdays(n), reasons)

    before, after = oracle.local_of(zone, moment), oracle.local_of(zone, result)
    first = 1 if n else 0
    days = [before.date() + i * oracle.DAY for i in range(first, max(0, (after.date() - before.date()).days))]
    passed = [day for day in days if not calendar.is_working_day(day)]
    assert any("passes over" in reason for reason in reasons) == bool(passed)
    holidays = [day for day in passed if WEEKDAYS[day.weekday()] in calendar.working_days]
    assert all(any(day.isoformat() in reason for reason in reasons) for day in holidays[:5])
    if before.time() != after.time():
        assert any("does not exist" in reason for reason in reasons)


def reasons_of(calendar: Calendar, step: Step, start: str, **options) -> str:
    """The reasons of one step after a local time, each on a line of its own."""
    reasons: list[str] = []
    local = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(calendar.timezone))
    estimate(calendar, step, to_instant(local), reasons=reasons, **options)
    return "\n".join(reasons)


@pytest.mark.parametrize(
    ("calendar", "step", "start", "expected"),
    [
        (Calendar("Europe/Warsaw"), Step(TASK, Weekdays(1)), "2026-03-06T10:00", ["1 working day later", "weekend"]),
        (
            Calendar("Europe/Warsaw", holidays=["2026-03-09"]),
            Step(TASK, Weekdays(1)), "2026-03-06T10:00",
            ["1 working day later", "the weekend and the holiday 2026-03-09"],
        ),
        (
            Calendar("Europe/Warsaw", holidays=["2026-03-10", "2026-03-11"]),
            Step(TASK, Weekdays(1)), "2026-03-09T10:00", ["passes over the holidays 2026-03-10 and 2026-03-11"],
        ),
        (
            Calendar("Europe/Warsaw", working_days=["mon", "tue", "thu", "fri"]),
            Step(TASK, Weekdays(1)), "2026-03-10T10:00", ["passes over 1 day that is no working day"],
        ),
        (
            Calendar("Europe/Warsaw"), Step(TASK, Hours(24)), "2026-03-06T10:00:00.123456",
            ["24 hours later: Sat 2026-03-07 10:00:00+01:00", "weekend"],
        ),
        (Calendar("Europe/Warsaw"), Step(TASK, Hours(24)), "2026-03-06T10:00", ["24 hours later", "weekend"]),
        (
            Calendar("Europe/Warsaw", send_windows=[Window(["mon"], "09:00", "10:00")]),
            Step(EMAIL, Hours(1)), "2026-03-06T10:00",
            ["1 hour later", "passes over", "waits for the send window 09:00"],
        ),
        (
            Calendar("Europe/Warsaw", working_days=WEEK),
            Step(TASK, Weekdays(1)), "2026-03-28T02:30",
            ["1 working day later", "02:30 does not exist", "to Sun 2026-03-29 03:30"],
        ),
        (
            Calendar("Europe/Warsaw", working_days=WEEK),
            Step(TASK, Weekdays(1)), "2026-10-24T02:30", ["1 working day later", "02:30 comes twice", "first"],
        ),
        (
            Calendar("Europe/Warsaw", working_days=WEEK),
            Step(TASK, Hours(24)), "2026-03-28T10:00", ["24 hours later", "the clocks change by +60 minutes"],
        ),
        (
            Calendar("Pacific/Apia"), Step(TASK, Weekdays(1)), "2011-12-29T10:00",
            ["1 working day later", "weekend", "the clocks go forward on 2011-12-30"],
        ),
        (
            Calendar("Europe/Berlin", working_days=WEEK, send_windows=[Window(WEEK, "02:15", "02:45")]),
            Step(EMAIL), "2026-03-28T10:00", ["the clocks go forward on 2026-03-29", "send window 02:15"],
        ),
    ],
)  # fmt: skip
def test_t10_the_reasons_in_the_order_applied(calendar, step, start, expected):
    """T10: the delay, then each weekend, holiday, window and clock change that moved it, in that order."""
    text = reasons_of(calendar, step, start)

    places = [text.find(part) for part in expected]
    assert -1 not in places, text
    assert places == sorted(places), text


def test_t10_not_before_and_who_set_it():
    """T10: a `not_before` that deferred the step is a reason, with who set it; one that did not is none."""
    calendar, step = Calendar("Europe/Warsaw"), Step(TASK, Weekdays(1))
    later, earlier = pendulum.datetime(2026, 3, 14, 10), pendulum.datetime(2026, 3, 2)

    text = reasons_of(calendar, step, "2026-03-06T10:00", not_before=later, not_before_reason="cap")

    places = [text.find(part) for part in ("1 working day later", "not before 2026-03-14", "a cap", "2026-03-16")]
    assert -1 not in places
    assert places == sorted(places)
    assert "not before" not in reasons_of(
        calendar, step, "2026-03-06T10:00", not_before=earlier, not_before_reason="cap"
    )


def test_t10_many_holidays_are_counted():
    """T10: a long run of holidays is told in a line that stays short, and computed as fast as a short one."""
    year = [date(2027, 1, 1) + n * oracle.DAY for n in range(365)]
    text = reasons_of(Calendar("Europe/Warsaw", holidays=year), Step(TASK, Weekdays(1)), "2026-12-31T10:00")

    assert "2027-01-01" in text
    assert "and 256 more" in text
    assert len(text) < 400


def test_t10_reasons_show_whole_seconds():
    """T10: an instant with a fraction of a second is shown without it; what is computed keeps it."""
    start = pendulum.datetime(2026, 3, 6, 10, 0, 5, 123456)
    (step,) = plan(Sequence("One", [Step(TASK, Hours(1))]), start)

    assert step.estimated_execute_at.microsecond == 123456
    assert step.reasons[0] == "counts from the start, 2026-03-06T10:00:05+00:00"
    assert not any(".123" in reason for reason in step.reasons)


@given(histories(), st.integers(0, 400))
def test_t10_the_reasons_of_what_follows_are_those_of_its_estimates(lived, later):
    """T10: each step ahead that has an estimate has reasons, which begin where the step before it ends."""
    enrollment, _ = lived
    now = enrollment.updated_at.add(hours=later)
    seen = seen_at(enrollment, now)

    reasons = explain_following(seen, now)

    assert reasons == explain_following(enrollment, now)
    ahead = () if enrollment.is_finished else seen.steps[enrollment.position + 1 :]
    assert len(reasons) == sum(each.estimated_execute_at is not None for each in ahead)
    for step, said in zip(ahead, reasons, strict=False):
        assert said[0].startswith(f"counts from the end of step {step.position - 1}, ")
