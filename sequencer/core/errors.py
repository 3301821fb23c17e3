"""Every error that the package raises on purpose, under one root, filed by whose fault it is.

- The caller's: `InvalidInput`, `NotFound`, `AlreadyEnrolled`, `SequenceExists`, `Suppressed`, `IllegalTransition`.
- The author's (of a definition): `DefinitionError`, which carries every problem at once.
- Somebody was faster: `Conflict`, and three kinds of it: the enrollment is not what the caller has seen (`Outdated`),
  the key was used before for something else (`KeyReused`), the store was held by somebody for too long (`Busy`).
- The outside world: `StoreError` and, below it, `SchemaMismatch`.
- The program's: `Misuse`, for a call at a place where none is possible; no trying again helps.

An error carries facts as attributes, and its message names the remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence as Several

    from pendulum import DateTime

    from sequencer.core.statuses import EnrollmentState, StepStatus

__all__ = [
    "AlreadyEnrolled",
    "Busy",
    "Conflict",
    "DefinitionError",
    "IllegalTransition",
    "InvalidInput",
    "KeyReused",
    "MissingMergeData",
    "Misuse",
    "NotFound",
    "Outdated",
    "Problem",
    "SchemaMismatch",
    "SequenceExists",
    "SequencerError",
    "StoreError",
    "Suppressed",
]


class SequencerError(Exception):
    """The root: catch this to catch everything that the package raises on purpose."""


class InvalidInput(SequencerError, ValueError):
    """An argument is not what it must be; nothing was changed. `path` names the argument (law S6)."""

    def __init__(self, message: str, *, path: str = "", code: str = "invalid") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message = message
        self.path = path
        self.code = code


@attrs.frozen
class Problem:
    """One thing that is wrong with a definition: what, where, and how to mend it.

    `path` points into the document (`steps[2].delay_from_previous_step`); `line` and `column` count from 1 and are
    there when it came from a file.
    """

    code: str
    message: str
    path: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{where}: {self.code}: {what}" if where else f"{self.code}: {what}"


class DefinitionError(SequencerError, ValueError):
    """A definition is not valid, so it was not built. `problems` has all that is wrong with it, not just the first."""

    def __init__(self, problems: Several[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MissingMergeData(SequencerError):
    """A template asks for merge fields that the person does not have: `fields` names them."""

    def __init__(self, fields: Several[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(f"no value for the merge field{'s' if len(self.fields) > 1 else ''} {', '.join(self.fields)}")


class NotFound(SequencerError, LookupError):
    """Nothing of this account has that id. `hint` is what may be meant instead, if anything is."""

    def __init__(self, what: str, identifier: object, hint: str = "") -> None:
        self.what = what
        self.identifier = identifier
        self.hint = hint
        super().__init__(f"no {what} {identifier!r}" + (f"; {hint}" if hint else ""))


class AlreadyEnrolled(SequencerError):
    """The resource, or its address, may not be enrolled (again) yet (law L9).

    `existing_id` is the enrollment that stands in the way; `again_at` is the instant from which a new one is allowed,
    where that is known (a finished enrollment under `reenroll_after`).
    """

    def __init__(self, existing_id: int, message: str, *, again_at: DateTime | None = None) -> None:
        super().__init__(message)
        self.existing_id = existing_id
        self.again_at = again_at


class SequenceExists(SequencerError):
    """There is a sequence under this key already, so none was made; `existing_id` is its id (law L9)."""

    def __init__(self, existing_id: int, key: str) -> None:
        super().__init__(f"there is a sequence {key!r} already: replace it, or give the new one another key")
        self.existing_id = existing_id
        self.key = key


class Suppressed(SequencerError):
    """The address has opted out; it gets no mail until `unsuppress` (law L8)."""

    def __init__(self, message: str = "the address is suppressed: it has opted out of every sequence") -> None:
        super().__init__(message)


class IllegalTransition(SequencerError):
    """A request that the current state does not allow; nothing was changed (law L10)."""

    def __init__(self, state: EnrollmentState | StepStatus, trigger: str, hint: str = "") -> None:
        self.state = state
        self.trigger = trigger
        super().__init__(f"cannot {trigger} what is {state.value}" + (f": {hint}" if hint else ""))


class Conflict(SequencerError):
    """Somebody was faster, or the same key came with other content: read again and decide anew."""


class Busy(Conflict):
    """Somebody else has held what is needed for longer than is waited for it; nothing was stored.

    That was waited for already, so that trying again at once waits as long again: better in a while.
    """


class Outdated(Conflict):
    """What the caller saw has changed: it is not at that `revision`, but at the `current` one; nothing was changed.

    The revision of an enrollment counts its events, that of a sequence is the id of its current version.
    """

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"it has changed: it was at revision {revision} and is at {current}; look again")
        self.revision = revision
        self.current = current


class KeyReused(Conflict):
    """A key that makes things count once came again with other content; trying again will not help (laws L8, L9)."""


class Misuse(SequencerError, RuntimeError):
    """The engine or its store was called at a place where that cannot work: a mistake in the program; mend it there.

    So a tick within a block of `together`, a block that is used after its end, or a second one in the same thread.
    Nothing was stored, and calling again will not help.
    """


class StoreError(SequencerError):
    """The store cannot be used as it is."""


class SchemaMismatch(StoreError):
    """The store's schema is not one that this release runs on; `found` and `supported` name the versions (law S5)."""

    def __init__(self, found: int, supported: Several[int]) -> None:
        self.found = found
        self.supported = tuple(supported)
        remedy = "run `migrate`" if found < min(supported) else "upgrade the package"
        super().__init__(
            f"the store has schema {found}, this release runs on {', '.join(map(str, self.supported))}: {remedy}"
        )
