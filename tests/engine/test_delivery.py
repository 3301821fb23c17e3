"""What happens between a claim and its answer, when something comes in between (laws E3, E4, S3)."""

from __future__ import annotations

import threading

import pendulum
import pytest

from sequencer import (
    Accepted,
    AutomatedEmail,
    Conflict,
    Engine,
    Handled,
    ManualClock,
    Opened,
    OutcomeUnknown,
    Person,
    RecordingMailer,
    RecordingTaskBoard,
    Resource,
    Sequence,
    SQLiteStore,
    Step,
    Task,
    Template,
)
from sequencer.core.lifecycle import advance
from sequencer.engine import answers
from sequencer.stores.memory import MemoryStore

MAIL = Sequence("Mail", [Step(AutomatedEmail(1))], templates={1: Template("Hello", "There")})
LEASE = 120


@pytest.fixture
def clock():
    return ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))


def lead(number):
    return Resource("lead", number, email=f"lead{number}@example.com")


class Calls:
    """A mailer that recognises no keys and does what it is told at each call: `(number of the call) -> answer`."""

    deduplicates = False

    def __init__(self, do):
        self.do = do
        self.keys = []

    def send(self, email, *, key, timeout):
        self.keys.append(key)
        return self.do(len(self.keys))


def test_a_worker_that_lost_its_claim_withdraws_nothing(clock):
    """E3: what it gives back is being sent by whoever took over; that one's mark stays, and no second mail leaves."""
    store, stop, calling, go_on = MemoryStore(), threading.Event(), threading.Event(), threading.Event()

    def slowly(_):
        calling.set()
        assert go_on.wait(10)
        return Accepted("<1@example.com>")

    def while_the_other_gives_back(_):
        stop.set()
        go_on.set()
        thread.join(10)
        raise OutcomeUnknown

    slow, quick = Calls(slowly), Calls(while_the_other_gives_back)
    first, second = Engine(store, mailer=slow, clock=clock), Engine(store, mailer=quick, clock=clock)
    first.enroll(MAIL, lead(1))
    id = first.enroll(MAIL, lead(2)).id
    thread = threading.Thread(target=lambda: first.tick(stop=stop))
    thread.start()
    assert calling.wait(10)
    clock.move(seconds=LEASE + 1)
    second.tick()
    assert second.get(id).blocked_reason == "outcome_unknown"
    clock.move(seconds=LEASE + 1)
    second.tick()
    assert quick.keys.count(f"{store.origin}-{id}-0-0") == 1


class BusyStore(MemoryStore):
    """A store that can be made to refuse, as one does while somebody else is writing for too long."""

    busy = False

    def transaction(self, connection=None, *, write=True):
        if self.busy:
            raise Conflict("another connection is writing")
        return super().transaction(connection, write=write)


def test_an_answer_that_cannot_be_stored_is_brought_back_later(clock):
    """E3: the mailer has accepted; that the store is busy just then makes no unknown outcome of it."""
    store = BusyStore()

    def accept(_):
        store.busy = True
        return Accepted("<1@example.com>")

    engine = Engine(store, mailer=Calls(accept), clock=clock)
    id = engine.enroll(MAIL, lead(1)).id
    for _ in range(2):
        with pytest.raises(Conflict):
            engine.tick()
    store.busy = False
    engine.tick()
    assert engine.get(id).steps[0].message_id == "<1@example.com>"
    assert engine.get(id).finished_reason == "completed"


def test_a_task_to_take_off_the_board_does_not_hold_up_the_mail_after_it(clock):
    """Both are done in one pass: the answer about the task takes away no claim that the mail's mark needs."""
    board, mailer = RecordingTaskBoard(), RecordingMailer()
    engine = Engine(MemoryStore(), mailer=mailer, tasks=board, clock=clock)
    called = Sequence("Call", [Step(Task("Call")), *MAIL.steps], templates=MAIL.templates)
    id = engine.enroll(called, lead(1)).id
    engine.tick()
    engine.skip(id)
    engine.tick()
    assert len(mailer.sent) == len(board.cancelled) == 1
    assert not engine.get(id).steps[0].cancel_task
    assert engine.tick().claimed == 0


@pytest.mark.parametrize("deduplicates", [False, True])
def test_a_note_in_between_costs_no_lease(clock, deduplicates):
    """The call is not made, since the enrollment is not what it was (S2); the next pass makes it, at once."""
    mailer = RecordingMailer(deduplicates=deduplicates)
    opened: list[Handled] = []

    def person(resource):
        if not opened:
            opened.append(engine.handle(Opened(key="o-1", resource=resource)))
        return Person(resource.email)

    engine = Engine(MemoryStore(), mailer=mailer, people=person, clock=clock)
    engine.enroll(MAIL, lead(1))
    assert engine.tick().more
    assert not mailer.calls
    engine.tick()
    assert len(mailer.sent) == 1


@pytest.mark.parametrize(
    "email", ["ada@example.com, eve@example.com", "ada@example.com\r\nBcc: eve@example.com", "ada"]
)
def test_l8_what_is_not_one_address_is_not_handed_over(clock, email):
    """Whom a host's `people` puts beside somebody who has opted out, gets no mail with them (L8, S8)."""
    mailer = RecordingMailer()
    engine = Engine(MemoryStore(), mailer=mailer, people=lambda _: Person(email), clock=clock)
    engine.suppress("ada@example.com")
    id = engine.enroll(MAIL, lead(1)).id
    engine.tick()

    assert not mailer.calls
    assert engine.get(id).blocked_reason == "missing_merge_data"
    assert "ada" not in (engine.get(id).steps[0].failure_detail or "")


@pytest.mark.parametrize("name", ["\ud800", "A\0", "a" * 200_000])
@pytest.mark.parametrize("make", [MemoryStore, lambda: SQLiteStore(":memory:")])
def test_a_merge_field_that_no_store_can_hold_fails_its_own_task_only(clock, make, name):
    """The task beside it, in the same pass, is created."""

    def person(resource):
        return Person(fields={"name": name if resource.id == 1 else "Ada"})

    engine = Engine(make(), people=person, clock=clock)
    call = Sequence("Call", [Step(Task("Call {{ name }}"))])
    ids = [engine.enroll(call, lead(number)).id for number in (1, 2)]
    engine.tick()
    assert engine.get(ids[0]).blocked_reason == "missing_merge_data"
    assert [task.task_content for task in engine.tasks()] == ["Call Ada"]


def test_an_answer_that_can_never_be_stored_costs_no_other(clock, monkeypatch):
    """What was answered beside it in the same pass is stored; the tick does not raise."""
    engine = Engine(MemoryStore(), mailer=RecordingMailer(deduplicates=True), clock=clock)
    ids = [engine.enroll(MAIL, lead(number)).id for number in (1, 2, 3)]

    def not_the_second(enrollment, signal, now):
        if enrollment.id == ids[1]:
            raise ValueError("no store takes this")
        return advance(enrollment, signal, now)

    monkeypatch.setattr(answers, "advance", not_the_second)
    engine.tick()
    assert [engine.get(id).state.value for id in ids] == ["finished", "active", "finished"]


def test_logs_hold_no_addresses(clock, caplog):
    """S8: an exception of a mailer names the recipient; logs go to more people than the data."""

    def refuse(_):
        raise ConnectionError("{'o'brien@example.com': (550, b'unknown')}")

    engine = Engine(MemoryStore(), mailer=Calls(refuse), clock=clock)
    engine.enroll(MAIL, lead(1))
    engine.tick()
    assert "failed: ConnectionError" in caplog.text
    assert "example.com" not in caplog.text
    assert "brien" not in caplog.text


def test_a_lease_outlasts_the_slowest_hand_over(clock):
    """S3: people and mailer take nearly all the time that each has; nobody takes over in between."""
    store = MemoryStore()
    other = Engine(store, mailer=RecordingMailer(), clock=clock)

    def person(resource):
        clock.move(seconds=30 if resource.id == 1 else 32)
        return Person(resource.email)

    def slowly(number):
        clock.move(seconds=29 if number == 1 else 32)
        assert other.tick().claimed == 0
        return Accepted(f"<{number}@example.com>")

    engine = Engine(store, mailer=Calls(slowly), people=person, clock=clock, lease=LEASE, port_timeout=30)
    ids = [engine.enroll(MAIL, lead(number)).id for number in (1, 2)]
    engine.tick()
    assert [engine.get(id).finished_reason for id in ids] == ["completed", "completed"]
