"""Access: what a request has to bring to be granted anything."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from sequencer import InvalidInput
from sequencer.http.access import PAGES, SESSION, Grant, bearer, is_loopback, only_here, open_access

SECRET = "0123456789abcdef" * 4
GRANTED = Grant("acme", "write", 7, "token 1")


class OneToken:
    """Knows one secret, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def grant_of(self, secret):
        self.asked.append(secret)
        return GRANTED if secret == SECRET else None


def request(*headers, method="GET", client=("127.0.0.1", 50_000), **scope):
    """A request with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "client": client, **scope})


@pytest.mark.parametrize("header", [f"Bearer {SECRET}", f"bearer {SECRET}", f"BEARER   {SECRET} "])
def test_a_bearer_comes_in(header):
    """The token in the header is looked up, however the scheme's name is written (RFC 6750, RFC 9110)."""
    assert bearer(OneToken())(request(("Authorization", header))) == GRANTED


@given(header=st.text(st.characters(max_codepoint=255), max_size=100))
@example(SECRET)
@example("Bearer")
@example("Bearer ")
@example(f"Basic {SECRET}")
@example(f"Bearer {SECRET}, Bearer {SECRET}")
@example(f"Bearer {SECRET} {SECRET}")
@example(f"Bearer\t{SECRET}")
@example(f"Bearer {SECRET}\x00")
@example(f"Bearer {SECRET}é")
def test_whatever_else_stands_there_is_nobody(header):
    """A header that is not the scheme and a known token grants nothing, and raises nothing."""
    assert bearer(OneToken())(request(("Authorization", header))) is None


def test_two_headers_are_nobody():
    """Of two headers it cannot be said which one counts, so neither does."""
    twice = [("Authorization", f"Bearer {SECRET}"), ("Authorization", f"Bearer {SECRET}")]
    assert bearer(OneToken())(request(*twice)) is None


def test_the_cookie_counts_on_the_pages_only():
    """The session's cookie opens the inspector's pages and no route of the API."""
    cookie = ("Cookie", f"{SESSION}={SECRET}")
    assert bearer(OneToken())(request(cookie, **{PAGES: True})) == GRANTED
    assert bearer(OneToken())(request(cookie)) is None
    assert bearer(OneToken())(request(("Cookie", f"{SESSION}="), **{PAGES: True})) is None


def test_a_header_counts_before_the_cookie():
    """A header that is wrong is not made good by a cookie that is right."""
    tokens = OneToken()
    headers = [("Authorization", "Bearer x"), ("Cookie", f"{SESSION}={SECRET}")]
    assert bearer(tokens)(request(*headers, **{PAGES: True})) is None
    assert tokens.asked == ["x"]


def test_a_grant_is_valid_or_not_made():
    """A grant's account and actor are identifiers and its scope is one of the two; write includes read."""
    assert Grant().may_write is False
    assert Grant(7, "write").may_write is True
    for wrong in ({"account": ""}, {"account": True}, {"scope": "admin"}, {"scope": None}, {"actor_id": 1.5}):
        with pytest.raises(InvalidInput) as refusal:
            Grant(**wrong)
        assert [refusal.value.path] == list(wrong)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("LOCALHOST", True), ("localhost.", True), ("127.0.0.1", True), ("127.8.9.10", True),
        ("::1", True), ("[::1]", True), ("::ffff:127.0.0.1", True),
        ("", False), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.com", False),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("127.1", False), ("2130706433", False),
        ("::ffff:10.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback(host, expected):
    """Addresses of this machine's own are told from all others; a short form of one is taken for a name."""
    assert is_loopback(host) is expected


def test_open_to_who_is_here():
    """A request of this machine's own comes in without a token, by whichever of the machine's names."""
    access = only_here(open_access(account="acme", scope="read"))
    for host in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.0.0.1"):
        granted = access(request(("Host", host)))
        assert granted is not None
        assert (granted.account, granted.scope) == ("acme", "read")
        assert access(request(("Host", host), ("Origin", f"http://{host}"), method="POST")) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [("Host", "rebound.example:8000")],
        [("Host", "")],
        [("Host", "[::1")],
        [("Host", "localhost"), ("Host", "localhost")],
        [("Host", "localhost@rebound.example")],
        [("Host", "rebound.example@localhost")],
        [("Host", "localhost"), ("X-Forwarded-For", "203.0.113.9")],
        [("Host", "localhost"), ("Forwarded", "for=203.0.113.9")],
        [("Host", "localhost"), ("Via", "1.1 proxy")],
    ],
    ids=str,
)
def test_closed_to_who_only_gets_here(wrong):
    """A name that was made to point here, and what a proxy passes on, is nobody we know."""
    assert only_here(open_access())(request(*wrong)) is None


def test_closed_to_other_machines_and_to_pages_of_other_sites():
    """An address that is not loopback, and a change that a page of another origin asks for, is nobody we know."""
    access, here = only_here(open_access()), ("Host", "localhost:8000")
    assert access(request(here, client=("203.0.113.9", 1))) is None
    for origin in ("http://evil.example", "http://localhost:9000", "null", "http://[", ""):
        assert access(request(here, ("Origin", origin), method="POST")) is None
        assert access(request(here, ("Origin", origin))) is not None
