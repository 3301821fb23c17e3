"""Checking a design: as a command beside the quickest one there is, thoroughly beside quickly, and case by case."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measuring import Figure, Question, in_turn, seconds
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import plan
from sequencer.definitions import load
from sequencer.design import check
from sequencer.design.deciding.searching import broken

SINCE = date(2026, 11, 26)
DESIGN = """\
format: 1
name: Ten touches
timezone: Europe/Warsaw
calendar:
  holidays: {dates: [2026-12-24, 2026-12-25, 2027-01-01, 2027-01-06, 2027-03-29, 2027-05-03, 2027-11-11, 2028-01-06]}
  send_windows:
    - {days: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
"""
STEPS = (
    ("mail", 0, "hours"), ("mail", 2, "weekdays"), ("task", 1, "weekdays"), ("mail", 2, "weekdays"),
    ("mail", 50, "hours"), ("task", 2, "weekdays"), ("mail", 1, "weekdays"), ("mail", 3, "weekdays"),
    ("task", 1, "weekdays"), ("mail", 4, "weekdays"),
)  # fmt: skip
EXPECTED = """\
templates:
  1: {subject: Hello, body: Hello}
assume:
  enrolled: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}
  tasks_done_within: {weekdays: 2}
expect:
  - min_between_emails: {hours: 23}
  - max_duration: {weekdays: 30}
  - first_touch_within: {hours: 2}
  - max_emails: {count: 4, days: 7}
  - local_hours: {from: "08:00", to: "18:00"}
"""


def design() -> str:
    """A design of ten steps with five expectations, all of which hold."""
    steps = []
    for i, (kind, n, unit) in enumerate(STEPS):
        action = "automated_email" if kind == "mail" else "task"
        properties = (
            f"{{email_template_id: 1, is_reply: {str(i > 0).lower()}}}"
            if kind == "mail"
            else "{task_content: Call, skip_after: {weekdays: 10}}"
        )
        steps.append(
            f"  - {{action_type: {action}, delay_from_previous_step: {n}, delay_from_previous_step_unit: {unit}, "
            f"action_properties: {properties}}}\n"
        )
    return DESIGN + "".join(steps) + EXPECTED


def _run(*arguments: str) -> None:
    command = [sys.executable, "-m", "sequencer", *arguments]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own program


def measure_check() -> Figure:
    """`sequencer check` in the quick profile, as a share of `sequencer --help`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ten-touches.sequence.yaml"
        file.write_text(design(), encoding="utf-8")
        ratio, detail = in_turn(lambda: _run("check", str(file)), lambda: _run("--help"), rounds=7)
    return Figure(ratio, detail)


def measure_thorough() -> Figure:
    """The thorough profile beside the quick one, each as a command."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ten-touches.sequence.yaml"
        file.write_text(design(), encoding="utf-8")
        ratio, detail = in_turn(
            lambda: _run("check", str(file), "--profile", "thorough"), lambda: _run("check", str(file)), rounds=2
        )
    return Figure(ratio, detail)


def _every_hour(sequence: Sequence, weeks: int) -> int:
    """What somebody would write without the sweep: plan each start, and look."""
    start = to_microseconds(from_microseconds(0).replace(year=SINCE.year, month=SINCE.month, day=SINCE.day))
    cases = 0
    for hour in range(24 * 7 * weeks):
        at = from_microseconds(start) + timedelta(hours=hour)
        timeline = plan(sequence, at, reasons=False)
        assert len(timeline) == len(sequence.steps)
        cases += 1
    return cases


def measure_cases() -> Figure:
    """Cases decided a second by the sweep, beside planning them one by one without even looking at what comes out."""
    sequence = load_design()
    assert broken(sequence, {"max_duration": {"weekdays": 1}}, from_microseconds(0)) is not None
    ours, theirs = [], []
    cases: Any = 0
    for _ in range(3):
        begun = time.perf_counter()
        verdicts = check(sequence, since=SINCE).verdicts
        cases = sum(verdict.cases for verdict in verdicts)
        assert not any(verdict.refuted for verdict in verdicts)
        ours.append((time.perf_counter() - begun) / cases)
        planned = 0

        def one_by_one() -> None:
            nonlocal planned
            planned = _every_hour(sequence, 4)

        theirs.append(seconds(one_by_one) / planned)
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    return Figure(ratios[1], {"cases": cases, "ratio_least": round(ratios[0]), "ratio_most": round(ratios[-1])})


def load_design() -> Sequence:
    """The design, read."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ten-touches.yaml"
        file.write_text(design(), encoding="utf-8")
        return load(file)


QUESTIONS = (
    Question("checking", "sequencer check, ten steps and five expectations, beside sequencer --help", 6, measure_check),
    Question(
        "checking-thorough", "the same in the thorough profile, beside the quick one", 60, measure_thorough, slow=True
    ),
    Question("checking-cases", "cases decided a second, beside plan one by one", 10, measure_cases, at_least=True),
)
