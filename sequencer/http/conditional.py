"""Conditional requests on a revision: `ETag`, `If-None-Match`, `If-Match` (RFC 9110, section 13; ours).

The ETag of an enrollment is `"<revision>-<hash of the bytes>"`. Reading compares all of it, since what is overdue and
what is projected change with the time alone. Writing compares the revision only, which is what writers compare and set
on: a change of the clock is nobody's change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set as AbstractSet

from sequencer.http.envelope import Refusal

__all__ = ["ANY", "etag_of", "is_known", "revisions_of"]

ANY = "*"
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_TAGS = re.compile(rf"[ \t]*(?:{_TAG.pattern}[ \t]*(?:,[ \t]*|$))+")
_OF_A_REVISION = re.compile(r"([0-9]{1,18})-[0-9a-f]{16}", re.ASCII)


def etag_of(body: bytes, revision: int | None = None) -> str:
    """The strong tag of these bytes, which are of a revision where the thing has one."""
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return f'"{digest}"' if revision is None else f'"{revision}-{digest}"'


def is_known(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this tag, so that the client has these bytes already."""
    if header is None:
        return False
    tags = _tags(header, "If-None-Match")
    return tags is None or any(f'"{tag}"' == etag for _, tag in tags)


def revisions_of(header: str | None) -> AbstractSet[int] | None:
    """The revisions that `If-Match` allows to be written over; None where it allows any, or there is none.

    A weak tag, and one that is not ours, matches nothing.
    """
    if header is None:
        return None
    tags = _tags(header, "If-Match")
    if tags is None:
        return None
    found = [_OF_A_REVISION.fullmatch(tag) for weak, tag in tags if not weak]
    return frozenset(int(each[1]) for each in found if each is not None)


def _tags(header: str, name: str) -> list[tuple[str, str]] | None:
    """The tags of a header, each with its mark of weakness; None for `*`."""
    text = header.strip()
    if text == ANY:
        return None
    if len(text) > 4096 or not _TAGS.fullmatch(text):
        raise Refusal.of(400, "invalid_header", f'{name} needs * or tags like "3-0123456789abcdef"')
    return _TAG.findall(text)
