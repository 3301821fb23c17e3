"""What goes through a port: a mail or a task for a person, put together at the moment of hand-over (laws E2, L1).

Whatever is looked up late is looked up here: the person's address and fields, and the texts of templates. Everything
that is wrong with them comes back as the answer that the port would have given, so that it takes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from sequencer.core.effects import CreateTask, SendEmail
from sequencer.core.enrollment import Enrollment, EnrollmentStep, to_address
from sequencer.core.errors import DefinitionError, InvalidInput, MissingMergeData
from sequencer.core.merge import breaking, fill
from sequencer.core.sequence import AutomatedEmail, Task, Template
from sequencer.core.signals import EmailFailed, TaskFailed
from sequencer.core.statuses import StepStatus
from sequencer.core.timeline import due_at
from sequencer.core.values import Identifier, to_text
from sequencer.engine.port_answers import WrongAnswer
from sequencer.engine.ports import Email, People, Person, TaskRequest

__all__ = ["Asking", "HandOvers", "Templates", "thread_of"]

_LONGEST_TASK = 100_000
Templates = Callable[[Enrollment, Identifier], Template | None]


def thread_of(enrollment: Enrollment, position: int) -> tuple[str, ...]:
    """The message ids of the mails before a reply in its thread, oldest first.

    A thread begins with a mail that is no reply, and again after a mail that never left (skipped, or without an id).
    """
    thread: list[str] = []
    for step in reversed(enrollment.steps[: position + 1]):
        action = step.step.action
        if not isinstance(action, AutomatedEmail):
            continue
        if step.position < position:
            if step.status is not StepStatus.COMPLETED or step.message_id is None:
                break
            thread.append(step.message_id)
        if not action.is_reply:
            break
    return tuple(reversed(thread))


@attrs.define
class Asking:
    """Which of the host's look-ups is under way, or has raised, while one hand-over is put together: its parameter."""

    port: str | None = None

    @contextmanager
    def of(self, port: str) -> Iterator[None]:
        """Around the call. What raises, or hangs, stays noted."""
        self.port = port
        yield
        self.port = None


@attrs.frozen
class HandOvers:
    """Puts hand-overs together from the host's parts.

    What those raise is raised, and so is `WrongAnswer` where they answer what is no answer; an `Asking` then has which
    of them it was.
    """

    people: People | None
    templates: Templates
    unsubscribe_url: Callable[[str], str] | str | None = None

    def person(self, enrollment: Enrollment, asking: Asking) -> Person | None:
        """Who stands behind the resource now; without a `people` port, what was given at enrolling."""
        resource = enrollment.resource
        if self.people is None:
            return Person(resource.email, resource.timezone, resource.fields)
        with asking.of("people"):
            person: Any = self.people(resource)
            if person is not None and not isinstance(person, Person):
                raise WrongAnswer("`people` answers a Person or None", person)
        return person

    def template(self, enrollment: Enrollment, template_id: Identifier, asking: Asking) -> Template | None:
        """The texts behind a template id, as they are now."""
        with asking.of("templates"):
            template: Any = self.templates(enrollment, template_id)
            if template is not None and not isinstance(template, Template):
                raise WrongAnswer("`templates` answers a Template or None", template)
        return template

    def email(self, enrollment: Enrollment, effect: SendEmail, asking: Asking | None = None) -> Email | EmailFailed:
        """The mail of an effect, or why there can be none."""
        asking = asking or Asking()
        step = enrollment.steps[effect.position]
        action = step.step.action
        assert isinstance(action, AutomatedEmail)

        def missing(detail: str, reason: str = "missing_merge_data") -> EmailFailed:
            return EmailFailed(effect_key=effect.key, attempt=effect.attempt, detail=detail, reason=reason)

        person = self.person(enrollment, asking)
        if person is None:
            return missing("nobody is known behind the resource")
        try:
            # One address and no more: another beside it would be neither looked for among those who have opted out (L8)
            # nor recognised again (L9).
            to = to_address(person.email, "email")
        except InvalidInput:
            return missing("what the person has for an email address is not one address")
        if to is None:
            return missing("the person has no email address")
        try:
            template = self.template(enrollment, action.template_id, asking)
        except DefinitionError as error:
            # Trying again does not mend a malformed template; a person does.
            return missing(str(error), "mail_settings")
        subject = body = None
        if template is not None:
            fields = {"email": person.email, **person.fields}
            try:
                subject, body = fill(template.subject, fields).strip(), fill(template.body, fields)
            except MissingMergeData as error:
                return missing(str(error))
            # Not left to the mailer: one that writes headers itself would write what somebody has put into a name.
            broken = () if subject.isprintable() else breaking(template.subject, fields)
            if broken:
                return missing(
                    f"the subject of template {action.template_id!r} is one line, and {_named(broken)} of the person "
                    "with a line break or control character in it: mend the person's data, or leave it out there"
                )
        unsubscribe = enrollment.version.sequence.policy.unsubscribe
        return Email(
            **_common(enrollment, step, effect.attempt),
            person=person,
            to=to,
            template_id=action.template_id,
            subject=subject,
            body=body,
            is_reply=action.is_reply,
            thread=thread_of(enrollment, step.position) if action.is_reply else (),
            unsubscribe=unsubscribe.enabled,
            unsubscribe_url=self._unsubscribe_url(effect.key, asking) if unsubscribe.enabled else None,
            locale=unsubscribe.locale,
            at=step.requested_at,
        )

    def task(
        self, enrollment: Enrollment, effect: CreateTask, asking: Asking | None = None
    ) -> TaskRequest | TaskFailed:
        """The task of an effect, or why there can be none."""
        step = enrollment.steps[effect.position]
        action = step.step.action
        assert isinstance(action, Task)
        assert step.estimated_execute_at is not None, "what is requested has an estimate"
        person = self.person(enrollment, asking or Asking()) or Person()
        try:
            content = fill(action.task_content, {"email": person.email, **person.fields})
            content = to_text(content, "the text of the task", longest=_LONGEST_TASK)
        except (MissingMergeData, InvalidInput) as error:
            # Also what no store can hold: a merge field may be anything.
            return TaskFailed(
                effect_key=effect.key,
                attempt=effect.attempt,
                detail=str(error),
                permanent=True,
                reason="missing_merge_data",
            )
        return TaskRequest(
            **_common(enrollment, step, effect.attempt),
            person=person,
            task_content=content,
            due_at=due_at(enrollment.calendar, step.step, step.estimated_execute_at),
        )

    def _unsubscribe_url(self, key: str, asking: Asking) -> str | None:
        if callable(self.unsubscribe_url):
            with asking.of("unsubscribe_url"):
                link: Any = self.unsubscribe_url(key)
                if link is not None and not isinstance(link, str):
                    raise WrongAnswer("`unsubscribe_url` answers a link, as text, or None", link)
            return link
        return None if self.unsubscribe_url is None else self.unsubscribe_url.replace("{key}", key)


def _named(fields: tuple[str, ...]) -> str:
    """That some merge fields come, by their names; never their values (S8)."""
    *most, last = fields
    return f"the merge fields {', '.join(most)} and {last} come" if most else f"the merge field {last} comes"


def _common(enrollment: Enrollment, step: EnrollmentStep, attempt: int) -> dict[str, Any]:
    """What a mail and a task say alike: of which step of whose enrollment they are."""
    sequence = enrollment.version.sequence
    return {
        "account": enrollment.account,
        "enrollment_id": enrollment.id,
        "position": step.position,
        "attempt": attempt,
        "sequence_key": sequence.key,
        "sequence_name": sequence.name,
        "actor_id": enrollment.actor_id,
        "resource": enrollment.resource,
        "metadata": {**sequence.metadata, **step.step.metadata},
    }
