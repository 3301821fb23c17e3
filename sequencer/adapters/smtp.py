"""Mail by SMTP, over the library's `smtplib`.

What a caller must know about a mail is one of three things: the server took it, the server (or the way to it) did not,
or nobody can tell. A server answers for a mail only after the dot that ends it. So everything that goes wrong before
that dot has left is a refusal, for now or for good; a connection that breaks off after it and before the answer is
`OutcomeUnknown`, and nothing else is.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sequencer.adapters.addresses import to_mailbox
from sequencer.adapters.deadline import Deadline
from sequencer.adapters.message import Letter, Unsendable, build
from sequencer.adapters.replies import Reply, Stage, refusal
from sequencer.core.errors import InvalidInput
from sequencer.engine.ports import Accepted, Email, OutcomeUnknown, Rejected

__all__ = ["SmtpMailer"]

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_HERE = ("localhost", "127.0.0.1", "::1")
_ACCEPTED = range(200, 300)
_REPLY = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\r?\n")
_LONGEST_LINE = 8192
_MOST_LINES = 500


class SmtpMailer:
    """Hands mails to a mail server, usually the one that the senders' own mail programs use.

    - `sender`: the address that mails come from, or a callable `(email) -> address`, so that each actor writes in their
      own name (`email.actor_id`). With a name: `Ada Lovelace <ada@example.com>`.
    - `security`: "starttls" (the connection must turn to TLS before anything is said), "tls" (TLS from the start) or
      "none". Certificates are checked; `tls_context` replaces how. A password is never sent without TLS, except to
      this machine.
    - `port`: by default 587, 465 or 25, as `security` says.
    - `domain`: what stands after the `@` of a Message-ID (default: the sender's), and what the server is greeted with.
    - `unsubscribe_mailto`: an address that takes opt-outs by mail, beside or in place of the link of `email`.
    - `delivery`: SMTP cannot tell a repeat, so what is known of a mail without an answer is left to a person, unless
      "at_least_once" says that two are better than none (law E3).

    Connections are kept open between mails, one for each thread that sends at the same time; `close` ends them, and so
    does leaving the mailer as a context manager. Afterwards it can still be used.
    """

    deduplicates = False

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        sender: str | Callable[[Email], str],
        username: str | None = None,
        password: str | None = None,
        security: str = "starttls",
        tls_context: ssl.SSLContext | None = None,
        domain: str | None = None,
        unsubscribe_mailto: str | None = None,
        delivery: str = "at_most_once",
    ) -> None:
        if security not in _PORTS:
            raise InvalidInput(f"must be starttls, tls or none, got {security!r}", path="security")
        if delivery not in ("at_most_once", "at_least_once"):
            raise InvalidInput(f"must be at_most_once or at_least_once, got {delivery!r}", path="delivery")
        if (username is None) != (password is None):
            raise InvalidInput("a username and a password go together", path="username")
        if password is not None and security == "none" and host not in _HERE:
            raise InvalidInput("a password is not sent without TLS; use starttls or tls", path="security")
        hello = domain
        if isinstance(sender, str):
            hello = hello or to_mailbox(sender, "sender").address.rpartition("@")[2]
        if unsubscribe_mailto is not None:
            to_mailbox(unsubscribe_mailto.removeprefix("mailto:"), "unsubscribe_mailto")
        self.delivery = delivery
        self._sender = sender
        self._domain = None if domain is None else _to_ascii(domain)
        self._unsubscribe_mailto = unsubscribe_mailto
        self._login = None if username is None or password is None else (username, password)
        self._security = security
        context = tls_context or (None if security == "none" else ssl.create_default_context())
        self._address = (host, _PORTS[security] if port is None else port)
        self._hello = "localhost" if hello is None else _to_ascii(hello)
        self._context = context
        self._idle: list[_Session] = []
        self._lock = threading.Lock()

    def send(self, email: Email, *, key: str, timeout: float) -> Accepted | Rejected:
        """Hand the mail to the server, all of it within `timeout` seconds.

        Raises `OutcomeUnknown` when the mail was transferred and no answer came.
        """
        try:
            sender = self._sender if isinstance(self._sender, str) else self._sender(email)
            letter = build(
                email,
                key,
                sender=sender,
                domain=self._domain,
                date=getattr(email, "at", None),
                unsubscribe_mailto=self._unsubscribe_mailto,
            )
        except Unsendable as error:
            return error.rejected
        except Exception as error:  # noqa: BLE001 - the host's own `sender` may raise anything, and no mail has left
            detail = f"no sender for actor {email.actor_id!r}: {error!r}"
            return Rejected(detail, permanent=False, reason="mail_settings")
        with Deadline(timeout) as deadline:
            session = self._take()
            if session is not None:
                try:
                    return self._converse(session, letter, deadline)
                except _Stale:
                    session.close()
            return self._converse(_Session(), letter, deadline)

    def _converse(self, session: _Session, letter: Letter, deadline: Deadline) -> Accepted | Rejected:
        kept = False
        try:
            if session.smtp is None:
                session.open(self._address, self._hello, self._security, self._context, self._login, deadline)
            else:
                session.wake(deadline)
            answer = session.hand_over(letter)
            kept = not deadline.passed
        except (_Stale, OutcomeUnknown):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the mail has not left, and that is worth saying
            return session.refusal(error, deadline)
        else:
            return answer
        finally:
            if kept:
                with self._lock:
                    self._idle.append(session)
            else:
                session.close()

    def _take(self) -> _Session | None:
        with self._lock:
            while self._idle:
                session = self._idle.pop()
                if session.process == os.getpid():
                    return session
                # A forked process shares its parent's connections, and must not speak on them, not even to say goodbye.
                session.close()
        return None

    def close(self) -> None:
        """End the connections that are open and idle."""
        with self._lock:
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.quit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SmtpMailer {self._address[0]}:{self._address[1]}, {self._security}>"


def _to_ascii(domain: str) -> str:
    return to_mailbox(f"postmaster@{domain}", "domain").address.rpartition("@")[2]


class _Stale(Exception):
    """A connection that was kept open is of no use any more, and nothing of the mail was transferred on it."""


class _Smtp(smtplib.SMTP):
    """The library's client, on a connection that keeps to a deadline."""

    def __init__(
        self, address: tuple[str, int], hello: str, implicit: ssl.SSLContext | None, deadline: Deadline
    ) -> None:
        self._deadline = deadline
        self._implicit = implicit
        super().__init__(address[0], address[1], hello, deadline.seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        connection = self._deadline.connect(host, port)
        if self._implicit is None:
            return connection
        try:
            return self._implicit.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """A whole reply, as the library's own, but nothing less: half a line is none, though it may begin with 250.

        Raises `SMTPServerDisconnected` when the connection ends before the reply does, and `SMTPResponseException`
        with the code -1 for what is no reply.
        """
        if self.file is None:
            assert self.sock is not None
            self.file = self.sock.makefile("rb")
        texts: list[bytes] = []
        while len(texts) < _MOST_LINES:
            try:
                line = self.file.readline(_LONGEST_LINE)
            except OSError as error:
                self.close()
                raise smtplib.SMTPServerDisconnected(f"the connection broke off: {error}") from error
            found = _REPLY.fullmatch(line)
            if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
                self.close()
                raise smtplib.SMTPServerDisconnected("the server hung up")
            if found is None:
                break
            texts.append(found[3] or b"")
            if found[2] != b"-":
                return int(found[1]), b"\n".join(texts)
        self.close()
        raise smtplib.SMTPResponseException(-1, line)


class _Session:
    """One connection, and how far the conversation on it has come."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.smtp: _Smtp | None = None
        self._stage = Stage.GREETING
        self._reused = False

    def open(
        self,
        address: tuple[str, int],
        hello: str,
        security: str,
        context: ssl.SSLContext | None,
        login: tuple[str, str] | None,
        deadline: Deadline,
    ) -> None:
        """Connect, greet, turn to TLS and log in."""
        self.smtp = _Smtp(address, hello, context if security == "tls" else None, deadline)
        self._stage = Stage.HELLO
        self.smtp.ehlo_or_helo_if_needed()
        if security == "starttls":
            self._stage = Stage.TLS
            self.smtp.starttls(context=context)
            self._stage = Stage.HELLO
            self.smtp.ehlo_or_helo_if_needed()
        if login is not None:
            self._stage = Stage.LOGIN
            self.smtp.login(*login)

    def wake(self, deadline: Deadline) -> None:
        """Make a kept connection ready for the next mail. Raises `_Stale` when it is of no use any more."""
        assert self.smtp is not None
        try:
            assert self.smtp.sock is not None
            deadline.guard(self.smtp.sock)
            code, _ = self.smtp.rset()
        except (OSError, AssertionError, smtplib.SMTPException) as error:
            raise _Stale from error
        if code not in _ACCEPTED:
            raise _Stale
        self._reused = True

    def hand_over(self, letter: Letter) -> Accepted | Rejected:
        """Hand over one mail. Raises `_Stale`, `OutcomeUnknown`, and before the mail is transferred anything else."""
        smtp = self.smtp
        assert smtp is not None
        self._stage = Stage.SENDER
        if letter.needs_utf8 and not (smtp.has_extn("smtputf8") and smtp.has_extn("8bitmime")):
            return Rejected(
                "the address has letters that the mail server cannot handle (it does not offer SMTPUTF8)",
                permanent=True,
                reason="mail_settings",
            )
        content = letter.to_bytes()
        options = [f"SIZE={len(content)}"] if smtp.has_extn("size") else []
        options += ["SMTPUTF8", "BODY=8BITMIME"] if letter.needs_utf8 else []
        try:
            code, text = smtp.mail(letter.sender.address, options)
            if self._reused and 400 <= code <= 499:
                # Servers have had enough of a connection after some mails or minutes; a new one may do.
                raise _Stale
            if code not in _ACCEPTED:
                return self._refused(code, text)
            self._stage = Stage.RECIPIENT
            code, text = smtp.rcpt(letter.recipient.address)
            if self._reused and code == 421:
                raise _Stale
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            if self._reused:
                raise _Stale from error
            raise
        if code not in _ACCEPTED:
            return self._refused(code, text)
        self._stage = Stage.MESSAGE
        code, text = smtp.docmd("data")
        if code != 354:
            return self._refused(code, text)
        return self._transfer(smtp, content, letter.message_id)

    def _refused(self, code: int, text: bytes) -> Rejected:
        if not 400 <= code <= 599:
            # No refusal, but nonsense: what comes next on this connection would be, too.
            raise smtplib.SMTPResponseException(code, text)
        return refusal(self._stage, Reply.of(code, text))

    def _transfer(self, smtp: _Smtp, content: bytes, message_id: str) -> Accepted | Rejected:
        # The dot that ends the mail is the last thing in this; if sending breaks off, the server has not seen it.
        # Latin-1 takes every byte through the library's stuffing of dots and back.
        smtp.send(f"{smtplib.quotedata(content.decode('latin-1'))}.\r\n".encode("latin-1"))
        try:
            code, text = smtp.getreply()
        except Exception as error:
            raise OutcomeUnknown(f"the mail was transferred, and no answer came: {error}") from error
        if code in _ACCEPTED:
            return Accepted(message_id)
        if 400 <= code <= 599:
            return refusal(Stage.MESSAGE, Reply.of(code, text))
        raise OutcomeUnknown(f"the mail was transferred, and the answer makes no sense: {Reply.of(code, text)}")

    def refusal(self, error: Exception, deadline: Deadline) -> Rejected:
        """What it means that the mail could not be transferred."""
        if deadline.passed or isinstance(error, TimeoutError):
            return Rejected(f"no answer within {deadline.seconds:g} seconds", permanent=False)
        if isinstance(error, smtplib.SMTPResponseException):
            return refusal(self._stage, Reply.of(error.smtp_code, error.smtp_error))
        if self._settings_at_fault(error):
            return Rejected(
                f"the mail server cannot be used like this: {error}", permanent=True, reason="mail_settings"
            )
        if isinstance(error, socket.gaierror):
            # A slip in the settings, or a name server that is down for a moment: worth a few tries.
            return Rejected(f"the mail server's name was not found: {error}", permanent=False, reason="mail_settings")
        return Rejected(f"the connection to the mail server failed: {error!r}", permanent=False)

    def _settings_at_fault(self, error: Exception) -> bool:
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return False
        if isinstance(error, ssl.SSLError):
            # Breaking off in the middle of the handshake is a failure of the connection.
            return not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError))
        # TLS or a way to log in that the server does not offer, a password that the library cannot encode.
        return isinstance(error, (smtplib.SMTPException, UnicodeError))

    def close(self) -> None:
        """Hang up."""
        if self.smtp is not None:
            self.smtp.close()

    def quit(self) -> None:
        """Say goodbye and hang up; a server that does not answer within a second is not waited for."""
        if self.smtp is None or self.smtp.sock is None or self.process != os.getpid():
            self.close()
            return
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.smtp.sock.settimeout(1.0)
            self.smtp.quit()
        self.close()
