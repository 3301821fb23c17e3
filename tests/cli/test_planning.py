"""`plan` and `diagram`: what can be asked of a definition alone."""

from __future__ import annotations

import csv
import io
import json

import pytest

from sequencer.core.diagrams import MACHINES, edges_of
from sequencer.core.instants import to_iso
from sequencer.engine.clock import SystemClock
from sequencer.examples import path

FRIDAY = ("--start", "2026-03-27T16:30", "--timezone", "Europe/Berlin")


def test_plan_as_a_table(run, inbound):
    """The table has each step with its day, its working day, and its moment on the local clock and in UTC."""
    done = run("plan", inbound, *FRIDAY)

    assert (done.status, done.err) == (0, "")
    line = next(line for line in done.out.splitlines() if "mail 102" in line)
    assert line.split()[0] == "2"
    assert "Mon 2026-03-30 20:30 CEST" in line
    assert line.endswith("2026-03-30 18:30")
    assert line.partition("1 working day")[2].split()[:2] == ["4", "2"]


def test_plan_as_json(run, inbound):
    """The document has the shape of the contract; a start without an offset is local time in the zone."""
    document = run("plan", inbound, *FRIDAY, "--json").document

    assert document["name"] == "Inbound follow-up"
    assert document["timezone"] == "Europe/Berlin"
    assert document["started_at"] == "2026-03-27T15:30:00Z"
    first = document["steps"][0]
    assert {name: first[name] for name in first if name != "reasons"} == {
        "position": 0,
        "action_type": "automated_email",
        "delay_from_previous_step": 0,
        "delay_from_previous_step_unit": "hours",
        "estimated_execute_at": "2026-03-27T15:30:00Z",
        "local": "2026-03-27T16:30:00+01:00",
        "day": 1,
        "working_day": 1,
    }
    assert first["reasons"]


def test_plan_says_why(run, inbound):
    """With --why, the reasons stand below the table, in the order applied."""
    done = run("plan", inbound, *FRIDAY, "--why")

    assert "- passes over the weekend" in done.out
    assert done.out.index("1 working day later") < done.out.index("passes over the weekend")


def test_plan_as_csv(run, inbound):
    """The CSV has one row a step and says the same as the JSON document."""
    rows = list(csv.DictReader(io.StringIO(run("plan", inbound, *FRIDAY, "--csv").out)))
    steps = run("plan", inbound, *FRIDAY, "--json").document["steps"]

    assert [row["estimated_execute_at"] for row in rows] == [step["estimated_execute_at"] for step in steps]
    assert [int(row["working_day"]) for row in rows] == [step["working_day"] for step in steps]


@pytest.mark.parametrize(
    ("start", "started_at"),
    [
        ("2026-03-27T15:30:00Z", "2026-03-27T15:30:00Z"),
        ("2026-03-27T15:30:00+05:30", "2026-03-27T10:00:00Z"),
        ("2026-03-27 16:30", "2026-03-27T15:30:00Z"),
        ("2026-03-27", "2026-03-26T23:00:00Z"),
        ("2026-03-29T02:30", "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
    ],
    ids=["UTC", "offset", "blank", "date", "skipped by the clocks", "twice on the clocks"],
)
def test_moments(run, inbound, start, started_at):
    """A moment may have an offset or be local; one in a gap moves on, one that comes twice is the first."""
    document = run("plan", inbound, "--start", start, "--timezone", "Europe/Berlin", "--json").document

    assert document["started_at"] == started_at


@pytest.mark.parametrize(
    ("start", "note"),
    [
        ("2026-03-29T02:30", "02:30 on 2026-03-29 does not exist in Europe/Berlin"),
        ("2026-10-25T02:30", "02:30 on 2026-10-25 comes twice in Europe/Berlin"),
        ("2026-03-29T02:30+01:00", None),
        ("2026-03-29T01:30", None),
        ("2026-03-29", None),
    ],
    ids=["skipped", "twice", "offset", "plain", "date"],
)
def test_a_start_that_is_read_otherwise_is_said(run, inbound, start, note):
    """Where the clocks never show the start, or show it twice, standard error and the reasons say what is taken."""
    done = run("plan", inbound, "--start", start, "--timezone", "Europe/Berlin", "--json")

    reasons = done.document["steps"][0]["reasons"]
    if note is None:
        assert done.err == ""
        assert reasons[0].startswith("counts from the start")
    else:
        assert done.err.startswith(f"sequencer plan: --start: {note}")
        assert reasons[0].startswith(note)


def test_without_a_start_it_is_now(run, inbound):
    """A plan without --start begins at this moment."""
    before = SystemClock().now().replace(microsecond=0)
    document = run("plan", inbound, "--json").document

    assert to_iso(before) <= document["started_at"] <= to_iso(SystemClock().now().replace(microsecond=0))
    assert "." not in document["started_at"]


@pytest.mark.parametrize("start", ["2026-03-28T10:00", "2026-03-29T10:00"], ids=["Saturday", "Sunday"])
def test_working_days_from_a_weekend(run, inbound, start):
    """From a weekend on, the first working day is Monday's."""
    steps = run("plan", inbound, "--start", start, "--timezone", "Europe/Berlin", "--json").document["steps"]

    assert steps[0]["local"].startswith("2026-03-30")
    assert steps[0]["working_day"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "inbound-follow-up.yaml", "cold-outbound.yaml", "enterprise-12-touch.yaml", "trial-onboarding.yaml",
        "renewal.yaml", "sell-api.json",
    ],
)  # fmt: skip
def test_bundled_definitions_are_valid(run, name):
    """Every bundled definition passes the check and can be planned."""
    assert run("check", path(name), "--since", "2026-03-02").status == 0
    assert run("plan", path(name), "--start", "2026-01-01T00:00Z").status == 0


@pytest.mark.parametrize(
    ("typed", "meant"), [("enrol", "enroll"), ("histroy", "history"), ("xyz", None)], ids=["enrol", "histroy", "xyz"]
)
def test_a_mistyped_command(run, typed, meant):
    """What is nearly a command is asked back; for anything else there is the list."""
    done = run(typed)

    assert done.status == 2
    assert (f"did you mean {meant}?" if meant else "use demo, ") in done.err


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_diagrams_of_the_machines(run, name):
    """The drawing of a machine has every edge of the machine."""
    drawn = run("diagram", name).out

    assert drawn.count(" --> ") >= len(list(edges_of(MACHINES[name])))
    assert all(f"{source} --> {dest}: {trigger}" in drawn for trigger, source, dest in edges_of(MACHINES[name]))


def test_diagram_of_everything(run):
    """Without a name, all machines are drawn."""
    assert run("diagram").out.count("stateDiagram-v2") == len(MACHINES)


def test_flowchart_of_a_definition(run, tmp_path):
    """A definition becomes a flowchart, and text that means something to Mermaid is written as codes."""
    definition = {
        "name": 'Say "hi" [now]',
        "steps": [
            {
                "action_type": "task",
                "delay_from_previous_step": 1,
                "delay_from_previous_step_unit": "weekdays",
                "action_properties": {"task_content": "Call <b>;\nthen end"},
            }
        ],
    }
    (tmp_path / "odd.json").write_text(json.dumps(definition), encoding="utf-8")

    drawn = run("diagram", "odd.json").out

    assert drawn.startswith("flowchart TD\n")
    assert "Say #34;hi#34; #91;now#93;" in drawn
    assert 'step0["Call #60;b#62;; then end"]' in drawn
    assert '-->|"1 working day"| step0' in drawn


TASK_FIRST = {
    "name": "Task first",
    "timezone": "Europe/Warsaw",
    "steps": [
        {
            "action_type": "task",
            "delay_from_previous_step": 0,
            "delay_from_previous_step_unit": "hours",
            "action_properties": {"task_content": "Call"},
        },
        {
            "action_type": "automated_email",
            "delay_from_previous_step": 1,
            "delay_from_previous_step_unit": "weekdays",
            "action_properties": {"email_template_id": 1},
        },
    ],
}


def test_a_task_is_done_when_one_says(run, tmp_path):
    """What follows a task counts from when `--done` says it is done."""
    (tmp_path / "d.json").write_text(json.dumps(TASK_FIRST), encoding="utf-8")

    planned = run("plan", "d.json", "--start", "2026-03-26T10:00", "--done", "0=2026-03-27T16:00", "--json").document

    assert [step["local"] for step in planned["steps"]] == ["2026-03-26T10:00:00+01:00", "2026-03-30T16:00:00+02:00"]
    assert planned["steps"][0]["done_at"] == "2026-03-27T15:00:00Z"


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (["1=2026-03-27T16:00"], "is no task"),
        (["0=2026-03-25"], "before the task is there"),
        (["0=soon"], "needs a moment"),
        (["call=2026-03-27"], "needs a step and a moment"),
        (["0=2026-03-27", "0=2026-03-28"], "says twice"),
    ],
    ids=["a mail", "too early", "no moment", "no step", "twice"],
)
def test_a_task_that_cannot_be_done_then(run, tmp_path, done, why):
    """A `--done` that makes no sense is refused with its reason."""
    (tmp_path / "d.json").write_text(json.dumps(TASK_FIRST), encoding="utf-8")
    options = [part for each in done for part in ("--done", each)]

    refused = run("plan", "d.json", "--start", "2026-03-26T10:00", *options)

    assert refused.status == 2
    assert why in refused.err
