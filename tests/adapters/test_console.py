"""The printing ports: one readable block for each mail and task, whatever is in it."""

from __future__ import annotations

import io

from sequencer.adapters.console import ConsoleMailer, ConsoleTaskBoard
from sequencer.engine.ports import Accepted
from sequencer.testing.contracts.asking import mail, task


def test_prints_a_mail():
    """A mail is printed as its recipient, its subject, where it comes from, and its body; and it is accepted."""
    stream = io.StringIO()

    answer = ConsoleMailer(stream).send(mail(body="Nice to\nmeet you.", thread=("<a@b>",)), key="k-1", timeout=1)

    assert answer == Accepted("<k-1@console.invalid>")
    assert stream.getvalue() == (
        "mail to ada@example.com: Re: Hello  [Inbound, enrollment 12, step 1]\n  | Nice to\n  | meet you.\n"
    )


def test_prints_what_it_has():
    """A mail whose text is not known is printed with its template's id; the attempt and the opt-out are shown."""
    stream = io.StringIO()
    email = mail(subject=None, body=None, attempt=2, unsubscribe=True, unsubscribe_url="https://example.com/u")

    ConsoleMailer(stream).send(email, key="k-1", timeout=1)

    assert stream.getvalue() == (
        "mail to ada@example.com: (template 3)  [Inbound, enrollment 12, step 1, attempt 2]\n"
        "  | (unsubscribe: https://example.com/u)\n"
    )


def test_nothing_reaches_the_terminal():
    """Escape sequences and line breaks in what a mail brings along are shown, not executed."""
    stream = io.StringIO()

    ConsoleMailer(stream).send(mail(subject="a\x1b[2Jb\r\nc", body="\x1b]0;x\x07\u202etxt\ud800"), key="k", timeout=1)

    assert not set(stream.getvalue()) & set("\x1b\x07\r\u202e\ud800")
    assert len(stream.getvalue().splitlines()) == 2


def test_a_terminal_without_the_letters():
    """A stream that cannot show a letter shows its code, and the mail is accepted all the same."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")

    ConsoleMailer(stream).send(mail(subject="Zażółć"), key="k", timeout=1)

    assert b"Za\\u017c\\xf3\\u0142\\u0107" in raw.getvalue()


def test_standard_output(capsys):
    """Without a stream it prints to standard output as it is when the mail leaves."""
    ConsoleMailer().send(mail(), key="k", timeout=1)

    assert capsys.readouterr().out.startswith("mail to ada@example.com: Hello")


def test_prints_a_task():
    """A task is printed with its id, for whom it is, about whom, and until when; so is its end."""
    stream = io.StringIO()
    board = ConsoleTaskBoard(stream)

    task_id = board.create(task(task_content="Call Ada\nabout it"), key="k-1-2-0")
    board.cancel(task_id)

    assert task_id == "k-1-2-0"
    assert stream.getvalue() == (
        "task k-1-2-0 for actor 7: lead 42, due 2026-03-30T09:00:00Z  [Inbound, enrollment 12, step 1]\n"
        "  | Call Ada\n  | about it\ntask k-1-2-0 cancelled\n"
    )


def test_task_ids_come_from_keys():
    """The same key is the same task after a restart, and any key gives an id that the engine can store."""
    boards = [ConsoleTaskBoard(io.StringIO()) for _ in range(2)]
    keys = ["k", "k.1", "k=2e1", "ü" * 100, "x" * 65, ""]
    ids = [[board.create(task(), key=key) for key in keys] for board in boards]

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(keys)
    assert all(isinstance(each, str) and 1 <= len(each) <= 64 and each.isascii() for each in ids[0])
