"""The status machines drawn: Mermaid diagrams and tables, from the machines that the engine runs on (laws L2, L3).

Nothing is described a second time here. `mermaid` and `table` read the edges off a machine; `page` puts all three
together as the page `docs/statuses.md`, and a test holds that file against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from transitions import Machine

from sequencer.core.statuses import EMAIL_MACHINE, ENROLLMENT_MACHINE, TASK_MACHINE

__all__ = ["MACHINES", "edges_of", "mermaid", "page", "table"]

MACHINES: Mapping[str, Machine] = {"email": EMAIL_MACHINE, "task": TASK_MACHINE, "enrollment": ENROLLMENT_MACHINE}

_ABOUT = {
    "email": """\
## A step that sends a mail

It is over when it is `completed` (the mailer has accepted the mail), `skipped` or `cancelled`. From `failed` a person
gets it going again, and so does an acceptance that comes late.
""",
    "task": """\
## A step that is a task for a person

`requested` until the task exists on the board, then `in_progress` until somebody completes it. A task that is deleted
on the board makes the step `failed`.
""",
    "enrollment": """\
## An enrollment

`finished` is final. Nothing is handed over while it is `blocked`.
""",
}
_INTRODUCTION = """\
# Statuses

<!-- Made by sequencer.core.diagrams.page from the machines that run. Do not edit: a test compares. -->

A step has a status, an enrollment has a state. These are all the ways there are from one to another. What is not here
does not happen: a request that would need it raises `IllegalTransition` and changes nothing.
"""
_MEANINGS = {
    "request": "it is handed over to the outside world, and the answer is outstanding",
    "create": "the task exists on the board, and its id is known",
    "complete": "the mailer has accepted the mail; the task was done",
    "fail": "it failed for good",
    "retry": "it will be handed over again: after a temporary failure, a withdrawn hand-over, or a person's resume",
    "skip": "it is passed over",
    "cancel": "it ends with the enrollment",
    "block": "a failure, a person or a report holds the enrollment",
    "resume": "it goes on",
    "finish": "it ends: by itself, by a person or by a report",
}


def edges_of(machine: Machine) -> Iterator[tuple[str, str, str]]:
    """Each edge of a machine as (trigger, from, to), in the order of its states."""
    order = [_value(state) for state in machine.states]
    edges = [
        (trigger, _value(transition.source), _value(transition.dest or transition.source))
        for trigger in machine.events
        for transition in machine.get_transitions(trigger)
    ]
    yield from sorted(edges, key=lambda edge: (order.index(edge[1]), order.index(edge[2])))


def _value(state: str) -> str:
    # The machines name their states like the members of the enums; everybody else knows them by their values.
    return state.lower()


def mermaid(machine: Machine, title: str | None = None) -> str:
    """The machine as a Mermaid state diagram; a state without edges out of it is final."""
    lines = [] if title is None else ["---", f"title: {title}", "---"]
    lines += ["stateDiagram-v2", f"    [*] --> {_value(str(machine.initial))}"]
    edges = list(edges_of(machine))
    lines += [f"    {source} --> {dest}: {trigger}" for trigger, source, dest in edges]
    leaving = {source for _, source, _ in edges}
    lines += [f"    {state} --> [*]" for state in map(_value, machine.states) if state not in leaving]
    return "\n".join(lines) + "\n"


def table(machine: Machine) -> str:
    """The machine as a Markdown table: for each state, what leads where."""
    edges = list(edges_of(machine))
    lines = ["| from | trigger: to |", "|---|---|"]
    for state in map(_value, machine.states):
        leaving = ", ".join(f"{trigger}: `{dest}`" for trigger, source, dest in edges if source == state)
        lines.append(f"| `{state}` | {leaving or 'final'} |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page about all machines, as `docs/statuses.md` has it."""
    parts = [_INTRODUCTION]
    for name, machine in MACHINES.items():
        parts += [_ABOUT[name], f"```mermaid\n{mermaid(machine)}```\n", table(machine)]
    rows = "".join(f"\n| `{trigger}` | {meaning} |" for trigger, meaning in _MEANINGS.items())
    parts += ["## What the triggers mean\n", f"| trigger | meaning |\n|---|---|{rows}\n"]
    return "\n".join(parts)
