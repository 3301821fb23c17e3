"""Opting out is about every address that somebody has had, or has been mailed at (L8), until it is erased (S8)."""

from __future__ import annotations

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer import (
    Accepted,
    Calendar,
    Engine,
    ManualClock,
    MemoryStore,
    NotFound,
    Pending,
    Person,
    RecordingMailer,
    Rejected,
    SQLiteStore,
    Suppressed,
    Unsubscribed,
)
from sequencer.core.signals import EmailSent
from sequencer.stores.records import Records
from tests.engine.sequences import lead, mails

OLD, NEW = "ada@example.com", "new@example.com"


def test_l8_who_opts_out_by_a_mail_to_a_former_address_gets_none_there(engine, mailer):
    """A mail that went to the old address suppresses that, too: nobody is enrolled under it, or mailed there (L8)."""
    id, other = engine.enroll(mails(), lead()).id, engine.enroll(mails("other"), lead(2, OLD)).id
    engine.tick()
    engine.update_person(lead(email=NEW))
    engine.clock.move(hours=1)
    engine.handle(Unsubscribed(key="1", message_id=engine.get(id).steps[0].message_id))
    assert [each.address for each in engine.suppressed()] == [NEW, None]
    for n, email in enumerate((OLD, " ADA@example.com", NEW), 3):
        with pytest.raises(Suppressed):
            engine.enroll(mails(), lead(n, email))
    engine.clock.move(hours=48)
    engine.tick()
    assert engine.get(other).finished_reason == "unsubscribed"
    assert len(mailer.sent) == 2
    assert engine.unsuppress(OLD)
    assert engine.enroll(mails(), lead(3, OLD)).state == "active"


def test_s8_a_former_address_is_erased_with_its_resource(engine):
    """What was suppressed by hand under the old address is readable no more, and suppressed still (S8)."""
    engine.enroll(mails(), lead())
    engine.suppress(OLD)
    engine.update_person(lead(email=NEW))
    assert engine.erase(lead()) == 1
    assert [each.address for each in engine.suppressed()] == [None]
    with pytest.raises(Suppressed):
        engine.enroll(mails(), lead(2, OLD))
    engine.handle(Unsubscribed(key="1", resource=lead(email=None)))
    assert len(engine.suppressed()) == 1


class _Answering:
    """A mailer that answers what it is told to, or raises it."""

    delivery = "at_most_once"

    def __init__(self, answer, *, deduplicates):
        self.answer, self.deduplicates = answer, deduplicates

    def send(self, email, *, key, timeout):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("deduplicates", [True, False])
@pytest.mark.parametrize(
    ("answer", "remembered"),
    [
        (Accepted("<1@x>"), True),
        (Pending("p-1"), True),
        (OSError("the line is dead"), True),
        (Rejected("no such user", permanent=True, recipient_fault=True), False),
    ],
)
def test_l8_where_a_mail_has_gone_is_remembered(store, clock, answer, remembered, deduplicates):
    """With a `people` port, opting out suppresses where mail went or may have; not where it was refused (L8)."""
    people = {"lead": "Ada <ADA@example.com>"}
    mailer = _Answering(answer, deduplicates=deduplicates)
    engine = Engine(store=store, mailer=mailer, clock=clock, people=lambda resource: Person(people[resource.type]))
    id = engine.enroll(mails(), lead(email=None)).id
    engine.tick()
    people["lead"] = NEW
    step = engine.get(id).steps[0]
    named = {"message_id": step.message_id} if step.message_id else {"enrollment_id": id}
    if step.provider_id:
        named = {"provider_id": step.provider_id}
    engine.handle(Unsubscribed(key="1", **named))
    assert engine.get(id).finished_reason == "unsubscribed"
    assert [each.address for each in engine.suppressed()] == [None] * remembered
    with store.transaction() as transaction:
        assert transaction.is_suppressed(None, OLD) is remembered
        assert not transaction.is_suppressed(None, NEW)


def test_l8_it_is_remembered_also_where_the_answer_was_known_before(store, clock):
    """Where the mailer's own report comes before the worker's answer, the worker still says where the mail went."""

    class Reporting:
        deduplicates = True

        def send(self, email, *, key, timeout):
            engine.handle(EmailSent(key="sent", effect_key=key, message_id="<1@x>"))
            return Accepted("<1@x>")

    engine = Engine(store=store, mailer=Reporting(), clock=clock, people=lambda _: Person(OLD))
    engine.enroll(mails(), lead(email=None))
    engine.tick()
    engine.handle(Unsubscribed(key="1", message_id="<1@x>"))
    with store.transaction() as transaction:
        assert transaction.is_suppressed(None, OLD)


def test_nothing_is_remembered_where_the_stored_address_was_used(store, clock, monkeypatch):
    """Where a mail goes to the address that is stored, handing it over asks no more of the store."""
    asked = []
    monkeypatch.setattr(Records, "remember_address", lambda *given: asked.append(given))
    engine = Engine(store=store, mailer=RecordingMailer(), clock=clock)
    engine.enroll(mails(), lead(email="Ada <Ada@example.com>"))
    engine.tick()
    assert asked == []


# -- beside a naive model ---------------------------------------------------------------------------------------

ADDRESSES = ["a@example.com", "b@example.com", "c@example.com"]
EVERY_DAY = Calendar("UTC", working_days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
WHO = st.integers(1, 2)
ADDRESS = st.sampled_from(ADDRESSES)
DONE = st.one_of(
    st.tuples(st.just("enroll"), WHO, ADDRESS),
    st.tuples(st.just("correct"), WHO, ADDRESS),
    st.tuples(st.just("say"), WHO, ADDRESS | st.none()),
    st.tuples(st.just("day"), WHO, ADDRESS),
    st.tuples(st.just("opt out"), WHO, ADDRESS),
    st.tuples(st.just("erase"), WHO, ADDRESS),
    st.tuples(st.just("suppress"), WHO, ADDRESS),
)


class Naive:
    """By hand: the addresses that each enrollment has had, and whether a suppressed one can still be read."""

    def __init__(self) -> None:
        self.who: dict[int, int] = {}
        self.current: dict[int, str | None] = {}
        self.had: dict[int, set[str]] = {}
        self.mails: dict[int, int] = {}
        self.ongoing: set[int] = set()
        self.said: dict[int, str | None] = {}
        self.suppressed: dict[str, bool] = {}
        self.sent: list[str] = []

    def of(self, who: int) -> list[int]:
        return [id for id, each in self.who.items() if each == who]

    def enroll(self, id: int, who: int, address: str) -> None:
        self.who[id], self.current[id], self.had[id], self.mails[id] = who, address, set(), 0
        self.ongoing.add(id)

    def mail(self, *ids: int) -> None:
        for id in sorted(ids):
            to = self.said.get(self.who[id]) or self.current[id]
            if to in self.suppressed:
                self.ongoing.discard(id)
                continue
            self.sent.append(to)
            self.had[id].add(to)
            self.mails[id] += 1
            if self.mails[id] == 3:
                self.ongoing.discard(id)

    def opt_out(self, who: int) -> None:
        stored = {self.current[id] for id in self.of(who)} - {None}
        had = set().union(*(self.had[id] for id in self.of(who)))
        for address in stored | had:
            self.suppressed.setdefault(address, address in stored)
        self.ongoing -= {id for id in self.ongoing if self.who[id] == who or self.current[id] in stored}

    def erase(self, who: int) -> None:
        for id in self.of(who):
            for address in self.suppressed:
                self.suppressed[address] &= address != self.current[id] and address not in self.had[id]
            self.current[id], self.had[id] = None, set()
            self.ongoing.discard(id)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=60)
@given(done=st.lists(DONE, min_size=5, max_size=25))
def test_l8_s8_what_is_suppressed_is_what_was_had(kind, done):
    """Whoever is enrolled, corrected, opts out or is erased: the suppressions are the naive model's (L8, S8)."""
    store = MemoryStore() if kind == "memory" else SQLiteStore(":memory:")
    clock, mailer, naive = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC")), RecordingMailer(), Naive()
    engine = Engine(
        store=store, mailer=mailer, clock=clock, people=lambda each: Person(naive.said.get(each.id) or each.email)
    )
    for n, (what, who, address) in enumerate(done):
        mine = [id for id in naive.of(who) if id in naive.ongoing]
        if what == "enroll" and not mine:
            try:
                id = engine.enroll(mails(f"of {who}", 3, calendar=EVERY_DAY), lead(who, address)).id
            except Suppressed:
                assert address in naive.suppressed
            else:
                assert address not in naive.suppressed
                naive.enroll(id, who, address)
                engine.tick()
                naive.mail(id)
        elif what == "correct":
            try:
                engine.update_person(lead(who, address))
            except NotFound:
                assert not mine
            except Suppressed:
                assert address in naive.suppressed
            else:
                (id,) = mine
                if naive.current[id] != address:
                    assert address not in naive.suppressed
                    naive.had[id].add(naive.current[id])
                    naive.current[id] = address
        elif what == "say":
            naive.said[who] = address
        elif what == "day":
            clock.move(hours=24)
            engine.tick()
            naive.mail(*naive.ongoing)
        elif what == "opt out":
            of = naive.of(who)
            message = engine.get(of[-1]).steps[0].message_id if of else None
            # A mail that was erased with its person leads nowhere.
            engine.handle(Unsubscribed(key=str(n), **({"message_id": message} if message else {"enrollment_id": 99})))
            if message and naive.current[of[-1]] is not None:
                naive.opt_out(who)
        elif what == "erase":
            engine.erase(lead(who))
            naive.erase(who)
        elif what == "suppress":
            engine.suppress(address)
            naive.suppressed.setdefault(address, True)
        found = [each.address for each in engine.suppressed()]
        assert sorted(filter(None, found)) == sorted(each for each, read in naive.suppressed.items() if read)
        assert len(found) == len(naive.suppressed)
        with store.transaction() as transaction:
            assert transaction.suppressed_among(None, ADDRESSES) == naive.suppressed.keys()
        assert sorted(sent.to for sent in mailer.sent) == sorted(naive.sent)
        assert {each.id for each in engine.enrollments() if not each.is_finished} >= naive.ongoing
    store.close()
