"""The answer of a simulation as a page to look at: one HTML file that needs nothing but a browser."""

from sequencer.simulation.report.page import render, write

__all__ = ["render", "write"]
