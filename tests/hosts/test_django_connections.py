"""Django's connections: their options, threads, servers that go away, and what a store cannot use."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import django
import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections, transaction
from django.db.backends.postgresql import psycopg_any

from sequencer import AutomatedEmail, DjangoStore, Engine, InvalidInput, Resource, Sequence, Step, StoreError
from tests import postgres
from tests.hosts.django_project import KINDS, Database
from tests.hosts.sequences import WELCOME
from tests.hosts.test_django import Crm


@pytest.fixture(params=KINDS)
def crm(request, tmp_path):
    database = Database(request.param, tmp_path)
    if request.param == "sqlite":
        connections[database.alias].cursor().execute("PRAGMA journal_mode = WAL")
    yield Crm(database)
    database.close()


def in_threads(count, function):
    """What a function gives for each number, on threads that close their connections as those of a server do."""

    def run(n):
        try:
            return function(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_workers_and_writers_on_threads(crm):
    """Of threads that enroll in blocks and tick at once none is in another's way, and no mail is lost or doubled."""
    crm.engine.save(WELCOME)

    def work(n):
        for i in range(5):
            with crm.atomic():
                crm.create(f"{n}-{i}", f"{n}-{i}@example.com")
            crm.engine.tick()

    in_threads(4, work)
    crm.engine.tick()

    assert crm.committed() == (20, 20)
    assert sorted(mail.to for mail in crm.mailer.sent) == sorted(
        f"{n}-{i}@example.com" for n in range(4) for i in range(5)
    )


def test_ports_on_a_thread_of_their_own(crm):
    """With `port_threads=True` ports run on another thread, on a connection of its own, where the ORM works as well."""
    seen = []

    class Watched(Crm):
        def person(self, resource):
            seen.append(threading.current_thread())
            return super().person(resource)

    for threads, on_its_own in ((True, True), (False, False), (None, False)):
        watched = Watched(crm.database, port_threads=threads)
        watched.create(f"Ada {threads}", f"{threads}@example.com")
        assert watched.engine.tick().handed_over == 1
        assert (seen.pop() is not threading.current_thread()) is on_its_own


@pytest.mark.parametrize(
    "options",
    [
        {"server_side_binding": True},
        pytest.param(
            {"pool": True}, marks=pytest.mark.skipif(django.VERSION < (5, 1), reason="pools are of Django 5.1")
        ),
    ],
    ids=str,
)
def test_options_of_postgres(tmp_path, options):
    """Parameters that are bound by the server, and a pool of connections, make no difference."""
    database = Database("postgres", tmp_path, **options)
    crm = Crm(database)
    with crm.atomic():
        crm.create()
    assert crm.engine.tick().handed_over == 1
    with crm.failing():
        crm.create("Bob", "bob@example.com")
    assert crm.committed() == (1, 1)
    connections[crm.alias].close()
    if "pool" in options:
        connections[crm.alias].close_pool()
    database.close()


def test_a_server_that_has_gone_away(tmp_path):
    """When the connection has died, the next verb says so and the one after it works, as with the ORM's queries."""
    database = Database("postgres", tmp_path)
    crm = Crm(database)
    id = crm.create()
    ((pid,),) = connections[crm.alias].connection.execute("SELECT pg_backend_pid()").fetchall()
    with postgres.connect(autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (pid,))

    with pytest.raises(StoreError, match="PostgreSQL"):
        crm.engine.tick()
    assert crm.mailer.sent == []
    assert crm.engine.tick().handed_over == 1
    assert crm.engine.get(id).steps[0].status == "completed"
    database.close()


def test_a_snapshot_is_refused(tmp_path):
    """In a transaction that does not see what is committed meanwhile the engine decides nothing."""
    database = Database("postgres", tmp_path, isolation_level=psycopg_any.IsolationLevel.REPEATABLE_READ)
    engine = Engine(DjangoStore(database.alias, schema=database.schema))
    with pytest.raises(InvalidInput, match="READ COMMITTED"):
        engine.save(WELCOME)
    database.close()


@pytest.mark.parametrize(
    ("vendor", "said"), [("mysql", "is mysql, and a store needs SQLite or PostgreSQL"), ("oracle", "is oracle")]
)
def test_databases_of_another_kind(crm, monkeypatch, vendor, said):
    """A database that no store is for is refused by name, with what may be used instead."""
    monkeypatch.setattr(connections[crm.alias], "vendor", vendor)
    with pytest.raises(StoreError, match=said):
        crm.engine.enrollments()


def test_psycopg2(tmp_path, monkeypatch):
    """Where Django has only psycopg2, the error says what to install."""
    database = Database("postgres", tmp_path)
    monkeypatch.setattr(psycopg_any, "is_psycopg3", False)
    with pytest.raises(StoreError, match=r"psycopg2, and the store needs psycopg 3: pip install"):
        Crm(database).engine.enrollments()
    monkeypatch.undo()
    database.close()


def test_an_alias_that_is_not_there(crm):
    """A store can be made before Django has started; an alias that DATABASES does not have is Django's error."""
    engine = Engine(DjangoStore("nowhere"))
    with pytest.raises(Exception, match="'nowhere' doesn't exist"):
        engine.enrollments()


def test_an_event_loop(crm):
    """Where Django refuses its connections, inside an event loop, the engine is refused as well."""
    import asyncio

    async def view():
        with pytest.raises(SynchronousOnlyOperation):
            crm.engine.enrollments()

    asyncio.run(view())


def test_manual_commits(crm):
    """With `set_autocommit(False)` the host commits by hand, and what the engine does is a part of that."""
    told: list[str] = []
    crm = Crm(crm.database, listener=lambda event: told.append(event.type))
    crm.engine.save(WELCOME)
    transaction.set_autocommit(False, using=crm.alias)
    try:
        crm.create()
        assert crm.committed() == (0, 0)
        transaction.commit(using=crm.alias)
        assert crm.committed() == (1, 1)
        crm.create("Bob", "bob@example.com")
        transaction.rollback(using=crm.alias)
    finally:
        transaction.set_autocommit(True, using=crm.alias)

    assert crm.committed() == (1, 1)
    assert told == []
    crm.engine.tick()
    assert told[0] == "enrolled"


def test_another_database_is_refused(crm, tmp_path):
    """A connection of another alias is refused, also when that has tables of a store's."""
    other = Database("sqlite", tmp_path)
    elsewhere = Engine(DjangoStore(other.alias))
    elsewhere.save(WELCOME)
    for given in (connections[other.alias], connections[other.alias].connection):
        with pytest.raises(InvalidInput):
            crm.engine.save(Sequence("Mails", [Step(AutomatedEmail(1))]), connection=given)
        with pytest.raises(InvalidInput):
            crm.engine.enroll(WELCOME, Resource("lead", 1), connection=given)
    assert elsewhere.enrollments() == ()
    other.close()
