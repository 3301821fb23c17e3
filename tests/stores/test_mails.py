"""What the stores count of the mails in actors' names (law E5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sequencer.core.signals import Due, EmailFailed, EmailPending, EmailSent, Finish, Reassign, Resume, Withdraw
from sequencer.stores.memory import MemoryStore
from sequencer.stores.sqlite import SQLiteStore
from sequencer.testing.contracts.workbench import DUE, NOW, begun, do, later
from tests import postgres as server

LONG_AGO = NOW - timedelta(days=400)
AHEAD = NOW + timedelta(days=4000)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request, tmp_path):
    made: dict[str, Any] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLiteStore(tmp_path / "mails.db"),
        "postgres": server.new_store,
    }
    store = made[request.param]()
    yield store
    store.close()


def left(store: Any, actor: Any = 7, since: Any = LONG_AGO, now: Any = NOW, ahead: Any = AHEAD) -> list[Any]:
    who = (None, actor)
    with store.transaction() as transaction:
        found = transaction.mails_left({who: since}, now, ahead=ahead)[who]
        # However they are asked about, they are the same mails.
        waiting = transaction.mails_expected([who], NOW)[who]
        for expected_since, count in ((NOW, len(found) + len(waiting)), (None, len(found))) if now == NOW else ():
            counted = transaction.mails_counted({who: since}, NOW, ahead=ahead, expected_since=expected_since)
            assert counted == {who: count}
    return [(each.enrollment_id, each.step, each.standing, each.at) for each in found]


def expected(store: Any, actor: Any = 7) -> list[Any]:
    with store.transaction() as transaction:
        found = transaction.mails_expected([(None, actor)], LONG_AGO)[None, actor]
    return [(each.enrollment_id, each.step, each.standing, each.at, each.follow_up) for each in found]


def told(store: Any, enrollment: Any, *signals: Any, now: Any = NOW) -> Any:
    """What these signals, one decision each, make of it."""
    for signal in signals:
        with store.transaction() as transaction:
            enrollment = do(transaction, enrollment, signal, now)
    return enrollment


def key(enrollment: Any) -> str:
    return f"{enrollment.origin}-{enrollment.id}-0-0"


def test_e5_a_mail_is_out_and_then_sent(store):
    """A mail counts as out from its request, and as sent from when it was accepted; then the follow-up waits (E5)."""
    enrollment = begun(store)
    assert (left(store), expected(store)) == ([], [])
    enrollment = told(store, enrollment, DUE)
    assert left(store) == [(1, 0, "out", NOW)]

    told(store, enrollment, EmailSent(effect_key=key(enrollment), message_id="<a@x>"), now=later(minutes=5))
    assert left(store) == [(1, 0, "sent", later(minutes=5))]
    assert expected(store) == [(1, 1, "waiting", later(hours=24, minutes=5), True)]
    assert left(store, since=later(minutes=5)) == []


def test_e5_what_has_not_left_is_not_counted(store):
    """Withdrawn or refused, for now or for good, a mail is no longer counted (E5)."""
    outcomes: list[Any] = [
        Withdraw,
        lambda key, attempt: EmailFailed(effect_key=key, permanent=False),
        lambda key, attempt: EmailFailed(effect_key=key),
    ]
    for n, signal in enumerate(outcomes):
        enrollment = told(store, begun(store, n, email=f"{n}@example.com"), DUE)
        assert len(left(store)) == 1
        told(store, enrollment, signal(key(enrollment), 1))
        assert left(store) == []


def test_e5_what_may_have_left_is_counted_until_more_is_known(store):
    """Without an answer a mail counts from when it was given up; its withdrawn repeat leaves that as it was (E5)."""
    enrollment = told(store, begun(store), DUE)
    lost = EmailFailed(effect_key=key(enrollment), permanent=False, known=False)
    enrollment = told(store, enrollment, lost, now=later(minutes=1))
    assert left(store) == [(1, 0, "sent", later(minutes=1))]

    again = told(store, enrollment, Due(DUE.email), now=later(hours=1))
    assert left(store) == [(1, 0, "out", later(minutes=1))]
    told(store, again, Withdraw(key(enrollment), 2), now=later(hours=2))
    assert left(store) == [(1, 0, "sent", later(minutes=1))]


def test_e5_an_end_says_nothing_about_what_is_out(store):
    """When an enrollment finishes, a mail that was taken back is not counted, one that nobody knows of is (E5)."""
    taken_back = told(store, begun(store, 1, email="1@example.com"), Due())
    told(store, taken_back, Finish("manual"))
    assert left(store) == []

    marked = told(store, begun(store, 2, email="2@example.com"), DUE)
    told(store, marked, Finish("manual"))
    assert left(store) == [(2, 0, "out", NOW)]
    told(store, told_again(store, 2), Due(), now=later(hours=1))
    assert left(store) == [(2, 0, "sent", later(hours=1))]


def told_again(store: Any, id: int) -> Any:
    with store.transaction() as transaction:
        return transaction.get(id).enrollment


def test_e5_a_provider_that_answers_later_has_it_already(store):
    """What the mailer will answer for later counts as sent; its refusal takes that back (E5)."""
    enrollment = told(store, begun(store), DUE)
    enrollment = told(store, enrollment, EmailPending(effect_key=key(enrollment), provider_id="p"))
    assert left(store) == [(1, 0, "sent", NOW)]

    told(store, enrollment, EmailFailed(effect_key=key(enrollment), provider_id="p"), now=later(hours=1))
    assert left(store) == []


def test_e5_a_new_actor_gets_what_waits(store):
    """After a reassignment what was sent stays the former actor's; what waits is the new one's, or nobody's (E5)."""
    enrollment = told(store, begun(store), DUE)
    enrollment = told(store, enrollment, EmailSent(effect_key=key(enrollment), message_id="<a@x>"), Reassign(8))
    assert (len(left(store)), expected(store), len(left(store, 8)), len(expected(store, 8))) == (1, [], 0, 1)

    told(store, enrollment, Reassign(None))
    assert (len(left(store)), expected(store, 8)) == (1, [])


def lost(enrollment: Any) -> Any:
    return EmailFailed(effect_key=key(enrollment), permanent=False, known=False)


def test_e5_a_repeat_in_another_name_counts_for_both(store):
    """What may have left stays with each actor in whose name it may have, however often it is reassigned (E5)."""
    enrollment = told(store, begun(store), DUE)
    enrollment = told(store, enrollment, lost(enrollment), Reassign(8))
    assert (len(left(store)), len(left(store, 8))) == (1, 0)

    enrollment = told(store, enrollment, DUE, now=later(hours=1))
    assert left(store) == [(1, -1, "sent", NOW)]
    assert left(store, 8) == [(1, 0, "out", later(hours=1))]

    enrollment = told(store, enrollment, lost(enrollment), Reassign(9), now=later(hours=1))
    enrollment = told(store, enrollment, DUE, now=later(hours=2))
    found = [left(store, actor) for actor in (7, 8, 9)]
    assert found == [
        [(1, -1, "sent", NOW)], [(1, -2, "sent", later(hours=1))], [(1, 0, "out", later(hours=2))]
    ]  # fmt: skip

    told(store, enrollment, EmailFailed(effect_key=key(enrollment)), now=later(hours=3))
    assert [len(left(store, actor)) for actor in (7, 8, 9)] == [1, 1, 0]


@pytest.mark.parametrize("actor", [8, None])
def test_e5_what_has_not_begun_goes_back_with_its_actor(store, actor):
    """Without a start mark a mail is withdrawn when it is reassigned: it is out in nobody's name then (E3, E5)."""
    enrollment = told(store, begun(store), Due())
    assert left(store) == [(1, 0, "out", NOW)]
    enrollment = told(store, enrollment, Reassign(actor))
    assert (left(store), left(store, 8), enrollment.current.status) == ([], [], "pending")

    told(store, enrollment, Due())
    assert len(left(store, 8)) == (actor is not None)


def test_e5_under_a_new_key_it_is_another_mail(store):
    """An attempt that may have left counts on when a person repeats a mail that was refused after it (E2, E5)."""
    enrollment = told(store, begun(store), DUE)
    enrollment = told(store, enrollment, lost(enrollment))
    enrollment = told(store, enrollment, DUE, now=later(hours=1))
    enrollment = told(store, enrollment, EmailFailed(effect_key=key(enrollment)), now=later(hours=1))
    assert left(store) == [(1, 0, "sent", NOW)]

    enrollment = told(store, enrollment, Resume(), DUE, now=later(hours=2))
    assert enrollment.current.generation == 1
    assert sorted(left(store)) == [(1, -1, "sent", NOW), (1, 0, "out", later(hours=2))]


def test_e5_a_clock_that_was_ahead(store):
    """What left in the future of a corrected clock left by now; what left long ago is forgotten (E5, E6)."""
    enrollment = told(store, begun(store), DUE, now=later(days=300))
    told(store, enrollment, EmailSent(effect_key=key(enrollment), message_id="<a@x>"), now=later(days=300))

    assert left(store, ahead=later(days=301)) == [(1, 0, "sent", later(days=300))]
    with store.transaction() as transaction:
        span, ahead = {(None, 7): later(days=-1)}, later(minutes=4)
        assert transaction.mails_counted(span, NOW, ahead=ahead, expected_since=None) == {(None, 7): 1}
    assert left(store, since=later(days=200)) == []
    assert left(store, ahead=later(minutes=4)) == [(1, 0, "sent", NOW)]
    assert left(store, ahead=later(minutes=4), now=later(days=31)) == [(1, 0, "sent", NOW)]
    assert left(store) == []
