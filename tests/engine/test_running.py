"""Ticks: handing over, giving back, dying, hanging, people, missing data and threads (E1 to E4, E6, L1)."""

from __future__ import annotations

import itertools
import threading
import time

import pendulum
import pytest

from sequencer import (
    AutomatedEmail,
    Engine,
    Hours,
    ManualClock,
    NotFound,
    OutOfOffice,
    Person,
    RecordingMailer,
    RecordingTaskBoard,
    Sequence,
    Step,
    Task,
    Template,
    Weekdays,
)
from sequencer.core.instants import LAST
from sequencer.testing.machine.world import Death, Life, MortalStore
from tests.engine.sequences import HELLO, lead, mails, tasks


def enrolled(engine, count, sequence=None):
    leads = [lead(i, f"{i}@example.com") for i in range(count)]
    return [each.id for each in engine.enroll_many(sequence or mails(), leads).enrolled]


@pytest.mark.parametrize("deduplicates", [False, True])
def test_a_tick_without_time_gives_its_work_back(store, clock, deduplicates):
    """`tick(max_seconds=0)` hands nothing over and keeps nothing: the next tick does it all at once (E3)."""
    mailer = RecordingMailer(deduplicates=deduplicates)
    engine = Engine(store=store, mailer=mailer, clock=clock)
    enrolled(engine, 5)
    report = engine.tick(max_seconds=0)
    assert (report.claimed, report.handed_over, report.more) == (5, 0, True)
    assert mailer.calls == []
    assert engine.tick().handed_over == 5
    assert len(mailer.sent) == 5


def test_a_tick_with_a_limit_leaves_the_rest(engine, mailer):
    """`limit` bounds what one pass takes, and `more` says that there is more (S4)."""
    enrolled(engine, 5)
    report = engine.tick(limit=2)
    assert (report.handed_over, report.more) == (2, True)
    assert engine.tick().handed_over == 3


def test_e1_verbs_and_reports_call_no_port(hosted, mailer, board):
    """Enrolling, finishing and the like never call a port; a tick does (E1)."""
    id = hosted.enroll(tasks(), lead()).id
    hosted.enroll(mails(), lead(2, "b@example.com"))
    assert (mailer.calls, board.calls) == ([], [])
    hosted.tick()
    assert (len(mailer.calls), len(board.calls)) == (1, 1)
    hosted.finish(id)
    assert board.cancel_calls == []
    hosted.tick()
    assert board.cancel_calls == [board.tasks[0].id]


@pytest.mark.parametrize("after", [3, 500])
def test_e3_dying_at_the_third_mail_of_a_thousand_parks_at_most_one(store, clock, after):
    """A worker that dies in the middle of a large batch leaves at most one mail of which nobody knows (E3, trap 15)."""
    mailer, life = RecordingMailer(), Life()
    dying = Engine(store=MortalStore(store, life), mailer=_Dying(mailer, life, after), clock=clock, port_threads=False)
    enrolled(dying, 1000)
    with pytest.raises(Death):
        dying.tick(1000)
    sent = len(mailer.sent)
    engine = Engine(store=store, mailer=mailer, clock=clock)
    clock.move(minutes=5)
    while engine.tick(1000).more:
        pass
    counts = engine.statistics("mails")
    assert counts.blocked == {"outcome_unknown": 1}
    assert len(mailer.sent) == 999 + (1 if sent == after else 0)
    assert len({mail.key for mail in mailer.sent}) == len(mailer.sent)


class _Dying:
    """A mailer that does not know keys, in a process that dies when the n-th mail has left."""

    deduplicates = False

    def __init__(self, mailer, life, after):
        self.mailer, self.life, self.after = mailer, life, after

    def send(self, email, *, key, timeout):
        answer = self.mailer.send(email, key=key, timeout=timeout)
        if len(self.mailer.sent) == self.after:
            self.life.alive = False
        self.life.step()
        return answer


@pytest.mark.parametrize("deduplicates", [False, True])
def test_e4_a_hanging_mailer_costs_one_time_out(store, clock, deduplicates):
    """One mail that hangs is given up after its time; the others of the pass leave, and its late answer counts (E4)."""
    mailer = RecordingMailer(deduplicates=deduplicates)
    engine = Engine(store=store, mailer=mailer, clock=clock, port_timeout=0.1, lease=5)
    ids = enrolled(engine, 3)
    with mailer.hang():
        report = engine.tick()
    assert (report.handed_over, report.failed) == (2, 1)
    hung = next(id for id in ids if engine.get(id).steps[0].status != "completed")
    assert engine.get(hung).blocked_reason == (None if deduplicates else "outcome_unknown")
    for _ in range(100):
        engine.tick()
        if engine.get(hung).steps[0].status == "completed":
            break
        _wait()
    assert engine.get(hung).steps[0].status == "completed"
    assert len(mailer.sent) == 3


def test_e4_a_hanging_board_costs_one_time_out(store, clock):
    """A board that hangs while creating or cancelling is given up after its time, and asked again later (E4)."""
    board = RecordingTaskBoard()
    engine = Engine(store=store, tasks=board, clock=clock, port_timeout=0.1, lease=5)
    ids = [engine.enroll(tasks(), lead(i, None)).id for i in range(2)]
    with board.hang():
        engine.tick()
    clock.move(minutes=10)
    for _ in range(3):
        engine.tick()
    assert [engine.get(id).steps[0].status for id in ids] == ["in_progress", "in_progress"]
    assert len(board.tasks) == 2
    engine.finish(ids[0])
    with board.hang(on="cancel"):
        engine.tick()
    clock.move(minutes=10)
    engine.tick()
    assert len(board.open) == 1


def test_e4_hanging_people_cost_one_time_out(store, clock, mailer):
    """Asking who stands behind a resource can hang like any port, and is then asked again later (E4)."""
    released, asked = threading.Event(), []

    def people(resource):
        asked.append(resource.id)
        if len(asked) == 1:
            released.wait(10)
        return Person(resource.email)

    engine = Engine(store=store, mailer=mailer, clock=clock, people=people, port_timeout=0.1, lease=5)
    ids = enrolled(engine, 2)
    report = engine.tick()
    released.set()
    assert (report.handed_over, report.failed) == (1, 1)
    (first,) = (event.facts for event in engine.history(ids[0]) if event.type == "attempt_failed")
    assert (first["reason"], first["detail"]) == ("missing_merge_data", "`people` gave no answer within 1.1 seconds")
    clock.move(minutes=5)
    engine.tick()
    assert [engine.get(id).steps[0].status for id in ids] == ["completed", "completed"]


def test_l1_people_are_asked_at_hand_over(store, clock, mailer):
    """A corrected address is used at once, and nothing of the person is copied (L1)."""
    known = {1: Person("old@example.com", fields={"name": "A"})}
    engine = Engine(store=store, mailer=mailer, clock=clock, people=lambda resource: known[resource.id])
    engine.enroll(Sequence("one", [Step(AutomatedEmail(1))], templates=HELLO), lead(email=None))
    known[1] = Person(" new@example.com ", fields={"name": "Ada"})
    engine.tick()
    assert (mailer.sent[0].to, mailer.sent[0].email.subject) == ("new@example.com", "Hello Ada")


def test_e4_people_that_raise_are_asked_again(store, clock, mailer):
    """The mail is not parked: nothing was handed over, so it is tried again, a bounded number of times (E4)."""

    def people(resource):
        raise LookupError("the CRM is away")

    engine = Engine(store=store, mailer=mailer, clock=clock, people=people)
    (id,) = enrolled(engine, 1)
    engine.tick()
    assert (engine.get(id).state, engine.get(id).steps[0].status) == ("active", "pending")
    engine.run_until(clock.now().add(days=3))
    assert mailer.calls == []
    assert engine.get(id).blocked_reason == "missing_merge_data"


@pytest.mark.parametrize("person", [None, Person(), Person("  ")])
def test_l5_nobody_to_write_to_is_missing_merge_data(store, clock, mailer, person):
    """Nobody, or nobody with an address, blocks as `missing_merge_data` and names it; no mail is tried (L5)."""
    engine = Engine(store=store, mailer=mailer, clock=clock, people=lambda resource: person)
    (id,) = enrolled(engine, 1)
    engine.tick()
    assert engine.get(id).blocked_reason == "missing_merge_data"
    assert engine.get(id).steps[0].failure_detail
    assert mailer.calls == []


def test_l5_a_missing_merge_field_blocks_until_it_is_there(store, clock, mailer):
    """A template whose field the person lacks blocks and names the field; with it, a resume sends (L5, L6)."""
    fields: dict[str, str] = {}
    engine = Engine(
        store=store, mailer=mailer, clock=clock, people=lambda resource: Person("a@b.example", None, fields)
    )
    id = engine.enroll(Sequence("one", [Step(AutomatedEmail(1))], templates=HELLO), lead()).id
    engine.tick()
    assert engine.get(id).blocked_reason == "missing_merge_data"
    assert "name" in str(engine.get(id).steps[0].failure_detail)
    fields["name"] = "Ada"
    engine.resume(id)
    engine.tick()
    assert engine.get(id).finished_reason == "completed"


@pytest.mark.parametrize("name", ["Ada\nBcc: evil@example.com", "Ada\r", "A\x85da", "A\u2028da", "A\0da", "\ud800"])
def test_l5_a_field_that_would_add_a_header_is_missing_merge_data(store, clock, mailer, name):
    """No mailer gets a subject of two lines: the detail names template and field, and not what is in it (S8)."""
    fields = {"name": name}
    engine = Engine(store=store, mailer=mailer, clock=clock, people=lambda _: Person("a@b.example", None, fields))
    texts = {1: Template("Hello {{ name }}, again", "{{ name }}")}
    id = engine.enroll(Sequence("one", [Step(AutomatedEmail(1))], templates=texts), lead()).id
    engine.tick()

    assert (engine.get(id).blocked_reason, mailer.calls) == ("missing_merge_data", [])
    detail = str(engine.get(id).steps[0].failure_detail)
    assert "the subject of template 1 is one line, and the merge field name " in detail
    assert "evil" not in detail + str(engine.history(id)[1:])
    fields["name"] = " Ada\tL. "
    engine.resume(id)
    engine.tick()
    assert [mail.email.subject for mail in mailer.sent] == ["Hello  Ada\tL. , again"]


def replies(count=3):
    steps = [Step(AutomatedEmail(2, is_reply=i > 0), Hours(0 if i == 0 else 1)) for i in range(count)]
    return Sequence("thread", steps, templates=HELLO)


def test_replies_go_on_in_the_thread(engine, mailer, clock):
    """A reply names the message ids of all the mails before it in its thread, oldest first (E2)."""
    enrolled(engine, 1, replies())
    engine.run_until(clock.now().add(hours=5))
    ids = [mail.answer.message_id for mail in mailer.sent]
    assert [mail.email.thread for mail in mailer.sent] == [(), (ids[0],), (ids[0], ids[1])]


def test_a_reply_after_a_skipped_mail_starts_a_new_thread(engine, mailer, clock):
    """What never left cannot be replied to: the next mail starts a thread of its own (E2)."""
    (id,) = enrolled(engine, 1, replies())
    engine.tick()
    engine.skip(id)
    engine.run_until(clock.now().add(hours=5))
    assert [mail.email.position for mail in mailer.sent] == [0, 2]
    assert mailer.sent[1].email.thread == ()


def test_e6_one_step_at_a_time_on_a_forward_jump(engine, mailer, clock):
    """After a year asleep one mail leaves, and the next is due a day later (E6, E7)."""
    (id,) = enrolled(engine, 1)
    clock.move(hours=366 * 24)
    engine.tick()
    engine.tick()
    assert len(mailer.sent) == 1
    assert engine.get(id).steps[1].estimated_execute_at >= clock.now().add(hours=24)


def test_e6_a_clock_that_jumps_back_repeats_nothing(engine, mailer, clock):
    """After a jump back of a year what was sent stays sent, and the next step counts from the clock as it is (E6)."""
    clock.move(hours=365 * 24)
    (id,) = enrolled(engine, 1)
    engine.tick()
    clock.move(hours=-365 * 24)
    for _ in range(3):
        engine.tick()
    assert len(mailer.sent) == 1
    engine.run_until(clock.now().add(days=3))
    assert len(mailer.sent) == 2
    assert engine.get(id).finished_reason == "completed"


def test_e6_a_lease_of_a_clock_that_was_ahead_has_expired(store, clock):
    """A worker that died on a clock a year ahead holds nobody up once the clock is right (E6)."""
    mailer, life = RecordingMailer(), Life()
    dying = Engine(store=MortalStore(store, life), mailer=mailer, clock=clock, port_threads=False)
    (id,) = enrolled(dying, 1)
    clock.move(hours=365 * 24)
    life.fuse = 4
    with pytest.raises(Death):
        dying.tick()
    clock.move(hours=-365 * 24)
    engine = Engine(store=store, mailer=mailer, clock=clock)
    engine.tick()
    clock.move(minutes=5)
    engine.tick()
    assert engine.get(id).steps[0].status == "completed"


def test_e6_who_was_enrolled_in_the_future_starts_now(engine, mailer, clock):
    """Who was enrolled on a clock ten years ahead starts once it is right, or when they asked for (E6, T6)."""
    clock.move(hours=3652 * 24)
    (id,) = enrolled(engine, 1, mails(count=1))
    later = clock.now().add(days=-3651)
    asked = engine.enroll(mails("later", count=1), lead(2, "bob@example.com"), start_at=clock.now().add(hours=1))
    clock.move(hours=-3652 * 24)
    engine.run_until(later)
    assert engine.get(id).finished_reason == "completed"
    assert engine.get(asked.id).steps[0].estimated_execute_at >= asked.started_at
    assert len(mailer.sent) == 1


def test_e6_a_pause_before_a_retry_is_no_longer_than_it_can_be(engine, mailer, clock):
    """What was refused for now on a clock ten years ahead is tried again minutes after the clock is right (E6)."""
    (id,) = enrolled(engine, 1, mails(count=1))
    mailer.fail()
    clock.move(hours=3652 * 24)
    engine.tick()
    clock.move(hours=-3652 * 24)
    engine.tick()
    assert clock.now() < engine.get(id).steps[0].estimated_execute_at <= clock.now().add(minutes=2)
    engine.run_until(clock.now().add(minutes=5))
    assert engine.get(id).finished_reason == "completed"


def test_e6_a_pause_before_a_retry_is_waited_out(engine, mailer, clock):
    """A clock that is right never shortens the pause before a retry, however often the worker looks (E4, E6)."""
    (id,) = enrolled(engine, 1, mails(count=1))
    mailer.fail(times=3)
    tried: list = []
    for _ in range(200):
        engine.tick()
        tried += [clock.now()] * (len(mailer.calls) - len(tried))
        clock.move(seconds=30)
    pauses = [(later - sooner).total_seconds() for sooner, later in itertools.pairwise(tried)]
    assert [least <= pause <= 1.25 * least + 30 for pause, least in zip(pauses, (60, 240, 960), strict=True)] == [
        True
    ] * 3
    assert engine.get(id).finished_reason == "completed"


def test_e6_a_task_is_taken_off_although_the_board_failed_on_a_wrong_clock(hosted, board, clock):
    """What a board could not take off on a clock ten years ahead, it is asked to again once the clock is right (E6)."""
    (id,) = enrolled(hosted, 1, tasks())
    hosted.tick()
    board.fail(on="cancel")
    clock.move(hours=3652 * 24)
    hosted.finish(id)
    hosted.tick()
    assert len(board.open) == 1
    clock.move(hours=-3652 * 24)
    hosted.tick()
    assert board.open == []


def test_e6_who_waited_for_a_writer_does_not_take_its_clock_for_wrong(store, engine, clock):
    """A worker that got to its claim minutes after another one's pass leaves the estimates of that pass alone (E6)."""
    (id,) = enrolled(engine, 1)

    class Waiting:
        origin = store.origin
        waits = True

        def transaction(self, connection=None, **how):
            if self.waits:
                self.waits = False
                clock.move(seconds=130)
                engine.tick()
            return store.transaction(connection, **how)

        def looking(self, claims):
            return store.looking(claims)

    late = Engine(store=Waiting(), mailer=RecordingMailer(), clock=clock)
    late.tick()
    late.tick()
    assert engine.get(id).steps[1].estimated_execute_at == clock.now().add(hours=24)


def test_an_engine_without_a_mailer_says_so(store, clock):
    """Mails of an engine without a mailer fail for `mail_settings`, and can be retried with one (L5)."""
    engine = Engine(store=store, clock=clock)
    (id,) = enrolled(engine, 1)
    engine.tick()
    assert engine.get(id).blocked_reason == "mail_settings"
    mailer = RecordingMailer()
    engine = Engine(store=store, clock=clock, mailer=mailer)
    engine.resume(id)
    engine.tick()
    assert len(mailer.sent) == 1


def test_the_embedded_board_goes_with_the_enrollment(engine):
    """Tasks appear, are done and are taken off in the transactions of their enrollments (L7, S2)."""
    id = engine.enroll(tasks(), lead()).id
    engine.tick()
    (task,) = engine.tasks()
    assert (task.enrollment_id, task.task_content, task.status) == (id, "Call", "open")
    engine.complete_task(task.id)
    assert not engine.complete_task(task.id).changed
    assert [each.status for each in engine.tasks(status=None)] == ["done"]
    engine.clock.move(hours=1)
    engine.tick()
    engine.finish(id)
    assert [each.status for each in engine.tasks(status=None)] == ["done", "cancelled"]


def test_a_task_is_named_as_its_board_named_it(engine):
    """A text that looks like the number of a task names none, and neither does another account learn of it (S7)."""
    engine.enroll(tasks(), lead())
    engine.tick()
    (task,) = engine.tasks()

    for other, named in ((engine, f"; there is a task {task.id}, and the id of that one is a number"),
                         (engine.account("b"), "")):  # fmt: skip
        with pytest.raises(NotFound) as caught:
            other.complete_task(str(task.id))
        assert str(caught.value) == f"no task '{task.id}'{named}"
    assert [each.status for each in engine.tasks()] == ["open"]


class SevenBoard(RecordingTaskBoard):
    """A board that calls each task "7"."""

    def create(self, task, *, key):
        super().create(task, key=key)
        return "7"


def test_a_task_of_the_hosts_board_is_named_as_it_was_named(store, clock, mailer):
    """A number that looks like the text which a board of the host's own has as an id names no task, and says so."""
    hosted = Engine(store=store, mailer=mailer, tasks=SevenBoard(), clock=clock)
    hosted.enroll(tasks(), lead())
    hosted.tick()

    with pytest.raises(NotFound, match=r"^no task 7; there is a task '7', and the id of that one is text$"):
        hosted.complete_task(7)
    assert hosted.complete_task("7").changed


def test_a_task_says_until_when(engine, clock):
    """A task carries when it is overdue, by its own `due_after` (T9)."""
    engine.enroll(Sequence("t", [Step(Task("Call", due_after=Hours(5)))]), lead())
    engine.tick()
    assert engine.tasks()[0].due_at == clock.now().add(hours=5)


def test_templates_are_looked_up_late(engine, mailer, clock):
    """A text that is changed after enrolling is the one that leaves (L1)."""
    engine.enroll(Sequence("t", [Step(AutomatedEmail(1), Hours(1))], templates={1: Template("Old", "x")}), lead())
    engine.save(Sequence("t", [Step(AutomatedEmail(1), Hours(1))], templates={1: Template("New", "x")}))
    engine.run_until(clock.now().add(hours=2))
    assert mailer.sent[0].email.subject == "New"


def test_l1_nothing_that_happens_to_the_sequence_reaches_an_enrollment(engine, mailer, clock):
    """Steps added, removed or delayed in a later version leave a running enrollment as it was (L1)."""
    (id,) = enrolled(engine, 1)
    engine.save(mails(count=1))
    engine.run_until(clock.now().add(days=5))
    assert len(mailer.sent) == 2
    assert engine.get(id).version.version == 1


def _wait():
    time.sleep(0.02)


@pytest.mark.parametrize("wait", ["due_after", "skip_after"])
def test_t11_a_wait_that_ends_after_the_last_instant_ends_with_it(store, mailer, wait):
    """What is late, skipped or back only after the year 9000 is handed over, read and told about all the same (T11)."""
    clock = ManualClock(pendulum.datetime(9000, 12, 31, 9, tz="UTC"))
    engine = Engine(store=store, mailer=mailer, clock=clock)
    task = engine.enroll(Sequence("call", [Step(Task("Call", **{wait: Weekdays(30)}))]), lead()).id
    mail = engine.enroll(mails("mail", 1), lead(2, None)).id
    clock.set(pendulum.datetime(9000, 12, 31, 23, 30, tz="UTC"))
    assert engine.get(mail).steps[0].overdue
    assert engine.tick().failed == 1  # the mail, without an address
    assert engine.get(task).steps[0].status == "in_progress"
    assert not engine.get(task).steps[0].overdue
    assert engine.tasks()[0].due_at == LAST
    engine.handle(OutOfOffice(key="1", enrollment_id=task))
    assert engine.get(task).blocked_until == LAST
    engine.skip(task)
    assert f"was skipped on {clock.now():%a %Y-%m-%d %H:%M} UTC." in str(engine.explain(task))


def test_t11_a_mail_that_is_read_in_the_last_hour_is_not_overdue(engine):
    """A mail whose hour of tolerance ends after the last instant is read like any other (T11)."""
    engine.clock.set(pendulum.datetime(9000, 12, 31, 23, 30, tz="UTC"))
    id = engine.enroll(mails("mail", 1), lead()).id
    engine.clock.move(minutes=20)
    assert not engine.get(id).steps[0].overdue
