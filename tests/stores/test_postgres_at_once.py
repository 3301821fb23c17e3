"""Several transactions at once in PostgreSQL: who is first, who waits for whom, and that the feed misses nothing."""

from __future__ import annotations

import functools
import random
import threading
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sequencer import (
    AlreadyEnrolled,
    Busy,
    Conflict,
    Engine,
    ManualClock,
    NotFound,
    RecordingMailer,
    Replied,
    Resource,
    Row,
    Suppressed,
    Unsubscribed,
)
from sequencer.core.enrollment import Enrollment
from sequencer.engine.ports import Accepted
from sequencer.engine.storage import Transaction
from sequencer.http import application, open_access
from sequencer.stores.postgres import PostgresStore
from sequencer.stores.transaction import StoreTransaction
from sequencer.testing.contracts.workbench import LEASE, NOW, Refusal, begin, begun, failing
from tests import postgres
from tests.engine.sequences import exclusive, lead, mails, tasks
from tests.http.driving import client_of


@pytest.fixture(scope="module")
def store():
    """One for all of these tests, each of which has an account of its own."""
    store = postgres.new_store(lock_timeout=30)
    yield store
    store.close()


@pytest.fixture
def engine(store, request):
    engine = Engine(store, clock=ManualClock(NOW)).account(request.node.name[:64])
    engine.save(mails())
    return engine


def at_once(count, work):
    """What each of so many threads answers, or raises, that begin at the same moment."""
    barrier, answers = threading.Barrier(count), []

    def run(number):
        barrier.wait(60)
        try:
            answers.append(work(number))
        except (AlreadyEnrolled, Conflict) as error:
            answers.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == count, "one of the threads has died"
    return answers


# -- who is first ---------------------------------------------------------------------------------------------

SAME = {
    "resource": lambda number, turn: (lead(turn, f"{number}-{turn}@example.com"), None),
    "address": lambda number, turn: (lead(f"{number}-{turn}", f"{turn}@example.com"), None),
    "key": lambda number, turn: (lead(turn, f"{turn}@example.com"), f"key {turn}"),
}


@pytest.mark.parametrize("how", ["own", "joined", "many", "REPEATABLE_READ", "SERIALIZABLE"])
@pytest.mark.parametrize("same", SAME)
def test_one_of_those_who_enroll_at_once_wins(engine, same, how):
    """Of four that enroll the same resource, address or key at once, one makes an enrollment; the others hear of it."""
    turns = 4

    def enroll(number, turn):
        resource, key = SAME[same](number, turn)
        if how == "own":
            return engine.enroll(mails(), resource, idempotency_key=key).id
        if how == "many":
            done = engine.enroll_many(mails(), [Row(resource, idempotency_key=key)])
            for refused in done.refused:
                raise refused.error
            return done.enrolled[0].id
        with postgres.connect() as connection:
            connection.isolation_level = None if how == "joined" else psycopg.IsolationLevel[how]
            connection.execute("SELECT 1")
            return engine.enroll(mails(), resource, idempotency_key=key, connection=connection).id

    for turn in range(turns):
        answers = at_once(4, functools.partial(enroll, turn=turn))
        made = {answer for answer in answers if isinstance(answer, int)}
        assert len(made) == 1, answers
        others = [answer for answer in answers if not isinstance(answer, int)]
        refusals = (AlreadyEnrolled, Conflict) if how in ("REPEATABLE_READ", "SERIALIZABLE") else AlreadyEnrolled
        assert all(isinstance(each, refusals) for each in others), answers
        if same == "key" and refusals is AlreadyEnrolled:
            assert others == []
        assert {each.existing_id for each in others if isinstance(each, AlreadyEnrolled)} <= made
    assert len(engine.enrollments()) == turns


def test_a_report_that_comes_several_times_at_once(engine):
    """A report that is handled by four at once counts once, and all are told the same (L8)."""
    for turn in range(5):
        enrollment = engine.enroll(mails(), lead(turn, f"{turn}@example.com"))
        report = Replied(key=f"reply {turn}", enrollment_id=enrollment.id)
        answers = at_once(4, lambda _, report=report: engine.handle(report))
        assert [answer.changed for answer in answers] == [(enrollment.id,)] * 4
        assert sorted(answer.repeated for answer in answers) == [False, True, True, True]
        assert [event.type for event in engine.history(enrollment.id)].count("finished") == 1


def test_a_sequence_that_is_saved_by_several_at_once(engine):
    """New content that is saved by four at once is one version; different contents are versions with their numbers."""
    same = at_once(4, lambda _: engine.save(mails(count=3)))
    assert len({version.id for version in same}) == 1
    different = at_once(4, lambda number: engine.save(mails(count=4 + number)))
    assert sorted(version.version for version in different) == [3, 4, 5, 6]


@pytest.mark.parametrize("does", ["enroll", "enroll_many", "replace"])
def test_a_sequence_that_is_deleted_while_somebody_uses_its_id(engine, does):
    """Who is enrolled by the id of a sequence ends with it, and nothing brings it back (L7)."""
    for turn in range(8):
        id = engine.create_sequence(mails(f"turn {turn}")).id

        def use(number, turn=turn, id=id):
            try:
                if number == 0:
                    return len(engine.delete_sequence(id))
                if does == "replace":
                    return engine.replace_sequence(id, mails(f"turn {turn}", count=2 + number)).id
                if does == "enroll_many":
                    return len(engine.enroll_many(id, [lead(f"{turn}-{number}", email=None)]).enrolled)
                return engine.enroll(id, lead(f"{turn}-{number}", email=None)).id
            except NotFound as error:
                return Conflict(str(error))

        at_once(4, use)
        assert engine.enrollments(state="active") == ()
        assert [each.key for each in engine.stored_sequences()] == ["mails"]


@pytest.mark.parametrize("does", ["delete", "replace"])
def test_a_sequence_that_changes_while_a_request_enrolls_in_it(engine, monkeypatch, does):
    """A request that enrolls by an id neither brings a deleted sequence back nor undoes a replacement (L1, L7)."""
    id = engine.create_sequence(mails("changing")).id
    change = {
        "delete": lambda: engine.delete_sequence(id),
        "replace": lambda: engine.replace_sequence(id, mails("changing", count=3)),
    }[does]
    changing, read = threading.Thread(target=change), StoreTransaction.stored_sequences

    def read_and_changed(transaction, account, ids):
        found = read(transaction, account, ids)
        if changing.ident is None:
            changing.start()
            changing.join(1)  # it may have to wait for the request
        return found

    monkeypatch.setattr(StoreTransaction, "stored_sequences", read_and_changed)
    with client_of(application(engine, access=open_access(engine._account), inspector=False)) as client:
        data = {"sequence_id": id, "resource_type": "lead", "resource_id": 1}
        assert client.post("/v2/sequence_enrollments", data).status_code in (201, 422)
    changing.join(30)

    listed = {each.id: len(each.sequence.steps) for each in engine.stored_sequences() if each.id == id}
    assert listed == ({} if does == "delete" else {id: 3})
    assert does == "replace" or engine.enrollments(state="active") == ()


# -- who waits ------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(store):
    """The same store, which waits for nobody."""
    other = PostgresStore(postgres.server(), schema=store.schema, lock_timeout=0.001)
    yield other
    other.close()


def test_a_worker_does_not_wait_for_another(store, impatient):
    """What a worker holds in an open transaction another one passes over, also when it counts or looks when to wake."""
    whose = "two workers"
    ids = [begun(store, n, email=None, account=whose).id for n in range(6)]
    with store.transaction() as one:
        first = [held.enrollment.id for held in one.claim(NOW, 3, LEASE, whose)]
        one.write()
        with impatient.transaction() as two:
            second = [held.enrollment.id for held in two.claim(NOW, 100, LEASE, whose)]
            assert two.counts(NOW, 100, whose).due >= 3
            two.next_wake(whose)
    assert sorted(first + second) == ids
    assert len(first) == len(second) == 3


def test_who_enrolls_others_does_not_wait(store, impatient):
    """Enrolling waits only for who enrolls the same; reading waits for nobody."""
    engine = Engine(impatient, clock=ManualClock(NOW))
    engine.save(mails())
    with postgres.connect() as connection:
        held = Engine(store, clock=ManualClock(NOW)).enroll(mails(), lead(1), connection=connection)
        other = engine.enroll(mails(), lead(2, "grace@example.com"))
        with pytest.raises(Busy, match="lock_timeout"):
            engine.enroll(mails(), lead(1, "else@example.com"))
        with pytest.raises(Busy, match="lock_timeout"):
            engine.enroll(mails(), lead(3))
        engine.block(other.id)
        connection.execute("SELECT 1")
        Engine(store, clock=ManualClock(NOW)).skip(held.id, connection=connection)
        assert engine.get(other.id).state.value == "blocked"
        assert [each.id for each in engine.enrollments() if each.id == held.id] == []


def test_two_that_wait_for_each_other(engine):
    """Of two callers' transactions that wait for each other one gets a `Conflict`, and both can go on."""
    barrier = threading.Barrier(2)

    def enroll_both(number):
        first, second = (lead(n, f"{n}@example.com") for n in ((1, 2), (2, 1))[number])
        with postgres.connect() as connection:
            engine.enroll(mails(), first, connection=connection)
            barrier.wait(60)
            try:
                engine.enroll(mails(), second, connection=connection)
            except Conflict:
                connection.rollback()
                raise
            return number

    answers = at_once(2, enroll_both)
    (loser,) = [answer for answer in answers if not isinstance(answer, int)]
    assert type(loser) is Conflict  # the other has gone on, so that it can be tried again at once
    assert "deadlock" in str(loser)
    assert [each.resource.id for each in engine.enrollments()] in ([1, 2], [2, 1])


def test_a_statement_that_is_stopped(engine):
    """A statement that the server stops, since it took too long, is a conflict that names the setting."""
    engine.enroll(mails(), lead())
    with postgres.connect() as one, postgres.connect() as two:
        engine.block(engine.enrollments()[0].id, connection=one)
        two.execute("SET statement_timeout = 1")
        with pytest.raises(Busy, match="statement_timeout"):
            engine.block(engine.enrollments()[0].id, connection=two)
        assert two.execute("SELECT 1").fetchone() == (1,)


def test_who_opts_out_and_who_enrolls_the_same_person(store, impatient):
    """An opt-out and an enrolling of the same person wait for each other, so that nobody opts out and goes on (L8)."""
    patient, other = (Engine(each, clock=ManualClock(NOW)).account("opting out") for each in (store, impatient))
    patient.save(tasks())
    with postgres.connect() as connection:
        id = patient.enroll(tasks(), lead(), connection=connection).id
        for report in (
            Unsubscribed(key="1", email="ada@example.com"),
            Unsubscribed(key="2", resource=lead(email=None)),
        ):
            with pytest.raises(Busy, match="lock_timeout"):
                other.handle(report)
    assert other.handle(Unsubscribed(key="1", email="ada@example.com")).changed == (id,)
    with postgres.connect() as connection:
        patient.handle(Unsubscribed(key="3", email="grace@example.com"), connection=connection)
        with pytest.raises(Busy, match="lock_timeout"):
            other.enroll(tasks(), lead(2, "grace@example.com"))
        other.handle(Unsubscribed(key="4", message_id="of nobody"))
    with pytest.raises(Suppressed):
        other.enroll(tasks(), lead(2, "grace@example.com"))


def test_who_is_moved_to_where_nobody_else_may_be_and_who_enrolls_the_same_person(store, impatient):
    """A move to a version that tolerates no other sequence waits for who enrolls there, and they wait for it (L9)."""
    patient, other = (Engine(each, clock=ManualClock(NOW)).account("moving") for each in (store, impatient))
    patient.save(tasks())
    id = patient.enroll(mails(), lead()).id
    plan = patient.plan_migration("mails", exclusive("mails"))
    with postgres.connect() as connection:
        beside = patient.enroll(tasks(), lead(), connection=connection).id
        with pytest.raises(Busy, match="lock_timeout"):
            other.migrate(plan)
    assert [move.enrollment_id for move in other.migrate(plan).refused] == [id]
    patient.finish(beside)
    with postgres.connect() as connection:
        assert len(patient.migrate(plan, connection=connection).moved) == 1
        with pytest.raises(Busy, match="lock_timeout"):
            other.enroll(tasks(), lead())
    with pytest.raises(AlreadyEnrolled):
        other.enroll(tasks(), lead())


@pytest.mark.parametrize("deduplicates", [True, False])
@pytest.mark.parametrize("whose", ["its own", "the next"])
def test_a_caller_holds_up_one_enrollment(store, request, whose, deduplicates):
    """What a caller's open transaction holds costs a worker that enrollment for a while; the other mails leave (S3)."""
    clock, account = ManualClock(NOW), request.node.name[:64]
    host = Engine(store, clock=clock).account(account)
    host.save(mails())
    ids = [host.enroll(mails(), lead(n, f"{n}@example.com")).id for n in range(6)]
    quick = PostgresStore(postgres.server(), schema=store.schema, lock_timeout=0.05)
    with postgres.connect() as connection:

        def answer(email, key):
            if not mailer.calls:
                host.block(ids[ids.index(email.enrollment_id) + (whose == "the next")], connection=connection)
            return Accepted(f"<{key}>")

        mailer = RecordingMailer(deduplicates=deduplicates, answer=answer)
        worker = Engine(quick, mailer=mailer, clock=clock, port_threads=False).account(account)
        assert worker.tick().handed_over >= 5
        worker.tick()
        over = [id for id in ids if host.get(id).steps[0].status == "completed"]
        assert len(over) >= 4
    for _ in range(3):
        worker.tick()
        clock.move(minutes=5)
    assert sorted({call.email.enrollment_id for call in mailer.sent}) == [id for id in ids if host.get(id).position]
    assert len(mailer.sent) == len({call.key for call in mailer.sent}) >= 5
    assert [host.get(id).state.value for id in ids].count("blocked") == 1
    assert host.counters().claimed == 0
    quick.close()


def test_a_pass_over_very_many_actors(store, impatient):
    """However many actors a pass counts, it takes few locks, and nobody else counts any of them meanwhile (E5)."""
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    one, many = {(None, 7): NOW}, {(None, number): NOW for number in range(2000)}
    for first, then in ((many, one), (one, many), (many, many)):
        with store.transaction() as transaction:
            transaction.mails_left(first, NOW, ahead=NOW)
            assert store._own_connection().connection.execute(locks).fetchone()[0] < 10
            with pytest.raises(Busy, match="lock_timeout"), impatient.transaction() as beside:
                beside.mails_left(then, NOW, ahead=NOW)
    with store.transaction() as transaction, impatient.transaction() as beside:
        transaction.mails_left(one, NOW, ahead=NOW)
        beside.mails_left({(None, 8): NOW}, NOW, ahead=NOW)


def test_a_session_that_was_not_set_up(store):
    """A decision is never made on a snapshot, also where a pooler has put a session of other habits underneath (L9)."""
    id = begun(store, account="another session").id
    connection = store._own_connection().connection
    connection.execute("SET default_transaction_isolation = 'repeatable read'")
    try:
        with store.transaction() as transaction:
            with postgres.connect() as other:
                Engine(store, clock=ManualClock(NOW)).account("another session").block(id, connection=other)
            assert transaction.get(id).enrollment.state.value == "blocked"
    finally:
        connection.execute("SET default_transaction_isolation = 'read committed'")


# -- the feed -------------------------------------------------------------------------------------------------


class Writer:
    """A transaction that is begun, written in and ended step by step: the store's own, or a caller's that is joined."""

    def __init__(self, store: PostgresStore, connection: psycopg.Connection[Any] | None) -> None:
        self.store, self.connection = store, connection
        self._stack: ExitStack | None = None
        self._transaction: Transaction | None = None
        self._begun: list[Enrollment] = []
        self.kept: list[int] = []
        self._numbers = iter(range(1_000_000))

    def write(self) -> None:
        """An event, in the transaction that is open, or else in a new one."""
        if self.connection is not None:
            with self.store.transaction(self.connection) as transaction:
                self._begun.append(begin(self.store, transaction, next(self._numbers), email=None))
            return
        if self._stack is None:
            self._stack = ExitStack()
            self._transaction = self._stack.enter_context(self.store.transaction())
        self._begun.append(begin(self.store, self._transaction, next(self._numbers), email=None))

    def flush(self) -> None:
        """What is collected gets its numbers now."""
        if self._transaction is not None:
            self._transaction.write()  # type: ignore[attr-defined]

    def begin(self) -> None:
        """A transaction that has done nothing yet; or, joined, a block that fails."""
        if self.connection is None:
            if self._stack is None:
                self._stack = ExitStack()
                self._transaction = self._stack.enter_context(self.store.transaction())
            return
        with failing(self.store, self.connection) as transaction:
            begin(self.store, transaction, next(self._numbers), email=None)

    def end(self, *, keep: bool = True) -> None:
        """Commit, or roll back."""
        if self.connection is not None:
            (self.connection.commit if keep else self.connection.rollback)()
        elif self._stack is not None:
            error = None if keep else Refusal()
            with suppress(Refusal):
                self._stack.__exit__(error and type(error), error, None)
        self._stack = self._transaction = None
        self.kept += [each.id for each in self._begun] if keep else []
        self._begun = []


@pytest.fixture(scope="module")
def writers():
    """Three transactions of the store's own and three of callers', all in one schema, and a reader."""
    schema = postgres.new_schema()
    stores = [PostgresStore(postgres.server(), schema=schema) for _ in range(4)]
    connections = [postgres.connect() for _ in range(3)]
    begun(stores[0], "first of all", email=None)
    made = [*(Writer(store, None) for store in stores[:3]), *(Writer(stores[3], each) for each in connections)]
    yield made, stores[3]
    for store in stores:
        store.close()
    for connection in connections:
        connection.close()


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "write", "flush", "commit", "roll back"]), st.integers(0, 5))
    | st.tuples(st.just("read"), st.integers(1, 3)),
    max_size=40,
)


@settings(max_examples=100)
@given(steps=STEPS)
@example(steps=[("write", 0), ("flush", 0), ("write", 3), ("commit", 3), ("read", 3), ("commit", 0), ("read", 3)])
@example(steps=[("begin", 0), ("write", 4), ("commit", 4), ("read", 3), ("write", 0), ("commit", 0), ("read", 3)])
@example(steps=[("write", 4), ("begin", 4), ("write", 5), ("commit", 5), ("read", 1), ("commit", 4), ("read", 3)])
def test_no_event_is_passed_over(writers, steps):
    """However transactions overlap, own or joined, who reads in pages hears of each committed event once, in order."""
    made, store = writers
    for writer in made:
        writer.kept.clear()
    with store.transaction(write=False) as transaction:
        cursor = transaction.events_after(0, 2**62)[-1].cursor
    told: list[Any] = []

    def read(limit):
        nonlocal cursor
        with store.transaction(write=False) as transaction:
            found = transaction.events_after(cursor, limit)
        told.extend(found)
        cursor = found[-1].cursor if found else cursor
        return found

    for what, which in steps:
        if what == "read":
            read(which)
        elif what in ("commit", "roll back"):
            made[which].end(keep=what == "commit")
        else:
            getattr(made[which], what)()
    for writer in made:
        writer.end(keep=False)
    while read(2):
        pass
    assert sorted(event.enrollment_id for event in told) == sorted(id for writer in made for id in writer.kept)
    assert [event.cursor for event in told] == sorted({event.cursor for event in told})


def test_who_is_under_way_holds_the_feed_up_and_nobody_else(store):
    """What was committed after an older transaction began is told as soon as that one ends, and not before."""
    engine = Engine(store, clock=ManualClock(NOW)).account("feed")
    engine.save(mails())
    last = engine.events(limit=10_000).cursor
    with postgres.connect() as connection:
        late = engine.enroll(mails(), lead(1), connection=connection)
        early = engine.enroll(mails(), lead(2, "grace@example.com"))
        assert engine.events(after=last).events == ()
        connection.commit()
    assert [event.enrollment_id for event in engine.events(after=last).events] == [late.id, early.id]


def test_the_feed_of_a_busy_store(store):
    """While four threads write, own and joined, keeping or not, a reader hears of each event that was kept, once."""
    engine = Engine(store, clock=ManualClock(NOW)).account("busy")
    engine.save(mails())
    last = engine.events(limit=10_000).cursor
    kept: list[int] = []
    told: list[Any] = []

    def work(number):
        if number == 4:
            return read()
        chance = random.Random(number)
        for n in range(25):
            resource = Resource("lead", f"{number}-{n}")
            if chance.random() < 0.4:
                kept.append(engine.enroll(mails(), resource).id)
                continue
            with postgres.connect() as connection:
                made = [engine.enroll(mails(), resource, connection=connection).id]
                made.append(engine.enroll(mails(), Resource("contact", resource.id), connection=connection).id)
                if chance.random() < 0.3:
                    connection.rollback()
                else:
                    connection.commit()
                    kept.extend(made)
        return None

    def read():
        nonlocal last
        while len(told) < 40:
            page = engine.events(after=last, limit=3)
            told.extend(page.events)
            last = page.cursor

    at_once(5, work)
    page = engine.events(after=last, limit=10_000)
    told.extend(page.events)
    assert sorted(event.enrollment_id for event in told) == sorted(kept)
    assert [event.cursor for event in told] == sorted(event.cursor for event in told)


def test_s7_nobody_waits_for_another_accounts_enrollment(store):
    """While one account's enrollment is being changed, who asks another account for it is answered at once (S7)."""
    enrollment = begun(store, account="ours")
    answers = []

    def ask():
        with store.transaction() as transaction:
            answers.append(transaction.get(enrollment.id, "theirs"))

    with store.transaction() as transaction:
        assert transaction.get(enrollment.id, "ours") is not None
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(10)
        assert answers == [None]


def test_the_last_number_is_read_before_the_locks(store):
    """In the plan of `settled` the last number is kept before the locks are read: the other way turn loses events."""
    text = store._reading["settled"].replace("$1", "1")
    with postgres.connect() as connection:
        plan = [str(line) for (line,) in connection.execute(f"EXPLAIN (COSTS OFF) {text}".encode()).fetchall()]
    joins = [line.strip(" ->") for line in plan if "Join" in line or "Scan" in line]
    names = [line for line in joins if "pg_database" not in line]
    assert names[0].startswith("Seq Scan on sequencer_event_ids"), plan
    assert names[1:3] == ["Nested Loop Left Join", "CTE Scan on now"], plan
