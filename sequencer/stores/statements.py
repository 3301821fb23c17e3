"""SQL in files: named, described statements, and numbered migrations.

A file of statements is a series of blocks: a line `-- name --`, lines of description that begin with `--`, and one
statement. Other comments between blocks are headings. A migration is a file `0001_what_it_does.sql` of whole
statements.
"""

from __future__ import annotations

import functools
import logging
import re
import sqlite3
from collections.abc import Iterable, Mapping
from importlib import resources

import attrs

from sequencer.core.errors import StoreError

__all__ = ["Migration", "log_migrations", "migrations", "parse", "read", "split"]

logger = logging.getLogger("sequencer.store")

_NAME = re.compile(r"^-- (\w+) --$")


@attrs.frozen
class Statement:
    """A statement of a file, by its name, with what it is for."""

    name: str
    description: str
    sql: str


@attrs.frozen
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


def parse(text: str) -> dict[str, Statement]:
    """The statements of a file. A name that occurs twice, or has no description or no statement, is a mistake."""
    found: dict[str, Statement] = {}
    blocks: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        named = _NAME.match(line)
        if named:
            blocks.append((named[1], []))
        elif blocks and not line.startswith("-- --"):
            blocks[-1][1].append(line)
    for name, lines in blocks:
        comments = [line[2:].strip() for line in lines if line.startswith("--")]
        sql = "\n".join(line for line in lines if line and not line.startswith("--"))
        if name in found or not comments or not sql:
            raise StoreError(f"the statement {name!r} must occur once, with a description and a statement")
        found[name] = Statement(name, " ".join(comments), sql)
    return found


@functools.cache
def read(file: str, **columns: str) -> Mapping[str, str]:
    """The statements of a file beside this module, by name, with `{...}` replaced by lists of columns."""
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return {name: statement.sql.format(**columns) for name, statement in parse(text).items()}


@functools.cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """The migrations of a dialect, in order, numbered from 1 without a gap."""
    folder = resources.files(__package__).joinpath("migrations", dialect)
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    found = [
        Migration(int(each.name[:4]), each.name.removesuffix(".sql"), each.read_text(encoding="utf-8"))
        for each in files
    ]
    assert [each.version for each in found] == list(range(1, len(found) + 1)), "migrations are numbered from 1"
    return tuple(found)


def log_migrations(applied: Iterable[Migration]) -> None:
    """Say which migrations were applied, once they are committed."""
    for each in applied:
        fields = {"schema": each.version, "migration": each.name}
        logger.info("migration %s was applied", each.name, extra=fields)


def split(sql: str) -> list[str]:
    """The statements of a script, so that they can run inside one transaction."""
    statements, current = [], ""
    for line in sql.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current.strip())
            current = ""
    return statements
