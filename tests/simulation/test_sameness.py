"""The same call gives the same bytes everywhere, and what is simulated is what happens in real time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sequencer.adapters.recording import RecordingMailer
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.instants import between
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.signals import TaskCompleted
from sequencer.definitions.leads import Lead
from sequencer.engine.engine import Engine
from sequencer.simulation.scenario import Scenario
from sequencer.simulation.simulator import Simulator
from sequencer.simulation.spans import Span
from sequencer.simulation.study import Study
from sequencer.stores.sqlite import SQLiteStore
from tests.simulation.stories import START


def answered(folder: Path, name: str, **environment: str) -> tuple[bytes, bytes]:
    """What the command line prints as JSON, and the trace that it leaves, in such an environment."""
    trace = folder / f"{name}.jsonl"
    command = [sys.executable, "-m", "sequencer", "simulate", "sequence.json", "--enrollments", "120", "--json",
               "--start", "2026-03-23", "--runs", "2", "--seed", "5", "--workers", "1",
               "--trace", str(trace)]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout, trace.read_bytes()


def test_no_environment_changes_a_byte(tmp_path: Path) -> None:
    """Hash seeds, the machine's zone and its language have no part in what is answered, nor in the trace."""
    from sequencer.definitions import dumps

    steps = [Step(AutomatedEmail(1)), Step(Task("Zadzwoń"), Hours(5)), Step(AutomatedEmail(2), Hours(30))]
    sequence = Sequence("Żółw", steps, calendar=Calendar("America/New_York"), key="one")
    (tmp_path / "sequence.json").write_text(dumps(sequence, format="json"), encoding="utf-8")
    here = answered(tmp_path, "here", PYTHONHASHSEED="1", PYTHONUTF8="1")
    there = answered(
        tmp_path, "there", PYTHONHASHSEED="4242", TZ="Australia/Lord_Howe", LC_ALL="C", LANG="C", PYTHONUTF8="1"
    )
    assert here == there
    assert here[1].count(b"\n") > 120


class Desk:
    """A board on which tasks lie until somebody does them, so many seconds later."""

    def __init__(self) -> None:
        self.open: dict[int, float] = {}
        self.made = 0

    def create(self, task: Any, *, key: str) -> int:
        self.made += 1
        self.open[self.made] = time.monotonic()
        return self.made

    def cancel(self, task_id: Any) -> None:
        """Nothing is left of it."""
        self.open.pop(task_id, None)


@pytest.mark.parametrize("people", [3])
def test_real_time_makes_the_same_history(tmp_path: Path, people: int) -> None:
    """Without chance, the engine on SQLite in real seconds makes the history that is simulated, a moment later."""
    every = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    calendar = Calendar("Europe/Warsaw", working_days=every)
    steps = [
        Step(AutomatedEmail(1)),
        Step(Task("Call"), Hours(0.0003)),
        Step(AutomatedEmail(2), Hours(0.0002)),
    ]
    sequence, take = Sequence("Short", steps, calendar=calendar, key="short"), 0.5
    board = Desk()
    with closing(SQLiteStore(tmp_path / "crm.db")) as store:
        engine = Engine(store=store, mailer=RecordingMailer(deduplicates=True), tasks=board)
        made = [
            engine.enroll(sequence, resource=Resource("lead", id, email=f"l{id}@example.com"), actor_id=7)
            for id in range(1, people + 1)
        ]
        until = time.monotonic() + 20
        while not all(engine.get(each.id).is_finished for each in made):
            assert time.monotonic() < until, "two seconds of work are not done after twenty"
            engine.tick()
            for id in [id for id, at in board.open.items() if time.monotonic() - at >= take]:
                del board.open[id]
                engine.handle(TaskCompleted(key=f"done {id}", task_id=id))
            time.sleep(0.01)
        real = {each.id: list(engine.history(each.id)) for each in made}
    leads = [
        Lead("lead", n, email=f"l{n}@example.com", actor_id=7, enrolled_at=each.started_at)
        for n, each in enumerate(made, 1)
    ]

    scenario = Scenario.quiet(tasks_take=Span.fixed(minutes=take / 60))
    study = Study(sequences=(sequence,), scenario=scenario, start=START, leads=tuple(leads))
    simulator = Simulator(study.sequences, study.population(0).arrivals(0), scenario=scenario, keep_events=True).run()
    for each in made:
        simulated = [event for event in simulator.events if event.enrollment_id == each.id]
        assert [(e.number, e.type, e.position) for e in simulated] == [
            (e.number, e.type, e.position) for e in real[each.id]
        ]
        for ours, theirs in zip(simulated, real[each.id], strict=True):
            # Never early; late by what the loop and the machine take for so many steps.
            assert timedelta(0) <= between(ours.at, theirs.at) < timedelta(seconds=10)
        with closing(SQLiteStore(tmp_path / "crm.db")) as store:
            happened = Engine(store=store).get(each.id)
        foretold = next(one for one in simulator.enrollments if one.id == each.id)
        assert happened.finished_reason == foretold.finished_reason == "completed"
        for enrollment in (happened, foretold):
            bases = [enrollment.started_at, *(step.executed_at for step in enrollment.steps)]
            waits = [
                between(base, step.estimated_execute_at) for base, step in zip(bases, enrollment.steps, strict=False)
            ]
            assert waits == [timedelta(0), timedelta(seconds=1.08), timedelta(seconds=0.72)]
