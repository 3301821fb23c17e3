"""Whatever the text, the answer is a sequence or a `DefinitionError` with a place for every problem."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.sequence import Sequence
from sequencer.definitions import loads_all
from sequencer.examples import path
from tests.definitions.test_malformed import JSON as BAD_JSON
from tests.definitions.test_malformed import YAML as BAD_YAML
from tests.definitions.test_reading import FULL

GOOD = [
    FULL,
    path("enterprise-12-touch.yaml").read_text(encoding="utf-8"),
    path("sell-api.json").read_text(encoding="utf-8"),
]
BAD = [text.replace("§", "")[:2_000] for table in (BAD_YAML, BAD_JSON) for text, _ in table.values()]
FORMATS = st.sampled_from(["yaml", "json", None])
# Pieces that mean something to one of the readers.
MARKS = r"""{ } [ ] , : " ' \ - ? # & * ! | > % @ ` ~ << --- ... 0 1 -1 1e999 9:30 010 .nan NaN true null no on
name steps \u0000 \ud800 &a *a !!str !!binary |2- >+ %YAML {{ }}"""
PIECES = st.sampled_from(
    [*MARKS.split(), " ", "  ", "- ", ": ", "key: ", "\n", "\t", "\r\n", "\ufeff", "\x00", "\x85", "\u2028", "\ud800"]
)


def check(text: str | bytes, format) -> None:
    problems: tuple[Problem, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    try:
        sequences = loads_all(text, format=format, file="fuzz")
        assert all(type(sequence) is Sequence for sequence in sequences)
    except DefinitionError as error:
        problems = error.problems
    assert bool(problems) is not bool(sequences) or '"items"' in str(text)  # a page of Sell's may be empty
    for problem in problems:
        assert problem.line is not None
        assert problem.column is not None
        assert problem.line >= 1
        assert problem.column >= 1
        str(problem).encode()


@given(st.binary(max_size=200), FORMATS)
def test_bytes(content, format):
    """Random bytes never raise anything but a `DefinitionError`."""
    check(content, format)


@given(st.text(max_size=200) | st.lists(PIECES, max_size=40).map("".join), FORMATS)
def test_text(text, format):
    """Random text, and random heaps of what has a meaning, never raise anything but a `DefinitionError`."""
    check(text, format)


@given(st.data(), FORMATS)
def test_mutated_files(data, format):
    """Good and bad files with pieces cut out, put in and doubled never raise anything but a `DefinitionError`."""
    text = data.draw(st.sampled_from(GOOD + BAD))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        piece = data.draw(PIECES | st.just(text[start:end] * 2) | st.just(""))
        text = text[:start] + piece + text[end:]
    check(text, format)


REPEATED = ["- ", "? ", "a: ", "{a: ", "&a ", "!a ", "a,", "[a", "\n- ", "- - ", "a\n", "---\n", "''", "[],"]


@pytest.mark.parametrize("length", [1_000, 20_000, 250_000])
@pytest.mark.parametrize("unit", [*"[{\"'#\n a|\\", *REPEATED])
def test_repetition(unit, length):
    """A quarter of a megabyte of one thing over and over is refused like any other text."""
    for format in ("yaml", "json"):
        check((unit * length)[:length], format)
        check("[" + (unit * length)[: length - 1], format)
