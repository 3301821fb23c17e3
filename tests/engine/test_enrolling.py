"""Who may be enrolled (L9), idempotency keys, and many at once (S6)."""

from __future__ import annotations

import pendulum
import pytest

from sequencer import AlreadyEnrolled, Conflict, Hours, InvalidInput, NotFound, Policy, Resource, Row, Suppressed
from tests.engine.sequences import exclusive, lead, mails, tasks


@pytest.mark.parametrize(
    "again",
    [
        lead(1),
        lead(1, email=None),
        lead(1, email="other@example.com"),
        lead(2, email=" ADA@Example.com "),
        Resource("contact", 1, email="ada@example.com"),
    ],
)
def test_l9_a_resource_or_its_address_cannot_be_enrolled_twice(engine, again):
    """A second enrollment in the same sequence is refused and names the first, by resource or by address (L9)."""
    first = engine.enroll(mails(), lead(1))
    with pytest.raises(AlreadyEnrolled) as refusal:
        engine.enroll(mails(), again)
    assert refusal.value.existing_id == first.id
    assert len(engine.enrollments()) == 1


@pytest.mark.parametrize(
    "other", [lead("1", email="x@y.example"), Resource("contact", 1), lead(2, email=None), lead(3, email=" ")]
)
def test_l9_another_resource_is_another(engine, other):
    """The ids 1 and "1" differ, as do types; no address matches nothing (L9, S7)."""
    engine.enroll(mails(), lead(1, email=None))
    assert engine.enroll(mails(), other).id


def test_l9_the_same_sequence_is_its_key(engine):
    """Changed content under the same key is the same sequence; another key is another (L9)."""
    engine.enroll(mails(), lead())
    with pytest.raises(AlreadyEnrolled):
        engine.enroll(mails(count=3), lead())
    assert engine.enroll(mails("others"), lead()).id


def test_l9_a_finished_enrollment_forbids_nothing(engine):
    """Without `reenroll_after` a finished enrollment may be followed by another at once (L9)."""
    engine.finish(engine.enroll(mails(), lead()).id)
    assert engine.enroll(mails(), lead()).id


@pytest.mark.parametrize("by", ["resource", "address"])
def test_l9_again_only_after_some_days(engine, clock, by):
    """With `reenroll_after` the refusal names the enrollment and the instant from which it is possible again (L9)."""
    policy = Policy(reenroll_after=3)
    first = engine.enroll(mails(policy=policy), lead())
    clock.move(hours=5)
    engine.finish(first.id)
    again = lead() if by == "resource" else lead(9)
    clock.move(hours=71)
    with pytest.raises(AlreadyEnrolled) as refusal:
        engine.enroll(mails(policy=policy), again)
    assert refusal.value.existing_id == first.id
    assert refusal.value.again_at == clock.now().add(hours=1)
    clock.move(hours=1)
    assert engine.enroll(mails(policy=policy), again).id


@pytest.mark.parametrize(("first", "second"), [(mails("a"), exclusive("b")), (exclusive("a"), mails("b"))])
def test_l9_exclusive_tolerates_no_other(engine, first, second):
    """A sequence that is exclusive over all neither joins another nor is joined by one (L9)."""
    existing = engine.enroll(first, lead())
    with pytest.raises(AlreadyEnrolled) as refusal:
        engine.enroll(second, lead())
    assert refusal.value.existing_id == existing.id


def test_l9_the_idempotency_key_is_looked_up_first(engine, clock):
    """The same key again returns the enrollment it made, also when that is over or the address suppressed (L9)."""
    first = engine.enroll(mails(), lead(), idempotency_key="k")
    assert engine.enroll(mails(), lead(), idempotency_key="k").id == first.id
    engine.finish(first.id)
    engine.suppress("ada@example.com")
    assert engine.enroll(mails(count=3), lead(), idempotency_key="k").id == first.id
    for sequence, resource in ((mails("other"), lead()), (mails(), lead(2)), (mails(), lead("1"))):
        with pytest.raises(Conflict):
            engine.enroll(sequence, resource, idempotency_key="k")


@pytest.mark.parametrize("at_once", [False, True])
def test_l9_asking_again_with_a_key_changes_no_sequence(engine, at_once):
    """Enrolling again with the same key neither undoes a newer version nor brings a deleted sequence back (L9)."""

    def enrolled(sequence):
        if at_once:
            return engine.enroll_many(sequence, [Row(lead(), idempotency_key="k")]).enrolled[0].id
        return engine.enroll(sequence, lead(), idempotency_key="k").id

    first = enrolled(mails())
    newer = engine.save(mails(count=3))
    assert enrolled(mails()) == enrolled(newer.sequence_id) == first
    assert engine.sequences() == (newer,)
    engine.delete_sequence(newer.sequence_id)
    assert {enrolled(mails()), enrolled(newer.key), enrolled(newer.sequence_id)} == {first}
    assert engine.sequences() == ()


def test_l8_a_suppressed_address_cannot_be_enrolled(engine):
    """Suppression is checked at enrolling, whatever the case of the address, until it is lifted (L8)."""
    assert engine.suppress(" Ada@EXAMPLE.com")
    assert not engine.suppress("ada@example.com")
    with pytest.raises(Suppressed):
        engine.enroll(mails(), lead())
    assert engine.enrollments() == ()
    assert engine.unsuppress("ADA@example.com ")
    assert not engine.unsuppress("ada@example.com")
    assert engine.enroll(mails(), lead()).id


def test_t6_a_later_start_is_the_base(engine, clock):
    """`start_at` is the base of step 0; one in the past is now (T6)."""
    later = clock.now().add(days=2, hours=3)
    assert engine.enroll(mails(), lead(), start_at=later).steps[0].estimated_execute_at == later
    earlier = clock.now().subtract(days=2)
    assert engine.enroll(mails(), lead(2, None), start_at=earlier).steps[0].estimated_execute_at == clock.now()


@pytest.mark.parametrize(
    "bad",
    [
        {"start_at": "tomorrow"},
        {"timezone": "Mars/Olympus"},
        {"actor_id": True},
        {"actor_id": "x" * 65},
        {"idempotency_key": ""},
    ],
)
def test_s6_bad_input_stores_nothing(engine, bad):
    """Any bad argument is refused with `InvalidInput` and nothing is stored (S6)."""
    with pytest.raises(InvalidInput):
        engine.enroll(mails(), lead(), **bad)
    assert engine.enrollments() == ()


def test_an_unknown_sequence_is_not_found(engine):
    """A key that names no saved sequence is `NotFound`."""
    with pytest.raises(NotFound):
        engine.enroll("nothing", lead())


def test_s6_many_with_one_bad_row_are_refused_whole(engine):
    """Bad input in one of a thousand rows refuses all, and names the row (S6)."""
    rows = [Row(lead(i, None)) for i in range(1000)]
    rows[700] = Row(lead(700, None), start_at="soon")
    with pytest.raises(InvalidInput, match="700"):
        engine.enroll_many(mails(), rows)
    assert engine.enrollments() == ()


def test_t11_a_row_that_leaves_the_calendar_refuses_all(engine):
    """A start from which the timeline leaves the year 9000 is bad input like any other, also in the last row (T11)."""
    rows = [Row(lead(i, None)) for i in range(600)]
    rows[599] = Row(lead(599, None), start_at=pendulum.datetime(9000, 12, 31, 12, tz="UTC"))
    with pytest.raises(InvalidInput):
        engine.enroll_many(mails(count=3), rows)
    assert engine.enrollments() == ()


def test_l9_what_the_state_refuses_is_reported_row_by_row(engine):
    """Of many, those refused by the state of things are named with their rows; the others are enrolled (L9)."""
    engine.suppress("no@example.com")
    first = engine.enroll(mails(), lead(1))
    result = engine.enroll_many(
        mails(), [lead(2, None), lead(1), lead(3, "no@example.com"), lead(4, None), lead(2, None)]
    )
    assert [each.resource.id for each in result.enrolled] == [2, 4]
    assert [(each.row, type(each.error)) for each in result.refused] == [
        (1, AlreadyEnrolled),
        (2, Suppressed),
        (4, AlreadyEnrolled),
    ]
    assert result.refused[0].error.existing_id == first.id


def test_many_are_spread_over_a_span(engine, clock):
    """`spread_over` spaces the starts evenly, and leaves a row's own start alone."""
    own = clock.now().add(days=5)
    rows = [lead(1, None), lead(2, None), Row(lead(3, None), start_at=own), lead(4, None)]
    result = engine.enroll_many(tasks(), rows, spread_over=Hours(4))
    starts = [each.started_at for each in result.enrolled]
    assert starts == [clock.now(), clock.now().add(hours=1), own, clock.now().add(hours=3)]


def test_s1_many_go_in_several_transactions(engine):
    """More rows than a batch holds go in several transactions; each that is returned as enrolled is stored (S1)."""
    result = engine.enroll_many(mails(), [lead(i, None) for i in range(2500)])
    assert [each.resource.id for each in result.enrolled] == list(range(2500))
    assert engine.statistics("mails").active == 2500
