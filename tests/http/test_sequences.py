"""Sequences that are read and written back: what the service's shape cannot say is kept, and a definition says all."""

from __future__ import annotations

import json
from contextlib import closing

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sequencer import AutomatedEmail, Calendar, Engine, Hours, MemoryStore, Sequence, Step, Task, Template, Weekdays
from sequencer.core.policy import Policy, Unsubscribe
from sequencer.http import application, open_access
from sequencer.http.limits import Limits
from sequencer.stores.postgres import PostgresStore
from sequencer.testing import sequences
from tests import postgres
from tests.http.conftest import UNLIMITED, tasks
from tests.http.driving import client_of, errors_of

SEQUENCES = "/v2/sequences"
MOST = Limits().body

RICH = Sequence(
    "Inbound",
    [
        Step(AutomatedEmail(1), Hours(0), key="hello", metadata={"kind": "mail"}),
        Step(Task("Call", due_after=Hours(4), skip_after=Weekdays(3)), Weekdays(2), key="call"),
    ],
    calendar=Calendar("Europe/Warsaw", holidays=["2026-12-25"]),
    key="inbound",
    policy=Policy(exclusive="all", unsubscribe=Unsubscribe(enabled=True, locale="pl-PL")),
    metadata={"team": "north"},
    templates={1: Template("Hello", "Hi")},
)


def plain(sequence):
    """The sequence without what is none of its content."""
    return attrs.evolve(sequence, assume={}, expect=(), silence=())


@pytest.fixture(scope="module")
def world():
    """One for all examples: an engine with a client of it."""
    with closing(MemoryStore()) as store:
        engine = Engine(store=store)
        with client_of(application(engine, access=open_access(), limits=UNLIMITED, inspector=False)) as client:
            yield engine, client


@settings(max_examples=12)
@given(sequence=sequences())
def test_what_was_read_can_be_written_back(world, sequence):
    """GET, then PUT of exactly that: nothing changes, no version, no byte, not what the shape cannot say."""
    engine, client = world
    engine.save(sequence)
    before = engine.stored_sequence(sequence)
    read = client.get(f"{SEQUENCES}/{before.id}")
    assume(len(read.content) <= MOST)
    written = client.request(
        "PUT", f"{SEQUENCES}/{before.id}", json=read.json(), headers={"If-Match": read.headers["etag"]}
    )

    assert (written.status_code, written.content) == (200, read.content)
    assert engine.stored_sequence(sequence) == before
    assert engine.definition(before.id) == plain(sequence)


@settings(max_examples=12)
@given(sequence=sequences())
def test_a_definition_says_all(world, sequence):
    """The definition that is answered makes the same sequence, by PUT where it was and by POST where it was not."""
    engine, client = world
    engine.save(sequence)
    before = engine.stored_sequence(sequence)
    url = f"{SEQUENCES}/{before.id}"
    read = client.get(f"{url}/definition")
    assume(len(read.content) <= MOST)

    written = client.request("PUT", url, json=read.json(), headers={"If-Match": read.headers["etag"]})
    assert written.status_code == 200, written.text
    assert engine.stored_sequence(sequence) == before
    assert client.get(f"{url}/definition").content == read.content
    with closing(MemoryStore()) as store:
        other = Engine(store=store)
        with client_of(application(other, access=open_access(), limits=UNLIMITED, inspector=False)) as elsewhere:
            made = elsewhere.request("POST", SEQUENCES, json=read.json())
        assert made.status_code == 201
        assert other.definition(made.json()["data"]["id"]) == engine.definition(before.id) == plain(sequence)


@settings(max_examples=12)
@given(old=sequences(), new=sequences(), data=st.data())
def test_what_is_sent_is_there_afterwards(world, old, new, data):
    """Whatever was there before: what a PUT in the shape says is what GET answers, and the rest is as it was."""
    engine, client = world
    old_id, new_id = (
        engine.replace_sequence(engine.create_sequence(each).id, each).id
        for each in (attrs.evolve(old, key=f"old {next(COUNT)}"), attrs.evolve(new, key=f"new {next(COUNT)}"))
    )
    sent = client.get(f"{SEQUENCES}/{new_id}").json()["data"]
    zone = data.draw(st.sampled_from([None, "Europe/Warsaw"]))
    del sent["id"], sent["creator_id"], sent["created_at"], sent["updated_at"]
    raw = json.dumps({"data": {**sent, "timezone": zone}})
    assume(len(raw) <= MOST)
    before = engine.definition(old_id)
    answer = client.send("PUT", f"{SEQUENCES}/{old_id}", raw.encode())
    after = engine.definition(old_id)

    assert answer.status_code == 200, answer.text
    shown = answer.json()["data"]
    for each in (*shown["steps"]["items"], *sent["steps"]["items"]):
        del each["data"]["id"]
    assert {key: shown[key] for key in sent} == sent
    assert after.calendar == (before.calendar if zone is None else before.calendar.in_zone(zone))
    assert (after.metadata, after.templates, after.key) == (before.metadata, before.templates, before.key)
    assert attrs.evolve(after.policy, unsubscribe=before.policy.unsubscribe) == before.policy


COUNT = iter(range(10**9))


def test_what_a_step_has_besides(engine, client):
    """A step that is the same at its place keeps the rest of it, but for what is sent; one that is not is new."""
    id = engine.create_sequence(RICH).id
    body = client.get(f"{SEQUENCES}/{id}").json()["data"]
    mail, call = (each["data"] for each in body["steps"]["items"])
    call["action_properties"]["due_after"] = {"hours": 8}
    assert client.put(f"{SEQUENCES}/{id}", body).status_code == 200
    steps = engine.definition(id).steps
    assert steps[0] == RICH.steps[0]
    assert steps[1] == attrs.evolve(RICH.steps[1], action=attrs.evolve(RICH.steps[1].action, due_after=Hours(8)))

    mail["action_properties"]["is_reply"] = True
    mail["position"], call["position"] = 1, 0
    body["unsubscribe_settings"] = {"enabled": False}
    assert client.put(f"{SEQUENCES}/{id}", body).status_code == 200
    after = engine.definition(id)
    assert after.steps == (
        Step(Task("Call", due_after=Hours(8)), Weekdays(2)),
        Step(AutomatedEmail(1, is_reply=True), Hours(0)),
    )
    assert after.policy.unsubscribe == Unsubscribe(enabled=False, locale="pl-PL")


def test_a_definition_replaces_all(engine, client):
    """What a definition does not say is as it is by default afterwards; only the key stays."""
    id = engine.create_sequence(RICH).id
    step = {
        "action_type": "task",
        "delay_from_previous_step": 1,
        "delay_from_previous_step_unit": "hours",
        "action_properties": {"task_content": "Call"},
    }
    assert client.put(f"{SEQUENCES}/{id}", {"format": 1, "name": "Other", "steps": [step]}).status_code == 200
    assert engine.definition(id) == Sequence("Other", [Step(Task("Call"), Hours(1))], key="inbound")


def test_nobody_is_written_over(engine, client):
    """Who saw another version replaces and deletes nothing; who saw the current one does; 404 comes before both."""
    id = engine.create_sequence(tasks()).id
    url = f"{SEQUENCES}/{id}"
    seen = client.get(url)
    assert seen.headers["etag"].startswith(f'"{engine.stored_sequence(id).version.id}-')
    first = seen.headers["etag"]
    now = client.put(url, {**seen.json()["data"], "name": "Mine"}, headers={"if-match": first})
    assert now.status_code == 200
    assert now.headers["etag"] == client.get(url).headers["etag"]

    for header in (first, f'{first}, "7"', '"77-x"', f"W/{now.headers['etag']}", '"77-x", "y"'):
        for late in (
            client.put(url, seen.json()["data"], headers={"if-match": header}),
            client.delete(url, headers={"if-match": header}),
        ):
            assert (late.status_code, errors_of(late)) == (412, [("precondition_failed", None)])
            assert f"at {engine.stored_sequence(id).version.id}" in late.text.replace("revision ", "")
    assert engine.stored_sequence(id).sequence.name == "Mine"
    for header in ("3", "nonsense", f"{first} {first}"):
        assert errors_of(client.delete(url, headers={"if-match": header})) == [("invalid_header", None)]

    several = f'"9-0123456789abcdef", {client.get(f"{url}/definition").headers["etag"]}'
    assert client.delete(url, headers={"if-match": several}).status_code == 204
    for header in (first, several, '"x"'):
        assert client.delete(url, headers={"if-match": header}).status_code == 404


def test_of_two_at_once_nothing_is_lost(monkeypatch):
    """Who replaces a sequence while another does, without a condition, keeps what the other has made of the rest."""
    schema = postgres.new_schema()
    engine, other = (Engine(store=PostgresStore(postgres.server(), schema=schema)) for _ in range(2))
    id = engine.create_sequence(RICH).id
    real, others = type(engine).replace_sequence, iter([attrs.evolve(RICH, metadata={"team": "south"})])

    def beaten(self, id, sequence, **more):
        for each in others:
            real(other, id, each)  # committed, while the request has read what was there before
        return real(self, id, sequence, **more)

    monkeypatch.setattr(type(engine), "replace_sequence", beaten)
    with client_of(application(engine, access=open_access(), inspector=False)) as client:
        body = client.get(f"{SEQUENCES}/{id}").json()["data"]
        assert client.put(f"{SEQUENCES}/{id}", {**body, "name": "New"}).status_code == 200
    assert engine.definition(id) == attrs.evolve(RICH, name="New", metadata={"team": "south"})
    for each in (engine, other):
        each.store.close()


def test_back_from_the_dead(engine, clock, client):
    """A deleted sequence that is made again is there under its id, with when it was first made."""
    first = client.post(SEQUENCES, client_body()).json()["data"]
    clock.set(clock.now().add(hours=1))
    assert client.delete(f"{SEQUENCES}/{first['id']}").status_code == 204
    assert client.get(f"{SEQUENCES}/{first['id']}/definition").status_code == 404
    again = client.post(SEQUENCES, client_body())
    assert again.status_code == 201
    assert {key: again.json()["data"][key] for key in ("id", "created_at")} == {
        key: first[key] for key in ("id", "created_at")
    }


def client_body(**changed):
    step = {
        "action_type": "task",
        "delay_from_previous_step": 1,
        "delay_from_previous_step_unit": "hours",
        "action_properties": {"task_content": "Call"},
    }
    return {"name": "Inbound", "steps": {"items": [{"data": step}]}, **changed}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"name": None, "steps": None}, [("blank", "/data/name", "null"), ("blank", "/data/steps", "null")]),
        ({"format": 1, "name": None, "steps": None}, [("blank", "/data/name", ""), ("blank", "/data/steps", "")]),
        ({"format": 1, "name": True, "steps": [None]}, [("invalid_type", "/data/name", "got true"),
                                                        ("blank", "/data/steps/0", "null")]),
        ({"name": "x", "steps": []}, [("incorrect_value", "/data/steps", "")]),
        ({"name": "x", "steps": {"items": []}}, [("incorrect_value", "/data/steps/items", "")]),
        (client_body(calendar={}), [("unknown", "/data/calendar", "definition files only")]),
        (client_body(timezon="UTC"), [("unknown", "/data/timezon", "did you mean timezone?")]),
        (client_body(unsubscribe={}), [("unknown", "/data/unsubscribe", "unsubscribe_settings")]),
        (client_body(database=None), [("unknown", "/data/database", "use ")]),
        ({"format": 1, "name": "x", "steps": [], "database": 1}, [("unknown", "/data/database", ""),
                                                                ("incorrect_value", "/data/steps", "")]),
        ({"format": 1, "name": None, "steps": [], "templates": {"1": {"subject": "a", "body": "{{ b | c }}"}}},
         [("blank", "/data/name", "null"), ("incorrect_value", "/data/templates/1/body", "is it {{ b_c }}?"),
          ("incorrect_value", "/data/steps", "")]),
        ({"name": "x"}, [("missing", "/data/steps", "")]),
        ({"name": "x", "calendar": {}}, [("missing", "/data/steps", "")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_its_shape(client, data, expected):
    """Each problem points to where it is in what was sent, with the words and the keys of the shape that was meant."""
    answer = client.post(SEQUENCES, data)
    found = [each["error"] for each in answer.json()["errors"]]

    assert answer.status_code == 422
    assert [(each["code"], each["field"]) for each in found] == [(code, field) for code, field, _ in expected]
    for each, (_, _, words) in zip(found, expected, strict=True):
        assert words in each["message"]
        assert "None" not in each["message"] + each["details"]
