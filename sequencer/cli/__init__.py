"""The command line: `sequencer COMMAND`, also `python -m sequencer`."""

from sequencer.cli.main import main

__all__ = ["main"]
