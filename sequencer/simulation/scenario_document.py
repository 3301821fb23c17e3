"""Scenarios as files: strict readers of YAML and JSON, with the place of every problem, and writers.

Which keys there are is said once, by tables from which a file is both read and written. A file says what differs from
the ordinary world; what is written says everything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

import attrs

from sequencer.core.calendar import zone_named
from sequencer.core.durations import read_amount
from sequencer.core.errors import DefinitionError
from sequencer.core.instants import FIRST, LAST
from sequencer.core.pacing import Cap, CatchUp
from sequencer.core.problems import MISSING, EnoughProblems, child, item, shown
from sequencer.core.values import to_identifier
from sequencer.definitions.texts import Format, built, opened
from sequencer.definitions.writing import json_of, yaml_of
from sequencer.simulation.checks import refuse_odd_step, to_share
from sequencer.simulation.notation import (
    DATE,
    DAYS,
    ELAPSED,
    GIVEN,
    INSTANT,
    PLAIN,
    Keyed,
    Notation,
    Pair,
    Part,
    Reading,
    listed,
    or_null,
)
from sequencer.simulation.scenario import (
    REACTIONS,
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
    TaskHabits,
    Tasks,
    Worker,
)
from sequencer.simulation.span_document import SPAN

__all__ = [
    "dumps_scenario",
    "from_scenario_document",
    "is_scenario",
    "load_scenario",
    "loads_scenario",
    "scenario_document",
    "scenario_schema",
]

FORMAT = 1

_NOTHING = "there is nothing in it: a scenario of defaults has at least a name"
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALL_HOURS: dict[str, Any] = {"days": _WEEK, "opens": "00:00", "closes": "24:00"}
_ALWAYS: dict[str, Any] = {"first": date.min, "last": date.max}

# -- people and desks -----------------------------------------------------------------------------------------


def _read_over(reading: Reading, value: Any, path: str) -> Any:
    _, days = read_amount(reading, value, path, ("days",))
    return days


def _read_actors(reading: Reading, value: Any, path: str) -> Any:
    before = len(reading.found)
    given = reading.mapping(value, path, ("count", "leads_each"))
    for key, each in {} if given is MISSING else given.items():
        if GIVEN.read(reading, each, child(path, key)) is not MISSING:
            reading.attempt(child(path, key), lambda k=key, e=each: Actors(**{k: e}))
    if len(reading.found) > before:
        return MISSING
    return reading.attempt(child(path, "leads_each"), lambda: Actors(**given))


def _write_actors(actors: Actors) -> dict[str, int | None]:
    return {"leads_each": actors.leads_each} if actors.count is None else {"count": actors.count}


_HOURS = {"days": ("days", DAYS), "from": ("opens", PLAIN), "to": ("closes", PLAIN)}
_OVER = Pair(_read_over, lambda days: {"days": days})
_ARRIVALS = Part(Arrivals(), {"over": ("over_days", _OVER), **_HOURS}, trial=Arrivals(**_ALL_HOURS))
_DESK = Part(Desk(), {**_HOURS, "timezone": ("timezone", PLAIN)}, trial=Desk(**_ALL_HOURS))
_LEAVE = Part(
    Leave(**_ALWAYS),
    {"actor": ("actor", PLAIN), "from": ("first", DATE), "to": ("last", DATE)},
    required=("from", "to"),
    silent=("actor",),
)


def _read_weights(reading: Reading, value: Any, path: str) -> Any:
    given = reading.mapping(value, path, None)
    if given is MISSING:
        return MISSING
    tried = [
        reading.attempt(child(path, name), lambda n=name, w=weight: Scenario(timezones={n: w}))
        for name, weight in given.items()
    ]
    return MISSING if any(each is MISSING for each in tried) else given


_PEOPLE: dict[str, tuple[str, Notation]] = {
    "actors": ("actors", Pair(_read_actors, _write_actors)),
    "timezones": ("timezones", Pair(_read_weights, dict)),
    "arrive": ("arrivals", _ARRIVALS),
}
_HABITS = Part(TaskHabits(), {"take": ("take", SPAN), "never": ("never", GIVEN)}, silent=("take", "never"))
_TASKS = Part(
    Tasks(),
    {
        "take": ("take", SPAN),
        "never": ("never", PLAIN),
        "desk": ("desk", _DESK),
        "leave": ("leave", listed(_LEAVE)),
        "steps": ("steps", Keyed("step", "habits", refuse_odd_step, _HABITS)),
    },
)

# -- mails ----------------------------------------------------------------------------------------------------


def _read_chance(reading: Reading, value: Any, path: str) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    found = [reading.attempt(item(path, i), to_share, each, "chance") for i, each in enumerate(value)]
    return MISSING if any(each is MISSING for each in found) else tuple(value)


def _write_chance(chance: tuple[float, ...]) -> Any:
    return chance[0] if len(chance) == 1 else list(chance)


_SAID = {"chance": ("chance", Pair(_read_chance, _write_chance)), "after": ("after", SPAN)}
_REACTION = {kind: Part(Reaction(), _SAID) for kind in REACTIONS}
_REACTION["out_of_office"] = Part(Reaction(), {**_SAID, "away": ("away", or_null(SPAN))})
_SEASON = Part(
    Season(times=1, **_ALWAYS),
    {"from": ("first", DATE), "to": ("last", DATE), "times": ("times", PLAIN)},
    required=("from", "to", "times"),
)
_OUTAGE = Part(
    Outage(begins=FIRST, ends=LAST),
    {"from": ("begins", INSTANT), "to": ("ends", INSTANT)},
    required=("from", "to"),
)
_MAILS = Part(
    Mails(),
    {
        "refused": ("refused", PLAIN),
        "deferred": ("deferred", PLAIN),
        "seasons": ("seasons", listed(_SEASON)),
        "outages": ("outages", listed(_OUTAGE)),
    },
)


def _read_reactions(usual: Mapping[str, Reaction], reading: Reading, value: Any, path: str) -> Any:
    """What a mapping says of reactions; where it leaves something out of one, that is as usual."""
    given = reading.mapping(value, path, REACTIONS)
    if given is MISSING:
        return MISSING
    found = {kind: _REACTION[kind].read(reading, each, child(path, kind), usual[kind]) for kind, each in given.items()}
    return MISSING if any(each is MISSING for each in found.values()) else found


def _write_reactions(reactions: Mapping[str, Reaction]) -> dict[str, Any]:
    return {kind: _REACTION[kind].write(each) for kind, each in reactions.items()}


def _by_step(usual: Mapping[str, Reaction]) -> Keyed:
    return Keyed("step", "reactions", refuse_odd_step, Pair(partial(_read_reactions, usual), _write_reactions))


def _read_mails(reading: Reading, value: Any, path: str) -> Any:
    given = reading.mapping(value, path, (*REACTIONS, *_MAILS.keys, "steps"))
    if given is MISSING:
        return MISSING
    mails = _MAILS.read(reading, {key: each for key, each in given.items() if key in _MAILS.keys}, path)
    usual = Mails().reactions
    said = {key: each for key, each in given.items() if key in REACTIONS}
    reactions = _read_reactions(usual, reading, said, path)
    if reactions is not MISSING:
        usual = {**usual, **reactions}
    steps = _by_step(usual).read(reading, given.get("steps", {}), child(path, "steps"))
    if any(each is MISSING for each in (mails, reactions, steps)):
        return MISSING
    return attrs.evolve(mails, reactions=usual, steps=steps)


def _write_mails(mails: Mails) -> dict[str, Any]:
    steps = _by_step(mails.reactions).write(mails.steps)
    return {**_write_reactions(mails.reactions), **_MAILS.write(mails), "steps": steps}


# -- what runs the engine -------------------------------------------------------------------------------------

_CATCH_UP = Part(CatchUp(), {"after": ("after", ELAPSED), "over": ("over", ELAPSED), "seed": ("seed", PLAIN)})
_WORKER = Part(Worker(), {"downtime": ("downtime", listed(_OUTAGE)), "catch_up": ("catch_up", or_null(_CATCH_UP))})
_CAP = Part(
    Cap(),
    {
        "emails": ("emails", PLAIN),
        "per": ("per", ELAPSED),
        "gap": ("gap", ELAPSED),
        "jitter": ("jitter", ELAPSED),
        "exceeding": ("exceeding", PLAIN),
    },
)
_BLOCKED = Part(Blocked(), {"then": ("then", PLAIN), "after": ("after", SPAN), "tries": ("tries", PLAIN)})


def _of_actors(usual: Cap | None) -> Keyed:
    read = or_null(Pair(partial(_read_cap, usual), _CAP.write))
    return Keyed("actor", "cap", to_identifier, read)


def _read_cap(usual: Cap | None, reading: Reading, value: Any, path: str) -> Any:
    return _CAP.read(reading, value, path, usual)


def _read_caps(reading: Reading, value: Any, path: str) -> Any:
    given = reading.mapping(value, path, ("default", "actors"))
    if given is MISSING:
        return MISSING
    default: Any = Cap()
    if "default" in given:
        default = or_null(_CAP).read(reading, given["default"], child(path, "default"))
    usual = Cap() if default is MISSING else default
    actors = _of_actors(usual).read(reading, given.get("actors", {}), child(path, "actors"))
    return MISSING if default is MISSING or actors is MISSING else Caps(default=default, actors=actors)


def _write_caps(caps: Caps) -> dict[str, Any]:
    return {"default": or_null(_CAP).write(caps.default), "actors": _of_actors(caps.default).write(caps.actors)}


_SCENARIO: dict[str, tuple[str, Notation]] = {
    "name": ("name", PLAIN),
    "tasks": ("tasks", _TASKS),
    "mails": ("mails", Pair(_read_mails, _write_mails)),
    "worker": ("worker", _WORKER),
    "caps": ("caps", Pair(_read_caps, _write_caps)),
    "blocked": ("blocked", _BLOCKED),
}
_WHOLE = Part(Scenario(), {**_SCENARIO, **_PEOPLE})
_KEYS = ("format", "name", "people", *(key for key in _SCENARIO if key != "name"))
_OF_SCENARIOS_ALONE = [key for key in _KEYS if key not in ("format", "name")]

# -- doors ----------------------------------------------------------------------------------------------------


def load_scenario(path: str | os.PathLike[str], *, timezone: str = "UTC") -> Scenario:
    """The scenario in a YAML or JSON file.

    The suffix says which of the two it is; without a known one, what begins with `{` or `[` is JSON. `timezone` is the
    zone of local times in it that name no offset (the sequence's, as a rule). Raises `DefinitionError` with every
    problem at once, with its file, line and column, also when the file cannot be read; and `InvalidInput` if `timezone`
    is no zone.
    """
    name, content, chosen = opened(path)
    return loads_scenario(content, format=chosen, file=name, timezone=timezone)


def loads_scenario(
    text: str | bytes, *, format: Format | None = None, file: str | None = None, timezone: str = "UTC"
) -> Scenario:
    """The scenario in a text, `file` being what problems call it. Otherwise as `load_scenario`."""
    build = partial(from_scenario_document, timezone=timezone)
    zone_named(timezone)
    return built(text, build, format=format, file=file, nothing=_NOTHING)


def from_scenario_document(document: object, *, timezone: str = "UTC") -> Scenario:
    """The scenario that plain data in the shape of the files describes.

    Raises `DefinitionError` with all problems at once, each with the path of its place.
    """
    reading = Reading(timezone)
    scenario: Scenario = MISSING
    try:
        if reading.plain(document):
            scenario = _read_scenario(reading, document)
    except EnoughProblems:
        pass
    if reading.found:
        raise DefinitionError(reading.found)
    return scenario


def is_scenario(data: object) -> bool:
    """Whether plain data is meant as a scenario, right or wrong, rather than as a sequence."""
    return isinstance(data, Mapping) and "steps" not in data and any(key in data for key in _OF_SCENARIOS_ALONE)


def _read_scenario(reading: Reading, document: object) -> Any:
    given = reading.mapping(document, "", _KEYS)
    if given is MISSING:
        return MISSING
    if "format" in given and (given["format"] != FORMAT or type(given["format"]) is not int):
        message = f"is {shown(given['format'])}; this release reads format {FORMAT}"
        reading.add("unsupported_format", message, "format")
    people = reading.mapping(given.get("people", {}), "people", _PEOPLE)
    found = {}
    for keys, where, within in ((_SCENARIO, given, ""), (_PEOPLE, people, "people")):
        for key, (field, notation) in keys.items():
            if where is not MISSING and key in where:
                place = child(within, key)
                found[field] = value = notation.read(reading, where[key], place)
                if value is not MISSING:
                    reading.attempt(place, lambda f=field, v=value: Scenario(**{f: v}))
    return MISSING if reading.found else Scenario(**found)


def scenario_document(scenario: Scenario) -> dict[str, Any]:
    """The document of a scenario: `from_scenario_document(scenario_document(scenario)) == scenario`.

    Plain JSON data that is the same for equal scenarios. It says everything, also what is so by default.
    """
    whole = _WHOLE.write(scenario)
    people = {key: whole.pop(key) for key in _PEOPLE}
    return {"format": FORMAT, "name": whole.pop("name"), "people": people, **whole}


def dumps_scenario(scenario: Scenario, *, format: Format = "yaml") -> str:
    """A scenario as the text of a file: `loads_scenario(dumps_scenario(scenario)) == scenario`."""
    document = scenario_document(scenario)
    return json_of(document) if format == "json" else yaml_of(_numbered(document))


def _numbered(value: Any) -> Any:
    """A document whose keys are numbers where they spell one, which in YAML they can be."""
    if isinstance(value, dict):
        return {
            int(key) if key.isdecimal() and str(int(key)) == key else key: _numbered(each)
            for key, each in value.items()
        }
    return [_numbered(each) for each in value] if isinstance(value, list) else value


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of scenario files, for editors.

    It says what a schema can say. The reader is stricter: a file that the schema takes may still be refused.
    """
    from importlib.resources import files  # slow to import, and needed by nothing else here

    text = files(__package__).joinpath("scenario_schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
