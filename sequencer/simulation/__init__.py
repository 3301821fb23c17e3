"""Time that can be told, and what will become of people: the manual clock, scenarios and their files, studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.doors import door

if TYPE_CHECKING:
    from sequencer.simulation.answers import Answers
    from sequencer.simulation.assumptions import Assumption
    from sequencer.simulation.clock import ManualClock
    from sequencer.simulation.population import Arrival, LeadPopulation, MadeUpPopulation
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
    from sequencer.simulation.simulator import Simulator
    from sequencer.simulation.spans import Span
    from sequencer.simulation.study import Study, StudyResult, compare, simulate

__all__ = [
    "Actors",
    "Answers",
    "Arrival",
    "Arrivals",
    "Assumption",
    "Blocked",
    "Caps",
    "Desk",
    "LeadPopulation",
    "Leave",
    "MadeUpPopulation",
    "Mails",
    "ManualClock",
    "Outage",
    "Reaction",
    "Scenario",
    "Season",
    "Simulator",
    "Span",
    "Study",
    "StudyResult",
    "TaskHabits",
    "Tasks",
    "Worker",
    "compare",
    "dumps_scenario",
    "load_scenario",
    "loads_scenario",
    "scenario_schema",
    "simulate",
]

# What is from elsewhere than `scenario`. The functions that are called as their modules are (`assumptions`, `forecast`)
# are found there: here they would be those.
_ELSEWHERE = {
    "Answers": "answers",
    "Arrival": "population",
    "Assumption": "assumptions",
    "LeadPopulation": "population",
    "MadeUpPopulation": "population",
    "ManualClock": "clock",
    "Simulator": "simulator",
    "Span": "spans",
    "Study": "study",
    "StudyResult": "study",
    "compare": "study",
    "dumps_scenario": "scenario_document",
    "load_scenario": "scenario_document",
    "loads_scenario": "scenario_document",
    "scenario_schema": "scenario_document",
    "simulate": "study",
}
_WHERE = {name: f"{__name__}.{_ELSEWHERE.get(name, 'scenario')}" for name in __all__}

if not TYPE_CHECKING:
    __getattr__, __dir__ = door(__name__, _WHERE)
