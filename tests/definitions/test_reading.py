"""What good definitions mean."""

from __future__ import annotations

import sys
from datetime import date

import pytest

from sequencer.core.delays import Hours, Weekdays
from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.policy import Reaction, Retry, Unsubscribe
from sequencer.core.sequence import AutomatedEmail, Step, Task, Template
from sequencer.definitions import load, load_all, loads
from sequencer.definitions.countries import holidays_of
from sequencer.definitions.yaml_text import scalar
from sequencer.examples import path

FULL = """\
format: 1
name: Inbound follow-up
key: inbound-follow-up
timezone: Europe/Warsaw
calendar:
  working_days: [mon, tue, wed, thu, fri]
  send_days: [mon, tue, wed, thu]
  holidays:
    dates: [2026-12-25]
  send_windows:
    - {days: [mon, tue, wed, thu], opens: "09:00", closes: 17:00}
policy:
  on: {replied: note, out_of_office: {block: {weekdays: 7}}, bounced: finish, opened: {block: {hours: 1.5}}}
  exclusive: all
  reenroll_after: {days: 30}
  retry: {attempts: 3, first: {minutes: 2}, factor: 2}
  unsubscribe: {enabled: true, locale: pl-PL}
metadata: {owner: no, since: 2026-01-01, zip: 010, start: 9:30, deep: {on: [yes, ~, true, 1.5]}}
steps:
  - key: hello
    action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1, is_reply: false}
  - action_type: task
    delay_from_previous_step: 2
    delay_from_previous_step_unit: weekdays
    action_properties: {task_content: "Call {{ first_name }}", due_after: {weekdays: 2}, skip_after: {hours: 240}}
    metadata: {kind: call}
templates:
  1: {subject: "Hello {{ first_name }}", body: "..."}
  "welcome": {subject: Welcome, body: ""}
assume:
  enrolled: {days: [fri, mon], from: "09:00", to: 17:00}
  tasks_done_within: {weekdays: 3}
expect:
  - min_between_emails: {hours: 24}
  - min_between_steps: {hours: 1}
  - max_duration: {weekdays: 30}
  - first_touch_within: {hours: 2}
  - max_emails: {count: 3, days: 7}
  - no_email_on: {days: [fri], from: "15:00"}
  - local_hours: {from: "08:00", to: "24:00"}
silence:
  - {finding: reply_only_noted, because: "answers are read by hand, every hour"}
  - {finding: mails_close, step: hello, because: "asked for by the customer"}
"""


def test_everything_that_a_definition_may_say():
    """Each key of the format ends up where it belongs, with its type and its unit."""
    sequence = loads(FULL)
    calendar, policy = sequence.calendar, sequence.policy

    assert (sequence.name, sequence.key) == ("Inbound follow-up", "inbound-follow-up")
    assert calendar.timezone == "Europe/Warsaw"
    assert calendar.send_days == ("mon", "tue", "wed", "thu")
    assert calendar.holidays == (date(2026, 12, 25),)
    assert (calendar.send_windows[0].opens, calendar.send_windows[0].closes) == ("09:00", "17:00")
    assert policy.on["replied"] == Reaction("note")
    assert policy.on["out_of_office"] == Reaction("block", duration=Weekdays(7))
    assert policy.on["opened"] == Reaction("block", duration=Hours(1.5))
    assert policy.on["meeting_booked"] == Reaction("finish")
    assert (policy.exclusive, policy.reenroll_after) == ("all", 30)
    assert policy.retry == Retry(attempts=3, first=120, factor=2)
    assert policy.unsubscribe == Unsubscribe(enabled=True, locale="pl-PL")
    assert sequence.steps == (
        Step(AutomatedEmail(1), Hours(0), key="hello"),
        Step(
            Task("Call {{ first_name }}", due_after=Weekdays(2), skip_after=Hours(240)),
            Weekdays(2),
            metadata={"kind": "call"},
        ),
    )
    assert sequence.templates == {1: Template("Hello {{ first_name }}", "..."), "welcome": Template("Welcome", "")}
    assert sequence.assume["enrolled"] == {"days": ("mon", "fri"), "from": "09:00", "to": "17:00"}
    assert [next(iter(each)) for each in sequence.expect] == [
        "min_between_emails",
        "min_between_steps",
        "max_duration",
        "first_touch_within",
        "max_emails",
        "no_email_on",
        "local_hours",
    ]
    assert sequence.silence == (
        {"finding": "reply_only_noted", "because": "answers are read by hand, every hour"},
        {"finding": "mails_close", "step": "hello", "because": "asked for by the customer"},
    )


def test_words_are_what_people_take_them_for():
    """In YAML, `no`, `on`, `9:30`, `010` and dates are text; `true`, `~` and decimal numbers are what they seem."""
    assert loads(FULL).metadata == {
        "owner": "no",
        "since": "2026-01-01",
        "zip": "010",
        "start": "9:30",
        "deep": {"on": ("yes", None, True, 1.5)},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("-7", -7), ("+7", 7), ("1.50", 1.5), ("1e3", 1000.0), ("-1.5E-2", -0.015), ("00", "00"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"), ("1_000", "1_000"), (".5", ".5"), ("5.", "5."), ("1e", "1e"), ("--1", "--1"), ("Yes", "Yes"),
        ("OFF", "OFF"), ("tRuE", "tRuE"), ("TRUE", True), ("Null", None), ("", None), ("190:20:30", "190:20:30"),
        ("2026-02-30", "2026-02-30"), ("=", "="), ("<<", "<<"), ("١٢", "١٢"), ("nan", "nan"), ("inf", "inf"),
    ],
)  # fmt: skip
def test_scalars(text, value):
    """A word without quotes is a number or a truth value only in its one usual spelling, else it is text."""
    found = scalar(text)

    assert found == value
    assert type(found) is type(value)


def test_small_definitions_take_the_defaults():
    """A name and a step are enough: the key is the name, the zone is the caller's, and that is UTC if there is none."""
    text = """{"name": "Small", "steps": [{"action_type": "task", "delay_from_previous_step": 0,
        "delay_from_previous_step_unit": "hours", "action_properties": {"task_content": "Call"}}]}"""

    assert loads(text).key == "Small"
    assert loads(text).calendar.timezone == "UTC"
    assert loads(text, timezone="Asia/Tokyo").calendar.timezone == "Asia/Tokyo"


def test_a_zone_that_the_caller_has_wrong_is_refused():
    """The zone that stands in for a missing one has to be one as well."""
    text = FULL.replace("timezone: Europe/Warsaw\n", "")

    with pytest.raises(DefinitionError, match="unknown_timezone"):
        loads(text, timezone="Nowhere")


def test_a_template_that_is_missing_is_no_error():
    """An id of a template that the file does not have is for the check of the design to find, not for the reader."""
    assert loads(FULL.replace("email_template_id: 1", "email_template_id: 99")).steps[0].action == AutomatedEmail(99)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends(line_end, tmp_path):
    """A byte order mark and the line ends of any system change nothing in what a file says."""
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", line_end).encode())

    assert load(file) == loads(FULL)


def test_the_suffix_chooses_the_notation(tmp_path):
    """`.json` is read as JSON, `.yaml` and `.yml` as YAML; otherwise what begins with a bracket is JSON."""
    for name, good in {"a.JSON": False, "a.yml": True, "a.YAML": True, "a.txt": True, "a": True}.items():
        file = tmp_path / name
        file.write_text(FULL, encoding="utf-8")
        if good:
            assert load(file).name == "Inbound follow-up"
        else:
            with pytest.raises(DefinitionError, match="1:1: syntax"):
                load(file)


def test_load_all_of_one():
    """A definition file is a collection of one."""
    assert load_all(path("renewal.yaml")) == (load(path("renewal.yaml")),)


def test_yaml_needs_its_extra(monkeypatch):
    """Without PyYAML, YAML is refused with the name of the extra, and JSON is read all the same."""
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(DefinitionError, match=r"pip install 'sequencer\[yaml\]'"):
        loads(FULL, format="yaml")
    assert load(path("sell-api.json")).name == "Welcome sequence"


def test_countries_bring_their_holidays():
    """A country's holidays, from 2020 to 2050, join the dates that a file lists."""
    sequence = loads(FULL.replace("dates: [2026-12-25]", "dates: [2026-12-24, 2026-12-25]\n    country: PL"))
    holidays = sequence.calendar.holidays

    assert date(2026, 12, 24) in holidays
    assert date(2026, 11, 11) in holidays
    assert holidays.count(date(2026, 12, 25)) == 1
    assert (holidays[0].year, holidays[-1].year) == (2020, 2050)


def test_parts_of_countries():
    """A part of a country may have holidays that the country has not."""
    assert set(holidays_of("US")) < set(holidays_of("US-CA")) | set(holidays_of("US"))
    assert date(2026, 3, 31) in holidays_of("US-CA")
    assert date(2026, 3, 31) not in holidays_of("US")


@pytest.mark.parametrize("country", ["XX", "Poland", "pl", "PL-", "PL-99", "US-ZZ", "", "../PL", "PL\n"])
def test_unknown_countries(country):
    """What is no country, or no part of it, is refused at its place with what would be one."""
    with pytest.raises(InvalidInput):
        holidays_of(country)
    with pytest.raises(DefinitionError) as caught:
        loads(FULL.replace("dates: [2026-12-25]", f"country: {country!r}".replace("'", '"')))

    (problem,) = caught.value.problems
    assert (problem.code, problem.line, problem.column) == ("unknown_country", 9, 14)


def test_countries_need_their_extra(monkeypatch):
    """Without the package of holidays, naming a country is refused with the name of the extra."""
    monkeypatch.setitem(sys.modules, "holidays", None)
    holidays_of.cache_clear()

    with pytest.raises(DefinitionError, match=r"missing_extra: .*pip install 'sequencer\[calendars\]'"):
        loads(FULL.replace("dates: [2026-12-25]", "country: PL"))


def test_examples_by_name():
    """Every example is found by its name, and a name that is none is answered with those that are."""
    assert path("leads-500.csv").is_file()
    with pytest.raises(FileNotFoundError, match=r"renewal\.yaml"):
        path("../__init__.py")
