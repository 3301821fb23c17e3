"""`together`: several verbs and reads as one transaction, done whole or not at all, on a store of each kind."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

from sequencer import Engine, InvalidInput, Misuse, NotFound, Resource
from tests.engine.sequences import mails

ADA, BOB = (Resource("lead", n, email=f"{n}@example.com") for n in (1, 2))


@pytest.fixture
def engine(store, clock):
    return Engine(store, clock=clock)


def test_what_is_done_together_is_done(engine):
    """Verbs and reads in the block see what those before them have done; after it, all of that is stored (S1)."""
    stored = engine.create_sequence(mails())
    with engine.together() as one:
        ada = one.enroll(one.stored_sequence(stored.id).version, ADA)
        held = one.block(ada.id).enrollment
        assert one.get(ada.id) == held
        assert one.account(None).enroll(stored.id, BOB).version == stored.version
    assert engine.get(ada.id) == held
    assert len(engine.enrollments()) == 2


def test_what_is_refused_undoes_all(engine):
    """An error in the block undoes all that was done in it, also one that was kept in: then the block says so."""
    id = engine.create_sequence(mails()).id

    def refused(*kept_in):
        with engine.together() as one:
            one.enroll(id, ADA)
            with suppress(*kept_in):
                one.block(404)

    with pytest.raises(NotFound):
        refused()
    with pytest.raises(Misuse, match=r"let the refusal out of the block: NotFound: no enrollment 404") as raised:
        refused(NotFound)
    assert isinstance(raised.value.__cause__, NotFound)
    assert engine.enrollments() == ()


def test_a_read_that_finds_nothing_refuses_nothing(engine):
    """What a read does not find may be kept in: reading has changed nothing."""
    id = engine.create_sequence(mails()).id
    with engine.together() as one:
        with pytest.raises(NotFound):
            one.get(404)
        one.enroll(id, ADA)
    assert len(engine.enrollments()) == 1


def test_for_as_long_as_the_block(engine):
    """The engine of the block is good for nothing after it, and takes no other connection in it."""
    with engine.together(write=False) as one:
        assert one.enrollments() == ()
        with pytest.raises(InvalidInput, match="together"):
            one.enrollments(connection=object())
    for verb in (one.enrollments, lambda: one.block(1)):
        with pytest.raises(Misuse, match="ended"):
            verb()


def test_a_sequence_is_as_the_block_has_made_it(engine):
    """However often it was read in the block before, it is read as the block has replaced, deleted or saved it."""
    id = engine.create_sequence(mails()).id
    with engine.together() as one:
        seen = [one.stored_sequence(id), one.stored_sequence(id)]
        seen += [one.replace_sequence(id, mails(count=3)), one.stored_sequence(id)]
        assert [len(each.sequence.steps) for each in seen] == [2, 2, 3, 3]
        assert one.enroll(id, ADA).version == seen[-1].version
        one.delete_sequence(id)
        with pytest.raises(NotFound):
            one.stored_sequence(id)
        assert one.stored_sequences(ids=[id]) == ()
        (deleted,) = one.stored_sequences(ids=[id], deleted=True)
        assert deleted.deleted_at is not None
        one.save(mails(count=1))
        assert len(one.stored_sequence(id).sequence.steps) == 1
    assert len(engine.stored_sequence(id).sequence.steps) == 1


@pytest.mark.parametrize("write", [True, False])
def test_the_store_can_be_asked_in_the_block(engine, write):
    """What the block's own transaction is asked sees what the block sees; outside of a block there is none."""
    id = engine.create_sequence(mails()).id
    with engine.together(write=write, alone=False) as one:
        if write:
            one.enroll(id, ADA)
        assert len(one.transaction.ongoing(None, resource=ADA)) == write
    for each in (engine, one):
        with pytest.raises(Misuse, match="together"):
            _ = each.transaction


def test_a_block_for_reads_refuses_verbs(engine):
    """With `write=False` a verb in the block is refused before it has asked anything of the store (S2)."""
    id = engine.create_sequence(mails()).id
    with engine.together(write=False) as one:
        with pytest.raises(Misuse, match="write=False"):
            one.enroll(id, ADA)
        assert one.enrollments() == ()


def test_nothing_is_handed_over_in_it(engine):
    """A tick in the block is refused, also where only reads are in it: only what is committed is handed over (E1)."""
    for write in (True, False):
        with engine.together(write=write) as one, pytest.raises(Misuse, match="handed over"):
            one.account(None).tick()


def test_a_block_in_a_block_for_reads_is_for_reads(engine):
    """In a block with `write=False` another one reads, too, and one for verbs is refused (S2)."""
    id = engine.create_sequence(mails()).id
    with engine.together(write=False) as one:
        with one.together(write=False) as inner:
            assert inner.stored_sequence(id).id == id
        with pytest.raises(Misuse, match="reads alone"), one.together():
            pytest.fail("the block must not begin")


def test_it_belongs_to_its_thread(engine):
    """A verb or a read on another thread is refused: it might be under way when the transaction is over (S2)."""
    id = engine.create_sequence(mails()).id
    raised = []

    def act(do):
        try:
            do()
        except Misuse as error:
            raised.append(str(error))

    with engine.together() as one:
        for do in (one.enrollments, lambda: one.enroll(id, ADA)):
            thread = threading.Thread(target=act, args=(do,))
            thread.start()
            thread.join()
    assert len(raised) == 2
    assert all("thread" in each for each in raised)
    assert engine.enrollments() == ()


def test_listeners_hear_of_it_after_the_commit(store, clock):
    """What was done in the block is told once, after its commit (S2)."""
    told: list[Any] = []
    engine = Engine(store, clock=clock, listener=told.append)
    id = engine.create_sequence(mails()).id
    with engine.together() as one:
        one.enroll(id, ADA)
        one.enroll(id, BOB)
        assert told == []
    assert [event.subject.resource_id for event in told] == [1, 2]
