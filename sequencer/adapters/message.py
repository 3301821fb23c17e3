"""A mail as bytes: what the SMTP and the Maildir port have in common.

Headers are written here, not by the library's folding, which differs from one Python to the next and decodes what a
merge field brings along: a value can neither start a header of its own, nor add a recipient, nor hide encoded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import attrs

from sequencer.adapters.addresses import CONTROL, Mailbox, to_mailbox
from sequencer.adapters.keys import message_id, token
from sequencer.core.errors import InvalidInput, SequencerError
from sequencer.engine.ports import Email, Rejected

__all__ = ["Letter", "Unsendable", "build", "has_subject_prefix"]

_LINE = 76
_MOST_REFERENCES = 40
_LONGEST_PLAIN_LINE = 900
_MESSAGE_ID = re.compile(r"<[^<>\s\x00-\x20\x7f-\x9f\ud800-\udfff]+>")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_REPLY = re.compile(r"\s*re\s*:", re.IGNORECASE)


class Unsendable(SequencerError):
    """No mail can be made of this; `rejected` is what a mailer answers."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.detail)
        self.rejected = rejected


@attrs.frozen
class Letter:
    """A mail ready to leave: the message, its id, and the one sender and one recipient of its envelope."""

    message: EmailMessage
    message_id: str
    sender: Mailbox
    recipient: Mailbox

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it."""
        return self.sender.needs_utf8 or self.recipient.needs_utf8

    def to_bytes(self, linesep: str = "\r\n") -> bytes:
        """The message as it is transferred or stored; ASCII unless `needs_utf8`."""
        return self.message.as_bytes(policy=_POLICY.clone(linesep=linesep))


class _Written(str):
    """A header's value that is encoded and folded already; its line breaks become those of the policy."""

    __slots__ = ()


class _AsWritten(EmailPolicy):
    """Writes our header values as they are; those that the library adds itself (MIME) are its own business."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return (name, value) if isinstance(value, _Written) else super().header_store_parse(name, value)

    def fold(self, name: str, value: Any) -> str:
        if isinstance(value, _Written):
            return f"{name}: {value.replace(chr(10), self.linesep)}{self.linesep}"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: Any) -> bytes:
        if isinstance(value, _Written):
            return self.fold(name, value).encode()
        return super().fold_binary(name, value)


_POLICY = _AsWritten(linesep="\r\n", utf8=False, cte_type="7bit")


def has_subject_prefix(subject: str) -> bool:
    """Whether a subject says by itself that it is a reply."""
    return bool(_REPLY.match(subject))


def build(
    email: Email,
    key: str,
    *,
    sender: str,
    domain: str | None = None,
    date: datetime | None = None,
    unsubscribe_mailto: str | None = None,
) -> Letter:
    """The mail that an effect asks for. Raises `Unsendable` when there can be none.

    The Message-ID is made from the key and `domain` (default: the sender's). Without a `date` there is no Date header;
    the server that takes the mail adds one.
    """
    if email.subject is None or email.body is None:
        raise _settings(
            f"the text of template {email.template_id!r} is not known: "
            "give it in the definition's `templates` or through the engine's `templates` (sequencer run --templates)"
        )
    try:
        from_ = to_mailbox(sender, "sender")
    except InvalidInput as error:
        raise _settings(f"{error} (for actor {email.actor_id!r})") from None
    try:
        to = to_mailbox(email.to, "to")
    except InvalidInput as error:
        refusal = Rejected(f"the address cannot be mailed: {error}", permanent=True, recipient_fault=True)
        raise Unsendable(refusal) from None
    own_id = message_id(key, domain or from_.address.rpartition("@")[2])
    message = EmailMessage(policy=_POLICY)

    def write(name: str, value: str) -> None:
        message[name] = _Written(value)

    write("From", _mailbox("From", from_))
    write("To", _mailbox("To", to))
    write("Subject", _text("Subject", _subject(email)))
    if date is not None:
        write("Date", format_datetime(date))
    write("Message-ID", own_id)
    thread = [each for each in map(_thread_id, email.thread) if each]
    if thread:
        write("In-Reply-To", thread[-1])
        kept = thread if len(thread) <= _MOST_REFERENCES else [thread[0], *thread[1 - _MOST_REFERENCES :]]
        write("References", _fold("References", kept))
    if email.unsubscribe:
        links = _unsubscribe_links(email, key, unsubscribe_mailto)
        write("List-Unsubscribe", _fold("List-Unsubscribe", [f"{each}," for each in links[:-1]] + links[-1:]))
        if links[0].startswith("<https:"):
            write("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    _set_body(message, email.body)
    return Letter(message, own_id, from_, to)


def _settings(detail: str) -> Unsendable:
    return Unsendable(Rejected(detail, permanent=True, reason="mail_settings"))


def _unreadable(detail: str) -> Unsendable:
    return Unsendable(Rejected(detail, permanent=True))


# -- headers


def _subject(email: Email) -> str:
    subject = (email.subject or "").replace("\t", " ").strip()
    if CONTROL.search(subject):
        raise _unreadable("the subject has a line break or control character in it: mend the merge fields it uses")
    return f"Re: {subject}" if email.thread and not has_subject_prefix(subject) else subject


def _thread_id(text: str) -> str | None:
    # What cannot stand in a header is left out: a mail outside of its thread is better than none.
    bare = text.strip()
    whole = bare if bare.startswith("<") else f"<{bare}>"
    return whole if _MESSAGE_ID.fullmatch(whole) and whole.isascii() else None


def _mailbox(name: str, mailbox: Mailbox) -> str:
    address = f"<{mailbox.address}>"
    if not mailbox.name:
        return mailbox.address
    if not _is_plain(mailbox.name):
        return _fold(name, [*Header(mailbox.name, "utf-8", _LINE, name).encode().split(), address])
    escaped = re.sub(r'(["\\])', r"\\\1", mailbox.name)
    return _fold(name, [f'"{escaped}"', address])


def _is_plain(text: str) -> bool:
    # "=?" would be decoded by whoever reads the mail; a line must not be longer than 998 characters, nor blank.
    longest = max(map(len, text.split()), default=0)
    return text.isascii() and "=?" not in text and " " * 20 not in text and longest <= _LONGEST_PLAIN_LINE


def _text(name: str, text: str) -> str:
    if _is_plain(text):
        return _fold(name, text.split(" "))
    return Header(text, "utf-8", _LINE, name).encode()


def _fold(name: str, words: Iterable[str]) -> str:
    lines, width = [""], len(name) + 2
    for word in words:
        if lines[-1].strip() and word and width + len(word) > _LINE:
            lines.append(word)
            width = 1 + len(word)
        else:
            lines[-1] += f" {word}" if lines != [""] else word
            width += 1 + len(word)
    return "\n ".join(lines)


def _unsubscribe_links(email: Email, key: str, mailto: str | None) -> list[str]:
    links = []
    url = email.unsubscribe_url
    if url is not None:
        parts = urlsplit(url) if re.fullmatch(r"[!-;=?-~]+", url) else None
        if parts is None or parts.scheme not in ("https", "http") or not parts.netloc:
            raise _settings("the unsubscribe link is no https:// address in plain ASCII")
        links.append(f"<{url}>")
    if mailto is not None:
        try:
            address = to_mailbox(mailto.removeprefix("mailto:"), "unsubscribe_mailto").address
        except InvalidInput as error:
            raise _settings(str(error)) from None
        links.append(f"<mailto:{quote(address, safe='@')}?subject=unsubscribe%20{quote(token(key))}>")
    if not links:
        raise _settings(
            "the sequence asks for a way to opt out: give the engine an `unsubscribe_url`, or the mailer an "
            "`unsubscribe_mailto` (sequencer run --unsubscribe-url, --unsubscribe-mailto)"
        )
    return links


# -- body


def _set_body(message: EmailMessage, body: str) -> None:
    if _SURROGATE.search(body):
        raise _unreadable("the body has half of a surrogate pair in it: mend the merge fields it uses")
    lines = body.splitlines()
    plain = (
        body.isascii()
        and max(map(len, lines), default=0) <= _LONGEST_PLAIN_LINE
        and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]|^From ", body.replace("\r\n", "\n"), re.MULTILINE)
    )
    others = sum(not each.isascii() for each in body)
    # Letters of another script take three characters each when quoted, and nobody can read them then anyway.
    encoding = "7bit" if plain else "quoted-printable" if others * 6 <= len(body) else "base64"
    message.set_content(body if body.endswith("\n") else f"{body}\n", charset="utf-8", cte=encoding)
