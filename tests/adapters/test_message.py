"""A mail as bytes: every header says what it should, and nothing that a mail brings along can say more."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.adapters.addresses import CONTROL, Mailbox, to_mailbox
from sequencer.adapters.keys import message_id, token
from sequencer.adapters.message import Unsendable, build
from sequencer.core.errors import InvalidInput
from sequencer.engine.ports import Rejected
from sequencer.testing.contracts.asking import mail

OURS = {
    "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "list-unsubscribe",
    "list-unsubscribe-post", "content-type", "content-transfer-encoding", "mime-version",
}  # fmt: skip


def letter(key="abc-12-1-0", sender="Ada Sender <sales@example.com>", date=None, mailto=None, domain=None, **changes):
    return build(mail(**changes), key, sender=sender, date=date, unsubscribe_mailto=mailto, domain=domain)


def parsed(**given):
    """The message as a recipient's program reads it; on the way, what holds for every message is checked."""
    content = letter(**given).to_bytes()
    head, _, _ = content.partition(b"\r\n\r\n")
    assert content.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content), "line ends are CRLF throughout"
    assert max(map(len, content.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert not message.defects
    assert {name.lower() for name in message} <= OURS
    assert len(message.keys()) == len(set(message.keys()))
    assert len(re.findall(rb"^\S", head, re.MULTILINE)) == len(message.keys())
    assert len(message["to"].addresses) == len(message["from"].addresses) == 1
    return message


def content_of(message):
    """The text, with line breaks as Python has them."""
    return message.get_content().replace("\r\n", "\n")


def rejected(**given):
    with pytest.raises(Unsendable) as caught:
        letter(**given)
    return caught.value.rejected


def test_headers_of_a_first_mail():
    """A first mail has sender, recipient, subject, date and an id made from its key, and belongs to no thread."""
    message = parsed(date=datetime(2026, 3, 30, 9, 5, tzinfo=UTC))

    assert str(message["from"]) == "Ada Sender <sales@example.com>"
    assert str(message["to"]) == "ada@example.com"
    assert str(message["subject"]) == "Hello"
    assert message["date"].datetime == datetime(2026, 3, 30, 9, 5, tzinfo=UTC)
    assert message["message-id"] == "<abc-12-1-0@example.com>"
    assert message["in-reply-to"] is message["references"] is message["list-unsubscribe"] is None
    assert content_of(message) == "Nice to meet you.\n"
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"


def test_headers_of_a_reply():
    """A mail in a thread answers the last mail, names all of them, and says Re:."""
    message = parsed(thread=("<1@example.com>", "2@example.com", "<3@example.com>"), is_reply=True)

    assert message["in-reply-to"] == "<3@example.com>"
    assert message["references"].split() == ["<1@example.com>", "<2@example.com>", "<3@example.com>"]
    assert message["subject"] == "Re: Hello"


@pytest.mark.parametrize("subject", ["Re: Hello", "RE: Hello", "re : Hello"])
def test_re_is_not_doubled(subject):
    """A subject that says Re: by itself is left alone."""
    assert parsed(subject=subject, thread=("<1@x>",))["subject"] == subject


def test_a_reply_without_a_thread():
    """A reply to a mail that never left starts a thread: it does not say Re:."""
    assert parsed(is_reply=True)["subject"] == "Hello"


def test_odd_thread_ids_are_left_out():
    """An id that could break the header, or is none, is left out of the thread; the mail leaves."""
    odd = ("a@b>\r\nBcc: x@y", "two words", "", "<>", "<a@b><c@d>", "<ü@b>")
    message = parsed(thread=("<1@x>", *odd))

    assert message["references"] == message["in-reply-to"] == "<1@x>"


def test_long_threads():
    """Of a very long thread the first and the latest ids are kept, folded over lines."""
    message = parsed(thread=tuple(f"<{i}@example.com>" for i in range(200)))
    kept = message["references"].split()

    assert kept[0] == "<0@example.com>"
    assert kept[1:] == [f"<{i}@example.com>" for i in range(161, 200)]


# -- opting out


def test_one_click():
    """With a link there are the two headers of RFC 8058, and the address of RFC 2369 beside it if there is one."""
    url = "https://example.com/unsubscribe?key=abc-12-1-0&x=%20"
    message = parsed(unsubscribe=True, unsubscribe_url=url)
    assert message["list-unsubscribe"] == f"<{url}>"
    assert message["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"

    message = parsed(unsubscribe=True, unsubscribe_url=url, mailto="stop@example.com")
    assert message["list-unsubscribe"] == f"<{url}>, <mailto:stop@example.com?subject=unsubscribe%20abc-12-1-0>"


def test_no_click_without_tls():
    """One click is promised for https only; a plain link is named without the promise."""
    message = parsed(unsubscribe=True, unsubscribe_url="http://localhost:8000/u")

    assert message["list-unsubscribe"] == "<http://localhost:8000/u>"
    assert message["list-unsubscribe-post"] is None


def test_opting_out_by_mail():
    """Without a link the address takes its place."""
    message = parsed(unsubscribe=True, mailto="mailto:stop@example.com")

    assert message["list-unsubscribe"] == "<mailto:stop@example.com?subject=unsubscribe%20abc-12-1-0>"
    assert message["list-unsubscribe-post"] is None


def test_opting_out_only_where_asked_for():
    """A sequence that does not ask for a way to opt out gets none."""
    assert parsed(mailto="stop@example.com", unsubscribe_url="https://example.com/u")["list-unsubscribe"] is None


@pytest.mark.parametrize(
    "url", [None, "", "javascript:alert(1)", "https://", "https://x/\r\nBcc: y@z", "https://x/><b", "https://x/ü"]
)
def test_no_way_to_opt_out(url):
    """A mail that must offer a way to opt out and cannot is refused for good, as a matter of settings."""
    answer = rejected(unsubscribe=True, unsubscribe_url=url)

    assert (answer.permanent, answer.reason, answer.recipient_fault) == (True, "mail_settings", False)


# -- what is not known, and what is hostile


@pytest.mark.parametrize("missing", [{"subject": None}, {"body": None}])
def test_unknown_template(missing):
    """A mail without a text is refused for good; the answer names the template and the remedy."""
    answer = rejected(template_id="welcome", **missing)

    assert (answer.permanent, answer.reason) == (True, "mail_settings")
    assert "'welcome'" in answer.detail
    assert "templates" in answer.detail


@pytest.mark.parametrize(
    "to",
    [
        "a@x.com, b@x.com", "a@x.com; b@x.com", "a@x.com b@x.com", "a@x.com\r\nBcc: b@x.com", "a@x.com\nb", "a@x.com\0",
        "A <a@x.com>, B <b@x.com>", "A <a@x.com> <b@x.com>", "group: a@x.com, b@x.com;", "A, B <a@x.com>", "<a@x.com",
        "a@x.com>", "a@b@x.com", "@x.com", "a@", "a", "", " ", "<>", "a@x..com", "a@.com", "a@-x.com", "a.@x.com",
        ".a@x.com", "a..b@x.com", "a b@x.com", "a@x com", "a@x.com\u2028b@x.com", "a\ud800@x.com", f"{'a' * 65}@x.com",
        f"a@{'x' * 64}.com", f"a@{'x.' * 130}com", "a@stra\u00dfe.de", "(comment)a@x.com", "a@x.com(comment)",
        "a@[1.2.3.4", "a@[::1]", '"a@x.com', '"a\\"@x.com', "=?utf-8?q?a=40x.com,?= b@x.com",
    ],
)  # fmt: skip
def test_not_one_address(to):
    """What is not exactly one address is refused for good, as the address's fault, and never mailed."""
    answer = rejected(to=to)

    assert (answer.permanent, answer.recipient_fault, answer.reason) == (True, True, "delivery_failed")


@pytest.mark.parametrize(
    ("to", "address"),
    [
        ("ada@example.com", "ada@example.com"),
        (" ada@example.com ", "ada@example.com"),
        ("Ada Lovelace <ada@example.com>", "ada@example.com"),
        ('"Lovelace, Ada" <ada@example.com>', "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ("o'brien+tag!#$%&*/=?^_`{|}~-@x-y.example.com", "o'brien+tag!#$%&*/=?^_`{|}~-@x-y.example.com"),
        ("root@localhost", "root@localhost"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ('"a b"@example.com', '"a b"@example.com'),
        ("ada@m\u00fcnchen.example", "ada@xn--mnchen-3ya.example"),
        ("ada@\u4f8b\u3048.\u30c6\u30b9\u30c8", "ada@xn--r8jz45g.xn--zckzah"),
    ],
)
def test_one_address(to, address):
    """One address is taken as it is written, with or without a name; its domain is written in ASCII."""
    made = letter(to=to)

    assert made.recipient.address == address
    assert not made.needs_utf8
    assert parsed(to=to)["to"].addresses[0].addr_spec == address


def test_letters_before_the_at():
    """An address that is international before the `@` is written as it is, for servers that take that."""
    made = letter(to="Zo\u00eb <zo\u00eb@m\u00fcnchen.example>")

    assert made.needs_utf8
    assert "<zo\u00eb@xn--mnchen-3ya.example>".encode() in made.to_bytes()


def test_comments_are_not_read():
    """Only one form of each value is understood: nothing is skipped, unescaped or guessed."""
    assert to_mailbox("Ada <ada@example.com>", "to") == Mailbox("ada", "example.com", "Ada")
    with pytest.raises(InvalidInput, match="sender"):
        to_mailbox("Ada (at home) <ada@example.com", "sender")
    with pytest.raises(InvalidInput):
        to_mailbox(None, "sender")


@pytest.mark.parametrize("sender", ["", "nobody", "a@x.com, b@x.com", "a@x.com\r\nBcc: c@d", "Ada\n <a@x.com>"])
def test_bad_sender(sender):
    """A sender that is no address is refused for good, as a matter of settings."""
    answer = rejected(sender=sender)

    assert (answer.permanent, answer.reason, answer.recipient_fault) == (True, "mail_settings", False)


@pytest.mark.parametrize(
    "name", ['"Sales, Inc."', '"Quote \\" and \\\\ slash"', "Zażółć, gęślą", '"=?utf-8?q?=0d=0aBcc:_a@b?="']
)
def test_names_are_shown_as_they_are(name):
    """Whatever is in a sender's name stays a name: it adds no address and no header."""
    message = parsed(sender=f"{name if name[0] == chr(34) else chr(34) + name + chr(34)} <sales@example.com>")
    (address,) = message["from"].addresses

    assert address.addr_spec == "sales@example.com"
    assert address.display_name == (name[1:-1].replace('\\"', '"').replace("\\\\", "\\") if name[0] == '"' else name)


def test_long_names():
    """A long name is folded between its letters."""
    name = "ü" * 200
    raw = email.message_from_bytes(letter(sender=f"{name} <sales@example.com>").to_bytes())["from"]

    assert str(make_header(decode_header(raw))) == f"{name} <sales@example.com>"
    assert max(map(len, raw.splitlines())) <= 78


@pytest.mark.parametrize("subject", ["a\r\nBcc: b@x.com", "a\nb", "a\rb", "a\0b", "a\x1b[2J", "a\u2028b", "a\ud800b"])
def test_subject_with_control_characters(subject):
    """A subject with a line break, or any other control character, is refused for good."""
    answer = rejected(subject=subject)

    assert (answer.permanent, answer.reason, answer.recipient_fault) == (True, "delivery_failed", False)


@pytest.mark.parametrize(
    "subject",
    [
        "x" * 3000, "word " * 400 + "end", "Zażółć gęślą jaźń " * 80 + "end", "\U0001f600" * 500, "a  b   c",
        "a\u00a0b", "=?utf-8?q?a=0d=0aBcc:x?=", "=?utf-8?b?QQ==?= b", "a =?", "a" + " " * 1500 + "b", "Bcc: b@x.com",
        "e\u0301",
    ],
)  # fmt: skip
def test_subjects_arrive_as_they_are(subject):
    """Long, international and odd subjects arrive letter by letter, and never as encoded text that somebody hid."""
    assert str(parsed(subject=subject)["subject"]) == subject


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_subject(subject):
    """Any subject arrives as it is, but for blanks around it, or is refused."""
    if CONTROL.search(subject.replace("\t", " ").strip()):
        assert rejected(subject=subject).permanent
    else:
        assert str(parsed(subject=subject)["subject"] or "") == subject.replace("\t", " ").strip()


# -- bodies


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("Hello,\n\nbye\n", "7bit"),
        ("no line end", "7bit"),
        ("", "7bit"),
        (".\n..\n.hidden\n", "7bit"),
        ("From here on\n", "quoted-printable"),
        ("x" * 2000, "quoted-printable"),
        ("Caf\u00e9 au lait, s'il vous pla\u00eet\n", "quoted-printable"),
        ("trailing = \t \n\u00e9", "quoted-printable"),
        ("a\0b", "quoted-printable"),
        ("\u4f60\u597d\n" * 100, "base64"),
        ("\U0001f600" * 1000, "base64"),
    ],
)
def test_bodies_arrive_as_they_are(body, encoding):
    """A body arrives letter by letter, in lines that every server takes, as readable on the way as it can be."""
    message = parsed(body=body)

    assert message["content-transfer-encoding"] == encoding
    assert content_of(message) == (body if body.endswith("\n") else f"{body}\n")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_body(body):
    """Any body arrives as it is, with line breaks made alike and one at its end."""
    plain = re.sub("\r\n|\r", "\n", body)

    assert content_of(parsed(body=body)) == (plain if plain.endswith("\n") else f"{plain}\n")


def test_body_with_half_a_letter():
    """A body that cannot be encoded is refused for good."""
    assert rejected(body="a\ud800").permanent


# -- keys


def test_engine_keys_stay_readable():
    """The engine's own key appears in the Message-ID as it is."""
    assert message_id("0f3a-12-1-0", "example.com") == "<0f3a-12-1-0@example.com>"
    assert letter(domain="mail.example.com").message_id == "<abc-12-1-0@mail.example.com>"


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_key(one, other):
    """Any key makes a safe id of bounded length, the same each time, and another one for another key."""
    assert re.fullmatch(r"[A-Za-z0-9_=-]{1,64}", token(one))
    assert (token(one) == token(other)) == (one == other)


def test_unsendable_says_why():
    """The exception carries the answer, and its message is the detail."""
    with pytest.raises(Unsendable, match="template 3") as caught:
        letter(subject=None)
    assert isinstance(caught.value.rejected, Rejected)
