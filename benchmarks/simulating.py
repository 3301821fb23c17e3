"""A simulated step beside a bare timeout of simpy's, a large population on one core and on all, and a doubled one."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.deciding import six_steps
from benchmarks.measuring import Figure, Question, seconds
from sequencer.core.instants import to_instant
from sequencer.examples import path
from sequencer.simulation.answers import Answers
from sequencer.simulation.population import Arrival
from sequencer.simulation.scenario import Scenario
from sequencer.simulation.simulator import Simulator
from sequencer.simulation.study import Study

START = to_instant(datetime(2026, 3, 23, tzinfo=UTC))
PEOPLE = 600
ROUNDS = 9
MANY = 100_000
FEW = 20_000


def _groups(people: int) -> tuple[Study, list[list[Arrival]]]:
    """A world without chance, in which nothing is left out but what people do."""
    study = Study(sequences=[six_steps()], scenario=Scenario.quiet(), start=START, enrollments=people)
    population = study.population(0)
    return study, [population.arrivals(group) for group in range(population.groups)]


def _simulated(study: Study, groups: list[list[Arrival]]) -> int:
    """Everybody through to the end; the steps that were executed."""
    answers = Answers(study.sequences, study.timezone)
    for each in groups:
        simulator = Simulator(study.sequences, each, scenario=study.scenario, answers=answers).run()
        for enrollment in simulator.enrollments:
            answers.close(enrollment, simulator.now)
    (sequence,) = answers.to_dict()["per_sequence"]
    return sum(step["done"] for step in sequence["steps"])


def _delays(study: Study, groups: list[list[Arrival]]) -> list[list[list[float]]]:
    """For each person the seconds from one thing that happens to the next: arriving, each step, each task done."""
    found: list[list[list[float]]] = []
    for each in groups:
        simulator = Simulator(study.sequences, each, scenario=study.scenario, keep_events=True).run()
        last: dict[int, Any] = {}
        waits: dict[int, list[float]] = {}
        for event in simulator.events:
            if event.type in ("enrolled", "email_sent", "task_created", "task_completed"):
                before = last.get(event.enrollment_id, START)
                waits.setdefault(event.enrollment_id, []).append((event.at - before).total_seconds())
                last[event.enrollment_id] = event.at
        found.append(list(waits.values()))
    return found


def _in_simpy(delays: list[list[list[float]]]) -> int:
    import simpy

    def person(environment: Any, waits: list[float]) -> Iterator[Any]:
        for each in waits:
            yield environment.timeout(each)

    for group in delays:
        environment = simpy.Environment()
        for waits in group:
            environment.process(person(environment, waits))
        environment.run()
    return sum(len(waits) for group in delays for waits in group)


def measure_step() -> Figure:
    """Steps a second of the simulator, as a share of those of the same population as bare timeouts."""
    study, groups = _groups(PEOPLE)
    delays = _delays(study, groups)
    steps = _simulated(study, groups)
    assert steps == PEOPLE * 6, steps
    timeouts = _in_simpy(delays)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(seconds(lambda: _simulated(study, groups)))
        theirs.append(seconds(lambda: _in_simpy(delays)))
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    return Figure(
        statistics.median(ratios),
        {
            "steps": steps,
            "timeouts": timeouts,
            "steps_per_second": round(steps / statistics.median(ours)),
            "simpy_steps_per_second": round(steps / statistics.median(theirs)),
            "ratio_least": round(ratios[0], 4),
            "ratio_most": round(ratios[-1], 4),
        },
    )


# -- large populations ----------------------------------------------------------------------------------------

_PEAK = """
import resource, runpy, sys
sys.argv = ["sequencer", *sys.argv[1:]]
try:
    runpy.run_module("sequencer", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
own, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(own, others, file=sys.stderr)
"""


def _command(people: int, workers: int) -> tuple[float, float]:
    """`sequencer simulate` as a process: its seconds, and the peak memory of all its processes together, in GiB."""
    with tempfile.TemporaryDirectory() as folder:
        definition = path("enterprise-12-touch.yaml")
        command = [sys.executable, "-c", _PEAK, "simulate", str(definition), "--enrollments", str(people)]
        command += ["--start", "2026-03-23", "--json", "--workers", str(workers)]
        begun = time.perf_counter()
        with Path(folder, "answer.json").open("wb") as answer:
            done = subprocess.run(command, stdout=answer, stderr=subprocess.PIPE, check=True, text=True)  # noqa: S603
        took = time.perf_counter() - begun
    own, largest = map(int, done.stderr.split()[-2:])
    # What the system tells is the largest of the children; each may have been as large.
    return took, (own + largest * (workers if workers > 1 else 0)) / 2**20


def measure_cores() -> Figure:
    """How much faster two processes are than one."""
    one, two = _command(MANY, 1)[0], _command(MANY, 2)[0]
    return Figure(one / two, {"people": MANY, "seconds_on_one": one, "seconds_on_two": two, "cores": os.cpu_count()})


def measure_memory() -> Figure:
    """The peak memory of a large population on two processes."""
    took, peak = _command(MANY, 2)
    return Figure(peak, {"people": MANY, "seconds": took})


def measure_doubling() -> Figure:
    """The time of twice the people beside that of half of them, and how much memory that takes."""
    few, less = _command(FEW // 2, 1)
    many, more = _command(FEW, 1)
    return Figure(many / few, {"people": FEW, "seconds": many, "beside_seconds": few, "gib": more, "beside_gib": less})


QUESTIONS = (
    Question(
        "simulating",
        "simulated steps a second, as a share of those of bare simpy timeouts for the same people",
        0.1,
        measure_step,
        at_least=True,
    ),
    Question(
        "simulating-cores",
        "twelve touches in the usual world: the time on one process beside that on two, times",
        1.7,
        measure_cores,
        at_least=True,
        slow=True,
    ),
    Question("simulating-memory", "100 000 people on two processes, peak GiB", 1.5, measure_memory, slow=True),
    Question(
        "simulating-doubled", "twice the people beside half of them, times the time", 2.2, measure_doubling, slow=True
    ),
)
