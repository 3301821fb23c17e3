"""What a client that has only a token can do with an enrollment: complete its tasks, hold it, let it go on, find it."""

from __future__ import annotations

import pytest

from sequencer import AutomatedEmail, Hours, Resource, Sequence, Step, Task, Template
from sequencer.http import Grant, application
from tests.http.conftest import UNLIMITED, tasks
from tests.http.driving import client_of, errors_of

ENROLLMENTS = "/v2/sequence_enrollments"


def done(client, id, **more):
    return client.post(f"{ENROLLMENTS}/{id}/signals", {"type": "task_completed", **more})


def statuses(answer):
    assert answer.status_code == 200, answer.text
    items = answer.json()["data"]["enrollment_steps"]["items"]
    return [item["data"]["action"]["data"]["status"] for item in items]


def test_a_task_is_completed(engine, clock, client):
    """The task of the current step, or one that is named, is completed; the same report again completes no other."""
    id = engine.enroll(tasks(count=3), Resource("lead", 1)).id
    other = engine.enroll(tasks(), Resource("lead", 2)).id
    assert errors_of(done(client, id, key="early")) == [("incorrect_value", "/data/task_id")]
    engine.run_until(clock.now().add(hours=1))
    theirs = engine.get(other).steps[0].task_id

    assert errors_of(done(client, id, key="not mine", task_id=theirs)) == [("incorrect_value", "/data/task_id")]
    at = "2020-06-03T12:30:00Z"
    assert statuses(done(client, id, key="k-1", at=at)) == ["completed", "pending", "pending"]
    assert statuses(done(client, id, key="k-1")) == ["completed", "pending", "pending"]
    engine.run_until(clock.now().add(hours=1))
    assert statuses(done(client, id, key="k-1")) == ["completed", "in_progress", "pending"]
    assert statuses(done(client, id, key="k-2", task_id=str(engine.get(id).steps[1].task_id)))[1] == "completed"
    assert statuses(done(client, id, key="k-1")) == ["completed", "completed", "pending"]
    assert statuses(done(client, id, key="k-2", task_id=engine.get(id).steps[1].task_id))[2] == "pending"

    first, second = (engine.get(id).steps[i].task_id for i in (0, 1))
    assert errors_of(done(client, id, key="k-1", task_id=second)) == [("incorrect_payload", None)]
    assert errors_of(done(client, other, key="k-1")) == [("incorrect_payload", None)]
    assert {task.id: task.status for task in engine.tasks(status="done")} == {first: "done", second: "done"}
    assert engine.get(other).steps[0].task_id == theirs
    assert engine.get(other).state == "active"


def test_a_task_of_another_account(engine, clock):
    """What another account has can be completed by no key, no id and no task that is theirs."""
    id = engine.account("acme").enroll(tasks(), Resource("lead", 1)).id
    mine = engine.account("rival").enroll(tasks(), Resource("lead", 1)).id
    engine.run_until(clock.now().add(hours=1))
    theirs = engine.account("acme").get(id).steps[0].task_id
    app = application(engine, access=lambda request: Grant("rival", "write"), limits=UNLIMITED, inspector=False)
    with client_of(app) as client:
        assert done(client, id, key="k").status_code == 404
        assert errors_of(done(client, mine, key="k", task_id=theirs)) == [("incorrect_value", "/data/task_id")]
        assert statuses(done(client, mine, key="k")) == ["completed"]
    assert engine.account("acme").get(id).steps[0].status == "in_progress"


@pytest.mark.parametrize(
    ("given", "reason", "until"),
    [
        ({}, "paused", None),
        ({"reason": None, "until": None}, "paused", None),
        ({"reason": "fair", "until": "2020-06-10T10:00:00+02:00"}, "fair", "2020-06-10T08:00:00Z"),
    ],
)
def test_holding(engine, client, given, reason, until):
    """`blocked` holds an enrollment and shows why and until when; who goes on, or has ended, is blocked by nothing."""
    url = f"{ENROLLMENTS}/{engine.enroll(tasks(), Resource('lead', 1)).id}"
    etag = client.get(url).headers["etag"]
    held = client.put(url, {"state": "blocked", **given}, headers={"if-match": etag})
    data = held.json()["data"]
    assert (data["state"], data["blocked_reason"], data["blocked_until"]) == ("blocked", reason, until)
    assert client.put(url, {"state": "blocked"}, headers={"if-match": etag}).status_code == 412
    assert client.put(url, {"state": "blocked", **given}).json()["data"] == data

    for state in ("active", "blocked", "finished"):
        data = client.put(url, {"state": state}).json()["data"]
        assert (data["blocked_reason"] is None) == (state != "blocked")
        assert data["blocked_until"] is None
    assert errors_of(client.put(url, {"state": "blocked"})) == [("incorrect_value", "/data/state")]


@pytest.mark.parametrize(
    ("timeline", "estimate"),
    [(None, "2020-06-03T14:30:00Z"), ("shift", "2020-06-03T14:30:00Z"), ("keep", "2020-06-03T14:00:00Z"),
     ("restart", "2020-06-03T15:00:00Z")],
)  # fmt: skip
def test_going_on(engine, clock, client, timeline, estimate):
    """What becomes of the timeline is what was asked for: half of an hour's delay was left, and two hours are over."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    clock.set(clock.now().add(minutes=30))
    engine.block(id)
    clock.set(clock.now().add(minutes=90))
    data = client.put(f"{ENROLLMENTS}/{id}", {"state": "active", "timeline": timeline}).json()["data"]

    assert data["state"] == "active"
    (step,) = data["enrollment_steps"]["items"]
    assert step["data"]["action"]["data"]["estimated_execute_at"] == estimate


def test_behind_a_step_that_failed(engine, clock, client):
    """With `skip` a blocked enrollment goes on behind the step that failed; without, the step is tried again."""
    steps = [Step(AutomatedEmail(1)), Step(Task("Call"), Hours(1))]
    sequence = Sequence("Mail", steps, templates={1: Template("Hello", "Hi")})
    id = engine.enroll(sequence, Resource("lead", 1)).id  # without an address, so that the mail fails
    engine.tick()
    data = client.get(f"{ENROLLMENTS}/{id}").json()["data"]
    assert (data["state"], data["blocked_reason"]) == ("blocked", "missing_merge_data")

    url = f"{ENROLLMENTS}/{id}"
    assert statuses(client.put(url, {"state": "active", "skip": False})) == ["pending", "pending"]
    engine.tick()
    assert statuses(client.put(url, {"state": "active", "skip": True})) == ["skipped", "pending"]


def test_finding(engine, client):
    """Enrollments are found by state and by sequence, together with all else; of no sequence there are none."""
    ids = [engine.enroll(tasks(name), Resource("lead", i)).id for i, name in enumerate(["A", "A", "B", "B"])]
    a, b = (engine.stored_sequence(name).id for name in "AB")
    engine.block(ids[1])
    engine.finish(ids[2])

    def found(query):
        return [each["data"]["id"] for each in client.get(f"{ENROLLMENTS}?{query}").json()["items"]]

    assert found("state=blocked") == [ids[1]]
    assert found("state=finished") == [ids[2]]
    assert found(f"sequence_id={a}") == ids[:2]
    assert found(f"sequence_id={b}&state=active") == [ids[3]]
    assert found(f"sequence_id={a}&state=active&resource_ids=1&resource_type=lead") == []
    assert found("sequence_id=999") == []
    engine.delete_sequence(a)
    assert found(f"sequence_id={a}&state=finished") == ids[:2]
    page = client.get(f"{ENROLLMENTS}?sequence_id={a}&state=finished&per_page=1").json()
    assert client.get(page["meta"]["links"]["next_page"]).json()["items"][0]["data"]["id"] == ids[1]
