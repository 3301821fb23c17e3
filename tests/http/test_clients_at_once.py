"""Fifty clients at once on PostgreSQL, all of them writing to the same few enrollments, while a worker ticks.

Each answer is held against the histories afterwards: nothing was refused for want of luck, nothing was lost, nothing
happened twice, and what a client was told is what had happened at that revision.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs
import httpx
import pytest

from sequencer import AutomatedEmail, Engine, Hours, RecordingMailer, Sequence, Step, Task, Template, replay
from sequencer.core.statuses import FINISHED
from sequencer.http import application
from sequencer.http.tokens import Tokens
from sequencer.http.wire import instant
from sequencer.stores.postgres import PostgresStore
from sequencer.testing.laws import impersonal
from tests import postgres
from tests.http.driving import served

CLIENTS = 50
LEADS = (1, 2, 3, 4, 5)
SERVERS = 2
SEQUENCE = Sequence(
    "Contended",
    [Step(AutomatedEmail(1)), Step(Task("Call"), Hours(0)), Step(AutomatedEmail(1), Hours(1))],
    templates={1: Template("Hello", "Hi")},
)


@attrs.frozen
class Told:
    """What a client has asked and what it was told. `key`: by which a report, or an enrollment, counts once."""

    does: str
    enrollment: int | None
    key: str | None
    status: int
    document: Any
    etag: str

    @property
    def revision(self) -> int:
        return int(self.etag.strip('"').partition("-")[0])


class Crowd:
    """The clients, and what all of them were told."""

    def __init__(self, sequence_id: int, seconds: float) -> None:
        self.sequence_id, self.until = sequence_id, time.monotonic() + seconds
        self.told: list[Told] = []
        self.current: dict[int, int] = {}  # the enrollment of each lead that was heard of last
        self.etags: dict[int, str] = {}

    async def client(self, number: int, url: str, token: str) -> None:
        luck, count = random.Random(number), 0
        async with httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False, verify=False
        ) as client:
            while time.monotonic() < self.until:
                count += 1
                await self.act(client, luck, luck.choice(LEADS), f"{number}-{count}")

    async def act(self, client: httpx.AsyncClient, luck: random.Random, lead: int, once: str) -> None:
        id = self.current.get(lead)
        does = luck.choices(
            ["look", "stop", "stop_if", "resume", "away", "opened", "same", "enroll", "stop_all"],
            [4, 1, 1, 6, 5, 3, 3, 3, 0.3],
        )[0]  # fmt: skip
        if id is None or does == "enroll":
            # Several clients use one key, and one client several.
            key = luck.choice([once, f"shared-{lead}-{id}"])
            data = {"sequence_id": self.sequence_id, "resource_type": "lead", "resource_id": lead}
            data["email"] = f"lead-{lead}@example.com"
            answer = await client.post(
                "/v2/sequence_enrollments", json={"data": data}, headers={"Idempotency-Key": key}
            )
            if answer.status_code == 201:
                self.current[lead] = max(self.current.get(lead, 0), answer.json()["data"]["id"])
            self.note("enroll", None, key, answer)
            return
        path = f"/v2/sequence_enrollments/{id}"
        if does == "look":
            self.note(does, id, None, await client.get(path))
        elif does in {"stop", "stop_if", "resume"}:
            headers = {"If-Match": self.etags.get(id, "*")} if does == "stop_if" else {}
            state = "active" if does == "resume" else "finished"
            answer = await client.put(path, json={"data": {"state": state}}, headers=headers)
            self.note(does, id, None, answer)
        elif does == "stop_all":
            data = {"resource_type": "lead", "resource_id": lead}
            answer = await client.post("/v2/sequence_enrollments/finish_ongoing_for_resource", json={"data": data})
            self.note(does, None, None, answer)
        else:
            kind, key = {
                "away": ("out_of_office", once), "opened": ("opened", once), "same": ("clicked", f"same-{id}"),
            }[does]  # fmt: skip
            answer = await client.post(f"{path}/signals", json={"data": {"type": kind, "key": key}})
            self.note(does, id, key, answer)

    def note(self, does: str, id: int | None, key: str | None, answer: httpx.Response) -> None:
        etag = answer.headers.get("etag", "")
        if id is not None and etag:
            self.etags[id] = etag
        self.told.append(Told(does, id, key, answer.status_code, answer.json(), etag))


@contextmanager
def server_of(schema: str) -> Iterator[str]:
    """A server with a store, and so with connections, of its own."""
    store = PostgresStore(postgres.server(), schema=schema)
    with served(application(Engine(store=store))) as url:
        yield url
    store.close()


def told_by_a_crowd(engine: Engine, schema: str, seconds: float) -> list[Told]:
    stored = engine.create_sequence(SEQUENCE)
    tokens = [Tokens(engine.store).create(scope="write", actor_id=number)[1] for number in range(CLIENTS)]
    crowd, stop = Crowd(stored.id, seconds), threading.Event()
    worker = threading.Thread(target=engine.run, kwargs={"stop": stop, "poll": 0.05})

    async def together(urls: list[str]) -> None:
        clients = [crowd.client(number, urls[number % len(urls)], token) for number, token in enumerate(tokens)]
        await asyncio.gather(*clients)

    with ExitStack() as stack:
        urls = [stack.enter_context(server_of(schema)) for _ in range(SERVERS)]
        worker.start()
        try:
            asyncio.run(together(urls))
        finally:
            stop.set()
            worker.join()
    return crowd.told


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_clients_at_once(seconds):
    """No answer is an error of the server's; every change is one event; every answer is what had happened by then."""
    schema = postgres.new_schema()
    store = PostgresStore(postgres.server(), schema=schema)
    engine = Engine(store=store, mailer=RecordingMailer())
    told = told_by_a_crowd(engine, schema, seconds)
    found = engine.enrollments(limit=10_000)
    versions = {each.id: each.version for each in found}
    histories = {each.id: engine.history(each.id) for each in found}
    pages = [engine.events(limit=10_000)]
    while pages[-1].more:
        pages.append(engine.events(after=pages[-1].cursor, limit=10_000))
    events = [event for page in pages for event in page.events]

    statuses = Counter((each.does, each.status) for each in told)
    print(f"{len(told)} answers in {seconds} s, {len(events)} events, {len(histories)} enrollments; {dict(statuses)}")
    assert {status for _, status in statuses} <= {200, 201, 412, 422}
    for does, status in (("look", 200), ("stop", 200), ("stop_if", 412), ("resume", 200), ("away", 200),
                         ("same", 200), ("enroll", 201), ("enroll", 422), ("stop_all", 200)):  # fmt: skip
        assert statuses[does, status] or seconds < 10, f"nobody was told {status} to {does}"

    # Nothing is lost or doubled in the store: each history is whole, and what is stored is what it makes.
    for id, history in histories.items():
        assert [event.number for event in history] == list(range(1, len(history) + 1))
        with store.transaction(write=False) as transaction:
            held = transaction.get(id)
        assert held is not None
        assert replay(versions[id], history) == impersonal(held.enrollment)
        assert sum(event.type == "finished" for event in history) <= 1

    # What was answered is what had happened by that revision.
    for each in told:
        documents = [each.document] if each.etag and "meta" in each.document else []
        for document in documents:
            data = document.get("data", {})
            if "state" not in data:
                continue
            history = histories[data["id"]]
            assert each.revision <= len(history)
            then = replay(versions[data["id"]], history[: each.revision])
            assert (data["state"], data["finished_reason"], data["finished_actor_id"], data["finished_at"]) == (
                then.state.value, then.finished_reason, then.finished_actor_id, instant(then.finished_at),
            )  # fmt: skip
            assert data["updated_at"] == instant(then.updated_at)

    # What was accepted has happened, once: each report is one event, each stop is an end.
    keys = Counter((event.enrollment_id, event.facts["key"]) for event in events if event.facts.get("key"))
    reported = {(each.enrollment, each.key) for each in told if each.does in {"away", "opened", "same"}}
    assert reported <= set(keys)  # one of a lead's may concern another of the same lead's, too
    assert {key for _, key in keys} == {key for _, key in reported}
    assert set(keys.values()) <= {1}
    for each in told:
        if each.does in {"stop", "stop_if"} and each.status == 200:
            assert engine.get(each.enrollment or 0).state is FINISHED
        if each.does == "stop_all":
            for item in each.document["data"]["updated_enrollments"]["items"]:
                assert engine.get(item["data"]["id"]).state is FINISHED
    resumed = [each for each in told if (each.does, each.status) == ("resume", 200)]
    by_a_person = [event for event in events if event.type == "resumed"]
    assert len(by_a_person) <= len(resumed)
    assert {(event.enrollment_id, event.number) for event in by_a_person} <= {
        (each.enrollment or 0, each.revision) for each in resumed
    }

    # Who was enrolled is there, once for each key, and never twice at a time.
    made = {each.key: each.document["data"]["id"] for each in told if (each.does, each.status) == ("enroll", 201)}
    assert set(made.values()) == set(histories)
    for each in told:
        if (each.does, each.status) == ("enroll", 201):
            assert made[each.key] == each.document["data"]["id"]
    ongoing: dict[Any, int] = {}
    for event in events:
        assert event.subject is not None
        lead = event.subject.resource_id
        if event.type == "enrolled":
            assert lead not in ongoing, f"lead {lead} was enrolled while {ongoing[lead]} went on"
            ongoing[lead] = event.enrollment_id
        elif event.type == "finished":
            assert ongoing.pop(lead) == event.enrollment_id
    store.close()
