"""The files that commands are given: definitions, and scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.core.sequence import Sequence

if TYPE_CHECKING:
    from sequencer.definitions.files import Located
    from sequencer.simulation.scenario import Scenario

__all__ = ["read_definition", "read_either", "read_located"]


def read_definition(path: str) -> Sequence:
    """The sequence in a definition file."""
    from sequencer.definitions import load

    return load(path)


def read_either(path: str, *, timezone: str = "UTC") -> Sequence | Scenario:
    """The sequence, or the scenario, in a file: whichever it is; its local times are in `timezone` if it names none."""
    scenario = _scenario(path, timezone)
    return read_definition(path) if scenario is None else scenario


def read_located(path: str) -> Located | Scenario:
    """As `read_either`, with where in the file the parts of a sequence stand."""
    from sequencer.definitions.files import load_located

    scenario = _scenario(path, "UTC")
    return load_located(path) if scenario is None else scenario


def _scenario(path: str, timezone: str) -> Scenario | None:
    from sequencer.definitions.texts import glimpsed, opened
    from sequencer.simulation.scenario_document import is_scenario, load_scenario

    _, content, chosen = opened(path)
    if glimpsed(content, is_scenario, format=chosen):
        return load_scenario(path, timezone=timezone)
    return None
