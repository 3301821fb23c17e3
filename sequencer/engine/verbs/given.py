"""What callers of verbs give, looked at before anything is done with it (law S6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sequencer.core.enrollment import Resource, fold_address, to_address
from sequencer.core.errors import InvalidInput
from sequencer.core.sequence import Sequence, SequenceVersion
from sequencer.core.values import to_whole


def must_be_sequence(value: Any) -> Sequence:
    """The sequence that was given."""
    if not isinstance(value, Sequence):
        raise InvalidInput(f"needs a Sequence, got {value!r}", path="sequence", code="invalid_type")
    return value


def must_be_resource(value: Any) -> Resource:
    """The resource that was given."""
    if not isinstance(value, Resource):
        raise InvalidInput(f"needs a Resource, got {value!r}", path="resource", code="invalid_type")
    return value


def must_be_address(value: Any) -> str:
    """The address that was given, in comparable form."""
    folded = fold_address(to_address(value, "address"))
    if folded is None:
        raise InvalidInput(f"needs an email address, got {value!r}", path="address", code="blank")
    return folded


def must_be_state(value: Any) -> str:
    """The state of an enrollment that was given, or that was given by its name."""
    state = str(getattr(value, "value", value))
    if state not in ("active", "blocked", "finished"):
        raise InvalidInput(f"must be active, blocked or finished, got {value!r}", path="state")
    return state


def key_of(sequence: Sequence | SequenceVersion | str | int) -> str:
    """The key of the sequence that was given, or that was given itself."""
    if isinstance(sequence, str):
        return sequence
    if isinstance(sequence, (Sequence, SequenceVersion)):
        return sequence.key
    raise InvalidInput(f"needs a Sequence or its key, got {sequence!r}", path="sequence", code="invalid_type")


def name_of(sequence: Sequence | SequenceVersion | str | int) -> str | int:
    """By what a sequence is named: its key, or its id."""
    if isinstance(sequence, int) and not isinstance(sequence, bool):
        return sequence
    return key_of(sequence)


def ids_of(ids: Iterable[int], path: str) -> list[int]:
    """The ids that were given. Any number may be asked for; what the store cannot hold it does not have."""
    return [to_whole(id, f"{path}[{i}]", least=-(2**63), most=2**63 - 1) for i, id in enumerate(ids)]
