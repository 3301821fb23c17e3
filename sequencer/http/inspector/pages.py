"""Which page is where, who may see it, and what every answer carries.

Each request is one hop to a worker thread, on which it is looked who asks, and the page is made. What is asked for with
GET changes nothing. What changes something comes with POST, from a form of these pages (see `visit`), by who may write.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote

import attrs
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sequencer.core.enrollment import Resource
from sequencer.core.errors import Busy, Conflict, InvalidInput, NotFound, StoreError
from sequencer.core.instants import to_instant
from sequencer.engine.engine import Engine
from sequencer.http.access import PAGES, SESSION, Access, Grant, Grants, NotLetIn, granted
from sequencer.http.bodies import TooLong, read_body
from sequencer.http.inspector.acting import act, ask
from sequencer.http.inspector.asking import Verb, verb_named
from sequencer.http.inspector.enrollment import enrollment_page
from sequencer.http.inspector.frame import ICON, icon, sheet, sheet_path
from sequencer.http.inspector.listing import listing, searched
from sequencer.http.inspector.now import now_page
from sequencer.http.inspector.refusals import arrival_page, log_in_page, refused
from sequencer.http.inspector.sequences import sequence_page, sequences_page
from sequencer.http.inspector.visit import (
    VISIT,
    Options,
    Visit,
    close,
    is_from_elsewhere,
    is_own,
    keep,
    key_of,
    to_number,
    token_of,
)
from sequencer.http.limits import Limits, Rates, client_of
from sequencer.http.logs import LOGREF, log_failed, note_caller
from sequencer.http.threads import Threads

__all__ = ["inspector", "mount"]

_MOST_BYTES, _MOST_FIELDS = 16_384, 40
_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}")
_ONWARD = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_HEADERS = {
    # Nothing but the pages' own sheet and icon; forms go back to where they came from; nobody frames them.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With `no-referrer` a browser would not say of a form where it comes from, either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_EXPIRED = "The form belongs to another session, or to another site. Nothing was done: open the page again."
_NOT_LET_IN = "Who you are is known, but you may not come in here."

View = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def inspector(
    engine: Engine,
    access: Access,
    *,
    tokens: Grants | None = None,
    login_url: str | None = None,
    resource_url: Callable[[Resource], str | None] | None = None,
    rates: Rates | None = None,
    threads: Threads | None = None,
) -> Starlette:
    """The inspector as an application of its own, to be mounted under any path of an ASGI application.

    - `access`: who may see it; called on a worker thread, once for each request.
    - `tokens`: what knows the tokens, where people log in with one: there is a form for it, and a cookie of these pages
      keeps the token. None: whoever `access` does not know is sent to `login_url`, a page of the host's in which
      `{next}` stands for the path to come back to, or else is shown a page that says so.
    - `resource_url`: where the host shows a lead or contact: a path or an address to link to, or None.
    - `rates`: how often somebody may ask; None: nothing is counted here. `threads`: on which requests act; None: on as
      many as `Limits` has by default.

    Every account sees only its own. Grants that are only for reading see no buttons, and are refused.
    """
    options = Options(has_log_in=tokens is not None, login_url=login_url, resource_url=resource_url)
    threads = threads or Threads(Limits().threads)
    door = _Door(engine, access, tokens, rates, threads, options)
    app = Starlette(
        routes=[
            Route(f"/{sheet_path()}", _static(sheet, "text/css")),
            Route(f"/{ICON}", _static(icon, "image/svg+xml")),
            Route("/login", door.log_in, methods=["GET", "POST"]),
            Route("/logout", door.log_out, methods=["POST"]),
            Route("/", door.showing(_page(now_page))),
            Route("/enrollments", door.showing(_page(listing))),
            Route("/enrollments", door.taking(searched, writes=False), methods=["POST"]),
            Route("/enrollments/{id}", door.showing(_one(enrollment_page))),
            Route("/enrollments/{id}/{verb}", door.showing(_asked, writes=True)),
            Route("/enrollments/{id}/{verb}", door.taking(_done), methods=["POST"]),
            Route("/sequences", door.showing(_page(sequences_page))),
            Route("/sequences/{id}", door.showing(_one(sequence_page))),
        ],
        middleware=[Middleware(_Headers)],
        exception_handlers={HTTPException: _no_such_page},
    )
    # A redirect would lead to whatever the header Host says.
    app.router.redirect_slashes = False
    return app


def mount(app: Starlette, path: str, pages: ASGIApp) -> None:
    """Put the inspector under a path of an application, and have the path without a slash at its end lead there."""

    async def there(request: Request) -> Response:
        return RedirectResponse(f"{_base(request)}{quote(path)}/", status_code=307)

    app.router.routes.append(Route(path, there))
    app.mount(path, pages)


# -- what is behind the paths ---------------------------------------------------------------------------------


def _page(made: Callable[[Visit], str]) -> View:
    return lambda visit: HTMLResponse(made(visit))


def _one(made: Callable[[Visit, int], str]) -> View:
    return lambda visit: HTMLResponse(made(visit, _id(visit)))


def _asked(visit: Visit) -> Response:
    return ask(visit, _verb(visit), _id(visit))


def _done(visit: Visit) -> Response:
    return act(visit, _verb(visit), _id(visit))


def _verb(visit: Visit) -> Verb:
    verb = verb_named(visit.request.path_params["verb"])
    if verb is None:
        raise NotFound("page", "")
    return verb


def _id(visit: Visit) -> int:
    found = to_number(visit.request.path_params["id"])
    if found is None:
        raise NotFound("page", "")
    return found


def _static(content: Callable[[], bytes], kind: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        headers = {"Cache-Control": _FOR_EVER if kind == "text/css" else "public, max-age=86400"}
        return Response(content(), media_type=kind, headers=headers)

    return answer


def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = refused(_base(request), error.status_code if error.status_code in {404, 405} else 400)
    response.headers.update(error.headers or {})
    return response


def _base(request: Request) -> str:
    return quote(str(request.scope.get("root_path", "")).rstrip("/"))


# -- the door -------------------------------------------------------------------------------------------------


class _Unusable(Exception):
    """A form that is not taken, and the status that says why."""

    def __init__(self, status: int) -> None:
        self.status = status


@attrs.frozen
class _Door:
    """Who comes in: each request passes here, on a worker thread."""

    engine: Engine
    access: Access
    tokens: Grants | None
    rates: Rates | None
    threads: Threads
    options: Options

    def showing(self, view: View, *, writes: bool = False) -> Endpoint:
        """What answers GET."""
        return self._endpoint(lambda request, form: self._entered(request, form, view, writes=writes))

    def taking(self, view: View, *, writes: bool = True) -> Endpoint:
        """What answers POST: only forms of these pages."""
        return self._endpoint(lambda request, form: self._entered(request, form, view, writes=writes, is_form=True))

    def _endpoint(self, answer: Callable[[Request, dict[str, str]], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            request.scope[PAGES] = True
            try:
                form = await _form(request) if request.method == "POST" else {}
            except _Unusable as error:
                return refused(_base(request), error.status)
            return await self.threads.run(_safely, answer, request, form)

        return endpoint

    def _entered(
        self, request: Request, form: dict[str, str], view: View, *, writes: bool, is_form: bool = False
    ) -> Response:
        try:
            grant = self._granted(request)
        except NotLetIn:
            if (refusal := self._too_often(request)) is not None:
                return refusal
            raise
        if grant is None:
            return self._too_often(request) or self._sent_to_log_in(request)
        base, key = _base(request), key_of(request)
        wait = None if self.rates is None else self.rates.callers.take((grant.account, grant.name))
        if wait is not None:
            return refused(base, 429, wait=wait)
        engine = self.engine.account(grant.account)
        visit = Visit(
            request=request,
            base=base,
            grant=grant,
            engine=engine,
            now=to_instant(engine.clock.now()),
            key=key,
            form=form,
            options=self.options,
        )
        if writes and not grant.may_write:
            return refused(base, 403, visit)
        if is_form and (is_from_elsewhere(request) or not is_own(form.get("token", ""), key, request, grant)):
            return refused(base, 403, visit, said=_EXPIRED)
        response = view(visit)
        if request.cookies.get(VISIT) != key:
            keep(response, request, VISIT, key)
        return response

    def _granted(self, request: Request) -> Grant | None:
        grant = granted(self.access, request)
        if grant is not None:
            note_caller(request, grant)
        return grant

    def _too_often(self, request: Request) -> Response | None:
        """What somebody without a grant is told who asks too often."""
        wait = None if self.rates is None else self.rates.strangers.take(client_of(request.scope))
        return None if wait is None else refused(_base(request), 429, wait=wait)

    def _sent_to_log_in(self, request: Request) -> Response:
        base, login_url = _base(request), self.options.login_url
        onward = "/"
        if request.method in {"GET", "HEAD"}:
            query = f"?{request.url.query}" if request.url.query else ""
            path = str(request.scope["path"]).removeprefix(str(request.scope.get("root_path", "")))
            onward = f"{quote(path)}{query}"
        if self.tokens is not None:
            return RedirectResponse(f"{base}/login?onward={quote(onward, safe='')}", status_code=303)
        if login_url is not None:
            return RedirectResponse(login_url.replace("{next}", quote(f"{base}{onward}", safe="")), status_code=303)
        return refused(base, 401)

    # -- logging in and out ------------------------------------------------------------------------------------

    @property
    def log_in(self) -> Endpoint:
        """The form for a token, and what takes it."""
        return self._endpoint(self._logged_in)

    @property
    def log_out(self) -> Endpoint:
        """What ends a session."""
        return self._endpoint(self._logged_out)

    def _logged_in(self, request: Request, form: dict[str, str]) -> Response:
        base, key = _base(request), key_of(request)
        if self.tokens is None:
            return refused(base, 404)
        if request.method != "POST":
            onward = _onward(request.query_params.get("onward", ""))
            if request.headers.get("sec-fetch-site") == "cross-site":
                # Who follows a link from elsewhere brings no cookie, also where there is one.
                return HTMLResponse(arrival_page(base, onward))
            response: Response = HTMLResponse(log_in_page(base, token_of(key, request, None), onward))
            keep(response, request, VISIT, key)
            return response
        if (refusal := self._too_often(request)) is not None:
            return refusal
        if is_from_elsewhere(request) or not is_own(form.get("token", ""), key, request, None):
            return refused(base, 403, said=_EXPIRED)
        secret, onward = form.get("secret", "").strip(), _onward(form.get("onward", ""))
        if not _SECRET.fullmatch(secret) or self.tokens.grant_of(secret) is None:
            page = log_in_page(
                base, form["token"], onward, problem="This token is not known, or it is no longer in force."
            )
            return HTMLResponse(page, status_code=401, headers={"WWW-Authenticate": "Bearer"})
        response = RedirectResponse(f"{base}{onward}", status_code=303)
        keep(response, request, SESSION, secret)
        # Another key from here on: what was known of the session before it was anybody's is worth nothing.
        keep(response, request, VISIT, secrets.token_urlsafe(32))
        return response

    def _logged_out(self, request: Request, form: dict[str, str]) -> Response:
        base = _base(request)
        if self.tokens is None:
            return refused(base, 404)
        grant = self._granted(request)
        if is_from_elsewhere(request) or not is_own(form.get("token", ""), key_of(request), request, grant):
            return refused(base, 403, said=_EXPIRED)
        response = RedirectResponse(f"{base}/login", status_code=303)
        close(response, request)
        return response


def _onward(text: str) -> str:
    """Where to after the log-in: a path below these pages, and nowhere else."""
    return text if _ONWARD.fullmatch(text) and not text.startswith("/log") else "/"


def _safely(answer: Callable[[Request, dict[str, str]], Response], request: Request, form: dict[str, str]) -> Response:
    """The answer, or the page that says that there is none, without a word about what went wrong."""
    base = _base(request)
    try:
        return answer(request, form)
    except NotFound:
        return refused(base, 404)
    except InvalidInput:
        return refused(base, 400)
    except NotLetIn:
        return refused(base, 403, said=_NOT_LET_IN)
    except (Busy, StoreError):
        return refused(base, 503)
    except Conflict:
        return refused(base, 409)
    except Exception as error:  # noqa: BLE001 - whatever it is, who looks is shown a page, and no word of it
        reference = request.scope.get(LOGREF)  # where there is an application around these pages that gives one
        log_failed(reference, "a page of the inspector", error)
        return refused(base, 500, reference=reference)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of those that came twice, the last."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _Unusable(400)
    try:
        body = await read_body(request.receive, _MOST_BYTES)
    except TooLong:
        raise _Unusable(413) from None
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise _Unusable(400) from None


class _Headers:
    """What every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, sending)
