"""The second part of the demo: five hundred leads, a year and a half, and a look at everything that came of it."""

from __future__ import annotations

import functools
import itertools
import zoneinfo
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.cli.demo_world import Mailed, World
from sequencer.cli.output import Output, Progress, Table, bad, good, strong
from sequencer.core.calendar import Calendar
from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource, changed
from sequencer.core.events import Event, replay
from sequencer.core.instants import later_by
from sequencer.core.sequence import Sequence
from sequencer.core.signals import Replied, Unsubscribed
from sequencer.core.statuses import EnrollmentState, StepStatus
from sequencer.definitions import Lead
from sequencer.engine.ports import Rejected

__all__ = ["Population"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_GREYLISTED = Rejected("451 4.7.1 greylisted", permanent=False)
_UNKNOWN = Rejected("550 5.1.1 unknown user", permanent=True, recipient_fault=True)
_PAGE = 1000


@attrs.define
class Population:
    """Enrolls everybody at their `enrolled_at`, lets people behave like people, and runs to the end."""

    out: Output
    world: World
    sequences: list[Sequence]
    leads: list[Lead]
    ids: dict[int, int] = attrs.Factory(dict)
    """The index of the lead behind each enrollment."""

    def run(self) -> None:
        """From the first lead to the last step."""
        world = self.world
        with self.out.progress("a year and a half passes", len(self.leads)) as progress:
            for i, lead in enumerate(self.leads):
                assert lead.enrolled_at is not None, "the bundled leads have it"
                world.at(lead.enrolled_at, functools.partial(self._enroll, i, progress))
            world.on_event = self._react
            world.run_until(None)
            world.on_event = None

    def _enroll(self, i: int, progress: Progress) -> None:
        progress.advance()
        lead = self.leads[i]
        if _is_greylisted(i):
            self.world.post.refuse(lead.email or "", _GREYLISTED)
        if _is_unknown(i):
            self.world.post.refuse(lead.email or "", _UNKNOWN)
        resource = Resource(lead.resource_type, lead.resource_id, lead.email, lead.fields, lead.timezone)
        enrollment = self.world.engine.enroll(self.sequences[i % len(self.sequences)], resource)
        self.ids[enrollment.id] = i

    def _react(self, event: Event) -> None:
        """What people do: they make their calls within hours, and some answer, some opt out, some never existed.

        Who does what goes by numbers that have nothing in common with how the leads are dealt out to the sequences.
        """
        i = self.ids.get(event.enrollment_id)
        if i is None:
            return
        engine, id, email = self.world.engine, event.enrollment_id, self.leads[i].email
        if event.type == "task_created":
            self._later(event, 1 + i % 29, lambda: self._call(id))
        elif event.type == "step_failed":
            self._later(event, 24, lambda: engine.resume(id, skip=True))
        elif event.type == "email_sent" and i % 11 == 3 and event.position:
            self._later(event, 5, lambda: engine.handle(Replied(key=f"reply-{id}-{event.position}", email=email)))
        elif event.type == "email_sent" and i % 23 == 7:
            self._later(event, 2, lambda: engine.handle(Unsubscribed(key=f"out-{id}-{event.position}", email=email)))

    def _later(self, event: Event, hours: int, do: Any) -> None:
        self.world.at(later_by(event.at, timedelta(hours=hours)), do)

    def _call(self, id: int) -> None:
        current = self.world.engine.get(id).current
        if current is not None and current.status is StepStatus.IN_PROGRESS and current.task_id is not None:
            self.world.engine.complete_task(current.task_id)

    # -- the result --------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """What came of it, for people and as plain data; `checks` says what was looked at and how often it failed."""
        enrollments = [each for each in _all(self.world) if each.id in self.ids]
        mailed = [each for each in self.world.post.mailed if each.enrollment_id in self.ids]
        checks = self._checks(enrollments, mailed)
        outcomes = Counter(each.finished_reason if each.is_finished else each.state.value for each in enrollments)
        self._show(enrollments, mailed, checks)
        return {
            "enrollments": len(enrollments),
            "outcomes": dict(sorted(outcomes.items(), key=lambda pair: (-pair[1], str(pair[0])))),
            "mails": dict(sorted(Counter(each.sequence_key for each in mailed).items())),
            "checks": [{"check": name, "looked_at": seen, "failed": wrong} for name, seen, wrong in checks],
        }

    def _show(self, enrollments: list[Enrollment], mailed: list[Mailed], checks: list[tuple[str, int, int]]) -> None:
        reasons = sorted({each.finished_reason or each.state.value for each in enrollments})
        table = Table(["sequence", ">leads", *(f">{reason}" for reason in reasons), ">mails", ">tasks done"])
        for sequence in self.sequences:
            mine = [each for each in enrollments if each.version.key == sequence.key]
            outcomes = Counter(each.finished_reason or each.state.value for each in mine)
            emails = sum(each.sequence_key == sequence.key for each in mailed)
            table.add(sequence.name, len(mine), *(outcomes[reason] for reason in reasons), emails, _tasks_done(mine))
        outcomes = Counter(each.finished_reason or each.state.value for each in enrollments)
        total: list[int] = [
            len(enrollments),
            *(outcomes[each] for each in reasons),
            len(mailed),
            _tasks_done(enrollments),
        ]
        table.add(strong("all"), *(strong(number) for number in total))
        self.out.table(table)
        self.out.say()
        held = Table(["held against the calendar and the histories", ">looked at", ">wrong"])
        for name, seen, wrong in checks:
            held.add(name, seen, bad(wrong) if wrong else good(0))
        self.out.table(held)

    def _checks(self, enrollments: list[Enrollment], mailed: list[Mailed]) -> list[tuple[str, int, int]]:
        """What must hold, looked at from outside: from the mails that left, on the plain calendar of the zone."""
        by_id = {each.id: each for each in enrollments}
        emails = [(each, step) for each in enrollments for step in each.steps if step.step.is_email]
        completed = [(each.id, step.position) for each, step in emails if step.status is StepStatus.COMPLETED]
        skipped = [each for each, step in emails if step.status is StepStatus.SKIPPED]
        left = Counter((each.enrollment_id, each.position) for each in mailed)
        done = [(each, step) for each in enrollments for step in each.steps if step.executed_at is not None]
        orders = [(before, after) for each in enrollments for before, after in _one_after_the_other(each)]
        closed = [each for each in mailed if not _is_open(by_id[each.enrollment_id], each.at)]
        early = [
            step for _, step in done if step.estimated_execute_at is None or _executed(step) < step.estimated_execute_at
        ]
        ongoing = [each for each in enrollments if not each.is_finished]
        unlike = [each for each in enrollments if not _replays(self.world, each)]
        unmeant = [each for each in skipped if not _is_unknown(self.ids[each.id])]
        return [
            ("every lead's sequence has finished", len(enrollments), len(ongoing)),
            ("mails left on send days, inside the windows, on the lead's clock", len(mailed), len(closed)),
            ("nothing lost: what is completed has left", len(completed), len(set(completed) - left.keys())),
            ("nothing lost: what was given up is what the server refused", len(skipped), len(unmeant)),
            ("nothing doubled: one mail a step", len(mailed), sum(count - 1 for count in left.values())),
            ("nothing left that is not accounted for", len(left), len(left.keys() - set(completed))),
            ("nothing early: each step at its estimate or later", len(done), len(early)),
            ("in order: no step before the one before it", len(orders), sum(a > b for a, b in orders)),
            ("each history replays to the same enrollment", len(enrollments), len(unlike)),
        ]


def _is_greylisted(i: int) -> bool:
    return i % 31 == 5


def _is_unknown(i: int) -> bool:
    return i % 41 == 11


def _all(world: World) -> Iterator[Enrollment]:
    after = None
    while page := world.engine.enrollments(after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def _executed(step: EnrollmentStep) -> DateTime:
    assert step.executed_at is not None
    return step.executed_at


def _one_after_the_other(enrollment: Enrollment) -> Iterator[tuple[DateTime, DateTime]]:
    return itertools.pairwise(step.executed_at for step in enrollment.steps if step.executed_at is not None)


def _tasks_done(enrollments: list[Enrollment]) -> int:
    return sum(
        step.status is StepStatus.COMPLETED and not step.step.is_email for each in enrollments for step in each.steps
    )


def _is_open(enrollment: Enrollment, at: DateTime) -> bool:
    """Whether mail may leave then, worked out from the definition anew rather than asked of the calendar."""
    calendar: Calendar = enrollment.version.sequence.calendar
    local = datetime.fromtimestamp(at.timestamp(), zoneinfo.ZoneInfo(enrollment.timezone))
    day = _DAYS[local.weekday()]
    if day not in calendar.send_days or local.date() in calendar.holidays:
        return False
    if not calendar.send_windows:
        return True
    return any(
        day in window.days
        and time.fromisoformat(window.opens) <= local.time()
        and (window.closes == "24:00" or local.time() < time.fromisoformat(window.closes))
        for window in calendar.send_windows
    )


def _replays(world: World, enrollment: Enrollment) -> bool:
    """Whether the history makes the same enrollment again; what is personal is not in it."""
    again = replay(enrollment.version, world.engine.history(enrollment.id))
    forgotten = {"resource": None}
    steps = tuple(changed(step, {"failure_detail": None, "overdue": False}) for step in enrollment.steps)
    steps_again = tuple(changed(step, {"failure_detail": None, "overdue": False}) for step in again.steps)
    same = {"steps": steps, **forgotten}, {"steps": steps_again, **forgotten}
    return enrollment.state is not EnrollmentState.FINISHED or changed(enrollment, same[0]) == changed(again, same[1])
