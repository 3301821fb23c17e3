"""What a store keeps of a sequence: its content as canonical text with a digest, and its templates (laws L1, L9).

The content is everything that runs: name, steps, calendar, policy and metadata. Templates, assumptions,
expectations and silences are left out of it, so that correcting a text makes no new version.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import attrs

from sequencer.core.document import from_document, to_document
from sequencer.core.errors import SequencerError, StoreError
from sequencer.core.sequence import Sequence
from sequencer.core.values import Identifier
from sequencer.stores.codec import encode_id

__all__ = ["Content", "content_of", "keyed_hash", "sequence_of"]

_NO_CONTENT = ("templates", "assume", "expect", "silence")


@attrs.frozen
class Content:
    """The stored form of a definition: canonical text, its digest, and that of the templates beside it."""

    text: str
    digest: str
    templates_digest: str


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def content_of(sequence: Sequence) -> Content:
    """The content of a definition; computed once for each object, since every enrolment asks."""
    found: Content | None = sequence.__dict__.get("_stored_content")
    if found is None:
        document = to_document(sequence)
        for name in _NO_CONTENT:
            document.pop(name, None)
        text = _canonical(document)
        templates = sorted((encode_id(id), each.subject, each.body) for id, each in sequence.templates.items())
        found = Content(text, _digest(text), _digest(_canonical(templates)))
        sequence.__dict__["_stored_content"] = found
    return found


def sequence_of(text: str) -> Sequence:
    """The definition of a stored content; a `StoreError` where it cannot be read."""
    try:
        return from_document(json.loads(text))
    except (ValueError, SequencerError) as error:
        # Not what is wrong with it: that may quote what is in it.
        raise StoreError(f"a stored version of a sequence cannot be read: {type(error).__name__}") from None


def keyed_hash(secret: bytes, account: Identifier | None, address: str) -> str:
    """What is left of a suppressed address after it was erased: an HMAC that tells nothing without the secret (S8)."""
    message = f"{encode_id(account)}\n{address}".encode("utf-8", "surrogatepass")
    return hmac.digest(secret, message, "sha256").hex()
