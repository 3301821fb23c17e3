"""A store in the database of a Django project, through Django's own connections.

Every transaction is a `django.db.transaction.atomic` block, the engine's own too. So a verb inside the host's `atomic`
is committed and rolled back with it, without `connection=`; outside of one it commits by itself; and in a `TestCase`,
whose transaction never commits, everything works as it does elsewhere.

What must be committed before the world hears of it (a start mark before a mail) is refused inside the host's `atomic`:
rolled back later, it would be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

from sequencer.core.errors import Misuse, StoreError
from sequencer.engine.storage import Store
from sequencer.stores.framework import FrameworkStore

try:
    from django.db import Error, close_old_connections, connections, transaction
except ModuleNotFoundError as error:  # pragma: no cover - the extra is there in every test
    raise ModuleNotFoundError("DjangoStore needs Django: pip install 'sequencer[django]'", name="django") from error

__all__ = ["DjangoStore"]


class DjangoStore(FrameworkStore):
    """Enrollments in a database of a Django project's: SQLite, or PostgreSQL with psycopg 3.

    `using` is its alias in `DATABASES`. In PostgreSQL, `schema` is the schema that the tables live in. Nothing is
    looked at before the first verb, so that it can be made while Django starts. A database without the store's tables
    gets them: with `manage.py migrate` if `sequencer.adapters.django` is in INSTALLED_APPS, else with the first verb.

    It may be used from any thread, as Django's connections are. How long to wait for other transactions, how durable a
    commit is, and the rest of a connection's habits are as `DATABASES` says.
    """

    _durable = False

    def __init__(self, using: str = "default", *, schema: str = "public") -> None:
        self.using = using
        self.schema = schema

    def __repr__(self) -> str:
        schema = "" if self.schema == "public" else f", schema={self.schema!r}"
        return f"DjangoStore({self.using!r}{schema})"

    @cached_property
    def committing(self) -> Store:
        """The same store, for what must be committed at the end of each block: refuses to be inside the host's."""
        return _Durable(self.using, schema=self.schema)

    def after_commit(self, do: Callable[[], None]) -> None:
        """Do something once the host's transaction is committed; at once where none is open.

        Never where the host commits by hand (`set_autocommit(False)`), of which nobody is told.
        """
        if connections[self.using].in_atomic_block or transaction.get_autocommit(using=self.using):
            transaction.on_commit(do, using=self.using)

    def leave_thread(self) -> None:
        """Close this thread's connections as Django does at the end of a request, if CONN_MAX_AGE says so."""
        close_old_connections()

    def _kind(self) -> str:
        kind: str = connections[self.using].vendor
        if kind == "postgresql":
            from django.db.backends.postgresql.psycopg_any import is_psycopg3

            if not is_psycopg3:
                raise StoreError(
                    f"DATABASES[{self.using!r}] is reached through psycopg2, and the store needs psycopg 3: pip "
                    "install 'sequencer[postgres]' (Django takes it where both are installed)"
                )
        return kind

    @contextmanager
    def _inside(self) -> Iterator[Any]:
        try:
            with ExitStack() as stack:
                try:
                    stack.enter_context(transaction.atomic(using=self.using, durable=self._durable))
                except RuntimeError as error:
                    raise Misuse(
                        "what is handed over must be committed first, and a transaction of yours is open: call `tick` "
                        "outside of transaction.atomic(), with ATOMIC_REQUESTS in a view that is non_atomic_requests"
                    ) from error
                if transaction.get_rollback(using=self.using):
                    raise StoreError("the caller's transaction has failed already; roll it back first")
                yield connections[self.using].connection
        except Error as error:
            raise self._translated(error, error.__cause__) from error


class _Durable(DjangoStore):
    """Only transactions that are committed at the end of their block, as Django's `durable=True` says."""

    _durable = True
