"""What is written fast is what the shapes say, byte for byte, for every life that an enrollment can have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.instants import to_instant, to_iso
from sequencer.engine.stored import StoredSequence
from sequencer.http.operations import json_bytes
from sequencer.http.wire import collection, collection_meta, enrollment_document, instant
from sequencer.http.writing import collection_text, enrollment_text
from sequencer.testing import enrollments, starts

IDS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(min_size=1, max_size=64)


@given(enrollment=enrollments(), creator_id=IDS, at=starts())
def test_both_write_the_same(enrollment, creator_id, at):
    """The text of an enrollment, and of a collection of it, is that of its document."""
    at = to_instant(at)
    stored = StoredSequence(
        id=enrollment.version.sequence_id,
        version=enrollment.version,
        creator_id=creator_id,
        created_at=at,
        updated_at=at,
    )
    document = enrollment_document(enrollment, stored)

    assert enrollment_text(enrollment, stored).encode("utf-8", "surrogatepass") == json_bytes(document)
    links = {"self": "http://127.0.0.1/"}
    text = collection_text([enrollment_text(enrollment, stored)] * 2, collection_meta(2, links))
    assert text.encode() == json_bytes(collection([document] * 2, links))


@given(starts())
def test_instants(at):
    """An instant on the wire is the one that everything else writes, to the second."""
    at = to_instant(at)

    assert instant(at) == to_iso(at.set(microsecond=0))
    assert instant(None) is None
