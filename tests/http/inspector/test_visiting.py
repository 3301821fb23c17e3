"""Who comes in: logging in and out, forged requests, other accounts, and what is said where nothing can be shown."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Conflict, InvalidInput, StoreError
from sequencer.http.access import SESSION, Grant, open_access
from sequencer.http.inspector.pages import _onward
from sequencer.http.inspector.visit import VISIT
from sequencer.http.limits import Limits, Rates
from tests.http.driving import client_of
from tests.http.inspector.looking import Visitor, fields, mounted, parsed, text_of, visiting
from tests.http.inspector.world import OTHER, READER, WRITER, Known, made

SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}


@pytest.fixture
def world():
    return made()


@pytest.fixture
def stranger(world):
    with visiting(world) as visitor:
        yield visitor


@pytest.fixture
def writer(world):
    with visiting(world, WRITER) as visitor:
        yield visitor


def test_nobody_sees_anything(stranger):
    """Without a token every page leads to the form for one, and back to where it was asked for."""
    for path in ("", "enrollments?state=blocked", "enrollments/1", "sequences", "enrollments/1/block"):
        answer = stranger.client.get(f"/inspector/{path}")
        assert answer.status_code == 303
        root = parsed(stranger.client.get(answer.headers["location"]).text)
        assert fields(root)["onward"] == f"/{path}"
    assert stranger.send("enrollments/1/finish", {"a": "b"}).headers["location"] == "/inspector/login?onward=%2F"


def test_logging_in_and_out(stranger):
    """The right token leads on, in a cookie that only these pages get; logging out takes it away."""
    answer = stranger.client.get("/inspector/enrollments?state=active")
    sent = fields(parsed(stranger.client.get(answer.headers["location"]).text))
    before = stranger.client._client.cookies[VISIT]

    answer = stranger.send("login", {**sent, "secret": f" {WRITER} "})

    assert (answer.status_code, answer.headers["location"]) == (303, "/inspector/enrollments?state=active")
    kept = {each.partition("=")[0]: each for each in answer.headers.get_list("set-cookie")}
    assert kept.keys() == {SESSION, VISIT}
    for each in kept.values():
        assert "; HttpOnly; Path=/inspector; SameSite=strict" in each
        assert "Secure" not in each
    assert stranger.client._client.cookies[VISIT] != before, "a session begins with a key of its own"
    assert "lead 42" in text_of(stranger.page("enrollments"))

    answer = stranger.send("logout", log_out_of(stranger))
    assert (answer.status_code, answer.headers["location"]) == (303, "/inspector/login")
    assert stranger.client.get("/inspector/").status_code == 303
    assert not {SESSION, VISIT} & set(stranger.client._client.cookies)


def log_out_of(visitor):
    (form,) = [each for each in visitor.page("").iter("form") if each.get("action").endswith("/logout")]
    return {each.get("name"): each.get("value") for each in form.iter("input")}


def test_a_link_from_elsewhere_takes_one_step_more(stranger):
    """Who follows a link from another site brings no cookie; the page that says so leads on, and keeps none either."""
    answer = stranger.client.get("/inspector/login?onward=/enrollments/7", headers={"sec-fetch-site": "cross-site"})

    assert [each.get("href") for each in parsed(answer.text).iter("a")] == ["#main", "/inspector/enrollments/7"]
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("secret", ["", "x" * 64, WRITER[:-1], f"{WRITER}\r\nset-cookie: a=b", "\u0430" * 64, "w; x"])
def test_a_wrong_token(stranger, secret):
    """What is no token of anybody's is refused, without a cookie and without saying what was typed."""
    answer = stranger.send("login", {**fields(stranger.page("login")), "secret": secret})

    assert answer.status_code == 401
    assert "not known" in text_of(parsed(answer.text))
    assert SESSION not in answer.headers.get("set-cookie", "")
    assert not secret or secret not in answer.text


def test_a_token_that_is_revoked_ends_the_session(world):
    """The next request after a revocation is nobody's."""
    known = Known()
    with visiting(world, WRITER, known=known) as visitor:
        visitor.page("enrollments")
        known.revoked.add(WRITER)
        assert visitor.client.get("/inspector/enrollments").status_code == 303


def test_over_https_the_cookies_are_secure(world):
    """Where the pages come over HTTPS, so do the cookies."""
    with client_of(mounted(world)) as client:
        kept = client.get("https://127.0.0.1/inspector/login").headers["set-cookie"]

    assert kept.endswith("; Secure")


@given(
    st.text(max_size=30)
    | st.sampled_from([
        "//evil.example", "/\\evil.example", "https://evil.example", "/login", "/a\r\nb", "/%0d%0a", "",
        "javascript:alert(1)", "/logout",
    ])
)  # fmt: skip
def test_the_log_in_leads_nowhere_else(text):
    """After the log-in there is a path below these pages, whatever was asked for."""
    onward = _onward(text)

    assert onward.startswith("/")
    assert not onward.startswith(("//", "/\\", "/log"))
    assert onward.isascii()
    assert onward.isprintable()


# -- a host's own access --------------------------------------------------------------------------------------


def test_with_the_hosts_access_there_is_no_log_in(world):
    """Where the host knows its own, there is no form for tokens: a page says so, or the host's own page is shown."""
    with visiting(world, access=lambda request: None) as visitor:
        answer = visitor.client.get("/inspector/enrollments")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "logged in to the product" in text_of(parsed(answer.text))
        assert visitor.client.get("/inspector/login").status_code == 404
        assert visitor.client.get("/inspector").headers["location"] == "/inspector/"
    with visiting(world, access=lambda request: None, login_url="/accounts/login?next={next}") as visitor:
        answer = visitor.client.get("/inspector/enrollments?state=active")
        assert (answer.status_code, answer.headers["location"]) == (
            303, "/accounts/login?next=%2Finspector%2Fenrollments%3Fstate%3Dactive",
        )  # fmt: skip


def test_with_the_hosts_access_forms_work_as_well(world):
    """A form is bound to the visit and to who the host says it is: somebody else cannot send it."""
    who = {"now": Grant(None, "write", 7, "ann")}
    with visiting(world, access=lambda request: who["now"]) as visitor:
        sent = fields(visitor.page("enrollments/7/skip"))
        who["now"] = Grant(None, "write", 8, "bob")
        assert visitor.send("enrollments/7/skip", sent).status_code == 403
        who["now"] = Grant(None, "write", 7, "ann")
        assert visitor.send("enrollments/7/skip", sent).status_code == 303
        assert "Log out" not in text_of(visitor.page(""))


def test_it_can_be_mounted_anywhere(world):
    """Under another path, or at the root, every link and cookie is right."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from sequencer.http.inspector import inspector

    inner = inspector(world.engine, open_access())
    for path, app in [("/crm/who is it", Starlette(routes=[Mount("/crm/who is it", inner)])), ("", inner)]:
        nobody = inspector(world.engine, lambda request: None, tokens=Known())
        with client_of(Starlette(routes=[Mount(path, nobody)]) if path else nobody) as client:
            led = client.get(f"{path}/enrollments/7?a=b").headers["location"]
            assert led == f"{path.replace(' ', '%20')}/login?onward=%2Fenrollments%2F7%3Fa%3Db"
        with client_of(app) as client:
            answer = client.get(f"{path}/enrollments/7")
            quoted = path.replace(" ", "%20")
            assert f"; Path={quoted or '/'}; SameSite=strict" in answer.headers["set-cookie"]
            links = [each.get("href") for each in parsed(answer.text).iter("a")][1:]
            assert answer.status_code == 200
            assert all(each.startswith(f"{quoted}/") for each in links)
            assert client.get(links[0]).status_code == 200


# -- forged ---------------------------------------------------------------------------------------------------


def forged(visitor, id=7, **headers):
    return {**fields(visitor.page(f"enrollments/{id}/finish"))}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"origin": "http://127.0.0.1:8080"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
def test_a_form_of_another_site_does_nothing(world, writer, headers):
    """Even with everything else right, what another site sends is refused."""
    sent = fields(writer.page("enrollments/7/finish"))

    assert writer.send("enrollments/7/finish", sent, **headers).status_code == 403
    assert writer.send("logout", log_out_of(writer), **headers).status_code == 403
    assert world.engine.get(7).state == "active"
    assert "lead 42" in text_of(writer.page("enrollments")), "still logged in"


def test_a_form_without_its_token_does_nothing(world, writer):
    """Without the token, with a wrong one, with that of another session or of nobody, a form is refused."""
    sent = fields(writer.page("enrollments/7/finish"))
    with visiting(world, WRITER) as other:
        of_another = fields(other.page("enrollments/7/finish"))["token"]
    of_nobody = fields(writer.page("login"))["token"]

    for token in (None, "", "0" * 64, sent["token"][:-1], of_another, of_nobody, "\u00e9", sent["token"].upper()):
        forged = {name: value for name, value in {**sent, "token": token}.items() if value is not None}
        assert writer.send("enrollments/7/finish", forged).status_code == 403, token
    assert world.engine.get(7).state == "active"
    assert writer.send("enrollments/7/finish", sent).status_code == 303


def test_nobody_is_logged_in_by_another_site(stranger):
    """A log-in, too, is only taken from the form of these pages."""
    sent = {**fields(stranger.page("login")), "secret": WRITER}

    assert stranger.send("login", sent, sec_fetch_site="cross-site").status_code == 403
    assert stranger.send("login", {**sent, "token": "0" * 64}).status_code == 403
    stranger.client._client.cookies.clear()
    assert stranger.send("login", sent).status_code == 403


def test_looking_changes_nothing(world, writer):
    """No GET and no HEAD changes anything, and nothing else is taken."""
    before = world.engine.get(7)
    for verb in ("block", "skip", "finish"):
        sent = fields(writer.page(f"enrollments/7/{verb}"))
        assert writer.client.request("GET", f"/inspector/enrollments/7/{verb}", params=sent).status_code == 200
        assert writer.client.request("HEAD", f"/inspector/enrollments/7/{verb}").status_code == 200
        for method in ("PUT", "DELETE", "PATCH"):
            answer = writer.client.request(method, f"/inspector/enrollments/7/{verb}")
            assert answer.status_code == 405
            assert {"GET", "POST"} & set(answer.headers["allow"].split(", "))
            parsed(answer.text)

    assert world.engine.get(7) == before


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 400),
        ("multipart/form-data; boundary=x", b"--x--", 400),
        ("text/plain", b"token=x", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 20_000, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(50)), 400),
        ("application/x-www-form-urlencoded", b"\xff=1", 400),
        ("application/x-www-form-urlencoded", b"token=%ed%a0%80&revision=%00", 403),
    ],
)
def test_what_is_no_form_of_these_pages(writer, kind, body, status):
    """Other kinds of bodies, long ones and broken ones are refused with a page."""
    answer = writer.client.send("POST", "/inspector/enrollments/7/finish", body, content_type=kind,
                                origin="http://127.0.0.1")  # fmt: skip

    assert answer.status_code == status
    parsed(answer.text)


@pytest.mark.parametrize("revision", ["", "x", "-1", "9" * 40, "\u0663"])
def test_a_form_without_a_revision_does_nothing(world, writer, revision):
    """A form that does not say what was seen is refused."""
    sent = {**fields(writer.page("enrollments/7/finish")), "revision": revision}

    assert writer.send("enrollments/7/finish", sent).status_code == 400
    assert world.engine.get(7).state == "active"


# -- accounts, and what is refused ----------------------------------------------------------------------------


def test_what_is_anothers_does_not_exist(world, writer):
    """What belongs to another account is answered byte by byte as what does not exist, also to a form."""
    token = fields(writer.page("enrollments/7/finish"))["token"]
    theirs = world.ids["other"]
    for path in ("", "/block", "/finish"):
        mine, none = (writer.client.get(f"/inspector/enrollments/{id}{path}") for id in (theirs, 999))
        assert (mine.status_code, mine.content) == (404, none.content)
    sent = {"token": token, "revision": "2"}
    mine, none = (writer.send(f"enrollments/{id}/finish", sent) for id in (theirs, 999))
    assert (mine.status_code, mine.content) == (404, none.content)
    mine, none = (writer.client.get(f"/inspector/sequences/{id}") for id in (4, 999))
    assert (mine.status_code, mine.content) == (404, none.content)
    with visiting(world, OTHER) as other:
        assert "Account other" in text_of(other.page(f"enrollments/{theirs}"))
        other.page("enrollments/7", status=404)


@pytest.mark.parametrize(
    "path",
    ["enrollments/0", "enrollments/x", "enrollments/9999999999999999999999", "enrollments/7/erase", "sequences/-1",
     "sequences/9223372036854775808", "nothing", "enrollments/7/", "..%2f..%2fetc%2fpasswd", "style.css"],
)  # fmt: skip
def test_there_is_no_such_page(writer, path):
    """A path that leads nowhere has a page that says so."""
    answer = writer.client.get(f"/inspector/{path}")

    assert answer.status_code == 404
    parsed(answer.text)


def test_every_answer_is_safe(world, writer):
    """Every answer forbids scripts, frames, sniffing and keeping, also where it refuses."""
    for path in ("", "enrollments/7", "enrollments/999", "nothing", "login", "enrollments/7/complete"):
        answer = writer.client.get(f"/inspector/{path}")
        assert {name: answer.headers.get(name) for name in SAFE} == SAFE
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text


def test_who_asks_too_often_waits(world):
    """Beyond the rate there is a page that says when to come again: for one caller, and for who has no token."""
    rates = Rates(Limits(rate=0.01, burst=3, unauthorized_rate=0.01, unauthorized_burst=2))
    with client_of(mounted(world, rates=rates)) as client:
        by_header = {"Authorization": f"Bearer {READER}"}
        answers = [client.get("/inspector/", headers=by_header) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert 90 < int(answers[-1].headers["retry-after"]) <= 100
        parsed(answers[-1].text)
        visitor = Visitor(client)
        sent = fields(visitor.page("login"))
        tried = [visitor.send("login", {**sent, "secret": "x"}).status_code for _ in range(3)]
        assert tried == [401, 401, 429]
        assert client.get("/inspector/").status_code == 429


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("ada@example.com"), 500), (StoreError("disk ada@example.com"), 503), (Conflict("ada"), 409),
     (InvalidInput("ada@example.com"), 400), (KeyError("ada@example.com"), 500)],
)  # fmt: skip
def test_what_goes_wrong_is_not_told(world, writer, monkeypatch, caplog, error, status):
    """Whatever goes wrong inside, the page says nothing of it, and the log only what kind of error it was."""
    monkeypatch.setattr("sequencer.engine.engine.Engine.explain", lambda *args: (_ for _ in ()).throw(error))
    with caplog.at_level(logging.DEBUG, logger="sequencer"):
        answer = writer.client.get("/inspector/enrollments/7")

    assert answer.status_code == status
    parsed(answer.text)
    assert "ada" not in answer.text
    assert "ada" not in caplog.text
    assert ("a page of the inspector failed" in caplog.text) == (status == 500)
