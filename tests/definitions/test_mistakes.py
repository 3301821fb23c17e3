"""Several mistakes in one definition: each is reported as if it were the only one, whichever others there are."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.errors import DefinitionError
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


def problems_of(document: dict[str, Any], read: Callable[[Any], str]) -> set[tuple[str, str, int | None, int | None]]:
    with pytest.raises(DefinitionError) as caught:
        loads(read(document), file="bad.json")
    return {(each.code, each.path, each.line, each.column) for each in caught.value.problems}


def lined(document: dict[str, Any]) -> str:
    """As JSON of a value a line, which stands at the same lines and columns whatever the values are."""
    return json.dumps(document, indent=1)


ALONE = [problems_of(mistaken([i]), lined) for i in range(len(MISTAKES))]
TOUCHED = [".".join(str(key) for key in where) for where, _, _ in MISTAKES]


@given(st.sets(st.integers(0, len(MISTAKES) - 1), min_size=1).map(sorted))
def test_mistakes_do_not_hide_each_other(chosen):
    """Whatever independent mistakes are in a definition: all are reported at once, each at its own value."""
    document = mistaken(chosen)
    text = lined(document)
    found = problems_of(document, lined)

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
