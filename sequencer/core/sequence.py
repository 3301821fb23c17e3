"""The definition: a `Sequence` of `Step`s with a `Calendar` and a `Policy`. It is valid, or it is not built.

Everything here is frozen, compares by value, and has a repr that is valid Python. Of a sequence, the steps, the
calendar's rules, the policy, the name and the metadata make its *content*: changed content under the same key is a new
version (laws L1, L9). Templates, expectations and silences are not part of it: texts are looked up when a mail leaves,
and the others do not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import attrs

from sequencer.core.calendar import Calendar
from sequencer.core.delays import Delay, Hours, Weekdays
from sequencer.core.errors import DefinitionError, InvalidInput, Problem
from sequencer.core.expectations import to_assumptions, to_expectations
from sequencer.core.merge import problems_of
from sequencer.core.policy import Policy
from sequencer.core.silence import to_silence, unknown_steps
from sequencer.core.values import (
    EMPTY,
    FrozenMapping,
    Identifier,
    respelled,
    to_bool,
    to_identifier,
    to_instance,
    to_line,
    to_metadata,
    to_optional_delay,
    to_text,
)

__all__ = [
    "Action",
    "AutomatedEmail",
    "Sequence",
    "SequenceVersion",
    "Step",
    "Task",
    "Template",
]

MOST_STEPS = 200
_MOST_TASK_TEXT = 10_000
_MOST_SUBJECT = 998
_MOST_BODY = 200_000


# -- actions and steps ----------------------------------------------------------------------------------------


def _automated_email_is_reply(value: Any) -> bool:
    return to_bool(value, "is_reply")


def _automated_email_template_id(value: Any) -> Identifier:
    return to_identifier(value, "email_template_id")


@attrs.frozen
class AutomatedEmail:
    """A mail that leaves by itself. `template_id` is the host's own; `is_reply` keeps it in the thread before it."""

    template_id: Identifier = attrs.field(converter=_automated_email_template_id)
    is_reply: bool = attrs.field(default=False, converter=_automated_email_is_reply, kw_only=True)
    action_type = "automated_email"


def _with_fields(text: str, path: str) -> str:
    """A text whose merge fields are all well formed: what is not would reach people as it stands, braces and all."""
    for problem in problems_of(text):
        raise InvalidInput(problem.message, path=path, code="invalid_merge_field")
    return text


def _task_skip_after(value: Any) -> Delay | None:
    return to_optional_delay(value, "skip_after")


def _task_due_after(value: Any) -> Delay:
    return to_optional_delay(value, "due_after") or Weekdays(1)


def to_content(value: Any) -> str:
    """The text of a task; its merge fields are not looked at."""
    if isinstance(value, str) and not value.strip():
        raise InvalidInput("must not be blank", path="task_content", code="blank")
    return to_text(value, "task_content", longest=_MOST_TASK_TEXT)


def _task_task_content(value: Any) -> str:
    return _with_fields(to_content(value), "task_content")


@attrs.frozen
class Task:
    """Something that a person does. It holds the enrollment until it is completed or skipped (law L4).

    `due_after` is how long after its estimate it counts as overdue (T9); `skip_after`, where there is one, is how
    long after its estimate the engine skips it by itself.
    """

    task_content: str = attrs.field(converter=_task_task_content)
    due_after: Delay = attrs.field(default=Weekdays(1), converter=_task_due_after, kw_only=True)
    skip_after: Delay | None = attrs.field(default=None, converter=_task_skip_after, kw_only=True)
    action_type = "task"


Action = AutomatedEmail | Task


def _to_action(value: Any) -> Action:
    if not isinstance(value, (AutomatedEmail, Task)):
        raise InvalidInput(f"needs AutomatedEmail or Task, got {value!r}", path="action", code="invalid_type")
    return value


def _to_delay(value: Any) -> Delay:
    if not isinstance(value, (Hours, Weekdays)):
        raise InvalidInput(
            f"needs Hours or Weekdays, got {value!r}", path="delay_from_previous_step", code="invalid_type"
        )
    return value


def _step_key(value: Any) -> str | None:
    return None if value is None else to_line(value, "key", longest=64)


@attrs.frozen
class Step:
    """One position of a sequence: an action, so long after the step before it is over (T6).

    `key` is optional: what a migration to another version matches on. `metadata` is handed to the port.
    """

    action: Action = attrs.field(converter=_to_action)
    after: Delay = attrs.field(default=Hours(0), converter=_to_delay)
    key: str | None = attrs.field(default=None, converter=_step_key, kw_only=True)
    metadata: Mapping[str, Any] = attrs.field(default=EMPTY, converter=to_metadata, kw_only=True)
    is_email: bool = attrs.field(init=False, eq=False, repr=False)
    """Whether its action is a mail."""

    @is_email.default
    def _is_email(self) -> bool:
        return type(self.action) is AutomatedEmail


def to_body(value: Any) -> str:
    """The text of a mail; its merge fields are not looked at."""
    return to_text(value, "body", longest=_MOST_BODY)


def to_subject(value: Any) -> str:
    """The subject of a mail; its merge fields are not looked at."""
    return to_line(value, "subject", longest=_MOST_SUBJECT)


def _template_body(value: Any) -> str:
    return _with_fields(to_body(value), "body")


def _template_subject(value: Any) -> str:
    return _with_fields(to_subject(value), "subject")


@attrs.frozen
class Template:
    """The text behind a template id, with merge fields like `{{ first_name }}`."""

    subject: str = attrs.field(converter=_template_subject)
    body: str = attrs.field(converter=_template_body)


# -- the sequence ---------------------------------------------------------------------------------------------


def _to_templates(value: Any) -> Mapping[Identifier, Template]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"needs a mapping, got {value!r}", path="templates", code="invalid_type")
    return FrozenMapping(
        {
            to_identifier(key, "templates"): to_instance(Template, template, f"templates.{key}")
            for key, template in value.items()
        }
    )


# These say to type checkers what may be passed; what is kept is settled with everything else, so that all that is
# wrong is reported at once.


def _as_steps(value: Iterable[Step]) -> tuple[Step, ...]:
    return cast("tuple[Step, ...]", value)


def _as_key(value: str | None) -> str:
    return cast("str", value)


@attrs.frozen(slots=False)
class Sequence:
    """A list of steps with the calendar and the policy that they run under. Valid, or not built.

    `key` is its identity within an account and defaults to its name; `calendar` defaults to Monday to Friday in UTC.
    Raises `DefinitionError` with every problem at once.
    """

    name: str
    steps: tuple[Step, ...] = attrs.field(converter=_as_steps)
    calendar: Calendar = attrs.field(default=None, kw_only=True)
    key: str = attrs.field(default=None, converter=_as_key, kw_only=True)
    policy: Policy = attrs.field(default=Policy(), kw_only=True)
    metadata: Mapping[str, Any] = attrs.field(default=EMPTY, kw_only=True)
    templates: Mapping[Identifier, Template] = attrs.field(default=EMPTY, kw_only=True)
    assume: Mapping[str, Any] = attrs.field(default=EMPTY, kw_only=True)
    expect: tuple[Mapping[str, Any], ...] = attrs.field(default=(), kw_only=True)
    silence: tuple[Mapping[str, Any], ...] = attrs.field(default=(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        problems: list[Problem] = []

        def settle(name: str, convert: Any) -> None:
            try:
                self.__dict__[name] = convert(getattr(self, name))
            except InvalidInput as error:
                path = error.path if error.path.startswith(name) else name
                problems.append(Problem(error.code, error.message, path))
            except DefinitionError as error:
                problems.extend(error.problems)

        settle("name", lambda value: to_line(value, "name"))
        settle("key", lambda value: self.name if value is None else to_line(value, "key"))
        settle("calendar", lambda value: Calendar("UTC") if value is None else to_instance(Calendar, value, "calendar"))
        settle("policy", lambda value: to_instance(Policy, value, "policy"))
        settle("metadata", to_metadata)
        settle("templates", _to_templates)
        settle("assume", lambda value: to_metadata(to_assumptions(value), "assume"))
        settle("expect", lambda value: tuple(to_metadata(each, "expect") for each in to_expectations(value)))
        settle("silence", lambda value: tuple(to_metadata(each, "silence") for each in to_silence(value)))
        self._settle_steps(problems)
        if not problems:
            silences = unknown_steps(self.silence, [step.key for step in self.steps])
            problems = [*self._endless(), *silences, *self._respelled()]
        if problems:
            raise DefinitionError(problems)

    def _endless(self) -> Iterable[Problem]:
        """The ends that are expected by a date of people who may be enrolled at any."""
        if "until" not in self.assume.get("enrolled", ()):
            for i, each in enumerate(self.expect):
                if "ends_by" in each:
                    message = (
                        "needs the last date of enrolling: assume.enrolled.until; who is enrolled later cannot end by "
                        "then"
                    )
                    yield Problem("missing_assumption", message, f"expect[{i}].ends_by")

    def _respelled(self) -> Iterable[Problem]:
        """The mails without a text whose id is that of a text that no mail has, but as a number or not as one (S7)."""
        used = {step.action.template_id for step in self.steps if isinstance(step.action, AutomatedEmail)}
        for i, step in enumerate(self.steps):
            if not isinstance(step.action, AutomatedEmail) or step.action.template_id in self.templates:
                continue
            id = step.action.template_id
            other = respelled(id)
            if other in self.templates and other not in used:
                message = (
                    f"there is no template {id!r}, but there is {other!r}: a number and a text are two ids, so write "
                    "both alike"
                )
                yield Problem("unknown_template", message, f"steps[{i}].action_properties.email_template_id")

    def _settle_steps(self, problems: list[Problem]) -> None:
        if isinstance(self.steps, (str, Mapping)) or not isinstance(self.steps, Iterable):
            problems.append(Problem("invalid_type", f"needs a list of Step, got {self.steps!r}", "steps"))
            return
        steps: tuple[Any, ...] = tuple(self.steps)
        self.__dict__["steps"] = steps
        if not 1 <= len(steps) <= MOST_STEPS:
            problems.append(
                Problem(
                    "too_few_steps" if not steps else "too_many_steps",
                    f"needs 1 to {MOST_STEPS} steps, got {len(steps)}",
                    "steps",
                )
            )
        seen: dict[str, int] = {}
        for i, step in enumerate(steps):
            if not isinstance(step, Step):
                problems.append(Problem("invalid_type", f"needs a Step, got {step!r}", f"steps[{i}]"))
            elif step.key is not None and seen.setdefault(step.key, i) != i:
                problems.append(
                    Problem(
                        "duplicate_key", f"{step.key!r} is the key of step {seen[step.key]}, too", f"steps[{i}].key"
                    )
                )

    def __repr__(self) -> str:
        parts = [repr(self.name), repr(list(self.steps)), f"calendar={self.calendar!r}"]
        if self.key != self.name:
            parts.append(f"key={self.key!r}")
        parts += [
            f"{name}={getattr(self, name)!r}"
            for name in ("policy", "metadata", "templates", "assume", "expect", "silence")
            if getattr(self, name) != getattr(_PLAIN, name)
        ]
        return f"Sequence({', '.join(parts)})"


_PLAIN = Sequence("plain", [Step(Task("plain"))])


@attrs.frozen(slots=False)
class SequenceVersion:
    """One immutable content of a sequence, stored once, which enrollments refer to (law L1).

    `id` is the store's id of this version, `sequence_id` that of the sequence, `version` counts from 1 within it.
    """

    id: int
    key: str
    version: int
    sequence: Sequence = attrs.field(repr=False)
    sequence_id: int = 0

    def __getstate__(self) -> dict[str, Any]:
        # What is remembered beside the fields is worked out again where it is needed.
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def calendar_in(self, timezone: str) -> Calendar:
        """The calendar's rules on the clock of a zone; the same object for the same zone."""
        try:
            found: Calendar = self.__dict__["_calendars"][timezone]
        except KeyError:
            known = self.__dict__.setdefault("_calendars", {})
            found = known.setdefault(timezone, self.sequence.calendar.in_zone(timezone))
        return found
