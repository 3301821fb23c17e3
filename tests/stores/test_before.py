"""The schemas before this release's: on the last of them it works, and `migrate` takes everything over (law S5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import pytest
from psycopg import sql

from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    ManualClock,
    NotFound,
    RecordingMailer,
    Resource,
    SchemaMismatch,
    Sequence,
    Step,
    StoreError,
    Template,
)
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.stores import postgres, sqlite
from sequencer.stores.postgres import PostgresStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.stores.statements import migrations
from sequencer.testing.contracts.workbench import NOW
from tests import postgres as server

MAILS = Sequence(
    "mails",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(1), Hours(1))],
    templates={1: Template("Hello", "There")},
    calendar=Calendar("UTC"),
)
# What takes this release's tables back to those of an earlier schema, the newest first.
BACK = {
    3: [
        "DROP TABLE sequencer_tokens", "DROP TABLE sequencer_webhooks", "DROP TABLE sequencer_deliveries",
        "DROP INDEX sequencer_enrollments_listed",
        *(f"ALTER TABLE sequencer_sequences DROP COLUMN {name}"
          for name in ("name", "creator_id", "created_at", "updated_at", "deleted_at")),
    ],
    2: ["DROP TABLE sequencer_mails"],
}  # fmt: skip


@attrs.frozen
class Place:
    """Where a store is: how to open it, how to run SQL there, and the module of its kind."""

    open: Callable[..., Any]
    run: Callable[[str], list[Any]]
    module: Any


def in_file(path: Any, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def in_schema(schema: str, statement: str) -> list[Any]:
    with server.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    if request.param == "sqlite":
        path = tmp_path / "old.db"
        return Place(partial(SQLiteStore, path), partial(in_file, path), sqlite)
    schema = server.new_schema()
    return Place(partial(PostgresStore, server.server(), schema=schema), partial(in_schema, schema), postgres)


def make_before(place: Place, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(place.module, "SCHEMA", 2)
        patch.setattr(place.module, "migrations", lambda dialect: migrations(dialect)[:2])
        place.open().close()


def opened(place: Place) -> tuple[Engine, RecordingMailer]:
    mailer = RecordingMailer()
    return Engine(place.open(), mailer=mailer, clock=ManualClock(NOW)), mailer


def test_s5_this_release_runs_on_the_schema_before_it(place, monkeypatch):
    """On the schema before, all that it has tables for works, and the rest is refused with a remedy."""
    make_before(place, monkeypatch)
    engine, mailer = opened(place)
    ids = [engine.enroll(MAILS, Resource("lead", n, email=f"{n}@x.com"), actor_id=7).id for n in range(3)]
    engine.run_until(NOW + timedelta(minutes=1))

    assert len(mailer.sent) == 3
    assert [each.id for each in engine.enrollments(offset=1)] == ids[1:]
    assert [each.id for each in engine.enrollments(sequence="mails", resource_ids=[2, 0])] == [ids[0], ids[2]]
    assert engine.statistics("mails").active == 3
    assert len(engine.delete_sequence("mails")) == 3
    assert engine.enroll("mails", Resource("lead", 1)).id
    other = attrs.evolve(MAILS, key="other")

    def inside(ask: Callable[[Any], Any]) -> Any:
        with engine.store.transaction() as transaction:
            return ask(transaction)

    for refused in (
        engine.stored_sequences,
        partial(engine.create_sequence, other),
        partial(inside, lambda transaction: transaction.tokens(ALL_ACCOUNTS)),
        partial(inside, lambda transaction: transaction.webhooks(ALL_ACCOUNTS)),
    ):
        with pytest.raises(StoreError, match="run `migrate`"):
            refused()
    assert [each.key for each in engine.sequences()] == ["mails"]
    assert place.run("SELECT max(version) FROM sequencer_migrations") == [(2,)]
    engine.store.close()


def test_s5_a_process_that_runs_while_another_migrates(place, monkeypatch):
    """A process that began on the schema before has everything as soon as another has migrated."""
    make_before(place, monkeypatch)
    engine, _ = opened(place)
    engine.enroll(MAILS, Resource("lead", 1, email="1@x.com"))
    with closing(place.open(check=False)) as migrating:
        assert len(migrating.migrate()) == 1

    (listed,) = engine.stored_sequences()
    assert (listed.version.sequence.name, listed.created_at, listed.creator_id) == ("mails", NOW, None)
    engine.delete_sequence("mails")
    with pytest.raises(NotFound):
        engine.enroll("mails", Resource("lead", 2))
    engine.store.close()


@pytest.mark.parametrize("claims", [1, 2, 5])
def test_s3_a_release_before_that_claims_what_was_set_aside(place, claims):
    """It adds 1 to the fence, whatever that is: neither its claims nor those after them have a fence again (S3, S5)."""
    engine, _ = opened(place)
    id = engine.enroll(MAILS, Resource("lead", 1, email="1@x.com")).id
    now, had = NOW, list[int]()
    for _ in range(3):
        with engine.store.transaction() as transaction:
            (held,) = transaction.claim(now, 1, 60.0)
            had.append(held.fence)
            transaction.set_aside([(id, held.fence)])
        for _ in range(claims):
            place.run("UPDATE sequencer_enrollments SET fence = fence + 1")
            had += [fence for (fence,) in place.run("SELECT fence FROM sequencer_enrollments")]
        now = now + timedelta(seconds=60)
    assert len(had) == len(set(had)) == 3 * (1 + claims)
    engine.store.close()


def test_s5_what_a_process_of_the_release_before_writes_is_listed(place):
    """One that has not heard of the migration saves a sequence, or saves a deleted one again: both are there (S5)."""
    engine, _ = opened(place)
    id = engine.save(MAILS).sequence_id
    place.run("UPDATE sequencer_sequences SET name = NULL, created_at = NULL, updated_at = NULL")
    (listed,) = engine.stored_sequences()
    assert (listed.created_at, listed.updated_at, listed.deleted_at) == (NOW, NOW, None)
    engine.delete_sequence(id)
    place.run("UPDATE sequencer_sequences SET version_id = (SELECT max(id) FROM sequencer_versions)")
    assert engine.stored_sequence(id).version == listed.version
    assert engine.stored_sequences() == (engine.stored_sequence(id),)
    engine.store.close()


@pytest.mark.parametrize("schema", [2, 1])
def test_s5_migrating_loses_nothing(place, schema):
    """From every earlier schema `migrate` makes what this release would have made itself of the same life (S5, E5)."""
    engine, _ = opened(place)
    for n in range(3):
        engine.enroll(MAILS, Resource("lead", n, email=f"{n}@x.com"), actor_id='a "b", c')
    engine.tick()
    engine.run_until(NOW + timedelta(minutes=30))
    engine.save(attrs.evolve(MAILS, steps=MAILS.steps[:1]))

    def kept() -> Any:
        engine, _ = opened(place)
        with closing(engine.store):
            histories = {each.id: (each, engine.history(each.id)) for each in engine.enrollments()}
            return histories, engine.stored_sequences(), engine.sequences()

    columns = "enrollment_id, step, account, actor_id, at, standing"
    mails = f"SELECT {columns} FROM sequencer_mails WHERE standing = 'sent' ORDER BY enrollment_id, step"
    before, sent = kept(), place.run(mails)
    assert len(sent) == 3
    engine.store.close()
    for number in range(3, schema, -1):
        for statement in BACK[number]:
            place.run(statement)
        place.run(f"DELETE FROM sequencer_migrations WHERE version = {number}")

    if schema == 1:
        with pytest.raises(SchemaMismatch, match="run `migrate`"):
            place.open()
    with closing(place.open(check=False)) as store:
        assert len(store.migrate()) == 3 - schema
    assert kept() == before
    assert place.run(mails) == sent
