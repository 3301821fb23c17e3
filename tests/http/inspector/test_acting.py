"""What a person does on the pages: each verb asks, does, and says so, on what was seen and on nothing else."""

from __future__ import annotations

import attrs
import pendulum
import pytest

from sequencer import Conflict
from sequencer.core.instants import to_instant
from tests.http.inspector.looking import fields, found, parsed, text_of, visiting
from tests.http.inspector.world import INBOUND, READER, WARSAW, WRITER, made


@pytest.fixture
def world():
    return made()


@pytest.fixture
def writer(world):
    with visiting(world, WRITER) as visitor:
        yield visitor


def shown(visitor, answer):
    """Where an answer leads."""
    assert answer.status_code == 303, answer.text
    return text_of(visitor.page(answer.headers["location"].removeprefix("/inspector/")))


def test_block(world, writer):
    """Blocking takes a reason and a moment on the enrollment's clock, and the page says what was done."""
    id = world.ids["going"]
    assert "Nothing is handed over while it is blocked." in text_of(writer.page(f"enrollments/{id}/block"))

    said = shown(writer, writer.ask(id, "block", reason="on holiday", until="2026-04-20T09:00"))

    now = world.engine.get(id)
    assert (now.state, now.blocked_reason) == ("blocked", "on holiday")
    assert now.blocked_until == to_instant(pendulum.datetime(2026, 4, 20, 9, tz=WARSAW))
    assert "It is blocked. contact" in said
    assert "because on holiday. It goes on by itself on Mon 20 Apr, 09:00 CEST." in said


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({"until": "2026-04-01T09:00"}, "must lie ahead"),
        ({"until": "soon"}, "is no date and time like"),
        ({"reason": ""}, "must not be blank"),
        ({"reason": "x" * 65}, "at most 64"),
        ({"reason": "delivery_failed"}, "a pause needs another"),
    ],
)
def test_what_cannot_be_is_asked_again(world, writer, answers, problem):
    """An answer that cannot be is said to be wrong, beside its field, with all that was typed still there."""
    id = world.ids["going"]
    answer = writer.ask(id, "block", **{"reason": "<b>busy</b>", "until": "", **answers})

    assert answer.status_code == 422
    root = parsed(answer.text)
    assert problem in text_of(root)
    (wrong,) = [each for each in root.iter("input") if each.get("aria-invalid") == "true"]
    assert wrong.get("aria-describedby").startswith("problem ")
    sent = {"reason": "<b>busy</b>", "until": "", **answers}
    assert {name: value for name, value in fields(root).items() if name in sent} == sent
    assert world.engine.get(id).state == "active"


@pytest.mark.parametrize(
    ("timeline", "then"),
    [("shift", "2026-04-13T09:00"), ("keep", "2026-04-08T11:20"), ("restart", "2026-04-13T11:20")],
)
def test_resume(world, writer, timeline, then):
    """Each way to go on says beforehand when the step is due, and then it is due then."""
    id = world.ids["paused"]
    at = pendulum.from_format(then, "YYYY-MM-DDTHH:mm", tz=WARSAW)
    question = text_of(writer.page(f"enrollments/{id}/resume"))
    assert f"Step 3: {at:%a} {at.day} {at:%b}, {at:%H:%M} CEST" in question

    assert "It goes on. lead" in shown(writer, writer.ask(id, "resume", timeline=timeline))

    assert world.engine.get(id).current.estimated_execute_at == to_instant(at)


def test_resume_by_skipping(world, writer):
    """A blocked enrollment can go on without the step that it stands at."""
    id = world.ids["paused"]
    shown(writer, writer.ask(id, "resume", timeline="skip"))

    now = world.engine.get(id)
    assert (now.state, now.position, now.steps[3].status) == ("active", 4, "skipped")


def test_a_step_that_failed_is_tried_again(world, writer):
    """Of a failed step the page asks only whether to try again or to skip it."""
    id = world.ids["failed"]
    options = [each.get("value") for each in found(writer.page(f"enrollments/{id}/resume"), "input", type="radio")]
    assert options == ["shift", "skip"]

    shown(writer, writer.ask(id, "resume"))

    assert world.engine.get(id).current.status == "pending"


def test_nonsense_for_a_timeline(world, writer):
    """A way to go on that there is not is refused, and nothing is changed."""
    id = world.ids["paused"]
    assert writer.ask(id, "resume", timeline="sideways").status_code == 422
    assert world.engine.get(id).state == "blocked"


def test_skip(world, writer):
    """Skipping says which step comes next and when, and then it does."""
    id = world.ids["going"]
    question = text_of(writer.page(f"enrollments/{id}/skip"))
    assert "The enrollment goes on with step 5, whose delay counts from now." in question
    assert "planned, Fri 10 Apr, 09:00 CESTplanned, Thu 9 Apr, 11:20 CEST" in question

    assert "The step is skipped. contact" in shown(writer, writer.ask(id, "skip"))

    after = world.engine.get(id)
    assert (after.steps[4].status, after.position) == ("skipped", 5)
    assert after.current.estimated_execute_at == to_instant(pendulum.datetime(2026, 4, 9, 11, 20, tz=WARSAW))


def test_complete(world, writer):
    """Completing closes the task on the board, and the sequence goes on."""
    id = world.ids["overdue"]
    assert "Is the task done?" in text_of(writer.page(f"enrollments/{id}/complete"))

    assert "The task is completed. lead 42" in shown(writer, writer.ask(id, "complete"))

    assert world.engine.get(id).steps[1].status == "completed"
    assert id not in {each.enrollment_id for each in world.engine.tasks()}


def test_finish(world, writer):
    """Finishing says what will not happen, does it in the name of the grant's actor, and leaves nothing to press."""
    id = world.ids["overdue"]
    question = text_of(writer.page(f"enrollments/{id}/finish"))
    assert "That cannot be taken back" in question
    assert "Its task is taken off the board." in question
    assert "What changes, in 5 steps" in question

    assert "It is finished. lead 42" in shown(writer, writer.ask(id, "finish"))

    after = world.engine.get(id)
    assert (after.state, after.finished_reason, after.finished_actor_id) == ("finished", "manual", 7)
    assert found(writer.page(f"enrollments/{id}"), "nav", class_="actions") == []


def test_an_end_that_comes_too_late_for_a_mail(world, writer):
    """What was handed over already is named before and after the end."""
    id = world.ids["due"]
    world.mailer.answer_late(times=None)
    world.engine.tick()
    warning = "Step 0 had been handed over before; whether it arrives is not known yet."
    assert warning in text_of(writer.page(f"enrollments/{id}/finish"))

    assert f"It is finished. {warning}" in shown(writer, writer.ask(id, "finish"))


def test_who_was_moved_to_another_version(world, writer):
    """Of an enrollment that was moved the page shows the new steps and the move, and verbs go on working."""
    id = world.ids["going"]
    shorter = attrs.evolve(INBOUND, steps=INBOUND.steps[:4] + INBOUND.steps[5:])
    world.engine.migrate(world.engine.plan_migration("inbound", shorter))

    said = text_of(writer.page(f"enrollments/{id}"))
    assert "The enrollment was moved to another version of its sequence." in said
    assert ", version 2" in said
    assert "Decide whether to go on" not in said
    assert "The step is skipped." in shown(writer, writer.ask(id, "skip"))
    assert world.engine.get(id).is_finished


def test_who_was_forgotten(world, writer):
    """Of a resource that was erased there is still a page, with what is left."""
    id = world.ids["going"]
    world.engine.erase(world.engine.get(id).resource)

    assert "because the resource was deleted" in text_of(writer.page(f"enrollments/{id}"))


@pytest.mark.parametrize("verb", ["complete", "resume", "skip", "block", "finish"])
def test_only_what_was_seen_is_acted_on(world, writer, verb):
    """Once an enrollment has changed, no verb is done on it with an old page; the answer says what happened since."""
    id = world.ids["away" if verb == "resume" else "overdue"]
    sent = fields(writer.page(f"enrollments/{id}/{verb}"))
    world.engine.reassign(world.engine.get(id).resource, actor_id=99)
    before = world.engine.get(id)

    answer = writer.send(f"enrollments/{id}/{verb}", sent)

    assert answer.status_code == 409
    said = text_of(parsed(answer.text))
    assert "It has changed meanwhile" in said
    assert "Another user became the actor." in said
    assert world.engine.get(id) == before
    assert writer.client.get(f"/inspector/enrollments/{id}/{verb}?revision={sent['revision']}").status_code == 409


def test_between_the_look_and_the_act_nobody_comes(world, writer, monkeypatch):
    """Where the store says that somebody was faster at the very last moment, nothing is done, and that is said."""
    id = world.ids["going"]
    sent = fields(writer.page(f"enrollments/{id}/finish"))

    def faster(*args, **kwargs):
        raise Conflict("another process changed the enrollment at the same time; try again")

    monkeypatch.setattr("sequencer.engine.engine.Engine.finish", faster)
    answer = writer.send(f"enrollments/{id}/finish", sent)

    assert answer.status_code == 409
    assert "This is not possible now" in answer.text
    assert world.engine.get(id).state == "active"


def test_the_same_form_twice(world, writer):
    """A form that is sent twice acts once."""
    id = world.ids["going"]
    sent = fields(writer.page(f"enrollments/{id}/skip"))
    first, second = (writer.send(f"enrollments/{id}/skip", sent) for _ in range(2))

    assert (first.status_code, second.status_code) == (303, 409)
    assert world.engine.get(id).position == 5


@pytest.mark.parametrize(
    ("who", "verb"),
    [("going", "complete"), ("going", "resume"), ("replied", "block"), ("finished", "finish"), ("finished", "skip"),
     ("failed", "block")],
)  # fmt: skip
def test_what_is_not_possible_is_neither_offered_nor_asked(world, writer, who, verb):
    """What the state does not allow is no button, and its page says so."""
    id = world.ids[who]
    links = [each.get("href") for each in writer.page(f"enrollments/{id}").iter("a")]

    assert not [each for each in links if f"/{id}/{verb}" in each]
    writer.page(f"enrollments/{id}/{verb}", status=409)


def test_a_page_claims_nothing_that_did_not_happen(world, writer):
    """That something was done is shown only where it is in the history, whatever the address says."""
    id = world.ids["going"]
    assert "It is finished." not in text_of(writer.page(f"enrollments/{id}?done=finish"))
    assert "<b>" not in writer.client.get(f"/inspector/enrollments/{id}?done=<b>hello</b>").text
    assert "It was so already" in text_of(writer.page(f"enrollments/{id}?done=already"))
    shown(writer, writer.ask(id, "block", reason="paused"))
    world.clock.move(minutes=11)
    assert "It is blocked." not in text_of(writer.page(f"enrollments/{id}?done=block"))


@pytest.mark.parametrize("verb", ["complete", "resume", "skip", "block", "finish"])
def test_reading_is_not_writing(world, verb):
    """Who may only read is refused each verb: its question and its form."""
    id = world.ids["overdue"]
    before = world.engine.get(id)
    with visiting(world, READER) as visitor:
        visitor.page(f"enrollments/{id}/{verb}", status=403)
        sent = {**fields_of_log_out(visitor.page("")), "revision": str(before.revision), "reason": "paused"}
        answer = visitor.send(f"enrollments/{id}/{verb}", sent)

    assert answer.status_code == 403
    assert "You may look, but not change anything." in answer.text
    assert world.engine.get(id) == before


def fields_of_log_out(root):
    (form,) = [each for each in root.iter("form") if each.get("action").endswith("/logout")]
    return {each.get("name"): each.get("value") for each in form.iter("input")}


def test_resuming_what_is_handed_over_moves_nothing(world, writer):
    """With its task on the board already, there is one way to go on, which says so, and the history claims no other."""
    id = world.ids["overdue"]
    planned = world.engine.get(id).current.estimated_execute_at
    world.engine.block(id)
    root = writer.page(f"enrollments/{id}/resume")
    ways = [each.get("value") for each in found(root, "input", type="radio")]
    assert ways == ["shift", "skip"]
    assert "The task is on the board already; nothing moves." in text_of(root)

    said = shown(writer, writer.ask(id, "resume", timeline="shift"))

    assert world.engine.get(id).current.estimated_execute_at == planned
    assert "Timeline:" not in said


def test_skipping_the_last_step_promises_no_other(world, writer):
    """Where the step that is blocked is the last, passing it over ends it, and nothing is said of a step after it."""
    id = world.ids["year"]
    world.engine.skip(id)
    world.engine.block(id)

    said = text_of(writer.page(f"enrollments/{id}/resume"))

    assert "Then the enrollment is finished. It is passed over; no step comes after it." in said
    assert "the step after it counts from now" not in said


def test_the_history_speaks_in_words(world, writer):
    """Reasons and ways to resume are sentences, and not the words that programs use."""
    id = world.ids["paused"]
    writer.ask(id, "resume", timeline="shift")
    world.engine.finish(id, actor_id=7)

    said = text_of(writer.page(f"enrollments/{id}"))

    for each in ("Because: somebody paused it", "Timeline: what was left of the delay is waited out",
                 "Because: a person ended it"):  # fmt: skip
        assert each in said
