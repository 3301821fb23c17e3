"""What is counted, and when a gate is missed."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["COLUMNS", "Tally"]

COLUMNS = {
    "injected": "how often the fault was made to happen",
    "lost": "a mail or task that never went out though its step says so or was dropped, an accepted answer that was "
    "forgotten, an enrollment that `enroll` had returned and that is gone",
    "doubled": "a mail that left twice, a task that was created twice, a report or an enrollment that counted twice",
    "allowed_doubled": "as many of these as the laws allow: with a mailer that was told `at_least_once`, the one that "
    "was in flight",
    "early": "a hand-over before its estimate, or before the delay after the mail before it was over",
    "out_of_order": "a hand-over before the step before it was over, or of an enrollment that was blocked or finished",
    "stuck": "an enrollment that, once all is well again, neither goes on nor says what it waits for",
    "corrupt": "a file that fails its check, a row that cannot be read, a history that does not give the enrollment, a "
    "step that took a way that there is not, a stale claim that was believed, two ends that had to be the same",
}
"""The columns, and what each of them counts."""

_BAD = ("lost", "early", "out_of_order", "stuck", "corrupt")


@attrs.define
class Tally:
    """The counts of one fault on one store, with a note about each thing that is wrong."""

    injected: int = 0
    lost: int = 0
    doubled: int = 0
    allowed_doubled: int = 0
    early: int = 0
    out_of_order: int = 0
    stuck: int = 0
    corrupt: int = 0
    notes: list[str] = attrs.Factory(list)

    def found(self, what: str, note: str, times: int = 1) -> None:
        """Something is wrong."""
        setattr(self, what, getattr(self, what) + times)
        self.notes.append(f"{what}: {note}")

    def allow(self, doubled: int) -> None:
        """Of what was doubled in this run, so much is within the law."""
        self.allowed_doubled += min(self.doubled, doubled)

    def add(self, other: Tally) -> None:
        """These counts, too."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes

    def missed(self, least: int = 1) -> list[str]:
        """What of the gate does not hold: nothing may be wrong, and the fault must have happened often enough."""
        missed = [f"{name} = {getattr(self, name)}" for name in _BAD if getattr(self, name)]
        if self.doubled > self.allowed_doubled:
            missed.append(f"doubled = {self.doubled}, of which {self.allowed_doubled} are allowed")
        if self.injected < least:
            missed.append(f"injected = {self.injected}, which is less than {least}")
        return missed

    def counts(self) -> dict[str, Any]:
        """The columns, in order."""
        return {name: getattr(self, name) for name in COLUMNS}
