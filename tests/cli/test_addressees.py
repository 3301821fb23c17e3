"""`enroll` of leads who could not be mailed: it says so before it stores anybody, and goes on only if it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.cli.addressees import lacking, misspelt
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Task, Template
from sequencer.definitions import Lead

FIELDS = ("first_name", "company", "desk")
SEQUENCE = Sequence(
    "Hello",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(3)), Step(Task("Call the {{ desk }}"))],
    templates={
        1: Template("Hello {{ first_name }}", "How is {{ company }}? We write to {{ email }}."),
        2: Template("Unused", "{{ never }}"),
    },
)
HEADER = "resource_type,resource_id,"


def write(text: str) -> str:
    Path("leads.csv").write_text(HEADER + text, encoding="utf-8")
    return "leads.csv"


@given(st.lists(st.sets(st.sampled_from(("email", *FIELDS, "never")))))
def test_each_lead_lacks_what_it_has_not(sequence_of_names):
    """Of every lead exactly that is missing which its mails and tasks need and its row leaves blank."""
    leads = [
        Lead("lead", i, "a@example.com" if "email" in names else None, fields=dict.fromkeys(names - {"email"}, "x"))
        for i, names in enumerate(sequence_of_names)
    ]
    found = {each.lead.resource_id: set(each.names) for each in lacking(SEQUENCE, leads)}

    needed = {i: {"email", *FIELDS} - names for i, names in enumerate(sequence_of_names)}
    assert found == {i: names for i, names in needed.items() if names}


def test_tasks_alone_need_no_address():
    """Where no mail is sent and no text asks for it, nobody needs an address."""
    assert lacking(Sequence("Calls", [Step(Task("Call"))]), [Lead("lead", 1)]) == []


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("E-mail", "email"), ("Mail", "email"), ("E-Mail Address", "email"), ("EMAIL", "email"),
        ("First Name", "first_name"), ("FirstName", "first_name"), ("first-name", "first_name"),
        ("actor", "actor_id"), ("Actor ID", "actor_id"), ("time zone", "timezone"), ("Start", "start_at"),
        ("city", None), ("company", None), ("Account", None), ("name", None),
    ],
)  # fmt: skip
def test_columns_that_are_spelt_otherwise(column, meant):
    """A column that nobody asks for and that looks like one that nobody has is probably that one."""
    found = misspelt(SEQUENCE, [Lead("lead", 1, fields={column: "x"})])

    assert found == ({} if meant is None else {column: meant})


def test_columns_that_have_a_use():
    """A column is no misspelling where a text asks for it, what it could mean is there, or is given otherwise."""
    asked = Sequence("Calls", [Step(Task("Call {{ mail }}"))])

    assert misspelt(asked, [Lead("lead", 1, fields={"mail": "x"})]) == {}
    assert misspelt(SEQUENCE, [Lead("lead", 1, "a@example.com", fields={"mail": "x"})]) == {}
    assert misspelt(SEQUENCE, [Lead("lead", 1, fields={"actor": "x"})], but=("actor_id",)) == {}


def test_nobody_is_enrolled_who_cannot_be_mailed(run, inbound):
    """Leads who lack something are counted, the first of them named, and nobody is stored; as data, all are named."""
    rows = "".join(f"lead,{i},,Ada,Acme\n" for i in range(2, 9))
    file = write(f"email,first_name,company\nlead,1,a@example.com,Ada,Acme\n{rows}lead,9,b@example.com,,\n")

    done = run("enroll", inbound, "--leads", file, "--db", "crm.db")
    again = run("enroll", inbound, "--leads", file, "--db", "crm.db", "--json")

    assert (done.status, done.out, again.status) == (1, "", 1)
    assert done.err.splitlines() == [
        *(f"leads.csv:{i + 1}: lead {i} has no email" for i in range(2, 7)),
        "8 of 9 leads lack what their mails and tasks need (3 more are not shown)",
        "sequencer enroll: nobody was enrolled: mend leads.csv, or see --anyway in sequencer enroll --help",
    ]
    assert not Path("crm.db").exists()
    assert again.document["enrolled"] == []
    assert [(each["line"], each["code"]) for each in again.document["refused"]] == [
        (i + 1, "missing_merge_data") for i in range(2, 10)
    ]
    assert again.document["refused"][-1]["message"] == "lead 9 has no first_name and no company"


def test_they_are_enrolled_anyway(run, inbound):
    """With --anyway the same is said, and everybody is enrolled."""
    file = write("E-mail,First Name,company,actor\nlead,1,a@example.com,Ada,Acme,7\n")

    done = run("enroll", inbound, "--leads", file, "--db", "crm.db", "--anyway")

    assert done.status == 0
    assert "enrolled 1 of 1" in done.out
    assert done.err.splitlines() == [
        *(
            f"leads.csv:1: {column} is a merge field that no text asks for, and nobody has {name}; did you mean it?"
            for column, name in {"E-mail": "email", "First Name": "first_name", "actor": "actor_id"}.items()
        ),
        "leads.csv:2: lead 1 has no email and no first_name",
        "1 of 1 leads lack what their mails and tasks need",
    ]


def test_a_misspelt_column_alone(run, inbound):
    """Also where everybody can be mailed, a column that was probably meant as another is asked about before."""
    file = write("email,first_name,company,actor\nlead,1,a@example.com,Ada,Acme,7\n")

    done = run("enroll", inbound, "--leads", file, "--db", "crm.db")

    assert done.status == 1
    assert "nobody has actor_id; did you mean it?" in done.err
    assert run("enroll", inbound, "--leads", file, "--db", "crm.db", "--actor", "7").status == 0


@given(st.sets(st.sampled_from(FIELDS)), st.sampled_from("\n\r\u2028"))
def test_a_line_break_matters_in_a_subject_alone(broken, at):
    """Whose field breaks a subject is told so; in a body or a task the same is no trouble."""
    fields = {name: f"A{at}b" if name in broken else "A" for name in FIELDS}
    found = lacking(SEQUENCE, [Lead("lead", 1, "a@example.com", fields=fields)])

    assert [str(each) for each in found] == ["lead 1 has a line break in first_name"] * ("first_name" in broken)
