"""Endpoints that webhooks lead to: one in this process, which behaves as it is told, and a real one on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import httpx
import pendulum

from sequencer import AutomatedEmail, Hours, Resource, Sequence, Step, Task, Template
from sequencer.http.webhooks import verify

START = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
SEQUENCE = Sequence(
    "Hello",
    [Step(AutomatedEmail(1)), Step(Task("Call"), Hours(1)), Step(AutomatedEmail(1), Hours(24))],
    templates={1: Template("Hello {{ name }}", "You, {{ name }}")},
)


def lead(n: int) -> Resource:
    return Resource("lead", n, email=f"ada.{n}@example.com", fields={"name": "Lovelace"})


@attrs.frozen
class Arrived:
    """A request: where, when, with what; and what was answered (None: nothing)."""

    path: str
    at: Any
    headers: dict[str, str]
    body: bytes
    answer: int | None

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


@attrs.define
class Endpoints:
    """Endpoints in this process, one for each path: each does the next thing it is told to, and else says 204.

    A thing is a status, an exception of httpx, or a callable that is called first and says which.
    """

    now: Callable[[], Any]
    reactions: dict[str, list[Any]] = attrs.Factory(lambda: defaultdict(list))
    arrived: list[Arrived] = attrs.Factory(list)
    lock: threading.Lock = attrs.Factory(threading.Lock)

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        with self.lock:
            reaction: Any = self.reactions[path].pop(0) if self.reactions[path] else 204
        if callable(reaction) and not isinstance(reaction, type):
            reaction = reaction()
        headers = {}
        if isinstance(reaction, tuple):
            reaction, headers = reaction
        failing = isinstance(reaction, type)
        arrived = Arrived(path, self.now(), dict(request.headers), request.content, None if failing else reaction)
        with self.lock:
            self.arrived.append(arrived)
        if failing:
            raise reaction("it is as it is", request=request)
        return httpx.Response(reaction, headers=headers)

    def of(self, path: str) -> list[Arrived]:
        return [each for each in self.arrived if each.path == path]

    def types(self, path: str) -> list[str]:
        """What has arrived there, and was taken, in order."""
        return [each.event["type"].removeprefix("enrollment.") for each in self.of(path) if each.answer in OK]


OK = range(200, 300)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, dict(self.headers), body, self.client_address))  # type: ignore[attr-defined]
        todo = self.server.doing.get(self.path, "204")  # type: ignore[attr-defined]
        getattr(self, f"do_{todo}")()

    def do_204(self) -> None:
        self.send_response(204)
        self.end_headers()

    def do_200(self) -> None:
        """With a body that nobody asked for."""
        self.send_response(200)
        self.send_header("content-length", "20000")
        self.end_headers()
        self.wfile.write(b"x" * 20_000)

    def do_endless(self) -> None:
        """Takes it, and then goes on talking."""
        self.send_response(200)
        self.end_headers()
        self._trickle(b"and ")

    def do_302(self) -> None:
        self.send_response(302)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_410(self) -> None:
        self.send_response(410)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_cookie(self) -> None:
        self.send_response(500)
        self.send_header("set-cookie", "session=secret; Path=/")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_drop(self) -> None:
        """Hangs up without a word."""
        self.close_connection = True

    def do_garbage(self) -> None:
        self.wfile.write(b"220 ada.lovelace@example.com says hello\r\n\r\n")
        self.close_connection = True

    def do_slow(self) -> None:
        time.sleep(0.05)
        self.do_204()

    def do_hang(self) -> None:
        self.server.over.wait(20)  # type: ignore[attr-defined]
        self.close_connection = True

    def do_drip(self) -> None:
        """A header that never ends: each byte comes in time, and the answer never."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-long: ")
        self._trickle(b"x")

    def _trickle(self, piece: bytes) -> None:
        self.close_connection = True
        try:
            while not self.server.over.wait(0.05):  # type: ignore[attr-defined]
                self.wfile.write(piece)
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, *_: Any) -> None:
        """A client that has gone is what is being tested."""


@contextmanager
def receiver(**doing: str):
    """A real server on loopback: what it does at `/NAME`, by the names above; `url`, `requests`, `doing`."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.requests, server.over = [], threading.Event()  # type: ignore[attr-defined]
    server.doing = {f"/{name}": todo for name, todo in doing.items()}  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()


def genuine(arrived: Arrived, secret: str, now: Any) -> dict[str, Any]:
    return verify(arrived.body, arrived.headers, secret, now=now)
