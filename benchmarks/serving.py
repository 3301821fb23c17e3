"""The HTTP API beside what its answers would cost without it, each app asked in this process, without a socket.

The loop runs on a thread of its own for as long as a question is measured, as that of a server does. It is uvloop's, as
that of `sequencer serve` is.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from starlette.responses import Response

from benchmarks.deciding import six_steps
from benchmarks.measuring import Figure, Question, in_turn
from benchmarks.storing import START
from sequencer.core.enrollment import Resource
from sequencer.engine.engine import Engine
from sequencer.http.application import application
from sequencer.http.limits import Limits
from sequencer.http.tokens import Tokens
from sequencer.simulation.clock import ManualClock
from sequencer.stores.sqlite import SQLiteStore

_EACH = 200
_PATH = "/v2/sequence_enrollments"
_JSON = "application/json; charset=utf-8"

# Windows does without.
_BACKEND = {"use_uvloop": sys.platform != "win32"}

_App = Callable[[Any, Any, Any], Awaitable[None]]


async def _ask(app: _App, token: str, method: str, path: str, query: str = "", body: bytes = b"") -> tuple[int, bytes]:
    """The status and the body of an answer to the bearer of a token."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"accept", b"application/json"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    received = [{"type": "http.request", "body": body, "more_body": False}]
    status, parts = 0, []

    async def receive() -> Any:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return status, b"".join(parts)


@contextmanager
def _engine() -> Iterator[Engine]:
    """An engine on SQLite, which waits for the disk at every commit."""
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder, "served.db"))
        yield Engine(store=store, clock=ManualClock(START))
        store.close()


def _api(engine: Engine) -> tuple[FastAPI, str]:
    """The app as it is by default, and a token to it; so many a second may be asked as no benchmark does."""
    _, token = Tokens(engine.store).create(scope="write")
    return application(engine, limits=Limits(rate=1_000_000, burst=1_000_000), inspector=False), token


def _leads(first: int, count: int) -> list[Resource]:
    return [Resource("lead", i, email=f"lead{i}@example.com") for i in range(first, first + count)]


def measure_reading() -> Figure:
    """One enrollment, beside a route of FastAPI's that has the bytes at hand; both routes are plain functions."""
    with _engine() as engine, start_blocking_portal(backend_options=_BACKEND) as loop:
        id = engine.enroll(six_steps(), *_leads(1, 1)).id
        (api, token), path = _api(engine), f"{_PATH}/{id}"
        status, content = loop.call(_ask, api, token, "GET", path)
        assert status == 200
        bare = FastAPI()

        @bare.get(f"{_PATH}/{{id}}")
        def get(id: int) -> Response:
            return Response(content, media_type=_JSON)

        assert loop.call(_ask, bare, token, "GET", path) == (200, content)

        async def times(app: _App) -> None:
            for _ in range(_EACH):
                await _ask(app, token, "GET", path)

        ratio, detail = in_turn(lambda: loop.call(times, api), lambda: loop.call(times, bare))
    return Figure(ratio, {"microseconds": round(detail["seconds"] / _EACH * 1e6), **detail})


def measure_enrolling() -> Figure:
    """A new enrollment, beside `engine.enroll` of the same; every commit waits for the disk."""
    with _engine() as engine, start_blocking_portal(backend_options=_BACKEND) as loop:
        sequence_id = engine.create_sequence(six_steps()).id
        api, token = _api(engine)
        resources = iter(_leads(1, 100_000))
        each = 50

        async def post() -> None:
            for _ in range(each):
                resource = next(resources)
                data = {
                    "sequence_id": sequence_id,
                    "resource_type": resource.type,
                    "resource_id": resource.id,
                    "email": resource.email,
                }
                status, _ = await _ask(api, token, "POST", _PATH, body=json.dumps({"data": data}).encode())
                assert status == 201

        def enroll() -> None:
            for _ in range(each):
                engine.enroll(sequence_id, next(resources))

        # For some seconds: each waits for the disk and hands over to a thread, and how long that takes varies most.
        ratio, detail = in_turn(lambda: loop.call(post), enroll, rounds=75)
    return Figure(ratio, {"microseconds": round(detail["seconds"] / each * 1e6), **detail})


def measure_page() -> Figure:
    """A page of 100 enrollments of six steps, beside one enrollment."""
    with _engine() as engine, start_blocking_portal(backend_options=_BACKEND) as loop:
        engine.enroll_many(six_steps(), _leads(1, 1000))
        api, token = _api(engine)

        async def times(path: str, query: str, count: int) -> None:
            for _ in range(count):
                status, _ = await _ask(api, token, "GET", path, query)
                assert status == 200

        ratio, detail = in_turn(
            lambda: loop.call(times, _PATH, "per_page=100", 10), lambda: loop.call(times, f"{_PATH}/500", "", 10)
        )
    return Figure(ratio, {"milliseconds": round(detail["seconds"] / 10 * 1e3, 2), **detail})


def measure_listing() -> Figure:
    """The first page of 1 000 000 enrollments, beside the first of 10 000."""
    with _engine() as few, _engine() as many, start_blocking_portal(backend_options=_BACKEND) as loop:
        for engine, count in ((few, 10_000), (many, 1_000_000)):
            for first in range(0, count, 10_000):
                engine.enroll_many(six_steps(), _leads(first, 10_000))
        apis = [_api(many), _api(few)]

        async def times(app: _App, token: str) -> None:
            for query in ("per_page=25", "per_page=25&resource_type=lead"):
                for _ in range(10):
                    status, _ = await _ask(app, token, "GET", _PATH, query)
                    assert status == 200

        ratio, detail = in_turn(*(lambda api=api: loop.call(times, *api) for api in apis))
    return Figure(ratio, detail)


QUESTIONS = (
    Question(
        "http-reading", "GET of an enrollment beside a route of FastAPI's that has the bytes, times", 3, measure_reading
    ),
    Question("http-enrolling", "POST of an enrollment beside `engine.enroll`, on SQLite, times", 2, measure_enrolling),
    Question("http-page", "a page of 100 enrollments beside one enrollment, times", 20, measure_page),
    Question(
        "http-listing", "page 1 of 1 000 000 enrollments beside page 1 of 10 000, times", 2, measure_listing, slow=True
    ),
)
