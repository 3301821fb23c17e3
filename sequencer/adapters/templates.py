"""Where the texts of templates come from, for the engine's `templates`: any callable `(template_id, account)`.

How merge fields are filled in is `sequencer.core.merge`. A text that is malformed is refused here, where a person can
be told which file it is in, and not at three in the morning when the mail leaves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from sequencer.core.errors import DefinitionError, InvalidInput, Problem
from sequencer.core.merge import problems_of
from sequencer.core.sequence import Template
from sequencer.core.values import Identifier, to_identifier

__all__ = ["FolderTemplates", "MappingTemplates", "Templates"]

_ENDINGS = (".txt", ".md")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\- ]*")
# Names that are devices on some systems, whatever their ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class Templates(Protocol):
    """Knows the texts behind template ids. Asked when a mail leaves, so a corrected text is used at once (law L1)."""

    def __call__(self, template_id: Identifier, account: Identifier | None) -> Template | None:
        """The template, or None when there is none with this id."""
        ...


class MappingTemplates:
    """The templates of a mapping from id to `Template`, or to a pair of subject and body; for every account the same.

    Raises `DefinitionError` with all that is wrong with the texts.
    """

    def __init__(self, templates: Mapping[Identifier, Template | tuple[str, str]]) -> None:
        problems: list[Problem] = []
        self._templates: dict[Identifier, Template] = {}
        for key, given in templates.items():
            path = f"templates.{key}"
            malformed = [] if isinstance(given, Template) else _malformed(str(given[0]), str(given[1]), path)
            if malformed:
                problems += malformed
                continue
            try:
                template = given if isinstance(given, Template) else Template(*given)
                self._templates[to_identifier(key, path)] = template
            except InvalidInput as error:
                problems.append(
                    Problem(error.code, error.message, path if error.path == path else f"{path}.{error.path}")
                )
        if problems:
            raise DefinitionError(problems)

    def __call__(self, template_id: Identifier, account: Identifier | None) -> Template | None:
        """The template of an id; accounts make no difference."""
        return self._templates.get(template_id)

    def __repr__(self) -> str:
        return f"MappingTemplates({self._templates!r})"


class FolderTemplates:
    """The templates of a folder: `<id>.txt` or `<id>.md`, in UTF-8, the subject first, then a blank line and the body.

        Subject: Hello {{ first_name }}

        Nice to meet you.

    With `per_account=True` each account has a folder of its own within this one, named like the account; the default
    account has the folder itself. Files are read anew each time. A file that is there but malformed raises
    `DefinitionError`, naming file and line. An id that is no plain file name has no template: no id leads out of the
    folder.
    """

    def __init__(self, path: str | os.PathLike[str], *, per_account: bool = False) -> None:
        self.path = Path(path)
        self._per_account = per_account
        if not self.path.is_dir():
            raise InvalidInput(f"{self.path} is no folder", path="path")

    def __call__(self, template_id: Identifier, account: Identifier | None) -> Template | None:
        """The template of an id, read now. Raises `DefinitionError` when its file is malformed."""
        folder = self.path
        if self._per_account and account is not None:
            if not _is_safe(account):
                return None
            folder /= str(account)
        if not _is_safe(template_id):
            return None
        found = [file for ending in _ENDINGS if (file := folder / f"{template_id}{ending}").is_file()]
        if len(found) > 1:
            raise DefinitionError(
                [Problem("duplicate_key", f"{found[1].name} is a template with the same id", file=str(found[0]))]
            )
        return _read(found[0], self.path) if found else None

    def __repr__(self) -> str:
        return f"FolderTemplates({str(self.path)!r})"


def _is_safe(name: Identifier) -> bool:
    text = str(name)
    return bool(_SAFE_NAME.fullmatch(text)) and not text.endswith((" ", ".")) and not _DEVICES.fullmatch(text)


def _read(file: Path, root: Path) -> Template:
    def refuse(code: str, message: str, line: int | None = None) -> DefinitionError:
        return DefinitionError([Problem(code, message, file=str(file), line=line)])

    if not file.resolve().is_relative_to(root.resolve()):
        raise refuse("invalid_path", "is a link that leads out of the folder")
    try:
        text = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise refuse("invalid_text", f"is not UTF-8: {error.reason} at byte {error.start}") from None
    first, _, rest = text.partition("\n")
    name, colon, subject = first.partition(":")
    if name.strip().casefold() != "subject" or not colon:
        raise refuse("missing_key", "the first line must be `Subject: ...`", 1)
    if rest.partition("\n")[0].strip():
        raise refuse("unknown_key", "the second line must be blank, and the body starts in the third", 2)
    subject, body = subject.strip(), rest.partition("\n")[2]
    problems = _malformed(subject, body, "", file=str(file))
    if problems:
        raise DefinitionError(problems)
    try:
        return Template(subject, body)
    except InvalidInput as error:
        raise refuse(error.code, str(error), 1 if error.path == "subject" else 3) from None


def _malformed(subject: str, body: str, path: str, file: str | None = None) -> list[Problem]:
    """The malformed merge fields; in a file the subject is line 1 and the body starts in line 3."""
    found = []
    for name, text, first in (("subject", subject, 1), ("body", body, 3)):
        for problem in problems_of(text):
            where = ".".join(part for part in (path, name) if part)
            if file is None:
                found.append(Problem("invalid_merge_field", problem.message, where))
            else:
                line = text.count("\n", 0, problem.at) + first
                found.append(Problem("invalid_merge_field", problem.message, where, file, line))
    return found
