"""Merge fields: `{{ first_name }}` in a template or a task's text, and nothing else.

Deliberately no template language: texts come from many hands, and even a sandboxed one lets a template eat the
machine's memory. A field that the person does not have, or has blank, is missing: a mail that says "Hello ," is worse
than one that waits for a person to mend it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sequencer.core.errors import MissingMergeData

__all__ = ["fields_of", "fill"]

_FIELD = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.\-]*)\s*\}\}")


def fields_of(text: str) -> tuple[str, ...]:
    """The merge fields that a text asks for, in order, each once."""
    return tuple(dict.fromkeys(_FIELD.findall(text)))


def fill(text: str, fields: Mapping[str, Any]) -> str:
    """The text with its merge fields filled in. Raises `MissingMergeData` naming every field that has no value.

    Values are put in as they are and not looked at again: a value that looks like a field stays as it is.
    """
    if "{{" not in text:
        return text
    values = {}
    missing = []
    for name in fields_of(text):
        value = fields.get(name)
        if value is None or not str(value).strip():
            missing.append(name)
        else:
            values[name] = str(value)
    if missing:
        raise MissingMergeData(missing)
    return _FIELD.sub(lambda match: values[match.group(1)], text)
