"""The limits of an application: what is too large, too deep or too often is refused in the envelope."""

from __future__ import annotations

import asyncio
import json

import pytest

from sequencer import Engine, MemoryStore
from sequencer.http import application
from sequencer.http.access import Grant, open_access
from sequencer.http.limits import Limits
from sequencer.http.tokens import Tokens
from tests.http.conftest import tasks
from tests.http.driving import client_of, errors_of


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def asking(store):
    """A client of an application with these limits, to which everybody has access."""

    def asking(access=None, **limits):
        app = application(Engine(store=store), access=access or open_access(), limits=Limits(**limits))
        return client_of(app)

    return asking


def test_bodies_are_bounded(asking):
    """A body of as many bytes as allowed is read; one more is refused, whether or not it says how long it is."""
    with asking(body=1000) as client:

        def post(length, **headers):
            body = b'{"data": {}}'.ljust(length)
            return client.send("POST", "/v2/sequences", body, **headers)

        assert errors_of(post(1000)) != [("invalid_payload", None)]
        refused = post(1001)
        assert (refused.status_code, errors_of(refused)) == (413, [("invalid_payload", None)])

        async def parts():
            for _ in range(1001):
                yield b" "

        streamed = client.request(
            "POST", "/v2/sequences", content=parts(), headers={"content-type": "application/json"}
        )
        assert (streamed.status_code, errors_of(streamed)) == (413, [("invalid_payload", None)])


def test_no_more_is_read_than_it_takes_to_see_so(store):
    """Of a body without an end no more is taken in than the limit and the part in which it is passed."""
    app = application(Engine(store=store), access=open_access(), limits=Limits(body=1000))
    taken, sent = 0, []

    async def receive():
        nonlocal taken
        taken += 100
        return {"type": "http.request", "body": b" " * 100, "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"127.0.0.1")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v2/sequences", "raw_path": b"/v2/sequences", "query_string": b"", "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert taken == 1100
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("opens", [b"[", b'{"a":', b'[{"a":'])
def test_bodies_are_not_deep(asking, opens):
    """A body that is nested more deeply than allowed, be it a hundred thousand times, is refused and harms nothing."""
    with asking(depth=5, body=1_000_000) as client:
        for times in (6, 100_000):
            answer = client.send("POST", "/v2/sequences", b'{"data":' + opens * times)
            assert (answer.status_code, errors_of(answer)) == (400, [("invalid_payload", None)])
            assert "more than 5 levels" in answer.text
        brackets = json.dumps({"data": {"name": "[" * 100}}).encode()
        assert "levels" not in client.send("POST", "/v2/sequences", brackets).text


def test_pages_are_bounded(asking):
    """A page has at most as many items as allowed; who asks for more is told so."""
    with asking(per_page=3) as client:
        for number in range(5):
            assert client.post("/v2/sequences", {"format": 1, "name": f"n{number}", "steps": [
                {"action_type": "task", "delay_from_previous_step": 0, "delay_from_previous_step_unit": "hours",
                 "action_properties": {"task_content": "Call"}}]}).status_code == 201  # fmt: skip
        assert len(client.get("/v2/sequences?per_page=3").json()["items"]) == 3
        assert errors_of(client.get("/v2/sequences?per_page=4")) == [("invalid_param", None)]


def test_each_caller_has_a_rate(store, asking):
    """Who asks too often is told when to come again, 429 in the envelope; other callers are not held up."""
    callers = {"a": Grant("acme", "read", name="a"), "b": Grant("acme", "read", name="b"),
               "c": Grant("rival", "read", name="a")}  # fmt: skip
    with asking(lambda request: callers[request.headers["x-caller"]], rate=0.5, burst=3) as client:

        def ask(caller):
            return client.get("/v2/sequences", headers={"x-caller": caller})

        assert [ask("a").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = ask("a")
        assert errors_of(refused) == [("rate_limit_exceeded", None)]
        assert 1 <= int(refused.headers["retry-after"]) <= 2
        assert [ask(caller).status_code for caller in "bc"] == [200, 200]


def test_strangers_have_a_rate(store):
    """Who tries tokens is soon told to wait, while who has one comes in from the same address at any rate."""
    _, secret = Tokens(store).create()
    app = application(Engine(store=store), limits=Limits(unauthorized_rate=0.01, unauthorized_burst=5))
    with client_of(app) as client:

        def ask(token):
            return client.get("/v2/sequences", headers={"Authorization": f"Bearer {token}"})

        statuses = [ask(f"{i:064x}").status_code for i in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        assert int(ask("x").headers["retry-after"]) > 50
        assert [ask(secret).status_code for _ in range(10)] == [200] * 10


def test_a_refused_request_changes_nothing(store, asking):
    """What is refused for its rate is refused before it is done."""
    stored = Engine(store=store).create_sequence(tasks())
    with asking(rate=0.01, burst=1) as client:
        assert client.get("/v2/sequences").status_code == 200
        assert client.delete(f"/v2/sequences/{stored.id}").status_code == 429
    assert Engine(store=store).stored_sequence(stored.id) == stored
