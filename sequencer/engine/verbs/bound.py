"""What every verb works through: the store, the clock, the account of the engine, and one way to decide."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import Conflict, InvalidInput, Misuse, NotFound, Outdated
from sequencer.core.instants import to_instant
from sequencer.core.lifecycle import advance
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import Request
from sequencer.core.timeline import seen_at
from sequencer.core.values import Identifier, to_identifier, to_line, to_whole
from sequencer.engine.board import Board
from sequencer.engine.feeding import Feed
from sequencer.engine.ports import Clock
from sequencer.engine.results import Outcome, Row
from sequencer.engine.storage import AmbientStore, Store, Transaction, shared_with_nobody
from sequencer.engine.stored import Held, StoredSequence
from sequencer.engine.verbs.given import must_be_resource, must_be_sequence, name_of
from sequencer.engine.worker import Worker


class _Together:
    """The one transaction of several verbs; once a verb in it was refused, none of it may stay."""

    def __init__(self, transaction: Transaction, *, write: bool) -> None:
        self._transaction: Transaction | None = transaction
        self._write = write
        self._thread = threading.get_ident()
        self._refusal: BaseException | None = None

    def open(self, connection: Any) -> Transaction:
        """The transaction, for a verb that is not given one of the caller's beside it."""
        if connection is not None:
            message = "the block of `together` is a part of one transaction already: give it to `together`"
            raise InvalidInput(message, path="connection")
        if threading.get_ident() != self._thread:
            # One that is still at work there when the block ends would write in what is somebody else's by then.
            raise Misuse("the block of `together` belongs to the thread that has begun it")
        if self._transaction is None:
            raise Misuse("the block of `together` has ended: go on with the engine that it was begun with")
        return self._transaction

    def end(self) -> BaseException | None:
        """There is nothing more to do in it. Gives the refusal of a verb, if there was one."""
        refusal, self._refusal, self._transaction = self._refusal, None, None
        return refusal

    def end_whole(self) -> None:
        """Its end, where the block has raised nothing. Raises `Misuse` where a verb's refusal was kept in."""
        refusal = self.end()
        if refusal is not None:
            raise Misuse(
                "a verb in the block of `together` was refused and the block went on, so nothing of it was done; let "
                f"the refusal out of the block: {type(refusal).__name__}: {refusal}"
            ) from refusal

    @contextmanager
    def verb(self, connection: Any) -> Iterator[Transaction]:
        """The part of one verb. What it had written when it was refused is undone with all the others'."""
        transaction = self.open(connection)
        if not self._write:
            raise Misuse("the block of `together` was begun with write=False: it is for reads alone")
        try:
            yield transaction
        except BaseException as refusal:
            self._refusal = self._refusal or refusal
            raise


class Bound:
    """An engine's inside. A verb reads the clock once, is one transaction, and sees one account only (S1, S2, S7)."""

    store: Store
    clock: Clock
    _account: Identifier | None
    # What ticks, counts and events are about: the account, or ALL_ACCOUNTS for an engine that is not bound to one.
    _scope: Any
    _worker: Worker
    _ambient: AmbientStore | None
    _feed: Feed | None
    _board: Board
    _together: _Together | None = None

    def _now(self) -> DateTime:
        return to_instant(self.clock.now(), "clock.now()")

    @contextmanager
    def together(self, *, write: bool = True, alone: bool = True, connection: Any = None) -> Iterator[Self]:
        """Several verbs and reads as one transaction, on the engine that this gives: all of it is done, or nothing.

        What is read in it costs one look into the store, and belongs together; on PostgreSQL a read sees what others
        have committed before it. `write=False` is for reads alone, which then wait for nobody; a verb in it is refused.
        The block belongs to the thread that begins it. Let an error of a verb out of the block: where it is kept in,
        and the verb had begun, the block raises `Misuse` from it at its end, and nothing is done. Nothing is handed
        over in it (E1). With `alone=False` it may share its commit with other threads' blocks, where the store has them
        do so (SQLite): many that write at once wait less, and nothing in the block may wait for another thread then.
        """
        block = self._transaction(connection, alone=alone) if write else self._reading(connection)
        with block as transaction:
            together = _Together(transaction, write=write)
            other: Self = object.__new__(type(self))
            other.__dict__.update(self.__dict__)
            other._together = together
            try:
                yield other
            except BaseException:
                together.end()
                raise
            together.end_whole()

    @property
    def transaction(self) -> Transaction:
        """The transaction of a block of `together`, for what is asked of the store itself. `Misuse` elsewhere."""
        if self._together is None:
            raise Misuse("there is no open transaction here: begin a block of `together`")
        return self._together.open(None)

    def _transaction(self, connection: Any, *, alone: bool = False) -> AbstractContextManager[Transaction]:
        if self._together is not None:
            return self._together.verb(connection)
        return self._own_or_joined(connection, alone=alone)

    @contextmanager
    def _own_or_joined(self, connection: Any, *, alone: bool) -> Iterator[Transaction]:
        block = self.store.transaction(connection)
        with shared_with_nobody(block) if alone else block as transaction:
            if self._feed is not None and self._ambient is not None:
                # Not when the engine was made: that may be while the host starts, and its tests roll everything back.
                self._feed.begin(transaction)
            yield transaction
        if connection is None and self._feed is not None:
            if self._ambient is None:
                self._feed.tell()
            else:
                self._ambient.after_commit(self._feed.tell)

    def _reading(self, connection: Any) -> AbstractContextManager[Transaction]:
        if self._together is not None:
            # A read that raises has changed nothing.
            return nullcontext(self._together.open(connection))
        return self.store.transaction(connection, write=False)

    def _held(self, transaction: Transaction, id: int, revision: int | None = None) -> Held:
        if isinstance(id, bool) or not isinstance(id, int):
            raise InvalidInput(f"needs the whole number that `enroll` gave, got {id!r}", path="id", code="invalid_type")
        held = transaction.get(id, self._account) if 0 < id < 2**63 else None
        if held is None:
            raise NotFound("enrollment", id)
        if revision is not None and held.enrollment.revision != to_whole(revision, "revision", least=0, most=2**63 - 1):
            raise Outdated(revision, held.enrollment.revision)
        return held

    def _all_seen(self, found: Iterable[Enrollment], now: DateTime | None = None) -> tuple[Enrollment, ...]:
        now = self._now() if now is None else now
        return tuple(seen_at(each, now) for each in found)

    def _seen(self, enrollment: Enrollment) -> Enrollment:
        return seen_at(enrollment, self._now())

    def _verb(self, id: int, request: Request, connection: Any, revision: int | None = None) -> Outcome:
        with self._transaction(connection) as transaction:
            return self._request(transaction, self._held(transaction, id, revision), request, self._now())

    def _request(self, transaction: Transaction, held: Held, request: Request, now: DateTime) -> Outcome:
        decision = self._board.settle(transaction, advance(held.enrollment, request, now), now)
        if decision.changed and not transaction.save(decision.enrollment, decision.events):
            raise Conflict("another process changed the enrollment at the same time; try again")
        return Outcome(seen_at(decision.enrollment, now), decision.changed)

    def _saved(
        self, transaction: Transaction, sequence: Sequence | SequenceVersion | str | int, now: DateTime
    ) -> SequenceVersion:
        if isinstance(sequence, SequenceVersion):
            if transaction.current_version(self._account, sequence.key) == sequence:
                return sequence  # saving it again would replace its templates, which a version does not hold
            sequence = sequence.sequence
        if isinstance(sequence, (str, int)):
            return self._version(transaction, sequence)
        return transaction.save_version(self._account, must_be_sequence(sequence), now)

    def _version(self, transaction: Transaction, sequence: str | int) -> SequenceVersion:
        if not isinstance(sequence, str):
            return self._listed(transaction, sequence).version
        version = transaction.current_version(self._account, sequence)
        if version is None:
            raise NotFound("sequence", sequence)
        return version

    def _listed(self, transaction: Transaction, sequence: Sequence | str | int) -> StoredSequence:
        name = name_of(sequence)
        id = name if isinstance(name, int) else self._sequence_id(transaction, name)
        found = transaction.stored_sequences(self._account, [id])
        if not found or found[0].deleted_at is not None:
            raise NotFound("sequence", name)
        return found[0]

    def _sequence_id(self, transaction: Transaction, sequence: Sequence | SequenceVersion | str | int) -> int:
        """The id of a sequence of this account, deleted or not."""
        name = name_of(sequence)
        id = transaction.sequence_id(self._account, name)
        if id is None:
            raise NotFound("sequence", name)
        return id

    def _row(self, row: Row, path: str) -> Row:
        """A row with everything in it validated, so that nothing is half stored."""
        resource = must_be_resource(row.resource)
        timezone = resource.timezone if row.timezone is None else row.timezone
        return Row(
            resource,
            None if row.actor_id is None else to_identifier(row.actor_id, f"{path}actor_id"),
            None if timezone is None else Calendar(timezone).timezone,
            None if row.start_at is None else to_instant(row.start_at, f"{path}start_at"),
            None if row.idempotency_key is None else to_line(row.idempotency_key, f"{path}idempotency_key"),
        )
