"""Strategies of Hypothesis for everything that the engine takes and makes, from an id to a whole enrollment.

Each is a plural noun, takes keywords only, says by name what is wrong with its arguments, and shrinks towards something
that a person can look at. `st.from_type` knows them, too, where the package is installed with its extra `testing`.
"""

from sequencer.testing.strategies.definitions import policies, reactions, sequences, steps, templates
from sequencer.testing.strategies.running import enrollments, histories, resources, signals
from sequencer.testing.strategies.scenarios import scenarios, spans
from sequencer.testing.strategies.texts import bodies, identifiers, lines, metadata
from sequencer.testing.strategies.timing import (
    calendars,
    delays,
    hours,
    starts,
    weekday_sets,
    weekdays,
    windows,
    zones,
)

__all__ = [
    "bodies",
    "calendars",
    "delays",
    "enrollments",
    "histories",
    "hours",
    "identifiers",
    "lines",
    "metadata",
    "policies",
    "reactions",
    "resources",
    "scenarios",
    "sequences",
    "signals",
    "spans",
    "starts",
    "steps",
    "templates",
    "weekday_sets",
    "weekdays",
    "windows",
    "zones",
]
