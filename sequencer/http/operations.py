"""What an operation is: one row for each, from which requests are served and the OpenAPI document is written alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from starlette.requests import Request

from sequencer.core.values import EMPTY
from sequencer.engine.engine import Engine
from sequencer.http.access import Grant
from sequencer.http.envelope import Refusal
from sequencer.http.kinds import Member, read_members
from sequencer.http.limits import Limits

__all__ = ["Answer", "Body", "Call", "Operation", "Query", "answered", "json_bytes", "object_body"]


def json_bytes(document: Any) -> bytes:
    """A document as the bytes that leave."""
    return _encode(document).encode("utf-8")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@attrs.frozen
class Answer:
    """What is answered where nothing went wrong. `body` None: no content."""

    status: int
    body: bytes | None = None
    headers: Mapping[str, str] = EMPTY
    revision: int | None = None


def answered(
    document: Any, status: int = 200, *, revision: int | None = None, headers: Mapping[str, str] = EMPTY
) -> Answer:
    """The answer with a document, which is of a revision where the thing has one."""
    return Answer(status, json_bytes(document), headers, revision)


@attrs.frozen
class Query:
    """A parameter of the query: how its text is read (raises `ValueError` with what is wrong), and its schema."""

    name: str
    read: Callable[[str, Limits], Any]
    schema: Callable[[Limits], Mapping[str, Any]]
    says: str
    example: Any
    listed: bool = False


@attrs.frozen
class Body:
    """What a body holds: the schema is that of `data`.

    `read` takes all of it, with its envelope, and the zone of what names none, and raises `Refusal`.
    """

    resource: str
    read: Callable[[dict[str, Any], str], Any]
    schema: Mapping[str, Any]
    examples: Mapping[str, Any]


def object_body(resource: str, members: tuple[Member, ...], examples: Mapping[str, Any]) -> Body:
    """A body whose `data` has these members and no others."""

    def read(body: dict[str, Any], timezone: str) -> dict[str, Any]:
        found, errors = read_members(members, body["data"], resource)
        if errors:
            raise Refusal(422, errors)
        return found

    return Body(resource, read, object_schema(members), examples)


def object_schema(members: tuple[Member, ...]) -> dict[str, Any]:
    """The schema of an object with these members and no others."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {member.name: member.schema() for member in members},
        "additionalProperties": False,
    }
    needed = [member.name for member in members if member.needed]
    return {**schema, "required": needed} if needed else schema


@attrs.frozen
class Call:
    """A request that is allowed and well formed, for an operation to act on: `engine` is bound to its account."""

    request: Request
    engine: Engine
    grant: Grant
    id: int
    query: Mapping[str, Any]
    body: Any
    key: str | None
    limits: Limits


@attrs.frozen(kw_only=True)
class Operation:
    """One operation: where it is, what it takes, what it does, and how it is described.

    `path` may have `{id}` in it, a number of 64 bits. `answer` names the schema of the document that a success has,
    None where it has none; `example` is such a document. `writes`: it needs a grant for writing.
    `conditional`: it heeds `If-Match`; elsewhere that is refused, as a condition must not be passed over.
    `in_parts`: it is several transactions; the others are one, in which `act` is called.
    """

    name: str
    method: str
    path: str
    summary: str
    description: str
    act: Callable[[Call], Answer]
    resource: str
    writes: bool = False
    success: int = 200
    answer: str | None = None
    queries: tuple[Query, ...] = ()
    body: Body | None = None
    conditional: bool = False
    in_parts: bool = False
    tag: str
