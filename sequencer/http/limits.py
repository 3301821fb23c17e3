"""How much one caller may ask for: sizes, and a rate.

The rates are kept in the process: two processes that serve one store each count for themselves, and a restart forgets.
They keep one caller from using up a server by mistake; against a flood from many addresses stands what is in front of
it.
"""

from __future__ import annotations

import ipaddress
import re
import threading
import time
from collections import OrderedDict
from typing import Any

import attrs

from sequencer.core.errors import InvalidInput
from sequencer.core.values import to_whole

__all__ = ["Limits", "RateLimiter", "Rates", "client_of", "is_deeper"]

_MOST_CALLERS = 10_000
# A text, also one that does not end (so that no place is looked at twice), or what opens or closes.
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


_BOUNDS = {
    "body": 2**31,
    "depth": 200,  # what Python's own reader of JSON bears on the smallest of stacks
    "per_page": 1000,
    "burst": 1_000_000,
    "unauthorized_burst": 1_000_000,
    "threads": 1000,
}
_FASTEST = 1_000_000


@attrs.frozen(kw_only=True)
class Limits:
    """What a request may be, and how many of them there may be.

    - `body`: the most bytes of a body. `depth`: how deep lists and mappings may lie in one another there.
    - `seconds`: how long a body may take to arrive. `threads`: how many requests act at once, on threads of their own,
      each with a connection of the store's; the others wait for their turn.
    - `per_page`: the most items on a page (Sell's clients ask for up to 100).
    - `rate`, `burst`: requests of one caller (the `name` of its grant, in its account): so many a second in the long
      run, and so many at once. A rate of None: no limit.
    - `unauthorized_rate`, `unauthorized_burst`: the same for requests from one address without a grant, so that nobody
      can try tokens quickly.
    """

    body: int = 262_144
    depth: int = 32
    per_page: int = 100
    rate: float | None = 100
    burst: int = 200
    unauthorized_rate: float | None = 1
    unauthorized_burst: int = 20
    seconds: float = 20
    threads: int = 8

    def __attrs_post_init__(self) -> None:
        for path, most in _BOUNDS.items():
            to_whole(getattr(self, path), path, least=1, most=most)
        for path in ("rate", "unauthorized_rate", "seconds"):
            rate = getattr(self, path)
            if rate is None and path != "seconds":
                continue
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= _FASTEST:
                or_none = "" if path == "seconds" else ", or None"
                message = f"needs a number above 0 and at most {_FASTEST}{or_none}, got {rate!r}"
                raise InvalidInput(message, path=path, code="out_of_range")


class RateLimiter:
    """A token bucket for each name: it holds at most `burst`, and `rate` a second flow in. For any thread.

    Remembers at most 10 000 names and lets go of those that were not heard of for longest, whose buckets are full
    again, unless more names than that come within `burst / rate` seconds.
    """

    def __init__(self, rate: float | None, burst: int) -> None:
        self._rate, self._burst = rate, float(burst)
        self._buckets: OrderedDict[Any, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: Any, now: float | None = None) -> float | None:
        """Take one out of the bucket of this name; None, or in how many seconds there will be one.

        `now` is in seconds of a clock that only goes forward (default: the process's monotonic one).
        """
        rate = self._rate
        if rate is None:
            return None
        now = time.monotonic() if now is None else now
        with self._lock:
            held, since = self._buckets.pop(name, (self._burst, now))
            now = max(now, since)  # a thread may have read the clock before another one, and come here after it
            held = min(self._burst, held + (now - since) * rate)
            wait = None if held >= 1 else (1 - held) / rate
            self._buckets[name] = held - 1 if wait is None else held, now
            if len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._buckets)


class Rates:
    """The two limiters of an application."""

    def __init__(self, limits: Limits) -> None:
        self.callers = RateLimiter(limits.rate, limits.burst)
        self.strangers = RateLimiter(limits.unauthorized_rate, limits.unauthorized_burst)


def client_of(scope: Any) -> str:
    """Whom requests without a grant are counted for: the address that they come from, as the server names it.

    Of an IPv6 address the network of 64 bits, which is what one customer of a provider has.
    """
    client = scope.get("client")
    text = str(client[0]) if client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address.packed, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_deeper(body: bytes, most: int) -> bool:
    """Whether lists and mappings lie more than `most` deep in one another in this JSON, told without building it.

    In what is no JSON the answer means nothing, but comes: in time that grows with the length of it.
    """
    depth = 0
    for found in _NESTING.finditer(body):
        mark = found[0][:1]
        if mark in {b"[", b"{"}:
            depth += 1
            if depth > most:
                return True
        elif mark != b'"':
            depth -= 1
    return False
