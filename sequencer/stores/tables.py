"""The tables of the memory store: encoded rows in dictionaries, with a journal from which a transaction is undone.

Each method is the counterpart of the SQL statement of the same name; see `sqlite.sql` for what it means. Queries answer
with rows; changes with the number of rows changed, or with the new row's id.
"""

# ruff: noqa: D102 - what the methods mean is written once, beside the statements

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from sequencer.core.errors import Conflict
from sequencer.stores.codec import Row
from sequencer.stores.enrollment_table import ACCOUNT, DOC, RESOURCE, TYPE, VERSION, EnrollmentTable, Rows
from sequencer.stores.journal import MISSING
from sequencer.stores.mail_table import MailTable
from sequencer.stores.token_table import TokenTable
from sequencer.stores.webhook_table import WebhookTable

__all__ = ["Tables"]

_NONE: tuple[int, ...] = ()
_NOBODY: frozenset[str] = frozenset()


class Tables(EnrollmentTable, MailTable, TokenTable, WebhookTable):
    """All that a memory store holds."""

    def __init__(self) -> None:
        super().__init__()
        self._sequences: dict[Any, Row] = {}
        self._sequence_ids: dict[Any, Any] = {}
        self._versions: dict[Any, Row] = {}
        self._version_ids: dict[Any, Any] = {}
        self._templates: dict[Any, dict[str, Row]] = {}
        self._counters: dict[Any, int] = {}
        self._events: dict[Any, Row] = {}
        self._history: dict[Any, tuple[int, ...]] = {}
        self._refs: dict[Any, int] = {}
        self._other_addresses: dict[Any, frozenset[str]] = {}
        self._reports: dict[Any, Row] = {}
        self._suppressions: dict[Any, Row] = {}
        self._tasks: dict[Any, Row] = {}
        self._task_keys: dict[Any, int] = {}
        self._tasks_of: dict[Any, tuple[int, ...]] = {}

    # -- sequences ---------------------------------------------------------------------------------------------

    def find_sequence(self, account: str, key: str) -> Rows:
        id = self._sequence_ids.get((account, key))
        return [] if id is None else [(id, *self._sequences[id][2:4])]

    def find_sequence_of_id(self, account: str, id: int) -> Rows:
        row = self._sequences.get(id)
        return [] if row is None or row[0] != account else [(id,)]

    def add_sequence(self, account: str, key: str) -> int:
        id = self._serial("sequences")
        self._put(self._sequence_ids, (account, key), id)
        self._put(self._sequences, id, (account, key, 0, "", None, None, None, None, None))
        return id

    def set_sequence(self, id: int, version_id: int, templates_digest: str) -> int:
        row = self._sequences[id]
        self._put(self._sequences, id, (*row[:2], version_id, templates_digest, *row[4:]))
        return 1

    def list_sequence(self, id: int, name: str, now: int, creator: str | None) -> int:
        row = self._sequences[id]
        _, creator_before, created_at, *_ = row[4:]
        created_at = now if created_at is None else created_at
        self._put(self._sequences, id, (*row[:4], name, creator_before or creator, created_at, now, None))
        return 1

    def lock_sequence(self, id: int) -> Rows:
        return [self._sequences[id][2:3]]

    def unlist_sequence(self, id: int, now: int) -> int:
        row = self._sequences[id]
        if row[2] == 0:
            return 0
        self._put(self._sequences, id, (*row[:2], 0, *row[3:7], now, now))
        return 1

    def list_sequences(self, account: str) -> Rows:
        found = sorted(row[1:3] for row in self._sequences.values() if row[0] == account and row[2])
        return [(version_id,) for _, version_id in found]

    def listed_of_ids(self, several: Iterable[int], account: str) -> Rows:
        found = ((id, self._sequences.get(id)) for id in sorted(set(several)))
        return [self._shown(id, row) for id, row in found if row is not None and row[0] == account]

    def listed_sequences(self, account: str, name: str | None, limit: int, offset: int) -> Rows:
        found = (
            self._shown(id, row)
            for id, row in sorted(self._sequences.items())
            if row[0] == account and row[2] and name in (None, row[4])
        )
        return list(found)[offset : offset + limit]

    def _shown(self, id: int, row: Row) -> Row:
        newest = row[2] or max(each for each, version in self._versions.items() if version[1] == id)
        return (id, newest, *row[5:])

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

    def list_templates(self, sequence_id: int) -> Rows:
        return [(id, *row) for id, row in sorted(self._templates.get(sequence_id, {}).items())]

    def get_template(self, sequence_id: int, template_id: str) -> Rows:
        row = self._templates.get(sequence_id, {}).get(template_id)
        return [] if row is None else [row]

    # -- counters ----------------------------------------------------------------------------------------------

    def advance_counter(self, name: str, count: int) -> int:
        return self.set_counter(name, self._counters.get(name, 0) + count)

    def get_counter(self, name: str) -> Rows:
        return [(self._counters[name],)] if name in self._counters else []

    def set_counter(self, name: str, value: int) -> int:
        self._put(self._counters, name, value)
        return 1

    # -- references and events ---------------------------------------------------------------------------------

    def find(self, account: str, kind: str, value: str) -> Rows:
        id = self._refs.get((account, kind, value))
        return [] if id is None else [(id,)]

    def made_with(self, several: Iterable[str], account: str) -> Rows:
        ids = (self._refs.get((account, "idempotency", key)) for key in several)
        return [self._rows[id] for id in ids if id in self._rows]

    def refer(self, account: str, kind: str, value: str, id: int) -> int:
        self._put(self._refs, (account, kind, value), id)
        return 1

    def refer_once(self, account: str, kind: str, value: str, id: int) -> int:
        if (account, kind, value) in self._refs:
            raise Conflict(f"the {kind} key {value} was used already; nothing was stored")
        return self.refer(account, kind, value, id)

    def forget_reference(self, account: str, kind: str, value: str, id: int) -> int:
        if self._refs.get((account, kind, value)) == id:
            self._put(self._refs, (account, kind, value), MISSING)
        return 1

    def remember_address(self, account: str, id: int, hashed: str) -> int:
        self._put(self._other_addresses, id, self._other_addresses.get(id, _NOBODY) | {hashed})
        return 1

    def other_addresses_of(self, account: str, type: str, id: str) -> Rows:
        ids = (each for (each,) in self.of_resource(account, type, id))
        found = set().union(*(self._other_addresses.get(each, _NOBODY) for each in ids))
        return [(hashed,) for hashed in sorted(found)]

    def forget_addresses(self, account: str, id: int) -> int:
        if id in self._other_addresses:
            self._put(self._other_addresses, id, MISSING)
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
        return [(*event, *self._whose(event[1])) for event in itertools.islice(found, limit)]

    def _whose(self, id: int) -> Row:
        row = self._rows[id]
        return row[ACCOUNT], row[VERSION], row[TYPE], row[RESOURCE], row[DOC]

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

    def suppress(self, account: str, hashed: str, address: str | None, suppressed_at: int, reason: str) -> int:
        if (account, hashed) in self._suppressions:
            return 0
        self._put(self._suppressions, (account, hashed), (suppressed_at, self._serial("suppressions"), address, reason))
        return 1

    def unsuppress(self, account: str, hashed: str) -> int:
        if (account, hashed) not in self._suppressions:
            return 0
        self._put(self._suppressions, (account, hashed), MISSING)
        return 1

    def is_suppressed(self, account: str, hashed: str) -> Rows:
        return [(1,)] if self._is_suppressed(account, hashed) else []

    def suppressed_among(self, several: Iterable[str], account: str) -> Rows:
        return [(hashed,) for hashed in several if self._is_suppressed(account, hashed)]

    def _is_suppressed(self, account: str, hashed: str) -> bool:
        return (account, hashed) in self._suppressions

    def suppressions(self, account: str) -> Rows:
        found = sorted(row for (owner, _), row in self._suppressions.items() if owner == account)
        return [(address, suppressed_at, reason) for suppressed_at, _, address, reason in found]

    # -- the task board ----------------------------------------------------------------------------------------

    def add_task(self, *row: Any) -> int:
        enrollment_id, key = row[1], row[3]
        id = self._serial("tasks")
        self._put(self._tasks, id, row)
        self._put(self._task_keys, key, id)
        self._put(self._tasks_of, enrollment_id, (*self._tasks_of.get(enrollment_id, _NONE), id))
        return id

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

    def erase_tasks(self, enrollment_id: int) -> int:
        for id in self._tasks_of.get(enrollment_id, _NONE):
            row = self._tasks[id]
            self._put(self._tasks, id, (*row[:7], "", *row[8:]))
        return 1

    def erase_suppression(self, account: str, hashed: str) -> int:
        row = self._suppressions.get((account, hashed))
        if row is None:
            return 0
        self._put(self._suppressions, (account, hashed), (*row[:2], None, row[3]))
        return 1

    def purge_events(self, enrollment_id: int) -> int:
        for serial in self._history.get(enrollment_id, _NONE):
            self._put(self._events, serial, MISSING)
        self._put(self._history, enrollment_id, MISSING)
        return 1

    def purge_tasks(self, enrollment_id: int) -> int:
        ids = self._tasks_of.get(enrollment_id, _NONE)
        closed = [id for id in ids if self._tasks[id][10] != "open"]
        for id in closed:
            self._put(self._task_keys, self._tasks[id][3], MISSING)
            self._put(self._tasks, id, MISSING)
        left = tuple(id for id in ids if id not in closed)
        self._put(self._tasks_of, enrollment_id, left or MISSING)
        return len(closed)
