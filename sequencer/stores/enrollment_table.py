"""The enrollments of the memory store: rows, what finds them, and the agendas of what has to be looked at.

Each method is the counterpart of the SQL statement of the same name; see `sqlite.sql` for what it means.
"""

# ruff: noqa: D102 - what the methods mean is written once, beside the statements

from __future__ import annotations

import bisect
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sequencer.core.errors import Conflict
from sequencer.stores.agenda import Agenda
from sequencer.stores.codec import Row
from sequencer.stores.journal import Journal

__all__ = ["EnrollmentTable", "Rows"]

Rows = list[Row]
_NONE: tuple[int, ...] = ()

# The places of the columns in an enrollment's row.
(
    ID, ACCOUNT, SEQUENCE, VERSION, TYPE, RESOURCE, ADDRESS, STATE, REASON, WAKE, LEASE, FENCE, REVISION, CREATED,
    UPDATED, FINISHED, PERSONAL, DOC,
) = range(18)  # fmt: skip


class EnrollmentTable(Journal):
    """Enrollments, by id, resource, address, and by when they have to be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[int, Row] = {}
        self._ids: list[int] = []
        self._by_resource: dict[Any, tuple[int, ...]] = {}
        self._by_address: dict[Any, tuple[int, ...]] = {}
        self._waiting = Agenda(self._waits_until, self._rows)
        self._claimed = Agenda(self._claimed_until, self._rows)
        # The latest first, to find what a clock that was ahead has written.
        self._claimed_ahead = Agenda(lambda id: _negative(self._claimed_until(id)), self._rows)
        self._decided_ahead = Agenda(lambda id: _negative(self._decided_at(id)), self._rows)

    def _write(self, id: int, row: Row | None) -> None:
        """Put an enrollment's row in place of the one before, with everything by which it is found."""
        before = self._rows.get(id)
        self._note(self._write, id, before)
        if row is None:
            if before is not None:
                del self._rows[id]
                del self._ids[bisect.bisect_left(self._ids, id)]
                self._unlink(before)
            return
        self._rows[id] = row
        if before is None:
            bisect.insort(self._ids, id)
            self._link(row)
        elif row[ADDRESS] != before[ADDRESS]:
            self._unlink(before)
            self._link(row)
        if row[LEASE] is not None:
            if before is None or row[LEASE] != before[LEASE]:
                self._claimed.put(row[LEASE], id)
                self._claimed_ahead.put(-row[LEASE], id)
        elif row[WAKE] is not None:
            self._waiting.put(row[WAKE], id)
            if row[UPDATED] is not None:
                self._decided_ahead.put(-row[UPDATED], id)

    def _link(self, row: Row) -> None:
        _add(self._by_resource, (row[ACCOUNT], row[TYPE], row[RESOURCE]), row[ID])
        if row[ADDRESS] is not None:
            _add(self._by_address, (row[ACCOUNT], row[ADDRESS]), row[ID])

    def _unlink(self, row: Row) -> None:
        _remove(self._by_resource, (row[ACCOUNT], row[TYPE], row[RESOURCE]), row[ID])
        if row[ADDRESS] is not None:
            _remove(self._by_address, (row[ACCOUNT], row[ADDRESS]), row[ID])

    def _waits_until(self, id: int) -> int | None:
        row = self._rows.get(id)
        return row[WAKE] if row is not None and row[LEASE] is None else None

    def _claimed_until(self, id: int) -> int | None:
        row = self._rows.get(id)
        return None if row is None else row[LEASE]

    def _decided_at(self, id: int) -> int | None:
        row = self._rows.get(id)
        return row[UPDATED] if row is not None and row[LEASE] is None and row[WAKE] is not None else None

    # -- enrollments -------------------------------------------------------------------------------------------

    def insert(self, *row: Any) -> int:
        if row[ID] in self._rows:
            raise Conflict(f"there is an enrollment {row[ID]} already; nothing was stored, so ask for a new id")
        self._write(row[ID], row)
        return 1

    def save(self, id: int, before: int, fence: int | None, *decision: Any) -> int:
        wake_at, revision, updated_at, doc, release, until, to_fence, *standing = decision
        row = self._rows.get(id)
        if row is None or row[REVISION] != before:
            return 0
        if fence is not None and (row[FENCE] != fence or row[LEASE] is None):
            return 0
        state, reason, finished_at = standing or (row[STATE], row[REASON], row[FINISHED])
        lease = None if release else (until or (row[LEASE] if row[FENCE] >= 0 else None))
        fence = to_fence or row[FENCE]
        at = (row[CREATED], updated_at, finished_at)
        self._write(id, (*row[:STATE], state, reason, wake_at, lease, fence, revision, *at, row[PERSONAL], doc))
        return 1

    save_with_state = save

    def move(self, id: int, version_id: int) -> int:
        row = self._rows.get(id)
        if row is None:
            return 0
        self._write(id, (*row[:VERSION], version_id, *row[TYPE:]))
        return 1

    def update_person(self, id: int, address: str | None, personal: str | None) -> int:
        row = self._rows.get(id)
        if row is None:
            return 0
        self._write(id, (*row[:ADDRESS], address, *row[STATE:PERSONAL], personal, row[DOC]))
        return 1

    def get(self, id: int, account: str | None) -> Rows:
        row = self._rows.get(id)
        return [row] if row is not None and account in (None, row[ACCOUNT]) else []

    def _of(self, account: str | None) -> Callable[[int], bool] | None:
        rows = self._rows
        return None if account is None else lambda id: bool(rows[id][ACCOUNT] == account)

    def due_leases(self, at: int, limit: int, account: str | None) -> Rows:
        return [self._rows[id] for _, id in self._claimed.first(limit, up_to=at, where=self._of(account))]

    def due_waiting(self, at: int, limit: int, account: str | None) -> Rows:
        return [self._rows[id] for _, id in self._waiting.first(limit, up_to=at, where=self._of(account))]

    def leases_ahead(self, until: int, limit: int, account: str | None) -> Rows:
        found = self._claimed_ahead.first(len(self._rows), up_to=-until - 1, where=self._of(account))
        return sorted((self._rows[id] for _, id in found), key=lambda row: (row[LEASE], row[ID]))[:limit]

    def decisions_ahead(self, until: int, limit: int, account: str | None) -> Rows:
        found = self._decided_ahead.first(len(self._rows), up_to=-until - 1, where=self._of(account))
        return sorted((self._rows[id] for _, id in found), key=lambda row: (row[WAKE], row[ID]))[:limit]

    def claim(self, id: int, until: int) -> int:
        row = self._rows[id]
        self._write(id, (*row[:LEASE], until, abs(row[FENCE]) + 1, *row[REVISION:]))
        return 1

    def renew(self, id: int, fence: int, until: int | None) -> int:
        row = self._rows.get(id)
        if row is None or row[FENCE] != fence or row[LEASE] is None:
            return 0
        self._write(id, (*row[:LEASE], until, *row[FENCE:]))
        return 1

    def release(self, id: int, fence: int) -> int:
        return self.renew(id, fence, None)

    def set_aside(self, id: int, fence: int) -> int:
        row = self._rows.get(id)
        if row is None or row[FENCE] != fence or row[LEASE] is None:
            return 0
        self._write(id, (*row[:FENCE], -(fence + 2**32), *row[REVISION:]))
        return 1

    def look(self, id: int, revision: int, fence: int, hashed: str) -> Rows:
        row = self._rows.get(id)
        holds = row is not None and row[REVISION] == revision and row[FENCE] == fence and row[LEASE] is not None
        return [(self._is_suppressed(row[ACCOUNT], hashed),)] if row is not None and holds else []

    def _is_suppressed(self, account: str, hashed: str) -> bool:
        raise NotImplementedError

    def next_lease(self, account: str | None) -> Rows:
        return [(at,) for at, _ in self._claimed.first(1, where=self._of(account))]

    def oldest_lease(self, at: int, account: str | None) -> Rows:
        found = self._claimed.first(len(self._rows), where=self._of(account))
        return [(until,) for until, id in found if until > at or self._rows[id][FENCE] >= 0][:1]

    def oldest_set_aside(self, at: int, account: str | None) -> Rows:
        found = self._claimed.first(len(self._rows), up_to=at, where=self._of(account))
        return [(until,) for until, id in found if self._rows[id][FENCE] < 0][:1]

    def next_waiting(self, account: str | None) -> Rows:
        return [(at,) for at, _ in self._waiting.first(1, where=self._of(account))]

    def _found(self, ids: Iterable[int], sequence_id: int | None) -> Iterator[Row]:
        for id in ids:
            row = self._rows[id]
            if sequence_id is None or row[SEQUENCE] == sequence_id:
                yield row

    def ongoing_of_resource(self, account: str, type: str, id: str, sequence_id: int | None) -> Rows:
        found = self._found(self._by_resource.get((account, type, id), _NONE), sequence_id)
        return [row for row in found if row[STATE] != "finished"]

    def ongoing_of_address(self, account: str, address: str, sequence_id: int | None) -> Rows:
        found = self._found(self._by_address.get((account, address), _NONE), sequence_id)
        return [row for row in found if row[STATE] != "finished"]

    def ongoing_of_sequence(self, account: str, sequence_id: int | None) -> Rows:
        found = self._found(self._ids, sequence_id)
        return [row for row in found if row[ACCOUNT] == account and row[STATE] != "finished"]

    def ongoing_of_account(self, account: str) -> Rows:
        return self.ongoing_of_sequence(account, None)

    def ongoing_of_resources(self, several: Iterable[str], account: str, type: str) -> Rows:
        return _by_id(row for id in several for row in self.ongoing_of_resource(account, type, id, None))

    def ongoing_of_addresses(self, several: Iterable[str], account: str) -> Rows:
        return _by_id(row for address in several for row in self.ongoing_of_address(account, address, None))

    def last_finished_of_resources(
        self, several: Iterable[str], account: str, type: str, sequence_id: int | None
    ) -> Rows:
        found = (self._by_resource.get((account, type, id), _NONE) for id in several)
        return [row for ids in found for row in _last_finished(self._found(ids, sequence_id))]

    def last_finished_of_addresses(self, several: Iterable[str], account: str, sequence_id: int | None) -> Rows:
        found = (self._by_address.get((account, address), _NONE) for address in several)
        return [row for ids in found for row in _last_finished(self._found(ids, sequence_id))]

    def addresses_of(self, account: str, type: str, id: str) -> Rows:
        found = {self._rows[each][ADDRESS] for each in self._by_resource.get((account, type, id), _NONE)}
        return [(address,) for address in sorted(found - {None})]

    def _listed(self, account: str, after: int, state: str | None, sequence_id: int | None) -> Iterator[Row]:
        for row in self._found(self._ids[bisect.bisect_right(self._ids, after) :], sequence_id):
            if row[ACCOUNT] == account and (state is None or row[STATE] == state):
                yield row

    def page(
        self,
        account: str,
        after: int,
        limit: int,
        state: str | None,
        sequence_id: int | None,
        offset: int,
        type: str | None,
    ) -> Rows:
        found = (row for row in self._listed(account, after, state, sequence_id) if type in (None, row[TYPE]))
        return _sliced(found, offset, limit)

    page_of_ongoing = page_before = page

    def page_of_resources(
        self,
        several: Iterable[str],
        account: str,
        after: int,
        limit: int,
        state: str | None,
        sequence_id: int | None,
        type: str,
        reason: str | None,
    ) -> Rows:
        ids = {id for each in several for id in self._by_resource.get((account, type, each), _NONE)}
        found = self._found(sorted(ids), sequence_id)
        return [
            row for row in found if row[ID] > after and state in (None, row[STATE]) and reason in (None, row[REASON])
        ][:limit]

    def page_of_reason(
        self,
        account: str,
        after: int,
        limit: int,
        sequence_id: int | None,
        offset: int,
        type: str | None,
        state: str,
        other: str,
        reason: str,
    ) -> Rows:
        found = self._listed(account, after, None, sequence_id)
        standing = (row for row in found if row[REASON] == reason and row[STATE] in (state, other))
        return _sliced((row for row in standing if type in (None, row[TYPE])), offset, limit)

    def of_address(self, account: str, address: str) -> Rows:
        return list(self._found(self._by_address.get((account, address), _NONE), None))

    def of_ids(self, several: Iterable[int], account: str) -> Rows:
        found = (self._rows[id] for id in sorted(set(several)) if id in self._rows)
        return [row for row in found if row[ACCOUNT] == account]

    def look_waiting(self, at: int, limit: int, account: str, offset: int) -> Rows:
        found = (self._rows[id] for _, id in self._waiting.first(len(self._rows), up_to=at, where=self._of(account)))
        return _sliced((row for row in found if row[STATE] == "active"), offset, limit)

    def blocked(self, account: str, reason: str, after: int, limit: int, sequence_id: int | None = None) -> Rows:
        found = self._listed(account, after, "blocked", sequence_id)
        return list(itertools.islice((row for row in found if row[REASON] == reason), limit))

    blocked_of_sequence = blocked

    def in_other_versions(
        self, account: str, sequence_id: int, after: int, limit: int, version_id: int, only: int | None
    ) -> Rows:
        found = (
            row
            for row in self._listed(account, after, None, sequence_id)
            if row[STATE] != "finished" and row[VERSION] != version_id and only in (None, row[VERSION])
        )
        return list(itertools.islice(found, limit))

    def statistics(self, account: str, sequence_id: int) -> Rows:
        found = Counter((row[STATE], row[REASON]) for row in self._listed(account, 0, None, sequence_id))
        return [(*standing, count) for standing, count in found.items()]

    def count_waiting(self, at: int, most: int, account: str | None) -> Rows:
        return [(len(self._waiting.first(most, up_to=at, where=self._of(account))),)]

    def count_leases(self, after: int, up_to: int, aside: int | None, most: int, account: str | None) -> Rows:
        found = self._claimed.first(len(self._rows), up_to=up_to, where=self._of(account))
        where = (until > after and aside in (None, self._rows[id][FENCE] < 0) for until, id in found)
        return [(min(most, sum(where)),)]

    def count_standing(self, state: str, most: int, account: str | None) -> Rows:
        found = (row[REASON] for row in self._rows.values() if row[STATE] == state and account in (None, row[ACCOUNT]))
        return list(Counter(itertools.islice(found, most)).items())

    def of_resource(self, account: str, type: str, id: str) -> Rows:
        return [(row[ID],) for row in self._found(self._by_resource.get((account, type, id), _NONE), None)]

    def erase(self, id: int) -> int:
        return self.update_person(id, None, None)

    def to_purge(self, account: str, before: int, limit: int) -> Rows:
        found = sorted(
            (row[FINISHED], row[ID])
            for row in self._listed(account, 0, "finished", None)
            if row[FINISHED] is not None and row[FINISHED] < before and row[WAKE] is None
        )
        return [(id,) for _, id in found[:limit]]

    def purge(self, id: int) -> int:
        self._write(id, None)
        return 1


def _sliced(rows: Iterable[Row], offset: int, limit: int) -> Rows:
    """So many after the first of them; a slice of a list takes any numbers, `islice` does not."""
    return list(rows)[offset : offset + limit] if offset else list(itertools.islice(rows, limit))


def _negative(number: int | None) -> int | None:
    return None if number is None else -number


def _add(index: dict[Any, tuple[int, ...]], key: Any, id: int) -> None:
    index[key] = tuple(sorted((*index.get(key, _NONE), id)))


def _remove(index: dict[Any, tuple[int, ...]], key: Any, id: int) -> None:
    left = tuple(each for each in index[key] if each != id)
    if left:
        index[key] = left
    else:
        del index[key]


def _by_id(rows: Iterable[Row]) -> Rows:
    return sorted(rows, key=operator.itemgetter(ID))


def _last_finished(rows: Iterable[Row]) -> Rows:
    finished = [row for row in rows if row[STATE] == "finished"]
    return [max(finished, key=lambda row: (row[FINISHED], row[ID]))] if finished else []
