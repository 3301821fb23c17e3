"""The world around the engine: what mailers answer, what people do about mails, when tasks get done.

It is asked at the moment at which an engine would call a port, and answers what a port would, or says what will happen
later. Everything follows from the scenario and from the luck of the person and the step; it reads no clock and keeps no
state. What a mail or a task needs of the person is looked up as by the engine's own hand-over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Several
from datetime import date, timedelta
from typing import Any

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.days import WEEKDAYS
from sequencer.core.effects import CreateTask, SendEmail
from sequencer.core.enrollment import Enrollment
from sequencer.core.instants import later_by
from sequencer.core.merge import fields_of
from sequencer.core.sequence import AutomatedEmail, Sequence, Task, Template
from sequencer.core.signals import EmailFailed, EmailSent, TaskCreated, TaskFailed
from sequencer.core.values import Identifier
from sequencer.core.windows import Window
from sequencer.engine.handover import HandOvers
from sequencer.simulation.chance import Luck, person_name, step_names
from sequencer.simulation.scenario import REACTIONS, Reaction, Scenario
from sequencer.simulation.spans import Span

__all__ = ["Happening", "World"]

_GOOD = frozenset({"replied", "meeting_booked", "converted"})
# Which of the sixteen draws of a step says what; each reaction has two, from the second on.
_REFUSED, _FIRST_REACTION, _AWAY, _DEFERRED = 0, 1, 13, 14
_NEVER, _TAKES, _RESUMED = 0, 1, 15
_MOST_STEPS = 256


@attrs.frozen
class Happening:
    """Something that will happen: when, what (`done`, `answer`, `resume`, a kind of report), about which step."""

    at: DateTime
    what: str
    position: int
    until: DateTime | None = None


@attrs.frozen
class _Habit:
    """A reaction to one step's mail: which, how likely, and which draws say so."""

    kind: str
    chance: float
    draw: int
    reaction: Reaction


@attrs.frozen
class _Step:
    """What is known of a step beforehand: what chance calls it, the merge fields of its texts, what people do."""

    name: str
    fields: tuple[str, ...]
    habits: tuple[_Habit, ...] = ()
    take: Span | None = None
    never: float = 0.0


class World:
    """What a scenario makes of each hand-over, for the sequences of one run.

    `known_as` says by what names chance knows the sequences; by default by their places, from 1 on.
    """

    def __init__(
        self,
        scenario: Scenario,
        sequences: Several[Sequence],
        luck: Luck,
        known_as: Several[str] | None = None,
    ) -> None:
        self.scenario = scenario
        self._luck = luck
        self._sequences = tuple(sequences)
        self._known_as = known_as or [str(place) for place in range(1, len(self._sequences) + 1)]
        self._steps = [list(_steps(scenario, each)) for each in sequences]
        self._hand_overs = HandOvers(None, self._template)
        self._calendars: dict[Any, Calendar] = {}
        self._leave = {
            actor: _days_of_leave(scenario, actor) for actor in {each.actor for each in scenario.tasks.leave}
        }

    def _template(self, enrollment: Enrollment, template_id: Identifier) -> Template | None:
        return enrollment.version.sequence.templates.get(template_id)

    def _draws(self, enrollment: Enrollment, step: _Step, more: str = "") -> tuple[float, ...]:
        resource = enrollment.resource
        sequence = self._known_as[enrollment.version.sequence_id - 1]
        person = person_name(resource.type, resource.id, enrollment.account)
        return self._luck.of(f"{sequence}/{person}/{step.name}{more}")

    # -- mails -------------------------------------------------------------------------------------------------

    def mail(
        self, enrollment: Enrollment, effect: SendEmail, now: DateTime, *, complete: bool
    ) -> tuple[EmailSent | EmailFailed, Several[Happening]]:
        """What the mailer answers, and what people will do about the mail."""
        position, mails = effect.position, self.scenario.mails
        step = self._steps[enrollment.version.sequence_id - 1][position]
        if not (complete or _has(enrollment, step.fields, address=True)):
            prepared = self._hand_overs.email(enrollment, effect)
            if isinstance(prepared, EmailFailed):
                return prepared, ()
        if mails.outages and any(each.begins <= now < each.ends for each in mails.outages):
            return _refused(effect, "the mailer is out of order (simulated)", permanent=False), ()
        draws = self._draws(enrollment, step) if step.habits or mails.refused or mails.deferred else ()
        if mails.refused and draws[_REFUSED] < mails.refused:
            return _refused(effect, "unknown user (simulated)", permanent=True), ()
        if mails.deferred:
            # Each attempt has its own luck, also those after a person has retried.
            tried = enrollment.steps[position].generation
            more = f"{effect.attempt}" if not tried else f"{tried}.{effect.attempt}"
            luck = draws if more == "1" else self._draws(enrollment, step, f"/{more}")
            if luck[_DEFERRED] < mails.deferred:
                return _refused(effect, "try again later (simulated)", permanent=False), ()
        sent = EmailSent(effect_key=effect.key, attempt=effect.attempt, message_id=f"<{effect.key}@simulated.invalid>")
        return sent, self._reactions(enrollment, position, draws, now) if step.habits else ()

    def reactions(self, enrollment: Enrollment, position: int, sent_at: DateTime) -> Several[Happening]:
        """What people will do about a mail that left then."""
        step = self._steps[enrollment.version.sequence_id - 1][position]
        return self._reactions(enrollment, position, self._draws(enrollment, step), sent_at) if step.habits else ()

    def _reactions(
        self, enrollment: Enrollment, position: int, draws: tuple[float, ...], now: DateTime
    ) -> list[Happening]:
        times = self._season(enrollment, now) if self.scenario.mails.seasons else 1.0
        habits = self._steps[enrollment.version.sequence_id - 1][position].habits
        does = [
            habit
            for habit in habits
            if draws[habit.draw] < (habit.chance * times if habit.kind in _GOOD else habit.chance)
        ]
        # What came back was read by nobody.
        does = [habit for habit in does if habit.kind == "bounced"] or does
        return [self._happening(enrollment, position, habit, draws, now) for habit in does]

    def _happening(
        self, enrollment: Enrollment, position: int, habit: _Habit, draws: tuple[float, ...], now: DateTime
    ) -> Happening:
        timezone, reaction = enrollment.timezone, habit.reaction
        at = self._after(now, reaction.after, draws[habit.draw + 1], ("person", timezone))
        until = None if reaction.away is None else self._after(at, reaction.away, draws[_AWAY], ("person", timezone))
        return Happening(at, habit.kind, position, until)

    def _season(self, enrollment: Enrollment, now: DateTime) -> float:
        day, times = self._sequences[enrollment.version.sequence_id - 1].calendar.local(now).date(), 1.0
        for season in self.scenario.mails.seasons:
            if season.first <= day <= season.last:
                times *= season.times
        return times

    # -- tasks -------------------------------------------------------------------------------------------------

    def task(
        self, enrollment: Enrollment, effect: CreateTask, now: DateTime, *, complete: bool
    ) -> tuple[TaskCreated | TaskFailed, Several[Happening]]:
        """What the task board answers, and when the task will be done."""
        position = effect.position
        step = self._steps[enrollment.version.sequence_id - 1][position]
        if not (complete or _has(enrollment, step.fields, address=False)):
            prepared = self._hand_overs.task(enrollment, effect)
            if isinstance(prepared, TaskFailed):
                return prepared, ()
        # Unique among all tasks of a run, and the same however the work is cut.
        task_id = enrollment.id * _MOST_STEPS + position
        created = TaskCreated(effect_key=effect.key, attempt=effect.attempt, task_id=task_id)
        done = self.done(enrollment, position, now)
        return created, () if done is None else (done,)

    def done(self, enrollment: Enrollment, position: int, created_at: DateTime) -> Happening | None:
        """When a task that was created then will be done; None if nobody ever does it."""
        step = self._steps[enrollment.version.sequence_id - 1][position]
        assert step.take is not None, "a task takes its time"
        chance = 0.0
        if step.never or len(step.take.points) > 1:
            draws = self._draws(enrollment, step)
            if draws[_NEVER] < step.never:
                return None
            chance = draws[_TAKES]
        return Happening(self._at_desk(enrollment, created_at, step.take, chance), "done", position)

    def _at_desk(self, enrollment: Enrollment, now: DateTime, span: Span, chance: float) -> DateTime:
        place, actor = enrollment.version.sequence_id - 1, enrollment.actor_id
        whose = actor if actor in self._leave else None
        at = self._after(now, span, chance, ("desk", place, whose))
        if self._leave and not span.desk:
            # Elapsed time needs nobody at the desk, but whoever is on leave does nothing.
            at = self._calendar(("leave", place, whose)).next_open(at, email=False)
        return at

    # -- blocked -----------------------------------------------------------------------------------------------

    def blocked(self, enrollment: Enrollment, position: int, now: DateTime) -> Happening | None:
        """When somebody looks after an enrollment that a failure has blocked; None where nobody does."""
        rule = self.scenario.blocked
        # Each retry by a person has a key of its own (E2), so the generation says how many there were.
        tried = enrollment.steps[position].generation
        if rule.then == "leave" or (rule.then == "retry" and tried >= rule.tries):
            return None
        step = self._steps[enrollment.version.sequence_id - 1][position]
        chance = self._draws(enrollment, step, f"/{tried}")[_RESUMED]
        return Happening(self._at_desk(enrollment, now, rule.after, chance), "resume", position)

    # -- time --------------------------------------------------------------------------------------------------

    def _after(self, at: DateTime, span: Span, chance: float, hours: tuple[Any, ...]) -> DateTime:
        time = timedelta(seconds=span.drawn(chance))
        return self._calendar(hours).after_open(at, time, email=True) if span.desk else later_by(at, time)

    def _calendar(self, key: tuple[Any, ...]) -> Calendar:
        found = self._calendars.get(key)
        if found is None:
            found = self._calendars[key] = self._made(*key)
        return found

    def _made(self, kind: str, where: Any, actor: Identifier | None = None) -> Calendar:
        desk = self.scenario.tasks.desk
        if kind == "person":
            return Calendar(where, working_days=desk.days, send_windows=[Window(desk.days, desk.opens, desk.closes)])
        calendar = self._sequences[where].calendar
        timezone = desk.timezone or calendar.timezone
        leave = {*self._leave.get(None, ()), *self._leave.get(actor, ())}
        if kind == "leave":
            return Calendar(timezone, working_days=WEEKDAYS, holidays=leave)
        return Calendar(
            timezone,
            working_days=desk.days,
            send_windows=[Window(desk.days, desk.opens, desk.closes)],
            holidays={*calendar.holidays, *leave},
        )


def _has(enrollment: Enrollment, fields: tuple[str, ...], *, address: bool) -> bool:
    """Whether it is plain that nothing is missing; where it is not, the hand-over itself is asked."""
    resource = enrollment.resource
    if address and not resource.email:
        return False
    values: Mapping[str, Any] = resource.fields
    for name in fields:
        value = values.get(name)
        # What is not printable may be a line break, which no subject takes.
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            return False
    return True


def _refused(effect: SendEmail, detail: str, *, permanent: bool) -> EmailFailed:
    return EmailFailed(
        effect_key=effect.key, attempt=effect.attempt, detail=detail, permanent=permanent, recipient_fault=permanent
    )


def _days_of_leave(scenario: Scenario, actor: Identifier | None) -> set[date]:
    leaves = [each for each in scenario.tasks.leave if each.actor == actor and type(each.actor) is type(actor)]
    return {each.first + timedelta(days=n) for each in leaves for n in range((each.last - each.first).days + 1)}


def _steps(scenario: Scenario, sequence: Sequence) -> Iterator[_Step]:
    mails = 0
    for position, (step, name) in enumerate(zip(sequence.steps, step_names(sequence), strict=True)):
        called: list[int | str]
        action, called = step.action, [position, *([step.key] if step.key else [])]
        if isinstance(action, AutomatedEmail):
            template = sequence.templates.get(action.template_id)
            texts = () if template is None else (template.subject, template.body)
            # The address is looked at apart.
            fields = tuple({each: None for text in texts for each in fields_of(text) if each != "email"})
            yield _Step(name, fields, tuple(_habits(scenario, called, mails)))
            mails += 1
        else:
            assert isinstance(action, Task)
            habits = [scenario.tasks.steps[each] for each in called if each in scenario.tasks.steps]
            take = next((each.take for each in habits if each.take is not None), scenario.tasks.take)
            never = next((each.never for each in habits if each.never is not None), scenario.tasks.never)
            yield _Step(name, fields_of(action.task_content), take=take, never=never)


def _habits(scenario: Scenario, called: list[int | str], number: int) -> Iterator[_Habit]:
    mails = scenario.mails
    special = [mails.steps[each] for each in called if each in mails.steps]
    for place, kind in enumerate(REACTIONS):
        reaction = next((each[kind] for each in special if kind in each), mails.reactions.get(kind))
        if reaction is not None and reaction.of_mail(number):
            yield _Habit(kind, reaction.of_mail(number), _FIRST_REACTION + 2 * place, reaction)
