"""What every store keeps to. A store's own test is a subclass that says how the store is made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.errors import Conflict, InvalidInput, StoreError
from sequencer.core.events import Subject, replay
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import Sequence, Template
from sequencer.core.signals import Block, Migrate, Reassign, Replied, Skip
from sequencer.engine.storage import Counts, StoredReport, Suppression
from tests.stores.workbench import (
    DUE,
    LEASE,
    NOW,
    OUTREACH,
    begin,
    begun,
    board_task,
    do,
    failing,
    finish,
    impersonal,
    later,
    send,
    sequence_named,
)

ADA = Resource("lead", 42)
BEYOND = 2**63


class StoreContract:
    """The contract."""

    def make(self, folder: Any) -> Any:
        """A new, empty store."""
        raise NotImplementedError

    def leave_thread(self) -> None:
        """What a thread that used the store does at its end."""

    @pytest.fixture
    def store(self, tmp_path: Any) -> Iterator[Any]:
        store = self.make(tmp_path)
        yield store
        store.close()

    # -- transactions

    def test_a_block_that_ends_is_kept(self, store):
        """What was written in a block is there in the next one."""
        enrollment = begun(store)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_a_block_that_fails_leaves_nothing(self, store):
        """An exception takes back everything that the block wrote, whatever it was."""
        kept = begun(store, 1, key="first")
        with store.transaction() as transaction:
            transaction.suppress(None, "kept@example.com", NOW, "manual")
            task = transaction.create_task(board_task(kept))
            cursor = transaction.cursor("listener")
        before = self.everything(store)

        with failing(store) as transaction:
            send(transaction, transaction.get(kept.id).enrollment)
            begin(store, transaction, 2, sequence=sequence_named("other"), key="second")
            transaction.save_version(None, sequence_named(mails=3), NOW)
            transaction.claim(later(days=9), 10, LEASE)
            transaction.save_report(None, "r-1", StoredReport("digest", (1,)), NOW)
            transaction.suppress(None, "b@example.com", NOW, "manual")
            transaction.unsuppress(None, "kept@example.com")
            transaction.create_task(board_task(kept, "k-2"))
            transaction.close_task(task, "done", NOW)
            transaction.set_cursor("listener", cursor + 5)
            transaction.erase(None, kept.resource)
            finish(transaction, transaction.get(kept.id).enrollment)
            transaction.purge(None, later(days=1), 10)
            assert transaction.get(kept.id) is None

        assert self.everything(store) == before

    def everything(self, store: Any) -> dict[str, Any]:
        with store.transaction() as transaction:
            enrollments = transaction.enrollments(None, limit=1000)
            return {
                "held": [transaction.get(each.id) for each in enrollments],
                "events": transaction.events_after(0, 1000),
                "sequences": transaction.sequences(None),
                "templates": [transaction.template(n, 0) for n in (1, 2, 3)],
                "references": [
                    transaction.find(None, kind, value)
                    for kind, value in (
                        ("idempotency", "first"),
                        ("idempotency", "second"),
                        ("message", f"<{store.origin}-1-0-0@x>"),
                    )
                ],
                "report": transaction.report(None, "r-1"),
                "suppressions": transaction.suppressions(None),
                "tasks": transaction.tasks(None, status=None),
                "cursor": transaction.cursor("listener"),
                "next": transaction.next_wake(),
                "addresses": transaction.addresses_of(None, Resource("lead", 1)),
            }

    def test_a_store_goes_on_after_a_failure(self, store):
        """After a block that failed the next one works."""
        with failing(store) as transaction:
            begin(store, transaction)

        enrollment = begun(store)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_a_second_transaction_of_its_own_is_refused_inside_one(self, store):
        """Opening another transaction inside a block of the same thread is an error at once, not a deadlock."""
        with store.transaction() as transaction:
            with pytest.raises(StoreError, match="open in this thread already"), store.transaction():
                pass
            enrollment = begin(store, transaction)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id) is not None

    def test_what_is_no_connection_is_refused(self, store):
        """A connection that the store cannot join is refused with a remedy."""
        with pytest.raises(InvalidInput, match="connection"), store.transaction(object()):
            pass

    def test_reading_only(self, store):
        """A block that only reads sees what is committed."""
        enrollment = begun(store)

        with store.transaction(write=False) as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_threads(self, store):
        """Several threads write at the same time, and nothing is lost."""
        begun(store, 0)
        failures: list[BaseException] = []

        def work(thread: int) -> None:
            try:
                for n in range(10):
                    begun(store, f"{thread}-{n}", sequence=sequence_named(f"of {thread}"))
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                failures.append(error)
            finally:
                self.leave_thread()

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert failures == []
        with store.transaction() as transaction:
            found = transaction.enrollments(None, limit=1000)
            assert len(found) == len({each.id for each in found}) == 41
            assert {each.resource.id for each in found} == {0, *(f"{t}-{n}" for t in range(4) for n in range(10))}

    # -- sequences

    def test_the_same_content_is_the_same_version(self, store):
        """Saving equal content again gives the version that is stored, within a transaction and after it."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, OUTREACH, NOW)
            assert transaction.save_version(None, sequence_named(), later(days=1)) == first
        with store.transaction() as transaction:
            assert transaction.save_version(None, sequence_named(), later(days=2)) == first
            assert transaction.current_version(None, "outreach") == first

        assert (first.key, first.version) == ("outreach", 1)
        assert first.sequence == sequence_named()

    def test_changed_content_is_a_new_version(self, store):
        """Changed content under the same key is the next version of the same sequence, and the current one."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, sequence_named(), NOW)
            second = transaction.save_version(None, sequence_named(mails=3), NOW)
            assert transaction.current_version(None, "outreach") == second

        assert (second.version, second.sequence_id) == (2, first.sequence_id)
        assert second.id != first.id

    def test_content_that_comes_back_is_the_old_version(self, store):
        """Going back to earlier content makes its version the current one again."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, sequence_named(), NOW)
            transaction.save_version(None, sequence_named(mails=3), NOW)
            assert transaction.save_version(None, sequence_named(), NOW) == first
            assert transaction.current_version(None, "outreach") == first

    def test_texts_and_expectations_are_no_content(self, store):
        """Other templates or expectations make no new version, and the templates are replaced."""
        texts = {0: Template("Hello again", "Text"), 1: Template("New", "Text")}
        with store.transaction() as transaction:
            first = transaction.save_version(None, OUTREACH, NOW)
            assert transaction.template(first.sequence_id, 0) == Template("Hello", "Hello there")
            assert transaction.template(first.sequence_id, "0") == Template("Text", "as an id")
            changed = sequence_named(templates=texts, expect=({"min_between_steps": {"hours": 1}},))
            assert transaction.save_version(None, changed, NOW) == first
            assert transaction.template(first.sequence_id, 0) == texts[0]
            assert transaction.template(first.sequence_id, 1) == texts[1]
            assert transaction.template(first.sequence_id, "0") is None
            transaction.save_version(None, sequence_named(), NOW)
            assert transaction.template(first.sequence_id, 0) is None

    def test_sequences_by_key(self, store):
        """All sequences come in the order of their keys, each in its current version, and an unknown key is None."""
        with store.transaction() as transaction:
            for key in ("b", "ä", "a", "B"):
                transaction.save_version(None, sequence_named(key), NOW)
            last = transaction.save_version(None, sequence_named("a", mails=4), NOW)
            found = transaction.sequences(None)
            assert transaction.current_version(None, "c") is None

        assert [each.key for each in found] == ["B", "a", "b", "ä"]
        assert found[1] == last

    def test_a_version_taken_back_is_not_remembered(self, store):
        """A version whose transaction failed means nothing later, also where its id is given out again."""
        with failing(store) as transaction:
            transaction.save_version(None, sequence_named(mails=5), NOW)

        enrollment = begun(store, sequence=sequence_named(mails=1))

        assert len(enrollment.steps) == 2
        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment
            assert transaction.current_version(None, "outreach").sequence == sequence_named(mails=1)

    def test_enrollments_share_their_version(self, store):
        """Enrollments of one version share the object, and so its untouched steps."""
        one, other = begun(store, 1), begun(store, 2)

        with store.transaction() as transaction:
            first, second = transaction.get(one.id).enrollment, transaction.get(other.id).enrollment
        assert first.version is second.version
        assert first.steps[1] is second.steps[1]

    # -- enrollments

    def test_ids_are_new(self, store):
        """Ids are positive and never given out twice."""
        given: list[int] = []
        for count in (1, 5, 2):
            with store.transaction() as transaction:
                given += transaction.new_ids(count)

        assert len(set(given)) == 8
        assert min(given) > 0

    def test_an_id_is_taken_once(self, store):
        """Inserting an enrollment again is a conflict."""
        with store.transaction() as transaction:
            enrollment = begin(store, transaction)

        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.insert([(enrollment, ())])

    def test_a_decision_is_stored_with_its_events(self, store):
        """A decision's enrollment and events are there together, and the events replay to the enrollment."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            sent = send(transaction, enrollment)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == sent
            events = transaction.events(enrollment.id)
        assert [event.type for event in events] == ["enrolled", "email_requested", "email_sent"]
        assert replay(sent.version, events) == impersonal(sent)

    def test_somebody_was_faster(self, store):
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

    def test_a_move_to_another_version(self, store):
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

    def test_who_is_in_another_version(self, store):
        """Those of a sequence that have not finished and are in another version, in pages, of one account."""
        ids = [begun(store, n).id for n in range(5)]
        begun(store, 0, sequence=sequence_named("other"))
        begun(store, 0, account="acme")
        with store.transaction() as transaction:
            first = transaction.current_version(None, "outreach")
            finish(transaction, transaction.get(ids[1]).enrollment)
            do(transaction, transaction.get(ids[2]).enrollment, Block())
            second = transaction.save_version(None, sequence_named(mails=3), NOW)
            do(transaction, transaction.get(ids[3]).enrollment, Migrate(second))
            assert transaction.last_version(first) == 2

        def found(version, **page):
            with store.transaction() as transaction:
                page = {"only": None, "after": None, "limit": 9, **page}
                return [each.id for each in transaction.in_other_versions(page.pop("account", None), version, **page)]

        assert found(second) == [ids[0], ids[2], ids[4]]
        assert found(second, limit=2) == [ids[0], ids[2]]
        assert found(second, after=ids[0], limit=2) == [ids[2], ids[4]]
        assert found(first) == [ids[3]]
        assert found(second, only=first.id) == [ids[0], ids[2], ids[4]]
        assert found(second, only=second.id) == found(second, after=BEYOND) == found(second, account="acme") == []

    def test_a_version_is_found_by_its_content(self, store):
        """The stored version of a content is found whatever its texts, current or not, and only for its account."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, OUTREACH, NOW)
            transaction.save_version(None, sequence_named(mails=3, templates=OUTREACH.templates), NOW)
        with store.transaction() as transaction:
            assert transaction.find_version(None, sequence_named()) == first
            assert transaction.find_version(None, first.sequence) == first
            assert transaction.find_version(None, sequence_named(mails=4)) is None
            assert transaction.find_version(None, sequence_named("unknown")) is None
            assert transaction.find_version("acme", OUTREACH) is None
            assert transaction.template(first.sequence_id, 0) is not None

    def test_saving_who_is_gone(self, store):
        """A decision about an enrollment that is not stored is refused."""
        with failing(store) as transaction:
            enrollment = begin(store, transaction)

        with store.transaction() as transaction:
            decision = advance(enrollment, Block(), NOW)
            assert not transaction.save(decision.enrollment, decision.events)

    def test_a_stale_claim_is_refused(self, store):
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

    def test_a_claim_outlives_a_decision_unless_it_is_released(self, store):
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

    def test_nothing_to_store(self, store):
        """A decision without events only checks, and ends the claim where that is asked for."""
        begun(store)
        with store.transaction() as transaction:
            (held,) = transaction.claim(NOW, 1, LEASE)
        with store.transaction() as transaction:
            assert transaction.save(held.enrollment, (), fence=held.fence, release=True)
            assert transaction.get(held.enrollment.id).lease_until is None

    def test_a_decision_brings_back_nothing_personal(self, store):
        """A decision that was under way while the person was erased does not store the address again (S8)."""
        enrollment = begun(store)
        with store.transaction() as transaction:
            transaction.erase(None, ADA)
        with store.transaction() as transaction:
            blocked = do(transaction, enrollment, Block())

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == impersonal(blocked)
            assert transaction.addresses_of(None, ADA) == []

    def test_a_person_is_updated(self, store):
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

    def test_blocked_for_a_reason(self, store):
        """Those blocked for a reason come by id, page by page, of a sequence or of all, and of their account only."""
        ids = [begun(store, n, sequence=sequence_named("ab"[n % 2])).id for n in range(6)]
        theirs = begun(store, 9, account="acme").id
        with store.transaction() as transaction:
            for id, reason in zip([*ids, theirs], ["x", "x", "y", None, "x", "x", "x"], strict=True):
                if reason is not None:
                    do(transaction, transaction.get(id).enrollment, Block(reason))
            finish(transaction, transaction.get(ids[5]).enrollment, reason="x")
            b = transaction.current_version(None, "b").sequence_id

        def found(reason: str, account: Any = None, limit: int = 9, **what: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [held.enrollment.id for held in transaction.blocked(account, reason, limit=limit, **what)]

        assert found("x") == [ids[0], ids[1], ids[4]]
        assert found("x", limit=2) == ids[:2]
        assert found("x", after=ids[0], limit=1) == [ids[1]]
        assert found("x", sequence_id=b) == [ids[1]]
        assert found("x", sequence_id=b, after=ids[1]) == []
        assert found("x", limit=0) == found("z") == found("x", after=BEYOND) == found("x", sequence_id=BEYOND) == []
        assert found("y") == [ids[2]]
        assert found("x", "acme") == [theirs]
        assert found("x", "acme", sequence_id=b) == []

    # -- claims

    def test_claims_what_is_due_soonest_first(self, store):
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

    def test_a_lease_keeps_others_away_until_it_ends(self, store):
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

    def test_a_lease_from_a_clock_that_was_ahead(self, store):
        """A lease that ends later than now plus its length has expired; one that ends exactly then has not (E6)."""
        begun(store)
        with store.transaction() as transaction:
            (held,) = transaction.claim(later(hours=5), 1, LEASE)
        with store.transaction() as transaction:
            assert transaction.claim(later(hours=5), 1, LEASE) == []
            (again,) = transaction.claim(NOW, 1, LEASE)
        assert again.fence == held.fence + 1
        assert again.lease_until == later(seconds=60)

    def test_a_decision_from_a_clock_that_was_ahead(self, store):
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

    def test_claims_for_one_account(self, store):
        """A worker of one account claims and waits for what is that account's."""
        mine, theirs = begun(store, account="acme"), begun(store, account=7, start_at=later(hours=-1))

        with store.transaction() as transaction:
            assert transaction.next_wake("acme") == mine.wake_at
            assert transaction.next_wake(7) == theirs.wake_at
            assert transaction.next_wake("7") is None
            assert transaction.claim(NOW, 9, LEASE, "7") == []
            assert [held.enrollment for held in transaction.claim(NOW, 9, LEASE, "acme")] == [mine]
            assert [held.enrollment for held in transaction.claim(NOW, 9, LEASE)] == [theirs]

    def test_the_next_wake(self, store):
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

    # -- looking

    def test_what_nobody_knows(self, store):
        """What is not stored, and what no store could hold, is answered with nothing."""
        begun(store)
        with store.transaction() as transaction:
            for id in (0, -1, 99, BEYOND, -BEYOND - 1):
                assert transaction.get(id) is None
                assert transaction.events(id) == []
                assert transaction.task(id) is None
                assert not transaction.close_task(id, "done", NOW)
            assert transaction.enrollments(None, after=BEYOND) == []
            assert transaction.tasks(None, after=BEYOND) == []
            assert transaction.find(None, "task", BEYOND) is None
            assert transaction.template(1, "nothing") is None
            assert transaction.report(None, "nothing") is None

    def test_ids_are_kept_as_given(self, store):
        """A host's ids 42 and "42" are different resources, actors, tasks and accounts (S7)."""
        number, text = begun(store, 42), begun(store, "42")
        other = begun(store, 42, account=42), begun(store, 42, account="42")

        with store.transaction() as transaction:
            for enrollment, account in ((number, None), (text, None), (other[0], 42), (other[1], "42")):
                (held,) = transaction.ongoing(account, resource=enrollment.resource)
                assert held.enrollment == enrollment
                assert type(held.enrollment.resource.id) is type(enrollment.resource.id)

    def test_ongoing(self, store):
        """The ongoing enrollments are those of a resource or of an address, of a sequence, or all; by their ids."""
        other = sequence_named("other")
        first, second = begun(store, 1), begun(store, 2)
        third, done = begun(store, 1, sequence=other, email=None), begun(store, 1)
        with store.transaction() as transaction:
            finish(transaction, done)
            second = do(transaction, second, Block())

        def ids(**what: Any) -> list[int]:
            with store.transaction() as transaction:
                return [held.enrollment.id for held in transaction.ongoing(None, **what)]

        one, address = Resource("lead", 1), "ada@example.com"
        assert ids() == [first.id, second.id, third.id]
        assert ids(resource=one) == [first.id, third.id]
        assert ids(address=address) == [first.id, second.id]
        assert ids(resource=one, address=address) == [first.id, second.id, third.id]
        assert ids(sequence_id=third.version.sequence_id) == [third.id]
        assert ids(resource=one, sequence_id=first.version.sequence_id) == [first.id]
        assert ids(resource=one, address=address, sequence_id=first.version.sequence_id) == [first.id, second.id]
        assert ids(resource=Resource("contact", 1)) == ids(address="Ada@example.com") == ids(sequence_id=99) == []

    def test_who_finished_last(self, store):
        """Of each resource and address, the enrollment that finished last in a sequence is found."""
        enrollments = [begun(store, n, email=email) for n, email in ((1, None), (1, None), (2, "Ada@example.com"))]
        sequence_id = enrollments[0].version.sequence_id
        who = [("lead", 1), ("lead", 3), ("lead", "1"), ("contact", 1), "ada@example.com", "bob@example.com"]
        with store.transaction() as transaction:
            assert transaction.last_finished_of(None, sequence_id, who) == {}
            first, _, third = (
                finish(transaction, each, later(hours=hours))
                for each, hours in zip(enrollments, (5, 3, 9), strict=True)
            )
            assert transaction.last_finished_of(None, sequence_id, who) == {
                ("lead", 1): first,
                "ada@example.com": third,
            }
            assert transaction.last_finished_of(None, sequence_id, []) == {}
            assert transaction.last_finished_of(None, sequence_id + 1, who) == {}
            assert transaction.last_finished_of("acme", sequence_id, who) == {}

    def test_many_are_asked_about_at_once(self, store):
        """Who is ongoing, suppressed, or was made with a key, is found among many, in one account, as it stands."""
        one, two = begun(store, 1, key="k-1"), begun(store, 1, email="b@example.com", sequence=sequence_named("other"))
        over, text = begun(store, 2, email="b@example.com", key="k-2"), begun(store, "1", email=None, key='"k\\')
        begun(store, 1, account="acme", key="k-3")
        who = [
            ("lead", 1),
            ("lead", "1"),
            ("lead", 2),
            ("contact", 1),
            "ada@example.com",
            "b@example.com",
            "c@d.example",
        ]
        with store.transaction() as transaction:
            over = finish(transaction, over)
            transaction.suppress(None, "b@example.com", NOW, "manual")
            transaction.suppress("acme", "ada@example.com", NOW, "manual")
            assert transaction.ongoing_of(None, who) == {
                ("lead", 1): [one, two],
                ("lead", "1"): [text],
                "ada@example.com": [one],
                "b@example.com": [two],
            }
            assert transaction.made_with(None, ["k-1", "k-2", "k-3", '"k\\', "none"]) == {
                "k-1": one,
                "k-2": over,
                '"k\\': text,
            }
            assert transaction.suppressed_among(None, ["ada@example.com", "b@example.com"]) == {"b@example.com"}
            assert transaction.ongoing_of(None, []) == transaction.made_with(None, []) == {}
            assert transaction.suppressed_among(None, []) == set()

    def test_finding_by_what_the_outside_says(self, store):
        """Idempotency keys and the ids in events lead to their enrollment, in its account, each kind by itself."""
        enrollment = begun(store, key="order-1")
        with store.transaction() as transaction:
            sent = send(transaction, enrollment)
            message_id = sent.steps[0].message_id

        with store.transaction() as transaction:
            assert transaction.find(None, "message", message_id) == enrollment.id
            assert transaction.find(None, "idempotency", "order-1") == enrollment.id
            assert transaction.find(None, "task", message_id) is None
            assert transaction.find("acme", "message", message_id) is None
            assert transaction.find(None, "idempotency", "order-2") is None

    def test_an_idempotency_key_is_used_once(self, store):
        """Two enrollments with one idempotency key are a conflict; in two accounts they are not."""
        begun(store, 1, key="once")
        begun(store, 1, key="once", account="acme")

        with pytest.raises(Conflict):
            begun(store, 2, key="once")

    def test_addresses(self, store):
        """Every address under which a resource was enrolled is known, in comparable form."""
        for email in ("B@example.com", "a@EXAMPLE.com", None, "b@example.com "):
            begun(store, email=email)
        begun(store, 43, email="c@example.com")

        with store.transaction() as transaction:
            assert transaction.addresses_of(None, ADA) == ["a@example.com", "b@example.com"]
            assert transaction.addresses_of("acme", ADA) == []

    def test_pages(self, store):
        """Enrollments are listed page by page in the order of their ids, by resource, state and sequence."""
        other = sequence_named("other")
        enrollments = [begun(store, n % 3, sequence=other if n % 2 else OUTREACH) for n in range(12)]
        with store.transaction() as transaction:
            for each in enrollments[:6]:
                (finish if each.id % 2 else do)(transaction, each, *(() if each.id % 2 else (Block(),)))

        def ids(**what: Any) -> list[int]:
            with store.transaction() as transaction:
                return [each.id for each in transaction.enrollments(None, **what)]

        every = [each.id for each in enrollments]
        assert ids() == every
        assert ids(limit=0) == []
        assert ids(limit=5) == every[:5]
        assert ids(limit=5, after=every[4]) == every[5:10]
        assert ids(after=every[-1]) == []
        assert ids(resource=Resource("lead", 1)) == every[1::3]
        assert ids(resource=Resource("lead", 1), after=every[1], limit=2) == every[4:10:3]
        sequence_id = enrollments[1].version.sequence_id
        assert ids(sequence_id=sequence_id) == every[1::2]
        assert ids(state="active") == every[6:]
        assert ids(state="finished") == [id for id in every[:6] if id % 2]
        assert ids(state="blocked") == [id for id in every[:6] if not id % 2]
        assert ids(state="blocked", sequence_id=sequence_id, resource=Resource("lead", 1)) == [
            each.id
            for each in enrollments[:6]
            if not each.id % 2 and each.version.sequence_id == sequence_id and each.resource.id == 1
        ]

    def test_statistics(self, store):
        """The enrollments of a sequence are counted by state and reason, as they change."""
        enrollments = [begun(store, n) for n in range(5)]
        begun(store, 9, sequence=sequence_named("other"))
        sequence_id = enrollments[0].version.sequence_id
        with store.transaction() as transaction:
            do(transaction, enrollments[0], Block())
            do(transaction, enrollments[1], Block("out_of_office"))
            finish(transaction, enrollments[2], reason="replied")
            finish(transaction, do(transaction, enrollments[3], Block()), reason="replied")

        with store.transaction() as transaction:
            assert transaction.statistics(None, sequence_id) == {
                ("active", None): 1,
                ("blocked", "paused"): 1,
                ("blocked", "out_of_office"): 1,
                ("finished", "replied"): 2,
            }
            assert transaction.statistics("acme", sequence_id) == {}

    # -- counts

    def test_counts(self, store):
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

    def test_counting_ends_somewhere(self, store):
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

    # -- events

    def test_the_stream_of_events(self, store):
        """All events are read in the order of their commits, from a cursor on, each once."""
        one, other = begun(store, 1), begun(store, 2)
        with store.transaction() as transaction:
            sent = send(transaction, other)
            do(transaction, one, Block())

        with store.transaction() as transaction:
            found = transaction.events_after(0, 100)
            assert [(event.enrollment_id, event.number) for event in found] == [
                (one.id, 1),
                (other.id, 1),
                (other.id, 2),
                (other.id, 3),
                (one.id, 2),
            ]
            cursors = [event.cursor for event in found]
            assert cursors == sorted(set(cursors))
            assert transaction.events_after(cursors[1], 2) == found[2:4]
            assert transaction.events_after(cursors[-1], 9) == []
            assert [event for event in found if event.enrollment_id == other.id] == transaction.events(other.id)
        assert sent.revision == 3

    def test_a_new_listener_starts_at_the_end(self, store):
        """A listener's cursor starts at the end of what is stored, and stays where it was set."""
        begun(store, 1)
        with store.transaction() as transaction:
            start = transaction.cursor("crm")
        begun(store, 2)

        with store.transaction() as transaction:
            assert transaction.cursor("crm") == start
            (event,) = transaction.events_after(start, 9)
            transaction.set_cursor("crm", event.cursor)
            assert event.type == "enrolled"
        with store.transaction() as transaction:
            assert transaction.cursor("crm") == event.cursor == transaction.cursor("another")

    @pytest.mark.parametrize("account", [None, 0, "acme"])
    @pytest.mark.parametrize("resource_id", [42, "42"])
    def test_events_say_whose_they_are(self, store, account, resource_id):
        """An event that is read from all of them names account, sequence, resource and actor as they were given."""
        begun(store, 1, account="somebody else")
        enrollment = begun(store, resource_id, account=account)
        with store.transaction() as transaction:
            do(transaction, enrollment, Reassign('the "other"'))

        with store.transaction(write=False) as transaction:
            theirs, first, second = transaction.events_after(0, 9)
            subject = Subject(account, "outreach", 1, "lead", resource_id, 'the "other"')
            assert first.subject == second.subject == subject
            assert (type(first.subject.account), type(first.subject.resource_id)) == (type(account), type(resource_id))
            assert theirs.subject.account == "somebody else"
            assert [first, second] == transaction.events(enrollment.id)

    def test_one_tells_at_a_time(self, store):
        """The feed of a name is leased to one owner, who keeps it by a token; left or run out, it is free (S3)."""
        with store.transaction() as transaction:
            token = transaction.lease_feed("crm", NOW, LEASE)
            assert token is not None
            assert transaction.lease_feed("other", NOW, LEASE) is not None
        with store.transaction() as transaction:
            assert transaction.lease_feed("crm", later(seconds=LEASE - 1), LEASE) is None
            kept = transaction.lease_feed("crm", later(seconds=30), LEASE, token)
            assert transaction.lease_feed("crm", later(seconds=LEASE + 1), LEASE) is None
            assert transaction.lease_feed("crm", later(seconds=31), LEASE, token) is None
            transaction.leave_feed("crm", token)
            assert transaction.lease_feed("crm", later(seconds=31), LEASE) is None
        with store.transaction() as transaction:
            taken_over = transaction.lease_feed("crm", later(seconds=30 + LEASE), LEASE)
            assert taken_over not in (None, kept)
            assert transaction.lease_feed("crm", later(hours=9), LEASE, kept) is None
            transaction.leave_feed("crm", taken_over)
            assert transaction.lease_feed("crm", later(hours=9), LEASE, taken_over) is None
        with store.transaction() as transaction:
            assert transaction.lease_feed("crm", NOW, LEASE) == token
            # A clock that was ahead by more than a lease is not believed (E6).
            assert transaction.lease_feed("other", later(seconds=-LEASE), LEASE) is None
            assert transaction.lease_feed("other", later(seconds=-LEASE - 1), LEASE) is not None

    # -- reports and suppression

    def test_reports(self, store):
        """A report is found under its key and account, with what it changed; it is handled once."""
        report = StoredReport("digest", (3, 1))
        with store.transaction() as transaction:
            transaction.save_report(None, "r-1", report, NOW)
            transaction.save_report("acme", "r-1", StoredReport("other", ()), NOW)

        with store.transaction() as transaction:
            assert transaction.report(None, "r-1") == report
            assert transaction.report("acme", "r-1") == StoredReport("other", ())
            assert transaction.report(None, "r-2") is None
        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.save_report(None, "r-1", report, NOW)

    def test_suppression(self, store):
        """An address is suppressed once, in its account, until that is lifted; all are listed, oldest first."""
        with store.transaction() as transaction:
            assert transaction.suppress(None, "b@example.com", NOW, "unsubscribed")
            assert transaction.suppress(None, "a@example.com", NOW, "manual")
            assert transaction.suppress(None, "c@example.com", later(hours=-1), "manual")
            assert not transaction.suppress(None, "b@example.com", later(hours=1), "manual")
        with store.transaction() as transaction:
            assert transaction.suppressions(None) == [
                Suppression("c@example.com", later(hours=-1), "manual"),
                Suppression("b@example.com", NOW, "unsubscribed"),
                Suppression("a@example.com", NOW, "manual"),
            ]
            assert transaction.is_suppressed(None, "a@example.com")
            assert not transaction.is_suppressed("acme", "a@example.com")
            assert transaction.unsuppress(None, "a@example.com")
            assert not transaction.unsuppress(None, "a@example.com")
            assert not transaction.is_suppressed(None, "a@example.com")

    # -- the task board

    def test_a_task_on_the_board(self, store):
        """A task is put on the board once for each key, is read as it was given, and is closed once."""
        enrollment = begun(store)
        task = board_task(enrollment)
        with store.transaction() as transaction:
            id = transaction.create_task(task)
            assert transaction.create_task(attrs.evolve(task, task_content="again")) == id
            assert transaction.task(id) == attrs.evolve(task, id=id)
            assert transaction.close_task(id, "done", later(hours=1))
            assert not transaction.close_task(id, "cancelled", later(hours=2))
        with store.transaction() as transaction:
            assert transaction.task(id) == attrs.evolve(task, id=id, status="done", closed_at=later(hours=1))

    def test_the_board_is_listed(self, store):
        """Tasks are listed in the order of their ids, by account, actor and status."""
        mine, theirs = begun(store), begun(store, account="acme")
        with store.transaction() as transaction:
            ids = [transaction.create_task(board_task(mine, f"k-{n}", actor_id=n % 2 or "0")) for n in range(6)]
            transaction.create_task(board_task(theirs, "k-9"))
            transaction.close_task(ids[2], "done", NOW)

        def found(**what: Any) -> list[int]:
            with store.transaction() as transaction:
                return [task.id for task in transaction.tasks(None, **what)]

        assert found() == [id for id in ids if id != ids[2]]
        assert found(status=None) == ids
        assert found(status="done") == [ids[2]]
        assert found(actor_id=1) == ids[1::2]
        assert found(actor_id="0", status=None, limit=2) == [ids[0], ids[2]]
        assert found(actor_id=0) == []
        assert found(after=ids[0], limit=2) == [ids[1], ids[3]]

    # -- forgetting

    def test_erase(self, store):
        """Erasing forgets what is personal of one resource, and nothing else; history and counts stay (S8)."""
        enrollment, other = begun(store), begun(store, 43, email="bob@example.com")
        with store.transaction() as transaction:
            sent = send(transaction, enrollment)
            task = transaction.create_task(board_task(sent))
            kept = transaction.create_task(board_task(other, "k-2"))
            for address in ("ada@example.com", "bob@example.com"):
                transaction.suppress(None, address, NOW, "manual")
            events = transaction.events(sent.id)
            assert transaction.erase("acme", ADA) == 0
            assert transaction.erase(None, ADA) == 1

        with store.transaction() as transaction:
            erased = transaction.get(sent.id).enrollment
            assert erased == impersonal(sent)
            assert transaction.events(sent.id) == events
            assert replay(erased.version, events) == erased
            assert transaction.addresses_of(None, ADA) == []
            assert transaction.ongoing(None, address="ada@example.com") == []
            assert transaction.find(None, "message", sent.steps[0].message_id) is None
            assert transaction.task(task).task_content == ""
            assert [each.address for each in transaction.suppressions(None)] == [None, "bob@example.com"]
            assert transaction.is_suppressed(None, "ada@example.com")
            assert not transaction.suppress(None, "ada@example.com", NOW, "manual")
            assert transaction.get(other.id).enrollment == other
            assert transaction.task(kept).task_content == "Call Ada"
            assert [held.enrollment for held in transaction.ongoing(None, resource=ADA)] == [erased]

    def test_purge(self, store):
        """Purging deletes what finished before an instant, oldest first, with all that hangs on it."""
        enrollments = [begun(store, n, key=f"key-{n}") for n in range(4)]
        with store.transaction() as transaction:
            sent = [send(transaction, each) for each in enrollments]
            for each, hours in zip(sent[:3], (3, 1, 2), strict=True):
                finish(transaction, each, later(hours=hours))
            tasks = [transaction.create_task(board_task(each, f"k-{each.id}")) for each in sent]
            for task in tasks[1:]:
                transaction.close_task(task, "done", NOW)

        with store.transaction() as transaction:
            assert transaction.purge("acme", later(days=1), 9) == 0
            assert transaction.purge(None, later(hours=1), 9) == 0
            assert transaction.purge(None, later(days=1), 1) == 1
            assert transaction.get(sent[1].id) is None
            assert transaction.purge(None, later(days=1), 9) == 2
            assert transaction.purge(None, later(days=1), 9) == 0
        with store.transaction() as transaction:
            assert [each.id for each in transaction.enrollments(None)] == [sent[3].id]
            assert [transaction.task(task) is None for task in tasks] == [False, True, True, False]
            for n, each in enumerate(sent):
                gone = n < 3
                assert (transaction.events(each.id) == []) is gone
                assert (transaction.find(None, "message", each.steps[0].message_id) is None) is gone
                assert (transaction.find(None, "idempotency", f"key-{n}") is None) is gone
                assert (transaction.ongoing(None, resource=each.resource) == []) is gone
            end = transaction.cursor("listener")
            assert transaction.events_after(end, 9) == []
        begun(store, 0, key="key-0")
        with store.transaction() as transaction:
            (event,) = transaction.events_after(end, 9)
            assert event.cursor > end

    def test_one_account_does_not_see_another(self, store):
        """Whatever is asked for an account, the answer has nothing of another one (S7)."""
        begun(store)
        with store.transaction() as transaction:
            transaction.suppress(None, "a@example.com", NOW, "manual")
            version = transaction.current_version(None, "outreach")
            for account in ("acme", 0, "null"):
                assert transaction.sequences(account) == []
                assert transaction.current_version(account, "outreach") is None
                assert transaction.ongoing(account) == []
                assert transaction.enrollments(account) == []
                assert transaction.suppressions(account) == []
                assert transaction.statistics(account, version.sequence_id) == {}

    def test_what_is_reported_and_skipped(self, store):
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
