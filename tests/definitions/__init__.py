"""Tests of `sequencer.definitions` and of the documents that it reads."""
