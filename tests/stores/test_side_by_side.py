"""The stores side by side: whatever is done to both, memory and SQLite answer the same."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from sequencer.core.enrollment import Resource
from sequencer.core.errors import Conflict, IllegalTransition, SequenceExists
from sequencer.core.lifecycle import advance, enroll
from sequencer.core.sequence import Template
from sequencer.core.signals import Block, Due, EmailSent, Finish, Handling, Migrate, Resume, Skip, TaskCreated
from sequencer.engine.stored import ALL_ACCOUNTS, StoredReport
from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.workbench import LEASE, NOW, Refusal, board_task, sequence_named

ACCOUNTS = st.sampled_from([None, 7, "7"])
SEQUENCES = st.builds(
    lambda key, mails, texts: sequence_named(key, mails=mails, templates={0: Template("Hello", texts)}),
    st.sampled_from(["a", "b"]),
    st.integers(1, 2),
    st.sampled_from(["one", "two"]),
)
RESOURCES = st.builds(
    lambda type, id, email: Resource(type, id, email=email, fields={"n": id}),
    st.sampled_from(["lead", "contact"]),
    st.sampled_from([1, "1", 2]),
    st.sampled_from([None, "ada@example.com", "Bob@example.com"]),
)
ADDRESSES = st.sampled_from(["ada@example.com", "bob@example.com"])
PASSING = st.sampled_from([timedelta(0), timedelta(seconds=30), timedelta(hours=30), timedelta(hours=-20)])
LIMITS = st.integers(0, 4)
FAILS = st.sampled_from([False, False, False, True])
REASONS = st.sampled_from([None, "paused", "replied", "unheard"])
KEYS = st.sampled_from(["k-1", "k-2", "k-3"])


class SideBySide(RuleBasedStateMachine):
    """Every rule does the same to both stores, in one transaction that sometimes fails, and compares the answers."""

    ids = Bundle("ids")
    claims = Bundle("claims")
    tasks = Bundle("tasks")

    @initialize()
    def open(self) -> None:
        self.stores: list[Any] = [MemoryStore(), SQLiteStore(":memory:")]
        self.now = NOW
        self.tokens: dict[str, int] = {}

    def teardown(self) -> None:
        for store in getattr(self, "stores", ()):
            store.close()

    def both(self, work: Any, *, fails: bool = False) -> Any:
        """What the work answers in both stores; None where it failed or was refused in both."""
        answers = []
        for store in self.stores:
            answer = None
            with contextlib.suppress(Refusal), store.transaction() as transaction:
                try:
                    answer = work(transaction)
                except (Conflict, SequenceExists):
                    answer = "conflict"
                    raise Refusal from None
                if fails:
                    raise Refusal
            answers.append(answer)
        assert answers[0] == answers[1]
        return None if fails or answers[0] == "conflict" else answers[0]

    @rule(by=PASSING)
    def pass_time(self, by):
        self.now += by

    @rule(target=ids, account=ACCOUNTS, sequence=SEQUENCES, resource=RESOURCES, key=st.none() | KEYS, fails=FAILS)
    def begin(self, account, sequence, resource, key, fails):
        def work(transaction):
            version = transaction.save_version(account, sequence, self.now)
            (id,) = transaction.new_ids(1)
            decision = enroll(
                version, resource, self.now, id=id, origin="origin", account=account, actor_id=1, timezone="UTC",
                tzdata="2026a", idempotency_key=key,
            )  # fmt: skip
            transaction.insert([(decision.enrollment, decision.events)])
            return id

        id = self.both(work, fails=fails)
        return multiple() if id is None else id

    @rule(
        id=ids,
        what=st.sampled_from(["due", "sent", "created", "block", "resume", "skip", "finish", "nothing"]),
        fence=st.none() | st.integers(0, 3),
        release=st.booleans(),
        stale=FAILS,
        fails=FAILS,
    )
    def decide(self, id, what, fence, release, stale, fails):
        def work(transaction):
            held = transaction.get(id)
            if held is None:
                return None
            enrollment = held.enrollment
            if stale:
                enrollment = attrs.evolve(enrollment, revision=enrollment.revision - 1)
            step = enrollment.current or enrollment.steps[-1]
            key = enrollment.key_of(step)
            signal = {
                "due": Due(Handling(deduplicates=True)),
                "sent": EmailSent(effect_key=key, message_id=f"<{key}@x>", provider_id=f"p-{step.position}"),
                "created": TaskCreated(effect_key=key, task_id=f"t-{step.position}"),
                "block": Block(),
                "resume": Resume(),
                "skip": Skip(),
                "finish": Finish("replied"),
                "nothing": None,
            }[what]
            if signal is None:
                return transaction.save(enrollment, (), fence=fence, release=release)
            try:
                decision = advance(enrollment, signal, self.now)
            except IllegalTransition:
                return "illegal"
            return transaction.save(decision.enrollment, decision.events, fence=fence, release=release)

        self.both(work, fails=fails)

    @rule(id=ids, mails=st.integers(1, 3), fails=FAILS)
    def move(self, id, mails, fails):
        def work(transaction):
            held = transaction.get(id)
            if held is None:
                return None
            enrollment = held.enrollment
            sequence = sequence_named(enrollment.version.key, mails=mails)
            version = transaction.save_version(enrollment.account, sequence, self.now)
            try:
                decision = advance(enrollment, Migrate(version), self.now)
            except IllegalTransition:
                return "illegal"
            return transaction.save(decision.enrollment, decision.events)

        self.both(work, fails=fails)

    @rule(account=ACCOUNTS, sequence=SEQUENCES, limit=LIMITS, after=st.none() | st.integers(0, 6))
    def elsewhere(self, account, sequence, limit, after):
        def work(transaction):
            version = transaction.find_version(account, sequence)
            return version and transaction.in_other_versions(account, version, after=after, limit=limit)

        self.both(work)

    @rule(
        target=claims,
        limit=LIMITS,
        account=ACCOUNTS | st.just(ALL_ACCOUNTS),
        ahead=st.sampled_from([timedelta(0), timedelta(0), timedelta(days=3)]),
        decides=st.booleans(),
        releases=st.booleans(),
        fails=FAILS,
    )
    def claim(self, limit, account, ahead, decides, releases, fails):
        def work(transaction):
            found = transaction.claim(self.now + ahead, limit, 60.0, account)
            if decides:
                # As a worker does: the decision in the same transaction as the claim.
                for held in found:
                    decision = advance(held.enrollment, Due(), self.now + ahead)
                    assert transaction.save(decision.enrollment, decision.events, fence=held.fence, release=releases)
            return [(held.enrollment.id, held.fence) for held in found]

        return multiple(*(self.both(work, fails=fails) or ()))

    @rule(claim=claims, how=st.sampled_from(["renew", "release", "set aside", "look"]), by=PASSING)
    def use_claim(self, claim, how, by):
        def work(transaction):
            if how == "renew":
                return transaction.renew([claim], self.now + by)
            if how == "release":
                return transaction.release([claim])
            if how == "set aside":
                return transaction.set_aside([claim])
            held = transaction.get(claim[0])
            return held and transaction.look(held.enrollment, claim[1], held.enrollment.resource.address)

        self.both(work)

    @rule(account=ACCOUNTS, address=ADDRESSES, lift=st.booleans(), fails=FAILS)
    def suppress(self, account, address, lift, fails):
        self.both(
            lambda transaction: (
                transaction.unsuppress(account, address)
                if lift
                else transaction.suppress(account, address, self.now, "manual")
            ),
            fails=fails,
        )

    @rule(id=ids, email=st.none() | ADDRESSES, remembers=st.booleans(), fails=FAILS)
    def correct(self, id, email, remembers, fails):
        def work(transaction):
            held = transaction.get(id)
            if held is None:
                return
            resource = held.enrollment.resource
            if remembers and email is not None:
                transaction.remember_address(held.enrollment.account, id, email)
            else:
                transaction.update_person(id, attrs.evolve(resource, email=email))

        self.both(work, fails=fails)

    @rule(account=ACCOUNTS, resource=RESOURCES, fails=FAILS)
    def opt_out(self, account, resource, fails):
        self.both(
            lambda transaction: transaction.suppress_others(account, resource, self.now, "unsubscribed"), fails=fails
        )

    @rule(account=ACCOUNTS, key=KEYS, digest=KEYS, fails=FAILS)
    def report(self, account, key, digest, fails):
        def work(transaction):
            transaction.save_report(account, key, StoredReport(digest, (1, 2)), self.now)

        self.both(work, fails=fails)

    @rule(target=tasks, id=ids, key=KEYS, fails=FAILS)
    def put_task(self, id, key, fails):
        def work(transaction):
            held = transaction.get(id)
            return held and transaction.create_task(board_task(held.enrollment, key))

        task = self.both(work, fails=fails)
        return multiple() if task is None else task

    @rule(task=tasks, status=st.sampled_from(["done", "cancelled"]))
    def close_task(self, task, status):
        self.both(lambda transaction: transaction.close_task(task, status, self.now))

    @rule(name=KEYS, by=st.integers(0, 3))
    def listen(self, name, by):
        def work(transaction):
            found = transaction.events_after(transaction.cursor(name), by)
            if found:
                transaction.set_cursor(name, found[-1].cursor)
            return [(event, event.cursor, event.subject) for event in found]

        self.both(work)

    @rule(name=KEYS, again=st.booleans(), leave=st.booleans(), fails=FAILS)
    def feed(self, name, again, leave, fails):
        def work(transaction):
            found = transaction.lease_feed(name, self.now, LEASE, self.tokens.get(name) if again else None)
            if found is not None and leave:
                transaction.leave_feed(name, found)
            return found

        found = self.both(work, fails=fails)
        if found is not None:
            self.tokens[name] = found

    @rule(account=ACCOUNTS, resource=RESOURCES, fails=FAILS)
    def erase(self, account, resource, fails):
        self.both(lambda transaction: transaction.erase(account, resource), fails=fails)

    @rule(account=ACCOUNTS, limit=LIMITS, by=PASSING, fails=FAILS)
    def purge(self, account, limit, by, fails):
        self.both(lambda transaction: transaction.purge(account, self.now + by, limit), fails=fails)

    @rule(
        account=ACCOUNTS,
        limit=LIMITS,
        after=st.none() | st.integers(0, 6),
        resource=st.none() | RESOURCES,
        state=st.sampled_from([None, "active", "blocked", "finished"]),
        reason=REASONS,
        sequence_id=st.none() | st.integers(1, 3),
    )
    def page(self, account, limit, after, resource, state, reason, sequence_id):
        what = {"resource": resource, "state": state, "reason": reason, "sequence_id": sequence_id}
        self.both(lambda transaction: transaction.enrollments(account, limit=limit, after=after, **what))

    @rule(
        account=ACCOUNTS,
        limit=LIMITS,
        offset=st.integers(0, 3),
        narrowing=st.fixed_dictionaries(
            {},
            optional={
                "resource_type": st.sampled_from(["lead", "contact"]),
                "resource_ids": st.lists(st.sampled_from([1, "1", 2])),
                "ids": st.lists(st.integers(0, 6)),
                "address": ADDRESSES,
                "state": st.sampled_from(["active", "blocked", "finished"]),
                "reason": REASONS,
            },
        ),
    )
    def narrow(self, account, limit, offset, narrowing):
        self.both(lambda transaction: transaction.enrollments(account, limit=limit, offset=offset, **narrowing))
        self.both(lambda transaction: transaction.due(account, self.now, limit=limit, offset=offset))

    @rule(account=ACCOUNTS, sequence_id=st.integers(1, 3), sequence=st.none() | SEQUENCES, fails=FAILS)
    def delete_sequence(self, account, sequence_id, sequence, fails):
        def work(transaction):
            if transaction.sequence_id(account, sequence_id) is not None:
                transaction.delete_sequence(sequence_id, self.now)
            if sequence is not None:
                transaction.save_version(account, sequence, self.now, creator_id=sequence_id, only_new=True)

        self.both(work, fails=fails)

    @rule(
        account=ACCOUNTS,
        resource=st.none() | RESOURCES,
        address=st.none() | ADDRESSES,
        sequence_id=st.none() | st.integers(1, 3),
    )
    def look(self, account, resource, address, sequence_id):
        self.both(
            lambda transaction: transaction.ongoing(
                account, resource=resource, address=address, sequence_id=sequence_id
            )
        )
        if resource is not None:
            who = [(resource.type, resource.id), *((address,) if address else ())]
            self.both(lambda transaction: transaction.ongoing_of(account, who))
            self.both(lambda transaction: transaction.last_finished_of(account, sequence_id, who))
            self.both(lambda transaction: transaction.addresses_of(account, resource))

    @invariant()
    def they_hold_the_same(self):
        def everything(transaction):
            found = []
            for account in (None, 7, "7"):
                enrollments = transaction.enrollments(account, limit=1000)
                found.append(
                    (
                        [transaction.get(each.id) for each in enrollments],
                        [transaction.events(each.id) for each in enrollments],
                        transaction.sequences(account),
                        transaction.stored_sequences(account, range(5)),
                        transaction.listed_sequences(account),
                        [transaction.statistics(account, n) for n in range(1, 4)],
                        transaction.suppressions(account),
                        transaction.tasks(account, status=None),
                        transaction.next_wake(account),
                        transaction.counts(self.now, 1000, account),
                        [transaction.report(account, f"k-{n}") for n in (1, 2, 3)],
                        [transaction.find(account, "idempotency", f"k-{n}") for n in (1, 2, 3)],
                        [transaction.find(account, "message", f"<origin-{n}-0-0@x>") for n in (1, 2, 3)],
                        [transaction.find(account, "task", f"t-{n}") for n in (1, 2)],
                        transaction.made_with(account, ["k-1", "k-2", "k-3"]),
                        transaction.suppressed_among(account, ["ada@example.com", "bob@example.com"]),
                        [transaction.is_suppressed(account, each) for each in ("ada@example.com", "bob@example.com")],
                    )
                )
            told = [(event, event.cursor, event.subject) for event in transaction.events_after(0, 1000)]
            return found, transaction.next_wake(), transaction.counts(self.now, 1000), told

        if hasattr(self, "stores"):
            self.both(everything)


SideBySide.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestSideBySide = SideBySide.TestCase
