"""What is logged of requests, by `sequencer.http`: each one at INFO, and those that failed; nothing personal (law S8).

Of a request there is no query, no header, no body and no address of whoever asked. Its path is what a client has typed
and may hold anything, so that a part of it that is none of our own paths' kind is a star in the log.
"""

from __future__ import annotations

import logging
import re
import time
import traceback
from typing import Any

import attrs
from starlette.requests import Request

from sequencer.http.access import AccessFailed, Grant

__all__ = ["LOGGER", "LOGREF", "Asked", "log_failed", "note_caller"]

LOGGER = logging.getLogger("sequencer.http")
LOGREF = "sequencer.logref"
"""The key in a request's scope of its id, by which the log knows it."""

_ASKED = "sequencer.asked"
"""The key in a request's scope of what will be logged of it."""
# No address, which has an at sign; no token, which is longer; nothing that would begin a new line.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]{0,40}")


@attrs.define
class Asked:
    """A request that is under way, and will be logged when it is answered. `caller`: the name of its grant."""

    method: str
    path: str
    request_id: str
    caller: str | None = None
    began: float = attrs.field(factory=time.perf_counter)

    @classmethod
    def of(cls, scope: Any, request_id: str) -> Asked | None:
        """The request of a scope, in which it is kept; None where nobody wants to know, which costs nothing."""
        if not LOGGER.isEnabledFor(logging.INFO):
            return None
        asked = scope[_ASKED] = cls(_plain(scope["method"]), _plain(scope["path"]), request_id)
        return asked

    def log(self, status: int) -> None:
        """Say that it was answered, and how."""
        took = round(1000 * (time.perf_counter() - self.began), 3)
        fields = {**attrs.asdict(self, filter=lambda field, _: field.name != "began"), "milliseconds": took}
        LOGGER.info(
            "%s %s: %d in %.1f ms", self.method, self.path, status, took, extra={**fields, "status": status}
        )  # fmt: skip


def note_caller(request: Request, grant: Grant) -> None:
    """Note for the log who came in."""
    asked = request.scope.get(_ASKED)
    if asked is not None:
        asked.caller = grant.name


def log_failed(request_id: str | None, what: str, error: BaseException) -> None:
    """Say that a request failed that should not have: which exception, and from which lines of code, not what it said.

    An exception may quote an address, a merge field or a text of the database; that about a host's access does not.
    """
    kind, code = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
    fields = {"request_id": request_id, "operation": what, "error": kind, "traceback": code}
    said = str(error) if isinstance(error, AccessFailed) else kind
    LOGGER.error("%s: %s failed: %s", request_id, what, said, extra=fields)


def _plain(path: str) -> str:
    return "/".join(part if _PLAIN.fullmatch(part) else "*" for part in path.split("/"))
