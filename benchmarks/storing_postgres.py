"""A durable step on PostgreSQL beside bare SQL, two workers beside one, and claiming from many beside from few."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.measuring import Figure, Question, seconds
from benchmarks.postgres import connect, new_store, server
from benchmarks.storing import BATCH, BATCHES, START, Recorder, claiming, enrolled, tick
from sequencer.core.instants import to_instant, to_microseconds
from sequencer.engine.engine import Engine
from sequencer.engine.results import TickReport
from sequencer.simulation.clock import ManualClock
from sequencer.stores.codec import COLUMNS
from sequencer.stores.postgres import PostgresStore

__all__ = ["QUESTIONS"]

_WORKED = 8
"""How many batches are done in all, by one worker or by two."""
_CLAIM = """
    UPDATE sequencer_enrollments e SET lease_until = $2, fence = e.fence + 1
    FROM (
        SELECT id FROM sequencer_enrollments WHERE lease_until IS NULL AND wake_at <= $1
        ORDER BY wake_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE e.id = due.id
    RETURNING e.id, e.revision, e.doc
"""
_WRITE_BACK = """
    UPDATE sequencer_enrollments e
    SET wake_at = $3, revision = e.revision + 2, updated_at = $4, lease_until = NULL, doc = d.doc
    FROM unnest($1::bigint[], $2::text[]) AS d (id, doc) WHERE e.id = d.id
"""
_RECORD = "COPY sequencer_events (enrollment_id, number, at, type, body) FROM STDIN"


class Bare:
    """What any engine has to do on these tables: lease a batch, and write it back with two events a row."""

    def __init__(self, connection: psycopg.Connection[Any], now: int, doc: str, body: str) -> None:
        self._connection = connection
        self._now, self._doc, self._body = now, doc, body

    def batch(self) -> None:
        """Two commits, as many as a worker needs at least; the best ways that there are: sets, and a copy."""
        connection, now = self._connection, self._now
        cursor = psycopg.RawCursor(connection)
        with connection.transaction():
            found = cursor.execute(_CLAIM, (now, now + 600_000_000, BATCH)).fetchall()
        assert len(found) == BATCH, len(found)
        ids = [id for id, _, _ in found]
        with connection.transaction():
            changed = cursor.execute(_WRITE_BACK, (ids, [self._doc] * BATCH, 2 * now, now)).rowcount
            with cursor.copy(_RECORD) as copy:
                for id, revision, _ in found:
                    copy.write_row((id, revision + 1, now, "email_requested", self._body))
                    copy.write_row((id, revision + 2, now, "email_sent", self._body))
        assert changed == BATCH, changed


@contextmanager
def _beside(store: PostgresStore, now: int) -> Iterator[Bare]:
    """The same rows once more, in a second store, for the bare SQL."""
    with new_store() as other, connect(autocommit=True) as connection:
        ours, theirs = (sql.Identifier(each.schema) for each in (store, other))
        connection.execute(
            sql.SQL("INSERT INTO {}.sequencer_enrollments SELECT * FROM {}.sequencer_enrollments").format(theirs, ours)
        )
        connection.execute(sql.SQL("SET search_path = {}").format(theirs))
        # As long as ours are.
        yield Bare(connection, now, "x" * 330, "y" * 150)


def measure_step() -> Figure:
    """One batch of ours, one of bare SQL, in turn, each in its own schema."""
    now = START + timedelta(hours=9)
    with new_store() as store:
        engine, clock = enrolled(store, BATCH * (BATCHES + 1))
        with _beside(store, to_microseconds(to_instant(now, "now"))) as bare:
            clock.set(now)
            engine.tick(BATCH)
            bare.batch()
            ours, theirs = [], []
            for _ in range(BATCHES):
                reports: list[TickReport] = []
                ours.append(seconds(partial(tick, engine, reports)))
                assert reports[0].handed_over == BATCH, reports
                theirs.append(seconds(bare.batch))
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


def _work(dsn: str, schema: str, batches: int, begin: Any, end: Any) -> None:
    """A worker in a process of its own: so many batches, once everybody is there."""
    store = PostgresStore(dsn, schema=schema)
    engine = Engine(store=store, mailer=Recorder(), clock=ManualClock(START + timedelta(hours=9)), lease=600)
    handed_over = engine.tick(BATCH).handed_over
    begin.wait()
    for _ in range(batches):
        handed_over += engine.tick(BATCH).handed_over
    end.wait()
    store.close()
    if handed_over != (batches + 1) * BATCH:
        raise SystemExit(f"{handed_over} were handed over")


def _at_work(store: PostgresStore, workers: int) -> float:
    """How many steps a second so many workers come to together, on the rows of one store."""
    processes = get_context("spawn")
    begin, end = (processes.Barrier(workers + 1) for _ in range(2))
    told = (server(), store.schema, _WORKED // workers, begin, end)
    running = [processes.Process(target=_work, args=told) for _ in range(workers)]
    for each in running:
        each.start()
    begin.wait()
    begun = time.perf_counter()
    end.wait()
    took = time.perf_counter() - begun
    for each in running:
        each.join()
        assert each.exitcode == 0, each
    return _WORKED * BATCH / took


def measure_workers() -> Figure:
    """The same work, by one process and by two, in turn."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3):
        for workers, found in rates.items():
            with new_store() as store:
                enrolled(store, BATCH * (_WORKED + workers))
                found.append(_at_work(store, workers))
    ratios = sorted(two / one for one, two in zip(rates[1], rates[2], strict=True))
    return Figure(
        statistics.median(ratios),
        {
            "steps_per_second_of_1": round(statistics.median(rates[1])),
            "steps_per_second_of_2": round(statistics.median(rates[2])),
            "ratio_least": round(ratios[0], 2),
            "ratio_most": round(ratios[-1], 2),
        },
    )


def _many(store: PostgresStore, count: int) -> None:
    """So many that wait: a thousand are enrolled, the others are like them, under ids and resources of their own."""
    few = 1000
    enrolled(store, few)
    columns = {
        "id": "e.id + {few} * n",
        "resource_id": "(e.resource_id::bigint + {few} * n)::text",
        "address": "n || e.address",
        # All over the day, whatever the count.
        "wake_at": "{start} + 1000000 * (1 + mod(7919 * (e.id + {few} * n), 28800))",
    }
    named = {"few": few, "start": to_microseconds(to_instant(START, "start"))}
    values = ", ".join(columns.get(name, f"e.{name}").format(**named) for name in COLUMNS)
    with connect(autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(store.schema)))
        connection.execute(
            f"INSERT INTO sequencer_enrollments ({', '.join(COLUMNS)}) SELECT {values}"  # noqa: S608
            " FROM sequencer_enrollments e, generate_series(1, %s::bigint) AS n",
            (count // few - 1,),
        )
        connection.execute("VACUUM ANALYZE sequencer_enrollments")


def measure_claim() -> Figure:
    """Claiming 1 000 due: of 1 000 000 that wait, and of 10 000."""
    with new_store() as few, new_store() as many:
        stores = {10_000: few, 1_000_000: many}
        for count, store in stores.items():
            _many(store, count)
        return claiming(stores)


QUESTIONS = (
    Question(
        "durable-step-postgres",
        "a durable step on PostgreSQL beside bare SQL that leases and writes back, times",
        3,
        measure_step,
    ),
    Question(
        "workers-postgres",
        "the steps a second of two workers on PostgreSQL beside those of one, times",
        1.4,
        measure_workers,
        at_least=True,
        slow=True,
    ),
    Question(
        "claim-postgres",
        "claiming 1 000 due of 1 000 000 on PostgreSQL beside 1 000 of 10 000, times",
        2,
        measure_claim,
        slow=True,
    ),
)
