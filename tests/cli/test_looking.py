"""`list`, `show`, `explain`, `history`: what is stored, for people and for programs."""

from __future__ import annotations

import io
import json
import shlex
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pendulum
import pytest

from sequencer import Engine, ManualClock, Resource, Sequence, SQLiteStore, Step, Task
from sequencer.cli.output import Output, Styled, Table, clean
from sequencer.core.events import EVENT_TYPES


def test_list(run, started):
    """Each enrollment is a line that says where it stands and what comes next, on its own clock."""
    done = run("list", "--db", started)

    lines = done.out.splitlines()
    assert (done.status, done.err) == (0, "")
    assert lines[0].split() == ["id", "sequence", "resource", "state", "step", "last", "next", "zone"]
    assert len(lines) == 5
    assert "contact c-3" in lines[4]


def test_sequences(run, db):
    """Each sequence is listed with the key that `list --sequence` wants, and with how its enrollments stand."""
    assert run("finish", 2, "--db", db, "--reason", "replied").status == 0
    assert run("block", 3, "--db", db).status == 0

    (found,) = run("sequences", "--db", db, "--json").document["sequences"]

    assert found == {
        "key": "Inbound follow-up", "name": "Inbound follow-up", "version": 1, "total": 3,
        "active": 1, "blocked": {"paused": 1}, "finished": {"replied": 1}, "reply_rate": 1.0,
    }  # fmt: skip
    assert run("sequences", "--db", db).out.splitlines()[2].split()[-6:] == ["1", "3", "1", "1", "1", "100.0%"]
    listed = run("list", "--db", db, "--sequence", found["key"], "--json").document["enrollments"]
    assert len(listed) == found["total"]
    assert run("sequences", "--db", db, "--account", "other").out == "No sequences.\n"


def test_pages(run, db):
    """A page ends at its limit and says where the next begins; the last one says nothing."""
    first = run("list", "--db", db, "--limit", 2, "--json").document
    second = run("list", "--db", db, "--limit", 2, "--after", first["next_after"], "--json").document

    assert [each["id"] for each in first["enrollments"]] == [1, 2]
    assert ([each["id"] for each in second["enrollments"]], second["next_after"]) == ([3], None)
    assert "There are more: --after 2" in run("list", "--db", db, "--limit", 2).out


def test_who_is_in_another_account_is_not_nobody(run):
    """Where all are in accounts with names, what shows none without --account says so, and with one it does not."""
    calls, lead = Sequence("Call", [Step(Task("Call"))]), Resource("lead", 1)
    with closing(SQLiteStore("crm.db")) as store:
        Engine(store).account("acme").enroll(calls, lead)
        hint = (
            "\nThat is in the account without a name; people are enrolled in others, which `sequencer doctor` counts "
            "and --account names.\n"
        )
        for command, what in (("list", "enrollments"), ("tasks", "tasks"), ("sequences", "sequences")):
            assert run(command, "--db", "crm.db").out == f"No {what}.{hint}"
            assert hint not in run(command, "--db", "crm.db", "--account", "other").out
        Engine(store).enroll(calls, lead)
        assert run("list", "--db", "crm.db", "--state", "finished").out == "No enrollments.\n"


def test_who_has_finished_in_another_account_is_there(run):
    """The hint of another account does not end with the work there, and is silenced by no sign in what was asked."""
    hint = "people are enrolled in others, which `sequencer doctor` counts and --account names"
    with closing(SQLiteStore("crm.db")) as store:
        assert "account" not in run("list", "--db", "crm.db").out
        engine = Engine(store).account("acme")
        engine.finish(engine.enroll(Sequence("Call", [Step(Task("Call"))]), Resource("lead", 1)).id)
    assert hint in run("list", "--db", "crm.db").out
    for sequence in ("A", "A;b", "A; b"):
        assert run("list", "--db", "crm.db", "--sequence", sequence).err.endswith(
            f"no sequence {sequence!r}; nobody is in the account without a name; {hint}\n"
        )


@pytest.mark.parametrize("account", ["acme", "7", 7])
def test_what_is_in_another_account(run, account):
    """Whoever holds the whole file is told in which account something is, and who asks for one account is not (S7)."""
    with closing(SQLiteStore("crm.db")) as store:
        engine = Engine(store).account(account)
        engine.enroll(Sequence("Call", [Step(Task("Call"))]), Resource("lead", 1))
        assert engine.tick().handed_over == 1
        (task,) = engine.tasks()
    asked = ["show 1", "explain 1", "history 1", "skip 1", "block 1", "resume 1", "finish 1", f"complete {task.id}"]
    words = shlex.quote(f'"{account}"' if account == "7" else str(account))
    for command in asked:
        done = run(*command.split(), "--db", "crm.db")
        assert (done.status, done.out) == (1, "")
        assert done.err.endswith(f"; it is in another account: --account {words}\n")
        done = run(*command.split(), "--db", "crm.db", "--account", "other")
        assert (done.status, done.out) == (1, "")
        assert "account" not in done.err
    assert run("show", 2, "--db", "crm.db").err == "sequencer show: no enrollment 2\n"
    assert run("show", 1, "--db", "crm.db", "--account", *shlex.split(words)).status == 0
    for person in (["update", "lead/1", "--email", "a@example.com"], ["erase", "lead/1"]):
        done = run(*person, "--db", "crm.db")
        assert "`sequencer doctor` counts and --account names" in done.out + done.err


def test_the_sequence_that_is_meant(run, db):
    """A key that there is not is refused, and the one that is meant is named, whatever it was asked for."""
    for command in (["list"], ["list", "--due"], ["list", "--overdue"], ["resume", "--blocked", "paused"]):
        done = run(*command, "--db", db, "--sequence", "INBOUND follow up")
        assert (done.status, done.out) == (1, "")
        assert done.err.endswith("no sequence 'INBOUND follow up'; did you mean 'Inbound follow-up'?\n")
    assert run("list", "--db", db, "--sequence", "x").err.endswith("'x'; `sequencer sequences` has the keys\n")


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--resource", "lead", "2"], [2]),
        (["--resource", "contact", "c-3"], [3]),
        (["--resource", "lead", '"2"'], []),
        (["--state", "active"], [1, 2, 3]),
        (["--state", "finished"], []),
        (["--sequence", "Inbound follow-up"], [1, 2, 3]),
        (["--account", "acme"], []),
        (["--resource", "lead/2"], [2]),
        (["--resource=contact/c-3"], [3]),
        (["--resource", 'lead/"2"'], []),
    ],
)
def test_filters(run, db, words, ids):
    """The list can be narrowed; an id in digits is a number, in double quotes it is text; accounts see their own."""
    assert [each["id"] for each in run("list", "--db", db, *words, "--json").document["enrollments"]] == ids


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--reason", "paused"], [1]),
        (["--reason", "replied"], [2]),
        (["--reason", "replied", "--state", "finished"], [2]),
        (["--reason", "replied", "--state", "blocked"], []),
        (["--reason", "paused", "--sequence", "Inbound follow-up"], [1]),
        (["--reason", "paused", "--resource", "lead/1"], [1]),
        (["--reason", "paused", "--after", "1"], []),
        (["--due"], [5, 3]),
        (["--due", "--sequence", "Inbound follow-up"], [3]),
        (["--due", "--resource", "lead", "7", "--state", "active"], [5]),
        (["--due", "--account", "acme"], []),
        (["--overdue"], [4, 5]),
        (["--overdue", "--sequence", "Inbound follow-up"], []),
        (["--overdue", "--after", "3", "--limit", "1"], [4]),
        (["--overdue", "--state", "blocked"], [4]),
        (["--overdue", "--reason", "on holiday"], [4]),
    ],
)
def test_who_is_stuck(run, db, words, ids):
    """Who stands for a reason, is due, or is overdue is found by it, with whatever else is asked for."""
    call = Sequence("Call", [Step(Task("Call"))])
    long_ago = ManualClock(pendulum.datetime(2026, 3, 2, 9, tz="UTC"))
    with closing(SQLiteStore(db)) as store:
        engine = Engine(store, clock=long_ago)
        engine.enroll(call, Resource("lead", 6), timezone="UTC")
        engine.block(4, reason="on holiday")
        engine.enroll(call, Resource("lead", 7), timezone="UTC")
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE sequencer_enrollments SET wake_at = wake_at - 86400000000 WHERE id = 3")
    with closing(SQLiteStore(db)) as store:
        engine = Engine(store)
        engine.block(1)
        engine.finish(2, reason="replied")
        assert engine.enrollments(Resource("lead", 7))[0].id == 5
    assert [each["id"] for each in run("list", "--db", db, *words, "--json").document["enrollments"]] == ids


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--due", "--overdue"], "not allowed with"),
        (["--due", "--state", "blocked"], "--state: what is due is active"),
        (["--due", "--reason", "paused"], "--reason: is why one is blocked or finished"),
        (["--state", "active", "--reason", "paused"], "--reason: is why one is blocked or finished"),
        (["--overdue", "--state", "finished"], "--state: what is finished is not overdue"),
        (["--due", "--after", "3"], "--after: goes on by number"),
        (["--reason", ""], "reason: "),
        (["--resource", "lead"], "--resource: needs TYPE ID or TYPE/ID, like lead 42 or lead/42"),
        (["--resource", "lead", "--due"], "--resource: needs TYPE ID or TYPE/ID, like lead 42 or lead/42"),
    ],
)
def test_what_nobody_can_be(run, db, words, said):
    """What can be true of nobody is refused, instead of being answered with nobody."""
    done = run("list", "--db", db, *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err


def test_a_reason_that_nobody_has(run, db):
    """It is no mistake, since hosts bring their own; but the one that is meant is named, whoever brought it."""
    run("block", 1, "--db", db, "--reason", "wrong-number")

    def told(reason):
        done = run("list", "--db", db, "--reason", reason, "--json")
        assert (done.status, done.document["enrollments"]) == (0, [])
        return done.err

    assert told("delivery_faild").endswith("for 'delivery_faild'; did you mean delivery_failed?\n")
    assert told("Wrong-Number").endswith("; did you mean wrong-number?\n")
    assert told("xyzzy").endswith("for 'xyzzy'; here it is wrong-number\n")
    assert told("bounced") == ""
    assert run("list", "--db", db, "--reason", "wrong-number").err == ""


def test_more_are_due_than_are_shown(run, db):
    """Who is due comes by how long it waits, so the list says how to see more, and that no number leads on."""
    done = run("list", "--db", db, "--due", "--limit", 2)
    assert done.out.endswith("There are more: a greater --limit shows them\n")
    document = run("list", "--db", db, "--due", "--limit", 2, "--json").document
    assert (len(document["enrollments"]), document["next_after"], document["more"]) == (2, None, True)


def test_ids_that_look_alike(run, db):
    """The text "2" and the number 2 are two leads: told apart when shown, and who forgets one is told of the other."""
    store = SQLiteStore(db)
    Engine(store).enroll(Sequence("Call", [Step(Task("Call"))]), Resource("lead", "2", email="bea@example.com"))
    store.close()

    assert [line for line in run("list", "--db", db).out.splitlines() if 'lead "2"' in line]
    assert 'Enrollment 4: lead "2" in Call' in run("show", 4, "--db", db).out
    assert 'lead "2", whose id is text, is another, and was left as it is' in run("erase", "lead", 2, "--db", db).out
    done = run("erase", "lead", '"2"', "--db", db)
    assert done.out.startswith(
        'forgot what was personal of lead "2", in 1 enrollment\nlead 2, whose id is a number, is'
    )


def test_show(run, started):
    """An enrollment is shown with its facts and each step's status and moments."""
    done = run("show", 1, "--db", started)

    assert "Enrollment 1: lead 1 in Inbound follow-up" in done.out
    assert "ada@example.com" in done.out
    assert "  fields    company=Example, first_name=Ada\n" in done.out
    assert any("mail 101" in line and "completed" in line for line in done.out.splitlines())
    document = run("show", 1, "--db", started, "--json").document
    assert (document["steps"][0]["status"], document["merge_fields"]) == ("completed", ["company", "first_name"])
    run("erase", "lead", 1, "--db", started)
    assert "fields" not in run("show", 1, "--db", started).out


def test_explain(run, started):
    """The sentences are those of the engine, one a line."""
    document = run("explain", 2, "--db", started, "--json").document

    assert document["id"] == 2
    assert run("explain", 2, "--db", started).out.splitlines() == document["sentences"]


def test_l8_a_suppressed_address_is_told_before_its_mail_comes_due(run, started):
    """`show` and `explain` say that the next mail will not leave, in words and as data, until that is lifted."""
    explain, show = (("explain", 1, "--db", started), ("show", 1, "--db", started))
    assert run(*explain, "--json").document["suppressed_position"] is None
    assert run(*show, "--json").document["suppressed_position"] is None
    assert "suppressed" not in run(*show).out

    run("suppress", "ADA@example.com", "--db", started)
    assert run(*explain, "--json").document["suppressed_position"] == 2
    assert run(*show, "--json").document["suppressed_position"] == 2
    assert "  The address is suppressed: the mail of step 2 will not leave, and the" in run(*show).out
    assert "  This mail will not leave: the address that is stored is suppressed." in run(*explain).out
    assert "suppressed" not in run("explain", 2, "--db", started).out

    run("suppress", "ada@example.com", "--lift", "--db", started)
    assert "suppressed" not in run(*explain).out + run(*show).out


def test_history(run, started):
    """Every event is listed with its meaning, and as data with its facts."""
    events = run("history", 1, "--db", started, "--json").document["events"]

    assert [event["type"] for event in events] == ["enrolled", "email_requested", "email_sent"]
    assert events[0]["facts"]["started_at"].endswith("Z")
    done = run("history", 1, "--db", started).out
    assert all(EVENT_TYPES[event["type"]] in done for event in events)


@pytest.mark.parametrize("command", ["show", "explain", "history", "skip", "finish", "block", "resume"])
def test_an_unknown_enrollment(run, db, command):
    """An id that nobody has is refused by the state of things, not by a traceback."""
    done = run(command, 404, "--db", db, *([] if command in {"skip", "finish", "block", "resume"} else ["--json"]))

    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"sequencer {command}: no enrollment 404")


def test_another_accounts_enrollment(run, db):
    """An account does not see, or touch, what is another's."""
    assert run("show", 1, "--db", db, "--account", "acme").status == 1
    assert run("finish", 1, "--db", db, "--account", "acme").status == 1
    assert run("show", 1, "--db", db, "--json").document["state"] == "active"


def test_doctor(run, started):
    """A store in good order passes; the versions, the settings and the counts are there."""
    done = run("doctor", "--db", started, "--json")

    checks = {check["name"]: check for check in done.document["checks"]}
    assert (done.status, done.document["healthy"]) == (0, True)
    assert checks["journal mode"]["found"] == "wal"
    assert checks["synchronous"]["found"] == "full"
    assert checks["integrity"]["found"] == "ok"
    assert checks["counts"]["found"]["enrollments"] == 3
    assert set(checks) >= {"python", "packages", "zone data", "clock", "schema", "oldest lease", "oldest overdue"}
    assert run("doctor").status == 0


def test_doctor_counts_by_account(run, db):
    """Whose enrollments there are is told where somebody has a name, and nobody meets the notion before."""

    def found():
        checks = run("doctor", "--db", db, "--json").document["checks"]
        return [check["found"] for check in checks if check["name"] == "by account"]

    assert found() == []
    with closing(SQLiteStore(db)) as store:
        for account, many in (("acme", 2), ("7", 1), (7, 1)):
            for n in range(many):
                Engine(store).account(account).enroll(Sequence("Call", [Step(Task("Call"))]), Resource("lead", n))
    assert found() == [{"(no name)": 3, "acme": 2, '"7"': 1, "7": 1}]


def test_doctor_names_what_is_blocked(run, started):
    """What waits for a person is worth a look, by reason."""
    run("block", 1, "--db", started, "--reason", "holiday")

    done = run("doctor", "--db", started, "--json")

    blocked = next(check for check in done.document["checks"] if check["name"] == "blocked")
    assert (blocked["found"], blocked["verdict"]) == ({"holiday": 1}, "look")


def test_doctor_sees_a_worker_that_died(run, started):
    """What it had claimed long ago is counted as abandoned, and its lease is worth a look."""
    with closing(SQLiteStore(started)) as store, store.transaction() as transaction:
        (held,) = transaction.claim(pendulum.datetime(2125, 1, 1, tz="UTC"), 1, 60.0)
        transaction.renew([(held.enrollment.id, held.fence)], pendulum.datetime(2026, 1, 1, tz="UTC"))

    done = run("doctor", "--db", started, "--json")

    checks = {check["name"]: check for check in done.document["checks"]}
    assert (checks["waiting"]["found"]["abandoned"], checks["waiting"]["found"]["claimed"]) == (1, 0)
    assert (checks["oldest lease"]["found"], checks["oldest lease"]["verdict"]) == (
        "ended 2026-01-01T00:00:00Z",
        "look",
    )


def test_doctor_misses_nobody_where_a_worker_could_not_tell(run, started):
    """What was set aside long ago is counted as due, since its lease ended, and no worker is said to have died."""
    with closing(SQLiteStore(started)) as store, store.transaction() as transaction:
        (held,) = transaction.claim(pendulum.datetime(2125, 1, 1, tz="UTC"), 1, 60.0)
        transaction.renew([(held.enrollment.id, held.fence)], pendulum.datetime(2026, 1, 1, tz="UTC"))
        transaction.set_aside([(held.enrollment.id, held.fence)])

    done = run("doctor", "--db", started, "--json")

    checks = {check["name"]: check for check in done.document["checks"]}
    assert checks["waiting"]["found"] == {"due": 1, "claimed": 0, "abandoned": 0}
    assert (checks["oldest lease"]["found"], checks["oldest lease"]["verdict"]) == (None, "ok")
    assert checks["next due"]["found"] == "2026-01-01T00:00:00Z"


def test_doctor_finds_a_newer_schema(run, started):
    """A store of a later release is wrong here, and the remedy is named; every other command refuses it."""
    with closing(sqlite3.connect(started)) as connection, connection:
        connection.execute("INSERT INTO sequencer_migrations VALUES (999, 'later', '9.9')")

    done = run("doctor", "--db", started)

    assert done.status == 1
    assert "upgrade the package" in done.out
    refused = run("list", "--db", started)
    assert (refused.status, refused.out) == (1, "")
    assert "schema 999" in refused.err


def test_doctor_finds_damage(run, started):
    """A file that is damaged inside is found wrong, without a traceback."""
    with closing(sqlite3.connect(started)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(Path(started).read_bytes())
    content[8192:-4096] = b"\xa5" * (len(content) - 12288)
    Path(started).write_bytes(content)

    done = run("doctor", "--db", started)

    assert done.status in {1, 2}
    assert "Traceback" not in done.err


@pytest.mark.parametrize("ways", [["--dry-run", "--sql"], ["--sql"]])
def test_migrate(run, ways):
    """Who asks for the SQL gets that and no file; then the file is made, and a second time there is nothing."""
    shown = run("migrate", "--db", "new.db", *ways)
    assert "CREATE TABLE sequencer_enrollments" in shown.out
    assert not Path("new.db").exists()

    assert run("migrate", "--db", "new.db", "--json").document["applied"] >= 1

    assert "nothing to do" in run("migrate", "--db", "new.db").out
    assert run("list", "--db", "new.db").out == "No enrollments.\n"


def test_migrate_a_hosts_own_file(run):
    """The tables can live in a database that is somebody else's; only `migrate` and `enroll` put them there."""
    with closing(sqlite3.connect("host.db")) as connection, connection:
        connection.execute("CREATE TABLE customers (name)")

    assert run("list", "--db", "host.db").status == 2
    assert run("migrate", "--db", "host.db").status == 0
    assert run("list", "--db", "host.db").status == 0


# -- how it looks ---------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def table() -> Table:
    """A table with colours, wide letters, numbers and markup that is none."""
    table = Table([">id", "name", "note"])
    table.add(1, Styled("東京", "bold red"), "[red]as it is[/red]")
    table.add(22, "Zoë", None)
    return table


def test_plain_tables(table):
    """Piped, a table is aligned text; wide letters count as two columns, and nothing is coloured or cut."""
    stream = io.StringIO()
    Output(stdout=stream).table(table)

    assert stream.getvalue().splitlines() == [
        "id  name  note",
        "--  ----  -------------------",
        " 1  東京  [red]as it is[/red]",
        "22  Zoë",
    ]


def test_tables_on_a_terminal(table, monkeypatch):
    """On a terminal a table has colours, and fits into its width."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "24")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    Output(stdout=stream).table(table)

    assert "\x1b[" in stream.getvalue()
    assert "[red]" in stream.getvalue()


def test_a_narrow_terminal(monkeypatch):
    """Where there is no room, columns that can be missed are left out from the left, and the others are kept whole."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    table = Table([">id", "?first", "?second", "=when"])
    table.add(1, "a" * 14, "b" * 14, "2026-03-27 16:30")
    shown = {}
    for width in ("60", "40", "24"):
        monkeypatch.setenv("COLUMNS", width)
        stream = Terminal()
        Output(stdout=stream).table(table)
        shown[width] = stream.getvalue().splitlines()[-1].split()

    assert shown["60"] == ["1", "a" * 14, "b" * 14, "2026-03-27", "16:30"]
    assert shown["40"] == ["1", "b" * 14, "2026-03-27", "16:30"]
    assert shown["24"] == ["1", "2026-03-27", "16:30"]


def test_without_rich(table, monkeypatch):
    """Without the extra, a terminal gets the plain tables."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    stream = Terminal()
    Output(stdout=stream).table(table)

    assert stream.getvalue().startswith("id  name  note\n")


def test_no_color(table, monkeypatch):
    """NO_COLOR takes the colours off a terminal, too."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    out = Output(stdout=stream)
    out.table(table)
    out.line("plain ", Styled("red", "red"))

    assert "\x1b[3" not in stream.getvalue()
    assert "plain red" in stream.getvalue()


def test_nothing_reaches_the_terminal_by_itself(run, inbound):
    """Escape sequences, line breaks and directions in what others wrote come out as harmless signs."""
    assert clean("a\x1b[31mb\nc\u202ed") == "a\N{REPLACEMENT CHARACTER}[31mb c\N{REPLACEMENT CHARACTER}d"


def test_an_encoding_that_knows_little(table):
    """Where a letter cannot be shown, its code is; nothing fails."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stdout=stream).table(table)
    stream.flush()

    assert b"\\u6771\\u4eac" in raw.getvalue()


def test_documents_are_ascii(run, db):
    """A document is the same bytes whatever the terminal's encoding is."""
    done = run("list", "--db", db, "--json")

    assert done.out.isascii()
    assert json.loads(done.out)
