"""An engine on a Wednesday morning, an application over it, and a client."""

from __future__ import annotations

import pendulum
import pytest

from sequencer import (
    AutomatedEmail,
    Engine,
    Hours,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    Sequence,
    Step,
    Task,
    Template,
    Weekdays,
)
from sequencer.http import application, open_access
from sequencer.http.limits import Limits
from tests.http.driving import client_of

NOON = pendulum.datetime(2020, 6, 3, 12, tz="UTC")
UNLIMITED = Limits(rate=None, unauthorized_rate=None)


@pytest.fixture
def clock():
    return ManualClock(NOON)


@pytest.fixture
def mailer():
    return RecordingMailer()


@pytest.fixture
def engine(clock, mailer):
    store = MemoryStore()
    yield Engine(store=store, mailer=mailer, clock=clock)
    store.close()


@pytest.fixture
def app(engine):
    return application(engine, access=open_access(actor_id=1700155), limits=UNLIMITED, inspector=False)


@pytest.fixture
def client(app):
    with client_of(app) as client:
        yield client


def two_steps(name="My sequence", **fields):
    """A mail at once, and a task two working days later."""
    return Sequence(
        name,
        [Step(AutomatedEmail(398744), Weekdays(0)), Step(Task("Call the lead"), Weekdays(2))],
        templates={398744: Template("Hello", "Hi")},
        **fields,
    )


def tasks(name="Tasks", count=1):
    return Sequence(name, [Step(Task("Call"), Hours(1)) for _ in range(count)])
