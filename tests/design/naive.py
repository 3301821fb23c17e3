"""What each expectation means, said a second time: in the plainest terms, of one timeline as `plan` gives it.

It is the model beside `sequencer.design`: datetimes on the wall, a calendar that is asked day by day, no arithmetic on
microseconds, nothing remembered.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.delays import Hours, Weekdays
from sequencer.core.instants import to_instant
from sequencer.core.sequence import Sequence, Task
from sequencer.core.timeline import Timeline, plan


def keeps(sequence: Sequence, timeline: Timeline, expect: dict) -> bool:
    """Whether a timeline keeps an expectation."""
    ((kind, value),) = expect.items()
    calendar = sequence.calendar.in_zone(timeline.timezone)
    emails = [step.estimated_execute_at for step in timeline if step.step.is_email]
    tasks = [step.estimated_execute_at for step in timeline if not step.step.is_email]
    start, end = timeline.started_at, timeline[-1].over_at
    steps = [(before.over_at, after.estimated_execute_at) for before, after in pairwise(timeline)]
    mails = list(pairwise(emails))
    match kind:
        case "min_between_emails":
            return all(later >= delayed(calendar, earlier, value) for earlier, later in mails)
        case "max_between_emails":
            return all(later <= delayed(calendar, earlier, value) for earlier, later in mails)
        case "min_between_steps":
            return all(later >= delayed(calendar, earlier, value) for earlier, later in steps)
        case "max_between_steps":
            return all(later <= delayed(calendar, earlier, value) for earlier, later in steps)
        case "min_duration":
            return end >= delayed(calendar, start, value)
        case "max_duration":
            return end <= delayed(calendar, start, value)
        case "first_touch_within":
            opened = calendar.next_open(start, email=timeline[0].step.is_email)
            return timeline[0].estimated_execute_at <= delayed(calendar, opened, value)
        case "max_emails":
            local = [wall(timeline, at) for at in emails]
            days = timedelta(days=value["days"])
            return all(sum(first <= at < first + days for at in local) <= value["count"] for first in local)
        case "no_email_on":
            return not any(inside(wall(timeline, at), value) for at in emails)
        case "no_task_on":
            return not any(inside(wall(timeline, at), value) for at in tasks)
        case "local_hours":
            return all(inside(wall(timeline, at), value) for at in emails)
        case "ends_by":
            return wall(timeline, end).date() <= date.fromisoformat(value)
    raise AssertionError(kind)


def delayed(calendar: Calendar, at, duration: dict):
    """A moment so many hours or working days later."""
    ((unit, n),) = duration.items()
    return calendar.after(at, Hours(n) if unit == "hours" else Weekdays(n))


def wall(timeline: Timeline, at) -> datetime:
    """What the clock on the wall shows."""
    return at.in_timezone(timeline.timezone).replace(tzinfo=None)


def inside(local: datetime, span: dict) -> bool:
    """Whether a local time lies on one of the days or dates, if any are named, and between the times."""
    named = "days" in span or "dates" in span
    on = WEEKDAYS[local.weekday()] in span.get("days", ()) or local.date().isoformat() in span.get("dates", ())
    since = time.fromisoformat(span.get("from", "00:00"))
    until = span.get("to", "24:00")
    return (
        (on or not named) and local.time() >= since and (until == "24:00" or local.time() < time.fromisoformat(until))
    )


# -- every start ----------------------------------------------------------------------------------------------


def starts(sequence: Sequence, timezone: str, dates: tuple[date, date], first, last, every: timedelta):
    """The instants from `first` up to, but without, `last` at which somebody may be enrolled by what is assumed.

    Those at which the clock of the zone shows a multiple of `every`, and a date from one of `dates` to the other.
    """
    # No clock is off by other than quarters of an hour.
    grid = min(every, timedelta(minutes=15))
    enrolled = sequence.assume.get("enrolled", {})
    has_hours = any(key in enrolled for key in ("days", "from", "to"))
    zone, ruler = ZoneInfo(timezone), ZoneInfo(sequence.calendar.timezone if has_hours else timezone)
    since, until = dates
    since = max(since, date.fromisoformat(enrolled.get("since", "1970-01-01")))
    until = min(until, date.fromisoformat(enrolled.get("until", "9000-12-31")))
    span = {key: enrolled[key] for key in ("days", "from", "to") if key in enrolled}
    at = datetime.fromtimestamp(-(-first.timestamp() // grid.total_seconds()) * grid.total_seconds(), UTC)
    while at < last:
        local, by_ruler = at.astimezone(zone), at.astimezone(ruler).replace(tzinfo=None)
        if (
            timedelta(hours=local.hour, minutes=local.minute, seconds=local.second) % every == timedelta(0)
            and since <= by_ruler.date() <= until
            and inside(by_ruler, span)
        ):
            yield to_instant(at)
        at += grid


def planned(sequence: Sequence, start, timezone: str, late=()) -> Timeline:
    """The timeline of a start where some tasks, by position, are done as late as is assumed; or skipped before that."""
    done: dict = {}
    calendar = sequence.calendar.in_zone(timezone)
    for position in sorted(late):
        comes = plan(sequence, start, timezone=timezone, reasons=False, done=done)[position].estimated_execute_at
        action = sequence.steps[position].action
        over = [delayed(calendar, comes, sequence.assume["tasks_done_within"])]
        if isinstance(action, Task) and action.skip_after is not None:
            over.append(calendar.after(comes, action.skip_after))
        done[position] = min(over)
    return plan(sequence, start, timezone=timezone, reasons=False, done=done)
