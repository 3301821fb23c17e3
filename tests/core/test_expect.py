"""`Expect` says in Python what a definition file says."""

from __future__ import annotations

import datetime as dt

import pytest

from sequencer import DefinitionError, Hours, InvalidInput, Weekdays
from sequencer.core.expect import Expect
from sequencer.core.expectations import EXPECTATIONS, to_expectations

SAID = {
    "min_between_emails": (Expect.min_between_emails(Hours(24)), {"hours": 24}),
    "max_between_emails": (Expect.max_between_emails(Weekdays(5)), {"weekdays": 5}),
    "min_between_steps": (Expect.min_between_steps(Hours(0.5)), {"hours": 0.5}),
    "max_between_steps": (Expect.max_between_steps(Weekdays(5)), {"weekdays": 5}),
    "min_duration": (Expect.min_duration(Weekdays(5)), {"weekdays": 5}),
    "max_duration": (Expect.max_duration(Weekdays(30)), {"weekdays": 30}),
    "first_touch_within": (Expect.first_touch_within(Hours(2)), {"hours": 2}),
    "max_emails": (Expect.max_emails(3, days=7), {"count": 3, "days": 7}),
    "no_email_on": (Expect.no_email_on(days=["fri"], since=dt.time(15)), {"days": ["fri"], "from": "15:00"}),
    "no_task_on": (Expect.no_task_on(dates=[dt.date(2026, 12, 24)]), {"dates": ["2026-12-24"]}),
    "local_hours": (Expect.local_hours("08:00", dt.time(18)), {"from": "08:00", "to": "18:00"}),
    "ends_by": (Expect.ends_by(dt.date(2026, 12, 24)), "2026-12-24"),
    "stops_on": (Expect.stops_on("unsubscribed", "replied"), ["replied", "unsubscribed"]),
}


def test_everything_can_be_said():
    """There is a way to say each kind of expectation, and no other."""
    said = {name for name in vars(Expect) if not name.startswith("_")}

    assert said == set(EXPECTATIONS) == set(SAID)


@pytest.mark.parametrize("kind", SAID)
def test_it_is_what_a_file_says(kind):
    """What is said in Python is the expectation that a definition file has, in its one spelling."""
    said, value = SAID[kind]

    assert to_expectations([said]) == to_expectations([{kind: value}]) == [{kind: value}]


@pytest.mark.parametrize(
    "say",
    [
        lambda: Expect.max_duration(30),
        lambda: Expect.max_duration({"weekdays": 30}),
        Expect.no_email_on,
        lambda: Expect.no_email_on(days="fri"),
        lambda: Expect.no_email_on(days=["friday"]),
        lambda: Expect.no_task_on(dates=["2026-02-30"]),
        lambda: Expect.max_emails(-1, days=7),
        lambda: Expect.local_hours("18:00", "08:00"),
        Expect.stops_on,
        lambda: Expect.stops_on("reply"),
    ],
    ids=[
        "a number",
        "a mapping",
        "nothing",
        "text",
        "no weekday",
        "no date",
        "a negative",
        "backwards",
        "none",
        "unknown",
    ],
)
def test_what_makes_no_sense_is_refused(say):
    """What no file could say is refused in Python, too."""
    with pytest.raises((InvalidInput, DefinitionError)):
        say()
