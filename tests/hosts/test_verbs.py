"""Every verb and read in the host's own transaction (S1): rolled back it was never there, committed it is."""

from __future__ import annotations

import inspect
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import attrs
import pytest
from django.db import connections, transaction
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from sequencer import (
    AutomatedEmail,
    Calendar,
    DjangoStore,
    Engine,
    ManualClock,
    RecordingMailer,
    Replied,
    Resource,
    Sequence,
    SQLAlchemyStore,
    SQLiteStore,
    Step,
    Task,
    Weekdays,
)
from sequencer.stores.postgres import PostgresStore
from tests import postgres
from tests.hosts.django_project import Database
from tests.hosts.sequences import MONDAY


def sequence(verb: str, *, mails: int = 1) -> Sequence:
    """A call, then mails; of a verb's own."""
    steps = [Step(Task("Call")), *(Step(AutomatedEmail(n), after=Weekdays(1)) for n in range(mails))]
    return Sequence(verb, steps, calendar=Calendar("Europe/Warsaw"))


@attrs.frozen
class Subject:
    """What a verb is tried on: a resource with its enrollment, and the task of that."""

    verb: str
    resource: Resource
    id: int
    task_id: Any = None


def together(engine: Engine, of: Subject, **given: Any) -> Any:
    with engine.together(**given) as one:
        return one.block(of.id)


VERBS: dict[str, Callable[..., Any]] = {
    "block": lambda engine, of, **given: engine.block(of.id, **given),
    "complete_task": lambda engine, of, **given: engine.complete_task(of.task_id, **given),
    "counters": lambda engine, of, **given: engine.counters(**given),
    "create_sequence": lambda engine, of, **given: engine.create_sequence(sequence(f"new {of.verb}"), **given),
    "delete_sequence": lambda engine, of, **given: engine.delete_sequence(of.verb, **given),
    "definition": lambda engine, of, **given: engine.definition(of.verb, **given),
    "due": lambda engine, of, **given: engine.due(**given),
    "enroll": lambda engine, of, **given: engine.enroll(of.verb, Resource("lead", "new"), **given),
    "enroll_many": lambda engine, of, **given: engine.enroll_many(of.verb, [Resource("lead", "newer")], **given),
    "enrollments": lambda engine, of, **given: engine.enrollments(**given),
    "erase": lambda engine, of, **given: engine.erase(of.resource, **given),
    "events": lambda engine, of, **given: engine.events(**given),
    "explain": lambda engine, of, **given: engine.explain(of.id, **given),
    "finish": lambda engine, of, **given: engine.finish(of.id, **given),
    "finish_ongoing": lambda engine, of, **given: engine.finish_ongoing(of.resource, **given),
    "get": lambda engine, of, **given: engine.get(of.id, **given),
    "handle": lambda engine, of, **given: engine.handle(Replied(key="r", email=of.resource.email), **given),
    "history": lambda engine, of, **given: engine.history(of.id, **given),
    "migrate": lambda engine, of, **given: engine.migrate(
        engine.plan_migration(of.verb, sequence(of.verb, mails=2), **given), **given
    ),
    "overdue": lambda engine, of, **given: engine.overdue(**given),
    "plan_migration": lambda engine, of, **given: engine.plan_migration(of.verb, sequence(of.verb, mails=2), **given),
    "purge": lambda engine, of, **given: engine.purge(finished_before=MONDAY.add(days=9), **given),
    "reassign": lambda engine, of, **given: engine.reassign(of.resource, actor_id=8, **given),
    "replace_sequence": lambda engine, of, **given: engine.replace_sequence(
        engine.stored_sequence(of.verb, **given).id, sequence(of.verb, mails=3), **given
    ),
    "resume": lambda engine, of, **given: engine.resume(of.id, **given),
    "resume_blocked": lambda engine, of, **given: engine.resume_blocked("paused", sequence=of.verb, **given),
    "save": lambda engine, of, **given: engine.save(sequence(of.verb, mails=3), **given),
    "sequences": lambda engine, of, **given: engine.sequences(**given),
    "skip": lambda engine, of, **given: engine.skip(of.id, **given),
    "statistics": lambda engine, of, **given: engine.statistics(of.verb, **given),
    "stored_sequence": lambda engine, of, **given: engine.stored_sequence(of.verb, **given),
    "stored_sequences": lambda engine, of, **given: engine.stored_sequences(**given),
    "suppress": lambda engine, of, **given: engine.suppress("suppress@example.org", **given),
    "suppressed": lambda engine, of, **given: engine.suppressed(**given),
    "tasks": lambda engine, of, **given: engine.tasks(limit=1000, **given),
    "together": together,
    "unsuppress": lambda engine, of, **given: engine.unsuppress("unsuppress@example.org", **given),
    "update_person": lambda engine, of, **given: engine.update_person(
        attrs.evolve(of.resource, email="other@example.com"), **given
    ),
}
READS = {
    "counters", "definition", "due", "enrollments", "events", "explain", "get", "history", "overdue", "plan_migration",
    "sequences", "statistics", "stored_sequence", "stored_sequences", "suppressed", "tasks",
}  # fmt: skip


class Rollback(Exception):
    """The host has changed its mind."""


class Host:
    """A host with a database: how it opens it, and how a verb becomes a part of its transaction."""

    def __init__(self, how: str, folder: Any) -> None:
        kind, self.way = how.split(", ")
        self.database = Database(kind, folder)
        schema = self.database.schema
        self.alchemy = create_engine("sqlite://" if kind == "sqlite" else "postgresql+psycopg://", creator=self.raw)
        store: Any
        if self.way.startswith("Django"):
            store = DjangoStore(self.database.alias, schema=schema)
        elif self.way.startswith("SQLAlchemy"):
            store = SQLAlchemyStore(self.alchemy, schema=schema)
        elif kind == "sqlite":
            store = SQLiteStore(self.database.path)
        else:
            store = PostgresStore(postgres.server(), schema=schema)
        self.engine = Engine(store, mailer=RecordingMailer(), clock=ManualClock(MONDAY))

    def raw(self) -> Any:
        """A connection of the driver's; SQLAlchemy may hand it to another thread."""
        if self.database.kind == "sqlite":
            return sqlite3.connect(self.database.path, check_same_thread=False)
        return self.database.connect()

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[dict[str, Any]]:
        """A transaction of the host's, and what a verb is told of it."""
        if self.way.startswith("Django"):
            alias = self.database.alias
            try:
                with transaction.atomic(using=alias):
                    yield {} if self.way == "Django" else {"connection": connections[alias]}
                    if not commit:
                        raise Rollback
            except Rollback:
                pass
        elif self.way.startswith("SQLAlchemy"):
            with Session(self.alchemy) as session:
                yield {"connection": session if self.way == "SQLAlchemy Session" else session.connection()}
                (session.commit if commit else session.rollback)()
        else:
            with closing(self.raw()) as connection:
                yield {"connection": connection}
                (connection.commit if commit else connection.rollback)()

    def seen(self) -> dict[str, Any]:
        """Everything that is committed, as somebody else sees it."""
        tables = ("enrollments", "events", "sequences", "versions", "suppressions", "tasks", "reports")
        with closing(self.database.connect()) as connection:
            return {
                table: sorted(connection.execute(f"SELECT * FROM sequencer_{table}").fetchall(), key=repr)
                for table in tables
            }

    def close(self) -> None:
        self.engine.store.close()
        self.alchemy.dispose()
        self.database.close()


@pytest.fixture(
    params=[
        f"{kind}, {way}"
        for kind, way in itertools.product(
            ("sqlite", "postgres"), ("the driver", "Django", "Django's connection", "SQLAlchemy Session", "SQLAlchemy")
        )
    ]
)
def host(request, tmp_path):
    host = Host(request.param, tmp_path)
    yield host
    host.close()


def subjects(host: Host) -> dict[str, Subject]:
    """Something of its own for each verb: enrolled together in one transaction of the host's, with a task each."""
    engine, made = host.engine, {}
    with host.transaction(commit=True) as given:
        for verb in VERBS:
            resource = Resource("lead", verb, email=f"{verb}@example.com")
            made[verb] = Subject(verb, resource, engine.enroll(sequence(verb), resource, actor_id=7, **given).id)
        engine.suppress("unsuppress@example.org", **given)
    assert engine.tick().handed_over == len(VERBS)
    tasks = {task.enrollment_id: task.id for task in engine.tasks(limit=1000)}
    with host.transaction(commit=True) as given:
        for verb in ("resume", "resume_blocked"):
            engine.block(made[verb].id, **given)
        engine.finish(made["purge"].id, **given)
    return {verb: attrs.evolve(each, task_id=tasks[each.id]) for verb, each in made.items()}


def test_every_verb_is_tried():
    """The table of this file has every verb and read that takes `connection=`."""
    verbs = inspect.getmembers(Engine, lambda verb: "connection" in getattr(verb, "__annotations__", {}))
    assert sorted(VERBS) == [name for name, _ in verbs if not name.startswith("_")]


def test_in_the_hosts_transaction(host):
    """Each verb is seen by nobody else before the host's commit and never after its rollback; committed, it is kept."""
    tried = subjects(host)
    before = host.seen()
    for verb, do in VERBS.items():
        with host.transaction(commit=False) as given:
            do(host.engine, tried[verb], **given)
            assert host.seen() == before, verb
        assert host.seen() == before, verb

    for verb, do in VERBS.items():
        with host.transaction(commit=True) as given:
            do(host.engine, tried[verb], **given)
            assert host.seen() == before, verb
        after = host.seen()
        assert (after == before) is (verb in READS), verb
        before = after
