"""Designs near clock changes and holidays, with what may be expected of them."""

from __future__ import annotations

from hypothesis import strategies as st

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.windows import Window
from sequencer.testing.strategies import calendars, hours, starts, weekdays, zones
from tests.timing import oracle

HOURS = st.sampled_from(["00:00", "02:00", "08:00", "09:30", "12:00", "17:00", "23:00"])
SPANS = (
    st.tuples(HOURS, HOURS | st.just("24:00"))
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: {"from": pair[0], "to": pair[1]})
)
DAYS = st.lists(st.sampled_from(oracle.WEEKDAYS), min_size=1, max_size=3, unique=True).map(lambda days: {"days": days})
DURATIONS = st.one_of(
    st.integers(0, 120).map(lambda n: {"hours": n}),
    st.integers(1, 200).map(lambda quarters: {"hours": quarters / 4}),
    st.integers(0, 15).map(lambda n: {"weekdays": n}),
)
KINDS = [
    "min_between_emails", "max_between_emails", "min_between_steps", "max_between_steps", "min_duration",
    "max_duration", "first_touch_within",
]  # fmt: skip


def expectations(dates: list[str]):
    """One expectation, of any kind that timelines decide; some are about dates."""
    never = st.one_of(
        DAYS, SPANS, st.builds(lambda days, span: days | span, DAYS, SPANS),
        st.lists(st.sampled_from(dates), min_size=1, max_size=2, unique=True).map(lambda some: {"dates": some}),
    )  # fmt: skip
    return st.one_of(
        st.builds(lambda kind, value: {kind: value}, st.sampled_from(KINDS), DURATIONS),
        st.builds(lambda n, days: {"max_emails": {"count": n, "days": days}}, st.integers(0, 3), st.integers(1, 10)),
        st.builds(lambda kind, value: {kind: value}, st.sampled_from(["no_email_on", "no_task_on"]), never),
        SPANS.map(lambda span: {"local_hours": span}),
    )


@st.composite
def designs(draw, *, zone: str | None = None, most: int = 4):
    """A sequence of a few steps and a moment: what is odd about its calendar lies near that moment."""
    zone = draw(zones()) if zone is None else zone
    moment = draw(starts(timezone=zone))
    calendar = draw(calendars(timezones=st.just(zone), around=moment))
    actions = st.sampled_from([AutomatedEmail(1), AutomatedEmail(1), Task("Call")])
    step = st.builds(Step, actions, st.one_of(hours(max_value=24 * 4), weekdays(max_value=5)))
    steps = draw(st.lists(step, min_size=1, max_size=most))
    return Sequence("Design", steps, calendar=calendar), moment


def lagging(**fields) -> Sequence:
    """A design of which an earlier start may be over weeks after a later one, with people enrolled until a Saturday.

    Who starts after the window on Monday misses that of step 1, too, and so at every second step; who starts on Sunday
    never does.
    """
    windows = [Window(["mon"], "09:00", "13:00"), Window(["sat"], "14:00", "24:00"), Window(["sun"], "00:00", "24:00")]
    calendar = Calendar("UTC", send_days=["mon", "sat", "sun"], send_windows=windows, **fields)
    rounds = [Step(AutomatedEmail(1), delay) for _ in range(5) for delay in (Weekdays(1), Hours(144))]
    assumed = {"enrolled": {"until": "2027-02-06"}, "timezones": ["UTC"]}
    return Sequence("Lagging", [Step(AutomatedEmail(1)), *rounds], calendar=calendar, assume=assumed)
