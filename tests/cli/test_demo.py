"""`demo`: it shows everything that it promises, the same each time, and leaves a folder that can be looked into."""

from __future__ import annotations

import contextlib
import io
import json
import mailbox
import os
import re
import shlex
import time
from pathlib import Path

import attrs
import pytest
import uvicorn

from sequencer.cli import main
from sequencer.definitions import read_leads
from sequencer.examples import EXAMPLES, path
from tests.http.driving import client_of

# In which leads are dealt out to the sequences.
ORDER = ["inbound-follow-up", "cold-outbound", "enterprise-12-touch", "trial-onboarding", "renewal", "sell-api"]


@attrs.frozen
class Shown:
    """A run of the demo: its status, what it printed, and how long it took."""

    status: int
    text: str
    seconds: float


def demo(*words: str) -> Shown:
    """Run it here, with its output in a pipe."""
    began = time.monotonic()
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["demo", *words])
    assert err.getvalue() == ""
    return Shown(status, out.getvalue(), time.monotonic() - began)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the demo runs."""
    folder = tmp_path_factory.mktemp("demo")
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def shown(folder) -> Shown:
    """One run for all tests that only look."""
    return demo()


def test_everything_that_is_promised_happens(shown):
    """Each of the things that can happen to a lead is told, in this order."""
    told = iter(shown.text.splitlines())
    for what in (
        "Ada     enrolled in Inbound follow-up",
        "Step 1 (task: Call {{ first_name }} while the interest is fresh) is expected on",
        "Chloe   step 0: refused for now",
        "Dmytro  step 0: failed for good: 550 5.1.1",
        "Chloe   step 0: the mail has left",
        "Dmytro  resumed: retry",
        "Dmytro  step 0: the mail has left",
        "Ada     step 1: a task is on the board",
        "Ada     step 1: the task is done",
        "Emi     blocked: out_of_office until Mon 2025-11-03",
        "Farid   blocked: paused",
        "Ben     finished: replied",
        "Farid   resumed: shift",
        "what was left of the delay is waited out",
        "Chloe   finished: unsubscribed",
        "refused: the address is suppressed",
        "Emi     resumed by itself",
        "Emi     finished: completed",
        "Where they stand",
        "nothing doubled: one mail a step",
    ):
        assert any(what in line for line in told), what


def test_a_pause_over_a_clock_change_keeps_the_time_of_day(shown):
    """Farid's mail leaves at 19:00 by his clock, on the other side of the clock change."""
    assert "Thu 2025-10-23 19:00     Farid   step 2: the mail has left" in shown.text
    assert "Thu 2025-10-30 19:00     Farid   step 3: the mail has left" in shown.text


def test_plain_text_in_a_pipe(shown):
    """Piped, it is plain text in few screens: no escape sequences, no lines without end."""
    assert "\x1b" not in shown.text
    assert len(shown.text.splitlines()) < 200
    assert max(map(len, shown.text.splitlines())) < 160


def test_a_report_is_left(shown, folder):
    """A report of the simulated five hundred lies in the folder; it is named at the end, and fetches nothing."""
    page = (folder / "sequencer-demo/report.html").read_text(encoding="utf-8")

    assert "A report to look at: sequencer-demo/report.html" in shown.text
    assert "What a simulation says of the same five hundred" in shown.text
    assert "Enterprise, twelve touches" in page
    assert not re.search(r"<script|(?:src|href)=.https?:", page)


def test_the_report_is_what_simulate_says(shown, folder, capsys):
    """The report is, to the byte, the one that `simulate` leaves for the same files."""
    files = [f"sequencer-demo/{name}" for name in EXAMPLES if not name.startswith(("leads", "scenario"))]
    ordered = sorted(files, key=lambda file: ORDER.index(Path(file).stem))
    words = [*ordered, "--leads", "sequencer-demo/leads-500.csv", "--html", "again.html", "--json", "--workers", "1"]

    assert main(["simulate", *words]) == 0

    outcomes = json.loads(capsys.readouterr().out)["outcomes"]
    assert sum(outcomes.values()) == 500
    assert f"{outcomes['completed']} completed" in shown.text
    assert Path("again.html").read_bytes() == (folder / "sequencer-demo/report.html").read_bytes()


def test_the_next_commands_work(shown, capsys):
    """Every command that it prints at the end can be typed as it is; `serve`, which goes on, is looked at below."""
    lines = [line.strip()[2:] for line in shown.text.splitlines() if line.startswith("  $ sequencer ")]
    typed = [
        shlex.split(line, comments=True)[1:] for line in lines if "sequencer-demo" in line and " serve " not in line
    ]
    assert len(typed) >= 5

    for words in typed:
        assert main(words) == 0, words
        came = capsys.readouterr()
        assert (bool(came.out), came.err) == (True, ""), words


def test_what_is_served_is_what_was_told(shown, monkeypatch):
    """The command that it prints last, which README has, too, shows who was told of: Grace is still waiting."""
    command = [line.strip()[2:] for line in shown.text.splitlines() if line.startswith("  $ ")][-1]
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    assert command == "sequencer serve --db sequencer-demo/crm.db"
    assert f"`{command}`" in readme.partition("## Try it")[2].partition("\n## ")[0]
    pages = []

    def look(server, sockets):
        with client_of(server.config.app) as client:
            pages.append(client.get("/inspector/enrollments?state=active").text)

    monkeypatch.setattr(uvicorn.Server, "run", look)
    assert main([*shlex.split(command)[1:], "--port", "0"]) == 0
    assert "Inbound follow-up" in pages[0]
    assert "No. 7" in pages[0]


def test_the_call_that_is_left(shown, capsys):
    """The one task that is open at the end can be completed, and that ends the last enrollment."""
    db = "sequencer-demo/crm.db"
    main(["tasks", "--db", db, "--json"])
    (task,) = json.loads(capsys.readouterr().out)["tasks"]

    assert main(["complete", str(task["id"]), "--db", db, "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["enrollment"]["finished_reason"] == "completed"


def test_the_doctor_knows_a_simulated_store(shown, capsys):
    """The demo's time runs ahead of today's; that is said, and no clock is blamed for it."""
    assert main(["doctor", "--db", "sequencer-demo/crm.db", "--json"]) == 0

    (found,) = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["name"] == "last change"]
    assert (found["verdict"], found["remedy"]) == ("ok", "")
    assert found["found"].endswith("simulated: the demo made this store")


@pytest.fixture
def few(monkeypatch):
    """The demo has to do with the first of its leads; how it looks does not depend on how many there are."""
    monkeypatch.setattr("sequencer.definitions.read_leads", lambda *given, **named: read_leads(*given, **named)[:120])


def test_twice_is_the_same(folder, few):
    """A second run makes the folder anew, and says the same to the letter."""
    once = demo("--dir", "twice")
    mails = {each.name: each.read_bytes() for each in (folder / "twice/mails/new").iterdir()}
    (folder / "twice/mails/new/stray").touch()
    report = (folder / "twice/report.html").read_bytes()

    again = demo("--dir", "twice")

    assert again.text == once.text
    assert (folder / "twice/report.html").read_bytes() == report
    assert {each.name: each.read_bytes() for each in (folder / "twice/mails/new").iterdir()} == mails


def test_as_a_document(folder, few):
    """With --json there is one document, whose counts add up, and every check of which held."""
    document = json.loads(demo("--json", "--dir", "other").text)

    assert document["enrollments"] == sum(document["outcomes"].values()) == 120
    assert {"completed", "replied", "unsubscribed"} == document["outcomes"].keys()
    assert Path(document["report"]).read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert {check["failed"] for check in document["checks"]} == {0}
    assert all(check["looked_at"] for check in document["checks"])
    mails = len(mailbox.Maildir(document["mails_in"], create=False))
    assert mails == sum(document["mails"].values()) + 21  # the story's own


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal(folder, few, monkeypatch):
    """On a terminal it has colours and rules, and no line is wider than the terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Terminal()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(Terminal()):
        assert main(["demo", "--dir", "other"]) == 0

    assert "\x1b[" in screen.getvalue()
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in screen.getvalue().splitlines()) <= 100
    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in screen.getvalue()


def test_the_examples_are_copied(tmp_path, monkeypatch, capsys):
    """`examples` copies every bundled file, lists it, and is content with what it has copied before."""
    monkeypatch.chdir(tmp_path)

    for _ in range(2):
        assert main(["examples", "mine", "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)["files"]
        assert {each["name"] for each in listed} == {each.name for each in Path("mine").iterdir()} == set(EXAMPLES)
    assert main(["check", "mine/renewal.yaml"]) == 0


def test_the_examples_overwrite_nothing(tmp_path, monkeypatch, capsys):
    """Where one of the names is taken by something else, nothing at all is copied, and the status is 1."""
    monkeypatch.chdir(tmp_path)
    Path("renewal.yaml").write_text("mine", encoding="utf-8")

    assert main(["examples"]) == 1

    assert "renewal.yaml: there already" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["renewal.yaml"]
    assert Path("renewal.yaml").read_text(encoding="utf-8") == "mine"


def test_every_bundled_file_is_described():
    """What lies in the package's folder of examples is what is listed."""
    assert {each.name for each in path("renewal.yaml").parent.iterdir() if each.suffix not in {".py", ""}} == set(
        EXAMPLES
    )
