"""What a server's refusal means: a table of what servers really say."""

from __future__ import annotations

import pytest

from sequencer.adapters.replies import Reply, Stage, refusal

TEMPORARY = (False, False, "delivery_failed")
PERMANENT = (True, False, "delivery_failed")
BAD_ADDRESS = (True, True, "delivery_failed")
SETTINGS = (True, False, "mail_settings")
SETTINGS_FOR_NOW = (False, False, "mail_settings")
QUOTA = (True, False, "quota_reached")
QUOTA_FOR_NOW = (False, False, "quota_reached")

CASES = [
    # before any mail
    (Stage.GREETING, 421, "4.3.2 too many connections, try later", TEMPORARY),
    (Stage.GREETING, 554, "no SMTP service here", SETTINGS),
    (Stage.HELLO, 501, "5.5.4 invalid domain name", SETTINGS),
    (Stage.HELLO, 421, "busy", TEMPORARY),
    (Stage.TLS, 454, "4.7.0 TLS not available due to local problem", SETTINGS_FOR_NOW),
    (Stage.LOGIN, 535, "5.7.8 Error: authentication failed", SETTINGS),
    (Stage.LOGIN, 534, "5.7.9 Application-specific password required", SETTINGS),
    (Stage.LOGIN, 454, "4.7.0 Temporary authentication failure", SETTINGS_FOR_NOW),
    (Stage.LOGIN, 504, "5.5.4 unrecognized authentication type", SETTINGS),
    (Stage.LOGIN, 454, "Throttling failure: Maximum sending rate exceeded", QUOTA_FOR_NOW),
    # the sender
    (Stage.SENDER, 530, "5.7.0 Must issue a STARTTLS command first", SETTINGS),
    (Stage.SENDER, 530, "5.7.57 Client not authenticated to send mail", SETTINGS),
    (Stage.SENDER, 550, "sender rejected", SETTINGS),
    (Stage.SENDER, 553, "5.7.1 Sender address rejected: not owned by user", SETTINGS),
    (Stage.SENDER, 501, "5.1.7 invalid address", SETTINGS),
    (Stage.SENDER, 451, "4.3.0 try again", TEMPORARY),
    (Stage.SENDER, 452, "4.3.1 Insufficient system storage", TEMPORARY),
    (Stage.SENDER, 552, "5.3.4 Message size exceeds fixed limit", PERMANENT),
    (Stage.SENDER, 550, "5.4.5 Daily user sending limit exceeded", QUOTA),
    (Stage.SENDER, 454, "Throttling failure: Daily message quota exceeded.", QUOTA_FOR_NOW),
    # the recipient
    (Stage.RECIPIENT, 550, "5.1.1 The email account that you tried to reach does not exist", BAD_ADDRESS),
    (Stage.RECIPIENT, 550, "no such user", BAD_ADDRESS),
    (Stage.RECIPIENT, 550, "Requested action not taken: mailbox unavailable", BAD_ADDRESS),
    (Stage.RECIPIENT, 551, "user not local", BAD_ADDRESS),
    (Stage.RECIPIENT, 553, "mailbox name not allowed", BAD_ADDRESS),
    (Stage.RECIPIENT, 501, "bad address syntax", BAD_ADDRESS),
    (Stage.RECIPIENT, 556, "5.1.10 domain does not accept mail", BAD_ADDRESS),
    (Stage.RECIPIENT, 550, "5.4.1 Recipient address rejected: Access denied", BAD_ADDRESS),
    (Stage.RECIPIENT, 550, "5.2.1 The email account that you tried to reach is disabled", BAD_ADDRESS),
    (Stage.RECIPIENT, 550, "5.0.0 unknown user", BAD_ADDRESS),
    (Stage.RECIPIENT, 450, "4.2.0 Greylisted, see http://example.com", TEMPORARY),
    (Stage.RECIPIENT, 450, "4.1.2 Domain not found", TEMPORARY),
    (Stage.RECIPIENT, 451, "4.4.5 Server busy", TEMPORARY),
    (Stage.RECIPIENT, 452, "4.2.2 The email account that you tried to reach is over quota", TEMPORARY),
    (Stage.RECIPIENT, 452, "4.5.3 Too many recipients", QUOTA_FOR_NOW),
    (Stage.RECIPIENT, 552, "5.2.2 mailbox full, quota exceeded", PERMANENT),
    (Stage.RECIPIENT, 552, "Requested mail action aborted: exceeded storage allocation", PERMANENT),
    (Stage.RECIPIENT, 550, "mailbox is over quota: quota exceeded", PERMANENT),
    (Stage.RECIPIENT, 554, "5.7.1 <ada@example.com>: Relay access denied", SETTINGS),
    (Stage.RECIPIENT, 550, "relaying denied", SETTINGS),
    (Stage.RECIPIENT, 550, "authentication required", SETTINGS),
    (Stage.RECIPIENT, 554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", PERMANENT),
    (Stage.RECIPIENT, 550, "your host is blocked for spam", PERMANENT),
    (Stage.RECIPIENT, 550, "5.7.1 you may not write to this group", PERMANENT),
    (Stage.RECIPIENT, 554, "transaction failed", PERMANENT),
    (Stage.RECIPIENT, 503, "5.5.1 bad sequence of commands", PERMANENT),
    (Stage.RECIPIENT, 550, "5.1.90 you've reached your daily limit for sending messages", QUOTA),
    # the message
    (Stage.MESSAGE, 451, "4.7.1 try again later", TEMPORARY),
    (Stage.MESSAGE, 421, "4.7.28 unusual rate of mail", TEMPORARY),
    (Stage.MESSAGE, 550, "5.7.1 content rejected as spam", PERMANENT),
    (Stage.MESSAGE, 550, "content rejected", PERMANENT),
    (Stage.MESSAGE, 552, "message too big", PERMANENT),
    (Stage.MESSAGE, 550, "5.7.26 This mail is unauthenticated: SPF and DKIM failed", SETTINGS),
    (Stage.MESSAGE, 550, "5.1.1 user unknown", BAD_ADDRESS),
    (Stage.MESSAGE, 550, "5.4.5 Daily SMTP relay limit exceeded for customer", QUOTA),
    (Stage.MESSAGE, 451, "Maximum credits exceeded", QUOTA_FOR_NOW),
    (Stage.MESSAGE, 554, "5.2.0 SubmissionQuotaExceededException; submission quota exceeded", QUOTA),
]


@pytest.mark.parametrize(("stage", "code", "text", "meaning"), CASES, ids=[f"{s.name}-{c}-{t}" for s, c, t, _ in CASES])
def test_meaning(stage, code, text, meaning):
    """Each refusal is for now or for good, the address's fault or not, and its reason tells who can mend it."""
    answer = refusal(stage, Reply.of(code, text.encode()))

    assert (answer.permanent, answer.recipient_fault, answer.reason) == meaning
    assert f"{code} " in answer.detail


@pytest.mark.parametrize("code", [-1, 0, 200, 250, 354, 600, 999])
@pytest.mark.parametrize("stage", Stage)
def test_nonsense(stage, code):
    """What is no refusal at all, where an acceptance would have been something else, is never held against the mail."""
    answer = refusal(stage, Reply.of(code, b""))

    assert not answer.permanent
    assert not answer.recipient_fault


def test_every_code_has_a_meaning():
    """At every stage 4xx is for now and 5xx for good, and only the latter is ever the address's fault."""
    for stage in Stage:
        for code in range(400, 600):
            for enhanced in ("", *(f"{code // 100}.{subject}.{n} " for subject in range(8) for n in (0, 1, 2, 5, 7))):
                answer = refusal(stage, Reply.of(code, f"{enhanced}words".encode()))

                assert answer.permanent == (code >= 500)
                assert answer.permanent or not answer.recipient_fault
                assert not answer.recipient_fault or answer.reason == "delivery_failed"
                assert stage in (Stage.RECIPIENT, Stage.MESSAGE) or not answer.recipient_fault


def test_long_words_are_cut():
    """What a server said is kept on one line, without control characters, and not at any length."""
    text = str(Reply.of(550, b"5.7.1 one\r\ntwo\x1b[31m \xff " + b"x" * 5000))

    assert text.startswith("550 5.7.1 one two [31m \N{REPLACEMENT CHARACTER} xxx")
    assert len(text) < 320
