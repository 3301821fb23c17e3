"""A store in PostgreSQL for a benchmark: in a schema of its own, on the server that the tests use, too.

The server is the one that SEQUENCER_TEST_POSTGRES names, or else one that is started from a wheel, on a Unix socket and
with its usual durable settings. It is gone with the process, the schema with the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from sequencer.stores.postgres import PostgresStore
from tests.postgres import connect, new_schema, server

__all__ = ["connect", "new_store", "server"]


@contextmanager
def new_store(**options: Any) -> Iterator[PostgresStore]:
    """A new, empty store. Another process reaches it with `PostgresStore(server(), schema=store.schema)`."""
    schema = new_schema()
    store = PostgresStore(server(), schema=schema, **options)
    try:
        yield store
    finally:
        store.close()
        with connect(autocommit=True) as connection:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
