"""Several mistakes in one definition: each is reported as if it were the only one, whichever others there are."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.errors import DefinitionError
from sequencer.core.sequence import Task
from sequencer.definitions import loads
from tests.definitions.test_places import values

GOOD: dict[str, Any] = {
    "name": "Inbound",
    "timezone": "Europe/Warsaw",
    "calendar": {"working_days": ["mon", "tue"], "holidays": {"dates": ["2026-12-25"]}},
    "policy": {"on": {"replied": "finish"}, "retry": {"attempts": 5}},
    "steps": [
        {
            "action_type": "automated_email",
            "delay_from_previous_step": 0,
            "delay_from_previous_step_unit": "hours",
            "action_properties": {"email_template_id": 1, "is_reply": False},
        },
        {
            "action_type": "task",
            "delay_from_previous_step": 2,
            "delay_from_previous_step_unit": "weekdays",
            "action_properties": {"task_content": "Call {{ name }}", "due_after": {"weekdays": 1}},
        },
    ],
    "templates": {
        "1": {"subject": "Hello {{ name }}", "body": "Nice to meet you."},
        "2": {"subject": "Still there?", "body": "I am."},
    },
    "assume": {"tasks_done_within": {"weekdays": 3}},
    "expect": [{"max_duration": {"weekdays": 30}}],
    "silence": [{"finding": "template_unused", "because": "for later"}],
}

# Where, what stands there instead, and the code of what is said about it.
MISTAKES = [
    (("name",), 12, "invalid_type"),
    (("timezone",), "Mars/Olympus", "unknown_timezone"),
    (("calendar", "working_days"), ["mon", "funday"], "invalid_weekday"),
    (("calendar", "holidays", "dates", 0), "25.12.2026", "not_a_date"),
    (("policy", "on", "replied"), "stop", "invalid_value"),
    (("policy", "retry", "attempts"), 0, "out_of_range"),
    (("steps", 0, "delay_from_previous_step"), -1, "delay_out_of_range"),
    (("steps", 0, "delay_from_previous_step_unit"), "days", "invalid_value"),
    (("steps", 0, "action_properties", "is_reply"), "yes", "invalid_type"),
    (("steps", 1, "delay_from_previous_step"), 0.5, "invalid_delay"),
    (("steps", 1, "action_properties", "task_content"), "Call {{ first name }}", "invalid_merge_field"),
    (("steps", 1, "action_properties", "due_after"), 3, "invalid_type"),
    (("templates", "1", "subject"), "Hello {{ name | upper }}", "invalid_merge_field"),
    (("templates", "1", "body"), "Hello {{ name", "invalid_merge_field"),
    (("templates", "2", "subject"), "two\nlines", "invalid_text"),
    (("templates", "2", "body"), "I }} am {{ }}.", "invalid_merge_field"),
    (("assume", "tasks_done_within"), 3, "invalid_type"),
    (("expect", 0, "max_duration"), {"weekdays": -1}, None),
    (("silence", 0, "finding"), "template_unusde", "unknown_finding"),
]


def mistaken(chosen: list[int]) -> dict[str, Any]:
    """The good document with these mistakes in it."""
    document = copy.deepcopy(GOOD)
    for i in chosen:
        (*within, last), value, _ = MISTAKES[i]
        found: Any = document
        for key in within:
            found = found[key]
        found[last] = value
    return document


def problems_of(text: str) -> set[tuple[str, str, int, int]]:
    with pytest.raises(DefinitionError) as caught:
        loads(text, file="bad")
    return {(each.code, each.path, each.line or 0, each.column or 0) for each in caught.value.problems}


def lined(document: dict[str, Any]) -> str:
    """As JSON of a value a line, which stands at the same lines and columns whatever the values are."""
    return json.dumps(document, indent=1)


ALONE = [problems_of(lined(mistaken([i]))) for i in range(len(MISTAKES))]
TOUCHED = [".".join(str(key) for key in where) for where, _, _ in MISTAKES]


@given(st.sets(st.integers(0, len(MISTAKES) - 1), min_size=1).map(sorted))
def test_mistakes_do_not_hide_each_other(chosen):
    """Whatever independent mistakes are in a definition: all are reported at once, each at its own value."""
    document = mistaken(chosen)
    text = lined(document)
    found = problems_of(text)

    said = {(code, path) for code, path, _, _ in found}
    assert said == {(code, path) for i in chosen for code, path, _, _ in ALONE[i]}
    there = dict(values(document))
    for _, path, line, column in found:
        rest = "\n".join(text.split("\n")[line - 1 :])[column - 1 :]
        assert json.JSONDecoder().raw_decode(rest)[0] == there[path], path


@pytest.mark.parametrize("i", range(len(MISTAKES)), ids=TOUCHED)
def test_each_is_reported_as_what_it_is(i):
    """A mistake by itself is reported with its code, at the path of the value that is wrong or within it."""
    _, _, code = MISTAKES[i]

    for found, path, _, _ in ALONE[i]:
        assert path.replace("[", ".").replace("]", "").startswith(TOUCHED[i])
        assert code is None or found == code


@pytest.mark.parametrize("where", [where for where, _, _ in MISTAKES], ids=TOUCHED)
def test_a_key_without_a_value_has_nothing(where):
    """A key after which nothing stands is told of as nothing, and never by Python's word for it."""
    document = copy.deepcopy(GOOD)
    found: Any = document
    for key in where[:-1]:
        found = found[key]
    found[where[-1]] = None
    said = ""
    try:
        loads(lined(document))
    except DefinitionError as error:  # a template may do without a body, and a policy without its own reactions
        said = str(error)
    assert "None" not in said


PLAIN = """\
name: Inbound
steps:
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: days
    action_properties: {email_template_id: 1}
  - action_type: task
    delay_from_previous_step: 1
    delay_from_previous_step_unit: hours
    action_properties: {task_content: Call §, due_after: {weekdays: 1}}
templates:
  1: {subject: Hi §, body: x}
  2:
    subject: §
    body: §, hello
  3: {subject: §, body: [§]}
  4:
    subject: Hi §
    body: |
      § {§} [§]
"""


@pytest.mark.parametrize("field", ["{{ name }}", "{{name}}", "{{ first-name }}", "{{ order.id }}"])
def test_texts_with_fields_want_quotes(field):
    """Where a field without quotes is no text to YAML, that is said, at each such text, beside all that is wrong."""
    with pytest.raises(DefinitionError) as caught:
        loads(PLAIN.replace("§", field), file="bad")

    assert [(each.code, each.line, each.path) for each in caught.value.problems] == [
        ("invalid_value", 5, "steps[0].delay_from_previous_step_unit"),
        ("missing_quotes", 10, "steps[1].action_properties.task_content"),
        ("missing_quotes", 12, "templates.1.subject"),
        ("missing_quotes", 14, "templates.2.subject"),
        ("missing_quotes", 15, "templates.2.body"),
        ("missing_quotes", 16, "templates.3.subject"),
        ("invalid_type", 16, "templates.3.body"),
        ("missing_quotes", 16, "templates.3.body[0]"),
    ]
    assert caught.value.problems[1].message == f'needs quotes, since it has {{{{ }}}} in it: "Call {field}"'


def test_a_key_with_a_field():
    """A field without quotes is no key either, and what is under it is not looked at."""
    with pytest.raises(DefinitionError) as caught:
        loads("name: x\nsteps: []\nmetadata:\n  {{ name }}: {a: b}\n")

    assert [(each.code, each.line, each.path) for each in caught.value.problems] == [
        ("too_few_steps", 2, "steps"),
        ("missing_quotes", 4, "metadata"),
    ]


def test_fields_where_they_need_no_quotes():
    """In quotes, in a block of text, in a comment and within a line outside of braces, a field is text as it stands."""
    text = """\
name: "{{ name }}"  # {{ name }}
key: Hi {{ name }}, {{ name }}
metadata: {a: '{{ name }}', b: "{{ name }}: \\"{{ name }}\\""}
steps:
  - action_type: task
    delay_from_previous_step: 1
    delay_from_previous_step_unit: hours
    action_properties:
      task_content: >
        {{ name }}
        {{name}}
"""
    sequence = loads(text)

    assert sequence.name == "{{ name }}"
    assert sequence.key == "Hi {{ name }}, {{ name }}"
    assert dict(sequence.metadata) == {"a": "{{ name }}", "b": '{{ name }}: "{{ name }}"'}
    assert sequence.steps[0].action == Task("{{ name }} {{name}}\n")


@pytest.mark.parametrize(
    "line",
    [
        "subject: {{ name",
        "{subject: Hi {{ name, body: x}",
        "{subject: {% if a %}, body: x}",
        "{subject: Hi {name}, body: x}",
    ],
)
def test_a_remedy_for_braces_that_are_no_yaml(line):
    """Where braces of a text have led YAML astray altogether, what is said of it names the quotes."""
    with pytest.raises(DefinitionError) as caught:
        loads(f"name: x\nsteps: []\ntemplates:\n  1:\n    {line}\n")

    assert "a text with braces in it needs quotes" in str(caught.value)
