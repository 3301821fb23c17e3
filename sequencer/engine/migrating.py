"""Moving those who are enrolled to another version of their sequence: the plan, and carrying it out (law L1).

A plan is a value: what would become of each enrollment, and the revision at which that was so. Carried out, it moves
those that are still as they were when it was made; of the others it says anew what would become of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.enrollment import Enrollment
from sequencer.core.errors import IllegalTransition, InvalidInput, NotFound
from sequencer.core.instants import to_iso
from sequencer.core.lifecycle import advance
from sequencer.core.migration import EnrollmentMove, plan_migration
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.signals import Migrate
from sequencer.core.timeline import seen_at
from sequencer.core.values import Identifier
from sequencer.engine.board import Board
from sequencer.engine.enrolling import alone_in, who_is
from sequencer.engine.results import Outcome
from sequencer.engine.storage import Transaction

__all__ = ["MigrationPlan", "MigrationResult", "carried_out", "planned"]


@attrs.frozen
class MigrationPlan:
    """What would become of those who are enrolled, one `EnrollmentMove` each; printing it prints them.

    `version` is where they would go; its `id` is 0 if it is not stored yet, and carrying the plan out stores it.
    `planned_at` is the instant (UTC) as of which the estimates in it hold. `next_after` is what to pass as `after` for
    the next page; None where this is the last.
    """

    version: SequenceVersion
    planned_at: DateTime
    moves: tuple[EnrollmentMove, ...]
    next_after: int | None = None

    def __len__(self) -> int:
        return len(self.moves)

    def __iter__(self) -> Iterator[EnrollmentMove]:
        return iter(self.moves)

    def __getitem__(self, at: int) -> EnrollmentMove:
        return self.moves[at]

    @property
    def refused(self) -> tuple[EnrollmentMove, ...]:
        """Those that cannot be moved as they are."""
        return tuple(move for move in self.moves if move.refused is not None)

    def __str__(self) -> str:
        total, refused = len(self.moves), len(self.refused)
        where = f"to version {self.version.version} of {self.version.key!r}"
        head = f"{total - refused} of {total} {'enrollment' if total == 1 else 'enrollments'} can be moved {where}"
        if not self.moves:
            head = f"Nobody is to be moved {where}"
        more = [] if self.next_after is None else [f"There are more: after={self.next_after}"]
        return "\n".join([f"{head}.", *map(str, self.moves), *more])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "sequence": self.version.key,
            "version": self.version.version,
            "planned_at": to_iso(self.planned_at),
            "next_after": self.next_after,
            "moves": [move.to_dict() for move in self.moves],
        }


@attrs.frozen
class MigrationResult:
    """What became of a plan.

    `moved` has an outcome for each enrollment that went where its plan said. `changed` are those that something had
    happened to since, with what would become of them now: nothing was done to them. `refused` are those that cannot
    be moved as they are. `missing` are the ids of those that are not there any more.
    """

    version: SequenceVersion
    moved: tuple[Outcome, ...] = ()
    changed: tuple[EnrollmentMove, ...] = ()
    refused: tuple[EnrollmentMove, ...] = ()
    missing: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "sequence": self.version.key,
            "version": self.version.version,
            "moved": [outcome.enrollment.id for outcome in self.moved],
            "changed": [move.to_dict() for move in self.changed],
            "refused": [move.to_dict() for move in self.refused],
            "missing": list(self.missing),
        }


def planned(
    transaction: Transaction,
    account: Identifier | None,
    old: SequenceVersion | str,
    new: Sequence | SequenceVersion | str,
    now: DateTime,
    *,
    after: int | None,
    limit: int,
) -> MigrationPlan:
    """The plan for a page of those who are in `old`: a version, or by its key every version but the new one."""
    old_key = old if isinstance(old, str) else old.key
    key = new if isinstance(new, str) else new.key
    if old_key != key:
        raise InvalidInput(
            f"is of {key!r}, and who is enrolled is in {old_key!r}; a sequence is known by its key (by its name, "
            f"where it has none), so give the new version key={old_key!r}",
            path="new",
        )
    current = transaction.current_version(account, key)
    if current is None:
        raise NotFound("sequence", key)
    only = None if isinstance(old, str) else _stored(transaction, account, old).id
    if isinstance(new, str):
        version = current
    elif isinstance(new, SequenceVersion):
        version = _stored(transaction, account, new)
    else:
        # A plan stores nothing; whether it is a new version shows when it is carried out.
        found = transaction.find_version(account, new)
        version = found or SequenceVersion(0, key, transaction.last_version(current) + 1, new, current.sequence_id)
    found_ones = transaction.in_other_versions(account, version, only=only, after=after, limit=limit)
    beside = _beside(transaction, account, version, found_ones)
    moves = tuple(plan_migration(each, version, now, beside.get(each.id)) for each in found_ones)
    return MigrationPlan(version, now, moves, moves[-1].enrollment_id if len(moves) == limit else None)


def _beside(
    transaction: Transaction, account: Identifier | None, version: SequenceVersion, enrollments: Collection[Enrollment]
) -> dict[int, Enrollment]:
    """By id, of those who would come into an exclusive version, what goes on beside them (L9)."""
    if version.sequence.policy.exclusive != "all":
        return {}
    people = {
        each.id: who_is(each.resource)
        for each in enrollments
        if not each.is_finished and each.version.sequence.policy.exclusive != "all"
    }
    ongoing = transaction.ongoing_of(account, {each for who in people.values() for each in who})
    found: dict[int, Enrollment] = {}
    for id, who in people.items():
        others = (other for each in who for other in ongoing.get(each, ()) if other.id != id)
        other = next(others, None)
        if other is not None:
            found[id] = other
    return found


def _stored(transaction: Transaction, account: Identifier | None, version: SequenceVersion) -> SequenceVersion:
    found = transaction.find_version(account, version.sequence)
    if found is None or found.id != version.id:
        raise NotFound("version", f"{version.version} of {version.key}")
    return found


def carried_out(
    transaction: Transaction,
    board: Board,
    account: Identifier | None,
    plan: MigrationPlan,
    only: Collection[int] | None,
    now: DateTime,
) -> MigrationResult:
    """Move those whom a plan moves, each as it was planned or not at all."""
    if plan.version.id:
        version = _stored(transaction, account, plan.version)
    else:
        given = plan.version.sequence
        version = transaction.find_version(account, given) or transaction.save_version(account, given, now)
    moved: list[Outcome] = []
    changed: list[EnrollmentMove] = []
    refused: list[EnrollmentMove] = []
    missing: list[int] = []
    if version.sequence.policy.exclusive == "all":
        alone_in(transaction, account)
    for move in plan.moves:
        if only is not None and move.enrollment_id not in only:
            continue
        held = transaction.get(move.enrollment_id, account)
        if held is None:
            missing.append(move.enrollment_id)
            continue
        enrollment = held.enrollment
        other = _beside(transaction, account, version, [enrollment]).get(enrollment.id)
        if enrollment.revision != move.revision:
            changed.append(plan_migration(enrollment, version, now, other))
            continue
        if other is not None:
            refused.append(plan_migration(enrollment, version, now, other))
            continue
        try:
            decision = board.settle(transaction, advance(enrollment, Migrate(version), now), now)
        except (IllegalTransition, InvalidInput):
            refused.append(plan_migration(enrollment, version, now))
            continue
        if decision.changed and not transaction.save(decision.enrollment, decision.events):
            # With the caller's own transaction somebody else may have committed meanwhile.
            changed.append(plan_migration(enrollment, version, now))
            continue
        moved.append(Outcome(seen_at(decision.enrollment, now), decision.changed))
    return MigrationResult(version, tuple(moved), tuple(changed), tuple(refused), tuple(missing))
