"""YAML without its surprises: what a person who reads the file takes a word for is what it is.

PyYAML only cuts the text into events; nothing of what it constructs is used, since that is where the traps are (`no` is
false, `9:30` is 570, `010` is 8, a merge key makes seconds of work out of a line). Here, as in YAML 1.2 and JSON,
`true`, `false`, `null`, `~` and decimal numbers are what they say, and everything else is text, dates among it. There
are no anchors, aliases, tags, directives and merge keys, and there is one document to a file.

A merge field, `{{ name }}`, is no text to YAML where braces have a meaning: at the beginning of a text, and within
other braces. That is the commonest mistake of all, so it is recognized, and the reading goes on behind it: PyYAML is
given the text with other characters, as many of them, in the place of a field's braces.
"""

from __future__ import annotations

import re
from typing import Any

from sequencer.core.errors import DefinitionError, Problem
from sequencer.core.problems import shown
from sequencer.definitions.tree import Builder

__all__ = ["read_yaml", "scalar"]

_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[-+]?Infinity|NaN")
_MOST_DIGITS = 20
_BRACES = re.compile(r"\{\{|\{%")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def scalar(text: str) -> Any:
    """What a word without quotes is: nothing, true, false, a number, or else text.

    Raises `ValueError` for what is no finite number of 64 bits but looks like one; the message says the remedy.
    """
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        if _NOT_FINITE.fullmatch(text):
            raise ValueError("must be a finite number; if it is meant as text, put it into quotes")
        return text
    if number.group(1) or number.group(2):
        return float(text)
    if len(text) > _MOST_DIGITS:
        raise ValueError("must be a number of at most 64 bits; if it is meant as text, put it into quotes")
    return int(text)


# With a mark of YAML's own in it, two braces may just as well be the ends of two mappings.
_FIELD = re.compile(r"\{\{([^{}\r\n\"',:#]*)\}\}")
_PRIVATE = range(0xE000, 0xF8FF)  # characters that mean nothing by themselves, to YAML either


class _Fields:
    """A text with the braces of its merge fields in disguise: nothing else of it changes, and no place in it."""

    def __init__(self, text: str) -> None:
        unused = (chr(code) for code in _PRIVATE if chr(code) not in text)
        self._opens, self._closes = next(unused, "{"), next(unused, "}")
        self.disguised = _FIELD.sub(rf"{self._opens * 2}\1{self._closes * 2}", text)

    def shown(self, value: str) -> str:
        """A value from the disguised text as it is written in the file."""
        return value.replace(self._opens, "{").replace(self._closes, "}")

    def mislead(self, value: str, *, within_braces: bool) -> bool:
        """Whether a value without quotes, from the disguised text, is none in the text as it is."""
        return self._opens != "{" and (self._opens in value if within_braces else value.startswith(self._opens))


def _library(file: str | None) -> Any:
    try:
        import yaml
    except ImportError:
        remedy = "reading YAML needs the extra yaml: pip install 'sequencer[yaml]'; JSON is read without it"
        raise DefinitionError([Problem("missing_extra", remedy, file=file)]) from None
    return yaml


def read_yaml(text: str, builder: Builder) -> None:
    """Read a YAML text into a builder.

    Raises `EnoughProblems` where it is no YAML, with the reason noted, and `DefinitionError` if PyYAML is missing.
    """
    yaml = _library(builder.file)
    # What PyYAML refuses without saying where.
    strange = _UNPRINTABLE.search(text)
    if strange:
        message = f"the character U+{ord(strange.group()):04X} cannot stand in YAML: remove it"
        raise builder.fatal(strange.start(), "invalid_text", message)
    try:
        _read_events(yaml, text, builder)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        remedy = _remedy(text, offset, error.context_mark)
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise builder.fatal(offset, "syntax", f"this is no YAML: {reason}{remedy}") from None
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML lets some of Python's own errors through, such as that of an escape beyond the last character.
        raise builder.fatal(builder.last, "syntax", f"this is no YAML from here on: {error}") from None


def _remedy(text: str, offset: int, context: Any) -> str:
    """What to do where a text is no YAML, if that can be told from what stands there."""
    if text[offset : offset + 1] == "\t":
        return ": indent with spaces"
    quotes = "; a text with braces in it needs quotes"
    if text[offset : offset + 1] == "{":
        return quotes
    # Braces that open where they were not meant to may be noticed in the next line only.
    begun = min(offset, context.index if context else offset)
    lines = text[text.rfind("\n", 0, begun) + 1 :][: offset - begun + 200].splitlines()[:2]
    return quotes if any(_BRACES.search(each) for each in lines) else ""


def _read_events(yaml: Any, text: str, builder: Builder) -> None:
    documents = 0
    fields = _Fields(text)
    open_braces = 0
    for event in yaml.parse(fields.disguised, Loader=yaml.SafeLoader):
        at = builder.last = event.start_mark.index
        match event:
            case yaml.ScalarEvent():
                _note_properties(event, at, builder)
                _scalar(event, at, builder, fields, within_braces=open_braces > 0)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                _note_properties(event, at, builder)
                builder.begin({} if isinstance(event, yaml.MappingStartEvent) else [], at)
                open_braces += bool(open_braces or event.flow_style)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                builder.end()
                open_braces -= open_braces > 0
            case yaml.AliasEvent():
                builder.refuse(at, "yaml_alias", "aliases are not read: write out what *alias stands for")
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise builder.fatal(at, "several_documents", "a file holds one document: remove what follows ---")
                if event.version or event.tags:
                    builder.note(at, "yaml_directive", "directives are not read: remove the line that begins with %")
    if not documents:
        raise builder.fatal(0, "empty", builder.nothing)


def _note_properties(event: Any, at: int, builder: Builder) -> None:
    if event.anchor is not None:
        builder.note(at, "yaml_anchor", "anchors are not read: remove the &anchor", builder.path)
    if event.tag is not None:
        builder.note(at, "yaml_tag", "tags are not read: remove the !tag; quotes make text", builder.path)


def _scalar(event: Any, at: int, builder: Builder, fields: _Fields, *, within_braces: bool) -> None:
    value: Any = fields.shown(event.value)
    if event.style is None:
        if fields.mislead(event.value, within_braces=within_braces):
            message = f"needs quotes, since it has {{{{ }}}} in it: {shown(value)}"
            if builder.expects_key:
                builder.refuse(at, "missing_quotes", message)
                return
            builder.note(at, "missing_quotes", message, builder.path)
        if builder.expects_key and value == "<<":
            builder.refuse(at, "yaml_merge_key", "merge keys are not read: write out what << would bring in")
            return
        try:
            value = scalar(value)
        except ValueError as error:
            code = "not_finite" if "finite" in str(error) else "out_of_range"
            builder.refuse(at, code, str(error))
            return
    if builder.expects_key:
        builder.key(value, at)
    else:
        builder.value(value, at)
