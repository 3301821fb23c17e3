"""Every page of the inspector by every kind of caller, as the matrix of the API's routes (S7)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sequencer import Engine, MemoryStore
from sequencer.http.access import SESSION
from sequencer.http.application import application
from sequencer.http.inspector.visit import VISIT
from tests.http.worlds import MISSING, SAFE, WRONG, World, bearing, routes_of, seen, world

KEY = "k" * 43
"""The key of a visit, which is otherwise drawn for each; so that two visits are the same to the byte."""
OPEN = re.compile(r"/inspector(/login|/logout|/[\w.-]+\.(css|svg))?")
"""What is there before somebody has logged in; it says nothing about anybody."""
VERBS = ("block", "resume", "skip", "complete", "finish", "unheard")


def pages() -> list[tuple[str, str]]:
    found = [route for route in routes_of(application(Engine(store=MemoryStore()))) if "/inspector" in route[1]]
    return [
        (method, path.replace("{verb}", verb))
        for method, path in found
        for verb in (VERBS if "{verb}" in path else [""])
        if not OPEN.fullmatch(path)
    ]


PAGES = pages()


@pytest.fixture(scope="module")
def two_worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    with (
        world(folder / "one", "mark-of-ours") as one,
        world(folder / "two", "what-others-have", state="finished") as two,
    ):
        yield one, two


def visit(world: World, method: str, path: str, secret: str | None, id: int | None = None, **fields: Any) -> Any:
    """A request as a browser of these pages makes it, with the session's cookie, and in a form with its token."""
    cookies = f"{VISIT}={KEY}" + ("" if secret is None else f"; {SESSION}={secret}")
    headers = [("Cookie", cookies), ("Sec-Fetch-Site", "same-origin")]
    if method != "POST":
        return world.ask(method, path, headers, id)
    page = world.ask("GET", "/inspector/enrollments", headers).text
    token = re.search(r'name="token" value="([0-9a-f]{64})"', page)
    form = {"token": token[1] if token else "", "reason": "paused", "timeline": "keep", **fields}
    return world.ask(method, path, headers, id, data=form)


def test_there_are_pages():
    """The matrix has the lists, an enrollment and a sequence, and each verb, with GET and with POST."""
    assert {("GET", "/inspector/"), ("GET", "/inspector/sequences/{id}")} <= set(PAGES)
    for verb in VERBS:
        assert {
            ("GET", f"/inspector/enrollments/{{id}}/{verb}"),
            ("POST", f"/inspector/enrollments/{{id}}/{verb}"),
        } <= (set(PAGES))


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_strangers(two_worlds, method, path):
    """Who has not logged in, or with a token not in force, is sent to log in, whatever there is; nothing changes."""
    ours = two_worlds[0]
    before = ours.state()
    for secret in (None, WRONG, ours.tokens["revoked"], "malformed"):
        mine, missing = (visit(ours, method, path, secret, id) for id in (None, MISSING))
        assert mine.status_code == 303
        assert mine.headers["location"].startswith("/inspector/login")
        assert seen(mine, ours.id_for(path)) == seen(missing, MISSING)
    assert ours.state() == before


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_who_may_only_read(two_worlds, method, path):
    """Who may read sees, and is refused what changes something, alike whether or not it is there; nothing changes."""
    ours = two_worlds[0]
    before = ours.state()
    revision = ours.engine.account("acme").get(ours.ids["enrollment_id"]).revision
    mine, missing = (
        visit(ours, method, path, ours.tokens["read"], id, revision=str(revision)) for id in (None, MISSING)
    )
    if re.search(r"/\{id\}/\w+$", path):
        assert mine.status_code == 403
        assert seen(mine, ours.id_for(path)) == seen(missing, MISSING)
    else:
        assert mine.status_code in ({200} if method in SAFE else {303})
    assert ours.state() == before


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_another_account(two_worlds, method, path):
    """To another account every page is to the byte the same whatever we have, and ours are not there."""
    answers = []
    for each in two_worlds:
        before, secret = each.of_ours(), each.tokens["rival"]
        theirs, missing = (visit(each, method, path, secret, id, revision="2") for id in (None, MISSING))
        assert each.mark not in theirs.text + str(theirs.headers)
        if "{id}" in path:
            assert theirs.status_code == 404
            assert seen(theirs, each.id_for(path)) == seen(missing, MISSING)
        asked = [
            each.ask(method, f"{path}?{query}", bearing(secret))
            for query in (f"q={each.mark}", f"q={each.ids['enrollment_id']}", "state=finished", f"page={MISSING}")
            if method in SAFE
        ]
        for answer in asked:
            assert answer.text.count(each.mark) <= answer.text.count(f'value="{each.mark}"')
        answers.append(seen(theirs))
        assert each.of_ours() == before
    assert without_session(answers[0]) == without_session(answers[1])


def without_session(answer: Any) -> Any:
    """An answer without the tokens of its forms, which hold for one session: two worlds have two."""
    status, headers, body = answer
    return status, headers, re.sub(r'(name="token" value=")[0-9a-f]{64}', r"\1", body)


def test_the_cookie_opens_no_route_of_the_api(two_worlds):
    """What a browser brings by itself lets nobody into the API."""
    ours = two_worlds[0]
    cookie = [("Cookie", f"{SESSION}={ours.tokens['write']}")]
    assert ours.ask("GET", "/v2/sequences", cookie).status_code == 401
    assert ours.ask("GET", "/inspector/sequences", cookie).status_code == 200


@pytest.mark.parametrize("verb", ["block", "finish"])
def test_who_may_write_does(tmp_path, verb):
    """The matrix is about something: with a token for writing the same request changes what is ours."""
    with world(tmp_path / "ours") as ours:
        before, id = ours.of_ours(), ours.ids["enrollment_id"]
        revision = ours.engine.account("acme").get(id).revision
        path = f"/inspector/enrollments/{{id}}/{verb}"
        done = visit(ours, "POST", path, ours.tokens["write"], revision=str(revision))
        assert (done.status_code, done.headers["location"]) == (303, f"/inspector/enrollments/{id}?done={verb}")
        assert ours.of_ours() != before
