"""The verbs about sequences, and about moving who is enrolled from one version to another (laws L1, L9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from sequencer.core.document import to_document
from sequencer.core.errors import InvalidInput
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import Finish
from sequencer.core.values import Identifier, to_identifier, to_whole
from sequencer.engine.migrating import MigrationPlan, MigrationResult, carried_out, planned
from sequencer.engine.once import once
from sequencer.engine.results import Outcome
from sequencer.engine.stored import StoredSequence
from sequencer.engine.verbs.bound import Bound
from sequencer.engine.verbs.given import ids_of, key_of, must_be_sequence


class SequenceVerbs(Bound):
    """Definitions: saved, listed, replaced, deleted; and moving who is enrolled to another version."""

    def save(
        self, sequence: Sequence, *, creator_id: Identifier | None = None, connection: Any = None
    ) -> SequenceVersion:
        """Store a sequence: as a new version of its key if its content is new (L1, L9). Templates are replaced.

        `creator_id` is the user who makes it; one that is known already stays.
        """
        must_be_sequence(sequence)
        creator_id = None if creator_id is None else to_identifier(creator_id, "creator_id")
        now = self._now()
        with self._transaction(connection) as transaction:
            return transaction.save_version(self._account, sequence, now, creator_id=creator_id)

    def sequences(self, *, connection: Any = None) -> tuple[SequenceVersion, ...]:
        """The current version of every sequence, by key."""
        with self._reading(connection) as transaction:
            return tuple(transaction.sequences(self._account))

    def stored_sequence(self, sequence: Sequence | str | int, *, connection: Any = None) -> StoredSequence:
        """A sequence by its id, its key, or a definition with that key. Raises `NotFound`, also for a deleted one."""
        with self._reading(connection) as transaction:
            return self._listed(transaction, sequence)

    def stored_sequences(
        self,
        *,
        ids: Iterable[int] | None = None,
        name: str | None = None,
        deleted: bool = False,
        offset: int = 0,
        limit: int = 100,
        connection: Any = None,
    ) -> tuple[StoredSequence, ...]:
        """Sequences by id, after the first `offset`, at most `limit` (1 to 10 000): all, or those of a name.

        Or those with these `ids`, with `deleted` also the deleted ones among them; who has none of them is left out.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        to_whole(offset, "offset", least=0, most=2**63 - 1)
        with self._reading(connection) as transaction:
            if ids is None:
                return tuple(transaction.listed_sequences(self._account, name=name, offset=offset, limit=limit))
            found = transaction.stored_sequences(self._account, ids_of(ids, "ids"))
        found = [
            each
            for each in found
            if (deleted or each.deleted_at is None) and name in (None, each.version.sequence.name)
        ]
        return tuple(found[offset : offset + limit])

    def create_sequence(
        self,
        sequence: Sequence,
        *,
        creator_id: Identifier | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> StoredSequence:
        """Store a sequence that is not there yet. Raises `SequenceExists` (with `existing_id`) for a known key.

        The same `idempotency_key` again returns the sequence that it made, and with another definition it is
        `KeyReused`.
        """
        must_be_sequence(sequence)
        creator_id = None if creator_id is None else to_identifier(creator_id, "creator_id")
        now = self._now()
        with self._transaction(connection) as transaction:

            def create() -> tuple[int, ...]:
                version = transaction.save_version(self._account, sequence, now, creator_id=creator_id, only_new=True)
                return (version.sequence_id,)

            content = [to_document(sequence), creator_id]
            (id,), _ = once(transaction, self._account, "create_sequence", idempotency_key, content, now, create)
            (stored,) = transaction.stored_sequences(self._account, [id])
            return stored

    def definition(self, sequence: Sequence | str | int, *, connection: Any = None) -> Sequence:
        """The definition that a sequence was last saved with, its templates too, by its id or key.

        What is no content of a sequence is not in it: what its author assumes, expects and silences. Raises `NotFound`.
        """
        with self._reading(connection) as transaction:
            stored = self._listed(transaction, sequence)
            return attrs.evolve(stored.sequence, key=stored.key, templates=transaction.templates(stored.id))

    def replace_sequence(
        self, id: int, sequence: Sequence, *, version_id: int | None = None, connection: Any = None
    ) -> StoredSequence:
        """Make this the content of the sequence with that id, as a new version (L1); its key stays what it is (L9).

        Who is enrolled goes on in the version that they are in. Raises `NotFound`. `version_id` is for who replaces
        what was seen, here as in `delete_sequence`: where another version is the current one now, it is `Outdated`.
        """
        must_be_sequence(sequence)
        now = self._now()
        with self._transaction(connection) as transaction:
            key = self._listed(transaction, to_whole(id, "id", least=1, most=2**63 - 1)).key
            renamed = attrs.evolve(sequence, key=key)
            version = transaction.save_version(self._account, renamed, now, instead_of=version_id)
            return self._listed(transaction, version.sequence_id)

    def delete_sequence(
        self,
        sequence: Sequence | str | int,
        *,
        actor_id: Identifier | None = None,
        version_id: int | None = None,
        connection: Any = None,
    ) -> tuple[Outcome, ...]:
        """Finish every ongoing enrollment of a sequence as `sequence_deleted`, and list it no more (L7).

        Versions stay, for the history, and what was enrolled is still found and counted. Nobody can be enrolled by its
        key or id; saving the sequence again, which enrolling with the definition itself does, too, brings it back.
        """
        actor_id = None if actor_id is None else to_identifier(actor_id, "actor_id")
        with self._transaction(connection) as transaction:
            # Of two who delete at once, both of whom have looked, neither could go on.
            transaction.lock(("delete sequence", self._account))
            now, sequence_id = self._now(), self._sequence_id(transaction, sequence)
            transaction.delete_sequence(sequence_id, now, instead_of=version_id)
            found = transaction.ongoing(self._account, sequence_id=sequence_id)
            finish = Finish("sequence_deleted", actor_id)
            return tuple(self._request(transaction, held, finish, now) for held in found)

    # -- another version ---------------------------------------------------------------------------------------

    def plan_migration(
        self,
        old: Sequence | SequenceVersion | str,
        new: Sequence | SequenceVersion | str,
        *,
        after: int | None = None,
        limit: int = 1000,
        connection: Any = None,
    ) -> MigrationPlan:
        """What would become of those who are enrolled if they went on in another version; changes nothing (L1).

        `old` is who: those in one `SequenceVersion`, or by a key or a `Sequence` (which stands for its key) those in
        every version but the new one. `new` is where to: a `Sequence` with the same key, a version that is stored, or
        the key for the current version. At most `limit` (1 to 10 000) of those who have not finished, in the order of
        their ids, from the one after `after`; the plan's `next_after` is for the next page.

        Raises `NotFound` for an unknown sequence or version, `InvalidInput` where the two are not the same sequence.
        """
        to_whole(limit, "limit", least=1, most=10_000)
        after = None if after is None else to_whole(after, "after", least=0, most=2**63 - 1)
        key_of(new)
        old = old if isinstance(old, SequenceVersion) else key_of(old)
        now = self._now()
        with self._reading(connection) as transaction:
            return planned(transaction, self._account, old, new, now, after=after, limit=limit)

    def migrate(
        self, plan: MigrationPlan, *, only: Iterable[int] | None = None, connection: Any = None
    ) -> MigrationResult:
        """Carry a plan out: move those whom it moves, or of them `only` those with these ids; each in one decision.

        Nothing happens that the plan did not show: what has changed since it was made stays as it is, and the result
        says what would become of it now. What is due already in the new version leaves at the next open moment. A new
        version that is not stored yet is stored, as `save` does.
        """
        if not isinstance(plan, MigrationPlan):
            raise InvalidInput(f"needs what plan_migration gave, got {plan!r}", path="plan", code="invalid_type")
        now = self._now()
        with self._transaction(connection) as transaction:
            wanted = None if only is None else frozenset(only)
            return carried_out(transaction, self._board, self._account, plan, wanted, now)
