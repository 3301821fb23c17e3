"""The JSON Schema for editors agrees with the reader, as far as a schema can say what the reader says."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from jsonschema import Draft202012Validator

from sequencer.core.document import to_document
from sequencer.core.expectations import ASSUMPTIONS, EXPECTATIONS
from sequencer.core.policy import REPORT_KINDS
from sequencer.core.silence import SILENCEABLE
from sequencer.definitions import dumps, load, loads, schema
from sequencer.definitions.tree import Builder
from sequencer.definitions.yaml_text import read_yaml
from sequencer.examples import path
from sequencer.testing.strategies import sequences
from tests.definitions.test_malformed import YAML as MALFORMED
from tests.definitions.test_reading import FULL

EXAMPLES = ["cold-outbound", "enterprise-12-touch", "inbound-follow-up", "renewal", "trial-onboarding"]
VALIDATOR = Draft202012Validator(schema())

# What a schema cannot say: that two things differ or agree, what exists, or what only the text of the file shows.
BEYOND_A_SCHEMA = {
    "an unknown zone", "a zone out of the tree", "an absolute zone", "a folder of zones", "a misspelt zone",
    "a date that does not exist", "five decimals", "the same key twice", "two templates of an id",
    "a window across midnight", "a window off the send days", "hours across midnight",
    "a zone that is none", "an enrolling that ends before it begins", "never on a date that is none",
    "an end for people of all times", "metadata that is too long", "an escaped lone surrogate",
    "an escaped pair of surrogates", "an escaped NUL", "an escaped NUL in a key", "a bell in a body",
    "a name of two lines", "a subject of two lines",
    "a number of 65 bits", "metadata under a number", "a silence for no step",
    "an expression in a body", "an open field in a subject", "an expression in a task",
}  # fmt: skip
# What is refused for the way in which it is written, before there is anything to hold against a schema.
OF_THE_TEXT = {
    "syntax", "empty", "several_documents", "yaml_anchor", "yaml_alias", "yaml_tag", "yaml_merge_key", "yaml_directive",
    "too_deep", "too_many_values", "invalid_key", "duplicate_key", "invalid_text", "not_finite",
}  # fmt: skip


def data_of(text: str):
    """The plain data of a YAML text, as JSON has it."""
    builder = Builder(text, None)
    read_yaml(text, builder)
    return json.loads(json.dumps(builder.data))


def test_it_is_a_schema():
    """The schema itself is valid under draft 2020-12."""
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_fit(name):
    """Every example fits the schema, and so does what is written of it."""
    VALIDATOR.validate(data_of(path(f"{name}.yaml").read_text(encoding="utf-8")))
    VALIDATOR.validate(json.loads(dumps(load(path(f"{name}.yaml")), format="json")))


def test_everything_fits():
    """A definition that says everything that can be said fits."""
    VALIDATOR.validate(data_of(FULL))


@given(sequences())
def test_every_document_fits(sequence):
    """The document of any valid sequence fits the schema."""
    VALIDATOR.validate(to_document(sequence))


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param(text, id=name)
        for name, (text, code) in MALFORMED.items()
        if name not in BEYOND_A_SCHEMA and code not in OF_THE_TEXT and "1" * 5000 not in text
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(marked):
    """Whatever is wrong with the structure of a definition, the schema says so, too."""
    assert not VALIDATOR.is_valid(data_of(marked.replace("§", "", 1)))


def test_the_vocabularies_are_the_same():
    """Reports, assumptions, expectations and findings are the same words in the schema and in the code."""
    definitions = schema()["$defs"]

    assert set(definitions["policy"]["properties"]["on"]["properties"]) == set(REPORT_KINDS)
    assert set(definitions["expectation"]["properties"]) == set(EXPECTATIONS)
    assert set(schema()["properties"]["assume"]["properties"]) == set(ASSUMPTIONS)
    assert definitions["silence"]["properties"]["finding"]["enum"] == list(SILENCEABLE)


def test_every_key_is_written():
    """Each key that the schema knows at the top is one that a document has."""
    assert set(schema()["properties"]) == set(to_document(loads(FULL)))


def test_the_contract_is_plain_yaml():
    """The full example means the same to PyYAML's own loader where YAML 1.1 and 1.2 agree."""
    assert yaml.safe_load(FULL)["steps"] == data_of(FULL)["steps"]
