"""Every error, of the engine and of HTTP, is answered with its status, its code and its place, in the one envelope."""

from __future__ import annotations

import json
import logging

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import (
    AlreadyEnrolled,
    Busy,
    Conflict,
    DefinitionError,
    IllegalTransition,
    InvalidInput,
    KeyReused,
    MissingMergeData,
    Misuse,
    NotFound,
    Outdated,
    Problem,
    Resource,
    SchemaMismatch,
    SequenceExists,
    SequencerError,
    StoreError,
    Suppressed,
)
from sequencer.core.problems import child, item
from sequencer.core.statuses import EnrollmentState
from sequencer.http import application, open_access
from sequencer.http.envelope import CODES, RESOURCE_CODES, Refusal, WireError, envelope_of, status_line
from sequencer.http.errors import ROWS, pointer_of, refusal_of
from sequencer.http.limits import Limits
from tests.http.conftest import UNLIMITED, tasks, two_steps
from tests.http.driving import client_of, errors_of

SECRET = "password=hunter2"
AT = pendulum.datetime(2026, 3, 2, tz="UTC")

# Each error as it is raised, and what is answered to it.
TABLE = {
    InvalidInput: (InvalidInput("no", path="timezone", code="blank"), 422, [("blank", "/data/timezone")]),
    NotFound: (NotFound("enrollment", 7), 404, [("not_found", None)]),
    AlreadyEnrolled: (AlreadyEnrolled(7, "is in it"), 422, [("already_exists", "/data/resource_id")]),
    SequenceExists: (SequenceExists(7, "a"), 422, [("already_exists", "/data/name")]),
    Suppressed: (Suppressed(), 422, [("incorrect_value", "/data/email")]),
    IllegalTransition: (IllegalTransition(EnrollmentState.ACTIVE, "resume"), 422, [("incorrect_value", "/data/state")]),
    DefinitionError: (
        DefinitionError([Problem("unknown_key", "no", "steps[1].a/b"), Problem("endless", "no", "steps")]),
        422,
        [("unknown", "/steps/1/a~1b"), ("incorrect_value", "/steps")],
    ),
    MissingMergeData: (MissingMergeData(["name"]), 422, [("incorrect_value", "/data/fields")]),
    KeyReused: (KeyReused("used"), 422, [("incorrect_payload", None)]),
    Outdated: (Outdated(3, 4), 412, [("precondition_failed", None)]),
    Busy: (Busy(SECRET), 503, [("temporarily_unavailable", None)]),
    Conflict: (Conflict(SECRET), 503, [("temporarily_unavailable", None)]),
    SchemaMismatch: (SchemaMismatch(1, [3]), 503, [("temporarily_unavailable", None)]),
    StoreError: (StoreError(SECRET), 503, [("temporarily_unavailable", None)]),
    Misuse: (Misuse(SECRET), 500, [("server_error", None)]),
    SequencerError: (SequencerError(SECRET), 500, [("server_error", None)]),
    Exception: (OSError(SECRET), 500, [("server_error", None)]),
}


def kinds(root):
    yield root
    for each in root.__subclasses__():
        yield from kinds(each)


def test_the_table_has_every_error():
    """Each error of the package has its row, in the code and in this test."""
    own = {kind for kind in kinds(SequencerError) if kind.__module__ == "sequencer.core.errors"}

    assert own <= set(ROWS)
    assert set(ROWS) == set(TABLE) == own | {Exception}


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_each_error_is_answered(kind):
    """An error becomes its status, code and field; and nothing of what a database said gets out."""
    error, status, expected = TABLE[kind]
    refusal = refusal_of(error)

    assert refusal.status == status
    assert [(each.code, each.field) for each in refusal.errors] == expected
    assert all(each.code in CODES[status] for each in refusal.errors)
    assert SECRET.encode() not in envelope_of(refusal, "x", "http://127.0.0.1/")
    assert all((each.resource is None) == (each.field is None) for each in refusal.errors)
    assert ("Retry-After" in refusal.headers) == (status == 503)


def test_details_help():
    """An existing enrollment is named, and from when a new one is possible."""
    (error,) = refusal_of(AlreadyEnrolled(7, "no", again_at=AT)).errors

    assert error.details == "enrollment 7; possible again from 2026-03-02T00:00:00Z"


@given(st.lists(st.one_of(st.text(max_size=20), st.integers(0, 9)), min_size=1, max_size=4))
def test_pointers(parts):
    """A path becomes the pointer with the same parts, whatever the keys look like."""
    path = ""
    for part in parts:
        path = item(path, part) if isinstance(part, int) else child(path, part)
    pointer = pointer_of(path)

    found = [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]
    assert found == [str(part) for part in parts]


def test_the_status_line():
    """Each status is named as RFC 9110 and the service name it."""
    assert {status: status_line(status) for status in CODES} == {
        400: "400 Bad Request",
        401: "401 Unauthorized",
        403: "403 Forbidden",
        404: "404 Not Found",
        405: "405 Method Not Allowed",
        412: "412 Precondition Failed",
        413: "413 Payload Too Large",
        422: "422 Unprocessable Entity",
        429: "429 Too Many Requests",
        500: "500 Internal Server Error",
        503: "503 Service Unavailable",
    }


NEW = {"sequence_id": 1, "resource_type": "lead", "resource_id": 1}
ENROLLMENTS = "/v2/sequence_enrollments"


@pytest.mark.parametrize(
    ("method", "url", "content", "headers", "status", "codes"),
    [
        ("GET", f"{ENROLLMENTS}?page=0", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?page=01", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?page=%D9%A1", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?page=", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?per_page=101&page=x", b"", {}, 400, [("invalid_param", None)] * 2),
        ("GET", f"{ENROLLMENTS}?per_page=1&per_page=1", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?ids=1,,2", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?ids=9223372036854775808", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?resource_ids=", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?resource_ids={'1,' * 100}1", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}?resource_type=%00", b"", {}, 400, [("invalid_param", None)]),
        ("GET", "/v2/sequences?name=%FF", b"", {}, 400, [("invalid_param", None)]),
        ("GET", "/v2/sequences?name=%ED%A0%80", b"", {}, 400, [("invalid_param", None)]),
        ("GET", ENROLLMENTS, b"", {"host": "["}, 400, [("invalid_header", None)]),
        ("GET", ENROLLMENTS, b"", {"host": "evil.example/x?"}, 400, [("invalid_header", None)]),
        ("GET", "/nowhere", b"", {"host": "a@b"}, 400, [("invalid_header", None)]),
        ("GET", f"{ENROLLMENTS}/1?page=1", b"", {}, 400, [("invalid_param", None)]),
        ("GET", "/v2/sequences?resource_type=lead", b"", {}, 400, [("invalid_param", None)]),
        ("GET", f"{ENROLLMENTS}/0", b"", {}, 404, [("not_found", None)]),
        ("GET", f"{ENROLLMENTS}/-1", b"", {}, 404, [("not_found", None)]),
        ("GET", f"{ENROLLMENTS}/1.0", b"", {}, 404, [("not_found", None)]),
        ("GET", f"{ENROLLMENTS}/9223372036854775808", b"", {}, 404, [("not_found", None)]),
        ("GET", "/v2/sequences/x", b"", {}, 404, [("not_found", None)]),
        ("GET", f"{ENROLLMENTS}/", b"", {}, 404, [("incorrect_path", None)]),
        ("GET", "/", b"", {}, 404, [("incorrect_path", None)]),
        ("GET", "/v2", b"", {}, 404, [("incorrect_path", None)]),
        ("GET", "/v3/sequence_enrollments/1", b"", {}, 404, [("incorrect_path", None)]),
        ("GET", "/abcsequences/1", b"", {}, 404, [("incorrect_path", None)]),
        ("GET", f"{ENROLLMENTS}/1/signals", b"", {}, 405, [("incorrect_path", None)]),
        ("TRACE", ENROLLMENTS, b"", {}, 405, [("incorrect_path", None)]),
        ("POST", ENROLLMENTS, b"", {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b"{}", {"content_type": "text/plain"}, 400, [("invalid_header", None)]),
        ("POST", ENROLLMENTS, b"{}", {"content_type": "application/json; charset=latin-1"}, 400,
         [("invalid_header", None)]),
        ("POST", ENROLLMENTS, b"{}", {"idempotency_key": "a b"}, 400, [("invalid_header", None)]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"active"}}', {"if_match": "3"}, 400,
         [("invalid_header", None)]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"active"}}', {"if_match": '"3"'}, 412,
         [("precondition_failed", None)]),
        ("PUT", f"{ENROLLMENTS}/finish_ongoing_for_resource", b"{}", {}, 405, [("incorrect_path", None)]),
        ("POST", f"{ENROLLMENTS}/1", b"{}", {}, 405, [("incorrect_path", None)]),
        ("POST", ENROLLMENTS, b"{}", {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b"[]", {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":null}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{},"more":1}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{},"meta":{"type":"lead"}}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{"a":1,"a":1}}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{"a":NaN}}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{"a":1e999}}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{"a":"\xff"}}', {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":' + b"[" * 33 + b"]" * 33 + b"}", {}, 400, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":"' + b"x" * 262_144 + b'"}', {}, 413, [("invalid_payload", None)]),
        ("POST", ENROLLMENTS, b'{"data":{"sequence_id":1,"resource_type":"\\u0000","resource_id":1}}', {}, 422,
         [("incorrect_value", "/data/resource_type")]),
        ("POST", ENROLLMENTS, b'{"data":{"sequence_id":1,"resource_type":"\\ud800","resource_id":1}}', {}, 422,
         [("incorrect_value", "/data/resource_type")]),
        ("POST", ENROLLMENTS, b'{"data":{"sequence_id":1,"resource_type":"a","resource_id":9223372036854775808}}', {},
         422, [("incorrect_value", "/data/resource_id")]),
        ("POST", ENROLLMENTS, b'{"data":{"resource_type":" ","resource_id":null,"sequence_id":true,"a/b":1}}', {}, 422,
         [("unknown", "/data/a~1b"), ("invalid_type", "/data/sequence_id"), ("blank", "/data/resource_type"),
          ("blank", "/data/resource_id")]),
        ("POST", f"{ENROLLMENTS}/1/signals", b'{"data":{"type":"replied"}}', {}, 422, [("missing", "/data/key")]),
        ("POST", f"{ENROLLMENTS}/9/signals", b'{"data":{"type":"replied"}}', {}, 404, [("not_found", None)]),
        ("POST", f"{ENROLLMENTS}/1/signals", b'{"data":{"type":"replied","until":null}}', {}, 422,
         [("unknown", "/data/until")]),
        ("POST", f"{ENROLLMENTS}/1/signals", b'{"data":{"type":"ended"}}', {}, 422,
         [("incorrect_value", "/data/type")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"ended"}}', {}, 422, [("incorrect_value", "/data/state")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":null}}', {}, 422, [("blank", "/data/state")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{}}', {}, 422, [("missing", "/data/state")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"finished","skip":true}}', {}, 422, [("unknown", "/data/skip")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"active","until":null}}', {}, 422, [("unknown", "/data/until")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"active","skip":1,"timeline":"later"}}', {}, 422,
         [("incorrect_value", "/data/timeline"), ("invalid_type", "/data/skip")]),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":"blocked","until":"2026-03-09","reason":" "}}', {}, 422,
         [("blank", "/data/reason"), ("incorrect_value", "/data/until")]),
        ("POST", f"{ENROLLMENTS}/1/signals", b'{"data":{"type":"task_completed","key":"k"}}', {}, 422,
         [("incorrect_value", "/data/task_id")]),
        ("POST", f"{ENROLLMENTS}/1/signals", b'{"data":{"type":"task_completed","key":"k","task_id":7}}', {}, 422,
         [("incorrect_value", "/data/task_id")]),
        ("POST", f"{ENROLLMENTS}/1/signals", b'{"data":{"type":"task_completed","key":"k","message_id":"m"}}', {}, 422,
         [("unknown", "/data/message_id")]),
        ("GET", f"{ENROLLMENTS}?state=ended&sequence_id=x", b"", {}, 400, [("invalid_param", None)] * 2),
        ("PUT", f"{ENROLLMENTS}/1", b'{"data":{"state":1}}', {}, 422, [("invalid_type", "/data/state")]),
        ("PUT", "/v2/sequences/9", b'{"data":{"name":"x","steps":[]}}', {}, 422, [("incorrect_value", "/data/steps")]),
        ("POST", "/v2/sequences", b'{"data":{"name":"x","steps":[],"database":1}}', {}, 422,
         [("unknown", "/data/database"), ("incorrect_value", "/data/steps")]),
        ("DELETE", "/v2/sequences/9", b"", {}, 404, [("not_found", None)]),
    ],
)  # fmt: skip
def test_each_way_to_be_wrong(engine, client, method, url, content, headers, status, codes):
    """A request that is wrong in one way is refused for just that, in the envelope, and changes nothing."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    before = client.get(f"{ENROLLMENTS}/{id}").content
    response = client.send(method, url, content, **headers)

    assert response.status_code == status
    assert errors_of(response) == codes
    assert client.get(f"{ENROLLMENTS}/{id}").content == before
    if status == 405:
        assert response.headers["allow"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sequence_id": 99}, [("incorrect_value", "/data/sequence_id")]),
        ({"resource_id": 42}, [("already_exists", "/data/resource_id")]),
        ({"email": "eve@example.com"}, [("incorrect_value", "/data/email")]),
        ({"email": "eve"}, [("incorrect_value", "/data/email")]),
        ({"timezone": "Mars/Olympus"}, [("incorrect_value", "/data/timezone")]),
        ({"fields": {"a b": 1}}, [("incorrect_value", "/data/fields/a b")]),
        ({"fields": {"a": {}}}, [("invalid_type", "/data/fields/a")]),
        ({"actor_id": ""}, [("incorrect_value", "/data/actor_id")]),
    ],
)
def test_each_enrollment_that_is_refused(engine, client, given, expected):
    """What the rules of the engine or the state of things refuse points to what was sent."""
    id = engine.enroll(two_steps(), Resource("lead", 42)).version.sequence_id
    engine.suppress("eve@example.com")
    response = client.post(ENROLLMENTS, {"sequence_id": id, "resource_type": "lead", "resource_id": 1, **given})

    assert response.status_code == 422
    assert errors_of(response) == expected
    assert len(engine.enrollments()) == 1


def test_a_key_that_is_meant_otherwise(client):
    """A key that is nearly one that is known is told which that is."""
    sent = {"sequence_id": 1, "resource_type": "lead", "resource_id": 1, "mail": "ada@example.com"}
    response = client.post(ENROLLMENTS, sent)
    assert errors_of(response) == [("unknown", "/data/mail")]
    assert "did you mean email?" in response.text


def test_very_much_is_wrong(client):
    """A body with more than a hundred values that nothing can store is refused for the first hundred of them."""
    body = json.dumps({"data": {f"key{i}": "\x00" for i in range(150)}}).encode()
    response = client.send("POST", "/v2/sequences", body)

    assert response.status_code == 422
    assert errors_of(response)[:100] == [("incorrect_value", f"/data/key{i}") for i in range(100)]
    assert len(response.json()["errors"]) == 101


def test_the_existing_one_is_named(engine, client):
    """Who is enrolled already is told by which enrollment."""
    enrollment = engine.enroll(tasks(), Resource("lead", 42))
    response = client.post(
        ENROLLMENTS, {"sequence_id": enrollment.version.sequence_id, "resource_type": "lead", "resource_id": 42}
    )

    assert response.json()["errors"][0]["error"]["details"] == f"enrollment {enrollment.id}"


def test_what_the_state_does_not_allow(engine, client):
    """A finished enrollment cannot be made active, and says so for its state; to finish it again is no error."""
    id = engine.enroll(tasks(), Resource("lead", 42)).id
    assert client.put(f"{ENROLLMENTS}/{id}", {"state": "active"}).status_code == 200
    assert client.put(f"{ENROLLMENTS}/{id}", {"state": "finished"}).status_code == 200
    again = client.put(f"{ENROLLMENTS}/{id}", {"state": "finished"})
    assert (again.status_code, again.json()["data"]["state"]) == (200, "finished")

    response = client.put(f"{ENROLLMENTS}/{id}", {"state": "active"})
    assert (response.status_code, errors_of(response)) == (422, [("incorrect_value", "/data/state")])


@pytest.mark.parametrize("sent", ["", "abc-DEF_09", "x" * 64, "x" * 65, "a b", "a\tb", "é"])
def test_the_request_id(client, sent):
    """A sane id of the caller's comes back, on successes and errors; any other is replaced."""
    headers = {"x-request-id": sent.encode("latin-1")}
    for url in (ENROLLMENTS, f"{ENROLLMENTS}/9", "/nowhere", "/openapi.json"):
        found = client.get(url, headers=headers).headers["x-request-id"]
        assert (found == sent) == (sent in {"abc-DEF_09", "x" * 64})
        assert found


def test_every_answer_is_guarded(client):
    """No answer is kept by a cache, sniffed at, framed, or let run anything."""
    for url in (ENROLLMENTS, "/nowhere", "/openapi.json"):
        headers = client.get(url).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_what_nobody_foresaw(engine, client, monkeypatch, caplog):
    """It is answered in the envelope, and logged under the request's id with its lines of code; its text is nowhere."""

    def broken(*arguments, **keywords):
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(type(engine), "get", broken)
    with caplog.at_level(logging.ERROR, "sequencer.http"):
        response = client.get(f"{ENROLLMENTS}/1", headers={"x-request-id": "find-me"})

    assert (response.status_code, errors_of(response)) == (500, [("server_error", None)])
    assert SECRET not in response.text
    (record,) = caplog.records
    assert record.getMessage() == "find-me: getSequenceEnrollment failed: ZeroDivisionError"
    assert (record.request_id, "in broken" in record.traceback) == ("find-me", True)
    assert SECRET not in f"{caplog.text} {vars(record)}"


def test_a_conflict_is_tried_once_more(engine, client, monkeypatch):
    """Who was just not fast enough is served at the second try; who is not fast enough twice is told to ask again."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    real, times = type(engine).finish, []

    def busy(self, *arguments, **keywords):
        times.append(1)
        if len(times) != 2:
            raise Conflict("busy")
        return real(self, *arguments, **keywords)

    monkeypatch.setattr(type(engine), "finish", busy)
    assert client.put(f"{ENROLLMENTS}/{id}", {"state": "finished"}).status_code == 200
    monkeypatch.setattr(type(engine), "finish", lambda *a, **k: (_ for _ in ()).throw(Conflict("busy")))
    refused = client.put(f"{ENROLLMENTS}/{id}", {"state": "finished"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert errors_of(refused) == [("temporarily_unavailable", None)]


def test_nobody_in_particular(engine):
    """Without a grant, nothing is told of what there is; and asking again and again is slowed down."""
    app = application(
        engine,
        access=lambda request: None,
        limits=Limits(unauthorized_rate=0.001, unauthorized_burst=3),
        inspector=False,
    )
    with client_of(app) as client:
        answers = [client.get(f"{ENROLLMENTS}/{i}") for i in (1, 2)] + [client.post(ENROLLMENTS, NEW)]
        assert [answer.status_code for answer in answers] == [401] * 3
        assert all(answer.headers["www-authenticate"] == "Bearer" for answer in answers)
        slowed = client.get(ENROLLMENTS)
    assert (slowed.status_code, errors_of(slowed)) == (429, [("rate_limit_exceeded", None)])
    assert int(slowed.headers["retry-after"]) > 0


def test_reading_only(engine):
    """A grant for reading reads, and changes nothing."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    app = application(engine, access=open_access(scope="read"), limits=UNLIMITED, inspector=False)
    with client_of(app) as client:
        assert client.get(f"{ENROLLMENTS}/{id}").status_code == 200
        for answer in (
            client.put(f"{ENROLLMENTS}/{id}", {"state": "finished"}),
            client.post(ENROLLMENTS, NEW),
            client.delete("/v2/sequences/1"),
        ):
            assert (answer.status_code, errors_of(answer)) == (403, [("insufficient_scope", None)])
    assert engine.get(id).state == "active"


def test_the_codes_are_the_services():
    """All codes but one are the service's own, and each resource error has one of its six."""
    assert set(RESOURCE_CODES) == {"unknown", "missing", "already_exists", "blank", "invalid_type", "incorrect_value"}
    assert {code for codes in CODES.values() for code in codes} == set(RESOURCE_CODES) | {
        "invalid_param", "invalid_header", "invalid_payload", "unauthorized", "insufficient_scope", "not_found",
        "incorrect_path", "incorrect_payload", "rate_limit_exceeded", "server_error", "temporarily_unavailable",
        "precondition_failed",
    }  # fmt: skip


def test_an_error_may_quote_anything():
    """The envelope is valid UTF-8 also where a message quotes half a character."""
    refusal = Refusal(422, [WireError("blank", "\ud800 is none", "sequence", "/data/\ud800")])

    assert envelope_of(refusal, "x", "http://127.0.0.1/").decode("utf-8")


def test_thousands_of_mistakes_have_a_short_answer(client):
    """An answer does not grow with what is wrong; and a key of any spelling has a pointer that leads to it."""
    answer = client.get(f"{ENROLLMENTS}?{'&'.join(f'p{n}' for n in range(8000))}")
    assert (answer.status_code, len(answer.json()["errors"])) == (400, 20)
    data = {"sequence_id": 1, "resource_type": "lead", "resource_id": 1, "fields": {"a/b~c": 1}}
    assert errors_of(client.post(ENROLLMENTS, data)) == [("incorrect_value", "/data/fields/a~1b~0c")]
