"""What a store keeps around enrollments: the stream of events, reports, suppressions, tasks (laws S2, S8, L8)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sequencer.core.errors import Conflict
from sequencer.core.events import Subject, replay
from sequencer.core.signals import Block, Reassign
from sequencer.engine.stored import StoredReport, Suppression
from sequencer.testing.contracts.workbench import (
    ADA,
    LEASE,
    NOW,
    begun,
    board_task,
    do,
    finish,
    later,
    send,
)
from sequencer.testing.laws import impersonal


class Around:
    """Events, reports, suppressions, the embedded board, forgetting."""

    def test_the_stream_of_events(self, store: Any) -> None:
        """All events are read in the order of their commits, from a cursor on, each once."""
        one, other = begun(store, 1), begun(store, 2)
        with store.transaction() as transaction:
            sent = send(transaction, other)
            do(transaction, one, Block())

        with store.transaction() as transaction:
            found = transaction.events_after(0, 100)
            assert [(event.enrollment_id, event.number) for event in found] == [
                (one.id, 1),
                (other.id, 1),
                (other.id, 2),
                (other.id, 3),
                (one.id, 2),
            ]
            cursors = [event.cursor for event in found]
            assert cursors == sorted(set(cursors))
            assert transaction.events_after(cursors[1], 2) == found[2:4]
            assert transaction.events_after(cursors[-1], 9) == []
            assert [event for event in found if event.enrollment_id == other.id] == transaction.events(other.id)
        assert sent.revision == 3

    def test_a_new_listener_starts_at_the_end(self, store: Any) -> None:
        """A listener's cursor starts at the end of what is stored, and stays where it was set."""
        begun(store, 1)
        with store.transaction() as transaction:
            start = transaction.cursor("crm")
        begun(store, 2)

        with store.transaction() as transaction:
            assert transaction.cursor("crm") == start
            (event,) = transaction.events_after(start, 9)
            transaction.set_cursor("crm", event.cursor)
            assert event.type == "enrolled"
        with store.transaction() as transaction:
            assert transaction.cursor("crm") == event.cursor == transaction.cursor("another")

    @pytest.mark.parametrize("account", [None, 0, "acme"])
    @pytest.mark.parametrize("resource_id", [42, "42"])
    def test_events_say_whose_they_are(self, store: Any, account: Any, resource_id: Any) -> None:
        """An event that is read from all of them names account, sequence, resource and actor as they were given."""
        begun(store, 1, account="somebody else")
        enrollment = begun(store, resource_id, account=account)
        with store.transaction() as transaction:
            do(transaction, enrollment, Reassign('the "other"'))

        with store.transaction(write=False) as transaction:
            theirs, first, second = transaction.events_after(0, 9)
            subject = Subject(account, "outreach", 1, "lead", resource_id, 'the "other"')
            assert first.subject == second.subject == subject
            assert (type(first.subject.account), type(first.subject.resource_id)) == (type(account), type(resource_id))
            assert theirs.subject.account == "somebody else"
            assert [first, second] == transaction.events(enrollment.id)

    def test_one_tells_at_a_time(self, store: Any) -> None:
        """The feed of a name is leased to one owner, who keeps it by a token; left or run out, it is free (S3)."""
        with store.transaction() as transaction:
            token = transaction.lease_feed("crm", NOW, LEASE)
            assert token is not None
            assert transaction.lease_feed("other", NOW, LEASE) is not None
        with store.transaction() as transaction:
            assert transaction.lease_feed("crm", later(seconds=LEASE - 1), LEASE) is None
            kept = transaction.lease_feed("crm", later(seconds=30), LEASE, token)
            assert transaction.lease_feed("crm", later(seconds=LEASE + 1), LEASE) is None
            assert transaction.lease_feed("crm", later(seconds=31), LEASE, token) is None
            transaction.leave_feed("crm", token)
            assert transaction.lease_feed("crm", later(seconds=31), LEASE) is None
        with store.transaction() as transaction:
            taken_over = transaction.lease_feed("crm", later(seconds=30 + LEASE), LEASE)
            assert taken_over not in (None, kept)
            assert transaction.lease_feed("crm", later(hours=9), LEASE, kept) is None
            transaction.leave_feed("crm", taken_over)
            assert transaction.lease_feed("crm", later(hours=9), LEASE, taken_over) is None
        with store.transaction() as transaction:
            assert transaction.lease_feed("crm", NOW, LEASE) == token
            # A clock that was ahead by more than a lease is not believed (E6).
            assert transaction.lease_feed("other", later(seconds=-LEASE), LEASE) is None
            assert transaction.lease_feed("other", later(seconds=-LEASE - 1), LEASE) is not None

    def test_reports(self, store: Any) -> None:
        """A report is found under its key and account, with what it changed; it is handled once."""
        report = StoredReport("digest", (3, 1))
        with store.transaction() as transaction:
            transaction.save_report(None, "r-1", report, NOW)
            transaction.save_report("acme", "r-1", StoredReport("other", ()), NOW)

        with store.transaction() as transaction:
            assert transaction.report(None, "r-1") == report
            assert transaction.report("acme", "r-1") == StoredReport("other", ())
            assert transaction.report(None, "r-2") is None
        with pytest.raises(Conflict), store.transaction() as transaction:
            transaction.save_report(None, "r-1", report, NOW)

    def test_suppression(self, store: Any) -> None:
        """An address is suppressed once, in its account, until that is lifted; all are listed, oldest first."""
        with store.transaction() as transaction:
            assert transaction.suppress(None, "b@example.com", NOW, "unsubscribed")
            assert transaction.suppress(None, "a@example.com", NOW, "manual")
            assert transaction.suppress(None, "c@example.com", later(hours=-1), "manual")
            assert not transaction.suppress(None, "b@example.com", later(hours=1), "manual")
        with store.transaction() as transaction:
            assert transaction.suppressions(None) == [
                Suppression("c@example.com", later(hours=-1), "manual"),
                Suppression("b@example.com", NOW, "unsubscribed"),
                Suppression("a@example.com", NOW, "manual"),
            ]
            assert transaction.is_suppressed(None, "a@example.com")
            assert not transaction.is_suppressed("acme", "a@example.com")
            assert transaction.unsuppress(None, "a@example.com")
            assert not transaction.unsuppress(None, "a@example.com")
            assert not transaction.is_suppressed(None, "a@example.com")

    def test_a_task_on_the_board(self, store: Any) -> None:
        """A task is put on the board once for each key, is read as it was given, and is closed once."""
        enrollment = begun(store)
        task = board_task(enrollment)
        with store.transaction() as transaction:
            id = transaction.create_task(task)
            assert transaction.create_task(attrs.evolve(task, task_content="again")) == id
            assert transaction.task(id) == attrs.evolve(task, id=id)
            assert transaction.close_task(id, "done", later(hours=1))
            assert not transaction.close_task(id, "cancelled", later(hours=2))
        with store.transaction() as transaction:
            assert transaction.task(id) == attrs.evolve(task, id=id, status="done", closed_at=later(hours=1))

    def test_the_board_is_listed(self, store: Any) -> None:
        """Tasks are listed in the order of their ids, by account, actor and status."""
        mine, theirs = begun(store), begun(store, account="acme")
        with store.transaction() as transaction:
            ids = [transaction.create_task(board_task(mine, f"k-{n}", actor_id=n % 2 or "0")) for n in range(6)]
            transaction.create_task(board_task(theirs, "k-9"))
            transaction.close_task(ids[2], "done", NOW)

        def found(**what: Any) -> list[int]:
            with store.transaction() as transaction:
                return [task.id for task in transaction.tasks(None, **what)]

        assert found() == [id for id in ids if id != ids[2]]
        assert found(status=None) == ids
        assert found(status="done") == [ids[2]]
        assert found(actor_id=1) == ids[1::2]
        assert found(actor_id="0", status=None, limit=2) == [ids[0], ids[2]]
        assert found(actor_id=0) == []
        assert found(after=ids[0], limit=2) == [ids[1], ids[3]]

    def test_erase(self, store: Any) -> None:
        """Erasing forgets what is personal of one resource, and nothing else; history and counts stay (S8)."""
        enrollment, other = begun(store), begun(store, 43, email="bob@example.com")
        with store.transaction() as transaction:
            sent = send(transaction, enrollment)
            task = transaction.create_task(board_task(sent))
            kept = transaction.create_task(board_task(other, "k-2"))
            for address in ("ada@example.com", "bob@example.com"):
                transaction.suppress(None, address, NOW, "manual")
            events = transaction.events(sent.id)
            assert transaction.erase("acme", ADA) == 0
            assert transaction.erase(None, ADA) == 1

        with store.transaction() as transaction:
            erased = transaction.get(sent.id).enrollment
            assert erased == impersonal(sent)
            assert transaction.events(sent.id) == events
            assert replay(erased.version, events) == erased
            assert transaction.addresses_of(None, ADA) == []
            assert transaction.ongoing(None, address="ada@example.com") == []
            assert transaction.find(None, "message", sent.steps[0].message_id) is None
            assert transaction.task(task).task_content == ""
            assert [each.address for each in transaction.suppressions(None)] == [None, "bob@example.com"]
            assert transaction.is_suppressed(None, "ada@example.com")
            assert not transaction.suppress(None, "ada@example.com", NOW, "manual")
            assert transaction.get(other.id).enrollment == other
            assert transaction.task(kept).task_content == "Call Ada"
            assert [held.enrollment for held in transaction.ongoing(None, resource=ADA)] == [erased]

    def test_purge(self, store: Any) -> None:
        """Purging deletes what finished before an instant, oldest first, with all that hangs on it."""
        enrollments = [begun(store, n, key=f"key-{n}") for n in range(4)]
        with store.transaction() as transaction:
            sent = [send(transaction, each) for each in enrollments]
            for each, hours in zip(sent[:3], (3, 1, 2), strict=True):
                finish(transaction, each, later(hours=hours))
            tasks = [transaction.create_task(board_task(each, f"k-{each.id}")) for each in sent]
            for task in tasks[1:]:
                transaction.close_task(task, "done", NOW)

        with store.transaction() as transaction:
            assert transaction.purge("acme", later(days=1), 9) == 0
            assert transaction.purge(None, later(hours=1), 9) == 0
            assert transaction.purge(None, later(days=1), 1) == 1
            assert transaction.get(sent[1].id) is None
            assert transaction.purge(None, later(days=1), 9) == 2
            assert transaction.purge(None, later(days=1), 9) == 0
        with store.transaction() as transaction:
            assert [each.id for each in transaction.enrollments(None)] == [sent[3].id]
            assert [transaction.task(task) is None for task in tasks] == [False, True, True, False]
            for n, each in enumerate(sent):
                gone = n < 3
                assert (transaction.events(each.id) == []) is gone
                assert (transaction.find(None, "message", each.steps[0].message_id) is None) is gone
                assert (transaction.find(None, "idempotency", f"key-{n}") is None) is gone
                assert (transaction.ongoing(None, resource=each.resource) == []) is gone
            end = transaction.cursor("listener")
            assert transaction.events_after(end, 9) == []
        begun(store, 0, key="key-0")
        with store.transaction() as transaction:
            (event,) = transaction.events_after(end, 9)
            assert event.cursor > end
