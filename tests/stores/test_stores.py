"""Every store, against the contract."""

from __future__ import annotations

import sqlite3

from psycopg.rows import dict_row

from sequencer.stores.memory import MemoryStore
from sequencer.stores.postgres import PostgresStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.store import StoreContract
from tests import postgres


class TestMemoryStore(StoreContract):
    def make(self, folder):
        return MemoryStore()


class TestSQLiteFile(StoreContract):
    def make(self, folder):
        return SQLiteStore(folder / "store.db")


class TestSQLiteInMemory(StoreContract):
    def make(self, folder):
        return SQLiteStore(":memory:")


class TestSQLiteInTheHostsFile(StoreContract):
    """The host's own connections have other habits: converters, a row factory, implicit transactions."""

    def make(self, folder):
        def connect():
            connection = sqlite3.connect(folder / "crm.db", detect_types=sqlite3.PARSE_DECLTYPES, timeout=5)
            connection.row_factory = sqlite3.Row
            return connection

        connection = connect()
        connection.execute("CREATE TABLE leads (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO leads (name) VALUES ('Ada')")
        connection.commit()
        connection.close()
        return SQLiteStore(connect=connect)


class TestPostgres(StoreContract):
    def make(self, folder):
        return postgres.new_store()


class TestPostgresThroughTheHostsConnections(StoreContract):
    """The host's own connections have other habits: dictionaries for rows, and no prepared statements."""

    def make(self, folder):
        def connect():
            return postgres.connect(row_factory=dict_row, prepare_threshold=None)

        return PostgresStore(connect=connect, schema=postgres.new_schema())
