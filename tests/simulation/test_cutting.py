"""However a study is cut, and whoever simulates its parts, it comes to the same, byte for byte."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import time
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given

from sequencer.core.delays import Hours, Weekdays
from sequencer.core.enrollment import Resource
from sequencer.core.errors import InvalidInput, SequencerError
from sequencer.core.instants import later_by
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.engine.engine import Engine
from sequencer.simulation import cluster
from sequencer.simulation import study as studies
from sequencer.simulation.clock import ManualClock
from sequencer.simulation.forecast import forecast
from sequencer.simulation.scenario import (
    Actors,
    Blocked,
    Caps,
    Desk,
    Leave,
    Mails,
    Outage,
    Reaction,
    Scenario,
    Season,
    TaskHabits,
    Tasks,
    Worker,
)
from sequencer.simulation.spans import Span
from sequencer.simulation.study import Study, StudyResult, simulate
from sequencer.stores.memory import MemoryStore
from sequencer.testing.strategies import scenarios
from tests.simulation.stories import START

SEQUENCE = Sequence(
    "Everything",
    [
        Step(AutomatedEmail(1), key="hello"),
        Step(Task("Call {{ name }}", due_after=Weekdays(1)), Weekdays(1), key="call"),
        Step(AutomatedEmail(2), Hours(30)),
    ],
    templates={1: Template("Hello {{ name }}", "There"), 2: Template("Once more", "Hello")},
)
EVERYTHING = Scenario(
    name="everything",
    actors=Actors(leads_each=9),
    timezones={"Europe/Warsaw": 3, "America/New_York": 1},
    tasks=Tasks(
        never=0.1,
        desk=Desk(timezone="Europe/Warsaw"),
        leave=[Leave(actor=2, first=date(2026, 3, 26), last=date(2026, 4, 2))],
        steps={"call": TaskHabits(take=Span.quantiles({0: Span.fixed(hours=1), 100: Span.fixed(days=2)}))},
    ),
    mails=Mails(
        reactions={"replied": Reaction(chance=(0.2, 0.1)), "out_of_office": Reaction(chance=0.2)},
        refused=0.1,
        deferred=0.2,
        steps={"hello": {"unsubscribed": Reaction(chance=0.1)}},
        seasons=[Season(first=date(2026, 3, 20), last=date(2026, 3, 27), times=0.5)],
        outages=[Outage(begins=START, ends=later_by(START, timedelta(hours=2)))],
    ),
    worker=Worker(
        downtime=[Outage(begins=later_by(START, timedelta(hours=5)), ends=later_by(START, timedelta(hours=9)))],
        catch_up=CatchUp(after=timedelta(hours=1), over=timedelta(hours=4)),
    ),
    caps=Caps(default=Cap(emails=4, gap=60, jitter=30), actors={3: None}),
    blocked=Blocked(then="retry"),
)
STUDY = Study(sequences=(SEQUENCE,), scenario=EVERYTHING, start=START, enrollments=60, seed=11, trace=True)


def spelled(result: StudyResult) -> str:
    """All that a study answers, byte for byte."""
    return json.dumps(result.to_dict()) + "".join(result.trace_lines())


def standing_study() -> Study:
    """A study of what stands in a store."""
    clock, store = ManualClock(START), MemoryStore()
    engine = Engine(store=store, clock=clock)
    for id in range(1, 31):
        engine.enroll(
            SEQUENCE,
            resource=Resource("lead", id, email=f"l{id}@example.com"),
            actor_id=id % 4,
            timezone="Europe/Warsaw",
        )
    clock.move(hours=3)
    return Study.forecast(forecast(store, clock.now()), scenario=EVERYTHING, seed=5, trace=True)


@pytest.fixture(scope="module")
def client() -> Any:
    """A client of a Dask cluster of two processes."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, processes=True, threads_per_worker=1, dashboard_address="127.0.0.1:0") as workers,
        Client(workers) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def alone() -> str:
    """What one process answers."""
    return spelled(simulate(STUDY, runs=2, parts=1))


@pytest.mark.parametrize("parts", [2, 8, 1000, None])
def test_parts_come_to_the_same_as_the_whole(alone: str, parts: int | None) -> None:
    """In one process, as few or many parts as there may be answer the same."""
    assert spelled(simulate(STUDY, runs=2, parts=parts)) == alone


@pytest.mark.parametrize("parts", [1, 8])
def test_other_processes_come_to_the_same(alone: str, parts: int) -> None:
    """Two processes, which are started for it, answer the same."""
    told: list[int] = []
    assert spelled(simulate(STUDY, runs=2, workers=2, parts=parts, progress=told.append)) == alone
    assert sum(told) == 2 * 60


@pytest.mark.parametrize("parts", [1, 2, 8, None])
def test_a_dask_cluster_comes_to_the_same(client: Any, alone: str, parts: int | None) -> None:
    """A Dask cluster of two processes answers the same."""
    assert spelled(simulate(STUDY, runs=2, client=client, parts=parts)) == alone


def test_forecasts_come_to_the_same_everywhere(client: Any) -> None:
    """What stands in a store is foretold alike in one part, in several, by other processes, and by a cluster."""
    study = standing_study()
    whole = spelled(simulate(study, parts=1))
    assert spelled(simulate(study, parts=3)) == whole
    assert spelled(simulate(study, workers=2)) == whole
    assert spelled(simulate(study, client=client)) == whole


class Counted:
    """How many populations this process has made of studies."""

    made = 0


def _counting(study: Study, run: int, groups: Any) -> int:
    """Simulate a part where populations are counted; how many there were by then."""
    whole = Study.population

    def population(self: Study, run: int) -> Any:
        Counted.made += 1
        return whole(self, run)

    if not hasattr(Study, "counted"):
        Study.population, Study.counted = population, True  # type: ignore[method-assign, attr-defined]
    studies.simulate_part(study, run, groups)
    return Counted.made


def test_a_worker_makes_a_population_once(client: Any) -> None:
    """However many parts a worker of a cluster simulates, it makes the population of a run once, and keeps only one."""
    work = [(0, [group]) for group in range(6)] + [(1, [group]) for group in range(6)]
    made = list(cluster.results_of(client, _counting, STUDY, work))
    assert max(made) <= 4, "two runs, and perhaps back and forth between them once"


@given(scenarios())
def test_scenarios_survive_the_way_to_another_process(scenario: Scenario) -> None:
    """A scenario with all that there may be in it is the same after pickling."""
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_studies_and_answers_survive_the_way_to_another_process() -> None:
    """A study answers the same after pickling, and so do its answers, which still can be added up."""
    for study in (STUDY, standing_study()):
        again = pickle.loads(pickle.dumps(study))
        result = simulate(study)
        assert spelled(simulate(again)) == spelled(result)
        part = pickle.loads(pickle.dumps(studies.simulate_part(study, 0, range(study.population(0).groups))))
        assert part.answers.to_dict() == result.answers.to_dict()
        part.answers.add(result.answers)
        assert part.answers.to_dict()["enrollments"] == 2 * result.to_dict()["enrollments"]


# -- what goes wrong ------------------------------------------------------------------------------------------


def _dies(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(Study):
    """A study by which every other process dies."""

    def world(self, run: int) -> Any:
        """Nobody comes so far."""
        _dies()


def test_a_process_that_dies_is_an_error_and_no_wait() -> None:
    """When a process dies, it is said so, and nobody waits for it."""
    study = Deadly(sequences=(SEQUENCE,), start=START, enrollments=60)
    with pytest.raises(SequencerError, match=r"process .* has died"):
        simulate(study, workers=2)


def test_workers_that_die_are_an_error_and_no_wait() -> None:
    """When the workers of a cluster die, whether they are started again or not, it is said so."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=1, processes=True, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as one,
        Client(one) as client,
    ):
        begun = time.monotonic()
        with pytest.raises(SequencerError, match="Dask cluster"):
            list(cluster.results_of(client, _dies, None, [(1,)], patience=4))
        assert time.monotonic() - begun < 60


def test_an_error_of_the_work_itself_is_told_as_it_is(client: Any) -> None:
    """What a part raises on a worker is raised here, as it would be by one process."""
    with pytest.raises(ZeroDivisionError):
        list(cluster.results_of(client, divmod, 1, [(0,)]))


def test_a_cluster_is_used_by_its_address(client: Any, alone: str) -> None:
    """With an address, a client is connected, and closed after use; without one there is none."""
    with cluster.connected_to(None) as nobody:
        assert nobody is None
    with cluster.connected_to(client.scheduler.address) as found:
        assert spelled(simulate(STUDY, runs=2, client=found)) == alone
    assert found.status == "closed"


def test_a_worker_of_another_release_is_refused(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has another release, or other zones, would answer something else: it is named."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0.9")
    with (
        pytest.raises(SequencerError, match=r"the worker tcp://.* has sequencer .*, here there is sequencer 0\.0\.9"),
        cluster.connected_to(client.scheduler.address),
    ):
        pass


def test_a_cluster_without_workers_is_refused() -> None:
    """A scheduler to which no worker has come is no use, and is said to be none."""
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, processes=True, dashboard_address="127.0.0.1:0") as nobody,
        pytest.raises(InvalidInput, match="has no workers") as refusal,
        cluster.connected_to(nobody.scheduler_address),
    ):
        pass
    assert refusal.value.code == "no_workers"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://somewhere", "127.0.0.1"])
def test_an_address_at_which_nobody_answers_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable or odd address is an error of the caller's, with the address in it."""
    from distributed import Client

    monkeypatch.setattr("distributed.Client", lambda address, timeout: Client(address, timeout=1))
    with pytest.raises(InvalidInput, match=address) as refusal, cluster.connected_to(address):
        pass
    assert refusal.value.code == "unreachable"


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Dask the error says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidInput, match=r"sequencer\[dask\]") as refusal, cluster.connected_to("tcp://a:1"):
        pass
    assert refusal.value.code == "missing_extra"
