"""The files that commands are given: definitions, and scenarios. One of another kind is told by what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.sequence import Sequence

if TYPE_CHECKING:
    from sequencer.definitions.files import Located
    from sequencer.simulation.scenario import Scenario

__all__ = ["read_definition", "read_either", "read_located", "read_scenario"]

_ARE = {
    "leads": "this is CSV, as `enroll --leads` takes it",
    "scenario": "this is a scenario, as `simulate --scenario` takes it",
    "definition": "this is the definition of a sequence, as `check` and `enroll` take it",
}


def read_definition(path: str) -> Sequence:
    """The sequence in a definition file."""
    from sequencer.definitions import load

    with _told(path, "a definition", "leads", "scenario"):
        return load(path)


def read_scenario(path: str, *, timezone: str = "UTC") -> Scenario:
    """The scenario in a file; its local times are in `timezone` if it names none."""
    from sequencer.simulation.scenario_document import load_scenario

    with _told(path, "a scenario", "leads", "definition"):
        return load_scenario(path, timezone=timezone)


def read_either(path: str, *, timezone: str = "UTC") -> Sequence | Scenario:
    """The sequence, or the scenario, in a file: whichever it is; its local times are in `timezone` if it names none."""
    return read_scenario(path, timezone=timezone) if _kind(path) == "scenario" else read_definition(path)


def read_located(path: str) -> Located | Scenario:
    """As `read_either`, with where in the file the parts of a sequence stand."""
    from sequencer.definitions.files import load_located

    if _kind(path) == "scenario":
        return read_scenario(path)
    with _told(path, "a definition or a scenario", "leads"):
        return load_located(path)


@contextmanager
def _told(path: str, wanted: str, *others: str) -> Iterator[None]:
    """Instead of all that is wrong with a file of another kind, what it is."""
    try:
        yield
    except DefinitionError:
        if (kind := _kind(path)) not in others:
            raise
        message = f"{_ARE[kind]}; {wanted} is wanted here"
        raise DefinitionError([Problem("another_kind", message, "", path, 1, 1)]) from None


def _kind(path: str) -> str:
    """What a file is meant as, right or wrong; empty where that cannot be told. Raises where it cannot be read."""
    from sequencer.definitions.files import is_definition
    from sequencer.definitions.leads import is_leads
    from sequencer.definitions.texts import glimpsed, opened
    from sequencer.simulation.scenario_document import is_scenario

    _, content, chosen = opened(path)
    if chosen is None and (Path(path).suffix.lower() == ".csv" or is_leads(content)):
        return "leads"

    def kind(data: object) -> str:
        return "scenario" if is_scenario(data) else "definition" if is_definition(data) else ""

    return glimpsed(content, kind, format=chosen)
