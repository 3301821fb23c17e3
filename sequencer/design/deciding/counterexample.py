"""A case in which an expectation does not hold, in all the shapes in which somebody may want to look at it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.instants import to_iso, to_local_iso
from sequencer.core.timeline import Timeline
from sequencer.core.values import thawed

__all__ = ["Counterexample"]

_WORDS = re.compile(r"\w+")


@attrs.frozen
class Counterexample:
    """One enrollment that does not keep an expectation.

    It starts at `start` (UTC) for somebody in `timezone`; each task is done when it is due, but those in `done`, by
    position, at an instant. `timeline` is what then happens, with the reasons behind each moment, and `sentence` says
    what is wrong with it. `reported` is, for `stops_on`, the kind of report that comes before the step `before_step`.
    """

    expect: Mapping[str, Any]
    start: DateTime
    timezone: str
    done: Mapping[int, DateTime]
    timeline: Timeline
    sentence: str
    reported: str | None = None
    before_step: int | None = None

    def command(self, file: str) -> str:
        """The `sequencer plan` line that shows the timeline, for the definition in a file."""
        parts = ["sequencer", "plan", file, "--start", self._typed(self.start), "--timezone", self.timezone]
        for position, at in self.done.items():
            parts += ["--done", f"{position}={self._typed(at)}"]
        return shlex.join([*parts, "--why"])

    def _typed(self, at: DateTime) -> str:
        """An instant as one types it: on the zone's clock, or in UTC where that could be taken for another one."""
        local = to_local_iso(at, self.timezone)[: len("2026-03-27T16:30:00")]
        calendar = Calendar(self.timezone)
        reading = calendar.local(at)
        if (
            at.microsecond
            or calendar.at_clock_of(at, at) != at
            or reading.replace(fold=1).utcoffset() != reading.utcoffset()
        ):
            return to_iso(at)
        return local.removesuffix(":00")

    def test(self, file: str, *, name: str | None = None) -> str:
        """A test for pytest that fails as long as the definition in a file has this case (extra `testing`)."""
        # Named for what is expected, so that two of them in one file are two tests.
        words = "_".join(_WORDS.findall(json.dumps(thawed(self.expect))))
        done = "".join(
            f"\n            {position}: pendulum.parse({json.dumps(self._local(at))}),"
            for position, at in self.done.items()
        )
        lines = [
            "import pendulum",
            "",
            "from sequencer import load",
            "from sequencer.testing import assert_expected",
            "",
            "",
            f"def {name or f'test_{words}'}():",
            f'    """{self.sentence.replace(chr(92), chr(92) * 2).replace(chr(34) * 3, chr(39) * 3)}"""',
            "    assert_expected(",
            f"        load({json.dumps(file)}),",
            f"        {thawed(self.expect)!r},",
            f"        start=pendulum.parse({json.dumps(self._local(self.start))}),",
            f"        timezone={json.dumps(self.timezone)},",
            *([f"        done={{{done}\n        }},"] if done else []),
            "    )",
        ]
        return "\n".join(lines) + "\n"

    def _local(self, at: DateTime) -> str:
        return to_local_iso(at, self.timezone)

    def to_dict(self, file: str = "FILE") -> dict[str, Any]:
        """Plain JSON values, as in `check --json`; the command and the test name a file."""
        timeline = self.timeline.to_dict()
        return {
            "start": to_iso(self.start),
            "timezone": self.timezone,
            "steps": timeline["steps"],
            "command": self.command(file),
            "sentence": self.sentence,
            "done": {str(position): to_iso(at) for position, at in self.done.items()},
            **({"reported": self.reported, "before_step": self.before_step} if self.reported else {}),
            "test": self.test(file),
        }

    def __str__(self) -> str:
        lines = [f"{self.sentence}.", f"Enrolled {self._local(self.start)} in {self.timezone}:"]
        for step in self.timeline:
            lines.append(f"  {step}")
            lines += [f"    - {reason}" for reason in step.reasons]
        return "\n".join(lines)
