"""What a webhook may be: where it leads, and which events it asks for (law S6)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from sequencer.core.errors import InvalidInput
from sequencer.core.events import EVENT_TYPES
from sequencer.core.problems import nearest
from sequencer.core.values import to_line

__all__ = ["to_types", "to_url"]

_LONGEST = 2000
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_KIND = "enrollment."


def to_url(url: str, *, allow_http: bool = False) -> str:
    """Where a webhook leads: https; or http, where that stays on this machine, or where it is allowed.

    Refused are credentials in it, which would be in every log on the way, and a fragment, which no server gets to see.
    """

    def refused(message: str) -> InvalidInput:
        # Not quoted: there may be a password in it.
        return InvalidInput(message, path="url", code="invalid_url")

    url = to_line(url, "url", longest=_LONGEST)
    if _PRINTABLE.fullmatch(url) is None:
        raise refused("needs printable ASCII: xn-- for the host's name, % for the rest")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise refused("is no URL") from None
    if parts.scheme not in ("https", "http") or not host or "\\" in url:
        raise refused("needs https://HOST/PATH")
    if "@" in parts.netloc:
        raise refused("must have no name and password in it; what arrives is known by its signature")
    if "#" in url:
        raise refused("must have no #fragment, which is never sent")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise refused("needs https, since everybody on the way can read http; allow_http allows it all the same")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def to_types(types: Iterable[str] | None) -> tuple[str, ...] | None:
    """The events that are wanted, in the order of `EVENT_TYPES`; None: all. They may be named as in what is sent."""
    if types is None:
        return None
    if isinstance(types, str):
        raise InvalidInput("needs several names of events, got one text", path="types", code="invalid_type")
    wanted = {each.removeprefix(_KIND) if isinstance(each, str) else each for each in types}
    for each in wanted:
        if each not in EVENT_TYPES:
            raise InvalidInput(f"there is no event {each!r}; {nearest(each, EVENT_TYPES)}", path="types")
    if not wanted:
        raise InvalidInput("needs at least one event; leave it out for all", path="types", code="blank")
    return tuple(each for each in EVENT_TYPES if each in wanted)
