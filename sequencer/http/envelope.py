"""The envelope in which every error leaves, and `Refusal`, which carries one to it.

Clients of the model service read `meta.logref` of every answer that is no success, and break without it; so whatever
goes wrong, wherever, ends here. A *resource error* is about something in a body and points to it (`field`, a JSON
pointer into what was sent); a *request error* is about the request as such and has no `resource` and no `field`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import attrs

from sequencer.core.values import EMPTY

__all__ = ["CODES", "RESOURCE_CODES", "Refusal", "WireError", "envelope_of", "status_line"]

RESOURCE_CODES = {
    "unknown": "the body has a key that is none here",
    "missing": "something that is needed is not there",
    "already_exists": "there is such a one already",
    "blank": "it is empty, or null where it must not be",
    "invalid_type": "it is of another type than it must be",
    "incorrect_value": "it is of the right type, but not a value that is possible here, or possible now",
}
"""The codes of resource errors, and what each says."""

CODES: dict[int, dict[str, str]] = {
    400: {
        "invalid_param": "a parameter of the query is unknown, given twice, or not what it must be",
        "invalid_header": "a header is not what it must be",
        "invalid_payload": 'the body is no JSON, or has not the envelope `{"data": {...}}`',
    },
    401: {"unauthorized": "there is no token that is in force, or nobody whom `access` knows"},
    403: {"insufficient_scope": "the token is for reading only, or `access` knows who asks and does not let them in"},
    404: {
        "not_found": "there is no such thing in this account",
        "incorrect_path": "there is no such path",
    },
    405: {"incorrect_path": "the path does not have this method; the header `Allow` names those that it has"},
    412: {"precondition_failed": "`If-Match` names another revision: somebody was faster"},
    413: {"invalid_payload": "the body is longer than is read"},
    422: {**RESOURCE_CODES, "incorrect_payload": "the idempotency key was used before, for something else"},
    429: {"rate_limit_exceeded": "too many requests; the header `Retry-After` says when to ask again"},
    500: {"server_error": "something that was not foreseen; the log of the server has it under `logref`"},
    503: {"temporarily_unavailable": "the store is busy or cannot be used; ask again later"},
}
"""Every error that can be answered: status, code, and what it says."""


@attrs.frozen
class WireError:
    """One error of an envelope. `message` is for people, `details` for developers."""

    code: str
    message: str
    resource: str | None = None
    field: str | None = None
    details: str | None = None

    def to_dict(self, more_info: str) -> dict[str, Any]:
        """The error in its own envelope."""
        error = {
            "resource": self.resource,
            "field": self.field,
            "code": self.code,
            "message": self.message,
            "details": self.details or self.message,
        }
        return {
            "error": {key: value for key, value in error.items() if value is not None},
            "meta": {"type": "error", "links": {"more_info": more_info}},
        }


class Refusal(Exception):
    """The request is answered with errors; nothing was changed."""

    def __init__(self, status: int, errors: Iterable[WireError], headers: Mapping[str, str] = EMPTY) -> None:
        self.status = status
        self.errors = tuple(errors)
        self.headers = headers
        super().__init__(status, *(error.message for error in self.errors))

    @classmethod
    def of(cls, status: int, code: str, message: str, headers: Mapping[str, str] = EMPTY) -> Refusal:
        """The refusal with one request error."""
        return cls(status, [WireError(code, message)], headers)


def status_line(status: int) -> str:
    """`422 Unprocessable Entity`, as the envelope has it."""
    # Python calls some of them by the names that RFC 9110 gave them.
    phrase = {413: "Payload Too Large", 422: "Unprocessable Entity"}.get(status) or HTTPStatus(status).phrase
    return f"{status} {phrase}"


def envelope_of(refusal: Refusal, logref: str, base: str) -> bytes:
    """The body of an answer with errors; `base` is the URL under which the application answers."""
    more_info = f"{base}openapi.json#/components/responses/Error{refusal.status}"
    document = {
        "errors": [error.to_dict(more_info) for error in refusal.errors],
        "meta": {
            "type": "errors",
            "http_status": status_line(refusal.status),
            "logref": logref,
            "links": {"more_info": more_info},
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
