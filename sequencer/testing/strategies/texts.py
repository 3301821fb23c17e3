"""Strategies for texts and ids: whatever a host may hand to the engine, the awkward ones among them."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from sequencer.core.merge import problems_of
from sequencer.core.values import Identifier
from sequencer.testing.strategies.asked import to_bounds

__all__ = ["TRICKY", "bodies", "identifiers", "lines", "metadata"]

# Words that some reader of YAML takes for something else, and texts that need care in one notation or the other.
_WORDS = r"""no yes on off y n Null ~ true FALSE 010 0x1F 0o7 1_000 9:30 1e5 .5 5. +1 -0 .inf .NaN NaN 2026-12-25 << = !
& * a:b a#b #a -a ?a {a} [a] 'a' "a" @a `a` %a |a >a a,b a\b é 日本"""
_ODD = ["a: b", "a #b", "- a", "? a", " a", "a ", "a\u2028b", "a\x85b", "\ufeffa", "\x9fa", "\U0001f600"]
TRICKY = [*_WORDS.split(), *_ODD]
"""Words and texts that notations have trouble with."""
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(i) for i in [*range(32), 127]])


@cache
def lines(*, max_size: int = 60) -> st.SearchStrategy[str]:
    """One line of text that is not blank: letters of every script, and words that readers of YAML stumble over.

    At most `max_size` characters (1 to 998). Shrinks towards "0".
    """
    _, longest = to_bounds(1, max_size, ("max_size", "max_size"), (1, 998))
    plain = st.text(_CHARACTERS, min_size=1, max_size=min(longest, 60))
    return (plain | st.sampled_from(TRICKY)).filter(lambda text: bool(text.strip()) and len(text) <= longest)


@cache
def bodies() -> st.SearchStrategy[str]:
    """A text of several lines, or empty, with merge fields that are well formed. Shrinks towards ""."""
    tricky = st.sampled_from(TRICKY)
    free = st.one_of(
        st.text(st.one_of(_CHARACTERS, st.sampled_from("\n\r\t a")), max_size=60),
        tricky,
        st.lists(tricky | st.sampled_from(["", " ", "  b", "\t"]), max_size=5).map("\n".join),
    )
    return free.filter(is_well_formed) | st.just("Hello {{ first_name }}, of {{company}}\n")


def is_well_formed(text: str) -> bool:
    """Whether every brace in a text belongs to a merge field."""
    return not problems_of(text)


@cache
def identifiers() -> st.SearchStrategy[Identifier]:
    """A host's own id (S7): a whole number of 64 bits, or a text of up to 64 characters. Shrinks towards 0."""
    return st.one_of(
        st.integers(0, 9), st.integers(-(2**63), 2**63 - 1), st.integers(0, 9).map(str), lines(max_size=64)
    )


@cache
def metadata() -> st.SearchStrategy[dict[str, Any]]:
    """What a host hangs on a sequence or a step: a mapping of JSON values. Shrinks towards {}."""
    names = st.sampled_from(TRICKY) | lines(max_size=20)
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | bodies(),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(names, each, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(names | st.just("k" * 1500), values, max_size=3)
