"""Where things stand in a definition's text: for whoever has to point at them after it was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import given

from sequencer.core.problems import child, item
from sequencer.definitions import dumps
from sequencer.definitions.files import load_located
from sequencer.testing.strategies import sequences


def values(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in plain data, with its path."""
    yield path, data
    if isinstance(data, dict):
        for key, each in data.items():
            yield from values(each, child(path, key))
    elif isinstance(data, list):
        for i, each in enumerate(data):
            yield from values(each, item(path, i))


def placing(file: Path, text: str) -> Callable[[str], tuple[int, int]]:
    """From paths to places, in a file with this text."""
    file.write_text(text, encoding="utf-8", newline="")
    return load_located(file).place


@given(sequences())
def test_every_value_is_found_where_it_stands(tmp_path_factory, sequence):
    """In JSON, at the line and the column of any path there begins the very value that has it."""
    text = dumps(sequence, format="json")
    at, lines = placing(tmp_path_factory.mktemp("places") / "a.json", text), text.split("\n")

    for path, value in values(json.loads(text)):
        line, column = at(path)
        rest = "\n".join(lines[line - 1 :])[column - 1 :]
        assert json.JSONDecoder().raw_decode(rest)[0] == value, path


YAML = """\
name: Inbound
steps:
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties:
      email_template_id: 1
expect:
  - max_duration: {weekdays: 30}
  - max_emails:
      count: 3
      days: 7
"""


def test_in_yaml_an_item_stands_behind_its_dash(tmp_path):
    """An item of a list begins after its dash, and a value after its key."""
    at = placing(tmp_path / "a.yaml", YAML)

    assert at("expect[0]") == (9, 5)
    assert at("expect[0].max_duration") == (9, 19)
    assert at("expect[1].max_emails.count") == (11, 14)
    assert at("steps[0].action_properties.email_template_id") == (7, 26)


def test_what_is_not_there_stands_where_it_would_be(tmp_path):
    """A path that leads nowhere is at the innermost mapping or list on the way that is there."""
    at = placing(tmp_path / "a.yaml", YAML)

    assert at("steps[0].action_properties.is_reply") == at("steps[0].action_properties")
    assert at("steps[7].key") == at("steps")
    assert at("policy.unsubscribe.enabled") == at("") == (1, 1)
