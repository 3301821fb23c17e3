"""Webhooks: the events of an account, sent to a URL of the host's, signed, at least once, in order for each enrollment.

Whoever sends needs the extra `http` (httpx), which is imported when there is something to send. Whoever receives needs
`verify`, and no extra.
"""

from typing import TYPE_CHECKING

from sequencer.doors import door

if TYPE_CHECKING:
    from sequencer.http.webhooks.sending import Webhooks
    from sequencer.http.webhooks.signing import Unverified, new_secret, sign, verify

__all__ = ["Unverified", "Webhooks", "new_secret", "sign", "verify"]

_WHERE = {
    "Unverified": "sequencer.http.webhooks.signing",
    "Webhooks": "sequencer.http.webhooks.sending",
    "new_secret": "sequencer.http.webhooks.signing",
    "sign": "sequencer.http.webhooks.signing",
    "verify": "sequencer.http.webhooks.signing",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = door(__name__, _WHERE)
