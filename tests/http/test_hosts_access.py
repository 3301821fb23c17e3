"""An access of a host's own: what it says is done, and what is wrong with it is never the client's fault."""

from __future__ import annotations

import logging
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from sequencer import InvalidInput, StoreError
from sequencer.http import Grant, application, bearer, open_access
from sequencer.http.limits import Limits
from tests.http.conftest import UNLIMITED
from tests.http.driving import client_of, errors_of

ENROLLMENTS = "/v2/sequence_enrollments"


class Nobody:
    """Knows no secret."""

    def grant_of(self, secret):
        return None


class Waits:
    async def __call__(self, request):
        return Grant()


async def waits(request):
    return Grant()


def asked(engine, access, limits=UNLIMITED, url=ENROLLMENTS):
    with client_of(application(engine, access=access, limits=limits, inspector=False)) as client:
        return client.get(url)


def test_who_is_nobody_is_told_what_would_help(engine):
    """Only where a bearer's token is what is looked for, an unauthorized caller is told to bring one."""
    by_token = asked(engine, bearer(Nobody()))
    by_the_host = asked(engine, lambda request: None)

    assert [each.status_code for each in (by_token, by_the_host)] == [401, 401]
    assert errors_of(by_token) == errors_of(by_the_host) == [("unauthorized", None)]
    assert "Bearer TOKEN" in by_token.text
    assert "token" not in by_the_host.text.lower()


def refuses(request):
    raise HTTPException(403, "not in your plan")


def test_who_is_known_but_may_not(engine):
    """An access that raises 403 is answered as that, for reading and writing, and asking again is slowed down."""
    with client_of(application(engine, access=refuses, limits=UNLIMITED, inspector=False)) as client:
        for answer in (client.get(ENROLLMENTS), client.delete("/v2/sequences/1")):
            assert (answer.status_code, errors_of(answer)) == (403, [("insufficient_scope", None)])

    slow = Limits(unauthorized_rate=0.001, unauthorized_burst=1)
    with client_of(application(engine, access=refuses, limits=slow, inspector=False)) as client:
        assert [client.get(ENROLLMENTS).status_code for _ in range(2)] == [403, 429]


@pytest.mark.parametrize("access", [waits, Waits(), partial(waits), 7], ids=["function", "object", "partial", "number"])
def test_what_cannot_be_called_on_a_thread(engine, access):
    """An access that is async, or nothing to call, is refused before anybody asks for anything."""
    with pytest.raises(InvalidInput, match="access"):
        application(engine, access=access)


def mistaken(request):
    return Grant(scope="admin")


def failing(request):
    raise KeyError("user")


def unawaited(request):
    return waits(request)


def raising(request):
    raise HTTPException(418)


@pytest.mark.parametrize(
    "access",
    [mistaken, failing, raising, lambda request: True, unawaited],
    ids=["scope", "error", "status", "no grant", "coroutine"],
)
def test_what_is_wrong_with_it_is_not_the_clients(engine, caplog, access):
    """Whatever else an access does is answered with 500, without a word of it, and is in the log."""
    with caplog.at_level(logging.ERROR, "sequencer.http"):
        answer = asked(engine, access)

    assert (answer.status_code, errors_of(answer)) == (500, [("server_error", None)])
    assert answer.headers["x-request-id"] in caplog.text
    assert "access" in caplog.text


def test_a_store_that_cannot_be_used(engine):
    """Where an access finds the store busy or gone, the client is told to ask again later."""

    def access(request):
        raise StoreError("secret")

    answer = asked(engine, access)
    assert (answer.status_code, errors_of(answer)) == (503, [("temporarily_unavailable", None)])


def test_more_about_an_error_is_where_the_application_is(engine):
    """Under a prefix, and two of them, errors lead to the description below it, also of a path that is not there."""
    app = application(engine, access=open_access(), limits=UNLIMITED)
    outer = Starlette(routes=[Mount("/crm", routes=[Mount("/outreach", app)])])
    with client_of(outer) as client:
        for url in ("/v2/sequence_enrollments/9", "/nowhere"):
            body = client.get(f"/crm/outreach{url}").json()
            for links in (body["meta"]["links"], body["errors"][0]["meta"]["links"]):
                assert links["more_info"].startswith("http://127.0.0.1/crm/outreach/openapi.json#")
