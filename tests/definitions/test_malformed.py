"""Malformed and hostile definitions: each is refused with its code, at its place, quickly, and with nothing else.

In the texts below, `§` stands where the problem is to be reported; it is taken out before the text is read.
"""

from __future__ import annotations

import time

import pytest

from sequencer.core.errors import DefinitionError
from sequencer.definitions import load, loads, loads_all
from sequencer.definitions.tree import Lines

STEP = """\
  - action_type: automated_email
    delay_from_previous_step: 0
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1}
"""
GOOD = f"name: Good\ntimezone: Europe/Warsaw\nsteps:\n{STEP}"


def step(old: str, new: str) -> str:
    """The good file with something else in its step."""
    assert old in STEP
    return GOOD.replace(old, new)


def also(text: str) -> str:
    """The good file with more at its end."""
    return GOOD + text


def task(properties: str) -> str:
    return step("automated_email", "task").replace("{email_template_id: 1}", properties)


def json_of(more: str) -> str:
    return '{"name": "x", "metadata": ' + more + "}"


BOMB = (
    also("metadata:\n")
    + "  a: §&a {k: 1}\n"
    + "".join(f"  {chr(98 + i)}: &{chr(98 + i)} {{<<: [{', '.join(['*' + chr(97 + i)] * 9)}]}}\n" for i in range(12))
)
LAUGHS = also("metadata:\n  a: §&a [lol, lol]\n") + "".join(
    f"  {chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)

YAML = {
    # -- what is no YAML, or YAML of a kind that is not read
    "an empty file": ("§", "empty"),
    "blanks only": ("§  \n\n ", "empty"),
    "comments only": ("§# nothing\n# here\n", "empty"),
    "a bare document mark": ("---§", "invalid_type"),
    "a scalar": ("§hello", "invalid_type"),
    "a list": ("§- a\n- b\n", "invalid_type"),
    "tabs for indentation": ("name: x\nsteps:\n§\t- a\n", "syntax"),
    "an open bracket": ("name: [a, b§", "syntax"),
    "an open quote": ('name: "abc§', "syntax"),
    "a mapping in a line": ("name: a§: b\n", "syntax"),
    "two documents": (f"{GOOD}§---\n{GOOD}", "several_documents"),
    "an anchor": (GOOD.replace("Good", "§&n Good"), "yaml_anchor"),
    "an alias": (also("key: §*n\n"), "yaml_alias"),
    "an alias as a key": (also("§*n : 1\n"), "yaml_alias"),
    "a tag": (GOOD.replace("Good", "§!!str Good"), "yaml_tag"),
    "a tag that makes objects": (also("metadata: §!!python/object/apply:os.system [id]\n"), "yaml_tag"),
    "a non-specific tag": (GOOD.replace("Good", "§! Good"), "yaml_tag"),
    "a merge key": (also("metadata:\n  §<<: {a: 1}\n"), "yaml_merge_key"),
    "a merge-key bomb": (BOMB, "yaml_anchor"),
    "a billion laughs": (LAUGHS, "yaml_anchor"),
    "a directive": (f"%YAML 1.1\n§---\n{GOOD}".replace("%YAML", "§%YAML").replace("§---", "---"), "yaml_directive"),
    "900 brackets": (also(f"metadata: {{a: {'[' * 30}§{'[' * 870}"), "too_deep"),
    "900 braces": (also(f"metadata: {{a: {'{a: ' * 30}§{'{a: ' * 870}"), "too_deep"),
    "900 dashes": (also(f"metadata:\n  a:\n    {'- ' * 30}§{'- ' * 870}"), "too_deep"),
    "more values than any definition has": (f"[{'a,' * 9_999}§a,{'a,' * 30_000}]", "too_many_values"),
    "a key that is a list": (also("? §[a]\n: 3\n"), "invalid_key"),
    "a key that is a mapping": (also("? §{a: [b]}\n: {c: d}\n"), "invalid_key"),
    "a key that is true": (also("§true: 1\n"), "invalid_key"),
    "a key that is a fraction": (also("§1.5: 2\n"), "invalid_key"),
    "a key that is nothing": (also("§~: 1\n"), "invalid_key"),
    "a duplicate key": (also("§name: Other\n"), "duplicate_key"),
    "a duplicate key deep down": (also("metadata: {a: {b: 1, c: 2, §b: 3}}\n"), "duplicate_key"),
    "a duplicate key, once as a number": (
        also('templates:\n  1: {subject: a, body: b}\n  §"1": {subject: a, body: b}\n'),
        "duplicate_key",
    ),
    # -- characters
    "a NUL": ("name: a§\x00b\n", "invalid_text"),
    "a bell": ("name: a§\x07b\n", "invalid_text"),
    "a lone surrogate": ("name: a§\ud800b\n", "invalid_text"),
    "an escaped lone surrogate": (GOOD.replace("Good", '§"\\ud800"'), "invalid_text"),
    "an escaped pair of surrogates": (GOOD.replace("Good", '§"\\ud83d\\ude00"'), "invalid_text"),
    "an escaped NUL": (GOOD.replace("Good", '§"a\\0"'), "invalid_text"),
    "an escaped NUL in a key": (also('metadata: {§"a\\0": 1}\n'), "invalid_text"),
    "an escape beyond the last character": (f'{GOOD}§key: "\\UFFFFFFFF"\n', "syntax"),
    "a bell in a body": (also('templates: {1: {subject: a, body: §"\\a"}}\n'), "invalid_text"),
    # -- numbers
    "a number of 5000 digits": (step("previous_step: 0", f"previous_step: §{'1' * 5000}"), "out_of_range"),
    "a number of 5000 digits as a key": (also(f"templates:\n  §{'1' * 5000}: {{}}\n"), "out_of_range"),
    "a number of 65 bits": (also("metadata: {a: §18446744073709551616}\n"), "out_of_range"),
    "not a number": (step("previous_step: 0", "previous_step: §.nan"), "not_finite"),
    "infinity": (step("previous_step: 0", "previous_step: §-.inf"), "not_finite"),
    "1e999": (step("previous_step: 0", "previous_step: §1e999"), "not_finite"),
    # -- delays
    "hours as text": (step("previous_step: 0", 'previous_step: §"3"'), "invalid_delay"),
    "true hours": (step("previous_step: 0", "previous_step: §true"), "invalid_delay"),
    "no hours": (step("previous_step: 0", "previous_step:§"), "invalid_delay"),
    "octal hours": (step("previous_step: 0", "previous_step: §010"), "invalid_delay"),
    "sexagesimal hours": (step("previous_step: 0", "previous_step: §9:30"), "invalid_delay"),
    "hexadecimal hours": (step("previous_step: 0", "previous_step: §0x10"), "invalid_delay"),
    "hours with an underscore": (step("previous_step: 0", "previous_step: §1_000"), "invalid_delay"),
    "negative hours": (step("previous_step: 0", "previous_step: §-1"), "delay_out_of_range"),
    "hours beyond ten years": (step("previous_step: 0", "previous_step: §87601"), "delay_out_of_range"),
    "2^31 hours": (step("previous_step: 0", "previous_step: §2147483648"), "delay_out_of_range"),
    "five decimals": (step("previous_step: 0", "previous_step: §0.00001"), "invalid_delay"),
    "half a weekday": (step("0\n", "§0.5\n").replace("unit: hours", "unit: weekdays"), "invalid_delay"),
    "too many weekdays": (step("0\n", "§2611\n").replace("unit: hours", "unit: weekdays"), "delay_out_of_range"),
    "days": (step("unit: hours", "unit: §days"), "invalid_value"),
    "a unit that is no text": (step("unit: hours", "unit: §1"), "invalid_type"),
    "a missing unit": (GOOD.replace("  - action", "  - §action").replace(STEP.splitlines()[2] + "\n", ""), "missing"),
    "a missing delay": (GOOD.replace("  - action", "  - §action").replace(STEP.splitlines()[1] + "\n", ""), "missing"),
    # -- steps
    "no steps": ("name: x\nsteps: §[]\n", "too_few_steps"),
    "201 steps": (f"name: x\nsteps:\n  §{(STEP * 201).lstrip()}", "too_many_steps"),
    "steps that are a mapping": ("name: x\nsteps: §{a: 1}\n", "invalid_type"),
    "a step that is text": ("name: x\nsteps:\n  - §call\n", "invalid_type"),
    "the steps missing": ("§name: x\n", "missing"),
    "the name missing": (GOOD.replace("name: Good\n", "§"), "missing"),
    "a blank name": (GOOD.replace("Good", '§" "'), "blank"),
    "a name of two lines": (GOOD.replace("Good", '§"a\\nb"'), "invalid_text"),
    "a name that is a number": (GOOD.replace("Good", "§12"), "invalid_type"),
    "a name beyond all measure": (GOOD.replace("Good", f"§{'a' * 256}"), "invalid_length"),
    "another format": (also("format: §2\n"), "unsupported_format"),
    "a format that is true": (also("format: §true\n"), "unsupported_format"),
    "an unknown key": (also("§tempaltes: {}\n"), "unknown_key"),
    "an unknown key of a step": (also("    §delay: 3\n"), "unknown_key"),
    "an unknown property": (step("{email_template_id: 1", "{email_template_id: 1, §is_replly: true"), "unknown_key"),
    "a task's property on a mail": (step("_id: 1", "_id: 1, §task_content: a"), "unknown_key"),
    "an unknown action": (step("automated_email", "§automated_mail"), "invalid_value"),
    "an action that is a list": (step("automated_email", "§[task]"), "invalid_type"),
    "a mail without its template": (step("{email_template_id: 1", "§{is_reply: true"), "missing"),
    "a template id that is true": (step("_id: 1", "_id: §true"), "invalid_type"),
    "a template id that is a fraction": (step("_id: 1", "_id: §1.5"), "invalid_type"),
    "a template id that is too long": (step("_id: 1", f"_id: §{'a' * 65}"), "invalid_length"),
    "is_reply as text": (step("_id: 1", "_id: 1, is_reply: §yes"), "invalid_type"),
    "blank task content": (task('{task_content: §" "}'), "blank"),
    "task content that is no text": (task("{task_content: §5}"), "invalid_type"),
    "due_after in days": (task("{task_content: a, due_after: {§days: 1}}"), "unknown_key"),
    "due_after without a unit": (task("{task_content: a, due_after: §3}"), "invalid_type"),
    "skip_after in two units": (task("{task_content: a, skip_after: §{hours: 1, weekdays: 1}}"), "invalid_value"),
    "skip_after that is empty": (task("{task_content: a, skip_after: §{}}"), "invalid_value"),
    "the same key twice": (
        GOOD.replace("  - a", "  - key: a\n    a") + STEP.replace("  - a", "  - key: §a\n    a"),
        "duplicate_key",
    ),
    "metadata that is a list": (also("metadata: §[a]\n"), "invalid_type"),
    "metadata that is too long": (also(f"metadata: §{{a: {'a' * 17_000}}}\n"), "invalid_length"),
    "metadata under a number": (also("metadata: §{1: a}\n"), "invalid_type"),
    "a template that is text": (also("templates: {1: §hello}\n"), "invalid_type"),
    "a template without a body": (also("templates: {1: §{subject: a}}\n"), "missing"),
    "a subject of two lines": (also('templates: {1: {subject: §"a\\nb", body: b}}\n'), "invalid_text"),
    "an expression in a body": (
        also('templates: {1: {subject: a, body: §"{{ b | upper }}"}}\n'),
        "invalid_merge_field",
    ),
    "an open field in a subject": (also('templates: {1: {subject: §"{{ a", body: b}}\n'), "invalid_merge_field"),
    "an expression in a task": (task('{task_content: §"Call {{ b | upper }}"}'), "invalid_merge_field"),
    "two templates of an id": (
        also("templates:\n  - {id: 1, subject: a, body: b}\n  - {id: §1, subject: a, body: b}\n"),
        "duplicate_key",
    ),
    # -- calendar
    "a zone out of the tree": (GOOD.replace("Europe/Warsaw", "§../../etc/passwd"), "unknown_timezone"),
    "an absolute zone": (GOOD.replace("Europe/Warsaw", "§/etc/localtime"), "unknown_timezone"),
    "an empty zone": (GOOD.replace("Europe/Warsaw", '§""'), "unknown_timezone"),
    "a folder of zones": (GOOD.replace("Europe/Warsaw", "§Europe"), "unknown_timezone"),
    "a misspelt zone": (GOOD.replace("Europe/Warsaw", "§Europe/Warzaw"), "unknown_timezone"),
    "a zone that is a number": (GOOD.replace("Europe/Warsaw", "§1"), "unknown_timezone"),
    "a zone that is a list": (GOOD.replace("Europe/Warsaw", "§[UTC]"), "unknown_timezone"),
    "a date that does not exist": (also("calendar: {holidays: {dates: [§2026-02-30]}}\n"), "not_a_date"),
    "a date of another spelling": (also("calendar: {holidays: {dates: [§25.12.2026]}}\n"), "not_a_date"),
    "a date with a time": (also("calendar: {holidays: {dates: [§2026-12-25T00:00:00]}}\n"), "not_a_date"),
    "a date that is a number": (also("calendar: {holidays: {dates: [§20261225]}}\n"), "not_a_date"),
    "holidays that are a list": (also("calendar: {holidays: §[2026-12-25]}\n"), "invalid_type"),
    "a country that is no text": (also("calendar: {holidays: {country: §48}}\n"), "invalid_type"),
    "a weekday in full": (also("calendar: {working_days: §[monday]}\n"), "invalid_weekday"),
    "a weekday twice": (also("calendar: {working_days: §[mon, mon]}\n"), "duplicate_weekday"),
    "a weekday that is a mapping": (also("calendar: {working_days: §[{a: b}]}\n"), "invalid_weekday"),
    "no working day at all": (also("calendar: {working_days: §[]}\n"), "never_open"),
    "no send day at all": (also("calendar: {send_days: §[]}\n"), "never_open"),
    "a window across midnight": (
        also('calendar: {send_windows: [{days: [mon], opens: "22:00", closes: §"02:00"}]}\n'),
        "empty_window",
    ),
    "a window off the send days": (
        also('calendar: {send_windows: [{days: §[mon, sat], opens: "09:00", closes: "10:00"}]}\n'),
        "window_off_send_days",
    ),
    "a window without days": (
        also('calendar: {send_windows: [{days: §[], opens: "09:00", closes: "10:00"}]}\n'),
        "empty_window",
    ),
    "a window that never closes": (also('calendar: {send_windows: [§{days: [mon], opens: "09:00"}]}\n'), "missing"),
    "a time of one digit": (
        also("calendar: {send_windows: [{days: [mon], opens: §9:30, closes: 10:00}]}\n"),
        "invalid_time",
    ),
    "a time that is a number": (
        also("calendar: {send_windows: [{days: [mon], opens: §930, closes: 10:00}]}\n"),
        "invalid_time",
    ),
    "a time that does not exist": (
        also("calendar: {send_windows: [{days: [mon], opens: 09:00, closes: §24:01}]}\n"),
        "invalid_time",
    ),
    "a calendar that is nothing": (also("calendar:§\n"), "invalid_type"),
    # -- policy
    "an unknown report": (also("policy: {on: {§reply: finish}}\n"), "unknown_key"),
    "an unknown reaction": (also("policy: {on: {replied: §stop}}\n"), "invalid_value"),
    "a reaction that is true": (also("policy: {on: {replied: §true}}\n"), "invalid_type"),
    "a finish with a duration": (also("policy: {on: {replied: §{finish: {hours: 1}}}}\n"), "invalid_type"),
    "a block in days": (also("policy: {on: {bounced: {block: {§days: 1}}}}\n"), "unknown_key"),
    "a block too long": (also("policy: {on: {bounced: {block: {weekdays: §9999}}}}\n"), "delay_out_of_range"),
    "exclusive over something else": (also("policy: {exclusive: §account}\n"), "invalid_value"),
    "reenroll_after without a unit": (also("policy: {reenroll_after: §30}\n"), "invalid_type"),
    "reenroll_after in the past": (also("policy: {reenroll_after: {days: §-1}}\n"), "out_of_range"),
    "no attempts": (also("policy: {retry: {attempts: §0}}\n"), "out_of_range"),
    "a pause of nothing": (also("policy: {retry: {first: {minutes: §0}}}\n"), "out_of_range"),
    "a pause that is true": (also("policy: {retry: {first: {minutes: §true}}}\n"), "invalid_type"),
    "a shrinking pause": (also("policy: {retry: {factor: §0.5}}\n"), "out_of_range"),
    "an unsubscribe that is yes": (also("policy: {unsubscribe: {enabled: §yes}}\n"), "invalid_type"),
    # -- assume and expect
    "an unknown assumption": (also("assume: {§tasks_done: {weekdays: 3}}\n"), "unknown_key"),
    "an unknown expectation": (also("expect: [{§max_email: {count: 3, days: 7}}]\n"), "unknown_key"),
    "two expectations in one": (
        also("expect: [§{max_duration: {weekdays: 3}, min_between_steps: {hours: 1}}]\n"),
        "invalid_value",
    ),
    "expectations that are a mapping": (also("expect: §{max_duration: {weekdays: 3}}\n"), "invalid_type"),
    "a count of a half": (also("expect: [{max_emails: {count: §0.5, days: 7}}]\n"), "invalid_type"),
    "a count of no days": (also("expect: [{max_emails: {count: 3, days: §0}}]\n"), "out_of_range"),
    "a count without days": (also("expect: [{max_emails: §{count: 3}}]\n"), "missing"),
    "no mail on no day": (also("expect: [{no_email_on: {days: §[]}}]\n"), "empty_window"),
    "hours across midnight": (also("expect: [{local_hours: {from: 18:00, to: §08:00}}]\n"), "empty_window"),
    "a zone that is none": (also("assume: {timezones: [UTC, §Europe/Warsow]}\n"), "unknown_timezone"),
    "a zone that is a mapping": (also("assume: {timezones: [UTC, §{}]}\n"), "unknown_timezone"),
    "no zones": (also("assume: {timezones: §[]}\n"), "invalid_value"),
    "a zone twice": (also("assume: {timezones: [UTC, §UTC]}\n"), "duplicate_value"),
    "an enrolling that ends before it begins": (
        also("assume: {enrolled: {since: 2026-03-02, until: §2026-03-01}}\n"),
        "empty_span",
    ),
    "never on nothing": (also("expect: [{no_email_on: §{}}]\n"), "missing"),
    "never on a date that is none": (also("expect: [{no_task_on: {dates: [§2026-02-30]}}]\n"), "not_a_date"),
    "an end by a number": (also("expect: [{ends_by: §20261224}]\n"), "not_a_date"),
    "an end for people of all times": (also("expect: [{ends_by: §2026-12-24}]\n"), "missing_assumption"),
    "a stop on what is not reported": (also("expect: [{stops_on: [§reply]}]\n"), "invalid_value"),
    "hours that are text": (also("expect: [{local_hours: §late}]\n"), "invalid_type"),
    # -- silence
    "a silence that is a mapping": (also("silence: §{finding: mails_close, because: so}\n"), "invalid_type"),
    "a silence for no finding": (also("silence: [{finding: §mail_close, because: so}]\n"), "unknown_finding"),
    "a silence without a reason": (also("silence: [§{finding: mails_close}]\n"), "missing"),
    "a silence with a blank reason": (also('silence: [{finding: mails_close, because: §" "}]\n'), "blank"),
    "a silence that says why": (also("silence: [{finding: mails_close, §reason: so}]\n"), "unknown_key"),
    "a silence for no step": (also("silence: [{finding: mails_close, step: §99, because: so}]\n"), "unknown_step"),
    "a silence for half a step": (also("silence: [{finding: mails_close, step: §0.5, because: so}]\n"), "invalid_type"),
}

JSON = {
    "a JSON list": ("§[]", "invalid_type"),
    "JSON that ends early": ('{"name": §', "syntax"),
    "a comma too many": ('{"name": "x", §}', "syntax"),
    "a comma too many in a list": ('{"name": [1, §]}', "syntax"),
    "a comma too few": ('{"name": "x" §"steps": []}', "syntax"),
    "a colon too few": ('{"name" §"x"}', "syntax"),
    "a key without quotes": ("{§name: 1}", "syntax"),
    "single quotes": ('{"name": §\'x\'}', "syntax"),
    "a comment": ('{"name": "x" §// why\n}', "syntax"),
    "two JSON documents": ('{"name": "x"} §{}', "syntax"),
    "a raw line break": ('{"name": "a§\nb"}', "syntax"),
    "an open JSON text": ('{"name": §"a', "syntax"),
    "an unknown escape": ('{"name": "a§\\x"}', "syntax"),
    "a short escape": ('{"name": "a§\\u12"}', "syntax"),
    "a leading zero": (json_of('{"a": §010}'), "syntax"),
    "a leading plus": (json_of('{"a": §+1}'), "syntax"),
    "a bare point": (json_of('{"a": §1.}'), "syntax"),
    "True": (json_of('{"a": §True}'), "syntax"),
    "NaN": (json_of('{"a": §NaN}'), "not_finite"),
    "Infinity": (json_of('{"a": §Infinity}'), "not_finite"),
    "minus infinity": (json_of('{"a": §-Infinity}'), "not_finite"),
    "1e999 in JSON": (json_of('{"a": §1e999}'), "not_finite"),
    "5000 digits in JSON": (json_of(f"{{\"a\": §-{'9' * 5000}}}"), "out_of_range"),
    "a duplicate key in JSON": (json_of('{"a": 1, §"a": 2}'), "duplicate_key"),
    "a duplicate key by escape": (json_of('{"a": 1, §"\\u0061": 2}'), "duplicate_key"),
    "half a pair": (json_of('{"a": §"\\ud83d"}'), "invalid_text"),
    "halves the wrong way round": (json_of('{"a": §"\\ude00\\ud83d"}'), "invalid_text"),
    "a raw lone surrogate": (json_of('{"a": §"\udfff"}'), "invalid_text"),
    "an escaped NUL in JSON": (json_of('{"a": §"\\u0000"}'), "invalid_text"),
    "900 brackets in JSON": ("[" * 32 + "§" + "[" * 868, "too_deep"),
    "900 braces in JSON": ('{"a":' * 32 + "§" + '{"a":' * 868, "too_deep"),
}  # fmt: skip

ROWS = [
    pytest.param(text, code, format, id=name)
    for format, table in (("yaml", YAML), ("json", JSON))
    for name, (text, code) in table.items()
]


def problems_of(text: str | bytes, **keywords) -> list[tuple[str, int | None, int | None]]:
    with pytest.raises(DefinitionError) as caught:
        loads_all(text, **keywords)
    return [(problem.code, problem.line, problem.column) for problem in caught.value.problems]


@pytest.mark.parametrize(("marked", "code", "format"), ROWS)
def test_each_is_refused_at_its_place(marked, code, format):
    """A malformed definition is refused with the code that fits, at the line and column of the mistake, and fast."""
    at = marked.find("§")
    text = marked.replace("§", "", 1)
    assert at >= 0
    assert "§" not in text
    line, column = Lines(text)(at)

    began = time.perf_counter()
    found = problems_of(text, format=format, file="bad.file")
    took = time.perf_counter() - began

    assert (code, line, column) in found
    assert took < 2  # a fifth of a second where it takes longest; the rest is for a busy machine


@pytest.mark.parametrize(("marked", "code", "format"), ROWS)
def test_each_message_stands_by_itself(marked, code, format):
    """Every problem has a file, a line, a column and a short printable message on one line."""
    with pytest.raises(DefinitionError) as caught:
        loads(marked.replace("§", "", 1), format=format, file="bad.file")

    for problem in caught.value.problems:
        assert problem.message
        assert len(problem.message) <= 400
        head = f"bad.file:{problem.line}:{problem.column}: {problem.code}: "
        assert str(problem).startswith(head)
        assert "\n" not in str(problem)
        str(problem).encode()


BYTES = {
    "a binary file": (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "encoding", 1, 9),
    "Latin-1": ("name: Grüße\n".encode("latin-1"), "encoding", 1, 9),
    "Latin-1 in a later line": (b"name: x\nkey: caf\xe9\n", "encoding", 2, 9),
    "UTF-16": ("name: x\n".encode("utf-16"), "encoding", 1, 1),
    "half a character at the end": ("name: ü".encode()[:-1], "encoding", 1, 7),
    "surrogates in UTF-8": (b"name: \xed\xa0\x80\n", "encoding", 1, 7),
    "an over-long form": (b"name: \xc0\x80\n", "encoding", 1, 7),
    "zeros": (b"\x00" * 100, "invalid_text", 1, 1),
    "more than 256 KiB": (b"#" * (256 * 1024 + 1), "too_large", 1, 1),
}


@pytest.mark.parametrize(("content", "code", "line", "column"), BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_text(content, code, line, column, tmp_path):
    """A file that is not UTF-8, or too long, is refused by name, at the first byte that does not fit."""
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)

    with pytest.raises(DefinitionError) as caught:
        load(path)

    (problem,) = caught.value.problems
    assert (problem.code, problem.line, problem.column) == (code, line, column)
    assert problem.file == str(path)


def test_files_that_are_none(tmp_path):
    """A file that is missing, a folder, or has an impossible name is a definition error like any other."""
    codes = {}
    for name in ("missing.yaml", "", "a\0b"):
        with pytest.raises(DefinitionError) as caught:
            load(f"{tmp_path}/{name}")
        codes[name] = caught.value.problems[0].code

    assert codes == {"missing.yaml": "no_such_file", "": "not_a_file", "a\0b": "unreadable"}


def test_a_special_file_is_not_read_to_its_end():
    """Of a device that never ends, only as much is read as it takes to refuse it."""
    with pytest.raises(DefinitionError) as caught:
        load("/dev/zero")

    assert [problem.code for problem in caught.value.problems] == ["too_large"]


def test_everything_is_said_at_once():
    """One reading names every mistake in a file, in the order of the lines."""
    text = """\
nam: Typo
timezone: Mars/Olympus
calendar:
  working_days: [mon, funday]
  send_windows:
    - {days: [mon], opens: "18:00", closes: "09:00"}
    - {days: [sun], opens: "9:00", closes: "10:00"}
policy:
  on: {replyed: finish}
  retry: {attempts: 0, factor: 0}
steps:
  - action_type: task
    delay_from_previous_step: -1
    delay_from_previous_step_unit: weeks
    action_properties: {task_content: ""}
  - action_type: automated_email
    delay_from_previous_step: 1
    delay_from_previous_step_unit: hours
    action_properties: {email_template_id: 1, is_reply: no}
expect:
  - max_emails: {count: many, days: 7}
"""
    assert problems_of(text) == [
        ("unknown_key", 1, 1),
        ("missing", 1, 1),
        ("unknown_timezone", 2, 11),
        ("invalid_weekday", 4, 17),
        ("empty_window", 6, 45),
        ("invalid_time", 7, 28),
        ("unknown_key", 9, 8),
        ("out_of_range", 10, 21),
        ("out_of_range", 10, 32),
        ("delay_out_of_range", 13, 31),
        ("invalid_value", 14, 36),
        ("blank", 15, 39),
        ("invalid_type", 19, 57),
        ("invalid_type", 21, 25),
    ]


def test_a_file_with_a_thousand_mistakes_names_a_hundred():
    """Beyond a hundred mistakes the reader says so and stops, however many there are."""
    text = "name: x\nsteps:\n" + "".join(f"  - {{nameee{i}: 1}}\n" for i in range(1000))

    began = time.perf_counter()
    found = problems_of(text)

    assert time.perf_counter() - began < 1
    assert len(found) == 101
    assert found[-1][0] == "too_many_problems"


def test_the_remedy_names_the_nearest_key():
    """An unknown key's message says which known key was probably meant."""
    with pytest.raises(DefinitionError, match=r"timezon: is not a key here; did you mean timezone\?"):
        loads(GOOD.replace("timezone", "timezon"))


def test_an_editor_finds_the_line():
    """Lines are counted as editors do: NEL, form feeds and line separators end none, CR and CRLF do."""
    assert Lines("a\x0b\x0c\x85\u2028\u2029b\r\nc\rd\ne")(13) == (4, 1)
    assert ("invalid_value", 3, 24) in problems_of("# \x85\r\nname: x\rpolicy: {on: {replied: stop}}\n")
