"""Tests of `sequencer.simulation`."""
