"""Whatever is typed, and whatever lies in the files: an exit status, a sentence on standard error, and no traceback."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sequencer.cli import main
from sequencer.stores.sqlite import SQLiteStore

BAD_INPUT = {
    "no command": [],
    "an unknown command": ["sned"],
    "an unknown option": ["list", "--db", "crm.db", "--lmit", "3"],
    "an abbreviated option": ["list", "--db", "crm.db", "--stat", "active"],
    "no store named": ["list"],
    "a store that is not there": ["list", "--db", "absent.db"],
    "a store in a folder that is not there": ["migrate", "--db", "absent/crm.db"],
    "a folder for a store": ["list", "--db", "folder"],
    "text for a store": ["list", "--db", "text.txt"],
    "an empty file for a store": ["list", "--db", "empty.db"],
    "a store of somebody else's": ["list", "--db", "other.db"],
    "half a file for a store": ["list", "--db", "half.db"],
    "a NUL in the store's name": ["list", "--db", "a\0b"],
    "letters for an id": ["show", "abc", "--db", "crm.db"],
    "zero for an id": ["show", "0", "--db", "crm.db"],
    "a negative id": ["show", "--db", "crm.db", "--", "-1"],
    "an id of many digits": ["show", "9" * 40, "--db", "crm.db"],
    "an id in other digits": ["show", "٣", "--db", "crm.db"],
    "a page of nothing": ["list", "--db", "crm.db", "--limit", "0"],
    "a page of everything": ["list", "--db", "crm.db", "--limit", "10001"],
    "an unknown state": ["list", "--db", "crm.db", "--state", "paused"],
    "an account that is too long": ["list", "--db", "crm.db", "--account", "a" * 65],
    "a definition that is not there": ["plan", "absent.yaml", "--start", "2026-01-01"],
    "a folder for a definition": ["check", "folder"],
    "bytes for a definition": ["check", "bytes.yaml"],
    "a definition without end": ["check", "deep.json"],
    "an empty definition": ["check", "empty.db"],
    "no moment": ["plan", "DEFINITION", "--start", "tomorrow"],
    "half a moment": ["plan", "DEFINITION", "--start", "2026-03-27T"],
    "a moment that is none": ["plan", "DEFINITION", "--start", "2026-02-30T10:00"],
    "a moment before time": ["plan", "DEFINITION", "--start", "0001-01-01T00:00"],
    "a moment after time": ["plan", "DEFINITION", "--start", "9999-12-31T23:59:59Z"],
    "an unknown zone": ["plan", "DEFINITION", "--start", "2026-01-01", "--timezone", "Mars/Olympus"],
    "a path for a zone": ["plan", "DEFINITION", "--start", "2026-01-01", "--timezone", "../../etc/passwd"],
    "two answers at once": ["plan", "DEFINITION", "--start", "2026-01-01", "--csv", "--json"],
    "leads that are not there": ["enroll", "DEFINITION", "--leads", "absent.csv", "--db", "crm.db"],
    "leads that are no leads": ["enroll", "DEFINITION", "--leads", "text.txt", "--db", "crm.db"],
    "a mail server that is none": ["run", "--db", "crm.db", "--smtp", "a b", "--sender", "a@example.com"],
    "mail from nobody": ["run", "--db", "crm.db", "--smtp", "localhost:25"],
    "mail from two": ["run", "--db", "crm.db", "--smtp", "localhost:25", "--sender", "a@example.com, b@example.com"],
    "security for nothing": ["run", "--db", "crm.db", "--security", "tls"],
    "two ways for mail": ["run", "--db", "crm.db", "--smtp", "localhost:25", "--maildir", "outbox"],
    "a file for a Maildir": ["run", "--db", "crm.db", "--once", "--maildir", "text.txt"],
    "texts that are not there": ["run", "--db", "crm.db", "--once", "--templates", "absent"],
    "a link without a key": ["run", "--db", "crm.db", "--once", "--unsubscribe-url", "https://example.com"],
    "no address for opt-outs": ["run", "--db", "crm.db", "--maildir", "out", "--once", "--unsubscribe-mailto", "out x"],
    "a block into the past": ["block", "1", "--db", "crm.db", "--until", "2020-01-01"],
    "a zone for nothing": ["block", "1", "--db", "crm.db", "--timezone", "UTC"],
    "an unknown timeline": ["resume", "1", "--db", "crm.db", "--timeline", "hurry"],
    "a reason of two lines": ["block", "1", "--db", "crm.db", "--reason", "a\nb"],
    "an unknown report": ["signal", "yawned", "--db", "crm.db", "--key", "k", "--email", "a@example.com"],
    "a report without a key": ["signal", "replied", "--db", "crm.db", "--email", "a@example.com"],
    "a report about nobody": ["signal", "replied", "--db", "crm.db", "--key", "k"],
    "an answer about no step": ["signal", "email_sent", "--db", "crm.db", "--key", "k"],
    "a report that says too much": [
        "signal", "replied", "--db", "crm.db", "--key", "k", "--email", "a@example.com", "--until", "2030-01-01",
    ],
    "an opt-out of half a letter": ["signal", "unsubscribed", "--db", "crm.db", "--key", "k", "--email", "\udcff"],
    "nothing to lift": ["suppress", "--lift", "--db", "crm.db"],
    "a blank address": ["suppress", " ", "--db", "crm.db"],
    "a purge without a moment": ["purge", "--db", "crm.db"],
    "a purge before no moment": ["purge", "--db", "crm.db", "--finished-before", "yesterday"],
    "no such machine": ["diagram", "robot"],
    "a file for the demo": ["demo", "--dir", "text.txt"],
    "somebody's folder for the demo": ["demo", "--dir", "folder"],
}  # fmt: skip


@pytest.fixture
def litter(run, db):
    """Files that are not what a command needs."""
    Path("folder").mkdir()
    Path("folder/letter.txt").write_text("mine", encoding="utf-8")
    Path("text.txt").write_text("Dear reader,\nthis is no store.\n", encoding="utf-8")
    Path("empty.db").touch()
    Path("bytes.yaml").write_bytes(bytes(range(256)))
    Path("deep.json").write_text("[" * 50_000, encoding="utf-8")
    with closing(sqlite3.connect("other.db")) as connection, connection:
        connection.execute("CREATE TABLE customers (name)")
    Path("half.db").write_bytes(Path("other.db").read_bytes()[:3000])


def stored(db: str) -> list[str]:
    """Everything that is in a store."""
    with closing(sqlite3.connect(db)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("words", BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input(run, litter, inbound, words):
    """Bad input ends with status 2, an empty standard output and a reason; nothing was changed."""
    before = stored("crm.db")

    done = run(*(inbound if word == "DEFINITION" else word for word in words))

    assert (done.status, done.out) == (2, ""), done.err
    assert done.err.strip()
    assert "Traceback" not in done.err
    assert stored("crm.db") == before
    assert Path("folder/letter.txt").read_text(encoding="utf-8") == "mine"


def test_a_file_that_is_no_store_is_quoted_in_plain_letters(run, litter):
    """What a file begins with is shown as letters, without Python's own marks for bytes."""
    done = run("list", "--db", "text.txt")
    assert done.err == "sequencer list: text.txt is no SQLite file; it begins with 'Dear reader,'\n"


REFUSED = {
    "an unknown enrollment": ["explain", "404", "--db", "crm.db"],
    "an unknown task": ["complete", "404", "--db", "crm.db"],
    "a task that is text": ["complete", "no such task", "--db", "crm.db"],
    "an unknown sequence": ["list", "--db", "crm.db", "--sequence", "nope"],
    "a step that is not the current one": ["skip", "1", "--db", "crm.db", "--position", "3"],
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_refused(run, litter, words):
    """What the state of things refuses ends with status 1 and a reason."""
    done = run(*words)

    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"sequencer {words[0]}: ")
    assert done.err.count("\n") == 1


def test_a_locked_store(run, db, monkeypatch):
    """A store in which somebody else is writing for long is refused with a sentence."""
    impatient = functools.partial(SQLiteStore, busy_timeout=0.05)
    monkeypatch.setattr("sequencer.cli.places.SQLiteStore", impatient)
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")

        done = run("finish", 1, "--db", db)

    assert (done.status, done.out) == (1, "")
    assert "another connection is writing" in done.err


@pytest.mark.parametrize(
    "command",
    [
        "demo", "plan", "check", "enroll", "run", "list", "show", "explain", "history", "tasks", "complete", "skip",
        "block", "resume", "finish", "signal", "suppress", "erase", "purge", "diagram", "migrate", "doctor",
    ],
)  # fmt: skip
def test_help(run, command):
    """Each command explains itself, with an example that begins with its name."""
    done = run(command, "--help")

    assert (done.status, done.err) == (0, "")
    assert f"$ sequencer {command}" in done.out


def test_version_and_overview(run):
    """The version is printed on request; without a command, the help says what there is."""
    assert run("--version").out.startswith("sequencer ")
    assert "plan" in run().err


def sequencer(*words: str, **keywords):
    """Start the command line as a process of its own."""
    return subprocess.Popen([sys.executable, "-W", "error", "-m", "sequencer", *words], text=True, **keywords)


def test_a_closed_pipe(run, db):
    """When whoever reads has gone, the command ends without a word."""
    read, write = os.pipe()
    os.close(read)
    process = sequencer("history", "1", "--db", db, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (1, "")


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop(run, db, number):
    """SIGTERM and SIGINT end a worker that waits, with status 0 and a word about what it did."""
    process = sequencer("run", "--db", db, "--maildir", "outbox", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(list(Path("outbox/new").glob("*")) if Path("outbox/new").is_dir() else []) < 3:
        assert time.monotonic() < deadline, "the mails did not leave"
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, "")
    assert "stopped; handed over 3" in out


def test_a_folder_that_may_not_be_written(tmp_path, capsys, monkeypatch):
    """What the system forbids is said in its own words, with the place."""

    def forbidden(*args, **keywords):
        raise PermissionError(13, "Permission denied", str(tmp_path / "outbox"))

    monkeypatch.setattr(Path, "mkdir", forbidden)

    assert main(["run", "--db", str(tmp_path / "crm.db"), "--maildir", str(tmp_path / "outbox")]) == 2
    assert "Permission denied" in capsys.readouterr().err
