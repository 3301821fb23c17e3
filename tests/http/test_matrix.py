"""Every route by every kind of caller: nobody sees, changes or can tell apart what is not theirs (S7).

The routes are read off the application and their bodies off its description, so that a new one is in the matrix by
being there.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from typing import Any

import pytest

from sequencer import Conflict, Engine, MemoryStore, StoreError, Task
from sequencer.core.sequence import Sequence, Step
from sequencer.http.application import application
from sequencer.http.tokens import Tokens
from tests.http.driving import client_of
from tests.http.worlds import MISSING, NO_LIMIT, PUBLIC, SAFE, WRONG, bearing, routes_of, seen, world

APP = application(Engine(store=MemoryStore()))
ROUTES = [route for route in routes_of(APP) if route[1] not in PUBLIC]
API = [route for route in ROUTES if not route[1].startswith("/inspector")]


def test_the_matrix_has_every_route():
    """What the application describes is in the matrix, and what it has beyond that is public or the inspector's."""
    described = {
        (method.upper(), path) for path, methods in APP.openapi()["paths"].items() for method in methods
        if method in {"get", "put", "post", "delete", "patch", "head"}
    }  # fmt: skip
    assert described <= set(API)
    assert {route for route in API if route[0] != "HEAD"} <= described


def bodies_of(method: str, path: str) -> list[Any]:
    """The bodies that the description shows as examples for an operation; one that is empty where it has none."""
    operation = APP.openapi()["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [each["value"] for each in content.get("examples", {}).values()]
    return [*examples, *([content["example"]] if "example" in content else [])] or [None]


def pointing_at(value: Any, ids: dict[str, Any]) -> Any:
    """An example with the ids of somebody's things in it."""
    if isinstance(value, dict):
        return {key: ids.get(key, pointing_at(each, ids)) for key, each in value.items()}
    return [pointing_at(each, ids) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """For all tests that find nothing changed in it."""
    with world(tmp_path_factory.mktemp("matrix") / "ours") as made:
        yield made


@pytest.fixture(scope="module")
def two_worlds(tmp_path_factory):
    """In which we have different things; the other account is asked for the same in both."""
    folder = tmp_path_factory.mktemp("matrix")
    with (
        world(folder / "one", "mark-of-ours") as one,
        world(folder / "two", "what-others-have", state="finished") as two,
    ):
        yield one, two


STRANGERS = {
    "no token": [],
    "malformed": [("Authorization", "Bearer")],
    "of another scheme": [("Authorization", "Basic YTpi")],
    "wrong": bearing(WRONG),
}


@pytest.mark.parametrize(("method", "path"), API)
def test_strangers(ours, method, path):
    """Without a token in force every route answers the same whatever there is: 401; nothing changes."""
    strangers = {**STRANGERS, "revoked": bearing(ours.tokens["revoked"])}
    before = ours.state()
    answers = [
        ours.ask(method, path, headers, id, json=body)
        for headers in strangers.values()
        for id in (None, MISSING)
        for body in bodies_of(method, path)
    ]
    assert len({repr(seen(answer)) for answer in answers}) == 1
    assert answers[0].status_code == 401
    assert answers[0].headers["www-authenticate"] == "Bearer"
    if method != "HEAD":
        assert answers[0].json()["errors"][0]["error"]["code"] == "unauthorized"
    assert ours.state() == before


@pytest.mark.parametrize(("method", "path"), API)
def test_who_may_only_read(ours, method, path):
    """A token for reading reads, and is refused each change before anything is looked at; nothing is ever changed."""
    before, reading = ours.state(), bearing(ours.tokens["read"])
    for body in bodies_of(method, path):
        for content in ({"json": pointing_at(body, ours.ids)}, {"content": b"{"}, {"content": b""}):
            mine = ours.ask(method, path, reading, **content)
            if method in SAFE:
                assert mine.status_code == 200
                continue
            missing = ours.ask(method, path, reading, MISSING, **content)
            assert seen(mine) == seen(missing)
            assert (mine.status_code, mine.json()["errors"][0]["error"]["code"]) == (403, "insufficient_scope")
    assert ours.state() == before


@pytest.mark.parametrize(("method", "path"), API)
def test_another_account(two_worlds, method, path):
    """To another account all answers are to the byte the same whatever we have: ours are there, or others, or none."""
    answers: list[list[Any]] = []
    for each in two_worlds:
        before, rival, given = each.of_ours(), bearing(each.tokens["rival"]), list[Any]()
        for body in bodies_of(method, path):
            content = {} if body is None else {"json": pointing_at(body, each.ids)}
            theirs, missing = (each.ask(method, path, rival, id, **content) for id in (None, MISSING))
            assert each.mark not in theirs.text + str(theirs.headers)
            if "{" in path:
                assert theirs.status_code == 404
                assert seen(theirs, each.id_for(path)) == seen(missing, MISSING)
            given.append(seen(theirs))
        for query in ("ids", "resource_ids"):
            given.append(seen(each.ask(method, f"{path}?{query}={each.id_for(path)},42", rival)))
        assert each.of_ours() == before
        answers.append(given)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("method", "path"), [route for route in API if route[0] not in SAFE])
def test_who_may_write_does(tmp_path, method, path):
    """The matrix is about something: with a token for writing the same requests change what is ours."""
    with world(tmp_path / "ours") as ours:
        before = ours.state()
        answers = [
            ours.ask(
                method, path, bearing(ours.tokens["write"]), json=pointing_at(body, {**ours.ids, "resource_id": lead})
            )
            for body in bodies_of(method, path)
            for lead in (42, 43)
        ]
        assert any(answer.is_success for answer in answers), [answer.text for answer in answers]
        assert ours.state() != before


@pytest.mark.parametrize("path", sorted({path for _, path in ROUTES}))
def test_other_methods(ours, path):
    """A method that a path does not have is refused, to whoever asks, and changes nothing."""
    there = {method for method, each in ROUTES if re.fullmatch(re.sub(r"\{\w+(?::\w+)?\}", "[^/]+", each), path)}
    before = ours.state()
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - there:
        for headers in ([], bearing(ours.tokens["write"])):
            answer = ours.ask(method, path, headers)
            assert answer.status_code == 405
            assert "access-control-allow-origin" not in answer.headers
    assert ours.state() == before


# -- what fails inside -----------------------------------------------------------------------------------------

SECRETS = ("SELECT", "sequencer_", "sqlite", "Traceback", 'File "', "secret", "Error(", "/var/lib")
FAILURES = [
    StoreError('near "SELECT secret FROM sequencer_tokens": syntax error in /var/lib/crm.db'),
    sqlite3.OperationalError("no such table: sequencer_tokens, SELECT secret"),
    RuntimeError("secret /var/lib"),
    KeyError("secret"),
    Conflict("secret of sequencer_enrollments"),
    RecursionError("secret"),
    UnicodeEncodeError("utf-8", "secret", 0, 1, "surrogates not allowed"),
]


class Failing(MemoryStore):
    """Raises when it is asked for a transaction, or `after` so many things were asked of one, at the next."""

    failure: Exception | None = None
    after = 0

    @contextmanager
    def transaction(self, connection=None, *, write=True):
        self.fail()
        with super().transaction(connection, write=write) as transaction:
            yield FailingTransaction(self, transaction)

    def fail(self):
        if self.failure is not None:
            self.after -= 1
            if self.after < 0:
                raise self.failure


class FailingTransaction:
    def __init__(self, store, transaction):
        self._store, self._transaction = store, transaction

    def __getattr__(self, name):
        found = getattr(self._transaction, name)
        if callable(found):
            self._store.fail()
        return found


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_nothing_of_the_inside_leaves(failure, after, caplog):
    """Where the store fails at once, at the token or at the thing itself, the envelope has not a word of it."""
    store = Failing()
    _, secret = Tokens(store).create(scope="write")
    stored = Engine(store=store).create_sequence(Sequence("Hello", [Step(Task("Call"))]))
    app = application(Engine(store=store), limits=NO_LIMIT)
    with client_of(app) as client:
        for method, path in API:
            for body in bodies_of(method, path):
                store.failure, store.after = failure, after
                url = re.sub(r"\{\w+\}", "1", path)
                content = pointing_at(body, {"sequence_id": stored.id})
                answer = client.request(method, url, headers=dict(bearing(secret)), json=content)
                store.failure = None
                if answer.status_code in {400, 422}:
                    continue  # refused before anything was asked of the store
                assert answer.status_code in {500, 503}, (method, path, answer.text)
                if method != "HEAD":
                    assert answer.json()["errors"][0]["error"]["code"] in {"server_error", "temporarily_unavailable"}
                shown = answer.text + str(answer.headers)
                assert not [each for each in SECRETS if each in shown]
                assert answer.headers["x-request-id"] in caplog.text
    assert secret not in caplog.text
