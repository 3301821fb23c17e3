"""The OpenAPI document: written from the same table of operations that requests are served from."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Any

from sequencer.http.envelope import CODES
from sequencer.http.kinds import MOST_ID
from sequencer.http.limits import Limits
from sequencer.http.operations import Operation
from sequencer.http.ours import OURS
from sequencer.http.sequence_bodies import SELL_SCHEMA, definition_schema
from sequencer.http.shapes import EXAMPLES, SHAPES, error_example

__all__ = ["document_of"]

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of the caller's choice: the same request again under the same key does nothing twice (ours).",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
    "example": "6f1d0c9e",
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what the caller has: it is answered with 304 where that is still so (ours).",
    "schema": {"type": "string"},
    "example": '"3-0123456789abcdef"',
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what the caller has seen: only the revision that it begins with counts, and where "
    "there is another one by now nothing is changed (ours).",
    "schema": {"type": "string"},
    "example": '"3-0123456789abcdef"',
}
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Its id.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_ID},
    "example": 1,
}
# What can be done with what an answer has shown.
_WITH_AN_ID = {"Sequence", "SequenceEnrollment"}
_LINKED = {
    "sequence": ("getSequence", "getSequenceDefinition", "replaceSequence", "deleteSequence"),
    "sequence_enrollment": ("getSequenceEnrollment", "updateSequenceEnrollment", "signalSequenceEnrollment"),
}
_ENROLLED = {
    "operationId": "createSequenceEnrollment",
    "requestBody": {"data": {"sequence_id": "$response.body#/data/id", "resource_type": "lead", "resource_id": 42}},
}
_REQUEST_ID = {"$ref": "#/components/headers/X-Request-Id"}
_OF_AN_ERROR = {
    401: {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}},
    405: {"Allow": {"description": "The methods that the path has.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "In how many seconds to ask again.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "In how many seconds to ask again.", "schema": {"type": "integer"}}},
}


def document_of(operations: Iterable[Operation], limits: Limits) -> dict[str, Any]:
    """The OpenAPI document (3.1) of these operations under these limits."""
    definition, parts = definition_schema()
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, limits)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sequencer",
            "version": metadata.version("sequencer"),
            "description": _description(limits),
        },
        "servers": [
            {"url": "/", "description": "Where the application answers: this, or the prefix that it is mounted under."}
        ],
        "tags": [
            {"name": "Sequence enrollments", "description": "Leads and contacts on their way through sequences."},
            {"name": "Sequences", "description": "What they are enrolled in."},
        ],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer TOKEN`."}
            },
            "headers": {
                "X-Request-Id": {
                    "description": "The request's id: the caller's own where it sent one, else a new one.",
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
                },
                "ETag": {
                    "description": "Stands for these bytes; of an enrollment it begins with its revision, of a "
                    "sequence with the id of its version (ours).",
                    "schema": {"type": "string"},
                },
            },
            "schemas": {**SHAPES, "SellSequence": SELL_SCHEMA, "Definition": definition, **parts},
            "responses": {f"Error{status}": _error(status) for status in CODES},
        },
    }


def _description(limits: Limits) -> str:
    ours = "\n".join(f"| {row.what} | {row.choice} | {row.reason} |" for row in OURS)
    return (
        "Sequences and sequence enrollments in the shape of Zendesk Sell's API, over an engine of one's own.\n\n"
        f'Bodies are JSON in `{{"data": ...}}`, at most {limits.body} bytes and {limits.depth} levels deep, without '
        "keys that are given twice. Every answer has a header `X-Request-Id`; every error is in the envelope `Errors`, "
        "whose `logref` equals it. HEAD is answered wherever GET is. What is another account's is not there.\n\n"
        "Where the service does not say, this is our own choice:\n\n| what | ours | why |\n|---|---|---|\n" + ours
    )


def _operation(operation: Operation, limits: Limits) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [_ID] if "{id}" in operation.path else []
    parameters += [
        {
            "name": query.name,
            "in": "query",
            "required": False,
            "description": query.says,
            "schema": query.schema(limits),
            "example": query.example,
            **({"style": "form", "explode": False} if query.listed else {}),
        }
        for query in operation.queries
    ]
    statuses = {400, 401, 403, 404, 405, 429, 500, 503}
    if operation.method == "GET":
        parameters.append(_IF_NONE_MATCH)
    if operation.method == "POST":
        parameters.append(_KEY)
    if operation.body is not None:
        statuses |= {413, 422}
    if operation.conditional:
        parameters.append(_IF_MATCH)
        statuses.add(412)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "description": "In the envelope `data`; `meta` may say of what type it is.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["data"],
                        "additionalProperties": False,
                        "properties": {
                            "data": operation.body.schema,
                            "meta": {
                                "type": "object",
                                "properties": {"type": {"const": operation.body.resource}},
                                "additionalProperties": False,
                            },
                        },
                    },
                    "examples": {name: {"value": each} for name, each in operation.body.examples.items()},
                }
            },
        }
    described["responses"] = {
        **_success(operation),
        **{str(status): {"$ref": f"#/components/responses/Error{status}"} for status in sorted(statuses)},
    }
    return described


def _success(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        return {str(operation.success): {"description": "Done.", "headers": {"X-Request-Id": _REQUEST_ID}}}
    headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID, "ETag": {"$ref": "#/components/headers/ETag"}}
    if operation.success == 201:
        headers["Location"] = {"description": "The path of what was made.", "schema": {"type": "string"}}
    success: dict[str, Any] = {
        "description": "Made." if operation.success == 201 else "As it is now.",
        "headers": headers,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{operation.answer}"},
                "example": EXAMPLES[operation.answer],
            }
        },
    }
    if operation.resource in _LINKED and operation.answer in _WITH_AN_ID:
        success["links"] = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/data/id"}}
            for name in _LINKED[operation.resource]
            if name != operation.name
        }
        if operation.resource == "sequence":
            success["links"]["createSequenceEnrollment"] = _ENROLLED
    found = {str(operation.success): success}
    if operation.method == "GET":
        unchanged = {name: headers[name] for name in ("X-Request-Id", "ETag")}
        found["304"] = {"description": "What `If-None-Match` names is still so; no body.", "headers": unchanged}
    return found


def _error(status: int) -> dict[str, Any]:
    codes = CODES[status]
    return {
        "description": " ".join(f"`{code}`: {says}." for code, says in codes.items()),
        "headers": {"X-Request-Id": _REQUEST_ID, **_OF_AN_ERROR.get(status, {})},
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Errors"},
                "examples": {code: {"value": error_example(status, code, says)} for code, says in codes.items()},
            }
        },
    }
