"""Files of another kind than a command takes: told by what they are, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sequencer.definitions.leads import is_leads
from sequencer.examples import path
from tests.cli.conftest import LEADS

SCENARIO = "people: {replies: {chance: 0.1}}\nreplies: 7\n"
WRONG = "steps: 7\nnaem: A\n"
CSV, A_SCENARIO, A_DEFINITION = (
    "this is CSV, as `enroll --leads` takes it",
    "this is a scenario, as `simulate --scenario` takes it",
    "this is the definition of a sequence, as `check` and `enroll` take it",
)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("check leads.csv", f"leads.csv:1:1: another_kind: {CSV}; a definition or a scenario is wanted here"),
        ("check leads.txt", f"leads.txt:1:1: another_kind: {CSV}; a definition or a scenario is wanted here"),
        ("plan leads.csv", f"leads.csv:1:1: another_kind: {CSV}; a definition is wanted here"),
        ("check other.csv", f"other.csv:1:1: another_kind: {CSV}; a definition or a scenario is wanted here"),
        ("check none.csv", "none.csv:1:1: no_such_file: there is no such file"),
        ("enroll leads.csv --leads leads.csv --db x.db", f"leads.csv:1:1: another_kind: {CSV}; a definition is wanted"),
        ("plan scenario.yaml", f"scenario.yaml:1:1: another_kind: {A_SCENARIO}; a definition is wanted here"),
        ("simulate GOOD --scenario GOOD", f"1:1: another_kind: {A_DEFINITION}; a scenario is wanted here"),
        ("simulate GOOD --scenario wrong.yaml", f"wrong.yaml:1:1: another_kind: {A_DEFINITION}; a scenario is wanted"),
        ("simulate GOOD --scenario leads.csv", f"leads.csv:1:1: another_kind: {CSV}; a scenario is wanted here"),
        ("simulate GOOD --scenario scenario.yaml", "scenario.yaml:2:1: unknown_key: "),
        ("plan wrong.yaml", "wrong.yaml:2:1: unknown_key: "),
    ],
)
def test_a_file_of_another_kind(run, command, said):
    """What a file is, is said instead of all that is wrong with it; of the right kind, all that is wrong is said."""
    for name, text in (("leads.csv", LEADS), ("leads.txt", LEADS), ("other.csv", "a,b\n1,2\n"), ("wrong.yaml", WRONG),
                       ("scenario.yaml", SCENARIO)):  # fmt: skip
        Path(name).write_text(text, encoding="utf-8")

    done = run(*command.replace("GOOD", str(path("cold-outbound.yaml"))).split())

    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "another_kind" not in said or len(done.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["cold-outbound.yaml", "leads-500.csv"])
@pytest.mark.parametrize("text", [str, bytes])
def test_leads_are_recognised(name, text):
    """By the first line, which names their columns; also one that was saved with semicolons, and no definition."""
    content = path(name).read_bytes()
    for each in (content, b"\xef\xbb\xbf" + content, content.replace(b",", b";"), content[:40]):
        assert is_leads(each if text is bytes else each.decode()) == name.endswith(".csv")


@pytest.mark.parametrize(
    "first",
    [
        "# columns, resource_id", "#resource_type,resource_id", "\ufeff # resource_type, resource_id, email",
        "resource_id", "name: resource_id, resource_type", "a, resource_id, b",
    ],
)  # fmt: skip
def test_a_definition_that_speaks_of_columns_is_none(run, first):
    """A comment, or one name that columns have, is no header: a definition without a suffix is told its own faults."""
    assert not is_leads(first)
    assert not is_leads(first.encode())
    if first.lstrip("\ufeff ").startswith("#"):
        Path("wrong").write_text(f"{first}\n{WRONG}", encoding="utf-8")
        assert "wrong:3:1: unknown_key: " in run("check", "wrong").err
