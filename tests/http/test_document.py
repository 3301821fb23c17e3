"""The OpenAPI document is valid, complete and true: everything is described, and every example is what it says."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from fastapi.openapi.models import OpenAPI

from sequencer import Resource
from sequencer.core.signals import OUTSIDE
from sequencer.http.application import OPERATIONS
from sequencer.http.bodies import body_of
from sequencer.http.document import document_of
from sequencer.http.envelope import CODES
from sequencer.http.limits import Limits
from sequencer.http.ours import OURS
from tests.http.conftest import tasks

LIMITS = Limits()
DOCUMENT = document_of(OPERATIONS, LIMITS)
DESCRIBED = [
    pytest.param(path, method, described, id=described["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]


def validator(schema):
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]}, validate_formats=True)


def resolved(value):
    """The part of the document that a reference leads to."""
    while "$ref" in value:
        found = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def references(value):
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_it_is_an_openapi_document(client):
    """It is one by FastAPI's own model, is served as it is, to everybody, and all of its references lead somewhere."""
    OpenAPI.model_validate(DOCUMENT)
    served = client.get("/openapi.json")
    assert served.json() == json.loads(json.dumps(DOCUMENT))
    assert all(resolved({"$ref": each}) for each in references(DOCUMENT))
    for name in DOCUMENT["components"]["schemas"]:
        validator({"$ref": f"#/components/schemas/{name}"})


@pytest.mark.parametrize(("path", "method", "described"), DESCRIBED)
def test_everything_is_described(path, method, described):
    """Every operation, parameter, body and answer is described and has an example; so has each status of an error."""
    assert described["summary"]
    assert described["description"]
    assert described["tags"]
    for parameter in described["parameters"]:
        assert parameter["description"]
        assert validator(parameter["schema"]).is_valid(parameter["example"]), parameter
    statuses = set(described["responses"])
    assert {"400", "401", "403", "404", "405", "429", "500", "503"} <= statuses
    assert ("422" in statuses) == ("413" in statuses) == ("requestBody" in described)
    for status, response in ((status, resolved(each)) for status, each in described["responses"].items()):
        assert response["description"]
        assert "X-Request-Id" in response["headers"]
        for content in response.get("content", {}).values():
            examples = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
            for example in examples:
                assert validator(content["schema"]).is_valid(example), (status, example)
            if int(status) >= 400:
                assert {each["errors"][0]["error"]["code"] for each in examples} == set(CODES[int(status)])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_the_examples_are_read(operation):
    """Each example of a body is valid by its schema, and the code reads it."""
    if operation.body is None:
        return
    content = DOCUMENT["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]["application/json"]
    assert content["examples"]
    for example in content["examples"].values():
        assert validator(content["schema"]).is_valid(example["value"])
        operation.body.read(body_of(json.dumps(example["value"]).encode(), LIMITS, operation.resource), "UTC")


def test_every_report_can_be_sent(engine, client):
    """Every kind of report that a host may hear of is a type of signal, and what the policy says of it happens."""
    (signals,) = [each for each in OPERATIONS if each.name == "signalSequenceEnrollment"]
    assert signals.body is not None
    types = {word for each in signals.body.schema["anyOf"] for word in each["properties"]["type"]["enum"]}
    assert types == {*OUTSIDE, "task_completed"}

    sequence_id = engine.create_sequence(tasks()).id
    for i, type in enumerate(sorted(OUTSIDE)):
        body = {"sequence_id": sequence_id, "resource_type": "lead", "resource_id": i, "email": f"l{i}@example.com"}
        id = client.post("/v2/sequence_enrollments", body).json()["data"]["id"]
        after = client.post(f"/v2/sequence_enrollments/{id}/signals", {"type": type, "key": type}).json()["data"]
        does = tasks().policy.on[type].does
        assert after["state"] == {"finish": "finished", "block": "blocked", "note": "active"}[does]


def test_what_is_ours_says_so():
    """The document has the table of our own choices, and each operation that is ours says that it is."""
    assert all(row.what in DOCUMENT["info"]["description"] for row in OURS)
    ours = {each.name for each in OPERATIONS if "(ours)" in each.summary}
    assert ours == {
        "createSequence",
        "getSequenceDefinition",
        "replaceSequence",
        "deleteSequence",
        "signalSequenceEnrollment",
    }


def test_answers_are_what_the_shapes_say(engine, client):
    """Real answers, with things in them and without, are valid by the schemas that describe them."""
    engine.enroll(tasks("One", 3), Resource("lead", 1))
    for path, name in (
        ("/v2/sequences", "Sequences"),
        ("/v2/sequences?page=9", "Sequences"),
        ("/v2/sequences/1", "Sequence"),
        ("/v2/sequences/1/definition", "SequenceDefinition"),
        ("/v2/sequence_enrollments", "SequenceEnrollments"),
        ("/v2/sequence_enrollments/1", "SequenceEnrollment"),
        ("/v2/sequence_enrollments/2", "Errors"),
    ):
        assert validator({"$ref": f"#/components/schemas/{name}"}).is_valid(client.get(path).json())
