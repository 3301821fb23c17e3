"""Who works on what, for how long, and what is due next (laws S3, S4, E6)."""

from __future__ import annotations

from typing import Any

from sequencer.core.signals import Block
from sequencer.engine.stored import Counts
from sequencer.testing.contracts.workbench import LEASE, NOW, begun, do, finish, later, send, sequence_named


class Claims:
    """Claims, leases, counts."""

    def test_claims_what_is_due_soonest_first(self, store: Any) -> None:
        """What is due is claimed in the order in which it came due, up to the limit, and nothing that is not due."""
        starts = [5, 1, 9, 3, 7]
        ids = {hours: begun(store, hours, start_at=later(hours=hours)).id for hours in starts}

        with store.transaction() as transaction:
            first = transaction.claim(later(hours=7), 2, LEASE)
            second = transaction.claim(later(hours=7), 9, LEASE)
            assert transaction.claim(later(hours=7), 9, LEASE) == []
            assert transaction.claim(later(hours=99), 0, LEASE) == []

        assert [held.enrollment.id for held in first + second] == [ids[hours] for hours in (1, 3, 5, 7)]
        assert all(held.fence == 1 for held in first + second)
        assert all(held.lease_until == later(hours=7, seconds=60) for held in first + second)

    def test_a_lease_keeps_others_away_until_it_ends(self, store: Any) -> None:
        """What is claimed is claimed by nobody else until its lease ends, renewed or not."""
        id = begun(store).id
        with store.transaction() as transaction:
            (held,) = transaction.claim(NOW, 1, LEASE)
            assert transaction.get(id) == held
        with store.transaction() as transaction:
            assert transaction.claim(later(seconds=59), 1, LEASE) == []
            transaction.renew([(id, held.fence)], later(seconds=90))
            assert transaction.claim(later(seconds=89), 1, LEASE) == []
            (again,) = transaction.claim(later(seconds=90), 1, LEASE)
            assert again.fence == held.fence + 1

    def test_a_lease_from_a_clock_that_was_ahead(self, store: Any) -> None:
        """A lease that ends later than now plus its length has expired; one that ends exactly then has not (E6)."""
        begun(store)
        with store.transaction() as transaction:
            (held,) = transaction.claim(later(hours=5), 1, LEASE)
        with store.transaction() as transaction:
            assert transaction.claim(later(hours=5), 1, LEASE) == []
            (again,) = transaction.claim(NOW, 1, LEASE)
        assert again.fence == held.fence + 1
        assert again.lease_until == later(seconds=60)

    def test_a_decision_from_a_clock_that_was_ahead(self, store: Any) -> None:
        """What was last decided more than a lease ahead of now is looked at again, if it waits for anything (E6)."""
        waiting, silent = begun(store, 1), begun(store, 2)
        with store.transaction() as transaction:
            waiting = send(transaction, waiting, later(days=30))
            silent = do(transaction, silent, Block(), later(days=30))
            assert waiting.wake_at > later(days=30)
        with store.transaction() as transaction:
            (held,) = transaction.claim(NOW, 9, LEASE)
            assert held.enrollment == waiting
            assert transaction.claim(NOW, 9, LEASE) == []
            transaction.release([(waiting.id, held.fence)])
            assert transaction.claim(later(days=30), 9, LEASE) == []
            assert transaction.claim(later(days=30, seconds=-60), 9, LEASE) == []
            assert len(transaction.claim(later(days=30, seconds=-61), 9, LEASE)) == 1

    def test_claims_for_one_account(self, store: Any) -> None:
        """A worker of one account claims and waits for what is that account's."""
        mine, theirs = begun(store, account="acme"), begun(store, account=7, start_at=later(hours=-1))

        with store.transaction() as transaction:
            assert transaction.next_wake("acme") == mine.wake_at
            assert transaction.next_wake(7) == theirs.wake_at
            assert transaction.next_wake("7") is None
            assert transaction.claim(NOW, 9, LEASE, "7") == []
            assert [held.enrollment for held in transaction.claim(NOW, 9, LEASE, "acme")] == [mine]
            assert [held.enrollment for held in transaction.claim(NOW, 9, LEASE)] == [theirs]

    def test_the_next_wake(self, store: Any) -> None:
        """The store tells when it has to be looked at next: by a wake, or by the end of a lease."""
        with store.transaction() as transaction:
            assert transaction.next_wake() is None
        first, second = begun(store, 1, start_at=later(hours=1)), begun(store, 2, start_at=later(hours=2))

        with store.transaction() as transaction:
            assert transaction.next_wake() == later(hours=1)
            (held,) = transaction.claim(later(hours=1), 1, 7200)
            assert transaction.next_wake() == later(hours=2)
            do(transaction, second, Block())
            assert transaction.next_wake() == later(hours=3)
            do(transaction, first, Block(), fence=held.fence, release=True)
            assert transaction.next_wake() is None

    def test_counts(self, store: Any) -> None:
        """Each enrollment is counted where it stands: due, claimed, abandoned, active, blocked by its reason."""
        ids = [begun(store, n, sequence=sequence_named(f"s-{n % 2}")).id for n in range(8)]
        theirs = begun(store, 9, account="acme")
        with store.transaction() as transaction:
            do(transaction, transaction.get(ids[4]).enrollment, Block())
            do(transaction, transaction.get(ids[5]).enrollment, Block("bounced"))
            finish(transaction, transaction.get(ids[6]).enrollment)
            send(transaction, transaction.get(ids[7]).enrollment, later(minutes=1))
            assert transaction.counts(later(seconds=-1), 99, None) == Counts(
                due=0, oldest_due_at=None, claimed=0, abandoned=0, oldest_lease_until=None,
                active=5, blocked={"bounced": 1, "paused": 1},
            )  # fmt: skip
            assert transaction.counts(later(hours=1), 99).due == 5
        with store.transaction() as transaction:
            first, second = transaction.claim(later(hours=1), 2, LEASE, None)
        with store.transaction(write=False) as transaction:
            until = later(hours=1, seconds=LEASE)
            counts = transaction.counts(later(hours=1), 99, None)
            assert (counts.due, counts.oldest_due_at) == (2, NOW)
            assert (counts.claimed, counts.abandoned, counts.oldest_lease_until) == (2, 0, until)
            counts = transaction.counts(until, 99, None)
            assert (counts.due, counts.claimed, counts.abandoned, counts.oldest_lease_until) == (2, 0, 2, until)
            acme = transaction.counts(later(hours=1), 99, "acme")
            assert (acme.due, acme.oldest_due_at, acme.claimed, acme.active, acme.blocked) == (1, NOW, 0, 1, {})
            assert transaction.counts(later(hours=1), 99, "nobody").active == 0
        assert first.enrollment.id != second.enrollment.id != theirs.id

    def test_what_was_set_aside_is_counted(self, store: Any) -> None:
        """It is claimed until its lease ends, and due from then on: nobody has abandoned it."""
        for n in range(4):
            begun(store, n, start_at=later(hours=n))
        with store.transaction() as transaction:
            first, second = transaction.claim(later(hours=1), 2, LEASE)
            transaction.set_aside([(first.enrollment.id, first.fence)])
        until = later(hours=1, seconds=LEASE)
        with store.transaction(write=False) as transaction:
            counts = transaction.counts(until.subtract(seconds=1), 99)
            assert (counts.due, counts.oldest_due_at) == (0, None)
            assert (counts.claimed, counts.abandoned, counts.oldest_lease_until) == (2, 0, until)
            counts = transaction.counts(until, 99)
            assert (counts.due, counts.oldest_due_at) == (1, until)
            assert (counts.claimed, counts.abandoned, counts.oldest_lease_until) == (0, 1, until)
            assert transaction.counts(until, 99, "nobody").due == 0
        with store.transaction() as transaction:
            transaction.release([(second.enrollment.id, second.fence)])
            counts = transaction.counts(later(hours=2), 99)
            assert (counts.due, counts.oldest_due_at) == (3, later(hours=1))
            assert (counts.claimed, counts.abandoned, counts.oldest_lease_until) == (0, 0, None)
            assert transaction.counts(later(hours=2), 2).due == 2

    def test_counting_ends_somewhere(self, store: Any) -> None:
        """No count goes beyond the number that was asked for, however many there are (S4)."""
        ids = [begun(store, n).id for n in range(9)]
        with store.transaction() as transaction:
            for n, id in enumerate(ids[6:]):
                do(transaction, transaction.get(id).enrollment, Block(f"reason-{n}"))
            transaction.claim(NOW, 3, LEASE)
            counts = transaction.counts(NOW, 2)
            assert (counts.due, counts.claimed, counts.active, sum(counts.blocked.values())) == (2, 2, 2, 2)
            assert transaction.counts(later(hours=1), 2).abandoned == 2
            assert transaction.counts(NOW, 0).blocked == {}
