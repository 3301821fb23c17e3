"""Conditional requests on a revision: `ETag`, `If-None-Match`, `If-Match` (RFC 9110, section 13; ours).

The ETag of an enrollment is `"<revision>-<hash of the bytes>"`. Reading compares all of it, since what is overdue and
what is projected change with the time alone. Writing compares the revision only, which is what writers compare and set
on: a change of the clock is nobody's change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set as AbstractSet

__all__ = ["ANY", "etag_of", "is_known", "revisions_of", "whole"]

ANY = "*"
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_OF_A_REVISION = re.compile(r"([0-9]{1,19})-[0-9a-f]{16}", re.ASCII)


def whole(lines: list[str]) -> str | None:
    """A header that came in several lines as the one list that it is (RFC 9110, section 5.3)."""
    return ", ".join(lines) if lines else None


def etag_of(body: bytes, revision: int | None = None) -> str:
    """The strong tag of these bytes, which are of a revision where the thing has one."""
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return f'"{digest}"' if revision is None else f'"{revision}-{digest}"'


def is_known(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this tag, so that the client has these bytes already."""
    if header is None:
        return False
    return header.strip() == ANY or any(f'"{tag}"' == etag for _, tag in _TAG.findall(header))


def revisions_of(header: str | None) -> AbstractSet[int] | None:
    """The revisions that `If-Match` allows to be written over; None where it allows any, or there is none.

    A weak tag, and what is none of ours, matches nothing: who asks for a condition is not written for without one.
    """
    if header is None or header.strip() == ANY:
        return None
    found = [_OF_A_REVISION.fullmatch(tag) for weak, tag in _TAG.findall(header) if not weak]
    return frozenset(int(each[1]) for each in found if each is not None)
