"""From the bytes of a body to plain data: the strict JSON reader that definitions are read by, and the envelope.

What is no JSON, or has no envelope, is a request error (`invalid_payload`); a value that nothing can store is a
resource error that points to it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sequencer.core.problems import EnoughProblems
from sequencer.definitions.json_text import read_json
from sequencer.definitions.tree import Builder
from sequencer.http.envelope import Refusal
from sequencer.http.errors import problem_error
from sequencer.http.limits import Limits, is_deeper

__all__ = ["body_of", "too_long"]

# What is wrong with a value rather than with the JSON; and that there is so much of it that the reading has ended.
_TOO_MANY = "too_many_problems"
_OF_A_VALUE = {"invalid_text", "out_of_range", _TOO_MANY}


def too_long(limits: Limits) -> Refusal:
    """The answer to a body that is longer than is read."""
    return Refusal.of(413, "invalid_payload", f"the body is longer than {limits.body} bytes, the most that is read")


def body_of(raw: bytes, limits: Limits, resource: str) -> dict[str, Any]:
    """The whole body: an object with `data`, which is an object, and perhaps `meta`. Raises `Refusal`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal.of(400, "invalid_payload", "the body is not UTF-8") from None
    if not text.strip():
        raise Refusal.of(400, "invalid_payload", 'the body is empty: it needs {"data": {...}}')
    if is_deeper(raw, limits.depth):
        raise Refusal.of(400, "invalid_payload", f"the body is nested more than {limits.depth} levels deep")
    builder = Builder(text, None)
    with suppress(EnoughProblems):
        read_json(text, builder)
    for problem in builder.problems:
        if problem.code not in _OF_A_VALUE:
            raise Refusal.of(400, "invalid_payload", f"the body is not valid JSON: {problem}")
    if any(problem.code == _TOO_MANY for problem in builder.problems):
        raise Refusal(422, [problem_error(problem, resource) for problem in builder.problems])
    body = builder.data
    if not isinstance(body, dict) or "data" not in body or not body.keys() <= {"data", "meta"}:
        raise Refusal.of(400, "invalid_payload", 'the body needs the envelope {"data": {...}}, and nothing beside it')
    if not isinstance(body["data"], dict):
        raise Refusal.of(400, "invalid_payload", "data must be an object")
    meta = body.get("meta", {})
    if not isinstance(meta, dict) or not meta.keys() <= {"type"} or meta.get("type", resource) != resource:
        raise Refusal.of(400, "invalid_payload", f'meta, where there is one, must be {{"type": "{resource}"}}')
    if builder.problems:
        raise Refusal(422, [problem_error(problem, resource) for problem in builder.problems])
    return {"data": _whole(body["data"])}


def _whole(value: Any) -> Any:
    """The same with every number that is whole as an integer, where it is one of 64 bits: to JSON 1.0 and 1 are one."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and -(2**63) <= value < 2**63 else value
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return value
