"""`move`: who is enrolled goes on in the version of their sequence that is in a file, shown first (L1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_acting import advance


@pytest.fixture
def edited(inbound) -> str:
    """The bundled definition with another mail in place of its second task, and a longer delay before the last mail."""
    text = inbound.read_text(encoding="utf-8")
    task = "  - action_type: task\n    delay_from_previous_step: 5\n    delay_from_previous_step_unit: weekdays\n"
    assert task in text
    mail = task.replace("task", "automated_email")
    text = text.replace(task, mail).replace(
        'action_properties: {task_content: "Last call, then close or hand over"}',
        "action_properties: {email_template_id: 101, is_reply: false}",
    )
    Path("edited.yaml").write_text(text, encoding="utf-8")
    return "edited.yaml"


def versions(run, db):
    return [each["sequence"]["version"] for each in run("list", "--db", db, "--json").document["enrollments"]]


def test_a_dry_run_shows_everybody_and_changes_nothing(run, started, edited):
    """Each enrollment is shown with its steps; afterwards the store is as it was."""
    before = run("sequences", "--db", started, "--json").document
    done = run("move", edited, "--db", started, "--dry-run")

    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "would move 3 enrollments to version 2 of Inbound follow-up"
    assert lines[1] == "Enrollment 1 (lead 1), version 1 to 2:"
    assert lines[2] == "  keeps        step 0 (mail 101): over"
    assert [line.split("(")[0].strip() for line in lines[3:7]] == [
        "keeps        step 1", "keeps        step 2", "keeps        step 3", "adds         step 4",
    ]  # fmt: skip
    assert lines[7].startswith("  drops        step 4 (task: Last call, then close or hand over): ")
    assert versions(run, started) == [1, 1, 1]
    assert run("sequences", "--db", started, "--json").document == before


def test_moving(run, started, edited):
    """Everybody goes on in the new version, which is current from then on; a second time there is nobody left."""
    done = run("move", edited, "--db", started)
    assert (done.status, done.out) == (0, "moved 3 enrollments to version 2 of Inbound follow-up\n")
    assert versions(run, started) == [2, 2, 2]
    assert run("show", 1, "--db", started, "--json").document["steps"][4]["action_type"] == "automated_email"
    assert "migrated" in run("history", 1, "--db", started).out
    again = run("move", edited, "--db", started)
    assert (again.status, again.out) == (
        0,
        "nobody is to be moved to version 2 of Inbound follow-up; its texts are those of the file now\n",
    )


def test_the_document(run, started, edited):
    """The answer for programs files every enrollment by what became of it."""
    for flag, is_dry in (("--dry-run", True), ("--json", False)):
        document = run("move", edited, "--db", started, flag, "--json").document
        assert (document["sequence"], document["version"], document["dry_run"]) == ("Inbound follow-up", 2, is_dry)
        assert [each["id"] for each in document["moved"]] == [1, 2, 3]
        assert document["moved"][0]["added"][0]["position_after"] == 4
        assert (document["refused"], document["changed"]) == ([], [])


def test_only_one(run, started, edited):
    """With --id the others stay; who is there already, finished or unknown is named."""
    assert run("move", edited, "--db", started, "--id", 2).status == 0
    assert versions(run, started) == [1, 2, 1]
    already = run("move", edited, "--db", started, "--id", 2)
    assert (already.status, "it is in this version already" in already.out) == (1, True)
    run("finish", 3, "--db", started)
    finished = run("move", edited, "--db", started, "--id", 3, "--dry-run")
    assert (finished.status, "it is finished" in finished.out) == (1, True)
    assert run("move", edited, "--db", started, "--id", 99).status == 1
    assert run("move", edited, "--db", started, "--id", "x").status == 2


def test_who_cannot_be_moved_is_named_and_the_status_is_1(run, started, inbound):
    """A task that somebody has on their desk, and that is gone from the file, holds its enrollment, with what to do."""
    text = inbound.read_text(encoding="utf-8")
    begin = text.index("  - action_type: task")
    end = text.index("  - action_type: automated_email", begin)
    Path("gone.yaml").write_text(text[:begin] + text[end:], encoding="utf-8")
    advance(started, days=4)
    done = run("move", "gone.yaml", "--db", started)
    assert done.status == 1
    assert "moved 0 enrollments" in done.out
    assert "is waiting to be done and is not in the new version; complete or skip it first." in done.out
    assert run("skip", 1, "--db", started).status == 0
    assert run("move", "gone.yaml", "--db", started).out.startswith("moved 1 enrollment to version 2")


def test_another_sequence_and_bad_files(run, db, inbound):
    """A definition that nobody is enrolled in is refused by name, and a malformed one as bad input."""
    text = inbound.read_text(encoding="utf-8").replace("name: Inbound follow-up", "name: Renamed")
    Path("renamed.yaml").write_text(text, encoding="utf-8")
    done = run("move", "renamed.yaml", "--db", db)
    assert (done.status, done.err.startswith("sequencer move: no sequence 'Renamed' in crm.db; ")) == (1, True)
    Path("broken.yaml").write_text("name: [", encoding="utf-8")
    assert run("move", "broken.yaml", "--db", db).status == 2
    assert run("move", "missing.yaml", "--db", db).status == 2
