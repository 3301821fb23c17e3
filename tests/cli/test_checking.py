"""`check`: what is wrong with a file, what is unwise about a design that is valid, and where in the file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sequencer.core.document import to_document
from sequencer.definitions import dumps
from sequencer.examples import path
from tests.design.designs import DESIGNS, SINCE

AS_OF = ("--since", SINCE.isoformat())
UNWISE = """\
name: Unwise
timezone: Europe/Warsaw
calendar:
  send_windows: [{days: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}]
steps:
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1, is_reply: true}
  - key: call
    action_type: task
    delay_from_previous_step: 1
    delay_from_previous_step_unit: weekdays
    action_properties: {task_content: "Call {{ frist_name }}"}
templates:
  - {id: 1, subject: Hello, body: "Dear {{ first_name }},"}
  - {id: 2, subject: Hello again, body: "Dear {{ first_name }},"}
"""
SILENT = """\
silence:
  - {finding: first_mail_is_reply, because: the thread was begun by hand}
  - {finding: template_unused, because: kept for the next version}
"""
LEADS = "resource_type,resource_id,email,first_name\nlead,1,ada@example.com,Ada\n"


def write(text: str, name: str = "unwise.yaml") -> str:
    """A file with this text, in the folder where commands are run."""
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.parametrize("name", ["scenario-usual.yaml", "scenario-slow-summer.yaml"])
def test_bundled_scenarios_are_valid(run, name):
    """Every bundled scenario passes the check as what it is."""
    done = run("check", path(name))

    assert done.status == 0
    assert "a scenario for simulations" in done.out


def test_a_text_is_as_wrong_as_anything_else(run):
    """What is wrong with the text of a mail, or with the file as YAML, hides nothing else, in this file or the next."""
    bad = UNWISE.replace("weekdays\n    action", "weekday\n    action")
    write(bad.replace("Dear {{ first_name }},", "Dear {{ first_name | title }},", 1), "v.yaml")
    write(f"{bad}name: Again\n", "w.yaml")

    done = run("check", "v.yaml", "w.yaml")
    both = json.loads(run("check", "v.yaml", "w.yaml", "--json").out)

    unit = "13:36: invalid_value: steps[1].delay_from_previous_step_unit: "
    assert done.status == 2
    assert [re.sub('"weekday".*|is no field.*|first in.*', "", line) for line in done.err.splitlines()] == [
        f"v.yaml:{unit}",
        "v.yaml:16:35: invalid_merge_field: templates[0].body: '{{ first_name | title }}' ",
        f"w.yaml:{unit}",
        "w.yaml:18:1: duplicate_key: name: is given twice, ",
    ]
    assert [[each["code"] for each in file["problems"]] for file in both["files"]] == [
        ["invalid_value", "invalid_merge_field"],
        ["invalid_value", "duplicate_key"],
    ]


def test_problems_of_a_scenario(run, tmp_path):
    """What is wrong with a scenario comes as of a definition: with its place, and status 2."""
    (tmp_path / "bad.yaml").write_text("name: Bad\nmails: {refusd: 1}\n", encoding="utf-8")

    done = run("check", "bad.yaml")

    assert done.status == 2
    assert done.err == "bad.yaml:2:9: unknown_key: mails.refusd: is not a key here; did you mean refused?\n"


def test_all_problems_at_once(run, tmp_path):
    """What is wrong with a definition comes as file:line:col: code: message, one line each, and with status 2."""
    (tmp_path / "bad.yaml").write_text("name: Bad\nstep: []\nsteps:\n  - action_type: fax\n", encoding="utf-8")

    done = run("check", "bad.yaml")

    assert (done.status, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("bad.yaml:") and line.split(":")[1].isdecimal() for line in lines)


def test_an_invalid_definition_as_json(run, tmp_path):
    """Whether it is valid is the question, so the document answers it; the status is 2 all the same."""
    (tmp_path / "bad.yaml").write_text("name: Bad\n", encoding="utf-8")

    done = run("check", "bad.yaml", "--json")

    assert done.status == 2
    assert done.document["valid"] is False
    assert done.document["problems"][0]["file"] == "bad.yaml"


def test_several_definitions(run, tmp_path, inbound):
    """Each file gets its answer, the valid ones after a broken one, too; one of them makes it status 2."""
    (tmp_path / "bad.yaml").write_text("name: Bad\n", encoding="utf-8")

    done = run("check", "bad.yaml", inbound)
    assert done.status == 2
    assert f"{inbound}: valid" in done.out
    assert done.err.startswith("bad.yaml:")

    document = run("check", "bad.yaml", inbound, "--json").document
    assert document["valid"] is False
    assert [(each["file"], each["valid"]) for each in document["files"]] == [("bad.yaml", False), (str(inbound), True)]
    assert run("check", inbound, path("renewal.yaml"), "--json").document["valid"] is True


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("cold-outbound.yaml", ["templates_elsewhere"]),
        ("enterprise-12-touch.yaml", ["templates_elsewhere", *["task_waits_for_ever"] * 6]),
        ("inbound-follow-up.yaml", ["mail_at_night_elsewhere", *["task_waits_for_ever"] * 2]),
        (
            "renewal.yaml",
            ["templates_elsewhere", "task_waits_for_ever", "mail_at_night_elsewhere", "task_waits_for_ever"],
        ),
        ("sell-api.json", ["templates_elsewhere", "mail_at_night_elsewhere", "task_waits_for_ever"]),
        ("trial-onboarding.yaml", ["templates_elsewhere", "mail_at_night_elsewhere", "task_waits_for_ever"]),
    ],
)
def test_bundled_definitions_are_wise(run, name, codes):
    """Of every bundled definition there is nothing to say but advice, which is no failure."""
    done = run("check", path(name), *AS_OF, "--json")

    assert done.status == 0
    assert done.document["valid"] is True
    assert done.document["expectations"] == []
    assert [each["code"] for each in done.document["findings"]] == codes
    assert {each["severity"] for each in done.document["findings"]} == {"advice"}


def test_places_in_what_sell_answers(run):
    """Sell's own JSON nests steps deeper than a definition, and findings are placed there all the same."""
    done = run("check", path("sell-api.json"), *AS_OF, "--json")

    lines = path("sell-api.json").read_text(encoding="utf-8").splitlines()
    places = {each["place"]: lines[each["line"] - 1][each["column"] - 1 :] for each in done.document["findings"]}
    assert places == {"steps": "[", "steps[0]": "{", "steps[1].action_properties": "{"}
    task = next(each["line"] for each in done.document["findings"] if each["code"] == "task_waits_for_ever")
    assert '"task_content": "Call the lead"' in lines[task]


def test_findings_for_people(run):
    """Each finding is a line with its place in the file, in its order; a remedy is said once; warnings are status 1."""
    done = run("check", write(UNWISE), *AS_OF)

    assert (done.status, done.err) == (1, "")
    assert (
        done.out
        == """\
unwise.yaml: valid
Unwise: 1 mail, 1 task, on the clock of Europe/Warsaw
unwise.yaml:9:57: warning[first_mail_is_reply]: step 0 (mail 1) is the first mail, and a reply: to none that was \
sent before
    remedy: set is_reply: false; the mails after it may be replies
unwise.yaml:14:24: advice[task_waits_for_ever]: step 1 call (task: Call {{ frist_name }}) waits until somebody \
completes it, and the sequence does not end before that
    remedy: give it a skip_after, like {weekdays: 10}
unwise.yaml:17:5: advice[template_unused]: no mail uses the template 2
    remedy: remove it, or use it in a step
"""
    )


def test_findings_as_json(run):
    """The document has what the contract names, and beside it the line and the column, and whether it is silenced."""
    write(UNWISE + SILENT)
    write(LEADS, "leads.csv")
    done = run("check", "unwise.yaml", "--leads", "leads.csv", *AS_OF, "--json")

    assert done.status == 1
    findings = done.document["findings"]
    assert [(each["code"], each["line"], each["column"], each["silenced"]) for each in findings] == [
        ("first_mail_is_reply", 9, 57, "the thread was begun by hand"),
        ("task_waits_for_ever", 14, 24, None),
        ("merge_field_unknown", 14, 39, None),
        ("template_unused", 17, 5, "kept for the next version"),
    ]
    assert findings[2] == {
        "code": "merge_field_unknown",
        "severity": "error",
        "place": "steps[1].action_properties.task_content",
        "message": "the text of step 1 asks for {{ frist_name }}, which no lead has; did you mean first_name?",
        "remedy": "add the column to the leads, or write the text without the field",
        "silenced": None,
        "line": 14,
        "column": 39,
    }


def test_a_field_that_breaks_a_subject(run):
    """Where a lead's field has a line break and a subject asks for it, the place of the subject is told, no value."""
    write(UNWISE.replace("subject: Hello,", 'subject: "Hello {{ first_name }}",') + SILENT)
    write(LEADS + 'lead,2,ben@example.com,"Ben\nBcc: eve@example.com"\n', "leads.csv")
    done = run("check", "unwise.yaml", "--leads", "leads.csv", *AS_OF)

    assert done.status == 1
    assert (
        "unwise.yaml:16:22: warning[merge_field_breaks]: the subject of mail 1 asks for {{ first_name }}, with a line "
        "break or control character in it for 1 lead\n"
    ) in done.out
    assert "Bcc" not in done.out


def test_a_verdict_carries_its_premise(run):
    """A design that may never end is proved to end with tasks done when due, and the line says so, as does JSON."""
    step = (
        "  - action_type: task\n    delay_from_previous_step: 1\n    delay_from_previous_step_unit: weekdays\n"
        "    action_properties: {{task_content: {}}}\n"
    )
    text = "name: Calls\ntimezone: UTC\nsteps:\n" + step.format("One") + step.format("Two")
    write(f"{text}expect:\n  - max_duration: {{weekdays: 3}}\n  - stops_on: [replied]\n", "calls.yaml")
    asked = ("check", "calls.yaml", "--since", "2026-11-26")

    said = run(*asked).out.splitlines()
    assert "calls.yaml:13:5: proved: max_duration: {weekdays: 3}, with tasks done when due" in said
    assert "calls.yaml:14:5: proved: stops_on: [replied]" in said
    expectations = run(*asked, "--json").document["expectations"]
    assert [each["assuming"] for each in expectations] == [["tasks done when due"], []]


def test_what_is_silenced_is_no_failure(run):
    """With a reason, a warning is a line with that reason, and the status is 0."""
    done = run("check", write(UNWISE + SILENT), *AS_OF)

    assert done.status == 0
    assert "unwise.yaml:9:57: silenced[first_mail_is_reply]: the thread was begun by hand\n" in done.out
    assert "remedy: set is_reply" not in done.out


def test_a_silence_for_no_finding(run):
    """A code that does not exist is refused with the nearest one that does, at its place."""
    done = run("check", write(UNWISE + "silence: [{finding: mail_close, because: so}]\n"))

    assert done.status == 2
    assert done.err.startswith("unwise.yaml:18:21: unknown_finding: silence[0].finding: ")
    assert done.err.endswith('"mail_close" is no finding; did you mean mails_close?\n')


def test_the_worst_of_several_files(run, inbound):
    """With several files, each has its findings, and the status is that of the worst."""
    write(UNWISE)
    write("name: Bad\n", "bad.yaml")

    done = run("check", inbound, "unwise.yaml", *AS_OF, "--json")
    assert done.status == 1
    assert [len(each["findings"]) for each in done.document["files"]] == [3, 3]
    assert run("check", "unwise.yaml", "bad.yaml", *AS_OF).status == 2
    assert run("check", inbound, *AS_OF).status == 0


def test_caps(run):
    """`--cap` is that of `run`: one mail in 24 hours is less than two mails in three hours want, no cap is not."""
    write(dumps(DESIGNS["mails_close"].has), "close.yaml")

    def codes(*words):
        return [each["code"] for each in run("check", "close.yaml", *AS_OF, *words, "--json").document["findings"]]

    assert codes("--cap", "1") == ["mails_close", "cap_exceeded"]
    assert codes("--cap", "0") == codes() == ["mails_close"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "needs a date like 2026-12-25"),
        (("--cap", "-1"), "needs a whole number"),
        (("--leads", "none.csv"), "none.csv:1:1: no_such_file"),
    ],
)
def test_what_cannot_be_asked(run, inbound, words, said):
    """A date that is none, a cap that is none and leads that are not there are bad input."""
    done = run("check", inbound, *words)

    assert (done.status, done.out) == (2, "")
    assert said in done.err


def value_at(document, place: str):
    """What a document has at a path without odd keys."""
    for part in re.findall(r"\w+", place):
        document = document[int(part) if isinstance(document, list) else part]
    return document


@pytest.mark.parametrize("code", DESIGNS)
@pytest.mark.parametrize("format", ["yaml", "json"])
def test_every_finding_has_its_place_in_the_file(run, code, format):
    """What stands at the line and the column of a finding is what it is about, in either notation."""
    pair = DESIGNS[code]
    name = write(dumps(pair.has, format=format), f"design.{format}")
    words = ["--cap", "1"] if "cap" in pair.asked else []
    if "fields" in pair.asked:
        words += ["--leads", write(LEADS, "leads.csv")]
    if "values" in pair.asked:
        words += ["--leads", write(f'{LEADS}lead,2,,"B\nen"\n', "leads.csv")]
    findings = run("check", name, *AS_OF, *words, "--json").document["findings"]
    (found,) = [each for each in findings if each["code"] == code]

    line = Path(name).read_text(encoding="utf-8").splitlines()[found["line"] - 1]
    stands = line[found["column"] - 1 :]
    value = value_at(to_document(pair.has), found["place"])
    if isinstance(value, (dict, list)):
        assert stands[0] in "{[" or format == "yaml"
    else:
        assert stands.startswith((json.dumps(value), str(value)))


@pytest.mark.parametrize(
    ("columns", "meant"),
    [(None, "Firma"), ("Firma", "Firma"), ("firma", "firma"), ("FIRMA", "FIRMA"), ("city", "Firma")],
)
def test_a_field_is_named_as_the_leads_have_it(run, columns, meant):
    """What another product would fill in is named as the leads have it, else as it stands; then nothing is found."""
    text = "name: A\nsteps:\n  - {action_type: automated_email, delay_from_previous_step: 0, "
    text += "delay_from_previous_step_unit: hours, action_properties: {email_template_id: 1}}\n"
    text += "templates: {1: {subject: Hallo, body: 'Von FIELD'}}\n"
    leads = []
    if columns is not None:
        leads = ["--leads", write(f"resource_type,resource_id,{columns}\nlead,1,Acme\n", "leads.csv")]

    def said(field):
        return run("check", write(text.replace("FIELD", field), "a.yaml"), *leads, *AS_OF).out

    assert f"has {{Firma}}, which stays as it stands; did you mean {{{{ {meant} }}}}?" in said("{Firma}")
    assert "did you mean" not in said(f"{{{{ {meant} }}}}")
