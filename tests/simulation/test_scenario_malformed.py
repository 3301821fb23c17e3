"""Malformed scenario files: each is refused with its code, at its place, and with nothing but a `DefinitionError`.

In the texts below, `§` stands where the problem is to be reported; it is taken out before the text is read.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequencer.core.errors import DefinitionError, Problem
from sequencer.definitions.tree import Lines
from sequencer.examples import path
from sequencer.simulation import Scenario, load_scenario, loads_scenario
from tests.definitions.test_fuzz import FORMATS, PIECES
from tests.simulation.test_scenario_files import FULL

YAML = {
    # -- what is no YAML, or YAML of a kind that is not read; the rest of these are tested with definitions
    "an empty file": ("§", "empty"),
    "comments only": ("§# nothing\n", "empty"),
    "a scalar": ("§hello", "invalid_type"),
    "a list": ("§- a\n", "invalid_type"),
    "an open bracket": ("name: [a, b§", "syntax"),
    "an anchor": ("name: §&n Good\n", "yaml_anchor"),
    "a merge key": ("mails:\n  §<<: {refused: 0}\n", "yaml_merge_key"),
    "a tag": ("name: §!!str x\n", "yaml_tag"),
    "a duplicate key": ("name: a\nmails: {}\n§name: b\n", "duplicate_key"),
    "not a number": ("mails: {refused: §.nan}\n", "not_finite"),
    "a number of 65 bits": ("worker: {catch_up: {seed: §18446744073709551616}}\n", "out_of_range"),
    # -- at the top
    "another format": ("format: §2\n", "unsupported_format"),
    "a format as text": ('format: §"1"\n', "unsupported_format"),
    "an unknown key": ("§taks: {}\n", "unknown_key"),
    "a name that is a number": ("name: §1\n", "invalid_type"),
    "a name of two lines": ('name: §"a\\nb"\n', "invalid_text"),
    "a blank name": ('name: §" "\n', "blank"),
    "tasks that are nothing": ("tasks:§\n", "invalid_type"),
    "people as a list": ("people: §[]\n", "invalid_type"),
    # -- people
    "actors as a number": ("people: {actors: §12}\n", "invalid_type"),
    "actors twice": ("people: {actors: {count: 1, leads_each: §5}}\n", "one_of_two"),
    "no actors": ("people: {actors: {count: §0}}\n", "out_of_range"),
    "actors of nothing": ("people: {actors: {count: §null}}\n", "invalid_type"),
    "half an actor": ("people: {actors: {leads_each: §1.5}}\n", "invalid_type"),
    "an unknown zone": ("people: {timezones: {Europe/Warsow: §1}}\n", "unknown_timezone"),
    "zones as a list": ("people: {timezones: §[UTC]}\n", "invalid_type"),
    "a weight as text": ('people: {timezones: {UTC: §"1"}}\n', "out_of_range"),
    "a weight of nothing": ("people: {timezones: {UTC: §0}}\n", "out_of_range"),
    "arriving over weeks": ("people: {arrive: {over: {§weeks: 1}}}\n", "unknown_key"),
    "arriving over a number": ("people: {arrive: {over: §7}}\n", "invalid_type"),
    "arriving over nothing": ("people: {arrive: {over: §{}}}\n", "invalid_value"),
    "arriving over no days": ("people: {arrive: {over: §{days: 0}}}\n", "out_of_range"),
    "arriving on no day": ("people: {arrive: {days: §[]}}\n", "empty_window"),
    "arriving on a day as text": ("people: {arrive: {days: §mon}}\n", "invalid_type"),
    "arriving on a long day": ("people: {arrive: {days: §[monday]}}\n", "invalid_weekday"),
    "arriving at an odd time": ("people: {arrive: {from: §8:00}}\n", "invalid_time"),
    "arriving at a number": ("people: {arrive: {to: §18}}\n", "invalid_time"),
    "arriving before it opens": ('people: {arrive: {from: "12:00", to: §"11:00"}}\n', "empty_window"),
    "arriving after the usual end": ('people: {arrive: §{from: "19:00"}}\n', "empty_window"),
    # -- spans
    "a span as a number": ("tasks: {take: §5}\n", "invalid_type"),
    "a span of nothing": ("tasks: {take: §{}}\n", "invalid_value"),
    "a span of two units": ("tasks: {take: §{hours: 1, minutes: 5}}\n", "invalid_value"),
    "a span of desk days": ("tasks: {take: {§desk_days: 1}}\n", "unknown_key"),
    "a span of text": ('tasks: {take: {hours: §"1"}}\n', "invalid_type"),
    "a span of true hours": ("tasks: {take: {hours: §true}}\n", "invalid_type"),
    "a span below nothing": ("tasks: {take: {hours: §-1}}\n", "out_of_range"),
    "a span of years": ("tasks: {take: {days: §367}}\n", "out_of_range"),
    "between one": ("tasks: {take: {between: §[{hours: 1}]}}\n", "invalid_length"),
    "between three": ("tasks: {take: {between: §[{hours: 1}, {hours: 2}, {hours: 3}]}}\n", "invalid_length"),
    "between a mapping": ("tasks: {take: {between: §{hours: 1}}}\n", "invalid_type"),
    "between in between": ("tasks: {take: {between: [{hours: 1}, {§between: []}]}}\n", "unknown_key"),
    "between backwards": ("tasks: {take: {between: [{hours: 2}, §{hours: 1}]}}\n", "out_of_order"),
    "between two kinds": ("tasks: {take: {between: [{hours: 1}, §{desk_hours: 2}]}}\n", "mixed"),
    "quantiles as a list": ("tasks: {take: {quantiles: §[1]}}\n", "invalid_type"),
    "no quantiles": ("tasks: {take: {quantiles: §{}}}\n", "missing"),
    "more than all": ("tasks: {take: {quantiles: {§101: {hours: 1}}}}\n", "invalid_key"),
    "less than none": ("tasks: {take: {quantiles: {§-1: {hours: 1}}}}\n", "invalid_key"),
    "a percentage in words": ("tasks: {take: {quantiles: {§half: {hours: 1}}}}\n", "invalid_key"),
    "a bare percentage with a point": (
        "tasks: {take: {quantiles: {§99.5: {hours: 1}, 0: {hours: 0}}}}\n",
        "invalid_key",
    ),
    "a percentage twice": ('tasks: {take: {quantiles: {50: {hours: 1}, "50.0": §{hours: 2}}}}\n', "duplicate_key"),
    "quantiles of two kinds": ("tasks: {take: {quantiles: {0: {hours: 1}, 50: §{desk_hours: 2}}}}\n", "mixed"),
    "quantiles out of order": ("tasks: {take: {quantiles: {50: §{hours: 1}, 0: {hours: 2}}}}\n", "out_of_order"),
    # -- tasks
    "never as text": ('tasks: {never: §"0.1"}\n', "invalid_type"),
    "never more than always": ("tasks: {never: §1.1}\n", "out_of_range"),
    "a desk as text": ("tasks: {desk: §office}\n", "invalid_type"),
    "a desk in no zone": ("tasks: {desk: {timezone: §Mars}}\n", "unknown_timezone"),
    "a desk in a number": ("tasks: {desk: {timezone: §1}}\n", "unknown_timezone"),
    "leave as a mapping": ("tasks: {leave: §{from: 2026-04-01}}\n", "invalid_type"),
    "leave without an end": ("tasks: {leave: [§{from: 2026-04-01}]}\n", "missing"),
    "leave on no date": ("tasks: {leave: [{from: 2026-04-01, to: §2026-02-30}]}\n", "not_a_date"),
    "leave at a time": ("tasks: {leave: [{from: §2026-04-01T10:00, to: 2026-04-02}]}\n", "not_a_date"),
    "leave backwards": ("tasks: {leave: [{from: 2026-04-02, to: §2026-04-01}]}\n", "out_of_order"),
    "leave of half": ("tasks: {leave: [{actor: §1.5, from: 2026-04-02, to: 2026-04-02}]}\n", "invalid_type"),
    "steps as text": ("tasks: {steps: §call}\n", "invalid_type"),
    "a step as a number": ("tasks: {steps: {call: §0.1}}\n", "invalid_type"),
    "a step too far": ("tasks: {steps: {200: §{never: 0}}}\n", "out_of_range"),
    "a step without a name": ("tasks: {steps: [§{habits: {}}]}\n", "missing"),
    "a step twice": ("tasks: {steps: [{step: 1, habits: {}}, {step: §1, habits: {}}]}\n", "duplicate_key"),
    "an unknown habit": ("tasks: {steps: {call: {§nevr: 0.1}}}\n", "unknown_key"),
    "a habit of nothing": ("tasks: {steps: {call: {never: §null}}}\n", "invalid_type"),
    # -- mails
    "an unknown reaction": ("mails: {§replid: {chance: 0.1}}\n", "unknown_key"),
    "a reaction as a number": ("mails: {replied: §0.1}\n", "invalid_type"),
    "a chance above 1": ("mails: {replied: {chance: §3}}\n", "out_of_range"),
    "a chance of a list above 1": ("mails: {replied: {chance: [0.1, §3]}}\n", "out_of_range"),
    "a chance of a list as text": ("mails: {replied: {chance: [0.1, §low]}}\n", "invalid_type"),
    "no chance": ("mails: {replied: {chance:§ }}\n", "invalid_type"),
    "no chances": ("mails: {replied: {chance: §[]}}\n", "invalid_length"),
    "away after a reply": ("mails: {replied: {§away: {days: 1}}}\n", "unknown_key"),
    "after nothing": ("mails: {replied: {after: §null}}\n", "invalid_type"),
    "refused as text": ("mails: {refused: §few}\n", "invalid_type"),
    "deferred above 1": ("mails: {deferred: §2}\n", "out_of_range"),
    "a reaction of a step": ("mails: {steps: {hello: {§laughed: {}}}}\n", "unknown_key"),
    "a chance of a step": ("mails: {steps: {0: {replied: {chance: §-1}}}}\n", "out_of_range"),
    "reactions without a step": ("mails: {steps: [§{reactions: {}}]}\n", "missing"),
    "a season without times": ("mails: {seasons: [§{from: 2026-07-01, to: 2026-07-02}]}\n", "missing"),
    "a season backwards": ("mails: {seasons: [{to: §2026-07-01, from: 2026-07-02, times: 1}]}\n", "out_of_order"),
    "a season of much": ("mails: {seasons: [{from: 2026-07-01, to: 2026-07-02, times: §101}]}\n", "out_of_range"),
    "an outage on a date": ("mails: {outages: [{from: §2026-07-01, to: 2026-07-02T10:00}]}\n", "not_an_instant"),
    "an outage at a number": ("mails: {outages: [{from: §5, to: 2026-07-02T10:00}]}\n", "not_an_instant"),
    "an outage long ago": ("mails: {outages: [{from: §1969-07-20T20:17, to: 2026-07-02T10:00}]}\n", "out_of_range"),
    "an outage of no time": (
        "mails: {outages: [{from: 2026-07-02T10:00, to: §2026-07-02T10:00Z}]}\n",
        "out_of_order",
    ),
    # -- what runs the engine
    "downtime as a mapping": ("worker: {downtime: §{}}\n", "invalid_type"),
    "downtime until never": ("worker: {downtime: [§{from: 2026-07-02T10:00}]}\n", "missing"),
    "a catch-up of true": ("worker: {catch_up: §true}\n", "invalid_type"),
    "a catch-up of seconds": ("worker: {catch_up: {after: §{seconds: 5}}}\n", "out_of_range"),
    "a catch-up of weeks": ("worker: {catch_up: {over: {§weeks: 5}}}\n", "unknown_key"),
    "a catch-up of text": ("worker: {catch_up: {over: {hours: §many}}}\n", "invalid_type"),
    "a catch-up of ages": ("worker: {catch_up: {over: {hours: §1e300}}}\n", "out_of_range"),
    "a seed as text": ("worker: {catch_up: {seed: §a}}\n", "invalid_type"),
    "a cap as a number": ("caps: {default: §300}\n", "invalid_type"),
    "a cap of no mails": ("caps: {default: {emails: §0}}\n", "out_of_range"),
    "a cap of two months": ("caps: {default: {per: §{days: 60}}}\n", "out_of_range"),
    "a gap as a number": ("caps: {default: {gap: §30}}\n", "invalid_type"),
    "an unknown way to exceed": ("caps: {default: {exceeding: §explode}}\n", "invalid_value"),
    "a cap of a blank actor": ('caps: {actors: {" ": §null}}\n', "blank"),
    "an actor twice": ("caps: {actors: [{actor: 7, cap: null}, {actor: §7, cap: null}]}\n", "duplicate_key"),
    "an actor twice by number": ('caps: {actors: {7: null, §"7": null}}\n', "duplicate_key"),
    "caps as text": ("caps: {actors: §none}\n", "invalid_type"),
    "an unknown way out": ("blocked: {then: §shrug}\n", "invalid_value"),
    "a list of ways out": ("blocked: {then: §[skip]}\n", "invalid_value"),
}
JSON = {
    "no JSON": ('{"name": §x}', "syntax"),
    "NaN": ('{"mails": {"refused": §NaN}}', "not_finite"),
    "a duplicate key in JSON": ('{"name": "a", §"name": "b"}', "duplicate_key"),
    "an unknown key in JSON": ('{"mails": {§"refusd": 0}}', "unknown_key"),
    "a chance in JSON": ('{"mails": {"replied": {"chance": [§2]}}}', "out_of_range"),
}
ROWS = [
    pytest.param(text, code, format, id=name)
    for format, table in (("yaml", YAML), ("json", JSON))
    for name, (text, code) in table.items()
]


def problems_of(text: str | bytes, **keywords):
    with pytest.raises(DefinitionError) as caught:
        loads_scenario(text, **keywords)
    return caught.value.problems


@pytest.mark.parametrize(("marked", "code", "format"), ROWS)
def test_each_is_refused_at_its_place(marked, code, format):
    """A malformed scenario is refused with the code that fits, at the file, line and column of the mistake, once."""
    text = marked.replace("§", "", 1)
    line, column = Lines(text)(marked.index("§"))
    found = problems_of(text, format=format, file="bad.file")

    assert [(each.code, each.line, each.column) for each in found] == [(code, line, column)]
    assert str(found[0]).startswith(f"bad.file:{line}:{column}: {code}: ")
    assert len(found[0].message) <= 400
    assert "\n" not in str(found[0])


def test_all_mistakes_are_found_at_once():
    """One mistake in each part, and more than one in some: all are named, in the order of the file."""
    text = """\
format: 2
nam: x
people:
  actors: {count: 0, leads: 5}
  arrive: {from: "8", to: "7"}
tasks:
  take: {quantiles: {0: {hours: 5}, 50: {hours: 4}, 200: {hours: x}}}
  leave:
    - {from: 2026-13-01, to: May}
mails:
  replied: {chance: [2, 0.1, low], after: {hour: 1}}
  steps: {hello: {replied: {chance: 2}}}
  outages: [{from: 10:00, until: 12:00}]
worker: {catch_up: {after: {hours: 0}, over: {days: 8}}}
caps: {default: {emails: 0}, actors: {7: {emails: 1.5}}}
blocked: {then: shrug, after: 4}
"""
    assert [(each.code, each.line, each.column) for each in problems_of(text)] == [
        ("unsupported_format", 1, 9),
        ("unknown_key", 2, 1),
        ("out_of_range", 4, 19),
        ("unknown_key", 4, 22),
        ("invalid_time", 5, 18),
        ("invalid_time", 5, 27),
        ("invalid_key", 7, 53),
        ("invalid_type", 7, 66),
        ("not_a_date", 9, 14),
        ("not_a_date", 9, 30),
        ("out_of_range", 11, 22),
        ("invalid_type", 11, 30),
        ("unknown_key", 11, 44),
        ("out_of_range", 12, 37),
        ("missing", 13, 13),
        ("not_an_instant", 13, 20),
        ("unknown_key", 13, 27),
        ("out_of_range", 14, 28),
        ("out_of_range", 14, 46),
        ("out_of_range", 15, 26),
        ("invalid_type", 15, 51),
        ("invalid_value", 16, 17),
        ("invalid_type", 16, 31),
    ]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("mail: {}", "did you mean mails?"),
        ("mails: {repleid: {}}", "did you mean replied?"),
        ("tasks: {take: {desk_hour: 1}}", "did you mean desk_hours?"),
        ("tasks: {take: {quantile: {}}}", "did you mean quantiles?"),
        ("people: {actors: {leads_per: 3}}", "did you mean leads_each?"),
        ("people: {arrive: {opens: x}}", "use over, days, from or to"),
    ],
)
def test_the_remedy_names_the_nearest_key(text, remedy):
    """An unknown key's message says which known key was probably meant, or which there are."""
    (problem,) = problems_of(text)

    assert remedy in problem.message


def test_no_is_text():
    """Words that YAML 1.1 takes for truth values are texts: a scenario can be called no, and a step off."""
    scenario = loads_scenario("name: no\nmails: {steps: {off: {}}}")

    assert scenario.name == "no"
    assert list(scenario.mails.steps) == ["off"]


def test_a_file_that_is_too_long(tmp_path):
    """More than 256 KiB are not read."""
    (tmp_path / "long.yaml").write_text("name: x\n" + "#" * 256 * 1024, encoding="utf-8")

    with pytest.raises(DefinitionError, match=r"long\.yaml:1:1: too_large"):
        load_scenario(tmp_path / "long.yaml")


def test_a_hundred_mistakes_are_enough():
    """Beyond a hundred mistakes the reader says so and stops."""
    found = problems_of("\n".join(f"nam{i}: 1" for i in range(1000)))

    assert len(found) == 101
    assert found[-1].code == "too_many_problems"


GOOD = [FULL, *(path(f"scenario-{name}.yaml").read_text(encoding="utf-8") for name in ("usual", "slow-summer"))]
BAD = [text.replace("§", "") for table in (YAML, JSON) for text, _ in table.values()]
WORDS = """between quantiles hours days desk_hours from to actor step habits reactions cap chance after away never take
over count leads_each per gap seed 50 100 null 0.5 -1 2026-03-29T02:30 "24:00" mon Europe/Warsaw"""


def check(text: str | bytes, format) -> None:
    found = None
    problems: tuple[Problem, ...] = ()
    try:
        found = loads_scenario(text, format=format, file="fuzz", timezone="Europe/Warsaw")
    except DefinitionError as error:
        problems = error.problems
    assert (type(found) is Scenario) is not bool(problems)
    for problem in problems:
        assert problem.line is not None
        assert problem.column is not None
        str(problem).encode()


@given(st.binary(max_size=200) | st.text(max_size=200) | st.lists(PIECES, max_size=40).map("".join), FORMATS)
def test_anything(content, format):
    """Random bytes, text and heaps of marks never raise anything but a `DefinitionError` with places."""
    check(content, format)


@given(st.data(), FORMATS)
def test_mutated_files(data, format):
    """Good and bad files with pieces cut out, put in and doubled never raise anything but a `DefinitionError`."""
    text = data.draw(st.sampled_from(GOOD + BAD))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        piece = data.draw(PIECES | st.sampled_from(WORDS.split()) | st.just(text[start:end] * 2) | st.just(""))
        text = text[:start] + piece + text[end:]
    check(text, format)
