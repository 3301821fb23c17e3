"""The installed package without any extra: it imports, and plans and runs a sequence."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys

import pendulum

import sequencer
from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    ManualClock,
    MemoryStore,
    RecordingMailer,
    RecordingTaskBoard,
    Resource,
    Sequence,
    Step,
    Task,
    Weekdays,
    plan,
)

assert "site-packages" in str(sequencer.__file__), sequencer.__file__

# What pip brings along itself, what was asked for, and what that asks for in turn.
known = {"pip", "setuptools", "sequencer", "attrs", "pendulum", "transitions", "tzdata", "python-dateutil", "six"}
installed = {each.name.lower() for each in importlib.metadata.distributions()}
assert installed <= known, f"the core brings along {sorted(installed - known)}"

for extra in ("yaml", "rich", "holidays", "numpy", "icalendar"):
    assert importlib.util.find_spec(extra) is None, extra

start = pendulum.datetime(2026, 3, 27, 16, 30, tz="Europe/Warsaw")
sequence = Sequence(
    "Inbound",
    [Step(AutomatedEmail(template_id=1), after=Hours(0)), Step(Task("Call the lead"), after=Weekdays(2))],
    calendar=Calendar("Europe/Warsaw"),
)
timeline = plan(sequence, start=start)
tuesday = pendulum.datetime(2026, 3, 31, 16, 30, tz="Europe/Warsaw")
assert timeline[1].estimated_execute_at == tuesday, timeline

clock = ManualClock(start)
mailer, tasks = RecordingMailer(), RecordingTaskBoard()
engine = Engine(store=MemoryStore(), mailer=mailer, tasks=tasks, clock=clock)
engine.enroll(sequence, resource=Resource("lead", 42, email="ada@example.com"), actor_id=7)
engine.run_until(tuesday)
assert len(mailer.sent) == 1, mailer.sent

print(f"sequencer {importlib.metadata.version('sequencer')} works on Python {sys.version.split()[0]} without extras")
