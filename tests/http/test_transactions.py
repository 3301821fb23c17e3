"""A request is one transaction: whether its token is in force, what it reads, and what it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Engine, MemoryStore, SQLiteStore
from sequencer.core.sequence import Sequence, Step, Task
from sequencer.http import application
from sequencer.http.limits import Limits
from sequencer.http.tokens import Tokens
from tests.http.driving import client_of, errors_of
from tests.http.worlds import bearing

ENROLLMENTS = "/v2/sequence_enrollments"
FIRST = {"data": {"resource_type": "lead", "resource_id": "first"}}
UNLIMITED = Limits(rate=None, unauthorized_rate=None)


class Counting(MemoryStore):
    """Notes of each transaction whether it may write."""

    def __init__(self):
        super().__init__()
        self.begun = []

    def transaction(self, connection=None, *, write=True):
        self.begun.append("write" if write else "read")
        return super().transaction(connection, write=write)


def enrolling(id, lead=1):
    return {"data": {"sequence_id": id, "resource_type": "lead", "resource_id": lead}}


@pytest.fixture
def counting():
    store = Counting()
    engine = Engine(store=store)
    token, secret = Tokens(store).create(scope="write")
    id = engine.create_sequence(Sequence("Calls", [Step(Task("Call")), Step(Task("Call again"))])).id
    with client_of(application(engine, limits=UNLIMITED), **dict(bearing(secret))) as client:
        assert client.request("POST", ENROLLMENTS, json=enrolling(id, "first")).status_code == 201
        yield store, client, id, token


def test_a_request_is_one_transaction(counting):
    """Whatever is asked by a token that is known is one transaction, which writes only where the operation does."""
    store, client, id, _ = counting
    written = client.get(f"/v2/sequences/{id}/definition").json()
    for method, path, body, begun in (
        ("GET", ENROLLMENTS, None, "read"),
        ("GET", f"{ENROLLMENTS}/1", None, "read"),
        ("GET", f"{ENROLLMENTS}/77", None, "read"),
        ("POST", ENROLLMENTS, enrolling(id), "write"),
        ("PUT", f"{ENROLLMENTS}/1", {"data": {"state": "blocked"}}, "write"),
        ("PUT", f"{ENROLLMENTS}/1", {"data": {"state": "active"}}, "write"),
        ("POST", f"{ENROLLMENTS}/finish_ongoing_for_resource", FIRST, "write"),
        ("GET", "/v2/sequences", None, "read"),
        ("GET", f"/v2/sequences/{id}", None, "read"),
        ("PUT", f"/v2/sequences/{id}", {"data": written["data"]}, "write"),
        ("DELETE", f"/v2/sequences/{id}", None, "write"),
    ):  # fmt: skip
        store.begun.clear()
        answer = client.request(method, path, **({} if body is None else {"json": body}))
        assert answer.status_code < 500, answer.text
        assert store.begun == [begun], (method, path)


@pytest.mark.parametrize("body", [None, {"data": {}}, {"data": {"sequence_id": "x"}}, "enrolls"])
@pytest.mark.parametrize("route", [("GET", f"{ENROLLMENTS}/1"), ("POST", ENROLLMENTS), ("PUT", f"{ENROLLMENTS}/x")])
def test_a_token_that_was_revoked_elsewhere_is_good_for_nothing_at_once(counting, route, body):
    """Who has come in with a token a moment ago is unknown once another process has revoked it, whatever is asked."""
    store, client, id, token = counting
    assert Tokens(store).revoke(token.id)
    given = {} if body is None else {"json": enrolling(id) if body == "enrolls" else body}
    for _ in range(2):
        answer = client.request(*route, **given)
        assert (answer.status_code, errors_of(answer)) == (401, [("unauthorized", None)])
    assert [(each.id, each.revision) for each in Engine(store=store).enrollments()] == [(1, 1)]


def test_a_token_that_is_revoked_while_its_request_is_read_writes_nothing(counting, monkeypatch):
    """What is revoked before the transaction that writes begins has written nothing (S7)."""
    store, client, id, token = counting
    begin = store.transaction

    def revoked_first(connection=None, *, write=True):
        monkeypatch.setattr(store, "transaction", begin)
        assert Tokens(store).revoke(token.id)
        return begin(connection, write=write)

    monkeypatch.setattr(store, "transaction", revoked_first)
    answer = client.request("POST", ENROLLMENTS, json=enrolling(id))
    assert (answer.status_code, errors_of(answer)) == (401, [("unauthorized", None)])
    assert len(Engine(store=store).enrollments()) == 1


def test_who_is_unknown_makes_the_store_begin_nothing_that_writes(counting):
    """With a token that never was good, or is for reading alone, nobody holds up who writes."""
    store, client, id, _ = counting
    _, reader = Tokens(store).create(scope="read")
    for secret, status in (("f" * 64, 401), ("short", 401), (reader, 403), (reader, 403)):
        store.begun.clear()
        answer = client.request("POST", ENROLLMENTS, json=enrolling(id), headers=dict(bearing(secret)))
        assert answer.status_code == status
        assert "write" not in store.begun


def test_what_is_remembered_of_tokens_has_bounds():
    """However many tokens come in, so many are remembered; and one that is revoked is forgotten."""
    tokens = Tokens(MemoryStore())
    made = [tokens.create() for _ in range(1001)]
    for _, secret in made:
        granted, remembered = tokens.grant_of(secret), tokens.remembered(secret)
        assert remembered is not None
        assert remembered.grant == granted
    assert sum(tokens.remembered(secret) is not None for _, secret in made) <= 1000
    token, secret = made[-1]
    assert tokens.revoke(token.id)
    remembered = tokens.remembered(secret)
    assert remembered is not None
    with tokens.store.transaction(write=False) as transaction:
        assert not remembered.is_good(transaction)
    assert tokens.grant_of(secret) is tokens.remembered(secret) is None
    assert secret not in repr(remembered)
    assert remembered.digest not in repr(remembered)
    assert tokens.remembered("short") is None
    assert tokens.remembered(None) is None


def test_a_token_of_another_store_is_asked_for_there(tmp_path):
    """An application whose tokens are in a store of their own asks that one each time."""
    store, elsewhere = MemoryStore(), SQLiteStore(tmp_path / "tokens.db")
    tokens = Tokens(elsewhere)
    token, secret = tokens.create(scope="write")
    with client_of(application(Engine(store=store), tokens=tokens, access=None, limits=UNLIMITED)) as client:
        for _ in range(2):
            assert client.get(ENROLLMENTS, headers=dict(bearing(secret))).status_code == 200
        tokens.revoke(token.id)
        assert client.get(ENROLLMENTS, headers=dict(bearing(secret))).status_code == 401
    elsewhere.close()


@given(st.lists(st.tuples(st.sampled_from(["read", "write", "nonsense", "revoke"]), st.integers(0, 2)), max_size=14))
def test_whoever_asks_is_let_in_for_as_long_as_the_token_is_in_force(steps):
    """In whatever order tokens are used and revoked elsewhere, each request is answered by what holds then (S7)."""
    store = MemoryStore()
    engine, elsewhere = Engine(store=store), Tokens(store)
    made = [elsewhere.create(scope="write") for _ in range(3)]
    id = engine.create_sequence(Sequence("Calls", [Step(Task("Call"))])).id
    revoked, enrolled = set(), 0
    with client_of(application(engine, limits=UNLIMITED, inspector=False)) as client:
        for number, (does, which) in enumerate(steps):
            token, secret = made[which]
            if does == "revoke":
                assert elsewhere.revoke(token.id) is (which not in revoked)
                revoked.add(which)
                continue
            body = enrolling(id, number) if does == "write" else {"data": []}
            sent = {} if does == "read" else {"json": body}
            method = "GET" if does == "read" else "POST"
            answer = client.request(method, ENROLLMENTS, headers=dict(bearing(secret)), **sent)
            lets_in = {"read": 200, "write": 201, "nonsense": 400}[does]
            assert answer.status_code == (401 if which in revoked else lets_in)
            enrolled += answer.status_code == 201
    assert len(engine.enrollments()) == enrolled
