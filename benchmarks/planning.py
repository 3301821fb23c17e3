"""Planning a step with pendulum values out, beside the same in plain datetime + zoneinfo, and in pendulum."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum

from benchmarks.measuring import Figure, Question, in_turn
from sequencer.core.calendar import Calendar
from sequencer.core.delays import Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.sequence import AutomatedEmail, Step
from sequencer.core.timeline import estimate

ZONE = "Europe/Warsaw"
_PLAIN_ZONE = ZoneInfo(ZONE)
_PENDULUM_ZONE = pendulum.timezone(ZONE)
_STEPS = 2000
_SPANS = {days: timedelta(days) for days in range(-7, 30)}


def _moments() -> list[datetime]:
    chance = random.Random(7)
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return [first + timedelta(minutes=chance.randrange(0, 525_600)) for _ in range(_STEPS)]


def plain(moment: datetime, n: int) -> datetime:
    """So many weekdays after a moment, and then a weekday: closed form, resolved once, checked once."""
    local = moment.astimezone(_PLAIN_ZONE)
    weekday = local.weekday()
    # From a weekend, count from the Friday before it.
    back = max(0, weekday - 4)
    from_friday = weekday - back + n
    days = from_friday // 5 * 7 + from_friday % 5 - (weekday - back) - back
    there = local + _SPANS[days]
    instant = there.astimezone(UTC)
    again = instant.astimezone(_PLAIN_ZONE)
    if again.toordinal() != there.toordinal() and again.weekday() > 4:
        return plain(instant, 0)
    return instant


def by_pendulum(moment: pendulum.DateTime, n: int) -> pendulum.DateTime:
    """The same closed form with pendulum's own arithmetic."""
    local = moment.in_timezone(_PENDULUM_ZONE)
    weekday = local.weekday()
    back = max(0, weekday - 4)
    from_friday = weekday - back + n
    days = from_friday // 5 * 7 + from_friday % 5 - (weekday - back) - back
    there = local.add(days=days)
    instant = there.in_timezone(pendulum.UTC)
    again = instant.in_timezone(_PENDULUM_ZONE)
    if again.date() != there.date() and again.weekday() > 4:
        return by_pendulum(instant, 0)
    return instant


def _ours(moments: list[pendulum.DateTime]) -> list[pendulum.DateTime]:
    calendar, step = Calendar(ZONE), Step(AutomatedEmail(1), Weekdays(2))
    return [estimate(calendar, step, moment) for moment in moments]


def measure_plain() -> Figure:
    """Ours beside plain datetimes; both give the same instants."""
    plains = _moments()
    moments = [to_instant(moment) for moment in plains]
    assert _ours(moments) == [plain(moment, 2) for moment in plains]
    ratio, detail = in_turn(lambda: _ours(moments), lambda: [plain(moment, 2) for moment in plains])
    return Figure(ratio, {"steps": _STEPS, **detail})


def measure_pendulum() -> Figure:
    """Pendulum's own arithmetic beside ours."""
    moments = [to_instant(moment) for moment in _moments()]
    assert _ours(moments) == [by_pendulum(moment, 2) for moment in moments]
    ratio, detail = in_turn(lambda: [by_pendulum(moment, 2) for moment in moments], lambda: _ours(moments))
    return Figure(ratio, {"steps": _STEPS, **detail})


QUESTIONS = (
    Question("planning", "a step's estimate beside plain datetime + zoneinfo, times", 2.5, measure_plain),
    Question(
        "planning-pendulum",
        "pendulum's own closed form beside a step's estimate, times",
        3,
        measure_pendulum,
        at_least=True,
    ),
)
