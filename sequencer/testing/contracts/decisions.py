"""What a store keeps of decisions: all of one or nothing, in order, and under a claim in force (laws S2, S3)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.errors import Conflict
from sequencer.core.events import replay
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import Sequence
from sequencer.core.signals import Block, Migrate, Reassign, Replied, Skip
from sequencer.testing.contracts.workbench import (
    ADA,
    BEYOND,
    DUE,
    LEASE,
    NOW,
    begin,
    begun,
    do,
    failing,
    finish,
    later,
    send,
    sequence_named,
)
from sequencer.testing.laws import impersonal


class Decisions:
    """Enrollments and their events, as they change."""

    def test_ids_are_new(self, store: Any) -> None:
        """Ids are positive and never given out twice."""
        given: list[int] = []
        for count in (1, 5, 2):
            with store.transaction() as transaction:
                given += transaction.new_ids(count)

        assert len(set(given)) == 8
        assert min(given) > 0

    def test_an_id_is_taken_once(self, store: Any) -> None:
        """Inserting an enrollment again is a conflict."""
        with store.transaction() as transaction:
            enrollment = begin(store, transaction)

        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.insert([(enrollment, ())])

    def test_a_decision_is_stored_with_its_events(self, store: Any) -> None:
        """A decision's enrollment and events are there together, and the events replay to the enrollment."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            sent = send(transaction, enrollment)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == sent
            events = transaction.events(enrollment.id)
        assert [event.type for event in events] == ["enrolled", "email_requested", "email_sent"]
        assert replay(sent.version, events) == impersonal(sent)

    def test_somebody_was_faster(self, store: Any) -> None:
        """A decision on an older revision is refused, and nothing of it is stored."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            blocked = do(transaction, enrollment, Block())

        with store.transaction() as transaction:
            late = advance(enrollment, DUE, NOW)
            assert not transaction.save(late.enrollment, late.events)
        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == blocked
            assert [event.type for event in transaction.events(enrollment.id)] == ["enrolled", "blocked"]

    def test_a_move_to_another_version(self, store: Any) -> None:
        """A move is stored with the version that it leads to, in its event, too, and statistics count on (L1, S2)."""
        enrollment, stays = begun(store, 1), begun(store, 2)
        with store.transaction() as transaction:
            sent = send(transaction, enrollment, later(minutes=5))
            shorter = Sequence("Outreach", sent.version.sequence.steps[1:], key="outreach")
            version = transaction.save_version(None, shorter, NOW)
            moved = do(transaction, sent, Migrate(version), later(hours=1))
            stale = advance(sent, Migrate(version), later(hours=2))
            assert not transaction.save(stale.enrollment, stale.events)

        assert (moved.position, len(moved.past), moved.steps[0].base_at) == (0, 1, later(minutes=5))
        with store.transaction() as transaction:
            found = transaction.get(enrollment.id).enrollment
            events = transaction.events(enrollment.id)
            assert (found, found.version) == (moved, version)
            assert replay(sent.version, events) == impersonal(found)
            assert events[-1].own["version"] == version
            assert transaction.events_after(0, 99)[-1] == events[-1]
            assert transaction.get(stays.id).enrollment.version == sent.version
            assert transaction.statistics(None, version.sequence_id) == {("active", None): 2}
        with failing(store) as transaction:
            back = do(transaction, found, Migrate(sent.version), later(hours=3))
            assert transaction.get(enrollment.id).enrollment == back
        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == found

    def test_saving_who_is_gone(self, store: Any) -> None:
        """A decision about an enrollment that is not stored is refused."""
        with failing(store) as transaction:
            enrollment = begin(store, transaction)

        with store.transaction() as transaction:
            decision = advance(enrollment, Block(), NOW)
            assert not transaction.save(decision.enrollment, decision.events)

    def test_a_stale_claim_is_refused(self, store: Any) -> None:
        """What is bound to a claim that somebody else has taken over, or that was released, is not stored (S3)."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            (old,) = transaction.claim(NOW, 1, LEASE)
        with store.transaction() as transaction:
            (new,) = transaction.claim(later(seconds=61), 1, LEASE)
        decision = advance(enrollment, DUE, NOW)

        assert new.fence > old.fence
        with failing(store) as transaction:
            (newer,) = transaction.claim(later(seconds=200), 1, LEASE)
            assert not transaction.save(decision.enrollment, decision.events, fence=new.fence)
            assert transaction.get(enrollment.id) == newer
        with store.transaction() as transaction:
            assert transaction.look(enrollment, old.fence, None) is None
            assert not transaction.save(decision.enrollment, decision.events, fence=old.fence)
            transaction.release([(enrollment.id, old.fence)])
            transaction.renew([(enrollment.id, old.fence)], later(days=1))
            assert transaction.get(enrollment.id) == new
            assert transaction.look(enrollment, new.fence, None) is False
            transaction.release([(enrollment.id, new.fence)])
            assert not transaction.save(decision.enrollment, decision.events, fence=new.fence)
            assert transaction.look(enrollment, new.fence, None) is None
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_what_is_set_aside_is_nobodys_until_its_lease_ends(self, store: Any) -> None:
        """It is claimed again when the lease has come, under a new fence; what was bound to the old one is refused."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            (old,) = transaction.claim(NOW, 1, LEASE)
            transaction.set_aside([(enrollment.id, old.fence + 1), (enrollment.id + 1, old.fence)])
            assert transaction.get(enrollment.id).set_aside_until is None
            transaction.set_aside([(enrollment.id, old.fence)])
        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).set_aside_until == old.lease_until
            assert transaction.claim(later(seconds=59), 1, LEASE) == []
            assert transaction.next_wake() == old.lease_until
            decision = advance(enrollment, DUE, NOW)
            assert not transaction.save(decision.enrollment, decision.events, fence=old.fence)
            assert transaction.look(enrollment, old.fence, None) is None
            transaction.renew([(enrollment.id, old.fence)], later(days=1))
            transaction.release([(enrollment.id, old.fence)])
            transaction.set_aside([(enrollment.id, old.fence)])
            assert transaction.get(enrollment.id).set_aside_until == old.lease_until
        with store.transaction() as transaction:
            (new,) = transaction.claim(later(seconds=60), 1, LEASE)
            assert new.fence > old.fence
            assert new.set_aside_until is None
            assert transaction.get(enrollment.id) == new
            assert transaction.save(decision.enrollment, decision.events, fence=new.fence)

    def test_s3_no_fence_comes_again_after_what_was_set_aside(self, store: Any) -> None:
        """No claim has a fence that one before it had, and what is set aside lies far below all of them (S3)."""
        id, now, had = begun(store).id, NOW, [0]
        for _ in range(3):
            for sets_aside in (False, True):
                with store.transaction() as transaction:
                    (held,) = transaction.claim(now, 1, LEASE)
                    assert held.fence > max(had)
                    had.append(held.fence)
                    if sets_aside:
                        transaction.set_aside([(id, held.fence)])
                        assert transaction.get(id).fence <= -held.fence - 2**32
                now = held.lease_until

    def test_a_decision_ends_what_was_set_aside(self, store: Any) -> None:
        """Once somebody has decided about it, it is claimed when it is due again; its old claim stays refused (S3)."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            (old,) = transaction.claim(NOW, 1, LEASE)
            transaction.set_aside([(enrollment.id, old.fence)])
        with store.transaction() as transaction:
            mine = do(transaction, enrollment, Reassign(8))
            held = transaction.get(enrollment.id)
            assert (held.enrollment, held.lease_until, held.set_aside_until) == (mine, None, None)
            transaction.renew([(enrollment.id, old.fence)], later(days=1))
            assert transaction.look(mine, old.fence, None) is None
        with store.transaction() as transaction:
            (new,) = transaction.claim(NOW, 1, LEASE)
            assert new.fence > old.fence
            assert transaction.get(enrollment.id) == new
            assert do(transaction, mine, Reassign(9)) == transaction.get(enrollment.id).enrollment
            assert transaction.get(enrollment.id).lease_until == new.lease_until

    def test_e6_what_a_clock_that_was_ahead_has_set_aside(self, store: Any) -> None:
        """A lease that ends later than now plus its length has expired, also where it was set aside (E6)."""
        begun(store)
        with store.transaction() as transaction:
            (old,) = transaction.claim(later(hours=5), 1, LEASE)
            transaction.set_aside([(old.enrollment.id, old.fence)])
        with store.transaction() as transaction:
            (new,) = transaction.claim(NOW, 1, LEASE)
            assert new.fence > old.fence

    def test_a_claim_outlives_a_decision_unless_it_is_released(self, store: Any) -> None:
        """A decision leaves the claim in force, whoever makes it; with `release` it ends the claim."""
        begun(store)
        with store.transaction() as transaction:
            (held,) = transaction.claim(NOW, 1, LEASE)
            requested = do(transaction, held.enrollment, DUE, fence=held.fence)
            assert transaction.get(requested.id) == attrs.evolve(held, enrollment=requested)
        with store.transaction() as transaction:
            blocked = do(transaction, requested, Reassign(8))
            assert transaction.get(requested.id) == attrs.evolve(held, enrollment=blocked)
            skipped = do(transaction, blocked, Reassign(9), fence=held.fence, release=True)
            assert transaction.get(requested.id) == attrs.evolve(held, enrollment=skipped, lease_until=None)

    def test_nothing_to_store(self, store: Any) -> None:
        """A decision without events only checks, and ends the claim where that is asked for."""
        begun(store)
        with store.transaction() as transaction:
            (held,) = transaction.claim(NOW, 1, LEASE)
        with store.transaction() as transaction:
            assert transaction.save(held.enrollment, (), fence=held.fence, release=True)
            assert transaction.get(held.enrollment.id).lease_until is None

    def test_a_decision_brings_back_nothing_personal(self, store: Any) -> None:
        """A decision that was under way while the person was erased does not store the address again (S8)."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            transaction.erase(None, ADA)
        with store.transaction() as transaction:
            blocked = do(transaction, enrollment, Block())

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == impersonal(blocked)
            assert transaction.addresses_of(None, ADA) == []

    def test_a_person_is_updated(self, store: Any) -> None:
        """Address, fields and zone are replaced, and a decision that was under way does not bring them back (S8)."""
        enrollment, other = begun(store), begun(store, 43, email="bob@example.com")
        person = Resource("lead", 42, email="New@Example.com", fields={"n": [1, None]}, timezone="Asia/Tokyo")
        with failing(store) as transaction:
            transaction.update_person(enrollment.id, person)
            assert transaction.addresses_of(None, ADA) == ["new@example.com"]
        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment
            assert transaction.addresses_of(None, ADA) == ["ada@example.com"]
            transaction.update_person(enrollment.id, person)
            transaction.update_person(BEYOND - 1, person)
        with store.transaction() as transaction:
            blocked = attrs.evolve(do(transaction, enrollment, Block()), resource=person)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == blocked
            assert transaction.get(other.id).enrollment == other
            assert transaction.ongoing(None, address="ada@example.com") == []
            (found,) = transaction.ongoing(None, address="new@example.com")
            assert found.enrollment == blocked
            transaction.update_person(enrollment.id, ADA)
            assert transaction.get(enrollment.id).enrollment.resource == ADA
            assert transaction.addresses_of(None, ADA) == []

    def test_l8_what_a_person_was_mailed_at_is_remembered_until_it_is_erased(self, store: Any) -> None:
        """Addresses that were replaced, or that mail went to, are suppressed with their resource, hashed (L8, S8)."""
        enrollment, other = begun(store), begun(store, 43, email="bob@example.com")
        theirs = begun(store, account="acme")
        old = ["ada@example.com", "b@example.com", "mailed@example.com"]
        with store.transaction() as transaction:
            for email in ("B@example.com", "B@example.com", "Ada@example.com", "new@example.com"):
                transaction.update_person(enrollment.id, Resource("lead", 42, email=email))
            transaction.update_person(other.id, Resource("lead", 43, email="bobby@example.com"))
        with failing(store) as transaction:
            transaction.remember_address(None, enrollment.id, "lost@example.com")
            transaction.suppress_others(None, ADA, NOW, "lost")
        with store.transaction() as transaction:
            for _ in range(2):
                transaction.remember_address(None, enrollment.id, "mailed@example.com")
            transaction.remember_address("acme", theirs.id, "theirs@example.com")
            assert not transaction.others_suppressed(None, ADA)
            transaction.suppress(None, "b@example.com", NOW, "manual")
        with store.transaction() as transaction:
            assert transaction.suppressed_among(None, old) == {"b@example.com"}
            assert transaction.others_suppressed(None, ADA)
            assert not transaction.others_suppressed("acme", ADA)
            assert not transaction.others_suppressed(None, Resource("lead", 43))
            for account, resource in (("acme", ADA), (None, Resource("contact", 42)), (None, Resource("lead", "42"))):
                transaction.suppress_others(account, resource, NOW, "unsubscribed")
            assert transaction.suppressed_among(None, old) == {"b@example.com"}
            transaction.suppress_others(None, ADA, later(hours=1), "unsubscribed")
            transaction.suppress_others(None, ADA, later(hours=2), "again")

        with store.transaction() as transaction:
            others = ["new@example.com", "bob@example.com", "theirs@example.com", "lost@example.com"]
            assert transaction.suppressed_among(None, old + others) == set(old)
            assert transaction.suppressed_among("acme", old + others) == {"theirs@example.com"}
            found = [(each.address, each.suppressed_at, each.reason) for each in transaction.suppressions(None)]
            hashed = (None, later(hours=1), "unsubscribed")
            assert found == [("b@example.com", NOW, "manual"), hashed, hashed]
            transaction.erase(None, ADA)
            assert [each.address for each in transaction.suppressions(None)] == [None] * 3
            for address in old:
                assert transaction.unsuppress(None, address)
            transaction.suppress_others(None, ADA, NOW, "unsubscribed")
            assert transaction.suppressions(None) == []
            transaction.suppress_others(None, Resource("lead", 43), NOW, "unsubscribed")
            assert transaction.is_suppressed(None, "bob@example.com")

    def test_s8_what_was_remembered_of_a_purged_enrollment_is_forgotten(self, store: Any) -> None:
        """With an enrollment that is purged goes what is remembered of its addresses, and nobody else's (S8)."""
        old, young = begun(store, 42), begun(store, 42, sequence=sequence_named("other"))
        with store.transaction() as transaction:
            transaction.remember_address(None, old.id, "old@example.com")
            transaction.remember_address(None, young.id, "young@example.com")
            finish(transaction, old)
            assert transaction.purge(None, later(days=1), 9) == 1
        with store.transaction() as transaction:
            transaction.suppress_others(None, ADA, NOW, "unsubscribed")
            assert transaction.suppressed_among(None, ["old@example.com", "young@example.com"]) == {"young@example.com"}

    def test_what_is_reported_and_skipped(self, store: Any) -> None:
        """Reports, skips and what else moves an enrollment round-trip through the store."""
        enrollment = begun(store, sequence=sequence_named("other", mails=3))
        with store.transaction() as transaction:
            skipped = do(transaction, enrollment, Skip(), later(minutes=5))
            replied = do(transaction, skipped, Replied(key="r-1", enrollment_id=enrollment.id), later(minutes=6))

        with store.transaction() as transaction:
            found = transaction.get(enrollment.id).enrollment
            assert found == replied
            assert replay(found.version, transaction.events(found.id)) == impersonal(found)
        assert found.steps[0].step.after == Hours(0)
