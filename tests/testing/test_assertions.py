"""The assertions pass where what they say is so; where it is not, their failure tells the whole story."""

from __future__ import annotations

import re

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    InvalidInput,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    Replied,
    Resource,
    Sequence,
    Step,
    Task,
    Template,
    Weekdays,
    plan,
)
from sequencer.testing import assert_history, assert_plan, assert_sent, assert_state, strategies
from sequencer.testing.assertions import _first_missed

INBOUND = Sequence(
    "Inbound",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Call"), after=Weekdays(1)),
        Step(AutomatedEmail(2), after=Hours(2)),
    ],
    calendar=Calendar("Europe/Warsaw"),
    templates={1: Template("Your request", "When?"), 2: Template("Thank you", "Bye.")},
)
FRIDAY = "2026-03-27 14:30"
PLANNED = ["2026-03-27 14:30", "2026-03-30 14:30", "2026-03-30 16:30"]


@pytest.fixture
def mailer():
    return RecordingMailer()


@pytest.fixture
def engine(mailer):
    return Engine(MemoryStore(), mailer=mailer, clock=ManualClock(pendulum.parse("2026-03-27T14:30:00+01:00")))


@pytest.fixture
def ada(engine):
    ada = engine.enroll(INBOUND, Resource("lead", 1, email="Ada@example.com"))
    engine.tick()
    return ada.id


def test_a_plan_is_as_it_was_said():
    """A plan is compared with local times, with instants, and only where it matters."""
    timeline = assert_plan(INBOUND, start=FRIDAY, is_at=PLANNED)

    assert timeline == plan(INBOUND, timeline.started_at)
    assert_plan(INBOUND, start=FRIDAY, is_at=[None, None, pendulum.datetime(2026, 3, 30, 14, 30, tz="UTC")])
    assert_plan(INBOUND, start=FRIDAY, is_at=[None, PLANNED[1], "2026-04-01 02:00"], done={1: "2026-04-01 00:00"})
    assert_plan(
        INBOUND, start="2026-03-27 14:30+01:00", is_at=["2026-03-27 09:30", None, None], timezone="America/New_York"
    )


def test_a_plan_that_is_another_one_is_shown():
    """The failure names each step that is elsewhere, and shows the plan with what moved it."""
    with pytest.raises(AssertionError) as failed:
        assert_plan(INBOUND, start=FRIDAY, is_at=[*PLANNED[:1], "2026-03-28 14:30", PLANNED[2]])

    told = str(failed.value)
    assert "step 1 is at Mon 2026-03-30 14:30:00 CEST, not Sat 2026-03-28 14:30:00 CET" in told
    assert "> step 1 (task)" in told
    assert "  step 2 (mail)" in told
    assert "    - counts from step 0" in told
    with pytest.raises(AssertionError, match="it has 3 steps, not 2"):
        assert_plan(INBOUND, start=FRIDAY, is_at=PLANNED[:2])


def test_what_is_no_instant_is_refused():
    """A text that is no time, and a datetime without a zone, are refused by name."""
    with pytest.raises(InvalidInput, match="start: needs a time like"):
        assert_plan(INBOUND, start="Friday", is_at=PLANNED)
    with pytest.raises(InvalidInput, match=r"is_at\[0\]"):
        assert_plan(INBOUND, start=FRIDAY, is_at=[pendulum.naive(2026, 3, 27), None, None])


def test_a_state(engine, ada):
    """An enrollment's state, reason and step are compared, and the failure explains where it stands."""
    assert_state(engine, ada, "active", position=1)
    with pytest.raises(AssertionError) as failed:
        assert_state(engine, ada, "finished", reason="replied", position=2)

    assert "it is active; its reason is None, not 'replied'; its current step is 1, not 2" in str(failed.value)
    assert "Step 0 (mail 1) was accepted by the mailer" in str(failed.value)
    engine.handle(Replied(key="r", email="ada@example.com"))
    assert_state(engine, ada, "finished", reason="replied")


def test_a_history(engine, ada):
    """A history is compared in full, or with gaps; the failure shows it, and says from where on it is another one."""
    assert_history(engine, ada, ["enrolled", "email_requested", ..., ("email_sent", 0)])
    assert_history(engine, ada, ["enrolled", ...])
    with pytest.raises(AssertionError) as failed:
        assert_history(engine, ada, ["enrolled", ..., ("email_sent", 1)])

    told = str(failed.value)
    assert "is ('email_sent', 1), and nothing comes then" in told
    assert "email_sent (step 0)" in told
    assert "Fri 2026-03-27 14:30:00 CET" in told
    assert "Enrollment 1: lead 1 in 'Inbound'" in told


def test_mails(engine, mailer, ada):
    """The mails that left are compared by address or by any of their fields; the failure lists all of them."""
    assert_sent(mailer, ["ada@example.com"])
    assert_sent(mailer, [{"to": "ADA@example.com", "subject": "Your request", "position": 0}])
    with pytest.raises(AssertionError) as failed:
        assert_sent(mailer, ["ada@example.com", "bob@example.com"])
    assert "number 1 of what was expected is 'bob@example.com', and nothing comes then" in str(failed.value)
    assert "to Ada@example.com: 'Your request' (Inbound, enrollment 1, step 0)" in str(failed.value)
    with pytest.raises(AssertionError, match="no mail has left"):
        assert_sent(RecordingMailer(), ["ada@example.com"])
    with pytest.raises(AssertionError, match="no more was expected"):
        assert_sent(mailer, [])
    with pytest.raises(InvalidInput, match="no 'subjekt'"):
        assert_sent(mailer, [{"subjekt": "x"}])


@given(st.text("ab", max_size=6), st.lists(st.sampled_from(["a", "b", ...]), max_size=5))
def test_gaps_match_as_in_a_pattern(found, wanted):
    """What is wanted, with its gaps, is found wherever a regular expression of the same shape matches."""
    pattern = "".join(".*" if each is ... else str(each) for each in wanted)

    assert (_first_missed(found, wanted, str.__eq__) is None) == (re.fullmatch(pattern, found) is not None)


@settings(max_examples=25)
@given(strategies.sequences(max_steps=3), st.data())
def test_every_plan_is_its_own(sequence, data):
    """Whatever the sequence and the start, the plan passes the comparison with itself."""
    start = data.draw(strategies.starts(near=sequence))

    assert_plan(sequence, start=start, is_at=[step.estimated_execute_at for step in plan(sequence, start)])


def test_an_instant_may_be_a_text_for_expectations_too():
    """What is asserted of an expectation takes local times as text, as the other assertions do."""
    from sequencer import AutomatedEmail, Calendar, Hours, Sequence, Step, Task
    from sequencer.testing import assert_expected

    steps = [Step(Task("Call")), Step(AutomatedEmail(1), Hours(2))]
    sequence = Sequence("s", steps, calendar=Calendar("Europe/Warsaw"))
    hours = {"local_hours": {"from": "08:00", "to": "18:00"}}

    assert_expected(sequence, hours, start="2026-03-27 10:00", done={0: "2026-03-27 15:00"})
    with pytest.raises(AssertionError, match="step 1"):
        assert_expected(sequence, hours, start="2026-03-27 10:00", done={0: "2026-03-27 17:00"})
