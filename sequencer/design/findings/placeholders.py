"""What texts have of other products: placeholders that are filled in there, and here reach people as they stand.

A text comes from another product sooner or later, or somebody writes as that one wants it. What two braces enclose is
seen to where a definition is read; the rest is a text like any other, and only looks as if it were meant. So these are
the spellings that honest text hardly has: neither style sheets and JSON nor percentages, links, escaped addresses,
mathematics and notes in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import attrs

from sequencer.core.merge import fields_of, meant

__all__ = ["Placeholder", "placeholders_of"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:[.\-][A-Za-z0-9_]+){0,3}"
_LONG_NAME = rf"(?=\w[\w.\-]){_NAME}"  # of two letters or more: one is mathematics
_TITLE = r"[A-Z][a-z]+(?:\ [A-Z][a-z]+){1,2}"
_WORDS = rf"{_LONG_NAME}(?:\ [A-Za-z0-9_]+){{0,2}}"
# What brackets are put around by hand: notes and links are, too, so these names alone.
_WHOSE = r"(?:first|last|full|your|contact|lead|customer|recipient|sender|company)"
_KNOWN = rf"(?i:{_WHOSE}[\ _\-]?name|(?:your\ )?(?:name|company))"
_KNOWN_LONG = rf"(?i:{_WHOSE}[\ _\-]?name)"

_PLACEHOLDER = re.compile(
    rf"""
      (?P<decides> \{{%[+-]?\s*[A-Za-z][^%{{}}]{{0,200}}%\}} | <%[=-]?\s*[A-Za-z@][^<>%]{{0,200}}%> )
    | \*\|\s*(?P<merge_tag>{_NAME})(?::[^|*\n]{{0,60}})?\s*\|\*            # *|FNAME|*
    | %%(?P<doubled>{_LONG_NAME})%%                                        # %%First_Name%%
    | (?<![\w%])%(?P<percent>{_LONG_NAME})%(?![\w%])                       # %NAME%
    | \[\[\s*(?P<brackets>{_WORDS})\s*\]\]                                 # [[name]]
    | <<\s*(?P<angles>{_WORDS})\s*>>                                       # <<name>>
    | [$\#%@]\{{\s*(?P<marked>{_NAME})\s*\}}                               # ${{name}}
    | (?<!\{{)\{{[!$](?P<marking>{_NAME})\}}                               # {{!Contact.FirstName}}
    | (?<![\w\\{{])\{{\{{\{{\s*(?P<tripled>{_NAME})\s*\}}\}}\}}            # three braces
    | (?<![\w\\{{}}$\#%@])\{{\s*(?P<brace>{_LONG_NAME}|{_TITLE})\s*\}}(?!\}})
    | (?<![\w\[])\[(?P<bracket>{_KNOWN})\](?![\](])                        # [First Name]
    | <(?P<angle>{_KNOWN_LONG})>                                           # <First Name>
    """,
    re.VERBOSE,
)
_SHORT = {"fname": "first_name", "lname": "last_name"}


@attrs.frozen
class Placeholder:
    """A placeholder of another product: how it stands in the text, and how it is written here, if it can be."""

    text: str
    here: str | None = None


def placeholders_of(text: str, known: Iterable[str] = ()) -> tuple[Placeholder, ...]:
    """What a text has of other products' placeholders, in order, each once.

    One that is another spelling of a `known` field is written here as that is; another as it stands, capitals and all,
    since a field is no other field for them.
    """
    fields = [each for each in known if fields_of(_field(each))]
    return tuple(dict.fromkeys(_found(text, fields)))


def _found(text: str, fields: Collection[str]) -> Iterator[Placeholder]:
    for match in _PLACEHOLDER.finditer(text):
        name = None if match["decides"] else next(filter(None, match.groups()))
        yield Placeholder(match[0], None if name is None else _written_here(name, fields))


def _written_here(name: str, fields: Collection[str]) -> str | None:
    plain = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name)
    long = _SHORT.get(plain.casefold(), plain)
    field = _field(plain if plain in fields else meant(plain, fields) or meant(long, fields) or long)
    return field if fields_of(field) else None


def _field(name: str) -> str:
    return f"{{{{ {name} }}}}"
