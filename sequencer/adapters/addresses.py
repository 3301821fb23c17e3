"""One mail address, taken apart by rules that are stricter than the format's: exactly one, on one line.

The library's parsers are made for reading mail that exists, and find an address, or two, in nearly everything. Here
the question is whether a text that came from a form or a file is safe to send to.
"""

from __future__ import annotations

import re

import attrs

from sequencer.core.errors import InvalidInput

__all__ = ["Mailbox", "to_mailbox"]

# No line breaks or other control characters, no separators that some parser takes for line breaks, no characters
# that turn the reading direction around, no halves of surrogate pairs.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*|\"(?:[^\"\\]|\\.)*\"")
_LABEL = re.compile(r"[A-Za-z0-9\x80-\U0010ffff_](?:[A-Za-z0-9\x80-\U0010ffff_-]*[A-Za-z0-9\x80-\U0010ffff_])?")
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]+)\]")
_NAMED = re.compile(r"(?P<name>\"(?:[^\"\\]|\\.)*\"|[^<>\"@,;:]*?)\s*<(?P<address>[^<>]*)>")
# These four mean one thing in the encoding of domains that Python has (2003), another in the one that registries use
# (2008): a mail to straße.de would go to strasse.de, who is somebody else.
_AMBIGUOUS = re.compile("[\u00df\u03c2\u200c\u200d]")


@attrs.frozen
class Mailbox:
    """One address: the part before the `@`, the domain as it was given, and a name to show."""

    local: str
    domain: str
    name: str = ""

    @property
    def needs_utf8(self) -> bool:
        """Whether only servers with SMTPUTF8 can take it. A domain can always be written in ASCII."""
        return not self.local.isascii()

    @property
    def address(self) -> str:
        """The address as it goes over the wire, the domain in ASCII."""
        return f"{self.local}@{self.domain if self.domain.isascii() else self.domain.encode('idna').decode('ascii')}"


def to_mailbox(text: str, path: str) -> Mailbox:
    """The one address that a text is: `ada@example.com` or `Ada <ada@example.com>`.

    Raises `InvalidInput` for two of them, for line breaks, and for what is none.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"needs an address, got {text!r}", path=path, code="invalid_type")
    if CONTROL.search(text):
        raise InvalidInput("has a line break or another control character in it", path=path, code="invalid_text")
    named = _NAMED.fullmatch(text.strip())
    name, address = (named["name"], named["address"]) if named else ("", text.strip())
    if name.startswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    local, at, domain = address.rpartition("@")
    # A quoted local part may hold anything; no other may hold another `@`, a comma or a blank.
    if not at or not _LOCAL.fullmatch(local) or not _is_domain(domain):
        raise InvalidInput("needs exactly one address, like ada@example.com", path=path, code="invalid_address")
    mailbox = Mailbox(local, domain, name.strip())
    try:
        whole = mailbox.address
    except UnicodeError:
        raise InvalidInput("has a domain that cannot be written in ASCII", path=path, code="invalid_address") from None
    if len(local.encode()) > 64 or len(whole.encode()) > 254:
        raise InvalidInput("is longer than an address can be", path=path, code="invalid_length")
    return mailbox


def _is_domain(domain: str) -> bool:
    if _LITERAL.fullmatch(domain):
        return True
    return not _AMBIGUOUS.search(domain) and all(
        len(label) <= 63 and _LABEL.fullmatch(label) for label in domain.split(".")
    )
