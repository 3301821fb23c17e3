"""What is promised of webhooks, whatever endpoints and stores do: at least once, in order, or among the dead (S2)."""

from __future__ import annotations

import itertools
from collections import defaultdict
from contextlib import suppress

import attrs
import httpx
import pendulum
from hypothesis import given
from hypothesis import strategies as st

from sequencer import Conflict, Engine, ManualClock, MemoryStore
from sequencer.core.policy import Retry
from sequencer.http.webhooks import Webhooks
from tests.http.webhooks.endpoints import OK, SEQUENCE, START, Endpoints, genuine, lead

ACCOUNTS = (None, 7, "7")
TYPES = (None, ("finished", "blocked"))
RETRY = Retry(attempts=4, first=5, factor=4)
LONGEST = 60.0

FAILURES = [500, 302, 410, (503, {"retry-after": "30"}), httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError]
reactions = st.lists(st.sampled_from([204, *FAILURES]), max_size=12)
# What a host does: something to an enrollment of an account, which makes an event or two; time that passes; a pass, by
# one of two processes, whose store may fail it after so many transactions; a webhook that comes, what is sent again.
enroll = st.tuples(st.just("enroll"), st.sampled_from(ACCOUNTS))
verb = st.tuples(st.sampled_from(["block", "resume", "finish"]), st.integers(0, 5))
wait = st.tuples(st.just("wait"), st.sampled_from([1, 5, 30, 100, 5000]))
deliver = st.tuples(st.just("deliver"), st.integers(0, 1), st.none() | st.integers(0, 12))
add = st.tuples(st.just("add"), st.sampled_from(ACCOUNTS), st.sampled_from(TYPES))
actions = st.lists(st.one_of(enroll, enroll, verb, verb, wait, deliver, deliver, add), max_size=25)


class FailingStore(MemoryStore):
    """A store that fails for good after some more transactions, as one does whose process dies."""

    left: int | None = None

    def transaction(self, connection=None, *, write=True):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Conflict("it is not to be")
        return super().transaction(connection, write=write)


class Story:
    """A store with hosts, endpoints and two senders, and what has to arrive where."""

    def __init__(self, reactions):
        self.store, self.clock = FailingStore(), ManualClock(START)
        self.engine = Engine(self.store, clock=self.clock)
        self.endpoints = Endpoints(self.clock.now)
        self.reactions = reactions
        options = {"retry": RETRY, "longest_pause": LONGEST, "client": self.endpoints.client, "threads": 2}
        self.senders = [Webhooks(self.engine, **options) for _ in range(2)]
        self.webhooks = {}
        self.begins = {}
        self.enrollments = []

    def add(self, account, types):
        path = f"/{len(self.webhooks)}"
        self.endpoints.reactions[path] = [*self.reactions[len(self.webhooks) :: 3]]
        hook = Webhooks(self.engine.account(account)).add(f"https://example.com{path}", types=types)
        self.webhooks[path] = hook
        self.begins[path] = len(self.events())

    def enroll(self, account):
        door = self.engine.account(account)
        self.enrollments.append((door, door.enroll(SEQUENCE, lead(len(self.enrollments))).id))

    def verb(self, name, which):
        if self.enrollments:
            door, id = self.enrollments[which % len(self.enrollments)]
            with suppress(Exception):
                getattr(door, name)(id)

    def deliver(self, by, fails_after):
        self.store.left = fails_after
        try:
            self.senders[by].deliver()
        except Conflict:
            self.store.left = None
            self.clock.move(seconds=121)
        finally:
            self.store.left = None

    def events(self):
        return self.engine.events(limit=10_000).events

    def do(self, name, *arguments):
        if name == "wait":
            self.clock.move(seconds=arguments[0])
        elif name in ("block", "resume", "finish"):
            self.verb(name, *arguments)
        else:
            getattr(self, name)(*arguments)

    def end(self):
        """Go on until nothing waits any more."""
        for _ in range(500):
            report = self.senders[0].deliver()
            assert not report.elsewhere
            if report.next_due_at is None and not report.more:
                return
            if not report.more:
                assert report.next_due_at is not None
                self.clock.set(max(report.next_due_at, self.clock.now()))
        raise AssertionError("it does not come to an end")

    def wanted(self, path):
        hook = self.webhooks[path]
        return [
            event
            for event in self.events()[self.begins[path] :]
            if (type(event.subject.account), event.subject.account) == (type(hook.account), hook.account)
            and (hook.types is None or event.type in hook.types)
        ]


def named(event):
    return event.enrollment_id, event.number


@given(actions, reactions)
def test_every_event_arrives_in_order_or_is_among_the_dead(todo, reactions):
    """Whatever endpoints answer, and whoever dies: each event of the account arrives, in order, or was given up.

    Nothing else arrives, each attempt has the same bytes and another time, pauses grow, and what was given up arrives
    when it is sent again.
    """
    story = Story(reactions)
    story.add(None, None)
    for action in todo:
        story.do(*action)
    story.end()

    dead = {path: {each.event_id for each in story.senders[0].dead(hook.id)} for path, hook in story.webhooks.items()}
    for path, hook in story.webhooks.items():
        wanted, requests = story.wanted(path), story.endpoints.of(path)
        taken = [each for each in requests if each.answer in OK]
        arrived = [(each.event["data"]["enrollment_id"], each.event["data"]["number"]) for each in taken]
        alive = [event for event in wanted if event.cursor not in dead[path]]
        assert {*arrived} >= {named(event) for event in alive}
        assert {*arrived} <= {named(event) for event in wanted}
        firsts = list(dict.fromkeys(arrived))
        for id in {event.enrollment_id for event in wanted}:
            numbers = [number for of, number in firsts if of == id and (of, number) in map(named, alive)]
            assert numbers == sorted(numbers)
        for each in requests:
            assert genuine(each, hook.secret, each.at)["id"] == each.id
        _assert_attempts(requests)

    story.endpoints.reactions.clear()
    assert story.senders[0].resend() == sum(map(len, dead.values()))
    story.end()
    assert story.senders[0].dead() == story.senders[0].waiting() == ()
    for path in story.webhooks:
        assert {(*named(event),) for event in story.wanted(path)} == {
            (each.event["data"]["enrollment_id"], each.event["data"]["number"])
            for each in story.endpoints.of(path)
            if each.answer in OK
        }


def _assert_attempts(requests):
    """The attempts of each event: the same body, never too many, and after each failure a longer pause."""
    by_id = defaultdict(list)
    for each in requests:
        by_id[each.id].append(each)
    for attempts in by_id.values():
        assert len({each.body for each in attempts}) == 1
        failed = [each for each in attempts if each.answer not in OK]
        # An attempt that was not noted is made again.
        assert len({each.at for each in failed}) <= RETRY.attempts + 2
        for one, another in itertools.pairwise(failed):
            if one.at != another.at:
                assert (another.at - one.at).total_seconds() >= min(5, LONGEST)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 30.0, 10.0**9]))
def test_pauses_grow_up_to_the_longest(event_id, retry_after):
    """Each pause is longer than the last, by a quarter at most longer than was asked for, and the longest is a cap."""
    from sequencer.http.webhooks.posting import Answer

    clock = ManualClock(START)
    sending = Webhooks(Engine(MemoryStore(), clock=clock))._sending
    webhook = Webhooks(Engine(MemoryStore(), clock=clock)).add("https://example.com/")
    delivery = _delivery(webhook.id, event_id)
    pauses = []
    while delivery.state == "waiting":
        delivery = sending.after_failure(delivery, Answer(arrived=False, error="500", retry_after=retry_after), START)
        pauses.append((delivery.due_at - START).total_seconds())
    asked = min(retry_after, sending.longest_pause)
    usual = [min(5.0 * 4**n, sending.longest_pause) for n in range(12)]

    assert (delivery.state, delivery.attempts, delivery.error, pauses.pop()) == ("dead", 13, "500", 0)
    for pause, least in zip(pauses, usual, strict=True):
        assert max(least, asked) <= pause <= max(least * 1.25, asked) + 0.001
    assert 86_400 < sum(usual) < 1.2 * 86_400


def _delivery(webhook_id, event_id):
    from sequencer.engine.webhooks import Delivery

    return Delivery(
        id=1, webhook_id=webhook_id, enrollment_id=1, event_id=event_id, body="{}", state="waiting", attempts=0,
        due_at=START,
    )  # fmt: skip


def test_nothing_personal_is_sent():
    """Through a whole story neither the address, nor a field, nor the account is in any request (S8)."""
    from sequencer import RecordingMailer, Rejected, Replied

    clock, store = ManualClock(START), MemoryStore()
    mailer = RecordingMailer()
    mailer.fail(Rejected("550 no such user ada.1@example.com", permanent=True), to="ada.1@example.com")
    engine = Engine(store, clock=clock, mailer=mailer).account("the-account")
    endpoints = Endpoints(clock.now)
    webhooks = Webhooks(engine, client=endpoints.client)
    webhooks.add("https://example.com/all")
    first, second = (engine.enroll(SEQUENCE, lead(n), actor_id=9) for n in range(2))
    engine.run_until(START.add(hours=2))
    engine.block(first.id, until=START.add(days=3))
    engine.handle(Replied(key="r-1", email="ada.0@example.com"))
    engine.resume(second.id)
    engine.skip(second.id)
    assert webhooks.deliver().sent > 10

    types = set(endpoints.types("/all"))
    assert {"enrolled", "email_sent", "task_created", "blocked", "finished", "step_failed", "step_skipped"} <= types
    for each in endpoints.arrived:
        for personal in (b"example.com", b"ada", b"Lovelace", b"the-account"):
            assert personal not in each.body
    enrolled = endpoints.arrived[0].event
    assert enrolled == {
        "id": f"evt_{store.origin}_1",
        "type": "enrollment.enrolled",
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {
            "enrollment_id": first.id,
            "number": 1,
            "position": None,
            "resource_type": "lead",
            "resource_id": 0,
            "sequence_key": "Hello",
            "sequence_version": 1,
            "actor_id": 9,
            "facts": {
                "actor_id": 9,
                "timezone": "UTC",
                "tzdata": first.tzdata,
                "started_at": "2026-03-02T09:00:00Z",
                "idempotency_key": None,
            },
        },
    }
    assert attrs.asdict(first)  # as it was
    assert pendulum.parse(enrolled["timestamp"]) == START
