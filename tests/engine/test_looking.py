"""Listening, statistics, explanations and paging (S2, T10)."""

from __future__ import annotations

from typing import Any

import pytest

from sequencer import Engine, InvalidInput, NotFound, Rejected, Replied
from tests.engine.sequences import lead, mails, tasks


def test_s2_a_listener_hears_everything_after_its_commit_in_order(store, clock, mailer):
    """Every event of every enrollment is told once it can be read back, in the order of each history (S2)."""
    heard: list[Any] = []

    def listen(event):
        assert event in engine.history(event.enrollment_id)
        heard.append(event)

    engine = Engine(store=store, mailer=mailer, clock=clock, listener=listen)
    ids = [engine.enroll(mails(), lead(i, f"{i}@example.com")).id for i in range(3)]
    engine.tick()
    engine.block(ids[0])
    for id in ids:
        assert [event for event in heard if event.enrollment_id == id] == list(engine.history(id))


def test_s2_a_failing_listener_is_harmless(store, clock, mailer):
    """What a listener raises stays with it: the verb is done, and later events are told all the same (S2)."""
    heard: list[Any] = []

    def listen(event):
        heard.append(event.type)
        if event.type == "blocked":
            raise RuntimeError("the listener's own trouble")

    engine = Engine(store=store, mailer=mailer, clock=clock, listener=listen)
    id = engine.enroll(mails(), lead()).id
    assert engine.block(id).changed
    engine.resume(id)
    assert heard == ["enrolled", "blocked", "resumed"]


def test_s2_a_listener_that_was_away_hears_what_it_missed(store, clock, mailer):
    """What happened while no engine listened under a name is told when one does again, at least once (S2)."""
    first: list[Any] = []
    second: list[Any] = []
    id = Engine(store=store, clock=clock, listener=first.append, listener_name="crm").enroll(mails(), lead()).id
    Engine(store=store, clock=clock).block(id)
    Engine(store=store, clock=clock, listener=second.append, listener_name="crm").resume(id)
    assert [event.type for event in first + second] == ["enrolled", "blocked", "resumed"]


def test_s2_a_listener_that_dies_hears_it_again(store, clock):
    """An event during which the process died is told again to the next one (S2)."""
    heard: list[Any] = []

    def dies(event):
        raise KeyboardInterrupt

    engine = Engine(store=store, clock=clock, listener=dies)
    with pytest.raises(KeyboardInterrupt):
        engine.enroll(mails(), lead())
    engine = Engine(store=store, clock=clock, listener=lambda event: heard.append(event.type))
    engine.tick()
    assert "enrolled" in heard


def test_a_listener_may_use_the_engine(store, clock):
    """A listener that calls a verb causes events of its own, which it is told in their turn (S2)."""
    heard: list[Any] = []

    def listen(event):
        heard.append(event.type)
        if event.type == "enrolled":
            engine.block(event.enrollment_id)

    engine = Engine(store=store, clock=clock, listener=listen)
    engine.enroll(mails(), lead())
    assert heard == ["enrolled", "blocked"]


def test_statistics_add_up(engine, mailer, clock):
    """Every enrollment counts once, under its state and its reason, over all versions of the sequence."""
    mailer.fail(Rejected("no", permanent=True), to="1@example.com")
    ids = [engine.enroll(mails(count=2 + i % 2), lead(i, f"{i}@example.com")).id for i in range(6)]
    engine.tick()
    engine.block(ids[2])
    engine.finish(ids[3])
    engine.handle(Replied(key="1", enrollment_id=ids[4]))
    counts = engine.statistics("mails")
    assert (counts.active, counts.blocked, counts.finished) == (
        2,
        {"delivery_failed": 1, "paused": 1},
        {"manual": 1, "replied": 1},
    )
    assert counts.total == 6
    assert counts.reply_rate == 1.0
    engine.enroll(mails("one", count=1), lead(9, "9@example.com"))
    engine.tick()
    engine.handle(Replied(key="2", email="9@example.com"))
    # Who answers the last mail has run to the end: the rate is of those that a reply has ended.
    assert (engine.statistics("one").finished, engine.statistics("one").reply_rate) == ({"completed": 1}, 0)
    with pytest.raises(NotFound):
        engine.statistics("others")


def test_t10_an_explanation_mentions_what_matters(engine, mailer, clock):
    """It says where each step stands and why, in the enrollment's own zone (T10)."""
    mailer.fail(Rejected("mailbox full", permanent=True))
    id = engine.enroll(mails(), lead(), timezone="Europe/Warsaw").id
    assert "Europe/Warsaw" in str(engine.explain(id))
    assert "10:00" in str(engine.explain(id))
    engine.tick()
    told = str(engine.explain(id))
    assert all(word in told for word in ("blocked", "delivery_failed", "mailbox full", "Resume"))
    engine.resume(id)
    engine.tick()
    assert "accepted by the mailer" in str(engine.explain(id))
    engine.finish(id, actor_id=7)
    assert all(word in str(engine.explain(id)) for word in ("finished", "by 7", "a person ended it", "cancelled"))


def test_explaining_changes_nothing(engine):
    """Reading is reading: history and revision stay as they are."""
    id = engine.enroll(tasks(), lead()).id
    before = engine.get(id), engine.history(id)
    engine.explain(id)
    assert (engine.get(id), engine.history(id)) == before


def test_paging_meets_everyone_once(engine):
    """Paging by `after` gives every enrollment once, in the order of ids; filters keep what they say."""
    ids = [engine.enroll(mails(), lead(i, None)).id for i in range(25)]
    engine.block(ids[3])
    engine.finish(ids[4])
    met, after = [], None
    while page := engine.enrollments(after=after, limit=7):
        met += [each.id for each in page]
        after = met[-1]
    assert met == ids
    assert [each.id for each in engine.enrollments(state="blocked")] == [ids[3]]
    assert [each.id for each in engine.enrollments(state="finished")] == [ids[4]]
    assert [each.id for each in engine.enrollments(lead(5))] == [ids[5]]
    for bad in ({"limit": 0}, {"limit": True}, {"state": "open"}):
        with pytest.raises(InvalidInput):
            engine.enrollments(**bad)


@pytest.mark.parametrize(
    ("id", "error"),
    [
        (0, NotFound),
        (-1, NotFound),
        (2**63, NotFound),
        (10**30, NotFound),
        ("1", InvalidInput),
        (None, InvalidInput),
        (True, InvalidInput),
        (1.5, InvalidInput),
    ],
)
def test_an_id_that_is_none_finds_nothing(engine, id, error):
    """A number that names nothing is not found, and what is no whole number is bad input: True is not 1 (S6, S7)."""
    engine.enroll(mails(), lead())
    with pytest.raises(error):
        engine.get(id)
