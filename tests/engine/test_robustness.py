"""Workers whose clocks differ, rows that cannot be read, ports that are none: nothing holds up the rest."""

from __future__ import annotations

import logging
import sqlite3
from datetime import timedelta

import pendulum
import pytest

from sequencer import (
    AutomatedEmail,
    Engine,
    Hours,
    InvalidInput,
    ManualClock,
    MemoryStore,
    Person,
    RecordingMailer,
    RecordingTaskBoard,
    Rejected,
    Replied,
    Resource,
    Retry,
    Sequence,
    SQLiteStore,
    Step,
    Task,
    Template,
    Unsubscribed,
)
from sequencer.core.policy import Policy

START = pendulum.datetime(2026, 3, 23, 9)
MAIL = Sequence("Mail", [Step(AutomatedEmail(1)), Step(AutomatedEmail(2), Hours(24))])


def lead(number: int, email: str | None = "ada@example.com") -> Resource:
    return Resource("lead", number, email=email)


@pytest.mark.parametrize("behind", [0.001, 1, 60, 119])
def test_e6_a_worker_whose_clock_is_a_little_behind_takes_over_nothing(behind):
    """A lease that another worker took by a clock ahead of mine by less than a lease is in force (S3, E6)."""
    store, clock = MemoryStore(), ManualClock(START)
    taken = []
    other = Engine(store, mailer=RecordingMailer(), clock=ManualClock(START - timedelta(seconds=behind)))

    class Slow(RecordingMailer):
        def send(self, email, *, key, timeout):
            taken.append(other.tick().claimed)
            return super().send(email, key=key, timeout=timeout)

    engine = Engine(store, mailer=Slow(), clock=clock)
    enrollment = engine.enroll(MAIL, lead(1))
    engine.tick()

    assert taken == [0]
    assert engine.get(enrollment.id).steps[0].status == "completed"


def test_e6_a_lease_from_a_clock_that_was_far_ahead_is_not_believed():
    """After a clock was corrected by days, what it had claimed is taken over at once."""
    store, clock = MemoryStore(), ManualClock(START)
    engine = Engine(store, mailer=RecordingMailer(), clock=clock)
    engine.enroll(MAIL, lead(1))
    with store.transaction() as transaction:
        assert transaction.claim(START.add(days=3), 10, 120)

    assert engine.tick().handed_over == 1


def test_s4_a_row_that_cannot_be_read_holds_up_no_other(tmp_path, caplog):
    """One broken row is left under its lease, and named in the log without what it holds; the rest goes on (S5)."""
    engine = Engine(SQLiteStore(tmp_path / "crm.db"), mailer=RecordingMailer(), clock=ManualClock(START))
    broken = engine.enroll(MAIL, lead(1))
    whole = engine.enroll(MAIL, lead(2, "grace@example.com"))
    with sqlite3.connect(tmp_path / "crm.db") as connection:
        connection.execute("UPDATE sequencer_enrollments SET doc = '{broken' WHERE id = ?", (broken.id,))

    with caplog.at_level(logging.ERROR, logger="sequencer"):
        report = engine.tick()

    assert report.handed_over == 1
    assert engine.get(whole.id).steps[0].status == "completed"
    assert f"enrollment {broken.id} cannot be read" in caplog.text
    assert "{broken" not in caplog.text


def test_l7_what_is_still_to_be_taken_off_the_board_is_not_purged():
    """An enrollment is forgotten only when nothing of it is left outside."""
    clock, board = ManualClock(START), RecordingTaskBoard()
    engine = Engine(MemoryStore(), tasks=board, clock=clock)
    enrollment = engine.enroll(Sequence("Call", [Step(Task("Call"))]), lead(1))
    engine.tick()
    engine.finish(enrollment.id)
    clock.move(hours=24)

    assert engine.purge(finished_before=clock.now()) == 0
    engine.tick()
    assert board.open == []
    assert engine.purge(finished_before=clock.now()) == 1


def test_e3_deaths_are_not_held_against_mails_that_were_never_called():
    """However often a worker dies, a mailer that recognises keys is called again, and the step does not fail for it."""
    store, clock, mailer = MemoryStore(), ManualClock(START), RecordingMailer(deduplicates=True)
    policy = Policy(retry=Retry(attempts=2, first=60, factor=100))
    engine = Engine(store, mailer=mailer, clock=clock)
    enrollment = engine.enroll(Sequence("Mail", [Step(AutomatedEmail(1))], policy=policy), lead(1))

    class Death(BaseException):
        pass

    def die(error: BaseException) -> None:
        raise error

    for _ in range(4):
        dying = Engine(store, mailer=mailer, clock=clock)
        dying._worker.ports.calls.watch = lambda *_: die(Death())  # type: ignore[method-assign]
        with pytest.raises(Death):
            dying.tick()
        # The next worker finds what was left behind, and it waits out a pause.
        clock.move(hours=1)
        assert engine.tick().handed_over == 0
        clock.move(hours=24 * 40)

    # Nor are they counted beside real failures: of two attempts, one may still fail for now.
    mailer.fail(Rejected("451 later", permanent=False))
    engine.run_until(clock.now().add(days=90))
    assert engine.get(enrollment.id).state == "finished"
    assert len(mailer.delivered) == 1


def test_a_lease_has_room_for_people_and_the_mailer():
    """A lease that the two slowest calls of one hand-over could outlast is refused when the engine is made (S3)."""
    with pytest.raises(InvalidInput, match="at least 66 s"):
        Engine(MemoryStore(), lease=60, port_timeout=30)


@pytest.mark.parametrize(
    "ports",
    [{"store": "crm.db"}, {"mailer": print}, {"tasks": object()}, {"clock": object()}],
    ids=lambda each: next(iter(each)),
)
def test_s6_what_is_no_port_is_refused_when_the_engine_is_made(ports):
    """A mistake in wiring shows at once, not by blocking everybody at the first tick."""
    with pytest.raises(InvalidInput, match=next(iter(ports))):
        Engine(**{"store": MemoryStore(), **ports})


def test_a_manual_clock_is_not_waited_for():
    """`run` with a clock that stands still would wait for ever; it says what to call instead."""
    with pytest.raises(InvalidInput, match="run_until"):
        Engine(MemoryStore(), clock=ManualClock(START)).run()


@pytest.mark.parametrize(
    "given", ["Ada Lovelace <ADA@example.com>", ' "Lovelace, Ada" <ada@Example.com> ', "<ada@example.com>"]
)
def test_l8_an_address_is_recognised_in_a_from_header(given):
    """A reply and an opt-out reach their enrollment also when the address comes with a name."""
    engine = Engine(MemoryStore(), mailer=RecordingMailer(), clock=ManualClock(START))
    replied = engine.enroll(MAIL, lead(1))
    assert engine.handle(Replied(key="r", email=given)).changed == (replied.id,)
    engine.handle(Unsubscribed(key="u", email=given))

    assert [each.address for each in engine.suppressed()] == ["ada@example.com"]


def test_l8_a_suppressed_address_is_recognised_however_people_writes_it():
    """The address that `people` gives at hand-over is compared without the name beside it."""
    engine = Engine(
        MemoryStore(),
        mailer=RecordingMailer(),
        clock=ManualClock(START),
        people=lambda resource: Person("Ada <ada@example.com>"),
    )
    engine.suppress("Ada <ADA@example.com>")
    enrollment = engine.enroll(MAIL, lead(1, None))
    engine.tick()

    assert engine.get(enrollment.id).finished_reason == "unsubscribed"


@pytest.mark.parametrize("given", ["nobody", "a@x.com, b@x.com", "a b@x.com", "a@", "@x.com", "Ada <ada>"])
def test_s6_what_is_no_address_is_refused_at_every_door(given):
    """One address or none: nothing else is stored, suppressed or looked for."""
    engine = Engine(MemoryStore(), clock=ManualClock(START))
    for door in (lambda: lead(1, given), lambda: Replied(key="r", email=given), lambda: engine.suppress(given)):
        with pytest.raises(InvalidInput, match="address"):
            door()


@pytest.mark.parametrize("text", ["Hello {{ first name }}", "{{first_name|title}}", "{{ open", "closed }}", "{{}}"])
def test_s6_a_merge_field_that_is_none_is_refused_where_it_is_written(text):
    """A malformed field would reach people as it stands, so no template and no task can hold one."""
    for make in (lambda: Template(text, "body"), lambda: Template("subject", text), lambda: Task(text)):
        with pytest.raises(InvalidInput) as refused:
            make()
        assert refused.value.code == "invalid_merge_field"


def test_l5_the_engines_own_words_are_no_reasons_of_a_host():
    """Nobody blocks for a failure that did not happen, or completes what has steps left: statistics stay true (L7)."""
    engine = Engine(MemoryStore(), clock=ManualClock(START))
    enrollment = engine.enroll(MAIL, lead(1))
    with pytest.raises(InvalidInput, match="delivery_failed"):
        engine.block(enrollment.id, reason="delivery_failed")
    with pytest.raises(InvalidInput, match="completes by itself"):
        engine.finish(enrollment.id, reason="completed")

    assert engine.get(enrollment.id).state == "active"


@pytest.mark.parametrize(
    "read",
    [
        lambda engine: engine.enrollments(("lead", 2)),
        lambda engine: engine.enrollments(after="x"),
        lambda engine: engine.enrollments(limit=0),
        lambda engine: engine.tasks(status="nonsense"),
        lambda engine: engine.tasks(limit="x"),
        lambda engine: engine.get("1"),
        lambda engine: engine.handle("replied"),
    ],
)
def test_s6_bad_arguments_of_reads_are_refused_by_name(read):
    """What cannot be asked is `InvalidInput`, never an error from inside."""
    with pytest.raises(InvalidInput):
        read(Engine(MemoryStore(), clock=ManualClock(START)))
