"""For which starts and zones an expectation is decided: those that its design may take for granted, within a range.

Two zones whose clocks change alike give the same answers, so one of them is looked at: on the clock on the wall where
nothing is said about when people are enrolled, and else (since that is said on the definition's clock) in UTC. And a
week in which no clock changes and no holiday comes near gives the same answers as any other such week (T8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

import attrs

from sequencer.core.calendar import zone_named
from sequencer.core.days import WEEKDAYS
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import FIRST, LAST, to_date, to_microseconds
from sequencer.core.sequence import Sequence
from sequencer.design.deciding.ground import DAY, clock_reading, day_number
from sequencer.engine.clock import SystemClock
from sequencer.simulation.clock_changes import ClockChanges

__all__ = ["PROFILES", "WEEK", "Profile", "Scope", "Spans", "alike", "to_scope", "today", "weeks"]

WEEK = 7 * DAY
_YEAR = 53
_FIRST_DATE, _LAST_DATE = date(FIRST.year, 1, 1), date(LAST.year, 12, 31)
# Far behind and far ahead, and clocks that never change, or on different dates in the north and in the south.
_SOME_ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Australia/Sydney")
_NO_PLACES = {"localtime", "Factory", "posixrules"}


@attrs.frozen
class Profile:
    """How far a search goes: over how many weeks, in every zone or some, with each task late alone or only all of them.

    `drawn` is how many cases are drawn beside the sweep, where there is something between.
    """

    name: str
    weeks: int
    every_zone: bool
    each_task: bool
    drawn: int


PROFILES = {
    "quick": Profile("quick", weeks=_YEAR, every_zone=False, each_task=False, drawn=100),
    "thorough": Profile("thorough", weeks=2 * _YEAR - 1, every_zone=True, each_task=True, drawn=2_000),
}


@attrs.frozen
class Scope:
    """The starts and zones of a search.

    They start on `weeks` weeks from the local date `since` on, but not after `last`; `timezones` are in the order of
    their simplicity: the definition's own, UTC, and then others.
    """

    profile: Profile
    since: date
    weeks: int
    timezones: tuple[str, ...]
    last: date = _LAST_DATE

    @property
    def until(self) -> date:
        """The last local date of starts."""
        return min(self.since + timedelta(days=7 * self.weeks - 1), self.last)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `check --json`."""
        return {
            "profile": self.profile.name,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "timezones": list(self.timezones),
        }

    def __str__(self) -> str:
        zones = len(self.timezones)
        where = self.timezones[0] if zones == 1 else f"{zones} zones"
        return f"every start from {self.since} to {self.until} in {where}"


def today(sequence: Sequence) -> date:
    """The local date in a sequence's own zone, by the system clock."""
    return sequence.calendar.local(SystemClock().now()).date()


def to_scope(
    sequence: Sequence,
    *,
    profile: str = "quick",
    since: date | None = None,
    timezones: Collection[str] | None = None,
) -> Scope:
    """The scope of a search. Raises `InvalidInput` for an unknown profile or zone, no zones, and no date in T11."""
    if profile not in PROFILES:
        raise InvalidInput(f"must be quick or thorough, got {profile!r}", path="profile", code="invalid_value")
    found = PROFILES[profile]
    if since is None:
        since = today(sequence)
    since = to_date(since, "since")
    enrolled = sequence.assume.get("enrolled", {})
    if "since" in enrolled:
        since = max(since, date.fromisoformat(enrolled["since"]))
    if not _FIRST_DATE <= since <= _LAST_DATE:
        raise InvalidInput(f"must be in the years 1970 to 9000, got {since}", path="since", code="out_of_range")
    weeks, last = found.weeks, _LAST_DATE
    if "until" in enrolled:
        last = date.fromisoformat(enrolled["until"])
        weeks = max(0, min(weeks, -(-((last - since).days + 1) // 7)))
    return Scope(found, since, weeks, _zones(sequence, found, timezones), last)


def _zones(sequence: Sequence, profile: Profile, timezones: Collection[str] | None) -> tuple[str, ...]:
    own = sequence.calendar.timezone
    if timezones is None:
        timezones = sequence.assume.get("timezones")
    if timezones is not None:
        for name in timezones:
            zone_named(name)
        if not timezones:
            raise InvalidInput("needs at least one zone", path="timezones", code="missing")
        known = set(timezones)
    elif profile.every_zone:
        known = {own, *(available_timezones() - _NO_PLACES)}
    else:
        known = {own, *_SOME_ZONES}
    order = [own, *_SOME_ZONES]
    return tuple(sorted(known, key=lambda name: (order.index(name) if name in order else len(order), name)))


# -- zones that are alike -------------------------------------------------------------------------------------


def alike(sequence: Sequence, scope: Scope, last: int) -> list[tuple[str, int]]:
    """A zone of each kind, simplest first, and how many there are of its kind, judged up to an instant."""
    first = day_number(scope.since) * DAY
    hours = _is_said_when(sequence)
    kinds: dict[object, str] = {}
    counts: dict[str, int] = {}
    for name in scope.timezones:
        clock = ClockChanges(sequence.calendar.in_zone(name), first)
        clock.reach(last)
        # On the wall it only matters what the clock shows when it changes, and by how much.
        kind = tuple(
            (change if hours else change + before, after - before)
            for change, before, after in zip(clock.instants, clock.offsets, clock.offsets[1:], strict=False)
            if change <= last
        )
        found = kinds.setdefault((clock.offsets[0] if hours else 0, kind), name)
        counts[found] = counts.get(found, 0) + 1
    return list(counts.items())


def _is_said_when(sequence: Sequence) -> bool:
    """Whether it is said when people are enrolled, which is on the definition's clock, wherever they are."""
    return bool(sequence.assume.get("enrolled"))


# -- weeks ----------------------------------------------------------------------------------------------------

Spans = tuple[tuple[int, int], ...]


def weeks(sequence: Sequence, scope: Scope, timezone: str) -> Iterator[tuple[int, Spans]]:
    """The weeks of a scope for people in a zone: where each begins, and the stretches of starts (from, to) in it."""
    ruler = sequence.calendar if _is_said_when(sequence) else sequence.calendar.in_zone(timezone)
    enrolled = sequence.assume.get("enrolled", {})
    weekdays = {WEEKDAYS.index(day) for day in enrolled.get("days", WEEKDAYS)}
    opens, closes = clock_reading(enrolled.get("from", "00:00")), clock_reading(enrolled.get("to", "24:00"))
    clock = ClockChanges(ruler, day_number(scope.since) * DAY - WEEK)
    clock.reach(day_number(scope.until) * DAY + WEEK)
    for week in range(scope.weeks):
        first = scope.since + timedelta(days=7 * week)
        spans: list[tuple[int, int]] = []
        for day in (first + timedelta(days=n) for n in range(7)):
            if day > scope.last or day.weekday() not in weekdays:
                continue
            for begin, end in _showing(clock, day_number(day) * DAY, opens, closes):
                if spans and spans[-1][1] == begin:
                    spans[-1] = (spans[-1][0], end)
                else:
                    spans.append((begin, end))
        yield to_microseconds(ruler.start_of(first)), tuple(spans)


def _showing(clock: ClockChanges, midnight: int, opens: int, closes: int) -> Iterator[tuple[int, int]]:
    """When a clock shows a time from `opens` up to, but without, `closes` on the date that begins with a reading."""
    changes = clock.between(midnight - 2 * DAY, midnight + 2 * DAY)
    edges = [midnight - 2 * DAY, *changes, midnight + 3 * DAY]
    for begin, end in pairwise(edges):
        offset = clock.offset_at(begin)
        low, high = max(begin, midnight + opens - offset), min(end, midnight + closes - offset)
        if low < high:
            yield low, high
