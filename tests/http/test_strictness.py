"""The schema of a body and the code that reads it say the same: nothing invalid gets in, nothing valid is refused."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sequencer.core.document import to_document
from sequencer.http import kinds
from sequencer.http.application import OPERATIONS
from sequencer.http.bodies import body_of, with_integers
from sequencer.http.document import document_of
from sequencer.http.envelope import Refusal, WireError
from sequencer.http.kinds import MOST_ID, Unfit, spelled
from sequencer.http.limits import Limits
from sequencer.testing import sequences

LIMITS = Limits()
DOCUMENT = document_of(OPERATIONS, LIMITS)
WITH_BODIES = {each.name: (each, each.body) for each in OPERATIONS if each.body is not None}
# What a schema cannot say (that a zone exists, that braces are closed, that no two steps have one place).
BEYOND_A_SCHEMA = {"incorrect_value"}

TEXTS = st.one_of(
    st.text(max_size=70),
    st.sampled_from(
        [
            "", " ", "\t", "a\n", "a\x7f", "\x00", "\x85", "\u3000", "lead", "0", "-0", "1", "-1", "01", "+1", "1.0",
            "٣",
            str(MOST_ID), str(MOST_ID + 1), str(-MOST_ID - 1), str(-MOST_ID - 2), "1" * 40, "x" * 64, "x" * 65,
            "x" * 255, "x" * 256, "finished", "active", "replied", "out_of_office", "Europe/Warsaw", "Mars",
            "ada@example.com", "Ada <ada@example.com>", '"a b"@example.com', "a@b@c", "ada@example.com ", "@", "a@b\n",
            "2026-03-02T09:00:00Z", "2026-03-02t09:00:00.123456+23:59", "2026-02-30T09:00:00Z", "2026-03-02",
            "2026-03-02T24:00:00Z", "2026-03-02T09:00:60Z", "2026-03-02 09:00:00Z", "0001-01-01T00:00:00Z",
            "2026-03-02T09:00:00", "9999-12-31T23:59:59-23:59", "2026-02-30",
        ]
    ),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-(2**65), 2**65),
    st.sampled_from([0, 1, -1, MOST_ID, MOST_ID + 1, -MOST_ID - 1, -MOST_ID - 2, 87600, 87601, 2610, 2611, 200, 2**70]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.0, 0.5, -1.0, 1e18, 1e19, 1e-5]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=6,
)
KINDS = {
    "identifier": kinds.IDENTIFIER,
    "id": kinds.ID,
    "line": kinds.LINE,
    "short line": kinds.line(64),
    "address": kinds.ADDRESS,
    "zone": kinds.ZONE,
    "fields": kinds.FIELDS,
    "instant": kinds.INSTANT,
    "return": kinds.RETURN,
    "word": kinds.one_of("finished", "active"),
    "ids": kinds.listing(kinds.ID, 3),
    "optional ids": kinds.optional(kinds.listing(kinds.ID, 3)),
}


def is_wire(value) -> bool:
    """Whether a value can be in a body at all: text without half characters, numbers as JSON has them."""
    try:
        json.dumps(value).encode()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_its_schema(name):
    """A value is read if the schema allows it; what the schema cannot say is refused as `incorrect_value` only."""
    kind = KINDS[name]
    validator = jsonschema_rs.Draft202012Validator(kind.schema)

    @given(value=VALUES if name != "fields" else st.dictionaries(TEXTS | st.just("first_name"), VALUES, max_size=3))
    @example("\ud800")
    def holds(value):
        # As a body brings it: a number that is whole is an integer.
        given = with_integers(value)
        try:
            kind.read(given)
            code = None
        except Unfit as error:
            code = error.code
        if not is_wire(value) or value == "\ud800":
            assert code is not None or name == "fields"
        elif validator.is_valid(value):
            assert code in {None, *BEYOND_A_SCHEMA}, (value, code)
            assert code is None or name in {"zone", "instant", "return"}, value
        else:
            assert code is not None, value

    holds()


def schema_of(operation):
    content = DOCUMENT["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]
    return {**content["application/json"]["schema"], "components": DOCUMENT["components"]}


@st.composite
def bodies(draw, operation):
    """An example of the document with something in it changed, left out or added, somewhere; at times nothing."""
    body = json.loads(json.dumps(draw(st.sampled_from(list(operation.body.examples.values())))))
    for _ in range(draw(st.integers(0, 3))):
        inside = body
        while True:
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is not None and isinstance(inside[key], (dict, list)) and draw(st.integers(0, 9)) < 8:
                inside = inside[key]
                continue
            break
        does = draw(st.sampled_from(["change", "leave out", "add"]))
        if does == "add" or key is None:
            if isinstance(inside, dict):
                inside[
                    draw(TEXTS | st.sampled_from(["meta", "data", "key", "id", "position", "fields", "at", "database"]))
                ] = draw(VALUES)
            else:
                inside.append(draw(VALUES))
        elif does == "change":
            inside[key] = draw(VALUES)
        else:
            del inside[key]
    return body


def first_of(pointer):
    """The first key of a pointer."""
    return pointer.split("/")[1].replace("~1", "/").replace("~0", "~")


@pytest.mark.parametrize("name", WITH_BODIES)
def test_each_body_is_its_schema(name):
    """A body is read if its schema allows it, and refused if not, whatever was changed in it; errors point into it."""
    operation, described = WITH_BODIES[name]
    validator = jsonschema_rs.Draft202012Validator(schema_of(operation))

    @given(bodies(operation))
    def holds(body):
        raw = json.dumps(body).encode()
        try:
            described.read(body_of(raw, LIMITS, operation.resource), "UTC")
            errors: tuple[WireError, ...] = ()
        except Refusal as refusal:
            errors = refusal.errors
        codes = {error.code for error in errors}
        assert all(each.field is None or first_of(each.field) in body for each in errors), errors
        if validator.is_valid(json.loads(raw)):
            assert codes <= BEYOND_A_SCHEMA, (body, codes)
        else:
            assert codes, body

    holds()


@settings(max_examples=15)
@given(sequences())
def test_every_definition_gets_in(sequence):
    """The document of any valid sequence is a body that is read as that sequence."""
    body = json.dumps({"data": to_document(sequence)}).encode()

    if len(body) <= LIMITS.body:
        read = WITH_BODIES["createSequence"][1].read(body_of(body, LIMITS, "sequence"), "UTC")
        assert read.sequence == sequence


@given(st.integers(-(2**70), 2**70) | st.text("0123456789-+. ", max_size=22))
def test_text_that_spells_a_number_is_it(value):
    """Text is an integer if it is how one of 64 bits is written, and else stays the text that it is."""
    text = str(value)
    canonical = text.lstrip("-").isdecimal() and str(int(text)) == text and -(2**63) <= int(text) < 2**63

    assert spelled(text) == (int(text) if canonical else text)


@given(st.one_of(VALUES.map(lambda each: json.dumps({"data": {"value": each}})), st.text(max_size=40)), st.booleans())
@example('{"data":{"a":1,"a":1}}', False)
@example('{"data":{"a":1.0}}', False)
@example('{"data":{"a":-0}}', False)
@example('{"data":{"a":9223372036854775808}}', False)
@example('{"data":{"a":NaN}}', False)
@example('{"data":{"a":"\x7f"}}', False)
@example('\ufeff{"data":{}}', False)
@example('{"data":{}}{}', False)
@example('{"data":{"\\u0061":1,"a":2}}', False)
def test_both_ways_of_reading_are_one(text, plain):
    """A short body that is read the fast way is read as the strict reader reads it; what that refuses is refused."""
    if plain:  # without escapes, which are for the strict reader
        text = json.dumps(json.loads(text), ensure_ascii=False) if text.startswith('{"data"') else text
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    found = []
    for fast in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not fast:
                patch.setattr("sequencer.http.bodies._SHORT", -1)
            try:
                found.append(body_of(raw, LIMITS, "sequence"))
            except Refusal as refusal:
                found.append((refusal.status, refusal.errors))

    assert found[0] == found[1]
    assert repr(found[0]) == repr(found[1])  # 1 and 1.0 and True are equal


@given(VALUES)
def test_the_reader_takes_json(value):
    """What a JSON writer writes is read as it was, unless there is something in it that nothing can store."""
    raw = json.dumps({"data": {"value": value}}).encode()
    try:
        read: object = body_of(raw, LIMITS, "sequence")
    except Refusal as refusal:
        read = refusal.status

    assert read in (400, 422, {"data": {"value": value}})
