"""Mail into a Maildir: one file for each key, whole or not there."""

from __future__ import annotations

import mailbox
import os
import subprocess
import sys
import threading
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from sequencer.adapters.maildir import MaildirMailer
from sequencer.core.errors import InvalidInput
from sequencer.engine.ports import Accepted, Mailer, Rejected
from sequencer.testing.contracts.asking import mail


def send(mailer, key="abc-12-1-0", **changes):
    return mailer.send(mail(**changes), key=key, timeout=5)


def files(path):
    return {name: sorted(each.name for each in (path / name).iterdir()) for name in ("tmp", "new", "cur")}


def test_a_mail_arrives(tmp_path):
    """A mail is one readable file in `new`, named by its key, with the local line ends."""
    mailer = MaildirMailer(tmp_path / "a" / "box", sender="Sales <sales@example.com>")

    answer = send(mailer, subject="Zażółć", body="Grüße\n.\nFrom here on\n", thread=("<1@x>",))

    assert isinstance(mailer, Mailer)
    assert answer == Accepted("<abc-12-1-0@example.com>")
    assert files(mailer.path) == {"tmp": [], "new": ["abc-12-1-0"], "cur": []}
    content = (mailer.path / "new" / "abc-12-1-0").read_bytes()
    assert b"\r" not in content
    message = message_from_bytes(content, policy=policy.default)
    assert message["subject"] == "Re: Zażółć"
    assert message["message-id"] == "<abc-12-1-0@example.com>"


def test_mail_programs_can_read_it(tmp_path):
    """The standard library's Maildir reads it, and so does everything else that knows the format."""
    for i in range(3):
        send(MaildirMailer(tmp_path), key=f"k-{i}", subject=f"Mail {i}")

    box = mailbox.Maildir(tmp_path, create=False)

    assert sorted(message["subject"] for message in box) == ["Mail 0", "Mail 1", "Mail 2"]


def test_a_repeat_is_recognised(tmp_path):
    """A repeated key gets the first answer and makes no second mail, also after a restart and with other content."""
    first = send(MaildirMailer(tmp_path, sender="a@one.example"))
    second = send(MaildirMailer(tmp_path, sender="b@two.example"), subject="Other", attempt=2)

    assert MaildirMailer.deduplicates
    assert first == second == Accepted("<abc-12-1-0@one.example>")
    assert files(tmp_path)["new"] == ["abc-12-1-0"]


@pytest.mark.parametrize("name", ["abc-12-1-0:2,", "abc-12-1-0:2,RS", "abc-12-1-0"])
def test_a_repeat_of_a_mail_that_was_read(tmp_path, name):
    """A mail that somebody has read, which moves and renames it, is still recognised."""
    mailer = MaildirMailer(tmp_path)
    first = send(mailer)
    (tmp_path / "new" / "abc-12-1-0").rename(tmp_path / "cur" / name)

    assert send(mailer) == first
    assert files(tmp_path) == {"tmp": [], "new": [], "cur": [name]}


def test_other_keys_are_other_mails(tmp_path):
    """Keys that are nearly alike, or would be no file names, are different mails within the folder."""
    mailer = MaildirMailer(tmp_path / "box")
    keys = ["k-1-1-0", "k-1-1-01", "k-1-1", "../../k", "k/1", "k:2,S", "K", ".", "x" * 300, "ü", "\0"]
    for key in keys:
        assert isinstance(send(mailer, key=key), Accepted)

    assert len(files(mailer.path)["new"]) == len(keys)
    assert len(list(tmp_path.rglob("*"))) == len(keys) + 4
    for key in keys:
        send(mailer, key=key, attempt=2)
    assert len(files(mailer.path)["new"]) == len(keys)


def test_refusals_leave_nothing_behind(tmp_path):
    """What no mail can be made of is refused, and nothing is written."""
    mailer = MaildirMailer(tmp_path)

    answers = [send(mailer, to="a@x, b@x"), send(mailer, subject=None), send(mailer, unsubscribe=True)]

    assert all(isinstance(answer, Rejected) and answer.permanent for answer in answers)
    assert files(tmp_path) == {"tmp": [], "new": [], "cur": []}


def test_a_full_disk(tmp_path, monkeypatch):
    """When the disk does not take a mail the error comes out, and there is no part of a mail."""
    mailer = MaildirMailer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            send(mailer)
    assert files(tmp_path) == {"tmp": [], "new": [], "cur": []}

    assert isinstance(send(mailer), Accepted)


@pytest.mark.parametrize("at", ["os.fsync", "os.link", "pathlib.Path.unlink"])
def test_a_process_that_dies(tmp_path, at):
    """Wherever the process dies, the mail is in `new` whole or not at all, and the repeat makes it exactly one."""
    module, _, name = at.rpartition(".")
    script = (
        "import os, pathlib\n"
        "from sequencer.adapters.maildir import MaildirMailer\n"
        "from sequencer.testing.contracts.asking import mail\n"
        f"mailer = MaildirMailer({str(tmp_path)!r})\n"
        f"{module}.{name} = lambda *_, **__: os._exit(9)\n"
        "mailer.send(mail(), key='k-1', timeout=5)\n"
    )
    paths = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert done.returncode == 9
    for name in files(tmp_path)["new"]:
        assert (tmp_path / "new" / name).read_bytes().endswith(b"Nice to meet you.\n")

    assert send(MaildirMailer(tmp_path), key="k-1") == Accepted("<k-1@maildir.invalid>")
    assert files(tmp_path)["new"] == ["k-1"]


def test_two_at_once(tmp_path):
    """Of several workers with the same key at the same time one makes the mail, and all get the same answer."""
    answers: list[Accepted | Rejected] = []
    barrier = threading.Barrier(8)

    def work():
        mailer = MaildirMailer(tmp_path)
        barrier.wait(5)
        answers.append(send(mailer))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert answers == [Accepted("<abc-12-1-0@maildir.invalid>")] * 8
    assert files(tmp_path) == {"tmp": [], "new": ["abc-12-1-0"], "cur": []}


def test_bad_settings(tmp_path):
    """A path that is a file, and addresses that are none, are refused at once."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput):
        MaildirMailer(tmp_path / "file")
    with pytest.raises(InvalidInput):
        MaildirMailer(tmp_path, sender="nobody")
    with pytest.raises(InvalidInput, match="unsubscribe_mailto"):
        MaildirMailer(tmp_path, unsubscribe_mailto="out example.com")
    assert repr(MaildirMailer(tmp_path)) == f"MaildirMailer({str(tmp_path)!r})"
