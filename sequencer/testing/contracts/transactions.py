"""What a store's transactions keep to, alone and among threads (laws S1, S2)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sequencer.core.enrollment import Resource
from sequencer.core.errors import InvalidInput, Misuse
from sequencer.engine.stored import StoredReport
from sequencer.testing.contracts.workbench import (
    LEASE,
    NOW,
    begin,
    begun,
    board_task,
    failing,
    finish,
    later,
    send,
    sequence_named,
)


class Transactions:
    """Blocks that commit, that fail, that only read, in one thread and in several."""

    def leave_thread(self) -> None:
        """What a thread that used the store does at its end; nothing, unless connections belong to threads."""

    def test_a_block_that_ends_is_kept(self, store: Any) -> None:
        """What was written in a block is there in the next one."""
        enrollment = begun(store)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_a_block_that_fails_leaves_nothing(self, store: Any) -> None:
        """An exception takes back everything that the block wrote, whatever it was."""
        kept = begun(store, 1, key="first")
        with store.transaction() as transaction:
            transaction.suppress(None, "kept@example.com", NOW, "manual")
            task = transaction.create_task(board_task(kept))
            cursor = transaction.cursor("listener")
        before = self.everything(store)

        with failing(store) as transaction:
            send(transaction, transaction.get(kept.id).enrollment)
            begin(store, transaction, 2, sequence=sequence_named("other"), key="second")
            transaction.save_version(None, sequence_named(mails=3), NOW)
            transaction.claim(later(days=9), 10, LEASE)
            transaction.save_report(None, "r-1", StoredReport("digest", (1,)), NOW)
            transaction.suppress(None, "b@example.com", NOW, "manual")
            transaction.unsuppress(None, "kept@example.com")
            transaction.create_task(board_task(kept, "k-2"))
            transaction.close_task(task, "done", NOW)
            transaction.set_cursor("listener", cursor + 5)
            transaction.erase(None, kept.resource)
            finish(transaction, transaction.get(kept.id).enrollment)
            transaction.purge(None, later(days=1), 10)
            assert transaction.get(kept.id) is None

        assert self.everything(store) == before

    def everything(self, store: Any) -> dict[str, Any]:
        """All that can be asked of a store in one value, to be compared."""
        with store.transaction() as transaction:
            enrollments = transaction.enrollments(None, limit=1000)
            return {
                "held": [transaction.get(each.id) for each in enrollments],
                "events": transaction.events_after(0, 1000),
                "sequences": transaction.sequences(None),
                "templates": [transaction.template(n, 0) for n in (1, 2, 3)],
                "references": [
                    transaction.find(None, kind, value)
                    for kind, value in (
                        ("idempotency", "first"),
                        ("idempotency", "second"),
                        ("message", f"<{store.origin}-1-0-0@x>"),
                    )
                ],
                "report": transaction.report(None, "r-1"),
                "suppressions": transaction.suppressions(None),
                "tasks": transaction.tasks(None, status=None),
                "cursor": transaction.cursor("listener"),
                "next": transaction.next_wake(),
                "addresses": transaction.addresses_of(None, Resource("lead", 1)),
            }

    def test_a_store_goes_on_after_a_failure(self, store: Any) -> None:
        """After a block that failed the next one works."""
        with failing(store) as transaction:
            begin(store, transaction)

        enrollment = begun(store)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_a_second_transaction_of_its_own_is_refused_inside_one(self, store: Any) -> None:
        """Opening another transaction inside a block of the same thread is an error at once, not a deadlock."""
        with store.transaction() as transaction:
            with pytest.raises(Misuse, match="open in this thread already"), store.transaction():
                pass
            enrollment = begin(store, transaction)

        with store.transaction() as transaction:
            assert transaction.get(enrollment.id) is not None

    def test_what_is_no_connection_is_refused(self, store: Any) -> None:
        """A connection that the store cannot join is refused with a remedy."""
        with pytest.raises(InvalidInput, match="connection"), store.transaction(object()):
            pass

    def test_reading_only(self, store: Any) -> None:
        """A block that only reads sees what is committed."""
        enrollment = begun(store)

        with store.transaction(write=False) as transaction:
            assert transaction.get(enrollment.id).enrollment == enrollment

    def test_threads(self, store: Any) -> None:
        """Several threads write at the same time, and nothing is lost."""
        begun(store, 0)
        failures: list[BaseException] = []

        def work(thread: int) -> None:
            try:
                for n in range(10):
                    begun(store, f"{thread}-{n}", sequence=sequence_named(f"of {thread}"))
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                failures.append(error)
            finally:
                self.leave_thread()

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert failures == []
        with store.transaction() as transaction:
            found = transaction.enrollments(None, limit=1000)
            assert len(found) == len({each.id for each in found}) == 41
            assert {each.resource.id for each in found} == {0, *(f"{t}-{n}" for t in range(4) for n in range(10))}
