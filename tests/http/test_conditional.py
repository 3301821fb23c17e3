"""Conditional requests and keys that count once: nobody undoes what they have not seen, and nothing is done twice."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Engine, MemoryStore, Resource, SQLiteStore
from sequencer.http import application, open_access
from sequencer.http.conditional import etag_of, is_known, revisions_of
from sequencer.http.envelope import Refusal
from tests.http.conftest import UNLIMITED, tasks, two_steps
from tests.http.driving import client_of, errors_of

ENROLLMENTS, SEQUENCES = "/v2/sequence_enrollments", "/v2/sequences"


@given(body=st.binary(max_size=50), other=st.binary(max_size=50), revision=st.none() | st.integers(0, 2**60))
def test_a_tag_stands_for_its_bytes(body, other, revision):
    """A tag is known by itself, also as a weak one and among others, and not by that of other bytes."""
    tag = etag_of(body, revision)

    for header in (tag, f"W/{tag}", f'"x", {tag}', f'{tag},"y"', "*"):
        assert is_known(header, tag)
    assert is_known(etag_of(other, revision), tag) == (body == other)
    assert not is_known(None, tag)
    assert revisions_of(tag) == (frozenset() if revision is None else {revision})
    assert revisions_of(f"W/{tag}") == frozenset()


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_header_can_be_read(header):
    """Whatever stands in the headers is read or refused, and only `*` allows any revision."""
    is_known(header, '"x"')
    try:
        allows_any = revisions_of(header) is None
    except Refusal:
        allows_any = False
    assert allows_any == (header.strip() == "*")


def test_what_is_known_is_not_sent_again(engine, clock, client):
    """Bytes that the client has are answered with 304; what the time alone has changed is sent, under another tag."""
    id = engine.enroll(two_steps(), Resource("lead", 1, email="ada@example.com")).id
    url = f"{ENROLLMENTS}/{id}"
    first = client.get(url)
    etag = first.headers["etag"]
    assert re.fullmatch(rf'"{engine.get(id).revision}-[0-9a-f]{{16}}"', etag)

    same = client.get(url, headers={"if-none-match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert client.request("HEAD", url, headers={"if-none-match": f"W/{etag}"}).status_code == 304
    assert client.get(url, headers={"if-none-match": '"1-0000000000000000"'}).content == first.content

    clock.set(clock.now().add(hours=2))
    overdue = client.get(url, headers={"if-none-match": etag})
    assert overdue.status_code == 200
    assert overdue.headers["etag"].partition("-")[0] == etag.partition("-")[0]


def test_every_reading_has_a_tag(engine, client):
    """Lists and sequences, too, are not sent again to who has them."""
    engine.enroll(tasks(), Resource("lead", 1))
    for url in (ENROLLMENTS, SEQUENCES, f"{SEQUENCES}/1"):
        etag = client.get(url).headers["etag"]
        assert client.get(url, headers={"if-none-match": etag}).status_code == 304


def test_head_is_get_without_a_body(engine, client):
    """HEAD answers with the status and the headers of GET, and with nothing else."""
    engine.enroll(tasks(), Resource("lead", 1))
    for url in (
        ENROLLMENTS,
        f"{ENROLLMENTS}/1",
        f"{ENROLLMENTS}/9",
        SEQUENCES,
        f"{SEQUENCES}/1",
        "/openapi.json",
        "/no",
    ):
        head, get = client.request("HEAD", url), client.get(url)
        assert head.content == b""
        assert head.status_code == get.status_code
        varying = {"x-request-id"}
        assert {k: v for k, v in head.headers.items() if k not in varying} == {
            k: v for k, v in get.headers.items() if k not in varying
        }


def test_only_what_was_seen_is_changed(engine, clock, client):
    """`If-Match` counts by the revision: the clock's changes are nobody's, anybody's write is."""
    id = engine.enroll(two_steps(), Resource("lead", 1, email="ada@example.com")).id
    url = f"{ENROLLMENTS}/{id}"
    seen = client.get(url).headers["etag"]
    engine.block(id)
    outdated = client.put(url, {"state": "finished"}, headers={"if-match": seen})
    assert (outdated.status_code, errors_of(outdated)) == (412, [("precondition_failed", None)])
    assert engine.get(id).state == "blocked"

    seen = client.get(url).headers["etag"]
    clock.set(clock.now().add(hours=2))
    resumed = client.put(url, {"state": "active"}, headers={"if-match": f'"9-0123456789abcdef", {seen}'})
    assert resumed.status_code == 200
    assert client.put(url, {"state": "active"}, headers={"if-match": f"W/{resumed.headers['etag']}"}).status_code == 412
    assert client.put(url, {"state": "active"}, headers={"if-match": '"none-of-ours"'}).status_code == 412
    assert errors_of(client.put(url, {"state": "active"}, headers={"if-match": "nonsense"})) == [
        ("invalid_header", None)
    ]
    # The answer to a write has the tag to go on with.
    done = client.put(url, {"state": "finished"}, headers={"if-match": resumed.headers["etag"]})
    assert (done.status_code, done.json()["data"]["state"]) == (200, "finished")
    assert client.put(url, {"state": "finished"}, headers={"if-match": "*"}).status_code == 200
    assert client.put(f"{ENROLLMENTS}/99", {"state": "finished"}, headers={"if-match": "*"}).status_code == 404


@pytest.mark.parametrize("condition", ["*", '"1-0000000000000000"'])
def test_a_condition_of_reading_is_not_passed_over_by_a_change(engine, client, condition):
    """`If-None-Match` with a change is refused, and nothing is changed: "only if it is not there" is not promised."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    sequence = client.get(f"{SEQUENCES}/1").json()
    for answer in (
        client.put(f"{ENROLLMENTS}/{id}", {"state": "finished"}, headers={"if-none-match": condition}),
        client.put(f"{SEQUENCES}/1", sequence["data"], headers={"if-none-match": condition}),
        client.delete(f"{SEQUENCES}/1", headers={"if-none-match": condition}),
        client.post(ENROLLMENTS, {"sequence_id": 1}, headers={"if-none-match": condition}),
    ):
        assert (answer.status_code, errors_of(answer)) == (400, [("invalid_header", None)])
    assert engine.get(id).state == "active"
    assert client.get(f"{SEQUENCES}/1").json() == sequence


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_of_several_writers_one_wins(tmp_path, clock, kind):
    """Four who saw the same enrollment and write at once: one succeeds, and the others are told that they are late."""
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "one.db")
    engine = Engine(store=store, clock=clock)
    app = application(engine, access=open_access(), limits=UNLIMITED, inspector=False)

    def write(url, etag, state):
        with client_of(app) as client:
            return client.put(url, {"state": state}, headers={"if-match": etag}).status_code

    with client_of(app) as client, ThreadPoolExecutor(4) as pool:
        for lead in range(5):
            id = engine.enroll(tasks(), Resource("lead", lead)).id
            engine.block(id)
            url = f"{ENROLLMENTS}/{id}"
            etag = client.get(url).headers["etag"]
            statuses = list(pool.map(lambda state, u=url, e=etag: write(u, e, state), ["finished", "active"] * 2))
            assert sorted(statuses) == [200, 412, 412, 412]
    store.close()


def test_enrolled_once(engine, client):
    """The same key makes one enrollment, however often it is sent; for another lead it is refused."""
    sequence_id = engine.create_sequence(tasks()).id
    body = {"sequence_id": sequence_id, "resource_type": "lead", "resource_id": 1}
    answers = [client.post(ENROLLMENTS, body, headers={"idempotency-key": "k-1"}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.content for answer in answers}) == 1
    assert len(engine.enrollments()) == 1
    other = client.post(ENROLLMENTS, {**body, "resource_id": 2}, headers={"idempotency-key": "k-1"})
    assert (other.status_code, errors_of(other)) == (422, [("incorrect_payload", None)])


def test_made_once(engine, client):
    """A sequence is made once under its key; another one under the same key is refused, as is the same without it."""
    body = {
        "name": "Inbound",
        "steps": [
            {
                "action_type": "task",
                "delay_from_previous_step": 0,
                "delay_from_previous_step_unit": "hours",
                "action_properties": {"task_content": "Call"},
            }
        ],
    }
    answers = [client.post(SEQUENCES, body, headers={"idempotency-key": "s-1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201] * 2
    assert answers[0].content == answers[1].content

    again = client.post(SEQUENCES, body)
    assert (again.status_code, errors_of(again)) == (422, [("already_exists", "/data/name")])
    other = client.post(SEQUENCES, {**body, "name": "Other"}, headers={"idempotency-key": "s-1"})
    assert (other.status_code, errors_of(other)) == (422, [("incorrect_payload", None)])


def test_finished_once(engine, client):
    """Under a key, what was begun since is not ended by a repeated request, which answers the same enrollments."""
    url = f"{ENROLLMENTS}/finish_ongoing_for_resource"
    first = engine.enroll(tasks(), Resource("lead", 1)).id
    body = {"resource_type": "lead", "resource_id": 1}
    ended = client.post(url, body, headers={"idempotency-key": "f-1"})
    second = engine.enroll(tasks(), Resource("lead", 1)).id
    repeated = client.post(url, body, headers={"idempotency-key": "f-1"})

    assert ended.content == repeated.content
    assert engine.get(first).state == "finished"
    assert engine.get(second).state == "active"


def test_reported_once(engine, client):
    """A report's key may come in the header; the same key with other content is refused."""
    id = engine.enroll(two_steps(), Resource("lead", 1, email="ada@example.com")).id
    url = f"{ENROLLMENTS}/{id}/signals"
    away = {"type": "out_of_office", "until": "2020-06-10"}
    for _ in range(2):
        answer = client.post(url, away, headers={"idempotency-key": "m-1"})
        assert (answer.status_code, answer.json()["data"]["state"]) == (200, "blocked")
    other = client.post(url, {"type": "replied", "key": "m-1"})
    assert (other.status_code, errors_of(other)) == (422, [("incorrect_payload", None)])
    assert (
        client.post(url, {"type": "replied", "key": "m-2", "at": "2020-06-03T11:59:59+00:00"}).json()["data"][
            "finished_reason"
        ]
        == "replied"
    )


def test_a_condition_is_never_passed_over(engine, client):
    """`If-Match` in several lines is one list; where nothing would be compared it is refused, and nothing is done."""
    enrollment = engine.enroll(two_steps(), Resource("lead", 1))
    url, stale = f"{ENROLLMENTS}/{enrollment.id}", '"9-0123456789abcdef"'
    lines = [("if-match", "*"), ("if-match", stale), ("content-type", "application/json")]
    body = b'{"data":{"state":"finished"}}'
    assert client.request("PUT", url, content=body, headers=lines).status_code == 412
    sequence = f"/v2/sequences/{enrollment.version.sequence_id}"
    for answer in (
        client.post(SEQUENCES, {"name": "x"}, headers={"if-match": stale}),
        client.post(f"{url}/signals", {"type": "replied", "key": "k"}, headers={"if-match": stale}),
    ):
        assert (answer.status_code, errors_of(answer)) == (400, [("invalid_header", None)])
    assert engine.get(enrollment.id).state == "active"
    assert client.delete(sequence, headers={"if-match": "*"}).status_code == 204
