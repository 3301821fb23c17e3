"""The inspector as a part of the application: one engine, one set of tokens, one limit, and two kinds of answers."""

from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sequencer.http.access import SESSION, Grant, open_access
from sequencer.http.application import application
from sequencer.http.limits import Limits
from sequencer.http.tokens import Tokens
from tests.http.driving import client_of, errors_of
from tests.http.inspector.looking import Visitor, parsed, text_of
from tests.http.inspector.world import made


@pytest.fixture
def world():
    return made()


def test_a_token_of_the_store_opens_its_pages_and_only_them(world):
    """A token logs people in; its cookie opens the pages until it is revoked, and never the API."""
    tokens = Tokens(world.engine.store)
    token, secret = tokens.create(scope="read", name="a person")
    with client_of(application(world.engine)) as client:
        visitor = Visitor(client)
        answer = visitor.log_in(secret)
        assert answer.headers["location"] == "/inspector/"
        assert "lead 42" in text_of(visitor.page("enrollments"))
        assert client.get("/inspector").headers["location"] == "/inspector/"
        cookie = {"Cookie": f"{SESSION}={secret}"}
        assert client.get("/v2/sequences", headers=cookie).status_code == 401
        tokens.revoke(token.id)
        assert client.get("/inspector/").status_code == 303


def test_every_page_has_the_id_of_its_request(world, monkeypatch, caplog):
    """A page that fails says by which id the log knows it; it is the one that every answer carries."""
    with client_of(application(world.engine, access=open_access())) as client:
        assert len(client.get("/inspector/").headers["x-request-id"]) == 32
        monkeypatch.setattr("sequencer.engine.engine.Engine.explain", lambda *args: 1 // 0)
        with caplog.at_level(logging.ERROR, logger="sequencer.http"):
            answer = client.get("/inspector/enrollments/7", headers={"x-request-id": "mine-1"})

    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine-1")
    assert "In the log it is mine-1." in text_of(parsed(answer.text))
    assert [each.message for each in caplog.records] == ["mine-1: a page of the inspector failed: ZeroDivisionError"]


def test_whom_the_host_knows_but_does_not_let_in(world):
    """An access that raises 403 is answered as that by a page, too, and asking again is slowed down."""

    def refuses(request: Request) -> Grant | None:
        raise HTTPException(403, "not in your plan")

    slow = Limits(unauthorized_rate=0.001, unauthorized_burst=1)
    with client_of(application(world.engine, access=refuses, limits=slow)) as client:
        answers = [client.get("/inspector/") for _ in range(2)]

    assert [each.status_code for each in answers] == [403, 429]
    assert "you may not come in here" in text_of(parsed(answers[0].text))


@pytest.mark.parametrize(
    ("answers", "logged"),
    [
        (lambda request: True, "access must answer with a Grant or None, and not with a bool"),
        (lambda request: int("nobody"), "access raised ValueError"),
    ],
    ids=["no grant", "error"],
)
def test_what_an_access_does_wrong(world, caplog, answers, logged):
    """What an access of the host's must not do is a page without a word of it, and in the log as its mistake."""
    app = application(world.engine, access=answers)
    with client_of(app) as client, caplog.at_level(logging.ERROR, logger="sequencer.http"):
        answer = client.get("/inspector/", headers={"x-request-id": "mine-2"})

    assert answer.status_code == 500
    assert [each.message for each in caplog.records] == [f"mine-2: a page of the inspector failed: {logged}"]


def test_it_is_safe_in_the_application_too(world):
    """What the pages say about scripts, frames and caches is said once, and not what the API says."""
    with client_of(application(world.engine, access=open_access())) as client:
        for path in ("", "enrollments/999", "nothing", "icon.svg"):
            answer = client.get(f"/inspector/{path}")
            (policy,) = answer.headers.get_list("content-security-policy")
            assert "style-src 'self'" in policy
            assert answer.headers.get_list("referrer-policy") == ["same-origin"]
            assert answer.headers["content-type"].startswith(("text/html", "image/svg+xml"))


def test_pages_and_requests_count_together(world):
    """One caller has one rate, in the API and on the pages."""
    limits = Limits(rate=0.01, burst=3)
    with client_of(application(world.engine, access=open_access(), limits=limits)) as client:
        answers = [client.get(path).status_code for path in ("/v2/sequences", "/inspector/", "/v2/sequences")]
        assert answers == [200, 200, 200]
        assert client.get("/inspector/").status_code == 429
        assert client.get("/v2/sequences").status_code == 429


def test_an_application_below_a_path(world):
    """Mounted in a host's own application, every link of the pages begins with the host's path."""
    host = Starlette()
    host.mount("/crm", application(world.engine, access=open_access()))
    with client_of(host) as client:
        root = parsed(client.get("/crm/inspector/enrollments/7").text)
        links = [each.get("href") for each in root.iter("a")][1:]
        assert all(each.startswith("/crm/inspector/") for each in links)
        assert {client.get(each).status_code for each in links} == {200}


def test_an_application_without_it(world):
    """Without the inspector there are no pages."""
    with client_of(application(world.engine, access=open_access(), inspector=False)) as client:
        answer = client.get("/inspector/")

    assert errors_of(answer) == [("incorrect_path", None)]
