"""What both readers of text build: plain data, and where in the text each value and each key of it stands.

A reader tells the builder what it meets, in order: a mapping begins, a key, a value, it ends. The builder refuses what
no definition may have, whatever it is written in: a key given twice, a key that is no text, half characters, numbers
that nothing can store, and data of a depth or a number of values that is no honest definition's. Each is noted where
it stands, and the reading goes on; what is said later about a refused value is moot.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from typing import Any

import attrs

from sequencer.core.errors import Problem
from sequencer.core.problems import (
    MOST_DEPTH,
    MOST_PROBLEMS,
    EnoughProblems,
    child,
    item,
    shown,
    unsuitable_text,
)

__all__ = ["Builder", "Lines"]

MOST_VALUES = 10_000  # ten times what the longest sequence needs, and a fraction of a second's work

# A problem with one of these codes is about the key of a mapping rather than about the value under it.
_ABOUT_KEYS = {"unknown_key", "invalid_key"}


class Lines:
    """From offsets in a text to lines and columns, both from 1, as an editor counts them."""

    def __init__(self, text: str) -> None:
        # Only what every editor takes for the end of a line; `str.splitlines` knows eight more.
        self._starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]

    def __call__(self, offset: int) -> tuple[int, int]:
        """The line and the column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


@attrs.define
class _Open:
    """A mapping or a list that has begun and not ended."""

    container: dict[Any, Any] | list[Any]
    path: str
    key: Any = None
    key_path: str = ""
    has_key: bool = False
    is_lost: bool = False  # nothing that is put into it will be looked at
    repeats: int = 0


class Builder:
    """Plain data in the making, and its problems, for one file."""

    def __init__(self, text: str, file: str | None, *, nothing: str = "there is nothing in it") -> None:
        self.lines = Lines(text)
        self.file = file
        self.nothing = nothing  # what to say where there is nothing to read
        self.problems: list[Problem] = []
        self.data: Any = None
        self.last = 0  # the offset that was read last, where a reader has no better one
        self._values: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._holes: set[str] = set()
        self._open: list[_Open] = []
        self._seen = 0

    # -- problems ----------------------------------------------------------------------------------------------

    def problem(self, offset: int, code: str, message: str, path: str = "") -> Problem:
        """A problem at an offset of the text."""
        line, column = self.lines(offset)
        return Problem(code, message, path, self.file, line, column)

    def note(self, offset: int, code: str, message: str, path: str = "") -> None:
        """Note a problem at an offset of the text. Raises `EnoughProblems` at the hundredth."""
        self.problems.append(self.problem(offset, code, message, path))
        if len(self.problems) >= MOST_PROBLEMS:
            message = f"these {MOST_PROBLEMS} are the first; mend them to see more"
            self.problems.append(self.problem(offset, "too_many_problems", message))
            raise EnoughProblems

    def fatal(self, offset: int, code: str, message: str, path: str = "") -> EnoughProblems:
        """Note a problem after which reading on makes no sense; to be raised."""
        self.note(offset, code, message, path)
        return EnoughProblems()

    def placed(self, problem: Problem) -> Problem | None:
        """A problem with the data, with file, line and column; None if it is moot.

        What is missing stands at what it is missing in.
        """
        path = problem.path
        if any(path == hole or (path.startswith(hole) and path[len(hole)] in ".[") for hole in self._holes):
            return None
        if problem.code in _ABOUT_KEYS and path in self._keys:
            line, column = self.lines(self._keys[path])
        else:
            line, column = self.place(path)
        return attrs.evolve(problem, file=self.file, line=line, column=column)

    def place(self, path: str) -> tuple[int, int]:
        """The line and the column of the value at a path; of what it would be in, where there is none."""
        while path and path not in self._values:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines(self._values.get(path, 0))

    # -- what a reader meets -----------------------------------------------------------------------------------

    @property
    def expects_key(self) -> bool:
        """Whether what comes next is the key of a mapping."""
        return bool(self._open) and isinstance(self._open[-1].container, dict) and not self._open[-1].has_key

    @property
    def path(self) -> str:
        """The path of the value that comes next."""
        if not self._open:
            return ""
        top = self._open[-1]
        return top.key_path if isinstance(top.container, dict) else item(top.path, len(top.container))

    def begin(self, container: dict[Any, Any] | list[Any], offset: int) -> None:
        """A mapping or a list begins."""
        if len(self._open) >= MOST_DEPTH:
            raise self.fatal(offset, "too_deep", f"is nested more than {MOST_DEPTH} levels deep", self.path)
        if self.expects_key:
            self.note(offset, "invalid_key", "a key must be text, not a mapping or a list", self._open[-1].path)
            path, lost = "", True
        else:
            path, lost = self.path, self._is_lost
            self._mark(path, offset)
        self._count(offset)
        self._open.append(_Open(container, path, is_lost=lost))

    def end(self) -> None:
        """The innermost mapping or list ends."""
        done = self._open.pop()
        if self.expects_key:  # it was a key itself
            top = self._open[-1]
            top.has_key, top.key, top.key_path = True, None, child(top.path, f"?{len(top.container)}")
        else:
            self._put(done.container)

    def key(self, key: object, offset: int) -> None:
        """The key of the value that comes next."""
        top = self._open[-1]
        top.has_key, top.key = True, None
        if isinstance(key, (bool, float)) or key is None:
            top.key_path = child(top.path, f"?{len(top.container)}")
            self.note(offset, "invalid_key", f"a key must be text: put {shown(key)} into quotes", top.path)
            return
        top.key_path = child(top.path, key)
        if not self._is_sound(key, offset, top.key_path):
            return
        if top.key_path in self._keys and not top.is_lost:
            line, _ = self.lines(self._keys[top.key_path])
            self.note(offset, "duplicate_key", f"is given twice, first in line {line}: remove one", top.key_path)
            top.repeats += 1
            top.key_path = f"{top.key_path}?{top.repeats}"
            return
        top.key = key
        if not top.is_lost:
            self._keys[top.key_path] = offset

    def value(self, value: Any, offset: int) -> None:
        """Text, a number, true, false or nothing."""
        self._count(offset)
        path = self.path
        self._mark(path, offset)
        if not self._is_sound(value, offset, path):
            value = None
        self._put(value)

    def refuse(self, offset: int, code: str, message: str) -> None:
        """What comes next, key or value, is not allowed here; it is replaced by nothing."""
        if self.expects_key:
            top = self._open[-1]
            self.note(offset, code, message, top.path)
            top.has_key, top.key, top.key_path = True, None, child(top.path, f"?{len(top.container)}")
            return
        path = self.path
        self.note(offset, code, message, path)
        self._holes.add(path)
        self.value(None, offset)

    # -- within ------------------------------------------------------------------------------------------------

    @property
    def _is_lost(self) -> bool:
        if not self._open:
            return False
        top = self._open[-1]
        return top.is_lost or (top.has_key and top.key is None)

    def _mark(self, path: str, offset: int) -> None:
        if not self._is_lost:
            self._values[path] = offset

    def _put(self, value: Any) -> None:
        if not self._open:
            self.data = value
            return
        top = self._open[-1]
        if isinstance(top.container, list):
            top.container.append(value)
            return
        if top.key is not None:
            top.container[top.key] = value
        top.has_key, top.key = False, None

    def _count(self, offset: int) -> None:
        self._seen += 1
        if self._seen > MOST_VALUES:
            raise self.fatal(offset, "too_many_values", f"has more than {MOST_VALUES} values in it")

    def _is_sound(self, value: Any, offset: int, path: str) -> bool:
        trouble = None
        code = "out_of_range"
        if isinstance(value, str):
            code, trouble = "invalid_text", unsuitable_text(value)
        elif isinstance(value, float) and not math.isfinite(value):
            code, trouble = "not_finite", "must be a finite number"
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            trouble = "must be a number of at most 64 bits"
        if trouble is None:
            return True
        self._holes.add(path)
        self.note(offset, code, trouble, path)
        return False
