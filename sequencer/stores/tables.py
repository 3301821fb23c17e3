"""The tables of the memory store: encoded rows in dictionaries, with a journal from which a transaction is undone.

Each method is the counterpart of the SQL statement of the same name, and means what the description there says.
Queries answer with rows; changes with the number of rows changed, or with the new row's id.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sequencer.core.errors import Conflict
from sequencer.stores.agenda import Agenda
from sequencer.stores.codec import Row

__all__ = ["Tables"]

Rows = list[Row]

_MISSING: Any = object()
_NONE: tuple[int, ...] = ()

# The places of the columns in an enrollment's row.
(
    ID, ACCOUNT, SEQUENCE, VERSION, TYPE, RESOURCE, ADDRESS, STATE, REASON, WAKE, LEASE, FENCE, REVISION, CREATED,
    UPDATED, FINISHED, PERSONAL, DOC,
) = range(18)  # fmt: skip


class Tables:
    """All that a memory store holds."""

    def __init__(self) -> None:
        self.journal: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._serials = {"sequences": 0, "versions": 0, "events": 0, "suppressions": 0, "tasks": 0}
        self._sequences: dict[Any, Row] = {}
        self._sequence_ids: dict[Any, Any] = {}
        self._versions: dict[Any, Row] = {}
        self._version_ids: dict[Any, Any] = {}
        self._templates: dict[Any, dict[str, Row]] = {}
        self._counters: dict[Any, int] = {}
        self._rows: dict[int, Row] = {}
        self._ids: list[int] = []
        self._by_resource: dict[Any, tuple[int, ...]] = {}
        self._by_address: dict[Any, tuple[int, ...]] = {}
        self._waiting = Agenda(self._waits_until, self._rows)
        self._claimed = Agenda(self._claimed_until, self._rows)
        # The latest first, to find what a clock that was ahead has written.
        self._claimed_ahead = Agenda(lambda id: _negative(self._claimed_until(id)), self._rows)
        self._decided_ahead = Agenda(lambda id: _negative(self._decided_at(id)), self._rows)
        self._events: dict[Any, Row] = {}
        self._history: dict[Any, tuple[int, ...]] = {}
        self._refs: dict[Any, int] = {}
        self._reports: dict[Any, Row] = {}
        self._suppressions: dict[Any, Row] = {}
        self._tasks: dict[Any, Row] = {}
        self._task_keys: dict[Any, int] = {}
        self._tasks_of: dict[Any, tuple[int, ...]] = {}

    # -- the journal -------------------------------------------------------------------------------------------

    def undo(self, mark: int) -> None:
        """Undo everything since the journal was this long."""
        journal = self.journal
        undone = journal[mark:]
        del journal[mark:]
        for undo, values in reversed(undone):
            undo(*values)
        # What undoing itself has written is no change.
        del journal[mark:]

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self.journal.append((self._put, (table, key, table.get(key, _MISSING))))
        if value is _MISSING:
            table.pop(key, None)
        else:
            table[key] = value

    def _serial(self, table: str) -> int:
        serial = self._serials[table] + 1
        self._put(self._serials, table, serial)
        return serial

    def _write(self, id: int, row: Row | None) -> None:
        """Put an enrollment's row in place of the one before, with everything by which it is found."""
        before = self._rows.get(id)
        self.journal.append((self._write, (id, before)))
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

    # -- sequences ---------------------------------------------------------------------------------------------

    def find_sequence(self, account: str, key: str) -> Rows:
        id = self._sequence_ids.get((account, key))
        return [] if id is None else [(id, *self._sequences[id][2:])]

    def add_sequence(self, account: str, key: str) -> int:
        id = self._serial("sequences")
        self._put(self._sequence_ids, (account, key), id)
        self._put(self._sequences, id, (account, key, 0, ""))
        return id

    def set_sequence(self, id: int, version_id: int, templates_digest: str) -> int:
        self._put(self._sequences, id, (*self._sequences[id][:2], version_id, templates_digest))
        return 1

    def list_sequences(self, account: str) -> Rows:
        found = sorted(row[1:3] for row in self._sequences.values() if row[0] == account)
        return [(version_id,) for _, version_id in found]

    def find_version(self, sequence_id: int, digest: str) -> Rows:
        id = self._version_ids.get((sequence_id, digest))
        return [] if id is None else [(id, self._versions[id][0])]

    def last_version(self, sequence_id: int) -> Rows:
        return [(max((row[0] for row in self._versions.values() if row[1] == sequence_id), default=0),)]

    def add_version(self, sequence_id: int, number: int, digest: str, content: str, created_at: int) -> int:
        id = self._serial("versions")
        self._put(self._version_ids, (sequence_id, digest), id)
        self._put(self._versions, id, (number, sequence_id, digest, content))
        return id

    def get_version(self, id: int) -> Rows:
        row = self._versions.get(id)
        return [] if row is None else [(id, self._sequences[row[1]][1], *row)]

    def drop_templates(self, sequence_id: int) -> int:
        self._put(self._templates, sequence_id, {})
        return 1

    def add_template(self, sequence_id: int, template_id: str, subject: str, body: str) -> int:
        templates = self._templates.get(sequence_id, {})
        self._put(self._templates, sequence_id, {**templates, template_id: (subject, body)})
        return 1

    def get_template(self, sequence_id: int, template_id: str) -> Rows:
        row = self._templates.get(sequence_id, {}).get(template_id)
        return [] if row is None else [row]

    # -- enrollments -------------------------------------------------------------------------------------------

    def advance_counter(self, name: str, count: int) -> int:
        return self.set_counter(name, self._counters.get(name, 0) + count)

    def get_counter(self, name: str) -> Rows:
        return [(self._counters[name],)] if name in self._counters else []

    def set_counter(self, name: str, value: int) -> int:
        self._put(self._counters, name, value)
        return 1

    def insert(self, *row: Any) -> int:
        if row[ID] in self._rows:
            raise Conflict(f"there is an enrollment {row[ID]} already; nothing was stored, so ask for a new id")
        self._write(row[ID], row)
        return 1

    def save(
        self, id: int, before: int, fence: int | None, wake_at: int | None, revision: int, updated_at: int | None,
        doc: str, release: bool, until: int | None, to_fence: int | None, *standing: Any,
    ) -> int:  # fmt: skip
        row = self._rows.get(id)
        if row is None or row[REVISION] != before:
            return 0
        if fence is not None and (row[FENCE] != fence or row[LEASE] is None):
            return 0
        state, reason, finished_at = standing or (row[STATE], row[REASON], row[FINISHED])
        lease = None if release else row[LEASE] if until is None else until
        self._write(
            id,
            (*row[:STATE], state, reason, wake_at, lease, to_fence or row[FENCE], revision, row[CREATED], updated_at, finished_at,
             row[PERSONAL], doc),
        )  # fmt: skip
        return 1

    save_with_state = save

    def get(self, id: int) -> Rows:
        row = self._rows.get(id)
        return [] if row is None else [row]

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
        self._write(id, (*row[:LEASE], until, row[FENCE] + 1, *row[REVISION:]))
        return 1

    def renew(self, id: int, fence: int, until: int | None) -> int:
        row = self._rows.get(id)
        if row is None or row[FENCE] != fence or row[LEASE] is None:
            return 0
        self._write(id, (*row[:LEASE], until, *row[FENCE:]))
        return 1

    def release(self, id: int, fence: int) -> int:
        return self.renew(id, fence, None)

    def confirm(self, id: int, revision: int, fence: int) -> Rows:
        row = self._rows.get(id)
        holds = row is not None and row[REVISION] == revision and row[FENCE] == fence and row[LEASE] is not None
        return [(1,)] if holds else []

    def next_lease(self, account: str | None) -> Rows:
        return [(at,) for at, _ in self._claimed.first(1, where=self._of(account))]

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

    def last_finished_of_resource(self, account: str, sequence_id: int, type: str, id: str) -> Rows:
        return _last_finished(self._found(self._by_resource.get((account, type, id), _NONE), sequence_id))

    def last_finished_of_address(self, account: str, sequence_id: int, address: str) -> Rows:
        return _last_finished(self._found(self._by_address.get((account, address), _NONE), sequence_id))

    def addresses_of(self, account: str, type: str, id: str) -> Rows:
        found = {self._rows[each][ADDRESS] for each in self._by_resource.get((account, type, id), _NONE)}
        return [(address,) for address in sorted(found - {None})]

    def _listed(self, account: str, after: int, state: str | None, sequence_id: int | None) -> Iterator[Row]:
        for row in self._found(self._ids[bisect.bisect_right(self._ids, after) :], sequence_id):
            if row[ACCOUNT] == account and (state is None or row[STATE] == state):
                yield row

    def list(self, account: str, after: int, limit: int, state: str | None, sequence_id: int | None) -> Rows:
        return list(itertools.islice(self._listed(account, after, state, sequence_id), limit))

    list_ongoing = list

    def list_of_resource(
        self, account: str, after: int, limit: int, state: str | None, sequence_id: int | None, type: str, id: str
    ) -> Rows:
        found = self._found(self._by_resource.get((account, type, id), _NONE), sequence_id)
        return [row for row in found if row[ID] > after and (state is None or row[STATE] == state)][:limit]

    def statistics(self, account: str, sequence_id: int) -> Rows:
        found = Counter((row[STATE], row[REASON]) for row in self._listed(account, 0, None, sequence_id))
        return [(*standing, count) for standing, count in found.items()]

    # -- references and events ---------------------------------------------------------------------------------

    def find(self, account: str, kind: str, value: str) -> Rows:
        id = self._refs.get((account, kind, value))
        return [] if id is None else [(id,)]

    def refer(self, account: str, kind: str, value: str, id: int) -> int:
        self._put(self._refs, (account, kind, value), id)
        return 1

    def refer_once(self, account: str, kind: str, value: str, id: int) -> int:
        if (account, kind, value) in self._refs:
            raise Conflict(f"the {kind} key {value} was used already; nothing was stored")
        return self.refer(account, kind, value, id)

    def forget_reference(self, account: str, kind: str, value: str, id: int) -> int:
        if self._refs.get((account, kind, value)) == id:
            self._put(self._refs, (account, kind, value), _MISSING)
        return 1

    def add_event(self, *row: Any) -> int:
        serial = self._serial("events")
        self._put(self._events, serial, row)
        self._put(self._history, row[0], (*self._history.get(row[0], _NONE), serial))
        return serial

    def events(self, enrollment_id: int) -> Rows:
        return [self._events[serial] for serial in self._history.get(enrollment_id, _NONE)]

    def events_after(self, cursor: int, limit: int) -> Rows:
        serials = range(max(cursor, 0) + 1, self._serials["events"] + 1)
        found = ((serial, *self._events[serial]) for serial in serials if serial in self._events)
        return list(itertools.islice(found, limit))

    def last_event(self) -> Rows:
        return [(self._serials["events"],)]

    # -- reports and suppression -------------------------------------------------------------------------------

    def get_report(self, account: str, key: str) -> Rows:
        row = self._reports.get((account, key))
        return [] if row is None else [row]

    def add_report(self, account: str, key: str, digest: str, changed: str, handled_at: int) -> int:
        if (account, key) in self._reports:
            raise Conflict(f"a report {key!r} was handled already; nothing was stored")
        self._put(self._reports, (account, key), (digest, changed))
        return 1

    def suppress(self, account: str, hash: str, address: str, suppressed_at: int, reason: str) -> int:
        if (account, hash) in self._suppressions:
            return 0
        self._put(self._suppressions, (account, hash), (suppressed_at, self._serial("suppressions"), address, reason))
        return 1

    def unsuppress(self, account: str, hash: str) -> int:
        if (account, hash) not in self._suppressions:
            return 0
        self._put(self._suppressions, (account, hash), _MISSING)
        return 1

    def is_suppressed(self, account: str, hash: str) -> Rows:
        return [(1,)] if (account, hash) in self._suppressions else []

    def suppressions(self, account: str) -> Rows:
        found = sorted(row for (owner, _), row in self._suppressions.items() if owner == account)
        return [(address, suppressed_at, reason) for suppressed_at, _, address, reason in found]

    # -- the task board ----------------------------------------------------------------------------------------

    def add_task(self, *row: Any) -> int:
        enrollment_id, key = row[1], row[3]
        if key in self._task_keys:
            return 0
        id = self._serial("tasks")
        self._put(self._tasks, id, row)
        self._put(self._task_keys, key, id)
        self._put(self._tasks_of, enrollment_id, (*self._tasks_of.get(enrollment_id, _NONE), id))
        return 1

    def task_of_key(self, key: str) -> Rows:
        return [(self._task_keys[key],)] if key in self._task_keys else []

    def close_task(self, id: int, status: str, closed_at: int) -> int:
        row = self._tasks.get(id)
        if row is None or row[10] != "open":
            return 0
        self._put(self._tasks, id, (*row[:10], status, closed_at))
        return 1

    def get_task(self, id: int) -> Rows:
        row = self._tasks.get(id)
        return [] if row is None else [(id, *row)]

    def list_tasks(self, account: str, after: int, limit: int, status: str | None, actor: str | None) -> Rows:
        found = (
            (id, *row)
            for id, row in sorted(self._tasks.items())
            if row[0] == account and id > after and status in (None, row[10]) and actor in (None, row[4])
        )
        return list(itertools.islice(found, limit))

    list_all_tasks = list_tasks

    # -- forgetting --------------------------------------------------------------------------------------------

    def of_resource(self, account: str, type: str, id: str) -> Rows:
        return [(row[ID], row[DOC]) for row in self._found(self._by_resource.get((account, type, id), _NONE), None)]

    def erase(self, id: int, doc: str) -> int:
        row = self._rows[id]
        self._write(id, (*row[:ADDRESS], None, *row[STATE:PERSONAL], None, doc))
        return 1

    def erase_tasks(self, enrollment_id: int) -> int:
        for id in self._tasks_of.get(enrollment_id, _NONE):
            row = self._tasks[id]
            self._put(self._tasks, id, (*row[:7], "", *row[8:]))
        return 1

    def erase_suppression(self, account: str, hash: str) -> int:
        row = self._suppressions.get((account, hash))
        if row is None:
            return 0
        self._put(self._suppressions, (account, hash), (*row[:2], None, row[3]))
        return 1

    def to_purge(self, account: str, before: int, limit: int) -> Rows:
        found = sorted(
            (row[FINISHED], row[ID])
            for row in self._listed(account, 0, "finished", None)
            if row[FINISHED] is not None and row[FINISHED] < before
        )
        return [(id,) for _, id in found[:limit]]

    def purge(self, id: int) -> int:
        self._write(id, None)
        return 1

    def purge_events(self, enrollment_id: int) -> int:
        for serial in self._history.get(enrollment_id, _NONE):
            self._put(self._events, serial, _MISSING)
        self._put(self._history, enrollment_id, _MISSING)
        return 1

    def purge_tasks(self, enrollment_id: int) -> int:
        ids = self._tasks_of.get(enrollment_id, _NONE)
        closed = [id for id in ids if self._tasks[id][10] != "open"]
        for id in closed:
            self._put(self._task_keys, self._tasks[id][3], _MISSING)
            self._put(self._tasks, id, _MISSING)
        left = tuple(id for id in ids if id not in closed)
        self._put(self._tasks_of, enrollment_id, left or _MISSING)
        return len(closed)


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


def _last_finished(rows: Iterable[Row]) -> Rows:
    finished = [row for row in rows if row[STATE] == "finished"]
    return [max(finished, key=lambda row: (row[FINISHED], row[ID]))] if finished else []
