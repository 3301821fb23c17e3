"""Real endpoints on loopback, which answer, refuse, hang, drip, drop the line and redirect: none holds up another.

No test measures how long anything takes. What hangs here hangs for much longer than an answer is waited for, so that
whoever waited for it would hear something else in the end.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager

from sequencer import Engine, ManualClock, MemoryStore
from sequencer.core.policy import Retry
from sequencer.http.webhooks import Webhooks, passing, verify
from tests.http.webhooks.endpoints import SEQUENCE, START, lead, receiver

TIMEOUT = 0.3
"""For how many seconds an answer is waited for where there will be none."""
PATIENCE = 15.0
"""And where there will be one, however busy the machine is."""
RETRY = Retry(attempts=2, first=1)


class Host:
    """An engine, its webhooks to a receiver, and what became of their deliveries."""

    def __init__(self, server, *, timeout=PATIENCE, **options):
        self.clock = ManualClock(START)
        self.engine = Engine(MemoryStore(), clock=self.clock)
        self.webhooks = Webhooks(self.engine, timeout=timeout, **options)
        self.server = server
        self.hooks = {}

    def add(self, *names):
        for name in names:
            self.hooks[name] = self.webhooks.add(f"{self.server.url}/{name}")

    def enroll(self, count=1, first=0):
        for n in range(first, first + count):
            self.engine.enroll(SEQUENCE, lead(n))

    def errors(self, name):
        return [(each.attempts, each.error) for each in self.webhooks.waiting(self.hooks[name].id)]

    def requests(self, name):
        return [each for each in self.server.requests if each[0] == f"/{name}"]


@contextmanager
def host_of(*names, **options):
    """A receiver whose endpoints do what they are named after, and a host with a webhook to each of them."""
    with receiver(**{name: name.removeprefix("at_") for name in names}) as server:
        host = Host(server, **options)
        host.add(*names)
        yield host


def test_what_each_way_to_fail_comes_to():
    """A redirect is not followed, and whatever is not 2xx has failed, and so has what drops the line or is no HTTP."""
    names = ("at_302", "at_410", "at_cookie", "at_drop", "at_garbage")
    with host_of(*names) as host:
        host.enroll()
        report = host.webhooks.deliver()

        assert (report.sent, report.failed, report.dead) == (0, 5, 0)
        said = {name: host.errors(name)[0] for name in names}
        assert said == {
            "at_302": (1, "answered 302, and redirects are not followed"),
            "at_410": (1, "answered 410"),
            "at_cookie": (1, "answered 500"),
            "at_drop": (1, "no answer (RemoteProtocolError)"),
            "at_garbage": (1, "no answer (RemoteProtocolError)"),
        }
        assert host.requests("elsewhere") == []


def test_what_never_ends_is_given_up():
    """What hangs is given up after the time-out, and so is an answer of which each byte comes in time."""
    with host_of("at_hang", "at_drip", timeout=TIMEOUT) as host:
        host.enroll()
        report = host.webhooks.deliver()

        assert (report.sent, report.failed, report.dead) == (0, 2, 0)
        # Both are still at it.
        assert not host.server.over.is_set()
        assert host.errors("at_hang") == host.errors("at_drip") == [(1, f"no answer within {TIMEOUT} s")]


def test_what_arrives_is_genuine_over_a_connection_that_is_kept():
    """A real server gets what `verify` takes, in order, over one connection, also when it answers with a body."""
    with host_of("at_204", "at_200") as host:
        host.enroll(3)
        assert host.webhooks.deliver().sent == 6

        for name in ("at_204", "at_200"):
            requests = host.requests(name)
            for _, headers, body, _ in requests:
                assert verify(body, headers, host.hooks[name].secret, now=START)["type"] == "enrollment.enrolled"
                assert headers["content-type"] == "application/json"
            assert len({address for *_, address in requests}) == 1
            assert len(requests) == 3


def test_who_has_taken_it_may_talk_on():
    """The status is the answer: a body that never ends is not waited for, or it would be no answer in time."""
    with host_of("at_endless") as host:
        host.enroll(2)

        assert host.webhooks.deliver().sent == 2


def test_a_cookie_is_forgotten():
    """What an endpoint sets is not sent back, neither to it nor to another one."""
    with host_of("at_cookie", "at_204") as host:
        host.enroll(2)
        host.webhooks.deliver()
        host.clock.move(hours=1)
        host.webhooks.deliver()

        assert len(host.requests("at_cookie")) >= 4
        assert not any("cookie" in {name.lower() for name in headers} for _, headers, *_ in host.server.requests)


def test_a_dead_endpoint_costs_one_attempt_a_pass():
    """After a time-out nothing more is sent there, and all that was due waits, without a time-out for each."""
    with host_of("at_hang", timeout=TIMEOUT) as host:
        host.enroll(20)
        report = host.webhooks.deliver()

        # One request is one time-out.
        assert (report.failed, len(host.requests("at_hang"))) == (1, 1)
        assert [attempts for attempts, _ in host.errors("at_hang")] == [1] * 20
        assert report.next_due_at is not None
        assert 5 <= (report.next_due_at - START).total_seconds() <= 6.25
        assert host.webhooks.deliver().failed == 0


def test_an_endpoint_that_is_not_there_costs_nothing():
    """A refused connection is told as one, and the events wait."""
    with receiver() as server:
        host = Host(server)
        host.add("gone")
    host.enroll(3)

    assert host.webhooks.deliver().failed == 1
    assert {error.partition(":")[0] for _, error in host.errors("gone")} == {"no connection"}


def test_slow_endpoints_hold_up_nobody():
    """Of many endpoints that hang, more than there are threads, those that answer get their events in the same pass."""
    names = [f"hang{n}" for n in range(3)]
    with receiver(**dict.fromkeys(names, "hang"), good="204", slow="slow") as server:
        host = Host(server, threads=2, timeout=1.0)
        host.add(*names, "good", "slow")
        host.enroll(3)
        host.webhooks.deliver(max_seconds=30)
        assert [len(host.requests(name)) for name in (*names, "good", "slow")] == [1, 1, 1, 3, 3]


class Course(threading.Event):
    """The course of a pass, told by what has arrived: a twentieth of a second each; and a stop after so many."""

    def __init__(self, host, most):
        super().__init__()
        self.most = most
        self.arrived = lambda: len(host.requests("at_slow"))

    def monotonic(self):
        return self.arrived() / 20

    def is_set(self):
        return self.arrived() >= self.most


def test_a_pass_ends(monkeypatch):
    """After so many seconds, or when it is told to stop, a pass sends no more, and another one goes on."""
    with host_of("at_slow") as host:
        host.enroll(10)
        course = Course(host, most=5)
        monkeypatch.setattr(passing, "time", course)
        report = host.webhooks.deliver(max_seconds=0.12)
        assert report.sent == 3
        assert report.more

        assert host.webhooks.deliver(stop=course).sent == 2
        assert host.webhooks.deliver(stop=course).sent == 0
        assert host.webhooks.deliver().more is False
        assert len(host.requests("at_slow")) == 10


def test_no_secret_is_said(caplog):
    """Neither logs, nor errors, nor any picture of the parts has a secret in it, or what an endpoint has sent."""
    caplog.set_level(logging.DEBUG)
    with host_of("at_garbage", "at_cookie", "at_302", "at_hang", timeout=TIMEOUT, retry=RETRY) as host:
        host.enroll(2)
        host.webhooks.deliver()
        host.clock.move(minutes=1)
        assert host.webhooks.deliver().dead > 0
        dead = host.webhooks.dead()
        secrets = [hook.secret.removeprefix("whsec_") for hook in host.hooks.values()]
        pictures = [repr(host.webhooks.all()), repr(dead), repr(host.webhooks), str(vars(host.webhooks))]
        records = [f"{vars(record)}" for record in caplog.records if record.name.startswith("sequencer")]

        assert {record.levelname for record in caplog.records if record.name == "sequencer.webhooks"} == {
            "INFO",
            "WARNING",
        }
        for text in (*pictures, *records, *(each.error for each in dead)):
            assert not any(secret in text for secret in secrets)
            assert "lovelace" not in text.lower()
