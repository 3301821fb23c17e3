"""What is SQLite's own: files, schemas, durability, several processes, and what the statements cost."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import sequencer
from sequencer import AutomatedEmail, Engine, RecordingMailer, Resource, Sequence, Step
from sequencer.core.errors import Busy, InvalidInput, Misuse, SchemaMismatch, StoreError
from sequencer.core.signals import Block
from sequencer.stores import sqlite as module
from sequencer.stores import sqlite_database
from sequencer.stores.sqlite import SCHEMA, SUPPORTED, SQLiteStore
from sequencer.stores.statements import Migration, migrations, parse, split
from sequencer.stores.tables import Tables
from sequencer.testing.contracts.workbench import (
    LEASE,
    NOW,
    OUTREACH,
    begin,
    begun,
    board_task,
    do,
    failing,
    finish,
    later,
    send,
)

PACKAGE_ROOT = Path(next(iter(sequencer.__path__))).parent


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def store(path):
    store = SQLiteStore(path)
    yield store
    store.close()


def stored(transaction, id):
    held = transaction.get(id)
    assert held is not None
    return held.enrollment


def run(path, *statements):
    """Statements of somebody else's, on a connection of their own; the rows of the last one."""
    connection = sqlite3.connect(path)
    try:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


# -- opening --------------------------------------------------------------------------------------------------


def test_a_store_is_opened_again(path):
    """What was stored is there when the file is opened again, under the same origin."""
    first = SQLiteStore(path)
    enrollment = begun(first)
    first.close()
    second = SQLiteStore(str(path))

    assert second.origin == first.origin
    with second.transaction() as transaction:
        assert stored(transaction, enrollment.id) == enrollment
    second.close()


def test_every_store_has_its_own_origin(path, tmp_path):
    """Two stores never have the same origin, so that their keys differ."""
    stores = [SQLiteStore(path), SQLiteStore(tmp_path / "other.db"), SQLiteStore(":memory:")]

    assert len({each.origin for each in stores}) == 3
    for each in stores:
        each.close()


def test_durability_is_what_it_says(store):
    """The store's connections, to read and to write, write ahead and synchronise at every commit."""
    with store.transaction(write=False) as reading:
        read_on = reading._database.cursor.connection
    with store.transaction() as writing:
        written_on = writing._database.cursor.connection

    assert read_on is not written_on
    for connection in (read_on, written_on):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


@pytest.mark.parametrize("arguments", [{}, {"path": ""}, {"path": "a.db", "connect": sqlite3.connect}])
def test_where_it_is_must_be_said_once(arguments):
    """A store is made with a path or with a way to connect, not with neither or both."""
    with pytest.raises(InvalidInput, match="give a path"):
        SQLiteStore(**arguments)


@pytest.mark.parametrize("url", ["sqlite:///crm.db", "postgresql://a:secret@host/crm", "file:///tmp/crm.db"])
def test_a_url_is_no_path(url, tmp_path, monkeypatch):
    """Who gives a URL is told that it takes a path, and which stores take what they have; no password is shown."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="path: needs the path of a file, and got a URL; PostgresStore") as caught:
        SQLiteStore(url)

    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_refused(tmp_path):
    """A file that is no database, and a folder that is not there, are refused with the path."""
    text = tmp_path / "notes.txt"
    text.write_text("These are notes, and not a database at all. " * 50)
    with pytest.raises(StoreError, match="not a database"):
        SQLiteStore(text)
    with pytest.raises(StoreError, match=r"missing.*store\.db"):
        SQLiteStore(tmp_path / "missing" / "store.db")
    assert text.read_text().startswith("These are notes")


def test_a_closed_store_is_refused(path):
    """After it was closed a store answers with an error; closing it twice is none."""
    store = SQLiteStore(path)
    store.close()
    store.close()

    with pytest.raises(StoreError, match="closed"), store.transaction():
        pytest.fail("the block must not begin")


def test_tables_of_the_host_stay_as_they_are(path):
    """The store's tables are made beside the host's, and all of them have its prefix."""
    run(path, "CREATE TABLE leads (id INTEGER PRIMARY KEY)", "INSERT INTO leads VALUES (42)")
    SQLiteStore(path).close()

    names = {name for (name,) in run(path, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")}
    assert {name for name in names if not name.startswith("sequencer_")} == {"leads"}
    assert run(path, "SELECT id FROM leads") == [(42,)]


# -- schemas --------------------------------------------------------------------------------------------------


def test_the_schema_is_recorded_with_its_release(path, store):
    """Each migration is recorded by its number, its name and the release that applied it."""
    rows = run(path, "SELECT version, name, release FROM sequencer_migrations")

    assert [(version, name) for version, name, _ in rows] == [
        (each.version, each.name) for each in migrations("sqlite")
    ]
    assert all(re.match(r"\d+\.\d+", release) for _, _, release in rows)


def test_a_release_runs_on_its_own_schema_and_the_one_before():
    """The schemas that this release runs on are its own and, where there is one, the one before it."""
    assert tuple(number for number in (SCHEMA - 1, SCHEMA) if number) == SUPPORTED


def test_a_newer_schema_is_refused_by_number(path):
    """A schema from a later release is refused, with what was found, and is not touched."""
    SQLiteStore(path).close()
    run(path, f"INSERT INTO sequencer_migrations VALUES ({SCHEMA + 1}, 'later', '99.0')")

    for attempt in (lambda: SQLiteStore(path), lambda: SQLiteStore(path, check=False).migrate()):
        with pytest.raises(SchemaMismatch, match=f"schema {SCHEMA + 1}.*upgrade the package") as caught:
            attempt()
        assert (caught.value.found, caught.value.supported) == (SCHEMA + 1, SUPPORTED)


def test_an_older_schema_is_refused_and_migrated(path, monkeypatch):
    """A schema that is too old is refused with the remedy, and `migrate` brings it up, after saying what it will do."""
    SQLiteStore(path).close()
    later_ones = (
        *migrations("sqlite"),
        Migration(SCHEMA + 1, "next", "CREATE TABLE sequencer_second (id INTEGER);"),
        Migration(SCHEMA + 2, "after_that", "CREATE TABLE sequencer_third (id INTEGER);"),
    )
    monkeypatch.setattr(module, "migrations", lambda dialect: later_ones)
    monkeypatch.setattr(module, "SCHEMA", SCHEMA + 2)
    monkeypatch.setattr(module, "SUPPORTED", (SCHEMA + 1, SCHEMA + 2))
    with pytest.raises(SchemaMismatch, match=rf"schema {SCHEMA}.*run `migrate`"):
        SQLiteStore(path)

    store = SQLiteStore(path, check=False)
    expected = [each.sql for each in later_ones[SCHEMA:]]
    assert store.migrate(dry_run=True) == expected
    assert run(path, "SELECT count(*) FROM sqlite_master WHERE name = 'sequencer_second'") == [(0,)]
    assert store.migrate() == expected
    assert store.migrate() == []
    enrollment = begun(store)
    store.close()
    assert run(path, "SELECT max(version) FROM sequencer_migrations") == [(SCHEMA + 2,)]
    again = SQLiteStore(path)
    with again.transaction() as transaction:
        assert stored(transaction, enrollment.id) == enrollment
    again.close()


def test_half_of_our_tables_are_refused(path):
    """A file that has some of the store's tables but no record of its schema is refused, not completed."""
    run(path, "CREATE TABLE sequencer_events (id INTEGER)")

    with pytest.raises(SchemaMismatch, match="schema 0"):
        SQLiteStore(path)
    assert run(path, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'sequencer%'") == [(1,)]


def test_a_migration_that_fails_leaves_nothing(path, monkeypatch):
    """Migrations are applied all together or not at all."""
    broken = (*migrations("sqlite"), Migration(SCHEMA + 1, "broken", "CREATE NONSENSE;"))
    monkeypatch.setattr(module, "migrations", lambda dialect: broken)
    with pytest.raises(StoreError, match="syntax error"):
        SQLiteStore(path)

    assert run(path, "SELECT count(*) FROM sqlite_master") == [(0,)]


# -- several at once ------------------------------------------------------------------------------------------


def _claim_everything(path, results):
    store = SQLiteStore(path, busy_timeout=60)
    claimed = []
    while True:
        with store.transaction() as transaction:
            found = [held.enrollment.id for held in transaction.claim(NOW, 7, LEASE)]
        if not found:
            break
        claimed += found
    store.close()
    results.put(claimed)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_each_is_claimed_by_one(path, store, kind):
    """Four workers claim 500 enrollments, and each is claimed by exactly one of them (trap 14)."""
    with store.transaction() as transaction:
        ids = [begin(store, transaction, n).id for n in range(500)]
    if kind == "threads":
        results: list[int] = []

        def work():
            while True:
                with store.transaction() as transaction:
                    found = [held.enrollment.id for held in transaction.claim(NOW, 7, LEASE)]
                if not found:
                    return
                results.extend(found)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        processes = [context.Process(target=_claim_everything, args=(path, queue)) for _ in range(4)]
        for each in processes:
            each.start()
        results = [id for _ in processes for id in queue.get(timeout=120)]
        for each in processes:
            each.join()

    assert Counter(results) == Counter(ids)


def _open(path, results):
    store = SQLiteStore(path, busy_timeout=60)
    results.put(store.origin)
    store.close()


def test_many_open_a_new_file_at_once(path):
    """Processes that open a new file at the same moment agree on one schema and one origin."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=_open, args=(path, queue)) for _ in range(4)]
    for each in processes:
        each.start()
    origins = {queue.get(timeout=120) for _ in processes}
    for each in processes:
        each.join()

    assert len(origins) == 1
    assert run(path, "SELECT count(*) FROM sequencer_migrations") == [(SCHEMA,)]


def test_a_forked_process_has_connections_of_its_own(store):
    """A process that was forked off works with the store, and so does its parent, before and after."""
    first = begun(store, 1)
    child = os.fork()
    if child == 0:
        try:
            begun(store, 2)
        except BaseException:  # noqa: BLE001 - this process has nothing else to do
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    third = begun(store, 3)
    with store.transaction() as transaction:
        assert [each.id for each in transaction.enrollments(None)] == [first.id, first.id + 1, third.id]


def test_a_process_that_is_forked_in_a_block_of_the_callers_has_none(path, store):
    """A block on the caller's connection is its own process's: a fork waits for it as any other does, and writes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        ready, told = os.pipe()
        with store.transaction(connection):
            child = os.fork()
            if child == 0:
                try:
                    connection.close()  # what SQLite knows of its locks came along
                    os.write(told, b"!")
                    begun(store, 1)
                except BaseException:  # noqa: BLE001 - this process has nothing else to do
                    os._exit(1)
                os._exit(0)
            assert os.read(ready, 1) == b"!"
            with pytest.raises(Misuse, match="in this thread already"):
                begun(store, 2)
        assert os.waitpid(child, 0)[1] == 0
    os.close(ready)
    os.close(told)
    with store.transaction() as transaction:
        assert len(transaction.enrollments(None)) == 1


def test_threads_close_their_connections(store):
    """A thread's connection is closed when the thread has ended."""
    begun(store, 0)
    before = len(store._connections._all)
    for n in range(3):
        thread = threading.Thread(target=begun, args=(store, n + 1))
        thread.start()
        thread.join()

    assert len(store._connections._all) == before


_DYING = """
import os, signal, sys
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.workbench import begin, begun, send
store = SQLiteStore(sys.argv[1])
with store.transaction() as transaction:
    enrollment = send(transaction, begin(store, transaction))
print(enrollment.id, flush=True)
{then}
os.kill(os.getpid(), signal.SIGKILL)
"""


_WHILE_WRITING = """
with store.transaction() as transaction:
    begin(store, transaction, 43)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("then", ["", _WHILE_WRITING])
def test_a_killed_process_keeps_what_was_committed(path, then):
    """What a block has committed survives a kill right after it, and a block that was killed has left nothing (S1)."""
    script = _DYING.format(then=then)
    paths = os.pathsep.join([str(PACKAGE_ROOT), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr

    store = SQLiteStore(path)
    with store.transaction() as transaction:
        (enrollment,) = transaction.enrollments(None)
        assert enrollment.id == int(done.stdout)
        assert [event.number for event in transaction.events(enrollment.id)] == [1, 2, 3]
    assert run(path, "PRAGMA integrity_check") == [("ok",)]
    store.close()


def test_a_writer_that_does_not_finish_keeps_the_store_busy(path):
    """Waiting for another writer ends after the time-out, with an error that says so; reading goes on meanwhile."""
    store = SQLiteStore(path, busy_timeout=0.05)
    enrollment = begun(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="busy_timeout"), store.transaction():
        pytest.fail("the block must not begin")
    with store.transaction(write=False) as transaction:
        assert stored(transaction, enrollment.id) == enrollment
    other.execute("ROLLBACK")
    other.close()

    begun(store, 43)
    store.close()


# -- what SQLite would change (trap 10) -----------------------------------------------------------------------


def test_odd_values_are_refused(store):
    """Numbers beyond 64 bits and broken text are refused where they are to be stored, and a NUL comes back whole."""
    enrollment = begun(store)
    for task in (board_task(enrollment, position=2**63), board_task(enrollment, task_content="\ud800")):
        with pytest.raises(InvalidInput), store.transaction() as transaction:
            transaction.create_task(task)
    with store.transaction() as transaction:
        id = transaction.create_task(board_task(enrollment, task_content="one\0two"))
        assert transaction.task(id).task_content == "one\0two"
        with pytest.raises(InvalidInput):
            transaction.current_version(None, "\ud800")


def test_nan_cannot_be_written(store):
    """A NaN, which SQLite would store as NULL, is refused by the codec."""
    enrollment = begun(store)
    with store.transaction() as transaction:
        blocked = do(transaction, enrollment, Block())
        (event,) = transaction.events(enrollment.id)[1:]
        odd = event.__class__(event.enrollment_id, 3, event.at, "noted", None, {"fact": float("nan")})
        with pytest.raises(ValueError, match=r"NaN|not JSON compliant"):
            transaction.save(blocked, (odd,))


# -- forgetting -----------------------------------------------------------------------------------------------


def test_what_was_erased_is_not_in_the_file(path):
    """After erasing, the address and the merge fields are in no file of the store any more (S8)."""
    store = SQLiteStore(path)
    enrollment = begun(store, email="Ada.Lovelace@example.com")
    with store.transaction() as transaction:
        sent = send(transaction, enrollment)
        transaction.create_task(board_task(sent, task_content="Call Ada Lovelace"))
        transaction.suppress(None, "ada.lovelace@example.com", NOW, "manual")
    with store.transaction() as transaction:
        transaction.erase(None, enrollment.resource)

    found = [each.name for each in path.parent.iterdir() if b"lovelace" in each.read_bytes().lower()]
    assert found == []
    store.close()


# -- what the statements cost ---------------------------------------------------------------------------------

# These look at every row of what they are about, and say so: pages of a list, and what the schema is.
_WALKS = {
    "our_tables", "schema_table", "schema_version", "last_event", "suppressions", "count_standing",
    "count_everything", "count_states", "last_change", "accounts", "list_tokens", "list_webhooks",
}  # fmt: skip


def test_no_statement_reads_a_whole_table(store):
    """Every query and change finds its rows by an index or by their ids, and sorts at most what it has found.

    A query about several things goes through their list, and finds each.
    """
    connection = store._connections.own().connection
    scans = {}
    for name, sql in sqlite_database._SQL.items():
        parameters = max((int(number) for number in re.findall(r"\?(\d+)", sql)), default=0)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * parameters)]
        found = [line for line in plan if re.match(r"SCAN (?!CONSTANT|\(subquery|json_each)", line)]
        if found and name not in _WALKS:
            scans[name] = found

    assert scans == {}


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("due_leases", "sequencer_enrollments_next (lease_until<?)"),
        ("due_waiting", "sequencer_enrollments_next (lease_until=? AND wake_at<?)"),
        ("leases_ahead", "sequencer_enrollments_next (lease_until>?)"),
        ("decisions_ahead", "sequencer_enrollments_ahead (updated_at>?)"),
        ("count_waiting", "sequencer_enrollments_next (lease_until=? AND wake_at<?)"),
        ("count_leases", "sequencer_enrollments_next (lease_until>? AND lease_until<?)"),
        ("count_standing", "COVERING INDEX sequencer_enrollments_standing (sequence_id=? AND state=?)"),
        ("next_lease", "sequencer_enrollments_next (lease_until>?)"),
        ("oldest_lease", "sequencer_enrollments_next (lease_until>?)"),
        ("oldest_set_aside", "sequencer_enrollments_next (lease_until<?)"),
        ("next_waiting", "sequencer_enrollments_next (lease_until=? AND wake_at>?)"),
        ("ongoing_of_resource", "sequencer_enrollments_resource (account=? AND resource_type=? AND resource_id=?)"),
        ("ongoing_of_address", "sequencer_enrollments_address (account=? AND address=?)"),
        ("ongoing_of_resources", "sequencer_enrollments_resource (account=? AND resource_type=? AND resource_id=?)"),
        ("ongoing_of_addresses", "sequencer_enrollments_address (account=? AND address=?)"),
        (
            "last_finished_of_resources",
            "sequencer_enrollments_resource (account=? AND resource_type=? AND resource_id=?)",
        ),
        ("last_finished_of_addresses", "sequencer_enrollments_address (account=? AND address=?)"),
        ("made_with", "PRIMARY KEY (account=? AND kind=? AND value=?)"),
        ("suppressed_among", "(account=? AND hash=?)"),
        ("other_addresses_of", "PRIMARY KEY (account=? AND kind=?)"),
        ("forget_addresses", "PRIMARY KEY (account=? AND kind=?)"),
        ("ongoing_of_sequence", "sequencer_enrollments_standing (sequence_id=? AND state=?)"),
        ("in_other_versions", "sequencer_enrollments_standing (sequence_id=? AND state=?)"),
        ("statistics", "COVERING INDEX sequencer_enrollments_standing (sequence_id=?)"),
        ("to_purge", "sequencer_enrollments_state (account=? AND state=? AND finished_at<?)"),
        ("blocked", "sequencer_enrollments_state (account=? AND state=? AND finished_at=? AND rowid>?)"),
        (
            "blocked_of_sequence",
            "sequencer_enrollments_standing (sequence_id=? AND state=? AND reason=? AND rowid>?)",
        ),
        ("page_of_ongoing", "sequencer_enrollments_state (account=? AND state=? AND finished_at=? AND rowid>?)"),
        ("page", "sequencer_enrollments_listed (account=? AND rowid>?)"),
        (
            "page_of_resources",
            "sequencer_enrollments_resource (account=? AND resource_type=? AND resource_id=? AND rowid>?)",
        ),
        (
            "page_of_reason",
            "sequencer_enrollments_standing (sequence_id=? AND state=? AND reason=? AND rowid>?)",
        ),
        ("of_address", "sequencer_enrollments_address (account=? AND address=?)"),
        ("of_ids", "PRIMARY KEY (rowid=?)"),
        ("listed_of_ids", "PRIMARY KEY (rowid=?)"),
        ("look_waiting", "sequencer_enrollments_next (lease_until=? AND wake_at<?)"),
        ("token_of_digest", "(digest=?)"),
    ],
)
def test_which_index_is_used(store, name, index):
    """What is asked at every step, or of many rows, uses the index that was made for it."""
    sql = sqlite_database._SQL[name]
    parameters = max(int(number) for number in re.findall(r"\?(\d+)", sql))
    connection = store._connections.own().connection
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * parameters)]

    assert any(line.endswith(index) for line in plan), plan


def _work(store, now, limit):
    """How much SQLite does, in its own instructions, to count, and to claim and to tell when to come back."""
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    with failing(store) as transaction:
        connection = transaction._database.cursor.connection
        connection.set_progress_handler(count, 1)
        due = transaction.counts(now, limit).due
        counting, steps = steps, 0
        found = transaction.claim(now, limit, LEASE)
        transaction.next_wake()
        connection.set_progress_handler(None, 0)
    assert due == len(found)
    assert counting > 0 < steps
    return counting, steps, len(found)


def test_counting_and_claiming_cost_what_is_due(tmp_path):
    """Counting or claiming ten of ten thousand that wait takes no more work than ten of a hundred (S4)."""
    work = {}
    for count in (100, 10_000):
        store = SQLiteStore(tmp_path / f"{count}.db")
        with store.transaction() as transaction:
            for n in range(count):
                begin(store, transaction, n, start_at=NOW if n % (count // 10) == 0 else later(days=1, seconds=n))
        *work[count], found = _work(store, NOW, 100)
        assert found == 10
        store.close()

    for few, many in zip(work[100], work[10_000], strict=True):
        assert many <= 1.1 * few


# -- the statements -------------------------------------------------------------------------------------------


def test_the_memory_store_has_every_statement():
    """Every statement of the SQL file but the store's own has its counterpart of that name in memory."""
    own = {
        "take_write_lock", "get_meta", "add_meta", "our_tables", "schema_table", "schema_version", "add_migration",
        "count_everything", "count_states", "last_change", "accounts", "data_version",
        "claims_in_force",
    }  # fmt: skip

    assert {name for name in sqlite_database._SQL if name not in own and not hasattr(Tables, name)} == set()


@pytest.mark.parametrize(
    "text",
    [
        "-- a --\n-- One.\nSELECT 1\n-- a --\n-- Two.\nSELECT 2\n",
        "-- a --\nSELECT 1\n",
        "-- a --\n-- Nothing.\n",
    ],
)
def test_a_file_of_statements_is_checked(text):
    """A statement whose name is taken, that is not described, or that is empty, is a mistake."""
    with pytest.raises(StoreError, match="the statement 'a' must occur once"):
        parse(text)


def test_scripts_are_split():
    """A script is split into its statements, also where a comment or a text has a semicolon in it."""
    assert split("-- a; b\nCREATE TABLE a (b TEXT DEFAULT ';');\n\nSELECT 1;\n") == [
        "-- a; b\nCREATE TABLE a (b TEXT DEFAULT ';');",
        "SELECT 1;",
    ]


def test_finished_ones_wake_nobody(store):
    """What is finished or waits for a report only is in no index of what has to be looked at."""
    for n in range(3):
        enrollment = begun(store, n)
        with store.transaction() as transaction:
            (finish if n else do)(transaction, enrollment, *(() if n else (Block(),)))
    with store.transaction() as transaction:
        assert transaction.next_wake() is None
        assert transaction.claim(later(days=99), 9, LEASE) == []
    assert OUTREACH.key == "outreach"


def test_a_version_that_cannot_be_read_holds_nobody_else_up(tmp_path):
    """What is in an unreadable version stays where it is, and everybody else's mail leaves (S7)."""
    path = tmp_path / "one.db"
    with closing(SQLiteStore(path)) as store:
        for account in ("ours", "theirs"):
            engine = Engine(store).account(account)
            engine.enroll(Sequence(account, [Step(AutomatedEmail(1))]), Resource("lead", 1, email=f"{account}@x.y"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sequencer_versions SET content = '{' WHERE id = 1")
    with closing(SQLiteStore(path)) as store:
        mailer = RecordingMailer()
        Engine(store, mailer=mailer).tick()
        assert [each.to for each in mailer.sent] == ["theirs@x.y"]
        with pytest.raises(StoreError, match="cannot be read"):
            Engine(store).account("ours").enrollments()
