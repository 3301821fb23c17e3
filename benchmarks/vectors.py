"""A million timelines in numpy: beside the core one by one, beside numpy written by hand, and their memory."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.measuring import Figure, Question, in_turn
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task
from sequencer.core.timeline import plan
from sequencer.core.windows import Window
from sequencer.simulation.vectors import plan_many

LEADS = 1_000_000
SAMPLE = 2_000
ZONES = ("Europe/Warsaw", "America/New_York", "Europe/London", "America/Los_Angeles")
_HOLIDAYS = tuple(date(2026, *day) for day in [(1, 1), (1, 6), (4, 6), (5, 1), (6, 4), (11, 11), (12, 25)])
_WORKWEEK = ("mon", "tue", "wed", "thu", "fri")
SEQUENCE = Sequence(
    "Cadence",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Call"), after=Weekdays(1)),
        Step(AutomatedEmail(2), after=Hours(2)),
        Step(AutomatedEmail(3), after=Weekdays(3)),
        Step(Task("Call again"), after=Hours(48)),
        Step(AutomatedEmail(4), after=Weekdays(5)),
    ],
    calendar=Calendar(ZONES[0], holidays=_HOLIDAYS, send_windows=[Window(_WORKWEEK, "09:00", "17:00")]),
)

_SECOND = 1_000_000
_HOUR = 3600 * _SECOND
_DAY = 24 * _HOUR
_PEAK = "import benchmarks.vectors as it; print(*it.peak())"


def population(leads: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts at any second of a year, in microseconds, and which of the zones each has."""
    chance = np.random.default_rng(7)
    first = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    starts = (first + chance.integers(0, 365 * 86_400, leads)) * _SECOND
    return starts, chance.integers(0, len(ZONES), leads).astype(np.int8)


# -- by hand --------------------------------------------------------------------------------------------------


class ByHand:
    """The same sequence for just this case, as one would write it in numpy: local times, tables of dates, one window.

    It knows the dates and the clock changes that these starts need, and that the changes are on Sundays, when nothing
    is open and no task is due: no gap and no repeated hour is ever met.
    """

    def __init__(self) -> None:
        self.first = date(2025, 12, 1)
        days = np.arange(np.datetime64(self.first), np.datetime64("2027-03-01"))
        week = np.busdaycalendar(holidays=[np.datetime64(day) for day in _HOLIDAYS])
        self.works = np.is_busday(days, busdaycal=week)
        self.next_day = np.busday_offset(days, 0, "forward", busdaycal=week).view("i8") * _DAY
        self.day_after = np.busday_offset(days, 1, "backward", busdaycal=week).view("i8") * _DAY
        # By how much each working day, counted from a date, lies after it; from a day of rest: the next one, for tasks.
        self.later = {
            n: (np.busday_offset(days, n, "backward" if n else "forward", busdaycal=week) - days).astype("i8") * _DAY
            for n in (0, 1, 3, 5)
        }
        self.since = int(days[0].astype("i8"))
        self.clocks = [self._clock(ZoneInfo(zone)) for zone in ZONES]

    def _clock(self, zone: ZoneInfo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        start = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)
        hours = [start + timedelta(hours=n) for n in range(455 * 24)]
        offsets = np.array([at.astimezone(zone).utcoffset() // timedelta(microseconds=1) for at in hours])
        changes = np.flatnonzero(np.diff(offsets)) + 1
        in_utc = np.array([int(hours[n].timestamp()) * _SECOND for n in changes])
        kept = offsets[np.append(0, changes)]
        return in_utc, in_utc + np.maximum(kept[1:], kept[:-1]), kept

    def plan(self, starts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Every step of every lead, zone by zone."""
        found = np.empty((len(SEQUENCE.steps), len(starts)), np.int64)
        for code, clock in enumerate(self.clocks):
            rows = np.flatnonzero(codes == code)
            for step, at in enumerate(self._steps(starts[rows], *clock)):
                found[step, rows] = at
        return found.T

    def _steps(self, at: np.ndarray, changes: np.ndarray, on_wall: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
        def local(at: np.ndarray) -> np.ndarray:
            return at + offsets[np.searchsorted(changes, at, "right")]

        def utc(wall: np.ndarray) -> np.ndarray:
            return wall - offsets[np.searchsorted(on_wall, wall, "right")]

        found = []
        wall = self._open(local(at))
        found.append(utc(wall))
        wall = self._after(wall, 1)
        found.append(utc(wall))
        wall = self._open(local(found[-1] + 2 * _HOUR))
        found.append(utc(wall))
        wall = self._open(self._after(wall, 3))
        found.append(utc(wall))
        wall = self._after(local(found[-1] + 48 * _HOUR), 0)
        found.append(utc(wall))
        wall = self._open(self._after(wall, 5))
        found.append(utc(wall))
        return found

    def _after(self, wall: np.ndarray, days: int) -> np.ndarray:
        return wall + self.later[days][wall // _DAY - self.since]

    def _open(self, wall: np.ndarray) -> np.ndarray:
        day = wall // _DAY
        clock = wall - day * _DAY
        day -= self.since
        late = self.works[day] & (clock >= 17 * _HOUR)
        return np.maximum(wall, np.where(late, self.day_after[day], self.next_day[day]) + 9 * _HOUR)


# -- measured -------------------------------------------------------------------------------------------------


def measure_core() -> Figure:
    """A sample of the leads through the core, scaled to all of them, beside all of them at once."""
    starts, codes = population(LEADS)
    some = random.Random(7).sample(range(LEADS), SAMPLE)
    leads = [(from_microseconds(int(starts[row])), ZONES[codes[row]]) for row in some]

    def one_by_one() -> list[list[int]]:
        return [
            [to_microseconds(step.estimated_execute_at) for step in plan(SEQUENCE, start, timezone=zone, reasons=False)]
            for start, zone in leads
        ]

    def at_once() -> np.ndarray:
        return plan_many(SEQUENCE, starts, (codes, ZONES)).microseconds

    assert at_once()[some].tolist() == one_by_one()
    ratio, detail = in_turn(one_by_one, at_once, rounds=9)
    scale = LEADS / SAMPLE
    detail["ratio_least"], detail["ratio_most"] = (
        round(detail[name] * scale, 1) for name in ("ratio_least", "ratio_most")
    )
    return Figure(ratio * scale, {"leads": LEADS, "of_which_one_by_one": SAMPLE, **detail})


def measure_by_hand() -> Figure:
    """All leads at once, beside the same instants in numpy written for just this sequence."""
    starts, codes = population(LEADS)
    by_hand = ByHand()

    def ours() -> np.ndarray:
        return plan_many(SEQUENCE, starts, (codes, ZONES)).microseconds

    assert (ours() == by_hand.plan(starts, codes)).all()
    ratio, detail = in_turn(ours, lambda: by_hand.plan(starts, codes), rounds=9)
    return Figure(ratio, {"leads": LEADS, **detail})


def peak() -> tuple[float, float]:
    """Of this process, in GiB: the most memory that it ever had, before the leads are planned and after."""
    starts, codes = population(LEADS)
    before = _most()
    planned = plan_many(SEQUENCE, starts, (codes, ZONES))
    assert len(planned) == LEADS
    return before, _most()


def _most() -> float:
    # Not `getrusage`, which on Linux counts what the process that started this one had.
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    raise RuntimeError("this machine does not say how much memory a process had")


def measure_memory() -> Figure:
    """The peak of a fresh process that plans all leads, with Python, numpy, the starts and the outcome in it."""
    command = [sys.executable, "-c", _PEAK]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own script
    before, after = map(float, done.stdout.split())
    return Figure(
        after, {"leads": LEADS, "before_gib": round(before, 3), "outcome_gib": round(LEADS * 6 * 8 / 2**30, 3)}
    )


QUESTIONS = (
    Question("vectors", "timelines one by one beside all at once, times", 20, measure_core, at_least=True),
    Question("vectors-memory", "timelines of a million leads at once, peak GiB", 1, measure_memory),
    Question("vectors-numpy", "timelines at once beside numpy written by hand, times", 3, measure_by_hand),
)
