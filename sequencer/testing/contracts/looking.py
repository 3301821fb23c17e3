"""What a store finds, lists and counts, for one account only (laws S4, S7)."""

from __future__ import annotations

from typing import Any

import pytest

from sequencer.core.enrollment import Resource
from sequencer.core.errors import Conflict
from sequencer.core.signals import Block
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.testing.contracts.workbench import (
    ADA,
    BEYOND,
    NOW,
    OUTREACH,
    begun,
    do,
    finish,
    later,
    send,
    sequence_named,
)


class Looking:
    """Finding and listing enrollments."""

    def test_blocked_for_a_reason(self, store: Any) -> None:
        """Those blocked for a reason come by id, page by page, of a sequence or of all, and of their account only."""
        ids = [begun(store, n, sequence=sequence_named("ab"[n % 2])).id for n in range(6)]
        theirs = begun(store, 9, account="acme").id
        with store.transaction() as transaction:
            for id, reason in zip([*ids, theirs], ["x", "x", "y", None, "x", "x", "x"], strict=True):
                if reason is not None:
                    do(transaction, transaction.get(id).enrollment, Block(reason))
            finish(transaction, transaction.get(ids[5]).enrollment, reason="x")
            b = transaction.current_version(None, "b").sequence_id

        def found(reason: str, account: Any = None, limit: int = 9, **what: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [held.enrollment.id for held in transaction.blocked(account, reason, limit=limit, **what)]

        assert found("x") == [ids[0], ids[1], ids[4]]
        assert found("x", limit=2) == ids[:2]
        assert found("x", after=ids[0], limit=1) == [ids[1]]
        assert found("x", sequence_id=b) == [ids[1]]
        assert found("x", sequence_id=b, after=ids[1]) == []
        assert found("x", limit=0) == found("z") == found("x", after=BEYOND) == found("x", sequence_id=BEYOND) == []
        assert found("y") == [ids[2]]
        assert found("x", "acme") == [theirs]
        assert found("x", "acme", sequence_id=b) == []

    def test_pages_of_a_reason(self, store: Any) -> None:
        """Who is blocked or finished for a reason is listed by id, page by page, with whatever else was asked for."""
        ids = [begun(store, n % 3, sequence=sequence_named("ab"[n % 2]), email=f"{n % 3}@x.com").id for n in range(9)]
        theirs = begun(store, 1, account="acme").id
        standing = {0: "y", 1: "x", 2: "x", 3: "x", 5: "x", 6: "x", 8: "x"}
        with store.transaction() as transaction:
            for n, reason in standing.items():
                do(transaction, transaction.get(ids[n]).enrollment, Block(reason))
            for n, reason in ((5, "x"), (6, "y"), (7, "x")):
                finish(transaction, transaction.get(ids[n]).enrollment, reason=reason)
            do(transaction, transaction.get(theirs).enrollment, Block("x"))
            b = transaction.current_version(None, "b").sequence_id

        def found(account: Any = None, reason: str = "x", **what: Any) -> list[int]:
            with store.transaction(write=False) as transaction:
                return [ids.index(each.id) for each in transaction.enrollments(account, reason=reason, **what)]

        assert found() == [1, 2, 3, 5, 7, 8]
        assert found(state="blocked") == [1, 2, 3, 8]
        assert found(state="finished") == [5, 7]
        assert found(reason="y") == [0, 6]
        assert found(limit=2) == [1, 2]
        assert found(limit=2, after=ids[2]) == [3, 5]
        assert found(limit=2, offset=4) == [7, 8]
        assert found(sequence_id=b) == [1, 3, 5, 7]
        assert found(sequence_id=b, state="blocked", after=ids[1]) == [3]
        assert found(resource=Resource("lead", 2)) == found(address="2@x.com") == [2, 5, 8]
        assert found(resource_type="lead", limit=1) == found(ids=ids, limit=1) == [1]
        assert found(resource_ids=[0, 1], state="blocked") == [1, 3]
        assert found(state="active") == found(reason="z") == found(limit=0) == found(resource_type="contact") == []
        assert found(after=BEYOND) == found(sequence_id=BEYOND) == found("other") == found("acme", sequence_id=b) == []

    def test_an_enrollment_is_its_accounts(self, store: Any) -> None:
        """An enrollment is found by its id in its own account, and by who sees all; 7 and "7" are two (S7)."""
        one = begun(store, account=7)
        with store.transaction() as transaction:
            assert transaction.get(one.id) == transaction.get(one.id, 7) == transaction.get(one.id, ALL_ACCOUNTS)
            assert transaction.get(one.id).enrollment == one
            assert transaction.get(one.id, "7") is transaction.get(one.id, None) is None

    def test_what_nobody_knows(self, store: Any) -> None:
        """What is not stored, and what no store could hold, is answered with nothing."""
        begun(store)
        with store.transaction() as transaction:
            for id in (0, -1, 99, BEYOND, -BEYOND - 1):
                assert transaction.get(id) is None
                assert transaction.events(id) == []
                assert transaction.task(id) is None
                assert not transaction.close_task(id, "done", NOW)
            assert transaction.enrollments(None, after=BEYOND) == []
            assert transaction.tasks(None, after=BEYOND) == []
            assert transaction.find(None, "task", BEYOND) is None
            assert transaction.template(1, "nothing") is None
            assert transaction.report(None, "nothing") is None

    def test_ids_are_kept_as_given(self, store: Any) -> None:
        """A host's ids 42 and "42" are different resources, actors, tasks and accounts (S7)."""
        number, text = begun(store, 42), begun(store, "42")
        other = begun(store, 42, account=42), begun(store, 42, account="42")

        with store.transaction() as transaction:
            for enrollment, account in ((number, None), (text, None), (other[0], 42), (other[1], "42")):
                (held,) = transaction.ongoing(account, resource=enrollment.resource)
                assert held.enrollment == enrollment
                assert type(held.enrollment.resource.id) is type(enrollment.resource.id)

    def test_ongoing(self, store: Any) -> None:
        """The ongoing enrollments are those of a resource or of an address, of a sequence, or all; by their ids."""
        other = sequence_named("other")
        first, second = begun(store, 1), begun(store, 2)
        third, done = begun(store, 1, sequence=other, email=None), begun(store, 1)
        with store.transaction() as transaction:
            finish(transaction, done)
            second = do(transaction, second, Block())

        def ids(**what: Any) -> list[int]:
            with store.transaction() as transaction:
                return [held.enrollment.id for held in transaction.ongoing(None, **what)]

        one, address = Resource("lead", 1), "ada@example.com"
        assert ids() == [first.id, second.id, third.id]
        assert ids(resource=one) == [first.id, third.id]
        assert ids(address=address) == [first.id, second.id]
        assert ids(resource=one, address=address) == [first.id, second.id, third.id]
        assert ids(sequence_id=third.version.sequence_id) == [third.id]
        assert ids(resource=one, sequence_id=first.version.sequence_id) == [first.id]
        assert ids(resource=one, address=address, sequence_id=first.version.sequence_id) == [first.id, second.id]
        assert ids(resource=Resource("contact", 1)) == ids(address="Ada@example.com") == ids(sequence_id=99) == []

    def test_who_finished_last(self, store: Any) -> None:
        """Of each resource and address, the enrollment that finished last is found: in one sequence, or in any."""
        enrollments = [begun(store, n, email=email) for n, email in ((1, None), (1, None), (2, "Ada@example.com"))]
        sequence_id = enrollments[0].version.sequence_id
        who = [("lead", 1), ("lead", 3), ("lead", "1"), ("contact", 1), "ada@example.com", "bob@example.com"]
        with store.transaction() as transaction:
            assert transaction.last_finished_of(None, sequence_id, who) == {}
            first, _, third = (
                finish(transaction, each, later(hours=hours))
                for each, hours in zip(enrollments, (5, 3, 9), strict=True)
            )
            assert transaction.last_finished_of(None, sequence_id, who) == {
                ("lead", 1): first,
                "ada@example.com": third,
            }
            assert transaction.last_finished_of(None, sequence_id, []) == {}
            assert transaction.last_finished_of(None, sequence_id + 1, who) == {}
            assert transaction.last_finished_of("acme", sequence_id, who) == {}
        other = begun(store, 1, sequence=sequence_named("other"))
        with store.transaction() as transaction:
            other = finish(transaction, other, later(hours=7))
            assert transaction.last_finished_of(None, None, who) == {("lead", 1): other, "ada@example.com": third}
            assert transaction.last_finished_of(None, sequence_id, who)["lead", 1] == first
            assert transaction.last_finished_of("acme", None, who) == {}

    def test_many_are_asked_about_at_once(self, store: Any) -> None:
        """Who is ongoing, suppressed, or was made with a key, is found among many, in one account, as it stands."""
        one, two = begun(store, 1, key="k-1"), begun(store, 1, email="b@example.com", sequence=sequence_named("other"))
        over, text = begun(store, 2, email="b@example.com", key="k-2"), begun(store, "1", email=None, key='"k\\')
        begun(store, 1, account="acme", key="k-3")
        who = [
            ("lead", 1),
            ("lead", "1"),
            ("lead", 2),
            ("contact", 1),
            "ada@example.com",
            "b@example.com",
            "c@d.example",
        ]
        with store.transaction() as transaction:
            over = finish(transaction, over)
            transaction.suppress(None, "b@example.com", NOW, "manual")
            transaction.suppress("acme", "ada@example.com", NOW, "manual")
            assert transaction.ongoing_of(None, who) == {
                ("lead", 1): [one, two],
                ("lead", "1"): [text],
                "ada@example.com": [one],
                "b@example.com": [two],
            }
            assert transaction.made_with(None, ["k-1", "k-2", "k-3", '"k\\', "none"]) == {
                "k-1": one,
                "k-2": over,
                '"k\\': text,
            }
            assert transaction.suppressed_among(None, ["ada@example.com", "b@example.com"]) == {"b@example.com"}
            assert transaction.ongoing_of(None, []) == transaction.made_with(None, []) == {}
            assert transaction.suppressed_among(None, []) == set()

    def test_finding_by_what_the_outside_says(self, store: Any) -> None:
        """Idempotency keys and the ids in events lead to their enrollment, in its account, each kind by itself."""
        enrollment = begun(store, key="order-1")
        with store.transaction() as transaction:
            sent = send(transaction, enrollment)
            message_id = sent.steps[0].message_id

        with store.transaction() as transaction:
            assert transaction.find(None, "message", message_id) == enrollment.id
            assert transaction.find(None, "idempotency", "order-1") == enrollment.id
            assert transaction.find(None, "task", message_id) is None
            assert transaction.find("acme", "message", message_id) is None
            assert transaction.find(None, "idempotency", "order-2") is None

    def test_an_idempotency_key_is_used_once(self, store: Any) -> None:
        """Two enrollments with one idempotency key are a conflict; in two accounts they are not."""
        begun(store, 1, key="once")
        begun(store, 1, key="once", account="acme")

        with pytest.raises(Conflict):
            begun(store, 2, key="once")

    def test_addresses(self, store: Any) -> None:
        """Every address under which a resource was enrolled is known, in comparable form."""
        for email in ("B@example.com", "a@EXAMPLE.com", None, "b@example.com "):
            begun(store, email=email)
        begun(store, 43, email="c@example.com")

        with store.transaction() as transaction:
            assert transaction.addresses_of(None, ADA) == ["a@example.com", "b@example.com"]
            assert transaction.addresses_of("acme", ADA) == []

    def test_pages(self, store: Any) -> None:
        """Enrollments are listed page by page in the order of their ids, by resource, state and sequence."""
        other = sequence_named("other")
        enrollments = [begun(store, n % 3, sequence=other if n % 2 else OUTREACH) for n in range(12)]
        with store.transaction() as transaction:
            for each in enrollments[:6]:
                (finish if each.id % 2 else do)(transaction, each, *(() if each.id % 2 else (Block(),)))

        def ids(**what: Any) -> list[int]:
            with store.transaction() as transaction:
                return [each.id for each in transaction.enrollments(None, **what)]

        every = [each.id for each in enrollments]
        assert ids() == every
        assert ids(limit=0) == []
        assert ids(limit=5) == every[:5]
        assert ids(limit=5, after=every[4]) == every[5:10]
        assert ids(after=every[-1]) == []
        assert ids(resource=Resource("lead", 1)) == every[1::3]
        assert ids(resource=Resource("lead", 1), after=every[1], limit=2) == every[4:10:3]
        sequence_id = enrollments[1].version.sequence_id
        assert ids(sequence_id=sequence_id) == every[1::2]
        assert ids(state="active") == every[6:]
        assert ids(state="finished") == [id for id in every[:6] if id % 2]
        assert ids(state="blocked") == [id for id in every[:6] if not id % 2]
        assert ids(state="blocked", sequence_id=sequence_id, resource=Resource("lead", 1)) == [
            each.id
            for each in enrollments[:6]
            if not each.id % 2 and each.version.sequence_id == sequence_id and each.resource.id == 1
        ]

    def test_statistics(self, store: Any) -> None:
        """The enrollments of a sequence are counted by state and reason, as they change."""
        enrollments = [begun(store, n) for n in range(5)]
        begun(store, 9, sequence=sequence_named("other"))
        sequence_id = enrollments[0].version.sequence_id
        with store.transaction() as transaction:
            do(transaction, enrollments[0], Block())
            do(transaction, enrollments[1], Block("out_of_office"))
            finish(transaction, enrollments[2], reason="replied")
            finish(transaction, do(transaction, enrollments[3], Block()), reason="replied")

        with store.transaction() as transaction:
            assert transaction.statistics(None, sequence_id) == {
                ("active", None): 1,
                ("blocked", "paused"): 1,
                ("blocked", "out_of_office"): 1,
                ("finished", "replied"): 2,
            }
            assert transaction.statistics("acme", sequence_id) == {}

    def test_one_account_does_not_see_another(self, store: Any) -> None:
        """Whatever is asked for an account, the answer has nothing of another one (S7)."""
        begun(store)
        with store.transaction() as transaction:
            transaction.suppress(None, "a@example.com", NOW, "manual")
            version = transaction.current_version(None, "outreach")
            for account in ("acme", 0, "null"):
                assert transaction.sequences(account) == []
                assert transaction.current_version(account, "outreach") is None
                assert transaction.ongoing(account) == []
                assert transaction.enrollments(account) == []
                assert transaction.suppressions(account) == []
                assert transaction.statistics(account, version.sequence_id) == {}
