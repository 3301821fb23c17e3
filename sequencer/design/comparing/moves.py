"""How far the steps of a sequence move from one definition to another, as values for people and programs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.instants import between, to_iso, to_zone
from sequencer.core.matching import name_of
from sequencer.core.sequence import Step
from sequencer.design.comparing.wording import listed, span
from sequencer.design.deciding.premises import DONE_WHEN_DUE

__all__ = ["Example", "Moves", "Shifts", "StepShift"]


@attrs.frozen
class Example:
    """A start, and when a step comes then by the old definition and by the new one (all UTC)."""

    start: DateTime
    before: DateTime
    after: DateTime

    @property
    def shift(self) -> timedelta:
        """How much later it comes; less than nothing where it is earlier."""
        return between(self.before, self.after)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; spans are in seconds."""
        return {
            "start": to_iso(self.start),
            "before": to_iso(self.before),
            "after": to_iso(self.after),
            "shift": _seconds(self.shift),
        }

    def told(self, timezone: str) -> str:
        """It in words, on the clock of a zone."""
        start, before, after = (_clock(at, timezone) for at in (self.start, self.before, self.after))
        return f"started {start}: {after} instead of {before}"


@attrs.frozen
class Shifts:
    """What there is to say of the starts that move a step in one direction.

    `starts` is how many they are, `least`, `typical` (half of them move no further) and `most` how far they move it;
    `example` is the simplest of those that move it furthest.
    """

    starts: int
    least: timedelta
    typical: timedelta
    most: timedelta
    example: Example

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; spans are in seconds."""
        return {
            "starts": self.starts,
            "least": _seconds(self.least),
            "typical": _seconds(self.typical),
            "most": _seconds(self.most),
            "example": self.example.to_dict(),
        }

    def __str__(self) -> str:
        if self.least == self.most:
            return f"by {span(self.most)}"
        return f"by {span(self.least)} to {span(self.most)}, typically by {span(self.typical)}"


@attrs.frozen
class StepShift:
    """How a step that both definitions have moves, over `starts` starts; without positions and steps, how the end does.

    `earlier` and `later` tell of the starts that move it so; None: there is none. `earlier_elsewhere` and
    `later_elsewhere` are the cases in which it moves furthest in another week, if that is further.
    """

    position_before: int | None
    position_after: int | None
    step_before: Step | None
    step_after: Step | None
    starts: int
    earlier: Shifts | None
    later: Shifts | None
    earlier_elsewhere: Example | None
    later_elsewhere: Example | None

    @property
    def stays(self) -> bool:
        """Whether it never moves."""
        found = self.earlier, self.later, self.earlier_elsewhere, self.later_elsewhere
        return not any(each is not None for each in found)

    @property
    def share(self) -> float:
        """The share of the starts that move it, 0 to 1."""
        moved = sum(each.starts for each in (self.earlier, self.later) if each is not None)
        return moved / self.starts if self.starts else 0.0

    @property
    def name(self) -> str:
        """What it is called: the step of the new definition, or the end."""
        return "the end" if self.step_after is None else f"step {self.position_after} {name_of(self.step_after)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; spans are in seconds."""
        return {
            "position_before": self.position_before,
            "position_after": self.position_after,
            "key": None if self.step_after is None else self.step_after.key,
            "action_type": None if self.step_after is None else self.step_after.action.action_type,
            "starts": self.starts,
            "share": self.share,
            **{
                name: None if each is None else each.to_dict()
                for name, each in (
                    ("earlier", self.earlier),
                    ("later", self.later),
                    ("earlier_elsewhere", self.earlier_elsewhere),
                    ("later_elsewhere", self.later_elsewhere),
                )
            },
        }

    def lines(self, timezone: str) -> list[str]:
        """Two lines for each direction in which it moves, the second an example on the clock of a zone."""
        found = []
        for direction, shifts in (("earlier", self.earlier), ("later", self.later)):
            if shifts is not None:
                line = f"{direction} for {self._of_starts(shifts.starts)}, {shifts}"
                found += [line, f"  {shifts.example.told(timezone)}"]
        for direction, case in (("earlier", self.earlier_elsewhere), ("later", self.later_elsewhere)):
            if case is not None:
                line = f"in other weeks {direction} by up to {span(abs(case.shift))}"
                found += [line, f"  {case.told(timezone)}"]
        return found

    def moves_like(self, other: StepShift) -> bool:
        """Whether another one moves by the same spans, at the same moments."""
        ours, theirs = (
            (each.earlier, each.later, each.earlier_elsewhere, each.later_elsewhere) for each in (self, other)
        )
        return ours == theirs

    def _of_starts(self, starts: int) -> str:
        if starts == self.starts:
            return "every start"
        percent = 100 * starts / self.starts
        return f"{percent:.0f} % of starts" if 1 <= percent <= 99 else f"{percent:.2g} % of starts"


@attrs.frozen
class Moves:
    """How the timelines of two definitions lie to each other.

    Each is on the clock of its definition, and tasks are done when they are due. The starts are whole minutes from the
    local date `since` to `until`: those of the ordinary week that begins on the date `week`, `starts` in number; where
    `week` is None, no week is ordinary, and they are all of them. `steps` are those that both definitions have, in the
    order of the new one; `end` is how the end of the sequence moves, and so how its length changes.
    """

    timezone_before: str
    timezone_after: str
    since: date
    until: date
    week: date | None
    starts: int
    steps: tuple[StepShift, ...]
    end: StepShift

    @property
    def stay(self) -> bool:
        """Whether nothing that both have ever moves, and neither does the end."""
        return all(each.stays for each in (*self.steps, self.end))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; spans are in seconds."""
        return {
            "timezone_before": self.timezone_before,
            "timezone_after": self.timezone_after,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "week": self.week and self.week.isoformat(),
            "starts": self.starts,
            "steps": [each.to_dict() for each in self.steps],
            "end": self.end.to_dict(),
        }

    def __str__(self) -> str:
        if not self.starts:
            return "No start is one for both definitions, so their timelines cannot be laid beside each other."
        if self.stay:
            return f"No step moves, for any start from {self.since} to {self.until} on the clock of {self._zone}."
        starts = f"{self.starts:,} starts"
        where = f"{starts} of the week from {self.week} on" if self.week else f"{starts} from {self.since} on"
        lines = [f"Timelines, over the {where}, on the clock of {self._zone}, with {DONE_WHEN_DUE}:"]
        last = self.steps[-1] if self.steps and self.steps[-1].moves_like(self.end) else None
        for each in self.steps if last is not None else (*self.steps, self.end):
            if not each.stays:
                lines.append(f"  {each.name}{', and with it the end' if each is last else ''}")
                lines += [f"    {line}" for line in each.lines(self.timezone_after)]
        still = [str(each.position_after) for each in self.steps if each.stays]
        if still:
            lines.append(f"  {'step' if len(still) == 1 else 'steps'} {listed(still)} never moved")
        if self.end.stays and last is None:
            lines.append("  the end never moved")
        return "\n".join(lines)

    @property
    def _zone(self) -> str:
        if self.timezone_before == self.timezone_after:
            return self.timezone_after
        return f"{self.timezone_after} (before: {self.timezone_before})"


def _seconds(length: timedelta) -> int | float:
    """A span in seconds, whole where it is."""
    seconds = length.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _clock(at: DateTime, timezone: str) -> str:
    local = to_zone(at, timezone)
    return f"{local:%a %Y-%m-%d %H:%M{':%S' if local.second else ''} %Z}"
