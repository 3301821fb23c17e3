"""A study: a population run through sequences, as often as asked, on as many cores or machines as there are.

A population is cut into groups that cannot touch each other (see `population.py`), and the groups into parts. A part
is simulated by a process of its own, here or on a Dask cluster, and its counts are added up: whole numbers, so however
the work is cut, the same seed gives the same. A group is made when it is its turn and forgotten after it, so memory is
that of the largest group, and of the counts.
"""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Several
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import InvalidInput, SequencerError
from sequencer.core.events import Event
from sequencer.core.instants import LAST, to_instant, to_iso
from sequencer.core.problems import nearest
from sequencer.core.sequence import Sequence
from sequencer.core.values import Identifier, to_whole
from sequencer.definitions.leads import Lead
from sequencer.simulation.answers import Answers
from sequencer.simulation.assumptions import assumptions
from sequencer.simulation.chance import Luck
from sequencer.simulation.cluster import results_of
from sequencer.simulation.comparing import differences, intervals
from sequencer.simulation.forecast import Standing, StandingPopulation
from sequencer.simulation.population import LeadPopulation, MadeUpPopulation, Population
from sequencer.simulation.scenario import Scenario
from sequencer.simulation.simulator import Simulator, versions_of
from sequencer.simulation.world import World

__all__ = ["Part", "Study", "StudyResult", "compare", "simulate", "uncollected"]

# So many parts for each process: few enough to cost nothing, enough that nobody waits long for the last.
_PARTS_EACH = 6
_MOST_RUNS = 10_000

_OF_FORECASTS = {
    "standing": "who is enrolled in nobody's name sends under no cap, and nobody's leave holds up their tasks",
    "people": "of whom the store knows neither address nor fields, the host knows whatever is asked for",
}
# What no scenario changes.
_ALWAYS = {
    "engine": "the engine is there whenever something is due, but for its downtime, and hands it over at once",
    "work": "tasks wait for nobody's other tasks: how long each takes is all that the desk's load is felt by",
}

Who = tuple[str, Identifier, str]
Line = tuple[DateTime, int, int, str, int | None, str | None, Who]
"""A line of a trace: when, the enrollment's number, the event's number there, its type, its step, its reason, and who
it is about: the resource's type and id, and the sequence's key."""
Progress = Callable[[int], Any]
"""It is told how many more enrollments have been simulated."""


def _to_sequences(value: Iterable[Sequence]) -> tuple[Sequence, ...]:
    return tuple(value)


def _to_start(value: datetime) -> DateTime:
    return to_instant(value, "start")


def _to_until(value: datetime | None) -> DateTime | None:
    return None if value is None else to_instant(value, "until")


@attrs.frozen(kw_only=True)
class Study:
    """What is simulated, from `start` on: these `leads`, or so many made-up `enrollments`, through `sequences`.

    Or what is `standing` in a store (see `Study.forecast`). With several sequences people are dealt out in turn, or
    with `every` each is enrolled in all of them. `until` ends it early; with `trace` every event is kept. `beside` are
    the sequences of another study that this one is compared with: the scenario may speak of their steps, too.
    """

    sequences: tuple[Sequence, ...] = attrs.field(converter=_to_sequences)
    scenario: Scenario = attrs.field(factory=Scenario)
    start: DateTime = attrs.field(converter=_to_start)
    leads: tuple[Lead, ...] | None = None
    enrollments: int | None = None
    standing: Standing | None = None
    seed: int = 0
    until: DateTime | None = attrs.field(default=None, converter=_to_until)
    every: bool = False
    trace: bool = False
    beside: tuple[Sequence, ...] = attrs.field(default=(), converter=_to_sequences)

    def __attrs_post_init__(self) -> None:
        keys = [each.key for each in self.sequences]
        if not keys or (len(set(keys)) < len(keys) and self.standing is None):
            raise InvalidInput(
                "needs sequences with different keys" if keys else "needs a sequence", path="sequences", code="keys"
            )
        if sum(each is not None for each in (self.leads, self.enrollments, self.standing)) != 1:
            raise InvalidInput("needs one of: leads, a number of enrollments, what stands in a store", path="leads")
        to_whole(self.seed, "seed", least=-(2**63), most=2**63 - 1)
        self._refuse_strangers()
        if self.until is not None and self.until < self.start:
            raise InvalidInput(f"ends before its start, {to_iso(self.start)}", path="until", code="out_of_order")
        if self.leads is not None and not self.leads:
            raise InvalidInput("needs at least one lead", path="leads", code="empty")

    def _refuse_strangers(self) -> None:
        """Raise where the scenario speaks of a step that no sequence has: it would do nothing, unseen."""
        known: dict[Any, set[bool]] = {}
        for sequence in (*self.sequences, *self.beside):
            for position, step in enumerate(sequence.steps):
                for name in (position, step.key):
                    known.setdefault(name, set()).add(step.is_email)
        for part, steps, emails in (
            ("tasks", self.scenario.tasks.steps, False),
            ("mails", self.scenario.mails.steps, True),
        ):
            for name in steps:
                if name not in known:
                    keys = [each for each in known if isinstance(each, str)]
                    hint = nearest(name, keys) if isinstance(name, str) and keys else "its steps count from 0"
                    raise InvalidInput(
                        f"no sequence has a step {name!r}; {hint}", path=f"{part}.steps.{name}", code="unknown_step"
                    )
                if emails not in known[name]:
                    kind = "mail" if emails else "task"
                    raise InvalidInput(f"step {name!r} is no {kind}", path=f"{part}.steps.{name}", code="wrong_kind")

    @classmethod
    def forecast(cls, standing: Standing, **more: Any) -> Study:
        """The study of what will become of the enrollments that a store holds."""
        return cls(sequences=standing.sequences, start=standing.now, standing=standing, **more)

    @property
    def timezone(self) -> str:
        """On whose clock days are counted: the first sequence's."""
        return self.sequences[0].calendar.timezone

    def world(self, run: int) -> World:
        """The world of a run, with its luck. In a forecast chance knows sequences by their keys (see `chance.py`)."""
        known_as = None if self.standing is None else [f"key {each.key}" for each in self.sequences]
        return World(self.scenario, self.sequences, Luck(self.seed, run), known_as)

    def population(self, run: int) -> Population:
        """Who is enrolled in a run."""
        if self.standing is not None:
            return StandingPopulation(self.standing)
        if self.leads is not None:
            return LeadPopulation(self.leads, self.sequences, self.scenario, self.start, self.every)
        assert self.enrollments is not None, "there are leads, or a number of them"
        return MadeUpPopulation(self.enrollments, self.sequences, self.scenario, self.start, self.seed, run, self.every)


@attrs.define
class Part:
    """What was counted of some groups, and their trace."""

    answers: Answers
    lines: list[Line]


def simulate_part(study: Study, run: int, groups: Iterable[int]) -> Part:
    """Simulate some groups of a run, one after another."""
    sequences = study.sequences
    population = _population(study, run)
    answers = Answers(sequences, study.timezone)
    world, versions = study.world(run), versions_of(sequences)
    lines: list[Line] = []
    for group in groups:
        simulator = Simulator(
            sequences,
            population.arrivals(group),
            scenario=study.scenario,
            world=world,
            answers=answers,
            versions=versions,
            keep_events=study.trace and run == 0,
        )
        if isinstance(population, StandingPopulation):
            standing = population.standing_in(group)
            simulator.suppress(standing.suppressed)
            simulator.go_on_with(standing.enrollments, standing.now, left=standing.left)
        simulator.run(study.until)
        if simulator.events:
            who = {each.id: _who(each) for each in simulator.enrollments}
            lines += (_line(event, who[event.enrollment_id]) for event in simulator.events)
        # Without an end, what is open then stays open.
        close(answers, simulator.enrollments, study.until or LAST)
        for sequence in simulator.to_come:
            answers.to_come(sequence)
        answers.ended(simulator.now)
    return Part(answers, lines)


def close(answers: Answers, enrollments: Iterable[Enrollment], at: DateTime) -> None:
    """A group is over."""
    for each in enrollments:
        answers.close(each, at)
    answers.forget_group()


def _who(enrollment: Enrollment) -> Who:
    return enrollment.resource.type, enrollment.resource.id, enrollment.version.key


def _line(event: Event, who: Who) -> Line:
    return event.at, event.enrollment_id, event.number, event.type, event.position, event.facts.get("reason"), who


# -- many processes -------------------------------------------------------------------------------------------

_here: dict[str, Any] = {}
# What this process has simulated last, so that a population is not made anew for each of its parts.
_last: tuple[Study, int, Population] | None = None


def _population(study: Study, run: int) -> Population:
    global _last  # noqa: PLW0603 - one for the process; threads that hit upon each other only make it once more
    last = _last
    if last is None or last[0] is not study or (last[1] != run and study.enrollments is not None):
        _last = last = study, run, study.population(run)
    return last[2]


@contextlib.contextmanager
def uncollected() -> Iterator[Callable[[], object]]:
    """Without the garbage collector, for a process that does nothing else; it is given what to call between parts.

    A simulation makes many objects and few cycles, of which it is enough to be rid from time to time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield gc.collect
    finally:
        if was:
            gc.enable()


def _begin(study: Study) -> None:
    """In a process that is there for nothing else."""
    _here.update(study=study)
    gc.disable()


def _work(run: int, groups: Several[int]) -> Part:
    part = simulate_part(_here["study"], run, groups)
    gc.collect()
    return part


def _cut(groups: int, parts: int) -> list[range]:
    size = -(-groups // max(1, parts))
    return [range(first, min(first + size, groups)) for first in range(0, groups, size)]


def _simulated(
    study: Study, runs: int, workers: int, client: Any, parts: int | None, progress: Progress | None
) -> Iterator[tuple[int, Part]]:
    """The parts of all runs, in order; each with its run."""
    work = [
        (run, groups)
        for run in range(runs)
        for groups in _cut(_population(study, run).groups, parts or _parts(workers, client))
    ]
    with contextlib.ExitStack() as stack:
        results: Iterator[Part]
        if client is not None:
            results = results_of(client, simulate_part, study, work)
        elif workers > 1:
            # Not forked: a process that has threads, as any host's may, must not be copied in the middle of them.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(study,))
            stack.enter_context(pool)
            results = _heard(pool.map(_work, *zip(*work, strict=True)))
        else:
            results = _alone(study, work)
        for (run, _), part in zip(work, results, strict=True):
            if progress is not None:
                progress(sum(part.answers.outcomes.values()))
            yield run, part


def _parts(workers: int, client: Any) -> int:
    """Into how many parts a run is cut when nobody says."""
    if client is not None:
        workers = sum(client.nthreads().values())
    return workers * _PARTS_EACH if workers > 1 else 32


def _heard(results: Iterator[Part]) -> Iterator[Part]:
    try:
        yield from results
    except BrokenProcessPool:
        raise SequencerError(
            "a process of the simulation has died, perhaps for want of memory; try fewer --workers"
        ) from None


def _alone(study: Study, work: Iterable[tuple[int, Several[int]]]) -> Iterator[Part]:
    return (simulate_part(study, run, groups) for run, groups in work)


# -- the door -------------------------------------------------------------------------------------------------


@attrs.frozen
class StudyResult:
    """What a study found: the answers of each run, and the trace of the first, where it was kept."""

    study: Study
    runs: tuple[Answers, ...]
    trace: tuple[Line, ...] = ()

    @property
    def answers(self) -> Answers:
        """The answers of the first run."""
        return self.runs[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the answers of the first run, and with several runs the intervals over all of them."""
        study, documents = self.study, [each.to_dict() for each in self.runs]
        first, population = documents[0], _population(study, 0)
        return {
            "enrollments": first.pop("enrollments"),
            "seed": study.seed,
            "runs": len(self.runs),
            "scenario": study.scenario.name,
            # Leads may come with a time of their own, before it.
            "start": to_iso(min(study.start, population.first_at).replace(microsecond=0)),
            "until": None if study.until is None else to_iso(study.until.replace(microsecond=0)),
            **first,
            "assumptions": list(_assumed(study, population)),
            "intervals": intervals(documents) if len(documents) > 1 else None,
            "compare": None,
        }

    def trace_lines(self) -> Iterator[str]:
        """The trace as lines of JSON, in the order of time."""
        for at, enrollment, number, type, position, reason, (resource_type, resource_id, key) in self.trace:
            who = {"resource_type": resource_type, "resource_id": resource_id, "sequence": key}
            line = {"at": to_iso(at), "enrollment": enrollment, **who, "number": number, "type": type}
            yield json.dumps({**line, "position": position, "reason": reason}, ensure_ascii=False)


def _assumed(study: Study, population: Population) -> Iterator[dict[str, Any]]:
    """What is taken for granted: by the scenario, by every simulation, and by a forecast."""
    standing = study.standing is not None
    # Leads have a time of their own; who is enrolled already has a zone, too, and belongs to whom they belong to.
    moot = ("actors", "timezones", "arrive") if standing else ("arrive",) if study.leads is not None else ()
    yield from (
        attrs.asdict(each)
        for each in assumptions(study.scenario, leads=population.enrollments)
        if each.name not in moot
    )
    says, actors = _ALWAYS | (_OF_FORECASTS if standing else {}), population.actors
    strangers = [repr(each) for each in study.scenario.actors_named if each not in actors]
    if strangers:
        says["strangers"] = f"nobody here belongs to {', '.join(strangers)}, of whom the scenario speaks"
    yield from ({"name": name, "says": each, "default": name != "strangers"} for name, each in says.items())


def simulate(
    study: Study,
    *,
    runs: int = 1,
    workers: int = 1,
    client: Any = None,
    parts: int | None = None,
    progress: Progress | None = None,
) -> StudyResult:
    """Simulate a study `runs` times, each with other luck, on `workers` processes or a Dask `client`.

    `parts` says into how many the work of each run is cut, at the most; what comes of it is the same.
    """
    to_whole(runs, "runs", least=1, most=_MOST_RUNS)
    to_whole(workers, "workers", least=1, most=1024)
    several = [Answers(study.sequences, study.timezone) for _ in range(runs)]
    lines: list[Line] = []
    for run, part in _simulated(study, runs, workers, client, parts, progress):
        several[run].add(part.answers)
        if run == 0:
            lines += part.lines
    lines.sort(key=lambda line: line[:3])
    return StudyResult(study, tuple(several), tuple(lines))


def compare(this: StudyResult, other: StudyResult, name: str) -> dict[str, Any]:
    """The answers of `this` with what is different in the `other`, by its name: the same people, the same luck."""
    if len(this.runs) != len(other.runs):
        raise InvalidInput("needs as many runs of both", path="runs")
    ours, theirs = ([each.to_dict() for each in result.runs] for result in (this, other))
    return {**this.to_dict(), "compare": {"with": name, "runs": len(ours), **differences(ours, theirs)}}
