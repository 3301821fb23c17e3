"""The codec: what is read is what was written, whatever an enrollment has lived through."""

from __future__ import annotations

import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.delays import Hours
from sequencer.core.enrollment import changed, initial_steps
from sequencer.core.errors import StoreError
from sequencer.core.events import Event, replay
from sequencer.core.sequence import AutomatedEmail, Sequence, Step
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.stores.codec import COLUMNS, decode_held, decode_id, encode_enrollment, encode_id, encode_progress
from sequencer.stores.contents import content_of, sequence_of
from sequencer.stores.records_codec import decode_event, encode_event
from sequencer.testing.contracts.workbench import NOW
from sequencer.testing.laws import impersonal
from sequencer.testing.strategies import delays, identifiers, lines, metadata, sequences, starts, steps
from sequencer.testing.strategies import histories as kit_histories
from tests.core.situations import SITUATIONS

TEXT, IDS, PLAIN = lines(), identifiers(), metadata()
INSTANTS = starts()


def histories():
    """Enrollments that have been stored and read now and then, and all their events."""
    lived = kit_histories(
        sequences=sequences(max_steps=3, steps=steps(delays=delays(max_hours=480, max_weekdays=30))),
        through=lambda enrollment: decode_held(encode_enrollment(enrollment), enrollment.version).enrollment,
    )
    return lived.map(lambda pair: (pair[0], list(pair[1])))


def kinds(value):
    """The value with the types of everything in it: 1 and True, "pending" and its status, are equal, not the same."""
    if attrs.has(type(value)):
        return type(value), [kinds(getattr(value, field.name)) for field in attrs.fields(type(value))]
    if isinstance(value, dict):
        return dict, {key: (type(key), kinds(each)) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [kinds(each) for each in value]
    return type(value), value


@given(histories())
def test_enrollments_round_trip(history):
    """An enrollment, through whatever it came, is read as it was written, with the same types."""
    enrollment, _ = history
    row = encode_enrollment(enrollment)
    held = decode_held(row, enrollment.version)

    assert held.enrollment == enrollment
    assert kinds(held.enrollment) == kinds(enrollment)
    assert (held.fence, held.lease_until) == (0, None)
    assert len(row) == len(COLUMNS)
    assert {type(each) for each in row} <= {int, str, type(None)}
    assert encode_enrollment(held.enrollment) == row


@given(histories())
def test_events_round_trip_and_replay(history):
    """Events are read as they were written, and replaying what was read gives what was read of the enrollment."""
    enrollment, events = history
    read = [decode_event(encode_event(event)) for event in events]

    assert read == events
    assert kinds(read) == kinds([attrs.evolve(event, facts=dict(event.facts)) for event in events])
    held = decode_held(encode_enrollment(enrollment), enrollment.version)
    assert replay(enrollment.version, read) == impersonal(held.enrollment)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_round_trips(situation):
    """Every situation that an enrollment can be in, reached by signals, is read as it was written."""
    run = SITUATIONS[situation]()

    assert decode_held(encode_enrollment(run.enrollment), run.version).enrollment == run.enrollment
    assert replay(run.version, [decode_event(encode_event(event)) for event in run.history]) == impersonal(
        run.enrollment
    )


@given(histories(), st.data())
def test_what_was_written_before_is_not_mistaken(history, data):
    """A step that has changed since it was read is written anew, and not as it was then."""
    enrollment, _ = history
    read = decode_held(encode_enrollment(enrollment), enrollment.version).enrollment
    place = data.draw(st.integers(0, len(read.steps) - 1))
    steps = list(read.steps)
    steps[place] = changed(steps[place], {"failures": 77, "message_id": "<other@x>"})
    other = changed(read, {"steps": tuple(steps), "started_at": NOW, "timezone": "Asia/Tokyo"})

    assert decode_held(encode_enrollment(other), enrollment.version).enrollment == other
    assert decode_held(encode_enrollment(read), enrollment.version).enrollment == enrollment


def test_untouched_steps_are_the_versions_own():
    """Steps to which nothing has happened are not stored, and are read as the version's shared objects."""
    run = SITUATIONS["active, email pending"]()
    row = encode_enrollment(run.enrollment)
    read = decode_held(row, run.version).enrollment

    assert read.steps[1] is initial_steps(run.version)[1]
    assert read.steps[2] is initial_steps(run.version)[2]
    assert row[-1].count("\n") == 2


def test_what_is_derived_is_not_stored():
    """Whether a step is overdue is never stored."""
    run = SITUATIONS["active, email awaiting"]()
    steps = tuple(changed(step, {"overdue": True}) for step in run.enrollment.steps)
    late = changed(run.enrollment, {"steps": steps})

    assert not any(step.overdue for step in decode_held(encode_enrollment(late), run.version).enrollment.steps)


def test_progress_holds_nothing_personal():
    """What a decision writes says nothing about who it is about."""
    run = SITUATIONS["failed, email refused"]()

    assert "ada" not in repr(encode_progress(run.enrollment))


@given(IDS)
def test_ids_round_trip(id):
    """Ids are read as they were given, and different ids are stored differently."""
    assert decode_id(encode_id(id)) == id
    assert type(decode_id(encode_id(id))) is type(id)
    assert encode_id(42) != encode_id("42")
    assert encode_id(None) != encode_id("null")


@given(st.one_of(st.floats(), st.binary(), st.dates(), st.sets(st.integers())))
def test_what_has_no_stored_form_is_refused(value):
    """A fact that has no stored form is refused when it is written, rather than stored as something else."""
    event = Event(1, 1, NOW, "noted", None, {"fact": value})
    try:
        row = encode_event(event)
    except (TypeError, ValueError):
        return
    assert decode_event(row) == event


def test_unknown_formats_are_refused():
    """A format that this release does not know is refused by its number, for an enrollment, its person and an event."""
    run = SITUATIONS["active, email pending"]()
    row = encode_enrollment(run.enrollment)
    with pytest.raises(StoreError, match="format 2, this release reads 1"):
        decode_held((*row[:-1], row[-1].replace("1,", "2,", 1)), run.version)
    with pytest.raises(StoreError, match="personal data of format 2"):
        decode_held((*row[:-2], row[-2].replace("[1,", "[2,", 1), row[-1]), run.version)
    event = encode_event(run.history[0])
    with pytest.raises(StoreError, match="event 1 of enrollment 7 of format 9"):
        decode_event((*event[:-1], event[-1].replace("[1,", "[9,", 1)))


@pytest.mark.parametrize("broken", ["", "1", "{", "1,2\n3", "null", "[]\n[]"])
def test_what_cannot_be_read_is_refused(broken):
    """Stored text that is not what was written is refused with the enrollment's or event's number."""
    run = SITUATIONS["active, email pending"]()
    row, event = encode_enrollment(run.enrollment), encode_event(run.history[0])
    with pytest.raises(StoreError, match="enrollment 7"):
        decode_held((*row[:-1], broken), run.version)
    with pytest.raises(StoreError, match="enrollment 7"):
        decode_event((*event[:-1], broken))


def test_the_stored_form_by_hand():
    """The stored form is this, letter for letter: a change of it is a new format."""
    run = SITUATIONS["active, task in_progress"]()
    row = dict(zip(COLUMNS, encode_enrollment(run.enrollment), strict=True))

    assert row["doc"].split("\n") == [
        '1,"store","UTC","2026a",1772442000000000,null',
        "1,0,null,null,null",
        '[0,6,1772442000000000,null,1772442000000000,null,1,null,null,"task-0"]',
    ]
    assert row["personal"] == '[1,"ada@example.com",null,{}]'
    assert (row["account"], row["resource_id"], row["address"]) == ("null", "42", "ada@example.com")
    assert (row["state"], row["reason"], row["wake_at"], row["revision"]) == ("active", None, None, 4)
    body = (
        '[1,0,{"attempt":1},{},{"0":{"status":"requested","attempt":1,"requested_at":{"@":1772442000000000},'
        '"started_at":null,"not_before":null,"not_before_reason":null}}]'
    )
    assert encode_event(run.history[1]) == (7, 2, 1772442000000000, "task_requested", body)


def test_every_status_and_state_has_a_code():
    """Each status of a step and each state of an enrollment can be stored."""
    run = SITUATIONS["active, task in_progress"]()
    for status in StepStatus:
        steps = (changed(run.enrollment.steps[0], {"status": status}), *run.enrollment.steps[1:])
        enrollment = changed(run.enrollment, {"steps": steps})
        assert decode_held(encode_enrollment(enrollment), run.version).enrollment.steps[0].status is status
    for state in EnrollmentState:
        enrollment = changed(run.enrollment, {"state": state})
        assert decode_held(encode_enrollment(enrollment), run.version).enrollment.state is state


def test_what_is_read_can_be_pickled():
    """An enrollment that was read survives pickling and deep copies, as one that was made does."""
    run = SITUATIONS["active, email awaiting"]()
    read = decode_held(encode_enrollment(run.enrollment), run.version).enrollment

    assert pickle.loads(pickle.dumps(read)) == run.enrollment


def test_contents_round_trip():
    """A stored content gives the definition back, without what is no content."""
    sequence = Sequence(
        "Any", [Step(AutomatedEmail("t"), Hours(0.25), key="a", metadata={"x": [1, None]})], metadata={"é": "ü"}
    )

    assert sequence_of(content_of(sequence).text) == sequence
    assert content_of(sequence) is content_of(sequence)
