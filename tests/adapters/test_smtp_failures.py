"""When mail servers, and the way to them, fail: what is reported is never more than what is known.

A refusal is reported only while the mail cannot have been accepted. Once it was transferred, silence is silence.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time

import pytest
import trustme

from sequencer.adapters.smtp import SmtpMailer
from sequencer.engine.ports import Accepted, OutcomeUnknown, Rejected
from sequencer.testing.contracts.asking import mail
from tests.adapters.scripted import CLOSE, DRIP, HANG, Half, ScriptedServer

SHORT = 0.15


def mailer_for(port, **options):
    return SmtpMailer("127.0.0.1", port, **{"sender": "sales@example.com", "security": "none", **options})


def send(port, timeout=5.0, email=None, **options):
    with mailer_for(port, **options) as mailer:
        return mailer.send(email or mail(), key="abc-12-1-0", timeout=timeout)


def meaning(answer):
    return answer.permanent, answer.recipient_fault, answer.reason


TEMPORARY = (False, False, "delivery_failed")
SETTINGS = (True, False, "mail_settings")


@pytest.mark.parametrize(
    ("stage", "reply", "expected"),
    [
        ("greeting", "421 4.3.2 busy", TEMPORARY),
        ("greeting", "554 5.7.1 go away", SETTINGS),
        ("greeting", "garbage", TEMPORARY),
        ("mail", "451 4.3.0 later", TEMPORARY),
        ("mail", "550 5.7.1 not your address", SETTINGS),
        ("mail", "nonsense", TEMPORARY),
        ("mail", "354 what", TEMPORARY),
        ("rcpt", "450 4.2.0 greylisted", TEMPORARY),
        ("rcpt", "550 5.1.1 no such user", (True, True, "delivery_failed")),
        ("rcpt", "550-5.1.1 no such user\r\n550 5.1.1 see the manual", (True, True, "delivery_failed")),
        ("rcpt", "552 5.2.2 mailbox full", (True, False, "delivery_failed")),
        ("rcpt", "550 relaying denied", SETTINGS),
        ("data", "451 4.3.0 later", TEMPORARY),
        ("data", "554 5.7.1 no", (True, False, "delivery_failed")),
        ("data", "250 what", TEMPORARY),
        ("body", "451 4.3.0 later", TEMPORARY),
        ("body", "421 4.3.0 shutting down", TEMPORARY),
        ("body", "554 5.7.1 spam", (True, False, "delivery_failed")),
        ("body", "550 5.4.5 daily sending quota exceeded", (True, False, "quota_reached")),
    ],
)
def test_refusals(stage, reply, expected):
    """A refusal at any stage is for now or for good, as its code says, and whose fault it is follows from the stage."""
    with ScriptedServer(**{stage: reply}) as server:
        answer = send(server.port)

    assert meaning(answer) == expected
    assert len(server.mails) == (1 if stage == "body" else 0)


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data"])
@pytest.mark.parametrize("failure", [CLOSE, HANG, DRIP], ids=["close", "hang", "drip"])
def test_failures_before_the_mail_is_transferred(stage, failure):
    """A server that hangs up, hangs or drips before it has the mail has refused it for now, within the time given."""
    with ScriptedServer(**{stage: failure}) as server:
        began = time.monotonic()
        answer = send(server.port, 5.0 if failure is CLOSE else SHORT)
        took = time.monotonic() - began

    assert meaning(answer) == TEMPORARY
    assert took < 3
    assert server.mails == []


@pytest.mark.parametrize(
    ("reply", "timeout"),
    [
        (CLOSE, 5.0),
        (HANG, SHORT),
        (DRIP, SHORT),
        ("gibberish", 5.0),
        ("354 go on", 5.0),
        ("250-taken\r\n" * 3, SHORT),
        ("250-" + "x" * 10_000, 5.0),
        ("250-taken\r\n" * 1000, 5.0),
        (Half("250 tak"), 5.0),
    ],
    ids=["close", "hang", "drip", "gibberish", "wrong code", "unfinished", "long", "endless", "half a line"],
)
def test_failures_after_the_mail_is_transferred(reply, timeout):
    """When the mail was transferred and no answer came, nobody can tell what became of it, and that is what is said."""
    with ScriptedServer(body=reply) as server:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            send(server.port, timeout)
        took = time.monotonic() - began

    assert len(server.mails) == 1
    assert took < 3


def test_a_failed_connection_is_not_used_again():
    """After a conversation that broke off, the next mail gets a new connection."""
    with ScriptedServer(body=[HANG], rcpt=["250 ok", CLOSE]) as server, mailer_for(server.port) as mailer:
        with pytest.raises(OutcomeUnknown):
            mailer.send(mail(), key="k-1", timeout=SHORT)
        second = mailer.send(mail(), key="k-2", timeout=5)
        third = mailer.send(mail(), key="k-3", timeout=5)

    assert isinstance(second, Rejected)
    assert isinstance(third, Accepted)
    assert len(server.commands) == 3


def test_hanging_while_a_kept_connection_wakes():
    """A kept connection that hangs costs no more than the time given, and the next mail has a new one."""
    with ScriptedServer(rset=HANG) as server, mailer_for(server.port) as mailer:
        mailer.send(mail(), key="k-1", timeout=5)
        began = time.monotonic()
        second = mailer.send(mail(), key="k-2", timeout=SHORT)
        took = time.monotonic() - began
        third = mailer.send(mail(), key="k-3", timeout=5)

    assert meaning(second) == TEMPORARY
    assert took < 3
    assert isinstance(third, Accepted)


def test_a_server_that_does_not_read():
    """A server that stops reading in the middle of a large mail has not got it: refused for now, within the time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve():
            line, _ = listener.accept()
            with line, line.makefile("rb") as reader:
                line.sendall(b"220 hello\r\n")
                for _ in range(4):
                    reader.readline()
                    line.sendall(b"354 go on\r\n" if _ == 3 else b"250 ok\r\n")
                over.wait(10)

        server = threading.Thread(target=serve)
        server.start()
        answer = send(listener.getsockname()[1], 0.3, mail(body=f"{'x' * 900}\n" * 8_000))
        over.set()
        server.join(5)

    assert meaning(answer) == TEMPORARY


def test_nobody_listens():
    """A refused connection is a refusal for now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert meaning(send(port)) == TEMPORARY


def test_nobody_accepts():
    """A host that does not even answer the call costs no more than the time given."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # Whoever comes after the queue is full gets no answer at all.
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        began = time.monotonic()
        answer = send(listener.getsockname()[1], SHORT)
        took = time.monotonic() - began

    assert meaning(answer) == TEMPORARY
    assert took < 3


def test_unknown_host(monkeypatch):
    """A name that is not found is tried again, since name servers fail; in the end it is a matter of settings."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert meaning(send(25)) == (False, False, "mail_settings")


def test_the_next_address_of_a_host(monkeypatch):
    """Of a host with several addresses, one that refuses the connection is passed over."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    with ScriptedServer() as server:
        entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        addresses = [(*entry, ("127.0.0.1", closed)), (*entry, ("127.0.0.1", server.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)

        assert isinstance(send(1), Accepted)


# -- TLS and logging in


@pytest.fixture(scope="module")
def certificates():
    """Servers with a certificate for loopback and one for somebody else, and a client that trusts their maker."""
    authority = trustme.CA()
    contexts = []
    for name in ("127.0.0.1", "somebody.else.example"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        contexts.append(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return *contexts, client


OFFERS_TLS = "250-scripted.invalid\r\n250 STARTTLS"


def test_no_tls_no_mail():
    """A server that does not offer TLS gets neither the password nor the mail."""
    with ScriptedServer() as server:
        answer = send(server.port, security="starttls", username="ada", password="secret")

    assert meaning(answer) == SETTINGS
    assert "STARTTLS" in answer.detail
    assert not any(line.lower().startswith(("auth", "mail")) for line in server.all_commands)


def test_tls_not_available_now():
    """A server that cannot do TLS at the moment is tried again."""
    with ScriptedServer(ehlo=OFFERS_TLS, starttls="454 4.7.0 not now") as server:
        assert meaning(send(server.port, security="starttls")) == (False, False, "mail_settings")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_certificates_are_checked(certificates, security):
    """A certificate of somebody else, or from nobody known, is refused as a matter of settings."""
    right, wrong, client = certificates
    for served, trusted in ((wrong, client), (right, None)):
        with ScriptedServer(served, implicit=security == "tls", ehlo=OFFERS_TLS) as server:
            answer = send(server.port, security=security, tls_context=trusted)

            assert meaning(answer) == SETTINGS
            assert "certificate" in answer.detail
            assert not any(line.startswith("mail") for line in server.all_commands)


def test_tls_where_there_is_none():
    """A server that does not speak TLS on the port that should is a matter of settings."""
    with ScriptedServer() as server:
        assert meaning(send(server.port, security="tls")) == SETTINGS


@pytest.mark.parametrize("failure", [CLOSE, HANG], ids=["close", "hang"])
def test_broken_handshake(certificates, failure):
    """A connection that breaks off or hangs during the handshake is a refusal for now, within the time given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve():
            line, _ = listener.accept()
            with line:
                line.recv(10)
                if failure is HANG:
                    over.wait(10)

        server = threading.Thread(target=serve)
        server.start()
        began = time.monotonic()
        answer = send(listener.getsockname()[1], SHORT if failure is HANG else 5, security="tls")
        took = time.monotonic() - began
        over.set()
        server.join(5)

    assert meaning(answer) == TEMPORARY
    assert took < 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [(CLOSE, OutcomeUnknown), (HANG, OutcomeUnknown), ("250 taken", Accepted), ("451 no", Rejected)],
)
def test_the_same_under_tls(certificates, body, expected):
    """Under TLS, too, a lost answer is unknown and a given one is an answer."""
    right, _, client = certificates
    with ScriptedServer(right, ehlo=OFFERS_TLS, body=body) as server:
        options = {"security": "starttls", "tls_context": client}
        if expected is OutcomeUnknown:
            with pytest.raises(OutcomeUnknown):
                send(server.port, SHORT if body is HANG else 5, **options)
        else:
            assert isinstance(send(server.port, **options), expected)
    assert len(server.mails) == 1


OFFERS_LOGIN = "250-scripted.invalid\r\n250 AUTH PLAIN"


@pytest.mark.parametrize(
    ("script", "password", "expected"),
    [
        ({"ehlo": OFFERS_LOGIN, "auth": "535 5.7.8 wrong"}, "x", SETTINGS),
        ({"ehlo": OFFERS_LOGIN, "auth": "454 4.7.0 later"}, "x", (False, False, "mail_settings")),
        ({"ehlo": OFFERS_LOGIN, "auth": CLOSE}, "x", TEMPORARY),
        ({"ehlo": OFFERS_LOGIN}, "pässword", SETTINGS),
        ({"ehlo": "250-scripted.invalid\r\n250 AUTH SOMETHING-NEW"}, "x", SETTINGS),
        ({}, "x", SETTINGS),
    ],
    ids=["wrong", "not now", "hangs up", "not ASCII", "no known way", "no login"],
)
def test_logging_in_fails(script, password, expected):
    """A failed login is a matter of settings, unless the server says that it is for now."""
    with ScriptedServer(**script) as server:
        answer = send(server.port, username="ada", password=password)

    assert meaning(answer) == expected
    assert not any(line.startswith("mail") for line in server.all_commands)
    assert password not in answer.detail.split()
