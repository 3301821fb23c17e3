"""What scenario files mean, and that what is written is read back as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta

import pendulum
import pytest
from hypothesis import given

from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.pacing import Cap, CatchUp
from sequencer.examples import path
from sequencer.simulation import (
    Actors,
    Arrivals,
    Blocked,
    Caps,
    Desk,
    Leave,
    Mails,
    Outage,
    Reaction,
    Scenario,
    Season,
    Span,
    TaskHabits,
    Tasks,
    Worker,
    dumps_scenario,
    load_scenario,
    loads_scenario,
)
from sequencer.simulation.scenario_document import from_scenario_document, scenario_document
from sequencer.testing.strategies import scenarios

FULL = """\
format: 1
name: Spring
people:
  actors: {count: 12}
  timezones: {Europe/Warsaw: 3, America/New_York: 1.5}
  arrive: {over: {days: 3}, days: [tue, mon], from: 09:30, to: "24:00"}
tasks:
  take: {between: [{minutes: 5}, {hours: 4}]}
  never: 0.05
  desk: {days: [mon, tue, wed, thu], from: "08:00", to: "16:00", timezone: Europe/Berlin}
  leave:
    - {actor: 7, from: 2026-04-01, to: 2026-04-14}
    - {actor: "7", from: 2026-05-01, to: 2026-05-01}
    - {from: 2026-12-24, to: 2026-12-31}
  steps: {call: {take: {desk_hours: 1.5}, never: 0.2}, 3: {never: 0}, "4": {take: {seconds: 90}}}
mails:
  replied: {chance: [0.1, 0.05], after: {quantiles: {0: {minutes: 5}, "50": {hours: 4}, "99.5": {days: 1}}}}
  meeting_booked: {chance: 0.01}
  unsubscribed: {after: {days: 2}}
  bounced: {chance: 0, after: {desk_minutes: 20}}
  converted: {chance: 1, after: {seconds: 5}}
  out_of_office: {chance: 0.02, after: {minutes: 2}, away: null}
  refused: 0.003
  deferred: 0.02
  steps: {hello: {replied: {chance: 0.2}}, 2: {out_of_office: {away: {days: 3}}}}
  seasons: [{from: 2026-07-01, to: 2026-08-31, times: 0.5}]
  outages: [{from: "2026-03-24T10:00", to: 2026-03-24T13:00:00+02:00}]
worker:
  downtime: [{from: 2026-03-29T02:30, to: "2026-03-30 07:00:00.5"}]
  catch_up: {after: {minutes: 90}, over: {hours: 4}, seed: 5}
caps:
  default: {emails: 100, per: {days: 1}, gap: {seconds: 30}, jitter: {minutes: 1}, exceeding: block}
  actors: {7: {emails: 50}, eight: null}
blocked: {then: retry, after: {hours: 2}}
"""

MEANT = Scenario(
    name="Spring",
    actors=Actors(count=12),
    timezones={"Europe/Warsaw": 3, "America/New_York": 1.5},
    arrivals=Arrivals(over_days=3, days=["mon", "tue"], opens="09:30", closes="24:00"),
    tasks=Tasks(
        take=Span.between(Span.fixed(minutes=5), Span.fixed(hours=4)),
        never=0.05,
        desk=Desk(days=["mon", "tue", "wed", "thu"], opens="08:00", closes="16:00", timezone="Europe/Berlin"),
        leave=[
            Leave(actor=7, first="2026-04-01", last="2026-04-14"),
            Leave(actor="7", first="2026-05-01", last="2026-05-01"),
            Leave(first=date(2026, 12, 24), last=date(2026, 12, 31)),
        ],
        steps={
            "call": TaskHabits(take=Span.fixed(hours=1.5, desk=True), never=0.2),
            3: TaskHabits(never=0),
            4: TaskHabits(take=Span.fixed(seconds=90)),
        },
    ),
    mails=Mails(
        reactions={
            "replied": Reaction(
                chance=(0.1, 0.05),
                after=Span.quantiles({0: Span.fixed(minutes=5), 50: Span.fixed(hours=4), 99.5: Span.fixed(days=1)}),
            ),
            "meeting_booked": Reaction(chance=0.01),
            "unsubscribed": Reaction(chance=0.002, after=Span.fixed(days=2)),
            "bounced": Reaction(after=Span.fixed(minutes=20, desk=True)),
            "converted": Reaction(chance=1, after=Span.fixed(seconds=5)),
            "out_of_office": Reaction(chance=0.02, after=Span.fixed(minutes=2)),
        },
        refused=0.003,
        deferred=0.02,
        steps={
            "hello": {"replied": Reaction(chance=0.2)},
            2: {"out_of_office": Reaction(chance=0.02, away=Span.fixed(days=3))},
        },
        seasons=[Season(first="2026-07-01", last="2026-08-31", times=0.5)],
        outages=[Outage(begins=pendulum.datetime(2026, 3, 24, 9), ends=pendulum.datetime(2026, 3, 24, 11))],
    ),
    worker=Worker(
        downtime=[
            Outage(
                begins=pendulum.datetime(2026, 3, 29, 1, 30),
                ends=pendulum.datetime(2026, 3, 30, 5, microsecond=500_000),
            )
        ],
        catch_up=CatchUp(after=timedelta(minutes=90), over=timedelta(hours=4), seed=5),
    ),
    caps=Caps(
        default=Cap(emails=100, gap=30, jitter=60, exceeding="block"),
        actors={7: Cap(emails=50, gap=30, jitter=60, exceeding="block"), "eight": None},
    ),
    blocked=Blocked(then="retry", after=Span.fixed(hours=2)),
)


def test_everything_that_a_scenario_may_say():
    """Each key ends up where it belongs; local times are in the zone that is handed in, also where the clocks jump."""
    assert loads_scenario(FULL, timezone="Europe/Warsaw") == MEANT
    assert loads_scenario(FULL) != MEANT


def test_what_is_left_out_is_usual():
    """A name alone makes the ordinary world, and so does an empty mapping."""
    assert loads_scenario("name: Plain") == Scenario(name="Plain")
    assert loads_scenario("{}") == Scenario()
    assert loads_scenario("mails: {}\ntasks: {desk: {}}\npeople: {actors: {}}\ncaps: {}") == Scenario()


def test_the_usual_example_is_the_ordinary_world():
    """The bundled file that writes out every default says exactly what is so without it, with every key there is."""
    usual = load_scenario(path("scenario-usual.yaml"))

    assert usual == Scenario(name="usual")
    text = path("scenario-usual.yaml").read_text(encoding="utf-8")
    for key, value in scenario_document(usual).items():
        assert f"\n{key}:" in text
        for inner in value if isinstance(value, dict) else ():
            assert f"\n  {inner}:" in text or f"{inner}: " in text


def test_the_slow_summer_is_slow():
    """The other bundled file differs from the ordinary world in what its name promises."""
    summer = load_scenario(path("scenario-slow-summer.yaml"), timezone="Europe/Warsaw")

    assert summer.tasks.take.drawn(0.5) == 2 * Scenario().tasks.take.drawn(0.5)
    assert summer.mails.seasons == (Season(first="2026-07-01", last="2026-08-31", times=0.5),)
    assert summer.mails.outages[0].begins == pendulum.datetime(2026, 7, 7, 9, tz="Europe/Warsaw")
    assert summer.caps.of(3) == Cap(emails=40, gap=60, jitter=30)
    assert len(summer.tasks.leave) == 2


@given(scenarios())
def test_documents_come_back(scenario):
    """A scenario's document, also by way of JSON, describes exactly that scenario."""
    document = scenario_document(scenario)

    assert from_scenario_document(document) == scenario
    assert from_scenario_document(json.loads(json.dumps(document))) == scenario


@given(scenarios())
def test_files_come_back(scenario):
    """The YAML and the JSON text of a scenario are read as exactly that scenario, the JSON also as YAML."""
    yaml, json = dumps_scenario(scenario), dumps_scenario(scenario, format="json")

    for text, format in ((yaml, "yaml"), (json, "json"), (json, "yaml")):
        assert loads_scenario(text, format=format, timezone="Asia/Tokyo") == scenario
    assert dumps_scenario(from_scenario_document(scenario_document(scenario))) == yaml


def test_ids_keep_their_type():
    """Numbers and texts that spell them are different actors and steps, also where JSON would make them one key."""
    scenario = Scenario(
        caps=Caps(actors={7: Cap(emails=1), "7": None, "07": Cap(emails=2)}),
        tasks=Tasks(steps={2: TaskHabits(never=1), "2": TaskHabits(never=0)}),
        mails=Mails(steps={"-5": {"replied": Reaction(chance=1)}}),
    )
    document = scenario_document(scenario)

    assert from_scenario_document(document) == scenario
    assert document["caps"]["actors"][1] == {"actor": "07", "cap": document["caps"]["actors"][1]["cap"]}
    assert document["tasks"]["steps"] == [
        {"step": 2, "habits": {"never": 1}},
        {"step": "2", "habits": {"never": 0}},
    ]


def test_files_are_read_by_their_suffix(tmp_path):
    """The suffix says whether a file is YAML or JSON, in any case; without one, its first character does."""
    for name, format in (("a.yaml", "yaml"), ("a.YML", "yaml"), ("a.json", "json"), ("a", "json"), ("b", "yaml")):
        (tmp_path / name).write_text(dumps_scenario(MEANT, format=format), encoding="utf-8")

        assert load_scenario(tmp_path / name) == MEANT


def test_a_file_that_is_not_there(tmp_path):
    """A file that cannot be read is a problem like any other, with its name."""
    with pytest.raises(DefinitionError, match=r"spring\.yaml:1:1: no_such_file"):
        load_scenario(tmp_path / "spring.yaml")


def test_a_zone_that_is_none():
    """The caller's mistake is no problem of the file."""
    with pytest.raises(InvalidInput, match="Mars"):
        loads_scenario("name: x", timezone="Mars")


def test_json_needs_no_extra():
    """JSON is read without PyYAML, and YAML says which extra it needs."""
    script = """
import sys
sys.modules["yaml"] = None
from sequencer.simulation import loads_scenario
assert loads_scenario('{"name": "x"}').name == "x"
try:
    loads_scenario("name: x")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "missing_extra: reading YAML needs the extra yaml" in done.stdout
