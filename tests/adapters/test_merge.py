"""Merge fields: filled in as they are, missing ones named, malformed ones found, and nothing ever executed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.errors import MissingMergeData
from sequencer.core.merge import breaking, fields_of, fill, problems_of

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,20}", fullmatch=True)
texts = st.text(st.sampled_from("{} ab_.-\n1ü"), max_size=40)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hello {{ first_name }}, {{first_name}}!", "Hello Ada, Ada!"),
        ("{{ company.name }} {{ a-b }} {{\tfirst_name\n}}", "Acme 1 Ada"),
        ("no fields { } {first_name}", "no fields { } {first_name}"),
        ("{{{ first_name }}}", "{Ada}"),
        ("", ""),
    ],
)
def test_fill(text, filled):
    """Fields are filled in, however much blank is in the braces; what is no field stays."""
    assert fill(text, {"first_name": "Ada", "company.name": "Acme", "a-b": 1}) == filled


def test_missing_fields_are_named():
    """Every field without a value, or with a blank one, is named once; zero and false are values."""
    with pytest.raises(MissingMergeData) as caught:
        fill("{{ a }}{{ b }}{{ c }}{{ a }}{{ d }}{{ e }}", {"b": " \n", "c": None, "d": 0, "e": False})

    assert caught.value.fields == ("a", "b", "c")
    assert "a, b, c" in str(caught.value)


def test_values_are_not_looked_at_again():
    """A value that looks like a field, a format or a reference to a group stays as it is."""
    values = {"a": "{{ b }}", "b": "secret", "c": r"\1 \g<0> %s {0}"}

    assert fill("{{ a }} {{ c }}", values) == r"{{ b }} \1 \g<0> %s {0}"


@pytest.mark.parametrize(
    "text", ["{{ 'a' * 100000000 }}", "{% for x in y %}", "{{ a|upper }}", "{{ a() }}", "{{ a[0] }}"]
)
def test_nothing_is_executed(text):
    """What would be code in a template language is plain text here."""
    assert fill(text, {"a": "x"}) == text


def test_nothing_is_looked_up():
    """A dot is a letter of a name, not a way into an object."""
    with pytest.raises(MissingMergeData) as caught:
        fill("{{ a.__class__ }}", {"a": "x"})

    assert caught.value.fields == ("a.__class__",)


def test_much_text():
    """Filling in, and looking for problems, take time in proportion to the text, whatever is in it."""
    for text in ("{{" * 50_000, "{{ " * 50_000, "{{" + " " * 100_000, "{{ a" * 25_000, "}}" * 50_000, "{{a}}" * 20_000):
        assert len(fill(text, {"a": "x"})) <= len(text)
        problems_of(text)


@given(st.lists(st.tuples(st.text(st.characters(exclude_characters="{}")), names)), st.text(min_size=1))
def test_every_field_is_found(parts, value):
    """A text of words and fields asks for exactly these fields, has no problems, and is filled in whole."""
    text = "".join(f"{words}{{{{ {name} }}}}" for words, name in parts)

    assert fields_of(text) == tuple(dict.fromkeys(name for _, name in parts))
    assert problems_of(text) == ()
    if value.strip():
        assert fill(text, dict.fromkeys(fields_of(text), value)) == "".join(words + value for words, _ in parts)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("Hello {{ first name }}", 6, "is it {{ first_name }}?"),
        ("Hello {{ }}", 6, "names no field"),
        ("Hello {{}}", 6, "names no field"),
        ("Hello {{ first_name", 6, "not closed"),
        ("Hello {{ first_name }, bye", 6, "not closed"),
        ("Hello {{ {{ first_name }}", 6, "not closed"),
        ("Hello { first_name }}", 19, "not opened"),
        ("Hello {{ a }} }}", 14, "not opened"),
        ("Hello {{ 1st }}", 6, "is no field"),
        ("Hello {{ name | upper }}", 6, "is it {{ name_upper }}?"),
        ("Hello {{ prénom }}", 6, "is no field"),
        ("Hello {{ " + "x " * 100 + "}}", 6, "is no field"),
    ],
)
def test_problems(text, at, says):
    """What was surely meant as a field and is none is found, with its place and, where there is one, the remedy."""
    (problem,) = problems_of(text)

    assert problem.at == at
    assert says in problem.message
    assert text[at:].startswith(problem.text) or problem.text.endswith("}}")
    assert len(problem.message) < 200


def test_all_problems_in_order():
    """All problems of a text are found, not just the first, and none of the fields between them."""
    assert [each.at for each in problems_of("{{ }} {{ ok }} }} {{ a b }} {{")] == [0, 15, 18, 28]


@given(texts)
def test_any_text(text):
    """A text without problems has no double braces left when its fields are filled in; and looking changes nothing."""
    problems = problems_of(text)

    assert [each.at for each in problems] == sorted(each.at for each in problems)
    filled = fill(text, dict.fromkeys(fields_of(text), "x"))
    if not problems:
        assert "{{" not in filled.replace("{x", "x")


values = st.text(st.sampled_from("ab \t\n\r\x85\u2028\0\x1b\ud800\u00fc"), max_size=4)


@given(st.lists(st.sampled_from(["{{ a }}", "{{ b }}", "x", " "]), max_size=5).map("".join), values, values)
def test_a_line_that_would_break_names_who_breaks_it(line, a, b):
    """It is named exactly where the filled line has more lines, or a control character; blanks around do not count."""
    named = breaking(line, {"a": a, "b": b})
    filled = line.replace("{{ a }}", a).replace("{{ b }}", b).strip()
    broken = len(filled.splitlines()) > 1 or any(each in filled for each in "\0\x1b\ud800")

    assert bool(named) == broken
    assert set(named) <= set(fields_of(line))
    assert breaking(line, {}) == ()
