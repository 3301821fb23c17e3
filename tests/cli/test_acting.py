"""`enroll`, `run`, and the verbs: what changes a store, and what it says about it."""

from __future__ import annotations

import mailbox
import re
import string
import threading
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.adapters.maildir import MaildirMailer
from sequencer.adapters.recording import RecordingMailer
from sequencer.cli.running import to_host
from sequencer.core.enrollment import Resource
from sequencer.core.errors import InvalidInput, StoreError
from sequencer.core.instants import later_by
from sequencer.core.merge import meant
from sequencer.core.sequence import Sequence, Step, Task
from sequencer.engine.clock import SystemClock
from sequencer.engine.engine import Engine
from sequencer.engine.enrolling import enroll_rows
from sequencer.engine.ports import Rejected
from sequencer.simulation.clock import ManualClock
from sequencer.stores.sqlite import SQLiteStore
from tests.cli.conftest import LEADS
from tests.test_main_job import AnyPort, Inbox


def advance(db: str, **span: float) -> None:
    """Let the store live through some time, as if a worker had run on another machine's clock."""
    store = SQLiteStore(db)
    clock = ManualClock(SystemClock().now())
    Engine(store=store, mailer=MaildirMailer("outbox"), clock=clock).run_until(later_by(clock.now(), timedelta(**span)))
    store.close()


def test_enroll(run, db):
    """Everybody in the file is enrolled, each on their own clock, the blank one on the definition's."""
    document = run("list", "--db", db, "--json").document

    assert [each["timezone"] for each in document["enrollments"]] == [
        "Europe/Warsaw", "America/New_York", "Europe/Warsaw",
    ]  # fmt: skip
    assert [each["resource_id"] for each in document["enrollments"]] == [1, 2, "c-3"]
    assert [each["actor_id"] for each in document["enrollments"]] == [7, 8, 7]


def test_a_type_that_is_spelt_in_two_ways(run, inbound):
    """`Lead` beside `lead` is another type, once noted, with both lines; everybody is enrolled all the same."""
    rows = LEADS.replace("contact,c-3", "Lead,1") + "LEAD,9,x@example.com,,,X,Y\nLead,8,y@example.com,,,X,Y\n"
    Path("leads.csv").write_text(rows, encoding="utf-8")

    done = run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db")

    assert (done.status, done.out.splitlines()[0]) == (0, "enrolled 5 of 5 in Inbound follow-up")
    assert done.err.splitlines() == [
        f"leads.csv:{line}: {other} is another type than lead in line 2, and whoever is under both is two people; did "
        "you mean one?"
        for line, other in ((4, "Lead"), (5, "LEAD"))
    ]


def test_a_start_that_the_clocks_skip(run, inbound):
    """Where the clocks skip a start, or show it twice, `enroll` says what it is taken as, in the words of `plan`."""
    head = "resource_type,resource_id,email,first_name,company,start_at,enrolled_at,timezone\n"
    last = SystemClock().now().year + 1
    spring, autumn = (
        max(day for day in range(25, 32) if date(last, month, day).isoweekday() == 7) for month in (3, 10)
    )
    skipped, twice = f"{last}-03-{spring}T02:30", f"{last}-10-{autumn}T02:30"
    rows = [
        f"{skipped},,", f"{twice},,", f"{skipped},,America/New_York", f"{skipped}:00+01:00,,", f",{skipped},",
        f"{skipped},{twice},", "2021-03-28T02:30,,", f"{last}-03-{spring},,Asia/Beirut",
    ]  # fmt: skip
    body = [f"lead,{n},{n}@example.com,Ada,Acme,{row}\n" for n, row in enumerate([*rows, *rows[:2]])]
    Path("leads.csv").write_text(head + "".join(body), encoding="utf-8")

    done = run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db")

    skips = "does not exist in Europe/Warsaw, where the clocks go forward over it: it is taken as Sun"
    doubles = "comes twice in Europe/Warsaw, where the clocks go back over it: it is taken as the first"
    said = done.err.splitlines()
    assert done.status == 0
    assert said[0] == f"leads.csv:2: start_at: 02:30 on {last}-03-{spring} {skips} {last}-03-{spring} 03:30"
    assert said[1] == f"leads.csv:3: start_at: 02:30 on {last}-10-{autumn} {doubles}"
    assert said[2].startswith(f"leads.csv:6: enrolled_at: 02:30 on {last}-03-{spring} {skips}")
    assert said[3].startswith(f"leads.csv:7: start_at: 02:30 on {last}-03-{spring} {skips}")
    planned = run("plan", inbound, "--start", skipped).err
    assert planned == f"sequencer plan: --start: {said[0].partition('start_at: ')[2]}\n"


def test_enroll_refuses_row_by_row(run, db, inbound):
    """Who is enrolled already is refused with the line and the existing enrollment, and the others are enrolled."""
    Path("more.csv").write_text(LEADS + "lead,4,dora@example.com,,,Dora,Example\n", encoding="utf-8")

    done = run("enroll", inbound, "--leads", "more.csv", "--db", db, "--json")

    assert done.status == 1
    assert [(each["line"], each["code"], each["existing_id"]) for each in done.document["refused"]] == [
        (2, "already_enrolled", 1), (3, "already_enrolled", 2), (4, "already_enrolled", 3),
    ]  # fmt: skip
    assert [each["resource_id"] for each in done.document["enrolled"]] == [4]
    again = run("enroll", inbound, "--leads", "more.csv", "--db", db)
    assert again.status == 1
    assert "refused 4" in again.out


@pytest.mark.parametrize(
    "row",
    [
        "lead,4,dora@example.com,Nowhere/Land,,Dora,Example",
        "lead,4,dora@example.com,,,Dora",
        ",4,dora@example.com,,,Dora,Example",
        "lead,4,not an address,,,Dora,Example",
    ],
    ids=["zone", "cells", "blank", "address"],
)
def test_a_malformed_file_is_refused_whole(run, inbound, row):
    """One mistake in the last row, and nobody of the file is enrolled; the mistake is named by its place."""
    Path("bad.csv").write_text(LEADS + row + "\n", encoding="utf-8")

    done = run("enroll", inbound, "--leads", "bad.csv", "--db", "new.db")

    assert done.status == 2
    assert done.err.startswith("bad.csv:5:")
    assert not Path("new.db").exists()


def test_a_start_beyond_time_is_refused_whole(run, inbound):
    """A start whose timeline would leave the years that there are refuses the file before anything is stored."""
    header, *rows = LEADS.splitlines()
    lines = [f"{header},start_at", f"{rows[0]},", f"{rows[1]},9000-12-31T23:00:00Z"]
    Path("far.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    done = run("enroll", inbound, "--leads", "far.csv", "--db", "new.db")

    assert done.status == 2
    assert "far.csv:3" in done.err
    assert not Path("new.db").exists()


def test_columns_of_leads(run, inbound):
    """start_at begins later, enrolled_at in the past is history, one ahead is a start; accounts and keys count."""
    Path("leads.csv").write_text(
        "resource_type,resource_id,start_at,enrolled_at,account,idempotency_key,first_name\n"
        "lead,1,2125-01-01T09:00,2020-01-01T09:00,,,Ada\n"
        "lead,2,,2020-01-01T09:00,,k-2,Ben\n"
        "lead,3,,2125-01-01T09:00,,,Chloe\n"
        "lead,1,2020-01-01,,acme,,Dora\n",
        encoding="utf-8",
    )

    done = run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db", "--anyway")

    assert done.status == 0
    assert "enrolled_at lies in the past in 2 rows (lines 2, 3): history" in done.out
    assert "start_at lies in the past in 1 row (line 5), and is taken as now" in done.out
    assert "enrolled_at lies ahead in 1 row (line 4), and is taken as the start" in done.out
    started = [each["started_at"] for each in run("list", "--db", "crm.db", "--json").document["enrollments"]]
    assert started[0] == started[2] == "2125-01-01T08:00:00Z"
    assert "2020" < started[1][:4] < "2125"
    others = run("list", "--db", "crm.db", "--account", "acme", "--json").document["enrollments"]
    assert [each["resource_id"] for each in others] == [1]
    Path("again.csv").write_text("resource_type,resource_id,idempotency_key\nlead,2,k-2\n", encoding="utf-8")
    again = run("enroll", inbound, "--leads", "again.csv", "--db", "crm.db", "--anyway", "--json")
    assert (again.status, again.document["enrolled"]) == (0, [])
    assert [each["id"] for each in again.document["repeated"]] == [2]


def test_a_reused_idempotency_key_is_refused_by_row(run, db, inbound):
    """A key that made another lead's enrollment is a refusal of its row, with a code of its own."""
    header = "resource_type,resource_id,idempotency_key\n"
    Path("one.csv").write_text(f"{header}lead,8,k\n", encoding="utf-8")
    Path("two.csv").write_text(f"{header}lead,9,k\n", encoding="utf-8")
    run("enroll", inbound, "--leads", "one.csv", "--db", db, "--anyway")

    done = run("enroll", inbound, "--leads", "two.csv", "--db", db, "--json", "--anyway")

    assert (done.status, [each["code"] for each in done.document["refused"]]) == (1, ["key_reused"])


def test_a_store_that_fails_refuses_no_row(run, inbound, monkeypatch):
    """A store that fails in the middle of a batch stores nothing of it, and is not taken for a refusal of rows."""

    def failing(transaction, *arguments):
        enroll_rows(transaction, *arguments)
        raise StoreError("SQLite: database or disk is full")

    monkeypatch.setattr("sequencer.engine.verbs.enrollments.enroll_rows", failing)
    Path("leads.csv").write_text(LEADS, encoding="utf-8")

    done = run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db")

    assert (done.status, done.out) == (1, "")
    assert "disk is full" in done.err
    assert run("list", "--db", "crm.db").out == "No enrollments.\n"


def test_run_once_into_a_maildir(run, db):
    """The mails that are due are in the folder, and the document says how many."""
    done = run("run", "--db", db, "--once", "--maildir", "outbox", "--json")

    assert done.document["handed_over"] == 3
    assert done.document["next_due_at"].endswith("Z")
    subjects = sorted(mail["Subject"] for mail in mailbox.Maildir("outbox", create=False))
    assert subjects == ["Your request, Ada", "Your request, Ben", "Your request, Chloe"]
    assert run("run", "--db", db, "--once", "--maildir", "outbox", "--json").document["handed_over"] == 0


def test_run_prints_mails_beside_a_document(run, db):
    """With --json, standard output belongs to the document, and the mails are printed beside it."""
    done = run("run", "--db", db, "--once", "--json")

    assert done.document["handed_over"] == 3
    assert "mail to ada@example.com: Your request, Ada" in done.err


@pytest.mark.parametrize("permanent", [True, False], ids=["for good", "for now"])
def test_run_says_what_failed(run, db, monkeypatch, permanent):
    """Each hand-over that fails is a line on standard error: which, what the port said, what is next."""
    rejected = Rejected("come back later", permanent=permanent)
    monkeypatch.setattr(MaildirMailer, "send", lambda *_, **__: rejected)

    done = run("run", "--db", db, "--once", "--maildir", "outbox", "--json")

    assert done.document["failed"] == 3
    following = "blocked until somebody resumes it" if permanent else "next try "
    lines = done.err.splitlines()
    assert len(lines) == 3
    for id, line in enumerate(lines, 1):
        assert line.startswith(f"enrollment {id}, step 0 failed: delivery_failed: come back later; {following}")


def test_run_prints_mails(run, db):
    """On the console, mails are printed between the lines that say how far the worker is."""
    done = run("run", "--db", db, "--once")

    assert "mail to ben@example.com: Your request, Ben" in done.out
    assert "handed over 3, failed 0; next due" in done.out


def test_run_through_a_mail_server(run, db, monkeypatch):
    """With --smtp, mails reach a real server, from the sender that the environment names."""
    inbox = Inbox(ManualClock(SystemClock().now()))
    server = AnyPort(inbox, "127.0.0.1", 0)
    server.start()
    monkeypatch.setenv("SEQUENCER_SMTP_SENDER", "Sam Sales <sales@example.com>")
    try:
        done = run("run", "--db", db, "--once", "--smtp", f"127.0.0.1:{server.port}", "--security", "none", "--json")
    finally:
        server.stop()

    assert done.document["handed_over"] == 3
    assert [each.to for each in inbox.received] == [["ada@example.com"], ["ben@example.com"], ["chloe@example.com"]]
    assert {each.message["From"] for each in inbox.received} == {"Sam Sales <sales@example.com>"}


def test_a_password_needs_tls(run, db, monkeypatch):
    """A password is not sent in the clear to another machine."""
    monkeypatch.setenv("SEQUENCER_SMTP_USER", "sam")
    monkeypatch.setenv("SEQUENCER_SMTP_PASSWORD", "secret")

    done = run("run", "--db", db, "--smtp", "mail.example.com", "--sender", "a@example.com", "--security", "none")

    assert (done.status, done.out) == (2, "")
    assert "secret" not in done.err


def test_run_until(run, db):
    """With a moment that is over, the worker makes one pass and ends."""
    done = run("run", "--db", db, "--until", "2020-01-01", "--maildir", "outbox", "--json")

    assert (done.status, done.document["handed_over"], done.document["stopped"]) == (0, 3, False)


def test_templates_from_a_folder(run, inbound):
    """Texts that a definition leaves out are read from --templates, which is named where they are missing."""
    Path("bare.yaml").write_text(
        "name: Bare\nsteps:\n  - action_type: automated_email\n    delay_from_previous_step: 0\n"
        "    delay_from_previous_step_unit: hours\n    action_properties: {email_template_id: 5}\n",
        encoding="utf-8",
    )
    Path("leads.csv").write_text("resource_type,resource_id,email\nlead,1,a@example.com\n", encoding="utf-8")
    Path("texts").mkdir()
    Path("texts/5.txt").write_text("Subject: From the folder\n\nHello\n", encoding="utf-8")
    run("enroll", "bare.yaml", "--leads", "leads.csv", "--db", "crm.db")

    without = run("run", "--db", "crm.db", "--once", "--maildir", "outbox")
    assert "(sequencer run --templates)" in without.err
    assert "Subject: ..." in run("run", "--help").out
    run("resume", "--blocked", "mail_settings", "--db", "crm.db")

    run("run", "--db", "crm.db", "--once", "--maildir", "outbox", "--templates", "texts")

    assert [mail["Subject"] for mail in mailbox.Maildir("outbox", create=False)] == ["From the folder"]


ONE_MAIL = """\
name: One
timezone: UTC
calendar: {working_days: [mon, tue, wed, thu, fri, sat, sun]}
policy: {unsubscribe: {enabled: true}}
steps:
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1}
templates:
  1: {subject: "Hello {{ first_name }}", body: Here}
"""


def test_run_foresees_whom_it_would_block(run):
    """A worker that cannot know the people, or has no way to opt out where one is asked for, says so as it begins."""
    Path("one.yaml").write_text(ONE_MAIL, encoding="utf-8")
    rows = [f"lead,{n},{'' if n == 9 else f'{n}@example.com'},{'Ada' if n > 4 else ''}" for n in range(1, 10)]
    Path("leads.csv").write_text("\n".join(["resource_type,resource_id,email,first_name", *rows]), encoding="utf-8")
    ways = {
        "printed": [],
        "without": ["--maildir", "outbox"],
        "with": ["--maildir", "outbox-2", "--unsubscribe-mailto", "out@example.com"],
    }
    for db in ways:
        assert run("enroll", "one.yaml", "--leads", "leads.csv", "--db", db, "--anyway").status == 0

    done = {db: run("run", "--db", db, "--once", *way) for db, way in ways.items()}

    said = {db: [line for line in each.err.splitlines() if " failed: " not in line] for db, each in done.items()}
    assert "of 9 looked at, 4 will be blocked at the next mail: missing_merge_data: no value for" in said["printed"][0]
    assert said["printed"][1].startswith(
        "  enrollments 1, 2, 3 and 1 more; this worker knows of people only what is in"
    )
    assert "1 will be blocked at the next mail: missing_merge_data: the person has no email" in said["printed"][2]
    assert said["printed"][3].startswith("  enrollment 9; ")
    assert "4 will be blocked at the next mail: mail_settings: the sequence asks for a way to" in said["without"][2]
    assert said["without"][3].startswith("  enrollments 5, 6, 7 and 1 more; stop this worker")
    assert [len(each) for each in said.values()] == [4, 6, 4]
    assert [re.findall(r"failed (\d+);", each.out) for each in done.values()] == [["5"], ["9"], ["5"]]


def test_a_stop_ends_after_the_mail_under_way(db):
    """A worker that is told to stop while it sends finishes that mail, and gives the others back untouched."""
    stop = threading.Event()

    class Slow(MaildirMailer):
        def send(self, email, *, key, timeout):
            stop.set()
            return super().send(email, key=key, timeout=timeout)

    store = SQLiteStore(db)
    engine = Engine(store=store, mailer=Slow("outbox"))

    engine.run(stop=stop)

    statuses = [each.steps[0].status.value for each in engine.enrollments()]
    store.close()
    assert statuses == ["completed", "pending", "pending"]
    assert len(mailbox.Maildir("outbox", create=False)) == 1


def test_tasks_and_complete(run, started):
    """A task is listed, completed once, and the second time it is already so."""
    advance(started, hours=80)
    tasks = run("tasks", "--db", started, "--json").document["tasks"]
    assert sorted(task["task_content"] for task in tasks) == [
        f"Call {name} while the interest is fresh" for name in ("Ada", "Ben", "Chloe")
    ]
    id = tasks[0]["id"]

    done = run("complete", id, "--db", started, "--json")
    again = run("complete", id, "--db", started, "--json")

    assert (done.status, done.document["changed"]) == (0, True)
    assert (again.status, again.document["changed"]) == (0, False)
    assert "already completed" in run("complete", id, "--db", started).out
    assert len(run("tasks", "--db", started, "--json").document["tasks"]) == 2
    assert len(run("tasks", "--db", started, "--status", "all", "--json").document["tasks"]) == 3
    assert run("tasks", "--db", started, "--actor", "99").out == "No tasks.\n"


def test_skip(run, started):
    """The current step is passed over; with its position a second time changes nothing."""
    done = run("skip", 1, "--db", started, "--position", 1, "--json")
    again = run("skip", 1, "--db", started, "--position", 1, "--json")

    assert done.document["enrollment"]["steps"][1]["status"] == "skipped"
    assert (again.status, again.document["changed"]) == (0, False)
    assert run("skip", 1, "--db", started, "--position", 4).status == 1


def test_block_and_resume(run, started):
    """A block holds until a local moment; resuming goes on, and twice is already so."""
    done = run("block", 2, "--db", started, "--until", "2125-01-02T09:00", "--json")
    assert done.document["enrollment"]["blocked_until"] == "2125-01-02T14:00:00Z"
    assert "blocked: paused" in run("list", "--db", started, "--state", "blocked").out
    other = run("block", 1, "--db", started, "--until", "2125-01-02T09:00", "--timezone", "UTC", "--json")
    assert other.document["enrollment"]["blocked_until"] == "2125-01-02T09:00:00Z"

    resumed = run("resume", 2, "--db", started, "--timeline", "keep", "--json")

    assert resumed.document["enrollment"]["state"] == "active"
    assert run("resume", 2, "--db", started, "--json").document["changed"] is False
    assert (
        run("resume", 1, "--db", started, "--skip", "--json").document["enrollment"]["steps"][1]["status"] == "skipped"
    )


def test_update_adds_what_was_missing(run, inbound):
    """A lead without a name is blocked; with the name given and resumed, its mail leaves; the other fields stay."""
    Path("leads.csv").write_text("resource_type,resource_id,email,company\nlead,1,a@example.com,Acme\n", "utf-8")
    run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db", "--anyway")
    run("run", "--db", "crm.db", "--once", "--maildir", "outbox")
    assert "missing_merge_data" in run("list", "--db", "crm.db").out

    done = run("update", "lead", 1, "--db", "crm.db", "--email", "b@example.com", "--field", "first_name=A=B")

    assert done.status == 0
    assert "updated lead 1, in 1 enrollment\nenrollment 1 stays blocked until `sequencer resume 1`" in done.out
    again = run("update", "lead", 1, "--db", "crm.db", "--field", "first_name=Ada", "--json").document
    assert again == {
        "resource_type": "lead", "resource_id": 1, "email": "b@example.com",
        "fields": {"company": "Acme", "first_name": "Ada"}, "enrollments": 1, "blocked": [1],
    }  # fmt: skip
    run("resume", 1, "--db", "crm.db")
    run("run", "--db", "crm.db", "--once", "--maildir", "outbox")
    (mail,) = mailbox.Maildir("outbox", create=False)
    assert (mail["To"], mail["Subject"]) == ("b@example.com", "Your request, Ada")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Company", "Company is another field than company, which is left as it was; did you mean --field company=..."),
        ("First Name", "did you mean --field first_name=...?"),
        ("home town", "did you mean --field 'Home Town=...'?"),
        ("phone-no", "did you mean --field phone_no=...?"),
        ("E-Mail", "did you mean --email?"),
        ("company", None), ("city", None), ("first_name", None),
    ],
)  # fmt: skip
def test_an_update_of_another_spelling(run, inbound, typed, said):
    """A field that is new, and looks like one that is stored or that a text asks for, is asked about as by `enroll`."""
    more = Sequence("More", [Step(Task("Call {{ phone_no }}"))])
    Path("leads.csv").write_text(
        "resource_type,resource_id,email,company,Home Town\nlead,1,a@x.de,Acme,Bonn\n", "utf-8"
    )
    run("enroll", inbound, "--leads", "leads.csv", "--db", "crm.db", "--anyway")
    with closing(SQLiteStore("crm.db")) as store:
        Engine(store).enroll(more, Resource("lead", 1, "a@x.de", {"company": "Acme", "Home Town": "Bonn"}))

    done = run("update", "lead", 1, "--db", "crm.db", "--field", f"{typed}=New", "--json")

    assert (done.status, done.document["fields"][typed]) == (0, "New")
    assert (said is None and done.err == "") or said in done.err.splitlines()[-1]


@given(st.lists(st.text(string.ascii_letters + "_- .", min_size=1, max_size=9), max_size=5), st.text(min_size=1))
def test_only_another_spelling_is_meant(known, name):
    """What is meant is one of the known, differs from what was typed, and in capitals and marks at most."""
    found = meant(name, known)

    assert found is None or (found in known and found != name)
    for each in known:
        assert meant(each, known) is None
        respelt = re.sub(r"[_. -]", "", each).swapcase()
        assert respelt in known or meant(respelt, known) is not None


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["lead", 1], 2, "give --email"),
        (["lead", 1, "--email", " "], 2, "needs an address"),
        (["lead", 1, "--field", "company"], 2, "NAME=VALUE"),
        (["lead", 1, "--field", "=Acme"], 2, "NAME=VALUE"),
        (["lead", 99, "--email", "a@example.com"], 1, "no ongoing enrollment of 'lead 99'"),
        (["lead", 1, "--email", "BEN@example.com"], 1, "(enrollment 2, active)"),
    ],
)
def test_an_update_that_is_refused(run, db, words, status, said):
    """What is not said, nobody, and an address that another lead has there are refused with the reason (L9, S6)."""
    done = run("update", *words, "--db", db)

    assert (done.status, done.out) == (status, "")
    assert said in done.err


def test_an_update_decides_nothing_that_was_not_said(run, db):
    """Where a lead's enrollments hold different addresses or values, the one that is meant has to be typed."""
    store = SQLiteStore(db)
    engine = Engine(store=store)
    other = Sequence("Other", [Step(Task("Call"))])
    engine.enroll(other, Resource("lead", 1, "new@example.com", {"company": "New", "city": "Oslo"}))
    words = ("update", "lead", 1, "--db", db)

    assert "say with --email which" in run(*words, "--field", "company=Acme").err
    assert "say with --field company=..." in run(*words, "--email", "new@example.com").err
    assert run(*words, "--email", "new@example.com", "--field", "company=Acme").status == 0

    persons = [each.resource for each in engine.enrollments(Resource("lead", 1))]
    store.close()
    assert persons[0] == persons[1]
    assert dict(persons[0].fields) == {"first_name": "Ada", "company": "Acme", "city": "Oslo"}
    assert persons[0].timezone == "Europe/Warsaw"


def test_resume_all_that_are_blocked_for_one_reason(run, started, monkeypatch):
    """All go on, batch by batch, and then none is left; another reason's stay; a sequence narrows it."""
    monkeypatch.setattr("sequencer.cli.acting._BATCH", 1)
    for id, reason in ((1, "paused"), (2, "holiday"), (3, "paused")):
        run("block", id, "--db", started, "--reason", reason)
    words = ("resume", "--blocked", "paused", "--db", started)

    assert "no sequence 'nothing'" in run(*words, "--sequence", "nothing").err
    done = run(*words, "--sequence", "Inbound follow-up", "--json")
    assert done.document == {"blocked_reason": "paused", "resumed": 2, "enrollments": [1, 3]}
    assert "nothing is blocked for paused" in run(*words).out
    assert run("resume", "--blocked", "holiday", "--db", started, "--skip").out == (
        "resumed 1 enrollment blocked for holiday\n"
    )
    assert run("show", 2, "--db", started, "--json").document["steps"][1]["status"] == "skipped"
    assert run("resume", "--db", started).status == 2
    assert run("resume", 1, "--blocked", "paused", "--db", started).status == 2
    assert run("resume", 1, "--sequence", "Inbound follow-up", "--db", started).status == 2


def test_finish(run, started):
    """An enrollment is ended by somebody; then nothing but looking is allowed."""
    done = run("finish", 1, "--db", started, "--actor", "7", "--json")

    assert done.document["enrollment"]["finished_actor_id"] == 7
    assert run("finish", 1, "--db", started).status == 0
    refused = run("block", 1, "--db", started)
    assert (refused.status, refused.out) == (1, "")
    assert "cannot block what is finished" in refused.err


def test_signal(run, started):
    """A reply ends every enrollment of the address, once; the same key with other content is refused."""
    words = ("signal", "replied", "--db", started, "--key", "m-1")

    assert run(*words, "--email", "ADA@example.com", "--json").document == {"changed": [1], "repeated": False}
    assert run(*words, "--email", "ADA@example.com", "--json").document == {"changed": [1], "repeated": True}
    assert run(*words, "--email", "ben@example.com").status == 1
    assert "finished: replied" in run("list", "--db", started).out


@pytest.mark.parametrize(
    ("kind", "more", "state"),
    [
        ("meeting_booked", [], "finished"),
        ("converted", [], "finished"),
        ("resource_deleted", [], "finished"),
        ("unsubscribed", [], "finished"),
        ("bounced", [], "blocked"),
        ("out_of_office", ["--until", "2125-01-02"], "blocked"),
        ("opened", [], "active"),
        ("clicked", [], "active"),
        ("soft_bounced", ["--at", "2026-01-01T10:00"], "active"),
    ],
)
def test_every_kind_of_report(run, started, kind, more, state):
    """Each outside report does what the policy says, whether it names a resource or an enrollment."""
    by_resource = run("signal", kind, "--db", started, "--key", "a", "--resource", "lead", "1", *more)
    by_id = run("signal", kind, "--db", started, "--key", "b", "--enrollment", "2", *more)

    assert (by_resource.status, by_id.status) == (0, 0)
    states = [each["state"] for each in run("list", "--db", started, "--json").document["enrollments"]]
    assert states == [state, state, "active"]


def test_an_opt_out_is_never_nothing(run, started):
    """Who opts out when nobody of theirs is ongoing gets no more mail: it is said, and no history denies it."""
    run("finish", "1", "--db", started)

    done = run("signal", "unsubscribed", "--db", started, "--key", "late", "--enrollment", "1")

    assert "noted; it changed no enrollment\n`sequencer suppress` lists the addresses that get no more mail" in done.out
    assert "ada@example.com" in run("suppress", "--db", started).out
    assert "a report was noted, and left the enrollment as it was" in run("history", "1", "--db", started).out


def test_answers_of_ports(run, db):
    """A port's answer that comes by hand matches by the effect's key."""
    with SQLiteStore(db).transaction() as transaction:
        held = transaction.get(1)
    assert held is not None
    key = held.enrollment.key_of(held.enrollment.steps[0])

    done = run("signal", "email_sent", "--db", db, "--key", "s-1", "--effect-key", key, "--message-id", "<m@example>")

    assert done.status == 0
    assert run("signal", "task_completed", "--db", db, "--key", "s-2", "--task", "77", "--json").document == {
        "changed": [],
        "repeated": False,
    }


def test_suppress(run, started, inbound):
    """A suppressed address is listed and cannot be enrolled; lifting allows it again."""
    assert run("suppress", "dora@example.com", "--db", started, "--json").document["changed"] is True
    assert run("suppress", "Dora@Example.com", "--db", started, "--json").document["changed"] is False
    assert [each["address"] for each in run("suppress", "--db", started, "--json").document["suppressed"]] == [
        "dora@example.com"
    ]
    Path("dora.csv").write_text(
        "resource_type,resource_id,email,first_name,company\nlead,9,dora@example.com,Dora,X\n", encoding="utf-8"
    )
    refused = run("enroll", inbound, "--leads", "dora.csv", "--db", started, "--json")
    assert (refused.status, refused.document["refused"][0]["code"]) == (1, "suppressed")
    assert run("suppress", "dora@example.com", "--lift", "--db", started).status == 0
    assert run("enroll", inbound, "--leads", "dora.csv", "--db", started).status == 0
    assert run("suppress", "--db", started).out == "No address is suppressed.\n"


def test_erase_and_purge(run, started):
    """What is personal of a lead goes, its enrollment ends; what finished before a moment is deleted."""
    assert run("erase", "lead", "1", "--db", started, "--json").document["enrollments"] == 1
    assert b"ada@example.com" not in b"".join(path.read_bytes() for path in Path().glob("crm.db"))
    assert run("show", 1, "--db", started, "--json").document["finished_reason"] == "resource_deleted"
    assert "nothing is stored" in run("erase", "lead", "404", "--db", started).out

    assert run("purge", "--db", started, "--finished-before", "2020-01-01", "--json").document["purged"] == 0
    assert run("purge", "--db", started, "--finished-before", "2125-01-01", "--json").document["purged"] == 1
    assert run("show", 1, "--db", started).status == 1


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mail.example.com", "mail.example.com", None),
        ("mail.example.com:587", "mail.example.com", 587),
        ("127.0.0.1:25", "127.0.0.1", 25),
        ("[::1]:2525", "::1", 2525),
        ("[2001:db8::1]", "2001:db8::1", None),
    ],
)
def test_hosts(text, host, port):
    """A mail server is named with or without a port, also by an IPv6 address in brackets."""
    assert to_host(text) == (host, port)


@pytest.mark.parametrize("text", ["", ":25", "host:", "host:0", "host:65536", "host:x", "::1", "a b:25 "])
def test_hosts_that_are_none(text):
    """What is no host, or no port, is refused; a bare IPv6 address could be read in two ways."""
    with pytest.raises(InvalidInput):
        to_host(text)


def test_what_explain_says_about_an_unknown_outcome_works_as_typed(run, db):
    """Nobody knows whether a mail left: the command that `explain` suggests settles it."""
    mailer = RecordingMailer()
    mailer.lose(times=None)
    with closing(SQLiteStore(db)) as store:
        clock = ManualClock(SystemClock().now())
        Engine(store=store, mailer=mailer, clock=clock).run_until(later_by(clock.now(), timedelta(days=7)))
    blocked = run("list", "--db", db, "--state", "blocked", "--json").document["enrollments"]
    id = blocked[0]["id"]
    assert blocked[0]["blocked_reason"] == "outcome_unknown"

    said = run("explain", id, "--db", db).out
    (command,) = re.findall(r"\(sequencer (.*?)\)", said.replace("--db FILE", f"--db {db}"))

    assert run(*command.split()).out == f"changed: enrollment {id}\n"
    assert run("show", id, "--db", db, "--json").document["steps"][0]["status"] == "completed"
