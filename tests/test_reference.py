"""The documentation is complete: every name, every verb, every command and every page is found in it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import sequencer
import sequencer.design
import sequencer.http
import sequencer.http.webhooks
import sequencer.testing
from sequencer.cli import main

DOCS = Path(__file__).resolve().parent.parent / "docs"
REFERENCE = (DOCS / "reference.md").read_text(encoding="utf-8")
COMMAND_LINE = (DOCS / "cli.md").read_text(encoding="utf-8")


def named(header: str) -> list[str]:
    """The first column of every table under this header row."""
    tables = re.findall(rf"^\| {header} \|.*\n\|---\|---\|\n((?:\| .*\n)+)", REFERENCE, re.MULTILINE)
    return re.findall(r"^\| `(\w+)` \|", "".join(tables), re.MULTILINE)


def test_every_public_name_is_in_the_reference():
    """What can be imported from the package is listed, once."""
    assert sorted(named("name")) == sorted(sequencer.__all__)


def test_every_name_of_the_checks_is_in_the_reference():
    """What can be imported from `sequencer.design` is listed, once."""
    assert sorted(named("name in `sequencer.design`")) == sorted(sequencer.design.__all__)


def test_every_name_of_the_api_is_in_the_reference():
    """What can be imported from `sequencer.http` is listed, once."""
    assert sorted(named("name in `sequencer.http`")) == sorted(sequencer.http.__all__)


def test_every_name_of_the_webhooks_is_in_the_reference():
    """What can be imported from `sequencer.http.webhooks` is listed, once."""
    assert sorted(named("name in `sequencer.http.webhooks`")) == sorted(sequencer.http.webhooks.__all__)


def test_every_verb_is_in_the_reference():
    """Every public method of the engine is listed, once."""
    verbs = [name for name, _ in inspect.getmembers(sequencer.Engine, inspect.isfunction) if not name.startswith("_")]

    assert sorted(named("verb")) == sorted(verbs)


def test_every_verb_but_the_workers_takes_a_connection():
    """As the reference says: what does not commit by itself can be a part of the caller's transaction."""
    own = {"account", "run", "run_until", "tick"}
    without = {
        name
        for name in named("verb")
        if "connection" not in inspect.signature(getattr(sequencer.Engine, name)).parameters
    }

    assert without == own


def test_every_command_is_on_the_page_about_the_command_line(capsys):
    """What `sequencer --help` lists is described, with an example that runs."""
    assert main(["--help"]) == 0
    commands = re.findall(r"^    (\w+)(?: |$)", capsys.readouterr().out.partition("COMMAND\n")[2], re.MULTILINE)

    assert len(commands) > 10
    for command in commands:
        assert f"\n$ sequencer {command}" in COMMAND_LINE, command


def test_the_index_leads_to_every_page():
    """No page of the documentation is left out of its index."""
    pages = {page.name for page in DOCS.glob("*.md")} - {"index.md"}

    assert set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "index.md").read_text(encoding="utf-8"))) == pages


def test_every_name_of_the_test_kit_is_in_the_reference():
    """What can be imported from `sequencer.testing` is listed under its own heading."""
    part = REFERENCE.partition("\n## Testing\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"`(\w+)`", part)) - {"testing"} == set(sequencer.testing.__all__)
