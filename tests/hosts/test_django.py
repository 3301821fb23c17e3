"""A Django project: what it does and what the engine does is one transaction (S1), on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.test import TestCase

from sequencer import (
    AlreadyEnrolled,
    DjangoStore,
    Engine,
    Event,
    ManualClock,
    Misuse,
    NotFound,
    Person,
    RecordingMailer,
    Resource,
    StoreError,
)
from sequencer.testing.contracts.workbench import Refusal
from tests.hosts.django_project import KINDS, Database, Lead
from tests.hosts.sequences import MONDAY, WELCOME


class Crm:
    """The project: a database, leads, and an engine whose ports read them with the ORM."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.alias = database.alias
        self.mailer = RecordingMailer()
        self.clock = ManualClock(MONDAY)
        self.engine = Engine(
            DjangoStore(self.alias, schema=database.schema),
            mailer=self.mailer,
            people=self.person,
            clock=self.clock,
            **options,
        )

    def atomic(self) -> Any:
        return transaction.atomic(using=self.alias)

    def person(self, resource: Resource) -> Person | None:
        lead = Lead.objects.using(self.alias).filter(pk=resource.id).first()
        return None if lead is None else Person(email=lead.email, fields={"name": lead.name})

    def create(self, name: str = "Ada", email: str = "ada@example.com") -> int:
        """A lead and its enrollment."""
        lead = Lead.objects.using(self.alias).create(name=name, email=email)
        return self.engine.enroll(WELCOME, Resource("lead", lead.pk, email=email)).id

    def committed(self) -> tuple[int, int]:
        """How many leads and enrollments somebody else sees."""
        return self.database.count("crm_lead"), self.database.count("sequencer_enrollments")

    @contextmanager
    def failing(self) -> Iterator[None]:
        """An atomic block that ends with an error, after everything in it was done."""
        try:
            with self.atomic():
                yield
                raise Refusal
        except Refusal:
            pass


@pytest.fixture(params=KINDS)
def database(request, tmp_path):
    database = Database(request.param, tmp_path)
    yield database
    database.close()


@pytest.fixture
def crm(database):
    return Crm(database)


def test_committed_together(crm):
    """In the host's atomic block nothing is there for others before its end, and then the lead and its enrollment."""
    with crm.atomic():
        id = crm.create()
        assert crm.engine.get(id).resource.email == "ada@example.com"
        assert crm.committed() == (0, 0)

    assert crm.committed() == (1, 1)


def test_rolled_back_together(crm):
    """When the host's atomic block fails, neither the lead nor its enrollment was ever there."""
    with crm.failing():
        id = crm.create()

    assert crm.committed() == (0, 0)
    with pytest.raises(NotFound):
        crm.engine.get(id)


def test_a_refusal_leaves_the_transaction_usable(crm):
    """What is refused inside the atomic block is caught there, and the block goes on and commits the rest."""
    with crm.atomic():
        first = crm.create()
        with pytest.raises(AlreadyEnrolled) as refused:
            crm.create("Ada again", "ADA@example.com")
        assert refused.value.existing_id == first
        crm.create("Bob", "bob@example.com")

    assert crm.committed() == (3, 2)


def test_savepoints_of_the_host(crm):
    """An inner atomic block that fails takes back what the engine did in it, and nothing else."""
    with crm.atomic():
        kept = crm.create()
        with crm.failing():
            crm.create("Bob", "bob@example.com")
            crm.engine.finish(kept)
        assert crm.engine.get(kept).state == "active"
        assert [each.id for each in crm.engine.enrollments()] == [kept]

    assert crm.committed() == (1, 1)


def test_outside_of_a_block_a_verb_commits_by_itself(crm):
    """Where no atomic block is open, a verb is a transaction, as a query of the ORM is."""
    id = crm.create()
    assert crm.committed() == (1, 1)

    crm.engine.finish(id)
    assert not connections[crm.alias].in_atomic_block
    assert crm.engine.get(id).state == "finished"


def test_a_tick_commits_by_itself(crm):
    """A tick outside of any block hands over what is due; its ports read with the ORM on the connection at hand."""
    id = crm.create()

    assert crm.engine.tick().handed_over == 1
    assert [mail.email.subject for mail in crm.mailer.sent] == ["Hello Ada"]
    crm.clock.set(MONDAY.add(days=1))
    assert crm.engine.tick().handed_over == 1
    (call,) = crm.engine.tasks()
    with crm.atomic():
        crm.engine.complete_task(call.id)
    assert crm.engine.get(id).finished_reason == "completed"


def test_a_tick_inside_a_block_is_refused(crm):
    """What would be handed over before it is committed is not: a rollback would have it handed over again (E3)."""
    crm.create()
    with crm.atomic():
        with pytest.raises(Misuse, match="non_atomic_requests"):
            crm.engine.tick()
        crm.create("Bob", "bob@example.com")

    assert crm.mailer.sent == []
    assert crm.committed() == (2, 2)
    assert crm.engine.tick().handed_over == 2


def test_a_listener_is_told_after_the_commit(database):
    """A listener hears of what was committed right after the host's commit, and never of what was rolled back."""
    told = []

    def listener(event):
        told.append((event.type, project.committed()))

    project = Crm(database, listener=listener)
    with project.atomic():
        project.create()
        assert told == []
    assert told == [("enrolled", (1, 1))]

    with project.failing():
        project.create("Bob", "bob@example.com")
    project.engine.tick()

    assert [type for type, _ in told] == ["enrolled", "email_requested", "hand_over_started", "email_sent"]


def test_a_transaction_that_has_failed(crm):
    """In a block that has failed already the engine does nothing either, and says so."""
    with crm.atomic():
        id = crm.create()
        with pytest.raises(DatabaseError), transaction.atomic(using=crm.alias, savepoint=False):
            Lead.objects.using(crm.alias).create(pk=Lead.objects.using(crm.alias).get().pk)
        for do in (crm.engine.get, crm.engine.finish):
            with pytest.raises(StoreError, match="roll it back first"):
                do(id)

    assert crm.committed() == (0, 0)


class InATestCase(TestCase):
    """Django's own TestCase, in which nothing commits: each test begins with nothing, and what it does works."""

    def setUp(self):
        self.told: list[Event] = []
        self.crm = Crm(SimpleNamespace(alias="default", schema="public"), listener=self.told.append)
        assert self.crm.engine.enrollments() == ()

    def test_ticks(self):
        """A tick works although its commits are none."""
        id = self.crm.create()
        assert self.crm.engine.tick().handed_over == 1
        self.crm.engine.run_until(MONDAY.add(days=2))
        (call,) = self.crm.engine.tasks()
        self.crm.engine.complete_task(call.id)
        assert self.crm.engine.get(id).finished_reason == "completed"

    def test_a_tick_inside_a_block_of_the_test(self):
        """A tick inside an atomic block is refused as it would be in production."""
        self.crm.create()
        with transaction.atomic(), pytest.raises(Misuse, match="non_atomic_requests"):
            self.crm.engine.tick()

    def test_a_listener(self):
        """A listener is told with the callbacks that Django's test captures."""
        with self.captureOnCommitCallbacks(execute=True):
            self.crm.create()
            assert self.told == []
        assert [event.type for event in self.told] == ["enrolled"]

    def test_a_listener_that_hears_nothing(self):
        """Where those callbacks are not run, a tick tells what was done before it."""
        self.crm.create()
        self.crm.engine.tick()
        assert [event.type for event in self.told][:2] == ["enrolled", "email_requested"]
