"""Fresh looks, whatever the way in which a store has them: each says what a query at that moment says (law E3)."""

from __future__ import annotations

import itertools
import re
import sqlite3
import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.signals import Block
from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.workbench import LEASE, NOW, begin, begun, do, failing, later
from tests import postgres as server

EXAMPLES = itertools.count(1)
PLACES = st.integers(0, 4)
LOOKS = st.tuples(st.just("look"), PLACES, st.sampled_from(["own", "own", "another", "none"]))
WRITES = st.tuples(
    st.sampled_from(
        ["block", "release", "set aside", "renew", "suppress", "unsuppress", "suppress another", "enroll", "person"]
    ),
    PLACES,
    st.sampled_from(["here", "on another thread", "and fails"]),
)


@pytest.fixture(scope="module", params=["memory", "sqlite", "one sqlite connection", "postgres"])
def store(request, tmp_path_factory):
    """A store of each kind."""
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "postgres":
        postgres = server.new_store()
        yield postgres
        postgres.close()
    else:
        path = ":memory:" if "one" in request.param else tmp_path_factory.mktemp("looks") / "store.db"
        made = SQLiteStore(path)
        yield made
        made.close()


def elsewhere(work):
    """Do it on a thread of its own, which has a connection of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def claimed(store, account, count=5):
    """So many enrollments of an account, claimed: each with the fence of its claim."""
    with store.transaction() as transaction:
        for n in range(count):
            begin(store, transaction, n, email=f"person-{n}@example.com", account=account)
    with store.transaction() as transaction:
        found = transaction.claim(NOW, count, LEASE, account)
    return sorted(((held.enrollment, held.fence) for held in found), key=lambda claim: claim[0].id)


def seen(store, *what):
    """What a query says now."""
    with store.transaction(write=False) as transaction:
        return transaction.look(*what)


def write(store, transaction, what, enrollment, fence, account):
    """Change something that a look may see, or that it need not."""
    address = enrollment.resource.address
    if what == "block":
        now = transaction.get(enrollment.id).enrollment
        if not now.blocked_reason:
            do(transaction, now, Block())
    elif what == "release":
        transaction.release([(enrollment.id, fence)])
    elif what == "set aside":
        transaction.set_aside([(enrollment.id, fence)])
    elif what == "renew":
        transaction.renew([(enrollment.id, fence)], later(seconds=90))
    elif what == "enroll":
        begin(store, transaction, f"late-{next(EXAMPLES)}", email=None, account=account)
    elif what == "person":
        transaction.update_person(enrollment.id, enrollment.resource)
    elif what == "unsuppress":
        transaction.unsuppress(account, address)
    else:
        transaction.suppress(account, "another@example.com" if "another" in what else address, NOW, "manual")


@given(st.lists(st.one_of(LOOKS, WRITES), max_size=25))
def test_a_look_says_what_a_query_says(store, course):
    """Whoever commits what, before whichever look, on whichever connection: a look ahead is as fresh as a query."""
    account = f"example {next(EXAMPLES)}"
    claims = claimed(store, account)
    looks = store.looking(claims)
    for what, place, how in course:
        enrollment, fence = claims[place]
        if what == "look":
            address = {"own": enrollment.resource.address, "another": "another@example.com", "none": None}[how]
            assert looks.look(enrollment, fence, address) is seen(store, enrollment, fence, address)
        elif how == "and fails":
            with failing(store) as transaction:
                write(store, transaction, what, enrollment, fence, account)
        else:

            def work(what=what, enrollment=enrollment, fence=fence):
                with store.transaction() as transaction:
                    write(store, transaction, what, enrollment, fence, account)

            work() if how == "here" else elsewhere(work)
    for enrollment, fence in claims:
        address = enrollment.resource.address
        assert looks.look(enrollment, fence, address) is seen(store, enrollment, fence, address)


def test_a_look_from_another_thread_is_as_fresh(store):
    """The looks of one pass go on where the thread of its ports was left behind and another took its place (E4)."""
    account = f"example {next(EXAMPLES)}"
    claims = claimed(store, account)
    looks = store.looking(claims)
    assert looks.look(claims[0][0], claims[0][1], "person-0@example.com") is False
    with store.transaction() as transaction:
        transaction.suppress(account, "person-1@example.com", NOW, "manual")
    found = []
    elsewhere(lambda: found.append(looks.look(claims[1][0], claims[1][1], "person-1@example.com")))
    assert found == [True]
    assert looks.look(claims[2][0], claims[2][1], "person-2@example.com") is False


def test_a_look_sees_what_another_process_has_committed(tmp_path):
    """A commit through a connection that this process's store knows nothing of is seen by the very next look."""
    path = tmp_path / "store.db"
    store = SQLiteStore(path)
    claims = claimed(store, None)
    looks = store.looking(claims)
    assert looks.look(claims[0][0], claims[0][1], "person-0@example.com") is False
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE sequencer_enrollments SET revision = revision + 1 WHERE id = ?", (claims[1][0].id,))
    assert looks.look(claims[1][0], claims[1][1], "person-1@example.com") is None
    assert looks.look(claims[2][0], claims[2][1], "person-2@example.com") is False
    other.close()
    store.close()


def test_looks_ahead_ask_less_while_nobody_writes_and_no_more_than_before_while_somebody_does(tmp_path):
    """A pass without other writers reads its claims once; one beside a writer reads ahead less and less."""
    store = SQLiteStore(tmp_path / "store.db")
    claims = claimed(store, None, 40)
    statements: list[str] = []
    connection = store._connections.own().connection
    connection.set_trace_callback(statements.append)

    def looked(*, beside):
        looks = store.looking(claims)
        statements.clear()
        for enrollment, fence in claims:
            if beside:
                elsewhere(lambda: begun(store, f"late-{next(EXAMPLES)}", email=None))
            assert looks.look(enrollment, fence, enrollment.resource.address) is False
        # How many claims were read each time.
        return [each.count(",") + 1 for each in re.findall(r"json_each\('\[([\d, ]+)\]'\)", "\n".join(statements))]

    assert looked(beside=False) == [len(claims)]
    assert looked(beside=True) == [40, 20, 10, 5, 2, *[1] * 35]
    connection.set_trace_callback(None)
    store.close()


def test_a_look_is_an_ordinary_one_where_nothing_may_be_prepared():
    """Behind a pooler that knows no prepared statements, and after one forgot them, a look says the same (S5)."""
    store = server.new_store()
    with closing(store):
        claims = claimed(store, None)
        looks = store.looking(claims)
        held = store._connections.own()
        assert looks.look(claims[0][0], claims[0][1], "person-0@example.com") is False
        assert held.prepared
        held.connection.execute("DEALLOCATE ALL")
        assert looks.look(claims[1][0], claims[1][1], "person-1@example.com") is False
        assert looks.look(claims[2][0], claims[2][1], "person-2@example.com") is False
        held.connection.prepare_threshold = None
        held.prepared.clear()
        assert looks.look(claims[3][0], claims[3][1], "person-3@example.com") is False
        assert not held.prepared
        held.connection.close()
        assert looks.look(claims[4][0], claims[4][1], "person-4@example.com") is False
