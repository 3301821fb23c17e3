"""`webhook`, and `run`, which sends: as an operator types it."""

from __future__ import annotations

import builtins
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pendulum
import pytest

from sequencer import Engine, ManualClock, SQLiteStore
from sequencer.core.policy import Retry
from sequencer.http.webhooks import Webhooks, verify
from tests.http.webhooks.endpoints import SEQUENCE, lead, receiver
from tests.stores.test_before import BACK


def test_adding_one(run):
    """The secret, and nothing else, comes to standard output; the store is made; what was asked for is listed."""
    done = run("webhook", "add", "https://example.com/in", "--db", "new.db", "--types", "finished, enrolled")
    assert done.status == 0
    (secret,) = done.out.split()
    assert secret.startswith("whsec_")
    assert "shown this once" in done.err
    assert secret not in done.err
    for typed, account in (("7", 7), ('"7"', "7"), ("acme", "acme")):
        document = run(
            "webhook", "add", "https://example.com/", "--db", "new.db", "--account", typed, "--json"
        ).document
        assert (document["account"], document["types"], list(document)[-1]) == (account, None, "secret")

    listed = run("webhook", "list", "--db", "new.db")
    assert "enrolled, finished" in listed.out
    assert "whsec_" not in listed.out + run("webhook", "list", "--db", "new.db", "--json").out
    assert "all events" not in run("webhook", "list", "--db", "new.db", "--account", "8").out
    (own,) = run("webhook", "list", "--db", "new.db", "--account", '"7"', "--json").document["webhooks"]
    assert (own["id"], own["account"], own["waiting"], own["dead"]) == (3, "7", 0, 0)
    with closing(SQLiteStore("new.db")) as store:
        assert Webhooks(Engine(store)).all()[0].secret == secret


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["webhook"], "add, list, remove, dead or resend"),
        (["webhook", "add", "http://example.com/", "--db", "crm.db"], "--allow-http allows it"),
        (["webhook", "add", "https://ada:hidden@example.com/", "--db", "crm.db"], "URL must have no name and password"),
        (["webhook", "add", "https://example.com/", "--db", "crm.db", "--types", "finishd"], "did you mean finished?"),
        (["webhook", "add", "https://example.com/", "--db", "crm.db", "--types", ""], "--types"),
        (["webhook", "resend", "--db", "crm.db"], "required"),
        (["webhook", "resend", "1", "--all", "--db", "crm.db"], "not allowed"),
        (["webhook", "remove", "x", "--db", "crm.db"], "needs a number"),
        (["webhook", "list", "--db", "absent.db"], "no file"),
    ],
)
def test_what_is_typed_wrongly(run, db, words, says):
    """A sentence says what is wrong, and a password in a URL is not repeated."""
    done = run(*words)

    assert (done.status, done.out) == (2, "")
    assert says in done.err
    assert "hidden" not in done.err
    assert run("webhook", "list", "--db", db).out == "No webhooks.\n"


def test_run_sends(run, db):
    """`run --once` sends what it causes and what was caused before; what fails is said, listed, and sent again."""
    with receiver(good="204", bad="410") as server:
        secret = run("webhook", "add", f"{server.url}/good", "--db", db).out.strip()
        run("webhook", "add", f"{server.url}/bad", "--db", db, "--types", "blocked")
        run("block", 1, "--db", db)
        done = run("run", "--db", db, "--once", "--maildir", "outbox", "--json")
        assert done.status == 0, done.err
        arrived = [verify(body, headers, secret) for path, headers, body, _ in server.requests if path == "/good"]
        assert {"enrollment.blocked", "enrollment.email_sent"} == {each["type"] for each in arrived} & {
            "enrollment.blocked", "enrollment.email_sent", "enrollment.enrolled",
        }  # fmt: skip
        assert done.document["webhooks"] == {"sent": len(arrived), "failed": 1, "dead": 0}
        assert "sent 0" not in run("run", "--db", db, "--once", "--maildir", "outbox").out

        # An hour later, by one that gives up sooner.
        with closing(SQLiteStore(db)) as store:
            later = ManualClock(pendulum.now("UTC").add(hours=1))
            assert Webhooks(Engine(store, clock=later), retry=Retry(attempts=2)).deliver().dead == 1
        shown = run("webhook", "dead", "--db", db, "--limit", 1)
        assert "answered 410" in shown.out
        assert "enrollment.blocked" in shown.out
        assert "There may be more" in shown.out
        (dead,) = run("webhook", "dead", "--db", db, "--json").document["dead"]
        assert (dead["webhook_id"], dead["enrollment_id"], dead["event"]["data"]["facts"]["reason"]) == (2, 1, "paused")
        assert run("webhook", "dead", "--db", db, "--after", dead["id"]).out == "Nothing was given up.\n"
        assert run("webhook", "resend", dead["id"] + 1, "--db", db).status == 1
        server.doing["/bad"] = "204"
        assert run("webhook", "resend", "--all", "--db", db, "--json").document == {"resent": 1}
        assert "sent 1 to webhooks" in run("run", "--db", db, "--once", "--maildir", "outbox").out
        assert run("webhook", "remove", 2, "--db", db).status == 0
        assert run("webhook", "remove", 2, "--db", db).status == 1


def test_run_sends_what_another_process_causes(run, db):
    """A worker sends what was enrolled elsewhere while it runs, whatever hangs, and ends when it is told to."""
    with receiver(hook="204", stuck="hang") as server:
        for name in ("hook", "stuck"):
            assert run("webhook", "add", f"{server.url}/{name}", "--db", db).status == 0
        command = [sys.executable, "-m", "sequencer", "run", "--db", db, "--maildir", "outbox"]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            with closing(SQLiteStore(db)) as store:
                Engine(store).enroll(SEQUENCE, lead(99))
            end = time.monotonic() + 60
            while not any(b'"resource_id":99' in body for path, _, body, _ in server.requests if path == "/hook"):
                assert time.monotonic() < end
                assert worker.poll() is None
                time.sleep(0.02)
            worker.send_signal(signal.SIGTERM)
            server.over.set()
            out, err = worker.communicate(timeout=60)
        finally:
            worker.kill()
            worker.communicate()

    assert (worker.returncode, err) == (0, "")
    assert "stopped; handed over" in out


def test_run_before_the_schema_has_webhooks(run, db):
    """On the schema before this one's, which has none, the worker works, and says that nothing is sent."""
    with closing(sqlite3.connect(db)) as connection:
        for statement in BACK[3]:
            connection.execute(statement)
        connection.execute("DELETE FROM sequencer_migrations WHERE version = 3")
        connection.commit()
    done = run("run", "--db", db, "--once", "--maildir", "outbox", "--json")

    assert done.status == 0
    assert done.document["handed_over"] == 3
    assert done.document["webhooks"] == {"sent": 0, "failed": 0, "dead": 0}
    assert "run `migrate`" in done.err


def test_run_without_the_extra(run, db, monkeypatch):
    """A worker without httpx says so where there are webhooks, before it hands anything over; else it needs none."""
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "httpx":
            raise ModuleNotFoundError("No module named 'httpx'", name="httpx")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run("run", "--db", db, "--once", "--maildir", "outbox").status == 0
    assert run("webhook", "add", "https://example.com/", "--db", db).status == 0
    done = run("run", "--db", db, "--once", "--maildir", "outbox")

    assert done.status == 2
    assert "pip install 'sequencer[http]'" in done.err
