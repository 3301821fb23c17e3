"""The machines: the tables of L2 and L3 written out by hand, against the compiled ones and the machines themselves."""

from __future__ import annotations

from typing import Any

import pytest
from transitions import MachineError

from sequencer.core import statuses
from sequencer.core.errors import IllegalTransition
from sequencer.core.statuses import EnrollmentState, StepStatus, step

# (trigger, from, to), one for each edge of the tables in L2 and L3.
EMAIL = """
request  pending   requested
complete pending   completed
skip     pending   skipped
cancel   pending   cancelled
complete requested completed
fail     requested failed
retry    requested pending
cancel   requested cancelled
retry    failed    pending
complete failed    completed
skip     failed    skipped
cancel   failed    cancelled
"""
TASK = """
request  pending     requested
create   pending     in_progress
complete pending     completed
skip     pending     skipped
cancel   pending     cancelled
create   requested   in_progress
complete requested   completed
fail     requested   failed
retry    requested   pending
cancel   requested   cancelled
complete in_progress completed
fail     in_progress failed
skip     in_progress skipped
cancel   in_progress cancelled
retry    failed      pending
create   failed      in_progress
complete failed      completed
skip     failed      skipped
cancel   failed      cancelled
"""
ENROLLMENT = """
block  active  blocked
resume blocked active
finish active  finished
finish blocked finished
"""


def edges(text):
    return {(source, trigger): to for trigger, source, to in (line.split() for line in text.strip().splitlines())}


MACHINES = {
    "email": (edges(EMAIL), statuses.EMAIL_TABLE, statuses.EMAIL_MACHINE, StepStatus),
    "task": (edges(TASK), statuses.TASK_TABLE, statuses.TASK_MACHINE, StepStatus),
    "enrollment": (edges(ENROLLMENT), statuses.ENROLLMENT_TABLE, statuses.ENROLLMENT_MACHINE, EnrollmentState),
}
TRIGGERS = {
    "email": ["request", "complete", "fail", "retry", "skip", "cancel"],
    "task": ["request", "create", "complete", "fail", "retry", "skip", "cancel"],
    "enrollment": ["block", "resume", "finish"],
}
EVERY = [
    (kind, status, trigger)
    for kind in MACHINES
    for status in MACHINES[kind][3]
    for trigger in sorted({each for triggers in TRIGGERS.values() for each in triggers})
]


class Driven:
    """A throwaway object that the library itself drives."""

    state: object


@pytest.mark.parametrize(("kind", "status", "trigger"), EVERY)
def test_the_compiled_table_says_what_the_law_says(kind, status, trigger):
    """For every status and trigger the compiled table has the edge of L2 and L3, or none, and then it refuses."""
    law, table, _, statuses_of = MACHINES[kind]
    if (status.value, trigger) in law:
        assert step(table, status, trigger) is statuses_of(law[status.value, trigger])
    else:
        with pytest.raises(IllegalTransition) as refusal:
            step(table, status, trigger)
        assert (refusal.value.state, refusal.value.trigger) == (status, trigger)
        assert status.value in str(refusal.value)
        assert trigger in str(refusal.value)


@pytest.mark.parametrize("kind", MACHINES)
def test_the_machine_itself_goes_where_the_table_goes(kind):
    """A throwaway object driven by `transitions` itself ends where the compiled table says, or is refused by both."""
    _, table, machine, statuses_of = MACHINES[kind]
    driven: Any = Driven()
    own = [status for status in statuses_of if status.name in machine.states]
    machine.add_model(driven, initial=own[0])
    try:
        for status in own:
            for trigger in TRIGGERS[kind]:
                machine.set_state(status, model=driven)
                if (status, trigger) in table:
                    assert driven.trigger(trigger)
                    assert driven.state is table[status, trigger]
                else:
                    with pytest.raises(MachineError):
                        driven.trigger(trigger)
                    assert driven.state is status
    finally:
        machine.remove_model(driven)


@pytest.mark.parametrize("kind", MACHINES)
def test_the_machine_knows_no_other_trigger(kind):
    """No machine has automatic triggers such as `to_completed`, which would pass every guard (trap 11)."""
    law, table, machine, _ = MACHINES[kind]

    assert set(machine.events) == set(TRIGGERS[kind])
    assert {(status.value, trigger): to.value for (status, trigger), to in table.items()} == law


def test_an_email_is_never_in_progress():
    """`in_progress` is a task's: no edge of the email machine touches it (L2)."""
    assert StepStatus.IN_PROGRESS.name not in statuses.EMAIL_MACHINE.states
    assert all(StepStatus.IN_PROGRESS not in (status, to) for (status, _), to in statuses.EMAIL_TABLE.items())


@pytest.mark.parametrize("kind", MACHINES)
def test_what_is_over_is_final(kind):
    """`completed`, `skipped`, `cancelled` and `finished` have no edge out of them (L2, L3)."""
    assert not {status.value for status, _ in MACHINES[kind][1]} & {"completed", "skipped", "cancelled", "finished"}


def test_the_compiled_tables_cannot_be_changed():
    """The tables are read-only, so nobody can add a way to a status (L10)."""
    with pytest.raises(TypeError):
        statuses.EMAIL_TABLE[StepStatus.COMPLETED, "retry"] = StepStatus.PENDING  # type: ignore[index]
