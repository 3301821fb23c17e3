"""Who may do what over HTTP: a grant for each request, or none.

An access is a callable that looks at a request and answers with a `Grant`, or with None for "nobody we know". A host
that has users of its own brings its own; `bearer` looks for a token, `open_access` for nothing. It is called on a
worker thread, once for each request, and may ask a database. Whom it knows, but does not let in, it refuses with
Starlette's `HTTPException(403)`; whatever else it raises is a mistake in it, and nothing of the client's.

A grant is for one account and never reaches another, whatever ids a request names (law S7).
"""

from __future__ import annotations

import inspect
import ipaddress
import re
from collections.abc import Callable
from typing import Any, Protocol

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sequencer.core.errors import Conflict, InvalidInput, StoreError
from sequencer.core.values import Identifier, to_identifier

__all__ = [
    "PAGES",
    "SCOPES",
    "SESSION",
    "Access",
    "AccessFailed",
    "Bearer",
    "Grant",
    "Grants",
    "NotLetIn",
    "bearer",
    "granted",
    "is_loopback",
    "must_be_access",
    "only_here",
    "open_access",
    "to_scope",
]

SCOPES = ("read", "write")
"""What a grant, and a token, can be for; write includes read."""
SESSION = "sequencer_session"
"""The cookie in which a browser brings the token to the inspector's pages."""
PAGES = "sequencer.pages"
"""The key in a request's scope by which the inspector says that this is one of its pages, where the cookie counts.

Nowhere else: a browser sends a cookie by itself, also when another site makes it ask, so no route that changes anything
is opened by one alone.
"""

_BEARER = re.compile(r"bearer +([\x21-\x7e]+) *", re.IGNORECASE)


def _to_optional_identifier(value: object, path: str) -> Identifier | None:
    return None if value is None else to_identifier(value, path)


def _to_account(value: object) -> Identifier | None:
    return _to_optional_identifier(value, "account")


def _to_actor(value: object) -> Identifier | None:
    return _to_optional_identifier(value, "actor_id")


def to_scope(value: object) -> str:
    """A scope, `read` or `write`."""
    if value not in SCOPES:
        raise InvalidInput(f"must be read or write, got {value!r}", path="scope", code="invalid_value")
    return str(value)


@attrs.frozen
class Grant:
    """What a caller may: in one account, nowhere else.

    - `account`: whose enrollments and sequences; None for the default account, which is one like any other here.
    - `scope`: `read`, or `write`, which includes it.
    - `actor_id`: in whose name: the actor of what is enrolled, where the request names none, and who finished what is
      finished.
    - `name`: who it is to the log and to the limit on the rate, which counts together whoever has one name in one
      account. Never the token itself.
    """

    account: Identifier | None = attrs.field(default=None, converter=_to_account)
    scope: str = attrs.field(default="read", converter=to_scope)
    actor_id: Identifier | None = attrs.field(default=None, converter=_to_actor)
    name: str = ""

    @property
    def may_write(self) -> bool:
        """Whether it is for changes, too."""
        return self.scope == "write"


Access = Callable[[Request], Grant | None]
"""Looks at a request; None: unauthorized. Synchronous, on a worker thread. May raise `HTTPException(403)`."""


def must_be_access(access: Any) -> None:
    """Refuse what cannot be called on a worker thread, before it is asked for the first time."""
    called = getattr(access, "__call__", None)  # noqa: B004 - an object's own may be async, too
    if called is None:
        raise InvalidInput(f"needs a callable from a request to a Grant or None, got {access!r}", path="access")
    if inspect.iscoroutinefunction(access) or inspect.iscoroutinefunction(called):
        raise InvalidInput(
            "must not be async: it is called on a worker thread, where it may wait for a database; use a plain `def`",
            path="access",
        )


class AccessFailed(Exception):
    """An access did what it must not; whose mistake that is has to be told from what a client does wrong.

    Its message names no more than kinds of things, so that it can be logged.
    """


class NotLetIn(Exception):
    """Who asks is known to an access, and may not do this here."""


def granted(access: Access, request: Request) -> Grant | None:
    """What an access says of a request. Raises `NotLetIn`, and `AccessFailed` where it did what it must not."""
    try:
        grant: Any = access(request)
    except HTTPException as error:
        if error.status_code == 403:
            raise NotLetIn from None
        raise AccessFailed(
            f"access raised HTTPException({error.status_code}); it may raise HTTPException(403) only"
        ) from error
    except (StoreError, Conflict):
        raise
    except Exception as error:
        raise AccessFailed(f"access raised {type(error).__name__}") from error
    if grant is not None and not isinstance(grant, Grant):
        if inspect.iscoroutine(grant):
            grant.close()
        raise AccessFailed(f"access must answer with a Grant or None, and not with a {type(grant).__name__}")
    return grant


class Grants(Protocol):
    """What knows secrets: `Tokens`, or something of the host's."""

    def grant_of(self, secret: str) -> Grant | None:
        """What this secret is good for; None where it is unknown or no longer in force."""
        ...


class Bearer:
    """The access of `bearer`."""

    def __init__(self, tokens: Grants) -> None:
        self.tokens = tokens

    def __call__(self, request: Request) -> Grant | None:
        """What the token of a request is good for."""
        secret = self.secret_of(request)
        return None if secret is None else self.tokens.grant_of(secret)

    def secret_of(self, request: Request) -> str | None:
        """What a request brings as its token."""
        given = request.headers.getlist("authorization")
        if given:
            found = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
            return None if found is None else found[1]
        return (request.cookies.get(SESSION) or None) if request.scope.get(PAGES) else None


def bearer(tokens: Grants) -> Bearer:
    """Access by a token in the header `Authorization: Bearer TOKEN`; on the inspector's pages also by their cookie.

    A header counts before a cookie: one that is wrong is not made good by a cookie that is right. More than one such
    header is nobody we know.
    """
    return Bearer(tokens)


def open_access(account: Identifier | None = None, scope: str = "write", actor_id: Identifier | None = None) -> Access:
    """Access without any check, for everybody who can reach the server: for tests, and for oneself on one's machine.

    `sequencer serve` gives it only on a loopback address, to a store that has no token.
    """
    grant = Grant(account, scope, actor_id, "everybody")

    def access(request: Request) -> Grant | None:
        return grant

    return access


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, which nobody else reaches."""
    name = host.lower().rstrip(".")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::[0-9]{1,5})?")
_FORWARDED = re.compile(r"forwarded|via|x-forwarded-.*|x-real-ip|(?:cf-connecting|true-client|x-client)-ip")


def only_here(access: Access) -> Access:
    """That access for who is on this machine and means to be; everybody else is nobody we know.

    Where there are no tokens, a browser on this machine is the way in for every page that it shows. So the request has
    to name a loopback host (a name of the page's own can be made to point here: DNS rebinding), and what changes
    something must not come from a page of another origin. And what a proxy has passed on is not from here.
    """

    def from_here(request: Request) -> Grant | None:
        headers = request.headers
        hosts = headers.getlist("host")
        named = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if named is None or not is_loopback(named[1]):
            return None
        if request.client is not None and not is_loopback(request.client.host):
            return None
        if any(map(_FORWARDED.fullmatch, headers)):
            return None
        if request.method not in {"GET", "HEAD"}:
            origin = headers.get("origin")
            if origin is not None and origin not in {f"http://{hosts[0]}", f"https://{hosts[0]}"}:
                return None
        return access(request)

    return from_here
