"""Placeholders of other products in texts: found as they are spelt, and nothing that has but some of their marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.delays import Hours
from sequencer.core.merge import bare, fields_of
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.design import find
from sequencer.design.findings.placeholders import Placeholder, placeholders_of
from tests.design.designs import SINCE

FOREIGN = {
    "{first_name}": "{{ first_name }}",
    "{ first_name }": "{{ first_name }}",
    "{firstName}": "{{ firstName }}",
    "{First Name}": "{{ First_Name }}",
    "{Company}": "{{ Company }}",
    "{{{first_name}}}": "{{ first_name }}",
    "[[name]]": "{{ name }}",
    "[[ First Name ]]": "{{ First_Name }}",
    "[First Name]": "{{ First_Name }}",
    "[NAME]": "{{ NAME }}",
    "[Your Company]": "{{ Your_Company }}",
    "%NAME%": "{{ NAME }}",
    "%%First_Name%%": "{{ First_Name }}",
    "%recipient.name%": "{{ recipient.name }}",
    "*|FNAME|*": "{{ first_name }}",
    "*|LNAME|*": "{{ last_name }}",
    "<<name>>": "{{ name }}",
    "<First Name>": "{{ First_Name }}",
    "${name}": "{{ name }}",
    "#{name}": "{{ name }}",
    "{!Contact.FirstName}": "{{ Contact.FirstName }}",
    "{% if vip %}": None,
    "{%- endif %}": None,
    "<%= name %>": None,
}
HONEST = [
    "{{ first_name }}", "{{first_name}},{{ company }}", "p {color: red}", "p { }", "a:hover{color:red;}", "{}", "{ }",
    '{"name": "Ada"}', "{a}", "f(x) = {x}", r"\frac{ab}{cd}", "{1, 2}", "{see below}", "50% of the 20% of it", "50%",
    "5%off%now", "100 %", "10%-20%", "/%C3%A9t%C3%A9?q=a%20b", "%E2%82%AC", "%20Hello%20", "[1]", "[sic]", "[name](/a)",
    "[the docs](https://example.com)", "[x] done", "<b>name</b>", "<name>", "a << b >> c", "<< 1 >>", "EOF <<EOF",
    "** bold **", "*|*", "$5", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "#1", "a {\n  b\n}", "if (a) { return; }",
    "}{", "%", "%%", "{%", "%}", "100%{sure",
]  # fmt: skip
AROUND = st.sampled_from(["", "Hi ", "\n", "(", "– ", "Grüße "])
BEHIND = st.sampled_from(["", ",", " there", "\n", ")", ".", "!"])


@given(st.lists(st.tuples(AROUND, st.sampled_from(list(FOREIGN)), BEHIND), min_size=1, max_size=4))
def test_each_is_found_among_others(parts):
    """Whatever stands around them and how often: each is found once, in order, and as it is written here."""
    found = placeholders_of(" ".join(f"{before}{each}{behind}" for before, each, behind in parts))

    assert found == tuple(Placeholder(each, FOREIGN[each]) for each in dict.fromkeys(each for _, each, _ in parts))


KNOWN = {
    "{Firma}": {"Firma", "firma_2"}, "{firma}": {"FIRMA"}, "[First Name]": {"firstName"}, "%NAME%": {"name"},
    "*|FNAME|*": {"First_Name"}, "*|LNAME|*": {"LName", "last_name"}, "{!Contact.FirstName}": {"contact_first_name"},
}  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_a_known_field_is_named_as_it_is(text):
    """A placeholder that is another spelling of a known field is written here as that is, whatever else is known."""
    meant = min(KNOWN[text])
    for known in (KNOWN[text], [*KNOWN[text], "city"], ["First Name", "Firm", *KNOWN[text]]):
        assert placeholders_of(text, known) == (Placeholder(text, f"{{{{ {meant} }}}}"),)
    assert placeholders_of("{firma}", ["Firma", "firma"]) == (Placeholder("{firma}", "{{ firma }}"),)
    assert placeholders_of(text, ["city", "First Name!"]) == placeholders_of(text)


@given(st.from_regex(r"[A-Za-z_]{2,9}", fullmatch=True), st.lists(st.text("abAB_", min_size=1, max_size=3)))
def test_capitals_are_kept(name, known):
    """Without a known field that is spelt alike, a placeholder is written here as it stands, capitals and all."""
    (found,) = placeholders_of(f"${{{name}}}", known)
    fields = [each for each in known if fields_of(f"{{{{{each}}}}}")]
    alike = [each for each in fields if bare(each) == bare(name)]
    short = {"fname": "first_name", "lname": "last_name"}.get(name.casefold(), name)

    assert found.here == f"{{{{ {name if name in fields else next(iter(alike), short)} }}}}"


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_has_none(text):
    """Fields as they are written here, style sheets, JSON, percentages, links and code are no placeholders."""
    assert placeholders_of(f"a {text} b") == ()
    assert placeholders_of(text) == ()


@given(st.text(alphabet="{}%[]<>*|$#!. abN_1\n", max_size=60))
def test_any_heap_of_marks_is_looked_through(text):
    """What is found in any heap of marks stands in it, and its remedy is a text in which nothing is found."""
    for each in placeholders_of(text):
        assert each.text in text
        assert each.here is None or placeholders_of(each.here) == ()


def test_where_it_is_found():
    """Subjects and bodies of the mails and texts of tasks are looked at, but no text that nobody gets."""
    sequence = Sequence(
        "Hello",
        [Step(AutomatedEmail(1)), Step(Task("Call %NAME%", skip_after=Hours(9)), Hours(24))],
        templates={
            1: Template("Hi {first_name}", "{% if vip %}Dear [[name]], {{ name }}"),
            2: Template("[[name]]", "<<name>>"),
        },
        silence=[{"finding": "foreign_placeholder", "step": 1, "because": "the dialler fills it in"}],
    )
    found = [each for each in find(sequence, since=SINCE) if each.code == "foreign_placeholder"]

    assert [(each.place, each.message, each.silenced) for each in found] == [
        (
            "templates.1.subject",
            "the subject of mail 1 has {first_name}, which stays as it stands; did you mean {{ first_name }}?",
            None,
        ),
        (
            "templates.1.body",
            "the body of mail 1 has {% if vip %} and [[name]], which stay as they stand; did you mean {{ name }}?",
            None,
        ),
        (
            "steps[1].action_properties.task_content",
            "the text of step 1 has %NAME%, which stays as it stands; did you mean {{ name }}?",
            "the dialler fills it in",
        ),
    ]
    assert all(each.severity == "warning" for each in found)
