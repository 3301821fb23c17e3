"""What a store keeps of sequences, over named statements: versions, templates, and how sequences are listed."""

from __future__ import annotations

from collections.abc import Collection

from pendulum import DateTime

from sequencer.core.errors import Outdated, SequenceExists, StoreError
from sequencer.core.instants import from_microseconds, to_microseconds
from sequencer.core.sequence import Sequence, SequenceVersion, Template
from sequencer.core.values import Identifier
from sequencer.engine.stored import Account, StoredSequence
from sequencer.stores.codec import Row, decode_id, encode_id
from sequencer.stores.contents import content_of, sequence_of
from sequencer.stores.database import MOST, Database, Known, OneWriter, fits
from sequencer.stores.records import Records

__all__ = ["SequenceRecords"]


class SequenceRecords(Records):
    """The part of a transaction that is about sequences."""

    def __init__(self, database: Database, known: Known, *, behind: bool = False) -> None:
        super().__init__(database, known, behind=behind)
        # Versions that this transaction has read or made: nobody else may rely on them before the commit.
        self.versions: dict[int, SequenceVersion] = {}
        # Sequences as they were listed when one of them was last asked for, until one is written here; None where
        # somebody else may write one meanwhile.
        self._listed: dict[tuple[str, int], StoredSequence] | None = None
        if behind and isinstance(database, OneWriter):
            self._listed = {}

    def save_version(
        self,
        account: Account,
        sequence: Sequence,
        now: DateTime,
        *,
        creator_id: Identifier | None = None,
        only_new: bool = False,
        instead_of: int | None = None,
    ) -> SequenceVersion:
        """The version with this content under the sequence's key: the stored one, or a new one."""
        database, owner = self._database, encode_id(account)
        content = content_of(sequence)
        found = database.row("find_sequence", owner, sequence.key)
        stored = None if found is None else database.row("find_version", found[0], content.digest)
        careful = only_new or instead_of is not None
        if careful or found is None or stored is None or found[1:] != (stored[0], content.templates_digest):
            # Something has to be written: by one at a time.
            self.lock(("sequence", owner, sequence.key))
            found = database.row("find_sequence", owner, sequence.key)
            if only_new and found is not None and found[1] != 0:
                raise SequenceExists(found[0], sequence.key)
            if instead_of is not None and (found is None or found[1] != instead_of):
                raise Outdated(instead_of, 0 if found is None else found[1])
            if found is None:
                found = (database.add("add_sequence", owner, sequence.key), 0, "")
            stored = database.row("find_version", found[0], content.digest)
        sequence_id, current, templates_digest = found
        if stored is None:
            ((last,),) = database.rows("last_version", sequence_id)
            number = last + 1
            version_id = database.add(
                "add_version", sequence_id, number, content.digest, content.text, to_microseconds(now)
            )
        else:
            version_id, number = stored
        if templates_digest != content.templates_digest:
            database.run("drop_templates", sequence_id)
            database.many(
                "add_template",
                [(sequence_id, encode_id(id), each.subject, each.body) for id, each in sequence.templates.items()],
            )
        if (version_id, content.templates_digest) != (current, templates_digest):
            database.run("set_sequence", sequence_id, version_id, content.templates_digest)
            self._forget_listed()
            if self._known.is_current:
                creator = None if creator_id is None else encode_id(creator_id)
                database.run("list_sequence", sequence_id, sequence.name, to_microseconds(now), creator)
        return self._version(version_id)

    def current_version(self, account: Account, key: str) -> SequenceVersion | None:
        """The current version of a sequence; None for an unknown key."""
        found = self._database.row("find_sequence", encode_id(account), key)
        return None if found is None or found[1] == 0 else self._version(found[1])

    def sequence_id(self, account: Account, which: str | int) -> int | None:
        """The id of a sequence, by its key or itself, deleted or not."""
        owner = encode_id(account)
        if isinstance(which, str):
            found = self._database.row("find_sequence", owner, which)
        else:
            found = self._database.row("find_sequence_of_id", owner, which) if fits(which) else None
        return None if found is None else found[0]

    def delete_sequence(self, sequence_id: int, now: DateTime, *, instead_of: int | None = None) -> None:
        """List a sequence no more, until it is saved again."""
        if self._known.is_current:
            ((current,),) = self._database.rows("lock_sequence", sequence_id)
            if instead_of not in (None, current):
                raise Outdated(instead_of or 0, current)
            self._database.run("unlist_sequence", sequence_id, to_microseconds(now))
            self._forget_listed()

    def _forget_listed(self) -> None:
        if self._listed is not None:
            self._listed.clear()

    def stored_sequences(self, account: Account, ids: Collection[int]) -> list[StoredSequence]:
        """The account's sequences with these ids, deleted or not, by id."""
        several = [id for id in ids if fits(id)]
        owner, listed = encode_id(account), self._listed
        if listed is not None and len(several) == 1 and (owner, several[0]) in listed:
            return [listed[owner, several[0]]]
        found = list(map(self._stored, self._newest.rows_about("listed_of_ids", several, owner) if several else ()))
        if listed is not None:
            listed.update(((owner, each.id), each) for each in found)
        return found

    def listed_sequences(
        self, account: Account, *, name: str | None = None, offset: int = 0, limit: int = 100
    ) -> list[StoredSequence]:
        """The account's sequences that are not deleted, by id; only those of a name, where one is given."""
        values = (encode_id(account), name, min(max(limit, 0), MOST), min(max(offset, 0), MOST))
        return list(map(self._stored, self._newest.rows("listed_sequences", *values)))

    def _stored(self, row: Row) -> StoredSequence:
        id, version_id, creator_id, created_at, updated_at, deleted_at = row
        return StoredSequence(
            id=id,
            version=self._version(version_id),
            created_at=from_microseconds(created_at),
            updated_at=from_microseconds(updated_at),
            creator_id=None if creator_id is None else decode_id(creator_id),
            deleted_at=None if deleted_at is None else from_microseconds(deleted_at),
        )

    def find_version(self, account: Account, sequence: Sequence) -> SequenceVersion | None:
        """The stored version with this content under the sequence's key."""
        found = self._database.row("find_sequence", encode_id(account), sequence.key)
        stored = None if found is None else self._database.row("find_version", found[0], content_of(sequence).digest)
        return None if stored is None else self._version(stored[0])

    def last_version(self, version: SequenceVersion) -> int:
        """The number of the newest version of a version's sequence."""
        ((last,),) = self._database.rows("last_version", version.sequence_id)
        return int(last)

    def sequences(self, account: Account) -> list[SequenceVersion]:
        """The current version of every sequence, by key."""
        return [self._version(id) for (id,) in self._database.rows("list_sequences", encode_id(account))]

    def templates(self, sequence_id: int) -> dict[Identifier, Template]:
        """The texts of a sequence, as last saved, by their ids."""
        rows = self._database.rows("list_templates", sequence_id)
        return {decode_id(id): Template(subject, body) for id, subject, body in rows}

    def template(self, sequence_id: int, template_id: Identifier) -> Template | None:
        """The text behind a template id of a sequence, as last saved."""
        found = self._database.row("get_template", sequence_id, encode_id(template_id))
        return None if found is None else Template(*found)

    def _version(self, id: int) -> SequenceVersion:
        version = self._known.versions.get(id) or self.versions.get(id)
        if version is None:
            found = self._database.row("get_version", id)
            if found is None:
                raise StoreError(f"the store does not hold version {id}, which it refers to")
            id, key, number, sequence_id, digest, text = found
            contents = self._known.contents
            content = contents.get(digest)
            if content is None:
                content = contents.setdefault(digest, sequence_of(text))
            version = self.versions[id] = SequenceVersion(id, key, number, content, sequence_id)
        return version
