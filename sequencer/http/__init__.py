"""The HTTP API in the shape of Zendesk Sell's, and who may use it; to be mounted in an app of yours, or served alone.

It needs the extra `http` (FastAPI, uvicorn, httpx). Importing this package imports nothing else: what a name needs is
imported when the name is asked for.
"""

from typing import TYPE_CHECKING

from sequencer.doors import door

if TYPE_CHECKING:
    from sequencer.http.access import Access, Grant, bearer, open_access
    from sequencer.http.application import application
    from sequencer.http.limits import Limits
    from sequencer.http.serving import NoToken, serve
    from sequencer.http.tokens import Tokens
    from sequencer.http.webhooks import Unverified, Webhooks, verify

__all__ = [
    "Access",
    "Grant",
    "Limits",
    "NoToken",
    "Tokens",
    "Unverified",
    "Webhooks",
    "application",
    "bearer",
    "open_access",
    "serve",
    "verify",
]

_WHERE = {
    "Access": "sequencer.http.access",
    "Grant": "sequencer.http.access",
    "Limits": "sequencer.http.limits",
    "NoToken": "sequencer.http.serving",
    "Tokens": "sequencer.http.tokens",
    "Unverified": "sequencer.http.webhooks.signing",
    "Webhooks": "sequencer.http.webhooks.sending",
    "application": "sequencer.http.application",
    "bearer": "sequencer.http.access",
    "open_access": "sequencer.http.access",
    "serve": "sequencer.http.serving",
    "verify": "sequencer.http.webhooks.signing",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = door(__name__, _WHERE)
