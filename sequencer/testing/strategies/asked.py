"""What is asked of the arguments of strategies: said at the door, not when the first example is drawn."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sequencer.core.errors import InvalidInput

__all__ = ["to_bounds", "to_strategy"]


def to_strategy(value: Any, default: st.SearchStrategy[Any], path: str) -> st.SearchStrategy[Any]:
    """The strategy that was given, or the default for None. Raises `InvalidInput` for anything else."""
    if value is None:
        return default
    if not isinstance(value, st.SearchStrategy):
        raise InvalidInput(
            f"needs a strategy, got {value!r}; for one value say st.just(...)", path=path, code="invalid_type"
        )
    return value


def to_bounds(least: Any, most: Any, paths: tuple[str, str], allowed: tuple[int, int]) -> tuple[int, int]:
    """Two whole numbers in order, within what is allowed. Raises `InvalidInput` naming which is wrong."""
    for value, path in zip((least, most), paths, strict=True):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput(f"needs a whole number, got {value!r}", path=path, code="invalid_type")
        if not allowed[0] <= value <= allowed[1]:
            raise InvalidInput(f"must be {allowed[0]} to {allowed[1]}, got {value}", path=path, code="out_of_range")
    if least > most:
        raise InvalidInput(f"must not be above {paths[1]} ({most}), got {least}", path=paths[0], code="out_of_range")
    return least, most
