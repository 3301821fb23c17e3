"""The stages: a place for a store that can be opened again and again, from other processes, too, and looked through."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from sequencer.core.errors import SequencerError
from sequencer.engine.storage import Store
from sequencer.stores.database import Known
from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.stores.statements import migrations, split
from tests.faults.judge import Evidence

__all__ = ["STAGES", "Stage", "evidence", "opened", "stage"]


SECRET = b"of the stores with a given id"


class Stage:
    """One place for a store. `address` is what another process opens it by; None where none can."""

    name = "memory"
    address: str | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stores: list[Store] = []

    def store(self) -> Store:
        """A store on this stage's data: a new one, except in memory, where the object is the data."""
        if not self._stores:
            self._stores.append(MemoryStore())
        return self._stores[0]

    def store_with(self, origin: str) -> Any:
        """A store with a given id instead of its random one, on which keys and jitter hang; for an empty stage."""
        store: Any = self.store()
        store.origin = origin
        store._known = Known(origin, SECRET)
        return store

    def at_schema(self, schema: int) -> None:
        """As the release with this schema made it, without a row; 0 for nothing at all."""
        raise NotImplementedError

    def schema_found(self) -> int:
        """The schema that is there; 0 for none."""
        raise NotImplementedError

    def note_schema(self, schema: int) -> None:
        """Make it look like one of a release of the future."""
        raise NotImplementedError

    def contents(self) -> Any:
        """Everything that is stored, to compare."""
        raise NotImplementedError

    def problems(self) -> list[str]:
        """What the store's own checks find."""
        return []

    def close(self) -> None:
        """Give everything back."""
        for store in self._stores:
            store.close()


class SQLiteStage(Stage):
    """An SQLite file."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = folder / "faults.db"
        self.address = f"sqlite:{self.path}"

    def store(self) -> Store:
        self._stores.append(SQLiteStore(self.path))
        return self._stores[-1]

    def store_with(self, origin: str) -> Any:
        store: Any = self.store()
        with closing(sqlite3.connect(self.path)) as connection:
            for name, value in (("origin", origin), ("secret", SECRET.hex())):
                connection.execute("UPDATE sequencer_meta SET value = ? WHERE name = ?", (value, name))
            connection.commit()
        store._known = None
        return store

    def at_schema(self, schema: int) -> None:
        if schema == 0:
            return
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            for migration in migrations("sqlite")[:schema]:
                for statement in split(migration.sql):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO sequencer_migrations VALUES (?, ?, 'before')", (migration.version, migration.name)
                )
            connection.execute("INSERT INTO sequencer_meta VALUES ('origin', '0123456789abcdef')")
            connection.execute("INSERT INTO sequencer_meta VALUES ('secret', ?)", ("ab" * 32,))
            connection.execute("COMMIT")

    def schema_found(self) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            try:
                return int(connection.execute("SELECT max(version) FROM sequencer_migrations").fetchone()[0] or 0)
            except sqlite3.OperationalError:
                return 0

    def note_schema(self, schema: int) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("INSERT INTO sequencer_migrations VALUES (?, 'of the future', 'after')", (schema,))

    def contents(self) -> Any:
        return self.path.read_bytes()

    def problems(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else [f"integrity_check: {each}" for each in found]


STAGES: dict[str, Callable[..., Stage]] = {"memory": Stage, "sqlite": SQLiteStage}


@contextmanager
def stage(name: str, **how: Any) -> Iterator[Stage]:
    """A fresh stage of this name, gone afterwards.

    Where memory can be had as a folder, it is: a process that dies takes nothing with it that it has written.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory) as folder:
        made = STAGES[name](Path(folder), **how)
        try:
            yield made
        finally:
            made.close()


def opened(address: str, *, check: bool = True, step: Callable[[str], None] | None = None) -> Any:
    """The store at an address, opened in this process; `step` is called with each statement before it is run."""
    kind, _, where = address.partition(":")
    if kind == "sqlite":
        connect = None if step is None else partial(_watched, where, step)
        return SQLiteStore(None if connect else where, connect=connect, busy_timeout=20, check=check)
    from tests.faults.postgres_stage import PostgresStage

    return PostgresStage.opened(where, check=check, step=step)


def _watched(path: str, step: Callable[[str], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=20, check_same_thread=False)
    connection.set_trace_callback(step)
    return connection


def evidence(stage: Stage, **more: Any) -> Evidence:
    """Everything that is stored, read by the codec, with what the store's own checks say."""
    problems = stage.problems()
    store = stage.store()
    with store.transaction() as transaction:
        read: dict[int, Any] = {}
        histories = {}
        claimed = set()
        after = 0
        while True:
            try:
                page = transaction.enrollments(None, after=after, limit=500)
            except SequencerError as error:
                problems.append(f"cannot be read: {error}")
                break
            for each in page:
                read[each.id] = each
                histories[each.id] = transaction.events(each.id)
                held = transaction.get(each.id)
                if held is None or held.enrollment != each:
                    problems.append(f"enrollment {each.id} reads differently by its id")
                elif held.lease_until is not None:
                    claimed.add(each.id)
                for step in each.steps:
                    if step.message_id and transaction.find(None, "message", step.message_id) != each.id:
                        problems.append(f"enrollment {each.id} cannot be found by {step.message_id}")
            if len(page) < 500:
                break
            after = page[-1].id
        tasks = []
        board = transaction.tasks(None, status=None, limit=100_000)
        tasks = [(task.enrollment_id, task.position) for task in board]
    return Evidence(
        enrollments=read, histories=histories, tasks=tasks, claimed=claimed, problems=problems,
        **{"enrolled": tuple(read), "log": (), **more},
    )  # fmt: skip


@attrs.frozen
class Size:
    """How much: every how-manieth point, how many kills, people and rounds."""

    name: str
    every: int
    kills: int
    people: int
    rounds: int

    def stride(self, on: str) -> int:
        """Every how-manieth point; fewer where a point costs more, but of a thorough size."""
        if self.every > 1:
            return self.every * {"memory": 1, "sqlite": 3, "postgres": 9}[on]
        return 4 if on == "postgres" and self.name == "ordinary" else 1

    def fewer(self, on: str, count: int) -> int:
        """So many rounds of chance, or a part of them where each costs much, but for a thorough size."""
        return max(1, count // 5) if on == "postgres" and self.name != "thorough" else count


SIZES = {
    each.name: each
    for each in (
        Size("small", every=13, kills=12, people=40, rounds=1),
        Size("ordinary", every=1, kills=200, people=1_000, rounds=4),
        Size("thorough", every=1, kills=2_000, people=5_000, rounds=25),
    )
}
