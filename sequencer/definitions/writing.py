"""From a sequence to the text of a definition file: `loads(dumps(sequence)) == sequence`.

The YAML is meant for people: what is so by default is left out, small things stay on one line, texts of several lines
are blocks. It says the same to a reader of YAML 1.1 as to this one, since every text that either could take for
something else is in quotes. A country's holidays were resolved when the sequence was read, and are written as dates.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from sequencer.core.document import to_document
from sequencer.core.sequence import Sequence
from sequencer.definitions.texts import Format

__all__ = ["dump", "dumps", "json_of", "yaml_of"]

_WIDTH = 100
_LONGEST_KEY = 100  # PyYAML wants "? " before one of more than 1024
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.+/@-]*(?: [A-Za-z0-9_.+/@(-][A-Za-z0-9_.+/@)-]*)*")
# Words that are something else than text to a reader of YAML 1.1 or 1.2.
_TAKEN = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf", "infinity"}
_NO_BLOCK = re.compile("[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class _Bare(str):
    """A key without quotes, come what may: the policy's `on`, which YAML 1.1 would take for a truth value."""

    __slots__ = ()


def dump(sequence: Sequence, path: str | os.PathLike[str]) -> None:
    """Write a sequence to a file, as JSON if its name ends in `.json` and as YAML otherwise. Raises `OSError`."""
    chosen: Format = "json" if os.fspath(path).lower().endswith(".json") else "yaml"
    Path(path).write_text(dumps(sequence, format=chosen), encoding="utf-8", newline="\n")


def dumps(sequence: Sequence, *, format: Format = "yaml") -> str:
    """A sequence as the text of a definition file; equal sequences give equal texts.

    A file of more than 256 KiB, which only long templates can make, is written in full but not read again.
    """
    document = to_document(sequence, defaults=False)
    if format == "json":
        return json_of(document)
    # In YAML, keys can be numbers and dates need no quotes, and both look like what they are.
    if isinstance(document.get("templates"), dict):
        numbers = {str(each): each for each in sequence.templates if isinstance(each, int)}
        document["templates"] = {numbers.get(key, key): each for key, each in document["templates"].items()}
    if "on" in document.get("policy", {}):
        document["policy"] = {_Bare(key) if key == "on" else key: each for key, each in document["policy"].items()}
    if "holidays" in document.get("calendar", {}):
        document["calendar"]["holidays"]["dates"] = list(sequence.calendar.holidays)
    return yaml_of(document)


def json_of(document: dict[str, Any]) -> str:
    """A document as a text of JSON."""
    return _escaped(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def yaml_of(document: dict[str, Any]) -> str:
    """A document as a text of YAML; keys may be whole numbers, and values dates."""
    return "\n".join(_mapping(document, "")) + "\n"


def _mapping(value: dict[Any, Any], indent: str) -> Iterator[str]:
    for key, each in value.items():
        name = _key(key)
        if len(name) > _LONGEST_KEY:
            yield f"{indent}? {name}"
            yield from _value(each, f"{indent}:", indent)
        else:
            yield from _value(each, f"{indent}{name}:", indent)


def _value(value: Any, before: str, indent: str) -> Iterator[str]:
    """The lines of a value that comes after `before`, within what is indented so far."""
    deeper = f"{indent}  "
    flow = _flow(value)
    if flow is not None and len(before) + len(flow) < _WIDTH:
        yield f"{before} {flow}"
    elif isinstance(value, dict) and value:
        yield before
        yield from _mapping(value, deeper)
    elif isinstance(value, list) and value:
        yield before
        for each in value:
            yield from _item(each, deeper)
    elif isinstance(value, str) and _is_block(value):
        yield f"{before} {'|' if value.endswith(chr(10)) else '|-'}"
        yield from (f"{deeper}{line}" if line else "" for line in value.removesuffix("\n").split("\n"))
    else:
        yield f"{before} {_scalar(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value and (_flow(value) is None or len(str(_flow(value))) + len(indent) > _WIDTH):
        lines = list(_mapping(value, f"{indent}  "))
        yield f"{indent}- {lines[0].lstrip(' ')}"
        yield from lines[1:]
    else:
        yield from _value(value, f"{indent}-", indent)


def _flow(value: Any) -> str | None:
    """A small value on one line, or None if it is not small: nothing nested in it but durations and lists of words."""
    if isinstance(value, dict):
        parts = [_flow(each) for each in value.values()]
        deep = any(isinstance(each, dict) and not _is_single(each) for each in value.values())
        if deep or any(part is None for part in parts) or len(value) > 4 or "action_type" in value:
            return None
        keys = [_key(key) for key in value]
        if any(len(key) > _LONGEST_KEY for key in keys):
            return None
        return "{" + ", ".join(f"{key}: {part}" for key, part in zip(keys, parts, strict=True)) + "}"
    if isinstance(value, list):
        if any(isinstance(each, (dict, list)) for each in value):
            return None
        return "[" + ", ".join(_scalar(each) for each in value) + "]"
    if isinstance(value, str) and _is_block(value):
        return None
    return _scalar(value)


def _is_single(value: dict[Any, Any]) -> bool:
    """Whether a mapping is one like `{weekdays: 1}`."""
    return len(value) == 1 and not any(isinstance(each, (dict, list)) for each in value.values())


def _key(key: int | str) -> str:
    return key if isinstance(key, _Bare) else _scalar(key)


def _scalar(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _TAKEN:
        return value
    return _escaped(json.dumps(value, ensure_ascii=False))


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _is_block(text: str) -> bool:
    """Whether a text is one that a block gives back exactly: of several lines, none of which begins or ends oddly."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    return (
        len(lines) > 1
        and not _NO_BLOCK.search(text)
        and bool(lines[0].strip())
        and not lines[0].startswith(" ")
        and bool(lines[-1])
        and all(line.strip() or not line for line in lines)
    )
