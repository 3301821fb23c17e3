"""A durable step beside bare SQL, claiming from many beside claiming from few, and what an enrollment weighs."""

from __future__ import annotations

import gc
import random
import sqlite3
import statistics
import tempfile
import tracemalloc
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.deciding import six_steps
from benchmarks.measuring import Figure, Question, seconds
from sequencer.core.enrollment import Resource
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Email
from sequencer.engine.results import Row, TickReport
from sequencer.engine.storage import Store
from sequencer.engine.stored import ALL_ACCOUNTS, Held
from sequencer.simulation.clock import ManualClock
from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore

START = datetime(2026, 3, 23, 9, 0, tzinfo=UTC)
BATCH = 1000
BATCHES = 8


class Recorder:
    """A mailer that recognises keys and remembers nothing else."""

    deduplicates = True

    def __init__(self) -> None:
        self.answers: dict[str, Accepted] = {}

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted:
        return self.answers.setdefault(key, Accepted(f"<{key}@recorder.invalid>"))


def enrolled(store: Any, count: int) -> tuple[Engine, ManualClock]:
    """An engine with so many enrollments, whose first mails come due over a day, in random order."""
    clock = ManualClock(START)
    engine = Engine(store=store, mailer=Recorder(), clock=clock, lease=600)
    chance = random.Random(11)
    rows = [
        Row(
            Resource("lead", i, email=f"lead{i}@example.com", fields={"first_name": "Ada", "company": "Initech"}),
            actor_id=i % 50,  # none of them has more mails than its cap allows
            start_at=START + timedelta(seconds=chance.randrange(1, 28_800)),
        )
        for i in range(count)
    ]
    engine.enroll_many(six_steps(), rows)
    return engine, clock


def _bare(path: Path, count: int) -> sqlite3.Connection:
    """A table of rows as long as ours, with the index that finds what is due."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE work (id INTEGER PRIMARY KEY, due INTEGER, lease INTEGER, status TEXT, doc TEXT)")
    connection.execute("CREATE INDEX work_due ON work (due)")
    chance = random.Random(11)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO work VALUES (?, ?, NULL, 'pending', ?)",
        ((i, chance.randrange(1, 28_800), "x" * 400) for i in range(count)),
    )
    connection.execute("COMMIT")
    return connection


def _bare_batch(connection: sqlite3.Connection) -> None:
    """Lease a batch and write it back: two commits, as many as a worker needs at least."""
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute(
        "UPDATE work SET lease = 1, due = 100000"
        " WHERE id IN (SELECT id FROM work WHERE due <= 28800 ORDER BY due LIMIT ?) RETURNING id, doc",
        (BATCH,),
    ).fetchall()
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    for id, _ in found:
        connection.execute(
            "UPDATE work SET status = 'done', lease = NULL, due = ?, doc = ? WHERE id = ?",
            (200_000 + id, "y" * 400, id),
        )
    connection.execute("COMMIT")


def tick(engine: Engine, reports: list[TickReport]) -> None:
    reports.append(engine.tick(BATCH))


def measure_step() -> Figure:
    """One batch of ours, one of bare SQL, in turn, each on its own file."""
    count = BATCH * (BATCHES + 1)
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder, "ours.db"))
        engine, clock = enrolled(store, count)
        clock.set(START + timedelta(hours=9))
        bare = _bare(Path(folder, "bare.db"), count)
        engine.tick(BATCH)
        _bare_batch(bare)
        ours, theirs = [], []
        for _ in range(BATCHES):
            reports: list[TickReport] = []
            ours.append(seconds(partial(tick, engine, reports)))
            assert reports[0].handed_over == BATCH, reports
            theirs.append(seconds(lambda: _bare_batch(bare)))
        bare.close()
        store.close()
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return Figure(
        statistics.median(ratios),
        {
            "steps_per_second": round(BATCH / statistics.median(ours)),
            "bare_rows_per_second": round(BATCH / statistics.median(theirs)),
            "ratio_least": round(ratios[0], 2),
            "ratio_most": round(ratios[-1], 2),
            "batch": BATCH,
        },
    )


def _claim(store: Store, now: Any, found: list[Held]) -> None:
    with store.transaction() as transaction:
        found.extend(transaction.claim(now, BATCH, 60, ALL_ACCOUNTS))


def claiming(stores: Mapping[int, Store]) -> Figure:
    """Claiming a batch of so many that come due over a day, from each of two stores in turn."""
    took: dict[int, list[float]] = {count: [] for count in stores}
    for _ in range(9):
        for count, store in stores.items():
            # An instant by which somewhat more than a batch of this store have come due.
            now = ManualClock(START + timedelta(seconds=28_800 * BATCH * 1.3 / count)).now()
            found: list[Held] = []
            took[count].append(seconds(partial(_claim, store, now, found)))
            assert len(found) == BATCH, (count, len(found))
            with store.transaction() as transaction:
                transaction.release([(held.enrollment.id, held.fence) for held in found])
    medians = {count: statistics.median(each) for count, each in took.items()}
    few, many = sorted(medians)
    return Figure(medians[many] / medians[few], {f"seconds_of_{count}": took for count, took in medians.items()})


def measure_claim() -> Figure:
    """Claiming 1 000 due: of 1 000 000 that wait, and of 10 000."""
    with tempfile.TemporaryDirectory() as folder:
        stores = {count: SQLiteStore(Path(folder, f"{count}.db")) for count in (10_000, 1_000_000)}
        for count, store in stores.items():
            enrolled(store, count)
        figure = claiming(stores)
        for store in stores.values():
            store.close()
    return figure


def measure_memory() -> Figure:
    """What an enrollment of six steps weighs in the memory store, with its first event and its index entries."""
    count = 2000
    store = MemoryStore()
    enrolled(store, 10)
    sequence = six_steps()
    engine = Engine(store=store, mailer=Recorder(), clock=ManualClock(START))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    engine.enroll_many(sequence, [Resource("lead", 1_000_000 + i, email=f"l{i}@example.com") for i in range(count)])
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return Figure((after - before) / count / 1024, {"enrollments": count})


QUESTIONS = (
    Question(
        "durable-step", "a durable step on SQLite beside bare SQL that leases and writes back, times", 6, measure_step
    ),
    Question("claim", "claiming 1 000 due of 1 000 000 beside 1 000 of 10 000, times", 2, measure_claim, slow=True),
    Question("memory", "an enrollment of six steps in the memory store, KiB", 2, measure_memory),
)
