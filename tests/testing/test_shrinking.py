"""What the strategies shrink to: the smallest thing that is still wrong is one that a person can look at."""

from __future__ import annotations

from contextlib import suppress

import pendulum
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Calendar,
    Hours,
    IllegalTransition,
    InvalidInput,
    Policy,
    Resource,
    Sequence,
    Step,
    Window,
)
from sequencer.core.days import WEEKDAYS
from sequencer.core.events import replay
from sequencer.core.lifecycle import advance
from sequencer.testing import strategies
from sequencer.testing.laws import impersonal

# Explaining takes far longer than shrinking.
SHORTLY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
MAIL = Step(AutomatedEmail(0))


def smallest(strategy, wrong=lambda value: True):
    return find(strategy, wrong, settings=SHORTLY)


@pytest.mark.parametrize(
    ("name", "minimal"),
    [
        ("zones", "UTC"),
        ("starts", MONDAY),
        ("delays", Hours(0)),
        ("windows", Window(WEEKDAYS, "09:00", "17:00")),
        ("calendars", Calendar("UTC")),
        ("policies", Policy()),
        ("steps", MAIL),
        ("resources", Resource("lead", 0)),
        ("sequences", Sequence("0", [MAIL])),
    ],
)
def test_the_smallest_of_all(name, minimal):
    """Where anything is wrong, the example is the plainest thing of its kind."""
    assert smallest(getattr(strategies, name)()) == minimal


def test_a_sequence_of_steps_has_plain_ones():
    """An example that needs three steps has three mails at once, on the default calendar."""
    assert smallest(strategies.sequences(), lambda found: len(found.steps) == 3) == Sequence("0", [MAIL] * 3)


def test_a_calendar_keeps_only_what_it_is_about():
    """An example about windows has one, from nine to five; one about holidays has one, on the first day."""
    window = smallest(strategies.calendars(), lambda found: found.send_windows)
    holiday = smallest(strategies.calendars(), lambda found: found.holidays)

    assert window == Calendar("UTC", send_windows=[Window(WEEKDAYS[:5], "09:00", "17:00")])
    assert holiday == Calendar("UTC", holidays=[MONDAY.date()])


def test_a_start_in_a_zone_with_changes():
    """An example that must lie near a clock change lies upon the one that is nearest to the present."""
    change = pendulum.datetime(2026, 3, 29, 1, tz="UTC")

    found = smallest(strategies.starts(timezone="Europe/Berlin"), lambda at: abs((at - change).total_seconds()) < 60)

    assert found == change


@pytest.mark.parametrize(
    "wrong",
    [
        lambda found: True,
        lambda found: found.state == "blocked",
        lambda found: found.state == "finished",
        lambda found: any(step.status == "completed" for step in found.steps),
    ],
    ids=["any", "blocked", "finished", "completed"],
)
def test_an_enrollment_has_lived_no_longer_than_it_must(wrong):
    """An example in a situation has one step or two, and went there straight: in some three events."""
    found = smallest(strategies.enrollments(), wrong)

    assert len(found.steps) <= 2
    assert found.revision <= 5


@given(st.data(), st.sampled_from(["active", "blocked", "finished"]))
def test_an_enrollment_is_in_the_state_that_was_asked_for(data, state):
    """With `states`, an enrollment is in one of those."""
    assert data.draw(strategies.enrollments(states=st.just(state))).state == state


@given(strategies.histories())
def test_a_history_replays(history):
    """The events of a history make the same enrollment, less what is personal."""
    enrollment, events = history

    assert replay(enrollment.version, events) == impersonal(enrollment)


@given(strategies.enrollments(), st.data())
def test_a_signal_is_one(enrollment, data):
    """What fits an enrollment can be said to it, and changes it or is refused by name; so can what fits nobody."""
    for signal in (data.draw(strategies.signals(enrollment=enrollment)), data.draw(strategies.signals())):
        with suppress(IllegalTransition, InvalidInput):
            advance(enrollment, signal, enrollment.updated_at)


def test_starts_lie_near_the_edges_of_a_sequence():
    """Near a sequence with windows, starts at the very minute of an opening occur."""
    calendar = Calendar("Asia/Tokyo", send_windows=[Window(["mon"], "10:07", "11:00")])
    near = strategies.starts(near=Sequence("S", [MAIL], calendar=calendar))

    found = find(near, lambda at: calendar.local(at).strftime("%H:%M") == "10:07", settings=SHORTLY)

    assert calendar.local(found).strftime("%H:%M") == "10:07"


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: strategies.sequences(steps=[MAIL]), "steps"),
        (lambda: strategies.sequences(min_steps=0), "min_steps"),
        (lambda: strategies.sequences(min_steps=3, max_steps=2), "min_steps"),
        (lambda: strategies.sequences(max_steps="5"), "max_steps"),
        (lambda: strategies.starts(near="Europe/Warsaw"), "near"),
        (lambda: strategies.starts(timezone="Mars/Base"), "timezone"),
        (lambda: strategies.hours(max_value=-1), "max_value"),
        (lambda: strategies.delays(max_weekdays=2_611), "max_value"),
        (lambda: strategies.signals(enrollment=1), "enrollment"),
        (lambda: strategies.enrollments(states="active"), "states"),
        (lambda: strategies.lines(max_size=0), "max_size"),
        (lambda: strategies.steps(delays=Hours(1)), "delays"),
    ],
)
def test_arguments_are_looked_at_at_the_door(make, path):
    """What is wrong with an argument is said by name when the strategy is made, not when it is drawn from."""
    with pytest.raises(InvalidInput, match=path):
        make()
