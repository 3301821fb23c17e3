"""`simulate`: the answer adds up and repeats byte for byte, every option does what it says, the odd is refused."""

from __future__ import annotations

import csv
import json
import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.cli import main
from sequencer.examples import path
from sequencer.stores.sqlite import SQLiteStore

START = ("--start", "2026-03-23")
MADE_UP = ("--enrollments", "40", *START)

# Everybody does their task within an hour, and nobody ever answers.
QUIET = """\
name: quiet
tasks: {take: {hours: 1}}
mails:
  replied: {chance: 0}
  meeting_booked: {chance: 0}
  unsubscribed: {chance: 0}
  bounced: {chance: 0}
  out_of_office: {chance: 0}
  refused: 0
  deferred: 0
"""
ANSWERED = QUIET.replace("name: quiet", "name: answered").replace("replied: {chance: 0}", "replied: {chance: 1}")

COLUMNS = {
    "per_day": {"date", "enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished"},
    "per_sequence": {
        "key", "name", "enrollments", "outcomes", "people", "blocked", "refused", "time_to_finish", "steps",
    },
    "per_actor": {
        "actor_id", "enrollments", "emails", "tasks", "tasks_completed", "overdue", "deferred", "most_emails",
        "most_tasks", "cap_days", "per_day",
    },
    "assumptions": {"name", "says", "default"},
    "sequences": {"key", "name", "steps_total"},
}  # fmt: skip


@pytest.fixture
def outbound() -> Path:
    """A bundled definition of five mails."""
    return path("cold-outbound.yaml")


@pytest.fixture
def quiet(run) -> str:
    """A scenario in which nothing is left to luck."""
    Path("quiet.yaml").write_text(QUIET, encoding="utf-8")
    return "quiet.yaml"


def adds_up(answer) -> bool:
    """Whether everybody has one end, in all and in each sequence."""
    return answer["enrollments"] == sum(answer["outcomes"].values()) and all(
        each["enrollments"] == sum(each["outcomes"].values()) for each in answer["per_sequence"]
    )


# -- the document ---------------------------------------------------------------------------------------------


def test_the_shape_of_the_document(run, inbound):
    """The document has every part of the contract, whole numbers where something is counted, and nothing beside it."""
    done = run("simulate", inbound, *MADE_UP, "--json")

    answer = done.document
    assert (done.status, done.err) == (0, "")
    assert (answer["enrollments"], answer["seed"], answer["runs"]) == (40, 0, 1)
    assert (answer["start"], answer["until"], answer["timezone"]) == ("2026-03-22T23:00:00Z", None, "Europe/Warsaw")
    assert answer["ended_at"].endswith("Z")
    assert answer["intervals"] is answer["compare"] is None
    assert adds_up(answer)
    for section, columns in COLUMNS.items():
        assert all(set(row) == columns for row in answer[section]), section
    assert [len(hours) for hours in answer["sends"]] == [24] * 7
    assert sum(map(sum, answer["sends"])) == answer["totals"]["emails"]


def test_the_parts_add_up_to_the_totals(run, inbound):
    """Days, steps and actors are three ways to count the same."""
    answer = run("simulate", inbound, *MADE_UP, "--json").document
    totals, steps = answer["totals"], answer["per_sequence"][0]["steps"]

    for name in ("emails", "tasks", "tasks_completed", "overdue", "deferred"):
        assert sum(day[name] for day in answer["per_day"]) == totals[name], name
        assert sum(actor[name] for actor in answer["per_actor"]) == totals[name], name
    assert sum(each["done"] for each in steps) == totals["emails"] + totals["tasks_completed"]
    assert sum(each["ended"] for each in steps) == totals["finished"]
    assert steps[0]["reached"] == totals["enrolled"] == 40


@settings(max_examples=8, deadline=None)
@given(
    count=st.integers(1, 30),
    seed=st.integers(-(2**63), 2**63 - 1),
    until=st.sampled_from([None, "2026-03-24T09:00", "2026-04-01"]),
)
def test_outcomes_add_up_whatever_is_asked(count, seed, until):
    """With any number of people, any seed and any end, each of them has exactly one outcome."""
    from sequencer.definitions import load
    from sequencer.definitions.leads import to_moment
    from sequencer.simulation.study import Study, simulate

    sequence = load(path("inbound-follow-up.yaml"))
    start = to_moment("2026-03-23T00:00", "Europe/Warsaw")
    end = None if until is None else to_moment(until if "T" in until else f"{until}T00:00", "Europe/Warsaw")

    answer = simulate(Study(sequences=[sequence], start=start, enrollments=count, seed=seed, until=end)).to_dict()

    assert answer["enrollments"] == count
    assert adds_up(answer)


def test_the_same_call_gives_the_same_bytes(run, inbound):
    """Twice the same question is twice the same answer to the byte, and another seed is another."""
    one = run("simulate", inbound, *MADE_UP, "--json", "--runs", "2", "--seed", "-5").out

    assert run("simulate", inbound, *MADE_UP, "--json", "--runs", "2", "--seed", "-5").out == one
    assert run("simulate", inbound, *MADE_UP, "--json", "--runs", "2", "--seed", "6").out != one


def test_on_several_processes(run, inbound):
    """The work of two processes comes to the same bytes as that of one."""
    question = ("simulate", inbound, "--enrollments", "450", *START, "--until", "2026-03-25", "--json")

    assert run(*question, "--workers", "2").out == run(*question, "--workers", "1").out


# -- who ------------------------------------------------------------------------------------------------------

LEADS = """\
resource_type,resource_id,email,timezone,actor_id,enrolled_at,first_name,company
lead,1,ada@example.com,Europe/Warsaw,7,2026-03-24T10:00,Ada,Example
lead,2,ben@example.com,,8,2026-03-25T10:00,Ben,Example
contact,c-3,chloe@example.com,,,,Chloe,Example
"""


def leads(text: str) -> str:
    """A file of leads."""
    Path("leads.csv").write_text(text, encoding="utf-8")
    return "leads.csv"


def test_leads_of_a_file(run, inbound, quiet):
    """Leads are enrolled at their own moments, in their own or the definition's zone, and belong to their actors."""
    question = ("simulate", inbound, "--leads", leads(LEADS), "--scenario", quiet, "--json")
    answer = run(*question).document

    enrolled = {day["date"]: day["enrolled"] for day in answer["per_day"] if day["enrolled"]}
    assert answer["outcomes"] == {"completed": 3}
    assert answer["start"] == "2026-03-24T09:00:00Z"
    assert enrolled == {"2026-03-24": 2, "2026-03-25": 1}  # who says nothing comes with the first who does
    assert [each["actor_id"] for each in answer["per_actor"]] == [1, 7, 8]
    # `--start` is for those who do not say.
    done = run(*question, "--start", "2026-03-30T08:00")
    days = {day["date"] for day in done.document["per_day"] if day["enrolled"]}
    assert days == {"2026-03-24", "2026-03-25", "2026-03-30"}
    assert done.err == "--start is for 1 of 3 leads; the others are enrolled at their own enrolled_at\n"


def test_leads_who_lack_what_a_text_asks_for(run, inbound, quiet):
    """Without a merge field or an address, or with one that breaks a subject, it is `missing_merge_data`, and said."""
    lacking = "resource_type,resource_id,email,first_name,company\nlead,1,a@example.com,,X\nlead,2,,Ben,X\n"
    lacking += 'lead,3,c@example.com,"Cid\nBcc: d@example.com",X\n'
    question = ("simulate", inbound, "--leads", leads(lacking), "--scenario", quiet, *START)
    answer = run(*question, "--json").document

    assert answer["outcomes"] == {"blocked": 3}
    assert answer["per_sequence"][0]["blocked"] == {"missing_merge_data": 3}
    assert "Blocked: 3 missing_merge_data (the lead lacks an address, or a merge field" in run(*question).out


def test_leads_who_are_refused(run, inbound, quiet):
    """Who is in the sequence already is counted as refused, with the reason, and everybody is still counted once."""
    twice = "resource_type,resource_id,email,first_name,company\nlead,1,a@example.com,A,X\nlead,1,a@example.com,A,X\n"
    answer = run("simulate", inbound, "--leads", leads(twice), "--scenario", quiet, *START, "--json").document

    assert answer["outcomes"] == {"completed": 1, "refused": 1}
    assert answer["per_sequence"][0]["refused"] == {"already_enrolled": 1}


def test_several_files_are_dealt_out(run, inbound, outbound):
    """With several definitions people are dealt out in turn; with --every each is in all of them."""
    dealt = run("simulate", inbound, outbound, *MADE_UP, "--json").document
    every = run("simulate", inbound, outbound, *MADE_UP, "--every", "--json").document

    assert [each["enrollments"] for each in dealt["per_sequence"]] == [20, 20]
    assert [each["enrollments"] for each in every["per_sequence"]] == [40, 40]
    assert every["enrollments"] == 80
    assert adds_up(dealt)
    assert adds_up(every)


def test_without_a_number_it_is_a_thousand(run, inbound):
    """Whoever names neither leads nor a number simulates 1000, from the coming Monday on."""
    answer = run("simulate", inbound, "--until", "2999-01-01", "--json").document

    assert answer["enrollments"] == 1000


# -- when -----------------------------------------------------------------------------------------------------


def test_until(run, inbound, quiet):
    """At the end that is named, who is in the middle is ongoing, and who would come later is still counted."""
    answer = run("simulate", inbound, *MADE_UP, "--scenario", quiet, "--until", "2026-03-24T12:00", "--json").document

    assert answer["until"] == answer["ended_at"] == "2026-03-24T11:00:00Z"  # noon on Warsaw's clock
    assert answer["outcomes"].keys() == {"ongoing", "to_come"}
    assert answer["outcomes"]["ongoing"] == answer["totals"]["enrolled"]
    assert adds_up(answer)
    assert answer["enrollments"] == 40


@pytest.mark.parametrize(
    ("start", "instant"),
    [("2026-03-23T08:00", "2026-03-23T07:00:00Z"), ("2026-03-23T08:00:00+02:00", "2026-03-23T06:00:00Z")],
)
def test_a_start_is_local_time(run, inbound, start, instant):
    """A start without an offset is on the clock of the definition's zone."""
    answer = run("simulate", inbound, "--enrollments", "1", "--start", start, "--json").document

    assert answer["start"] == instant


# -- how ------------------------------------------------------------------------------------------------------


def test_a_scenario(run, outbound, quiet):
    """Where nobody answers all come to the end, where everybody does nobody; what was said is marked as said."""
    Path("answered.yaml").write_text(ANSWERED, encoding="utf-8")
    silent = run("simulate", outbound, *MADE_UP, "--scenario", quiet, "--json").document
    answered = run("simulate", outbound, *MADE_UP, "--scenario", "answered.yaml", "--json").document

    assert silent["outcomes"] == {"completed": 40}
    assert answered["outcomes"] == {"replied": 40}
    said = {each["name"] for each in silent["assumptions"] if not each["default"]}
    assert {"replied", "refused", "deferred", "tasks"} <= said
    assert silent["scenario"] == "quiet"


def test_a_malformed_scenario(run, inbound):
    """All that is wrong with a scenario is said with its place, and the status is 2."""
    Path("summer.yaml").write_text("mails:\n  replied: {chanse: 0.1}\n  refused: 2\n", encoding="utf-8")

    done = run("simulate", inbound, *MADE_UP, "--scenario", "summer.yaml", "--json")

    assert (done.status, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0] == "summer.yaml:2:13: unknown_key: mails.replied.chanse: is not a key here; did you mean chance?"
    assert lines[1].startswith("summer.yaml:3:12: out_of_range:")


def test_a_scenario_of_another_sequence(run, inbound):
    """A scenario that speaks of a step that there is not is refused, rather than doing nothing."""
    Path("other.yaml").write_text("mails:\n  steps: {hullo: {replied: {chance: 1}}}\n", encoding="utf-8")

    done = run("simulate", inbound, *MADE_UP, "--scenario", "other.yaml")

    assert (done.status, done.out) == (2, "")
    assert "mails.steps.hullo: no sequence has a step 'hullo'" in done.err


def test_several_runs(run, inbound):
    """With several runs each number has its mean and an interval, and the first run is that of one."""
    one = run("simulate", inbound, *MADE_UP, "--json").document
    four = run("simulate", inbound, *MADE_UP, "--runs", "4", "--json").document

    assert {**four, "runs": 1, "intervals": None} == one
    spread = four["intervals"]
    assert spread.keys() == {"outcomes", "people", "totals", "per_day", "per_sequence", "per_actor", "sends"}
    for found in (*spread["outcomes"].values(), *spread["totals"].values()):
        assert found["low"] <= found["mean"] <= found["high"] or found["low"] <= found["high"]
    assert spread["totals"]["enrolled"] == {"mean": 40, "low": 40, "high": 40}
    assert sum(each["mean"] for each in spread["outcomes"].values()) == pytest.approx(40)


# -- comparing ------------------------------------------------------------------------------------------------


def test_a_design_beside_itself(run, inbound):
    """The same design compared with itself differs in nothing: the luck is the same."""
    answer = run("simulate", inbound, *MADE_UP, "--compare", inbound, "--runs", "2", "--json").document

    compared = answer["compare"]
    assert (compared["with"], compared["runs"]) == ("inbound-follow-up.yaml", 2)
    assert {each["difference"] for each in compared["totals"].values()} == {0}


def test_another_design(run, inbound, outbound):
    """Another definition is run by the same people; ten times, if no number is given."""
    done = run("simulate", inbound, "--enrollments", "20", *START, "--compare", outbound, "--json")

    compared = done.document["compare"]
    assert compared["runs"] == done.document["runs"] == 10
    assert compared["totals"]["enrolled"]["difference"] == 0
    assert compared["totals"]["tasks"]["other"] == 0
    for found in compared["totals"].values():
        assert found["difference"] == pytest.approx(found["other"] - found["this"], abs=1e-3)


def test_another_world(run, outbound, quiet):
    """A scenario can stand beside a scenario, and the table says what differs."""
    Path("answered.yaml").write_text(ANSWERED, encoding="utf-8")
    question = ("simulate", outbound, *MADE_UP, "--scenario", quiet, "--compare", "answered.yaml", "--runs", "2")

    replied = run(*question, "--json").document["compare"]["outcomes"]["replied"]
    assert replied == {"this": 0, "other": 40, "difference": 40, "low": 40, "high": 40}
    shown = run(*question).out
    assert "With answered.yaml instead: the same people, the same luck, in 2 runs, mean" in shown
    for name in ("ended by a reply", "replied in all"):
        row = [*name.split(), "0", "40", "+40", "+40", "to", "+40"]
        assert row in [line.split() for line in shown.splitlines()], name


def test_an_answer_after_the_end_is_one(run, outbound):
    """Who answers the last mail has completed, and is nobody without an answer: in tables, in the report, beside it."""
    Path("keen.yaml").write_text(QUIET.replace("replied: {chance: 0}", "replied: {chance: 0.5}"), encoding="utf-8")
    Path("one.yaml").write_text(
        "name: One\ntimezone: UTC\nsteps:\n  - {action_type: automated_email, delay_from_previous_step: 0,\n"
        "     delay_from_previous_step_unit: hours, action_properties: {email_template_id: 1}}\n",
        encoding="utf-8",
    )
    question = ("simulate", "one.yaml", "--enrollments", "200", *START, "--scenario", "keen.yaml", "--html", "one.html")

    answer = run(*question, "--json").document
    replied = answer["per_sequence"][0]["steps"][0]["replied"]
    assert answer["outcomes"] == {"completed": 200}
    assert 80 < replied < 120
    assert answer["people"] == {
        "replied": replied, "replied_after_end": replied, "completed_unanswered": 200 - replied
    }  # fmt: skip
    shown = [line.split() for line in run(*question).out.splitlines()]
    assert ["replied", "after", "the", "end", str(replied), f"{replied / 2:.1f}", "%"] in shown
    page = Path("one.html").read_text(encoding="utf-8").replace("\u202f", "")
    share = f"{replied / 2:g}%"
    assert f"{share} reply ({share} after the end) and {100 - replied / 2:g}% run to the end without an answer" in page
    assert f"{replied} replied in all, {replied} of them after the end" in page

    longer = ("--compare", outbound, "--runs", "2", "--json")
    compared = run(*question, *longer).document["compare"]
    assert compared["people"]["replied"]["this"] <= compared["people"]["replied"]["other"]
    assert compared["outcomes"]["replied"]["this"] == 0


# -- a store --------------------------------------------------------------------------------------------------


def test_a_store(run, started, quiet):
    """What will become of those who are enrolled is foretold from now on, and nothing is written."""
    before = Path(started).read_bytes()

    answer = run("simulate", "--db", started, "--scenario", quiet, "--json").document

    assert answer["outcomes"] == {"completed": 3}
    assert answer["totals"]["enrolled"] == 0
    assert answer["totals"]["emails"] == 6  # the first three have left
    assert adds_up(answer)
    assert Path(started).read_bytes() == before


def test_a_store_in_another_world(run, started, quiet):
    """A forecast can be compared with another scenario, but not with another definition."""
    compared = run("simulate", "--db", started, "--scenario", quiet, "--compare", quiet, "--runs", "2", "--json")
    refused = run("simulate", "--db", started, "--compare", path("cold-outbound.yaml"))

    assert compared.document["compare"]["outcomes"]["completed"]["difference"] == 0
    assert (refused.status, refused.out) == (2, "")
    assert "--compare with --db takes another scenario" in refused.err


def test_an_account_of_a_store(run, inbound):
    """With --account it is that account's people; where nobody is enrolled the status is 1."""
    run("enroll", inbound, "--leads", leads(LEADS), "--db", "crm.db", "--account", "acme")

    assert run("simulate", "--db", "crm.db", "--account", "acme", "--json").document["enrollments"] == 3
    for words in (("--account", "other"), ()):
        empty = run("simulate", "--db", "crm.db", *words, "--json")
        assert (empty.status, empty.out) == (1, "")
        assert "crm.db: nobody is enrolled there" in empty.err


def test_an_empty_store(run, inbound):
    """A store in which nobody was ever enrolled gives nothing to foretell, with status 1."""
    with closing(SQLiteStore("crm.db")):
        pass

    done = run("simulate", "--db", "crm.db")

    assert (done.status, done.out) == (1, "")
    assert "nobody is enrolled there" in done.err


# -- what is left behind --------------------------------------------------------------------------------------


def test_a_report(run, inbound):
    """The report is one file that is the same each time; the name of it is said, but not beside a document."""
    said = run("simulate", inbound, *MADE_UP, "--html", "report.html")
    page = Path("report.html").read_bytes()
    silent = run("simulate", inbound, *MADE_UP, "--html", "report.html", "--json")

    assert "The report is in report.html." in said.out
    assert silent.document["enrollments"] == 40
    assert page.startswith(b"<!DOCTYPE html>") or page.lower().startswith(b"<!doctype html>")
    assert Path("report.html").read_bytes() == page


def text_of(file: Path) -> list[str]:
    """The lines of a file."""
    return file.read_text(encoding="utf-8").splitlines()


def test_tables(run, inbound):
    """The tables say what the document says."""
    answer = run("simulate", inbound, *MADE_UP, "--csv", "deep/tables", "--json").document
    tables = {each.stem: list(csv.DictReader(text_of(each))) for each in Path("deep/tables").iterdir()}

    assert tables.keys() == {"outcomes", "answers", "days", "steps", "actors", "actor-days", "sends"}
    assert {row["outcome"]: int(row["people"]) for row in tables["outcomes"]} == answer["outcomes"]
    assert {row["answer"]: int(row["people"]) for row in tables["answers"]} == answer["people"]
    assert [int(row["emails"]) for row in tables["days"]] == [day["emails"] for day in answer["per_day"]]
    assert [row["what"] for row in tables["steps"]] == [step["what"] for step in answer["per_sequence"][0]["steps"]]
    assert [row["most_emails"] for row in tables["actors"]] == [str(a["most_emails"]) for a in answer["per_actor"]]
    assert sum(int(row["emails"]) for row in tables["actor-days"]) == answer["totals"]["emails"]
    assert sum(int(row["emails"]) for row in tables["sends"]) == answer["totals"]["emails"]
    assert len(tables["sends"]) == 7 * 24


def test_tables_without_rows_have_their_columns(run, inbound):
    """A table in which there is nothing still names its columns."""
    done = run("simulate", inbound, *MADE_UP, "--until", "2026-03-23T01:00", "--csv", "tables")

    assert done.status == 0
    assert Path("tables/actors.csv").read_text(encoding="utf-8").startswith("actor_id,account,enrollments,emails")
    assert Path("tables/days.csv").read_text(encoding="utf-8").startswith("date,enrolled,emails")


def test_a_trace(run, inbound):
    """The trace has everything in order, each line a document, and is the same bytes each time."""
    for name in ("one.jsonl", "two.jsonl"):
        answer = run("simulate", inbound, *MADE_UP, "--trace", name, "--json").document

    text = Path("one.jsonl").read_bytes()
    lines = [json.loads(line) for line in text.splitlines()]
    assert Path("two.jsonl").read_bytes() == text
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert sum(line["type"] == "email_sent" for line in lines) == answer["totals"]["emails"]
    assert sum(line["type"] == "enrolled" for line in lines) == 40


# -- what is refused ------------------------------------------------------------------------------------------

REFUSED = {
    "nothing": ([], "name a definition"),
    "a definition that is not there": (["absent.yaml"], "absent.yaml"),
    "leads that are not there": (["FILE", "--leads", "absent.csv"], "absent.csv"),
    "leads that are none": (["FILE", "--leads", "empty.csv"], "there is nothing in it"),
    "leads without a row": (["FILE", "--leads", "header.csv"], "header.csv: there are no leads in it"),
    "two populations": (["FILE", "--leads", "header.csv", "--enrollments", "3"], "two populations"),
    "nobody": (["FILE", "--enrollments", "0"], "needs a whole number from 1"),
    "too many": (["FILE", "--enrollments", "10000001"], "needs a whole number from 1 to 10000000"),
    "no seed": (["FILE", "--seed", "x"], "needs a whole number, got 'x'"),
    "a long seed": (["FILE", "--seed", str(2**63)], "64 bits"),
    "no runs": (["FILE", "--runs", "0"], "needs a whole number from 1"),
    "no workers": (["FILE", "--workers", "0"], "needs a whole number from 1"),
    "every of one": (["FILE", "--every"], "--every needs several FILEs"),
    "the same file twice": (["FILE", "FILE"], "are the same sequence, with the key 'Inbound follow-up'"),
    "two versions": (["OTHER", "copy.yaml"], "cold-outbound.yaml and copy.yaml are the same sequence"),
    "two versions, and what to do": (["OTHER", "copy.yaml"], "after --compare; to deal people out to both, give each"),
    "a start for nobody": (["FILE", "--leads", "dated.csv", "--start", "2026-11-30"], "in dated.csv every row has one"),
    "no start": (["FILE", "--start", "soon"], "--start: needs a moment like"),
    "no end": (["FILE", "--until", "later"], "--until: needs a moment like"),
    "an end before the start": ([*["FILE", "--start", "2026-03-23"], "--until", "2026-03-22"], "ends before its start"),
    "an account without a store": (["FILE", "--account", "a"], "go with --db"),
    "a schema without a store": (["FILE", "--schema", "a"], "go with --db"),
    "a store that is not there": (["--db", "absent.db"], "there is no file absent.db"),
    "a store and a definition": (["FILE", "--db", "crm.db"], "FILE and --db are two questions"),
    "a store and leads": (["--db", "crm.db", "--leads", "header.csv"], "--leads and --db are two questions"),
    "a store and a start": (["--db", "crm.db", "--start", "2026-03-23"], "--start and --db are two questions"),
    "a store and a number": (["--db", "crm.db", "--enrollments", "3"], "--enrollments and --db are two questions"),
    "a store and every": (["--db", "crm.db", "--every"], "--every and --db are two questions"),
    "a comparison that is not there": (["FILE", "--compare", "absent.yaml"], "absent.yaml"),
    "a comparison of several": (["FILE", "OTHER", "--compare", "FILE"], "needs exactly one FILE"),
    "two kinds of workers": (["FILE", "--workers", "2", "--dask", "tcp://127.0.0.1:1"], "--dask has its own"),
    "a scenario that is a definition": (["FILE", "--scenario", "FILE"], "another_kind"),
    "a calendar of nobody": (["FILE", "--ics", "a.ics"], "go together"),
    "a lead without a calendar": (["FILE", "--lead", "lead/1"], "go together"),
    "a calendar of a stranger": (["FILE", "--ics", "a.ics", "--lead", "lead/1001"], "lead/1 to lead/1000"),
    "a folder for a report": (["FILE", "--html", "folder"], "--html folder: is a folder"),
    "a folder that is not there": (["FILE", "--trace", "absent/t.jsonl"], "there is no folder absent"),
    "no name for a report": (["FILE", "--html", ""], "is no file name"),
    "a NUL in a name": (["FILE", "--html", "a\0b"], "is no file name"),
    "a file for the tables": (["FILE", "--csv", "header.csv"], "--csv header.csv: is a file"),
    "one file for two things": (["FILE", "--html", "a", "--trace", "a"], "would both be a"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(run, inbound, outbound, words, said):
    """What does not go together, or cannot be, ends with status 2 and the reason before anything is simulated."""
    Path("folder").mkdir()
    Path("empty.csv").touch()
    Path("header.csv").write_text("resource_type,resource_id\n", encoding="utf-8")
    Path("dated.csv").write_text("resource_type,resource_id,enrolled_at\nlead,1,2026-01-07T09:00\n", encoding="utf-8")
    Path("copy.yaml").write_text(Path(outbound).read_text(encoding="utf-8"), encoding="utf-8")
    names = {"FILE": inbound, "OTHER": outbound}

    done = run("simulate", *(names.get(word, word) for word in words), "--json")

    assert (done.status, done.out) == (2, ""), done.err
    assert said in done.err
    assert not Path("a.ics").exists()


def test_a_file_that_cannot_be_written(run, inbound, monkeypatch):
    """What the system forbids is said in its own words, and no answer stands beside it."""
    write = Path.write_text

    def forbidden(self, *args, **keywords):
        if self.name == "report.html":
            raise PermissionError(13, "Permission denied", str(self))
        return write(self, *args, **keywords)

    monkeypatch.setattr(Path, "write_text", forbidden)

    done = run("simulate", inbound, "--enrollments", "1", "--html", "report.html", "--json")

    assert (done.status, done.out) == (2, "")
    assert done.err == "sequencer simulate: report.html: Permission denied\n"


# -- what may stand in the files ------------------------------------------------------------------------------

HOSTILE = """\
name: "<script>alert(1)</script> \\e[31mred"
steps:
  - action_type: task
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {task_content: "=cmd|' /C calc'!A0 <img src=x onerror=alert(1)> \\e]0;owned\\a"}
    key: "=1+1"
"""


class Tags(HTMLParser):
    """The tags of a page, and what was in them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def hostile(text: str = HOSTILE) -> str:
    """A definition whose texts would like to be more than texts, where the reader of definitions lets them be."""
    Path("hostile.yaml").write_text(text, encoding="utf-8")
    if main(["check", "hostile.yaml"]) == 0:
        return "hostile.yaml"
    # A line of text holds no control characters; everything else it may hold.
    for escape in ("\\e[31m", "\\e]0;owned\\a"):
        text = text.replace(escape, "")
    Path("hostile.yaml").write_text(text, encoding="utf-8")
    return "hostile.yaml"


def test_texts_stay_texts(run, capsys):
    """Names and texts reach no terminal as commands, no browser as tags and no spreadsheet as formulas."""
    file = hostile()
    capsys.readouterr()

    done = run("simulate", file, "--enrollments", "3", *START, "--html", "r.html", "--csv", "tables")

    assert done.status == 0, done.err
    assert "\x1b" not in done.out
    tags = Tags()
    tags.feed(Path("r.html").read_text(encoding="utf-8"))
    assert not {"script", "img"} & {tag for tag, _ in tags.seen}
    assert not any(name.startswith("on") for _, attributes in tags.seen for name in attributes)
    for table in Path("tables").iterdir():
        for row in csv.reader(text_of(table)):
            assert not [cell for cell in row if cell.strip()[:1] in ("=", "+", "@")], row


def test_a_hostile_lead(run, inbound):
    """A lead's name that is an escape sequence or a tag is in no answer at all, not even in the trace."""
    text = "resource_type,resource_id,email,first_name,company\nlead,=1+1,a@example.com,<script>x</script>,\u202eevil\n"

    done = run("simulate", inbound, "--leads", leads(text), *START, "--html", "r.html", "--trace", "t.jsonl")

    assert done.status == 0, done.err
    for came in (done.out, Path("r.html").read_text(encoding="utf-8"), Path("t.jsonl").read_text(encoding="utf-8")):
        assert "<script" not in came
        assert "\u202e" not in came


def test_the_longest_sequence(run):
    """Two hundred steps are simulated and shown like five."""
    step = "  - {action_type: automated_email, delay_from_previous_step: 1, delay_from_previous_step_unit: hours,\n"
    steps = "".join(f"{step}     action_properties: {{email_template_id: {i}}}}}\n" for i in range(200))
    Path("long.yaml").write_text(f"name: Long\nsteps:\n{steps}", encoding="utf-8")
    Path("quiet.yaml").write_text(QUIET, encoding="utf-8")

    done = run("simulate", "long.yaml", "--enrollments", "2", *START, "--scenario", "quiet.yaml", "--html", "r.html")
    answer = run("simulate", "long.yaml", "--enrollments", "2", *START, "--scenario", "quiet.yaml", "--json").document

    assert (done.status, done.err) == (0, "")
    assert "199  mail 199" in done.out
    assert [each["done"] for each in answer["per_sequence"][0]["steps"]] == [2] * 200


def test_a_long_text(run):
    """What a task asks for may be long; its row in the table is not, and the document has all of it."""
    Path("long.yaml").write_text(
        "name: Long\nsteps:\n  - {action_type: task,\n"
        "     delay_from_previous_step: 0, delay_from_previous_step_unit: hours,\n"
        f"     action_properties: {{task_content: {'call them ' * 90}}}}}\n",
        encoding="utf-8",
    )

    shown = run("simulate", "long.yaml", "--enrollments", "2", *START)
    answer = run("simulate", "long.yaml", "--enrollments", "2", *START, "--json").document

    (row,) = [line for line in shown.out.splitlines() if "call them" in line]
    assert len(row) < 140
    assert answer["per_sequence"][0]["steps"][0]["what"] == ("call them " * 90).strip()


# -- for people -----------------------------------------------------------------------------------------------


def test_in_a_pipe(run, inbound):
    """Piped, it is plain text: the ends, the steps, the days, and what was taken for granted."""
    done = run("simulate", inbound, *MADE_UP)

    assert (done.status, done.err) == (0, "")
    assert "\x1b" not in done.out
    for title in ("How they end", "Inbound follow-up, step by step", "Day by day", "Mailboxes and desks",
                  "When mails leave, on the recipients' clocks", "Taken for granted by default"):  # fmt: skip
        assert f"\n{title}\n{'=' * len(title)}\n" in done.out
    assert "From Mon 2026-03-23 00:00 until nothing more happens" in done.out
    assert "Sat 2026-03-28" not in done.out
    assert re.search(r"Left out: (1 day|[2-9] days|\d\d+ days) on which nothing happens", done.out)
    assert not [line for line in done.out.splitlines() if line != line.rstrip()]


def test_what_is_long_is_shown_by_the_week(run, inbound, quiet):
    """More than five weeks are shown week by week; the numbers are the same."""
    late = "resource_type,resource_id,email,enrolled_at,first_name,company\n" + "".join(
        f"lead,{i},l{i}@example.com,2026-{i:02}-10T10:00,A,B\n" for i in range(1, 5)
    )

    done = run("simulate", inbound, "--leads", leads(late), "--scenario", quiet)

    assert "Week by week" in done.out
    assert "Mon 2026-01-05" in done.out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal(inbound, tmp_path, monkeypatch, width):
    """On a terminal no line is wider than it, however narrow; what is left out there is what is rare."""
    import contextlib
    import io
    import re

    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Terminal()
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(Terminal()):
        status = main(["simulate", str(inbound), *MADE_UP, "--runs", "2", "--compare", str(path("cold-outbound.yaml"))])

    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    assert status == 0
    assert max(map(len, lines)) <= width
    assert any("finished" in line for line in lines)


@pytest.mark.parametrize("option", ["--html", "--trace"])
@pytest.mark.parametrize("source", ["d.yaml", "leads.csv", "world.yaml", "./d.yaml"])
def test_what_is_read_is_not_written_over(run, outbound, option, source):
    """A report or a trace that would replace a definition, leads or a scenario is refused, and nothing is lost."""
    Path("d.yaml").write_bytes(outbound.read_bytes())
    Path("leads.csv").write_text("resource_type,resource_id\nlead,1\n", encoding="utf-8")
    Path("world.yaml").write_text(QUIET, encoding="utf-8")
    before = Path(source).read_bytes()
    done = run("simulate", "d.yaml", "--leads", "leads.csv", "--scenario", "world.yaml", option, source)
    assert done.status == 2
    assert "would overwrite what is read here" in done.err
    assert Path(source).read_bytes() == before


def test_a_store_is_not_written_over_by_its_forecast(run, outbound):
    """Neither a report nor the tables take the place of the store that is foretold."""
    Path("leads.csv").write_text("resource_type,resource_id,email\nlead,1,ada@example.com\n", encoding="utf-8")
    assert run("enroll", str(outbound), "--leads", "leads.csv", "--db", "days.csv").status == 0
    before = Path("days.csv").read_bytes()
    for options in (("--html", "days.csv"), ("--csv", ".")):
        done = run("simulate", "--db", "days.csv", *options)
        assert done.status == 2, done
        assert Path("days.csv").read_bytes() == before


def test_a_trace_says_of_whom_it_speaks(run, outbound):
    """Each line of a trace names the lead and the sequence."""
    assert run("simulate", str(outbound), *MADE_UP, "--trace", "t.jsonl").status == 0
    lines = [json.loads(line) for line in Path("t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {(line["resource_type"], line["sequence"]) for line in lines} == {("lead", "Cold outbound, five mails")}
    assert {line["resource_id"] for line in lines} == set(range(1, 41))


def test_a_forecast_uses_the_fields_that_the_store_has(run):
    """Who was enrolled without a field that a text asks for is blocked in the forecast, too."""
    definition = path("inbound-follow-up.yaml")
    Path("leads.csv").write_text("resource_type,resource_id,email\nlead,1,ada@example.com\n", encoding="utf-8")
    assert run("enroll", str(definition), "--leads", "leads.csv", "--db", "crm.db", "--anyway").status == 0
    answer = json.loads(run("simulate", "--db", "crm.db", "--json").out)
    assert answer["outcomes"] == {"blocked": 1}
    assert answer["per_sequence"][0]["blocked"] == {"missing_merge_data": 1}
