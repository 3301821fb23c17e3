"""What the tests of the command line share: a way to run it in this process, and a store with a few leads in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from sequencer.cli import main
from sequencer.examples import path

LEADS = """\
resource_type,resource_id,email,timezone,actor_id,first_name,company
lead,1,ada@example.com,Europe/Warsaw,7,Ada,Example
lead,2,ben@example.com,America/New_York,8,Ben,Example
contact,c-3,chloe@example.com,,7,Chloe,Example
"""


@attrs.frozen
class Done:
    """How a command ended: its exit status, and what came out where."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; anything else there is a mistake."""
        return json.loads(self.out)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    for name in ("SENDER", "SECURITY", "USER", "PASSWORD"):
        monkeypatch.delenv(f"SEQUENCER_SMTP_{name}", raising=False)
    capsys.readouterr()

    def run(*words: object) -> Done:
        status = main([str(word) for word in words])
        came = capsys.readouterr()
        return Done(status, came.out, came.err)

    return run


@pytest.fixture
def inbound() -> Path:
    """A bundled definition with its texts: a mail, a task, two mails, a task."""
    return path("inbound-follow-up.yaml")


@pytest.fixture
def db(run, inbound) -> str:
    """A store with three leads enrolled: 1 in Warsaw, 2 in New York, 3 on the definition's own clock."""
    Path("leads.csv").write_text(LEADS, encoding="utf-8")
    done = run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db")
    assert done.status == 0, done.err
    return "crm.db"


@pytest.fixture
def started(run, db) -> str:
    """The same store after the first mails have left; tasks come hours later."""
    assert run("run", "--db", db, "--once", "--maildir", "outbox").status == 0
    return db
