"""From the bytes of a body to plain data: the strict JSON reader that definitions are read by, and the envelope.

What is no JSON, or has no envelope, is a request error (`invalid_payload`); a value that nothing can store is a
resource error that points to it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect

from sequencer.core.problems import EnoughProblems
from sequencer.definitions.json_text import read_json
from sequencer.definitions.tree import Builder
from sequencer.http.envelope import Refusal
from sequencer.http.errors import problem_error
from sequencer.http.limits import Limits, is_deeper

__all__ = ["TooLong", "body_of", "read_body", "too_long", "too_slow", "with_integers"]

# What is wrong with a value rather than with the JSON; and that there is so much of it that the reading has ended.
_TOO_MANY = "too_many_problems"
_OF_A_VALUE = {"invalid_text", "out_of_range", _TOO_MANY}


class TooLong(Exception):
    """A body has more bytes than are read."""


async def read_body(receive: Callable[[], Awaitable[Any]], most: int) -> bytes:
    """The body that arrives; no more of one that is too long is read than it takes to see that it is `TooLong`."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLong
        more = message.get("more_body", False)
    return bytes(body)


def too_long(limits: Limits) -> Refusal:
    """The answer to a body that is longer than is read."""
    return Refusal.of(413, "invalid_payload", f"the body is longer than {limits.body} bytes, the most that is read")


def too_slow(limits: Limits) -> Refusal:
    """The answer to a body that does not arrive."""
    return Refusal.of(400, "invalid_payload", f"the body has not arrived within {limits.seconds:g} seconds")


def body_of(raw: bytes, limits: Limits, resource: str) -> dict[str, Any]:
    """The whole body: an object with `data`, which is an object, and perhaps `meta`. Raises `Refusal`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal.of(400, "invalid_payload", "the body is not UTF-8") from None
    if not text.strip():
        raise Refusal.of(400, "invalid_payload", 'the body is empty: it needs {"data": {...}}')
    # Where there are no more brackets than that, it cannot be.
    if raw.count(b"{") + raw.count(b"[") > limits.depth and is_deeper(raw, limits.depth):
        raise Refusal.of(400, "invalid_payload", f"the body is nested more than {limits.depth} levels deep")
    plain = _plain(text)
    if plain is not None:
        return plain
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
    return {"data": with_integers(body["data"])}


# Longer ones may have more values in them than are read.
_SHORT = 4096
_ENVELOPE = {"data"}


def _plain(text: str) -> dict[str, Any] | None:
    """The whole body, where it is short and there is surely nothing wrong with it; else None, for the strict reader.

    Most bodies are a line or two, in which the standard library's reader is twenty times as fast; and all that it takes
    and the strict one does not it gives to one of these hooks, but for characters, which are looked at after it.
    """
    if len(text) > _SHORT or not text.isprintable() or "\\" in text:
        return None
    try:
        body = _decode(text)
    except ValueError:
        return None
    if not isinstance(body, dict) or body.keys() != _ENVELOPE or not isinstance(body["data"], dict):
        return None
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _integer(text: str) -> int:
    if len(text) > 18:
        raise ValueError("perhaps more than 64 bits")
    return int(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)


# Fractions and NaN are for the strict reader, too.
_decode = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse
).decode


def with_integers(value: Any) -> Any:
    """The same with every number that is whole as an integer, where it is one of 64 bits: to JSON 1.0 and 1 are one."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and -(2**63) <= value < 2**63 else value
    if isinstance(value, dict):
        return {key: with_integers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_integers(each) for each in value]
    return value
