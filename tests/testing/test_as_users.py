"""The kit as its users have it: a test module in a folder of theirs, found and run by pytest."""

from __future__ import annotations

import os
import subprocess
import sys

MODULE = """
from hypothesis import settings
from sequencer import MemoryStore, RecordingMailer
from sequencer.testing import MailerContract, StoreContract, engine_machine


class TestMyStore(StoreContract):
    def make(self, folder):
        return MemoryStore()


class Doubles(RecordingMailer):
    def send(self, email, *, key, timeout):
        super().send(email, key=key, timeout=timeout)
        return super().send(email, key=key, timeout=timeout)


class TestMyMailer(MailerContract):
    def make(self, folder):
        return Doubles()

    def left(self, mailer):
        return [mail.to for mail in mailer.sent]


TestMyEngine = engine_machine(store=MemoryStore).TestCase
TestMyEngine.settings = settings(TestMyEngine.settings, max_examples=3)

TestDoubled = engine_machine(store=MemoryStore, mailer=Doubles, sent=lambda mailer: len(mailer.sent)).TestCase
TestDoubled.settings = settings(TestDoubled.settings, max_examples=20, derandomize=True, database=None)
"""


def test_a_module_with_contracts_and_machines(tmp_path):
    """Each subclass and each machine is collected; what is right passes, and a doubling mailer fails in both."""
    (tmp_path / "test_mine.py").write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_mine.py"]
    environment = {**os.environ, "CI": ""}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    assert done.returncode == 1, done.stdout
    assert "FAILED test_mine.py::TestMyMailer::test_a_mail_leaves_once" in done.stdout
    assert "FAILED test_mine.py::TestDoubled::runTest" in done.stdout
    assert "test_mine.py::TestMyStore" not in done.stdout
    assert "test_mine.py::TestMyEngine" not in done.stdout
    assert "mails have left, where" in done.stdout
    assert "state.enroll" in done.stdout or "state.begin" in done.stdout, "the story is printed as a program"
