"""Definition files and leads: strict readers, with the place of every problem, and writers."""

from __future__ import annotations

from sequencer.definitions.files import load, load_all, loads, loads_all, schema
from sequencer.definitions.leads import Lead, parse_leads, read_leads, to_moment
from sequencer.definitions.sell import from_sell
from sequencer.definitions.writing import dump, dumps

__all__ = [
    "Lead",
    "dump",
    "dumps",
    "from_sell",
    "load",
    "load_all",
    "loads",
    "loads_all",
    "parse_leads",
    "read_leads",
    "schema",
    "to_moment",
]
