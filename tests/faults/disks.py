"""A disk that is full, or that fails: at every page, at every size of a file, at every statement.

The worker and its hosts meet the error as `StoreError`, as often as they try; then there is room again and the same
worker goes on. The file passes its check at every stage. A server of PostgreSQL's has a disk of its own: it says itself
that this is full, or fails, at every statement that writes and at every commit.
"""

from __future__ import annotations

import itertools
import resource
import signal
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sequencer.core.errors import StoreError
from sequencer.engine.storage import Store
from sequencer.stores.sqlite import SQLiteStore
from tests.faults import deaths
from tests.faults.judge import judge
from tests.faults.processes import CONTEXT, LONGEST
from tests.faults.stages import Size, Stage, evidence, stage
from tests.faults.tally import Tally
from tests.faults.world import Stuck, World

__all__ = ["disks"]

TRIES = 3
"""How often the error is met before there is room again."""
ROOM = 1_000_000


class _Disk:
    """A disk that can be made to fail, and well again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures = 0

    def store(self) -> Store:
        """A store on this disk."""
        return SQLiteStore(connect=self.connect)

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, check_same_thread=False)

    def fail(self) -> None:
        """From now on."""

    def mend(self) -> None:
        """There is room again."""


class _FullFile(_Disk):
    """The database may have so many pages."""

    def __init__(self, path: Path, pages: int) -> None:
        super().__init__(path)
        self._pages = pages
        self._connections: list[sqlite3.Connection] = []

    def connect(self) -> sqlite3.Connection:
        connection = super().connect()
        self._connections.append(connection)
        return connection

    def fail(self) -> None:
        for connection in self._connections:
            connection.execute(f"PRAGMA max_page_count = {self._pages}")

    def mend(self) -> None:
        for connection in self._connections:
            connection.execute(f"PRAGMA max_page_count = {ROOM}")


class _FullDisk(_Disk):
    """No file of this process may grow beyond so many bytes."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path)
        self._size = size

    def fail(self) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, most))

    def mend(self) -> None:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


class _FailingDisk(_Disk):
    """The n-th statement, and those tried after it, meet an error of the disk."""

    def __init__(self, path: Path, at: int | None) -> None:
        super().__init__(path)
        self._at = at
        self.statements = 0
        self._failing = False

    def connect(self) -> sqlite3.Connection:
        disk = self

        class Cursor(sqlite3.Cursor):
            def execute(self, *arguments: Any) -> Any:
                disk.pass_(arguments[0])
                return super().execute(*arguments)

            def executemany(self, *arguments: Any) -> Any:
                disk.pass_(arguments[0])
                return super().executemany(*arguments)

        class Connection(sqlite3.Connection):
            def cursor(self, factory: Any = Cursor) -> Any:
                return super().cursor(factory)

        return sqlite3.connect(self.path, check_same_thread=False, factory=Connection)

    def pass_(self, statement: str) -> None:
        """A statement is about to run."""
        if not self._failing or statement == "ROLLBACK":
            return
        self.statements += 1
        if self._at is not None and self.statements >= self._at:
            raise sqlite3.OperationalError("disk I/O error")

    def fail(self) -> None:
        self._failing = True

    def mend(self) -> None:
        self._failing = False


# Each connection may meet one more error of the time before.
_PATIENCE = 20


class _Struck:
    """Counts the errors that the world around the engine meets; after some of them the disk is mended."""

    def __init__(self, disk: _Disk, check: Callable[[], list[str]]) -> None:
        self.met = 0
        self.problems: list[str] = []
        self._disk = disk
        self._check = check

    def meet(self) -> None:
        self.met += 1
        self.problems += self._check()
        if self.met >= TRIES:
            self._disk.mend()
        if self.met > TRIES + _PATIENCE:
            raise Stuck("the disk is mended, and the store still fails")


class _World(World):
    """A world whose store fails, and that tries again as `World` does after a strike."""

    def __init__(self, disk: _Disk, struck: _Struck, **how: Any) -> None:
        self._struck = struck
        super().__init__(None, how["mode"], store=disk.store())

    def act(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        while True:
            try:
                return super().act(verb, *arguments)
            except StoreError:
                self._struck.meet()

    def work(self, until: Any, limit: int = 1000, tries: int = 3000) -> None:
        while True:
            try:
                return super().work(until, limit, tries)
            except StoreError:
                self._struck.meet()


class _FullServer(_Disk):
    """PostgreSQL whose n-th write, and those tried after it, find no room on its disk; or n-th row to be committed.

    A trigger on every table raises what the server would; the count of the writes goes on where they are rolled back.
    """

    def __init__(self, made: Any, at: int, when: str) -> None:
        super().__init__(made.folder)
        self._made = made
        self._at = at
        self._when = when

    def store(self) -> Store:
        store: Store = self._made.store()
        return store

    def fail(self) -> None:
        error = ("disk_full", "io_error")[self._at % 2]
        self._made.run(
            "CREATE SEQUENCE {}.faults_writes",
            "CREATE FUNCTION {}.faults_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('{{}}.faults_writes') >= {self._at} "
            f"THEN RAISE EXCEPTION 'no room for this' USING ERRCODE = '{error}'; END IF; "
            "RETURN NULL; END $$",
            *(
                f"{_WHEN[self._when]} EXECUTE FUNCTION {{}}.faults_write()".replace("TABLE", f"{{}}.{table}")
                for table in self._made.tables()
            ),
        )

    def mend(self) -> None:
        self._made.run("DROP FUNCTION IF EXISTS {}.faults_write CASCADE", "DROP SEQUENCE IF EXISTS {}.faults_writes")


_WHEN = {
    "write": "CREATE TRIGGER faults_write BEFORE INSERT OR UPDATE OR DELETE ON TABLE",
    "commit": "CREATE CONSTRAINT TRIGGER faults_commit AFTER INSERT OR UPDATE OR DELETE ON TABLE INITIALLY DEFERRED "
    "FOR EACH ROW",
}
"""At each statement that writes; and at a commit, at each row that was written before it."""


def disks(on: str, size: Size) -> Tally:
    """Every page at which the file can be full, every size at which the disk can be, every statement."""
    return _of_a_server(size) if on == "postgres" else _of_files(on, size)


def _of_a_server(size: Size) -> Tally:
    total = Tally()
    for when in _WHEN:
        for at in itertools.count(1, size.stride("postgres")):
            mode = ("at_most_once", "deduplicates")[at // 2 % 2]
            with stage("postgres") as made:
                tally = _live(made, _FullServer(made, at, when), mode)
            tally.notes = [f"{mode}, {when} {at}: {note}" for note in tally.notes]
            total.add(tally)
            if not tally.injected:
                break
    return total


def _of_files(on: str, size: Size) -> Tally:
    total = Tally()
    with stage(on) as made:
        SQLiteStore(made.folder / "faults.db").close()
        empty = _pages(made)
        clean = _FailingDisk(made.folder / "faults.db", None)
        _live(made, clean, "at_most_once")
        full, statements = _pages(made), clean.statements
    step = size.stride(on)
    for number, pages in enumerate(range(empty, full + 1)):
        if number % max(1, step // 8) == 0:
            total.add(_run(on, ("at_most_once", "deduplicates")[number % 2], partial(_FullFile, pages=pages)))
    for at in range(1, statements + 1, step):
        total.add(_run(on, ("at_most_once", "deduplicates")[at % 2], partial(_FailingDisk, at=at)))
    for limit in itertools.count(4096, 4096 * step):
        tally = _in_another_process(on, limit)
        total.add(tally)
        if not tally.injected:
            return total
    raise AssertionError("some size is enough")


def _pages(made: Stage) -> int:
    connection = sqlite3.connect(made.folder / "faults.db")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    finally:
        connection.close()
    return int(pages)


def _live(made: Stage, disk: _Disk, mode: str) -> Tally:
    """The story of the deaths on such a disk."""
    struck = _Struck(disk, made.problems)
    tally = Tally()
    world = _World(disk, struck, mode=mode)
    ids: list[int] = []
    try:
        disk.fail()
        ids = deaths.story(world)
    except Stuck as error:
        tally.found("stuck", str(error))
    finally:
        disk.mend()
        world.store.close()
    found = evidence(
        made,
        enrolled=ids,
        log=world.log,
        by_hand=[ids[number - 1] for number in (deaths.REPLIED, deaths.LEFT)] if ids else (),
        parked_at_most=struck.met if mode == "at_most_once" else 0,
    )
    tally.add(judge(found))
    for problem in struck.problems:
        tally.found("corrupt", problem)
    tally.injected = struck.met
    return tally


def _run(on: str, mode: str, make: Callable[[Path], _Disk]) -> Tally:
    with stage(on) as made:
        SQLiteStore(made.folder / "faults.db").close()
        disk = make(made.folder / "faults.db")
        tally = _live(made, disk, mode)
        tally.notes = [f"{mode}, {type(disk).__name__} {vars(disk)}: {note}" for note in tally.notes]
        return tally


def _in_another_process(on: str, limit: int) -> Tally:
    """The limit holds for all files of a process, so it has one of its own."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_limited, args=(on, limit, theirs))
    process.start()
    theirs.close()
    tally = Tally()
    if ours.poll(LONGEST):
        with suppress(EOFError):
            tally = ours.recv()
    process.join(LONGEST)
    assert process.exitcode == 0, process.exitcode
    return tally


def _limited(on: str, limit: int, answer: Any) -> None:
    answer.send(_run(on, "at_most_once", partial(_FullDisk, size=limit)))
