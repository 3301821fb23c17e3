"""Connections to PostgreSQL: how the store opens its own, which of a caller's it can join, what their errors mean.

Nothing that is shown or raised here holds a password.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import conninfo, errors
from psycopg.adapt import AdaptersMap
from psycopg.pq import Conninfo, PipelineStatus
from psycopg.types.array import ListDumper
from psycopg.types.bool import BoolBinaryDumper, BoolDumper, BoolLoader
from psycopg.types.numeric import Int8Dumper, IntLoader
from psycopg.types.string import StrDumper, StrDumperUnknown, TextLoader

from sequencer.core.errors import Busy, Conflict, InvalidInput, SequencerError, StoreError

__all__ = ["ADAPTERS", "opened", "refuse_unfit", "shown", "translated"]

_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.IntegrityError)
_RIGHTS = (
    "the role lacks rights. To make or migrate the tables it needs CREATE on the schema (and on the database, to make "
    "the schema), or another role does that once with `sequencer migrate`; to work with them it needs USAGE on the "
    "schema and the rights on its tables and sequences"
)


def translated(error: Exception) -> SequencerError:
    """What an error of PostgreSQL or its driver means to who uses the store."""
    text = " ".join(str(error).split())
    if isinstance(error, (errors.DataError, UnicodeEncodeError, OverflowError)):
        return InvalidInput(f"PostgreSQL cannot hold it: {text}", code="out_of_range")
    if isinstance(error, errors.LockNotAvailable):
        return Busy(
            f"{text}: another transaction is writing; nothing was stored, so try again (or raise `lock_timeout`). If "
            "it is your own, pass its connection as connection="
        )
    if isinstance(error, errors.QueryCanceled):
        return Busy(f"{text}: nothing was stored, so try again (or raise the server's `statement_timeout`)")
    if isinstance(error, _AGAIN):
        return Conflict(f"{text}: somebody else was faster; nothing was stored, so read again and decide anew")
    if isinstance(error, errors.InsufficientPrivilege):
        return StoreError(f"PostgreSQL: {text}: {_RIGHTS}")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return StoreError(f"PostgreSQL: {text}: use a transaction, a role and a server that may write")
    return StoreError(f"PostgreSQL: {text}")


# -- the store's own -------------------------------------------------------------------------------------------

_SECRETS = {option.keyword.decode() for option in Conninfo.get_defaults() if option.dispchar == b"*"}


def shown(dsn: str) -> str:
    """A connection string without what is secret in it. Raises `InvalidInput` for one that libpq does not read."""
    try:
        parts = conninfo.conninfo_to_dict(dsn)
    except (psycopg.Error, UnicodeError):
        parts = None
    # A password with an @ or a : in it that is not encoded ends up in the host or the port.
    if parts is None or "@" in str(parts.get("host", ""))[1:] or set(str(parts.get("port", ""))) - set("0123456789,"):
        raise InvalidInput(
            "is no connection string: needs postgresql://USER:PASSWORD@HOST:PORT/DATABASE (signs like @ : / % in it "
            "written as %40 %3A %2F %25), or host=... dbname=... user=...; what was given may hold a password and is "
            "not shown",
            path="dsn",
            code="invalid_value",
        ) from None
    return conninfo.make_conninfo("", **{name: value for name, value in parts.items() if name not in _SECRETS})


def opened(
    dsn: str | None, connect: Callable[[], psycopg.Connection[Any]] | None, lock_timeout: float, store: str
) -> psycopg.Connection[Any]:
    """A new connection of the store's own, which commits by itself, waits for locks so long, and speaks UTF-8."""
    try:
        connection = psycopg.connect(dsn or "") if connect is None else connect()
    except psycopg.OperationalError as error:
        raise StoreError(f"cannot open {store}: {' '.join(str(error).split())}") from error
    except psycopg.Error as error:
        # It may quote the connection string.
        raise StoreError(f"cannot open {store}: {type(error).__name__}") from None
    if not isinstance(connection, psycopg.Connection):
        raise InvalidInput(
            f"must give a psycopg.Connection, and gave {_kind(connection)}", path="connect", code="invalid_type"
        )
    try:
        connection.autocommit = True
        for name, value in (
            ("client_encoding", "UTF8"),
            ("lock_timeout", f"{max(1, round(lock_timeout * 1000))}ms"),
            ("default_transaction_isolation", "read committed"),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        # Durable means durable, whatever the server or the database is set to.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.Error):
            raise translated(error) from error
        raise
    return connection


# -- the caller's ----------------------------------------------------------------------------------------------


def refuse_unfit(connection: Any) -> None:
    """Raise `InvalidInput` for what is no connection of psycopg's, or one on which the store cannot work."""
    if not isinstance(connection, psycopg.Connection):
        raise InvalidInput(
            "needs a connection of psycopg 3 that is not asynchronous, or one of Django or a Session or Connection of "
            f"SQLAlchemy (postgresql+psycopg://) that has one underneath, got {_kind(connection)}",
            path="connection",
            code="invalid_type",
        )
    if connection.closed:
        raise StoreError("the caller's connection is closed")
    if connection.pgconn.pipeline_status != PipelineStatus.OFF:
        raise InvalidInput(
            "is in pipeline mode, in which no answer can be waited for; call this outside of `connection.pipeline()`",
            path="connection",
            code="invalid_value",
        )
    if connection.info.encoding != "utf-8":
        raise InvalidInput(
            f"its client_encoding is {connection.info.parameter_status('client_encoding')}, in which not every name "
            "can be written; needs UTF8",
            path="connection",
            code="invalid_value",
        )


def _kind(value: Any) -> str:
    # Not the value: a connection string may hold a password.
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _adapters() -> AdaptersMap:
    """How values are written and read, whatever a host has registered for all connections or for its own."""
    adapters = AdaptersMap(psycopg.adapters)
    # One type for all integers, so that a statement is prepared once and not for each size of number.
    adapters.register_dumper(int, Int8Dumper)
    for type, dumper in ((str, StrDumper), (str, StrDumperUnknown), (bool, BoolDumper), (bool, BoolBinaryDumper)):
        adapters.register_dumper(type, dumper)
    adapters.register_dumper(list, ListDumper)
    for name in ("int4", "int8"):
        adapters.register_loader(name, IntLoader)
    adapters.register_loader("text", TextLoader)
    adapters.register_loader("bool", BoolLoader)
    return adapters


ADAPTERS = _adapters()
