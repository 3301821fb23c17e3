"""Validators that every public value shares, and mappings that cannot be changed.

Each takes anything at all and returns the value as it is kept, or raises `InvalidInput` with the path of the argument
(law S6). Nothing is coerced: `"3"` is no number, and `True` is none either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from sequencer.core.delays import Delay, Hours, Weekdays
from sequencer.core.errors import InvalidInput

__all__ = [
    "EMPTY",
    "FrozenMapping",
    "Identifier",
    "frozen",
    "respelled",
    "thawed",
    "to_bool",
    "to_identifier",
    "to_instance",
    "to_line",
    "to_metadata",
    "to_optional_delay",
    "to_text",
    "to_whole",
]

Identifier = int | str
_Kind = TypeVar("_Kind")
_LONGEST_IDENTIFIER = 64
_MOST_DEPTH = 20
_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CONTROL_BUT_NEWLINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _given(value: Any) -> str:
    """What was given; a key of a file without a value is nothing, whatever Python calls it."""
    return "nothing" if value is None else repr(value)


def to_identifier(value: Any, path: str) -> Identifier:
    """A host's own id: an integer of 64 bits, or text of 1 to 64 characters; kept as given (S7)."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InvalidInput(f"needs a whole number or text, got {_given(value)}", path=path, code="invalid_type")
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidInput("needs a number of at most 64 bits", path=path, code="out_of_range")
        return int(value)
    if not 1 <= len(value) <= _LONGEST_IDENTIFIER:
        raise InvalidInput(
            f"needs 1 to {_LONGEST_IDENTIFIER} characters, got {len(value)}", path=path, code="invalid_length"
        )
    return to_line(value, path)


def respelled(value: Identifier) -> Identifier | None:
    """The other id that looks the same: `"7"`, the text, for the number 7, and vice versa; None if there is none."""
    if isinstance(value, int):
        return str(value)
    return int(value) if _WHOLE_NUMBER.fullmatch(value) and -(2**63) <= int(value) < 2**63 else None


def to_line(value: Any, path: str, *, longest: int = 255) -> str:
    """One line of text, without control characters."""
    if not isinstance(value, str):
        raise InvalidInput(f"needs text, got {_given(value)}", path=path, code="invalid_type")
    if not value.strip():
        raise InvalidInput("must not be blank", path=path, code="blank")
    if len(value) > longest:
        raise InvalidInput(f"has {len(value)} characters, at most {longest}", path=path, code="invalid_length")
    # What is printable has none of those, and is told some ten times as fast.
    if not value.isprintable() and _CONTROL.search(value):
        raise InvalidInput("has a control character or a broken surrogate in it", path=path, code="invalid_text")
    return value


def to_text(value: Any, path: str, *, longest: int) -> str:
    """Text of several lines, without NUL, other control characters and lone surrogates."""
    if not isinstance(value, str):
        raise InvalidInput(f"needs text, got {_given(value)}", path=path, code="invalid_type")
    if len(value) > longest:
        raise InvalidInput(f"has {len(value)} characters, at most {longest}", path=path, code="invalid_length")
    if _CONTROL_BUT_NEWLINES.search(value):
        raise InvalidInput("has a control character or a broken surrogate in it", path=path, code="invalid_text")
    return value


def to_whole(value: Any, path: str, *, least: int, most: int) -> int:
    """A whole number in a range; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"needs a whole number, got {_given(value)}", path=path, code="invalid_type")
    if not least <= value <= most:
        raise InvalidInput(f"must be from {least} to {most}, got {value}", path=path, code="out_of_range")
    return value


def to_bool(value: Any, path: str) -> bool:
    """True or false, and nothing that merely could be taken for it."""
    if not isinstance(value, bool):
        raise InvalidInput(f"needs true or false, got {_given(value)}", path=path, code="invalid_type")
    return value


def to_metadata(value: Any, path: str = "metadata") -> Mapping[str, Any]:
    """The host's own mapping: plain JSON values under text keys, at most 16 KiB; handed to the ports as it is."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {_given(value)}", path=path, code="invalid_type")
    if not value:
        return _NOTHING
    try:
        text = json.dumps(thawed(value), allow_nan=False, sort_keys=True)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        raise _not_plain(value, path) from None
    if len(text) > 16_384:
        raise InvalidInput("is longer than 16 KiB", path=path, code="invalid_length")
    found = json.loads(text)
    _refuse_odd_values(found, path, 1)
    kept: Mapping[str, Any] = frozen(found)
    return kept


def _not_plain(value: Mapping[Any, Any], path: str) -> InvalidInput:
    """The refusal of a mapping that has something other than plain JSON values in it, naming the first of them."""
    for key, each in value.items():
        try:
            json.dumps(thawed({key: each}), allow_nan=False).encode("utf-8")
        except (TypeError, ValueError, RecursionError):
            at = f"{path}.{key}" if isinstance(key, str) and key.isascii() else path
            break
    else:
        at, each = path, value
    return InvalidInput(
        f"needs text keys and plain JSON values (text, finite numbers, true and false, null, lists and mappings of "
        f"them), got {each!a:.80}; write a date as text",
        path=at,
        code="invalid_type",
    )


def _refuse_odd_values(value: Any, path: str, depth: int) -> None:
    # What is kept must come back, also from a store that shortens text at NUL, and from files as strict as they are.
    if depth > _MOST_DEPTH:
        raise InvalidInput(f"is nested more than {_MOST_DEPTH} levels deep", path=path, code="too_deep")
    if isinstance(value, str) and _CONTROL_BUT_NEWLINES.search(value):
        raise InvalidInput("has a control character or a broken surrogate in it", path=path, code="invalid_text")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInput("has a number of more than 64 bits in it", path=path, code="out_of_range")
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_odd_values(key, path, depth)
            _refuse_odd_values(each, path, depth + 1)
    if isinstance(value, list):
        for each in value:
            _refuse_odd_values(each, path, depth + 1)


class FrozenMapping(dict):  # type: ignore[type-arg]
    """A mapping that cannot be changed, hashable by its canonical text, printed as a plain dict."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this mapping is frozen")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(thawed(self), sort_keys=True, default=str))

    def __reduce__(self) -> Any:
        return FrozenMapping, (dict(self),)


_NOTHING: Mapping[str, Any] = FrozenMapping()


def frozen(value: Any) -> Any:
    """Plain JSON values as values that cannot be changed."""
    if isinstance(value, Mapping):
        return FrozenMapping({key: frozen(each) for key, each in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(frozen(each) for each in value)
    return value


def thawed(value: Any) -> Any:
    """The plain JSON values again. Raises `TypeError` for a key that is no text."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"keys must be text, got {key!r}")
        return {key: thawed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [thawed(each) for each in value]
    return value


EMPTY: Mapping[str, Any] = FrozenMapping()


def to_optional_delay(value: Any, path: str) -> Delay | None:
    """A delay, or None."""
    if value is not None and not isinstance(value, (Hours, Weekdays)):
        raise InvalidInput(f"needs Hours or Weekdays, got {value!r}", path=path, code="invalid_type")
    return value


def to_instance(kind: type[_Kind], value: Any, path: str) -> _Kind:
    """A value of that class."""
    if not isinstance(value, kind):
        raise InvalidInput(f"needs {kind.__name__}, got {value!r}", path=path, code="invalid_type")
    return value
