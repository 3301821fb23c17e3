"""The plugin of pytest: what it collects, what it says when something fails, and what it costs who does not use it."""

from __future__ import annotations

import re
import shlex
import textwrap
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given

import sequencer.design
import sequencer.stores.memory
import sequencer.testing.collecting  # so that runs in this process find all of it imported
from sequencer.cli import main
from sequencer.definitions import dumps, loads
from sequencer.design.deciding import scope
from sequencer.design.deciding.scope import to_scope
from sequencer.design.deciding.searching import decide_all
from sequencer.testing.collecting import names
from sequencer.testing.plugin import PROFILES
from sequencer.testing.strategies import sequences

pytest_plugins = ["pytester"]

GOOD = """\
name: Inbound
timezone: Europe/Warsaw
steps:
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1}
  - action_type: automated_email
    delay_from_previous_step: 2
    delay_from_previous_step_unit: weekdays
    action_properties: {email_template_id: 2, is_reply: true}
templates:
  1: {subject: "Your request", body: "When would a call suit you?"}
  2: {subject: "Your request", body: "I am here."}
expect:
  - min_between_emails: {hours: 24}
  - max_emails: {count: 2, days: 7}
"""
REFUTED = "  - max_duration: {weekdays: 1}\n"
"""An expectation that does not hold of it: on line 18."""


def run(pytester, *arguments, **files):
    """Pytest in this process, in a folder with these files (`inbound=text` is `inbound.sequence.yaml`)."""
    for name, text in files.items():
        (pytester.path / f"{name}.sequence.yaml").write_text(text, encoding="utf-8")
    return pytester.runpytest_inprocess("--sequence-since=2026-01-05", *arguments)


def collected(result):
    """The ids that `--collect-only -q` has listed."""
    return [line for line in result.outlines if "::" in line]


# -- collecting --------------------------------------------------------------------------------------------------------


def test_one_item_an_expectation_and_one_for_the_findings(pytester):
    """Every expectation of a file is an item with a readable id, in order, and the last one is for the findings."""
    again = GOOD + '  - min_between_emails: {hours: 24}\n  - no_email_on: {days: [sat, sun], from: "15:00"}\n'
    result = run(pytester, "--collect-only", "-q", inbound=again)

    assert collected(result) == [
        "inbound.sequence.yaml::min_between_emails[24 hours]",
        "inbound.sequence.yaml::max_emails[2 in 7 days]",
        "inbound.sequence.yaml::min_between_emails[24 hours #2]",
        "inbound.sequence.yaml::no_email_on[sat,sun from 15:00]",
        "inbound.sequence.yaml::findings",
    ]


def test_only_sequence_files_are_collected(pytester):
    """YAML under both its suffixes and JSON are collected where the name says so, wherever they lie."""
    (pytester.path / "below").mkdir()
    for name in ("a.sequence.yaml", "below/b.sequence.yml", "inbound.yaml", "sequence.yaml", "a.sequence.yaml.txt"):
        (pytester.path / name).write_text(GOOD, encoding="utf-8")
    (pytester.path / "c.sequence.json").write_text(dumps(loads(GOOD), format="json"), encoding="utf-8")
    ids = collected(run(pytester, "--collect-only", "-q"))

    assert {each.partition("::")[0] for each in ids} == {"a.sequence.yaml", "below/b.sequence.yml", "c.sequence.json"}


@given(sequences().map(lambda sequence: [*sequence.expect, *sequence.expect]))
def test_ids_tell_expectations_apart(expectations):
    """Whatever is expected, however often, every item has an id of its own that begins with its kind and is plain."""
    found = names(expectations)

    assert len(set(found)) == len(expectations)
    for name, expect in zip(found, expectations, strict=True):
        assert name.startswith(f"{next(iter(expect))}[")
        assert name.endswith("]")
        assert "::" not in name
        assert name.isprintable()


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["-k", "max_emails"], ["max_emails[2 in 7 days]"]),
        (["-k", "inbound and findings"], ["findings"]),
        (["-m", "not sequence_file"], []),
        (["inbound.sequence.yaml::min_between_emails[24 hours]"], ["min_between_emails[24 hours]"]),
        (["inbound.sequence.yaml::max_emails"], ["max_emails[2 in 7 days]"]),
    ],
    ids=lambda given: given[-1] if given else "none",
)
def test_items_are_chosen_as_tests_are(pytester, arguments, ids):
    """Words, markers and ids pick items as they pick tests, with markers strict."""
    result = run(pytester, "--collect-only", "-q", "--strict-markers", *arguments, inbound=GOOD)

    assert [each.partition("::")[2] for each in collected(result)] == ids


def test_a_file_that_is_not_valid_is_one_clear_error(pytester):
    """What is wrong with a file is said with line and column, all at once, and nothing else: no line of a traceback."""
    bad = GOOD.replace("weekdays\n", "weeks\n").replace("is_reply: true", "is_replay: true")
    result = run(pytester, "-q", inbound=bad, other=GOOD)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting inbound.sequence.yaml*",
            "inbound.sequence.yaml:10:36: *delay_from_previous_step_unit: *",
            "inbound.sequence.yaml:11:47: unknown_key: *is_reply*",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*.py:*")
    result.stdout.no_fnmatch_line("*Traceback*")


# -- running -----------------------------------------------------------------------------------------------------------


def test_what_holds_passes(pytester):
    """A sequence that is as it should be passes, and says on request what was found."""
    result = run(pytester, "-rA", inbound=GOOD)

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*Captured verdict call*", "*proved*"])
    result.stdout.no_fnmatch_line("*proved*, with*")


def test_what_waits_for_tasks_says_so(pytester):
    """What is proved with tasks done when due says that, as `sequencer check` does."""
    calls = GOOD.replace("- action_type: automated_email\n    delay_from_previous_step: 2",
                         "- action_type: task\n    delay_from_previous_step: 2")  # fmt: skip
    calls = calls.replace("{email_template_id: 2, is_reply: true}", "{task_content: Call}")
    result = run(pytester, "-rA", "-k", "duration", inbound=calls + "  - max_duration: {weekdays: 9}\n")

    result.assert_outcomes(passed=1, deselected=3)
    result.stdout.fnmatch_lines(["max_duration: {weekdays: 9} is proved: * zones, with tasks done when due"])


def test_what_is_refuted_fails_with_its_counterexample(pytester):
    """The report of a failure is the case, its timeline with the reasons, the command and the test; no traceback."""
    result = run(pytester, inbound=GOOD + REFUTED)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ max_duration[[]1 weekday[]] _*",
            "inbound.sequence.yaml:18:5: refuted: *",
            "*step 0 (mail): *",
            "*- counts from the start*",
            "*step 1 (mail): *",
            "    sequencer plan inbound.sequence.yaml --start *",
            "    def test_*",
            "FAILED inbound.sequence.yaml::max_duration[[]1 weekday[]] - *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*collecting.py*")


def pasted(result, heading):
    """What stands indented below a heading of the report of a failure."""
    text = result.stdout.str().partition(f"{heading}:\n")[2].lstrip("\n")
    block = re.match(r"(?:    .*\n|\n)*", text)
    assert block is not None
    return textwrap.dedent(block.group()).strip() + "\n"


WITH_A_TASK = GOOD.replace(
    "templates:",
    """\
  - action_type: task
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {task_content: "Call", due_after: {weekdays: 1}}
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 2}
assume:
  tasks_done_within: {weekdays: 5}
templates:""",
)


@pytest.mark.parametrize(
    ("text", "expectation", "mend"),
    [
        (GOOD, "max_duration: {weekdays: 1}", ("previous_step: 2", "previous_step: 1")),
        # The task is done on the day of the case, whatever becomes of the design: the mail before it comes nearer.
        (
            WITH_A_TASK,
            "max_between_emails: {weekdays: 4}",
            ("previous_step: 2", "previous_step: 4"),
        ),
        (GOOD, "stops_on: [replied]", ("policy: {on: {replied: note}}\n", "")),
    ],
    ids=["mails", "task", "report"],
)
def test_what_a_counterexample_prints_runs_as_pasted(pytester, capsys, text, expectation, mend):
    """The command shows the case, and the test fails as long as the design is so, and passes once it is mended."""
    text = (mend[0] if mend[0] not in text else "") + text + f"  - {expectation}\n"
    result = run(pytester, "-k", expectation.partition(":")[0], inbound=text)
    result.assert_outcomes(failed=1, deselected=3)
    capsys.readouterr()
    assert main(shlex.split(pasted(result, "On the command line"))[1:]) == 0
    assert "Inbound, started" in capsys.readouterr().out

    kept = pytester.makepyfile(test_kept=pasted(result, "As a test"))
    strict = ["-W", "error", "--strict-markers", "--strict-config"]
    pytester.runpytest_inprocess(*strict, kept).assert_outcomes(failed=1)
    (pytester.path / "inbound.sequence.yaml").write_text(text.replace(*mend), encoding="utf-8")
    pytester.runpytest_inprocess(*strict, kept).assert_outcomes(passed=1)


def test_reports_point_at_the_line_of_the_expectation(pytester):
    """Where editors and builds look for the place of a failure, they find the file and the line of the expectation."""
    (pytester.path / "inbound.sequence.yaml").write_text(GOOD + REFUTED, encoding="utf-8")
    items, _ = pytester.inline_genitems("--sequence-since=2026-01-05")

    assert [(place.name, line) for place, line, _ in (item.reportinfo() for item in items)] == [
        ("inbound.sequence.yaml", line) for line in (15, 16, 17, 0)
    ]
    result = run(pytester, "--tb=line", "-q")
    result.stdout.fnmatch_lines([f"{pytester.path / 'inbound.sequence.yaml'}:18: *"])


def test_findings_fail_on_what_is_wrong(pytester):
    """Errors and warnings fail the item for the findings, each with its place, its code and its remedy."""
    result = run(pytester, inbound=GOOD.replace("email_template_id: 2", "email_template_id: 3"))

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ findings _*",
            "inbound.sequence.yaml:11:44: warning?template_missing?: *",
            "    remedy: add the text *",
            "FAILED inbound.sequence.yaml::findings - warning?template_missing?: *",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*collecting.py*")


def finding(severity, silenced=None):
    return sequencer.design.Finding(
        code=f"some_{severity}",
        severity=severity,
        place="steps[1].delay_from_previous_step",
        message="is odd",
        remedy="make it even",
        silenced=silenced,
    )


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        ([finding("advice")], True),
        ([finding("warning", "we want it so"), finding("error", "we want it so")], True),
        ([finding("advice"), finding("warning")], False),
        ([finding("error"), finding("warning", "we want it so")], False),
    ],
    ids=["advice", "silenced", "warning", "error"],
)
def test_advice_and_what_is_silenced_pass(pytester, monkeypatch, found, passes):
    """Advice fails nothing, nor does what was silenced; on request both are shown, with the remedy or the reason."""
    monkeypatch.setattr("sequencer.design.find", lambda sequence, **scope: tuple(found))
    result = run(pytester, "-rA", "-k", "findings", inbound=GOOD)

    result.assert_outcomes(passed=passes, failed=not passes, deselected=2)
    for each in found:
        known = f"silenced?{each.code}?: we want it so" if each.silenced else f"{each.severity}?{each.code}?: is odd"
        result.stdout.fnmatch_lines([f"inbound.sequence.yaml:9:31: {known}"])
    assert ("    remedy: make it even" in result.outlines) == any(each.silenced is None for each in found)


def test_a_fault_of_ours_is_shown_as_one(pytester, monkeypatch):
    """What is no verdict, but an error on the way to one, has its traceback as everywhere."""

    def fails(sequence, expects, scope):
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr("sequencer.design.deciding.searching.decide_all", fails)
    result = run(pytester, "-k", "max_emails", inbound=GOOD)

    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*collecting.py*", "E *ZeroDivisionError: by accident"])
    result.stdout.no_fnmatch_line("*_pytest*")


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "settings", "given"),
    [
        ([], "", ("quick", None, None)),
        (["--sequence-profile=thorough", "--sequence-since=2026-02-01"], "", ("thorough", date(2026, 2, 1), None)),
        ([], "sequence_profile=thorough\nsequence_since=2026-02-01", ("thorough", date(2026, 2, 1), None)),
        (
            ["--sequence-profile=quick"],
            "sequence_profile=thorough\nsequence_fields=name firm",
            ("quick", None, ["name", "firm"]),
        ),
    ],
    ids=["nothing", "options", "settings", "both"],
)
def test_how_much_is_tried_is_set(pytester, monkeypatch, arguments, settings, given):
    """Profile, first date and fields come from the command line or the project's settings, in this order."""
    profile, since, fields = given
    decided, looked, find = watched(monkeypatch), [], sequencer.design.find

    def look(sequence, **asked):
        looked.append(asked)
        return find(sequence)

    monkeypatch.setattr("sequencer.design.find", look)
    pytester.makeini(f"[pytest]\n{settings}\n")
    (pytester.path / "inbound.sequence.yaml").write_text(GOOD, encoding="utf-8")
    pytester.runpytest_inprocess("--strict-config", *arguments).assert_outcomes(passed=3)

    ((_, asked),) = decided
    assert asked.profile.name == profile
    assert since in (None, asked.since)
    assert looked == [{"profile": profile, "since": since, "fields": fields}]


def test_the_profiles_are_those_that_there_are():
    """What can be asked for is what a design can be checked with, though asking imports nothing of it."""
    assert list(PROFILES) == list(scope.PROFILES)


def watched(monkeypatch):
    """What is decided from now on, as pairs of expectations and scope; the answers are those of the quick profile."""
    decided = []

    def decide(sequence, expects, scope):
        decided.append((expects, scope))
        return decide_all(sequence, expects, to_scope(sequence, since=date(2026, 1, 5)))

    monkeypatch.setattr("sequencer.design.deciding.searching.decide_all", decide)
    return decided


@pytest.mark.parametrize(
    ("words", "chosen"), [("not findings", [0, 1, 2]), ("between or hours", [0, 2]), ("findings", [])]
)
def test_what_is_to_run_is_decided_together(pytester, monkeypatch, words, chosen):
    """The expectations of a file that were chosen, and no others, are decided in one go, however many they are."""
    decided = watched(monkeypatch)
    text = GOOD + '  - local_hours: {from: "00:00", to: "24:00"}\n'
    result = run(pytester, "-k", words, inbound=text)

    result.assert_outcomes(passed=len(chosen) or 1, deselected=4 - (len(chosen) or 1))
    expects = loads(text).expect
    assert [each for each, _ in decided] == ([[expects[index] for index in chosen]] if chosen else [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sequence-since=tomorrow"], "*sequence_since needs a date like 2026-01-31, got 'tomorrow'*"),
        (["-o", "sequence_profile=fast"], "*sequence_profile must be quick or thorough, got 'fast'*"),
        (["--sequence-profile=fast"], "*--sequence-profile: invalid choice: 'fast'*"),
    ],
)
def test_settings_that_say_nothing_are_refused(pytester, arguments, said):
    """A profile or a date that there is not ends the run before it begins, with what would be right."""
    result = pytester.runpytest_inprocess(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(re.search(re.escape(said.strip("*")), line) for line in result.outlines + result.errlines)


# -- in other people's projects ----------------------------------------------------------------------------------------

LOADED = """
import sys


def pytest_sessionfinish(session):
    print("loaded", *sorted(each for each in sys.modules if each.partition(".")[0] in {packages}))
"""


def test_it_costs_nothing_where_there_is_nothing_to_do(pytester):
    """In a project without sequences a run loads the doors and the plugin, and no dependency; warnings are errors."""
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nmarkers = other: one of the project's own\nxfail_strict = true\n"
    )
    pytester.makeconftest(LOADED.format(packages={"sequencer", "attr", "attrs", "pendulum", "transitions", "yaml"}))
    pytester.makepyfile("def test_one(): pass")
    # Other plugins that the tests' own tools bring load Hypothesis, and that what stands in our entry point for it.
    others = ("-p", "no:hypothesispytest", "-p", "no:schemathesis")
    result = pytester.runpytest_subprocess("--strict-markers", "--strict-config", *others, "-s")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*loaded sequencer sequencer.doors sequencer.testing sequencer.testing.plugin"])


def test_it_works_where_everything_is_strict(pytester):
    """Where warnings are errors, and markers and settings strict, files and fixtures work, in several processes."""
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(USING)
    for name in ("inbound", "outbound"):
        (pytester.path / f"{name}.sequence.yaml").write_text(GOOD + REFUTED, encoding="utf-8")
    strict = ["--strict-markers", "--strict-config", "-n", "2", "--sequence-since=2026-01-05"]
    result = pytester.runpytest_subprocess(*strict)

    result.assert_outcomes(passed=7, failed=2)
    result.stdout.fnmatch_lines(
        ["outbound.sequence.yaml:18:5: refuted: *", "    sequencer plan outbound.sequence.yaml *"]
    )
    result.stdout.fnmatch_lines(["FAILED inbound.sequence.yaml::max_duration[[]1 weekday[]] - *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_it_can_be_left_out(pytester):
    """`-p no:sequencer` leaves files and fixtures alone."""
    (pytester.path / "inbound.sequence.yaml").write_text(GOOD, encoding="utf-8")
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest_inprocess("-p", "no:sequencer", "--fixtures")

    assert "sequence_" not in result.stdout.str()
    pytester.runpytest_inprocess("-p", "no:sequencer").assert_outcomes(passed=1)


# -- fixtures ----------------------------------------------------------------------------------------------------------

USING = """
from sequencer import AutomatedEmail, Hours, Resource, Sequence, Step, Task, Template, Weekdays

WELCOME = Sequence(
    "Welcome",
    [
        Step(AutomatedEmail(1)),
        Step(Task("Call {{ name }}"), after=Weekdays(1)),
        Step(AutomatedEmail(2), after=Hours(4)),
    ],
    templates={1: Template("Hello {{ name }}", "..."), 2: Template("Our call", "...")},
)


def test_the_second_mail_thanks_for_the_call(sequence_engine, sequence_clock, sequence_mailer, sequence_board):
    ada = sequence_engine.enroll(WELCOME, Resource("lead", 1, email="ada@example.com", fields={"name": "Ada"}))
    sequence_engine.run_until(sequence_clock.now().add(days=2))
    (call,) = sequence_board.open
    assert (call.content, sequence_clock.now().isoformat()) == ("Call Ada", "2026-03-04T09:00:00+00:00")
    sequence_engine.complete_task(call.id)
    sequence_engine.run_until(sequence_clock.now().add(hours=4))
    assert [mail.email.subject for mail in sequence_mailer.to("ada@example.com")] == ["Hello Ada", "Our call"]
    assert sequence_engine.get(ada.id).finished_reason == "completed"
"""


def test_fixtures_run_a_sequence_without_waiting(pytester):
    """A test with the fixtures runs a sequence to its end; another begins with nothing sent and nobody enrolled."""
    pytester.makepyfile(
        test_using=USING,
        test_empty="""
        def test_empty(sequence_engine, sequence_mailer, sequence_board):
            assert (sequence_engine.enrollments(), sequence_mailer.sent, sequence_board.tasks) == ((), [], [])
        """,
    )

    pytester.runpytest_inprocess("-W", "error", "-p", "no:randomly", "test_using.py", "test_empty.py").assert_outcomes(
        passed=2
    )


def test_a_project_can_have_its_own_instead(pytester):
    """What a conftest puts in the place of a fixture is what the engine gets: here the embedded board, and a date."""
    pytester.makeconftest(
        """
        import pendulum
        import pytest
        from sequencer import ManualClock


        @pytest.fixture
        def sequence_clock():
            return ManualClock(pendulum.datetime(2030, 1, 7, 8))


        @pytest.fixture
        def sequence_board():
            return None
        """
    )
    pytester.makepyfile(
        """
        from sequencer import Resource, Sequence, Step, Task


        def test_tasks(sequence_engine, sequence_clock):
            sequence_engine.enroll(Sequence("Calls", [Step(Task("Call"))]), Resource("lead", 1))
            sequence_engine.tick()
            (task,) = sequence_engine.tasks()
            assert task.created_at == sequence_clock.now()
            assert task.created_at.year == 2030
        """
    )

    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_fixtures_are_listed(pytester):
    """`pytest --fixtures` lists each with a sentence, and all of them begin with `sequence_`."""
    text = pytester.runpytest_inprocess("--fixtures").stdout.str()
    ours = re.split(r"^-+ fixtures defined from (\S+) -+$", text, flags=re.MULTILINE)
    listed = dict(zip(ours[1::2], ours[2::2], strict=True))["sequencer.testing.plugin"]

    assert set(re.findall(r"^(\w+) -- .*\n    \w", listed, re.MULTILINE)) == {
        "sequence_board", "sequence_clock", "sequence_engine", "sequence_mailer",
    }  # fmt: skip


def test_the_plugin_is_an_entry_point_of_the_package(request):
    """Pytest has found the plugin by itself, under the name that leaves it out; it is the module of the package."""
    plugin = request.config.pluginmanager.get_plugin("sequencer")

    assert Path(plugin.__file__).parts[-3:] == ("sequencer", "testing", "plugin.py")
