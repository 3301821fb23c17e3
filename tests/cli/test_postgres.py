"""The command line on PostgreSQL: `--db` takes a URL, and no password comes out."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sequencer import Engine
from sequencer.stores.postgres import PostgresStore
from tests import postgres
from tests.cli.conftest import LEADS


@pytest.fixture
def where():
    return "--db", postgres.as_url(postgres.server()), "--schema", postgres.new_schema()


@pytest.fixture
def started(run, inbound, where):
    Path("leads.csv").write_text(LEADS, encoding="utf-8")
    assert run("enroll", inbound, "--leads", "leads.csv", *where).status == 0
    assert run("run", *where, "--once", "--maildir", "outbox").status == 0
    return where


def test_the_story_of_a_store(run, inbound, started):
    """Every command with `--db` works on PostgreSQL: enroll, run, look, foretell, act, report, move, forget, tend."""
    assert len(list(Path("outbox", "new").iterdir())) == 3
    assert [each["id"] for each in run("list", *started, "--json").document["enrollments"]] == [1, 2, 3]
    for command in (
        ["simulate"], ["sequences"], ["show", 1], ["explain", 1], ["history", 1], ["tasks"], ["block", 1],
        ["resume", 1],
        ["skip", 1], ["update", "lead", 2, "--email", "new@example.com"], ["finish", 3],
        ["signal", "replied", "--key", "k", "--email", "new@example.com"], ["suppress", "x@example.com"],
        ["diff", inbound, inbound], ["move", inbound],
        ["erase", "lead", 1], ["purge", "--finished-before", "2020-01-01"], ["token", "list"], ["migrate"], ["doctor"],
    ):  # fmt: skip
        done = run(*command, *started)
        assert (done.status, done.err) == (0, ""), command
        assert "hidden" not in done.out
    assert run("show", 2, *started, "--json").document["finished_reason"] == "replied"


def test_doctor(run, started):
    """A store in good order passes; the server, its settings and the counts are there, and no password."""
    done = run("doctor", *started, "--json")
    checks = {check["name"]: check for check in done.document["checks"]}
    assert (done.status, done.document["healthy"]) == (0, True)
    assert checks["server"]["found"].startswith("PostgreSQL ")
    assert checks["synchronous commit"] | {"remedy": ""} == checks["synchronous commit"]
    assert checks["counts"]["found"] == {
        "sequences": 1, "enrollments": 3, "events": checks["counts"]["found"]["events"], "tasks": 0, "suppressions": 0,
    }  # fmt: skip
    assert checks["enrollments"]["found"] == {"active": 3}
    assert checks["schema"]["verdict"] == "ok"
    assert "schema 'test" in checks["database"]["found"]
    assert checks["oldest writer"]["found"] == "none"
    assert "hidden" not in done.out
    _, url, _, schema = started
    store = PostgresStore(url, schema=schema)
    with store.transaction():
        found = {check["name"]: check["found"] for check in run("doctor", *started, "--json").document["checks"]}
    assert found["oldest writer"].startswith("since 20")
    store.close()


def test_doctor_finds_a_newer_schema(run, started):
    """A store of a later release is wrong here, and the remedy is named; every other command refuses it."""
    _, url, _, schema = started
    with psycopg.connect(url) as connection:
        later = sql.SQL("INSERT INTO {}.sequencer_migrations VALUES (999, 'later', '9.9')")
        connection.execute(later.format(sql.Identifier(schema)))
    done = run("doctor", *started)
    assert done.status == 1
    assert "upgrade the package" in done.out
    refused = run("list", *started)
    assert (refused.status, refused.out) == (1, "")
    assert "schema 999" in refused.err


def test_the_sql_of_a_migration_is_complete(run, where):
    """What `migrate --dry-run --sql` prints, and nothing else, makes a store that needs no migration."""
    _, url, _, schema = where
    refused = run("list", *where)
    assert (refused.status, refused.out) == (2, "")
    assert "there is no store in" in refused.err
    assert "hidden" not in refused.err
    shown = run("migrate", *where, "--dry-run", "--sql")
    assert shown.status == 0
    assert "would go from schema 0" in shown.err
    assert run("list", *where).status == 2
    with psycopg.connect(url) as connection:
        connection.execute(shown.out.encode())
    assert "nothing to do" in run("migrate", *where).out
    assert run("list", *where).out == "No enrollments.\n"
    store = PostgresStore(url, schema=schema)
    assert Engine(store).enrollments() == ()
    store.close()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--db", "postgresql://ada:hidden@127.0.0.1:1/crm"], 1, "cannot open"),
        (["--db", "postgresql://ada:p@ss:hidden@db/crm"], 2, "--db is no connection string"),
        (["--db", "postgres://ada:hidden@[/crm"], 2, "--db is no connection string"),
        (["--db", "postgresql://ada:hidden@/crm", "--schema", "it's"], 2, "--schema needs the name of a schema"),
        (["--db", "postgresql://ada:hidden@/crm", "--schema", ""], 2, "--schema needs the name of a schema"),
        (["--db", "crm.db", "--schema", "sales"], 2, "--schema is for PostgreSQL"),
        (["--db", "dbname=crm password=hidden"], 2, "postgresql://"),
    ],
)
@pytest.mark.parametrize("command", ["list", "doctor", "migrate"])
def test_what_cannot_be_reached(run, command, words, status, said):
    """A database that is not there, or a URL that is none, is said in one line, without the password."""
    done = run(command, *words)
    assert (done.status, done.out) == (status, "")
    assert said in done.err
    assert "hidden" not in done.err
    assert done.err.count("\n") == 1


def test_without_the_extra(run, monkeypatch):
    """Where psycopg is missing, the error says how to install it."""
    for name in [name for name in sys.modules if name.startswith("sequencer.stores.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = run("list", "--db", "postgresql:///crm")
    assert (done.status, done.out) == (2, "")
    assert "pip install 'sequencer[postgres]'" in done.err
