"""What is written fast is what the shapes say, byte for byte, for every life that an enrollment can have."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.enrollment import FAILURE_REASONS
from sequencer.core.instants import to_instant, to_iso
from sequencer.core.statuses import StepStatus
from sequencer.engine.stored import StoredSequence
from sequencer.http.operations import json_bytes
from sequencer.http.wire import collection, collection_meta, enrollment_document, instant
from sequencer.http.writing import collection_text, enrollment_text
from sequencer.testing import enrollments, starts

AT = starts().map(to_instant)
IDS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(min_size=1, max_size=64)


# What a step shows of what has happened to it, each of it by itself: also what the engine puts together never.
LIVED = {
    "status": st.sampled_from(StepStatus),
    "overdue": st.booleans(),
    "executed_at": AT,
    "estimated_execute_at": st.none() | AT,
    "failure_reason": st.sampled_from(FAILURE_REASONS),
}
OF_A_MAIL = st.fixed_dictionaries({}, optional=LIVED)
OF_A_TASK = st.fixed_dictionaries({}, optional={**LIVED, "task_id": IDS})


def stored_as(enrollment, creator_id, at):
    """The sequence of an enrollment, as it is listed."""
    version = enrollment.version
    return StoredSequence(id=version.sequence_id, version=version, creator_id=creator_id, created_at=at, updated_at=at)


@given(enrollment=enrollments(), data=st.data(), at=AT)
def test_a_step_is_written_as_its_document_says(enrollment, data, at):
    """Whatever a step has of what can happen to one, its text is that of its document."""
    lived = [data.draw(OF_A_MAIL if each.step.is_email else OF_A_TASK) for each in enrollment.steps]
    steps = [attrs.evolve(step, **changes) for step, changes in zip(enrollment.steps, lived, strict=True)]
    enrollment, stored = attrs.evolve(enrollment, steps=steps), stored_as(enrollment, None, at)

    assert enrollment_text(enrollment, stored).encode() == json_bytes(enrollment_document(enrollment, stored))


@given(enrollment=enrollments(), creator_id=IDS, at=AT)
def test_both_write_the_same(enrollment, creator_id, at):
    """The text of an enrollment, and of a collection of it, is that of its document."""
    stored = stored_as(enrollment, creator_id, at)
    document = enrollment_document(enrollment, stored)

    assert enrollment_text(enrollment, stored).encode("utf-8", "surrogatepass") == json_bytes(document)
    links = {"self": "http://127.0.0.1/"}
    text = collection_text([enrollment_text(enrollment, stored)] * 2, collection_meta(2, links))
    assert text.encode() == json_bytes(collection([document] * 2, links))


@given(AT)
def test_instants(at):
    """An instant on the wire is the one that everything else writes, to the second."""
    assert instant(at) == to_iso(at.set(microsecond=0))
    assert instant(None) is None
