"""Requests to an application: in this process, without a socket, or over one to a server on the loopback address."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

BASE = "http://127.0.0.1"


class Client:
    """Asks an ASGI app in this process, one request at a time."""

    def __init__(self, app, **headers):
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=BASE, headers=headers, trust_env=False
        )

    def request(self, method, url, **given):
        return self._runner.run(self._client.request(method, url, **given))

    def get(self, url, **given):
        return self.request("GET", url, **given)

    def post(self, url, data=None, **given):
        """The data goes in its envelope."""
        return self.request("POST", url, json={"data": data}, **given)

    def put(self, url, data=None, **given):
        return self.request("PUT", url, json={"data": data}, **given)

    def delete(self, url, **given):
        return self.request("DELETE", url, **given)

    def send(self, method, url, content, **headers):
        """Bytes as they are, as JSON unless a header says otherwise."""
        headers = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.request(method, url, content=content, headers=headers)

    def close(self):
        self._runner.run(self._client.aclose())
        self._runner.close()


@contextmanager
def client_of(app, **headers) -> Iterator[Client]:
    client = Client(app, **headers)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def served(app) -> Iterator[str]:
    """The URL of a server of the app, on a free port of the loopback address, which ends with the block."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"{BASE}:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def errors_of(response):
    """The errors of an answer as (code, field), after a look at their envelope."""
    body = response.json()
    meta = body["meta"]
    assert meta["type"] == "errors"
    assert meta["http_status"].startswith(f"{response.status_code} ")
    assert meta["logref"] == response.headers["x-request-id"]
    assert meta["links"]["more_info"]
    assert body["errors"]
    for each in body["errors"]:
        assert each["meta"]["type"] == "error"
        assert each["meta"]["links"]["more_info"]
        assert each["error"]["message"]
        assert ("resource" in each["error"]) == ("field" in each["error"])
    return [(each["error"]["code"], each["error"].get("field")) for each in body["errors"]]


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()
