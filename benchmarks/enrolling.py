"""Enrolling 100 000 beside the bare writing of the same rows: `executemany` on SQLite, COPY on PostgreSQL."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import postgres
from benchmarks.deciding import six_steps
from benchmarks.measuring import Figure, Question, seconds
from benchmarks.storing import START
from sequencer.core.enrollment import Resource
from sequencer.engine.engine import Engine
from sequencer.engine.results import Row
from sequencer.simulation.clock import ManualClock
from sequencer.stores.postgres import PostgresStore
from sequencer.stores.sqlite import SQLiteStore

_ROUNDS = 10
_EACH = 10_000
# The tables that enrolling writes to, and the column by which the rows of an enrollment are found there.
_TABLES = {
    "sequencer_enrollments": "id",
    "sequencer_events": "enrollment_id",
    "sequencer_refs": "enrollment_id",
    "sequencer_mails": "enrollment_id",
}

_Written = dict[str, list[tuple[Any, ...]]]


def _leads(first: int) -> list[Row]:
    return [
        Row(
            Resource("lead", i, email=f"lead{i}@example.com", fields={"first_name": "Ada", "company": "Initech"}),
            actor_id=i % 50,
        )
        for i in range(first, first + _EACH)
    ]


def _beside(
    store: SQLiteStore | PostgresStore,
    written: Callable[[str, str, int], list[tuple[Any, ...]]],
    write: Callable[[_Written], object],
) -> Figure:
    """Ours and then the bare rows, round by round: both have as many in their tables and their indexes."""
    engine, sequence = Engine(store=store, clock=ManualClock(START)), six_steps()
    ours, bare = [], []
    last = 0
    for turn in range(_ROUNDS):
        leads = _leads(turn * _EACH)
        ours.append(seconds(partial(engine.enroll_many, sequence, leads)))
        rows = {table: written(table, column, last) for table, column in _TABLES.items()}
        assert len(rows["sequencer_enrollments"]) == len(rows["sequencer_events"]) == _EACH
        last = max(id for id, *_ in rows["sequencer_enrollments"])
        bare.append(seconds(partial(write, rows)))
    ratios = sorted(a / b for a, b in zip(ours, bare, strict=True))
    return Figure(
        statistics.median(ratios),
        {
            "enrollments": _ROUNDS * _EACH,
            "rounds": _ROUNDS,
            "per_second": round(_EACH / statistics.median(ours)),
            "bare_per_second": round(_EACH / statistics.median(bare)),
            "ratio_least": round(ratios[0], 2),
            "ratio_most": round(ratios[-1], 2),
        },
    )


def _select(connection: Any, prefix: str, table: str, column: str, last: int) -> list[tuple[Any, ...]]:
    """What ours has written since."""
    found: list[tuple[Any, ...]] = connection.execute(
        f"SELECT * FROM {prefix}{table} WHERE {column} > {last} ORDER BY {column}"  # noqa: S608 - our own names
    ).fetchall()
    return found


def _executemany(connection: sqlite3.Connection, rows: _Written) -> None:
    """All rows of a round in one durable transaction, one `executemany` for each table."""
    connection.execute("BEGIN IMMEDIATE")
    for table, each in rows.items():
        if each:
            places = ", ".join("?" * len(each[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", each)  # noqa: S608 - our own names
    connection.execute("COMMIT")


def measure_sqlite() -> Figure:
    """Two files with the same schema and settings: one for ours, one for the bare rows."""
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder, "ours.db"))
        writing = sqlite3.connect(Path(folder, "bare.db"), isolation_level=None)
        # The store makes the schema, and sets up the connection for its own use.
        bare = SQLiteStore(connect=lambda: writing)
        reading = sqlite3.connect(Path(folder, "ours.db"))
        figure = _beside(store, partial(_select, reading, ""), partial(_executemany, writing))
        reading.close()
        bare.close()
        store.close()
    return figure


def _copy(connection: psycopg.Connection[Any], schema: str, rows: _Written) -> None:
    """All rows of a round in one durable transaction, one COPY for each table."""
    with connection.transaction():
        for table, each in rows.items():
            with connection.cursor().copy(f'COPY "{schema}".{table} FROM STDIN'.encode()) as copy:
                for row in each:
                    copy.write_row(row)


def measure_postgres() -> Figure:
    """Two schemas of one server, alike: one for ours, one for the bare rows."""
    with (
        postgres.new_store() as ours,
        postgres.new_store() as bare,
        postgres.connect(autocommit=True) as reading,
        postgres.connect(autocommit=True) as writing,
    ):
        return _beside(ours, partial(_select, reading, f'"{ours.schema}".'), partial(_copy, writing, bare.schema))


QUESTIONS = (
    Question(
        "enrolling", "enrolling 100 000 on SQLite beside `executemany` of the same rows, times", 6, measure_sqlite
    ),
    Question(
        "enrolling-postgres", "enrolling 100 000 on PostgreSQL beside COPY of the same rows, times", 6, measure_postgres
    ),
)
