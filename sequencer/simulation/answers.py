"""What a simulation counts: how everybody ends, and on each day, at each step and for each actor what happens.

Counts are fed by the events of the engine and by nothing else, and they add up: whatever was counted apart, in another
group or on another machine, is merged in any order to the same. Times are counted in quarters of an hour, so that the
counts of a million people are no larger than those of a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Several
from datetime import date, timedelta
from typing import Any, ClassVar

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.enrollment import Enrollment
from sequencer.core.events import Event
from sequencer.core.instants import between, to_iso
from sequencer.core.sequence import AutomatedEmail, Sequence, Step
from sequencer.core.timeline import due_at
from sequencer.core.values import Identifier
from sequencer.simulation.answering import ANSWERS, count_person, people_counted

__all__ = ["ACTOR_COUNTS", "DAY_COUNTS", "STEP_COUNTS", "Answers"]

DAY_COUNTS = ("enrolled", "emails", "tasks", "tasks_completed", "overdue", "deferred", "replied", "finished")
STEP_COUNTS = ("reached", "done", "skipped", "failed", "overdue", "deferred", "replied", "ended")
ACTOR_COUNTS = ("emails", "tasks", "tasks_completed", "overdue", "deferred")
_ACTOR_DAYS = ("emails", "tasks", "tasks_completed", "overdue", "deferred")
_QUARTER = timedelta(minutes=15)

_Actor = tuple[Identifier | None, Identifier | None]


def _add(one: Counter[Any], other: Mapping[Any, int]) -> None:
    for key, count in other.items():
        one[key] += count


@attrs.define
class _Step:
    """The counts of one step of a sequence; `quarters` after the start when it was done."""

    counts: Counter[str] = attrs.Factory(Counter)
    quarters: Counter[int] = attrs.Factory(Counter)

    def add(self, other: _Step) -> None:
        _add(self.counts, other.counts)
        _add(self.quarters, other.quarters)


@attrs.define
class _Sequence:
    """The counts of one sequence; `quarters` from the start to the end, of those that ran to the end.

    `outcomes` are how they end, `people` what is answered, whenever that is.
    """

    steps: list[_Step]
    outcomes: Counter[str] = attrs.Factory(Counter)
    people: Counter[str] = attrs.Factory(Counter)
    blocked: Counter[str] = attrs.Factory(Counter)
    refused: Counter[str] = attrs.Factory(Counter)
    quarters: Counter[int] = attrs.Factory(Counter)

    def add(self, other: _Sequence) -> None:
        for mine, theirs in zip(self.steps, other.steps, strict=True):
            mine.add(theirs)
        for name in ("outcomes", "people", "blocked", "refused", "quarters"):
            _add(getattr(self, name), getattr(other, name))


@attrs.define
class _ActorCounts:
    """The counts of one actor by day, and the days on which a cap put a mail off, or blocked its enrollment."""

    enrollments: int = 0
    days: dict[int, Counter[str]] = attrs.Factory(dict)
    cap_days: set[int] = attrs.Factory(set)

    def add(self, other: _ActorCounts) -> None:
        self.enrollments += other.enrollments
        for day, counts in other.days.items():
            _add(self.days.setdefault(day, Counter()), counts)
        self.cap_days |= other.cap_days


class Answers:
    """The counts of one run. Days are local dates of `timezone`, hours of sending are the recipient's."""

    def __init__(self, sequences: Several[Sequence], timezone: str) -> None:
        self.timezone = timezone
        self.sequences = tuple(sequences)
        self.ended_at: DateTime | None = None
        self._calendar = Calendar(timezone)
        self._per_sequence = [_Sequence([_Step() for _ in each.steps]) for each in sequences]
        self._days: dict[int, Counter[str]] = {}
        self._actors: dict[_Actor, _ActorCounts] = {}
        self._sends = [[0] * 24 for _ in range(7)]
        self._reactions: Counter[str] = Counter()
        # Within a group: what was put off, what was overdue, for when the step that somebody stands at is planned, and
        # what was answered, with whether that was after the end.
        self._put_off: set[tuple[int, int]] = set()
        self._late: set[tuple[int, int]] = set()
        self._planned: dict[int, tuple[int, DateTime]] = {}
        self._answered: dict[int, dict[str, bool]] = {}
        self._since: DateTime | None = None
        self._last: tuple[DateTime | None, int] = (None, 0)

    # -- counting ----------------------------------------------------------------------------------------------

    def _day(self, at: DateTime) -> int:
        """The local date of an instant, as its ordinal. Many events share their instant."""
        last, day = self._last
        if last is not at:
            day = self._calendar.local(at).toordinal()
            self._last = (at, day)
        return day

    def _counts(self, day: int) -> Counter[str]:
        counts = self._days.get(day)
        if counts is None:
            counts = self._days[day] = Counter()
        return counts

    def _actor(self, enrollment: Enrollment) -> _ActorCounts:
        key = (enrollment.account, enrollment.actor_id)
        counts = self._actors.get(key)
        if counts is None:
            counts = self._actors[key] = _ActorCounts()
        return counts

    def _note(self, enrollment: Enrollment, day: int, name: str) -> None:
        days = self._actor(enrollment).days
        counts = days.get(day)
        if counts is None:
            counts = days[day] = Counter()
        counts[name] += 1

    def told(self, enrollment: Enrollment, events: Several[Event]) -> None:
        """Something has happened to an enrollment. Its version's `sequence_id` is its sequence's place, from 1."""
        counts = self._per_sequence[enrollment.version.sequence_id - 1]
        for event in events:
            count = self._COUNT.get(event.type)
            if count is not None:
                count(self, counts, enrollment, event)

    def standing(self, enrollment: Enrollment, now: DateTime) -> None:
        """Somebody was enrolled before the simulation begins, and stands at a step then.

        What is overdue by then counts on the day on which the simulation begins.
        """
        self._since = now
        self._actor(enrollment).enrollments += 1
        current = enrollment.current
        if current is not None:
            steps = self._per_sequence[enrollment.version.sequence_id - 1].steps
            steps[current.position].counts["reached"] += 1
            if current.estimated_execute_at is not None:
                self._planned[enrollment.id] = (current.position, current.estimated_execute_at)

    def refused(self, sequence: int, code: str) -> None:
        """Somebody was not enrolled."""
        self._per_sequence[sequence].refused[code] += 1
        self._per_sequence[sequence].outcomes["refused"] += 1

    def to_come(self, sequence: int) -> None:
        """Somebody would only be enrolled after the end."""
        self._per_sequence[sequence].outcomes["to_come"] += 1

    def reacted(self, enrollment: Enrollment, position: int, kind: str, at: DateTime) -> None:
        """Somebody has done something about a mail, before the end or after having come to it."""
        self._reactions[kind] += 1
        if kind in ANSWERS:
            self._answered.setdefault(enrollment.id, {}).setdefault(kind, enrollment.is_finished)
        if kind == "replied":
            self._per_sequence[enrollment.version.sequence_id - 1].steps[position].counts["replied"] += 1
            self._counts(self._day(at))["replied"] += 1

    def close(self, enrollment: Enrollment, now: DateTime) -> None:
        """A group is over: this is how one of its enrollments stands."""
        counts = self._per_sequence[enrollment.version.sequence_id - 1]
        outcome = str(enrollment.finished_reason) if enrollment.is_finished else enrollment.state.value
        counts.outcomes["ongoing" if outcome == "active" else outcome] += 1
        if outcome == "blocked":
            counts.blocked[str(enrollment.blocked_reason)] += 1
        if not enrollment.is_finished:
            self._overdue(counts, enrollment, now)
        count_person(counts.people, outcome, self._answered.get(enrollment.id))

    def forget_group(self) -> None:
        """What is only needed within a group."""
        self._put_off.clear()
        self._late.clear()
        self._planned.clear()
        self._answered.clear()

    def _overdue(self, counts: _Sequence, enrollment: Enrollment, now: DateTime) -> None:
        """Whether the step that somebody stands at has been overdue until now, as it was planned until now (T9).

        It is asked whenever that step is over, or planned anew: what is overdue once, was overdue.
        """
        planned = self._planned.get(enrollment.id)
        if planned is None or now == planned[1]:
            return
        position, estimate = planned
        limit = due_at(enrollment.calendar, enrollment.steps[position].step, estimate)
        if now > limit and (enrollment.id, position) not in self._late:
            self._late.add((enrollment.id, position))
            counts.steps[position].counts["overdue"] += 1
            self._note(enrollment, self._day(limit if self._since is None else max(limit, self._since)), "overdue")

    def _plan(self, enrollment: Enrollment, event: Event, position: int) -> None:
        """From here on a step is planned for what an event says."""
        fields = event.steps.get(position)
        if fields is not None and fields.get("estimated_execute_at") is not None:
            self._planned[enrollment.id] = (position, fields["estimated_execute_at"])

    def _enrolled(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._actor(enrollment).enrollments += 1
        self._counts(self._day(event.at))["enrolled"] += 1
        counts.steps[0].counts["reached"] += 1
        self._plan(enrollment, event, 0)

    def _done(self, counts: _Sequence, enrollment: Enrollment, event: Event, name: str) -> None:
        position = event.position
        assert position is not None, "a step is done"
        step = counts.steps[position]
        step.counts[name] += 1
        step.quarters[between(enrollment.started_at, event.at) // _QUARTER] += 1
        self._overdue(counts, enrollment, event.at)
        if "position" in event.own and position + 1 < len(counts.steps):
            counts.steps[position + 1].counts["reached"] += 1
            self._plan(enrollment, event, position + 1)

    def _email_sent(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._done(counts, enrollment, event, "done")
        self._note(enrollment, self._day(event.at), "emails")
        local = enrollment.calendar.local(event.at)
        self._sends[local.weekday()][local.hour] += 1

    def _task_created(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._note(enrollment, self._day(event.at), "tasks")

    def _task_completed(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._done(counts, enrollment, event, "done")
        self._note(enrollment, self._day(event.at), "tasks_completed")

    def _step_skipped(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._done(counts, enrollment, event, "skipped")

    def _planned_anew(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        planned = self._planned.get(enrollment.id)
        if planned is not None and planned[0] in event.steps:
            self._overdue(counts, enrollment, event.at)
            self._plan(enrollment, event, planned[0])

    def _step_failed(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        assert event.position is not None, "a step has failed"
        counts.steps[event.position].counts["failed"] += 1

    def _deferred(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._planned_anew(counts, enrollment, event)
        reason, position = event.facts.get("reason"), event.position
        if reason is None or position is None:
            return  # its window had closed: no cap, no catch-up
        day = self._day(event.at)
        if reason == "cap":
            self._actor(enrollment).cap_days.add(day)
        if (enrollment.id, position) not in self._put_off:
            self._put_off.add((enrollment.id, position))
            counts.steps[position].counts["deferred"] += 1
            self._note(enrollment, day, "deferred")

    def _finished(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        self._counts(self._day(event.at))["finished"] += 1
        if enrollment.current is not None:
            self._overdue(counts, enrollment, event.at)
        if event.facts["reason"] == "completed":
            counts.quarters[between(enrollment.started_at, event.at) // _QUARTER] += 1
        counts.steps[enrollment.current_step_position].counts["ended"] += 1

    def _blocked(self, counts: _Sequence, enrollment: Enrollment, event: Event) -> None:
        if event.facts["reason"] == "quota_reached":
            self._actor(enrollment).cap_days.add(self._day(event.at))

    _COUNT: ClassVar[dict[str, Callable[[Answers, _Sequence, Enrollment, Event], None]]] = {
        "enrolled": _enrolled,
        "email_sent": _email_sent,
        "task_created": _task_created,
        "task_completed": _task_completed,
        "step_skipped": _step_skipped,
        "step_failed": _step_failed,
        "deferred": _deferred,
        "blocked": _blocked,
        "attempt_failed": _planned_anew,
        "re_estimated": _planned_anew,
        "resumed": _planned_anew,
        "finished": _finished,
    }

    # -- merging -----------------------------------------------------------------------------------------------

    def add(self, other: Answers) -> None:
        """Add what was counted apart."""
        for mine, theirs in zip(self._per_sequence, other._per_sequence, strict=True):
            mine.add(theirs)
        for day, counts in other._days.items():
            _add(self._counts(day), counts)
        for key, actor in other._actors.items():
            self._actors.setdefault(key, _ActorCounts()).add(actor)
        for mine_of_day, theirs_of_day in zip(self._sends, other._sends, strict=True):
            for hour, count in enumerate(theirs_of_day):
                mine_of_day[hour] += count
        _add(self._reactions, other._reactions)
        self.ended(other.ended_at)

    def ended(self, at: DateTime | None) -> None:
        """Time has come to an instant; the latest counts."""
        if at is not None and (self.ended_at is None or at > self.ended_at):
            self.ended_at = at

    # -- telling -----------------------------------------------------------------------------------------------

    @property
    def outcomes(self) -> dict[str, int]:
        """How many end how; everybody is counted once."""
        total: Counter[str] = Counter()
        for each in self._per_sequence:
            _add(total, each.outcomes)
        return _sorted(total)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        outcomes, by_day = self.outcomes, self._by_day()
        days = Counter[str]()
        for counts in by_day.values():
            _add(days, counts)
        steps = [step.counts for each in self._per_sequence for step in each.steps]
        totals = {name: days[name] for name in DAY_COUNTS}
        totals |= {name: sum(each[name] for each in steps) for name in ("failed", "skipped")}
        totals |= {kind: self._reactions[kind] for kind in sorted(self._reactions)}
        return {
            "enrollments": sum(outcomes.values()),
            "ended_at": None if self.ended_at is None else to_iso(self.ended_at.replace(microsecond=0)),
            "timezone": self.timezone,
            "sequences": [
                {"key": each.key, "name": each.name, "steps_total": len(each.steps)} for each in self.sequences
            ],
            "outcomes": outcomes,
            "people": people_counted(each.people for each in self._per_sequence),
            "totals": totals,
            "per_day": _per_day(by_day),
            "per_sequence": [
                self._of_sequence(each, counts) for each, counts in zip(self.sequences, self._per_sequence, strict=True)
            ],
            "per_actor": [self._of_actor(key, self._actors[key]) for key in sorted(self._actors, key=_readable)],
            "sends": [list(each) for each in self._sends],
        }

    def _by_day(self) -> dict[int, Counter[str]]:
        """The counts of each day: those of all actors, and what is no actor's."""
        total = {day: Counter(counts) for day, counts in self._days.items()}
        for actor in self._actors.values():
            for day, counts in actor.days.items():
                _add(total.setdefault(day, Counter()), counts)
        return total

    def _of_sequence(self, sequence: Sequence, counts: _Sequence) -> dict[str, Any]:
        return {
            "key": sequence.key,
            "name": sequence.name,
            "enrollments": sum(counts.outcomes.values()),
            "outcomes": _sorted(counts.outcomes),
            "people": people_counted([counts.people]),
            "blocked": _sorted(counts.blocked),
            "refused": _sorted(counts.refused),
            "time_to_finish": {
                "count": sum(counts.quarters.values()),
                "median_hours": _quantile(counts.quarters, 0.5),
                "p90_hours": _quantile(counts.quarters, 0.9),
            },
            "steps": [
                {
                    "position": position,
                    "key": step.key,
                    "action_type": step.action.action_type,
                    "what": _what(step),
                    **{name: found.counts[name] for name in STEP_COUNTS},
                    "median_hours": _quantile(found.quarters, 0.5),
                }
                for position, (step, found) in enumerate(zip(sequence.steps, counts.steps, strict=True))
            ],
        }

    def _of_actor(self, key: _Actor, found: _ActorCounts) -> dict[str, Any]:
        account, actor_id = key
        return {
            "actor_id": actor_id,
            **({} if account is None else {"account": account}),
            "enrollments": found.enrollments,
            **{name: sum(each[name] for each in found.days.values()) for name in ACTOR_COUNTS},
            "most_emails": max((each["emails"] for each in found.days.values()), default=0),
            "most_tasks": max((each["tasks"] for each in found.days.values()), default=0),
            "cap_days": [_iso(day) for day in sorted(found.cap_days)],
            "per_day": [
                {"date": _iso(day)} | {name: found.days[day][name] for name in _ACTOR_DAYS}
                for day in sorted(found.days)
            ],
        }


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, so that it can be read; only what there is."""
    return dict(sorted(((name, n) for name, n in counts.items() if n), key=lambda pair: (-pair[1], pair[0])))


def _readable(key: _Actor) -> tuple[Any, ...]:
    """Numbers before texts, each in order; nobody first."""
    return tuple((each is not None, isinstance(each, str), each if each is not None else 0) for each in key)


def _per_day(by_day: Mapping[int, Counter[str]]) -> list[dict[str, Any]]:
    """Every day from the first on which something happened to the last."""
    if not by_day:
        return []
    nothing: Counter[str] = Counter()
    return [
        {"date": _iso(day)} | {name: by_day.get(day, nothing)[name] for name in DAY_COUNTS}
        for day in range(min(by_day), max(by_day) + 1)
    ]


def _what(step: Step) -> str:
    """What a step does, in a line."""
    action = step.action
    if isinstance(action, AutomatedEmail):
        return f"mail {action.template_id}"
    return " ".join(action.task_content.split())


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _quantile(quarters: Mapping[int, int], share: float) -> float | None:
    """Within how many hours so large a share is, to a quarter of an hour; None of nothing."""
    wanted, seen = share * sum(quarters.values()), 0
    for quarter in sorted(quarters):
        seen += quarters[quarter]
        if seen >= wanted:
            return quarter / 4
    return None
