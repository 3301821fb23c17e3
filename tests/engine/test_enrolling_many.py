"""Many at once are enrolled exactly as one after another (L9), with a few questions to the store."""

from __future__ import annotations

import itertools
import re
import threading
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pendulum
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    AlreadyEnrolled,
    BulkResult,
    Engine,
    KeyReused,
    ManualClock,
    MemoryStore,
    NotFound,
    Policy,
    Refused,
    Resource,
    Row,
    SQLiteStore,
    Suppressed,
)
from tests import postgres
from tests.engine.sequences import exclusive, lead, mails, tasks

_numbers = itertools.count()

ADDRESSES = ("ada@example.com", "bob@example.com", "cid@example.com")
RESOURCES = st.builds(
    Resource,
    st.sampled_from(["lead", "lead", "contact"]),
    st.sampled_from([1, 2, 3, "1"]),
    email=st.none() | st.sampled_from([*ADDRESSES, " ADA@Example.com "]),
    fields=st.sampled_from([{}, {"first_name": "Ada"}]),
    timezone=st.sampled_from([None, "Asia/Tokyo"]),
)
ROWS = st.builds(
    Row,
    RESOURCES,
    actor_id=st.sampled_from([None, 7]),
    timezone=st.sampled_from([None, "UTC", "America/New_York"]),
    start_at=st.sampled_from([None, timedelta(days=3), timedelta(days=-3)]),
    idempotency_key=st.sampled_from([None, None, "k-1", "k-2"]),
)
# What the rows are enrolled in, and what others may be in: the same, another, and one that tolerates no other.
POLICIES = st.sampled_from([Policy(), Policy(exclusive="all"), Policy(reenroll_after=3)])
OTHERS = (mails("other"), exclusive("only"))
BEFORE = st.lists(
    st.one_of(
        st.tuples(st.just("enroll"), ROWS, st.sampled_from([None, *OTHERS])),
        st.tuples(st.just("elsewhere"), ROWS),
        st.tuples(st.just("finish"), st.integers(0, 5)),
        st.tuples(st.just("suppress"), st.sampled_from(ADDRESSES)),
        st.tuples(st.just("erase"), RESOURCES),
        st.tuples(st.just("wait"), st.integers(1, 4)),
    ),
    max_size=8,
)


@pytest.fixture(scope="module", params=["memory", "sqlite", "postgres"])
def kept(request, tmp_path_factory):
    """A store for many examples, each of which has accounts of its own."""
    store: Any
    if request.param == "memory":
        store = MemoryStore()
    elif request.param == "sqlite":
        store = SQLiteStore(tmp_path_factory.mktemp("many") / "many.db")
    else:
        store = postgres.new_store()
    yield store
    store.close()


def one_by_one(engine, sequence, rows):
    enrolled, refused = [], []
    for i, row in enumerate(rows):
        try:
            enrolled.append(
                engine.enroll(
                    sequence,
                    row.resource,
                    actor_id=row.actor_id,
                    timezone=row.timezone,
                    start_at=row.start_at,
                    idempotency_key=row.idempotency_key,
                )
            )
        except (AlreadyEnrolled, Suppressed, KeyReused) as error:
            refused.append(Refused(i, row.resource, error))
    return BulkResult(tuple(enrolled), tuple(refused))


def lived(engine, other, clock, sequence, before):
    """What has happened before: the same for whoever is compared."""
    for what, *about in before:
        if what == "enroll":
            row, instead = about
            one_by_one(engine, instead or sequence, [starting(clock, row)])
        elif what == "elsewhere":
            one_by_one(other, sequence, [starting(clock, about[0])])
            other.suppress(ADDRESSES[0])
        elif what == "finish":
            for each in engine.enrollments()[about[0] : about[0] + 1]:
                engine.finish(each.id)
        elif what == "suppress":
            engine.suppress(about[0])
        elif what == "erase":
            engine.erase(about[0])
        else:
            clock.move(hours=24 * about[0])


def starting(clock, row):
    return row if row.start_at is None else Row(
        row.resource, row.actor_id, row.timezone, clock.now() + row.start_at, row.idempotency_key
    )  # fmt: skip


def told(engine, result):
    """All that can be seen of what was answered and stored, with ids by their order, and without what an account is."""
    places = {each.id: place for place, each in enumerate(engine.enrollments(limit=1000))}

    def seen(enrollment):
        told = enrollment.to_dict()
        del told["sequence"]["id"]
        return {**told, "id": places[enrollment.id], "resource": enrollment.resource, "wake": enrollment.wake_at}

    def happened(event):
        facts = {name: value for name, value in event.facts.items() if name != "account"}
        return event.number, event.at, event.type, facts, event.own, event.steps

    def why(error):
        message = re.sub(r"enrollment (\d+)", lambda found: f"enrollment #{places[int(found[1])]}", str(error))
        return type(error), message, getattr(error, "again_at", None)

    return (
        [seen(each) for each in result.enrolled],
        [(each.row, each.resource, why(each.error)) for each in result.refused],
        [seen(engine.get(id)) for id in places],
        [[happened(event) for event in engine.history(id)] for id in places],
    )


@settings(max_examples=80)
@given(policy=POLICIES, before=BEFORE, rows=st.lists(ROWS, max_size=12), bulk=st.sampled_from([3, 1000]))
def test_l9_many_are_enrolled_as_one_after_another(kept, policy, before, rows, bulk):
    """Whatever is stored, and whatever stands twice among the rows: the same are enrolled, and refused for the same."""
    number = next(_numbers)
    sequence = mails("it", policy=policy)
    begun = pendulum.datetime(2026, 3, 2, 9, tz="UTC")
    answers = []
    for how in ("one by one", "many"):
        clock = ManualClock(begun)
        engine = Engine(store=kept, clock=clock)
        own, other = engine.account(f"{number} {how}"), engine.account(f"{number} {how} too")
        lived(own, other, clock, sequence, before)
        starts = [starting(clock, row) for row in rows]
        if how == "many":
            with (
                patch("sequencer.engine.verbs.enrollments._BULK", bulk),
                patch("sequencer.engine.enrolling._FEW", bulk),
            ):
                answers.append(told(own, own.enroll_many(sequence, starts)))
        else:
            answers.append(told(own, one_by_one(own, sequence, starts)))

    assert answers[0] == answers[1]


def test_l9_many_beside_many_and_beside_others(store, clock):
    """However many enroll the same people at the same time, each is enrolled once, and everybody else is refused."""
    engine, people = Engine(store=store, clock=clock), 240
    sequence = engine.save(tasks())
    leads = [lead(n, f"lead{n}@example.com") for n in range(people)]
    results, ready = [], threading.Barrier(4)

    def enroll(some, *, many):
        ready.wait()
        results.append(engine.enroll_many(sequence, some) if many else one_by_one(engine, sequence, map(Row, some)))

    threads = [
        threading.Thread(target=enroll, args=(some,), kwargs={"many": many})
        for some, many in ((leads, True), (leads[::-1], True), (leads[::7], False), (leads[::-7], False))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 4
    assert sorted(each.resource.id for result in results for each in result.enrolled) == list(range(people))
    assert sum(len(result.refused) for result in results) == people + 2 * len(leads[::7])


def test_many_rows_are_few_locks():
    """A batch of many holds the whole account, rather than a lock for each name: a server has room for so many only."""
    store = postgres.new_store()
    engine = Engine(store=store, clock=ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC")))
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    with postgres.connect() as connection:
        result = engine.enroll_many(
            tasks(), [lead(n, f"lead{n}@example.com") for n in range(500)], connection=connection
        )
        ((locks,),) = connection.execute(held)
        connection.rollback()

    assert len(result.enrolled) == 500
    assert locks < 10
    assert engine.enrollments() == ()
    store.close()


def test_each_of_many_is_looked_up_by_its_index():
    """In PostgreSQL who is asked about is found by name, however many there are, and whatever is known of the table."""
    store = postgres.new_store()
    engine = Engine(store=store, clock=ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC")))
    engine.enroll_many(tasks(), [lead(n, f"lead{n}@example.com") for n in range(3000)])
    ids, addresses = [f"{n}" for n in range(1000)], [f"lead{n}@example.com" for n in range(1000)]
    of_resources = (
        "Index Cond: ((account = 'null'::text) AND (resource_type = 'lead'::text) AND (resource_id = who.who))"
    )
    of_addresses = "Index Cond: ((account = 'null'::text) AND (address = who.who))"
    with postgres.connect(autocommit=True) as connection:
        cursor = psycopg.RawCursor(connection)
        for known in ("nothing", "all"):
            if known == "all":
                connection.execute("ANALYZE")
            for name, values, index in (
                ("ongoing_of_resources", (ids, "null", "lead"), of_resources),
                ("ongoing_of_addresses", (addresses, "null"), of_addresses),
                ("last_finished_of_resources", (ids, "null", "lead", 1), of_resources),
                ("last_finished_of_resources", (ids, "null", "lead", None), of_resources),
                ("last_finished_of_addresses", (addresses, "null", 1), of_addresses),
                ("last_finished_of_addresses", (addresses, "null", None), of_addresses),
            ):
                cursor.execute(f"EXPLAIN (COSTS OFF) {store._reading[name]}".encode(), values)
                plan = [line.strip() for (line,) in cursor]
                assert index in plan, (known, plan)
    store.close()


def test_nobody_comes_into_a_sequence_that_is_deleted_meanwhile(tmp_path):
    """A sequence that is deleted between two batches ends those of the first, and the second is refused (L7)."""
    engine = Engine(SQLiteStore(tmp_path / "one.db"))
    id = engine.create_sequence(tasks()).id
    with patch("sequencer.engine.verbs.enrollments._BULK", 2):
        begun = engine._transaction
        turns = itertools.count()

        def transaction(connection):
            if next(turns) == 2:
                Engine(engine.store).delete_sequence(id)
            return begun(connection)

        with patch.object(engine, "_transaction", transaction), pytest.raises(NotFound):
            engine.enroll_many(id, [lead(n, email=None) for n in range(5)])
    assert [each.finished_reason for each in engine.enrollments()] == ["sequence_deleted"] * 2
