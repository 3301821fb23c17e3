"""What is logged of a request: which, by whom, how it went; never a token, a query, an address; and not unasked."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from sequencer import Engine, MemoryStore
from sequencer.http import Grant, Tokens, application, open_access
from sequencer.http.logs import Asked
from tests.http.driving import client_of

USUAL = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
SECRET = "ada@example.com"


def own(record):
    return {name: value for name, value in vars(record).items() if name not in USUAL}


@pytest.fixture
def told(caplog):
    """The records of requests, while everybody listens."""
    caplog.set_level(logging.INFO, "sequencer.http")
    return caplog


def test_a_request_has_its_facts(told):
    """Each has method, path, status, how long it took, the name of the grant and the id that the answer carries."""
    host = Starlette()
    host.mount("/crm", application(Engine(MemoryStore()), access=lambda request: Grant(name="user 7")))
    with client_of(host) as client:
        answers = [
            client.get("/crm/v2/sequences?name=x"), client.request("DELETE", "/crm/v2/sequences/9"),
            client.get("/crm/inspector/"), client.get("/crm/v2/nowhere"),
        ]  # fmt: skip

    facts = [own(each) for each in told.records]
    assert all(0 < each.pop("milliseconds") < 60_000 for each in facts)
    assert [each.pop("request_id") for each in facts] == [each.headers["x-request-id"] for each in answers]
    assert [tuple(each.values()) for each in facts] == [
        ("GET", "/crm/v2/sequences", "user 7", 200), ("DELETE", "/crm/v2/sequences/9", "user 7", 403),
        ("GET", "/crm/inspector/", "user 7", 200), ("GET", "/crm/v2/nowhere", None, 404),
    ]  # fmt: skip
    assert list(facts[0]) == ["method", "path", "caller", "status"]
    assert {(each.msg, each.levelname) for each in told.records} == {("%s %s: %d in %.1f ms", "INFO")}


def test_nothing_secret_is_logged(told):
    """A token in a header, a path or a query, an address and a cookie are in no record, whatever the answer is."""
    store = MemoryStore()
    _, secret = Tokens(store).create()
    with client_of(application(Engine(store))) as client:
        for headers in ({"authorization": f"Bearer {secret}"}, {"cookie": f"sequencer_session={secret}"}, {}):
            for path in (
                "/v2/sequences",
                f"/v2/sequences/{secret}",
                f"/v2/{SECRET}",
                f"/inspector/enrollments/{SECRET}",
            ):
                client.get(f"{path}?name={SECRET}&token={secret}", headers=headers)
        client.get("/v2/sequences", headers={"host": SECRET})

    assert len(told.records) == 13
    for record in told.records:
        said = f"{record.getMessage()} {vars(record)}"
        assert not [each for each in (secret, "example.com", "127.0.0.1") if each in said]


@given(st.text(), st.text())
def test_a_path_is_one_plain_line(method, path):
    """Whatever is asked for, what is logged of it is one line of letters that can do no harm, as long as its parts."""
    scope = {"method": method, "path": f"/{path}"}
    logger = logging.getLogger("sequencer.http")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        asked = Asked.of(scope, "1")
    finally:
        logger.setLevel(before)

    assert asked is not None
    assert asked.path.count("/") == path.count("/") + 1
    assert f"{asked.method}{asked.path}".isprintable()
    assert f"{asked.method}{asked.path}".isascii()
    assert "@" not in asked.path


def test_where_nobody_listens_nothing_is_noted(monkeypatch):
    """With the level off a request is not looked at, and carries nothing."""
    monkeypatch.setattr("sequencer.http.logs._plain", lambda: 1 // 0)
    seen = []

    def access(request):
        seen.append([key for key in request.scope if key == "sequencer.asked"])
        return Grant()

    logging.getLogger("sequencer.http").setLevel(logging.WARNING)
    try:
        with client_of(application(Engine(MemoryStore()), access=access)) as client:
            assert client.get("/v2/sequences").status_code == 200
    finally:
        logging.getLogger("sequencer.http").setLevel(logging.NOTSET)
    assert seen == [[]]


def test_a_browser_is_led_to_the_pages():
    """A browser that asks for / is led to the inspector, below the host's prefix; who is none, or has none, is not."""
    host = Starlette()
    host.mount("/crm \u00e9", application(Engine(MemoryStore()), access=open_access()))
    host.mount("/bare", application(Engine(MemoryStore()), access=open_access(), inspector=False))
    host.mount("", application(Engine(MemoryStore()), access=open_access()))
    page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    with client_of(host) as client:
        for path, there in (("/crm \u00e9/", "/crm%20%C3%A9/inspector/"), ("/", "/inspector/")):
            answer = client.get(path, headers={**page, "x-forwarded-host": "evil.example"})
            assert (answer.status_code, answer.headers["location"]) == (307, there)
            assert answer.headers["vary"] == "Accept"
            assert client.get(there, headers=page).status_code == 200
            assert client.get(path).json()["errors"][0]["error"]["code"] == "incorrect_path"
        assert client.get("/bare/", headers=page).status_code == 404
