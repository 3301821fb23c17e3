"""The enrollment: one resource's run through a snapshot of a sequence, as a frozen value.

`Enrollment` refers to the immutable version it was started from (law L1) and adds what changes: where it stands, and
for each step how far it is. A step that nothing has happened to yet is the version's own object, shared by all
enrollments, so an enrollment costs only what it has lived through.

Records are plain frozen attrs classes. `changed` builds the next one by copying the instance's dictionary, at a
tenth of the price of `attrs.evolve`: it is for the core, which gives it values that are right already. Everything that
comes from outside goes through the constructors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
from pendulum import DateTime

from sequencer.core.calendar import Calendar
from sequencer.core.errors import InvalidInput
from sequencer.core.instants import to_iso, to_local_iso
from sequencer.core.sequence import AutomatedEmail, SequenceVersion, Step, Task
from sequencer.core.statuses import ACTIVE, FINISHED, OVER, PENDING, REQUESTED, SKIPPED, EnrollmentState, StepStatus
from sequencer.core.values import Identifier, to_identifier, to_line, to_metadata

__all__ = ["Enrollment", "EnrollmentStep", "Resource", "fold_address", "to_address"]

_Record = TypeVar("_Record")
_new = object.__new__
_set = object.__setattr__
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")
_ADDRESS = re.compile(r"(?:\"[^\"]*\"|[^\s<>,;\"@]+)@[^\s<>,;\"@]+")

FAILURE_REASONS = (
    "delivery_failed",
    "quota_reached",
    "mail_settings",
    "missing_merge_data",
    "task_failed",
    "task_deleted",
    "outcome_unknown",
)


def changed(record: _Record, changes: Mapping[str, Any]) -> _Record:
    """The record with some fields replaced, unvalidated."""
    fields = record.__dict__.copy()
    fields.update(changes)
    new = _new(type(record))
    _set(new, "__dict__", fields)
    return new


def made(kind: type[_Record], fields: dict[str, Any]) -> _Record:
    """The record of that class with these fields, all of them, unvalidated; the dictionary is its own from now on."""
    record = _new(kind)
    _set(record, "__dict__", fields)
    return record


def at_hand(record: _Record) -> _Record:
    """The same record, for much use: it, and what `changed` makes of it, is read in a third of the time.

    The instances of a class share their keys, which saves half a KiB each, until one has a dictionary of its own.
    """
    return made(type(record), {**record.__dict__})


def fold_address(email: str | None) -> str | None:
    """The form in which addresses are compared: the address alone, stripped and case folded; blank is none (L9)."""
    text = (email or "").strip()
    named = _NAMED.fullmatch(text)
    folded = (named[1] if named else text).strip().casefold()
    return folded or None


def to_address(value: Any, path: str) -> str | None:
    """The address of `ada@example.com` or of `Ada <ada@example.com>`, as a From header gives it; blank is none.

    Raises `InvalidInput` for what is no address, and for two of them. Whether mail can be sent there is the mailer's
    to say; here it matters that the same person is recognised again (L8, L9).
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidInput(f"needs text, got {value!r}", path=path, code="invalid_type")
    if not value.strip():
        return None
    text = to_line(value.strip(), path, longest=320)
    named = _NAMED.fullmatch(text)
    address = named[1].strip() if named else text
    if not _ADDRESS.fullmatch(address):
        raise InvalidInput(f"needs one address like ada@example.com, got {value!r}", path=path, code="invalid_address")
    return address


def _to_email(value: Any) -> str | None:
    return to_address(value, "email")


def _to_timezone(value: Any) -> str | None:
    return None if value is None else Calendar(value).timezone


def _resource_fields(value: Any) -> Mapping[str, Any]:
    return to_metadata({} if value is None else value, "resource.fields")


def _resource_id(value: Any) -> Identifier:
    return to_identifier(value, "resource.id")


def _resource_type(value: Any) -> str:
    return to_line(value, "resource.type", longest=64)


@attrs.frozen
class Resource:
    """The lead or contact that is enrolled: the host's type and id, kept as given.

    `email`, `fields` (merge fields) and `timezone` are what the engine uses when it has no `people` port to ask; they
    are kept until `erase`.
    """

    type: str = attrs.field(converter=_resource_type)
    id: Identifier = attrs.field(converter=_resource_id)
    email: str | None = attrs.field(default=None, converter=_to_email)
    fields: Mapping[str, Any] = attrs.field(factory=dict, converter=_resource_fields)
    timezone: str | None = attrs.field(default=None, converter=_to_timezone)

    @property
    def address(self) -> str | None:
        """The address in the form in which addresses are compared."""
        return fold_address(self.email)


@attrs.frozen(slots=False)
class EnrollmentStep:
    """A snapshotted step with its progress. All instants are in UTC.

    `estimated_execute_at` of a step that is not over is stored for the current step and derived for the ones after
    it when the enrollment is read; `overdue` is always derived (laws T7, T9). `generation` rises when a person retries
    after a definite refusal, `attempt` with each hand-over under the same key (E2). `started_at` is the start mark
    (E3); `awaits_report` says that the provider answers later. `serial` and `base_at` are of an enrollment that was
    moved to another version: the number by which keys know the step, where that is not its position, and what its
    delay counts from, where that is not the end of the step before it.
    """

    position: int
    step: Step
    status: StepStatus = PENDING
    estimated_execute_at: DateTime | None = None
    executed_at: DateTime | None = None
    skipped_at: DateTime | None = None
    requested_at: DateTime | None = None
    started_at: DateTime | None = None
    awaits_report: bool = False
    not_before: DateTime | None = None
    not_before_reason: str | None = None
    generation: int = 0
    attempt: int = 0
    failures: int = 0
    failure_reason: str | None = None
    failure_detail: str | None = None
    refused: bool = False
    task_id: Identifier | None = None
    message_id: str | None = None
    provider_id: str | None = None
    cancel_task: bool = False
    cancel_failures: int = 0
    cancel_after: DateTime | None = None
    serial: int | None = None
    base_at: DateTime | None = None
    overdue: bool = False

    @property
    def number(self) -> int:
        """By what keys know the step: it stays when the step moves to another position, and is nobody else's (E2)."""
        return self.position if self.serial is None else self.serial

    @property
    def has_begun(self) -> bool:
        """Whether it was handed over at least once and is not over, so that an answer may be on its way."""
        tried = self.attempt > 0 or self.generation > 0
        return self.status not in OVER and (tried or self.status is not PENDING)

    @property
    def is_passed_over(self) -> bool:
        """Whether it was skipped without ever having been the current step: by a move to another version."""
        return self.status is SKIPPED and self.estimated_execute_at is None

    @property
    def action_type(self) -> str:
        """`automated_email` or `task`."""
        return self.step.action.action_type

    @property
    def is_withdrawable(self) -> bool:
        """Whether it is requested but has no start mark yet, so that its hand-over can be taken back (E3)."""
        return self.status is REQUESTED and self.started_at is None and not self.awaits_report

    @property
    def is_over(self) -> bool:
        """Whether it is completed, skipped or cancelled."""
        return self.status in OVER

    def to_dict(self, timezone: str) -> dict[str, Any]:
        """Plain JSON values; instants in UTC, and the estimate on the zone's clock, too.

        `not_before` is what has put the step off, if anything has, and `not_before_reason` says what that was: a cap, a
        catch-up, a pause before a retry, a resume (T7).
        """
        action = self.step.action
        properties: dict[str, Any]
        if isinstance(action, AutomatedEmail):
            properties = {"email_template_id": action.template_id, "is_reply": action.is_reply}
        else:
            properties = {"task_content": action.task_content}
        estimate = self.estimated_execute_at
        values: dict[str, Any] = {
            "position": self.position,
            "key": self.step.key,
            "action_type": self.action_type,
            "action_properties": properties,
            "delay_from_previous_step": self.step.after.n,
            "delay_from_previous_step_unit": self.step.after.unit,
            "status": self.status.value,
            "estimated_execute_at": estimate and to_iso(estimate),
            "local": estimate and to_local_iso(estimate, timezone),
            "executed_at": self.executed_at and to_iso(self.executed_at),
            "skipped_at": self.skipped_at and to_iso(self.skipped_at),
            "not_before": self.not_before and to_iso(self.not_before),
            "not_before_reason": self.not_before_reason,
            "overdue": self.overdue,
            "failure_reason": self.failure_reason,
            "failure_detail": self.failure_detail,
            "attempt": self.attempt,
        }
        if isinstance(action, Task):
            values["task_id"] = self.task_id
        else:
            values["message_id"] = self.message_id
        return values


@attrs.frozen(slots=False)
class Enrollment:
    """One resource's run through a snapshot: what it refers to, where it stands, and its steps. Instants are in UTC.

    `origin` is the store's random id; with the enrollment's id, a step's number and a generation it makes the key of
    an effect (E2). `started_at` is the base of step 0. `wake_at` is when the engine has to look at it next (None: not
    before something is reported). `past` has the marks of steps that were over when it was moved to a version without
    them. `revision` counts the events recorded so far, so it rises with every decision:
    writers compare and set on it.
    """

    id: int
    origin: str
    account: Identifier | None
    version: SequenceVersion
    resource: Resource
    actor_id: Identifier | None
    timezone: str
    tzdata: str
    created_at: DateTime
    started_at: DateTime
    steps: tuple[EnrollmentStep, ...]
    state: EnrollmentState = ACTIVE
    position: int = 0
    idempotency_key: str | None = None
    updated_at: DateTime | None = None
    wake_at: DateTime | None = None
    blocked_at: DateTime | None = None
    blocked_reason: str | None = None
    blocked_until: DateTime | None = None
    finished_at: DateTime | None = None
    finished_reason: str | None = None
    finished_actor_id: Identifier | None = None
    past: tuple[str, ...] = ()
    revision: int = 0

    @property
    def calendar(self) -> Calendar:
        """The version's calendar on this enrollment's clock."""
        return self.version.calendar_in(self.timezone)

    @property
    def current(self) -> EnrollmentStep | None:
        """The first step that is not over; None when all are."""
        return self.steps[self.position] if self.position < len(self.steps) else None

    @property
    def current_step_position(self) -> int:
        """The position of the current step; past the last step it stays at the last."""
        return min(self.position, len(self.steps) - 1)

    @property
    def is_finished(self) -> bool:
        """Whether it has ended for good."""
        return self.state is FINISHED

    @property
    def outstanding(self) -> tuple[EnrollmentStep, ...]:
        """The steps that were handed over and whose answer is still out."""
        return tuple(step for step in self.steps if step.status is REQUESTED)

    def key_of(self, step: EnrollmentStep) -> str:
        """The key of the step's effect: the store, the enrollment, the step's number, the generation (E2)."""
        number = step.position if step.serial is None else step.serial
        return f"{self.origin}-{self.id}-{number}-{step.generation}"

    def step_of_key(self, key: str) -> EnrollmentStep | None:
        """The step whose effect has, or in an earlier generation had, this key."""
        if self.position < len(self.steps):
            current = self.steps[self.position]
            if key == self.key_of(current):  # as nearly always
                return current
        origin, _, rest = key.rpartition("-")
        origin, _, number = origin.rpartition("-")
        if origin != f"{self.origin}-{self.id}" or not (number.isdecimal() and rest.isdecimal()):
            return None
        step = self.step_of_number(int(number))
        return None if step is None or int(rest) > step.generation else step

    def may_have_used(self, key: str) -> bool:
        """Whether an effect has this key, or may have had it before a move to another version."""
        if self.step_of_key(key) is not None:
            return True
        origin, _, rest = key.rpartition("-")
        origin, _, number = origin.rpartition("-")
        moved = bool(self.past) or any(step.serial is not None for step in self.steps)
        return moved and origin == f"{self.origin}-{self.id}" and number.isdecimal() and rest.isdecimal()

    def step_of_number(self, number: int) -> EnrollmentStep | None:
        """The step that keys know by this number; None where there is none, or none in this version any more."""
        if number < len(self.steps) and self.steps[number].serial is None:
            return self.steps[number]
        return next((step for step in self.steps if step.serial == number), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, instants as ISO 8601 in UTC with `Z`."""

        def iso(instant: DateTime | None) -> str | None:
            return None if instant is None else to_iso(instant)

        return {
            "id": self.id,
            "sequence": {
                "id": self.version.sequence_id,
                "key": self.version.key,
                "name": self.version.sequence.name,
                "version": self.version.version,
                "steps_total": len(self.steps),
            },
            "resource_type": self.resource.type,
            "resource_id": self.resource.id,
            "actor_id": self.actor_id,
            "timezone": self.timezone,
            "tzdata": self.tzdata,
            "state": self.state.value,
            "current_step_position": self.current_step_position,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "started_at": iso(self.started_at),
            "blocked_at": iso(self.blocked_at),
            "blocked_reason": self.blocked_reason,
            "blocked_until": iso(self.blocked_until),
            "finished_at": iso(self.finished_at),
            "finished_reason": self.finished_reason,
            "finished_actor_id": self.finished_actor_id,
            "steps": [step.to_dict(self.timezone) for step in self.steps],
        }


def initial_steps(version: SequenceVersion) -> tuple[EnrollmentStep, ...]:
    """The steps of a version before anything has happened, shared by all its enrollments."""
    steps: tuple[EnrollmentStep, ...] | None = version.__dict__.get("_initial_steps")
    if steps is None:
        steps = tuple(at_hand(EnrollmentStep(i, step)) for i, step in enumerate(version.sequence.steps))
        version.__dict__["_initial_steps"] = steps
    return steps
