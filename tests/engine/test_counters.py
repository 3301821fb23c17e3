"""Counters: what somebody who watches an engine sees, for every account or for one (laws S4, S7)."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from sequencer import Engine, MemoryStore, Rejected
from sequencer.engine import counters
from sequencer.engine.counters import Tally
from sequencer.engine.stored import ALL_ACCOUNTS
from tests.engine.sequences import lead, mails, tasks


def test_counters_follow_what_happens(engine, mailer, clock):
    """What is due, claimed, blocked, handed over and failed is counted as it stands and as it was done."""
    mailer.fail(Rejected("no", permanent=True), to="2@example.com")
    for i in range(4):
        engine.enroll(mails() if i < 3 else tasks(), lead(i, f"{i}@example.com"))
    start = clock.now()
    clock.move(minutes=2)
    before = engine.counters()
    assert (before.due, before.oldest_due_at, before.oldest_due_seconds, before.active) == (4, start, 120.0, 4)
    assert (before.handed_over, before.failed, before.blocked) == (0, 0, {})

    engine.tick()
    after = engine.counters()
    assert (after.due, after.oldest_due_at, after.oldest_due_seconds, after.claimed) == (0, None, 0.0, 0)
    assert (after.handed_over, after.failed, after.active, after.blocked) == (3, 1, 3, {"delivery_failed": 1})
    assert after.capped == ()


def test_a_worker_that_died_is_seen(engine, clock):
    """What it had claimed is claimed until its lease ends, and abandoned from then on until it is taken over (E4)."""
    engine.enroll(mails(), lead())
    with engine.store.transaction() as transaction:
        transaction.claim(clock.now(), 9, 60.0)
    claimed = engine.counters()
    assert (claimed.due, claimed.claimed, claimed.abandoned) == (0, 1, 0)
    assert claimed.oldest_lease_until == clock.now().add(seconds=60)

    clock.move(minutes=5)
    abandoned = engine.counters()
    assert (abandoned.claimed, abandoned.abandoned) == (0, 1)
    assert abandoned.oldest_lease_until == clock.now().subtract(minutes=4)

    engine.tick()
    assert engine.counters().abandoned == 0


def test_s7_an_account_counts_only_its_own(engine, mailer, clock):
    """An engine bound to an account counts neither what others have stored nor what was handed over for them (S7)."""
    mailer.fail(Rejected("no", permanent=True), to="b@example.com")
    acme, zero = engine.account("acme"), engine.account(0)
    acme.enroll(mails(), lead(1, "a@example.com"))
    zero.enroll(mails(), lead(1, "b@example.com"))
    engine.enroll(mails(), lead(1, "c@example.com"))
    acme.tick()

    def seen(of):
        found = of.counters()
        return found.due, found.active, found.blocked, found.handed_over, found.failed

    assert seen(acme) == (0, 1, {}, 1, 0)
    assert seen(zero) == (1, 1, {}, 0, 0)
    engine.tick()
    assert seen(zero) == (0, 0, {"delivery_failed": 1}, 0, 1)
    assert seen(engine) == (0, 2, {"delivery_failed": 1}, 2, 1)
    assert seen(engine.account("nobody")) == (0, 0, {}, 0, 0)


def test_counting_ends_and_says_so(engine, monkeypatch):
    """A count that has come as far as counting goes is named, since there may be more (S4)."""
    monkeypatch.setattr("sequencer.engine.verbs.reads.MOST", 3)
    monkeypatch.setattr(counters, "MOST", 3)
    for i in range(5):
        id = engine.enroll(mails(), lead(i, f"{i}@example.com")).id
    engine.block(id)
    found = engine.counters()
    assert (found.due, found.active, found.blocked) == (3, 3, {"paused": 1})
    assert found.capped == ("due", "active")


def test_counters_are_plain_data(engine, clock):
    """`to_dict` gives JSON values, with every field in it."""
    engine.enroll(mails(), lead())
    clock.move(seconds=90)
    found = json.loads(json.dumps(engine.counters().to_dict()))
    assert found == {
        "at": "2026-03-02T09:01:30Z",
        "due": 1,
        "oldest_due_at": "2026-03-02T09:00:00Z",
        "oldest_due_seconds": 90.0,
        "claimed": 0,
        "abandoned": 0,
        "oldest_lease_until": None,
        "active": 1,
        "blocked": {},
        "handed_over": 0,
        "failed": 0,
        "capped": [],
    }


def test_a_joined_reading_counts_what_is_not_committed(clock):
    """Inside the caller's transaction its own enrollments are counted (S1)."""
    engine = Engine(MemoryStore(), clock=clock)
    with engine.store.transaction() as transaction:
        engine.enroll(mails(), lead(), connection=transaction)
        assert engine.counters(connection=transaction).due == 1


def test_nothing_is_lost_between_threads():
    """Threads that count at the same time count everything."""
    tally, switch = Tally(), sys.getswitchinterval()

    def add():
        for i in range(5_000):
            tally.add("handed_over", i % 3)

    threads = [threading.Thread(target=add) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(switch)
    assert tally.of("handed_over", ALL_ACCOUNTS) == 20_000
    assert tally.of("failed", ALL_ACCOUNTS) == 0


@pytest.mark.parametrize("account", ["acme", 0, "0", None])
def test_what_was_done_for_one_account_is_no_other_ones(account):
    """Accounts are told apart as they were given."""
    tally = Tally()
    tally.add("failed", account)
    assert [each for each in ("acme", 0, "0", None) if tally.of("failed", each)] == [account]
