"""What is listed of a store: sequences, pages of enrollments, what waits for a worker (S7)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sequencer.core.errors import SequenceExists
from sequencer.core.sequence import Template
from sequencer.testing.contracts.workbench import BEYOND, NOW, begin, failing, finish, later, sequence_named


class Listing:
    """Sequences and enrollments, as they are listed."""

    def test_a_sequence_is_listed_as_it_was_saved(self, store: Any) -> None:
        """A sequence is listed with who made it first, when, and when it was last replaced, content or templates."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, sequence_named(), NOW, creator_id="7")
            (listed,) = transaction.listed_sequences(None)
        assert (listed.id, listed.version, listed.creator_id) == (first.sequence_id, first, "7")
        assert (listed.created_at, listed.updated_at, listed.deleted_at) == (NOW, NOW, None)

        with store.transaction() as transaction:
            transaction.save_version(None, sequence_named(), later(hours=1), creator_id=8)
            assert transaction.listed_sequences(None) == [listed]
            texts = {0: Template("New", "Text")}
            transaction.save_version(None, sequence_named(templates=texts), later(hours=2), creator_id=8)
            (after,) = transaction.listed_sequences(None)
            assert after == attrs.evolve(listed, updated_at=later(hours=2))
            second = transaction.save_version(None, sequence_named(mails=1), later(hours=3))
            (after,) = transaction.stored_sequences(None, [first.sequence_id, 99, BEYOND])
            assert after == attrs.evolve(listed, version=second, updated_at=later(hours=3))

    def test_sequences_are_listed_by_account_and_name(self, store: Any) -> None:
        """A page has the sequences of one account, by id, or those of one name; no key or id leads to another's."""
        with store.transaction() as transaction:
            ids = [transaction.save_version(7, sequence_named(key), NOW).sequence_id for key in ("c", "a", "b")]
            other = transaction.save_version("7", attrs.evolve(sequence_named("a"), name="Other"), NOW).sequence_id
            named = transaction.save_version(7, attrs.evolve(sequence_named("d"), name="Other"), NOW).sequence_id

        def found(account: Any, **keywords: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [each.id for each in transaction.listed_sequences(account, **keywords)]

        assert found(7) == [*ids, named]
        assert found(7, offset=1, limit=2) == ids[1:]
        assert found(7, name="Other") == [named]
        assert found("7") == [other]
        assert found(None) == found(7, name="other") == found(7, offset=BEYOND) == []
        with store.transaction(write=False) as transaction:
            assert transaction.sequence_id("7", "a") == transaction.sequence_id("7", other) == other
            assert transaction.sequence_id(7, other) is None
            assert transaction.sequence_id(None, "a") is None
            assert transaction.sequence_id(7, BEYOND) is None
            assert transaction.stored_sequences(7, [other]) == transaction.stored_sequences(7, []) == []

    def test_a_deleted_sequence(self, store: Any) -> None:
        """A deleted sequence is listed no more and has no current version, until it is saved again; its id stays."""
        with store.transaction() as transaction:
            version = transaction.save_version(None, sequence_named(mails=3), NOW)
            version = transaction.save_version(None, sequence_named(), NOW)
            transaction.delete_sequence(version.sequence_id, later(days=1))
            transaction.delete_sequence(version.sequence_id, later(days=2))

        with store.transaction() as transaction:
            assert transaction.current_version(None, "outreach") is None
            assert transaction.sequences(None) == transaction.listed_sequences(None) == []
            assert transaction.sequence_id(None, "outreach") == version.sequence_id
            (deleted,) = transaction.stored_sequences(None, [version.sequence_id])
            assert (deleted.deleted_at, deleted.version) == (later(days=1), version)
            again = transaction.save_version(None, sequence_named(mails=3), later(days=3), only_new=True)
            assert (again.version, again.sequence_id) == (1, version.sequence_id)
            (back,) = transaction.listed_sequences(None)
            assert (back.version, back.created_at, back.updated_at, back.deleted_at) == (
                again,
                NOW,
                later(days=3),
                None,
            )

    def test_only_a_new_one(self, store: Any) -> None:
        """Whoever wants to make a sequence is told which there is already, and nothing is stored."""
        with store.transaction() as transaction:
            version = transaction.save_version(None, sequence_named(), NOW, only_new=True)
        for same in (sequence_named(), sequence_named(mails=1)):
            with store.transaction() as transaction, pytest.raises(SequenceExists, match="'outreach'") as caught:
                transaction.save_version(None, same, NOW, only_new=True)
            assert caught.value.existing_id == version.sequence_id
        with store.transaction() as transaction:
            transaction.save_version("other", sequence_named(), NOW, only_new=True)
            assert transaction.current_version(None, "outreach") == version

    # -- enrollments -------------------------------------------------------------------------------------------

    def test_pages_of_what_was_asked_for(self, store: Any) -> None:
        """A page of enrollments holds what fits everything that was asked for, by id, after the first `offset`."""
        with store.transaction() as transaction:
            ids = [
                begin(store, transaction, n, email=f"{n % 2}@x.com", sequence=sequence_named("ab"[n % 2])).id
                for n in range(6)
            ]
            theirs = begin(store, transaction, 1, email="1@x.com", account="theirs").id
            held = transaction.get(ids[3])
            finish(transaction, held.enrollment)
            second = held.enrollment.version.sequence_id

        def found(account: Any = None, **keywords: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [ids.index(each.id) for each in transaction.enrollments(account, **keywords)]

        assert found(offset=2, limit=3) == [2, 3, 4]
        assert found(offset=2, after=ids[1]) == [4, 5]
        assert found(ids=[*ids[4:1:-1], theirs, 99, BEYOND]) == [2, 3, 4]
        assert found(ids=ids, offset=1, limit=2) == [1, 2]
        assert found(ids=ids, state="finished") == found(state="finished") == [3]
        assert found(ids=ids, sequence_id=second, resource_ids=[1, 2, 3]) == [1, 3]
        assert found(ids=[]) == found(resource_ids=[]) == found(ids=[theirs]) == []
        assert found(resource_ids=[5, 1, "3", 99]) == found(resource_type="lead", resource_ids=[1, 5]) == [1, 5]
        assert found(resource_ids=[1, 2, 3, 5], offset=1, limit=2) == [2, 3]
        assert found(resource_ids=[1, 3, 5], state="active") == [1, 5]
        assert found(resource_type="contact") == found(resource_type="contact", resource_ids=[1]) == []
        assert found(resource_type="lead", limit=2) == [0, 1]
        assert found(resource_type="lead", state="active", offset=3) == [4, 5]
        assert found(address="1@x.com") == [1, 3, 5]
        assert found(address="1@x.com", resource_ids=[3, 4], resource_type="lead") == [3]
        assert found(address="1@x.com", resource_type="contact") == found(address="2@x.com") == []

        with store.transaction() as transaction:
            ids.append(begin(store, transaction, 1, resource_type="deal", email="deal@x.com").id)
        assert found(resource_ids=[1]) == found(ids=ids, resource_ids=[1]) == [1]
        assert found(address="deal@x.com", resource_ids=[1]) == []
        assert found(address="deal@x.com") == found(ids=ids, resource_ids=[1], resource_type="deal") == [6]

    def test_what_waits_is_looked_at(self, store: Any) -> None:
        """Who waits for a worker is seen, the longest first, without being claimed: by account, and only the active."""
        with store.transaction() as transaction:
            ids = [begin(store, transaction, n, start_at=later(minutes=5 - n)).id for n in range(4)]
            begin(store, transaction, 1, account="theirs")
            finish(transaction, transaction.get(ids[2]).enrollment)

        with store.transaction(write=False) as transaction:
            assert [each.id for each in transaction.due(None, later(minutes=4))] == [ids[3], ids[1]]
            assert [each.id for each in transaction.due(None, later(hours=1), offset=1, limit=1)] == [ids[1]]
            assert transaction.due(None, NOW) == transaction.due(7, later(hours=1)) == []
        with store.transaction() as transaction:
            assert len(transaction.claim(later(hours=1), 9, 60.0)) == 4

    def test_a_deletion_is_rolled_back(self, store: Any) -> None:
        """A sequence that a block which fails has deleted is still there (S2)."""
        with store.transaction() as transaction:
            version = transaction.save_version(None, sequence_named(), NOW)
        with failing(store) as transaction:
            transaction.delete_sequence(version.sequence_id, NOW)

        with store.transaction(write=False) as transaction:
            assert transaction.current_version(None, "outreach") == version
