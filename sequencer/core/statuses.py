"""The status machines of email and task steps, and of the enrollment (laws L2, L3).

The law, as data: `EMAIL`, `TASK` and `ENROLLMENT` list every edge as (trigger, from, to); what is not listed does not
exist, and a status without edges out of it is final. There is no other way to a status.

The edges are declared to `transitions`, once for each kind: no model, no callbacks, no automatic triggers (they would
let `to_x` pass every guard). Since a trigger through the library costs some six microseconds and a look-up less than a
tenth of one, the table is then compiled from the machine, and `step` drives from the table; a test holds both against
each other for every (status, trigger). The diagrams in the docs are drawn from the same machines.

What each trigger means:

- `request`: handed over to the outside world, the answer is outstanding
- `create`: the task exists at the board, its id is known
- `complete`: the mailer accepted the mail; the task was done
- `fail`: it failed for good
- `retry`: it will be handed over again (after a temporary failure, a withdrawn hand-over, or a person's resume)
- `skip`, `cancel`: passed over; ended with the enrollment
- `block`, `resume`, `finish`: of the enrollment
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from transitions import Machine

from sequencer.core.errors import IllegalTransition

__all__ = [
    "EMAIL",
    "EMAIL_MACHINE",
    "ENROLLMENT",
    "ENROLLMENT_MACHINE",
    "TASK",
    "TASK_MACHINE",
    "EnrollmentState",
    "StepStatus",
    "step",
]


class StepStatus(enum.StrEnum):
    """Where the action of a step stands (L2)."""

    PENDING = "pending"
    REQUESTED = "requested"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class EnrollmentState(enum.StrEnum):
    """Where an enrollment stands (L3). `finished` is final."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    FINISHED = "finished"


# Each by itself: a decision looks at some ten of them, and a look-up in the class takes as long as twenty comparisons.
PENDING, REQUESTED, IN_PROGRESS, COMPLETED, FAILED, SKIPPED, CANCELLED = StepStatus
ACTIVE, BLOCKED, FINISHED = EnrollmentState

_S, _E = StepStatus, EnrollmentState
OVER = frozenset({COMPLETED, SKIPPED, CANCELLED})

EMAIL = (
    ("request", _S.PENDING, _S.REQUESTED),
    ("complete", _S.PENDING, _S.COMPLETED),  # a late answer: an earlier attempt was accepted after all
    ("skip", _S.PENDING, _S.SKIPPED),
    ("cancel", _S.PENDING, _S.CANCELLED),
    ("complete", _S.REQUESTED, _S.COMPLETED),
    ("fail", _S.REQUESTED, _S.FAILED),
    ("retry", _S.REQUESTED, _S.PENDING),
    ("cancel", _S.REQUESTED, _S.CANCELLED),
    ("retry", _S.FAILED, _S.PENDING),
    ("complete", _S.FAILED, _S.COMPLETED),  # a late answer
    ("skip", _S.FAILED, _S.SKIPPED),
    ("cancel", _S.FAILED, _S.CANCELLED),
)

TASK = (
    ("request", _S.PENDING, _S.REQUESTED),
    ("create", _S.PENDING, _S.IN_PROGRESS),  # a late answer, as is the next
    ("complete", _S.PENDING, _S.COMPLETED),
    ("skip", _S.PENDING, _S.SKIPPED),
    ("cancel", _S.PENDING, _S.CANCELLED),
    ("create", _S.REQUESTED, _S.IN_PROGRESS),
    ("complete", _S.REQUESTED, _S.COMPLETED),
    ("fail", _S.REQUESTED, _S.FAILED),
    ("retry", _S.REQUESTED, _S.PENDING),
    ("cancel", _S.REQUESTED, _S.CANCELLED),
    ("complete", _S.IN_PROGRESS, _S.COMPLETED),
    ("fail", _S.IN_PROGRESS, _S.FAILED),  # it was deleted at the board
    ("skip", _S.IN_PROGRESS, _S.SKIPPED),
    ("cancel", _S.IN_PROGRESS, _S.CANCELLED),
    ("retry", _S.FAILED, _S.PENDING),
    ("create", _S.FAILED, _S.IN_PROGRESS),  # late answers
    ("complete", _S.FAILED, _S.COMPLETED),
    ("skip", _S.FAILED, _S.SKIPPED),
    ("cancel", _S.FAILED, _S.CANCELLED),
)

ENROLLMENT = (
    ("block", _E.ACTIVE, _E.BLOCKED),
    ("resume", _E.BLOCKED, _E.ACTIVE),
    ("finish", _E.ACTIVE, _E.FINISHED),
    ("finish", _E.BLOCKED, _E.FINISHED),
)

EMAIL_STATUSES = (_S.PENDING, _S.REQUESTED, _S.COMPLETED, _S.FAILED, _S.SKIPPED, _S.CANCELLED)
TASK_STATUSES = tuple(StepStatus)

Edges = tuple[tuple[str, enum.Enum, enum.Enum], ...]
Table = Mapping[tuple[enum.Enum, str], enum.Enum]


def _machine(states: tuple[enum.Enum, ...], edges: Edges) -> Machine:
    return Machine(
        model=None,
        states=list(states),
        initial=states[0],
        auto_transitions=False,
        transitions=[{"trigger": trigger, "source": source, "dest": dest} for trigger, source, dest in edges],
    )


EMAIL_MACHINE = _machine(EMAIL_STATUSES, EMAIL)
TASK_MACHINE = _machine(TASK_STATUSES, TASK)
ENROLLMENT_MACHINE = _machine(tuple(EnrollmentState), ENROLLMENT)


def _compiled(machine: Machine, kind: type[enum.Enum]) -> Table:
    table: dict[tuple[enum.Enum, str], enum.Enum] = {}
    for trigger, event in machine.events.items():
        for transition in machine.get_transitions(trigger):
            assert transition.dest is not None, "no edge is internal"
            at = (kind[transition.source], trigger)
            if at in table:
                raise AssertionError(f"{at} leads to two statuses: remove one of its edges")
            table[at] = kind[transition.dest]
        assert event.name == trigger
    return MappingProxyType(table)


EMAIL_TABLE = _compiled(EMAIL_MACHINE, StepStatus)
TASK_TABLE = _compiled(TASK_MACHINE, StepStatus)
ENROLLMENT_TABLE = _compiled(ENROLLMENT_MACHINE, EnrollmentState)


def step(table: Table, status: enum.Enum, trigger: str) -> enum.Enum:
    """The status after a trigger. Raises `IllegalTransition` where the machine has no such edge."""
    try:
        return table[status, trigger]
    except KeyError:
        raise IllegalTransition(status, trigger) from None  # type: ignore[arg-type]
