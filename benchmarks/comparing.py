"""The same 2 000 enrollments of 5 steps to the end, beside other people's engines, queues and schedulers.

Every peer is installed by the benchmark itself (`peers/install.py`), runs on loopback with a durable store, and is
written as its documentation advises (`peers/on_*.py`). Where the documentation leaves a choice, each is tried with a
tenth of the work, and the fastest does all of it. Ours runs directly before each peer, on a store of the same kind.

What is compared is not the same promise: beside the figures stands what each guarantees.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from benchmarks.measuring import Figure, Question
from benchmarks.peers.install import Peers, install
from benchmarks.peers.running import Run, run
from benchmarks.peers.servers import Server, database, postgresql, redis
from benchmarks.peers.work import ENROLLMENTS, STEPS

__all__ = ["OURS", "PEERS", "QUESTIONS", "Peer", "Way", "table"]


@attrs.frozen
class Peer:
    """Somebody else's way: its program, where it stores, the settings that its documentation offers, its promise."""

    name: str
    module: str
    store: str
    choices: tuple[dict[str, Any], ...]
    guarantees: str


@attrs.frozen
class Way:
    """One of our two ways: the settings of `on_sequencer` on each store, and what is guaranteed."""

    settings: dict[str, dict[str, Any]]
    guarantees: str


def _on_all(**settings: Any) -> dict[str, dict[str, Any]]:
    return {"sqlite": settings, "postgresql": settings}


OURS = {
    "one commit a step": Way(
        {
            # Workers that wait for the disk wait together, also on SQLite, if they are threads of one process.
            "sqlite": {"deduplicates": False, "limit": 50, "workers": 16},
            "postgresql": {"deduplicates": False, "limit": 50, "workers": 8},
        },
        "every step at most once, a call without an answer left to a person; a durable mark before each call; order; "
        "leases with fencing tokens; events in the same commit",
    ),
    "batches of 1000": Way(
        _on_all(deduplicates=True, limit=1000, workers=1),
        "every step at least once under one key, which the mailer recognises; order; leases with fencing tokens; "
        "events in the same commit",
    ),
}

_DBOS = (
    "a step at least once: its output is stored after it; goes on at the last stored step when its executor is started "
    "again; order; no fencing"
)
_APSCHEDULER = (
    "a step at most once: a job leaves the store before it runs, and is lost with the process, and with it the rest of "
    "the sequence; one process to a store; no fencing"
)
_DBOS_CHOICES = (
    {"workflow": "sequence", "concurrency": 10},
    {"workflow": "sequence_async", "concurrency": None},
)
_THREADS = ({"threads": 10}, {"threads": 20})

PEERS = (
    Peer(
        "procrastinate",
        "on_procrastinate",
        "postgresql",
        (
            {"concurrency": 30, "connections": 10, "delete_jobs": "never"},
            {"concurrency": 30, "connections": 30, "delete_jobs": "successful"},
        ),
        "a step at least once, if stalled jobs are retried by a periodic task of the host's; the next step may be "
        "deferred twice; no fencing",
    ),
    Peer("DBOS", "on_dbos", "postgresql", _DBOS_CHOICES, _DBOS),
    Peer("DBOS", "on_dbos", "sqlite", _DBOS_CHOICES, _DBOS),
    Peer(
        "Celery",
        "on_celery",
        "redis",
        (
            {"pool": "prefork", "countdown": 0},
            {"pool": "prefork", "countdown": 0, "prefetch": 1000},
            {"pool": "prefork", "countdown": None, "prefetch": 1000},
            {"pool": "threads", "concurrency": 20, "countdown": 0},
        ),
        "a step at least once (acks_late), again after the visibility timeout of an hour; the next step may be sent "
        "twice; no fencing",
    ),
    Peer("APScheduler", "on_apscheduler", "postgresql", _THREADS, _APSCHEDULER),
    Peer("APScheduler", "on_apscheduler", "sqlite", _THREADS, _APSCHEDULER),
    Peer(
        "SpiffWorkflow",
        "on_spiffworkflow",
        "sqlite",
        ({},),
        "none of its own: the store and the worker are the host's; as written here a step at least once, in order, one "
        "worker",
    ),
)


@contextmanager
def _server(peers: Peers, store: str, folder: Path) -> Iterator[Server | None]:
    if store == "sqlite":
        yield None
    else:
        with (postgresql if store == "postgresql" else redis)(peers, folder) as server:
            yield server


@contextmanager
def _place(peers: Peers, store: str) -> Iterator[tuple[str, int | None]]:
    """A new, empty store of a kind, and the process of its server."""
    with tempfile.TemporaryDirectory(prefix="beside-") as name:
        folder = Path(name)
        with _server(peers, store, folder) as server:
            if server is None:
                yield f"sqlite:///{folder / 'store.db'}", None
            elif store == "postgresql":
                yield database(peers, server, "beside"), server.pid
            else:
                yield server.place, server.pid


def _run(peers: Peers, python: str | Path, module: str, store: str, settings: dict[str, Any], enrollments: int) -> Run:
    with _place(peers, store) as (found, pid):
        # SQLAlchemy has to be told which driver is there.
        alchemy = module in ("on_dbos", "on_apscheduler")
        place = found.replace("postgresql://", "postgresql+psycopg://") if alchemy else found
        done = run(python, module, place, settings, enrollments=enrollments, steps=STEPS, server=pid)
    print(f"    {module} on {store} {settings}: {done.steps_per_second:.0f} steps/s", file=sys.stderr, flush=True)
    return done


def _fastest(peers: Peers, peer: Peer) -> dict[str, Any]:
    """The setting to run: the fastest with a tenth of the work."""
    if len(peer.choices) == 1:
        return peer.choices[0]
    tried = [_run(peers, peers.python, peer.module, peer.store, each, ENROLLMENTS // 10) for each in peer.choices]
    return max(zip(peer.choices, tried, strict=True), key=lambda each: each[1].steps_per_second)[0]


def _ours(peers: Peers, store: str) -> dict[str, Run]:
    return {
        name: _run(peers, sys.executable, "on_sequencer", store, way.settings[store], ENROLLMENTS)
        for name, way in OURS.items()
    }


def stores_beside(store: str) -> tuple[str, ...]:
    """On which stores ours runs beside a peer: on the same; beside one that has neither of ours, on both.

    Without the store for PostgreSQL, or its driver, ours runs on SQLite, and the answer shows it.
    """
    there = find_spec("psycopg") and find_spec("sequencer.stores.postgres")
    ours = ("sqlite", "postgresql") if there else ("sqlite",)
    return (store,) if store in ours else ours


def _beside(peers: Peers, peer: Peer) -> dict[str, Any]:
    """One peer: what it came to, and ours beside it. One that cannot be run here says why."""
    about: dict[str, Any] = {"peer": peer.name, "store": peer.store, "guarantees": peer.guarantees}
    try:
        settings = _fastest(peers, peer)
        ours = {store: _ours(peers, store) for store in stores_beside(peer.store)}
        theirs = _run(peers, peers.python, peer.module, peer.store, settings, ENROLLMENTS)
    except Exception as error:  # noqa: BLE001 - one peer that does not run costs no other; it is named, and does not hold
        return {**about, "failed": f"{type(error).__name__}: {error}"[-2000:]}
    ratios = {
        name: min(ours[store][name].steps_per_second for store in ours) / theirs.steps_per_second for name in OURS
    }
    return {
        **about,
        "settings": settings,
        **theirs.to_dict(),
        "ours": {store: {name: each.to_dict() for name, each in runs.items()} for store, runs in ours.items()},
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
    }


@cache
def measure() -> tuple[dict[str, Any], ...]:
    """Every peer in turn; both questions are answered from one measurement."""
    peers = install()
    versions = peers.versions()
    print(f"    beside {versions}", file=sys.stderr, flush=True)
    return ({"versions": versions}, *(_beside(peers, peer) for peer in PEERS))


def least(way: str, measured: tuple[dict[str, Any], ...]) -> Figure:
    """The least ratio over the peers; one that did not run is no peer that was beaten, so then it is 0."""
    about, *beside = measured
    figure = min(each["ratios"][way] if "ratios" in each else 0.0 for each in beside)
    return Figure(
        figure,
        {
            **about,
            "enrollments": ENROLLMENTS,
            "steps": STEPS,
            "guarantees": OURS[way].guarantees,
            "ours": OURS[way].settings,
            "beside": beside,
        },
    )


def _asked(way: str) -> Callable[[], Figure]:
    return lambda: least(way, measure())


QUESTIONS = (
    Question(
        "peers",
        "2 000 enrollments of 5 steps, one commit a step, beside the fastest of the peers, times",
        1,
        _asked("one commit a step"),
        at_least=True,
        slow=True,
    ),
    Question(
        "peers-batch",
        "the same in batches of 1 000 beside the fastest of the peers, times",
        20,
        _asked("batches of 1000"),
        at_least=True,
        slow=True,
    ),
)


def table(beside: list[dict[str, Any]]) -> str:
    """The answer as the table of the page, in Markdown: ours (the median of its runs) first, then the peers."""
    rows: list[tuple[str, ...]] = [
        ("who", "store", "steps/s", "MiB", "its server's", "ours, one commit", "ours, batches", "guarantees")
    ]
    ran = [each for each in beside if "ratios" in each]
    for name, way in OURS.items():
        for store in ("sqlite", "postgresql"):
            runs = [each["ours"][store][name] for each in ran if store in each["ours"]]
            if runs:
                figures = [statistics.median(run[figure] for run in runs) for figure in _FIGURES]
                rows.append((f"**sequencer**, {name}", store, *(f"{f:.0f}" for f in figures), "", "", way.guarantees))
    for each in beside:
        if "ratios" in each:
            figures = [each[name] for name in _FIGURES]
            ratios = (f"{each['ratios'][way]:.1f} times" for way in OURS)
            rows.append((each["peer"], each["store"], *(f"{f:.0f}" for f in figures), *ratios, each["guarantees"]))
        else:
            rows.append((each["peer"], each["store"], "did not run", "", "", "", "", each["guarantees"]))
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |").replace("|  |", "| |") for row in rows]
    return "\n".join([lines[0], "|---|---|---|---|---|---|---|---|", *lines[1:]])


_FIGURES = ("steps_per_second", "peak_mib", "server_mib")


def main() -> None:
    """Print the table of answers that `python -m benchmarks peers --json` printed into a file."""
    answers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(table(next(each["detail"]["beside"] for each in answers if each["question"] in ("peers", "peers-batch"))))


if __name__ == "__main__":
    main()
