"""How commands are declared, and the options that many of them share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from sequencer.cli.output import Output
from sequencer.core.enrollment import Resource
from sequencer.core.errors import InvalidInput
from sequencer.core.pacing import Cap
from sequencer.core.problems import nearest
from sequencer.core.values import Identifier, respelled, to_identifier

__all__ = [
    "BETWEEN",
    "Commands",
    "Refusal",
    "Run",
    "add_command",
    "db_options",
    "identifier",
    "lead_option",
    "named",
    "positive",
    "resource_arguments",
    "resource_option",
    "to_cap",
    "to_id",
    "typed",
    "typed_resource",
    "zone_option",
]

Run = Callable[[argparse.Namespace, Output], int]
Commands = Any  # argparse's own type for this is private

BETWEEN = "\0"
"""What a `lead_option` has between a type and an id that were typed as two words: no word can hold it."""
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")


class Refusal(Exception):
    """Ends a command with a message on standard error: 1 for the state of things, 2 for bad input."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


class Parser(argparse.ArgumentParser):
    """An argument parser that knows no abbreviations: what a later release adds would change what they mean."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        keywords.setdefault("allow_abbrev", False)
        keywords.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **keywords)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As always, after each `lead/42` that names a lead or contact has become `lead 42`, of two words."""
        return super().parse_known_args(None if args is None else self._spread(list(args)), namespace)

    def _spread(self, words: list[str]) -> list[str]:
        # Of the words without an option only the first can say whom a command is about: alone, where too few are there.
        lacking = self._lacking(words)
        is_next = any(hasattr(each, "is_resource") for each in self._get_positional_actions())
        spread: list[str] = []
        while words and words[0] != "--":
            word = words.pop(0)
            option, equals, value = word.partition("=")
            action = self._option_string_actions.get(option)
            if action is None:
                plain = self._is_plain(word)
                spread += word.rsplit("/", 1) if is_next and plain and lacking else [word]
                is_next = is_next and not plain
            elif hasattr(action, "is_lead") and words[:1] in (["lead"], ["contact"]) and len(words) > 1:
                # The id alone is enough there, so that only what is certainly a type is one.
                spread += [word, f"{words.pop(0)}{BETWEEN}{words.pop(0)}"]
            elif hasattr(action, "is_resource"):
                words[:0] = [value] if equals else []
                spread += [option, *self._pair(option, words, alone=lacking)]
            else:
                spread.append(word)
                more = self._values(action, equals)
                spread += words[:more]
                del words[:more]
        return spread + words

    def _lacking(self, words: list[str]) -> bool:
        """Whether a command needs more words without an option than there are if what names somebody is two words."""
        words, there = list(words), 0
        while words and words[0] != "--":
            word = words.pop(0)
            option, equals, _ = word.partition("=")
            action = self._option_string_actions.get(option)
            if action is None:
                there += self._is_plain(word)
            else:
                del words[: self._values(action, equals)]
        # Behind `--` every word is one.
        return there + len(words[1:]) < sum(each.nargs is None for each in self._get_positional_actions())

    @staticmethod
    def _values(action: argparse.Action, equals: str) -> int:
        """How many words after an option's own are its values."""
        values = action.nargs if isinstance(action.nargs, int) else int(action.nargs is None)
        return values - 1 if equals and values else values

    @staticmethod
    def _is_plain(word: str) -> bool:
        return not word.startswith("-") or _NUMBER.fullmatch(word) is not None

    def _pair(self, option: str, words: list[str], *, alone: bool) -> list[str]:
        """The type and the id at the beginning of the words, which are taken from them."""
        plain = [word.partition("=")[0] not in self._option_string_actions and word != "--" for word in words[:2]]
        if plain[:1] == [True] and "/" in words[0] and (alone or plain != [True, True]):
            return words.pop(0).rsplit("/", 1)
        if plain != [True, True]:
            self.error(f"argument {option}: needs TYPE ID or TYPE/ID, like lead 42 or lead/42")
        return [words.pop(0), words.pop(0)]

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # The parser's own words list every choice; a mistyped one is mostly a neighbour of one of them.
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no {value!r}; {nearest(value, action.choices)}")

    def error(self, message: str) -> NoReturn:
        """The message and where help is, without the whole usage."""
        self.exit(2, f"{self.prog}: {message}\n(see {self.prog} --help)\n")


def add_command(
    commands: Commands,
    name: str,
    run: Run,
    summary: str,
    *,
    example: str,
    more: str = "",
    db: bool = True,
    account: bool = True,
    json: bool = True,
) -> argparse.ArgumentParser:
    """Declare a command: what it is for, an example of it, and the shared options that it takes."""
    description = f"{summary[0].upper()}{summary[1:]}." + (f"\n\n{more.strip()}" if more else "")
    examples = "\n".join(f"  $ {line}" for line in example.strip().splitlines())
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=description, epilog=f"example:\n{examples}"
    )
    parser.set_defaults(run=run)
    if db:
        db_options(parser, required=True)
    if db and account:
        parser.add_argument("--account", metavar="A", help="work for this account (default: the one without a name)")
    if json:
        parser.add_argument("--json", action="store_true", help="answer with one JSON document and nothing else")
    return parser


def db_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup, *, required: bool) -> None:
    """`--db` and `--schema`: where everything is stored."""
    where = "where everything is stored: an SQLite file, or postgresql://USER@HOST/DATABASE"
    parser.add_argument("--db", metavar="FILE|URL", required=required, help=where)
    parser.add_argument("--schema", metavar="NAME", help="in PostgreSQL, the schema of the tables (default: public)")


def zone_option(parser: argparse.ArgumentParser, use: str) -> None:
    """`--timezone`, for moments without an offset."""
    parser.add_argument("--timezone", metavar="ZONE", help=use)


def identifier(text: str, path: str) -> Identifier:
    """A host's own id as typed: digits are a number, anything else is text, and so is what stands in double quotes."""
    if len(text) > 2 and text[0] == text[-1] == '"':
        return to_identifier(text[1:-1], path)
    return to_identifier(int(text) if _NUMBER.fullmatch(text) else text, path)


def named(type: str, id: Identifier) -> str:
    """A lead or contact for people; an id that is text and spells a number stands in quotes, as it is typed."""
    return f"{type} {typed(id)}"


def typed(id: Identifier) -> str:
    """A host's own id as `identifier` reads it."""
    return f'"{id}"' if isinstance(id, str) and respelled(id) is not None else str(id)


# -- a lead or contact: `lead 42` or `lead/42` ----------------------------------------------------------------
#
# Two words are the type and the id as they stand; of one the id is what follows the last slash.


def resource_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup, name: str, use: str) -> None:
    """An option that names a lead or contact."""
    action = parser.add_argument(name, nargs=2, metavar=("TYPE", "ID"), help=use)
    action.is_resource = True  # type: ignore[attr-defined]


def lead_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup, name: str, use: str) -> None:
    """An option that names a lead or contact, and takes an id alone, too: that of a lead."""
    action = parser.add_argument(name, metavar="TYPE/ID", help=use)
    action.is_lead = True  # type: ignore[attr-defined]


def resource_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments `type` and `id`, which name a lead or contact, before all others of a command."""
    action = parser.add_argument(
        "type", metavar="TYPE", help="lead, contact, or a type of your own; or both as lead/42"
    )
    action.is_resource = True  # type: ignore[attr-defined]
    parser.add_argument("id", metavar="ID", help="its id; digits are a number, and in double quotes text")


def typed_resource(pair: Sequence[str] | None, path: str) -> Resource | None:
    """What a `resource_option` was given; None where it was not."""
    return None if pair is None else Resource(pair[0], identifier(pair[1], path))


def to_id(text: str) -> int:
    """The id of an enrollment."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) < 2**63:
        raise InvalidInput(f"needs the number of an enrollment, got {text!r}; `sequencer list` shows them", path="id")
    return int(text)


def positive(most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number from 1 to `most`."""

    def whole(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"needs a whole number from 1 to {most}, got {text!r}")
        return int(text)

    return whole


def to_cap(text: str) -> Cap | None:
    """The cap of `--cap N`, a type for argparse; none for 0."""
    if not text.isascii() or not text.isdecimal() or int(text[:20]) > 1_000_000:
        raise argparse.ArgumentTypeError(f"needs a whole number from 0 to 1000000, got {text!r}")
    return Cap(emails=int(text)) if int(text) else None
