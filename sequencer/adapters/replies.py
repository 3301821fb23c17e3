"""What a mail server's refusal means for the engine: for now or for good, whose fault, and what a person has to mend.

A reply has a code (550), mostly an enhanced code after it (5.1.1, RFC 3463), and words. The codes decide where they
can. Servers use a plain 550 for everything, though, so for the few things that must not be mistaken for one another
(our quota, our right to relay, our reputation, their address) the words are looked at, too.
"""

from __future__ import annotations

import re
from enum import Enum

import attrs

from sequencer.engine.ports import Rejected

__all__ = ["Reply", "Stage", "refusal"]


class Stage(Enum):
    """Which part of the conversation a reply belongs to; the value completes the sentence "the server refused ..."."""

    GREETING = "the connection"
    HELLO = "the greeting"
    TLS = "to start TLS"
    LOGIN = "the login"
    SENDER = "the sender"
    RECIPIENT = "the recipient"
    MESSAGE = "the message"


_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$|:|;)")
_OUR_QUOTA = re.compile(
    r"(daily|hourly|monthly|sending|submission|relay|user|message|rate|recipient|credits?)\b.{0,60}"
    r"\b(quota|limit|threshold|credits|rate)\b.{0,40}\b(exceed|reach|hit)|"
    r"(quota|limit|threshold|credits|rate)\W+exceeded|exceeded.{0,60}\b(sending|daily|hourly|rate|messages? per)\b",
    re.IGNORECASE | re.DOTALL,
)
_MAILBOX = re.compile(r"mailbox|inbox|over ?quota|disk quota|storage", re.IGNORECASE)
_FULL = re.compile(r"\bquota\b|\bfull\b|storage", re.IGNORECASE)
_RELAY = re.compile(r"\brelay|authenticat|not authori[sz]ed to send|sender verify|login|log in", re.IGNORECASE)
_REPUTATION = re.compile(
    r"block(ed|ing|list)|blacklist|black-list|denylist|spam|dnsbl|\brbl\b|reputation|banned|policy|reverse dns|\bptr\b",
    re.IGNORECASE,
)
# Of the sender's own set-up: who it logs in as, which addresses it may use, what DNS says about it (SPF, DKIM, DMARC).
_SETTINGS = {(7, n) for n in (3, 5, 8, 9, 10, 11, 13, 14, 20, 21, 22, 23, 24, 25, 26, 27, 57, 60)} | {(1, 7), (1, 8)}
# The address is bad: it does not exist, has moved, or its domain takes no mail.
_BAD_ADDRESS = {(2, 0), (2, 1), (4, 1), (4, 4), (4, 310)}


@attrs.frozen
class Reply:
    """A server's reply: its code, the enhanced code as (class, subject, detail) or None, and its words on one line."""

    code: int
    enhanced: tuple[int, int, int] | None
    text: str

    @classmethod
    def of(cls, code: int, message: bytes | str) -> Reply:
        """Read a reply as smtplib hands it over."""
        raw = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
        text = re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", raw).strip()
        found = _ENHANCED.match(text)
        return cls(code, (int(found[1]), int(found[2]), int(found[3])) if found else None, text)

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 300 else f"{self.text[:299]}…"
        return f"{self.code} {shown}".strip()


def refusal(stage: Stage, reply: Reply) -> Rejected:
    """What a reply that is no acceptance means."""
    permanent = 500 <= reply.code <= 599
    reason = _reason(stage, reply, permanent=permanent)
    return Rejected(
        f"the server refused {stage.value}: {reply}",
        permanent=permanent,
        recipient_fault=permanent and reason == "delivery_failed" and _bad_address(stage, reply),
        reason=reason,
    )


def _reason(stage: Stage, reply: Reply, *, permanent: bool) -> str:
    detail = reply.enhanced[1:] if reply.enhanced else None
    if _quota(stage, reply, detail, permanent=permanent):
        return "quota_reached"
    if stage in (Stage.TLS, Stage.LOGIN) or reply.code in (530, 534, 535, 538):
        return "mail_settings"
    if not permanent:
        return "delivery_failed"
    if stage in (Stage.GREETING, Stage.HELLO) or detail in _SETTINGS:
        return "mail_settings"
    if stage is Stage.SENDER:
        # 552 and 5.3.4 are about the size that was announced: the mail, not the sender.
        return "delivery_failed" if reply.code == 552 or detail == (3, 4) else "mail_settings"
    if stage is Stage.RECIPIENT and (detail is None or detail[0] in (0, 7)) and _RELAY.search(reply.text):
        return "mail_settings"
    return "delivery_failed"


def _quota(stage: Stage, reply: Reply, detail: tuple[int, int] | None, *, permanent: bool) -> bool:
    if detail == (1, 90) or (detail == (4, 5) and permanent) or detail == (5, 3):
        # 4.4.5 is a congested server. "Too many recipients" for a mail with one means too many in some span of time.
        return True
    if detail is not None and detail[0] == 2 and detail[1] != 0:
        return False
    return bool(_OUR_QUOTA.search(reply.text)) and not _MAILBOX.search(reply.text)


def _bad_address(stage: Stage, reply: Reply) -> bool:
    if stage not in (Stage.RECIPIENT, Stage.MESSAGE):
        return False
    detail = reply.enhanced[1:] if reply.enhanced else None
    if detail is not None and detail[0] == 1:
        return detail[1] != 0 or stage is Stage.RECIPIENT
    if stage is Stage.MESSAGE:
        # Without a better code, a message is refused for what is in it.
        return detail == (2, 1)
    if detail is not None and detail[0] != 0:
        return detail in _BAD_ADDRESS
    # 521 and 556: the domain takes no mail (RFC 7504). 552 is a full mailbox: that is no bad address.
    named = reply.code in (501, 521, 550, 551, 553, 556)
    return named and not _REPUTATION.search(reply.text) and not _FULL.search(reply.text)
