"""A host that keeps its data with SQLAlchemy: its sessions and the engine in one transaction (S1)."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import String, create_engine, event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from sequencer import (
    AlreadyEnrolled,
    Engine,
    InvalidInput,
    ManualClock,
    Misuse,
    NotFound,
    Person,
    RecordingMailer,
    Resource,
    SQLAlchemyStore,
    StoreError,
)
from tests import postgres
from tests.hosts.sequences import MONDAY, WELCOME

# In SQLite the driver begins a transaction with the first change, unless SQLAlchemy is told to begin it.
KINDS = ["sqlite", "sqlite that begins", "postgres"]


class Base(DeclarativeBase):
    """The host's tables."""


class Lead(Base):
    """Somebody who may become a customer."""

    __tablename__ = "leads"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(100))


def address(kind: str, folder: Any) -> tuple[Any, dict[str, Any], str]:
    """What SQLAlchemy calls a new database, and the schema in it."""
    if kind != "postgres":
        return f"sqlite:///{folder / 'crm.db'}", {}, "public"
    schema = postgres.new_schema()
    with postgres.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))

    def connect():
        connection = psycopg.connect(postgres.server())
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        connection.commit()
        return connection

    return "postgresql+psycopg://", {"creator": connect}, schema


class Crm:
    """The host: its database, leads, and an engine whose ports read them with a session of their own."""

    def __init__(self, kind: str, folder: Any, through: str) -> None:
        url, options, schema = address(kind, folder)
        self.database = create_engine(url, **options)
        if kind == "sqlite that begins":
            event.listen(self.database, "connect", lambda connection, record: _leave_alone(connection))
            event.listen(self.database, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        Base.metadata.create_all(self.database)
        self.sessions = sessionmaker(self.database)
        self.mailer = RecordingMailer()
        self.clock = ManualClock(MONDAY)
        self.store = SQLAlchemyStore(self.database if through == "engine" else self.sessions, schema=schema)
        self.engine = Engine(self.store, mailer=self.mailer, people=self.person, clock=self.clock)

    def person(self, resource: Resource) -> Person | None:
        with self.sessions() as session:
            lead = session.get(Lead, resource.id)
            return None if lead is None else Person(email=lead.email, fields={"name": lead.name})

    def create(self, session: Any, name: str = "Ada", email: str = "ada@example.com", connection: Any = None) -> int:
        """A lead and its enrollment."""
        lead = Lead(name=name, email=email)
        session.add(lead)
        session.flush()
        resource = Resource("lead", lead.id, email=email)
        return self.engine.enroll(WELCOME, resource, connection=connection or session).id

    def committed(self) -> tuple[int, int]:
        """How many leads and enrollments somebody else sees."""
        with self.sessions() as session:
            leads = session.scalar(select(func.count()).select_from(Lead))
        return leads or 0, len(self.engine.enrollments())


def _leave_alone(connection: Any) -> None:
    connection.isolation_level = None


@pytest.fixture(params=[(kind, through) for kind in KINDS for through in ("engine", "sessionmaker")], ids="-".join)
def crm(request, tmp_path):
    crm = Crm(request.param[0], tmp_path, request.param[1])
    yield crm
    crm.database.dispose()


def test_committed_together(crm):
    """Inside a session's transaction nothing is there for others before its commit, and then all of it."""
    with crm.sessions() as session:
        id = crm.create(session)
        assert crm.engine.get(id, connection=session).state == "active"
        assert crm.committed() == (0, 0)
        session.commit()

    assert crm.committed() == (1, 1)


def test_rolled_back_together(crm):
    """After a session's rollback neither the lead nor its enrollment was ever there."""
    with crm.sessions() as session:
        id = crm.create(session)
        session.rollback()

    assert crm.committed() == (0, 0)
    with pytest.raises(NotFound):
        crm.engine.get(id)


def test_a_refusal_leaves_the_transaction_usable(crm):
    """What is refused inside a session's transaction is caught there, and the session goes on and commits the rest."""
    with crm.sessions.begin() as session:
        first = crm.create(session)
        with pytest.raises(AlreadyEnrolled) as refused:
            crm.create(session, "Ada again", "ADA@example.com")
        assert refused.value.existing_id == first
        crm.create(session, "Bob", "bob@example.com")

    assert crm.committed() == (3, 2)


def test_savepoints_of_the_host(crm):
    """A nested transaction that is rolled back takes with it what the engine did in it, and nothing else."""
    with crm.sessions.begin() as session:
        kept = crm.create(session)
        nested = session.begin_nested()
        crm.create(session, "Bob", "bob@example.com")
        crm.engine.finish(kept, connection=session)
        nested.rollback()
        assert crm.engine.get(kept, connection=session).state == "active"

    assert crm.committed() == (1, 1)


@pytest.mark.parametrize("what", ["Connection", "scoped_session", "driver"])
def test_whatever_the_host_has_in_hand(crm, what):
    """A Connection, a scoped session and the driver's own connection are joined as a session is."""
    with crm.sessions.begin() as session:
        scoped = scoped_session(crm.sessions)
        given = {
            "Connection": session.connection(),
            "scoped_session": scoped,
            "driver": session.connection().connection.driver_connection,
        }[what]
        crm.create(scoped if given is scoped else session, connection=given)
        assert crm.committed() == (0, 0)
        scoped.commit()
        scoped.remove()

    assert crm.committed() == (1, 1)


def test_what_the_engine_does_by_itself(crm):
    """Without `connection=` a verb commits on a connection of the pool; so does a tick, with its ports on a thread."""
    with crm.sessions.begin() as session:
        id = crm.create(session)

    assert crm.engine.tick().handed_over == 1
    assert [mail.email.subject for mail in crm.mailer.sent] == ["Hello Ada"]
    crm.engine.finish(id)
    assert crm.engine.get(id).finished_reason == "manual"
    assert crm.database.pool.checkedout() == 0


@pytest.mark.parametrize("crm", [(kind, "sessionmaker") for kind in KINDS[1:]], ids="-".join, indirect=True)
def test_a_test_whose_transaction_never_commits(crm):
    """Sessions bound to one connection, as SQLAlchemy's own recipe for tests has it: all works, and nothing is kept."""
    crm.engine.save(WELCOME)
    for _ in range(2):
        with crm.database.connect() as connection, connection.begin() as outer:
            sessions = sessionmaker(connection, join_transaction_mode="create_savepoint")
            store = SQLAlchemyStore(sessions, schema=crm.store.schema)
            engine = Engine(store, mailer=crm.mailer, clock=crm.clock, port_threads=False)
            resource = Resource("lead", 1, email="ada@example.com", fields={"name": "Ada"})
            with sessions() as session:
                id = engine.enroll(WELCOME, resource, connection=session).id
                session.commit()
            assert engine.tick().handed_over == 1
            assert engine.get(id).steps[0].status == "completed"
            outer.rollback()

    assert len(crm.mailer.sent) == 2
    assert crm.engine.enrollments() == ()


def test_what_would_wait_for_its_own_thread(crm):
    """A verb without `connection=` in a block that holds it up is refused at once; a read or another thread is not."""
    crm.engine.save(WELCOME)
    ada, bob = (Resource("lead", id, email=f"{id}@example.com") for id in (1, 2))
    with crm.engine.together() as one:
        one.enroll(WELCOME, ada)
        with pytest.raises(Misuse, match="open in this thread already"):
            crm.engine.enroll(WELCOME, bob)
        assert crm.engine.enrollments() == ()
    with crm.sessions.begin() as session, crm.engine.together(connection=session) as one:
        one.enroll(WELCOME, bob)
        crm.engine.suppress("2@example.com", connection=session)
        if crm.database.dialect.name == "sqlite":
            with pytest.raises(Misuse, match="connection="):
                crm.engine.suppress("3@example.com")
        else:
            assert crm.engine.suppress("3@example.com")
    assert len(crm.engine.enrollments()) == 2
    assert crm.engine.suppress("4@example.com")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_an_engine_that_commits_by_itself(tmp_path, kind):
    """With AUTOCOMMIT each block of the store is a transaction by itself: all or nothing, the tables, too (S2)."""
    url, options, schema = address(kind, tmp_path)
    database = create_engine(url, **options, isolation_level="AUTOCOMMIT")
    mailer = RecordingMailer()
    engine = Engine(SQLAlchemyStore(database, schema=schema), mailer=mailer, clock=ManualClock(MONDAY))
    with Session(database) as session:
        engine.enroll(WELCOME, Resource("lead", 1, email="ada@example.com", fields={"name": "Ada"}), connection=session)
        with pytest.raises(AlreadyEnrolled):
            engine.enroll(WELCOME, Resource("lead", 2, email="ada@example.com"), connection=session)
    engine.tick()
    assert [mail.to for mail in mailer.sent] == ["ada@example.com"]
    assert [enrollment.id for enrollment in engine.enrollments()] == [1]
    database.dispose()


def test_what_cannot_be_used(tmp_path):
    """A session, a URL or an engine of asyncio is no source of connections, and a database of another kind no store."""
    database = create_engine("sqlite://")
    with Session(database) as session:
        for given in (session, "sqlite://", None, scoped_session(sessionmaker(database))):
            with pytest.raises(InvalidInput, match="Engine or sessionmaker"):
                SQLAlchemyStore(given)
    database.dispose()


@pytest.mark.parametrize("crm", [(kind, "engine") for kind in KINDS], ids="-".join, indirect=True)
def test_what_cannot_be_joined(crm):
    """A session of asyncio, or what is no connection at all, is refused with what may be given instead."""
    for given in (AsyncSession(create_async_engine("postgresql+psycopg://")), crm.database, crm.sessions, "session"):
        with pytest.raises(InvalidInput, match="Session or Connection of SQLAlchemy"):
            crm.engine.enrollments(connection=given)


def test_a_database_that_is_not_there(tmp_path):
    """Where SQLAlchemy cannot connect, that is the store's error, with the driver's words."""
    database = create_engine(f"sqlite:///{tmp_path}/nowhere/crm.db")
    with pytest.raises(StoreError, match="unable to open database file") as raised:
        SQLAlchemyStore(database)
    assert isinstance(raised.value.__cause__, OperationalError)


def test_a_pool_without_a_connection_left(tmp_path):
    """Where the pool has no connection to give, that is the store's error, which a worker's loop tries again after."""
    database = create_engine(f"sqlite:///{tmp_path}/crm.db", pool_size=1, max_overflow=0, pool_timeout=0.05)
    engine = Engine(SQLAlchemyStore(database))
    with database.connect(), pytest.raises(StoreError, match="QueuePool limit of size 1"):
        engine.tick()
    assert engine.tick().handed_over == 0
    database.dispose()
