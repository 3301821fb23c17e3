"""What Hypothesis is told when it is imported: which strategy makes a value of which of our types.

It comes here by the entry point `hypothesis` of the installed package, so that `st.from_type(Sequence)` works, and
`st.builds` with our annotations. Only the types are imported then; the strategies when one of them is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

__all__ = ["register"]


def register() -> None:
    """Register a strategy for each of our types that a test may ask for."""
    from hypothesis import strategies as st

    from sequencer.core import signals
    from sequencer.core.calendar import Calendar
    from sequencer.core.delays import Hours, Weekdays
    from sequencer.core.enrollment import Enrollment, EnrollmentStep, Resource
    from sequencer.core.events import Event
    from sequencer.core.policy import Policy, Reaction, Retry, Unsubscribe
    from sequencer.core.sequence import AutomatedEmail, Sequence, SequenceVersion, Step, Task, Template
    from sequencer.core.windows import Window
    from sequencer.simulation.scenario import Scenario
    from sequencer.simulation.spans import Span

    plain = {
        Hours: "hours",
        Weekdays: "weekdays",
        Window: "windows",
        Calendar: "calendars",
        Policy: "policies",
        Reaction: "reactions",
        Step: "steps",
        Template: "templates",
        Sequence: "sequences",
        Resource: "resources",
        Enrollment: "enrollments",
        Scenario: "scenarios",
        Span: "spans",
    }
    for kind, name in plain.items():
        st.register_type_strategy(kind, partial(_made, name))
    parts: dict[type, tuple[str, Callable[[Any], Any]]] = {
        AutomatedEmail: ("emails", lambda step: step.action),
        Task: ("tasks", lambda step: step.action),
        Retry: ("policies", lambda policy: policy.retry),
        Unsubscribe: ("policies", lambda policy: policy.unsubscribe),
        SequenceVersion: ("enrollments", lambda enrollment: enrollment.version),
        EnrollmentStep: ("enrollments", lambda enrollment: enrollment.steps[0]),
        Event: ("histories", lambda history: history[1][-1]),
    }
    for kind, (name, part) in parts.items():
        st.register_type_strategy(kind, partial(_part, name, part))
    for kind in (*signals.OUTSIDE.values(), *get_args(signals.Answer)):
        st.register_type_strategy(kind, _said)


def _made(name: str, kind: type) -> Any:
    """The strategy of this name."""
    from sequencer.testing import strategies

    return getattr(strategies, name)()


def _part(name: str, part: Callable[[Any], Any], kind: type) -> Any:
    """A part of what a strategy makes."""
    from hypothesis import strategies as st

    from sequencer.testing import strategies

    if name == "emails":
        return strategies.steps(kinds=st.just("automated_email")).map(part)
    if name == "tasks":
        return strategies.steps(kinds=st.just("task")).map(part)
    return getattr(strategies, name)().map(part)


def _said(kind: type) -> Any:
    """A report or an answer of this type, about an enrollment, a mail or a task."""
    from sequencer.testing.strategies.running import reports

    return reports(kind)
