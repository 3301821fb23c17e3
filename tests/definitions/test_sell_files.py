"""Answers of Sell's API that were put into files."""

from __future__ import annotations

import json

import pytest

from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import DefinitionError
from sequencer.definitions import load, load_all
from sequencer.examples import path


def test_the_example():
    """The example of an answer is a sequence of four steps that can be unsubscribed from."""
    sequence = load(path("sell-api.json"), timezone="Europe/Warsaw")

    assert sequence.key == sequence.name == "Welcome sequence"
    assert [step.after for step in sequence.steps] == [Weekdays(0), Hours(2), Weekdays(1), Weekdays(3)]
    assert sequence.policy.unsubscribe.enabled
    assert sequence.calendar.timezone == "Europe/Warsaw"


def test_collections_need_load_all(tmp_path):
    """`load` wants one sequence and says so of a file with two, which `load_all` reads."""
    one = json.loads(path("sell-api.json").read_text(encoding="utf-8"))
    other = json.loads(path("sell-api.json").read_text(encoding="utf-8").replace("Welcome sequence", "Other"))
    file = tmp_path / "sell.json"
    file.write_text(json.dumps({"items": [one, other], "meta": {"type": "collection"}}), encoding="utf-8")

    assert [sequence.name for sequence in load_all(file)] == ["Welcome sequence", "Other"]
    with pytest.raises(DefinitionError, match="use load_all"):
        load(file)


def test_problems_have_their_place(tmp_path):
    """A mistake in an answer of Sell's is found at its line and column in the file."""
    file = tmp_path / "sell.json"
    text = path("sell-api.json").read_text(encoding="utf-8")
    file.write_text(text.replace('"delay_from_previous_step": 2', '"delay_from_previous_step": "2"'), encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        load(file)

    (problem,) = caught.value.problems
    line = text.splitlines().index('      "delay_from_previous_step": 2,') + 1
    assert (problem.code, problem.line, problem.column) == ("invalid_delay", line, 35)
