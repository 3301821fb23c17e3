"""Worlds for the matrix of routes and callers: a store with the things of two accounts, tokens, and an application."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pendulum
from starlette.routing import Mount, Route

from sequencer import Engine, ManualClock, RecordingMailer, Replied, Resource, SQLiteStore, Task
from sequencer.core.delays import Hours
from sequencer.core.sequence import AutomatedEmail, Sequence, Step
from sequencer.http.application import application
from sequencer.http.limits import Limits
from sequencer.http.tokens import Tokens
from tests.http.driving import Client, client_of

NOW = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
NO_LIMIT = Limits(rate=None, unauthorized_rate=None)
PUBLIC = {"/openapi.json", "/"}
"""What everybody may ask for: it says nothing about anybody."""
MISSING = 999_999
"""An id that nothing has."""
WRONG = "0" * 64
SAFE = {"GET", "HEAD"}
FOLLOWS = {"content-length", "etag"}
METHODS = {*SAFE, "POST", "PUT", "PATCH", "DELETE"}


def routes_of(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every (method, path) of an application and of what is mounted in it; all methods where it does not say which."""
    described = app.openapi()["paths"] if hasattr(app, "openapi") else {}
    for route in app.routes:
        if isinstance(route, Mount):
            yield from routes_of(route.app, prefix + route.path)
        elif isinstance(route, Route):
            of_path = {method.upper() for method in described.get(route.path, ())} & METHODS
            methods = route.methods or of_path or METHODS
            for method in sorted(methods | ({"HEAD"} if "GET" in methods else set())):
                yield method, prefix + route.path


@attrs.frozen
class World:
    """A store with the things of some accounts in it, tokens to them, and the application around it."""

    path: Path
    engine: Engine
    client: Client
    tokens: dict[str, str]
    ids: dict[str, int]
    mark: str

    def state(self) -> list[str]:
        """All that is stored, table by table."""
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.iterdump())

    def ask(self, method: str, path: str, headers: Any = (), id: int | None = None, **more: Any) -> httpx.Response:
        """Ask for a path, with an id in it where it has one, under an id of the request that is always the same."""
        path = path.replace("{id}", str(self.id_for(path) if id is None else id))
        return self.client.request(method, path, headers=[("X-Request-Id", "the-same"), *headers], **more)

    def id_for(self, path: str) -> int:
        """The id of the thing of ours that a path is about."""
        return self.ids["sequence_id" if "/sequences/" in path else "enrollment_id"]

    def of_ours(self) -> Any:
        """What the account whose things they are sees."""
        ours = self.engine.account("acme")
        found = ours.enrollments()
        return (
            found,
            [ours.history(each.id) for each in found],
            ours.stored_sequences(ids=[self.ids["sequence_id"]], deleted=True),
            ours.suppressed(),
        )


def bearing(secret: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {secret}")]


@contextmanager
def world(folder: Path, mark: str = "secret-of-ours", *, state: str = "active") -> Iterator[World]:
    """Of `acme` a sequence and an enrollment that hold a mark; `rival` has the same, called otherwise."""
    folder.mkdir()
    store = SQLiteStore(folder / "crm.db")
    engine = Engine(store=store, mailer=RecordingMailer(), clock=ManualClock(NOW))
    ids = {}
    for account, name in (("rival", "theirs"), ("acme", mark)):
        door = engine.account(account)
        steps = [Step(Task(f"Call {name}")), Step(AutomatedEmail(1), Hours(1))]
        stored = door.create_sequence(Sequence(name, steps), creator_id=f"by {name}")
        address = f"{name}@example.com"
        enrolled = door.enroll(
            stored.id, Resource("lead", 42, email=address, fields={"of": name}), actor_id=f"by {name}"
        )
        door.tick()
        ids = {"sequence_id": stored.id, "enrollment_id": enrolled.id}
    if state == "finished":
        door.handle(Replied(key="mail-1", enrollment_id=enrolled.id))
        door.suppress("somebody@example.com")
    known = Tokens(store, clock=engine.clock)
    tokens = {
        "write": known.create(account="acme", scope="write")[1],
        "read": known.create(account="acme", scope="read")[1],
        "rival": known.create(account="rival", scope="write")[1],
        "revoked": known.create(account="acme", scope="write")[1],
    }
    known.revoke(tokens["revoked"])
    app = application(engine, limits=NO_LIMIT)
    with client_of(app) as client:
        yield World(folder / "crm.db", engine, client, tokens, ids, mark)
    store.close()


def seen(response: httpx.Response, id: int | None = None) -> tuple[int, list[tuple[str, str]], str]:
    """All that a client sees of an answer; with an id that it was asked about as `<id>`, wherever it stands."""
    headers, body = sorted(response.headers.multi_items()), response.text
    if id is not None:
        named = re.compile(rf"(?:\b|(?<=%2F)){id}\b")
        body = named.sub("<id>", body)
        # Of what follows from the body only that it does, since one id is longer than another.
        headers = [(name, named.sub("<id>", value)) for name, value in headers if name not in FOLLOWS]
    return response.status_code, headers, body
