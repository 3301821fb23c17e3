"""The first part of the demo: seven leads, and everything that can happen to them, told as it happens."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pendulum
from pendulum import DateTime

from sequencer.cli.demo_world import World
from sequencer.cli.looking import state
from sequencer.cli.moments import clock_time
from sequencer.cli.output import Output, Styled, Table, bad, dim, good, strong, warn
from sequencer.core.enrollment import Enrollment, Resource
from sequencer.core.errors import SequencerError
from sequencer.core.events import Event
from sequencer.core.instants import later_by
from sequencer.core.sequence import Sequence
from sequencer.core.signals import OutOfOffice, Replied, Unsubscribed
from sequencer.engine.ports import Rejected

__all__ = ["START", "Story"]

START = pendulum.datetime(2025, 10, 22, 9)


@attrs.frozen
class Person:
    """Somebody in the story."""

    number: int
    name: str
    timezone: str
    sequence: str

    @property
    def email(self) -> str:
        """The address, in a domain that is reserved for examples."""
        return f"{self.name.lower()}@example.com"

    @property
    def resource(self) -> Resource:
        """As a lead."""
        fields = {"first_name": self.name, "company": "Example & Co"}
        return Resource("lead", self.number, self.email, fields, self.timezone)


PEOPLE = (
    Person(1, "Ada", "Europe/Warsaw", "inbound"),
    Person(2, "Ben", "America/New_York", "cold"),
    Person(3, "Chloe", "Europe/Paris", "inbound"),
    Person(4, "Dmytro", "Europe/Kyiv", "inbound"),
    Person(5, "Emi", "Asia/Tokyo", "cold"),
    Person(6, "Farid", "Europe/Berlin", "inbound"),
    Person(7, "Grace", "Europe/London", "inbound"),
)

_LATER = Rejected("451 4.7.1 come back later", permanent=False)
_NEVER = Rejected("550 5.1.1 no such user here", permanent=True, recipient_fault=True)

# What is not told: it is the engine's own book-keeping.
_SILENT = {"email_requested", "task_requested", "hand_over_started", "hand_over_withdrawn", "deferred", "noted"}


class Story:
    """Tells the story on a world."""

    def __init__(self, out: Output, world: World, sequences: dict[str, Sequence]) -> None:
        self._out = out
        self._world = world
        self._sequences = sequences
        self._ids: dict[str, int] = {}
        self._names: dict[int, Person] = {}

    def tell(self) -> None:
        """From beginning to end."""
        world = self._world
        world.on_event = self._told
        self._scene("Seven leads come in", _at(22, 9))
        world.post.refuse("chloe@example.com", _LATER, _LATER)
        world.post.refuse("dmytro@example.com", _NEVER)
        for person in PEOPLE:
            self._enroll(person)
        self._explain("Ada")
        self._scene("Mails leave, on each lead's own clock. Chloe's server asks for patience, Dmytro's says no", None)
        self._pass(_at(22, 12))
        self._explain("Dmytro", only_step=True)
        self._scene("Somebody corrects Dmytro's address and resumes him: tried again under a new key", _at(22, 12))
        world.addresses[4] = "dmytro.k@example.com"
        world.engine.resume(self._ids["Dmytro"])
        self._pass(_at(22, 17))
        self._scene("The calls are made. A completed task is what the next step counts from", _at(22, 17))
        self._complete("Ada", "Chloe", "Dmytro", "Farid", "Grace")
        self._pass(_at(23, 6))
        self._scene("Emi is away until 3 November; her sequence waits and goes on by itself", _at(23, 6))
        away = OutOfOffice(key="auto-reply-1", email="emi@example.com", until=_at(3, 0, month=11).date())
        world.engine.handle(away)
        self._pass(_at(24, 10))
        self._scene("Farid is paused on the Friday before the clocks go back, and resumed on Tuesday", _at(24, 10))
        world.engine.block(self._ids["Farid"])
        self._pass(_at(27, 17))
        self._scene("Ben replies: he is a conversation now, and no longer a sequence", _at(27, 17))
        world.engine.handle(Replied(key="reply-1", email="Ben@Example.com"))
        self._pass(_at(28, 8))
        self._scene("Farid goes on. What was left of his delay is waited out, at the same time of day", _at(28, 8))
        world.engine.resume(self._ids["Farid"])
        self._explain("Farid", only_step=True)
        self._pass(_at(28, 10))
        self._scene("Chloe opts out. Her address is suppressed, and nobody can enroll it again", _at(28, 10))
        world.engine.handle(Unsubscribed(key="opt-out-1", email="chloe@example.com"))
        self._refused(PEOPLE[2])
        self._pass(_at(28, 12))
        self._scene("The rest of the month; last calls are made the same day, all but Grace's", _at(28, 12))
        self._make_last_calls()
        self._pass(_at(28, 12, month=11))
        self._standing()
        world.on_event = None

    # -- what is told ------------------------------------------------------------------------------------------

    def _scene(self, title: str, at: DateTime | None) -> None:
        if at is not None:
            self._world.run_until(at)
        self._out.heading(title)

    def _told(self, event: Event) -> None:
        """An event, in a line: when on the lead's clock, who, what."""
        person = self._names.get(event.enrollment_id)
        if person is None or event.type in _SILENT:
            return
        enrollment = self._world.engine.get(event.enrollment_id)
        said = _said(enrollment, event)
        step = "" if event.position is None else f"step {event.position}: "
        self._out.line(dim(f"  {clock_time(event.at, person.timezone):<25}"), strong(f"{person.name:<7} "), step, said)

    def _explain(self, name: str, *, only_step: bool = False) -> None:
        """Why the current step is where it is, as `sequencer explain` says it."""
        explanation = self._world.engine.explain(self._ids[name])
        sentences = list(explanation.sentences)
        if only_step:
            current = f"Step {explanation.enrollment.current_step_position} "
            start = next(i for i, sentence in enumerate(sentences) if sentence.startswith(current))
            rest = next((i for i, each in enumerate(sentences) if i > start and each.startswith("Step ")), None)
            sentences = sentences[start:rest]
        self._out.line(dim(f"  $ sequencer explain {self._ids[name]}"))
        for sentence in sentences:
            self._out.line(Styled(f"  {sentence}", "cyan"))

    def _standing(self) -> None:
        self._out.heading("Where they stand")
        table = Table([">id", "=lead", "sequence", "state", ">mails", ">tasks", "=finished"])
        for person in PEOPLE:
            enrollment = self._world.engine.get(self._ids[person.name])
            done = [step for step in enrollment.steps if step.executed_at is not None]
            emails = sum(step.step.is_email for step in done)
            table.add(
                enrollment.id,
                person.name,
                enrollment.version.sequence.name,
                state(enrollment),
                emails,
                len(done) - emails,
                clock_time(enrollment.finished_at, person.timezone) or dim("waits for a last call"),
            )
        self._out.table(table)

    # -- what happens ------------------------------------------------------------------------------------------

    def _pass(self, until: DateTime) -> None:
        self._world.run_until(until)

    def _enroll(self, person: Person) -> None:
        # The ids of a new store count from 1; known before, so that the event of the enrollment has its name.
        self._names[len(self._ids) + 1] = person
        enrollment = self._world.engine.enroll(self._sequences[person.sequence], person.resource)
        self._ids[person.name] = enrollment.id

    def _refused(self, person: Person) -> None:
        try:
            self._world.engine.enroll(self._sequences[person.sequence], person.resource)
        except SequencerError as error:
            self._out.line(dim("  enrolled again?          "), strong(f"{person.name:<7} "), bad(f"refused: {error}"))

    def _complete(self, *names: str) -> None:
        ids = {self._ids[name] for name in names}
        for task in self._world.engine.tasks():
            if task.enrollment_id in ids:
                self._world.engine.complete_task(task.id)

    def _make_last_calls(self) -> None:
        """From now on, whoever gets a task calls two hours later, but nobody calls Grace."""
        told = self._told

        def on_event(event: Event) -> None:
            told(event)
            if event.type == "task_created" and event.enrollment_id != self._ids["Grace"]:
                self._world.at(later_by(event.at, timedelta(hours=2)), lambda: self._call(event.enrollment_id))

        self._world.on_event = on_event

    def _call(self, enrollment_id: int) -> None:
        current = self._world.engine.get(enrollment_id).current
        if current is not None and current.task_id is not None:
            self._world.engine.complete_task(current.task_id)


def _at(day: int, hour: int, *, month: int = 10) -> DateTime:
    return pendulum.datetime(2025, month, day, hour)


# -- the words for what happens -------------------------------------------------------------------------------

_PLAIN: dict[str, Styled] = {
    "email_sent": good("the mail has left"),
    "attempt_failed": warn("refused for now; it will be tried again"),
    "task_created": warn("a task is on the board"),
    "task_completed": good("the task is done"),
    "task_cancelled": dim("the task is off the board"),
}


def _said(enrollment: Enrollment, event: Event) -> Styled:
    match event.type:
        case "enrolled":
            return Styled(f"enrolled in {enrollment.version.sequence.name}, {enrollment.timezone}")
        case "step_failed":
            step = enrollment.steps[event.position or 0]
            return bad(f"failed for good: {step.failure_detail or step.failure_reason}; blocked")
        case "blocked":
            until = enrollment.blocked_until
            end = f" until {clock_time(until, enrollment.timezone)}" if until else ""
            return warn(f"blocked: {enrollment.blocked_reason}{end}")
        case "resumed":
            return good("resumed by itself" if event.facts.get("automatic") else f"resumed: {event.facts['timeline']}")
        case "finished":
            return strong(f"finished: {event.facts['reason']}")
        case _:
            return _PLAIN.get(event.type, Styled(event.type.replace("_", " ")))
