"""Fresh looks in SQLite, read many at once, and each as fresh as a query of its own (law E3).

SQLite tells in some two microseconds whether anybody has committed anything: `PRAGMA data_version` is another after
every commit of another connection, in this process or not, and the connection itself counts the rows that it has
changed. While neither has moved since some rows were read, those rows are what a query would find at this very moment.
So claims are read some time ahead, in one transaction, and directly before each call it is asked whether that holds.

It holds no longer once anything at all was committed. Then claims are read ahead anew, half as many as before, and
twice as many again whenever all of them held: where others write without a pause each look is a query by itself, and
where nobody does, a whole pass is one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence as Several

from sequencer.core.enrollment import Enrollment
from sequencer.core.values import Identifier
from sequencer.stores.codec import encode_id
from sequencer.stores.connections import Connections, Held
from sequencer.stores.contents import keyed_hash
from sequencer.stores.database import Known
from sequencer.stores.sqlite_database import SQLiteDatabase

__all__ = ["LooksAhead"]

_MOST = 1000


class LooksAhead:
    """The looks at the claims of one pass, of which it is asked in their order."""

    def __init__(
        self, connections: Connections[sqlite3.Connection], known: Known, claims: Several[tuple[Enrollment, int]]
    ) -> None:
        self._connections = connections
        self._secret = known.secret
        self._claims = claims
        self._places = {(enrollment.id, fence): place for place, (enrollment, fence) in enumerate(claims)}
        self._ahead = min(len(claims), _MOST)
        # What was read ahead, and how the database stood then.
        self._seen: dict[tuple[int, int], tuple[int, str | None, bool]] = {}
        self._stood: tuple[int, int] | None = None
        self._held: Held[sqlite3.Connection] | None = None

    def look(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        """See `sequencer.engine.storage.Looks`."""
        held = self._connections.own()
        with held.lock:
            if held is not self._held:
                self._held, self._stood = held, None
                self._connection, self._database = held.connection, SQLiteDatabase(held.connection)
            claim = enrollment.id, fence
            holds = self._stood is not None and self._stands() == self._stood
            if not holds or claim not in self._seen:
                self._look_ahead(self._places.get(claim, len(self._claims)), holds=holds)
            revision, expected, suppressed = self._seen.get(claim, (None, None, False))
            if revision == enrollment.revision and expected == address:
                return suppressed
            # It is not as it was when it was claimed; or the person has another address than with the enrollment.
            return self._found(enrollment, fence, address)

    def _found(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        hashed = "" if address is None else keyed_hash(self._secret, enrollment.account, address)
        row = self._database.row("look", enrollment.id, enrollment.revision, fence, hashed)
        return None if row is None else bool(row[0])

    def _stands(self) -> tuple[int, int]:
        """What is another after every commit: of other connections, and of this one."""
        ((version,),) = self._database.rows("data_version")
        return version, self._connection.total_changes

    def _read(self, claims: Several[tuple[Enrollment, int]]) -> None:
        """What `look` finds of each of these, asked about in sets."""
        rows = self._database.rows("claims_in_force", json.dumps([enrollment.id for enrollment, _ in claims]))
        in_force = {(id, fence): revision for id, fence, revision in rows}
        hashes: dict[Identifier | None, dict[str, str]] = {}
        read = []
        for enrollment, fence in claims:
            if in_force.get((enrollment.id, fence)) == enrollment.revision:
                account, address, hashed = enrollment.account, enrollment.resource.address, ""
                if address is not None:
                    hashed = keyed_hash(self._secret, account, address)
                    hashes.setdefault(account, {})[hashed] = address
                read.append((enrollment, fence, address, hashed))
        suppressed = {
            (account, hashed)
            for account, several in hashes.items()
            for (hashed,) in self._database.rows_about("suppressed_among", list(several), encode_id(account))
        }
        for enrollment, fence, address, hashed in read:
            found = (enrollment.account, hashed) in suppressed
            self._seen[enrollment.id, fence] = enrollment.revision, address, found

    def _look_ahead(self, place: int, *, holds: bool) -> None:
        if self._stood is not None:
            self._ahead = min(2 * self._ahead, _MOST) if holds else max(self._ahead // 2, 1)
        self._seen.clear()
        self._database.control("BEGIN")
        try:
            # From here to the end of the transaction all is read as it stands now.
            self._stood = self._stands()
            self._read(self._claims[place : place + self._ahead])
        finally:
            # It has only read; and unlike a commit that fails, this leaves nothing open.
            if self._connection.in_transaction:
                self._database.control("ROLLBACK")
