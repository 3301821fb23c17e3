"""Mail to a real mail server on loopback: what it received is what was meant."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import ssl
import threading

import attrs
import pendulum
import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from sequencer.adapters.smtp import SmtpMailer
from sequencer.core.errors import InvalidInput
from sequencer.engine.ports import Accepted, Email, Mailer, Rejected
from sequencer.testing.contracts.asking import mail
from tests.adapters.scripted import ScriptedServer


class Inbox:
    """What the server received: envelopes, the greetings of clients, and who logged in."""

    def __init__(self):
        self.envelopes = []
        self.peers = []
        self.users = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the server's name for it
        self.envelopes.append(envelope)
        self.peers.append((session.peer, session.host_name, session.ssl is not None))
        return "250 2.0.0 taken"

    def log_in(self, server, session, envelope, mechanism, data):
        login, password = data.login.decode(), data.password.decode()
        if password != "secret":
            return AuthResult(success=False, handled=False)
        self.users.append(login)
        return AuthResult(success=True)

    @property
    def messages(self):
        return [email.message_from_bytes(each.content, policy=email.policy.SMTPUTF8) for each in self.envelopes]


class AnyPort(Controller):
    """A server on a port that the system chooses; its first caller is itself."""

    def _trigger_server(self):
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def serve():
    """Start servers on free ports of loopback; they end with the test."""
    running = []

    def start(inbox, **options):
        controller = AnyPort(inbox, "127.0.0.1", 0, **options)
        controller.start()
        running.append(controller)
        return controller.port

    yield start
    for controller in running:
        controller.stop()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def plain(port, **options):
    return SmtpMailer("127.0.0.1", port, **{"sender": "sales@example.com", "security": "none", **options})


def test_a_mail_arrives(serve, inbox):
    """A mail arrives with one sender, one recipient, and the headers and the body that were meant."""
    with plain(serve(inbox), sender="Sales <sales@example.com>", unsubscribe_mailto="stop@example.com") as mailer:
        answer = mailer.send(
            mail(
                subject="Zażółć gęślą jaźń",
                body="Grüße,\n.\nAda\n" + "x" * 2000,
                thread=("<1@example.com>",),
                unsubscribe=True,
                unsubscribe_url="https://example.com/u",
            ),
            key="abc-12-1-0",
            timeout=5,
        )

    (envelope,), (message,) = inbox.envelopes, inbox.messages
    assert answer == Accepted("<abc-12-1-0@example.com>")
    assert (envelope.mail_from, envelope.rcpt_tos) == ("sales@example.com", ["ada@example.com"])
    assert message["message-id"] == "<abc-12-1-0@example.com>"
    assert str(message["from"]) == "Sales <sales@example.com>"
    assert message["to"] == "ada@example.com"
    assert message["subject"] == "Re: Zażółć gęślą jaźń"
    assert message["in-reply-to"] == message["references"] == "<1@example.com>"
    assert message["list-unsubscribe"].startswith("<https://example.com/u>, <mailto:stop@example.com?")
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert message.get_content().replace("\r\n", "\n") == "Grüße,\n.\nAda\n" + "x" * 2000 + "\n"
    assert not message.defects


def test_port(serve, inbox):
    """It satisfies the Protocol, and says that it cannot tell a repeat, and what to do about that."""
    mailer = plain(1)

    assert isinstance(plain(1), Mailer)
    assert (mailer.deduplicates, mailer.delivery) == (False, "at_most_once")
    assert plain(1, delivery="at_least_once").delivery == "at_least_once"
    assert repr(SmtpMailer("mail.example.com", sender="a@example.com")) == "<SmtpMailer mail.example.com:587, starttls>"
    assert "secret" not in repr(SmtpMailer("x", sender="a@x", username="u", password="secret"))


def test_date(serve, inbox):
    """A mail that knows when it is handed over says so in its Date header."""

    @attrs.frozen(kw_only=True)
    class Dated(Email):
        at: pendulum.DateTime

    about = {field.name: getattr(mail(), field.name) for field in attrs.fields(Email)}
    with plain(serve(inbox)) as mailer:
        mailer.send(Dated(**{**about, "at": pendulum.datetime(2026, 3, 30, 9)}), key="k", timeout=5)

    assert inbox.messages[0]["date"].datetime == pendulum.datetime(2026, 3, 30, 9)


def test_actors_write_in_their_own_name(serve, inbox):
    """A callable gives the sender of each mail; Message-IDs and envelopes follow it."""
    senders = {7: "Ada <ada@one.example>", 8: "bob@two.example"}
    with plain(serve(inbox), sender=lambda mail: senders[mail.actor_id]) as mailer:
        answers = [mailer.send(mail(actor_id=actor), key="k", timeout=5) for actor in (7, 8)]
        unknown = mailer.send(mail(actor_id=9), key="k", timeout=5)

    assert [each.mail_from for each in inbox.envelopes] == ["ada@one.example", "bob@two.example"]
    assert answers == [Accepted("<k@one.example>"), Accepted("<k@two.example>")]
    assert isinstance(unknown, Rejected)
    assert (unknown.permanent, unknown.reason) == (False, "mail_settings")
    assert "actor 9" in unknown.detail


def test_no_mail_for_what_cannot_be_sent(serve, inbox):
    """What no mail can be made of is refused without a word to the server."""
    with ScriptedServer() as server, plain(server.port) as mailer:
        answers = [
            mailer.send(email, key="k", timeout=5)
            for email in (
                mail(subject=None),
                mail(to="a@x, b@x"),
                mail(subject="a\r\nBcc: b@x"),
                mail(unsubscribe=True),
            )
        ]

    assert [(each.permanent, each.recipient_fault, each.reason) for each in answers] == [
        (True, False, "mail_settings"),
        (True, True, "delivery_failed"),
        (True, False, "delivery_failed"),
        (True, False, "mail_settings"),
    ]
    assert server.commands == []


# -- international addresses


def test_letters_before_the_at(serve, inbox):
    """An address that is international before the `@` is mailed as it is where the server takes that."""
    with plain(serve(inbox, enable_SMTPUTF8=True)) as mailer:
        assert mailer.send(mail(to="zoë@münchen.example"), key="k", timeout=5) == Accepted("<k@example.com>")

    assert inbox.envelopes[0].rcpt_tos == ["zoë@xn--mnchen-3ya.example"]
    assert "SMTPUTF8" in inbox.envelopes[0].mail_options
    assert "To: zoë@xn--mnchen-3ya.example".encode() in inbox.envelopes[0].original_content


def test_letters_before_the_at_elsewhere(serve, inbox):
    """Where the server does not take it, the mail is refused for good, and not as the address's fault."""
    with plain(serve(inbox, enable_SMTPUTF8=False)) as mailer:
        answer = mailer.send(mail(to="zoë@example.com"), key="k", timeout=5)
        after = mailer.send(mail(), key="k", timeout=5)

    assert (answer.permanent, answer.recipient_fault, answer.reason) == (True, False, "mail_settings")
    assert isinstance(after, Accepted)


def test_international_domain(serve, inbox):
    """An international domain is written in ASCII, which every server takes."""
    with plain(serve(inbox, enable_SMTPUTF8=False), sender="sales@exämple.com") as mailer:
        assert mailer.send(mail(to="ada@münchen.example"), key="k", timeout=5) == Accepted("<k@xn--exmple-cua.com>")

    assert inbox.envelopes[0].mail_from == "sales@xn--exmple-cua.com"
    assert inbox.envelopes[0].rcpt_tos == ["ada@xn--mnchen-3ya.example"]


def test_quoted_address(serve, inbox):
    """A local part that needs quotes keeps them."""
    with plain(serve(inbox)) as mailer:
        assert isinstance(mailer.send(mail(to='"ada, b"@example.com'), key="k", timeout=5), Accepted)

    assert inbox.envelopes[0].rcpt_tos == ['"ada, b"@example.com']


# -- TLS and logging in


def test_starttls(serve, inbox, server_tls, trusting):
    """By default the connection turns to TLS, and only then is anything said."""
    port = serve(inbox, tls_context=server_tls, require_starttls=True)
    with SmtpMailer("127.0.0.1", port, sender="sales@example.com", tls_context=trusting) as mailer:
        assert isinstance(mailer.send(mail(), key="k", timeout=5), Accepted)

    assert inbox.peers[0][2]


def test_tls_from_the_start(serve, inbox, server_tls, trusting):
    """With security="tls" the connection is TLS from the first byte."""
    with (
        ScriptedServer(server_tls, implicit=True) as server,
        SmtpMailer("127.0.0.1", server.port, sender="a@example.com", security="tls", tls_context=trusting) as mailer,
    ):
        answers = [mailer.send(mail(), key=key, timeout=5) for key in ("k-1", "k-2")]

    assert [type(each) for each in answers] == [Accepted, Accepted]
    assert len(server.commands) == 1


def test_log_in(serve, inbox, server_tls, trusting):
    """With a username and a password it logs in, after the connection has turned to TLS."""
    port = serve(inbox, tls_context=server_tls, auth_required=True, authenticator=inbox.log_in)
    options = {"sender": "sales@example.com", "tls_context": trusting, "username": "ada"}
    with SmtpMailer("127.0.0.1", port, password="secret", **options) as mailer:
        assert isinstance(mailer.send(mail(), key="k", timeout=5), Accepted)
    with SmtpMailer("127.0.0.1", port, password="wrong", **options) as mailer:
        answer = mailer.send(mail(), key="k", timeout=5)

    assert isinstance(answer, Rejected)
    assert inbox.users == ["ada"]
    assert (answer.permanent, answer.recipient_fault, answer.reason) == (True, False, "mail_settings")
    assert "535" in answer.detail


# -- connections


def test_one_connection_for_many_mails(serve, inbox):
    """The connection is kept open from mail to mail, and ends with the mailer."""
    with plain(serve(inbox)) as mailer:
        for i in range(5):
            assert isinstance(mailer.send(mail(), key=f"k-{i}", timeout=5), Accepted)

    assert len(inbox.envelopes) == 5
    assert len({peer for peer, _, _ in inbox.peers}) == 1


def test_says_goodbye():
    """`close` ends the conversation properly; the mailer can be used again, on a new connection."""
    with ScriptedServer() as server:
        mailer = plain(server.port)
        mailer.send(mail(), key="k-1", timeout=5)
        mailer.close()
        mailer.close()
        mailer.send(mail(), key="k-2", timeout=5)
        mailer.close()

    assert [each[-1] for each in server.commands] == ["quit", "quit"]


def test_a_stale_connection_is_replaced():
    """A kept connection that the server has ended is replaced without anybody hearing of it."""
    with ScriptedServer() as server, plain(server.port) as mailer:
        mailer.send(mail(), key="k-1", timeout=5)
        server.hang_up()
        answer = mailer.send(mail(), key="k-2", timeout=5)

    assert isinstance(answer, Accepted)
    assert len(server.commands) == 2
    assert len(server.mails) == 2


@pytest.mark.parametrize(
    "script",
    [
        {"rset": "421 4.4.2 idle for too long"},
        {"rset": "502 not implemented"},
        {"mail": ["250 ok", "421 4.7.0 enough for one connection"]},
        {"mail": ["250 ok", "451 4.7.0 too many messages in this session"]},
        {"rcpt": ["250 ok", "421 4.7.0 closing"]},
    ],
    ids=lambda script: next(iter(script)),
)
def test_a_server_that_has_had_enough(script):
    """A server that is tired of a kept connection gets a new one, once, and the mail leaves once."""
    with ScriptedServer(**script) as server, plain(server.port) as mailer:
        mailer.send(mail(), key="k-1", timeout=5)
        answer = mailer.send(mail(), key="k-2", timeout=5)

    assert isinstance(answer, Accepted)
    assert len(server.commands) == 2
    assert len(server.mails) == 2


def test_a_new_connection_is_not_tried_again():
    """A new connection that fails is not tried a second time: pausing between tries is the engine's business."""
    with ScriptedServer(mail="421 4.7.0 no") as server, plain(server.port) as mailer:
        answer = mailer.send(mail(), key="k", timeout=5)

    assert answer == Rejected("the server refused the sender: 421 4.7.0 no", permanent=False)
    assert len(server.commands) == 1


def test_after_a_refusal():
    """After a refused mail the connection is good for the next one, which starts from a clean slate."""
    with ScriptedServer(rcpt=["550 5.1.1 no such user"]) as server, plain(server.port) as mailer:
        first = mailer.send(mail(), key="k-1", timeout=5)
        second = mailer.send(mail(), key="k-2", timeout=5)

    assert first.recipient_fault
    assert isinstance(second, Accepted)
    assert len(server.commands) == 1
    assert "rset" in server.all_commands


def test_threads_have_connections_of_their_own(serve, inbox):
    """Threads that send at the same time do not get in each other's way: every mail arrives once, whole."""
    with plain(serve(inbox)) as mailer:
        answers: list[Accepted | Rejected] = []

        def work(name):
            answers.extend(
                mailer.send(mail(to=f"{name}@example.com", body=f"{name}-{i}"), key=f"{name}-{i}", timeout=10)
                for i in range(10)
            )

        threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    assert [type(each) for each in answers] == [Accepted] * 40
    arrived = {(each["message-id"], each["to"], each.get_content().strip()) for each in inbox.messages}
    assert arrived == {
        (f"<t{t}-{i}@example.com>", f"t{t}@example.com", f"t{t}-{i}") for t in range(4) for i in range(10)
    }
    assert 1 <= len({peer for peer, _, _ in inbox.peers}) <= 4


def test_a_forked_process_leaves_the_connection_alone(monkeypatch):
    """A process that was forked opens a connection of its own, and says nothing on its parent's."""
    with ScriptedServer() as server:
        mailer = plain(server.port)
        mailer.send(mail(), key="k-1", timeout=5)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        mailer.send(mail(), key="k-2", timeout=5)
        mailer.close()

    assert [len([line for line in each if line.startswith("mail")]) for each in server.commands] == [1, 1]
    assert "quit" not in server.commands[0]


# -- settings


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"sender": "nobody"}, "sender"),
        ({"sender": "a@example.com, b@example.com"}, "sender"),
        ({"sender": "a@example.com\r\nBcc: b@example.com"}, "sender"),
        ({"security": "ssl"}, "security"),
        ({"delivery": "exactly_once"}, "delivery"),
        ({"username": "ada"}, "username"),
        ({"password": "secret"}, "username"),
        ({"username": "ada", "password": "secret", "security": "none"}, "security"),
        ({"domain": "two words"}, "domain"),
        ({"domain": "x>\r\n"}, "domain"),
        ({"unsubscribe_mailto": "nobody"}, "unsubscribe_mailto"),
    ],
)
def test_bad_settings(options, path):
    """Settings that cannot work, or would give a password away, are refused at once, by name."""
    with pytest.raises(InvalidInput) as caught:
        SmtpMailer("mail.example.com", **{"sender": "sales@example.com", **options})

    assert caught.value.path == path
