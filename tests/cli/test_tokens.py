"""`token`: making, listing and revoking, as somebody types it who has nothing yet."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sequencer import SQLiteStore
from sequencer.http.access import Grant
from sequencer.http.tokens import Tokens


def grant_of(db: str, secret: str) -> Grant | None:
    store = SQLiteStore(db)
    try:
        return Tokens(store).grant_of(secret)
    finally:
        store.close()


def test_the_first_token(run):
    """On nothing, `create` makes the store and the token, which alone comes to standard output."""
    done = run("token", "create", "--db", "new.db", "--scope", "write", "--actor", 7, "--name", "the CRM")

    assert done.status == 0
    (secret,) = done.out.split()
    assert len(secret) == 64
    assert "shown this once" in done.err
    assert secret not in done.err
    assert grant_of("new.db", secret) == Grant(None, "write", 7, "token 1")
    assert not any(secret.encode() in path.read_bytes() for path in Path().iterdir())


def test_a_token_of_an_account(run, db):
    """In a store that is there, with an account: read is the default, and digits are a number unless quoted."""
    for typed, account in (("acme", "acme"), ("7", 7), ('"7"', "7")):
        document = run("token", "create", "--db", db, "--account", typed, "--json").document
        assert (document["account"], document["scope"], document["actor_id"]) == (account, "read", None)
        assert list(document)[-1] == "token"
        granted = grant_of(db, document["token"])
        assert granted is not None
        assert (granted.account, granted.may_write) == (account, False)


def test_the_list_shows_no_secrets(run):
    """`list` shows every token with what it is for, also revoked ones, of one account if asked, and no secret."""
    secrets = [
        run("token", "create", "--db", "a.db", "--account", account, "--name", "n").out.split()[-1]
        for account in ("acme", "rival")
    ]
    run("token", "revoke", 1, "--db", "a.db")
    listed = run("token", "list", "--db", "a.db")
    tokens = run("token", "list", "--db", "a.db", "--json").document["tokens"]

    assert [(each["id"], each["account"], each["revoked_at"] is None) for each in tokens] == [
        (1, "acme", False), (2, "rival", True),
    ]  # fmt: skip
    for secret in secrets:
        assert secret not in listed.out
    assert [line.split()[1] for line in listed.out.splitlines()[2:]] == ["acme", "rival"]
    (only,) = run("token", "list", "--db", "a.db", "--account", "rival", "--json").document["tokens"]
    assert only["id"] == 2
    run("token", "create", "--db", "b.db")
    assert run("token", "list", "--db", "b.db", "--account", "acme").out == "No tokens.\n"


@pytest.mark.parametrize("way", ["id", "token", "stdin", "dash"])
def test_revoking(run, way, monkeypatch):
    """By its id, by itself as an argument, or by a line of standard input; what it says repeats no token."""
    secret = run("token", "create", "--db", "a.db").out.strip()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
    words = {"id": ["1"], "token": [secret], "stdin": [], "dash": ["-"]}[way]

    done = run("token", "revoke", *words, "--db", "a.db")

    assert (done.status, done.err) == (0, "")
    assert "revoked" in done.out
    assert secret not in done.out
    assert grant_of("a.db", secret) is None
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
    again = run("token", "revoke", *words, "--db", "a.db")
    assert (again.status, again.out) == (1, "")
    assert "not in force" in again.err
    assert secret not in again.err
    assert run("token", "revoke", "1", "--db", "a.db", "--json").document == {"revoked": False}


def test_what_is_refused(run, monkeypatch):
    """Bad input ends with 2 and a sentence, and leaves no file behind; so does a store that is not there."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for words, said in (
        ([], "needs create, list or revoke"),
        (["make"], "there is no 'make'"),
        (["create"], "--db"),
        (["create", "--db", "a.db", "--scope", "all"], "there is no 'all'"),
        (["create", "--db", "a.db", "--account", ""], "--account"),
        (["create", "--db", "a.db", "--actor", "x" * 65], "--actor"),
        (["list", "--db", "a.db"], "there is no file a.db"),
        (["revoke", "--db", "a.db"], "needs the id of a token"),
    ):
        done = run("token", *words)
        assert (done.status, done.out) == (2, ""), words
        assert said in done.err
    assert not Path("a.db").exists()


def test_refusals_name_the_very_command(run):
    """Where there is no store it says what would make one here; and what refuses is named in full."""
    for words in (["list"], ["revoke", 1]):
        done = run("token", *words, "--db", "none.db")
        assert (done.status, done.out) == (2, "")
        assert done.err == f"sequencer token {words[0]}: there is no file none.db; `sequencer token create` makes one\n"
    done = run("token", "create", "--db", "new.db", "--account", "a" * 300)
    assert done.err.startswith("sequencer token create: --account: ")


@pytest.mark.parametrize("wrong", ["abc", "1.5", "-1", "f" * 63, "f" * 65, "1" * 20])
def test_what_is_neither_id_nor_token(run, wrong):
    """What has the shape of neither is bad input, and is not repeated: it may be a part of a token."""
    run("token", "create", "--db", "a.db")

    done = run("token", "revoke", "--db", "a.db", "--", wrong)

    assert (done.status, done.out) == (2, "")
    assert "64 characters" in done.err
    assert wrong not in done.err
