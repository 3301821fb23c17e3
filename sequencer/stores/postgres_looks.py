"""Fresh looks in PostgreSQL, one message there and one back for each (law E3).

Nobody but the server knows what was committed, so it is asked every time. What can be saved is on this side: the
statement is prepared once for each connection and run without the cursor, the adapters and the transaction of an
ordinary block, which take twice as long as the server's answer. Where anything is out of the ordinary (the host wants
nothing prepared, the connection is busy or broken, the server refuses) the look is an ordinary one, which also knows
what errors mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

from sequencer.core.enrollment import Enrollment
from sequencer.engine.storage import Looks
from sequencer.stores.connections import Held
from sequencer.stores.contents import keyed_hash
from sequencer.stores.database import Known

__all__ = ["PreparedLooks"]

_NAME = b"sequencer_look"
_BIGINT, _TEXT = 20, 25  # as PostgreSQL numbers its types


class PreparedLooks:
    """The looks of one pass; `otherwise` is how it looks where this way is closed."""

    def __init__(
        self, own: Callable[[], Held[psycopg.Connection[Any]]], statement: str, known: Known, otherwise: Looks
    ) -> None:
        self._own = own
        self._statement = statement.encode()
        self._secret = known.secret
        self._otherwise = otherwise

    def look(self, enrollment: Enrollment, fence: int, address: str | None) -> bool | None:
        """See `sequencer.engine.storage.Looks`."""
        held = self._own()
        hashed = "" if address is None else keyed_hash(self._secret, enrollment.account, address)
        try:
            values = [b"%d" % number for number in (enrollment.id, enrollment.revision, fence)]
            found = self._run(held, [*values, hashed.encode()]) if self._is_ready(held) else None
        except psycopg.Error:
            found = None
        if found is None:
            return self._otherwise.look(enrollment, fence, address)
        return found.get_value(0, 0) == b"t" if found.ntuples else None

    def _run(self, held: Held[psycopg.Connection[Any]], values: list[bytes]) -> Any:
        """The answer; None where there is none."""
        result = held.connection.pgconn.exec_prepared(_NAME, values)
        if result.status != ExecStatus.TUPLES_OK:
            # It may be another session by now, which does not know the statement.
            held.prepared.discard(_NAME)
            return None
        return result

    def _is_ready(self, held: Held[psycopg.Connection[Any]]) -> bool:
        """Whether nothing is under way on the connection, and the statement is prepared on it."""
        connection = held.connection
        if connection.prepare_threshold is None or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        if _NAME not in held.prepared:
            types = [_BIGINT, _BIGINT, _BIGINT, _TEXT]
            result = connection.pgconn.prepare(_NAME, self._statement, types)
            if result.status != ExecStatus.COMMAND_OK:
                return False
            held.prepared.add(_NAME)
        return True
