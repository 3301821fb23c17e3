"""Logging: what is said is what the page says, each record with its fields, and nothing personal in any (law S8)."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import httpx
import pendulum
import pytest

from sequencer import (
    AutomatedEmail,
    Conflict,
    Engine,
    ManualClock,
    MemoryStore,
    Opened,
    Person,
    RecordingMailer,
    RecordingTaskBoard,
    Rejected,
    Replied,
    Resource,
    Sequence,
    SQLiteStore,
    Step,
    StoreError,
    Task,
    Template,
)
from sequencer.core.policy import Retry
from sequencer.engine import answers, worker
from sequencer.http import application, open_access
from sequencer.http.webhooks import Webhooks
from tests.http.driving import client_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
USUAL = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

# Everything personal in these runs has one of these in it: the address, the fields, the texts that they are put into.
PERSONAL = ("lovelace", "example.com", "byron", "enchantress")
ADA = {"email": "ada.lovelace@example.com", "fields": {"first_name": "Byron", "notes": "an enchantress of numbers"}}
MAIL = Sequence(
    "Mail",
    [Step(AutomatedEmail(1))],
    templates={1: Template("To {{ first_name }}", "You are {{ notes }}, {{ email }}")},
)
CALL = Sequence("Call", [Step(Task("Call {{ first_name }} {{ email }}, {{ notes }}"))])


@attrs.frozen
class Described:
    """A row of the page's table."""

    logger: str
    level: str
    fields: frozenset[str]


def described() -> dict[str, Described]:
    rows = re.findall(r"^\| `(.+)` \| `(\w+)` (\w+) \| .+ \| (.+) \|$", PAGE, re.MULTILINE)
    return {msg: Described(f"sequencer.{name}", level, frozenset(of.split(", "))) for msg, name, level, of in rows}


class Collects(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def logged():
    """All records while a test runs, of every level."""
    handler, logger = Collects(), logging.getLogger("sequencer")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.records
    logger.setLevel(before)
    logger.removeHandler(handler)


class Calls:
    """A port that does at each call what it is told: `do(request)`, with all that the request says in its complaint."""

    delivery = "at_most_once"

    def __init__(self, do: Any, *, deduplicates: bool = False) -> None:
        self.do = do
        self.deduplicates = deduplicates

    def send(self, email, *, key, timeout):
        return self.do(email)

    def create(self, task, *, key):
        return self.do(task)

    def cancel(self, task_id):
        return self.do(task_id)


def quotes(request):
    """Fails as ports do: it quotes what it was given."""
    raise ConnectionError(f"refused: {request!r} {ADA}")


class World:
    """Engines, each with a store and a clock of its own, in the hands of people and ports that quote everything."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
        self.folder = folder

    def engine(self, store: Any = None, **parts: Any) -> Engine:
        return Engine(store or MemoryStore(), clock=self.clock, **parts)

    def enroll(self, engine: Engine, sequence: Sequence = MAIL, number: int = 1) -> int:
        resource = Resource("lead", number, **{**ADA, "email": f"{number}.{ADA['email']}"})
        return engine.account("acme").enroll(sequence, resource, actor_id=7).id

    def ports_that_fail(self) -> None:
        for mailer in (
            Calls(quotes),
            Calls(quotes, deduplicates=True),
            Calls(lambda email: Rejected(f"550 {email!r}", permanent=True)),
            Calls(lambda email: Rejected(f"450 {email!r}", permanent=False)),
        ):
            engine = self.engine(mailer=mailer)
            self.enroll(engine)
            engine.tick()
        engine = self.engine(mailer=RecordingMailer(), people=quotes)
        self.enroll(engine)
        engine.tick()
        engine = self.engine(mailer=RecordingMailer(), people=lambda resource: Person("ada.lovelace@example.com"))
        self.enroll(engine)
        engine.tick()

    def a_cap_that_fails(self) -> None:
        engine = self.engine(mailer=RecordingMailer(), cap=lambda account, actor_id: quotes(account))
        self.enroll(engine)
        engine.tick()

    def a_log_that_is_held_up(self) -> None:
        store = SQLiteStore(self.folder / "erased.db", busy_timeout=0.05)
        engine = self.engine(store)
        self.enroll(engine)
        with closing(sqlite3.connect(self.folder / "erased.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sequencer_enrollments").fetchall()
            engine.account("acme").erase(Resource("lead", 1))
        store.close()

    def a_board_that_fails(self) -> None:
        board = RecordingTaskBoard()
        engine = self.engine(tasks=board)
        id = self.enroll(engine, CALL)
        engine.tick()
        board.fail(RuntimeError(f"cannot take off: {ADA}"), on="cancel")
        engine.account("acme").finish(id)
        engine.tick()

    def workers_that_die(self) -> None:
        """One that claims and is gone; and one whose mail is taken over while it is being sent."""
        store = MemoryStore()
        engine = self.engine(store, mailer=RecordingMailer())
        self.enroll(engine)
        with store.transaction() as transaction:
            transaction.claim(self.clock.now(), 9, 120.0)
        self.clock.move(minutes=3)
        engine.tick()

        other = self.engine(store, mailer=RecordingMailer())

        def take_long(email):
            self.clock.move(minutes=3)
            other.tick()
            quotes(email)

        slow = self.engine(store, mailer=Calls(take_long))
        self.enroll(engine, number=2)
        slow.tick()

    def somebody_is_faster(self) -> None:
        def person(resource):
            engine.account("acme").handle(Opened(key="o-1", resource=resource))
            return Person(**ADA)

        engine = self.engine(mailer=RecordingMailer(), people=person)
        self.enroll(engine)
        engine.tick()

    def faults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_):
            raise ValueError(f"a fault of ours, with {ADA} in it")

        def held(*_):
            raise Conflict(f"somebody holds the enrollment of {ADA}")

        for place, fault in ((worker, broken), (answers, broken), (answers, held)):
            engine = self.engine(mailer=RecordingMailer())
            self.enroll(engine)
            with monkeypatch.context() as patch:
                patch.setattr(place, "advance", fault)
                engine.tick()

    def a_store_that_comes_back(self) -> None:
        store, stop = BusyOnce(), threading.Event()

        def each(report):
            if store.was_busy:
                stop.set()
            store.left = 0

        Engine(store).run(stop=stop, poll=0.001, each=each)

    def a_damaged_file(self) -> None:
        store = SQLiteStore(self.folder / "crm.db")
        engine = self.engine(store, mailer=RecordingMailer())
        id = self.enroll(engine)
        with sqlite3.connect(self.folder / "crm.db") as connection:
            connection.execute("UPDATE sequencer_enrollments SET doc = personal WHERE id = ?", (id,))
        connection.close()
        engine.tick()
        with sqlite3.connect(self.folder / "crm.db") as connection:
            connection.execute("UPDATE sequencer_events SET body = (SELECT personal FROM sequencer_enrollments)")
        connection.close()
        with pytest.raises(StoreError):
            engine.events()
        store.close()

    def listeners_that_fail(self) -> None:
        busy = Busy()
        engine = self.engine(busy, listener=quotes, listener_name="crm")
        id = self.enroll(engine)
        busy.left = 1
        engine.account("acme").block(id)

        def too_slow(event):
            if event.type == "enrolled":
                self.clock.move(minutes=5)
                other.account("acme").block(event.enrollment_id)

        store = MemoryStore()
        other = self.engine(store, listener=lambda event: None, listener_name="crm")
        self.enroll(self.engine(store, listener=too_slow, listener_name="crm"))

    def webhooks_that_fail(self) -> None:
        engine = self.engine()

        def refuse(request):
            return httpx.Response(500, text=f"I was sent {request.content!r}, {ADA}")

        def fall_behind(request):
            self.clock.move(minutes=5)
            ordinary.deliver()
            return httpx.Response(200)

        def webhooks(handle):
            return Webhooks(
                engine.account("acme"),
                retry=Retry(attempts=2),
                client=lambda: httpx.Client(transport=httpx.MockTransport(handle)),
            )

        ordinary = webhooks(lambda request: httpx.Response(200))
        ordinary.add("https://example.com/in")
        self.enroll(engine)
        for _ in range(2):
            webhooks(refuse).deliver()
            self.clock.move(minutes=5)
        ordinary.resend()
        webhooks(fall_behind).deliver()

    def requests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = self.engine()
        id = self.enroll(engine)
        for verb in ("explain", "get"):
            monkeypatch.setattr(Engine, verb, lambda engine, *given: quotes(given))
        urls = (
            f"/v2/sequence_enrollments?resource_type=lead&resource_ids={ADA['email']}", f"/v2/{ADA['email']}",
            f"/v2/sequence_enrollments/{id}", f"/inspector/enrollments/{id}",
        )  # fmt: skip
        with client_of(application(engine, access=open_access("acme"))) as client:
            for url in urls:
                client.get(url, headers={"x-api-key": ADA["email"]})


class Busy(MemoryStore):
    """Refuses after some more transactions, and says more than it should."""

    left = 1_000

    def transaction(self, connection=None, *, write=True):
        self.left -= 1
        if self.left < 0:
            raise Conflict(f"busy with {ADA}")
        return super().transaction(connection, write=write)


class BusyOnce(Busy):
    """As that, but only once."""

    was_busy = False

    def transaction(self, connection=None, *, write=True):
        try:
            return super().transaction(connection, write=write)
        except Conflict:
            self.left, self.was_busy = 1_000, True
            raise


@pytest.fixture
def everything(logged, tmp_path, monkeypatch):
    """The records of a run in which everything goes wrong that can."""
    world = World(tmp_path)
    world.ports_that_fail()
    world.a_cap_that_fails()
    world.a_log_that_is_held_up()
    world.a_board_that_fails()
    world.workers_that_die()
    world.somebody_is_faster()
    world.faults(monkeypatch)
    world.a_damaged_file()
    world.listeners_that_fail()
    world.a_store_that_comes_back()
    world.webhooks_that_fail()
    world.requests(monkeypatch)
    return logged


def test_what_is_logged_is_what_the_page_says(everything):
    """Each record is one of the page's, with its logger, level and fields, and no others; and each of those occurs."""
    page = described()
    found: dict[str, set[Described]] = {}
    for record in everything:
        fields = frozenset(vars(record).keys() - USUAL)
        found.setdefault(record.msg, set()).add(Described(record.name, record.levelname, fields))

    assert found == {msg: {row} for msg, row in page.items()}


def test_s8_no_record_holds_anything_personal(everything):
    """Ports, people, listeners and stores quote addresses, fields and texts in what they raise; no record does."""
    for record in everything:
        said = f"{record.getMessage()} {vars(record)!r} {logging.Formatter().format(record)}".casefold()
        assert [each for each in PERSONAL if each in said] == [], record.msg


def test_records_are_plain_data(everything):
    """What a record says beside its text are JSON values, which name the enrollment and its account."""
    for record in everything:
        own = {name: value for name, value in vars(record).items() if name not in USUAL}
        assert json.loads(json.dumps(own)) == own
        if "enrollment_id" in own:
            assert own["enrollment_id"] >= 1
            assert own["account"] == "acme"
        if "effect_key" in own:
            *_, enrollment_id, position, _ = own["effect_key"].split("-")
            assert (int(enrollment_id), int(position)) == (own["enrollment_id"], own["position"])


def test_an_exception_is_found_by_its_lines(everything):
    """Without what it said, an exception's type and the code that it came through say where the fault is."""
    found = [vars(record) for record in everything if "traceback" in vars(record)]
    assert len({fields["msg"] for fields in found}) == 7
    assert {fields["operation"] for fields in found if "operation" in fields} == {
        "getSequenceEnrollment",
        "a page of the inspector",
    }
    for fields in found:
        assert fields["error"] in ("ConnectionError", "RuntimeError", "ValueError")
        assert re.search(
            r'(test_logging\.py", line \d+, in (quotes|broken)|recording\.py", line \d+, in cancel)\n',
            fields["traceback"],
        )


def test_what_is_no_answer_is_told_by_its_kind(logged):
    """A port that answers what is none, or promises to, is told in the log what it should, and nothing that it said."""

    async def later(request):
        return request

    mailer, board = "a mailer answers Accepted, Pending or Rejected", "a task board answers the id of the task"
    for sequence, does, said in (
        (MAIL, lambda email: {"sent": email}, f"{mailer}, not a dict"),
        (MAIL, later, f"{mailer}, not a coroutine"),
        (CALL, lambda task: None, f"{board}, not None"),
        (CALL, later, f"{board}, not a coroutine"),
    ):
        clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
        engine = Engine(MemoryStore(), mailer=Calls(does), tasks=Calls(does), clock=clock)
        engine.enroll(sequence, Resource("lead", 1, **ADA))
        engine.tick()
        assert logged[0].getMessage() == f"the hand-over of step 0 of enrollment 1 failed: {said}"
        assert said in str(engine.history(1))
        logged.clear()


@pytest.mark.parametrize("of", ["people", "templates"])
def test_what_is_nobody_and_no_text_is_told_by_its_kind(logged, of):
    """Where `people` or `templates` answers what it may not, the log says what it may, and nothing of what it said."""
    port = {"people": lambda resource: dict(ADA), "templates": lambda id, account: ("To you", str(ADA))}[of]
    clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
    engine = Engine(MemoryStore(), mailer=RecordingMailer(), clock=clock, **{of: port})
    engine.enroll(Sequence("Elsewhere", [Step(AutomatedEmail(1))]), Resource("lead", 1, **ADA))
    engine.tick()
    what = {"people": "a Person or None, not a dict", "templates": "a Template or None, not a tuple"}[of]
    said = f"`{of}` answers {what}"
    assert logged[0].getMessage() == f"the hand-over of step 0 of enrollment 1 failed: {said}"
    assert said in str(engine.history(1))


def test_what_runs_well_is_silent(logged, tmp_path):
    """From enrolling to replies, on a schema that is up to date, nothing is said at INFO or above."""
    SQLiteStore(tmp_path / "crm.db").close()
    logged.clear()
    clock = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
    store = SQLiteStore(tmp_path / "crm.db")
    engine = Engine(store, mailer=RecordingMailer(), clock=clock, listener=lambda event: None)
    for number in range(20):
        engine.enroll(
            MAIL if number % 2 else CALL, Resource("lead", number, **ADA | {"email": f"{number}@example.com"})
        )
    engine.tick(limit=5)
    engine.handle(Replied(key="r-1", email="3@example.com"))
    stop = threading.Event()
    stop.set()
    engine.tick(stop=stop)
    engine.run_until(clock.now().add(hours=2))
    for task in engine.tasks():
        engine.complete_task(task.id)
    engine.run_until(clock.now().add(days=2))
    store.close()

    assert [record.getMessage() for record in logged if record.levelno > logging.DEBUG] == []
    assert {record.msg for record in logged} == {"a pass claimed %d, handed over %d, failed %d"}


def test_without_a_handler_nothing_is_printed(capfd, tmp_path):
    """A host that has configured no logging sees nothing of it, not even errors, on its standard streams."""
    World(tmp_path).ports_that_fail()
    World(tmp_path).listeners_that_fail()

    assert capfd.readouterr() == ("", "")
