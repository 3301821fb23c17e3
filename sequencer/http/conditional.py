"""Conditional requests on a revision: `ETag`, `If-None-Match`, `If-Match` (RFC 9110, section 13; ours).

The ETag of an enrollment or a sequence is `"<revision>-<hash of the bytes>"`; of a sequence the revision is the id of
its current version. Reading compares all of it, since what is overdue and
what is projected change with the time alone. Writing compares the revision only, which is what writers compare and set
on: a change of the clock is nobody's change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from starlette.requests import Request

from sequencer.core.errors import Outdated
from sequencer.http.envelope import Refusal

__all__ = ["ANY", "etag_of", "is_known", "revision_of", "revisions_of", "whole"]

ANY = "*"
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
# What is a list of tags, or of none; `*` stands alone, but where a header came in several lines it stands among them.
_ONE = rf"(?:(?:\*|{_TAG.pattern})[ \t]*)?"
_TAGS = re.compile(rf"[ \t]*{_ONE}(?:,[ \t]*{_ONE})*")
_OF_A_REVISION = re.compile(r"([0-9]{1,19})-[0-9a-f]{16}", re.ASCII)


def whole(lines: list[str]) -> str | None:
    """A header that came in several lines as the one list that it is (RFC 9110, section 5.3)."""
    return ", ".join(lines) if lines else None


def etag_of(body: bytes, revision: int | None = None) -> str:
    """The strong tag of these bytes, which are of a revision where the thing has one."""
    # The one that processors have instructions for.
    digest = hashlib.sha256(body, usedforsecurity=False).hexdigest()[:16]
    return f'"{digest}"' if revision is None else f'"{revision}-{digest}"'


def is_known(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this tag, so that the client has these bytes already."""
    if header is None:
        return False
    return header.strip() == ANY or any(f'"{tag}"' == etag for _, tag in _TAG.findall(header))


def revisions_of(header: str | None) -> AbstractSet[int] | None:
    """The revisions that `If-Match` allows to be written over; None where it allows any, or there is none.

    A weak tag, and what is none of ours, matches nothing: who asks for a condition is not written for without one.
    Raises `Refusal` for what is no list of tags.
    """
    if header is None or header.strip() == ANY:
        return None
    if not _TAGS.fullmatch(header):
        raise Refusal.of(400, "invalid_header", 'If-Match needs * or tags in quotes, like "3-0123456789abcdef"')
    found = [_OF_A_REVISION.fullmatch(tag) for weak, tag in _TAG.findall(header) if not weak]
    return frozenset(int(each[1]) for each in found if each is not None)


def revision_of(request: Request, current: Callable[[], int]) -> int | None:
    """The revision that `If-Match` allows to be written over, None where it allows any; `current` looks which it is.

    Raises where the thing is at none of those: `Outdated`, or `Refusal` where the header names none of its revisions.
    """
    allowed = revisions_of(whole(request.headers.getlist("if-match")))
    if allowed is None:
        return None
    if len(allowed) == 1:
        (revision,) = allowed
        return revision
    found = current()
    if not allowed:
        message = f"If-Match names no revision of this; it is at revision {found}: look again"
        raise Refusal.of(412, "precondition_failed", message)
    if found not in allowed:
        raise Outdated(max(allowed), found)
    return found
