"""All that is wrong with a document, collected: what reads a document goes on after a mistake, to find the next one.

A *document* is plain data: dicts, lists, text, numbers, booleans and None, from wherever it came. A place in it is a
path like `steps[2].action_properties.task_content`.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from sequencer.core.errors import DefinitionError, InvalidInput, Problem

__all__ = ["MISSING", "EnoughProblems", "Problems", "child", "item", "nearest", "shown", "unsuitable_text"]

MOST_PROBLEMS = 100
MOST_DEPTH = 32
MOST_VALUES = 100_000
_LONGEST_MESSAGE = 400
_LONGEST_NAME_COMPARED = 64
_LONGEST_IN_A_PATH = 80
_PLAIN_KEY = re.compile(r"[^\s.\[\]\"]+")
_UNSUITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_T = TypeVar("_T")


class _Missing:
    """What a collector answers in place of a value that is not there, or not valid."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Any] = _Missing()


class EnoughProblems(Exception):
    """Raised inside of a reading when there are so many problems that looking for more helps nobody."""


def child(path: str, key: object) -> str:
    """The path of a mapping's value: `calendar` and `holidays` make `calendar.holidays`. Odd keys are in quotes."""
    name = str(key)
    if len(name) > _LONGEST_IN_A_PATH:
        name = f"{name[:_LONGEST_IN_A_PATH]}...{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"
    if not _PLAIN_KEY.fullmatch(name) or not name.isprintable():
        return f"{path}[{json.dumps(name)}]"
    return f"{path}.{name}" if path else name


def item(path: str, index: int) -> str:
    """The path of a list's item: `steps` and 2 make `steps[2]`."""
    return f"{path}[{index}]"


def nearest(name: object, known: Iterable[str]) -> str:
    """A remedy for a name that is not known: the nearest one that is, else all of them."""
    names = list(known)
    close = closest(str(name) if not isinstance(name, str) else name, names)
    if close is not None:
        return f"did you mean {close}?"
    return f"use {', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else f"use {names[0]}"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that another may stand for, which is much like it whatever has capitals; None where none is."""
    if len(name) > _LONGEST_NAME_COMPARED:
        return None
    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    return next((folded[each] for each in difflib.get_close_matches(name.casefold(), folded, 1, 0.6)), None)


def shown(value: object) -> str:
    """A value as a message shows it: short, and never the cause of an error itself."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of many digits"
    if not isinstance(value, (int, float, str)):
        return f"a {type(value).__name__}"
    text = json.dumps(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def unsuitable_text(text: str) -> str | None:
    """What makes a text one that cannot be stored and sent, or None: NUL, other control characters, half characters."""
    found = _UNSUITABLE.search(text)
    if not found:
        return None
    code = ord(found.group())
    what = "a lone surrogate, half of a character" if code >= 0xD800 else "a control character"
    return f"has {what} in it (U+{code:04X}): remove it"


class Problems:
    """A growing list of what is wrong. `add` raises `EnoughProblems` when it has grown to 100."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, code: str, message: str, path: str = "") -> None:
        """Note one problem; the same one twice is noted once."""
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[: _LONGEST_MESSAGE - 3]}..."
        # A message quotes what it is about, and has to be printable all the same.
        message = message.encode("utf-8", "backslashreplace").decode("utf-8")
        problem = Problem(code, message, path)
        if problem not in self.found:
            self.found.append(problem)
        if len(self.found) >= MOST_PROBLEMS:
            self.found.append(
                Problem("too_many_problems", f"these {MOST_PROBLEMS} are the first; mend them to see more")
            )
            raise EnoughProblems

    def attempt(self, path: str, convert: Callable[..., _T], *arguments: Any, **keywords: Any) -> _T:
        """What `convert` returns, or `MISSING` where it refuses, noted as a problem at `path`."""
        try:
            return convert(*arguments, **keywords)
        except InvalidInput as error:
            self.add(error.code, error.message, path)
        except DefinitionError as error:
            for problem in error.problems:
                self.add(problem.code, problem.message, problem.path or path)
        missing: _T = MISSING
        return missing

    def mapping(self, value: object, path: str, known: Collection[str] | None, required: Collection[str] = ()) -> Any:
        """The value as a dict whose keys are among the known and hold all the required; else problems and `MISSING`.

        Unknown keys are noted and left out. With `known=None` any key will do.
        """
        if not isinstance(value, Mapping):
            self.add("invalid_type", f"needs a mapping of keys to values, got {shown(value)}", path)
            return MISSING
        if known is not None:
            for key in value:
                if key not in known:
                    self.add("unknown_key", f"is not a key here; {nearest(key, known)}", child(path, key))
        for key in required:
            if key not in value:
                self.add("missing", f"needs the key {key}", child(path, key))
        return {key: each for key, each in value.items() if known is None or key in known}

    def listing(self, value: object, path: str) -> Any:
        """The value as a list; else a problem and `MISSING`."""
        if not isinstance(value, (list, tuple)):
            self.add("invalid_type", f"needs a list, got {shown(value)}", path)
            return MISSING
        return list(value)

    def among(self, value: object, path: str, known: Collection[str]) -> Any:
        """The value as one of the known words; else a problem and `MISSING`."""
        if not isinstance(value, str):
            self.add("invalid_type", f"needs one of {', '.join(known)}; got {shown(value)}", path)
            return MISSING
        if value not in known:
            self.add("invalid_value", f"{shown(value)} is not known here; {nearest(value, known)}", path)
            return MISSING
        return value

    def plain(self, document: object) -> bool:
        """Whether the document is plain, finite, storable data of bounded size; what is not is noted."""
        before = len(self.found)
        waiting: list[tuple[object, str, int]] = [(document, "", 1)]
        seen = 0
        while waiting:
            value, path, depth = waiting.pop()
            seen += 1
            if depth > MOST_DEPTH:
                self.add("too_deep", f"is nested more than {MOST_DEPTH} levels deep", path)
                return False
            if seen + len(waiting) > MOST_VALUES:
                self.add("too_many_values", f"has more than {MOST_VALUES} values in it", "")
                return False
            if isinstance(value, Mapping):
                for key, each in value.items():
                    if isinstance(key, bool) or not isinstance(key, (str, int)):
                        self.add("invalid_key", f"needs text as its keys, got {shown(key)}", path)
                    else:
                        self._scalar(key, child(path, key) if isinstance(key, str) else path)
                        waiting.append((each, child(path, key) if self._printable(key) else path, depth + 1))
            elif isinstance(value, (list, tuple)):
                waiting.extend((each, item(path, i), depth + 1) for i, each in enumerate(value))
            else:
                self._scalar(value, path)
        return len(self.found) == before

    def _printable(self, key: object) -> bool:
        return not isinstance(key, int) or abs(key) < 2**63

    def _scalar(self, value: object, path: str) -> None:
        if isinstance(value, str):
            trouble = unsuitable_text(value)
            if trouble:
                self.add("invalid_text", trouble, path)
        elif isinstance(value, float) and not math.isfinite(value):
            self.add("not_finite", f"needs a finite number, got {value}", path)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            self.add("out_of_range", "needs a number of at most 64 bits", path)
        elif value is not None and not isinstance(value, (bool, int, float)):
            self.add(
                "invalid_type", f"needs text, a number, true, false, a list or a mapping; got {shown(value)}", path
            )
