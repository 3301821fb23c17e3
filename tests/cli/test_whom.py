"""A lead or contact as it is typed: `lead 42` or `lead/42`, wherever one is named."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.cli.appointments import to_resource
from sequencer.cli.options import (
    Parser,
    identifier,
    lead_option,
    resource_arguments,
    resource_option,
    typed,
    typed_resource,
)
from sequencer.core.enrollment import Resource

TYPES = st.text("abcXYZ_.é/", min_size=1, max_size=8)
IDS = st.integers(-(2**63), 2**63 - 1) | st.text("ab19/-_ ", min_size=1, max_size=8).map(
    lambda text: f"x{text.strip()}"
)
JOINED = IDS.filter(lambda id: "/" not in str(id))  # of one word, the id is what follows the last slash
OPTIONS = st.permutations([["--db", "a/b.db"], ["--json"], ["--account=a/b"]])


def parser(*, option: bool) -> argparse.ArgumentParser:
    found = Parser(prog="whom")
    if option:
        resource_option(found, "--resource", "whom")
        found.add_argument("kind")
    else:
        resource_arguments(found)
    found.add_argument("--db")
    found.add_argument("--account")
    found.add_argument("--json", action="store_true")
    return found


@given(TYPES, JOINED, OPTIONS, st.integers(0, 3), st.sampled_from(["", "="]))
def test_both_spellings_are_one(type, id, options, at, equals):
    """Whatever the type and the id, and wherever it stands among other options: both spellings name the same."""
    pair, joined = [type, typed(id)], f"{type}/{typed(id)}"
    named = [f"--resource={joined}"] if equals else ["--resource", joined]

    def read(words, *, option):
        before, behind = options[:at], options[at:]
        return parser(option=option).parse_args([*chain(*before), *words, *chain(*behind)])

    for words in ([joined], pair):
        found = read(words, option=False)
        assert Resource(found.type, identifier(found.id, "ID")) == Resource(type, id)
        assert (found.db, found.account, found.json) == ("a/b.db", "a/b", True)
    for words in (["--resource", *pair], named):
        found = read([*words, "re/plied"], option=True)
        assert typed_resource(found.resource, "--resource") == Resource(type, id)
        assert (found.kind, found.db) == ("re/plied", "a/b.db")


@given(TYPES, IDS, OPTIONS, st.integers(0, 3), st.booleans(), st.booleans())
def test_two_words_are_taken_as_they_stand(type, id, options, at, option, before):
    """Whatever slashes are in the type and in the id, and whatever stands between: two words are not split."""
    words = ["--resource", type, typed(id)] if option else [type, *chain(*options[:at]), typed(id)]
    kind = ["re/plied"] if option else []
    others = [*chain(*options[at if not option else 0 :])]

    found = parser(option=option).parse_args([*kind, *words, *others] if before else [*others, *words, *kind])

    read = typed_resource(found.resource if option else [found.type, found.id], "ID")
    assert read == Resource(type, id)
    assert (found.db, found.account, found.json) == ("a/b.db", "a/b", True)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["lead", "a/b"], Resource("lead", "a/b")), (["crm/lead/42"], Resource("crm/lead", 42)),
        (["lead/42"], Resource("lead", 42)), (["42"], Resource("lead", 42)),
    ],
)  # fmt: skip
def test_a_lead_of_a_simulation_is_read_alike(words, meant):
    """An option that takes an id alone, too, leaves two words as they stand, and splits one at its last slash."""
    found = Parser(prog="whom")
    lead_option(found, "--whose", "whose calendar")

    assert to_resource(found.parse_args(["--whose", *words]).whose) == meant


@pytest.mark.parametrize("words", [["crm/lead", "42"], ["crm/lead/42"]])
def test_a_type_with_a_slash_is_forgotten(run, inbound, words):
    """Whose type has a slash in it is found, and erased, however they are typed."""
    Path("leads.csv").write_text("resource_type,resource_id,email\ncrm/lead,42,a@example.com\n", encoding="utf-8")
    db = ("--db", "crm.db")
    assert run("enroll", inbound, "--leads", "leads.csv", "--anyway", *db).status == 0

    assert len(run("list", "--resource", *words, *db, "--json").document["enrollments"]) == 1
    done = run("erase", *words, *db)

    assert (done.status, done.err) == (0, "")
    assert "forgot what was personal of crm/lead 42" in done.out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("update", ["lead/1", "--email", "new@example.com"]), ("update", ["--email", "new@example.com", "lead/1"]),
        ("erase", ["lead/1"]), ("signal", ["replied", "--key", "k", "--resource", "lead/1"]),
        ("signal", ["--key", "k", "--resource", "lead/1", "replied"]), ("list", ["--resource=lead/1"]),
    ],
)  # fmt: skip
def test_every_command_takes_both(run, db, command, words):
    """`TYPE/ID` does at every command what `TYPE ID` does."""
    for spelt in (words, [part for word in words for part in word.replace("=", "/").split("/", 2)]):
        assert run(command, *spelt, "--db", db, "--json").status == 0


def test_a_simulated_lead(run, inbound):
    """`simulate --lead` takes both spellings, too, and an id alone as that of a lead; what follows stays what it is."""
    asked, calendars = ("--enrollments", "2", "--start", "2026-03-23", "--ics", "a.ics"), set()
    for words in (["--lead", "lead/2"], ["--lead", "lead", "2"], ["--lead=lead/2"], ["--lead", "2"]):
        assert run("simulate", *words, inbound, *asked).status == 0
        calendars.add(Path("a.ics").read_bytes())
    assert len(calendars) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["update", "lead", "--email", "a@example.com"], "the following arguments are required: ID"),
        (
            ["signal", "replied", "--key", "k", "--resource", "lead"],
            "--resource: needs TYPE ID or TYPE/ID, like lead 42",
        ),
        (["signal", "replied", "--key", "k", "--resource"], "--resource: needs TYPE ID or TYPE/ID, like lead 42"),
        (["signal", "replied", "--resource", "--key", "k"], "--resource: needs TYPE ID or TYPE/ID, like lead 42"),
        (["erase", "lead/"], "ID: needs"),
        (["erase", "/42"], "type: must not be blank"),
    ],
)
def test_half_of_one_is_refused(run, db, words, said):
    """A type without an id, or an id without a type, is refused, and what is wanted is shown."""
    done = run(*words, "--db", db)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
