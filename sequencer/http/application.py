"""The application: every route of the API as one ASGI app, to be mounted in a host's own or served alone."""

from __future__ import annotations

import re
import secrets
from asyncio import timeout
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sequencer.core.calendar import Calendar
from sequencer.core.enrollment import Resource
from sequencer.engine.engine import Engine
from sequencer.http.access import Access, Grants, bearer, must_be_access
from sequencer.http.bodies import TooLong, read_body, too_long, too_slow
from sequencer.http.document import document_of
from sequencer.http.enrollments import OPERATIONS as OF_ENROLLMENTS
from sequencer.http.envelope import Refusal, envelope_of
from sequencer.http.limits import Limits, Rates
from sequencer.http.logs import LOGREF, Asked, log_failed
from sequencer.http.operations import Answer, Operation, json_bytes
from sequencer.http.paging import quoted
from sequencer.http.performing import Door, perform
from sequencer.http.sequences import OPERATIONS as OF_SEQUENCES
from sequencer.http.signals import OPERATIONS as OF_SIGNALS
from sequencer.http.threads import Threads

__all__ = ["OPERATIONS", "application"]

OPERATIONS = (*OF_ENROLLMENTS, *OF_SIGNALS, *OF_SEQUENCES)
"""Every operation of the API, the more special paths before the more general ones."""

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_SANE = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_VERSION = "/v2/"
_ROOT = "sequencer.root"
_JSON = "application/json; charset=utf-8"
# On every answer, unless it says otherwise itself, as the inspector's pages do.
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


def application(
    engine: Engine,
    *,
    access: Access | None = None,
    tokens: Grants | None = None,
    limits: Limits | None = None,
    timezone: str | None = None,
    inspector: bool = True,
    login_url: str | None = None,
    resource_url: Callable[[Resource], str | None] | None = None,
) -> FastAPI:
    """The HTTP API over an engine, as an app to mount or to serve; it needs no lifespan and keeps no state.

    - `access`: looks at a request and answers with a `Grant`, or with None for nobody we know; None for the tokens that
      are in the engine's store (`bearer(Tokens(engine.store))`). What a grant is for is all that its bearer sees (S7).
      One that is async is `InvalidInput`: it is called on a worker thread.
    - `tokens`: what knows the tokens that people log in to the inspector with; None where `access` knows them by other
      means. Without `access` they are those of the store.
    - `limits`: how large a body, a page and a rate may be.
    - `timezone`: of sequences that are sent without one; None for UTC.
    - `inspector`: with the pages for people under `/inspector`, to which a browser is led that asks for `/`; to have
      them elsewhere, mount `sequencer.http.inspector.inspector`.
    - `login_url`, `resource_url`: where the host's people log in, and where it shows a lead or contact, as there.

    The description of all of it is at `/openapi.json`, for everybody.
    """
    limits = limits or Limits()
    if access is None:
        from sequencer.http.tokens import Tokens

        tokens = tokens or Tokens(engine.store)
        access = bearer(tokens)
    must_be_access(access)
    rates = Rates(limits)
    door = Door(engine, access, limits, rates, Calendar(timezone or "UTC").timezone)
    threads = Threads(limits.threads)
    document = document_of(OPERATIONS, limits)
    app = FastAPI(
        title=document["info"]["title"],
        version=document["info"]["version"],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _unrouted},
    )
    app.openapi = lambda: document  # type: ignore[method-assign]
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    paths = {path: _Path(door, methods, threads) for path, methods in by_path.items()}
    app.add_middleware(_Outermost, paths)
    app.router.routes.append(Route("/openapi.json", partial(_description, document)))
    app.router.routes.extend(Route(path, answers) for path, answers in paths.items())
    if inspector:
        from sequencer.http import inspector as pages

        app.router.routes.append(Route("/", _front))
        made = pages.inspector(
            engine,
            access,
            tokens=tokens,
            login_url=login_url,
            resource_url=resource_url,
            rates=rates,
            threads=threads,
        )
        pages.mount(app, "/inspector", made)
    return app


async def _front(request: Request) -> Response:
    """Where somebody comes in who has only been told the address: a browser is led to the pages for people."""
    if "text/html" not in request.headers.get("accept", ""):
        return _refused(request, _no_such_path(request))
    # Only a path: a whole address would say what the header Host has said.
    prefix = quote(str(request.scope.get("root_path", "")).rstrip("/"))
    return RedirectResponse(f"{prefix}/inspector/", 307, {"Vary": "Accept"})


async def _description(document: dict[str, Any], request: Request) -> Response:
    """The document, with the prefix under which the application answers."""
    servers = [{**document["servers"][0], "url": request.scope.get("root_path") or "/"}]
    return Response(json_bytes({**document, "servers": servers}), media_type=_JSON)


class _Path:
    """What answers on a path, whatever the method; it reads the body, and has the rest done in one go on a thread."""

    def __init__(self, door: Door, methods: Mapping[str, Operation], threads: Threads) -> None:
        self._door, self._threads = door, threads
        self._operations = {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})}

    async def __call__(self, scope: Any, receive: _Receive, send: _Send) -> None:
        request = Request(scope, receive)
        answer = await self._answer(request)
        response = _refused(request, answer) if isinstance(answer, Refusal) else _response(answer)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Answer | Refusal:
        operation = self._operations.get(request.method)
        if operation is None:
            return _no_such_method(request, {"Allow": ", ".join(sorted(self._operations))})
        raw = b""
        if operation.body is not None:
            limits = self._door.limits
            try:
                async with timeout(limits.seconds):
                    raw = await read_body(request.receive, limits.body)
            except TimeoutError:
                return too_slow(limits)
            except TooLong:
                return too_long(limits)
        return await self._threads.run(perform, self._door, operation, request, raw, request.scope[LOGREF])


def _response(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status, headers=answer.headers)
    return Response(answer.body, answer.status, answer.headers, _JSON)


def _refused(request: Request, refusal: Refusal) -> Response:
    # The base of a request is that of the host's app, which this one may be mounted in.
    base = request.base_url.replace(path=f"{quoted(request.scope[_ROOT])}/")
    body = envelope_of(refusal, request.scope[LOGREF], str(base))
    return Response(body, refusal.status, {**refusal.headers, "Content-Language": "en"}, _JSON)


async def _unrouted(request: Request, error: Exception) -> Response:
    """What no route answers to: a path that there is not, or a method that a path does not have."""
    assert isinstance(error, HTTPException)
    is_path = error.status_code == 405
    return _refused(request, _no_such_method(request, error.headers or {}) if is_path else _no_such_path(request))


def _no_such_path(request: Request) -> Refusal:
    return Refusal.of(404, "incorrect_path", f"there is no {request.url.path}")


def _no_such_method(request: Request, headers: Mapping[str, str]) -> Refusal:
    return Refusal.of(405, "incorrect_path", f"{request.url.path} does not have the method {request.method}", headers)


class _Outermost:
    """Around everything: the request's id, the headers of every answer, no body to HEAD, no error without envelope.

    The paths of operations are looked up in a table right here, which is shorter than the way through a framework's
    routes; those are there for all other paths, and for who looks at what routes there are.
    """

    def __init__(self, app: Callable[[Any, _Receive, _Send], Awaitable[None]], paths: Mapping[str, _Path]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Any, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        logref = scope[LOGREF] = _logref_of(scope["headers"])
        scope[_ROOT] = scope.get("root_path", "").rstrip("/")  # what is mounted in here makes it longer
        identified = (b"x-request-id", logref.encode())
        asked, status = Asked.of(scope, logref), 0

        async def sending(message: _Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), identified]
                named = {name.lower() for name, _ in headers}
                message["headers"] = headers + [each for each in _HEADERS if each[0] not in named]
            elif scope["method"] == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._answered(scope, receive, sending)
        except ClientDisconnect:
            return
        except Exception as error:
            log_failed(logref, scope["method"], error)
            if status:
                raise
            refusal = Refusal.of(500, "server_error", "something went wrong; the log has it under this logref")
            await _refused(Request(scope), refusal)(scope, receive, sending)
        finally:
            if asked is not None and status:
                asked.log(status)

    async def _answered(self, scope: Any, receive: _Receive, send: _Send) -> None:
        if _is_host(scope):
            await (self._operations(scope) or self._app)(scope, receive, send)
            return
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"host"]
        refusal = Refusal.of(400, "invalid_header", "the header Host names no host")
        await _refused(Request(scope), refusal)(scope, receive, send)

    def _operations(self, scope: Any) -> _Path | None:
        """What answers on the path of a request, where that is one of the operations'; its id is noted."""
        path = _path_in(scope)
        found = self._paths.get(path)
        if found is None and path.startswith(_VERSION) and "{" not in path:
            head, _, rest = path[len(_VERSION) :].partition("/")
            id, slash, tail = rest.partition("/")
            found = self._paths.get(f"{_VERSION}{head}/{{id}}{slash}{tail}") if id else None
            scope["path_params"] = {"id": id}
        return found


def _path_in(scope: Any) -> str:
    """The path of a request below the prefix that the application is mounted at."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _is_host(scope: Any) -> bool:
    """Whether the header Host, which links are made of, names one host; or there is none, as HTTP/1.0 has it."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    return not hosts or (len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None)


def _logref_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The id of a request: the caller's own, where it is one that can be put into a log, else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(16)
