"""The diagrams and the page about statuses show the machines that run, all of them and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sequencer.core.diagrams import MACHINES, edges_of, mermaid, page, table
from sequencer.core.statuses import EMAIL, ENROLLMENT, TASK

ROOT = Path(__file__).resolve().parent.parent
LAW = {"email": EMAIL, "task": TASK, "enrollment": ENROLLMENT}


@pytest.mark.parametrize("name", MACHINES)
def test_every_edge_of_the_law_is_drawn_once(name):
    """A diagram has one arrow for each edge that the law lists, and the table says the same."""
    law = sorted((trigger, source.value, dest.value) for trigger, source, dest in LAW[name])
    drawn = re.findall(r"^ +(\w+) --> (\w+): (\w+)$", mermaid(MACHINES[name]), re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table(MACHINES[name]), re.MULTILINE)
    listed = [(trigger, source, dest) for source, cell in rows for trigger, dest in re.findall(r"(\w+): `(\w+)`", cell)]

    assert sorted(edges_of(MACHINES[name])) == law
    assert sorted((trigger, source, dest) for source, dest, trigger in drawn) == law
    assert sorted(listed) == law


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_final_ends_the_diagram(name):
    """The statuses without an edge out of them, and only they, lead to the end."""
    leaving = {source.value for _, source, _ in LAW[name]}
    states = {state.value for _, *both in LAW[name] for state in both}

    assert set(re.findall(r"^ +(\w+) --> \[\*\]$", mermaid(MACHINES[name]), re.MULTILINE)) == states - leaving


def test_every_trigger_is_explained():
    """The page says of each trigger what it means."""
    triggers = {trigger for machine in MACHINES.values() for trigger, _, _ in edges_of(machine)}
    meant = re.findall(r"^\| `(\w+)` \|", page().partition("What the triggers mean")[2], re.MULTILINE)

    assert set(meant) == triggers


def test_the_page_is_up_to_date():
    """`docs/statuses.md` is what the machines give: make it anew when they change."""
    assert (ROOT / "docs" / "statuses.md").read_text(encoding="utf-8") == page()
