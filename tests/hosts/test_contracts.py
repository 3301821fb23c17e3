"""The stores in a host's transactions, against the contract of all stores."""

from __future__ import annotations

import pytest
from django.db import connections
from sqlalchemy import create_engine

from sequencer import DjangoStore, SQLAlchemyStore
from sequencer.testing.contracts.store import StoreContract
from sequencer.testing.contracts.workbench import begin, failing
from tests.hosts.django_project import KINDS, Database
from tests.hosts.test_sqlalchemy import address


@pytest.mark.parametrize("kind", KINDS)
class TestDjango(StoreContract):
    def test_a_second_transaction_of_its_own_is_refused_inside_one(self, store):
        """Instead, as atomic blocks nest: another transaction inside a block is a part of it, and falls with it."""
        with failing(store) as outer:
            first = begin(store, outer)
            with store.transaction() as inner:
                assert inner.get(first.id) is not None

        with store.transaction() as transaction:
            assert transaction.get(first.id) is None

    def leave_thread(self):
        connections.close_all()

    @pytest.fixture
    def store(self, kind, tmp_path):
        database = Database(kind, tmp_path)
        yield DjangoStore(database.alias, schema=database.schema)
        database.close()


@pytest.mark.parametrize("kind", KINDS)
class TestSQLAlchemy(StoreContract):
    def test_a_second_transaction_of_its_own_is_refused_inside_one(self, store):
        """Also here, although the pool has more connections; one that only reads inside a block is another one."""
        super().test_a_second_transaction_of_its_own_is_refused_inside_one(store)
        with store.transaction() as outer:
            second = begin(store, outer)
            with store.transaction(write=False) as other:
                assert other.get(second.id) is None

    @pytest.fixture
    def store(self, kind, tmp_path):
        url, options, schema = address(kind, tmp_path)
        database = create_engine(url, **options)
        yield SQLAlchemyStore(database, schema=schema)
        database.dispose()
