"""How requests act: on few threads, however many there are; no longer waited for than they may take; done or not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Engine, ManualClock, Resource, SQLiteStore
from sequencer.http import Limits, application, open_access, threads
from sequencer.http.threads import Threads
from sequencer.stores import sqlite
from sequencer.stores.statements import migrations
from sequencer.testing.contracts.workbench import NOW
from tests.engine.sequences import mails
from tests.http.driving import client_of

TIMEOUT = 10


@pytest.fixture(autouse=True)
def _soon_over(monkeypatch):
    """Threads of one test end soon after it."""
    monkeypatch.setattr(threads, "_IDLE", 0.05)


@attrs.define
class Account:
    """What was begun and done, and how many were at it at once, counted by hand."""

    begun: list[int] = attrs.Factory(list)
    done: list[int] = attrs.Factory(list)
    most: int = 0
    lock: Any = attrs.Factory(threading.Lock)

    def act(self, n: int, seconds: float, fails: bool) -> int:
        with self.lock:
            self.begun.append(n)
            self.most = max(self.most, len(self.begun) - len(self.done))
        time.sleep(seconds)
        with self.lock:
            self.done.append(n)
        if fails:
            raise LookupError(n)
        return n


class Caller(NamedTuple):
    """Somebody who asks after so many turns of the loop, and is cancelled so many turns after that, if at all."""

    turn: int
    seconds: float
    fails: bool
    cancelled: int | None


callers = st.builds(
    Caller,
    turn=st.integers(0, 3),
    seconds=st.sampled_from([0, 0, 0.001]),
    fails=st.booleans(),
    cancelled=st.none() | st.integers(0, 5),
)


def meanwhile(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < until, "it does not become so"
        time.sleep(0.001)


@given(most=st.integers(1, 4), asking=st.lists(callers, max_size=10))
def test_so_many_at_once_and_everybody_is_answered(most, asking):
    """Never more than so many act at once, each once, and everybody hears what came of it or has not waited for it."""
    pool, account, complaints = Threads(most), Account(), []

    async def ask(n: int, caller: Caller) -> int:
        for _ in range(caller.turn):
            await asyncio.sleep(0)
        return await pool.run(account.act, n, caller.seconds, caller.fails)

    async def everybody() -> list[Any]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        tasks = [asyncio.create_task(ask(n, caller)) for n, caller in enumerate(asking)]
        for turn in range(10):
            for task, caller in zip(tasks, asking, strict=True):
                if caller.cancelled is not None and caller.turn + caller.cancelled == turn:
                    task.cancel()
            await asyncio.sleep(0)
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), TIMEOUT)

    for n, (caller, answer) in enumerate(zip(asking, asyncio.run(everybody()), strict=True)):
        if caller.cancelled is None or not isinstance(answer, asyncio.CancelledError):
            assert (type(answer), getattr(answer, "args", answer)) == (
                (LookupError, (n,)) if caller.fails else (int, n)
            )
            assert account.begun.count(n) == 1
    meanwhile(lambda: len(account.done) == len(account.begun))
    assert len(account.begun) == len(set(account.begun))
    assert account.most <= most
    assert complaints == []


def test_several_loops_use_one_pool():
    """Loops in several threads act on the same few threads at once, all of them if need be, and each gets its own."""
    pool, together, used = Threads(3), threading.Barrier(3), set[int]()

    def act(n: int) -> int:
        together.wait(TIMEOUT)  # comes through only with two others
        used.add(threading.get_ident())
        return n

    async def several(first: int) -> list[int]:
        return await asyncio.gather(*(pool.run(act, first + n) for n in range(12)))

    with ThreadPoolExecutor(2) as hosts:
        answers = list(hosts.map(lambda first: asyncio.run(several(first)), (0, 100)))
    assert answers == [[*range(12)], [*range(100, 112)]]
    assert len(used) == 3


def test_who_has_worked_last_goes_on():
    """Of several threads without work, one does all that comes after each other: with one connection and its cache."""
    pool, together = Threads(3), threading.Barrier(3)

    async def one_by_one() -> set[int]:
        await asyncio.gather(*(pool.run(together.wait, TIMEOUT) for _ in range(3)))
        return {await pool.run(threading.get_ident) for _ in range(10)}

    assert len(asyncio.run(one_by_one())) == 1


@pytest.mark.parametrize(
    ("raised", "heard"),
    [
        (LookupError, LookupError),
        (KeyboardInterrupt, KeyboardInterrupt),
        (SystemExit, SystemExit),
        (asyncio.CancelledError, asyncio.CancelledError),
        (StopIteration, RuntimeError),  # as from every coroutine
    ],
)
def test_what_is_raised_reaches_who_awaits_it(raised, heard):
    """Whatever a call raises is raised where it is awaited, and the thread goes on."""
    pool = Threads(1)

    def act() -> None:
        raise raised("so")

    with pytest.raises(heard) as found:
        asyncio.run(asyncio.wait_for(pool.run(act), TIMEOUT))
    assert isinstance(found.value, raised) or isinstance(found.value.__cause__, raised)
    assert asyncio.run(pool.run(len, "abc")) == 3


def test_context_variables_are_there():
    """A call sees the context variables of who asked; what it sets there is seen by nobody else."""
    pool, tenant = Threads(1), ContextVar("tenant", default="nobody")

    def act() -> str:
        found = tenant.get()
        tenant.set("somebody else")
        return found

    async def ask(name: str) -> tuple[str, str]:
        tenant.set(name)
        return await pool.run(act), tenant.get()

    async def both() -> list[tuple[str, str]]:
        return [*await asyncio.gather(ask("Ada"), ask("Grace"))]

    assert asyncio.run(both()) == [("Ada", "Ada"), ("Grace", "Grace")]
    assert asyncio.run(pool.run(act)) == "nobody"


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_cancelled(fails):
    """Cancelled while waiting, a call is never begun; under way, it is done to its end, and nobody hears of it."""
    pool, account, gate, complaints = Threads(1), Account(), threading.Event(), []

    def act(n: int) -> None:
        gate.wait(TIMEOUT)
        account.act(n, 0, fails)

    async def three() -> list[Any]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        tasks = [asyncio.create_task(pool.run(act, n)) for n in range(3)]
        await asyncio.sleep(0)  # now the first is under way, and the others wait
        for task in tasks[:2]:
            task.cancel()
        gate.set()
        return [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]

    last = LookupError if fails else type(None)
    assert asyncio.run(three()) == [asyncio.CancelledError, asyncio.CancelledError, last]
    assert account.done == [0, 2]
    assert complaints == []


def test_idle_threads_end_and_new_ones_come():
    """A thread that has had no work for a while ends; afterwards there may be as many again."""
    pool, together = Threads(2), threading.Barrier(2)

    def act() -> threading.Thread:
        together.wait(TIMEOUT)
        return threading.current_thread()

    async def both() -> list[threading.Thread]:
        return [*await asyncio.gather(pool.run(act), pool.run(act))]

    before = asyncio.run(both())
    for each in before:
        each.join(TIMEOUT)
    assert [each.is_alive() for each in before] == [False, False]
    assert set(asyncio.run(both())).isdisjoint(before)


def test_work_that_comes_at_the_last_moment(monkeypatch):
    """A thread that has given up waiting, but was given work before it could say so, does the work."""

    class Late(SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if timeout is None:
                return super().get(block)
            until = time.monotonic() + timeout
            while self.empty() and time.monotonic() < until:
                time.sleep(0.0005)
            raise Empty

    monkeypatch.setattr(threads, "SimpleQueue", Late)
    pool = Threads(1)

    async def one_by_one() -> list[int]:
        return [await asyncio.wait_for(pool.run(abs, -n), TIMEOUT) for n in range(20)]

    assert asyncio.run(one_by_one()) == [*range(20)]


def test_a_thread_that_cannot_be_had(monkeypatch):
    """Where the system gives no thread, who asks waits for another, or hears of it; later there are as many as ever."""
    pool, gate = Threads(2), threading.Event()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def asked() -> list[Any]:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(3):
                with pytest.raises(RuntimeError, match="can't start"):
                    await pool.run(abs, -1)
        first = asyncio.create_task(pool.run(gate.wait, TIMEOUT))
        await asyncio.sleep(0)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            second = asyncio.create_task(pool.run(abs, -2))
            await asyncio.sleep(0)
        third = await asyncio.wait_for(pool.run(abs, -3), TIMEOUT)
        gate.set()
        return [await asyncio.wait_for(first, TIMEOUT), await asyncio.wait_for(second, TIMEOUT), third]

    assert asyncio.run(asked()) == [True, 2, 3]


FORKING = """
import asyncio, os, signal, threading
from sequencer.http import threads
from sequencer.http.threads import Threads

pool = Threads(1)
assert asyncio.run(pool.run(os.getpid)) == os.getpid()
held, forked = threading.Event(), threading.Event()

def hold():  # as one of its threads may, just then
    with pool._lock:
        held.set()
        forked.wait(5)

threading.Thread(target=hold).start()
held.wait(5)
child = os.fork()
forked.set()
if child == 0:
    signal.alarm(5)
    os._exit(0 if asyncio.run(pool.run(os.getpid)) == os.getpid() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert asyncio.run(pool.run(os.getpid)) == os.getpid()
"""


def test_a_forked_process_has_threads_of_its_own():
    """After a fork, at whatever moment, the child acts on threads of its own, and the parent goes on as before."""
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_loop_that_is_closed_meanwhile():
    """What a loop has left behind is done to its end, and the thread goes on with what other loops ask."""
    pool, gate, begun, account = Threads(1), threading.Event(), threading.Event(), Account()

    def act() -> None:
        begun.set()
        gate.wait(TIMEOUT)
        account.act(1, 0, fails=True)

    async def leave() -> asyncio.Task[None]:
        task = asyncio.create_task(pool.run(act))
        await asyncio.to_thread(begun.wait, TIMEOUT)
        return task

    left = asyncio.run(leave())
    gate.set()
    assert asyncio.run(asyncio.wait_for(pool.run(abs, -2), TIMEOUT)) == 2
    assert left.cancelled()
    assert account.done == [1]


def test_nothing_is_kept(monkeypatch):
    """A thread that waits for work keeps nothing of what it has done: neither what was given nor what was found."""
    monkeypatch.setattr(threads, "_IDLE", 2 * TIMEOUT)
    pool = Threads(1)

    async def ask() -> list[weakref.ref[Any]]:
        kept = []
        for _ in range(2):
            given = Account()
            kept += [weakref.ref(given), weakref.ref(await pool.run(attrs.evolve, given))]
        return kept

    kept = asyncio.run(ask())
    meanwhile(lambda: [each() for each in kept] == [None] * 4)


def test_a_body_that_does_not_arrive(engine):
    """A body that does not arrive in its time is refused in the envelope, and nothing is done."""
    app = application(engine, access=open_access(), limits=Limits(seconds=0.05), inspector=False)
    told: list[str] = []

    async def receive() -> Any:
        if told:
            await asyncio.sleep(30)
        told.append("some of it")
        return {"type": "http.request", "body": b'{"data"', "more_body": True}

    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v2/sequence_enrollments", "raw_path": b"/v2/sequence_enrollments",
        "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1", "asgi": {"version": "3.0"},
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    assert answered[0]["status"] == 400
    assert b'"invalid_payload"' in answered[1]["body"]
    assert b"0.05 seconds" in answered[1]["body"]


def test_on_the_schema_before_nothing_is_done_that_cannot_be_answered(tmp_path, monkeypatch):
    """On a store without the columns that answers need, a change is refused before it is made (S5)."""
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "SCHEMA", 2)
        patch.setattr(sqlite, "migrations", lambda dialect: migrations(dialect)[:2])
        SQLiteStore(tmp_path / "old.db").close()
    store = SQLiteStore(tmp_path / "old.db")
    engine = Engine(store, clock=ManualClock(NOW))
    there = engine.enroll(mails(), Resource("lead", 1))
    with client_of(application(engine, access=open_access(), inspector=False)) as client:
        answers = [
            client.post(
                "/v2/sequence_enrollments",
                {"sequence_id": there.version.sequence_id, "resource_type": "lead", "resource_id": 2},
            ),
            client.put(f"/v2/sequence_enrollments/{there.id}", {"state": "finished"}),
        ]
        assert [each.status_code for each in answers] == [503, 503]
        assert engine.enrollments() == (there,)
        store.migrate()
        assert client.put(f"/v2/sequence_enrollments/{there.id}", {"state": "finished"}).status_code == 200
    store.close()
