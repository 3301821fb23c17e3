"""What the model service was seen to answer is what is answered here, field by field."""

from __future__ import annotations

import pendulum
import pytest

from sequencer import AutomatedEmail, Hours, Pending, Rejected, Resource, Sequence, Step, Task, Weekdays
from tests.http.conftest import tasks, two_steps

# As in the service's documentation, but for the ids that the store makes; of its two steps it shows the first.
RECORDED = {
    "data": {
        "id": 92593,
        "actor_id": 1700155,
        "resource_type": "lead",
        "resource_id": 1988695232,
        "created_at": "2020-06-03T11:08:42Z",
        "updated_at": "2020-06-03T11:09:18Z",
        "state": "finished",
        "current_step_position": 1,
        "finished_at": "2020-06-03T11:09:18Z",
        "finished_reason": "manual",
        "finished_actor_id": 1700155,
        "sequence": {
            "data": {
                "id": 21124,
                "name": "My sequence",
                "steps_total": 2,
                "creator_id": 1700155,
                "created_at": "2020-06-03T11:08:12Z",
                "updated_at": "2020-06-03T11:08:12Z",
            },
            "meta": {"type": "sequence"},
        },
        "enrollment_steps": {
            "items": [
                {
                    "data": {
                        "position": 0,
                        "delay_from_previous_step": 0,
                        "delay_from_previous_step_unit": "weekdays",
                        "overdue": False,
                        "action_type": "automated_email",
                        "action_properties": {"email_template_id": 398744, "is_reply": False},
                        "action": {
                            "data": {
                                "status": "completed",
                                "executed_at": "2020-06-03T11:08:43Z",
                                "estimated_execute_at": "2020-06-03T11:08:42Z",
                                "failure_reason": None,
                            },
                            "meta": {"type": "action"},
                        },
                    },
                    "meta": {"type": "enrollment_step"},
                }
            ],
            "meta": {"type": "collection", "count": 2},
        },
    },
    "meta": {"type": "sequence_enrollment"},
}


def at(time):
    return pendulum.parse(f"2020-06-03T{time}Z")


def paths(value, path=""):
    """Every key and leaf of a document, in order."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{path}.{key}"
            yield from paths(each, f"{path}.{key}")
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from paths(each, f"{path}[{i}]")
    else:
        yield f"{path}={value!r}"


def test_the_recorded_enrollment(engine, clock, client):
    """The same life as in the service's own example reads the same here: every field, every value, in their order."""
    clock.set(at("11:08:12"))
    sequence = engine.create_sequence(two_steps(), creator_id=1700155)
    clock.set(at("11:08:42"))
    made = client.post(
        "/v2/sequence_enrollments",
        {
            "sequence_id": sequence.id,
            "resource_type": "lead",
            "resource_id": "1988695232",
            "actor_id": None,
            "email": "ada@example.com",
        },
    ).json()
    clock.set(at("11:08:43"))
    engine.tick()
    clock.set(at("11:09:18"))
    client.put(f"/v2/sequence_enrollments/{made['data']['id']}", {"state": "finished"})
    answered = client.get(f"/v2/sequence_enrollments/{made['data']['id']}").json()

    steps = answered["data"]["enrollment_steps"]["items"]
    assert len(steps) == 2
    del steps[1:]
    # What is ours beside it.
    assert [answered["data"].pop(name) for name in ("blocked_reason", "blocked_until")] == [None, None]
    answered["data"]["id"], answered["data"]["sequence"]["data"]["id"] = 92593, 21124
    assert answered == RECORDED
    assert list(paths(answered)) == list(paths(RECORDED))


def actions(client, id):
    items = client.get(f"/v2/sequence_enrollments/{id}").json()["data"]["enrollment_steps"]["items"]
    return [item["data"]["action"]["data"] for item in items]


def test_a_task_has_its_text_and_its_id(engine, clock, client):
    """A task shows its text from the start, its id from when it exists, and goes from in progress to completed."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    assert actions(client, id) == [
        {
            "status": "pending",
            "executed_at": None,
            "estimated_execute_at": "2020-06-03T13:00:00Z",
            "failure_reason": None,
            "task_content": "Call",
        }
    ]

    engine.run_until(clock.now().add(hours=2))
    (task,) = engine.tasks()
    (action,) = actions(client, id)
    assert (action["status"], action["task_id"]) == ("in_progress", task.id)

    engine.complete_task(task.id)
    (action,) = actions(client, id)
    assert (action["status"], action["executed_at"]) == ("completed", "2020-06-03T14:00:00Z")


def test_what_is_out_reads_pending(engine, client, mailer):
    """A mail whose answer is still out is `requested` inside, and `pending` on the wire."""
    mailer.send = lambda email, *, key, timeout: Pending("p-1")
    id = engine.enroll(two_steps(), Resource("lead", 1, email="ada@example.com")).id
    engine.tick()

    assert engine.get(id).steps[0].status == "requested"
    assert actions(client, id)[0]["status"] == "pending"


def test_a_failure_is_named(engine, client, mailer):
    """A mail that failed for good has its reason, and blocks; `active` tries it again."""
    mailer.send = lambda email, *, key, timeout: Rejected("no such mailbox", permanent=True, recipient_fault=True)
    id = engine.enroll(two_steps(), Resource("lead", 1, email="ada@example.com")).id
    engine.tick()

    blocked = client.get(f"/v2/sequence_enrollments/{id}").json()["data"]
    assert blocked["state"] == "blocked"
    first, second = actions(client, id)
    assert (first["status"], first["failure_reason"]) == ("failed", "delivery_failed")
    assert second["estimated_execute_at"] is None

    resumed = client.put(f"/v2/sequence_enrollments/{id}", {"state": "active"}).json()["data"]
    assert resumed["state"] == "active"
    assert actions(client, id)[0]["status"] == "pending"


def test_overdue_is_as_of_now(engine, clock, client):
    """A step that should have been over by now says so, without anything having been written."""
    id = engine.enroll(two_steps(), Resource("lead", 1, email="ada@example.com")).id
    clock.set(clock.now().add(hours=1, seconds=1))
    items = client.get(f"/v2/sequence_enrollments/{id}").json()["data"]["enrollment_steps"]["items"]

    assert [item["data"]["overdue"] for item in items] == [True, False]


def test_the_position_stays_at_the_last(engine, clock, client):
    """Past the last step the position is that of the last, and the enrollment is finished as completed."""
    id = engine.enroll(tasks(), Resource("lead", 1)).id
    engine.run_until(clock.now().add(hours=2))
    engine.complete_task(engine.tasks()[0].id)
    data = client.get(f"/v2/sequence_enrollments/{id}").json()["data"]

    assert (data["current_step_position"], data["state"], data["finished_reason"]) == (0, "finished", "completed")
    assert data["finished_actor_id"] is None


@pytest.mark.parametrize("fraction", [1, 499_999, 500_000, 999_999])
def test_whole_seconds(engine, clock, client, fraction):
    """Instants are whole seconds in UTC, of an instant within a second the one that has begun."""
    clock.set(clock.now().add(microseconds=fraction))
    id = engine.enroll(tasks(), Resource("lead", 1)).id

    assert client.get(f"/v2/sequence_enrollments/{id}").json()["data"]["created_at"] == "2020-06-03T12:00:00Z"


def test_the_shape_of_a_sequence(engine, client):
    """A sequence has its steps in a collection of their own, in order, with ids that are new with each version."""
    sequence = Sequence(
        "Mixed",
        [Step(AutomatedEmail("welcome")), Step(Task("Call {{ name }}"), Hours(1.5), key="call")],
    )
    stored = engine.create_sequence(sequence, creator_id="ops")
    document = client.get(f"/v2/sequences/{stored.id}").json()

    first = stored.version.id * 256
    assert document == {
        "data": {
            "id": stored.id,
            "creator_id": "ops",
            "name": "Mixed",
            "steps_total": 2,
            "steps": {
                "items": [
                    {
                        "data": {
                            "id": first,
                            "position": 0,
                            "action_type": "automated_email",
                            "delay_from_previous_step": 0,
                            "delay_from_previous_step_unit": "hours",
                            "action_properties": {"email_template_id": "welcome", "is_reply": False},
                        },
                        "meta": {"type": "step"},
                    },
                    {
                        "data": {
                            "id": first + 1,
                            "position": 1,
                            "action_type": "task",
                            "delay_from_previous_step": 1.5,
                            "delay_from_previous_step_unit": "hours",
                            "action_properties": {"task_content": "Call {{ name }}"},
                        },
                        "meta": {"type": "step"},
                    },
                ],
                "meta": {"type": "collection", "count": 2},
            },
            "unsubscribe_settings": {"enabled": False, "locale": "en-US"},
            "created_at": "2020-06-03T12:00:00Z",
            "updated_at": "2020-06-03T12:00:00Z",
        },
        "meta": {"type": "sequence"},
    }

    engine.replace_sequence(stored.id, Sequence("Mixed", [Step(Task("Call"), Weekdays(1))]))
    (step,) = client.get(f"/v2/sequences/{stored.id}").json()["data"]["steps"]["items"]
    assert step["data"]["id"] > first + 1


def test_finishing_all_of_a_resource(engine, client):
    """The answer names what was done and has the enrollments, without `meta`; numbers come as text, nulls are none."""
    ids = [engine.enroll(tasks(name), Resource("lead", 42)).id for name in ("One", "Two", "Three")]
    two = engine.stored_sequence("Two").id
    url = "/v2/sequence_enrollments/finish_ongoing_for_resource"

    some = client.post(url, {"resource_type": "lead", "resource_id": "42", "sequence_ids": [str(two)]}).json()
    assert some.keys() == {"data"}
    assert some["data"]["enrollment_action"] == "finish"
    updated = some["data"]["updated_enrollments"]
    assert updated["meta"] == {"type": "collection", "count": 1}
    assert [(item["data"]["id"], item["data"]["state"]) for item in updated["items"]] == [(ids[1], "finished")]
    assert updated["items"][0]["data"]["finished_actor_id"] == 1700155

    rest = client.post(url, {"resource_type": "lead", "resource_id": 42, "sequence_ids": None}).json()
    assert [item["data"]["id"] for item in rest["data"]["updated_enrollments"]["items"]] == [ids[0], ids[2]]
    none = client.post(url, {"resource_type": "lead", "resource_id": 42}).json()
    assert none["data"]["updated_enrollments"] == {"items": [], "meta": {"type": "collection", "count": 0}}
