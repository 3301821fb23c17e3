"""From an error of the engine to what is answered: one row for each class.

An error has the row of the nearest of its classes that has one. What the database said stays in the log: it may tell
of other accounts, and helps no client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sequencer.core.errors import (
    AlreadyEnrolled,
    Busy,
    Conflict,
    DefinitionError,
    IllegalTransition,
    InvalidInput,
    KeyReused,
    MissingMergeData,
    Misuse,
    NotFound,
    Outdated,
    Problem,
    SchemaMismatch,
    SequenceExists,
    SequencerError,
    StoreError,
    Suppressed,
)
from sequencer.core.instants import to_iso
from sequencer.http.envelope import Refusal, WireError

__all__ = ["ROWS", "code_of", "pointer_of", "problem_error", "refusal_of"]

_CODES = {
    "unknown_key": "unknown",
    "missing": "missing",
    "blank": "blank",
    "invalid_type": "invalid_type",
}
# A key in quotes, an index, or a key as it is: what `sequencer.core.problems` makes paths of.
_PART = re.compile(r'\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]|([^.\[\]]+)')


def code_of(code: str) -> str:
    """The wire's code for a code of the package: it has six, and all that is finer is `incorrect_value`."""
    return _CODES.get(code, "incorrect_value")


def pointer_of(path: str, within: str = "") -> str:
    """The JSON pointer of a path like `steps[2].action_properties`, below another pointer."""
    parts = [json.loads(quoted) if quoted else index or plain for quoted, index, plain in _PART.findall(path)]
    return within + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def problem_error(problem: Problem, resource: str, within: str = "") -> WireError:
    """The resource error of a problem with a definition."""
    return WireError(code_of(problem.code), problem.message, resource, pointer_of(problem.path, within), str(problem))


def _invalid(error: InvalidInput, resource: str) -> Refusal:
    field = pointer_of(error.path, "/data")
    return Refusal(422, [WireError(code_of(error.code), error.message, resource, field, f"{error.code}: {error}")])


def _definition(error: DefinitionError, resource: str) -> Refusal:
    return Refusal(422, [problem_error(problem, resource) for problem in error.problems])


def _enrolled(error: AlreadyEnrolled, resource: str) -> Refusal:
    details = f"enrollment {error.existing_id}"
    if error.again_at is not None:
        details += f"; possible again from {to_iso(error.again_at)}"
    return Refusal(422, [WireError("already_exists", str(error), resource, "/data/resource_id", details)])


def _exists(error: SequenceExists, resource: str) -> Refusal:
    details = f"sequence {error.existing_id}"
    return Refusal(422, [WireError("already_exists", str(error), resource, "/data/name", details)])


def _incorrect(field: str) -> Callable[[Any, str], Refusal]:
    return lambda error, resource: Refusal(422, [WireError("incorrect_value", str(error), resource, field)])


def _request(status: int, code: str, message: str | None = None, **headers: str) -> Callable[[Any, str], Refusal]:
    """A request error; with the error's own message where none is given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda error, resource: Refusal.of(status, code, str(error) if message is None else message, named)


_BUSY = _request(503, "temporarily_unavailable", "the store is busy; ask again in a while", Retry_After="1")
_FASTER = _request(
    503, "temporarily_unavailable", "somebody changed the same at this moment; ask again", Retry_After="1"
)
_STORE = _request(503, "temporarily_unavailable", "the store cannot be used now; ask again later", Retry_After="1")
_UNFORESEEN = _request(500, "server_error", "something went wrong; the log has it under this logref")

ROWS: dict[type[Exception], Callable[[Any, str], Refusal]] = {
    InvalidInput: _invalid,
    NotFound: _request(404, "not_found"),
    AlreadyEnrolled: _enrolled,
    SequenceExists: _exists,
    Suppressed: _incorrect("/data/email"),
    IllegalTransition: _incorrect("/data/state"),
    DefinitionError: _definition,
    MissingMergeData: _incorrect("/data/fields"),
    KeyReused: _request(422, "incorrect_payload"),
    Outdated: _request(412, "precondition_failed"),
    Busy: _BUSY,
    Conflict: _FASTER,
    SchemaMismatch: _STORE,
    StoreError: _STORE,
    Misuse: _UNFORESEEN,
    SequencerError: _UNFORESEEN,
    Exception: _UNFORESEEN,
}


def refusal_of(error: Exception, resource: str = "sequence_enrollment") -> Refusal:
    """What is answered to an error; `resource` is what the request was about."""
    if isinstance(error, Refusal):
        return error
    row = next(ROWS[kind] for kind in type(error).__mro__ if kind in ROWS)
    return row(error, resource)
