"""Threads that share a commit in an SQLite file: what is told to whom, whatever goes wrong, and how often it commits.

What goes wrong is real: a deferred foreign key that makes COMMIT fail, an `INSERT OR ROLLBACK` with which SQLite takes
back the whole transaction, an error of the block's own, signals, SIGKILL.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sequencer
from sequencer import Engine, ManualClock, Resource
from sequencer.core.errors import Conflict, Misuse, SequencerError, StoreError
from sequencer.http import application, open_access
from sequencer.stores import sqlite_writer
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.workbench import NOW, Refusal, begin, begun, failing, sequence_named
from tests.engine.sequences import mails
from tests.http.driving import client_of
from tests.stores.test_looks import claimed

PACKAGE_ROOT = Path(next(iter(sequencer.__path__))).parent
EXAMPLES = itertools.count(1)
PATIENCE = 20.0
# Half of the blocks end well.
WRONG = ["raises", "rolls back", "dooms the commit", "keeps it in", "keeps it in and writes"]
ENDS = st.sampled_from(["well"] * len(WRONG) + WRONG)
GROUPS = st.lists(st.lists(ENDS, min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store in a file with a table whose foreign key is looked at when a transaction is committed."""
    path = tmp_path_factory.mktemp("group") / "store.db"
    with closing(SQLiteStore(path)) as store:
        connection = writer_of(store).connection
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(
            "CREATE TABLE mine (id INTEGER PRIMARY KEY REFERENCES mine(id) DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.execute("CREATE TABLE his (id INTEGER REFERENCES mine(id) DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO mine VALUES (1)")
        yield store


@pytest.fixture
def patient(monkeypatch):
    """A transaction is passed on as long as anybody waits, so that who is in it does not hang on the machine."""
    monkeypatch.setattr(sqlite_writer, "LONGEST", PATIENCE)


def writer_of(store):
    """What its threads write with; nobody may be writing."""
    return store._writer(store._writers)


def write(transaction, account, name):
    """Two rows that are stored together or not at all."""
    for half in ("a", "b"):
        assert transaction.suppress(account, f"{name}-{half}@example.com", NOW, "manual")


def block(store, account, name, how):
    """A block that writes, and ends in this way."""
    with store.transaction() as transaction:
        write(transaction, account, name)
        cursor = transaction._database.cursor
        if how == "raises":
            raise Refusal
        if how == "rolls back":
            try:
                cursor.execute("INSERT OR ROLLBACK INTO mine VALUES (1)")
            except sqlite3.Error as error:
                raise StoreError(str(error)) from error
        if how.startswith("keeps it in"):
            with suppress(sqlite3.Error):
                cursor.execute("INSERT OR ROLLBACK INTO mine VALUES (1)")
        if how == "keeps it in and writes":
            with suppress(StoreError):
                write(transaction, account, f"{name} again")
        if how == "dooms the commit":
            cursor.execute("INSERT INTO his VALUES (2)")


def at_once(store, works):
    """Do each of these on a thread of its own, in this order, all waiting for the first; what each has raised."""
    writer = writer_of(store)
    raised: list[Exception | None] = [None] * len(works)

    def run(number):
        try:
            works[number]()
        except Exception as error:  # noqa: BLE001 - the tests look at it
            raised[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(works))]
    with failing(store):  # so that it has no part in what follows
        for number, thread in enumerate(threads, start=1):
            thread.start()
            until(lambda number=number: len(writer._queue) == number)
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "somebody waits for ever"
    assert (writer._owner, list(writer._queue), writer._finished) == (None, [], [])
    return raised


def until(holds):
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.0002)


def stored(store, account):
    """The names whose rows are there, on a connection of another's: each with how many."""
    with closing(sqlite3.connect(store._path)) as connection:
        rows = connection.execute(
            "SELECT address FROM sequencer_suppressions WHERE account = ?", (f'"{account}"',)
        ).fetchall()
    names = [address.rpartition("-")[0] for (address,) in rows]
    return {name: names.count(name) for name in names}


class Statements(list):
    """What the writing connection runs, of beginning and ending."""

    def __init__(self, store):
        self._connection = writer_of(store).connection

    def __enter__(self):
        self._connection.set_trace_callback(self.append)
        return self

    def __exit__(self, *error):
        self._connection.set_trace_callback(None)

    def of_transactions(self):
        return [each for each in self if each.split()[0] in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")]


# -- what is told is true -------------------------------------------------------------------------------------


@given(GROUPS)
def test_what_was_told_is_stored_and_nothing_else(store, groups):
    """Whoever's block ended well finds all of it stored, whoever's raised nothing of it, whatever the others did (S2).

    Each list is of blocks that wait together, so they share commits as it comes.
    """
    account = f"example {next(EXAMPLES)}"
    expected: dict[str, int] = {}
    for number, ends in enumerate(groups):
        names = [f"{number}.{place}" for place in range(len(ends))]
        works = [
            lambda name=name, how=how: block(store, account, name, how) for name, how in zip(names, ends, strict=True)
        ]
        raised = at_once(store, works)
        expected |= {name: 2 for name, error in zip(names, raised, strict=True) if error is None}
        for how, error in zip(ends, raised, strict=True):
            assert error is None or isinstance(error, (SequencerError, Refusal))
            assert error is not None or how == "well"
            assert error is None or set(ends) != {"well"}
    assert stored(store, account) == expected


@given(st.lists(st.lists(st.sampled_from(["well", "well", "raises"]), max_size=6), min_size=2, max_size=4))
def test_threads_that_come_as_they_like(store, courses):
    """Threads that write without waiting for each other lose nothing, and keep nothing that was refused."""
    account = f"example {next(EXAMPLES)}"
    told = []

    def live(number, ends):
        for place, how in enumerate(ends):
            name = f"{number}.{place}"
            try:
                block(store, account, name, how)
            except Refusal:
                assert how == "raises"
            else:
                told.append(name)

    threads = [threading.Thread(target=live, args=each) for each in enumerate(courses)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
        assert not each.is_alive()
    assert len(told) == sum(how == "well" for ends in courses for how in ends)
    assert stored(store, account) == dict.fromkeys(told, 2)


def test_who_waits_together_commits_together(store, patient):
    """Eight blocks that wait for the same writer are one commit, and until it each of them waits."""
    account = f"example {next(EXAMPLES)}"
    seen = []

    def work(name):
        block(store, account, name, "well")
        seen.append(len(stored(store, account)))

    with Statements(store) as statements:
        assert at_once(store, [lambda name=f"{n}": work(name) for n in range(8)]) == [None] * 8
    assert statements.of_transactions()[2:] == [
        "BEGIN IMMEDIATE", *["SAVEPOINT turn", "RELEASE turn"] * 7, "COMMIT"
    ]  # fmt: skip
    assert seen == [8] * 8


@pytest.mark.parametrize("alone", [True, False])
def test_blocks_of_an_engine_commit_together_where_they_may(store, patient, alone):
    """`together` is a commit of its own, in which the host's code may wait for whatever it likes, unless it says no."""
    engine = Engine(store).account(f"example {next(EXAMPLES)}")

    def work(number):
        with engine.together(alone=alone) as one:
            one.suppress(f"{number}@example.com")

    with Statements(store) as statements:
        assert at_once(store, [partial(work, number) for number in range(4)]) == [None] * 4
    assert statements.of_transactions().count("COMMIT") == (4 if alone else 1)
    assert len(engine.suppressed()) == 4


def test_requests_commit_together(store, patient):
    """Those who enroll over HTTP at once wait for the disk together."""
    engine = Engine(store).account(f"example {next(EXAMPLES)}")
    id = engine.create_sequence(mails()).id
    app = application(engine, access=open_access(engine._account), inspector=False)

    def work(number):
        with client_of(app) as client:
            data = {"sequence_id": id, "resource_type": "lead", "resource_id": number}
            assert client.post("/v2/sequence_enrollments", data).status_code == 201

    work(0)
    with Statements(store) as statements:
        assert at_once(store, [partial(work, number) for number in range(1, 5)]) == [None] * 4
    assert statements.of_transactions().count("COMMIT") == 1
    assert len(engine.enrollments()) == 5


def test_one_that_raises_takes_back_its_own_only(store, patient):
    """In a shared transaction a block that raises leaves the others as they are, and its error is its own."""
    account = f"example {next(EXAMPLES)}"
    ends = ["well", "raises", "well"]
    with Statements(store) as statements:
        raised = at_once(store, [lambda n=n, how=how: block(store, account, f"{n}", how) for n, how in enumerate(ends)])
    assert [type(each) for each in raised] == [type(None), Refusal, type(None)]
    assert stored(store, account) == {"0": 2, "2": 2}
    assert statements.count("COMMIT") == 1


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("how", ["keeps it in", "keeps it in and writes"])
def test_what_is_kept_in_is_told_to_all(store, patient, how, place):
    """A rollback that one block has kept in, wherever in the line, is told to all who were in that transaction."""
    account = f"example {next(EXAMPLES)}"
    ends = ["well", "well"]
    ends.insert(place, how)
    raised = at_once(store, [lambda n=n, end=end: block(store, account, f"{n}", end) for n, end in enumerate(ends)])
    told = [f"{n}" for n, error in enumerate(raised) if error is None]
    assert stored(store, account) == dict.fromkeys(told, 2)
    # Who came before shared its transaction, and who comes after may have one of its own.
    assert all(isinstance(each, StoreError) and "nothing was stored" in str(each) for each in raised[: place + 1])


@pytest.mark.parametrize("how", ["rolls back", "dooms the commit"])
def test_what_fails_for_one_fails_for_all(store, patient, how):
    """Where the transaction is lost, each that had finished in it is told, also who had an error of its own.

    That error was about what it saw of the others, and that is not stored.
    """
    account = f"example {next(EXAMPLES)}"
    ends = ["well", "raises", how]
    raised = at_once(store, [lambda n=n, end=end: block(store, account, f"{n}", end) for n, end in enumerate(ends)])
    assert all(isinstance(each, (StoreError, Conflict)) for each in raised), raised
    assert isinstance(raised[1].__context__, (Refusal, SequencerError))
    assert stored(store, account) == {}
    block(store, account, "after", "well")
    assert stored(store, account) == {"after": 2}


@pytest.mark.parametrize("room", range(0, 12, 3))
def test_a_full_disk_costs_nobody_what_was_told(tmp_path, patient, room):
    """Where the disk is full for one, nothing is stored of whoever is refused; and with room again all goes on."""
    with closing(SQLiteStore(tmp_path / "full.db")) as store:
        connection = writer_of(store).connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + room}")

        def fill(name):
            with store.transaction() as transaction:
                for number in range(20):
                    write(transaction, "full", f"{name}.{number}")

        names = ("one", "two", "three", "four", "five")
        raised = at_once(store, [lambda name=name: fill(name) for name in names])
        assert any(raised)
        assert all(isinstance(each, StoreError) for each in raised if each is not None), raised
        told = [name for name, error in zip(names, raised, strict=True) if error is None]
        assert stored(store, "full") == {f"{name}.{number}": 2 for name in told for number in range(20)}

        connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
        assert at_once(store, [lambda name=name: fill(f"{name} again") for name in names]) == [None] * len(names)
        assert len(stored(store, "full")) == 20 * (len(told) + len(names))


def test_versions_of_a_lost_commit_are_not_remembered(store, patient):
    """What a block has learned of versions counts for others only once its commit is there."""
    account = f"example {next(EXAMPLES)}"
    before = set(store._known.versions)

    def save():
        with store.transaction() as transaction:
            transaction.save_version(account, sequence_named("lost"), NOW)

    raised = at_once(store, [save, lambda: block(store, account, "doom", "dooms the commit")])
    assert None not in raised
    assert set(store._known.versions) == before
    with store.transaction() as transaction:
        version = transaction.save_version(account, sequence_named("kept", mails=3), NOW)
    with store.transaction(write=False) as transaction:
        assert transaction.current_version(account, "kept") == version
        assert transaction.current_version(account, "lost") is None


def test_a_look_sees_what_any_thread_was_told(store, patient):
    """Once a block of any thread has returned, a look of any other thread's that was read ahead is anew (E3)."""
    account = f"example {next(EXAMPLES)}"
    claims = claimed(store, account)
    looks = {n: store.looking(claims) for n in range(len(claims))}
    found = []

    def work(n):
        other = claims[(n + 1) % len(claims)]
        assert looks[n].look(*other, other[0].resource.address) is False
        with store.transaction() as transaction:
            transaction.suppress(account, claims[n][0].resource.address, NOW, "manual")
        found.append(looks[n].look(*other, other[0].resource.address))

    assert at_once(store, [lambda n=n: work(n) for n in range(len(claims))]) == [None] * len(claims)
    assert found == [True] * len(claims)


# -- who waits, and how long ----------------------------------------------------------------------------------


def test_who_is_alone_begins_and_commits_as_ever(store):
    """A thread that nobody waits behind has its transaction to itself: no savepoint, and one commit a block."""
    account = f"example {next(EXAMPLES)}"
    with Statements(store) as statements:
        block(store, account, "1", "well")
        with pytest.raises(Refusal):
            block(store, account, "2", "raises")
        block(store, account, "3", "well")
    assert statements.of_transactions() == [
        "BEGIN IMMEDIATE", "COMMIT", "BEGIN IMMEDIATE", "ROLLBACK", "BEGIN IMMEDIATE", "COMMIT"
    ]  # fmt: skip


def test_the_first_does_not_wait_for_ever_for_those_behind(store, monkeypatch):
    """A transaction that is old enough is committed although somebody waits, who then begins another."""
    monkeypatch.setattr(sqlite_writer, "LONGEST", -1.0)
    account = f"example {next(EXAMPLES)}"
    with Statements(store) as statements:
        at_once(store, [lambda n=n: block(store, account, f"{n}", "well") for n in range(3)])
    assert statements.count("COMMIT") == 3


@pytest.mark.parametrize("how", ["together", "cap"])
def test_what_the_host_does_may_wait_for_who_came_before(store, patient, how):
    """Code of the host's in a block, or a cap of its own, may wait for a thread that was there before it: both end."""
    account = f"example {next(EXAMPLES)}"
    told = threading.Event()

    waited = []

    def cap(_account, _actor):
        waited.append(told.wait(PATIENCE / 2))

    engine = Engine(store, cap=cap, clock=ManualClock(NOW)).account(account)
    engine.enroll(sequence_named("host", mails=1), Resource("lead", 1, email="1@example.com"), actor_id=1)

    def first():
        block(store, account, "first", "well")
        told.set()

    def second():
        if how == "cap":
            engine.tick()
        else:
            with engine.together() as one:
                cap(None, None)
                one.suppress("second@example.com")

    assert at_once(store, [first, second, lambda: block(store, account, "third", "well")]) == [None, None, None]
    assert waited == [True]


def test_patience_ends(tmp_path):
    """Who waits for a thread that does not finish gets a `Conflict` after `busy_timeout`, and the next one its turn."""
    with closing(SQLiteStore(tmp_path / "store.db", busy_timeout=0.05)) as store:
        raised = []

        def wait():
            with pytest.raises(Conflict, match="busy_timeout") as caught, store.transaction():
                pytest.fail("the block must not begin")
            raised.append(caught.value)

        with store.transaction() as transaction:
            threads = [threading.Thread(target=wait) for _ in range(2)]
            for each in threads:
                each.start()
            for each in threads:
                each.join(PATIENCE)
            begin(store, transaction)
        assert len(raised) == 2
        begun(store, 43)


def test_who_collects_the_block_ahead_goes_on(store, monkeypatch):
    """A block that nobody has left ends when it is collected: also by the thread that is about to wait for it."""
    made = sqlite_writer._bell

    def collecting():
        gc.collect()
        return made()

    def abandon():
        block = store.transaction()
        write(block.__enter__(), account, "abandoned")
        around = [block]
        around.append(around)

    account = f"example {next(EXAMPLES)}"
    gc.disable()
    try:
        thread = threading.Thread(target=abandon)
        thread.start()
        thread.join()
        monkeypatch.setattr(sqlite_writer, "_bell", collecting)
        block(store, account, "after", "well")
    finally:
        gc.enable()
    assert stored(store, account) == {"after": 2}


def test_a_second_block_in_a_thread_is_refused_also_in_a_group(store, patient):
    """In a turn of a shared transaction as well, another block is an error at once, to write and to read."""
    account = f"example {next(EXAMPLES)}"

    def work(name):
        with store.transaction() as transaction:
            for write_too in (True, False):
                with pytest.raises(Misuse, match="open in this thread"), store.transaction(write=write_too):
                    pytest.fail("the block must not begin")
            write(transaction, account, name)

    assert at_once(store, [lambda: work("1"), lambda: work("2")]) == [None, None]
    assert stored(store, account) == {"1": 2, "2": 2}


def test_what_may_be_taken_back_is_in_no_other_file(store):
    """What a savepoint would restore is kept in memory: no temporary file has pages of the store, or is needed (S8)."""
    assert writer_of(store).connection.execute("PRAGMA temp_store").fetchone() == (2,)


def test_what_waits_for_a_store_that_is_closed_hears_so(tmp_path, patient):
    """While a store is closed, a block that is under way comes to its end, and a thread that waits is refused."""
    store = SQLiteStore(tmp_path / "store.db")

    def close():
        with store.transaction() as transaction:
            write(transaction, "example", "1")
            store.close()

    works = [close, lambda: block(store, "example", "2", "well")]
    assert [type(each) for each in at_once(store, works)] == [type(None), StoreError]
    assert stored(store, "example") == {"1": 2}
    assert not list(tmp_path.glob("*-wal")), "a connection is open"


def test_what_is_kept_of_a_block_is_of_no_use(store):
    """A transaction that somebody goes on with after its block writes nothing, in nobody's transaction."""
    with store.transaction() as kept:
        pass
    with store.transaction(), pytest.raises(StoreError, match="closed cursor"):
        kept.suppress(None, "kept@example.com", NOW, "manual")


def test_erasing_leaves_nothing_in_the_log_while_others_wait(store, patient):
    """Who erases commits at once and empties the log, also where others wait for the writer (S8)."""
    account = f"example {next(EXAMPLES)}"
    with store.transaction() as transaction:
        enrollment = begin(store, transaction, email="lovelace@example.com", account=account)

    def erase():
        with store.transaction() as transaction:
            transaction.erase(account, enrollment.resource)
        folder = Path(store._path).parent
        assert [each.name for each in folder.iterdir() if b"lovelace" in each.read_bytes()] == []

    assert at_once(store, [erase, lambda: block(store, account, "after", "well")]) == [None, None]


# -- interrupted, and killed ----------------------------------------------------------------------------------


def told_by(script, path, *, kill_after=None):
    """Run it on a store: the lines that it has printed, until its end or the one after which it is killed."""
    paths = os.pathsep.join([str(PACKAGE_ROOT), str(Path(__file__).parents[2])])
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(kill_after or 0)]
        if kill_after:
            process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == (-signal.SIGKILL if kill_after else 0)
    return [line.strip() for line in lines if line.endswith("\n")]


_WRITING = """
import os, random, signal, sys, threading, time
from sequencer.http import application, open_access
from sequencer.stores import sqlite_writer
from sequencer.stores.sqlite import SQLiteStore
from tests.stores.test_group_commit import write
store = SQLiteStore(sys.argv[1], busy_timeout=20)
over = threading.Event()
def work(number, names):
    for n in names:
        if over.is_set():
            return
        with store.transaction() as transaction:
            write(transaction, "example", f"{number}.{n}")
        os.write(1, f"{number}.{n}\\n".encode())
"""
_KILLED = """
for number in range(6):
    threading.Thread(target=work, args=(number, range(10**6))).start()
"""
_INTERRUPTED = """
class Interrupted(BaseException):
    pass
def interrupt(*_):
    raise Interrupted
signal.signal(signal.SIGALRM, interrupt)
threads = [threading.Thread(target=work, args=(number, range(10**6)), daemon=True) for number in (1, 2, 3)]
for each in threads:
    each.start()
chance = random.Random(3)
struck = 0
for n in range(400):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00001, 0.003))
        try:
            work(0, range(100 * n, 100 * n + 100))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Interrupted:
        struck += 1
over.set()
for each in threads:
    each.join(10)
    assert not each.is_alive(), "somebody waits for ever"
over.clear()
work("last", range(1))
writer = store._writer(store._writers)
assert (writer._owner, list(writer._queue), writer._finished) == (None, [], []), vars(writer)
store.close()
assert struck > 300, struck
"""

_FORKED = """
for how in ("well", "raises"):
    child = 0
    try:
        with store.transaction() as transaction:
            write(transaction, "example", how)
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
            elif how == "raises":
                raise RuntimeError
    except Exception as error:
        os.write(1, f"{how} {type(error).__name__}\\n".encode())
        os._exit(0)
    if not child:
        os._exit(1)
"""
# SQLite is given no byte more from there on, not even to take anything back.
_OUT_OF_MEMORY = """
sqlite_writer.LONGEST = 20
writer = store._writer(store._writers)
begun = threading.Event()
def told(name, how):
    try:
        with store.transaction() as transaction:
            begun.set()
            how(transaction)
            write(transaction, "example", name)
    except Exception as error:
        os.write(1, f"{name} {type(error).__name__}\\n".encode())
def wait(_):
    while not writer._queue:
        time.sleep(0.001)
def exhaust(transaction):
    try:
        transaction._database.cursor.execute("PRAGMA hard_heap_limit = 1")
    except MemoryError:
        pass  # kept in
threads = [threading.Thread(target=told, args=each, daemon=True) for each in (("first", wait), ("second", exhaust))]
for each in threads:
    each.start()
    begun.wait()
for each in threads:
    each.join(10)
    assert not each.is_alive(), "somebody waits for ever"
assert (writer._owner, list(writer._queue), writer._finished) == (None, [], []), vars(writer)
"""


def test_a_kill_takes_nothing_that_was_told(tmp_path):
    """Of a process with six threads that is killed in the midst, all that one was told is there, and whole (S1)."""
    path = tmp_path / "store.db"
    SQLiteStore(path).close()
    told = told_by(_WRITING + _KILLED, path, kill_after=40)
    with closing(SQLiteStore(path)) as store:
        found = stored(store, "example")
    assert len(told) >= 40
    assert set(told) <= set(found)
    assert set(found.values()) == {2}


def test_whatever_is_interrupted_the_others_go_on(tmp_path):
    """A thread that is struck at any moment, as by Ctrl-C, leaves the writer to the others, and no commit undone."""
    path = tmp_path / "store.db"
    SQLiteStore(path).close()
    told = told_by(_WRITING + _INTERRUPTED, path)
    with closing(SQLiteStore(path)) as store:
        found = stored(store, "example")
    assert told[-1] == "last.0"
    assert set(told) <= set(found)
    assert set(found.values()) == {2}


def test_without_memory_everybody_is_told(tmp_path):
    """Where SQLite has no memory left, nothing is stored of whoever shares the commit, and nobody waits for ever."""
    path = tmp_path / "store.db"
    SQLiteStore(path).close()
    told = told_by(_WRITING + _OUT_OF_MEMORY, path)
    assert sorted(told) == ["first StoreError", "second StoreError"]
    with closing(SQLiteStore(path)) as store:
        assert stored(store, "example") == {}


def test_a_block_ends_in_its_own_process(tmp_path):
    """A process that is forked in a block neither commits nor takes back what is the other's, and is told so (S2)."""
    path = tmp_path / "store.db"
    SQLiteStore(path).close()
    assert told_by(_WRITING + _FORKED, path) == ["well Misuse", "raises RuntimeError"]
    with closing(SQLiteStore(path)) as store:
        assert stored(store, "example") == {"well": 2, "raises": 2}
