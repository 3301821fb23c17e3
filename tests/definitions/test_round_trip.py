"""What is written is read back as it was: as a document, as YAML and as JSON."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import assume, given

from sequencer.core.calendar import Calendar
from sequencer.core.document import from_document, to_document
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.definitions import dump, dumps, load, loads
from sequencer.examples import path
from sequencer.testing.strategies import sequences

EXAMPLES = ["cold-outbound", "enterprise-12-touch", "inbound-follow-up", "renewal", "trial-onboarding"]


@given(sequences())
def test_documents_come_back(sequence):
    """A sequence's document, also by way of JSON text, describes exactly that sequence, in full or in brief."""
    document = to_document(sequence)

    assert from_document(document) == sequence
    assert from_document(json.loads(json.dumps(document))) == sequence
    assert from_document(to_document(sequence, defaults=False)) == sequence


@given(sequences())
def test_documents_are_deterministic(sequence):
    """Equal sequences have documents of the same bytes, whichever way they were made."""
    again = from_document(to_document(sequence))

    assert json.dumps(to_document(again)) == json.dumps(to_document(sequence))


@given(sequences())
def test_json_comes_back(sequence):
    """The JSON text of a sequence is read as exactly that sequence."""
    assert loads(dumps(sequence, format="json"), format="json") == sequence


@given(sequences())
def test_yaml_comes_back(sequence):
    """The YAML text of a sequence is read as exactly that sequence, whatever odd words and characters are in it."""
    text = dumps(sequence)

    assert loads(text, format="yaml") == sequence
    assert dumps(loads(text, format="yaml")) == text


@given(sequences())
def test_json_is_yaml(sequence):
    """The JSON text of a sequence means the same to the YAML reader, unless it has a key of a thousand characters."""
    text = dumps(sequence, format="json")
    assume("k" * 1500 not in text)

    assert loads(text, format="yaml") == sequence


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_come_back(name, tmp_path):
    """Every example survives being written to a YAML file and to a JSON file and read again."""
    sequence = load(path(f"{name}.yaml"))
    for suffix in ("yaml", "yml", "json", "JSON"):
        dump(sequence, tmp_path / f"copy.{suffix}")

        assert load(tmp_path / f"copy.{suffix}") == sequence


def test_what_is_written_is_for_people():
    """The YAML leaves out what is so by default, keeps small things on a line and texts of several lines in blocks."""
    sequence = Sequence(
        "Hello",
        [
            Step(AutomatedEmail(1)),
            Step(Task("Call {{ first_name }}: today", skip_after=None), metadata={"on": "no", "kind": "call"}),
        ],
        calendar=Calendar("Europe/Warsaw", holidays=["2026-12-25"]),
        policy=load(path("renewal.yaml")).policy,
        templates={1: Template("Hello", "Dear {{ first_name }},\n\nwelcome.\n")},
    )
    assert (
        dumps(sequence)
        == """\
format: 1
name: Hello
timezone: Europe/Warsaw
calendar:
  holidays: {dates: [2026-12-25]}
steps:
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1, is_reply: false}
  - action_type: task
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {task_content: "Call {{ first_name }}: today"}
    metadata: {kind: call, "on": "no"}
templates:
  1:
    subject: Hello
    body: |
      Dear {{ first_name }},

      welcome.
"""
    )


@given(sequences())
def test_other_readers_of_yaml_see_the_same_texts(sequence):
    """PyYAML's own loader, which believes in YAML 1.1, finds the same name, subjects and bodies in what is written."""
    read = yaml.safe_load(dumps(sequence))
    templates = read.get("templates", {})
    texts = list(templates.values() if isinstance(templates, dict) else templates)

    assert read["name"] == sequence.name
    assert sorted((each["subject"], each["body"]) for each in texts) == sorted(
        (each.subject, each.body) for each in sequence.templates.values()
    )


def test_ids_keep_their_type():
    """Numbers and texts that spell them are different ids, and stay so even where JSON would make them the same key."""
    pairs: list[tuple[int | str, ...]] = [
        (1, "2"),
        (1, "1"),
        ("1", "01"),
        ("1",),
        (1,),
        (-5, "-5"),
        ("-0", 0),
        (2**63 - 1, str(2**63)),
    ]
    for ids in pairs:
        sequence = Sequence(
            "ids",
            [Step(AutomatedEmail(each)) for each in ids[:1]],
            templates={each: Template(f"{each!r}", "b") for each in ids},
        )
        for format in ("yaml", "json"):
            again = loads(dumps(sequence, format=format), format=format)

            assert again == sequence
            assert [type(each) for each in again.templates] == [type(each) for each in to_sorted(sequence.templates)]


def to_sorted(ids):
    return sorted(ids, key=lambda each: (isinstance(each, str), each))
