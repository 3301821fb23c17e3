"""Mail into a Maildir: a folder that mail programs read, and that tests and demonstrations can look into.

The name of a mail's file is made from the effect's key. So a repeat finds the mail that is there, and the mailer can
promise that one key is one mail, whenever the process dies: a mail appears in `new` whole and on disk, or not at all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from email.parser import BytesHeaderParser
from pathlib import Path

from sequencer.adapters.addresses import to_mailbox
from sequencer.adapters.keys import token
from sequencer.adapters.message import Unsendable, build
from sequencer.core.errors import InvalidInput
from sequencer.engine.ports import Accepted, Email, Rejected

__all__ = ["MaildirMailer"]


class MaildirMailer:
    """Puts each mail into the Maildir at `path`, which is made if need be.

    A repeated key is recognised as long as the mail is in the folder, read or not. `sender` is an address, or a
    callable `(email) -> address`; the other arguments are those of `SmtpMailer`.
    """

    deduplicates = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sender: str | Callable[[Email], str] = "sequencer@maildir.invalid",
        domain: str | None = None,
        unsubscribe_mailto: str | None = None,
    ) -> None:
        if isinstance(sender, str):
            to_mailbox(sender, "sender")
        if unsubscribe_mailto is not None:
            to_mailbox(unsubscribe_mailto.removeprefix("mailto:"), "unsubscribe_mailto")
        self.path = Path(path)
        self._sender = sender
        self._domain = domain
        self._unsubscribe_mailto = unsubscribe_mailto
        if self.path.exists() and not self.path.is_dir():
            raise InvalidInput(f"{self.path} is no folder", path="path")
        for name in ("tmp", "new", "cur"):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted | Rejected:
        """Put the mail into `new`. Raises `OSError` when the disk does not take it; then it is not there."""
        name = token(key)
        found = self._find(name)
        if found is not None:
            return found
        try:
            letter = build(
                email,
                key,
                sender=self._sender if isinstance(self._sender, str) else self._sender(email),
                domain=self._domain,
                date=getattr(email, "at", None),
                unsubscribe_mailto=self._unsubscribe_mailto,
            )
        except Unsendable as error:
            return error.rejected
        descriptor, draft = tempfile.mkstemp(prefix=f"{name}.", dir=self.path / "tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(letter.to_bytes("\n"))
                file.flush()
                os.fsync(file.fileno())
            try:
                # A link, unlike a rename, does not replace the mail of somebody who was faster.
                os.link(draft, self.path / "new" / name)
            except FileExistsError:
                return self._find(name) or Accepted(letter.message_id)
            _sync(self.path / "new")
        finally:
            Path(draft).unlink()
        return Accepted(letter.message_id)

    def _find(self, name: str) -> Accepted | None:
        """The mail with this name, if it is there: unread in `new`, or in `cur` with the flags of a mail program."""
        candidates = [self.path / "new" / name]
        candidates += [Path(entry.path) for entry in os.scandir(self.path / "cur") if _base(entry.name) == name]
        for candidate in candidates:
            try:
                with candidate.open("rb") as file:
                    headers = BytesHeaderParser().parse(file)
            except FileNotFoundError:
                continue
            return Accepted(str(headers["Message-ID"]))
        return None

    def __repr__(self) -> str:
        return f"MaildirMailer({str(self.path)!r})"


def _base(name: str) -> str:
    return name.partition(":")[0].partition("!")[0]


def _sync(folder: Path) -> None:
    """Make a new name in a folder outlast a power failure, where the system can do that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
