"""The JSON Schema of scenario files for editors agrees with the reader, as far as a schema can say what it says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from sequencer.examples import path
from sequencer.simulation import Scenario, dumps_scenario, loads_scenario, scenario_schema
from sequencer.simulation.scenario import REACTIONS, THEN
from sequencer.simulation.scenario_document import scenario_document
from sequencer.testing.strategies import scenarios
from tests.definitions.test_schema import OF_THE_TEXT, data_of
from tests.simulation.test_scenario_files import FULL
from tests.simulation.test_scenario_malformed import YAML as MALFORMED

VALIDATOR = Draft202012Validator(scenario_schema())

# What a schema cannot say: that two things differ or agree, what exists, or what only the text of the file shows.
BEYOND_A_SCHEMA = {
    "a number of 65 bits", "a name of two lines", "an unknown zone", "a desk in no zone", "leave on no date",
    "leave backwards", "a season backwards", "an outage long ago", "an outage of no time",
    "arriving before it opens", "arriving after the usual end",
    "between backwards", "between two kinds", "quantiles of two kinds", "quantiles out of order",
    "a percentage twice", "a step twice", "an actor twice",
    "a catch-up of seconds", "a catch-up of ages", "a cap of two months",
}  # fmt: skip


def test_it_is_a_schema():
    """The schema itself is valid under draft 2020-12."""
    Draft202012Validator.check_schema(scenario_schema())


@pytest.mark.parametrize("name", ["scenario-usual", "scenario-slow-summer"])
def test_examples_fit(name):
    """Every bundled scenario fits the schema, and so does what is written of it."""
    text = path(f"{name}.yaml").read_text(encoding="utf-8")
    VALIDATOR.validate(data_of(text))
    VALIDATOR.validate(json.loads(dumps_scenario(loads_scenario(text), format="json")))


def test_everything_fits():
    """A scenario that says everything that can be said fits, and so does an empty one."""
    VALIDATOR.validate(data_of(FULL))
    VALIDATOR.validate({})


@given(scenarios())
def test_every_document_fits(scenario):
    """The document of any scenario fits the schema."""
    VALIDATOR.validate(scenario_document(scenario))


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param(text, id=name)
        for name, (text, code) in MALFORMED.items()
        if name not in BEYOND_A_SCHEMA and (code not in OF_THE_TEXT or ("quantiles" in text and "99.5" not in text))
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(marked):
    """Whatever is wrong with the structure of a scenario, the schema says so, too."""
    assert not VALIDATOR.is_valid(data_of(marked.replace("§", "", 1)))


def test_the_keys_are_the_same():
    """Each key that the schema knows is one that a document has, in every part, and the other way round."""
    document, schema = scenario_document(Scenario()), scenario_schema()

    assert set(schema["properties"]) == set(document)
    for key in ("people", "tasks", "mails", "worker", "caps", "blocked"):
        assert set(schema["properties"][key]["properties"]) == set(document[key]), key
    assert set(schema["$defs"]["reactions"]["properties"]) == set(REACTIONS)
    assert set(schema["$defs"]["cap"]["properties"]) == set(document["caps"]["default"])
    assert set(schema["$defs"]["absence"]["properties"]) == set(document["mails"]["out_of_office"])
    assert schema["properties"]["blocked"]["properties"]["then"]["enum"] == list(THEN)
