"""From a request to an answer: who asks, how often, for what, in which words; and then the operation.

All of it happens in one go on one worker thread, since the engine and whoever says who is who may ask a database.
Nothing about things that are not the caller's is told: what is another account's is not there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from starlette.requests import Request

from sequencer.core.errors import Busy, Conflict, KeyReused, NotFound, Outdated
from sequencer.engine.engine import Engine
from sequencer.http.access import Access, Bearer, Grant, NotLetIn, granted
from sequencer.http.bodies import body_of
from sequencer.http.conditional import ANY, etag_of, is_known, whole
from sequencer.http.envelope import Refusal
from sequencer.http.errors import refusal_of
from sequencer.http.kinds import MOST_ID
from sequencer.http.limits import Limits, Rates, client_of
from sequencer.http.logs import log_failed, note_caller
from sequencer.http.operations import Answer, Call, Operation
from sequencer.http.queries import read_queries
from sequencer.http.tokens import Remembered, Tokens

__all__ = ["Door", "perform"]

_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_JSON = re.compile(r"application/json[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)


@attrs.frozen
class Door:
    """What every request of an application meets: the engine, who may come in, how much they may ask for.

    `timezone` is that of sequences that name none. `seen` has something in it once the store was seen to have all that
    answers need.
    """

    engine: Engine
    access: Access
    limits: Limits
    rates: Rates
    timezone: str
    seen: set[str] = attrs.field(factory=set, eq=False, repr=False)

    def remembered(self, request: Request) -> Remembered | None:
        """A token that was good when it was last asked for, and can be looked at again in the request's transaction.

        Then it needs none of its own. And with a token that never was good nobody makes the store begin one to write.
        """
        if not isinstance(access := self.access, Bearer) or not isinstance(tokens := access.tokens, Tokens):
            return None
        secret = access.secret_of(request)
        if secret is None or tokens.store is not self.engine.store:
            return None
        return tokens.remembered(secret)

    def see(self) -> None:
        """A store that is not as answers need it says so before anything is changed, and not after it."""
        if not self.seen:
            self.engine.stored_sequences(limit=1)
            self.seen.add("store")


def perform(door: Door, operation: Operation, request: Request, raw: bytes, logref: str) -> Answer | Refusal:
    """What is answered. Never raises; what was not foreseen is logged under the request's id."""
    try:
        return _performed(door, operation, request, raw)
    except Exception as error:  # noqa: BLE001 - whatever happens, the client is answered in the envelope
        found = refusal_of(error, operation.resource)
        if found.status >= 500:
            log_failed(logref, operation.name, error)
        return found


def _performed(door: Door, operation: Operation, request: Request, raw: bytes) -> Answer:
    """One request, one transaction: what it reads and what it writes, and that whoever asks is still let in."""
    remembered = None if operation.in_parts else door.remembered(request)
    grant = _granted(door, request) if remembered is None else remembered.grant
    try:
        call = _call(door, operation, request, raw, grant)
    except Exception:
        if remembered is not None:
            _granted(door, request)  # who is let in no more is told that, and nothing about what was asked for
        raise

    account = door.engine.account(grant.account)

    def act() -> Answer:
        if operation.in_parts:
            return operation.act(call(engine=account))
        with account.together(write=operation.writes, alone=False) as engine:
            if remembered is not None:
                if not remembered.is_good(engine.transaction):
                    raise _unknown(door, request)
                note_caller(request, grant)
            return operation.act(call(engine=engine))

    answer = _insisting(act)
    if answer.body is None:
        return answer
    etag = etag_of(answer.body, answer.revision)
    if operation.method == "GET" and is_known(whole(request.headers.getlist("if-none-match")), etag):
        return Answer(304, None, {"ETag": etag})
    return Answer(answer.status, answer.body, {**answer.headers, "ETag": etag}, answer.revision)


def _call(door: Door, operation: Operation, request: Request, raw: bytes, grant: Grant) -> Callable[..., Call]:
    """What is asked for, as far as it can be told without looking into the store; the engine is still to be given."""
    _pace(door.rates.callers.take((grant.account, grant.name)))
    if operation.writes and not grant.may_write:
        raise Refusal.of(403, "insufficient_scope", "the token is for reading only")
    if operation.writes:
        door.see()
        if "if-none-match" in request.headers:
            raise Refusal.of(400, "invalid_header", "If-None-Match is for reading; a change is held to If-Match")
    condition = whole(request.headers.getlist("if-match"))
    if operation.writes and condition is not None and condition.strip() != ANY and not operation.conditional:
        raise Refusal.of(
            400, "invalid_header", "If-Match is for PUT and DELETE on a thing: here nothing would be compared"
        )
    id = request.path_params.get("id")
    return partial(
        Call,
        request=request,
        grant=grant,
        id=0 if id is None else _id_of(id, operation),
        query=read_queries(request, operation.queries, door.limits),
        key=_key_of(request) if operation.method == "POST" else None,
        body=None if operation.body is None else _body_of(request, raw, door, operation),
        limits=door.limits,
    )


def _granted(door: Door, request: Request) -> Grant:
    try:
        grant = granted(door.access, request)
    except NotLetIn:
        _pace(door.rates.strangers.take(client_of(request.scope)))
        raise Refusal.of(403, "insufficient_scope", "who asks is known, but may not do this here") from None
    if grant is None:
        raise _unknown(door, request)
    note_caller(request, grant)
    return grant


def _unknown(door: Door, request: Request) -> Refusal:
    _pace(door.rates.strangers.take(client_of(request.scope)))
    message = "the request does not say who asks, or names nobody who is known here"
    if isinstance(door.access, Bearer):
        message = "needs the header Authorization: Bearer TOKEN, with a token that is in force"
    return Refusal.of(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})


def _pace(wait: float | None) -> None:
    if wait is not None:
        message = f"too many requests: ask again in {wait:.1f} seconds"
        raise Refusal.of(429, "rate_limit_exceeded", message, {"Retry-After": str(math.ceil(wait))})


def _id_of(text: str, operation: Operation) -> int:
    if not _ID.fullmatch(text) or int(text) > MOST_ID:
        raise NotFound("enrollment" if operation.resource == "sequence_enrollment" else operation.resource, text[:64])
    return int(text)


def _key_of(request: Request) -> str | None:
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise Refusal.of(400, "invalid_header", "Idempotency-Key needs 1 to 255 printable characters without spaces")
    return str(keys[0])


def _body_of(request: Request, raw: bytes, door: Door, operation: Operation) -> Any:
    assert operation.body is not None
    if not _JSON.fullmatch(request.headers.get("content-type", "")):
        raise Refusal.of(400, "invalid_header", "Content-Type must be application/json, in UTF-8")
    return operation.body.read(body_of(raw, door.limits, operation.resource), door.timezone)


def _insisting(act: Callable[[], Answer]) -> Answer:
    """What the operation answers; where somebody was faster it is tried once more, on what is there then.

    Not where the store is busy: it was waited for already.
    """
    try:
        return act()
    except (Busy, KeyReused, Outdated):
        raise
    except Conflict:
        return act()
