"""What the adapters make of an effect's key: the same id again for the same key, and for no other (law E2)."""

from __future__ import annotations

import hashlib
import re

__all__ = ["message_id", "token"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def token(key: str, *, longest: int = 64) -> str:
    """The key as text that is safe in a file name, in a Message-ID and as a task id; different keys stay different.

    The engine's own keys come out as they are. In any other, what is no letter, digit, `_` or `-` is written as `=`
    and its hexadecimal bytes; what would be longer than `longest` characters becomes its SHA-256.
    """
    text = _UNSAFE.sub(lambda match: "".join(f"={byte:02x}" for byte in match[0].encode("utf-8", "surrogatepass")), key)
    return text if 0 < len(text) <= longest else hashlib.sha256(text.encode()).hexdigest()[:longest]


def message_id(key: str, domain: str) -> str:
    """The Message-ID of the mail with this key, in angle brackets."""
    return f"<{token(key)}@{domain}>"
