"""What hangs on enrollments, over named statements: events, reports, suppressions, the task board; and forgetting."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pendulum import DateTime

from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import StoreError
from sequencer.core.events import Event
from sequencer.core.instants import from_microseconds, later_by, to_microseconds
from sequencer.core.pacing import LONGEST_WINDOW
from sequencer.core.sequence import SequenceVersion
from sequencer.core.values import Identifier
from sequencer.engine.stored import Account, Actor, ActorMail, BoardTask, StoredReport, Suppression
from sequencer.stores.codec import Row, encode_id
from sequencer.stores.contents import keyed_hash
from sequencer.stores.database import MOST, Database, Known, fits
from sequencer.stores.mails import MAIL_STATEMENTS, mail_changes
from sequencer.stores.records_codec import decode_event, decode_task, encode_event, encode_task, references

__all__ = ["Records"]

# So many actors are locked one by one; for more, all are, since a server has room for some thousand locks in all.
_FEW_ACTORS = 1000
# What is written before everything that hangs on it, and what is written after that, in the order in which those of one
# decision have to run.
_RANKS = {
    **dict.fromkeys(("claim", "insert", "save", "save_with_state"), -1),
    **{name: rank for rank, name in enumerate(MAIL_STATEMENTS, 1)},
}


def _rank(name: str) -> int:
    return _RANKS.get(name, 0)


def _whose(actor: Actor) -> tuple[str, str]:
    account, id = actor
    return encode_id(account), encode_id(id)


class Records:
    """The part of a transaction that is not about enrollments themselves.

    With `behind`, what only adds (claims, events, references) is collected and written in bulk: before anything is
    asked, and at the end. It is for transactions whose beginning and end are the store's own.
    """

    def __init__(self, database: Database, known: Known, *, behind: bool = False) -> None:
        self._at_once = database
        self._known = known
        self._behind = behind
        # Whether anything was erased or purged: then it should not be left lying about either.
        self.forgets = False
        self._claims: dict[int, tuple[int, int, int]] = {}
        self._later: dict[str, list[Row]] = {}
        # Of which enrollments the mails are among what is to be written.
        self._counted: set[int] = set()
        self._references: dict[tuple[str, str, str], int] = {}

    @property
    def _newest(self) -> Database:
        """For what the schema before this release's has no tables for. Raises `StoreError` on that."""
        if not self._known.is_current:
            raise StoreError("this store's schema is older than what is asked for here: run `migrate`")
        return self._database

    @property
    def _database(self) -> Database:
        if self._claims or self._later or self._references:
            self.write()
        return self._at_once

    def write(self) -> None:
        """Write what has been collected."""
        later, self._later = self._later, {}
        if self._claims:
            later["claim"] = [(id, until) for id, (until, _, _) in self._claims.items()]
            self._claims = {}
        if self._references:
            later["refer"] = [(*named, id) for named, id in self._references.items()]
            self._references = {}
        for name in sorted(later, key=_rank):
            self._at_once.many(name, later[name])
        self._counted.clear()

    def _add(self, name: str, row: Row) -> None:
        if self._behind:
            self._later.setdefault(name, []).append(row)
        else:
            self._at_once.run(name, *row)

    def lock(self, *names: tuple[Any, ...], within: tuple[Any, ...] | None = None) -> None:
        """Let nobody else go on who asks for one of these names, until this transaction ends."""
        self._at_once.lock(sorted({json.dumps(name) for name in names}), None if within is None else json.dumps(within))

    def _version(self, id: int) -> SequenceVersion:
        """The version of a sequence that has this id."""
        raise NotImplementedError

    # -- events ------------------------------------------------------------------------------------------------

    def _record(self, account: str, id: int, events: Iterable[Event]) -> None:
        for event in events:
            self._add("add_event", encode_event(event))
            for kind, value in references(event):
                if self._behind:
                    self._references[account, kind, value] = id
                else:
                    self._database.run("refer", account, kind, value, id)

    # -- mails in actors' names --------------------------------------------------------------------------------

    def _count(self, enrollment: Enrollment, events: Iterable[Event]) -> None:
        if enrollment.id in self._counted:
            self.write()  # what is written in bulk keeps no order between two decisions
        for name, values in mail_changes(enrollment, events):
            self._counted.add(enrollment.id)
            self._add(name, values)

    def mails_counted(
        self, actors: Mapping[Actor, DateTime], now: DateTime, *, ahead: DateTime, expected_since: DateTime | None
    ) -> dict[Actor, int]:
        """For each of these actors how many mails `mails_left` finds, and `mails_expected` since an instant."""
        database = self._counting(actors)
        since = MOST if expected_since is None else to_microseconds(expected_since)
        asked = [(*_whose(each), to_microseconds(at), since) for each, at in actors.items()]
        found = [rows[0] for rows in database.each("count_mails", asked)]
        future = to_microseconds(ahead)
        wrong = [at for at, (_, *last) in enumerate(found) if any(each is not None and each > future for each in last)]
        if wrong:
            database.many("mails_ahead", [(*asked[at][:2], to_microseconds(now), future) for at in wrong])
            for at, rows in zip(wrong, database.each("count_mails", [asked[at] for at in wrong]), strict=True):
                found[at] = rows[0]
        long_ago = to_microseconds(later_by(now, -LONGEST_WINDOW))
        database.many("forget_mails", [(*each[:2], long_ago) for each in asked])
        return {actor: count for actor, (count, *_) in zip(actors, found, strict=True)}

    def _counting(self, actors: Collection[Actor], *, alone: bool = True) -> Database:
        """What to count the mails of these actors with, `alone` while nobody else does."""
        if alone:
            few = actors if len(actors) <= _FEW_ACTORS else ()
            self.lock(*[("mails", *_whose(each)) for each in few], within=("mails",))
        # Claims that are not written yet say nothing about mails; they are written with their decisions.
        return self._database if self._later else self._at_once

    def mails_left(
        self, actors: Mapping[Actor, DateTime], now: DateTime, *, ahead: DateTime | None
    ) -> dict[Actor, list[ActorMail]]:
        """For each of these actors the mails in their name that are out, or left since the instant given with them."""
        database = self._counting(actors, alone=ahead is not None)
        whose = list(map(_whose, actors))
        asked = [(*each, to_microseconds(since)) for each, since in zip(whose, actors.values(), strict=True)]
        found = database.each("mails_left", asked)
        if ahead is not None:
            future = to_microseconds(ahead)
            wrong = [at for at, rows in enumerate(found) if any(left_at > future for _, _, left_at, _ in rows)]
            if wrong:
                database.many("mails_ahead", [(*whose[at], to_microseconds(now), future) for at in wrong])
                for at, rows in zip(wrong, database.each("mails_left", [asked[at] for at in wrong]), strict=True):
                    found[at] = rows
            long_ago = to_microseconds(later_by(now, -LONGEST_WINDOW))
            database.many("forget_mails", [(*each, long_ago) for each in whose])
        return {
            actor: [
                ActorMail(id, step, from_microseconds(at), "sent" if standing == "sent" else "out")
                for id, step, at, standing in rows
            ]
            for actor, rows in zip(actors, found, strict=True)
        }

    def mails_expected(self, actors: Collection[Actor], since: DateTime) -> dict[Actor, list[ActorMail]]:
        """For each of these actors the mails in their name that wait, or are put off, and come due from `since` on."""
        database = self._database if self._later else self._at_once
        at = to_microseconds(since)
        found = database.each("mails_expected", [(encode_id(account), encode_id(id), at) for account, id in actors])
        return {
            actor: [
                ActorMail(id, step, from_microseconds(at), standing, bool(follow_up))
                for id, step, at, standing, follow_up in rows
            ]
            for actor, rows in zip(actors, found, strict=True)
        }

    # -- events ------------------------------------------------------------------------------------------------

    def events(self, enrollment_id: int) -> list[Event]:
        """The history of an enrollment, in order."""
        if not fits(enrollment_id):
            return []
        return [decode_event(row, self._version) for row in self._database.rows("events", enrollment_id)]

    def cursor(self, name: str) -> int:
        """How far a listener has come; a new one starts at the end of what is stored."""
        found = self._database.row("get_counter", f"listener {name}")
        if found is None:
            found = (self.last_cursor(),)
            self.set_cursor(name, found[0])
        position: int = found[0]
        return position

    def last_cursor(self) -> int:
        """How far one has come who has been told of everything; 0 where there is nothing yet."""
        position: int = (self._database.row("last_event") or (0,))[0]
        return position

    def set_cursor(self, name: str, cursor: int) -> None:
        """Note how far a listener has come."""
        self._database.run("set_counter", f"listener {name}", cursor)

    def lease_feed(self, name: str, now: DateTime, lease_seconds: float, token: int | None = None) -> int | None:
        """Take the events of a listener's name until now + lease, or with a `token` keep them; None: not one's own."""
        # The token is the end of the lease; 0, a lease that has ended. Adding nothing makes a second one wait here.
        database, counter = self._database, f"feed {name}"
        database.run("advance_counter", counter, 0)
        ((held,),) = database.rows("get_counter", counter)
        at, lease = to_microseconds(now), round(lease_seconds * 1_000_000)
        # As with claims: a lease that could not have been taken by a clock that is right is not believed (E6).
        free = held <= at or held > at + 2 * lease
        if held != token if token is not None else not free:
            return None
        database.run("set_counter", counter, at + lease)
        return at + lease

    def leave_feed(self, name: str, token: int) -> None:
        """End a lease of `lease_feed`, if it is still in force."""
        if self._database.row("get_counter", f"feed {name}") == (token,):
            self._database.run("set_counter", f"feed {name}", 0)

    # -- reports and suppression -------------------------------------------------------------------------------

    def report(self, account: Account, key: str) -> StoredReport | None:
        """A report that was handled under this key."""
        found = self._database.row("get_report", encode_id(account), key)
        return None if found is None else StoredReport(found[0], tuple(json.loads(found[1])))

    def save_report(self, account: Account, key: str, report: StoredReport, now: DateTime) -> None:
        """Note that a report was handled. Raises `Conflict` where one was handled under this key already."""
        changed = json.dumps(report.changed, separators=(",", ":"))
        self._database.run("add_report", encode_id(account), key, report.digest, changed, to_microseconds(now))

    def suppress(self, account: Account, address: str, now: DateTime, reason: str) -> bool:
        """Suppress an address (in comparable form); False if it was already."""
        owner, hashed = encode_id(account), keyed_hash(self._known.secret, account, address)
        return self._database.run("suppress", owner, hashed, address, to_microseconds(now), reason) > 0

    def remember_address(self, account: Account, id: int, address: str) -> None:
        """Keep a keyed hash of an address to which a mail of an enrollment may have gone."""
        self._add("remember_address", (encode_id(account), id, keyed_hash(self._known.secret, account, address)))

    def suppress_others(self, account: Account, resource: Resource, now: DateTime, reason: str) -> None:
        """Suppress the addresses of a resource of which only a keyed hash is left."""
        database, owner = self._database, encode_id(account)
        for hashed in self._other_addresses_of(owner, resource):
            database.run("suppress", owner, hashed, None, to_microseconds(now), reason)

    def others_suppressed(self, account: Account, resource: Resource) -> bool:
        """Whether one of those is suppressed."""
        owner = encode_id(account)
        hashes = self._other_addresses_of(owner, resource)
        return bool(hashes) and bool(self._database.rows_about("suppressed_among", hashes, owner))

    def _other_addresses_of(self, owner: str, resource: Resource) -> list[str]:
        rows = self._database.rows("other_addresses_of", owner, resource.type, encode_id(resource.id))
        return [hashed for (hashed,) in rows]

    def unsuppress(self, account: Account, address: str) -> bool:
        """Lift a suppression; False if there was none."""
        hashed = keyed_hash(self._known.secret, account, address)
        return self._database.run("unsuppress", encode_id(account), hashed) > 0

    def is_suppressed(self, account: Account, address: str) -> bool:
        """Whether the address is suppressed, also when only its hash is left."""
        hashed = keyed_hash(self._known.secret, account, address)
        return self._database.row("is_suppressed", encode_id(account), hashed) is not None

    def suppressed_among(self, account: Account, addresses: Collection[str]) -> set[str]:
        """Which of these addresses are suppressed, also when only the hash is left."""
        by_hash = {keyed_hash(self._known.secret, account, address): address for address in addresses}
        rows = self._database.rows_about("suppressed_among", list(by_hash), encode_id(account)) if by_hash else ()
        return {by_hash[hashed] for (hashed,) in rows}

    def keyed(self, text: str) -> str:
        """A hash of a text under the store's own secret."""
        return keyed_hash(self._known.secret, None, text)

    def suppressions(self, account: Account) -> list[Suppression]:
        """All suppressions, oldest first."""
        rows = self._database.rows("suppressions", encode_id(account))
        return [Suppression(address, from_microseconds(at), reason) for address, at, reason in rows]

    # -- the embedded task board -------------------------------------------------------------------------------

    def create_task(self, task: BoardTask) -> int:
        """Put a task on the board and return its id; the same key again returns the first's."""
        found = self._database.row("task_of_key", task.key)
        return found[0] if found else self._database.add("add_task", *encode_task(task))

    def close_task(self, id: int, status: str, now: DateTime) -> bool:
        """Close an open task as `done` or `cancelled`; False if it was not open."""
        return fits(id) and self._database.run("close_task", id, status, to_microseconds(now)) > 0

    def task(self, id: int) -> BoardTask | None:
        """A task of any account."""
        row = self._database.row("get_task", id) if fits(id) else None
        return None if row is None else decode_task(row)

    def tasks(
        self,
        account: Account,
        *,
        actor_id: Identifier | None = None,
        status: str | None = "open",
        after: int | None = None,
        limit: int = 100,
    ) -> list[BoardTask]:
        """Tasks on the board in the order of their ids."""
        if not fits(after):
            return []
        actor = None if actor_id is None else encode_id(actor_id)
        name = "list_all_tasks" if status is None else "list_tasks"
        values = (encode_id(account), after or 0, min(max(limit, 0), MOST), status, actor)
        return [decode_task(row) for row in self._database.rows(name, *values)]

    # -- forgetting --------------------------------------------------------------------------------------------

    def addresses_of(self, account: Account, resource: Resource) -> list[str]:
        """The addresses, in comparable form, that are stored with the resource's enrollments, ongoing and finished."""
        rows = self._database.rows("addresses_of", encode_id(account), resource.type, encode_id(resource.id))
        return [address for (address,) in rows]

    def erase(self, account: Account, resource: Resource) -> int:
        """Forget what is personal of a resource; returns the number of enrollments that were touched."""
        database, owner = self._database, encode_id(account)
        secret, known = self._known.secret, self.addresses_of(account, resource)
        hashes = {keyed_hash(secret, account, each) for each in known} | set(self._other_addresses_of(owner, resource))
        database.many("erase_suppression", [(owner, hashed) for hashed in sorted(hashes)])
        found = database.rows("of_resource", owner, resource.type, encode_id(resource.id))
        database.many("forget_addresses", [(owner, id) for (id,) in found])
        for (id,) in found:
            # By a message id a mail can be found in somebody's mailbox, so it leads nowhere from now on. The ids of
            # tasks and the provider's own say nothing about the person, and answers that name them may still come.
            self._forget_references(owner, id, "message")
        database.many("erase", found)
        database.many("erase_tasks", found)
        self.forgets = True
        return len(found)

    def _forget_references(self, owner: str, id: int, *kinds: str) -> None:
        names = {(kind, value) for event in self.events(id) for kind, value in references(event) if kind in kinds}
        self._database.many("forget_reference", [(owner, kind, value, id) for kind, value in names])

    def purge(
        self, account: Account, finished_before: DateTime, limit: int, *, mails_since: DateTime | None = None
    ) -> int:
        """Delete up to `limit` enrollments that finished before an instant, with all that hangs on them."""
        database, owner = self._database, encode_id(account)
        rows = database.rows("to_purge", owner, to_microseconds(finished_before), min(max(limit, 0), MOST))
        for (id,) in rows:
            self._forget_references(owner, id, "task", "message", "provider", "idempotency")
        database.many("forget_addresses", [(owner, id) for (id,) in rows])
        kept = MOST if mails_since is None else to_microseconds(mails_since)
        database.many("purge_mails", [(id, kept) for (id,) in rows])
        for name in ("purge_events", "purge_tasks", "purge"):
            database.many(name, rows)
        self.forgets = True
        return len(rows)
