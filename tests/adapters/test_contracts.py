"""Every mailer and every task board of ours, against the contracts that users have."""

from __future__ import annotations

import email
import email.policy
import io
import re

import pytest

from sequencer.adapters.console import ConsoleMailer, ConsoleTaskBoard
from sequencer.adapters.maildir import MaildirMailer
from sequencer.adapters.recording import RecordingMailer, RecordingTaskBoard
from sequencer.adapters.smtp import SmtpMailer
from sequencer.engine.ports import Rejected
from sequencer.testing import HangingMailerContract, MailerContract, RefusingMailerContract, TaskBoardContract
from tests.adapters.scripted import HANG, ScriptedServer


class TestRecordingMailer(RefusingMailerContract):
    def make(self, folder):
        return RecordingMailer()

    def left(self, mailer):
        return [mail.to for mail in mailer.sent]

    def refuse(self, mailer, *, permanent):
        mailer.fail(Rejected("no", permanent=permanent))


class TestRecordingMailerThatRecognisesKeys(TestRecordingMailer):
    def make(self, folder):
        return RecordingMailer(deduplicates=True)


class TestRecordingMailerThatAnswersLate(MailerContract):
    def make(self, folder):
        mailer = RecordingMailer(deduplicates=True)
        mailer.answer_late(times=None)
        return mailer

    def left(self, mailer):
        return [mail.to for mail in mailer.sent]


class TestConsoleMailer(MailerContract):
    def make(self, folder):
        self.stream = io.StringIO()
        return ConsoleMailer(self.stream)

    def left(self, mailer):
        return re.findall(r"^mail to (\S+): ", self.stream.getvalue(), re.MULTILINE)


class TestMaildirMailer(MailerContract):
    def make(self, folder):
        return MaildirMailer(folder)

    def left(self, mailer):
        return [addressee(path.read_bytes()) for path in sorted((mailer.path / "new").iterdir())]

    def reopen(self, mailer, folder):
        return MaildirMailer(folder)


class TestSmtpMailer(RefusingMailerContract, HangingMailerContract):
    """Refused and left hanging by a server on loopback, at any stage of the conversation."""

    @pytest.fixture(params=["mail", "rcpt", "data", "body"])
    def stage(self, request):
        return request.param

    @pytest.fixture
    def mailer(self, stage):
        self.at: str = stage
        with ScriptedServer() as server:
            self.server = server
            mailer = SmtpMailer("127.0.0.1", server.port, sender="sales@example.com", security="none")
            yield mailer
            mailer.close()

    def left(self, mailer):
        taken = [addressee(content) for content in self.server.mails]
        return taken[self.refused :]

    refused = 0

    def refuse(self, mailer, *, permanent):
        # What was transferred before it was refused has not left.
        self.refused = int(self.at == "body")
        self.server._script[self.at] = ["554 5.7.1 no" if permanent else "451 4.3.0 later"]

    def hang(self, mailer):
        self.server._script[self.at] = HANG


class TestRecordingTaskBoard(TaskBoardContract):
    def make(self, folder):
        return RecordingTaskBoard()

    def open(self, board):
        return [task.id for task in board.open]


class TestRecordingTaskBoardThatForgetsKeys(TestRecordingTaskBoard):
    def make(self, folder):
        return RecordingTaskBoard(deduplicates=False)


class TestConsoleTaskBoard(TaskBoardContract):
    """What is on paper: a task that is printed again is the same one."""

    def make(self, folder):
        self.stream = io.StringIO()
        return ConsoleTaskBoard(self.stream)

    def open(self, board):
        found = re.findall(r"^task (\S+) (for|cancelled)", self.stream.getvalue(), re.MULTILINE)
        off = {id for id, what in found if what == "cancelled"}
        return list(dict.fromkeys(id for id, what in found if what == "for" and id not in off))

    def reopen(self, board, folder):
        return ConsoleTaskBoard(self.stream)


def addressee(content):
    return email.message_from_bytes(content, policy=email.policy.SMTPUTF8)["to"]
