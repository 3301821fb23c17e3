"""JSON as RFC 8259 has it, and not a bit more, with the place of every value.

The standard library's reader takes NaN, Infinity, 1e999 and keys given twice, and does not say where a value stood.
"""

from __future__ import annotations

import re
from typing import NoReturn

from sequencer.definitions.tree import Builder

__all__ = ["read_json"]

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_WORD = re.compile(r"[-+]?[A-Za-z0-9_.+-]+")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_NOT_FINITE = {"NaN", "Infinity", "-Infinity"}
_MOST_DIGITS = 20  # no number of 64 bits has more, and turning thousands of them into an integer takes its time


class _Reader:
    def __init__(self, text: str, builder: Builder) -> None:
        self.text = text
        self.builder = builder
        self.at = 0

    def read(self) -> None:
        self._skip_space()
        self._value()
        self._skip_space()
        if self.at < len(self.text):
            self._refuse("something follows after the end of the document: a file holds one")

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        raise self.builder.fatal(self.at if at is None else at, "syntax", message)

    def _skip_space(self) -> str:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def _value(self) -> None:
        # The builder ends what is nested too deeply, long before Python would.
        start = self.text[self.at : self.at + 1]
        if start == "{":
            self._mapping()
        elif start == "[":
            self._list()
        elif start == '"':
            at = self.at
            self.builder.value(self._string(), at)
        else:
            self._bare()

    def _mapping(self) -> None:
        self.builder.begin({}, self.at)
        self.at += 1
        if self._skip_space() == "}":
            self.at += 1
            self.builder.end()
            return
        while True:
            if self._skip_space() != '"':
                self._refuse('a key in double quotes is needed here (and no comma before "}")')
            at = self.at
            self.builder.key(self._string(), at)
            if self._skip_space() != ":":
                self._refuse('":" is needed between a key and its value')
            self.at += 1
            self._skip_space()
            self._value()
            if self._ends("}"):
                return

    def _list(self) -> None:
        self.builder.begin([], self.at)
        self.at += 1
        if self._skip_space() == "]":
            self.at += 1
            self.builder.end()
            return
        while True:
            self._skip_space()
            self._value()
            if self._ends("]"):
                return

    def _ends(self, closing: str) -> bool:
        found = self._skip_space()
        if found not in {",", closing}:
            self._refuse(f'"," or "{closing}" is needed here')
        self.at += 1
        if found == closing:
            self.builder.end()
        return found == closing

    def _bare(self) -> None:
        at = self.at
        found = _WORD.match(self.text, at)
        word = found.group() if found else ""
        number = _NUMBER.fullmatch(word)
        self.at += len(word)
        if word in _WORDS:
            self.builder.value(_WORDS[word], at)
        elif word in _NOT_FINITE:
            self.builder.refuse(at, "not_finite", f"JSON has no {word}: write a number")
        elif number and (number.group(1) or number.group(2)):
            self.builder.value(float(word), at)
        elif number and len(word) > _MOST_DIGITS:
            self.builder.refuse(at, "out_of_range", "must be a number of at most 64 bits")
        elif number:
            self.builder.value(int(word), at)
        elif word:
            what = word if len(word) <= 40 else f"{word[:37]}..."
            self._refuse(f"{what} is neither a number nor true, false or null; text needs double quotes", at)
        elif at >= len(self.text):
            self._refuse("the document ends where a value is needed", at)
        else:
            self._refuse("a value is needed here", at)

    def _string(self) -> str:
        start = self.at
        parts: list[str] = []
        self.at += 1
        while True:
            found = _PLAIN.match(self.text, self.at)
            assert found is not None  # it matches nothing at all, too
            parts.append(found.group())
            self.at = found.end()
            stop = self.text[self.at : self.at + 1]
            if stop == '"':
                self.at += 1
                return "".join(parts)
            if not stop:
                self._refuse("this text is not closed by a double quote", start)
            if stop != "\\":
                self._refuse("text in JSON has no line breaks, tabs and control characters: write \\n or \\t")
            parts.append(self._escape())

    def _escape(self) -> str:
        kind = self.text[self.at + 1 : self.at + 2]
        if kind == "u":
            code = self._code(self.at)
            self.at += 6
            # Two halves make a character. One alone is left as it is, for the builder to refuse where it stands.
            if 0xD800 <= code < 0xDC00 and self.text.startswith("\\u", self.at):
                low = self._code(self.at)
                if 0xDC00 <= low < 0xE000:
                    self.at += 6
                    return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
            return chr(code)
        if kind not in _ESCAPES:
            self._refuse(f"\\{kind} is no escape that JSON knows; a backslash itself is \\\\")
        self.at += 2
        return _ESCAPES[kind]

    def _code(self, at: int) -> int:
        found = _HEX.match(self.text, at + 2)
        if not found:
            self._refuse("\\u needs four hexadecimal digits", at)
        return int(found.group(), 16)


def read_json(text: str, builder: Builder) -> None:
    """Read a JSON text into a builder. Raises `EnoughProblems` where it is no JSON, with the reason noted."""
    _Reader(text, builder).read()
