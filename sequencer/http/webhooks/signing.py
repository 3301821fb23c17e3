"""Signing what is sent, and telling whether what has arrived is genuine: the symmetric scheme of Standard Webhooks 1.0.

What is signed is `<webhook-id>.<webhook-timestamp>.<body>`, with HMAC-SHA256; the header `webhook-signature` has
`v1,<base64>`, and one for each secret, separated by blanks, while there are several. Any receiver that knows the scheme
gets along with it; `verify` is one that needs no extra.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sequencer.core.errors import InvalidInput, SequencerError
from sequencer.core.instants import to_instant
from sequencer.engine.clock import SystemClock

__all__ = ["Unverified", "new_secret", "sign", "to_keys", "verify"]

_PREFIX = "whsec_"
_BYTES = 32
_LEAST, _MOST = 24, 64
_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
# So that the three parts of what is signed cannot be cut elsewhere: no full stop in the first two.
_IDS = re.compile(r"[!-\-/-~]{1,256}", re.ASCII)
_SECONDS = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


class Unverified(SequencerError):
    """What has arrived is not to be trusted, and nothing of it may be used. Answer 401, or any status but 2xx.

    `reason` is one of `missing_header`, `malformed_header`, `too_old`, `too_new`, `wrong_signature`, `malformed_body`.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def new_secret() -> str:
    """A secret of 256 random bits, as text: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def to_keys(secret: str | Iterable[str], path: str = "secret") -> list[bytes]:
    """The keys of one secret, or of several (also as one text, separated by blanks); never quoted where it is wrong."""
    texts = secret.split() if isinstance(secret, str) else list(secret)
    if not texts:
        raise InvalidInput("needs a secret", path=path, code="blank")
    return [_to_key(text, path) for text in texts]


def _to_key(text: Any, path: str) -> bytes:
    message = f"needs {_PREFIX} and {_LEAST} to {_MOST} bytes in base64, as `webhook add` shows it"
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        raise InvalidInput(message, path=path, code="invalid_secret")
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(message, path=path, code="invalid_secret") from None
    if not _LEAST <= len(key) <= _MOST:
        raise InvalidInput(message, path=path, code="invalid_secret")
    return key


def sign(body: bytes | str, *, id: str, at: datetime, secret: str | Iterable[str]) -> dict[str, str]:
    """The three headers for a body: `id` is the same for every attempt, `at` is the instant of this one.

    Of several secrets each signs, so that a receiver may have changed to the new one or not.
    """
    if _IDS.fullmatch(id) is None:
        raise InvalidInput("needs 1 to 256 printable characters without a full stop", path="id")
    timestamp = str(int(to_instant(at, "at").timestamp()))
    signatures = (_signature(key, id, timestamp, _bytes(body)) for key in to_keys(secret))
    return {_ID: id, _TIMESTAMP: timestamp, _SIGNATURE: " ".join(signatures)}


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)


def _signature(key: bytes, id: str, timestamp: str, body: bytes) -> str:
    signed = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    now: datetime | None = None,
    tolerance: float = 300,
) -> dict[str, Any]:
    """The event that has arrived, if it is genuine and new; else `Unverified` says why not.

    `body` is what came over the wire, byte for byte: not parsed, and not written again. `headers` are those of the
    request, in any case of letters. `secret` is what `webhook add` showed; several, while they are being changed. `now`
    is for tests (None: the system's clock), `tolerance` how many seconds the clocks of the two sides may differ by, and
    a message be on its way.

    An event may arrive more than once, each time with the same `id`: note those that you have dealt with.
    """
    keys = to_keys(secret)
    id, timestamp, signatures = (_header(headers, name) for name in (_ID, _TIMESTAMP, _SIGNATURE))
    if _IDS.fullmatch(id) is None:
        raise Unverified(f"the header {_ID} is none", "malformed_header")
    if _SECONDS.fullmatch(timestamp) is None:
        raise Unverified(f"the header {_TIMESTAMP} has no seconds since 1970", "malformed_header")
    age = (SystemClock().now() if now is None else to_instant(now, "now")).timestamp() - int(timestamp)
    if not age <= tolerance:
        raise Unverified(f"it was sent {age:.0f} s ago, and at most {tolerance:g} s are allowed", "too_old")
    if not -age <= tolerance:
        message = f"it is from {-age:.0f} s in the future, and at most {tolerance:g} s are allowed: a clock is wrong"
        raise Unverified(message, "too_new")
    try:
        sent = _bytes(body)
    except UnicodeEncodeError:
        raise Unverified("the body is no text", "malformed_body") from None
    given = [each.encode("utf-8", "surrogatepass") for each in signatures.split(" ")]
    fits = False
    for key in keys:
        expected = _signature(key, id, timestamp, sent).encode()
        for each in given:
            # As text, so that there is one spelling of a signature; and each, however early one fits.
            fits |= hmac.compare_digest(expected, each)
    if not fits:
        message = "no signature fits: the secret is another, or the body is not byte for byte what was sent"
        raise Unverified(message, "wrong_signature")
    try:
        event = json.loads(sent)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise Unverified("the body is no JSON object", "malformed_body")
    return event


def _header(headers: Mapping[str, str], name: str) -> str:
    values = [value for each, value in headers.items() if each.lower() == name]
    if not values:
        raise Unverified(f"there is no header {name}", "missing_header")
    if len(values) > 1:
        # One part of the receiver might look at the first of them, and another at the last.
        raise Unverified(f"there is more than one header {name}", "malformed_header")
    return values[0]
