"""The model service's own client for Python gets along with a server of ours: every call, also those that fail."""

from __future__ import annotations

from contextlib import contextmanager

import basecrm
import pytest
from basecrm.errors import RateLimitError, RequestError, ResourceError, ServerError

from sequencer import StoreError
from sequencer.http import Grant, application
from sequencer.http.limits import Limits
from tests.http.conftest import UNLIMITED, tasks, two_steps
from tests.http.driving import served

WRITER, READER = "w" * 64, "r" * 64
ENROLLMENTS, SEQUENCES = "/sequence_enrollments", "/sequences"


def access(request):
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return {WRITER: Grant(None, "write", 1700155, "writer"), READER: Grant(None, "read", None, "reader")}.get(token)


@contextmanager
def connected(engine, token=WRITER, limits=UNLIMITED):
    """What the client talks through, with its configuration found valid."""
    with served(application(engine, access=access, limits=limits, inspector=False)) as url:
        client = basecrm.Client(access_token=token, base_url=url)
        client.config.validate()
        yield client.http_client


@pytest.fixture
def http(engine):
    with connected(engine) as http:
        yield http


def test_a_life(http, engine, clock):
    """A sequence is made and found; a lead is enrolled, found, finished; and the client unwraps every answer."""
    status, _, sequence = http.post(
        SEQUENCES,
        {
            "name": "Inbound",
            "steps": {
                "items": [
                    {
                        "data": {
                            "action_type": "task",
                            "delay_from_previous_step": 1,
                            "delay_from_previous_step_unit": "hours",
                            "action_properties": {"task_content": "Call"},
                        }
                    }
                ]
            },
        },
    )
    assert (status, sequence.name, sequence.steps_total, sequence.creator_id) == (201, "Inbound", 1, 1700155)
    assert http.get(f"{SEQUENCES}/{sequence.id}")[2] == sequence
    assert http.get(SEQUENCES, params={"name": "Inbound", "page": 1, "per_page": 10})[2] == [sequence]

    _, _, enrollment = http.post(
        ENROLLMENTS,
        {"sequence_id": str(sequence.id), "resource_type": "lead", "resource_id": "1000", "actor_id": None},
    )
    assert (enrollment.state, enrollment.resource_id, enrollment.actor_id) == ("active", 1000, 1700155)
    assert enrollment.enrollment_steps["items"][0].data.action.data.status == "pending"
    assert http.get(f"{ENROLLMENTS}/{enrollment.id}")[2] == enrollment
    for params in (
        {"ids": str(enrollment.id)},
        {"ids": f"{enrollment.id},999"},
        {"resource_ids": "1000,1001", "resource_type": "lead"},
        {"resource_ids": "1000"},
        {"page": 1, "per_page": 100},
    ):
        assert http.get(ENROLLMENTS, params=params)[2] == [enrollment], params
    assert http.get(ENROLLMENTS, params={"resource_type": "contact"})[2] == []

    _, _, finished = http.put(f"{ENROLLMENTS}/{enrollment.id}", {"state": "finished"})
    assert (finished.state, finished.finished_actor_id) == ("finished", 1700155)

    _, _, again = http.post(
        ENROLLMENTS, {"sequence_id": sequence.id, "resource_type": "lead", "resource_id": 1000, "actor_id": 7}
    )
    assert again.actor_id == 7
    _, _, done = http.post(
        f"{ENROLLMENTS}/finish_ongoing_for_resource",
        {"resource_type": "lead", "resource_id": "1000", "sequence_ids": None},
    )
    assert done.enrollment_action == "finish"
    assert [each.data.id for each in done.updated_enrollments["items"]] == [again.id]

    status, _, nothing = http.delete(f"{SEQUENCES}/{sequence.id}")
    assert (status, nothing) == (204, b"")
    assert http.get(SEQUENCES)[2] == []
    # Whoever was enrolled in it is found as before.
    assert http.get(f"{ENROLLMENTS}/{again.id}")[2].sequence.data.name == "Inbound"


def test_a_signal(http, engine):
    """What happened outside is reported with the client, too, and counts once."""
    sequence = engine.create_sequence(two_steps())
    _, _, enrollment = http.post(
        ENROLLMENTS, {"sequence_id": sequence.id, "resource_type": "lead", "resource_id": 1, "email": "ada@example.com"}
    )
    for _ in range(2):
        _, _, after = http.post(f"{ENROLLMENTS}/{enrollment.id}/signals", {"type": "replied", "key": "inbox-1"})
        assert (after.state, after.finished_reason) == ("finished", "replied")


def test_pages(http, engine):
    """Following `next_page` to its end gives every enrollment once."""
    sequence = engine.create_sequence(tasks())
    made = [
        http.post(ENROLLMENTS, {"sequence_id": sequence.id, "resource_type": "lead", "resource_id": i})[2].id
        for i in range(1, 8)
    ]
    found, url = [], f"{ENROLLMENTS}?per_page=3"
    while url:
        _, _, page = http.get(url, raw=True)
        found += [item["data"]["id"] for item in page["items"]]
        url = page["meta"]["links"].get("next_page", "").partition("/v2")[2]
    assert found == made


@pytest.mark.parametrize(
    ("call", "error", "status", "code", "field"),
    [
        (lambda http: http.get(f"{ENROLLMENTS}/999"), RequestError, 404, "not_found", None),
        (lambda http: http.get("/campaigns"), RequestError, 404, "incorrect_path", None),
        (lambda http: http.delete(f"{ENROLLMENTS}/1"), RequestError, 405, "incorrect_path", None),
        (lambda http: http.get(ENROLLMENTS, {"per_page": 101}), RequestError, 400, "invalid_param", None),
        (lambda http: http.get(ENROLLMENTS, {"status": "active"}), RequestError, 400, "invalid_param", None),
        (lambda http: http.post(ENROLLMENTS, [1]), RequestError, 400, "invalid_payload", None),
        (
            lambda http: http.post(ENROLLMENTS, {"resource_type": "lead", "resource_id": 5}),
            ResourceError, 422, "missing", "/data/sequence_id",
        ),
        (
            lambda http: http.put(f"{ENROLLMENTS}/1", {"state": "done"}),
            ResourceError, 422, "incorrect_value", "/data/state",
        ),
        (
            lambda http: http.post(ENROLLMENTS, {"sequence_id": 1, "resource_type": "lead", "resource_id": 1}),
            ResourceError, 422, "already_exists", "/data/resource_id",
        ),
    ],
)  # fmt: skip
def test_what_fails(http, engine, call, error, status, code, field):
    """The client makes its own errors of ours: with the status, the code, the field and the log's reference."""
    sequence = engine.create_sequence(tasks())
    http.post(ENROLLMENTS, {"sequence_id": sequence.id, "resource_type": "lead", "resource_id": 1})
    with pytest.raises(error) as raised:
        call(http)

    assert raised.value.http_status == status
    assert [(each.code, each.get("field")) for each in raised.value.errors] == [(code, field)]
    assert len(raised.value.logref) == 32


def test_who_may_not(engine):
    """A token that is none, and one that is for reading only, are refused in words that the client understands."""
    with connected(engine, "x" * 64) as http, pytest.raises(RequestError) as raised:
        http.get(ENROLLMENTS)
    assert (raised.value.http_status, raised.value.errors[0].code) == (401, "unauthorized")

    with connected(engine, READER) as http:
        assert http.get(ENROLLMENTS)[2] == []
        with pytest.raises(RequestError) as raised:
            http.put(f"{ENROLLMENTS}/1", {"state": "finished"})
    assert (raised.value.http_status, raised.value.errors[0].code) == (403, "insufficient_scope")


def test_too_often(engine):
    """Who asks too often meets the client's own error for that."""
    with connected(engine, limits=Limits(rate=0.001, burst=2)) as http:
        assert http.get(ENROLLMENTS)[0] == http.get(ENROLLMENTS)[0] == 200
        with pytest.raises(RateLimitError):
            http.get(ENROLLMENTS)


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [(StoreError("disk"), 503, "temporarily_unavailable"), (ZeroDivisionError("?"), 500, "server_error")],
)
def test_what_is_ours_to_mend(http, engine, monkeypatch, raised, status, code):
    """A store that cannot be used, and what nobody foresaw, are the client's `ServerError`, without a word of why."""

    def broken(*arguments, **keywords):
        raise raised

    monkeypatch.setattr(type(engine), "get", broken)
    with pytest.raises(ServerError) as caught:
        http.get(f"{ENROLLMENTS}/1")

    assert (caught.value.http_status, caught.value.errors[0].code) == (status, code)
    assert str(raised) not in str(caught.value)
