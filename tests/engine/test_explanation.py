"""What `explain` says agrees with what the engine will do."""

from __future__ import annotations

from contextlib import closing

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    AutomatedEmail,
    Calendar,
    Engine,
    Hours,
    ManualClock,
    MemoryStore,
    Opened,
    OutOfOffice,
    Person,
    RecordingMailer,
    Rejected,
    Resource,
    Sequence,
    Step,
    Task,
    Weekdays,
    Window,
)

MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="Europe/Warsaw")


def test_a_blocked_step_is_not_called_due():
    """While an enrollment is blocked its current step has been planned; only the resume says when it is due."""
    engine = Engine(store=MemoryStore(), clock=ManualClock(MONDAY))
    calls = Sequence("Calls", [Step(Task("Call"), after=Hours(24))], calendar=Calendar("Europe/Warsaw"))
    enrollment = engine.enroll(calls, Resource("lead", 1))
    assert "is due on Tue 2026-03-03 09:00" in str(engine.explain(enrollment.id))

    engine.handle(OutOfOffice(key="away", enrollment_id=enrollment.id, until=pendulum.date(2026, 3, 16)))

    said = str(engine.explain(enrollment.id))
    assert "is due on" not in said
    assert "was planned for Tue 2026-03-03 09:00" in said
    assert "resumes by itself on Mon 2026-03-16 00:00" in said


def after_a_tick(step: Step, mailer: RecordingMailer, clock: ManualClock) -> tuple[Engine, int]:
    """An engine with one enrollment of this one step, and its id, after the first hand-over."""
    engine = Engine(store=MemoryStore(), mailer=mailer, clock=clock)
    enrollment = engine.enroll(Sequence("One", [step]), Resource("lead", 1, email="ada@example.com"))
    engine.tick()
    return engine, enrollment.id


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (
            Rejected("550 no such user", permanent=True, recipient_fault=True),
            "Correct the person's address (sequencer update)",
        ),
        (Rejected("no password", permanent=True, reason="mail_settings"), "(no password). Mend the settings"),
        (Rejected("no name", permanent=True, reason="missing_merge_data"), "(no name). Give the person what is"),
        (Rejected("500 a day", permanent=True, reason="quota_reached"), "when the mailer takes mail again"),
        (Rejected("554 refused", permanent=True), "(554 refused). Resume the enrollment to try again or to skip it."),
    ],
    ids=["recipient", "settings", "merge data", "quota", "other"],
)
def test_what_failed_comes_with_advice(answer, advice):
    """What a person can do depends on why the step failed, and the port's own words are there."""
    mailer = RecordingMailer()
    mailer.fail(answer)
    engine, id = after_a_tick(Step(AutomatedEmail(7), key="hello"), mailer, ManualClock(MONDAY))

    assert "Step 0 hello (mail 7) failed: " in str(engine.explain(id))
    assert advice in str(engine.explain(id))


def test_what_the_port_said_is_shown_while_a_retry_waits():
    """A temporary failure keeps the port's words until the mail leaves."""
    mailer, clock = RecordingMailer(), ManualClock(MONDAY)
    mailer.fail(Rejected("451 come back later", permanent=False))
    engine, id = after_a_tick(Step(AutomatedEmail(7)), mailer, clock)

    assert "tried once without success (451 come back later) and will be tried again" in str(engine.explain(id))

    engine.run_until(clock.now().add(hours=1))
    assert engine.get(id).finished_reason == "completed"
    assert engine.get(id).steps[0].failure_detail is None


def test_a_task_that_was_passed_over_by_itself_says_so():
    """Where a task's skip_after was over when it was skipped, the sentence has it; a person's skip does not."""
    clock = ManualClock(MONDAY)
    engine, id = after_a_tick(Step(Task("Call  the\nlead", skip_after=Hours(4))), RecordingMailer(), clock)
    engine.run_until(clock.now().add(hours=5))
    assert "Step 0 (task: Call the lead) was skipped on Mon 2026-03-02 12:00 UTC, after its skip_after of 4 hours" in (
        str(engine.explain(id))
    )

    engine, id = after_a_tick(Step(Task("x" * 80, skip_after=Hours(4))), RecordingMailer(), ManualClock(MONDAY))
    engine.skip(id)
    assert f"(task: {'x' * 57}...) was skipped on Mon 2026-03-02 08:00 UTC." in str(engine.explain(id))


@given(
    looks=st.lists(st.integers(0, 60 * 48 - 1), max_size=3).map(sorted),
    noted=st.booleans(),
    windows=st.sampled_from([(), (Window(["mon", "fri"], "08:30", "17:00"),)]),
)
def test_t9_a_mail_that_missed_its_day_is_due_when_the_calendar_opens_whoever_looked_meanwhile(looks, noted, windows):
    """After downtime a mail leaves as soon as its calendar is open, and that is what is told of it all the time."""
    saturday, clock, mailer = MONDAY.add(days=5).start_of("day"), ManualClock(MONDAY.add(days=4)), RecordingMailer()
    opens = saturday.add(days=2, minutes=8 * 60 + 30 if windows else 0)
    with closing(MemoryStore()) as store:
        engine = Engine(store=store, mailer=mailer, clock=clock)
        calendar = Calendar("Europe/Warsaw", send_windows=windows)
        mails = Sequence("Mails", [Step(AutomatedEmail(1), after=Weekdays(0))], calendar=calendar)
        id = engine.enroll(mails, Resource("lead", 1, email="ada@example.com")).id
        for minutes in looks:
            clock.set(saturday.add(minutes=minutes))
            assert engine.tick().handed_over == 0
            if noted:
                engine.handle(Opened(key=f"open-{minutes}", enrollment_id=id))
            assert f"the calendar opens next on {opens:%a %Y-%m-%d %H:%M}" in str(engine.explain(id))
        clock.set(opens.subtract(seconds=1))
        assert engine.tick().handed_over == 0
        clock.set(opens)
        assert [each.id for each in engine.due()] == [id]
        assert engine.tick().handed_over == 1


STEPS = st.lists(st.sampled_from(["mail", "task"]), min_size=1, max_size=4)


@settings(max_examples=60)
@given(STEPS, st.integers(0, 4), st.sampled_from(["", "blocked", "failed", "other account", "lifted", "no address"]))
def test_l8_a_mail_that_will_not_leave_is_foretold(kinds, done, besides):
    """It says that the next mail will not leave, and names its step, exactly where the enrollment then ends there."""
    mailer, clock = RecordingMailer(), ManualClock(MONDAY)
    engine = Engine(store=MemoryStore(), mailer=mailer, clock=clock)
    steps = [Step(AutomatedEmail(7) if kind == "mail" else Task("Call"), Hours(24)) for kind in kinds]
    email = None if besides == "no address" else "Ada@example.com"
    id = engine.enroll(Sequence("Any", steps), Resource("lead", 1, email=email)).id
    for _ in range(done if email else 0):
        go_on(engine, id)
    if besides == "failed":
        mailer.fail(Rejected("554 refused", permanent=True))
        go_on(engine, id)
    if besides == "blocked" and not engine.get(id).is_finished:
        engine.block(id)
    sent = len(mailer.sent)
    (engine.account("acme") if besides == "other account" else engine).suppress("ada@example.com ")
    if besides == "lifted":
        engine.unsuppress("ADA@example.com")

    foretold = engine.explain(id)
    about = [line for line in foretold.sentences if "will not leave" in line]
    for _ in kinds if email else ():
        go_on(engine, id)

    ended = engine.get(id)
    refused = [each.position for each in ended.steps if each.status == "cancelled"][:1]
    assert foretold.suppressed_position == (refused[0] if ended.finished_reason == "unsubscribed" else None)
    assert foretold.to_dict()["suppressed_position"] == foretold.suppressed_position
    assert len(about) == (0 if foretold.suppressed_position is None else 1)
    assert len(mailer.sent) == sent or not about
    assert "example.com" not in str(foretold)


def go_on(engine: Engine, id: int) -> None:
    """A day later, with whatever was asked of people done."""
    now = engine.get(id)
    if now.state == "blocked":
        engine.resume(id, timeline="keep")
    if now.current is not None and now.current.status == "in_progress":
        engine.complete_task(now.current.task_id)
    engine.run_until(engine.clock.now().add(days=1))


def test_l8_a_suppressed_address_is_told_under_the_mail_that_it_stops():
    """The sentence stands under the step, before the reasons of its estimate, and says how the enrollment ends."""
    engine = Engine(store=MemoryStore(), clock=ManualClock(MONDAY))
    steps = [Step(Task("Call")), Step(AutomatedEmail(7), Hours(24)), Step(AutomatedEmail(8), Hours(24))]
    engine.enroll(Sequence("Call first", steps), Resource("lead", 1, email="ada@example.com"))
    engine.suppress("ada@example.com")

    said = engine.explain(1).sentences
    at = next(i for i, line in enumerate(said) if line.startswith("Step 1 "))
    assert said[at + 1].startswith("  This mail will not leave: the address that is stored is suppressed.")
    assert "ends then as unsubscribed, unless Engine(people=...) knows another address" in said[at + 1]


@pytest.mark.parametrize("has_people", [True, False])
def test_l8_an_address_that_only_people_knew_is_told_of(has_people):
    """Where `people` has the last word, it says that one is suppressed to which a mail went; and of no other's (S8)."""
    mailer, clock, store = RecordingMailer(), ManualClock(MONDAY), MemoryStore()
    engine = Engine(store=store, mailer=mailer, clock=clock, people=lambda each: Person(f"{each.id}@example.com"))
    two = Sequence("Two", [Step(AutomatedEmail(7)), Step(AutomatedEmail(8), Hours(24))])
    first, second = (engine.enroll(two, Resource("lead", n)).id for n in (1, 2))
    engine.tick()
    engine.suppress("1@example.com")
    asking = engine if has_people else Engine(store=store, clock=clock)

    told = asking.explain(first)
    assert (told.former_suppressed, told.suppressed_position) == (True, None)
    at = next(i for i, line in enumerate(told.sentences) if line.startswith("Step 1 "))
    assert told.sentences[at + 1].startswith("  An address is suppressed that the person had before, or was mailed at")
    assert "example.com" not in str(told)
    assert not asking.explain(second).former_suppressed
    engine.run_until(MONDAY.add(days=2))
    assert engine.get(first).finished_reason == "unsubscribed"
    assert not asking.explain(first).former_suppressed


@pytest.mark.parametrize("has_people", [True, False])
def test_l8_a_former_address_matters_only_where_people_may_name_it(has_people):
    """Where the stored address is what counts, one that the person had before is not spoken of."""
    ports = {"people": lambda each: Person("new@example.com")} if has_people else {}
    engine = Engine(store=MemoryStore(), clock=ManualClock(MONDAY), **ports)
    id = engine.enroll(Sequence("One", [Step(AutomatedEmail(7), Hours(1))]), Resource("lead", 1, email="a@x.de")).id
    engine.update_person(Resource("lead", 1, email="new@example.com"))
    engine.suppress("a@x.de")

    assert engine.explain(id).former_suppressed == has_people
