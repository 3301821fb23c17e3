"""What a store keeps of sequences: their versions, current and past (law L1)."""

from __future__ import annotations

from typing import Any

from sequencer.core.sequence import Template
from sequencer.core.signals import Block, Migrate
from sequencer.testing.contracts.workbench import (
    BEYOND,
    NOW,
    OUTREACH,
    begun,
    do,
    failing,
    finish,
    later,
    sequence_named,
)


class Versions:
    """Saving definitions, finding them again, and who is in which."""

    def test_the_same_content_is_the_same_version(self, store: Any) -> None:
        """Saving equal content again gives the version that is stored, within a transaction and after it."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, OUTREACH, NOW)
            assert transaction.save_version(None, sequence_named(), later(days=1)) == first
        with store.transaction() as transaction:
            assert transaction.save_version(None, sequence_named(), later(days=2)) == first
            assert transaction.current_version(None, "outreach") == first

        assert (first.key, first.version) == ("outreach", 1)
        assert first.sequence == sequence_named()

    def test_changed_content_is_a_new_version(self, store: Any) -> None:
        """Changed content under the same key is the next version of the same sequence, and the current one."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, sequence_named(), NOW)
            second = transaction.save_version(None, sequence_named(mails=3), NOW)
            assert transaction.current_version(None, "outreach") == second

        assert (second.version, second.sequence_id) == (2, first.sequence_id)
        assert second.id != first.id

    def test_content_that_comes_back_is_the_old_version(self, store: Any) -> None:
        """Going back to earlier content makes its version the current one again."""
        with store.transaction() as transaction:
            first = transaction.save_version(None, sequence_named(), NOW)
            transaction.save_version(None, sequence_named(mails=3), NOW)
            assert transaction.save_version(None, sequence_named(), NOW) == first
            assert transaction.current_version(None, "outreach") == first

    def test_texts_and_expectations_are_no_content(self, store: Any) -> None:
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

    def test_sequences_by_key(self, store: Any) -> None:
        """All sequences come in the order of their keys, each in its current version, and an unknown key is None."""
        with store.transaction() as transaction:
            for key in ("b", "ä", "a", "B"):
                transaction.save_version(None, sequence_named(key), NOW)
            last = transaction.save_version(None, sequence_named("a", mails=4), NOW)
            found = transaction.sequences(None)
            assert transaction.current_version(None, "c") is None

        assert [each.key for each in found] == ["B", "a", "b", "ä"]
        assert found[1] == last

    def test_a_version_taken_back_is_not_remembered(self, store: Any) -> None:
        """A version whose transaction failed means nothing later, also where its id is given out again."""
        with failing(store) as transaction:
            transaction.save_version(None, sequence_named(mails=5), NOW)

        enrollment = begun(store, sequence=sequence_named(mails=1))

        assert len(enrollment.steps) == 2
        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment
            assert transaction.current_version(None, "outreach").sequence == sequence_named(mails=1)

    def test_enrollments_share_their_version(self, store: Any) -> None:
        """Enrollments of one version share the object, and so its untouched steps."""
        one, other = begun(store, 1), begun(store, 2)

        with store.transaction() as transaction:
            first, second = transaction.get(one.id).enrollment, transaction.get(other.id).enrollment
        assert first.version is second.version
        assert first.steps[1] is second.steps[1]

    def test_who_is_in_another_version(self, store: Any) -> None:
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

        def found(version: Any, **page: Any) -> list[int]:
            with store.transaction() as transaction:
                page = {"only": None, "after": None, "limit": 9, **page}
                return [each.id for each in transaction.in_other_versions(page.pop("account", None), version, **page)]

        assert found(second) == [ids[0], ids[2], ids[4]]
        assert found(second, limit=2) == [ids[0], ids[2]]
        assert found(second, after=ids[0], limit=2) == [ids[2], ids[4]]
        assert found(first) == [ids[3]]
        assert found(second, only=first.id) == [ids[0], ids[2], ids[4]]
        assert found(second, only=second.id) == found(second, after=BEYOND) == found(second, account="acme") == []

    def test_a_version_is_found_by_its_content(self, store: Any) -> None:
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
