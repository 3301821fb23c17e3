"""YAML without its surprises: what a person who reads the file takes a word for is what it is.

PyYAML only cuts the text into events; nothing of what it constructs is used, since that is where the traps are (`no` is
false, `9:30` is 570, `010` is 8, a merge key makes seconds of work out of a line). Here, as in YAML 1.2 and JSON,
`true`, `false`, `null`, `~` and decimal numbers are what they say, and everything else is text, dates among it. There
are no anchors, aliases, tags, directives and merge keys, and there is one document to a file.
"""

from __future__ import annotations

import re
from typing import Any

from sequencer.core.errors import DefinitionError, Problem
from sequencer.definitions.tree import Builder

__all__ = ["read_yaml", "scalar"]

_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|[-+]?Infinity|NaN")
_MOST_DIGITS = 20
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
        remedy = ": indent with spaces" if text[offset : offset + 1] == "\t" else ""
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise builder.fatal(offset, "syntax", f"this is no YAML: {reason}{remedy}") from None
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML lets some of Python's own errors through, such as that of an escape beyond the last character.
        raise builder.fatal(builder.last, "syntax", f"this is no YAML from here on: {error}") from None


def _read_events(yaml: Any, text: str, builder: Builder) -> None:
    documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        at = builder.last = event.start_mark.index
        match event:
            case yaml.ScalarEvent():
                _note_properties(event, at, builder)
                _scalar(event, at, builder)
            case yaml.MappingStartEvent():
                _note_properties(event, at, builder)
                builder.begin({}, at)
            case yaml.SequenceStartEvent():
                _note_properties(event, at, builder)
                builder.begin([], at)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                builder.end()
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


def _scalar(event: Any, at: int, builder: Builder) -> None:
    value: Any = event.value
    if event.style is None:
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
