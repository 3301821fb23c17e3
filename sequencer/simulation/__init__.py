"""Time that can be told, and the world around the engine in a simulation: the manual clock, scenarios, their files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sequencer.simulation.clock import ManualClock

if TYPE_CHECKING:
    from sequencer.simulation.assumptions import Assumption
    from sequencer.simulation.scenario import (
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
    from sequencer.simulation.scenario_document import dumps_scenario, load_scenario, loads_scenario, scenario_schema
    from sequencer.simulation.spans import Span

__all__ = [
    "Actors",
    "Arrivals",
    "Assumption",
    "Blocked",
    "Caps",
    "Desk",
    "Leave",
    "Mails",
    "ManualClock",
    "Outage",
    "Reaction",
    "Scenario",
    "Season",
    "Span",
    "TaskHabits",
    "Tasks",
    "Worker",
    "dumps_scenario",
    "load_scenario",
    "loads_scenario",
    "scenario_schema",
]

# The clock comes with `import sequencer`; what only a simulation needs is imported when it is asked for. The functions
# that are called as their modules are (`assumptions`, `scenario_document`) are found there: here they would be those.
_ELSEWHERE = {
    "Assumption": "assumptions",
    "Span": "spans",
    "dumps_scenario": "scenario_document",
    "load_scenario": "scenario_document",
    "loads_scenario": "scenario_document",
    "scenario_schema": "scenario_document",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_ELSEWHERE.get(name, 'scenario')}")
    globals()[name] = found = getattr(module, name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
