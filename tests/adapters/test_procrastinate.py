"""Ticks as jobs of procrastinate, on its real workers and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import procrastinate
import pytest
from procrastinate.testing import InMemoryConnector

from sequencer import (
    Accepted,
    AutomatedEmail,
    Calendar,
    Engine,
    InvalidInput,
    MemoryStore,
    Policy,
    PostgresStore,
    RecordingMailer,
    Resource,
    Retry,
    Sequence,
    Step,
    StoreError,
    Template,
)
from sequencer.adapters.procrastinate import schedule_ticks
from tests.adapters.procrastinate_worker import app_in, calls_in
from tests.postgres import connect, new_schema, server

ROOT = Path(__file__).resolve().parent.parent.parent
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SEQUENCE = Sequence(
    "jobs",
    [Step(AutomatedEmail(1))],
    calendar=Calendar("UTC", working_days=WEEK),
    policy=Policy(retry=Retry(first=1)),
    templates={1: Template("Hello", "There")},
)
EVERY_SECOND, NEVER = "* * * * * *", "0 0 29 2 *"
WORKER = "import sys; from tests.adapters.procrastinate_worker import main; main(sys.argv[1])"
LONGEST = 60.0  # seconds for anything to happen at all


class Place:
    """A store, and the tables of procrastinate, each in a schema of its own."""

    def __init__(self) -> None:
        self.schema, self.jobs_schema = new_schema(), new_schema()
        self.store = PostgresStore(server(), schema=self.schema)
        self.host = Engine(self.store)
        with connect(autocommit=True) as connection:
            connection.execute(f'CREATE SCHEMA "{self.jobs_schema}"')
        app = self.app()
        with app.open():
            app.schema_manager.apply_schema()

    def app(self) -> procrastinate.App:
        return app_in(server(), self.jobs_schema)

    def enroll(self, leads: int) -> None:
        self.host.enroll_many(SEQUENCE, [Resource("lead", n, email=f"{n}@example.com") for n in range(leads)])

    def completed(self) -> int:
        return self.host.statistics("jobs").finished.get("completed", 0)

    def jobs(self) -> list[tuple[Any, ...]]:
        """Every job so far: its id, status, attempts, lock, and arguments."""
        query = (
            f'SELECT id, status::text, attempts, lock, args FROM "{self.jobs_schema}".procrastinate_jobs ORDER BY id'
        )
        with connect() as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    with closing(made.store):
        yield made


def until(happened: Callable[[], Any]) -> None:
    """Wait for something that happens elsewhere."""
    end = time.monotonic() + LONGEST
    while not happened():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.02)


@contextmanager
def working(app: procrastinate.App, concurrency: int = 1) -> Iterator[None]:
    """A worker on a thread of this process."""
    ready = threading.Event()
    inside: dict[str, Any] = {}

    async def work() -> None:
        async with app.open_async():
            options: dict[str, Any] = {"install_signal_handlers": False, "fetch_job_polling_interval": 0.2}
            inside["task"] = asyncio.ensure_future(app.run_worker_async(concurrency=concurrency, **options))
            inside["loop"] = asyncio.get_running_loop()
            ready.set()
            await asyncio.wait([inside["task"]])

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    assert ready.wait(LONGEST)
    try:
        yield
    finally:
        inside["loop"].call_soon_threadsafe(inside["task"].cancel)
        thread.join(LONGEST)


@contextmanager
def worker(place: Place, folder: Path, *, mailer: dict[str, Any], **rest: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own."""
    given = {
        "dsn": server(), "store": place.schema, "jobs": place.jobs_schema, "folder": str(folder), "mailer": mailer,
        "engine": {}, "ticks": {"cron": EVERY_SECOND, "limit": 5}, **rest,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WORKER, json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
        if process.poll() is None:
            process.terminate()
            assert process.wait(LONGEST) == 0
    finally:
        process.kill()
        process.wait()


def test_two_workers_hand_everything_over_once(place, tmp_path):
    """Periodic ticks come, and two worker processes together hand every mail over once, at the first attempt."""
    place.enroll(40)
    mailer = {"deduplicates": False, "together": 2}

    with worker(place, tmp_path, mailer=mailer) as one, worker(place, tmp_path, mailer=mailer) as other:
        until(lambda: place.completed() == 40)

    calls = calls_in(tmp_path)
    by_process = Counter(pid for pid, _ in calls)
    print(f"{len(calls)} calls for 40 mails, by process {sorted(by_process.values())}")
    assert by_process.keys() == {str(one.pid), str(other.pid)}
    assert set(Counter(key for _, key in calls).values()) == {1}
    assert {status for _, status, _, _, _ in place.jobs()} <= {"succeeded", "todo"}


def test_a_worker_that_is_killed(place, tmp_path):
    """A worker killed in a tick leaves a job that is "doing" for ever; the ticks of another go on, and lose nothing.

    A mailer that recognises keys has each mail once.
    """
    place.enroll(12)
    engine = {"port_timeout": 0.5, "lease": 3.0}
    with worker(place, tmp_path, mailer={"deduplicates": True, "hang_after": 2}, engine=engine) as dying:
        until((tmp_path / f"hangs {dying.pid}").exists)
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait(LONGEST)
    (stalled,) = [job for job, status, _, _, _ in place.jobs() if status == "doing"]
    assert place.completed() < 12

    with worker(place, tmp_path, mailer={"deduplicates": True}, engine=engine):
        until(lambda: place.completed() == 12)

    assert (stalled, "doing") in [(job, status) for job, status, _, _, _ in place.jobs()]
    calls = Counter(key for _, key in calls_in(tmp_path))
    print(f"{calls.total()} calls for {len(calls)} mails")
    assert len(calls) == 12
    assert calls.total() > 12  # what was under way was repeated, under the same key
    assert {lock for _, _, _, lock, _ in place.jobs()} == {None}


def test_a_tick_that_fails_is_not_retried_but_followed(place):
    """A tick that raises is not retried by procrastinate; the next periodic one does what it should have done."""

    class Engaged:
        """An engine whose store is out of reach at the first tick."""

        ticks = 0

        def tick(self, *arguments, **keywords):
            self.ticks += 1
            if self.ticks == 1:
                raise StoreError("out of reach")
            return engine.tick(*arguments, **keywords)

    place.enroll(3)
    mailer = RecordingMailer()
    engine, app = Engine(place.store, mailer=mailer), place.app()
    schedule_ticks(app, Engaged(), cron=EVERY_SECOND)
    with working(app):
        until(lambda: place.completed() == 3)
        until(lambda: [status for _, status, _, _, _ in place.jobs()].count("succeeded") > 1)

    (first, *others) = place.jobs()
    assert (first[1], first[2]) == ("failed", 1)
    assert {(status, attempts) for _, status, attempts, _, _ in others} <= {("succeeded", 1), ("todo", 0)}
    assert sorted(mail.to for mail in mailer.sent) == [f"{n}@example.com" for n in range(3)]


def test_a_tick_that_leaves_something_due_is_shared(place):
    """One job finds more than it takes at a time: further jobs help, as many at once as were allowed, and no more."""
    place.enroll(14)
    together = threading.Barrier(3)
    sent, high, inside, met = [], [0], [0], threading.Event()
    guard = threading.Lock()

    class Mailer:
        deduplicates = True

        def send(self, email, *, key, timeout):
            with guard:
                inside[0] += 1
                high[0] = max(high[0], inside[0])
                sent.append(key)
                first_pass = len(sent) <= 2
            if not first_pass and not met.is_set():
                together.wait(timeout)
                met.set()
            with guard:
                inside[0] -= 1
            return Accepted(key)

    app = place.app()
    task = schedule_ticks(app, Engine(place.store, mailer=Mailer()), cron=NEVER, at_once=3, limit=2)
    with app.open():
        task.defer()
    with working(app, concurrency=5):
        until(lambda: place.completed() == 14)
        until(lambda: {status for _, status, _, _, _ in place.jobs()} == {"succeeded"})

    assert high == [3]
    assert sorted(sent) == sorted(set(sent))
    assert [args for _, _, _, _, args in place.jobs()] == [{}, {"share": False}, {"share": False}]


def test_a_tick_that_is_aborted_ends(place):
    """A job that is aborted ends after the mail under way, says so, and gives the rest back at once."""
    place.enroll(100)
    begun = threading.Event()

    class Mailer:
        deduplicates = False

        def send(self, email, *, key, timeout):
            begun.set()
            time.sleep(0.1)
            return Accepted(key)

    app = place.app()
    task = schedule_ticks(app, Engine(place.store, mailer=Mailer()), cron=NEVER)
    with app.open():
        job = task.defer()
    with working(app), place.app().open() as outside:
        assert begun.wait(LONGEST)
        assert outside.job_manager.cancel_job_by_id(job, abort=True)
        until(lambda: place.jobs()[0][1] != "doing")

    counters = place.host.counters()
    assert place.jobs()[0][1] == "aborted"
    assert 0 < place.completed() < 100
    assert (counters.claimed, counters.due) == (0, 100 - place.completed())


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("app", {"app": object()}),
        ("engine", {"engine": MemoryStore()}),
        ("cron", {"cron": "every minute"}),
        ("cron", {"cron": "0 0 30 2 *"}),
        ("cron", {"cron": None}),
        ("at_once", {"at_once": 0}),
        ("limit", {"limit": 0}),
        ("max_seconds", {"max_seconds": 0.5}),
        ("queue", {"queue": ""}),
        ("name", {"name": "x" * 101}),
    ],
)
def test_what_is_refused(path, wrong):
    """Bad input is refused when ticks are scheduled, by name, and leaves no task behind."""
    app = procrastinate.App(connector=InMemoryConnector())
    before = set(app.tasks)
    given = {"app": app, "engine": Engine(MemoryStore()), **wrong}

    with pytest.raises(InvalidInput) as refused:
        schedule_ticks(**given)

    assert refused.value.path == path
    assert set(app.tasks) == before
    assert not app.periodic_registry.periodic_tasks


def test_one_name_for_each_engine():
    """A second engine on an app needs a name of its own; with one it has its own jobs."""
    app = procrastinate.App(connector=InMemoryConnector())
    engine = Engine(MemoryStore())
    schedule_ticks(app, engine.account("acme"))

    with pytest.raises(procrastinate.exceptions.TaskAlreadyRegistered):
        schedule_ticks(app, engine.account("globex"))
    assert schedule_ticks(app, engine.account("globex"), name="globex.tick").name == "globex.tick"
