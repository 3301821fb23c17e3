"""`diff`: what an edited definition changes, in words, in timelines, in expectations, and for who is enrolled (L1)."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sequencer.examples import path

SINCE = ("--since", "2026-11-26")
SOON = "delay_from_previous_step: 3"
PROMISE = "assume: {timezones: [Europe/Warsaw]}\nexpect:\n  - max_duration: {weekdays: 11}\n"


@pytest.fixture
def edited(inbound):
    """Write the bundled definition with some texts replaced, and what is to follow it, into a file of that name."""

    def edited(name: str, replaced: dict[str, str] | None = None, more: str = "") -> str:
        text = inbound.read_text(encoding="utf-8")
        for old, new in (replaced or {}).items():
            assert old in text
            text = text.replace(old, new)
        Path(name).write_text(text + more, encoding="utf-8")
        return name

    return edited


def test_nothing_has_changed(run, inbound):
    """A definition and itself: that nothing has changed is an answer, too."""
    done = run("diff", inbound, inbound, *SINCE)

    assert (done.status, done.out, done.err) == (0, "Nothing has changed.\n", "")


def test_what_an_edit_does(run, inbound, edited):
    """The change in words, what comes of it, and which steps move by how much, with an example."""
    done = run("diff", inbound, edited("new.yaml", {SOON: "delay_from_previous_step: 2"}), *SINCE)

    assert (done.status, done.err) == (0, "")
    assert (
        done.out
        == """\
Step 3 (mail 103) comes 2 working days instead of 3 working days after the step before it.

It is a new version, in which steps may come at other times: who is enrolled stays in the old one until moved.

Timelines, over the 10,080 starts of the week from 2026-11-26 on, on the clock of Europe/Warsaw, with \
tasks done when due:
  step 3 (mail 103)
    earlier for every start, by 1 day to 3 days, typically by 1 day
      started Sat 2026-11-28 20:00 CET: Fri 2026-12-04 00:00 CET instead of Mon 2026-12-07 00:00 CET
    in other weeks earlier by up to 3 days 1 hour
      started Sat 2027-10-23 20:00 CEST: Fri 2027-10-29 00:00 CEST instead of Mon 2027-11-01 00:00 CET
  step 4 (task: Last call, then close or hand over), and with it the end
    earlier for every start, by 1 day to 3 days, typically by 1 day
      started Sat 2026-11-28 20:00 CET: Fri 2026-12-11 00:00 CET instead of Mon 2026-12-14 00:00 CET
    in other weeks earlier by up to 3 days 1 hour
      started Sat 2027-10-16 20:00 CEST: Fri 2027-10-29 00:00 CEST instead of Mon 2027-11-01 00:00 CET
  steps 0, 1 and 2 never moved
"""
    )


def test_only_texts(run, inbound, edited):
    """An edited text is no new version and moves nothing; that it reaches who is enrolled is said."""
    done = run("diff", inbound, edited("new.yaml", {"is this still of interest": "shall we talk"}), *SINCE)

    assert done.status == 0
    assert done.out.splitlines()[0] == "The text of mail 103 is another one: 1 line is gone and 1 line is new."
    assert "It is no new version: only texts have changed." in done.out
    assert "No step moves, for any start from 2026-11-26 to 2027-12-01 on the clock of Europe/Warsaw." in done.out


def test_an_expectation_that_breaks_ends_with_1(run, inbound, edited):
    """What held and is refuted now is said with its counterexample and exit status 1; mended, it ends with 0."""
    old = edited("old.yaml", more=PROMISE)
    new = edited("new.yaml", {SOON: "delay_from_previous_step: 5"}, PROMISE)

    done = run("diff", old, new, *SINCE)
    assert done.status == 1
    assert "max_duration: {weekdays: 11} is refuted now; it was proved: the sequence ends with step 4" in done.out
    assert "Enrolled 2026-11-" in done.out
    back = run("diff", new, old, *SINCE)
    assert back.status == 0
    assert "max_duration: {weekdays: 11} is proved now, with tasks done when due; it was refuted." in back.out
    same = run("diff", old, old, *SINCE)
    assert (same.status, same.out.splitlines()[-1]) == (0, "1 expectation has the same verdict in both.")
    added = run("diff", inbound, new, *SINCE)
    assert (added.status, "max_duration: {weekdays: 11} is new, and refuted" in added.out) == (0, True)


def test_the_document(run, inbound, edited):
    """The answer for programs names the files in its commands, and is the same at every run."""
    old = edited("old.yaml", more=PROMISE)
    new = edited("new.yaml", {SOON: "delay_from_previous_step: 5"}, PROMISE)
    done = run("diff", old, new, *SINCE, "--json")

    assert done.status == 1
    assert list(done.document) == [
        "same", "same_sequence", "new_version", "changes", "moves", "verdicts", "unchanged_verdicts", "searched",
        "migration",
    ]  # fmt: skip
    assert (done.document["migration"], done.document["new_version"]) == (None, True)
    (verdict,) = done.document["verdicts"]
    assert verdict["broken"]
    command = verdict["after"]["counterexample"]["command"]
    assert command.startswith("sequencer plan new.yaml --start ")
    assert run(*command.split()[1:]).status == 0
    assert run("diff", old, new, *SINCE, "--json").out == done.out


def test_examples_are_what_plan_says(run, inbound, edited):
    """The start of each example, planned with either file, gives the moments that the example names."""
    new = edited("new.yaml", {SOON: "delay_from_previous_step: 2"})
    document = run("diff", inbound, new, *SINCE, "--json").document
    shift = document["moves"]["steps"][3]

    for example in (shift["earlier"]["example"], shift["earlier_elsewhere"]):
        for file, moment in ((inbound, example["before"]), (new, example["after"])):
            planned = run("plan", file, "--start", example["start"], "--json").document
            assert planned["steps"][3]["estimated_execute_at"] == moment


# -- who is enrolled ------------------------------------------------------------------------------------------


def stored(db: str) -> list[str]:
    with closing(sqlite3.connect(db)) as connection:
        return list(connection.iterdump())


def test_who_is_enrolled_and_what_would_become_of_them(run, started, inbound, edited):
    """With --db it is counted and listed what a move would do to each, and nothing is changed."""
    new = edited("new.yaml", {SOON: "delay_from_previous_step: 2"})
    before = stored(started)
    done = run("diff", inbound, new, *SINCE, "--db", started)

    assert done.status == 0
    lines = done.out.splitlines()
    at = lines.index(
        "Of 3 enrollments in other versions, moved to version 2 of 'Inbound follow-up' (nothing has been):"
    )
    assert lines[at + 1 : at + 4] == [
        "  3 have steps at another time",
        "Enrollment 1 (lead 1), version 1 to 2:",
        "  keeps        step 0 (mail 101): over",
    ]
    assert stored(started) == before
    dry = run("move", new, "--db", started, "--dry-run").out
    assert dry.splitlines()[1:] == lines[at + 2 :]


def test_the_document_of_who_is_enrolled(run, started, inbound, edited):
    """For programs there are counts, and the plan of each, as `move` has them."""
    task = 'task_content: "Last call, then close or hand over"'
    new = edited("new.yaml", {SOON: "delay_from_previous_step: 2", task: 'task_content: "Give up"'})
    migration = run("diff", inbound, new, *SINCE, "--db", started, "--json").document["migration"]

    assert list(migration) == ["sequence", "version", "planned_at", "counts", "moves", "nobody"]
    assert (migration["sequence"], migration["version"], migration["nobody"]) == ("Inbound follow-up", 2, None)
    assert migration["counts"] == {
        "enrollments": 3, "refused": 0, "finishing": 0, "retimed": 3, "added": 3, "dropped": 3, "passed_over": 0,
        "unaffected": 0,
    }  # fmt: skip
    moves = json.loads(run("move", new, "--db", started, "--dry-run", "--json").out)["moved"]
    assert migration["moves"] == moves


def test_who_is_not_concerned(run, started, inbound, edited):
    """Nobody is, where the version is the one that they are in, or the sequence another one; and why is said."""
    where = "--db", started
    done = run("diff", edited("old.yaml", {SOON: "delay_from_previous_step: 4"}), inbound, *SINCE, *where)
    nobody = "Nobody is concerned: nobody in crm.db is in another version of 'Inbound follow-up'."
    assert (done.status, done.out.splitlines()[-1]) == (0, nobody)

    other = edited("other.yaml", {"name: Inbound follow-up": "name: Other"})
    done = run("diff", inbound, other, *SINCE, *where)
    nobody = "Nobody is concerned: it is another sequence, so nobody in 'Inbound follow-up' can be moved to it."
    assert (done.status, done.out.splitlines()[-1]) == (0, nobody)

    done = run("diff", other, other, *SINCE, *where, "--json")
    assert done.document["migration"]["nobody"] == ("no sequence 'Other' in crm.db; `sequencer sequences` has the keys")
    elsewhere = run("diff", inbound, inbound, *SINCE, *where, "--account", "acme")
    assert "no sequence 'Inbound follow-up' in crm.db" in elsewhere.out


def test_who_cannot_be_moved_is_counted(run, started, inbound, edited):
    """A task on somebody's desk that is gone from the file keeps its enrollment where it is, and it is told so."""
    from tests.cli.test_acting import advance

    advance(started, days=4)
    new = edited(
        "new.yaml", {'task_content: "Call {{ first_name }} while the interest is fresh"': 'task_content: "Ring"'}
    )
    done = run("diff", inbound, new, *SINCE, "--db", started)

    assert done.status == 0
    assert "  3 cannot be moved as they are\n" in done.out
    assert "is waiting to be done and is not in the new version; complete or skip it first." in done.out


# -- what is refused ------------------------------------------------------------------------------------------


def test_all_that_is_wrong_with_both_files_is_said_at_once(run, inbound, edited):
    """Problems of either file are named with their places, those of the other, too; exit status 2."""
    one = edited("one.yaml", {SOON: "delay_from_previous_step: -3"})
    other = edited("other.yaml", {"timezone: Europe/Warsaw": "timezone: Mars/Olympus"})
    done = run("diff", one, other)

    assert (done.status, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith("one.yaml:17:31: delay_out_of_range: ")
    assert second.startswith("other.yaml:2:11: unknown_timezone: ")


@pytest.mark.parametrize(
    "words",
    [
        ["absent.yaml"],
        [path("inbound-follow-up.yaml"), "--since", "2026-02-30"],
        [path("inbound-follow-up.yaml"), "--profile", "hasty"],
        [path("inbound-follow-up.yaml"), "--account", "acme"],
        [path("inbound-follow-up.yaml"), "--schema", "s"],
        [path("inbound-follow-up.yaml"), "--db", "absent.db"],
    ],
)
def test_bad_input(run, inbound, words):
    """What is no file, no date, no profile or no store ends with 2 and a sentence."""
    done = run("diff", inbound, *words)

    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(("sequencer diff: ", "absent.yaml"))


def test_the_other_products_own_json(run, edited):
    """Sequences as the other product exports them are read as everywhere."""
    done = run("diff", path("sell-api.json"), path("sell-api.json"), *SINCE)

    assert (done.status, done.out) == (0, "Nothing has changed.\n")
