"""The definition files that commands are given."""

from __future__ import annotations

from sequencer.core.sequence import Sequence

__all__ = ["read_definition"]


def read_definition(path: str) -> Sequence:
    """The sequence in a definition file."""
    from sequencer.definitions import load

    return load(path)
