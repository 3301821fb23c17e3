"""One request of somebody whom we know, and what keeps it their own: the cookies, and the token in every form.

A form of the inspector is taken only from a page of the inspector, and from the session that the page was made for:

- the browser says itself where a request comes from (`Sec-Fetch-Site`, `Origin`), and no page of another site passes;
- each form carries a token: a keyed hash over the grant and the session, whose key is in a cookie that no script can
  read and that no request of another site brings (HttpOnly, SameSite=Strict).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode, urlsplit

import attrs
from pendulum import DateTime
from starlette.requests import Request
from starlette.responses import Response

from sequencer.core.enrollment import Resource
from sequencer.engine.engine import Engine
from sequencer.http.access import SESSION, Grant

__all__ = ["VISIT", "Options", "Visit", "close", "is_from_elsewhere", "keep", "key_of", "to_number"]

VISIT = "sequencer_visit"
"""The cookie with the key of the tokens in the forms."""
_SHORTEST_KEY, _LONGEST_KEY = 40, 64
_DIGITS = 19


@attrs.frozen(kw_only=True)
class Options:
    """What a host has settled for its inspector."""

    has_log_in: bool = False
    login_url: str | None = None
    resource_url: Callable[[Resource], str | None] | None = None


@attrs.frozen(kw_only=True)
class Visit:
    """One request: by whom, at which moment, over which engine; `base` is the path that the inspector is mounted at."""

    request: Request
    base: str
    grant: Grant
    engine: Engine
    now: DateTime
    key: str
    form: Mapping[str, str]
    options: Options

    @property
    def is_logged_in(self) -> bool:
        """Whether the grant comes from a log-in here, which a log-out would end."""
        return self.options.has_log_in and SESSION in self.request.cookies

    @property
    def token(self) -> str:
        """What each form of this visit's session carries."""
        return token_of(self.key, self.request, self.grant)

    def asked(self, name: str) -> str:
        """A parameter of the query, without space around it; empty where there is none."""
        return self.request.query_params.get(name, "").strip()

    def given(self, name: str) -> str:
        """A field of the form, without space around it; empty where there is none."""
        return self.form.get(name, "").strip()

    def url(self, *parts: object, **query: object) -> str:
        """The path of a page of the inspector; parameters that are None or empty are left out."""
        path = "/".join((self.base, *map(str, parts))) if parts else f"{self.base}/"
        kept = {name: value for name, value in query.items() if value not in {None, ""}}
        return f"{path}?{urlencode(kept)}" if kept else path


def token_of(key: str, request: Request, grant: Grant | None) -> str:
    """The token of the forms: of nobody, before somebody has logged in."""
    about = [request.cookies.get(SESSION, "")]
    if grant is not None:
        about += [repr(grant.account), repr(grant.actor_id), grant.scope, grant.name]
    return hmac.new(key.encode(), "\0".join(about).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def is_own(token: str, key: str, request: Request, grant: Grant | None) -> bool:
    """Whether a form's token is of this session."""
    return hmac.compare_digest(token.encode(), token_of(key, request, grant).encode())


def is_from_elsewhere(request: Request) -> bool:
    """Whether a form was sent by a page that is not of this very origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site != "same-origin"
    # Not sent over plain HTTP; there an older sign has to do. Who sends neither is no browser.
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()


def to_number(text: str) -> int | None:
    """The number of an enrollment, a sequence, a revision, as a page or a person gave it; None for what is none."""
    found = int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
    return found if found is not None and found < 2**63 else None


# -- cookies --------------------------------------------------------------------------------------------------


def key_of(request: Request) -> str:
    """The key of this visit's tokens: what its cookie says, or a new one."""
    key = request.cookies.get(VISIT, "")
    return key if _SHORTEST_KEY <= len(key) <= _LONGEST_KEY else secrets.token_urlsafe(32)


def keep(response: Response, request: Request, name: str, value: str) -> None:
    """Set a cookie for as long as the browser is open: for these pages only, and out of reach of any script."""
    response.set_cookie(
        name,
        value,
        path=path_of(request),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def close(response: Response, request: Request) -> None:
    """End the session: both cookies are gone."""
    for name in (SESSION, VISIT):
        response.delete_cookie(
            name, path=path_of(request), httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )


def path_of(request: Request) -> str:
    """The path that the inspector is mounted at, without a slash at its end; `/` where it is the root."""
    return quote(str(request.scope.get("root_path", "")).rstrip("/")) or "/"
