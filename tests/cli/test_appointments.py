"""Timelines as iCalendar: what another reader of the format finds in them is what the plan or the simulation says."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import icalendar
import pytest

from sequencer.examples import EXAMPLES, path

FRIDAY = ("--start", "2026-03-27T16:30", "--timezone", "Europe/Berlin")
STARTED = datetime.fromisoformat("2026-03-27T15:30:00Z")
DEFINITIONS = [name for name in EXAMPLES if not name.startswith(("leads", "scenario"))]


def events(text: str | bytes) -> list:
    """The events of a calendar."""
    calendar = icalendar.Calendar.from_ical(text)
    assert isinstance(calendar, icalendar.Calendar)
    return calendar.walk("VEVENT")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_plan(run, name):
    """Every step is one event at its estimate in UTC, with the reasons, and an id of its own."""
    done = run("plan", path(name), *FRIDAY, "--ics")
    steps = run("plan", path(name), *FRIDAY, "--json").document["steps"]

    assert (done.status, done.err) == (0, "")
    found = events(done.out)
    starts = [event.decoded("dtstart") for event in found]
    assert starts == [datetime.fromisoformat(step["estimated_execute_at"]) for step in steps]
    assert {str(start.tzinfo) for start in starts} == {"UTC"}
    assert [str(event["description"]).split("\n") for event in found] == [step["reasons"] for step in steps]
    assert {event.decoded("dtstamp") for event in found} == {STARTED}
    assert len({str(event["uid"]) for event in found}) == len(steps)


def test_the_summary_of_a_step(run, inbound):
    """The summary names the sequence, the step and what it does; nobody is busy because a mail leaves."""
    first, second, *_ = events(run("plan", inbound, *FRIDAY, "--ics").out)

    assert str(first["summary"]) == "Inbound follow-up, step 0: mail 101"
    assert (
        str(second["summary"]) == "Inbound follow-up, step 1: task: Call {{ first_name }} while the interest is fresh"
    )
    assert str(first["transp"]) == "TRANSPARENT"


def test_the_file_is_what_the_format_asks_for(run, inbound):
    """Lines end with CRLF and have at most 75 octets, and the product names itself."""
    text = run("plan", inbound, *FRIDAY, "--ics").out

    lines = text.split("\r\n")
    assert lines[-1] == ""
    assert not [line for line in lines if "\n" in line or len(line.encode()) > 75]
    assert "PRODID:-//sequencer//timelines//EN" in lines


def test_the_same_plan_is_the_same_bytes(run, inbound):
    """The same plan is the same to the byte, so a calendar knows its events again; another start has other ids."""
    one = run("plan", inbound, *FRIDAY, "--ics").out
    other = run("plan", inbound, "--start", "2026-03-28T16:30", "--ics").out

    assert run("plan", inbound, *FRIDAY, "--ics").out == one
    assert not {str(each["uid"]) for each in events(one)} & {str(each["uid"]) for each in events(other)}


def test_two_answers_at_once(run, inbound):
    """A calendar is no table and no document; asking for two of them is refused."""
    for other in ("--json", "--csv"):
        done = run("plan", inbound, *FRIDAY, "--ics", other)
        assert (done.status, done.out) == (2, "")
        assert "ask for one of them" in done.err


@pytest.mark.parametrize("words", [("plan",), ("simulate", "--lead", "1", "--enrollments", "3")])
def test_without_the_extra(run, inbound, monkeypatch, words):
    """Where the extra is not installed its name is said, and nothing is written."""
    monkeypatch.setitem(sys.modules, "icalendar", None)
    command, *more = words
    done = run(command, inbound, *more, "--ics", *(["lead.ics"] if command == "simulate" else []))

    assert (done.status, done.out) == (2, "")
    assert "pip install 'sequencer[ics]'" in done.err
    assert not Path("lead.ics").exists()


LEADS = """\
resource_type,resource_id,email,first_name,company
lead,42,ada@example.com,Ada,Example
contact,c-3,chloe@example.com,Chloe,Example
"""


def question(inbound, *more):
    """A simulation of two leads."""
    Path("leads.csv").write_text(LEADS, encoding="utf-8")
    return ("simulate", inbound, "--leads", "leads.csv", "--start", "2026-03-23T09:00", *more)


def test_a_simulated_lead(run, inbound):
    """The calendar has what happens to that lead, when the trace says, and nothing of anybody else."""
    import json

    done = run(*question(inbound, "--lead", "contact/c-3", "--ics", "lead.ics", "--trace", "t.jsonl"))

    assert done.status == 0, done.err
    assert "The calendar is in lead.ics." in done.out
    found = events(Path("lead.ics").read_bytes())
    trace = [json.loads(line) for line in Path("t.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [line for line in trace if line["enrollment"] == 2 and not line["type"].endswith("_requested")]
    assert [event.decoded("dtstart") for event in found] == [
        datetime.fromisoformat(line["at"]).replace(microsecond=0) for line in told
    ]
    summaries = [str(event["summary"]) for event in found]
    assert summaries[0] == "contact c-3: enrolled"
    assert "contact c-3, step 0: the mail leaves" in summaries
    assert summaries[-1].startswith("contact c-3: finished")
    assert not [each for each in summaries if "42" in each]


def test_a_simulated_lead_is_the_same_bytes(run, inbound):
    """The same call leaves the same calendar, and asking for it changes nothing in the answer."""
    plain = run(*question(inbound, "--json")).out
    asked = run(*question(inbound, "--json", "--lead", "lead/42", "--ics", "one.ics")).out
    run(*question(inbound, "--json", "--lead", "42", "--ics", "two.ics"))

    assert asked == plain
    assert Path("one.ics").read_bytes() == Path("two.ics").read_bytes()


def test_a_made_up_lead(run, inbound):
    """Made-up leads count from 1; in every one of several sequences a lead has the events of all."""
    more = ("--enrollments", "4", "--every", "--start", "2026-03-23", "--lead", "lead/4", "--ics", "lead.ics")

    done = run("simulate", inbound, path("cold-outbound.yaml"), *more, "--json")

    found = events(Path("lead.ics").read_bytes())
    assert done.status == 0, done.err
    assert {str(event["description"]).split("\n")[0] for event in found} == {
        "Inbound follow-up", "Cold outbound, five mails",
    }  # fmt: skip
    assert sum(str(event["summary"]) == "lead 4: enrolled" for event in found) == 2


def test_a_lead_of_a_store(run, started):
    """A forecast has the calendar of somebody who is enrolled: what is still to come."""
    done = run("simulate", "--db", started, "--lead", "lead/1", "--ics", "lead.ics", "--json")

    summaries = [str(event["summary"]) for event in events(Path("lead.ics").read_bytes())]
    assert done.status == 0, done.err
    assert "lead 1: enrolled" not in summaries
    assert "lead 1, step 1: the task is on the board" in summaries


@pytest.mark.parametrize("who", ["lead/43", "contact/42", 'lead/"42"', "43"])
def test_a_stranger(run, inbound, who):
    """Whoever is not simulated has no calendar; an id that is a text is another than the number."""
    done = run(*question(inbound, "--lead", who, "--ics", "lead.ics"))

    assert (done.status, done.out) == (2, "")
    assert "nobody in this simulation is that" in done.err
