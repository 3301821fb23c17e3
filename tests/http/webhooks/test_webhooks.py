"""Webhooks as a host has them: made, listed, removed; each account's own; on every store; sent by one at a time."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import attrs
import httpx
import pendulum
import pytest

from sequencer import Engine, InvalidInput, ManualClock, MemoryStore, NotFound, Resource, SQLiteStore, StoreError
from sequencer.core.events import EVENT_TYPES
from sequencer.core.policy import Retry
from sequencer.http.webhooks import Webhooks
from sequencer.http.webhooks.copying import copy_news
from sequencer.http.webhooks.sending import DeliveryReport
from tests import postgres
from tests.http.webhooks.endpoints import SEQUENCE, START, Endpoints, lead

URL = "https://example.com"


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def endpoints(clock):
    return Endpoints(clock.now)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    makers: dict[str, Any] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLiteStore(tmp_path / "crm.db"),
        "postgres": postgres.new_store,
    }
    with closing(makers[request.param]()) as store:
        yield store


def resources(endpoints, path):
    return [each.event["data"]["resource_id"] for each in endpoints.of(path)]


def test_s7_a_webhook_gets_its_own_accounts_events(store, clock, endpoints):
    """The accounts None, 7 and "7" are three, in what is sent and in what is seen and done through each (S7)."""
    engine = Engine(store, clock=clock)
    doors = {name: engine.account(account) for name, account in (("none", None), ("number", 7), ("text", "7"))}
    own = {name: Webhooks(door, client=endpoints.client) for name, door in doors.items()}
    hooks = {name: webhooks.add(f"{URL}/{name}") for name, webhooks in own.items()}
    for name, door in doors.items():
        door.enroll(SEQUENCE, Resource("lead", name))
    endpoints.reactions["/text"] = [500] * 100

    assert own["number"].deliver().sent == 1
    assert [each.path for each in endpoints.arrived] == ["/number"]
    assert Webhooks(engine, client=endpoints.client).deliver().sent == 1
    for name in doors:
        assert resources(endpoints, f"/{name}") == [name]
        assert own[name].all() == (hooks[name],)
        others = [hook.id for other, hook in hooks.items() if other != name]
        assert not any(own[name].remove(id) for id in others)
        assert all(own[name].waiting(id) == () for id in others)
    assert [each.webhook_id for each in own["text"].waiting()] == [hooks["text"].id]
    assert own["none"].waiting() == own["number"].waiting() == ()
    while own["text"].waiting():
        clock.move(hours=6)
        own["text"].deliver()
    (dead,) = own["text"].dead()
    assert own["none"].dead() == own["number"].dead() == ()
    for webhooks in (own["none"], own["number"]):
        with pytest.raises(NotFound):
            webhooks.resend(dead.id)
        assert webhooks.resend() == webhooks.resend(webhook_id=hooks["text"].id) == 0
    everybodys = Webhooks(engine)
    assert everybodys.all() == tuple(hooks.values())
    assert everybodys.dead() == (dead,)
    assert everybodys.add(URL).account is None
    assert everybodys.remove(hooks["text"].id)
    assert own["text"].all() == own["text"].dead() == ()


def test_a_story(store, clock, endpoints):
    """Events arrive in order; a failure holds back its own enrollment, until it is given up, and can be sent again."""
    engine = Engine(store, clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client, retry=Retry(attempts=3, first=10, factor=2))
    hook = webhooks.add(f"{URL}/all")
    webhooks.add(f"{URL}/some", types=["enrollment.finished", "blocked"])
    one, two = (engine.enroll(SEQUENCE, lead(n)).id for n in range(2))
    engine.block(one)
    engine.finish(two)
    endpoints.reactions["/all"] = [500]
    report = webhooks.deliver()

    assert (report.sent, report.failed, report.dead, report.more) == (4, 1, 0, False)
    assert endpoints.types("/all") == ["enrolled", "finished"]
    assert sorted(endpoints.types("/some")) == ["blocked", "finished"]
    waiting = webhooks.waiting(hook.id)
    assert [(each.enrollment_id, each.attempts, each.error) for each in waiting] == [
        (one, 1, "answered 500"),
        (one, 0, ""),
    ]
    assert report.next_due_at == waiting[0].due_at
    assert 10 <= (waiting[0].due_at - START).total_seconds() <= 12.5

    endpoints.reactions["/all"] = [500, 500]
    for _ in range(2):
        clock.move(minutes=1)
        report = webhooks.deliver()
    assert (report.failed, report.dead, report.sent, report.next_due_at) == (1, 1, 1, None)
    assert endpoints.types("/all") == ["enrolled", "finished", "blocked"]
    (dead,) = webhooks.dead()
    assert (dead.state, dead.attempts, dead.enrollment_id, dead.error) == ("dead", 3, one, "answered 500")
    with pytest.raises(NotFound):
        webhooks.resend(dead.id + 1)
    assert webhooks.resend(dead.id) == 1
    assert webhooks.deliver().sent == 1
    assert endpoints.types("/all") == ["enrolled", "finished", "blocked", "enrolled"]
    assert len({each.id for each in endpoints.of("/all")}) == 4
    assert webhooks.dead() == webhooks.waiting() == ()
    assert webhooks.resend() == 0


def test_it_begins_with_what_comes_after_it(store, clock, endpoints):
    """A webhook gets nothing that had happened before it was added, also not what had not been sent to others yet."""
    engine = Engine(store, clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client)
    engine.enroll(SEQUENCE, lead(0))
    first = webhooks.add(f"{URL}/first")
    engine.enroll(SEQUENCE, lead(1))
    webhooks.add(f"{URL}/second")
    engine.enroll(SEQUENCE, lead(2))
    webhooks.deliver()

    assert resources(endpoints, "/first") == [1, 2]
    assert resources(endpoints, "/second") == [2]
    for hook in webhooks.all():
        webhooks.remove(hook.id)
    assert not webhooks.remove(first.id)
    engine.enroll(SEQUENCE, lead(3))
    assert webhooks.deliver().to_dict()["next_due_at"] is None
    webhooks.add(f"{URL}/third")
    engine.enroll(SEQUENCE, lead(4))
    webhooks.deliver()
    assert resources(endpoints, "/third") == [4]
    assert resources(endpoints, "/first") == [1, 2]


def test_what_happens_while_one_is_added(clock, endpoints):
    """Between what a new webhook does not get and what it gets there is no gap for the others."""

    class Busy(MemoryStore):
        """Somebody enrolls another lead before each of the transactions."""

        leads: list[int] = []  # noqa: RUF012 - set for each
        inside = False

        def transaction(self, connection=None, *, write=True):
            if self.leads and not self.inside:
                self.inside = True
                Engine(self, clock=clock).enroll(SEQUENCE, lead(self.leads.pop()))
                self.inside = False
            return super().transaction(connection, write=write)

    store = Busy()
    webhooks = Webhooks(Engine(store, clock=clock), client=endpoints.client)
    webhooks.add(f"{URL}/first")
    store.leads = [3, 2, 1]
    webhooks.add(f"{URL}/second")
    webhooks.deliver()
    webhooks.deliver()

    assert resources(endpoints, "/first") == [1, 2, 3]
    assert resources(endpoints, "/second") == [1, 2, 3][3 - len(resources(endpoints, "/second")) :]


def test_more_than_a_batch(clock, endpoints):
    """However much is new, all of it is copied in one pass, and each enrollment's own comes in order."""
    engine = Engine(MemoryStore(), clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client, threads=3)
    for n in range(3):
        webhooks.add(f"{URL}/{n}", types=["finished"])
    for n in range(260):
        engine.finish(engine.enroll(SEQUENCE, lead(n)).id)
    report = webhooks.deliver(max_seconds=60)

    assert (report.sent, report.more) == (780, False)
    assert len(engine.events(limit=1_000).events) > 500
    assert resources(endpoints, "/1") == list(range(260))


def test_who_is_in_trouble_is_not_in_the_way(clock, endpoints):
    """Endpoints that have failed get half of the threads: while they all hang, those that answer get everything."""
    engine = Engine(MemoryStore(), clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client, threads=2)
    for n in range(4):
        webhooks.add(f"{URL}/hang{n}")
    webhooks.add(f"{URL}/good")
    engine.enroll(SEQUENCE, lead(0))
    for n in range(4):
        endpoints.reactions[f"/hang{n}"] = [500]
    assert webhooks.deliver().failed == 4

    clock.move(minutes=1)
    for n in range(1, 6):
        engine.enroll(SEQUENCE, lead(n))
    waited: list[bool] = []
    served = threading.Event()

    def hang():
        waited.append(served.wait(10))
        return 204

    def last():
        served.set()
        return 204

    for n in range(4):
        endpoints.reactions[f"/hang{n}"] = [hang]
    endpoints.reactions["/good"] = [204] * 4 + [last]
    assert webhooks.deliver(max_seconds=60).sent == 29
    assert waited == [True] * 4


@pytest.mark.parametrize("slow", [False, True], ids=["in time", "too slow"])
def test_s3_one_sends_at_a_time(store, clock, endpoints, slow):
    """While one process sends another does not; one that loses its lease notes nothing more (S3)."""
    engine = Engine(store, clock=clock)
    one, other = (Webhooks(engine, client=endpoints.client) for _ in range(2))
    one.add(f"{URL}/hook")
    for n in range(3):
        engine.enroll(SEQUENCE, lead(n))
    entered, go_on, reports = threading.Event(), threading.Event(), []

    def hold():
        entered.set()
        assert go_on.wait(10)
        return 204

    endpoints.reactions["/hook"] = [hold]
    thread = threading.Thread(target=lambda: reports.append(one.deliver()))
    thread.start()
    assert entered.wait(10)
    if slow:
        clock.move(seconds=121)
    report = other.deliver()
    go_on.set()
    thread.join(10)

    if slow:
        # The first is sent by both, and nobody else's note is undone.
        assert (report.sent, report.elsewhere) == (3, False)
        assert (reports[0].sent, reports[0].elsewhere) == (0, True)
        assert sorted(resources(endpoints, "/hook")) == [0, 0, 1, 2]
    else:
        assert (report.sent, report.elsewhere, report.next_due_at) == (0, True, None)
        assert (reports[0].sent, reports[0].elsewhere) == (3, False)
        assert resources(endpoints, "/hook") == [0, 1, 2]
    assert one.waiting() == ()


def test_an_endpoint_that_says_when_is_asked_then(clock, endpoints):
    """`Retry-After` in seconds or as a date puts off all that is due there, by no more than the longest pause."""
    engine = Engine(MemoryStore(), clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client)
    webhooks.add(f"{URL}/busy")
    for n in range(3):
        engine.enroll(SEQUENCE, lead(n))
    date = {"date": "Mon, 02 Mar 2026 09:00:00 GMT", "retry-after": "Mon, 02 Mar 2026 09:05:00 GMT"}
    for answer, seconds in (
        ((429, {"retry-after": "600"}), 600),
        ((503, date), 300),
        ((503, {"retry-after": "99999999999"}), 4 * 3600),
        ((503, {"retry-after": "soon"}), 320),
    ):
        endpoints.reactions["/busy"] = [answer]
        endpoints.arrived.clear()
        at = clock.now()
        report = webhooks.deliver()
        assert (report.failed, len(endpoints.arrived)) == (1, 1)
        for each in webhooks.waiting():
            assert seconds <= (each.due_at - at).total_seconds() <= 1.25 * seconds
        clock.move(hours=6)
    assert webhooks.deliver().sent == 3


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com", "https://example.com:8443/a/b?c=d&e=%23", "https://xn--bcher-kva.example/", "https://[::1]/",
        "http://localhost:8000/x", "http://127.0.0.1/", "http://127.9.9.9:1/", "http://[::1]:8080/", "HTTPS://EXAMPLE.com",
    ],
)  # fmt: skip
def test_urls_that_may_be(url):
    """Https leads anywhere; http leads to this machine."""
    assert Webhooks(Engine(MemoryStore())).add(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "", " ", None, 7, "example.com", "ftp://example.com/", "https://", "https:///path", "file:///etc/passwd",
        "https://ada:hidden@example.com/", "https://hidden@example.com", "https://@example.com", "https://a\\@b.com/",
        "https://example.com/#hidden", "https://example.com/#", "https://example.com/a b", "https://bücher.example/",
        "https://example.com/\n", "https://example.com:port/", "https://example.com:99999/", "https://[::1/",
        "http://example.com/", "http://localhost.example.com/", "http://127.0.0.1.example.com/", "http://10.0.0.1/",
        "http://2130706433.example/", "javascript:alert(1)", "https://example.com/" + "a" * 2000,
    ],
)  # fmt: skip
def test_urls_that_may_not_be(url):
    """Anything else is refused, without being repeated: there may be a password in it."""
    webhooks = Webhooks(Engine(MemoryStore()))
    with pytest.raises(InvalidInput) as caught:
        webhooks.add(url)

    assert caught.value.path == "url"
    assert "hidden" not in str(caught.value)
    assert webhooks.all() == ()


def test_http_where_it_is_allowed():
    """Whoever says so may send over http."""
    assert Webhooks(Engine(MemoryStore())).add("http://10.0.0.1/in", allow_http=True).url == "http://10.0.0.1/in"


def test_which_events():
    """Types are those of events, in their order, in both spellings; a mistyped one is refused with its neighbour."""
    webhooks = Webhooks(Engine(MemoryStore()))

    assert webhooks.add(URL).types is None
    assert webhooks.add(URL, types={"finished", "enrollment.enrolled", "enrolled"}).types == ("enrolled", "finished")
    assert webhooks.add(URL, types=EVENT_TYPES).types == tuple(EVENT_TYPES)
    for types, said in ((["finnished"], "did you mean finished"), ([], "at least one"), ("finished", "one text")):
        with pytest.raises(InvalidInput, match=said):
            webhooks.add(URL, types=types)
    with pytest.raises(InvalidInput):
        webhooks.add(URL, types=[7])  # type: ignore[list-item]


def test_what_is_asked_wrongly():
    """Numbers that cannot be are refused, and a secret that is none, before anything is stored."""
    engine = Engine(MemoryStore())
    webhooks = Webhooks(engine)
    for wrong in (
        lambda: Webhooks(engine, timeout=0),
        lambda: Webhooks(engine, timeout=60),
        lambda: Webhooks(engine, threads=0),
        lambda: webhooks.add(URL, secret="whsec_guess"),
        lambda: webhooks.dead(limit=0),
        lambda: webhooks.remove(0),
        lambda: webhooks.resend(-1),
        lambda: Webhooks(Engine(MemoryStore(), clock=ManualClock(START))).run(stop=threading.Event()),
    ):
        with pytest.raises(InvalidInput):
            wrong()
    assert webhooks.all() == ()
    assert webhooks.dead(2**63) == ()


def test_e6_a_clock_that_was_ahead(store, clock, endpoints):
    """What was taken up, or failed, on a clock that was a year ahead is sent when the clock is right again (E6)."""
    engine = Engine(store, clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client)
    webhooks.add(f"{URL}/hook")
    clock.set(START.add(years=1))
    for n in range(2):
        engine.enroll(SEQUENCE, lead(n))
    endpoints.reactions["/hook"] = [500, 503]
    assert webhooks.deliver().failed == 2
    clock.set(START)

    report = webhooks.deliver()
    assert (report.sent, report.more, report.next_due_at) == (2, False, None)


def test_a_webhook_that_is_removed_while_something_is_sent(store, clock, endpoints):
    """Nothing is sent there any more, also in a pass that is under way; the others get theirs."""
    engine = Engine(store, clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client, threads=1)
    hook = webhooks.add(f"{URL}/gone")
    webhooks.add(f"{URL}/there")
    for n in range(5):
        engine.enroll(SEQUENCE, lead(n))

    def remove():
        assert Webhooks(engine).remove(hook.id)
        return 204

    endpoints.reactions["/gone"] = [204, remove]
    assert webhooks.deliver().sent == 7
    assert (len(endpoints.of("/gone")), len(endpoints.of("/there"))) == (2, 5)
    assert webhooks.waiting() == ()


def test_two_copy_at_once(store, clock):
    """However many processes take up what is new while more happens, each event is there once for each webhook (S3)."""
    engine = Engine(store, clock=clock)
    webhooks = Webhooks(engine)
    hook = webhooks.add(f"{URL}/hook")
    began = threading.Barrier(3, timeout=30)

    def work(by):
        began.wait()
        for n in range(6):
            engine.enroll(SEQUENCE, lead(10 * by + n))
            copy_news(store, clock)

    threads = [threading.Thread(target=work, args=(by,)) for by in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    copy_news(store, clock)

    copied = [each.event_id for each in webhooks.waiting(hook.id, limit=1000)]
    assert copied == [event.cursor for event in engine.events(limit=1000).events]
    assert len(copied) == 18


def test_a_secret_of_ones_own(clock, endpoints):
    """A secret can be brought, and of two both sign, so that a receiver can change from one to the other later."""
    from sequencer.http.webhooks import new_secret, verify

    old, new = new_secret(), new_secret()
    engine = Engine(MemoryStore(), clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client)
    assert webhooks.add(f"{URL}/hook", secret=f"{new} {old}").secret == f"{new} {old}"
    engine.enroll(SEQUENCE, lead(1))
    webhooks.deliver()

    (arrived,) = endpoints.arrived
    for secret in (old, new):
        assert verify(arrived.body, arrived.headers, secret, now=START)["type"] == "enrollment.enrolled"


def test_an_event_that_cannot_be_read_holds_up_only_those_behind_it(tmp_path, clock, endpoints):
    """What was copied before is sent; the damaged event and those after it wait for a release that can read it."""
    store = SQLiteStore(tmp_path / "crm.db")
    engine = Engine(store, clock=clock)
    webhooks = Webhooks(engine, client=endpoints.client)
    webhooks.add(f"{URL}/hook")
    endpoints.reactions["/hook"] = [500]
    engine.enroll(SEQUENCE, lead(0))
    webhooks.deliver()
    engine.enroll(SEQUENCE, lead(1))
    with store.transaction() as transaction:
        database: Any = transaction
        database._database.cursor.execute("UPDATE sequencer_events SET body = '[999]' WHERE id = 2")
    clock.move(minutes=1)

    assert webhooks.deliver().sent == 1
    with pytest.raises(StoreError):
        engine.events(after=1)
    store.close()


def test_a_loop_sends_what_another_process_does(endpoints):
    """`run` looks every so often, sends what anybody has caused, and ends when it is told to."""
    store = MemoryStore()
    webhooks = Webhooks(Engine(store), client=endpoints.client)
    webhooks.add(f"{URL}/hook")
    stop, reports = threading.Event(), list[DeliveryReport]()
    thread = threading.Thread(target=lambda: webhooks.run(stop=stop, poll=0.01, each=reports.append))
    thread.start()
    Engine(store).enroll(SEQUENCE, lead(1))
    end = pendulum.now().add(seconds=10)
    while not endpoints.arrived and pendulum.now() < end:
        stop.wait(0.01)
    stop.set()
    thread.join(10)

    assert resources(endpoints, "/hook") == [1]
    assert sum(report.sent for report in reports) == 1
    assert reports[0].to_dict() == {**attrs.asdict(reports[0])}


def test_without_httpx(monkeypatch):
    """Who sends without the extra is told what to install; who has nothing to send needs nothing."""
    import builtins

    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "httpx":
            raise ModuleNotFoundError("No module named 'httpx'", name="httpx")
        return real(name, *arguments, **keywords)

    engine = Engine(MemoryStore())
    webhooks = Webhooks(engine)
    monkeypatch.setattr(builtins, "__import__", without)
    webhooks.add(URL)
    assert webhooks.deliver().sent == 0
    engine.enroll(SEQUENCE, lead(1))
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'sequencer\[http\]'"):
        webhooks.deliver()
    monkeypatch.undo()
    webhooks = Webhooks(
        engine, client=lambda: httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    )
    assert webhooks.deliver().sent == 1
